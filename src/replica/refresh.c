#include "replica/refresh.h"

#include "replica/apply.h"
#include "replica/capture.h"
#include "replica/fold.h"
#include "replica/park.h"
#include "replica/reconcile.h"
#include "replica/resync.h"
#include "replica/sums.h"
#include "replica/trigger.h"

/* 1 while values that were kept for a column may wait for it to be shown. */
#define STATE_UNSHOWN "unshown"

static void set_name(sg_replica *r, const char *sql, uint32_t table, sg_slice name, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, sql, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, table);
    sg_sql_bind_text(s, 2, name);
    sg_sql_done(s, err);
    sqlite3_finalize(s);
}

void sg_refresh_name(sg_replica *r, uint32_t table, sg_slice name, int *err)
{
    set_name(r, "UPDATE sigla_table SET name=name||' (before '||?1||')' WHERE name=?2 AND id<>?1",
             table, name, err);
    set_name(r, "UPDATE sigla_table SET name=?2 WHERE id=?1 AND name<>?2", table, name, err);
}

static void refresh_table(sg_replica *r, uint32_t id, int *err)
{
    sg_table *t = sg_table_id(r, id);
    bool seen = t->signature != 0;
    r->message[0] = '\0';
    if (*err == SG_OK) *err = sg_capture_flush(r);
    sg_fold(r, err);
    t = sg_table_id(r, id);
    sg_triggers_drop(r, t, err);
    sg_triggers_create(r, t, err);
    sg_refresh_name(r, id, sg_slice_str(t->name), err);
    if (*err == SG_OK) *err = sg_tables_load(r);
    sg_reconcile(r, id, seen ? SG_GAP_SCHEMA : SG_GAP_UNSEEN, err);
    t = *err == SG_OK ? sg_table_id(r, id) : NULL;
    if (t != NULL && !seen) sg_resync_restart(r, t->app, err);
    sg_state_set_int(r, STATE_UNSHOWN, 1, err);
    /* Another type of its key may have given its records other ids. */
    sg_sums_recount(r, id, err);
}

int sg_refresh_stale(sg_replica *r)
{
    int err = SG_OK;
    for (size_t i = 0; i < r->table_count && err == SG_OK; i++)
        if (r->tables[i]->stale) refresh_table(r, r->tables[i]->id, &err);
    return err;
}

/* Write the values that wait in one shadow for columns that are there now. */
static void show_record(sg_apply *a, sg_table *t, int *err)
{
    sg_slice key = sg_buf_view(&a->key);
    sg_rec_load(a->r, &a->rec, t, key, err);
    bool kept = false;
    for (size_t i = 0; i < a->rec.record.count; i++)
        kept = kept || a->rec.record.fields[i].has_value;
    if (*err != SG_OK || !kept || a->rec.record.dead) return;
    a->r->applying_table = t;
    a->r->applying_key = key;
    *err = sg_park_write(a, t, false);
    sg_rec_save(a->r, &a->rec, t, key, err);
}

void sg_refresh_kept(sg_replica *r, uint32_t table, int *err)
{
    if (*err != SG_OK) return;
    sg_table *t = sg_table_id(r, table);
    sg_apply a;
    int rc = sg_apply_open(&a, r, t->app);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT key FROM sigla_rec WHERE tbl=?1", &rc);
    if (s != NULL) sqlite3_bind_int64(s, 1, table);
    r->applying = true;
    while (sg_sql_row(s, &rc)) {
        sg_buf_clear(&a.key);
        sg_buf_slice(&a.key, sg_sql_blob(s, 0));
        show_record(&a, t, &rc);
    }
    r->applying = false;
    sqlite3_finalize(s);
    *err = sg_apply_close(&a, false, rc);
}

static void show_all(sg_replica *r, int *err)
{
    for (size_t i = 0; i < r->table_count && *err == SG_OK; i++)
        if (r->tables[i]->active && !r->tables[i]->missing)
            sg_refresh_kept(r, r->tables[i]->id, err);
    sg_state_set_int(r, STATE_UNSHOWN, 0, err);
}

static bool needed(sg_replica *r, int *err)
{
    bool any = sg_state_int(r, STATE_UNSHOWN, 0, err) != 0;
    for (size_t i = 0; i < r->table_count; i++)
        any = any || r->tables[i]->stale;
    return any;
}

int sg_refresh(sg_replica *r)
{
    int err = sg_tables_load(r);
    if (err == SG_NOTTRACKED) return SG_OK;
    if (err != SG_OK || !needed(r, &err)) return err;
    err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    err = sg_tables_load(r);
    if (err == SG_OK) err = sg_refresh_stale(r);
    if (err == SG_OK) err = sg_capture_flush(r);
    if (err == SG_OK) err = sg_tables_load(r);
    sg_fold(r, &err);
    show_all(r, &err);
    return sg_replica_end(r, err);
}
