/* Keeping capture current when the user's schema has changed: triggers made for another one. */
#ifndef SG_REFRESH_H
#define SG_REFRESH_H

#include "replica/table.h"

/* Make all triggers current, take in what they did not see, show values that came for a column
 * before the column did (L19). Does nothing when all is current. */
int sg_refresh(sg_replica *r);
/* The first two of that, inside a transaction that nothing may be begun in (xSync). What is found
 * is captured, to be flushed. */
int sg_refresh_stale(sg_replica *r);
/* The last. */
void sg_refresh_kept(sg_replica *r, uint32_t table, int *err);
/* sigla_table has the table's name as it is now; another table that had it is gone. */
void sg_refresh_name(sg_replica *r, uint32_t table, sg_slice name, int *err);

#endif
