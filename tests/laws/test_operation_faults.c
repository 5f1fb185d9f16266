/* timeout: 200
 * What a device does with its own database, while one thing fails: an allocation of ours, for every
 * one there is; an allocation of SQLite's, a write, read, opening or statement, for every N up to 10
 * and more sparsely after that. It is done whole or not at all (L1), says why, leaves nothing open,
 * and does what it should when it is tried again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "lib/db.h"
#include "lib/faults.h"
#include "lib/replica_image.h"
#include "replica/fold.h"
#include "replica/replica.h"
#include "sigla.h"

/* Allocations of ours that fail one by one; after them, fewer and fewer. More of them are tried
 * without the address sanitizer, which is slow. */
#ifdef __SANITIZE_ADDRESS__
#define DENSE_OURS 50
#else
#define DENSE_OURS 150
#endif

#define ANN "{\"kind\":\"user\",\"principalId\":\"ann\"}"
#define BOT "{\"kind\":\"ai\",\"principalId\":\"agent:bot\"}"
#define LISTS                                                                                      \
    "SELECT * FROM sigla_pending(); SELECT sigla_status(); SELECT * FROM sigla_conflicts(1);"      \
    "SELECT * FROM sigla_refused(); SELECT * FROM sigla_parked();"

typedef struct scenario {
    const char *name;
    sqlite3 *(*seed)(db_fixture *f); /* makes the database that each try begins with */
    const char *before;              /* done on each try's connection, without a fault; or NULL */
    const char *sql;                 /* what is tried; NULL: act */
    int (*act)(db_fixture *f);
    const char *then; /* done after it has succeeded, so that its effect is seen; or NULL */
    bool prepares;    /* may make Sigla's tables and numbers ready although it fails after that */
    bool in_steps;    /* what has been done when it fails stays, and is gone on with */
    bool makes;       /* a replica, of random numbers */
} scenario;

/* ---- what each try begins with ---- */

static sqlite3 *new_database(db_fixture *f)
{
    (void)f;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    db_exec(db, "PRAGMA page_size=1024");
    return db;
}

/* Sigla has never been here. */
static sqlite3 *untouched(db_fixture *f)
{
    sqlite3 *db = new_database(f);
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(1,1,'x'),"
                "(2,2,NULL)");
    return db;
}

static sqlite3 *tracked(db_fixture *f)
{
    sqlite3 *db = new_database(f);
    assert_int_equal(sigla_register(db), SIGLA_OK);
    sigla_set_clock(db, image_now, &f->now_us);
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b);"
                "CREATE TABLE v(k TEXT PRIMARY KEY, x, updatedAt);"
                "INSERT INTO v VALUES('a',1,'then'),('b',2,NULL); SELECT sigla_track('t');"
                "SELECT sigla_index_updated('t'); INSERT INTO t VALUES(1,1,'x'),(2,2,'y');"
                "UPDATE t SET b='z' WHERE id=1");
    return db;
}

/* With something in each of Sigla's tables: a conflict, a refused change, a parked row. */
static sqlite3 *synced(db_fixture *f)
{
    return image_make(&f->now_us);
}

typedef struct image {
    unsigned char *bytes;
    sqlite3_int64 size;
} image;

static image image_of(db_fixture *f, const scenario *s)
{
    image made;
    sqlite3 *db = s->seed(f);
    made.bytes = sqlite3_serialize(db, "main", &made.size, 0);
    assert_non_null(made.bytes);
    db_close(db);
    return made;
}

/* The same clock and the same luck each time, so that what is done twice can be compared. */
static void same_again(db_fixture *f)
{
    f->now_us = IMAGE_EPOCH_US + 60000000;
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1, NULL);
}

static void start_over(db_fixture *f, const scenario *s, const image *from)
{
    if (f->db != NULL) db_close(f->db);
    char *journal = sqlite3_mprintf("%s-journal", f->path);
    (void)remove(journal);
    sqlite3_free(journal);
    FILE *out = fopen(f->path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(from->bytes, 1, (size_t)from->size, out), from->size);
    assert_int_equal(fclose(out), 0);
    f->db = db_open(f);
    if (s->before != NULL) db_exec(f->db, "%s", s->before);
    same_again(f);
}

