/*
 * Who writes on this connection: the stack of sigla_as() … sigla_as_end().
 *
 * A frame made inside a transaction ends with it. Frames keep their actor's text: the row that
 * interned it may be undone by a ROLLBACK TO, and is then made again when somebody writes.
 */
#ifndef SG_ACTOR_STACK_H
#define SG_ACTOR_STACK_H

#include "replica/replica.h"

/* The interned actor of a write made now; 0 after an error. */
uint32_t sg_actor_current(sg_replica *r, int *err);
int sg_actor_push(sg_replica *r, sg_slice json, enum sg_origin origin);
/* The same for one of the actors that every database has (SG_ACTOR_…). */
int sg_actor_push_fixed(sg_replica *r, uint32_t actor);
/* False if there is none. */
bool sg_actor_pop(sg_replica *r);
/* The transaction has ended, and with it what was pushed in it. */
void sg_actor_stack_end(sg_replica *r);
/* What was interned may have been undone. */
void sg_actor_stack_forget(sg_replica *r);
void sg_actor_stack_deinit(sg_replica *r);

#endif
