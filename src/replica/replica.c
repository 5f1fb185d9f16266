#include "replica/replica.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "replica/actor_stack.h"
#include "replica/capture.h"
#include "replica/functions.h"
#include "replica/intern.h"
#include "replica/lists.h"
#include "replica/schema.h"
#include "replica/state.h"
#include "replica/sums.h"
#include "replica/table.h"
#include "replica/refresh.h"
#include "replica/transaction.h"
#include "sigla.h"

static const char *const stmt_sql[] = {
#define SG_STMT(name, sql) sql,
#include "replica/statements.def"
#undef SG_STMT
};

/* All replicas of the process, so that a connection's can be found. The lock is held for a few
 * instructions only; SQLite's mutexes are not there in a build without threads. */
static sg_replica *all_replicas;
static atomic_flag registry_busy = ATOMIC_FLAG_INIT;

static void registry_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&registry_busy, memory_order_acquire))
        continue;
}

static void registry_unlock(void)
{
    atomic_flag_clear_explicit(&registry_busy, memory_order_release);
}

sg_replica *sg_replica_of(sqlite3 *db)
{
    registry_lock();
    sg_replica *r = all_replicas;
    while (r != NULL && r->db != db)
        r = r->next;
    registry_unlock();
    return r;
}

static void registry_add(sg_replica *r)
{
    registry_lock();
    r->next = all_replicas;
    all_replicas = r;
    registry_unlock();
}

static void registry_remove(const sg_replica *r)
{
    registry_lock();
    for (sg_replica **at = &all_replicas; *at != NULL; at = &(*at)->next) {
        if (*at != r) continue;
        *at = r->next;
        break;
    }
    registry_unlock();
}

static int64_t system_now(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t sg_replica_now(sg_replica *r)
{
    return r->now(r->now_ctx);
}

int sg_replica_fail(sg_replica *r, int err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->message, sizeof r->message, format, args);
    va_end(args);
    return err;
}

const char *sg_replica_message(const sg_replica *r, int err)
{
    return r->message[0] != '\0' ? r->message : sg_err_text(err);
}

sqlite3_stmt *sg_replica_stmt(sg_replica *r, enum sg_stmt which, int *err)
{
    sg_sql_prepare(r->db, &r->stmts[which], stmt_sql[which], err);
    if (*err != SG_OK) return NULL;
    sqlite3_reset(r->stmts[which]);
    return r->stmts[which];
}

static void release(sg_replica *r)
{
    for (int i = 0; i < SG_STMT_COUNT; i++) {
        sqlite3_finalize(r->stmts[i]);
        r->stmts[i] = NULL;
    }
    sg_tables_clear(r);
}

static void replica_free(void *p)
{
    sg_replica *r = p;
    registry_remove(r);
    release(r);
    sg_capture_deinit(&r->capture);
    sg_sums_deinit(r);
    sg_actor_stack_deinit(r);
    sg_intern_cache_clear(&r->names);
    sg_intern_cache_clear(&r->clients);
    sg_intern_cache_clear(&r->actors);
    sg_free(r);
}

void sg_replica_forget_ids(sg_replica *r)
{
    sg_intern_cache_clear(&r->names);
    sg_intern_cache_clear(&r->clients);
    sg_intern_cache_clear(&r->actors);
    r->self_client = 0;
    for (size_t i = 0; i < r->table_count; i++)
        sg_table_forget_ids(r->tables[i]);
    sg_actor_stack_forget(r);
}

void sg_replica_forget(sg_replica *r)
{
    sg_sums_forget(r);
    sg_replica_forget_ids(r);
    r->schema_version = -1;
    r->installed = false;
}

bool sg_replica_installed(sg_replica *r, int *err)
{
    if (*err != SG_OK || r->installed) return *err == SG_OK;
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT 1 FROM main.sqlite_schema WHERE name='sigla_state'", err);
    r->installed = sg_sql_row(s, err);
    sqlite3_finalize(s);
    return r->installed;
}

/* What marks this database's triggers as its own: 46 random bits (table.h, sg_table.tag). */
static int64_t new_tag(void)
{
    uint64_t v;
    sqlite3_randomness(sizeof v, &v);
    return (int64_t)(v >> 18);
}

/* A fresh database: tables, client id. */
static void create(sg_replica *r, int *err)
{
    sg_sql_exec(r->db, sg_schema_sql, err);
    r->installed = *err == SG_OK;
    sg_state_set_int(r, "format", SG_FORMAT, err);
    sg_state_set_int(r, "tag", new_tag(), err);
    char id[37];
    sg_uuid7(sg_replica_now(r), id);
    uint32_t client = sg_intern_client(r, sg_slice_of(id, 36), err);
    sg_state_set_int(r, "client", client, err);
}

int sg_replica_install(sg_replica *r)
{
    int err = SG_OK;
    if (!sg_replica_installed(r, &err)) {
        if (err == SG_OK) err = sg_replica_begin(r);
        if (err != SG_OK) return err;
        if (!sg_replica_installed(r, &err)) create(r, &err);
        return sg_replica_end(r, err);
    }
    int64_t format = sg_state_int(r, "format", 0, &err);
    if (err == SG_OK && format > SG_FORMAT)
        err = sg_replica_fail(r, SG_CORRUPT,
                              "this database was written by a newer Sigla (format %d, this one "
                              "knows %d): upgrade this program",
                              (int)format, SG_FORMAT);
    return err;
}

