/*
 * Connections by number: ids that cross threads and outlive what they name.
 *
 * An id is a serial number (never given twice), three bits with the codings the client accepts, so
 * that an answering thread can compress without asking the loop, and a slot. Looking up an id whose
 * request is over gives NULL. Threads: the loop's, except sg_id_accept.
 */
#ifndef SG_NET_SLOTS_H
#define SG_NET_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#define SG_SLOT_BITS 17 /* connections, those being refused among them: 131,072 */
#define SG_ACCEPT_BITS 3
#define SG_SLOT_NONE UINT32_MAX

struct sg_conn;

typedef struct sg_slot {
    struct sg_conn *conn; /* NULL: free */
    uint64_t serial;      /* of the request, stream or WebSocket it holds */
    uint64_t due_ms;      /* when the connection wants to be woken; UINT64_MAX: never */
    uint32_t next_free;
} sg_slot;

typedef struct sg_slots {
    sg_slot *v;
    uint32_t cap;   /* allocated */
    uint32_t used;  /* slots ever used: the part to look through */
    uint32_t count; /* connections */
    uint32_t free_head;
    uint64_t next_serial;
} sg_slots;

void sg_slots_init(sg_slots *s);
void sg_slots_deinit(sg_slots *s);
/* SG_SLOT_NONE when memory or numbers ran out. */
uint32_t sg_slots_add(sg_slots *s, struct sg_conn *conn);
void sg_slots_remove(sg_slots *s, uint32_t slot);
/* A new id for this slot; the one before is over. accept: bits of enum sg_coding. */
uint64_t sg_slots_renew(sg_slots *s, uint32_t slot, unsigned accept);
/* The connection whose present id this is, or NULL. */
struct sg_conn *sg_slots_get(const sg_slots *s, uint64_t id);

static inline unsigned sg_id_accept(uint64_t id)
{
    return (unsigned)(id >> SG_SLOT_BITS) & ((1u << SG_ACCEPT_BITS) - 1);
}

#endif
