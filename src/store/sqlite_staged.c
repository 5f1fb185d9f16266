#include "store/sqlite_conn.h"

int sg_sqlite_stage(sg_writer *w, const sg_client_state *c, const sg_staged *staged, size_t n,
                    int64_t now_us)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_STAGE, &err);
        if (s == NULL) break;
        (void)sqlite3_bind_int64(s, 1, c->row);
        (void)sqlite3_bind_int64(s, 2, staged[i].n);
        (void)sqlite3_bind_int64(s, 3, now_us);
        sg_sqlite_bind_blob(s, 4, staged[i].json);
        sg_sqlite_done(s, &err);
    }
    return err;
}

int sg_sqlite_load_staged(sg_writer *w, const sg_client_state *c, int64_t after_n, size_t bytes,
                          sg_arena *arena, sg_staged *out, size_t *count)
{
    int err = SG_OK;
    size_t n = 0, sum = 0;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_LOAD_STAGED, &err);
    if (s == NULL) return err;
    (void)sqlite3_bind_int64(s, 1, c->row);
    (void)sqlite3_bind_int64(s, 2, after_n);
    (void)sqlite3_bind_int64(s, 3, (int64_t)*count);
    while (sum < bytes && sg_sqlite_row(s, &err)) {
        out[n].n = sg_sqlite_count(s, 0, &err);
        out[n].json = sg_arena_copy(arena, sg_sqlite_blob(s, 1), &err);
        sum += out[n++].json.n;
    }
    (void)sqlite3_reset(s);
    *count = n;
    return err;
}

int sg_sqlite_drop_staged(sg_writer *w, const sg_client_state *c)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_DROP_STAGED, &err);
    if (s != NULL) (void)sqlite3_bind_int64(s, 1, c->row);
    sg_sqlite_done(s, &err);
    return err;
}
