/*
 * Numbers the interned ids that occur in one page: 0, 1, 2 … in the order they are first asked for.
 *
 * Open addressing over a power of two, at most half full. Threads: one owner at a time.
 */
#ifndef SG_INDEX_MAP_H
#define SG_INDEX_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct sg_index_map {
    uint32_t *ids;   /* in order of their index */
    uint32_t *slots; /* index + 1, or 0 */
    size_t count;
    size_t slot_count; /* a power of two, or 0 */
} sg_index_map;

void sg_index_map_init(sg_index_map *m);
void sg_index_map_deinit(sg_index_map *m);
/* The index of an id, given now if it has none. SG_NOMEM latches in *err; then 0. */
uint32_t sg_index_map_at(sg_index_map *m, uint32_t id, int *err);

#endif
