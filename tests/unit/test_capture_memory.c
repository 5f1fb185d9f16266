/*
 * Memory that runs out: allocation N of ours, or of SQLite's, fails, for every N up to 40 and more
 * sparsely after that. The statement fails as out of memory and changes nothing, and does what it
 * should when it is tried again.
 */
#include <stdio.h>
#include <string.h>

#include "lib/db.h"
#include "lib/faults.h"
#include "replica/fold.h"
#include "replica/replica.h"
#include "sigla.h"

/* ---- one thing to do, again and again ---- */

typedef int (*action)(db_fixture *f);

static int fold(db_fixture *f)
{
    sg_replica *r = sg_replica_of(f->db);
    int err = sg_replica_begin(r);
    if (err != SG_OK) return SQLITE_NOMEM;
    sg_fold(r, &err);
    return sg_replica_end(r, err) == SG_OK ? SQLITE_OK : SQLITE_NOMEM;
}

/* Another connection is opened, used and closed. */
static int another(db_fixture *f)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open(f->path, &db);
    if (rc == SQLITE_OK && sigla_register(db) != SIGLA_OK) rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK) rc = db_try(db, "UPDATE t SET b='other' WHERE id=2");
    if (sqlite3_close(db) != SQLITE_OK) fail_msg("something is still open");
    return rc;
}

static void start_over(db_fixture *f)
{
    if (f->db != NULL) db_close(f->db);
    (void)remove(f->path);
    f->now_us = DB_EPOCH_US;
    f->db = db_open(f);
    db_exec(f->db, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA page_size=1024;"
                   "CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b);"
                   "CREATE TABLE v(k TEXT PRIMARY KEY, x, updatedAt);"
                   "INSERT INTO v VALUES('a',1,'then'),('b',2,NULL); SELECT sigla_track('t');"
                   "SELECT sigla_index_updated('t'); INSERT INTO t VALUES(1,1,'x'),(2,2,'y');"
                   "UPDATE t SET b='z' WHERE id=1");
}

/* All that counts, but for times. */
static char *state_of(db_fixture *f)
{
    static const char *const queries[] = {
        "SELECT * FROM t",
        "SELECT * FROM v",
        "SELECT n,\"table\",op,key,fields,actor FROM sigla_pending() ORDER BY n",
        "SELECT t.id,m.field,m.n,m.value FROM t, sigla_marks('t',t.id) m ORDER BY 1,2",
        "SELECT name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name",
        "SELECT value FROM json_each(sigla_status(),'$.tables')",
        "SELECT key FROM sigla_updated('t')",
    };
    sqlite3_str *all = sqlite3_str_new(NULL);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char *rows = db_rows(f->db, "%s", queries[i]);
        sqlite3_str_appendf(all, "%s\n\n", rows);
        sqlite3_free(rows);
    }
    return sqlite3_str_finish(all);
}

static const char *run_sql;

static int run(db_fixture *f)
{
    return db_try(f->db, run_sql);
}

static void expect_state(db_fixture *f, const char *want, const char *what, size_t n)
{
    char *have = state_of(f);
    if (strcmp(have, want) != 0) {
        fprintf(stderr, "%s, allocation %zu\nhave:\n%s\nnot:\n%s\n", what, n, have, want);
        fail();
    }
    sqlite3_free(have);
}

static bool attempt(db_fixture *f, action act, enum fault which, size_t n, bool sticky,
                    const char *before, const char *after)
{
    start_over(f);
    fault_arm(which, n, sticky);
    int rc = act(f);
    bool came = fault_disarm();
    char message[200];
    snprintf(message, sizeof message, "%s", sqlite3_errmsg(f->db));
    if (sqlite3_get_autocommit(f->db) == 0) db_exec(f->db, "ROLLBACK");
    if (rc == SQLITE_OK) {
        expect_state(f, after, "done", n);
    } else {
        if ((rc & 0xff) != SQLITE_NOMEM)
            fail_msg("%s %zu gives code %d: %s", fault_name(which), n, rc, message);
        expect_state(f, before, "failed", n);
        assert_int_equal(act(f), SQLITE_OK);
        expect_state(f, after, "tried again", n);
    }
    return !came;
}