/* ---- what there is ---- */

static void put_rows(db_fixture *f, sqlite3_str *out, const char *sql)
{
    char *rows = db_rows(f->db, "%s", sql);
    sqlite3_str_appendf(out, "%s: %s\n", sql, rows);
    sqlite3_free(rows);
}

/* Tables whose names are like that, row by row. */
static void put_tables(db_fixture *f, sqlite3_str *out, const char *pattern)
{
    char *tables = db_rows(f->db,
                           "SELECT name FROM sqlite_schema WHERE type='table' AND name GLOB %Q "
                           "ORDER BY name",
                           pattern);
    for (char *name = strtok(tables, "\n"); name != NULL; name = strtok(NULL, "\n")) {
        char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", name);
        put_rows(f, out, sql);
        sqlite3_free(sql);
    }
    sqlite3_free(tables);
}

/* The user's tables and what is queued; if `all` also Sigla's own tables, and what its functions,
 * who may remember something wrong, make of them. */
static char *state_of(db_fixture *f, bool all)
{
    static const char *const lists[] = {
        "SELECT name,sql FROM sqlite_schema ORDER BY name",
        "SELECT sigla_status()",
        "SELECT * FROM sigla_conflicts(1)",
        "SELECT * FROM sigla_refused()",
        "SELECT * FROM sigla_parked()",
    };
    sqlite3_str *out = sqlite3_str_new(NULL);
    db_exec(f->db, "BEGIN");
    put_tables(f, out, "[^s]*");
    put_rows(f, out, "SELECT * FROM sigla_pending()");
    put_rows(f, out, "SELECT name FROM sqlite_schema ORDER BY name");
    if (all) put_tables(f, out, "sigla_*");
    for (size_t i = 0; i < sizeof lists / sizeof *lists && all; i++)
        put_rows(f, out, lists[i]);
    db_exec(f->db, "COMMIT");
    return sqlite3_str_finish(out);
}

/* The first line that differs, which is all one wants to read. */
static void expect_text(char *all, const char *want, const char *when)
{
    const char *have = all;
    while (*have != '\0' && *want != '\0') {
        size_t n = strcspn(have, "\n"), m = strcspn(want, "\n");
        if (n != m || memcmp(have, want, n) != 0)
            fail_msg("%s\n%.*s\nnot\n%.*s", when, (int)n, have, (int)m, want);
        have += n + (have[n] != '\0');
        want += m + (want[m] != '\0');
    }
    if (*have != *want) fail_msg("%s\n%s\nnot\n%s", when, have, want);
    sqlite3_free(all);
}

static void expect_nothing_open(sqlite3 *db, const char *when)
{
    if (!sqlite3_get_autocommit(db)) fail_msg("%s: a transaction is open", when);
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(db, s)) != NULL;)
        if (sqlite3_stmt_busy(s)) fail_msg("%s: still running: %s", when, sqlite3_sql(s));
}

/* ---- one try ---- */

static sg_buf answer; /* the rows that the last act gave */

static int put_answer(void *ctx, int count, char **values, char **names)
{
    (void)ctx, (void)names;
    fault_pause(); /* this is the program's memory, not what is tried */
    for (int i = 0; i < count; i++) {
        sg_buf_str(&answer, values[i] != NULL ? values[i] : "NULL");
        sg_buf_byte(&answer, i + 1 < count ? '|' : '\n');
    }
    fault_resume();
    return 0;
}

static int act(db_fixture *f, const scenario *s)
{
    sg_buf_clear(&answer);
    return s->sql != NULL ? sqlite3_exec(f->db, s->sql, put_answer, NULL, NULL) : s->act(f);
}

/* What it gave, and what there is now. */
static char *result_of(db_fixture *f, const scenario *s)
{
    if (s->then != NULL) db_exec(f->db, "%s", s->then);
    char *state = state_of(f, !s->makes);
    char *result = sqlite3_mprintf("%s%s", answer.n != 0 ? sg_buf_cstr(&answer) : "", state);
    sqlite3_free(state);
    return result;
}

static void end_well(db_fixture *f, const scenario *s, const char *want, const char *when)
{
    expect_nothing_open(f->db, when);
    expect_text(result_of(f, s), want, when);
}