static int run(sg_replica *r, enum sg_stmt which)
{
    int err = r->stmts[which] != NULL ? SG_OK : SG_NOMEM;
    sg_sql_done(r->stmts[which], &err);
    return err;
}

/* Undoing needs no memory: its statements are prepared before there is anything to undo. A change
 * of the schema has them prepared again, and that may fail; SQLite may then have rolled back all of
 * the transaction. */
static void undo(sg_replica *r, bool outer)
{
    bool done = sqlite3_get_autocommit(r->db) != 0;
    if (!done) {
        done = run(r, outer ? SG_STMT_WORK_ROLLBACK : SG_STMT_WORK_UNDO) == SG_OK;
        done = done || sqlite3_get_autocommit(r->db) != 0;
    }
    if (done && !outer) (void)run(r, SG_STMT_WORK_RELEASE);
    r->half_done = !done;
    r->half_done_outer = outer;
}

static int undo_at_last(sg_replica *r)
{
    if (!r->half_done) return SG_OK;
    if (r->half_done_outer) undo(r, true);
    if (!r->half_done || sqlite3_get_autocommit(r->db)) {
        r->half_done = false;
        return SG_OK;
    }
    return sg_replica_fail(r, SG_NOMEM,
                           "for lack of memory a failure could not be undone: ROLLBACK");
}

int sg_replica_begin(sg_replica *r)
{
    int err = r->depth < SG_WORK_DEPTH_MAX ? undo_at_last(r) : SG_INTERNAL;
    /* What is undone later must not take along what was done before. */
    sg_sums_keep(r, &err);
    (void)sg_replica_stmt(r, SG_STMT_WORK_ROLLBACK, &err);
    (void)sg_replica_stmt(r, SG_STMT_WORK_UNDO, &err);
    (void)sg_replica_stmt(r, SG_STMT_WORK_RELEASE, &err);
    bool outer = sqlite3_get_autocommit(r->db) != 0;
    if (outer) sg_sql_exec(r->db, "BEGIN IMMEDIATE", &err);
    /* Whatever is cached from here on must be dropped if it is undone, and what could not be undone
     * ends with the transaction: its end must be heard of. */
    if (err == SG_OK) err = sg_transaction_enlist(r);
    sg_sql_exec(r->db, "SAVEPOINT sigla_work", &err);
    if (err != SG_OK) {
        sg_replica_fail(r, err, "%s", sqlite3_errmsg(r->db));
        if (outer) undo(r, true);
        return err;
    }
    r->outer_at[r->depth++] = outer;
    if (outer) r->self_client = 0; /* another program may have taken a new id (L13) */
    return SG_OK;
}

int sg_replica_end(sg_replica *r, int err)
{
    sg_sums_keep(r, &err);
    bool outer = r->outer_at[--r->depth];
    if (err == SG_OK) err = run(r, SG_STMT_WORK_RELEASE);
    if (outer) sg_sql_exec(r->db, "COMMIT", &err);
    if (err == SG_OK) return SG_OK;
    undo(r, outer);
    sg_replica_forget(r);
    return err;
}

int sg_replica_abandon(sg_replica *r, int err)
{
    undo(r, r->outer_at[--r->depth]);
    sg_replica_forget(r);
    return err;
}

int sigla_set_clock(struct sqlite3 *db, sigla_now_fn now, void *ctx)
{
    sg_replica *r = sg_replica_of(db);
    if (r == NULL) return SIGLA_MISUSE;
    r->now = now != NULL ? now : system_now;
    r->now_ctx = ctx;
    return SIGLA_OK;
}

const char *sigla_version(void)
{
    return SIGLA_VERSION;
}

const char *sigla_error_text(int code)
{
    return sg_err_text(code);
}

void sg_replica_release(sg_replica *r)
{
    release(r);
}

static int register_all(sg_replica *r)
{
    int err = sg_functions_register(r);
    if (err == SG_OK) err = sg_transaction_register(r);
    if (err == SG_OK) err = sg_capture_register(r);
    if (err == SG_OK) err = sg_lists_register(r);
    r->ready = err == SG_OK;
    return err;
}

/* The replica is owned by one SQL function, and goes with it when the connection closes, or at once
 * if SQLite cannot register it. */
static int attach(sqlite3 *db, sg_replica **out)
{
    sg_replica *r = sg_zalloc(sizeof *r);
    if (r == NULL) return SG_NOMEM;
    *r = (sg_replica){.db = db, .now = system_now, .schema_version = -1};
    sg_capture_init(&r->capture);
    registry_add(r);
    *out = r;
    return sg_functions_own(r, replica_free);
}

int sigla_register(struct sqlite3 *db)
{
    sg_replica *r = sg_replica_of(db);
    if (r != NULL && r->ready) return SIGLA_OK;
    int err = r == NULL ? attach(db, &r) : SG_OK;
    if (err == SG_OK) err = register_all(r);
    if (err != SG_OK) return err;
    /* New columns may have come while Sigla was not there to see; a locked or read-only database is
     * looked at later. */
    if (sg_replica_installed(r, &err)) {
        err = sg_replica_install(r);
        if (err == SG_OK) (void)sg_refresh(r);
    }
    return err == SG_BUSY || err == SG_IO ? SG_OK : err;
}
