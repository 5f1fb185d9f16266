/*
 * Writing merged values into rows, and parking the rows that this database's own rules (UNIQUE,
 * CHECK, NOT NULL, foreign keys) do not take (L9).
 *
 * What a row has not taken stays as values in the record's shadow: nothing is lost, the marks are
 * those of every other replica, and the row is tried again after each apply.
 */
#ifndef SG_PARK_H
#define SG_PARK_H

#include "replica/apply.h"

/* Write the values that a->rec holds for columns there are into the row; fresh: there is no row
 * yet. A refusal parks the record and is no error. */
int sg_park_write(sg_apply *a, sg_table *t, bool fresh);
/* Delete the row; one that its database's rules hold back is parked, and no error. */
int sg_park_delete(sg_apply *a, sg_table *t);
/* A record whose id cannot be a key of the table here: noted, never tried again. */
int sg_park_foreign(sg_apply *a, sg_table *t, sg_slice id);
/* A record of a space (empty: of none) whose key is taken here by another space's: the same. */
int sg_park_space(sg_apply *a, sg_table *t, sg_slice space, sg_slice id);
void sg_park_remove(sg_replica *r, const sg_table *t, sg_slice key, int *err);
/* Try the parked record of a->key again; *freed becomes true if it is not parked any more. */
int sg_park_retry(sg_apply *a, sg_table *t, bool *freed);
/* At the end of an apply: park what breaks foreign keys, try again what is parked. */
int sg_park_settle(sg_apply *a);

#endif
