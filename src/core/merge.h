/*
 * The merge: what a change does to a record. Server and replica decide with the same functions.
 *
 * Last writer wins per field by the order of stamps (L3); a record's life (insert, delete) is one
 * more such register (L12). Both are join-semilattices, so any order, batching and repetition of
 * the same changes gives the same record (L2; Shapiro et al., "Conflict-free Replicated Data
 * Types", 2011).
 */
#ifndef SG_MERGE_H
#define SG_MERGE_H

#include "base/arena.h"
#include "core/change.h"
#include "core/record.h"
#include "core/stamp.h"

enum sg_merge { SG_MERGE_KEEP, SG_MERGE_SAME, SG_MERGE_TAKE };

/* Does `in` replace what is there? cur is NULL when nothing is. */
enum sg_merge sg_merge_decide(const sg_stamp *cur, sg_slice cur_value, const sg_stamp *in,
                              sg_slice in_value);

/* How to get the text of an interned client; the slice is borrowed until the next call. */
typedef struct sg_clients {
    void *ctx;
    sg_slice (*text)(void *ctx, uint32_t client);
} sg_clients;

/* A change as it arrives at the server, resolved: ids interned, base known, seq given. */
typedef struct sg_arrival {
    const sg_change *change;
    const uint32_t *names; /* interned names of change->fields */
    sg_slice client_text;
    uint32_t client;
    uint32_t actor;
    int64_t base; /* never SG_BASE_UNKNOWN */
    int64_t seq;
    bool restamped;
} sg_arrival;

typedef struct sg_merge_count {
    size_t won;  /* fields and life taken */
    size_t lost; /* fields and life that lost */
    size_t same; /* already there under the same stamp */
} sg_merge_count;

/* Merge an arrival into the server's record, and note whose writes it overwrote unseen (L5).
 * Values stay borrowed from the change; new lists are made in `arena`. SG_NOMEM, SG_LIMIT (too
 * many fields), SG_CORRUPT (a stored list is damaged); then the record must not be saved. */
int sg_merge_arrival(sg_record *record, const sg_arrival *in, const sg_clients *clients,
                     sg_arena *arena, sg_merge_count *count);

#endif
