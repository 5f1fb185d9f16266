/* What each kind of statement on a tracked table queues. */
#include "lib/db.h"

static void tasks(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT, note);"
                "SELECT sigla_track('tasks');"
                "INSERT INTO tasks VALUES('a','Tea',0,NULL),('b','Bread',0,'rye')");
    db_taken(db);
}

static void test_an_insert_queues_all_columns(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT DEFAULT 'x', c REAL);"
                   "SELECT sigla_track('t'); INSERT INTO t(id,a) VALUES(7,1)");
    db_pending(f->db, "insert|t|7|{\"a\":1,\"b\":\"x\",\"c\":null}");
}

static void test_an_update_queues_the_columns_it_changed(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "UPDATE tasks SET title='Coffee', done=0, note=NULL WHERE id='a'");
    db_pending(f->db, "update|tasks|a|{\"title\":\"Coffee\"}");
}

static void test_an_update_that_changes_nothing_queues_nothing(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "UPDATE tasks SET title=title, id=id; UPDATE tasks SET title='x' WHERE id='z'");
    db_pending(f->db, "");
    db_expect(f->db, "1", "SELECT count(*) FROM sigla_outbox");
}

static void test_a_delete_queues_the_key(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "DELETE FROM tasks WHERE id='b'");
    db_pending(f->db, "delete|tasks|b|{}");
}

static void test_delete_without_where_queues_every_row(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "DELETE FROM tasks");
    db_pending(f->db, "delete|tasks|a|{}\ndelete|tasks|b|{}");
}

static void test_one_transaction_is_one_stamp_and_its_net_effect(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "BEGIN; UPDATE tasks SET title='1' WHERE id='a';"
                   "UPDATE tasks SET title='2', done=1 WHERE id='a';"
                   "INSERT INTO tasks VALUES('c','C',0,1); UPDATE tasks SET note=2 WHERE id='c';"
                   "INSERT INTO tasks VALUES('d','D',0,1); DELETE FROM tasks WHERE id='d';"
                   "UPDATE tasks SET done=1 WHERE id='b'; DELETE FROM tasks WHERE id='b'; COMMIT");
    db_pending(f->db, "update|tasks|a|{\"title\":\"2\",\"done\":1}\n"
                      "insert|tasks|c|{\"title\":\"C\",\"done\":0,\"note\":2}\n"
                      "delete|tasks|b|{}");
    db_expect(f->db, "1|3", "SELECT count(DISTINCT at),count(*) FROM sigla_pending()");
    db_expect(f->db, "5", "SELECT tx_last FROM sigla_outbox WHERE n=3");
}

static void test_back_and_forth_in_two_transactions_is_an_edit_each(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "UPDATE tasks SET title='Milk' WHERE id='a';"
                   "UPDATE tasks SET title='Tea' WHERE id='a'");
    db_pending(f->db, "update|tasks|a|{\"title\":\"Milk\"}\nupdate|tasks|a|{\"title\":\"Tea\"}");
}

static void test_delete_and_insert_anew_queues_the_whole_row(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "BEGIN; DELETE FROM tasks WHERE id='a';"
                   "INSERT INTO tasks VALUES('a','Tea',0,NULL); COMMIT");
    db_pending(f->db, "insert|tasks|a|{\"title\":\"Tea\",\"done\":0,\"note\":null}");
}

/* ---- upsert and REPLACE ---- */

static void test_an_upsert_that_changes_one_field_marks_one_field(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "INSERT INTO tasks VALUES('a','Tea',1,NULL),('c','C',0,1) ON CONFLICT(id) DO "
                   "UPDATE SET title=excluded.title, done=excluded.done, note=excluded.note");
    db_pending(f->db, "update|tasks|a|{\"done\":1}\n"
                      "insert|tasks|c|{\"title\":\"C\",\"done\":0,\"note\":1}");
}

static void test_an_upsert_that_does_nothing_queues_nothing(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "INSERT INTO tasks VALUES('a','x',1,2) ON CONFLICT DO NOTHING");
    db_pending(f->db, "");
}

