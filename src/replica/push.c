/* Building the body of a push out of the outbox. */
#include "base/mem.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/key.h"
#include "replica/outbox.h"
#include "replica/rec.h"
#include "replica/session.h"
#include "wire/change_json.h"
#include "wire/codec.h"

typedef struct push {
    sigla_session *s;
    sg_jsonw w;
    sg_arena arena;
    sg_buf value;
    bool spaces; /* there are records of spaces */
    sg_rec rec;
    int64_t first, last; /* numbers put in so far */
    int64_t count;
    size_t tx_end_bytes; /* length of the body where the last whole transaction ends */
    int64_t tx_end_last, tx_end_count;
    bool full;
    bool more; /* something is left for another batch */
} push;

/* The fields but for the one that says whose the record is. */
static sg_change_field *fields_of(push *p, sg_table *t, sg_packed_op *op, int64_t at_us,
                                  size_t *count, sg_slice *space, int *err)
{
    uint32_t whose = t->space >= 0 ? sg_column_name_id(p->s->r, &t->columns[t->space], err) : 0;
    size_t n = 0;
    *count = op->field_count;
    if (*count == 0) return NULL;
    sg_change_field *fields = sg_arena_alloc(&p->arena, *count * sizeof *fields);
    if (fields == NULL) {
        *err = SG_NOMEM;
        return NULL;
    }
    sg_op_field f;
    while (*err == SG_OK && sg_op_next_field(op, &f)) {
        if (whose != 0 && f.name == whose) {
            if (space->n == 0 && f.value.type == SG_TEXT) *space = f.value.bytes;
            continue;
        }
        size_t i = n++;
        sg_buf_clear(&p->value);
        sg_value_to_json(&p->value, &f.value, f.json);
        if (p->value.err != SG_OK) *err = p->value.err;
        fields[i].name = sg_name_text(p->s->r, f.name, err);
        fields[i].value = sg_arena_copy(&p->arena, sg_buf_view(&p->value), err);
        fields[i].at_us = at_us;
    }
    if (op->fields.err != SG_OK) *err = op->fields.err;
    *count = n;
    return fields;
}

/* What is folded says whose the record is (sg_session_push sees to that). */
static sg_slice space_of(push *p, sg_table *t, sg_slice key, int *err)
{
    if (!p->spaces) return sg_slice_of(NULL, 0);
    sg_rec_load(p->s->r, &p->rec, t, key, err);
    uint32_t space = p->rec.record.space;
    return space != 0 ? sg_name_text(p->s->r, space, err) : sg_slice_of(NULL, 0);
}

static void put_change(push *p, const sg_outbox_row *row, sg_packed_op *op, int64_t n, int *err)
{
    sg_replica *r = p->s->r;
    sg_table *t = sg_table_id(r, op->table);
    if (t == NULL) {
        *err = sg_replica_fail(r, SG_CORRUPT, "the outbox names a table that is not known");
        return;
    }
    sg_change c = {.n = n,
                   .tx_last = row->tx_last,
                   .base = row->base,
                   .at_us = row->at_us,
                   .op = op->op,
                   .origin = sg_actor_origin(r, op->actor, err),
                   .table = sg_slice_str(t->wire),
                   .actor = sg_actor_text(r, op->actor, err)};
    c.space = space_of(p, t, op->key, err);
    c.fields = fields_of(p, t, op, row->at_us, &c.field_count, &c.space, err);
    sg_buf_clear(&p->value);
    if (*err == SG_OK) *err = sg_key_to_id(t, op->key, &p->value);
    c.id = sg_buf_view(&p->value);
    if (*err == SG_OK) sg_change_to_json(&p->w, &c);
    if (p->first == 0) p->first = n;
    p->last = n;
    p->count++;
    if (n == row->tx_last) {
        p->tx_end_bytes = p->s->body.n;
        p->tx_end_last = n;
        p->tx_end_count = p->count;
    }
    sg_arena_reset(&p->arena);
}

/* Is there no room for change n? A batch ends with a transaction; only one that fills a body alone
 * is cut, and the server keeps its parts until the rest comes (L1). */
static bool is_full(const push *p, const sg_outbox_row *row, int64_t n)
{
    if (p->count == 0) return false;
    bool begins = p->tx_end_last == p->last;
    if (begins && p->count >= p->s->batch) return true;
    if (begins && p->count + (row->tx_last - n + 1) > p->s->batch) return true;
    bool small = p->s->batch < p->s->batch_max; /* the server found more too large */
    return p->s->body.n >= SG_PUSH_BYTES || p->count >= (small ? p->s->batch : SG_PUSH_TX_CHANGES);
}

static void put_row(push *p, const sg_outbox_row *row, int64_t after, int *err)
{
    sg_ops ops = sg_ops_of(row->ops);
    sg_packed_op op;
    for (int64_t n = row->n; *err == SG_OK && sg_ops_next(&ops, &op); n++) {
        if (n <= after) continue;
        if (is_full(p, row, n)) {
            p->full = p->more = true;
            return;
        }
        put_change(p, row, &op, n, err);
    }
    if (ops.in.err != SG_OK) *err = ops.in.err;
}

