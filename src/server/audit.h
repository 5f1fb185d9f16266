/*
 * Are the sums that a store keeps those of the records it holds? A replica that differs from the sums
 * mends itself; where the server is the damaged side, this tells.
 *
 * Threads: whoever owns the view.
 */
#ifndef SG_AUDIT_H
#define SG_AUDIT_H

#include "store/store.h"

/* Of one table of one feed. */
typedef struct sg_audited {
    sg_feed feed;
    uint32_t number;            /* of the table */
    sg_slice scope, app, table; /* borrowed during the call */
    sg_sum kept;
    sg_sum found;   /* from the records, as far as they can be read */
    size_t damaged; /* records that cannot */
} sg_audited;

typedef void sg_audit_fn(void *ctx, const sg_audited *table);

static inline bool sg_audited_sound(const sg_audited *t)
{
    return t->damaged == 0 && t->kept.marks == t->found.marks &&
           t->kept.values == t->found.values && t->kept.records == t->found.records;
}

/* Look at every record there is, in one snapshot. It takes as long as reading them all, and memory for
 * the greatest of them. Errors of the store, SG_NOMEM. */
int sg_audit(const sg_store *store, sg_view *view, sg_audit_fn *fn, void *ctx);

#endif
