#include "server/apply.h"

#include "base/mem.h"
#include "server/ingest.h"
#include "server/known.h"
#include "store/history.h"

#define HISTORY_BYTES_MAX ((size_t)64 << 20) /* a chunk's values, and one body's beyond them */
#define PACKED_BYTES_MAX (2 * SG_STORED_MAX)
/* A value, twice over: its bytes, and those of the JSON that it may be the text of. */
#define SCRATCH_BYTES_MAX (4 * SG_VALUE_MAX)

static const char dropped_stage[] =
    "the beginning of this transaction is not here (any more): send it again from its first change";

sg_applier *sg_applier_new(const sg_store *store)
{
    sg_applier *a = sg_zalloc(sizeof *a);
    if (a == NULL) return NULL;
    a->store = store;
    a->writer = store->ops->writer(store->impl);
    a->staged_changes_max = SG_STAGED_CHANGES_MAX;
    a->staged_bytes_max = SG_STAGED_BYTES_MAX;
    sg_arena_init(&a->arena);
    sg_buf_init(&a->history_bytes, HISTORY_BYTES_MAX);
    sg_buf_init(&a->packed, PACKED_BYTES_MAX);
    sg_buf_init(&a->scratch, SCRATCH_BYTES_MAX);
    sg_record_init(&a->before);
    for (size_t i = 0; i < SG_CHUNK_CHANGES; i++)
        sg_record_init(&a->slots[i].record);
    return a;
}

void sg_applier_free(sg_applier *a)
{
    if (a == NULL) return;
    sg_arena_deinit(&a->arena);
    sg_buf_deinit(&a->history_bytes);
    sg_buf_deinit(&a->packed);
    sg_buf_deinit(&a->scratch);
    sg_record_deinit(&a->before);
    for (size_t i = 0; i < SG_CHUNK_CHANGES; i++)
        sg_record_deinit(&a->slots[i].record);
    sg_free(a);
}

void sg_applier_begin(sg_applier *a, const sg_commit *newest, int64_t now_us)
{
    a->newest = *newest;
    a->now_us = now_us > newest->at_us ? now_us : newest->at_us;
    a->newest.at_us = a->now_us;
}

/* ---- answers ---- */

int sg_apply_refuse(sg_applier *a, const sg_change *c, int code, sg_slice message)
{
    const sg_push_refusal r = {c->n, 1, code, message, c->table, c->id};
    int err = sg_push_refuse(&a->push->result, &r);
    const sg_answered answered = {SG_ANSWER_REFUSED, c->n, 1, 0, code, message};
    if (err == SG_OK && c->n != 0)
        err = a->store->ops->refuse(a->writer, &a->state, &answered, 1, a->now_us);
    return err;
}

int sg_apply_ack(sg_applier *a, int64_t n, int64_t seq)
{
    sg_client_state *s = &a->state;
    int err = sg_push_ack_add(&a->push->result, n, seq);
    if (err != SG_OK) return err;
    if (s->run_count != 0 && n == s->run_n + s->run_count && seq == s->run_seq + s->run_count) {
        s->run_count++;
        return SG_OK;
    }
    err = a->store->ops->keep_run(a->writer, s);
    s->run_n = n;
    s->run_count = 1;
    s->run_seq = seq;
    return err;
}

/* Was the change made after everything up to the push's cursor had been committed? */
static int after_cursor(sg_applier *a, const sg_change *c, bool *after)
{
    sg_history_row row;
    bool found = false;
    sg_view *view = a->store->ops->writer_view(a->writer);
    int err = a->store->ops->get_history(view, a->push->since.from, &row, &found);
    *after = found && row.received_us < c->at_us;
    return err;
}

int sg_apply_base(sg_applier *a, const sg_change *c, int64_t *base)
{
    int64_t newest = a->newest.seq, since = a->push->since.from;
    *base = c->base < newest ? c->base : newest;
    if (c->base != SG_BASE_UNKNOWN) return SG_OK;
    *base = since < newest ? since : newest;
    bool after = since == 0;
    int err = after ? SG_OK : after_cursor(a, c, &after);
    if (err != SG_OK || after) return err;
    int64_t before = 0;
    err = a->store->ops->seq_before(a->store->ops->writer_view(a->writer), c->at_us, &before);
    if (before < *base) *base = before;
    return err;
}

/* ---- numbers that were answered before (L8) ---- */

/* The time that a change was given: it is the greatest of its own, which lay beyond the bound. */
static int64_t restamped_at(const sg_history *h)
{
    int64_t at_us = h->at_us;
    for (size_t i = 0; i < h->count; i++)
        if (h->fields[i].at_us > at_us) at_us = h->fields[i].at_us;
    return at_us;
}

