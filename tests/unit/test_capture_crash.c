/*
 * L1 at every crash point: the disk fails at write N, for every N, or the process is killed. Then
 * the data, the marks and the outbox say the same, and writing goes on.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/db.h"
#include "lib/faulty_vfs.h"
#include "replica/fold.h"
#include "replica/replica.h"
#include "sigla.h"

static int64_t look(void *ctx)
{
    return ++*(int64_t *)ctx;
}

/* Like db_open, but what fails is reported, not fatal. */
static int open_faulty(db_fixture *f, sqlite3 **db)
{
    int rc = sqlite3_open_v2(f->path, db, SQLITE_OPEN_READWRITE, FAULTY_VFS);
    if (rc == SQLITE_OK) rc = sigla_register(*db) == SIGLA_OK ? SQLITE_OK : SQLITE_ERROR;
    if (rc == SQLITE_OK) sigla_set_clock(*db, look, &f->now_us);
    return rc;
}

/* ---- what must hold ---- */

/* t and its copy are written together in every transaction; every field of t that is not NULL came
 * by its last change in the outbox, which its mark names. */
static void expect_agreement(sqlite3 *db)
{
    db_expect(db, "ok", "PRAGMA integrity_check");
    db_expect(db, "", "SELECT id,a,b FROM t EXCEPT SELECT id,a,b FROM copy");
    db_expect(db, "", "SELECT id,a,b FROM copy EXCEPT SELECT id,a,b FROM t");
    db_exec(
        db,
        "CREATE TEMP TABLE q AS SELECT n,op,key,fields FROM sigla_pending();"
        "CREATE TEMP TABLE f AS SELECT q.n,q.key,j.key AS field,j.value FROM q, "
        "json_each(q.fields) j WHERE q.n>coalesce((SELECT max(d.n) FROM q d WHERE d.key=q.key AND "
        "d.op='delete'),0)");
    db_expect(db, "1", "SELECT count(*)=coalesce(max(n),0) FROM q");
    db_expect(
        db, "",
        "SELECT id,x FROM (SELECT id,'a' AS x,a AS v FROM t UNION ALL SELECT id,'b',b FROM t) "
        "WHERE v IS NOT (SELECT value FROM f WHERE key=id AND field=x ORDER BY n DESC LIMIT 1)");
    db_expect(db, "", "SELECT key FROM f EXCEPT SELECT id FROM t");
    db_expect(
        db, "",
        "SELECT t.id,m.field FROM t, sigla_marks('t',t.id) m WHERE m.n IS NOT (SELECT max(n) FROM "
        "f WHERE key=t.id AND field=m.field)");
    db_expect(db, "", "SELECT id FROM t WHERE (SELECT count(*) FROM sigla_marks('t',t.id))<2");
    db_exec(db, "DROP TABLE q; DROP TABLE f");
}

/* ---- a disk that fails ---- */

static int fold(sqlite3 *db)
{
    sg_replica *r = sg_replica_of(db);
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    sg_fold(r, &err);
    return sg_replica_end(r, err);
}

/* Each step is a transaction of its own; if it fails it is rolled back and the next one follows. */
static void work(sqlite3 *db)
{
    static const char *const steps[] = {
        "BEGIN; INSERT INTO t(id,a,b) VALUES(1,1,'x'),(2,2,'y'),(3,3,'z');"
        "INSERT INTO copy SELECT id,a,b FROM t WHERE id<4; COMMIT",
        "BEGIN; UPDATE t SET a=10 WHERE id=2; UPDATE copy SET a=10 WHERE id=2; SAVEPOINT s;"
        "UPDATE t SET b='no'; ROLLBACK TO s; DELETE FROM t WHERE id=3; DELETE FROM copy WHERE id=3;"
        "COMMIT",
        NULL, /* fold */
        "BEGIN; SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"ann\"}');"
        "REPLACE INTO t(id,a,b) VALUES(1,1,'xx'); REPLACE INTO copy VALUES(1,1,'xx'); COMMIT",
        "BEGIN; INSERT INTO t(id,a,b) SELECT id+100,a,zeroblob(2000) FROM t; INSERT INTO copy SELECT "
        "id+100,a,zeroblob(2000) FROM copy; UPDATE t SET b='big' WHERE id>100;"
        "UPDATE copy SET b='big' WHERE id>100; COMMIT",
        "ALTER TABLE t ADD COLUMN extra",
        "BEGIN; UPDATE t SET a=a+1; UPDATE copy SET a=a+1; COMMIT",
        NULL,
        "SELECT sigla_index_updated('t')",
        "BEGIN; DELETE FROM t WHERE id=1; DELETE FROM copy WHERE id=1; COMMIT",
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i] == NULL)
            (void)fold(db);
        else if (db_try(db, steps[i]) != SQLITE_OK)
            (void)db_try(db, "ROLLBACK");
    }
}

static void prepare(db_fixture *f, const char *journal)
{
    db_exec(f->db,
            "PRAGMA page_size=512; PRAGMA journal_mode=%s;"
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); SELECT sigla_track('t');"
            "CREATE TABLE copy(id INTEGER PRIMARY KEY, a, b)",
            journal);
    db_close(f->db);
    f->db = NULL;
}

