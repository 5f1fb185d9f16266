#include "replica/app.h"

#include "replica/intern.h"

static void copy_text(char *to, size_t max, sg_slice text, int *err)
{
    if (text.n > max) {
        *err = SG_CORRUPT;
        return;
    }
    if (text.n != 0) memcpy(to, text.p, text.n);
    to[text.n] = '\0';
}

void sg_app_load(sg_replica *r, uint32_t id, sg_app *app, int *err)
{
    *app = (sg_app){.id = id};
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_APP_GET, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, id);
    if (!sg_sql_row(s, err)) {
        if (*err == SG_OK) *err = sg_replica_fail(r, SG_CORRUPT, "app %u is missing", id);
        return;
    }
    copy_text(app->name, SG_NAME_MAX, sg_sql_text(s, 0), err);
    copy_text(app->cursor, SG_CURSOR_MAX, sg_sql_text(s, 1), err);
    app->seq = sqlite3_column_int64(s, 2);
    copy_text(app->epoch, SG_EPOCH_MAX, sg_sql_text(s, 3), err);
    app->hydrated = sqlite3_column_int(s, 4) != 0;
    int64_t resync = sqlite3_column_int64(s, 5); /* reached + 1, or 0 */
    app->resync = resync != 0;
    app->reached = app->resync ? resync - 1 : 0;
    app->settled = sqlite3_column_int64(s, 6);
    sqlite3_reset(s);
    bool can_be =
        app->seq >= 0 && resync >= 0 && app->settled >= 0 && app->settled <= SG_COUNTER_MAX;
    if (!can_be && *err == SG_OK) *err = SG_CORRUPT;
    if (*err == SG_CORRUPT)
        sg_replica_fail(r, SG_CORRUPT, "what is known of the app %u is damaged", id);
}

void sg_app_save(sg_replica *r, const sg_app *app, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_APP_SET, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, app->id);
    sg_sql_bind_text(s, 2, sg_slice_str(app->cursor));
    sqlite3_bind_int64(s, 3, app->seq);
    sg_sql_bind_text(s, 4, sg_slice_str(app->epoch));
    sqlite3_bind_int(s, 5, app->hydrated);
    sqlite3_bind_int64(s, 6, app->resync ? app->reached + 1 : 0);
    sqlite3_bind_int64(s, 7, app->settled);
    sg_sql_done(s, err);
}

static uint32_t one_id(sqlite3_stmt *s, int *err)
{
    if (s == NULL || !sg_sql_row(s, err)) return 0;
    uint32_t id = sg_sql_u32(s, 0, err);
    sqlite3_reset(s);
    return id;
}

static int64_t one_int(sqlite3_stmt *s, int *err)
{
    if (s == NULL || !sg_sql_row(s, err)) return 0;
    int64_t v = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return v;
}

uint32_t sg_app_after(sg_replica *r, uint32_t after, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_APP_NEXT, err);
    if (s != NULL) sqlite3_bind_int64(s, 1, after);
    return one_id(s, err);
}

uint32_t sg_app_named(sg_replica *r, sg_slice name, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_APP_ID, err);
    if (s != NULL) sg_sql_bind_text(s, 1, name);
    uint32_t id = one_id(s, err);
    if (id != 0 || *err != SG_OK) return id;
    s = sg_replica_stmt(r, SG_STMT_APP_ADD, err);
    if (s != NULL) sg_sql_bind_text(s, 1, name);
    sg_sql_done(s, err);
    return *err == SG_OK ? (uint32_t)sqlite3_last_insert_rowid(r->db) : 0;
}

bool sg_app_pending(sg_replica *r, uint32_t id, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_ANY, err);
    if (s != NULL) sqlite3_bind_int64(s, 1, id);
    return one_int(s, err) != 0;
}

int64_t sg_app_count_pending(sg_replica *r, int *err)
{
    return one_int(sg_replica_stmt(r, SG_STMT_OUTBOX_COUNT, err), err);
}

bool sg_app_known(sg_replica *r, const sg_app *app, int64_t *n, int64_t *seq, int *err)
{
    uint32_t self = sg_self_client(r, err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ACK_LAST, err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, self);
    sqlite3_bind_int64(s, 2, app->settled);
    if (!sg_sql_row(s, err)) return false;
    *n = sqlite3_column_int64(s, 0);
    *seq = sqlite3_column_int64(s, 1);
    sqlite3_reset(s);
    /* A resync of a server put back is about to send all that again. */
    return *seq > app->seq && !sg_app_restored(app);
}
