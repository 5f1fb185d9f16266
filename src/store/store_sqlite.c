#include <sys/stat.h>

#include "base/mem.h"
#include "store/sqlite_conn.h"

typedef struct store {
    sg_writer writer;
    char *path;
} store;

static void close_store(void *impl)
{
    store *s = impl;
    sg_sqlite_actors_deinit(&s->writer);
    sg_sqlite_disconnect(&s->writer.conn);
    sg_free(s->path);
    sg_free(s);
}

static sg_writer *get_writer(void *impl)
{
    store *s = impl;
    return &s->writer;
}

/* ---- the writer ---- */

static sg_commit read_newest(sg_sqlite *c, int *err)
{
    sg_commit newest = {0};
    sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_GET_NEWEST, err);
    bool got = sg_sqlite_row(s, err);
    if (got)
        newest = (sg_commit){sg_sqlite_count(s, 0, err), sg_sqlite_count(s, 1, err)};
    else if (*err == SG_OK)
        *err = SG_CORRUPT;
    if (got) (void)sqlite3_reset(s);
    return newest;
}

/* Begin anew where ending the transaction before has failed for lack of memory, and prepare now
 * what ends this one: then nothing needs memory any more when it has run out. */
static void make_ready(sg_sqlite *c, enum sg_sqlite_statement end, int *err)
{
    sg_text_cache_trim(&c->texts);
    (void)sg_sqlite_use(c, end, err);
    if (sqlite3_get_autocommit(c->db) == 0) sg_sqlite_run(c, end, err);
}

static int begin(sg_writer *w, sg_commit *newest)
{
    int err = SG_OK;
    *newest = (sg_commit){0};
    make_ready(&w->conn, SG_SQLITE_ROLLBACK, &err);
    sg_sqlite_run(&w->conn, SG_SQLITE_BEGIN_WRITE, &err);
    w->open = err == SG_OK;
    *newest = read_newest(&w->conn, &err);
    return err;
}

/* No statement may be left standing on a row: it would keep the snapshot, and a rollback fails it.
 */
static void reset_all(sg_sqlite *c)
{
    for (size_t i = 0; i < SG_SQLITE_COUNT; i++)
        if (c->statements[i] != NULL) (void)sqlite3_reset(c->statements[i]);
}

static void rollback(sg_writer *w)
{
    int err = SG_OK;
    reset_all(&w->conn);
    if (w->open && sqlite3_get_autocommit(w->conn.db) == 0)
        sg_sqlite_run(&w->conn, SG_SQLITE_ROLLBACK, &err);
    w->open = false;
    /* Numbers given in this transaction no longer mean anything. */
    sg_text_cache_clear(&w->conn.texts);
}

static int commit(sg_writer *w, const sg_commit *newest)
{
    int err = SG_OK;
    reset_all(&w->conn);
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_SET_NEWEST, &err);
    if (s != NULL) {
        (void)sqlite3_bind_int64(s, 1, newest->seq);
        (void)sqlite3_bind_int64(s, 2, newest->at_us);
    }
    sg_sqlite_done(s, &err);
    sg_sqlite_run(&w->conn, SG_SQLITE_COMMIT, &err);
    if (err == SG_OK) w->open = false;
    return err;
}

static int put_value(sg_writer *w, const char *key, sg_slice value)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_PUT_VALUE, &err);
    sg_sqlite_bind_text(s, 1, sg_slice_str(key));
    sg_sqlite_bind_blob(s, 2, value);
    sg_sqlite_done(s, &err);
    return err;
}

static sg_view *writer_view(sg_writer *w)
{
    return &w->view;
}

/* ---- views ---- */

static void view_free(sg_view *v)
{
    if (v == NULL) return;
    sg_sqlite_disconnect(&v->own);
    sg_free(v);
}

static int view_new(void *impl, sg_view **view)
{
    store *s = impl;
    sg_view *v = sg_zalloc(sizeof *v);
    if (v == NULL) return SG_NOMEM;
    int err = sg_sqlite_connect(&v->own, s->path);
    sg_sqlite_exec(&v->own, "PRAGMA query_only = ON; PRAGMA cache_size = -16384", &err);
    v->conn = &v->own;
    if (err != SG_OK)
        view_free(v);
    else
        *view = v;
    return err;
}

