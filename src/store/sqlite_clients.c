#include "store/sqlite_conn.h"

#define CLIENT_MEMBERS 11 /* of sg_client_state, in the order of its columns */

static void bind_client(sqlite3_stmt *s, sg_feed feed, uint32_t client)
{
    if (s == NULL) return;
    (void)sqlite3_bind_int64(s, 1, feed.scope);
    (void)sqlite3_bind_int64(s, 2, feed.app);
    (void)sqlite3_bind_int64(s, 3, client);
}

static void add(sg_sqlite *c, sg_feed feed, uint32_t client, sg_client_state *state, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_ADD_CLIENT, err);
    bind_client(s, feed, client);
    sg_sqlite_done(s, err);
    *state = (sg_client_state){.row = sqlite3_last_insert_rowid(c->db)};
}

int sg_sqlite_load_client(sg_writer *w, sg_feed feed, uint32_t client, sg_client_state *c)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_LOAD_CLIENT, &err);
    bind_client(s, feed, client);
    if (!sg_sqlite_row(s, &err)) {
        add(&w->conn, feed, client, c, &err);
        return err;
    }
    int64_t *const members[] = {&c->row,          &c->max_n,        &c->floor_n,   &c->heard_n,
                                &c->run_n,        &c->run_count,    &c->run_seq,   &c->staged_tx,
                                &c->staged_count, &c->staged_bytes, &c->refused_tx};
    for (int i = 0; i < CLIENT_MEMBERS; i++)
        *members[i] = sg_sqlite_count(s, i, &err);
    (void)sqlite3_reset(s);
    return err;
}

int sg_sqlite_save_client(sg_writer *w, const sg_client_state *c)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_SAVE_CLIENT, &err);
    if (s == NULL) return err;
    const int64_t values[CLIENT_MEMBERS] = {
        c->row,     c->max_n,     c->floor_n,      c->heard_n,      c->run_n,     c->run_count,
        c->run_seq, c->staged_tx, c->staged_count, c->staged_bytes, c->refused_tx};
    for (int i = 0; i < CLIENT_MEMBERS; i++)
        (void)sqlite3_bind_int64(s, i + 1, values[i]);
    sg_sqlite_done(s, &err);
    return err;
}

int sg_sqlite_keep_run(sg_writer *w, const sg_client_state *c)
{
    int err = SG_OK;
    if (c->run_count == 0) return SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_KEEP_RUN, &err);
    if (s == NULL) return err;
    (void)sqlite3_bind_int64(s, 1, c->row);
    (void)sqlite3_bind_int64(s, 2, c->run_n);
    (void)sqlite3_bind_int64(s, 3, c->run_count);
    (void)sqlite3_bind_int64(s, 4, c->run_seq);
    sg_sqlite_done(s, &err);
    return err;
}

int sg_sqlite_refuse(sg_writer *w, const sg_client_state *c, const sg_answered *refused, size_t n,
                     int64_t now_us)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_REFUSE, &err);
        if (s == NULL) break;
        (void)sqlite3_bind_int64(s, 1, c->row);
        (void)sqlite3_bind_int64(s, 2, refused[i].n);
        (void)sqlite3_bind_int64(s, 3, refused[i].count);
        sg_sqlite_bind_text(s, 4, sg_slice_str(sg_err_code(refused[i].code)));
        sg_sqlite_bind_text(s, 5, refused[i].message);
        (void)sqlite3_bind_int64(s, 6, now_us);
        sg_sqlite_done(s, &err);
    }
    return err;
}

/* A statement about one number of a client, bound anew. */
static sqlite3_stmt *about(sg_writer *w, enum sg_sqlite_statement which, const sg_client_state *c,
                           int64_t n, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, which, err);
    if (s == NULL) return NULL;
    (void)sqlite3_bind_int64(s, 1, c->row);
    (void)sqlite3_bind_int64(s, 2, n);
    return s;
}

/* The run at columns 0 and 1 holds n. */
static bool holds(sqlite3_stmt *s, int64_t n, sg_answered *out, int *err)
{
    out->n = sg_sqlite_count(s, 0, err);
    out->count = sg_sqlite_count(s, 1, err);
    return *err == SG_OK && n - out->n < out->count;
}

static bool in_run(sg_writer *w, const sg_client_state *c, int64_t n, sg_answered *out, int *err)
{
    *out = (sg_answered){SG_ANSWER_ACK, c->run_n, c->run_count, c->run_seq, SG_OK, {NULL, 0}};
    if (n >= c->run_n && n - c->run_n < c->run_count) return true;
    sqlite3_stmt *s = about(w, SG_SQLITE_FIND_RUN, c, n, err);
    if (!sg_sqlite_row(s, err)) return false;
    out->seq = sg_sqlite_count(s, 2, err);
    bool found = holds(s, n, out, err);
    (void)sqlite3_reset(s);
    return found;
}

/* Left standing on its row: the message is borrowed until the next call. */
static bool in_refused(sg_writer *w, const sg_client_state *c, int64_t n, sg_answered *out,
                       int *err)
{
    sqlite3_stmt *s = about(w, SG_SQLITE_FIND_REFUSED, c, n, err);
    if (!sg_sqlite_row(s, err)) return false;
    sg_slice code = sg_sqlite_text(s, 2);
    *out = (sg_answered){.kind = SG_ANSWER_REFUSED, .code = sg_err_from_code(code.p, code.n)};
    out->message = sg_sqlite_text(s, 3);
    return holds(s, n, out, err);
}

static bool in_staged(sg_writer *w, const sg_client_state *c, int64_t n, sg_answered *out, int *err)
{
    *out = (sg_answered){.kind = SG_ANSWER_STAGED, .n = n, .count = 1};
    if (c->staged_count == 0) return false;
    sqlite3_stmt *s = about(w, SG_SQLITE_FIND_STAGED, c, n, err);
    bool found = sg_sqlite_row(s, err);
    if (found) (void)sqlite3_reset(s);
    return found;
}

int sg_sqlite_answered(sg_writer *w, const sg_client_state *c, int64_t n, sg_answered *out)
{
    int err = SG_OK;
    if (in_run(w, c, n, out, &err) || in_refused(w, c, n, out, &err) ||
        in_staged(w, c, n, out, &err))
        return err;
    *out = (sg_answered){.kind = SG_ANSWER_NONE, .n = n, .count = 1};
    if (n <= c->floor_n) out->kind = SG_ANSWER_ACK;
    return err;
}

int sg_sqlite_max_number(sg_view *v, sg_feed feed, uint32_t client, int64_t *n)
{
    int err = SG_OK;
    *n = 0;
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_MAX_NUMBER, &err);
    bind_client(s, feed, client);
    if (sg_sqlite_row(s, &err)) {
        *n = sqlite3_column_int64(s, 0);
        (void)sqlite3_reset(s);
    }
    return err;
}
