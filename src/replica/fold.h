/*
 * Folding: the marks of queued changes go into the shadows of their records.
 *
 * Writes only append to the outbox; the marks are folded in later, many at a time and sorted by
 * key, because that is several times cheaper than doing it write by write. Whoever needs shadows
 * calls sg_fold first. After it every outbox row is folded.
 */
#ifndef SG_FOLD_H
#define SG_FOLD_H

#include "replica/rec.h"

/* Inside a transaction. */
void sg_fold(sg_replica *r, int *err);
/* Give folded marks of one's own changes another time or client: for each change of an
 * outbox row from number `from` to `to`. */
typedef struct sg_remark {
    int64_t at_us;   /* 0: as it is */
    uint32_t client; /* the new one */
    bool restamped;
} sg_remark;
void sg_fold_remark(sg_replica *r, sg_slice ops, int64_t first_n, int64_t from, int64_t to,
                    const sg_remark *to_what, int *err);

/* Load a shadow as it would be after folding, without writing. */
void sg_fold_view(sg_replica *r, sg_rec *rec, sg_table *t, sg_slice key, int *err);
#endif
