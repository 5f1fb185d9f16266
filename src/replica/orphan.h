/* Rows that refer to a row which is not here, in a database that enforces its foreign keys. */
#ifndef SG_ORPHAN_H
#define SG_ORPHAN_H

#include "replica/apply.h"

/* The first row of a tracked table that breaks a foreign key: its key goes to a->key. NULL if there
 * is none. */
sg_table *sg_orphan_find(sg_apply *a, int *err);

#endif
