#include "replica/transaction.h"

#include "base/mem.h"
#include "replica/actor_stack.h"
#include "replica/capture.h"
#include "replica/refresh.h"
#include "replica/tidy.h"

typedef struct tx_vtab {
    sqlite3_vtab base;
    sg_replica *r;
} tx_vtab;

static sg_replica *replica_of(sqlite3_vtab *v)
{
    return ((tx_vtab *)v)->r;
}

int sg_transaction_enlist(sg_replica *r)
{
    if (r->capture.enlisted) return SG_OK;
    int err = SG_OK;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ENLIST, &err);
    sg_sql_done(s, &err);
    sg_tidy_notice(r, &err);
    return err;
}

/* ---- the transaction's course ---- */

static int tx_begin(sqlite3_vtab *v)
{
    sg_replica *r = replica_of(v);
    sg_capture_clear(&r->capture);
    r->capture.enlisted = true;
    return SQLITE_OK;
}

/* A failed commit must leave nothing, so never SQLITE_BUSY: after that one the transaction would
 * stay open, with half of its changes in the outbox. */
static int tx_sync(sqlite3_vtab *v)
{
    sg_replica *r = replica_of(v);
    if (r->half_done) return SQLITE_NOMEM; /* which rolls everything back */
    if (r->capture.count == r->capture.flushed) return SQLITE_OK;
    r->message[0] = '\0';
    int err = sg_capture_flush(r);
    if (err == SG_OK) err = sg_refresh_stale(r);
    if (err == SG_OK) err = sg_capture_flush(r);
    if (err == SG_OK) return SQLITE_OK;
    sqlite3_free(v->zErrMsg);
    v->zErrMsg = sqlite3_mprintf("sigla: %s", sg_replica_message(r, err));
    return err == SG_BUSY ? SQLITE_ERROR : sg_sql_code(err);
}

static int tx_end(sqlite3_vtab *v)
{
    sg_replica *r = replica_of(v);
    sg_capture_clear(&r->capture);
    sg_actor_stack_end(r);
    r->half_done = false;
    return SQLITE_OK;
}

static int tx_rollback(sqlite3_vtab *v)
{
    sg_replica_forget(replica_of(v));
    return tx_end(v);
}

static sg_savepoint *savepoints_to(sg_capture *c, size_t level)
{
    if (level >= c->savepoint_cap) {
        size_t cap = level + 16;
        sg_savepoint *grown = sg_realloc(c->savepoints, cap * sizeof *grown);
        if (grown == NULL) return NULL;
        c->savepoints = grown;
        c->savepoint_cap = cap;
    }
    return c->savepoints;
}

static int tx_savepoint(sqlite3_vtab *v, int level)
{
    sg_capture *c = &replica_of(v)->capture;
    size_t at = (size_t)level;
    sg_savepoint *all = savepoints_to(c, at);
    if (all == NULL) return SQLITE_NOMEM;
    /* Levels below this one that were opened before we were enlisted: nothing was captured then. */
    for (size_t i = c->savepoint_count; i < at; i++)
        all[i] = (sg_savepoint){0};
    all[at] = (sg_savepoint){c->count, c->bytes.n, c->flushed, c->first_n};
    c->savepoint_count = at + 1;
    return SQLITE_OK;
}

static int tx_release(sqlite3_vtab *v, int level)
{
    sg_capture *c = &replica_of(v)->capture;
    size_t at = level < 0 ? 0 : (size_t)level;
    if (at < c->savepoint_count) c->savepoint_count = at;
    return SQLITE_OK;
}

/* Level -1 is the transaction itself, when a savepoint began it: nothing stays. */
static int tx_rollback_to(sqlite3_vtab *v, int level)
{
    sg_replica *r = replica_of(v);
    sg_capture *c = &r->capture;
    sg_savepoint then = {0};
    size_t keep = (size_t)(level + 1);
    if (level >= 0 && keep <= c->savepoint_count) then = c->savepoints[level];
    if (keep < c->savepoint_count) c->savepoint_count = keep;
    c->count = then.count;
    c->flushed = then.flushed;
    c->first_n = then.first_n;
    sg_buf_truncate(&c->bytes, then.bytes);
    sg_replica_forget_ids(r);
    /* Tables in use by an apply, or by a piece of work, must stay. */
    if (!r->applying && r->depth == 0) sg_replica_forget(r);
    return SQLITE_OK;
}