static void test_replace_that_changes_one_field_marks_one_field(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    for (int recursive = 0; recursive < 2; recursive++) {
        db_exec(f->db, "PRAGMA recursive_triggers=%d", recursive);
        db_exec(f->db, "REPLACE INTO tasks VALUES('a','Tea',%d,NULL)", recursive + 1);
        char rows[60];
        sqlite3_snprintf(sizeof rows, rows, "update|tasks|a|{\"done\":%d}", recursive + 1);
        db_pending(f->db, rows);
        db_taken(f->db);
    }
}

static void test_replace_by_the_same_row_queues_nothing(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "REPLACE INTO tasks SELECT * FROM tasks");
    db_pending(f->db, "");
}

static void test_replace_after_an_update_keeps_the_update(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "BEGIN; UPDATE tasks SET title='Milk' WHERE id='a';"
                   "REPLACE INTO tasks VALUES('a','Milk',5,NULL); COMMIT");
    db_pending(f->db, "update|tasks|a|{\"title\":\"Milk\",\"done\":5}");
}

static void test_replace_twice_in_a_transaction_marks_what_differs_in_the_end(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "BEGIN; REPLACE INTO tasks VALUES('a','Milk',5,1);"
                   "REPLACE INTO tasks VALUES('a','Tea',6,NULL); COMMIT");
    db_pending(f->db, "update|tasks|a|{\"done\":6}");
}

/* capture.md's trap: without recursive_triggers no DELETE trigger fires for such a row. */
static void test_replace_that_removes_another_row_queues_its_delete(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE u(id INTEGER PRIMARY KEY, mail TEXT UNIQUE, x INT, y INT,"
                   " UNIQUE(x,y)); SELECT sigla_track('u')");
    for (int recursive = 0; recursive < 2; recursive++) {
        db_exec(f->db, "PRAGMA recursive_triggers=%d; DELETE FROM u;", recursive);
        db_exec(f->db, "INSERT INTO u VALUES(1,'m1',1,1),(2,'m2',2,2),(3,'m3',3,3),(4,'m4',4,4)");
        db_taken(f->db);
        db_exec(f->db, "REPLACE INTO u VALUES(1,'m2',3,3)");
        db_expect(f->db, "1|m2|3|3\n4|m4|4|4", "SELECT * FROM u");
        db_expect(f->db, "delete|2|{}\ndelete|3|{}\nupdate|1|{\"mail\":\"m2\",\"x\":3,\"y\":3}",
                  "SELECT op,key,fields FROM sigla_pending() ORDER BY op,key");
        db_taken(f->db);
        db_exec(f->db, "UPDATE OR REPLACE u SET mail='m4' WHERE id=1");
        db_expect(f->db, "delete|4|{}\nupdate|1|{\"mail\":\"m4\"}",
                  "SELECT op,key,fields FROM sigla_pending() ORDER BY op,key");
        db_taken(f->db);
    }
}

