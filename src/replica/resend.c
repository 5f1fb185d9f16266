#include "replica/resend.h"

#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/outbox.h"
#include "replica/resync.h"

typedef struct resend {
    sg_apply *a;
    sg_table *t;
    uint32_t self;
    sqlite3_stmt *row; /* of the record at hand; NULL: it has none (parked) */
    sg_buf ops;
    int64_t from_n;  /* own marks from here on are of what the record has sent already */
    int64_t first_n; /* of the transaction; 0: none is open */
    int64_t count;
    size_t bytes;
    int err;
} resend;

/* ---- what goes ---- */

static bool is_set_aside(resend *s, int64_t n)
{
    sqlite3_stmt *q = sg_replica_stmt(s->a->r, SG_STMT_REFUSED_HAS, &s->err);
    if (q == NULL) return false;
    sqlite3_bind_int64(q, 1, s->a->app.id);
    sqlite3_bind_int64(q, 2, n);
    bool found = sg_sql_row(q, &s->err);
    if (found) sqlite3_reset(q);
    return found;
}

/* Does the server lack it, and may it have it? What it refused stays set aside. */
static bool is_lacking(resend *s, const sg_mark *m)
{
    if (m->seq != 0) return false;
    return m->client != s->self || (m->n < s->from_n && !is_set_aside(s, m->n));
}

/* The mark under which a write goes out again. */
static sg_mark outgoing(const resend *s, const sg_mark *m)
{
    sg_mark out = {.at_us = m->at_us, .client = s->self, .actor = m->actor, .origin = m->origin};
    if (m->client == s->self) return out;
    out.at_us -= out.at_us > SG_AT_BOTTOM_US;
    out.actor = SG_ACTOR_MIGRATION;
    out.origin = SG_ORIGIN_MIGRATION;
    return out;
}

static bool goes_with(const sg_mark *a, const sg_mark *b)
{
    return a->at_us == b->at_us && a->actor == b->actor && a->origin == b->origin;
}

/* ---- one change ---- */

static void put_value(resend *s, const sg_field *f)
{
    sg_apply *a = s->a;
    int column = sg_table_column(a->r, s->t, f->name, &s->err);
    sg_value v = {.type = SG_NULL};
    /* JSON of a column that is not known here travels as it came. */
    bool json = column >= 0
                    ? s->t->columns[column].json
                    : f->has_value && f->value.n != 0 && strchr("{[", f->value.p[0]) != NULL;
    sg_buf_clear(&a->scratch);
    if (f->has_value)
        s->err = sg_value_from_json(&v, f->value, json, &a->scratch);
    else if (column >= 0 && s->row != NULL)
        v = sg_sql_value(sqlite3_column_value(s->row, column));
    sg_buf_varint(&s->ops, f->name);
    sg_ops_put_value(&s->ops, &v, json && v.type == SG_TEXT);
}

static void close_transaction(resend *s)
{
    if (s->first_n == 0) return;
    sqlite3_stmt *q = sg_replica_stmt(s->a->r, SG_STMT_OUTBOX_EXTEND, &s->err);
    if (q == NULL) return;
    sqlite3_bind_int64(q, 1, s->a->app.id);
    sqlite3_bind_int64(q, 2, s->first_n);
    sqlite3_bind_int64(q, 3, s->a->counters.next_n - 1);
    sg_sql_done(q, &s->err);
    s->first_n = s->count = 0;
    s->bytes = 0;
}

static void queue(resend *s, const sg_mark *m)
{
    sqlite3_stmt *q = sg_replica_stmt(s->a->r, SG_STMT_OUTBOX_AGAIN, &s->err);
    if (s->err == SG_OK) s->err = s->ops.err;
    if (q == NULL || s->err != SG_OK) return;
    int64_t n = s->a->counters.next_n++;
    if (s->first_n == 0) s->first_n = n;
    s->count++;
    s->bytes += s->ops.n;
    sqlite3_bind_int64(q, 1, n);
    sqlite3_bind_int64(q, 2, s->a->app.id);
    sqlite3_bind_int64(q, 3, m->at_us);
    sqlite3_bind_int64(q, 4, SG_BASE_UNKNOWN);
    sg_sql_bind_blob(q, 5, sg_buf_view(&s->ops));
    sg_sql_done(q, &s->err);
}