/* ---- the rest of a virtual table ---- */

static int tx_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
                      char **message)
{
    (void)argc, (void)argv, (void)message;
    int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(x)");
    if (rc != SQLITE_OK) return rc;
    tx_vtab *v = sqlite3_malloc(sizeof *v);
    if (v == NULL) return SQLITE_NOMEM;
    *v = (tx_vtab){.r = aux};
    sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    *out = &v->base;
    return SQLITE_OK;
}

static int tx_disconnect(sqlite3_vtab *v)
{
    sqlite3_free(v);
    return SQLITE_OK;
}

static int life_disconnect(sqlite3_vtab *v)
{
    sg_replica_release(replica_of(v));
    sqlite3_free(v);
    return SQLITE_OK;
}

static int tx_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    (void)v;
    info->estimatedCost = 1;
    return SQLITE_OK;
}

static int tx_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
    (void)v;
    *out = sqlite3_malloc(sizeof **out);
    return *out != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int tx_close(sqlite3_vtab_cursor *c)
{
    sqlite3_free(c);
    return SQLITE_OK;
}

static int tx_filter(sqlite3_vtab_cursor *c, int n, const char *s, int argc, sqlite3_value **argv)
{
    (void)c, (void)n, (void)s, (void)argc, (void)argv;
    return SQLITE_OK;
}

static int tx_next(sqlite3_vtab_cursor *c)
{
    (void)c;
    return SQLITE_OK;
}

static int tx_eof(sqlite3_vtab_cursor *c)
{
    (void)c;
    return 1;
}

static int tx_column(sqlite3_vtab_cursor *c, sqlite3_context *ctx, int i)
{
    (void)c, (void)ctx, (void)i;
    return SQLITE_OK;
}

static int tx_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *rowid)
{
    (void)c;
    *rowid = 0;
    return SQLITE_OK;
}

static int tx_update(sqlite3_vtab *v, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    (void)v, (void)argc, (void)argv;
    *rowid = 0;
    return SQLITE_OK;
}

static const sqlite3_module tx_module = {
    .iVersion = 2,
    .xConnect = tx_connect,
    .xBestIndex = tx_best_index,
    .xDisconnect = tx_disconnect,
    .xOpen = tx_open,
    .xClose = tx_close,
    .xFilter = tx_filter,
    .xNext = tx_next,
    .xEof = tx_eof,
    .xColumn = tx_column,
    .xRowid = tx_rowid,
    .xUpdate = tx_update,
    .xBegin = tx_begin,
    .xSync = tx_sync,
    .xCommit = tx_end,
    .xRollback = tx_rollback,
    .xSavepoint = tx_savepoint,
    .xRelease = tx_release,
    .xRollbackTo = tx_rollback_to,
};

/* SQLite closes a connection only when nobody holds a statement, but disconnects virtual tables
 * first. This one is there to hear of that; sigla_tx cannot, since our statement that enlists it
 * keeps it connected. */
static const sqlite3_module life_module = {
    .xConnect = tx_connect,
    .xBestIndex = tx_best_index,
    .xDisconnect = life_disconnect,
    .xOpen = tx_open,
    .xClose = tx_close,
    .xFilter = tx_filter,
    .xNext = tx_next,
    .xEof = tx_eof,
    .xColumn = tx_column,
    .xRowid = tx_rowid,
};

int sg_transaction_register(sg_replica *r)
{
    int err = sg_sql_error(sqlite3_create_module_v2(r->db, "sigla_tx", &tx_module, r, NULL));
    if (err == SG_OK)
        err = sg_sql_error(sqlite3_create_module_v2(r->db, "sigla_life", &life_module, r, NULL));
    /* Connect it now, so that its disconnection will tell when the connection closes. */
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT x FROM sigla_life", &err);
    sqlite3_finalize(s);
    return err;
}
