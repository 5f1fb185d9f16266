/*
 * What a history entry holds: one change and what became of each part of it.
 *
 *   entry  := header varint(client) varint(actor) varint(n) zigzag(at) zigzag(base) varint(fields)
 *             field{fields}
 *   header := bits: op (2), origin (3), restamped (1), life taken (1)
 *   field  := varint(name << 1 | won) zigzag(at - the change's at) length and bytes of the value
 *
 * Pure bytes: the same for every store.
 */
#ifndef SG_HISTORY_H
#define SG_HISTORY_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/change.h"

typedef struct sg_history_field {
    uint32_t name; /* interned */
    bool won;
    int64_t at_us;
    sg_slice value; /* JSON; borrowed */
} sg_history_field;

typedef struct sg_history {
    enum sg_op op;
    enum sg_origin origin;
    bool restamped;
    bool life_won;   /* an insert or delete that decided the record's life */
    uint32_t client; /* interned */
    uint32_t actor;  /* interned */
    int64_t n;
    int64_t at_us;
    int64_t base;
    const sg_history_field *fields;
    size_t count;
} sg_history;

void sg_history_pack(const sg_history *h, sg_buf *out);
/* Slices borrow from packed, the fields live in the arena. SG_CORRUPT, SG_NOMEM. */
int sg_history_unpack(sg_history *h, sg_slice packed, sg_arena *arena);

#endif
