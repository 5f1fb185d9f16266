/* The triggers that capture a tracked table. */
#ifndef SG_TRIGGER_H
#define SG_TRIGGER_H

#include "replica/table.h"

/* Drop the table's capture triggers, and make them anew from its columns and indexes as they are
 * now. */
void sg_triggers_drop(sg_replica *r, const sg_table *t, int *err);
void sg_triggers_create(sg_replica *r, const sg_table *t, int *err);

/* What the triggers that are there say: the table they are on (it may have been renamed), how many
 * columns they know, their signature. */
void sg_triggers_find(sg_replica *r, sg_table *t, int *err);
/* Are they what sg_triggers_create would make? Sets t->stale. */
void sg_triggers_check(sg_replica *r, sg_table *t, int *err);

#endif
