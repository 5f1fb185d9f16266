#include "replica/track.h"

#include <strings.h>

#include "replica/app.h"
#include "replica/capture.h"
#include "replica/fold.h"
#include "replica/options.h"
#include "replica/reconcile.h"
#include "replica/refresh.h"
#include "replica/resync.h"
#include "replica/sums.h"
#include "replica/trackable.h"
#include "replica/trigger.h"

#define DEFAULT_APP "default"

/* ---- sigla_track ---- */

typedef struct request {
    sg_slice name; /* of the table */
    sg_slice app, wire;
    const sg_track_options *given;
    uint32_t id;  /* of sigla_table */
    bool tracked; /* it was before */
} request;

static sqlite3_stmt *prepared(sg_replica *r, const request *q, const char *sql, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, sql, err);
    if (s == NULL) return NULL;
    sg_sql_bind_text(s, 1, q->name);
    sqlite3_bind_int64(s, 2, sg_app_named(r, q->app, err));
    sg_sql_bind_text(s, 3, q->wire);
    return s;
}

static void run(sqlite3_stmt *s, int *err)
{
    sg_sql_done(s, err);
    sqlite3_finalize(s);
}

/* A table that is tracked stays in its app and keeps its name: what others have of it is there. */
static void refuse_move(sg_replica *r, const request *q, int *err)
{
    sqlite3_stmt *s = prepared(r, q,
                               "SELECT a.name,t.wire FROM sigla_table t JOIN sigla_app a ON "
                               "a.id=t.app WHERE t.name=?1 AND t.active AND (t.app<>?2 OR "
                               "t.wire<>?3)",
                               err);
    if (sg_sql_row(s, err))
        *err = sg_replica_fail(
            r, SG_CONFLICT,
            "\"%.*s\" is tracked in the app \"%s\" as \"%s\": sigla_untrack() it "
            "first",
            (int)q->name.n, q->name.p, sqlite3_column_text(s, 0), sqlite3_column_text(s, 1));
    sqlite3_finalize(s);
}

/* Another app, or another name on the wire, is another history: forget this one's. What is queued
 * still goes where it was meant to. */
static void forget_moved(sg_replica *r, const request *q, int *err)
{
    static const char *const sql[] = {
        "DELETE FROM sigla_rec WHERE tbl=(SELECT id FROM sigla_table WHERE name=?1 AND (app<>?2 OR "
        "wire<>?3))",
        "DELETE FROM sigla_sum WHERE tbl=(SELECT id FROM sigla_table WHERE name=?1 AND (app<>?2 OR "
        "wire<>?3))",
        "DELETE FROM sigla_updated_index WHERE tbl=(SELECT id FROM sigla_table WHERE name=?1 AND "
        "(app<>?2 OR wire<>?3))",
        "DELETE FROM sigla_parking WHERE tbl=(SELECT id FROM sigla_table WHERE name=?1 AND (app<>?2 "
        "OR wire<>?3))"};
    sg_fold(r, err);
    sg_sums_keep(r, err);
    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++)
        run(prepared(r, q, sql[i], err), err);
}

/* The table was dropped, or renamed while nobody looked, and is here under this name now. */
static void take_over(sg_replica *r, const request *q, int *err)
{
    run(prepared(
            r, q,
            "UPDATE sigla_table SET name=?1 WHERE app=?2 AND wire=?3 AND NOT EXISTS(SELECT 1 "
            "FROM main.sqlite_schema s WHERE s.type='table' AND s.name=sigla_table.name COLLATE "
            "NOCASE) AND NOT EXISTS(SELECT 1 FROM sigla_table o WHERE o.name=?1)",
            err),
        err);
}

static void put_table(sg_replica *r, const request *q, int *err)
{
    sqlite3_stmt *s = prepared(r, q,
                               "INSERT INTO sigla_table(name,app,wire,options,active) "
                               "VALUES(?1,?2,?3,?4,1) ON CONFLICT(name) DO UPDATE SET active=1,"
                               "app=excluded.app,wire=excluded.wire,"
                               "options=iif(?5,excluded.options,options)",
                               err);
    if (s == NULL) return;
    sg_sql_bind_text(s, 4, sg_buf_view(&q->given->rest));
    sqlite3_bind_int(s, 5, q->given->given);
    run(s, err);
    if (*err == SG_CONFLICT)
        sg_replica_fail(r, SG_CONFLICT,
                        "another table of this app already travels as \"%.*s\": give this one "
                        "{\"as\":…}",
                        (int)q->wire.n, q->wire.p);
}

/* Fill in what was not given: what is stored, or the defaults. The slices are the caller's until
 * the tables are loaded again. */
static void complete(sg_replica *r, request *q, sg_app *app, int *err)
{
    const sg_table *t = sg_table_named(r, q->name);
    q->tracked = t != NULL && t->active;
    q->app = SG_LIT(DEFAULT_APP);
    q->wire = q->name;
    if (t != NULL) {
        sg_app_load(r, t->app, app, err);
        q->app = sg_slice_str(app->name);
        q->wire = sg_slice_str(t->wire);
    }
    if (q->given->app.n != 0) q->app = sg_buf_view(&q->given->app);
    if (q->given->wire.n != 0) q->wire = sg_buf_view(&q->given->wire);
}

