#include "base/mem.h"
#include "store/sqlite_conn.h"

static void bind_ref(sqlite3_stmt *s, sg_feed feed, const sg_ref *ref)
{
    if (s == NULL) return;
    (void)sqlite3_bind_int64(s, 1, feed.scope);
    (void)sqlite3_bind_int64(s, 2, feed.app);
    (void)sqlite3_bind_int64(s, 3, ref->table);
    sg_sqlite_bind_blob(s, 4, ref->key);
}

/* Columns id, seq, hist, dead_us, data from `first` on; data stays SQLite's. */
static sg_stored read_stored(sqlite3_stmt *s, int first, int *err)
{
    return (sg_stored){.row = sg_sqlite_count(s, first, err),
                       .seq = sg_sqlite_count(s, first + 1, err),
                       .hist = sg_sqlite_count(s, first + 2, err),
                       .dead_us = sg_sqlite_count(s, first + 3, err),
                       .data = sg_sqlite_blob(s, first + 4)};
}

int sg_sqlite_load_records(sg_writer *w, sg_feed feed, const sg_ref *refs, size_t n,
                           sg_arena *arena, sg_stored *out)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        out[i] = (sg_stored){0};
        sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_LOAD_RECORD, &err);
        bind_ref(s, feed, &refs[i]);
        if (!sg_sqlite_row(s, &err)) continue;
        out[i] = read_stored(s, 0, &err);
        out[i].data = sg_arena_copy(arena, out[i].data, &err);
        (void)sqlite3_reset(s);
    }
    return err;
}

static void add(sg_sqlite *c, sg_feed feed, const sg_ref *ref, sg_stored *r, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_ADD_RECORD, err);
    if (s == NULL) return;
    bind_ref(s, feed, ref);
    (void)sqlite3_bind_int64(s, 5, r->seq);
    (void)sqlite3_bind_int64(s, 6, r->hist);
    (void)sqlite3_bind_int64(s, 7, r->dead_us);
    sg_sqlite_bind_blob(s, 8, r->data);
    sg_sqlite_done(s, err);
    if (*err == SG_OK) r->row = sqlite3_last_insert_rowid(c->db);
}

static void save(sg_sqlite *c, const sg_stored *r, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_SAVE_RECORD, err);
    if (s == NULL) return;
    (void)sqlite3_bind_int64(s, 1, r->seq);
    (void)sqlite3_bind_int64(s, 2, r->hist);
    (void)sqlite3_bind_int64(s, 3, r->dead_us);
    sg_sqlite_bind_blob(s, 4, r->data);
    (void)sqlite3_bind_int64(s, 5, r->row);
    sg_sqlite_done(s, err);
}

int sg_sqlite_save_records(sg_writer *w, sg_feed feed, const sg_ref *refs, sg_stored *records,
                           size_t n)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        if (records[i].row == 0)
            add(&w->conn, feed, &refs[i], &records[i], &err);
        else
            save(&w->conn, &records[i], &err);
    }
    return err;
}

int sg_sqlite_record_ref(sg_writer *w, int64_t row, sg_ref *ref, bool *found)
{
    int err = SG_OK;
    *found = false;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_RECORD_REF, &err);
    if (s == NULL) return err;
    (void)sqlite3_bind_int64(s, 1, row);
    /* Left standing on its row: the key is borrowed until the next call. */
    *found = sg_sqlite_row(s, &err);
    if (*found) *ref = (sg_ref){sg_sqlite_u32(s, 0, &err), sg_sqlite_blob(s, 1)};
    return err;
}

/* ---- deltas ---- */

/* One scope's records in the order of seq; it stands on the next one while `on`. */
typedef struct reader {
    sqlite3_stmt *s;
    uint32_t scope;
    bool on;
    int64_t seq;
} reader;

/* A delta's readers: one, or one for each of several scopes. */
typedef struct merge {
    sg_sqlite *conn;
    reader one;
    reader *all;
    size_t count;
} merge;

static void next(reader *r, int *err)
{
    r->on = sg_sqlite_row(r->s, err);
    r->seq = r->on ? sqlite3_column_int64(r->s, 3) : 0;
}

static void start(reader *r, uint32_t scope, const sg_delta *what, int *err)
{
    r->scope = scope;
    if (r->s == NULL || *err != SG_OK) return;
    (void)sqlite3_bind_int64(r->s, 1, scope);
    (void)sqlite3_bind_int64(r->s, 2, what->feed.app);
    (void)sqlite3_bind_int64(r->s, 3, what->since);
    /* One more than wanted tells whether there is more. */
    (void)sqlite3_bind_int64(r->s, 4, (int64_t)what->limit + 1);
    if (what->table != 0) (void)sqlite3_bind_int64(r->s, 5, what->table);
    next(r, err);
}

static int open_merge(merge *m, const sg_delta *what)
{
    int err = SG_OK;
    enum sg_sqlite_statement which = what->table == 0 ? SG_SQLITE_DELTA : SG_SQLITE_DELTA_TABLE;
    m->all = &m->one;
    m->count = 1;
    m->one.s = sg_sqlite_use(m->conn, which, &err);
    start(&m->one, what->feed.scope, what, &err);
    if (err != SG_OK || what->other_count == 0) return err;
    m->all = sg_zalloc((1 + what->other_count) * sizeof *m->all);
    if (m->all == NULL) return SG_NOMEM;
    m->all[0] = m->one;
    for (size_t i = 0; i < what->other_count && err == SG_OK; i++) {
        reader *r = &m->all[m->count++];
        err = sg_sqlite_error(
            sqlite3_prepare_v2(m->conn->db, sqlite3_sql(m->one.s), -1, &r->s, NULL));
        start(r, what->others[i], what, &err);
    }
    return err;
}

static void close_merge(merge *m)
{
    if (m->one.s != NULL) (void)sqlite3_reset(m->one.s);
    for (size_t i = 1; i < m->count; i++)
        (void)sqlite3_finalize(m->all[i].s);
    if (m->all != &m->one) sg_free(m->all);
}

/* The one whose record is first; NULL: there are no more. Few scopes: a heap would not pay. */
static reader *first_of(merge *m)
{
    reader *first = NULL;
    for (size_t i = 0; i < m->count; i++)
        if (m->all[i].on && (first == NULL || m->all[i].seq < first->seq)) first = &m->all[i];
    return first;
}

int sg_sqlite_delta(sg_view *v, const sg_delta *what, sg_delta_fn *fn, void *ctx, bool *more)
{
    merge m = {.conn = v->conn};
    *more = false;
    int err = open_merge(&m, what);
    for (size_t n = 0; err == SG_OK; n++) {
        reader *r = first_of(&m);
        if (r == NULL) break;
        sg_ref ref = {sg_sqlite_u32(r->s, 0, &err), sg_sqlite_blob(r->s, 1)};
        sg_stored stored = read_stored(r->s, 2, &err);
        stored.scope = r->scope;
        *more = err != SG_OK || n == what->limit || !fn(ctx, &ref, &stored);
        if (*more) break;
        next(r, &err);
    }
    close_merge(&m);
    return err;
}
