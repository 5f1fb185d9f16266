#include "store/sqlite_conn.h"

/* SQLite's limit is not ours: marks hold numbers of 32 bits. */
static uint32_t read_id(sqlite3_stmt *s, int *err)
{
    int64_t id = sqlite3_column_int64(s, 0);
    if (id > 0 && id <= UINT32_MAX) return (uint32_t)id;
    *err = id > 0 ? SG_LIMIT : SG_CORRUPT;
    return 0;
}

static uint32_t ask(sg_sqlite *c, enum sg_sqlite_statement which, enum sg_text_kind kind,
                    sg_slice text, int *err)
{
    uint32_t id = 0;
    sqlite3_stmt *s = sg_sqlite_use(c, which, err);
    if (s == NULL) return 0;
    (void)sqlite3_bind_int(s, 1, (int)kind);
    sg_sqlite_bind_blob(s, 2, text);
    if (sg_sqlite_row(s, err)) id = read_id(s, err);
    if (id != 0) sg_sqlite_done(s, err);
    (void)sqlite3_reset(s);
    return id;
}

static uint32_t find(sg_sqlite *c, enum sg_text_kind kind, sg_slice text, int *err)
{
    uint32_t id = sg_text_cache_id(&c->texts, kind, text);
    if (id != 0) return id;
    id = ask(c, SG_SQLITE_FIND_TEXT, kind, text, err);
    if (id != 0 && sg_text_cache_put(&c->texts, kind, id, text).p == NULL) *err = SG_NOMEM;
    return id;
}

int sg_sqlite_intern(sg_writer *w, enum sg_text_kind kind, const sg_slice *texts, size_t n,
                     uint32_t *ids)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        ids[i] = find(&w->conn, kind, texts[i], &err);
        if (ids[i] != 0 && kind == SG_TEXT_OF_ACTOR) sg_sqlite_actor_used(w, ids[i]);
        if (ids[i] != 0 || err != SG_OK) continue;
        ids[i] = ask(&w->conn, SG_SQLITE_ADD_TEXT, kind, texts[i], &err);
        if (err == SG_OK && sg_text_cache_put(&w->conn.texts, kind, ids[i], texts[i]).p == NULL)
            err = SG_NOMEM;
    }
    return err;
}

int sg_sqlite_find_text(sg_view *v, enum sg_text_kind kind, sg_slice text, uint32_t *id)
{
    int err = SG_OK;
    *id = find(v->conn, kind, text, &err);
    return err;
}

sg_slice sg_sqlite_get_text(sg_view *v, enum sg_text_kind kind, uint32_t id, int *err)
{
    if (*err != SG_OK) return sg_slice_of(NULL, 0);
    sg_slice text = sg_text_cache_text(&v->conn->texts, kind, id);
    if (text.p != NULL) return text;
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_GET_TEXT, err);
    if (s == NULL) return text;
    (void)sqlite3_bind_int(s, 1, (int)kind);
    (void)sqlite3_bind_int64(s, 2, id);
    if (!sg_sqlite_row(s, err)) {
        if (*err == SG_OK) *err = SG_CORRUPT;
        return text;
    }
    text = sg_text_cache_put(&v->conn->texts, kind, id, sg_sqlite_blob(s, 0));
    (void)sqlite3_reset(s);
    if (text.p == NULL) *err = SG_NOMEM;
    return text;
}
