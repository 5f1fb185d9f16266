/* L15: last modified is derived, and sorted by through an index. */
#include <string.h>

#include "lib/db.h"
#include "lib/prng.h"
#include "replica/fold.h"
#include "replica/replica.h"

static void fold(sqlite3 *db)
{
    sg_replica *r = sg_replica_of(db);
    int err = sg_replica_begin(r);
    assert_int_equal(err, SG_OK);
    sg_fold(r, &err);
    assert_int_equal(sg_replica_end(r, err), SG_OK);
}

static void table(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); SELECT sigla_track('t')");
}

static void expect(sqlite3 *db, const char *keys)
{
    db_expect(db, keys, "SELECT group_concat(key) FROM (SELECT key FROM sigla_updated('t'))");
}

static void test_newest_first_whether_folded_or_not(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "SELECT sigla_index_updated('t'); INSERT INTO t VALUES(1,1); INSERT INTO t "
                   "VALUES(2,2); INSERT INTO t VALUES(3,3)");
    expect(f->db, "3,2,1");
    fold(f->db);
    expect(f->db, "3,2,1");
    db_exec(f->db, "UPDATE t SET a=5 WHERE id=1; DELETE FROM t WHERE id=2");
    expect(f->db, "1,3");
    fold(f->db);
    expect(f->db, "1,3");
    db_exec(f->db, "INSERT INTO t VALUES(2,9); UPDATE t SET a=6 WHERE id=3; UPDATE t SET a=7 WHERE "
                   "id=3; UPDATE t SET a=a||'x'");
    expect(f->db, "3,2,1");
    fold(f->db);
    expect(f->db, "3,2,1");
}

static void test_the_plan_is_an_index_search(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "SELECT sigla_index_updated('t'); INSERT INTO t VALUES(1,1),(2,2)");
    fold(f->db);
    char *plan =
        db_rows(f->db, "EXPLAIN QUERY PLAN SELECT t.*,u.updated_at FROM sigla_updated('t') u "
                       "JOIN t ON t.id=u.key ORDER BY u.updated_at DESC LIMIT 20");
    assert_non_null(strstr(plan, "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)"));
    assert_null(strstr(plan, "SCAN t"));
    assert_null(strstr(plan, "TEMP B-TREE"));
    sqlite3_free(plan);
    /* Inside sigla_updated. */
    plan = db_rows(f->db, "EXPLAIN QUERY PLAN SELECT at,key FROM sigla_updated_index WHERE tbl=?1 "
                          "ORDER BY at DESC, key DESC");
    assert_non_null(strstr(plan, "SEARCH sigla_updated_index USING PRIMARY KEY (tbl=?)"));
    assert_null(strstr(plan, "TEMP B-TREE"));
    sqlite3_free(plan);
}

static void test_the_first_rows_cost_no_more_than_themselves(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db,
            "SELECT sigla_index_updated('t'); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
            "i+1 FROM n WHERE i<20000) INSERT INTO t SELECT i,i FROM n");
    fold(f->db);
    sqlite3_stmt *s = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(f->db, "SELECT key FROM sigla_updated('t') LIMIT 3", -1, &s, NULL),
        SQLITE_OK);
    int64_t before = sqlite3_total_changes64(f->db);
    while (sqlite3_step(s) == SQLITE_ROW)
        continue;
    assert_int_equal(sqlite3_total_changes64(f->db), before);
    assert_true(sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 0) < 100);
    sqlite3_finalize(s);
}

static void test_an_index_made_late_holds_what_was_there(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1,1),(2,2),(3,3);"
            "SELECT sigla_track('t'); UPDATE t SET a=0 WHERE id=2; DELETE FROM t WHERE id=3");
    db_refuses(f->db, "has no such index yet: SELECT sigla_index_updated('t')",
               "SELECT * FROM sigla_updated('t')");
    db_exec(f->db, "SELECT sigla_index_updated('t'); SELECT sigla_index_updated('t')");
    /* Adopted rows are as old as can be. */
    expect(f->db, "2,1");
    db_exec(f->db, "UPDATE t SET a=5 WHERE id=1");
    expect(f->db, "1,2");
    fold(f->db);
    expect(f->db, "1,2");
    db_expect(f->db, "2", "SELECT count(*) FROM sigla_updated_index");
    db_exec(f->db, "SELECT sigla_track('t','{\"json\":[\"a\"]}')");
    expect(f->db, "1,2");
}