static void copy_file(const char *from, const char *to)
{
    char bytes[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) != 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < 4; i++) {
        char *name = sqlite3_mprintf("%s%s", path, ends[i]);
        (void)remove(name);
        sqlite3_free(name);
    }
}

/* Write n fails; true if the work was done before it came to that. */
static bool attempt(db_fixture *f, const char *start, int n, int code, bool dead)
{
    remove_files(f->path);
    copy_file(start, f->path);
    sqlite3 *db = NULL;
    faulty_vfs_fail_at(n, code, dead);
    if (open_faulty(f, &db) == SQLITE_OK) work(db);
    bool reached = faulty_vfs_failed();
    if (!dead) {
        faulty_vfs_fail_at(0, 0, false);
        expect_agreement(db);
    }
    db_close(db);
    faulty_vfs_fail_at(0, 0, false);
    f->db = db_open(f);
    expect_agreement(f->db);
    db_exec(f->db, "BEGIN; INSERT INTO t(id,a,b) VALUES(7000,1,2); INSERT INTO copy "
                   "VALUES(7000,1,2); COMMIT");
    expect_agreement(f->db);
    db_close(f->db);
    f->db = NULL;
    return !reached;
}

static void every_write(db_fixture *f, const char *journal, int code, bool dead)
{
    prepare(f, journal);
    assert_int_equal(faulty_vfs_register(), SQLITE_OK);
    char *start = db_path(f, "start.db");
    copy_file(f->path, start);
    int n = 1;
    while (!attempt(f, start, n, code, dead))
        n++;
    assert_true(n > 50);
    sqlite3_free(start);
}

static void test_L1_a_full_disk_at_any_write(void **state)
{
    every_write(*state, "DELETE", SQLITE_FULL, false);
}

static void test_L1_a_write_error_at_any_write_in_a_wal(void **state)
{
    every_write(*state, "WAL", SQLITE_IOERR_WRITE, false);
}

static void test_L1_a_crash_at_any_write(void **state)
{
    every_write(*state, "DELETE", SQLITE_IOERR_WRITE, true);
}

static void test_L1_a_crash_at_any_write_in_a_wal(void **state)
{
    every_write(*state, "WAL", SQLITE_IOERR_WRITE, true);
}

/* ---- a process that is killed ---- */

static void write_until_killed(db_fixture *f, int to_parent)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(f->path, &db) != SQLITE_OK || sigla_register(db) != SIGLA_OK) _exit(1);
    for (int i = 1;; i++) {
        char *sql =
            sqlite3_mprintf("BEGIN; INSERT INTO t(id,a,b) VALUES(%d,%d,zeroblob(%d));"
                            "INSERT INTO copy VALUES(%d,%d,zeroblob(%d));"
                            "UPDATE t SET a=a+1 WHERE id%%3=%d; UPDATE copy SET a=a+1 WHERE "
                            "id%%3=%d; DELETE FROM t WHERE id=%d; DELETE FROM copy WHERE id=%d;"
                            "COMMIT",
                            i, i, i * 7, i, i, i * 7, i % 3, i % 3, i - 9, i - 9);
        if (db_try(db, sql) != SQLITE_OK || write(to_parent, "", 1) != 1) _exit(1);
        sqlite3_free(sql);
        if (i % 7 == 0) (void)fold(db);
    }
}

/* Kill it somewhere in the transaction after the n-th. */
static void kill_after(db_fixture *f, int n)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) write_until_killed(f, ends[1]);
    close(ends[1]);
    char byte;
    for (int i = 0; i < n; i++)
        assert_int_equal(read(ends[0], &byte, 1), 1);
    for (volatile int spin = 0; spin < n * 20000; spin++)
        continue;
    assert_int_equal(kill(child, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);
}

static void killed(db_fixture *f, const char *journal)
{
    prepare(f, journal);
    char *start = db_path(f, "start.db");
    copy_file(f->path, start);
    for (int n = 1; n <= 12; n++) {
        remove_files(f->path);
        copy_file(start, f->path);
        kill_after(f, n);
        f->db = db_open(f);
        assert_true(db_int(f->db, "SELECT coalesce(max(id),0) FROM t") >= n);
        /* Blobs are not what expect_agreement compares as JSON. */
        db_exec(f->db, "UPDATE t SET b=length(b); UPDATE copy SET b=length(b)");
        expect_agreement(f->db);
        db_close(f->db);
        f->db = NULL;
    }
    sqlite3_free(start);
}

static void test_L1_a_process_killed_while_it_writes(void **state)
{
    killed(*state, "DELETE");
}

static void test_L1_a_process_killed_while_it_writes_a_wal(void **state)
{
    killed(*state, "WAL");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_L1_a_full_disk_at_any_write),
        TEST(test_L1_a_write_error_at_any_write_in_a_wal),
        TEST(test_L1_a_crash_at_any_write),
        TEST(test_L1_a_crash_at_any_write_in_a_wal),
        TEST(test_L1_a_process_killed_while_it_writes),
        TEST(test_L1_a_process_killed_while_it_writes_a_wal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
