#include "replica/ack.h"

#include "replica/capture.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/outbox.h"

/* A correction smaller than this is the network's jitter, and not worth a write. */
#define OFFSET_SLACK_US INT64_C(100000)

/* Remember a run of acknowledged numbers; one that continues the run before makes it longer. */
static void put_run(sg_replica *r, int64_t n, int64_t count, int64_t seq, int *err)
{
    uint32_t self = sg_self_client(r, err);
    sg_ack_run run = sg_ack_run_at(r, self, n, err);
    if (run.count != 0) {
        if (n + count <= run.n + run.count) return; /* told again */
        if (run.n + run.count == n && run.seq + run.count == seq) {
            n = run.n;
            seq = run.seq;
            count += run.count;
        }
    }
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ACK_PUT, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, self);
    sqlite3_bind_int64(s, 2, n);
    sqlite3_bind_int64(s, 3, count);
    sqlite3_bind_int64(s, 4, seq);
    sg_sql_done(s, err);
}

/* The outbox row that holds change n, copied into *hold. */
static bool row_of(sg_replica *r, uint32_t app, int64_t n, sg_outbox_row *row, sg_buf *hold,
                   int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_HOLDING, err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, n);
    if (!sg_sql_row(s, err)) return false;
    *row = sg_outbox_read(s, err);
    bool found = *err == SG_OK && row->app == app && n < row->n + row->count;
    sg_buf_clear(hold);
    if (found) sg_buf_slice(hold, row->ops);
    sqlite3_reset(s);
    row->ops = sg_buf_view(hold);
    if (*err == SG_OK) *err = hold->err;
    return found && *err == SG_OK;
}

/* The bytes of one change inside a row's ops. */
static sg_slice op_of(const sg_outbox_row *row, int64_t n)
{
    sg_ops ops = sg_ops_of(row->ops);
    sg_packed_op op;
    const char *start = ops.in.p;
    for (int64_t i = row->n; i <= n; i++) {
        start = ops.in.p;
        if (!sg_ops_next(&ops, &op)) return sg_slice_of(NULL, 0);
    }
    return sg_slice_of(start, (size_t)(ops.in.p - start));
}

static void refuse(sg_replica *r, uint32_t app, int64_t n, sg_slice code, sg_slice message,
                   int *err)
{
    sg_buf hold;
    sg_buf_init(&hold, SG_TX_BYTES_MAX);
    sg_outbox_row row;
    if (row_of(r, app, n, &row, &hold, err)) {
        sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_REFUSED_ADD, err);
        if (s != NULL) {
            sqlite3_bind_int64(s, 1, n);
            sqlite3_bind_int64(s, 2, app);
            sqlite3_bind_int64(s, 3, row.at_us);
            sg_sql_bind_blob(s, 4, op_of(&row, n));
            sg_sql_bind_text(s, 5, code);
            sg_sql_bind_text(s, 6, message);
            sg_sql_done(s, err);
        }
    }
    sg_buf_deinit(&hold);
}

static void restamp(sg_replica *r, uint32_t app, int64_t n, int64_t at_us, int *err)
{
    sg_buf hold;
    sg_buf_init(&hold, SG_TX_BYTES_MAX);
    sg_outbox_row row;
    /* What is written on top of it must be greater (L3). */
    sg_counters c = sg_counters_load(r, err);
    sg_clock_follow(&c.clock, at_us, sg_replica_now(r));
    sg_counters_store(r, &c, err);
    if (row_of(r, app, n, &row, &hold, err)) {
        sg_remark to = {.at_us = at_us, .client = sg_self_client(r, err), .restamped = true};
        sg_fold_remark(r, row.ops, row.n, n, n, &to, err);
    }
    sg_buf_deinit(&hold);
}

/* What the server has taken as it was stamped counts like a stamp seen from elsewhere: the clock may
 * be brought back, but not below it (L3). What lies beyond the server's time was restamped there, and
 * says nothing. */
static void follow_settled(sg_replica *r, const sg_app *app, int64_t server_us, sg_clock *clock,
                           int *err)
{
    int64_t now_us = sg_replica_now(r), latest_us = sg_clock_now(clock, now_us);
    if (server_us > 0 && server_us < latest_us) latest_us = server_us;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_SETTLED_AT, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, app->id);
    sqlite3_bind_int64(s, 2, app->settled);
    sqlite3_bind_int64(s, 3, latest_us + SG_CLOCK_BOUND_US);
    if (!sg_sql_row(s, err)) return;
    sg_clock_follow(clock, sqlite3_column_int64(s, 0), now_us);
    sqlite3_reset(s);
}