static void test_replace_is_seen_through_every_kind_of_unique_index(void **state)
{
    static const char *const indexes[] = {
        "CREATE UNIQUE INDEX u ON t(a COLLATE NOCASE)",
        "CREATE UNIQUE INDEX u ON t(a DESC)",
        "CREATE UNIQUE INDEX u ON t(lower(a))",
        "CREATE UNIQUE INDEX u ON t(lower(a) || ')' /* ( */, b ASC)",
        "CREATE UNIQUE INDEX \"u (\"\" \" ON t([a] COLLATE NOCASE) WHERE b=1",
        "CREATE UNIQUE INDEX u ON t(substr(g,1,1),b) WHERE (b>0)",
        "CREATE UNIQUE INDEX u ON t(g)",
        "CREATE UNIQUE INDEX u ON t(lower(a) -- )\n) WHERE b=1 -- (",
    };
    db_fixture *f = *state;
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        db_exec(f->db, "CREATE TABLE t(id TEXT PRIMARY KEY, a TEXT, b INT, g AS (lower(a)))");
        db_exec(f->db, "%s", indexes[i]);
        db_exec(f->db, "SELECT sigla_track('t'); INSERT INTO t VALUES('1','x',1),('2','y',1)");
        db_taken(f->db);
        bool same_case = i == 1;
        db_exec(f->db, "REPLACE INTO t VALUES('3','%s',1)", same_case ? "x" : "X");
        db_expect(f->db, "delete|1\ninsert|3",
                  "SELECT op,key FROM sigla_pending() ORDER BY op,key");
        db_taken(f->db);
        db_exec(f->db, "UPDATE OR REPLACE t SET a='%s' WHERE id='3'", same_case ? "y" : "Y");
        db_expect(f->db, "delete|2\nupdate|3",
                  "SELECT op,key FROM sigla_pending() ORDER BY op,key");
        db_expect(f->db, "3", "SELECT id FROM t");
        db_exec(f->db, "DELETE FROM t; SELECT sigla_untrack('t'); DROP TABLE t");
        db_taken(f->db);
    }
}

static void test_a_partial_unique_index_is_searched_not_scanned(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, gone INT);"
                   "CREATE UNIQUE INDEX u ON t(a) WHERE gone=0; SELECT sigla_track('t')");
    char *plan = db_rows(f->db, "EXPLAIN QUERY PLAN INSERT INTO t VALUES(1,'a',0)");
    db_expect(f->db, "0", "SELECT %Q LIKE '%%SCAN t%%'", plan);
    sqlite3_free(plan);
}

static void test_a_row_moved_out_of_a_partial_index_by_replace_is_seen(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, gone INT);"
                   "CREATE UNIQUE INDEX u ON t(a) WHERE gone=0; SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,'a',0),(2,'a',1)");
    db_taken(f->db);
    db_exec(f->db, "UPDATE OR REPLACE t SET gone=0 WHERE id=2");
    db_expect(f->db, "delete|1|{}\nupdate|2|{\"gone\":0}",
              "SELECT op,key,fields FROM sigla_pending() ORDER BY op,key");
}

/* ---- keys ---- */

static void test_a_changed_key_is_a_delete_and_an_insert(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "UPDATE tasks SET id='z', done=1 WHERE id='a'");
    db_pending(f->db, "delete|tasks|a|{}\n"
                      "insert|tasks|z|{\"title\":\"Tea\",\"done\":1,\"note\":null}");
}

static void test_keys_moved_over_one_another(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,'one'),(2,'two'),(3,'three')");
    db_taken(f->db);
    db_exec(f->db, "UPDATE t SET id=id-1");
    db_expect(f->db,
              "delete|3|{}\ninsert|0|{\"a\":\"one\"}\ninsert|1|{\"a\":\"two\"}\n"
              "insert|2|{\"a\":\"three\"}",
              "SELECT op,key,fields FROM sigla_pending() ORDER BY op,key");
    db_taken(f->db);
    db_exec(f->db, "UPDATE OR REPLACE t SET id=2 WHERE id=0; UPDATE t SET rowid=5 WHERE oid=2");
    db_expect(f->db, "1|two\n5|one", "SELECT * FROM t");
    db_expect(f->db, "delete|0|{}\nupdate|2|{\"a\":\"one\"}\ndelete|2|{}\ninsert|5|{\"a\":\"one\"}",
              "SELECT op,key,fields FROM sigla_pending() ORDER BY at,op,key");
}

static void test_a_null_key_is_refused_and_says_which_column(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_refuses(f->db, "has NULL in its key column \"id\"", "INSERT INTO tasks VALUES(NULL,1,2,3)");
    db_refuses(f->db, "has NULL in its key column", "UPDATE tasks SET id=NULL WHERE id='a'");
    db_expect(f->db, "a\nb", "SELECT id FROM tasks");
    db_pending(f->db, "");
    db_exec(f->db, "CREATE TABLE c(x INT, y INT, PRIMARY KEY(x,y)); SELECT sigla_track('c')");
    db_refuses(f->db, "has NULL in its key column \"y\"", "INSERT INTO c VALUES(1,NULL)");
}