static void every_allocation(db_fixture *f, action act)
{
    start_over(f);
    char *before = state_of(f);
    assert_int_equal(act(f), SQLITE_OK);
    char *after = state_of(f);
    for (int way = 0; way < 4; way++) {
        size_t n = 1;
        while (!attempt(f, act, way & 1 ? FAULT_SQLITES : FAULT_OURS, n, way & 2, before, after))
            n += n < 40 ? 1 : 1 + n / 8;
        if (n == 1) print_message("no allocation of %s\n", way & 1 ? "SQLite" : "ours");
    }
    sqlite3_free(before);
    sqlite3_free(after);
}

static void every_allocation_of(void **state, const char *sql)
{
    run_sql = sql;
    every_allocation(*state, run);
}

/* ---- what is done ---- */

static void test_a_write(void **state)
{
    every_allocation_of(state, "INSERT INTO t VALUES(3,3,'w')");
}

static void test_a_transaction_of_many_kinds_of_writes(void **state)
{
    every_allocation_of(state,
                        "BEGIN; INSERT INTO t VALUES(3,3,'w'),(4,4,zeroblob(3000)); SAVEPOINT s;"
                        "UPDATE t SET b='v'; ROLLBACK TO s; REPLACE INTO t VALUES(5,1,'r');"
                        "UPDATE t SET b='u', a=a+10 WHERE id<5; DELETE FROM t WHERE id=2;"
                        "UPDATE t SET id=9 WHERE id=4; COMMIT");
}

static void test_a_write_by_another(void **state)
{
    every_allocation_of(state,
                        "BEGIN; SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"ann\"}');"
                        "UPDATE t SET b='ann'; COMMIT");
}

static void test_sigla_track(void **state)
{
    every_allocation_of(state, "SELECT sigla_track('v','{\"app\":\"x\",\"json\":[\"x\"]}')");
}

static void test_sigla_untrack_and_track_again(void **state)
{
    every_allocation_of(state,
                        "BEGIN; SELECT sigla_untrack('t'); UPDATE t SET b='unseen' WHERE id=1;"
                        "SELECT sigla_track('t'); COMMIT");
}

static void test_sigla_sweep(void **state)
{
    every_allocation_of(state,
                        "BEGIN; SELECT sigla_track('v'); SELECT sigla_sweep('updatedAt'); COMMIT");
}

static void test_a_column_that_comes_later(void **state)
{
    every_allocation_of(state,
                        "BEGIN; ALTER TABLE t ADD COLUMN c DEFAULT 1; UPDATE t SET c=id; COMMIT");
}

static void test_folding(void **state)
{
    every_allocation(*state, fold);
}

static void test_another_connection(void **state)
{
    every_allocation(*state, another);
}

static void test_reading(void **state)
{
    every_allocation_of(state, "SELECT * FROM sigla_marks('t',1); SELECT * FROM sigla_pending();"
                               "SELECT * FROM sigla_updated('t'); SELECT sigla_updated_at('t',2);"
                               "SELECT sigla_status(); SELECT * FROM sigla_conflicts();"
                               "SELECT * FROM sigla_refused(); SELECT * FROM sigla_parked()");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        TEST(test_a_write),
        TEST(test_a_transaction_of_many_kinds_of_writes),
        TEST(test_a_write_by_another),
        TEST(test_sigla_track),
        TEST(test_sigla_untrack_and_track_again),
        TEST(test_sigla_sweep),
        TEST(test_a_column_that_comes_later),
        TEST(test_folding),
        TEST(test_another_connection),
        TEST(test_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
