/* L1: what is queued is what was committed, whatever happened in the transaction. */
#include <sys/wait.h>
#include <unistd.h>

#include "lib/db.h"
#include "sigla.h"

static void table(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, u UNIQUE); SELECT sigla_track('t')");
}

/* Keys by op, in the order queued. */
static void expect_after(sqlite3 *db, const char *rows, const char *what)
{
    db_expect(db, rows,
              "SELECT group_concat(substr(op,1,1)||key,' ') FROM (SELECT * FROM "
              "sigla_pending() ORDER BY n) /* %s */",
              what);
    db_taken(db);
}

static void expect(sqlite3 *db, const char *rows)
{
    expect_after(db, rows, "");
}

/* ---- savepoints and rollbacks ---- */

static void test_L1_a_rolled_back_transaction_leaves_nothing(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(1,1,1); ROLLBACK");
    expect(f->db, "NULL");
    db_expect(f->db, "0", "SELECT count(*) FROM sigla_outbox");
    db_exec(f->db, "INSERT INTO t VALUES(2,2,2)");
    expect(f->db, "i2");
}

static void test_L1_savepoints(void **state)
{
    static const struct {
        const char *sql, *queued;
    } cases[] = {
        {"BEGIN; INSERT INTO t VALUES(1,1,1); SAVEPOINT a; INSERT INTO t VALUES(2,2,2);"
         "ROLLBACK TO a; INSERT INTO t VALUES(3,3,3); COMMIT",
         "i1 i3"},
        {"BEGIN; SAVEPOINT a; INSERT INTO t VALUES(1,1,1); SAVEPOINT b; INSERT INTO t "
         "VALUES(2,2,2); RELEASE b; INSERT INTO t VALUES(3,3,3); ROLLBACK TO a; COMMIT",
         "NULL"},
        {"BEGIN; SAVEPOINT a; INSERT INTO t VALUES(1,1,1); SAVEPOINT b; INSERT INTO t "
         "VALUES(2,2,2); ROLLBACK TO b; RELEASE b; RELEASE a; COMMIT",
         "i1"},
        {"SAVEPOINT a; INSERT INTO t VALUES(1,1,1); SAVEPOINT b; INSERT INTO t VALUES(2,2,2);"
         "RELEASE a",
         "i1 i2"},
        /* SQLite calls the outermost savepoint -1. */
        {"SAVEPOINT a; INSERT INTO t VALUES(1,1,1); SAVEPOINT b; INSERT INTO t VALUES(2,2,2);"
         "ROLLBACK TO a; INSERT INTO t VALUES(3,3,3); RELEASE a",
         "i3"},
        {"SAVEPOINT a; INSERT INTO t VALUES(1,1,1); ROLLBACK TO a; RELEASE a", "NULL"},
        {"SAVEPOINT a; SAVEPOINT b; SAVEPOINT c; INSERT INTO t VALUES(1,1,1); ROLLBACK TO c;"
         "INSERT INTO t VALUES(2,2,2); ROLLBACK TO b; INSERT INTO t VALUES(3,3,3); RELEASE a",
         "i3"},
        {"BEGIN; INSERT INTO t VALUES(1,1,1); SAVEPOINT a; UPDATE t SET a=2; ROLLBACK TO a;"
         "ROLLBACK TO a; UPDATE t SET a=3; ROLLBACK TO a; COMMIT",
         "i1"},
        {"BEGIN; SAVEPOINT a; SAVEPOINT a; INSERT INTO t VALUES(1,1,1); ROLLBACK TO a; RELEASE a;"
         "INSERT INTO t VALUES(2,2,2); RELEASE a; COMMIT",
         "i2"},
    };
    db_fixture *f = *state;
    table(f->db);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        db_exec(f->db, "%s", cases[i].sql);
        expect_after(f->db, cases[i].queued, cases[i].sql);
        db_exec(f->db, "DELETE FROM t");
        db_taken(f->db);
    }
}

static void test_L1_statements_that_fail_inside_savepoints(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES(1,1,1)");
    db_taken(f->db);
    db_exec(f->db, "BEGIN; SAVEPOINT a; INSERT INTO t VALUES(2,2,2)");
    db_fails(f->db, SQLITE_CONSTRAINT, "INSERT INTO t VALUES(3,3,3),(4,4,1)");
    db_exec(f->db, "SAVEPOINT b; INSERT INTO t VALUES(5,5,5)");
    db_fails(f->db, SQLITE_CONSTRAINT, "INSERT OR FAIL INTO t VALUES(6,6,6),(7,7,1)");
    db_exec(f->db, "RELEASE b; RELEASE a; COMMIT");
    expect(f->db, "i2 i5 i6");
}

/* What was flushed early, by a call that makes a set of changes of its own, is undone and done
 * again with the rest. */