static void put_head(push *p, int64_t sent, int *err)
{
    sigla_session *s = p->s;
    sg_jsonw_object(&p->w);
    sg_jsonw_kstr(&p->w, "clientId", sg_client_text(s->r, sg_self_client(s->r, err), err));
    sg_jsonw_kint(&p->w, "schemaVersion", 2);
    sg_jsonw_kstr(&p->w, "since", sg_slice_str(s->place.cursor));
    if (s->place.epoch[0] != '\0' && !s->place.resync)
        sg_jsonw_kstr(&p->w, "epoch", sg_slice_str(s->place.epoch));
    sg_jsonw_kint(&p->w, "sent", sent);
    if (s->staged_to != 0) sg_jsonw_kint(&p->w, "staged", s->staged_to);
    int64_t n, seq;
    if (sg_app_known(s->r, &s->place, &n, &seq, err)) {
        sg_jsonw_kint(&p->w, "ackedN", n);
        sg_jsonw_kint(&p->w, "ackedSeq", seq);
    }
    sg_jsonw_k(&p->w, "changes");
    sg_jsonw_array(&p->w);
}

/* A body that would end inside a transaction although whole ones came before it ends with those. */
static void cut_back(push *p)
{
    if (p->tx_end_count == 0 || p->tx_end_last == p->last) return;
    sg_buf_truncate(&p->s->body, p->tx_end_bytes);
    p->last = p->tx_end_last;
    p->count = p->tx_end_count;
    p->more = true;
}

static void compress(sigla_session *s)
{
#ifndef __wasm__
    enum sg_coding coding;
    char *bytes;
    size_t n;
    if (!s->encode || !sg_encode(SG_CODING_ZSTD, sg_buf_view(&s->body), &coding, &bytes, &n))
        return;
    sg_buf_clear(&s->body);
    sg_buf_put(&s->body, bytes, n);
    sg_free(bytes);
    s->headers[4] = "Content-Encoding: zstd";
    s->headers[5] = NULL;
#else
    (void)s;
#endif
}

/* Are there records of spaces? Then what waits is folded, so that they say so. */
static bool fold_spaces(sg_replica *r, int *err)
{
    bool any = sg_state_int(r, SG_STATE_SPACES, 0, err) != 0;
    for (size_t i = 0; i < r->table_count; i++)
        any = any || r->tables[i]->space >= 0;
    if (!any || *err != SG_OK) return false;
    *err = sg_replica_begin(r);
    if (*err != SG_OK) return false;
    sg_fold(r, err);
    *err = sg_replica_end(r, *err);
    return *err == SG_OK;
}

bool sg_session_push(sigla_session *s, int *err)
{
    sg_replica *r = s->r;
    if (*err == SG_OK) *err = sg_tables_load(r);
    int64_t sent = sg_state_int(r, "sent_n", 0, err);
    int64_t after = s->place.settled > s->staged_to ? s->place.settled : s->staged_to;
    push p = {.s = s, .spaces = fold_spaces(r, err)};
    sg_rec_init(&p.rec);
    sg_arena_init(&p.arena);
    sg_buf_init(&p.value, SG_TX_BYTES_MAX);
    sg_buf_clear(&s->body);
    sg_jsonw_init(&p.w, &s->body);
    put_head(&p, sent, err);
    sqlite3_stmt *rows = sg_replica_stmt(r, SG_STMT_OUTBOX_APP, err);
    if (rows != NULL) sqlite3_bind_int64(rows, 1, s->app);
    while (rows != NULL && !p.full && sg_sql_row(rows, err)) {
        sg_outbox_row row = sg_outbox_read(rows, err);
        if (*err == SG_OK && row.n + row.count - 1 > after) put_row(&p, &row, after, err);
    }
    if (rows != NULL) sqlite3_reset(rows);
    cut_back(&p);
    sg_jsonw_array_end(&p.w);
    /* The last push asks for what is new there as well, which saves a round trip. */
    bool pull =
        (!p.more || s->pushes >= SG_PUSHES_MAX) && s->place.cursor[0] != '\0' && !s->place.resync;
    sg_jsonw_kbool(&p.w, "pull", pull);
    sg_jsonw_object_end(&p.w);
    if (*err == SG_OK) *err = s->body.err;
    sg_arena_deinit(&p.arena);
    sg_rec_deinit(&p.rec);
    sg_buf_deinit(&p.value);
    s->more = p.more;
    if (*err != SG_OK || p.count == 0) return false;
    s->sent_from = p.first;
    s->sent_to = p.last;
    s->sent_count = p.count;
    s->out_pulls = pull;
    sg_session_hold_from(s);
    s->said_client = sg_self_client(r, err);
    s->said_n = p.last > sent ? p.last : sent;
    if (p.last > sent) sg_state_raise_int(r, "sent_n", p.last, err);
    sg_session_url(s, "", err);
    sg_session_headers(s, true, err);
    if (*err == SG_OK) compress(s);
    return *err == SG_OK;
}