static bool is_code_of(enum fault which, int code)
{
    switch (which) {
    case FAULT_OURS:
    case FAULT_SQLITES:
        return code == SQLITE_NOMEM;
    case FAULT_STATEMENT:
        return code == SQLITE_INTERRUPT;
    default:
        return code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
    }
}

/* False if it never came to the fault. */
static bool try_struck(db_fixture *f, const scenario *s, enum fault which, size_t n, bool sticky,
                       const char *before, const char *after)
{
    char when[300];
    fault_arm(which, n, sticky);
    int rc = act(f, s);
    bool struck = fault_disarm();
    snprintf(when, sizeof when, "%s, %s %zu%s: code %d: %s", s->name, fault_name(which), n,
             sticky ? " and all later ones" : "", rc, sqlite3_errmsg(f->db));
    /* A transaction of the program's own may be left to it. */
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(f->db)) db_exec(f->db, "ROLLBACK");
    if (rc == SQLITE_OK) {
        end_well(f, s, after, when);
        return struck;
    }
    if (!is_code_of(which, rc & 0xff)) fail_msg("%s", when);
    expect_nothing_open(f->db, when);
    if (!s->in_steps) expect_text(state_of(f, !s->prepares), before, when);
    same_again(f);
    rc = act(f, s);
    if (rc != SQLITE_OK) fail_msg("%s; and again: %s", when, sqlite3_errmsg(f->db));
    end_well(f, s, after, when);
    return struck;
}

static void strike_each(db_fixture *f, const scenario *s)
{
    image from = image_of(f, s);
    sg_buf_init(&answer, (size_t)1 << 24);
    start_over(f, s, &from);
    char *before = state_of(f, !s->prepares);
    same_again(f);
    assert_int_equal(act(f, s), SQLITE_OK);
    char *after = result_of(f, s);
    for (int which = 0; which < FAULT_KINDS; which++) {
        bool struck = true;
        size_t dense = which == FAULT_OURS ? DENSE_OURS : 10;
        for (size_t n = 1; struck; n += n < dense ? 1 : 1 + n / 3) {
            /* Every third time nothing goes well from then on; but nobody interrupts for ever. */
            bool sticky = n % 3 == 0 && which != FAULT_STATEMENT;
            start_over(f, s, &from);
            struck = try_struck(f, s, (enum fault)which, n, sticky, before, after);
        }
    }
    sqlite3_free(before);
    sqlite3_free(after);
    sg_buf_deinit(&answer);
    sqlite3_free(from.bytes);
}

/* ---- what is not SQL ---- */

static int fold(db_fixture *f)
{
    sg_replica *r = sg_replica_of(f->db);
    int err = sg_replica_begin(r);
    if (err != SG_OK) return sg_sql_code(err);
    sg_fold(r, &err);
    return sg_sql_code(sg_replica_end(r, err));
}

/* Another connection is opened, used and closed. */
static int another(db_fixture *f)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(f->path, &db);
    if (rc == SQLITE_OK) rc = sg_sql_code(sigla_register(db));
    if (rc == SQLITE_OK) sigla_set_clock(db, image_now, &f->now_us);
    if (rc == SQLITE_OK) rc = db_try(db, "UPDATE t SET b='other' WHERE a=2");
    if (sqlite3_close(db) != SQLITE_OK) fail_msg("something is still open");
    return rc;
}

#define SESSION "{\"seed\":1,\"encoding\":\"identity\"}"

