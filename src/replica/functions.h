/* The SQL functions of Sigla (include/sigla.h lists them). */
#ifndef SG_FUNCTIONS_H
#define SG_FUNCTIONS_H

#include "replica/replica.h"

/* Register one whose owner is r: `destroy` is called with r when the connection closes, and also if
 * this fails. */
int sg_functions_own(sg_replica *r, void (*destroy)(void *));
/* Register the others. */
int sg_functions_register(sg_replica *r);
/* Give an error to SQL: the replica's message, or the code's sentence. */
void sg_result_error(sqlite3_context *ctx, const sg_replica *r, int err);

#endif
