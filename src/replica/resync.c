#include "replica/resync.h"

#include "replica/capture.h"
#include "replica/intern.h"
#include "replica/park.h"

void sg_resync_begin(sg_replica *r, sg_app *app, int *err)
{
    sg_sql_exec(r->db,
                "DROP TABLE IF EXISTS temp.sigla_seen;"
                "CREATE TEMP TABLE sigla_seen(tbl INTEGER, key BLOB, PRIMARY KEY(tbl, key)) "
                "WITHOUT ROWID",
                err);
    if (!app->resync) app->reached = app->seq;
    app->resync = true;
    app->cursor[0] = '\0';
    app->seq = 0;
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
    sg_sql_prepare(
        a->r->db, &s,
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

/* ---- a server that has lost something ---- */

/* Queue a record the server does not know, or fields of ours that it does not have. A whole record
 * goes under the bottom stamp first, so that whoever wrote it can still say so. */
static void send_again(sg_apply *a, sg_table *t, bool unseen, bool bottom, int *err)
{
    uint32_t self = sg_self_client(a->r, err);
    sg_slice key = sg_buf_view(&a->key);
    const sg_record *rec = &a->rec.record;
    if (rec->dead) {
        bool ours = rec->life.client == self && rec->life.seq == 0;
        if (ours && !bottom) *err = sg_capture_gone(a->r, t, key, rec->life.actor);
        return;
    }
    if (bottom) {
        if (unseen) *err = sg_capture_row(a->r, t, key, SG_ACTOR_MIGRATION);
        return;
    }
    for (size_t i = 0; i < rec->count && *err == SG_OK; i++) {
        const sg_mark *m = &rec->fields[i].mark;
        int column = sg_table_column(a->r, t, rec->fields[i].name, err);
        if (m->client != self || m->seq != 0 || m->n > a->app.settled || column < 0) continue;
        if (*err == SG_OK) *err = sg_capture_column(a->r, t, key, (size_t)column, m->actor);
    }
}

static bool was_seen(sg_apply *a, const sg_table *t, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(a->r->db, &s, "SELECT 1 FROM temp.sigla_seen WHERE tbl=?1 AND key=?2", err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, sg_buf_view(&a->key));
    bool seen = sg_sql_row(s, err);
    sqlite3_finalize(s);
    return seen;
}

static int send_table_again(sg_apply *a, sg_table *t, bool bottom)
{
    int err = SG_OK;
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(a->r->db, &s, "SELECT key FROM sigla_rec WHERE tbl=?1", &err);
    if (s != NULL) sqlite3_bind_int64(s, 1, t->id);
    while (err == SG_OK && sg_sql_row(s, &err)) {
        sg_buf_clear(&a->key);
        sg_buf_slice(&a->key, sg_sql_blob(s, 0));
        sg_rec_load(a->r, &a->rec, t, sg_buf_view(&a->key), &err);
        bool seen = was_seen(a, t, &err);
        if (err == SG_OK) send_again(a, t, !seen, bottom, &err);
    }
    sqlite3_finalize(s);
    return err;
}

static void delete_where(sg_replica *r, const char *sql, int64_t value, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, sql, err);
    if (s != NULL) sqlite3_bind_int64(s, 1, value);
    sg_sql_done(s, err);
    sqlite3_finalize(s);
}

/* What the server acknowledged in its former life it knows no more, and what it refused because it
 * knew no such record is about to be sent again with the record. */
static void forget_answers(sg_apply *a, int *err)
{
    delete_where(a->r, "DELETE FROM sigla_ack WHERE client=?1", sg_self_client(a->r, err), err);
    delete_where(a->r, "DELETE FROM sigla_set_aside WHERE app=?1 AND code='not_found'", a->app.id,
                 err);
}

static int each_table(sg_apply *a, int (*run)(sg_apply *, sg_table *))
{
    int err = SG_OK;
    for (size_t i = 0; i < a->r->table_count && err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        if (t->app == a->app.id && t->active && !t->missing) err = run(a, t);
    }
    return err;
}

static int send_bottom(sg_apply *a, sg_table *t)
{
    return send_table_again(a, t, true);
}

static int send_fields(sg_apply *a, sg_table *t)
{
    return send_table_again(a, t, false);
}

static int restore_server(sg_apply *a)
{
    /* Numbers go on from where the pulled marks have brought the clock. */
    int err = SG_OK;
    sg_counters_store(a->r, &a->counters, &err);
    forget_answers(a, &err);
    if (err == SG_OK) err = each_table(a, send_bottom);
    if (err == SG_OK) err = sg_capture_flush_bottom(a->r);
    if (err == SG_OK) err = each_table(a, send_fields);
    if (err == SG_OK) err = sg_capture_flush(a->r);
    a->counters = sg_counters_load(a->r, &err);
    return err;
}

int sg_resync_finish(sg_apply *a)
{
    int err = SG_OK;
    bool lost = a->new_epoch[0] != '\0' && strcmp(a->new_epoch, a->app.epoch) != 0;
    /* The first epoch of all is no other one. */
    if (a->app.epoch[0] == '\0') lost = false;
    if (a->app.seq < a->app.reached) lost = true;
    if (lost) {
        err = restore_server(a);
    } else {
        a->r->applying = true;
        err = each_table(a, remove_unseen);
        a->r->applying = false;
    }
    sg_sql_exec(a->r->db, "DROP TABLE IF EXISTS temp.sigla_seen", &err);
    return err;
}