static void test_L1_a_savepoint_around_an_early_flush(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "CREATE TABLE v(id INTEGER PRIMARY KEY, b); INSERT INTO v VALUES(9,9)");
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(1,1,1); SAVEPOINT a; INSERT INTO t VALUES(2,2,2);"
                   "SELECT sigla_track('v'); INSERT INTO v VALUES(8,8); ROLLBACK TO a;"
                   "INSERT INTO t VALUES(3,3,3); COMMIT");
    expect(f->db, "i1 i3");
    db_refuses(f->db, "not tracked", "SELECT * FROM sigla_marks('v',9)");
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(4,4,4); SELECT sigla_track('v');"
                   "INSERT INTO t VALUES(5,5,5); COMMIT");
    db_expect(f->db, "1", "SELECT count(DISTINCT tx_last) FROM sigla_outbox WHERE n>2");
    expect(f->db, "i4 i9 i5");
}

static void test_L1_a_schema_change_that_is_rolled_back(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "BEGIN; ALTER TABLE t ADD COLUMN b; INSERT INTO t VALUES(1,1,1,1);"
                   "SELECT * FROM sigla_marks('t',1); ROLLBACK;"
                   "ALTER TABLE t ADD COLUMN c; INSERT INTO t VALUES(2,2,2,'c')");
    db_pending(f->db, "insert|t|2|{\"a\":2,\"u\":2,\"c\":\"c\"}");
    db_exec(f->db, "BEGIN; SELECT count(*) FROM sigla_marks('t',2); ALTER TABLE t ADD COLUMN d;"
                   "SELECT count(*) FROM sigla_marks('t',2); ROLLBACK;"
                   "ALTER TABLE t ADD COLUMN e; UPDATE t SET e='e'");
    db_expect(f->db, "update|t|2|{\"e\":\"e\"}",
              "SELECT op,\"table\",key,fields FROM sigla_pending() ORDER BY n LIMIT -1 OFFSET 1");
}

static void test_names_interned_in_a_rolled_back_transaction_are_made_again(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                   "CREATE TABLE v(id INTEGER PRIMARY KEY, b); SELECT sigla_track('t');"
                   "SELECT sigla_track('v'); BEGIN; INSERT INTO t VALUES(1,1); SAVEPOINT s;"
                   "SELECT sigla_untrack('v'); ROLLBACK TO s; ROLLBACK;"
                   "INSERT INTO v VALUES(1,2); INSERT INTO t VALUES(1,1)");
    db_pending(f->db, "insert|v|1|{\"b\":2}\ninsert|t|1|{\"a\":1}");
}

/* ---- several connections ---- */

static void test_connections_write_one_after_the_other(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    sqlite3 *other = db_open(f);
    db_exec(f->db, "INSERT INTO t VALUES(1,1,1)");
    db_exec(other, "INSERT INTO t VALUES(2,2,2)");
    db_exec(f->db, "UPDATE t SET a='x' WHERE id=2");
    db_exec(other, "DELETE FROM t WHERE id=1");
    db_expect(f->db, "1|1\n2|2\n3|2\n4|1", "SELECT n,key FROM sigla_pending() ORDER BY n");
    db_expect(other, "4", "SELECT count(DISTINCT at) FROM sigla_pending()");
    db_close(other);
}

static void test_a_busy_database_leaves_nothing_behind(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    sqlite3 *other = db_open(f);
    sqlite3_busy_timeout(other, 0);
    db_exec(f->db, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1,1,1)");
    db_fails(other, SQLITE_BUSY, "INSERT INTO t VALUES(2,2,2)");
    db_fails(other, SQLITE_BUSY, "SELECT sigla_track('t')");
    db_exec(other, "BEGIN");
    db_fails(other, SQLITE_BUSY, "INSERT INTO t VALUES(3,3,3)");
    db_exec(f->db, "COMMIT");
    db_exec(other, "INSERT INTO t VALUES(4,4,4); COMMIT");
    expect(f->db, "i1 i4");
    db_close(other);
}

/* In rollback-journal mode a reader makes COMMIT give SQLITE_BUSY after the flush, and the
 * transaction goes on. */
