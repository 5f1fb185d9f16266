/*
 * Reconciling a table's rows with their shadows, after a time in which not everything was captured:
 * the table was not tracked, or it was made anew, or it has columns and indexes that its triggers
 * did not know.
 */
#ifndef SG_RECONCILE_H
#define SG_RECONCILE_H

#include "replica/rec.h"

enum sg_gap {
    SG_GAP_SCHEMA, /* captured, but for columns and UNIQUE indexes that came since */
    SG_GAP_UNSEEN  /* nothing was captured */
};

/* Inside a transaction, with current triggers, everything flushed and folded. What is found is
 * queued as a migration's: rows without a shadow under the bottom stamp (L4), the rest captured to
 * be flushed. */
void sg_reconcile(sg_replica *r, uint32_t table, enum sg_gap gap, int *err);

/* Of that, rows without a shadow alone. */
void sg_reconcile_adopt(sg_replica *r, uint32_t table, int *err);

/* Before capture ends: put the rows' values into their shadows, so that sg_reconcile will see what
 * was changed meanwhile. */
void sg_reconcile_keep(sg_replica *r, uint32_t table, int *err);

#endif