static void refuse_copy(sg_applier *a, const char *detail)
{
    a->push->result.err = SG_CLIENTCOPIED;
    a->push->result.detail = detail;
}

/* Is the number's committed change the one that comes again? Another one under the same number was
 * written by a copy of the database (L13). Of one that was purged nothing is known any more; but who
 * asks again knows that it has sent the number, and who sends it for the first time does not. */
static int check_same(sg_applier *a, const sg_change *c, int64_t seq)
{
    const sg_store_ops *ops = a->store->ops;
    sg_history_row row;
    sg_history h;
    sg_ref ref;
    bool found = false;
    int err = SG_OK;
    if (seq != 0) err = ops->get_history(ops->writer_view(a->writer), seq, &row, &found);
    if (err == SG_OK && !found && a->push->sent >= 0 && a->push->sent < c->n)
        refuse_copy(a, "the number was answered long ago, and this database has not sent it");
    if (err != SG_OK || !found) return err;
    int64_t record = row.row;
    err = sg_history_unpack(&h, row.data, &a->arena);
    bool same = h.n == c->n && h.client == a->client && h.op == c->op &&
                (h.restamped || h.at_us == c->at_us);
    if (err == SG_OK && same) err = ops->record_ref(a->writer, record, &ref, &found);
    if (err == SG_OK && same && found) same = sg_slice_eq(ref.key, c->id);
    const sg_push_restamp restamp = {c->n, restamped_at(&h), c->table, c->id};
    if (err == SG_OK && same && h.restamped) err = sg_push_restamp_add(&a->push->result, &restamp);
    if (err == SG_OK && !same) refuse_copy(a, "another change was sent under the same number");
    return err;
}

static int repeat_refusal(sg_applier *a, const sg_change *c, const sg_answered *was)
{
    int err = SG_OK;
    sg_push_refusal r = {c->n, 1, was->code, {NULL, 0}, c->table, c->id};
    r.message = sg_arena_copy(&a->push->arena, was->message, &err);
    return err == SG_OK ? sg_push_refuse(&a->push->result, &r) : err;
}

/* True through *fresh if the number has had no answer. */
static int answer_again(sg_applier *a, const sg_change *c, bool *fresh)
{
    sg_answered was;
    *fresh = true;
    if (c->n == 0 || c->n > a->state.max_n) return SG_OK;
    int err = a->store->ops->answered(a->writer, &a->state, c->n, &was);
    if (err != SG_OK || was.kind == SG_ANSWER_NONE) return err;
    *fresh = false;
    if (was.kind == SG_ANSWER_STAGED) {
        a->push->result.staged = c->n;
        return SG_OK;
    }
    if (was.kind == SG_ANSWER_REFUSED) return repeat_refusal(a, c, &was);
    /* Purged long ago: any seq below everything there is says so. */
    int64_t seq = was.seq != 0 ? was.seq + (c->n - was.n) : 0;
    err = check_same(a, c, seq);
    return err == SG_OK ? sg_push_ack_add(&a->push->result, c->n, seq != 0 ? seq : 1) : err;
}

/* ---- staging (L1) ---- */

/* What this body means for the transaction that waits, and where its own incomplete one begins. */
typedef struct plan {
    bool *fresh;     /* per change */
    int64_t first_n; /* least number of the body; 0: none */
    int64_t last_n;  /* greatest one */
    bool completes;  /* what is staged is to be committed first */
    bool lost_head;  /* the rest of a transaction whose beginning was dropped */
} plan;

static bool is_tail(const plan *p, const sg_change_in *in)
{
    return in->c.n != 0 && in->c.tx_last > p->last_n;
}

static void plan_stage(sg_applier *a, plan *p)
{
    const sg_client_state *s = &a->state;
    bool resent = false;
    /* It was told that its beginning is kept, by a server that had not been put back yet. */
    if (a->push->staged > s->max_n) p->lost_head = true;
    for (size_t i = 0; i < a->push->count; i++) {
        const sg_change_in *in = &a->push->changes[i];
        if (!p->fresh[i] || in->c.n == 0) continue;
        if (s->staged_count != 0 && (in->c.n >= s->staged_tx || in->c.tx_last != s->staged_tx))
            p->completes = true;
        if (in->c.tx_last != s->staged_tx || s->staged_tx == 0) continue;
        if (in->c.n <= s->max_n)
            resent = true;
        else if (s->staged_count == 0 && !resent)
            p->lost_head = true;
    }
}

/* ---- the push ---- */

