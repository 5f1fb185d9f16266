#include "replica/sweep.h"

#include "replica/actor_stack.h"
#include "replica/capture.h"
#include "replica/options.h"
#include "replica/refresh.h"
#include "replica/track.h"
#include "replica/trigger.h"

static bool has_column(const sg_table *t, sg_slice column)
{
    for (size_t c = 0; c < t->column_count; c++) {
        const char *name = t->columns[c].name;
        if (t->columns[c].key_part == 0 && strlen(name) == column.n &&
            sqlite3_strnicmp(name, column.p, (int)column.n) == 0)
            return true;
    }
    return false;
}

/* UPDATE t SET c=NULL WHERE c IS NOT NULL */
static void empty(sg_replica *r, const sg_table *t, const char *column, int *err)
{
    sg_buf text;
    sg_buf_init(&text, 1 << 16);
    sg_buf_str(&text, "UPDATE main.");
    sg_sql_ident(&text, t->name);
    sg_buf_str(&text, " SET ");
    sg_sql_ident(&text, column);
    sg_buf_str(&text, "=NULL WHERE ");
    sg_sql_ident(&text, column);
    sg_buf_str(&text, " IS NOT NULL");
    const char *sql = sg_buf_cstr(&text);
    *err = text.err;
    if (*err == SG_OK) *err = sg_actor_push_fixed(r, SG_ACTOR_MIGRATION);
    if (*err == SG_OK) {
        sg_sql_exec(r->db, sql, err);
        if (*err != SG_OK) sg_replica_fail(r, *err, "%s", sqlite3_errmsg(r->db));
        (void)sg_actor_pop(r);
    }
    sg_buf_deinit(&text);
}

/* The column is local from now on, and the triggers forget it. */
static void make_local(sg_replica *r, uint32_t table, sg_slice column, int *err)
{
    sg_buf options;
    sg_buf_init(&options, 1 << 16);
    if (*err == SG_OK)
        *err = sg_options_set_local(sg_slice_str(sg_table_id(r, table)->options), column, &options);
    sg_track_set_options(r, table, sg_buf_view(&options), err);
    sg_buf_deinit(&options);
    if (*err != SG_OK) return;
    sg_triggers_drop(r, sg_table_id(r, table), err);
    sg_triggers_create(r, sg_table_id(r, table), err);
}

static int sweep_table(sg_replica *r, uint32_t id, sg_slice column)
{
    char name[SG_NAME_MAX + 1];
    memcpy(name, column.p, column.n);
    name[column.n] = '\0';
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    empty(r, sg_table_id(r, id), name, &err);
    if (err == SG_OK) err = sg_capture_flush(r);
    make_local(r, id, column, &err);
    return sg_replica_end(r, err);
}

/* Which tables, by id: they are loaded anew after each. */
static int targets(sg_replica *r, sg_slice column, sg_buf *ids)
{
    int err = sg_refresh(r);
    if (err == SG_OK) err = sg_tables_load(r);
    for (size_t i = 0; err == SG_OK && i < r->table_count; i++) {
        const sg_table *t = r->tables[i];
        if (t->active && !t->missing && has_column(t, column))
            sg_buf_put(ids, &t->id, sizeof t->id);
    }
    return err == SG_OK ? ids->err : err == SG_NOTTRACKED ? SG_OK : err;
}

int sg_sweep(sg_replica *r, sg_slice column)
{
    if (column.n == 0 || column.n > SG_NAME_MAX)
        return sg_replica_fail(r, SG_BADREQUEST, "sigla_sweep() takes the name of a column");
    sg_buf ids;
    sg_buf_init(&ids, SG_TABLE_ID_MAX * sizeof(uint32_t));
    int err = targets(r, column, &ids);
    char failed[sizeof r->message / 2] = "";
    for (size_t at = 0; at < ids.n; at += sizeof(uint32_t)) {
        uint32_t id;
        memcpy(&id, ids.p + at, sizeof id);
        r->message[0] = '\0';
        int rc = sg_tables_load(r);
        if (rc == SG_OK) rc = sweep_table(r, id, column);
        if (rc == SG_OK || err != SG_OK) continue;
        err = rc;
        const sg_table *t = sg_tables_load(r) == SG_OK ? sg_table_id(r, id) : NULL;
        sqlite3_snprintf(sizeof failed, failed, "\"%s\": %s", t != NULL ? t->name : "",
                         sg_replica_message(r, rc));
    }
    sg_buf_deinit(&ids);
    if (failed[0] == '\0') return err;
    return sg_replica_fail(r, err, "swept everywhere but in %s", failed);
}