static void test_L1_a_commit_that_was_busy_is_one_transaction_when_it_succeeds(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    sqlite3_busy_timeout(f->db, 0);
    sqlite3 *reader = db_open_plain(f);
    db_exec(f->db, "INSERT INTO t VALUES(0,0,0)");
    db_taken(f->db);
    db_exec(reader, "BEGIN; SELECT * FROM t");
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(1,1,1)");
    db_fails(f->db, SQLITE_BUSY, "COMMIT");
    db_exec(f->db, "INSERT INTO t VALUES(2,2,2); UPDATE t SET a='x' WHERE id=1");
    db_fails(f->db, SQLITE_BUSY, "COMMIT");
    db_exec(reader, "COMMIT");
    db_exec(f->db, "INSERT INTO t VALUES(3,3,3); COMMIT");
    db_expect(f->db, "1", "SELECT count(DISTINCT tx_last) FROM sigla_outbox WHERE n>1");
    expect(f->db, "i1 i2 u1 i3");
    db_exec(reader, "BEGIN; SELECT * FROM t");
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(5,5,5)");
    db_fails(f->db, SQLITE_BUSY, "COMMIT");
    db_exec(f->db, "ROLLBACK");
    db_exec(reader, "COMMIT");
    db_exec(f->db, "INSERT INTO t VALUES(6,6,6)");
    expect(f->db, "i6");
    db_close(reader);
}

static void write_rows(const char *path, int writer)
{
    sqlite3 *db = NULL;
    bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
              sqlite3_busy_timeout(db, 60000) == SQLITE_OK && sigla_register(db) == SIGLA_OK;
    for (int i = 0; ok && i < 40; i++) {
        char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; INSERT INTO t VALUES(%d,%d,NULL);"
                                    "UPDATE t SET a=a||'+' WHERE id=-1; COMMIT",
                                    writer * 1000 + i, i);
        ok = db_try(db, sql) == SQLITE_OK;
        sqlite3_free(sql);
    }
    ok = sqlite3_close(db) == SQLITE_OK && ok;
    _exit(ok ? 0 : 1);
}

static void test_processes_that_write_at_once_get_numbers_and_stamps_of_their_own(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "PRAGMA journal_mode=WAL; INSERT INTO t VALUES(-1,'',NULL)");
    db_taken(f->db);
    db_close(f->db);
    f->db = NULL;
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) write_rows(f->path, i);
    }
    for (int i = 0; i < 4; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    f->db = db_open(f);
    db_expect(f->db, "160", "SELECT length(a) FROM t WHERE id=-1");
    db_expect(f->db, "160|160|160",
              "SELECT count(*),count(DISTINCT key),count(DISTINCT at) FROM "
              "sigla_pending() WHERE op='insert'");
    db_expect(f->db, "1|321|320", "SELECT count(*)=max(n)-1,max(n),count(*) FROM sigla_pending()");
    db_expect(f->db, "0",
              "SELECT count(*) FROM (SELECT at<lag(at) OVER (ORDER BY n) AS back FROM "
              "sigla_pending()) WHERE back");
}

/* ---- without Sigla ---- */

static void test_a_connection_without_sigla_cannot_write_and_changes_nothing(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES(1,1,1)");
    sqlite3 *plain = db_open_plain(f);
    db_refuses(plain, "no such function: sigla_capture", "INSERT INTO t VALUES(2,2,2)");
    db_refuses(plain, "no such function: sigla_capture", "UPDATE t SET a=3");
    db_refuses(plain, "no such function: sigla_capture", "DELETE FROM t");
    db_refuses(plain, "no such function: sigla_capture", "REPLACE INTO t VALUES(1,5,5)");
    db_expect(plain, "1|1|1", "SELECT * FROM t");
    db_exec(plain, "CREATE TABLE other(x); INSERT INTO other VALUES(1)");
    db_close(plain);
    expect(f->db, "i1");
}

static void test_closing_inside_a_transaction_rolls_it_back(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    sqlite3 *other = db_open(f);
    db_exec(other, "BEGIN; INSERT INTO t VALUES(1,1,1); SELECT sigla_as('{\"kind\":\"user\","
                   "\"principalId\":\"x\"}')");
    db_close(other);
    expect(f->db, "NULL");
    db_expect(f->db, "", "SELECT * FROM t");
}

static void test_registering_twice_is_harmless(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(1,1,1)");
    assert_int_equal(sigla_register(f->db), SIGLA_OK);
    db_exec(f->db, "COMMIT");
    expect(f->db, "i1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_L1_a_rolled_back_transaction_leaves_nothing),
        TEST(test_L1_savepoints),
        TEST(test_L1_statements_that_fail_inside_savepoints),
        TEST(test_L1_a_savepoint_around_an_early_flush),
        TEST(test_L1_a_schema_change_that_is_rolled_back),
        TEST(test_names_interned_in_a_rolled_back_transaction_are_made_again),
        TEST(test_connections_write_one_after_the_other),
        TEST(test_a_busy_database_leaves_nothing_behind),
        TEST(test_L1_a_commit_that_was_busy_is_one_transaction_when_it_succeeds),
        TEST(test_processes_that_write_at_once_get_numbers_and_stamps_of_their_own),
        TEST(test_a_connection_without_sigla_cannot_write_and_changes_nothing),
        TEST(test_closing_inside_a_transaction_rolls_it_back),
        TEST(test_registering_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
