#include "replica/resync.h"

#include "replica/intern.h"
#include "replica/park.h"

void sg_resync_begin(sg_replica *r, sg_app *app, int *err)
{
    sg_sql_exec(r->db, "DROP TABLE IF EXISTS temp.sigla_seen;"
                       "CREATE TEMP TABLE sigla_seen(tbl INTEGER, key BLOB, PRIMARY KEY(tbl, key)) "
                       "WITHOUT ROWID",
                err);
    app->cursor[0] = '\0';
    app->seq = 0;
    app->resync = true;
    sg_app_save(r, app, err);
}

static void with_table(sg_replica *r, const char *sql, uint32_t table, sg_slice key, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, sql, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, table);
    sg_sql_bind_blob(s, 2, key);
    sg_sql_done(s, err);
    sqlite3_finalize(s);
}

void sg_resync_seen(sg_replica *r, const sg_table *t, sg_slice key, int *err)
{
    with_table(r, "INSERT OR IGNORE INTO temp.sigla_seen(tbl,key) VALUES(?1,?2)", t->id, key, err);
}

static bool has_pending(sg_apply *a, int *err)
{
    uint32_t self = sg_self_client(a->r, err);
    const sg_record *rec = &a->rec.record;
    if (rec->has_life && rec->life.client == self && rec->life.n > a->app.settled) return true;
    for (size_t i = 0; i < rec->count; i++)
        if (rec->fields[i].mark.client == self && rec->fields[i].mark.n > a->app.settled)
            return true;
    return false;
}

/* The keys of the table's shadows that were not seen, one after another by key. */
static bool next_unseen(sg_apply *a, const sg_table *t, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(a->r->db, &s,
                   "SELECT key FROM sigla_rec WHERE tbl=?1 AND key>?2 AND key NOT IN (SELECT key FROM "
                   "temp.sigla_seen WHERE tbl=?1) ORDER BY key LIMIT 1",
                   err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, sg_buf_view(&a->key));
    bool found = sg_sql_row(s, err);
    if (found) {
        sg_slice key = sg_sql_blob(s, 0);
        sg_buf_clear(&a->image);
        sg_buf_slice(&a->image, key);
    }
    sqlite3_finalize(s);
    if (found) {
        sg_buf_clear(&a->key);
        sg_buf_slice(&a->key, sg_buf_view(&a->image));
        if (*err == SG_OK) *err = a->key.err;
    }
    return found && *err == SG_OK;
}

static int remove_unseen(sg_apply *a, sg_table *t)
{
    int err = SG_OK;
    sg_buf_clear(&a->key);
    while (next_unseen(a, t, &err)) {
        sg_slice key = sg_buf_view(&a->key);
        sg_rec_load(a->r, &a->rec, t, key, &err);
        if (err != SG_OK || has_pending(a, &err)) continue;
        a->r->applying_table = t;
        a->r->applying_key = key;
        if (!a->rec.record.dead) err = sg_row_delete(a->r, t, key);
        sg_park_remove(a->r, t, key, &err);
        sg_rec_delete(a->r, &a->rec, t, key, &err);
    }
    return err;
}

int sg_resync_finish(sg_apply *a)
{
    int err = SG_OK;
    a->r->applying = true;
    for (size_t i = 0; i < a->r->table_count && err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        if (t->app == a->app.id && t->active && !t->missing) err = remove_unseen(a, t);
    }
    a->r->applying = false;
    sg_sql_exec(a->r->db, "DROP TABLE IF EXISTS temp.sigla_seen", &err);
    return err;
}
