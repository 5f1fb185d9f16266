/*
 * A bump allocator for things that live exactly as long as one request, page or transaction.
 *
 * Threads: one owner at a time. Blocks stay where they are until sg_arena_reset, which keeps one
 * chunk for reuse, or sg_arena_deinit.
 */
#ifndef SG_ARENA_H
#define SG_ARENA_H

#include "base/slice.h"

typedef struct sg_arena {
    struct sg_arena_chunk *head;
} sg_arena;

void sg_arena_init(sg_arena *a);
void sg_arena_deinit(sg_arena *a);
void sg_arena_reset(sg_arena *a);
/* Aligned for any type; NULL when memory ran out. */
void *sg_arena_alloc(sg_arena *a, size_t bytes);
/* A copy of the bytes; {NULL,0} for an empty slice, and *err = SG_NOMEM when memory ran out. */
sg_slice sg_arena_copy(sg_arena *a, sg_slice s, int *err);

#endif