/* One change under the mark `as`: with the fields that go with it, which then have that mark. */
static sg_mark send_change(resend *s, enum sg_op kind, sg_mark as)
{
    sg_record *rec = &s->a->rec.record;
    sg_field *with[SG_COLUMNS_MAX];
    sg_packed_op op = {.table = s->t->id, .actor = as.actor, .op = kind};
    op.key = sg_buf_view(&s->a->key);
    as.n = s->a->counters.next_n;
    for (size_t i = 0; i < rec->count && kind != SG_OP_DELETE; i++) {
        sg_field *f = &rec->fields[i];
        if (op.field_count == SG_COLUMNS_MAX || !is_lacking(s, &f->mark)) continue;
        sg_mark out = outgoing(s, &f->mark);
        if (goes_with(&out, &as)) with[op.field_count++] = f;
    }
    sg_buf_clear(&s->ops);
    sg_ops_put_head(&s->ops, &op);
    for (size_t i = 0; i < op.field_count && s->err == SG_OK; i++) {
        put_value(s, with[i]);
        with[i]->mark = as;
    }
    queue(s, &as);
    return as;
}

/* ---- one record ---- */

static void send_life(resend *s)
{
    sg_record *rec = &s->a->rec.record;
    sg_mark as = {.client = s->self, .actor = SG_ACTOR_MIGRATION, .origin = SG_ORIGIN_MIGRATION};
    if (rec->has_life) as = outgoing(s, &rec->life);
    rec->life = send_change(s, rec->dead ? SG_OP_DELETE : SG_OP_INSERT, as);
    rec->has_life = true;
}

static void send_fields(resend *s)
{
    sg_record *rec = &s->a->rec.record;
    for (size_t i = 0; i < rec->count && s->err == SG_OK; i++) {
        const sg_mark *m = &rec->fields[i].mark;
        if (!is_lacking(s, m)) continue;
        (void)send_change(s, SG_OP_UPDATE, outgoing(s, m));
        i = (size_t)-1; /* what went with it is marked: look for the next from the start */
    }
}

static bool is_unknown_there(const sg_record *rec)
{
    for (size_t i = 0; i < rec->count; i++)
        if (rec->fields[i].mark.seq != 0) return false;
    return true;
}

static void send_record(resend *s)
{
    sg_apply *a = s->a;
    sg_slice key = sg_buf_view(&a->key);
    sg_rec_load(a->r, &a->rec, s->t, key, &s->err);
    if (s->err != SG_OK) return;
    sg_record *rec = &a->rec.record;
    s->from_n = a->counters.next_n;
    bool life = rec->has_life ? is_lacking(s, &rec->life) : is_unknown_there(rec);
    /* A record whose insert was refused is not there to be changed. */
    if (rec->has_life && rec->life.seq == 0 && !life) return;
    s->row = sg_table_row(a->r, s->t, key, &s->err);
    if (s->row != NULL && !sg_sql_row(s->row, &s->err)) s->row = NULL;
    if (life && s->err == SG_OK) send_life(s);
    if (!rec->dead) send_fields(s);
    if (s->row != NULL) sqlite3_reset(s->row);
    if (a->counters.next_n != s->from_n) sg_rec_save(a->r, &a->rec, s->t, key, &s->err);
    if (s->count >= SG_RESEND_TX_CHANGES || s->bytes >= SG_RESEND_TX_BYTES) close_transaction(s);
}

static void with_app(resend *s, enum sg_stmt which, int64_t id)
{
    sqlite3_stmt *q = sg_replica_stmt(s->a->r, which, &s->err);
    if (q == NULL) return;
    sqlite3_bind_int64(q, 1, id);
    sg_sql_done(q, &s->err);
}

/* What the server acknowledged in its former life it knows no more; what was pending goes with the
 * rest; what it refused because it knew no such record is sent again with the record. */
static void forget_answers(resend *s)
{
    sg_apply *a = s->a;
    with_app(s, SG_STMT_ACK_FORGET, s->self);
    with_app(s, SG_STMT_REFUSED_FORGET, a->app.id);
    with_app(s, SG_STMT_OUTBOX_DROP, a->app.id);
    sg_journal_unsettled(a->r, a->app.id, &a->count.conflicts, &s->err);
    a->app.settled = a->counters.next_n - 1;
}

int sg_resend(sg_apply *a)
{
    resend s = {.a = a, .err = SG_OK};
    s.self = sg_self_client(a->r, &s.err);
    sg_buf_init(&s.ops, SG_TX_BYTES_MAX);
    forget_answers(&s);
    for (size_t i = 0; i < a->r->table_count && s.err == SG_OK; i++) {
        s.t = a->r->tables[i];
        if (s.t->app != a->app.id || !s.t->active || s.t->missing) continue;
        sg_buf_clear(&a->key);
        while (sg_resync_next(a->r, s.t, SG_STMT_REC_NEXT, &a->key, &s.err))
            send_record(&s);
        close_transaction(&s);
    }
    /* Their marks are in the shadows already. */
    sg_state_set_int(a->r, "folded_n", a->counters.next_n - 1, &s.err);
    sg_buf_deinit(&s.ops);
    return s.err;
}
