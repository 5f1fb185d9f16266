/* Incomplete transactions: kept beside the records until their rest comes (L1). */
#include "server/apply.h"

/* Staged changes loaded at once: a batch, and one change as large as a body beyond it, must fit
 * into one chunk, because what they point to ends with the chunk. */
#define STAGED_BATCH 256u
#define STAGED_BATCH_BYTES ((size_t)4 << 20)
_Static_assert(STAGED_BATCH <= SG_CHUNK_CHANGES, "a batch fits into a chunk");

int sg_stage_refuse(sg_applier *a, const sg_change *c)
{
    return sg_apply_refuse(a, c, SG_LIMIT,
                           SG_LIT("the transaction is too large to be kept until it is complete"));
}

/* All that was staged is refused: the transaction has grown past its bound. */
static int refuse_staged(sg_applier *a, int64_t tx)
{
    const sg_store_ops *ops = a->store->ops;
    sg_client_state *s = &a->state;
    int err = SG_OK;
    for (int64_t after = 0; err == SG_OK && s->staged_count > 0;) {
        sg_staged batch[STAGED_BATCH];
        size_t n = STAGED_BATCH;
        sg_arena_reset(&a->arena);
        err = ops->load_staged(a->writer, s, after, STAGED_BATCH_BYTES, &a->arena, batch, &n);
        if (err != SG_OK || n == 0) break;
        for (size_t i = 0; i < n && err == SG_OK; i++) {
            const sg_change c = {.n = batch[i].n};
            err = sg_stage_refuse(a, &c);
        }
        after = batch[n - 1].n;
    }
    if (err == SG_OK) err = ops->drop_staged(a->writer, s);
    s->staged_count = 0;
    s->staged_bytes = 0;
    s->staged_tx = 0;
    s->refused_tx = tx;
    return err;
}

int sg_stage_keep(sg_applier *a, const sg_change *change)
{
    sg_client_state *s = &a->state;
    sg_change c = *change;
    sg_jsonw w;
    sg_buf *json = &a->packed;
    int err = sg_apply_base(a, change, &c.base);
    sg_buf_clear(json);
    sg_jsonw_init(&w, json);
    sg_change_to_json(&w, &c);
    if (err == SG_OK) err = json->err;
    if (err != SG_OK) return err;
    if (s->staged_count >= a->staged_changes_max ||
        s->staged_bytes + (int64_t)json->n > a->staged_bytes_max) {
        err = refuse_staged(a, c.tx_last);
        return err == SG_OK ? sg_stage_refuse(a, &c) : err;
    }
    const sg_staged staged = {c.n, sg_buf_view(json)};
    err = a->store->ops->stage(a->writer, s, &staged, 1, a->now_us);
    s->staged_tx = c.tx_last;
    s->staged_count++;
    s->staged_bytes += (int64_t)json->n;
    a->push->result.staged = c.n;
    return err;
}

static int commit_batch(sg_applier *a, const sg_staged *batch, size_t n)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        sg_json j;
        sg_change_in in;
        sg_change_reader r;
        sg_json_init(&j, batch[i].json);
        sg_change_reader_init(&r, &a->arena, a->now_us);
        bool good = sg_change_read(&r, &j, &in) && in.err == SG_OK;
        sg_change_reader_deinit(&r);
        if (good)
            err = sg_chunk_add(a, &in.c);
        else
            err = j.err == SG_NOMEM ? SG_NOMEM : SG_CORRUPT;
    }
    return err == SG_OK ? sg_chunk_flush(a) : err;
}

int sg_stage_commit(sg_applier *a)
{
    const sg_store_ops *ops = a->store->ops;
    sg_client_state *s = &a->state;
    int err = sg_chunk_flush(a);
    for (int64_t after = 0; err == SG_OK;) {
        sg_staged batch[STAGED_BATCH];
        size_t n = STAGED_BATCH;
        err = ops->load_staged(a->writer, s, after, STAGED_BATCH_BYTES, &a->arena, batch, &n);
        if (err != SG_OK || n == 0) break;
        after = batch[n - 1].n;
        err = commit_batch(a, batch, n);
    }
    if (err == SG_OK) err = ops->drop_staged(a->writer, s);
    s->staged_count = 0;
    s->staged_bytes = 0;
    s->staged_tx = 0;
    return err;
}