static void test_keys_of_every_kind(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(k PRIMARY KEY, a) WITHOUT ROWID; SELECT sigla_track('t');"
                   "SELECT sigla_index_updated('t'); INSERT INTO t VALUES(1,1); INSERT INTO t "
                   "VALUES('x',1); INSERT INTO t VALUES(x'00',1); INSERT INTO t VALUES(1.5,1);"
                   "INSERT INTO t VALUES('019b0a3e-7c1d-7aaa-8bbb-0123456789ab',1)");
    for (int folded = 0; folded < 2; folded++) {
        db_expect(f->db, "019b0a3e-7c1d-7aaa-8bbb-0123456789ab\n1.5\nx'00'\nx\n1",
                  "SELECT key FROM sigla_updated('t')");
        db_expect(f->db, "5", "SELECT count(*) FROM sigla_updated('t') u JOIN t ON t.k=u.key");
        fold(f->db);
    }
    db_exec(f->db, "CREATE TABLE c(x, y, PRIMARY KEY(x,y)); SELECT sigla_track('c');"
                   "SELECT sigla_index_updated('c'); INSERT INTO c VALUES(1,'b')");
    db_expect(f->db, "[1,\"b\"]", "SELECT key FROM sigla_updated('c')");
}

static void test_the_order_is_that_of_updated_at_after_many_random_writes(void **state)
{
    db_fixture *f = *state;
    prng random = {7};
    table(f->db);
    db_exec(f->db, "SELECT sigla_index_updated('t')");
    for (int i = 0; i < 400; i++) {
        int id = (int)prng_below(&random, 30);
        switch (prng_below(&random, 6)) {
        case 0:
            db_exec(f->db, "DELETE FROM t WHERE id=%d", id);
            break;
        case 1:
            fold(f->db);
            break;
        case 2:
            db_exec(f->db, "UPDATE t SET a=%d WHERE id%%7=%d", i, id % 7);
            break;
        default:
            db_exec(f->db, "REPLACE INTO t VALUES(%d,%d)", id, i);
        }
        if (i % 20 != 0) continue;
        db_expect(f->db, "0",
                  "SELECT count(*) FROM sigla_updated('t') WHERE "
                  "updated_at IS NOT sigla_updated_at('t',key)");
        db_expect(f->db, "1|1",
                  "SELECT count(*)=(SELECT count(*) FROM t),count(*)=count(DISTINCT key)"
                  " FROM sigla_updated('t')");
        db_expect(f->db, "0",
                  "SELECT count(*) FROM (SELECT at>lag(at) OVER (ORDER BY r) AS newer FROM "
                  "(SELECT row_number() OVER () AS r, updated_at AS at FROM "
                  "sigla_updated('t'))) WHERE newer");
    }
}

static void test_many_pending_changes_are_no_burden(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db,
            "SELECT sigla_index_updated('t'); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
            "i+1 FROM n WHERE i<30000) INSERT INTO t SELECT i,i FROM n");
    fold(f->db);
    db_exec(f->db, "UPDATE t SET a=0");
    db_expect(f->db, "30000", "SELECT count(*) FROM sigla_updated('t')");
}

static void test_wrong_use(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_refuses(f->db, "sigla_updated(table)", "SELECT * FROM sigla_updated");
    db_refuses(f->db, "is not tracked", "SELECT * FROM sigla_updated('other')");
    db_refuses(f->db, "is not tracked", "SELECT sigla_index_updated('other')");
    db_refuses(f->db, "is not tracked", "SELECT * FROM sigla_updated(NULL)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_newest_first_whether_folded_or_not),
        TEST(test_the_plan_is_an_index_search),
        TEST(test_the_first_rows_cost_no_more_than_themselves),
        TEST(test_an_index_made_late_holds_what_was_there),
        TEST(test_keys_of_every_kind),
        TEST(test_the_order_is_that_of_updated_at_after_many_random_writes),
        TEST(test_many_pending_changes_are_no_burden),
        TEST(test_wrong_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