static void test_a_key_that_changes_its_case_is_another_record(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id TEXT PRIMARY KEY COLLATE NOCASE, a); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES('abc',1)");
    db_taken(f->db);
    db_exec(f->db, "BEGIN; UPDATE t SET a=2; UPDATE t SET id='ABC'; COMMIT");
    db_expect(f->db, "delete|abc|{}\ninsert|ABC|{\"a\":2}",
              "SELECT op,key,fields FROM sigla_pending() ORDER BY op");
    db_expect(f->db, "1|0",
              "SELECT (SELECT count(*) FROM sigla_marks('t','ABC')),"
              "(SELECT count(*) FROM sigla_marks('t','abc') WHERE field IS NOT NULL)");
}

/* ---- conflict clauses ---- */

static void checked(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CHECK(a<10));"
                "SELECT sigla_track('t'); INSERT INTO t VALUES(1,1),(2,2),(3,9)");
    db_taken(db);
}

static void test_a_failed_statement_leaves_what_sqlite_leaves(void **state)
{
    static const struct {
        const char *clause, *rows, *pending;
    } cases[] = {
        {"", "1|1\n2|2\n3|9", "update|9"},
        {"OR ABORT", "1|1\n2|2\n3|9", "update|9"},
        {"OR FAIL", "1|2\n2|3\n3|9", "update|1\nupdate|2\nupdate|9"},
        {"OR IGNORE", "1|2\n2|3\n3|9", "update|1\nupdate|2\nupdate|9"},
        {"OR ROLLBACK", "1|1\n2|2\n3|9", ""},
    };
    db_fixture *f = *state;
    checked(f->db);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        db_exec(f->db, "DELETE FROM t WHERE id=9; UPDATE t SET a=id WHERE id<3;"
                       "INSERT INTO t VALUES(9,0)");
        db_taken(f->db);
        db_exec(f->db, "BEGIN; UPDATE t SET a=5 WHERE id=9");
        char *sql = sqlite3_mprintf("UPDATE %s t SET a=a+1 WHERE id<9", cases[i].clause);
        int rc = db_try(f->db, sql);
        sqlite3_free(sql);
        assert_int_equal(rc & 0xff, i == 3 ? SQLITE_OK : SQLITE_CONSTRAINT);
        assert_int_equal(sqlite3_get_autocommit(f->db), i == 4);
        if (i != 4) db_exec(f->db, "COMMIT");
        db_expect(f->db, cases[i].rows, "SELECT * FROM t WHERE id<9");
        db_expect(f->db, cases[i].pending, "SELECT op,key FROM sigla_pending() ORDER BY key");
    }
}

static void test_or_fail_in_an_insert_keeps_the_rows_before(void **state)
{
    db_fixture *f = *state;
    checked(f->db);
    db_fails(f->db, SQLITE_CONSTRAINT, "INSERT OR FAIL INTO t VALUES(4,4),(5,50),(6,6)");
    db_pending(f->db, "insert|t|4|{\"a\":4}");
    db_fails(f->db, SQLITE_CONSTRAINT, "INSERT INTO t VALUES(7,7),(8,80)");
    db_pending(f->db, "insert|t|4|{\"a\":4}");
    db_exec(f->db, "INSERT OR IGNORE INTO t VALUES(4,0),(5,50),(6,6)");
    db_pending(f->db, "insert|t|4|{\"a\":4}\ninsert|t|6|{\"a\":6}");
}

static void test_statements_of_many_rows(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); SELECT sigla_track('t');"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) "
                   "INSERT INTO t SELECT i,i,'x' FROM n");
    db_expect(f->db, "5000|5000|1",
              "SELECT count(*),count(DISTINCT key),count(DISTINCT at) FROM "
              "sigla_pending()");
    db_taken(f->db);
    db_exec(f->db, "UPDATE t SET b=a WHERE a%%2=0; DELETE FROM t WHERE id<=10 RETURNING id");
    db_expect(f->db, "delete|10\nupdate|2500",
              "SELECT op,count(*) FROM sigla_pending() GROUP BY op ORDER BY op");
}