/* Rows whose last change is settled have done their work. The counters they carried are kept. */
static void drop_settled(sg_replica *r, const sg_app *app, int64_t server_us, int *err)
{
    sg_counters c = sg_counters_load(r, err);
    follow_settled(r, app, server_us, &c.clock, err);
    sg_counters_store(r, &c, err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_SETTLED, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, app->id);
    sqlite3_bind_int64(s, 2, app->settled);
    sg_sql_done(s, err);
}

void sg_ack_take(sg_replica *r, sg_app *app, const sg_page *page, int64_t sent_to,
                 sg_ack_count *count, int *err)
{
    int64_t settled = app->settled;
    for (size_t i = 0; i < page->restamped_count && *err == SG_OK; i++)
        restamp(r, app->id, page->restamped[i].n, page->restamped[i].at_us, err);
    for (size_t i = 0; i < page->rejected_count && *err == SG_OK; i++) {
        const sg_rejection *x = &page->rejected[i];
        if (x->n <= app->settled || x->n > sent_to) continue;
        refuse(r, app->id, x->n, x->text, x->message, err);
        count->refused++;
        if (x->n > settled) settled = x->n;
    }
    for (size_t i = 0; i < page->ack_count && *err == SG_OK; i++) {
        const sg_ack *a = &page->acks[i];
        if (a->n <= 0 || a->count <= 0 || a->seq <= 0 || a->count > sent_to ||
            a->n > sent_to - a->count + 1) {
            *err = sg_replica_fail(r, SG_BADREQUEST, "the server acknowledged what was not sent");
            return;
        }
        put_run(r, a->n, a->count, a->seq, err);
        int64_t last = a->n + a->count - 1;
        count->acknowledged +=
            last > app->settled ? last - (a->n > app->settled ? a->n - 1 : app->settled) : 0;
        if (last > settled) settled = last;
    }
    app->settled = settled;
    drop_settled(r, app, page->server_us, err);
    sg_app_save(r, app, err);
    if (sg_journal_any(r, err)) sg_journal_settle(r, &count->conflicts, err);
}

void sg_ack_refuse(sg_replica *r, sg_app *app, int64_t n, int code, sg_slice message, int *err)
{
    refuse(r, app->id, n, sg_slice_str(sg_err_code(code)), message, err);
    if (n > app->settled) app->settled = n;
    drop_settled(r, app, 0, err);
    sg_app_save(r, app, err);
}

/* ---- trying refused changes again ---- */

/* Queue what a refused change wrote, as it is now, where it is still the last word here: somebody
 * may have mended the row, or written over it. */
static void queue_again(sg_replica *r, sg_rec *rec, int64_t n, sg_packed_op *op, int *err)
{
    sg_table *t = sg_table_id(r, op->table);
    if (t == NULL || !t->active || t->missing) return;
    uint32_t self = sg_self_client(r, err);
    sg_rec_load(r, rec, t, op->key, err);
    const sg_mark *life = &rec->record.life;
    bool mine = rec->record.has_life && life->client == self && life->n == n;
    if (*err != SG_OK) return;
    if (op->op != SG_OP_UPDATE) {
        bool gone = op->op == SG_OP_DELETE;
        if (mine && gone)
            *err = sg_capture_gone(r, t, op->key, op->actor);
        else if (mine)
            *err = sg_capture_row(r, t, op->key, op->actor);
        return;
    }
    for (sg_op_field f; *err == SG_OK && sg_op_next_field(op, &f);) {
        const sg_field *have = sg_record_find(&rec->record, f.name);
        int column = sg_table_column(r, t, f.name, err);
        if (have == NULL || column < 0 || have->mark.client != self || have->mark.n != n) continue;
        if (*err == SG_OK) *err = sg_capture_column(r, t, op->key, (size_t)column, op->actor);
    }
}