static int open_push(sg_applier *a, sg_push *p)
{
    const sg_store_ops *ops = a->store->ops;
    a->push = p;
    a->text_err = SG_OK;
    sg_chunk_drop(a);
    int err = ops->intern(a->writer, SG_TEXT_OF_SCOPE, &p->scope, 1, &a->feed.scope);
    if (err == SG_OK) err = ops->intern(a->writer, SG_TEXT_OF_APP, &p->app, 1, &a->feed.app);
    if (err == SG_OK) err = ops->intern(a->writer, SG_TEXT_OF_CLIENT, &p->client, 1, &a->client);
    if (err == SG_OK) err = ops->load_client(a->writer, a->feed, a->client, &a->state);
    if (err != SG_OK) return err;
    return sg_reach_read(a->store, ops->writer_view(a->writer), p->scope, &p->arena, &a->reach);
}

/* Which changes are new; answers those that are not. */
static int sort_numbers(sg_applier *a, plan *p)
{
    int err = SG_OK;
    for (size_t i = 0; i < a->push->count && err == SG_OK; i++) {
        const sg_change *c = &a->push->changes[i].c;
        if (c->n > p->last_n) p->last_n = c->n;
        if (p->first_n == 0) p->first_n = c->n;
        err = answer_again(a, c, &p->fresh[i]);
        if (a->push->result.err != SG_OK) break;
    }
    if (err == SG_OK && a->push->result.err == SG_OK) plan_stage(a, p);
    return err;
}

static int take_change(sg_applier *a, const plan *p, const sg_change_in *in)
{
    if (in->err != SG_OK) return sg_apply_refuse(a, &in->c, in->err, in->message);
    if (in->c.n != 0 && in->c.tx_last == a->state.refused_tx) return sg_stage_refuse(a, &in->c);
    if (!is_tail(p, in)) return sg_chunk_add(a, &in->c);
    int err = sg_chunk_flush(a);
    return err == SG_OK ? sg_stage_keep(a, &in->c) : err;
}

static int take_changes(sg_applier *a, const plan *p)
{
    int err = p->completes ? sg_stage_commit(a) : SG_OK;
    for (size_t i = 0; i < a->push->count && err == SG_OK; i++)
        if (p->fresh[i]) err = take_change(a, p, &a->push->changes[i]);
    return err == SG_OK ? sg_chunk_flush(a) : err;
}

/* Nothing is done for a replica that has to start anew (L12): it must hear so first. */
static int check_cursor(const sg_applier *a)
{
    const sg_push *p = a->push;
    sg_view *view = a->store->ops->writer_view(a->writer);
    int err = sg_cursor_check(a->store, view, a->newest.seq, &p->since);
    if (err == SG_OK) err = sg_target_check_floors(a, p->since.seq);
    const sg_known known = {p->scope, p->app, p->client, -1, p->acked_n, p->acked_seq};
    return err == SG_OK ? sg_known_check(a->store, view, a->newest.seq, &known) : err;
}

static int refuse_all(sg_applier *a, const plan *p)
{
    sg_push_result *r = &a->push->result;
    int err = check_cursor(a);
    if (err != SG_RESYNC && err != SG_RESTORED) {
        if (err != SG_OK) return err;
    } else {
        r->err = err;
    }
    /* Numbers of this very body may have come before: the network delivers twice, and `sent` says
     * what was sent before the body. Their content has been compared above. */
    int64_t claimed = a->push->sent > p->last_n ? a->push->sent : p->last_n;
    if (r->err == SG_OK && a->push->sent >= 0 && claimed < a->state.max_n) {
        refuse_copy(a,
                    "a greater number was sent under this client id than this database has sent");
    }
    if (r->err == SG_OK && p->lost_head) {
        r->err = SG_CONFLICT;
        r->detail = dropped_stage;
    }
    return SG_OK;
}

int sg_apply_push(sg_applier *a, sg_push *push)
{
    plan p = {0};
    int err = open_push(a, push);
    if (err == SG_OK && push->count != 0) {
        p.fresh = sg_arena_alloc(&push->arena, push->count * sizeof *p.fresh);
        if (p.fresh == NULL) err = SG_NOMEM;
    }
    if (err == SG_OK) err = sort_numbers(a, &p);
    if (err == SG_OK) err = refuse_all(a, &p);
    if (err != SG_OK || push->result.err != SG_OK) return err;
    err = take_changes(a, &p);
    if (p.last_n > a->state.max_n) a->state.max_n = p.last_n;
    if (p.first_n > a->state.heard_n) a->state.heard_n = p.first_n;
    if (err == SG_OK && p.last_n != 0) err = a->store->ops->save_client(a->writer, &a->state);
    return err;
}