static void register_table(sg_replica *r, request *q, int *err)
{
    sg_app app;
    if (*err == SG_OK) complete(r, q, &app, err);
    bool indexed = false;
    const sg_table *t = sg_table_named(r, q->name);
    if (t != NULL) indexed = t->indexed;
    refuse_move(r, q, err);
    forget_moved(r, q, err);
    take_over(r, q, err);
    put_table(r, q, err);
    r->schema_version = -1;
    if (*err == SG_OK) *err = sg_tables_load(r);
    t = *err == SG_OK ? sg_table_named(r, q->name) : NULL;
    if (*err == SG_OK) *err = sg_trackable_table(r, t);
    if (*err != SG_OK) return;
    q->id = t->id;
    if (!indexed || t->indexed) return;
    sg_buf options;
    sg_buf_init(&options, 1 << 16);
    *err = sg_options_set_index(sg_slice_str(t->options), &options);
    sg_track_set_options(r, q->id, sg_buf_view(&options), err);
    sg_buf_deinit(&options);
}

static int track(sg_replica *r, request *q)
{
    int err = sg_replica_install(r);
    if (err == SG_OK) err = sg_tables_load(r);
    if (err == SG_OK) err = sg_refresh_stale(r);
    if (err == SG_OK) err = sg_capture_flush(r);
    if (err == SG_OK) err = sg_tables_load(r);
    register_table(r, q, &err);
    const sg_table *t = err == SG_OK ? sg_table_id(r, q->id) : NULL;
    if (t == NULL) return err;
    sg_triggers_drop(r, t, &err);
    sg_triggers_create(r, t, &err);
    /* Triggers are schema: what is known of tables must be read again before it is used. */
    if (err == SG_OK) err = sg_tables_load(r);
    sg_fold(r, &err);
    sg_reconcile(r, q->id, q->tracked ? SG_GAP_SCHEMA : SG_GAP_UNSEEN, &err);
    if (err == SG_OK) err = sg_capture_flush(r);
    sg_fold(r, &err);
    sg_refresh_kept(r, q->id, &err);
    if (q->tracked || err != SG_OK) return err;
    sg_resync_restart(r, sg_table_id(r, q->id)->app, &err);
    return err;
}

int sg_track(sg_replica *r, sg_slice name, sg_slice options)
{
    int err = sg_trackable_name(r, name);
    if (err != SG_OK) return err;
    sg_track_options given;
    err = sg_options_read(r, name, options, &given);
    if (err == SG_OK) err = sg_replica_begin(r);
    request q = {.name = name, .given = &given};
    if (err == SG_OK) err = sg_replica_end(r, track(r, &q));
    sg_options_deinit(&given);
    return err;
}

/* ---- sigla_untrack ---- */

static int untrack(sg_replica *r, sg_slice name)
{
    int err = sg_tables_load(r);
    if (err == SG_OK) err = sg_refresh_stale(r);
    if (err == SG_OK) err = sg_capture_flush(r);
    sg_table *t = sg_table_need(r, name, &err);
    if (t == NULL || !t->active) return err;
    uint32_t id = t->id;
    sg_fold(r, &err);
    sg_reconcile_keep(r, id, &err);
    t = sg_table_id(r, id);
    if (t != NULL) sg_triggers_drop(r, t, &err);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "UPDATE sigla_table SET active=0 WHERE id=?1", &err);
    if (s != NULL) sqlite3_bind_int64(s, 1, id);
    run(s, &err);
    r->schema_version = -1;
    return err;
}

int sg_untrack(sg_replica *r, sg_slice name)
{
    int err = sg_replica_begin(r);
    return err == SG_OK ? sg_replica_end(r, untrack(r, name)) : err;
}

/* ---- options ---- */

void sg_track_set_options(sg_replica *r, uint32_t table, sg_slice options, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "UPDATE sigla_table SET options=?2 WHERE id=?1", err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, table);
    sg_sql_bind_text(s, 2, options);
    run(s, err);
    r->schema_version = -1;
    if (*err == SG_OK) *err = sg_tables_load(r);
}

static void fill_index(sg_replica *r, uint32_t table, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_REC_ALL, err);
    if (s != NULL) sqlite3_bind_int64(s, 1, table);
    sg_record rec;
    sg_record_init(&rec);
    while (sg_sql_row(s, err)) {
        *err = sg_record_unpack(&rec, sg_sql_blob(s, 1));
        sqlite3_stmt *put = sg_replica_stmt(r, SG_STMT_UPDATED_PUT, err);
        if (put == NULL || rec.dead) continue;
        sqlite3_bind_int64(put, 1, table);
        sqlite3_bind_int64(put, 2, sg_record_updated_at(&rec));
        sg_sql_bind_blob(put, 3, sg_sql_blob(s, 0));
        sg_sql_done(put, err);
    }
    if (s != NULL) sqlite3_reset(s);
    sg_record_deinit(&rec);
}

static int index_updated(sg_replica *r, sg_slice name)
{
    int err = SG_OK;
    sg_table *t = sg_table_need(r, name, &err);
    if (t == NULL || t->indexed) return err;
    uint32_t id = t->id;
    sg_fold(r, &err);
    sg_buf options;
    sg_buf_init(&options, 1 << 16);
    t = sg_table_id(r, id);
    if (err == SG_OK) err = sg_options_set_index(sg_slice_str(t->options), &options);
    sg_track_set_options(r, id, sg_buf_view(&options), &err);
    sg_buf_deinit(&options);
    fill_index(r, id, &err);
    return err;
}

int sg_track_index(sg_replica *r, sg_slice name)
{
    int err = sg_replica_begin(r);
    return err == SG_OK ? sg_replica_end(r, index_updated(r, name)) : err;
}