int sg_ack_retry(sg_replica *r, int64_t n)
{
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    sg_fold(r, &err);
    if (err == SG_OK) err = sg_tables_load(r);
    bool found = false;
    sg_rec rec;
    sg_rec_init(&rec);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT n,ops FROM sigla_set_aside WHERE ?1=0 OR n=?1 ORDER BY n",
                   &err);
    if (s != NULL) sqlite3_bind_int64(s, 1, n);
    while (s != NULL && sg_sql_row(s, &err)) {
        sg_ops ops = sg_ops_of(sg_sql_blob(s, 1));
        sg_packed_op op;
        found = true;
        if (sg_ops_next(&ops, &op)) queue_again(r, &rec, sqlite3_column_int64(s, 0), &op, &err);
    }
    sqlite3_finalize(s);
    sg_rec_deinit(&rec);
    s = NULL;
    sg_sql_prepare(r->db, &s, "DELETE FROM sigla_set_aside WHERE ?1=0 OR n=?1", &err);
    if (s != NULL) sqlite3_bind_int64(s, 1, n);
    sg_sql_done(s, &err);
    sqlite3_finalize(s);
    if (err == SG_OK && !found && n != 0)
        err = sg_replica_fail(r, SG_NOTFOUND,
                              "there is no refused change %lld: see sigla_refused()", (long long)n);
    return sg_replica_end(r, err);
}

/* ---- identity and clock ---- */

/* Walk the outbox; `limit_us` > 0: only rows stamped beyond it get a new time. */
static void remark_pending(sg_replica *r, uint32_t client, int64_t limit_us, sg_counters *c,
                           int *err)
{
    int64_t n = 0;
    sg_buf hold;
    sg_buf_init(&hold, SG_TX_BYTES_MAX);
    while (*err == SG_OK) {
        sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_FROM, err);
        if (s == NULL) break;
        sqlite3_bind_int64(s, 1, n);
        if (!sg_sql_row(s, err)) break;
        sg_outbox_row row = sg_outbox_read(s, err);
        sg_buf_clear(&hold);
        sg_buf_slice(&hold, row.ops);
        sqlite3_reset(s);
        if (*err == SG_OK) *err = hold.err;
        if (*err != SG_OK) break;
        n = row.n + row.count;
        if (limit_us != 0 && row.at_us <= limit_us) {
            /* Later rows get times above those that stay (L3). */
            if (row.at_us > c->clock.last_us) c->clock.last_us = row.at_us;
            continue;
        }
        sg_remark to = {.client = client};
        if (limit_us != 0) to.at_us = sg_clock_tick(&c->clock, sg_replica_now(r));
        sg_fold_remark(r, sg_buf_view(&hold), row.n, row.n, n - 1, &to, err);
        if (limit_us == 0) continue;
        s = sg_replica_stmt(r, SG_STMT_OUTBOX_AT, err);
        if (s == NULL) break;
        sqlite3_bind_int64(s, 1, row.n);
        sqlite3_bind_int64(s, 2, to.at_us);
        sg_sql_done(s, err);
    }
    sg_buf_deinit(&hold);
}

int sg_ack_new_client(sg_replica *r)
{
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    sg_fold(r, &err);
    char id[37];
    sg_uuid7(sg_replica_now(r), id);
    uint32_t client = sg_intern_client(r, sg_slice_of(id, 36), &err);
    remark_pending(r, client, 0, NULL, &err);
    sg_state_set_int(r, "client", client, &err);
    sg_state_set_int(r, "sent_n", 0, &err);
    if (err == SG_OK) r->self_client = client;
    return sg_replica_end(r, err);
}

void sg_ack_server_time(sg_replica *r, const sg_clock_answer *a, int64_t given_us, int *err)
{
    if (*err != SG_OK || a->server_us <= 0) return;
    sg_counters c = sg_counters_load(r, err);
    int64_t offset_us = c.clock.offset_us;
    bool beyond = sg_clock_correct(&c.clock, a);
    if (beyond) {
        sg_clock_follow(&c.clock, given_us, a->answered_us);
        int64_t limit_us = sg_clock_now(&c.clock, a->answered_us) + SG_CLOCK_BOUND_US;
        remark_pending(r, sg_self_client(r, err), limit_us, &c, err);
    }
    int64_t moved = c.clock.offset_us - offset_us;
    if (beyond || moved > OFFSET_SLACK_US || moved < -OFFSET_SLACK_US)
        sg_counters_store(r, &c, err);
}
