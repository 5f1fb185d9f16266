#include "wire/index_map.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define FIRST_SLOTS ((size_t)64)

void sg_index_map_init(sg_index_map *m)
{
    *m = (sg_index_map){0};
}

void sg_index_map_deinit(sg_index_map *m)
{
    sg_free(m->ids);
    sg_free(m->slots);
    *m = (sg_index_map){0};
}

/* The slot that holds the id, or the empty one where it belongs. */
static uint32_t *slot_of(const sg_index_map *m, uint32_t id)
{
    size_t mask = m->slot_count - 1, i = (id * UINT32_C(2654435769)) & mask;
    while (m->slots[i] != 0 && m->ids[m->slots[i] - 1] != id)
        i = (i + 1) & mask;
    return &m->slots[i];
}

static int grow(sg_index_map *m)
{
    size_t slot_count = m->slot_count != 0 ? m->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = sg_zalloc(slot_count * sizeof *slots);
    uint32_t *ids = slots != NULL ? sg_realloc(m->ids, slot_count / 2 * sizeof *ids) : NULL;
    if (ids == NULL) {
        sg_free(slots);
        return SG_NOMEM;
    }
    sg_free(m->slots);
    m->ids = ids;
    m->slots = slots;
    m->slot_count = slot_count;
    for (size_t i = 0; i < m->count; i++)
        *slot_of(m, ids[i]) = (uint32_t)i + 1;
    return SG_OK;
}

uint32_t sg_index_map_at(sg_index_map *m, uint32_t id, int *err)
{
    if (m->count * 2 == m->slot_count && grow(m) != SG_OK) {
        *err = SG_NOMEM;
        return 0;
    }
    uint32_t *slot = slot_of(m, id);
    if (*slot == 0) {
        m->ids[m->count++] = id;
        *slot = (uint32_t)m->count;
    }
    return *slot - 1;
}