static void test_update_from_and_returning(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_expect(f->db, "b|Rye",
              "UPDATE tasks SET title=v.t FROM (SELECT 'b' AS k,'Rye' AS t) v WHERE id=v.k "
              "RETURNING id,title");
    db_pending(f->db, "update|tasks|b|{\"title\":\"Rye\"}");
}

/* A big transaction's outbox rows are cut, and still one transaction. */
static void test_L1_a_transaction_that_fills_many_outbox_rows_is_one(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); SELECT sigla_track('t'); BEGIN;"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40) "
                   "INSERT INTO t SELECT i,randomblob(100000) FROM n; COMMIT");
    db_expect(f->db, "1|1|40",
              "SELECT count(*)>4,count(DISTINCT tx_last),max(tx_last) FROM "
              "sigla_outbox");
    db_expect(f->db, "1",
              "SELECT min(ok) FROM (SELECT n+cnt=lead(n,1,41) OVER (ORDER BY n) AS ok "
              "FROM sigla_outbox)");
}

static void test_two_apps_in_one_transaction(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db,
            "CREATE TABLE a(id INTEGER PRIMARY KEY, x); CREATE TABLE b(id INTEGER PRIMARY KEY,"
            " x); SELECT sigla_track('a','{\"app\":\"one\"}');"
            "SELECT sigla_track('b','{\"app\":\"two\"}');"
            "BEGIN; INSERT INTO a VALUES(1,1); INSERT INTO b VALUES(1,2);"
            "INSERT INTO a VALUES(2,3); COMMIT");
    db_expect(f->db, "1|one|a|1\n2|one|a|2\n3|two|b|1",
              "SELECT n,app,\"table\",key FROM sigla_pending() ORDER BY n");
    db_expect(f->db, "1|2\n3|3", "SELECT n,tx_last FROM sigla_outbox ORDER BY n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_insert_queues_all_columns),
        TEST(test_an_update_queues_the_columns_it_changed),
        TEST(test_an_update_that_changes_nothing_queues_nothing),
        TEST(test_a_delete_queues_the_key),
        TEST(test_delete_without_where_queues_every_row),
        TEST(test_one_transaction_is_one_stamp_and_its_net_effect),
        TEST(test_back_and_forth_in_two_transactions_is_an_edit_each),
        TEST(test_delete_and_insert_anew_queues_the_whole_row),
        TEST(test_an_upsert_that_changes_one_field_marks_one_field),
        TEST(test_an_upsert_that_does_nothing_queues_nothing),
        TEST(test_replace_that_changes_one_field_marks_one_field),
        TEST(test_replace_by_the_same_row_queues_nothing),
        TEST(test_replace_after_an_update_keeps_the_update),
        TEST(test_replace_twice_in_a_transaction_marks_what_differs_in_the_end),
        TEST(test_replace_that_removes_another_row_queues_its_delete),
        TEST(test_replace_is_seen_through_every_kind_of_unique_index),
        TEST(test_a_partial_unique_index_is_searched_not_scanned),
        TEST(test_a_row_moved_out_of_a_partial_index_by_replace_is_seen),
        TEST(test_a_changed_key_is_a_delete_and_an_insert),
        TEST(test_keys_moved_over_one_another),
        TEST(test_a_null_key_is_refused_and_says_which_column),
        TEST(test_a_key_that_changes_its_case_is_another_record),
        TEST(test_a_failed_statement_leaves_what_sqlite_leaves),
        TEST(test_or_fail_in_an_insert_keeps_the_rows_before),
        TEST(test_statements_of_many_rows),
        TEST(test_update_from_and_returning),
        TEST(test_L1_a_transaction_that_fills_many_outbox_rows_is_one),
        TEST(test_two_apps_in_one_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