/* What a server says to a device that has the image: always the same, whatever went before. */
static const char *answer_to(const sigla_action *a, int *status)
{
    *status = 200;
    if (a->body != NULL)
        return "{\"acks\":[{\"n\":8,\"seq\":20,\"count\":2}],\"rejected\":[{\"n\":10,\"code\":"
               "\"bad_change\",\"message\":\"m\"},{\"n\":11,\"code\":\"bad_change\",\"message\":\"m\"}],"
               "\"restamped\":[{\"n\":8,\"at\":\"2026-01-01T00:00:01.000Z\"}],"
               "\"serverTime\":\"2026-01-01T00:01:00.000Z\",\"epoch\":\"00000000000000ff\","
               "\"serverChanges\":[],\"syncedSeq\":9,\"syncedUntil\":\"c9\",\"hasMore\":true}";
    if (strstr(a->url, "since=c9") != NULL) {
        *status = 410;
        return "{\"error\":{\"code\":\"resync_required\",\"message\":\"old\"}}";
    }
    return "{\"clients\":[\"other\"],\"actors\":[{\"kind\":\"user\",\"principalId\":\"u:ann\"}],"
           "\"serverTime\":\"2026-01-01T00:01:00.000Z\",\"syncedUntil\":\"c30\",\"syncedSeq\":30,"
           "\"epoch\":\"00000000000000ff\",\"hasMore\":false,\"serverChanges\":[{\"table\":\"t\","
           "\"id\":\"k2\",\"marks\":[[\"2026-01-01T00:05:00.000Z\",0,9,0,\"user\",25]],\"life\":0,"
           "\"dead\":true},{\"table\":\"v\",\"id\":\"[1,{\\\"$blob\\\":\\\"AP8=\\\"}]\",\"marks\":[["
           "\"2026-01-01T00:05:00.000Z\",0,10,0,\"user\",26]],\"life\":0,\"values\":{\"x\":5}}]}";
}

/* A clock that stands: how often it is looked at depends on what fails. */
static int64_t stand(void *ctx)
{
    return *(const int64_t *)ctx;
}

static int sync_with(sigla_session *s)
{
    sigla_action a = {.kind = SIGLA_STOP};
    int err = SIGLA_OK;
    for (int i = 0; i < 20 && err == SIGLA_OK; i++) {
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        if (a.kind != SIGLA_REQUEST) break;
        int status;
        const char *body = answer_to(&a, &status);
        err = sigla_session_answer(s, status, 0, body, strlen(body));
        if (err != SIGLA_OK) assert_true(sigla_session_message(s)[0] != '\0');
    }
    if (err == SIGLA_OK && a.kind == SIGLA_DONE) return SQLITE_OK;
    return sg_sql_code(err != SIGLA_OK ? err : a.error);
}

/* A push with acknowledgements and refusals, a cursor that is too old, everything pulled anew: a
 * record that was edited here has been deleted (L6). */
static int sync(db_fixture *f)
{
    sigla_session *s = NULL;
    sigla_set_clock(f->db, stand, &f->now_us);
    int err = sigla_session_open(f->db, SESSION, &s);
    int rc = err == SIGLA_OK ? sync_with(s) : sg_sql_code(err);
    sigla_session_close(s);
    return rc;
}

/* What is not taken of a stream is not passed over (L7). */
static int stream(db_fixture *f)
{
    static const char event[] =
        "event: changes\ndata: {\"table\":\"t\",\"clients\":[\"other\"],\"actors\":[{\"kind\":"
        "\"user\",\"principalId\":\"u:ann\"}],\"serverTime\":\"2026-01-01T00:01:00.000Z\","
        "\"syncedUntil\":\"c12\",\"syncedSeq\":12,\"epoch\":\"00000000000000ff\",\"hasMore\":false,"
        "\"changes\":[{\"table\":\"t\",\"id\":\"k5\",\"marks\":[[\"2026-01-01T00:05:00.000Z\",0,9,0,"
        "\"user\",12]],\"life\":0,\"values\":{\"a\":77,\"b\":\"streamed\"}}]}\n\n";
    sigla_session *s = NULL;
    sigla_action a;
    sigla_set_clock(f->db, stand, &f->now_us);
    int err = sigla_session_open(f->db, SESSION, &s);
    if (err == SIGLA_OK) err = sigla_session_stream_request(s, 0, &a);
    if (err == SIGLA_OK) err = sigla_session_stream(s, 0, event, sizeof event - 1);
    sigla_session_close(s);
    return sg_sql_code(err);
}

/* ---- all of them ---- */