static void view_end(sg_view *v)
{
    int err = SG_OK;
    if (!v->open) return;
    reset_all(v->conn);
    sg_sqlite_run(v->conn, SG_SQLITE_COMMIT, &err);
    v->open = false;
}

static int view_begin(sg_view *v, int64_t *newest)
{
    int err = SG_OK;
    make_ready(v->conn, SG_SQLITE_COMMIT, &err);
    sg_sqlite_run(v->conn, SG_SQLITE_BEGIN_READ, &err);
    v->open = err == SG_OK;
    *newest = read_newest(v->conn, &err).seq;
    if (err != SG_OK) view_end(v);
    return err;
}

static int get_value(sg_view *v, const char *key, sg_arena *arena, sg_slice *value)
{
    int err = SG_OK;
    *value = sg_slice_of(NULL, 0);
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_GET_VALUE, &err);
    sg_sqlite_bind_text(s, 1, sg_slice_str(key));
    if (sg_sqlite_row(s, &err)) {
        *value = sg_arena_copy(arena, sg_sqlite_blob(s, 0), &err);
        (void)sqlite3_reset(s);
    }
    return err;
}

static int64_t file_bytes(const char *path)
{
    struct stat st;
    return path != NULL && stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static int counts(sg_view *v, sg_store_counts *out)
{
    int err = SG_OK;
    const char *path = sqlite3_db_filename(v->conn->db, "main");
    out->newest = read_newest(v->conn, &err).seq;
    out->bytes = file_bytes(path) + file_bytes(path != NULL ? sqlite3_filename_wal(path) : NULL);
    return err;
}

static const sg_store_ops ops = {
    .close = close_store,
    .writer = get_writer,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .intern = sg_sqlite_intern,
    .load_records = sg_sqlite_load_records,
    .save_records = sg_sqlite_save_records,
    .add_sum = sg_sqlite_add_sum,
    .append_history = sg_sqlite_append_history,
    .record_ref = sg_sqlite_record_ref,
    .load_client = sg_sqlite_load_client,
    .save_client = sg_sqlite_save_client,
    .keep_run = sg_sqlite_keep_run,
    .answered = sg_sqlite_answered,
    .refuse = sg_sqlite_refuse,
    .stage = sg_sqlite_stage,
    .load_staged = sg_sqlite_load_staged,
    .drop_staged = sg_sqlite_drop_staged,
    .purge = sg_sqlite_purge,
    .put_value = put_value,
    .execute = sg_sqlite_execute,
    .view_new = view_new,
    .view_free = view_free,
    .view_begin = view_begin,
    .view_end = view_end,
    .find_text = sg_sqlite_find_text,
    .text = sg_sqlite_get_text,
    .delta = sg_sqlite_delta,
    .feeds = sg_sqlite_feeds,
    .sums = sg_sqlite_sums,
    .get_history = sg_sqlite_get_history,
    .history = sg_sqlite_history,
    .seq_before = sg_sqlite_seq_before,
    .floor = sg_sqlite_floor,
    .max_number = sg_sqlite_max_number,
    .get_value = get_value,
    .counts = counts,
    .query = sg_sqlite_query,
    .writer_view = writer_view,
};

int sg_store_sqlite_open(const char *path, sg_store *out)
{
    store *s = sg_zalloc(sizeof *s);
    if (s == NULL) return SG_NOMEM;
    s->path = sg_strndup(path, strlen(path));
    int err = s->path != NULL ? sg_sqlite_connect(&s->writer.conn, path) : SG_NOMEM;
    s->writer.view.conn = &s->writer.conn;
    if (err == SG_OK) err = sg_sqlite_schema(&s->writer.conn);
    if (err != SG_OK) {
        close_store(s);
        return err;
    }
    *out = (sg_store){&ops, s};
    return SG_OK;
}
