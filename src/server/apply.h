/*
 * Applying a push inside the writer's transaction: which numbers are new, what waits for the rest
 * of its transaction, and the merge of what is left.
 *
 * apply.c decides about numbers (L8, L13) and staging (L1); chunk.c merges and chunk_sum.c keeps the
 * sums, a bounded number of
 * changes at a time, so that neither a large push nor a large transaction needs large memory.
 *
 * Threads: the writer's alone.
 */
#ifndef SG_APPLY_H
#define SG_APPLY_H

#include "core/clock.h"
#include "core/merge.h"
#include "server/push.h"
#include "server/reach.h"
#include "store/store.h"

#define SG_CHUNK_CHANGES 512u             /* changes merged at once */
#define SG_CHUNK_BYTES ((size_t)16 << 20) /* of values merged at once */
#define SG_STORED_MAX ((size_t)8 << 20)   /* bytes of one record's values; over it: limit */
#define SG_CHUNK_SUMS 16u                 /* tables whose sums are added up at once */
#define SG_LOST_RETRY_MAX 64 /* history entries looked at for a retried change without number */

/* A change on its way into its record. */
typedef struct sg_chunk_item {
    sg_change change;
    uint32_t slot; /* of its record */
    uint32_t actor;
    bool restamped;
    const uint32_t *names;
} sg_chunk_item;

/* A record of the chunk. */
typedef struct sg_chunk_slot {
    sg_ref ref;
    sg_stored stored;
    sg_record record;
    size_t bytes; /* of its values, at most */
    bool known;   /* it exists, or an earlier change of the chunk made it */
    bool changed;
} sg_chunk_slot;

/* What records of the chunk add to the sums of their table. */
typedef struct sg_chunk_sums {
    uint32_t table;
    sg_sum sum;
} sg_chunk_sums;

/* Where a change is written to. */
typedef struct sg_target {
    sg_feed feed;
    sg_floor floor;
    int64_t joined_seq; /* when the writer joined it; 0: it is the writer's own */
} sg_target;

typedef struct sg_applier {
    const sg_store *store;
    sg_writer *writer;
    sg_clock clock; /* gives times to changes whose own lie beyond the bound (L14) */
    int64_t staged_changes_max;
    int64_t staged_bytes_max;
    sg_commit newest; /* as it will be committed */
    int64_t now_us;   /* of the group; never before the commit before it */

    /* The push at work. */
    sg_push *push;
    sg_feed feed; /* the writer's own, which its numbers belong to */
    sg_reach reach;
    uint32_t client;
    sg_client_state state;
    int text_err; /* of the texts that merging and summing ask for */

    /* The chunk at work: changes to one scope. */
    sg_target target;
    sg_arena arena;
    sg_chunk_item items[SG_CHUNK_CHANGES];
    size_t item_count;
    size_t item_bytes;
    sg_chunk_slot slots[SG_CHUNK_CHANGES];
    size_t slot_count;
    uint16_t table[2 * SG_CHUNK_CHANGES]; /* of slots: index + 1, or 0 */
    sg_history_row history[SG_CHUNK_CHANGES];
    size_t history_from[SG_CHUNK_CHANGES]; /* where in history_bytes its data begins */
    uint32_t history_slot[SG_CHUNK_CHANGES];
    size_t history_count;
    sg_buf history_bytes;
    sg_buf packed;                     /* records */
    sg_record before;                  /* as the record at hand was stored */
    sg_chunk_sums sums[SG_CHUNK_SUMS]; /* what the chunk adds to them */
    size_t sum_count;
    sg_buf scratch;    /* for the hashes of values */
    uint32_t actor_id; /* memo: of the last actor */
    sg_slice actor_text;
} sg_applier;

/* NULL: out of memory. */
sg_applier *sg_applier_new(const sg_store *store);
void sg_applier_free(sg_applier *a);
/* Begin a group inside a transaction. */
void sg_applier_begin(sg_applier *a, const sg_commit *newest, int64_t now_us);
/* Apply one push; what is refused is in its result. Any error means that the transaction has to be
 * rolled back. */
int sg_apply_push(sg_applier *a, sg_push *p);

/* chunk.c: take one change, whose slices live until the chunk is flushed. */
int sg_chunk_add(sg_applier *a, const sg_change *c);
int sg_chunk_flush(sg_applier *a);
/* Forget what a failed push has left. */
void sg_chunk_drop(sg_applier *a);
/* chunk_merge.c: one item of the chunk, whose record has been loaded. */
int sg_chunk_merge(sg_applier *a, sg_chunk_item *item);
/* chunk_sum.c: add what a record has become, and is about to be saved as, to its table's sums. */
int sg_chunk_sum(sg_applier *a, sg_chunk_slot *slot);
/* Save what has been added up. */
int sg_chunk_sum_save(sg_applier *a);
/* Bytes of a change's names and values. */
size_t sg_chunk_bytes(const sg_change *c);

/* target.c: where a change goes. *problem: it may not, and why; the change is refused. */
int sg_target_of(sg_applier *a, const sg_change *c, sg_target *out, const char **problem);
/* SG_RESYNC: a cursor lies below the purge floor of what its reader had joined by then. */
int sg_target_check_floors(const sg_applier *a, int64_t since);

/* stage.c: keep a change until its transaction is whole; commit what has been kept. */
int sg_stage_keep(sg_applier *a, const sg_change *c);
int sg_stage_commit(sg_applier *a);
/* Refuse a change of a transaction that has grown past its bound. */
int sg_stage_refuse(sg_applier *a, const sg_change *c);

/* Refuse a change; from it is kept what an answer needs. */
int sg_apply_refuse(sg_applier *a, const sg_change *c, int code, sg_slice message);
/* A number has its answer: commit it to the client's runs. */
int sg_apply_ack(sg_applier *a, int64_t n, int64_t seq);
/* The writer that does not say what it had seen (L5). */
int sg_apply_base(sg_applier *a, const sg_change *c, int64_t *base);

#endif
