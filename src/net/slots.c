#include "net/slots.h"

#include "base/mem.h"

#define SLOT_LIMIT (1u << SG_SLOT_BITS)
#define SERIAL_SHIFT (SG_SLOT_BITS + SG_ACCEPT_BITS)

void sg_slots_init(sg_slots *s)
{
    *s = (sg_slots){.free_head = SG_SLOT_NONE, .next_serial = 1};
}

void sg_slots_deinit(sg_slots *s)
{
    sg_free(s->v);
    sg_slots_init(s);
}

static int grow(sg_slots *s)
{
    if (s->cap >= SLOT_LIMIT) return -1;
    uint32_t cap = s->cap != 0 ? s->cap * 2 : 64;
    sg_slot *v = sg_realloc(s->v, cap * sizeof *v);
    if (v == NULL) return -1;
    s->v = v;
    s->cap = cap;
    return 0;
}

uint32_t sg_slots_add(sg_slots *s, struct sg_conn *conn)
{
    uint32_t slot = s->free_head;
    if (slot != SG_SLOT_NONE) {
        s->free_head = s->v[slot].next_free;
    } else {
        if (s->used == s->cap && grow(s) != 0) return SG_SLOT_NONE;
        slot = s->used++;
    }
    s->v[slot] = (sg_slot){.conn = conn, .serial = s->next_serial++, .due_ms = UINT64_MAX};
    s->count++;
    return slot;
}

void sg_slots_remove(sg_slots *s, uint32_t slot)
{
    s->v[slot] = (sg_slot){.due_ms = UINT64_MAX, .next_free = s->free_head};
    s->free_head = slot;
    s->count--;
}

uint64_t sg_slots_renew(sg_slots *s, uint32_t slot, unsigned accept)
{
    uint64_t serial = s->next_serial++;
    s->v[slot].serial = serial;
    return serial << SERIAL_SHIFT | (uint64_t)accept << SG_SLOT_BITS | slot;
}

struct sg_conn *sg_slots_get(const sg_slots *s, uint64_t id)
{
    uint32_t slot = (uint32_t)(id & (SLOT_LIMIT - 1));
    if (slot >= s->used || s->v[slot].serial != id >> SERIAL_SHIFT) return NULL;
    return s->v[slot].conn;
}
