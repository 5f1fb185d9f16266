/*
 * A counted, immutable run of bytes: a broadcast is encoded once and shared by every subscriber.
 *
 * A subscriber holds (block, offset), never a copy. Threads: ref and unref from any thread; the
 * bytes don't change after sg_block_new has returned. Ownership: every holder owns one reference.
 */
#ifndef SG_BLOCK_H
#define SG_BLOCK_H

#include <stdatomic.h>

#include "base/slice.h"

typedef struct sg_block {
    atomic_uint refs;
    size_t n; /* bytes */
    char bytes[];
} sg_block;

/* A copy of the bytes with one reference; NULL when memory ran out. */
sg_block *sg_block_new(sg_slice bytes);
/* One server-sent event: "event: NAME", "id: ID" (left out when empty) and a "data:" line for each
 * line of `data`. `event` and `id` must not hold line breaks. NULL when memory ran out. */
sg_block *sg_block_event(const char *event, sg_slice id, sg_slice data);
/* The same block, one reference more. */
sg_block *sg_block_ref(sg_block *b);
/* Give a reference back; NULL is allowed. */
void sg_block_unref(sg_block *b);

static inline sg_slice sg_block_view(const sg_block *b)
{
    return sg_slice_of(b->bytes, b->n);
}

#endif
