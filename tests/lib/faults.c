#include "lib/faults.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "lib/faulty_vfs.h"

/* ---- SQLite's allocator ---- */

static sqlite3_mem_methods plain;
static atomic_size_t sqlite_calls, sqlite_fail_at;
static atomic_bool sqlite_sticky;

static bool sqlite_fails(void)
{
    size_t at = atomic_load(&sqlite_fail_at);
    if (at == 0) return false;
    size_t now = atomic_fetch_add(&sqlite_calls, 1) + 1;
    return atomic_load(&sqlite_sticky) ? now >= at : now == at;
}

static void *failing_malloc(int n)
{
    return sqlite_fails() ? NULL : plain.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
    return sqlite_fails() ? NULL : plain.xRealloc(p, n);
}

/* How many there were since the last call. */
static size_t sqlite_set(size_t n, bool sticky)
{
    atomic_store(&sqlite_sticky, sticky);
    atomic_store(&sqlite_fail_at, n);
    return atomic_exchange(&sqlite_calls, 0);
}

/* ---- statements ---- */

static atomic_size_t statement_calls, statement_fail_at;
static atomic_bool statement_sticky;
/* The connection whose statement is to be interrupted at once, on the thread that runs it. */
static _Thread_local const sqlite3 *interrupted;

static bool statement_fails(void)
{
    size_t at = atomic_load(&statement_fail_at);
    if (at == 0) return false;
    size_t now = atomic_fetch_add(&statement_calls, 1) + 1;
    return atomic_load(&statement_sticky) ? now >= at : now == at;
}

/* What begins and ends transactions is not interrupted: SQLite looks only when it is over. These
 * fail with the disk. */
static bool can_be_interrupted(const char *sql)
{
    static const char *const not_these[] = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"};
    while (*sql == ' ')
        sql++;
    for (size_t i = 0; i < sizeof not_these / sizeof *not_these; i++)
        if (strncmp(sql, not_these[i], strlen(not_these[i])) == 0) return false;
    return true;
}

/* A statement begins, or (its text is a comment) a trigger in it. */
static int on_statement(unsigned event, void *db, void *statement, void *text)
{
    (void)event;
    if (text == NULL) return 0; /* there was no memory to keep it */
    if (strncmp(text, "--", 2) == 0 || !can_be_interrupted(sqlite3_sql(statement))) return 0;
    if (statement_fails()) interrupted = db;
    return 0;
}

/* Asked at the first jump, which is before the first table is opened. */
static int on_progress(void *db)
{
    if (interrupted != db) return 0;
    interrupted = NULL;
    return 1;
}

static int watch_statements(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    (void)message, (void)api;
    sqlite3_progress_handler(db, 1, on_progress, db);
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, db);
}

static size_t statement_set(size_t n, bool sticky)
{
    atomic_store(&statement_sticky, sticky);
    atomic_store(&statement_fail_at, n);
    return atomic_exchange(&statement_calls, 0);
}

void faults_install(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
    sqlite3_mem_methods failing = plain;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    faulty_vfs_register_default();
    sqlite3_auto_extension((void (*)(void))watch_statements);
}

/* ---- one fault ---- */

static struct {
    enum fault which;
    size_t left; /* until it strikes */
    bool sticky;
    bool struck;
} armed;

static size_t set(size_t n, bool sticky)
{
    switch (armed.which) {
    case FAULT_OURS:
        return sg_mem_fail_at(n, sticky);
    case FAULT_SQLITES:
        return sqlite_set(n, sticky);
    case FAULT_STATEMENT:
        return statement_set(n, sticky);
    case FAULT_READ:
        return faulty_vfs_set(FAULTY_READ, n, sticky);
    case FAULT_OPEN:
        return faulty_vfs_set(FAULTY_OPEN, n, sticky);
    default:
        return faulty_vfs_set(FAULTY_CHANGE, n, sticky);
    }
}

void fault_arm(enum fault which, size_t n, bool sticky)
{
    armed.which = which;
    armed.left = n;
    armed.sticky = sticky;
    armed.struck = false;
    (void)set(n, sticky);
}

void fault_pause(void)
{
    size_t calls = set(0, false);
    if (armed.left == 0) return;
    armed.struck = armed.struck || calls >= armed.left;
    armed.left = calls < armed.left ? armed.left - calls : armed.sticky ? 1 : 0;
}

void fault_resume(void)
{
    if (armed.left != 0) (void)set(armed.left, armed.sticky);
}

bool fault_disarm(void)
{
    fault_pause();
    armed.left = 0;
    return armed.struck;
}

const char *fault_name(enum fault which)
{
    static const char *const names[] = {
        "allocation of ours", "allocation of SQLite", "write", "statement", "read", "opening"};
    return names[which];
}

size_t fault_each(enum fault which, size_t dense, fault_try *attempt, void *ctx)
{
    size_t struck = 0;
    for (int sticky = 0; sticky < 2; sticky++)
        for (size_t n = 1; attempt(ctx, which, n, sticky); n += n < dense ? 1 : 1 + 3 * n / dense)
            struck++;
    return struck;
}