static const scenario scenarios[] = {
    {"sigla_init in a new database", untouched,
     .sql = "SELECT sigla_init('{\"server\":\"http://s\",\"token\":\"t\",\"user\":\"ann\","
            "\"displayName\":\"Ann\"}')",
     .makes = true},
    {"sigla_track in a new database", untouched, .sql = "SELECT sigla_track('t')", .makes = true},
    {"sigla_config in a new database", untouched, .sql = "SELECT sigla_config('journal_age_us',7)",
     .makes = true},
    {"sigla_init again", synced,
     .sql = "SELECT sigla_init('{\"server\":\"http://z\",\"token\":\"u\"}')"},
    {"sigla_config", synced, .sql = "SELECT sigla_config('token','new')"},
    {"a write", tracked, .sql = "INSERT INTO t VALUES(3,3,'w')"},
    {"many kinds of writes", tracked,
     .sql = "BEGIN; INSERT INTO t VALUES(3,3,'w'),(4,4,zeroblob(3000)); SAVEPOINT s;"
            "UPDATE t SET b='v'; ROLLBACK TO s; REPLACE INTO t VALUES(5,1,'r');"
            "UPDATE t SET b='u', a=a+10 WHERE id<5; DELETE FROM t WHERE id=2;"
            "UPDATE t SET id=9 WHERE id=4; COMMIT"},
    {"a write by another", tracked,
     .sql = "BEGIN; SELECT sigla_as('" ANN "'); UPDATE t SET b='ann'; COMMIT"},
    {"sigla_as", tracked, .prepares = true, .sql = "SELECT sigla_as('" BOT "')",
     .then = "UPDATE t SET b='bot'; SELECT sigla_as_end(); UPDATE t SET a=a+10"},
    {"sigla_track", tracked, .sql = "SELECT sigla_track('v','{\"app\":\"x\",\"json\":[\"x\"]}')"},
    {"sigla_untrack", synced, .sql = "SELECT sigla_untrack('t')",
     .then = "UPDATE t SET b='unseen'"},
    {"sigla_untrack and sigla_track", tracked,
     .sql = "BEGIN; SELECT sigla_untrack('t'); UPDATE t SET b='unseen' WHERE id=1;"
            "SELECT sigla_track('t'); COMMIT"},
    {"sigla_sweep", tracked,
     .sql = "BEGIN; SELECT sigla_track('v'); SELECT sigla_sweep('updatedAt'); COMMIT"},
    {"sigla_index_updated", synced, .sql = "SELECT sigla_index_updated('v')",
     .then = "SELECT * FROM sigla_updated('v')"},
    {"a column that comes later", tracked,
     .sql = "BEGIN; ALTER TABLE t ADD COLUMN c DEFAULT 1; UPDATE t SET c=id; COMMIT"},
    {"sigla_refresh", synced, .before = "ALTER TABLE t ADD COLUMN later",
     .sql = "SELECT sigla_refresh()"},
    {"sigla_restore", synced,
     .sql = "SELECT sigla_restore(id) FROM (SELECT min(id) AS id FROM sigla_conflicts)"},
    {"sigla_dismiss", synced,
     .sql = "SELECT sigla_dismiss(id) FROM (SELECT min(id) AS id FROM sigla_conflicts)"},
    {"sigla_retry", synced, .sql = "SELECT sigla_retry()"},
    {"sigla_retry of one", synced, .sql = "SELECT sigla_retry(7)"},
    {"folding", synced, .act = fold},
    {"another connection", synced, .act = another},
    /* Of a step that is made twice the sums count the changes twice. */
    {"a sync", synced, .act = sync, .in_steps = true, .then = "UPDATE sigla_sum SET changes=0"},
    {"an event of a stream", synced, .act = stream, .in_steps = true},
    {"a tracked table that is dropped", synced, .sql = "DROP TABLE w"},
    {"reading", synced,
     .sql = LISTS "SELECT * FROM sigla_marks('t','k1'); SELECT * FROM sigla_updated('t');"
                  "SELECT sigla_updated_at('t','k1'); SELECT sigla_id('v',1,x'00ff');"
                  "SELECT sigla_config('user')"},
};

static void run(void **state)
{
    db_fixture *f;
    const scenario *s = *state;
    assert_int_equal(db_setup((void **)&f), 0);
    strike_each(f, s);
    assert_int_equal(db_teardown((void **)&f), 0);
}

/* The name of a scenario as an argument: that one alone. */
int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    enum { COUNT = sizeof scenarios / sizeof *scenarios };
    struct CMUnitTest tests[COUNT] = {{0}};
    faults_install();
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
                                       .test_func = run,
                                       .initial_state = (void *)(uintptr_t)&scenarios[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
