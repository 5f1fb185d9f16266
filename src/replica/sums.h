/*
 * The rolling sums of a replica (core/sum.h): for each table those over the marks of its records, kept
 * in step with sigla_rec by whoever writes there (rec.c).
 *
 * What a piece of work adds is gathered in the replica and written when the work ends, in its
 * transaction: a table with ten thousand records folded costs one row.
 */
#ifndef SG_SUMS_H
#define SG_SUMS_H

#include "core/sum.h"
#include "replica/replica.h"

/* Add, for a table. With no work begun it is written at once. */
void sg_sums_add(sg_replica *r, uint32_t table, const sg_sum *more, int *err);
/* The table's sums have lost their records: they are to be counted anew before they say anything. */
void sg_sums_recount(sg_replica *r, uint32_t table, int *err);
/* Write what has been gathered. */
void sg_sums_keep(sg_replica *r, int *err);
/* It was undone. */
void sg_sums_forget(sg_replica *r);
void sg_sums_deinit(sg_replica *r);
/* How the sums' texts are found; errors latch in *err, which ctx points to. */
typedef struct sg_sums_ctx {
    sg_replica *r;
    sg_buf *scratch; /* for values */
    int err;
} sg_sums_ctx;
sg_summer sg_sums_of_marks(sg_sums_ctx *ctx);

#endif
