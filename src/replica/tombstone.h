/*
 * Deletes that the server has forgotten.
 *
 * A server purges tombstones by age and says so with each page: `floor`, a seq up to which deletes may
 * be forgotten. They are forgotten here too. Otherwise an insert that is older than such a delete, and
 * comes late, would be alive at the server and dead here (L2), and tombstones would gather for ever.
 */
#ifndef SG_TOMBSTONE_H
#define SG_TOMBSTONE_H

#include "replica/apply.h"

/* Before the page's records are applied. Costs nothing while the floor stays where it was. */
int sg_tombstones_forget(sg_apply *a, int64_t floor);

#endif
