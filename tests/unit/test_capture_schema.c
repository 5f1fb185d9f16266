/* Tables of every shape, and tables whose shape changes. */
#include "lib/db.h"
#include "sigla.h"

/* ---- shapes ---- */

static void test_keys_of_every_type(void **state)
{
    static const struct {
        const char *type, *key, *shown;
    } cases[] = {
        {"INTEGER", "42", "42"},
        {"INT", "-9223372036854775808", "-9223372036854775808"},
        {"TEXT", "'tea'", "tea"},
        {"TEXT", "''", ""},
        {"TEXT", "'019b0a3e-7c1d-7aaa-8bbb-0123456789ab'", "019b0a3e-7c1d-7aaa-8bbb-0123456789ab"},
        {"TEXT", "'019B0A3E-7C1D-7AAA-8BBB-0123456789AB'", "019B0A3E-7C1D-7AAA-8BBB-0123456789AB"},
        {"TEXT", "CAST(x'ff' AS TEXT)", "\xff"},
        {"BLOB", "x'00ff'", "x'00ff'"},
        {"BLOB", "x''", "x''"},
        {"REAL", "1.5", "1.5"},
        {"REAL", "3.0", "3"},
        {"", "'7'", "7"},
        {"", "1e300", "1.0e+300"},
        {"", "9e999", "Inf"},
        {"NUMERIC", "1152921504606846976.0", "1152921504606846976"},
    };
    db_fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int rowid = 0; rowid < 2; rowid++) {
            db_exec(f->db,
                    "CREATE TABLE t(k %s PRIMARY KEY NOT NULL, v) %s; SELECT sigla_track('t');"
                    "INSERT INTO t VALUES(%s,1); UPDATE t SET v=2; BEGIN; UPDATE t SET v=3;"
                    "UPDATE t SET v=4; COMMIT; REPLACE INTO t SELECT k,5 FROM t; DELETE FROM t",
                    cases[i].type, rowid ? "" : "WITHOUT ROWID", cases[i].key);
            char *rows = sqlite3_mprintf("insert|%s|{\"v\":1}\nupdate|%s|{\"v\":2}\n"
                                         "update|%s|{\"v\":4}\nupdate|%s|{\"v\":5}\ndelete|%s|{}",
                                         cases[i].shown, cases[i].shown, cases[i].shown,
                                         cases[i].shown, cases[i].shown);
            db_expect(f->db, rows, "SELECT op,key,fields FROM sigla_pending() ORDER BY n");
            sqlite3_free(rows);
            db_taken(f->db);
            db_exec(f->db, "SELECT sigla_untrack('t'); DROP TABLE t");
        }
    }
}

static void test_composite_keys(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(v, b TEXT, a INT, c BLOB, PRIMARY KEY(a,b,c)) WITHOUT ROWID;"
                   "SELECT sigla_track('t'); INSERT INTO t VALUES(1,'x',2,x'00'),(1,'y',2,x'');"
                   "UPDATE t SET v=3 WHERE b='x'; UPDATE t SET b='z' WHERE b='y';"
                   "BEGIN; UPDATE t SET v=5 WHERE b='z'; UPDATE t SET v=6 WHERE b='z'; COMMIT");
    db_expect(f->db,
              "insert|[2,\"x\",{\"$blob\":\"AA==\"}]|{\"v\":1}\n"
              "insert|[2,\"y\",{\"$blob\":\"\"}]|{\"v\":1}\n"
              "update|[2,\"x\",{\"$blob\":\"AA==\"}]|{\"v\":3}\n"
              "delete|[2,\"y\",{\"$blob\":\"\"}]|{}\n"
              "insert|[2,\"z\",{\"$blob\":\"\"}]|{\"v\":1}\n"
              "update|[2,\"z\",{\"$blob\":\"\"}]|{\"v\":6}",
              "SELECT op,key,fields FROM sigla_pending() ORDER BY n");
    db_expect(f->db, "v|3", "SELECT field,value FROM sigla_marks('t',2,'x',x'00')");
    db_expect(f->db, "v|6",
              "SELECT field,value FROM sigla_marks('t','[2,\"z\",{\"$blob\":\"\"}]')");
}

static void test_a_table_of_nothing_but_its_key(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(a, b, PRIMARY KEY(a,b)); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,2); REPLACE INTO t VALUES(1,2); UPDATE t SET b=3;"
                   "DELETE FROM t");
    db_pending(f->db, "insert|t|[1,2]|{}\ndelete|t|[1,2]|{}\ninsert|t|[1,3]|{}\ndelete|t|[1,3]|{}");
}

static void test_strict_tables(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id TEXT PRIMARY KEY, i INT, r REAL, b BLOB, a ANY) STRICT;"
                   "SELECT sigla_track('t'); INSERT INTO t VALUES('x',1,2,x'03','4')");
    db_fails(f->db, SQLITE_CONSTRAINT, "UPDATE t SET i='no'");
    db_exec(f->db, "UPDATE t SET a=4");
    db_pending(f->db, "insert|t|x|{\"i\":1,\"r\":2.0,\"b\":{\"$blob\":\"Aw==\"},\"a\":\"4\"}\n"
                      "update|t|x|{\"a\":4}");
}

static void test_generated_columns_are_not_synced(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db,
            "CREATE TABLE t(g1 AS (a*2), id INTEGER PRIMARY KEY, a INT, g2 AS (a+1) STORED, b "
            "INT UNIQUE); SELECT sigla_track('t'); INSERT INTO t(id,a,b) VALUES(1,2,3);"
            "UPDATE t SET a=5; REPLACE INTO t(id,a,b) VALUES(1,6,3);"
            "BEGIN; UPDATE t SET b=7; UPDATE t SET b=8; COMMIT");
    db_pending(f->db, "insert|t|1|{\"a\":2,\"b\":3}\nupdate|t|1|{\"a\":5}\nupdate|t|1|{\"a\":6}\n"
                      "update|t|1|{\"b\":8}");
    db_expect(f->db, "a\nb", "SELECT field FROM sigla_marks('t',1) ORDER BY 1");
}

static void test_names_that_need_quotes(void **state)
{
    static const char *const names[] = {
        "a b",  "\"q\"", "it's", "sel[ect]", "select", "table", "\xc3\xbc\xe2\x98\x95",
        "x;--", "/*",    "*/",   "1",        "a.b",    "new",   "old",
        "%s",   "`"};
    db_fixture *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *n = names[i];
        char *column = sqlite3_mprintf("%s 3", n);
        db_exec(f->db,
                "CREATE TABLE \"%w\"(\"%w\" TEXT PRIMARY KEY, \"%w 2\" INT UNIQUE, \"%w 3\");"
                "SELECT sigla_track(%Q); INSERT INTO \"%w\" VALUES('k',1,2);"
                "UPDATE \"%w\" SET \"%w 3\"=3; REPLACE INTO \"%w\" VALUES('k',1,4);"
                "UPDATE OR REPLACE \"%w\" SET \"%w\"='l'; DELETE FROM \"%w\"",
                n, n, n, n, n, n, n, n, n, n, n, n);
        char *rows = sqlite3_mprintf("insert|%s|k|1\nupdate|%s|k|1\nupdate|%s|k|1\ndelete|%s|k|0\n"
                                     "insert|%s|l|1\ndelete|%s|l|0",
                                     n, n, n, n, n, n);
        db_expect(f->db, rows,
                  "SELECT op,\"table\",key,EXISTS(SELECT 1 FROM json_each(fields) j WHERE "
                  "j.key=%Q) FROM sigla_pending() ORDER BY n",
                  column);
        sqlite3_free(rows);
        sqlite3_free(column);
        db_taken(f->db);
    }
    sqlite3 *again = db_open(f);
    db_exec(again, "INSERT INTO \"select\" VALUES('z',1,2)");
    db_expect(again, "select|z", "SELECT \"table\",key FROM sigla_pending()");
    db_close(again);
}

static void test_as_many_columns_as_may_be(void **state)
{
    db_fixture *f = *state;
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "CREATE TABLE t(id INTEGER PRIMARY KEY");
    for (int i = 1; i < 120; i++)
        sqlite3_str_appendf(sql, ",c%d DEFAULT %d", i, i);
    sqlite3_str_appendall(sql,
                          "); SELECT sigla_track('t'); INSERT INTO t(id) VALUES(1);"
                          "UPDATE t SET c119='last'; REPLACE INTO t(id,c119) VALUES(1,'last')");
    char *text = sqlite3_str_finish(sql);
    db_exec(f->db, "%s", text);
    sqlite3_free(text);
    db_expect(f->db, "insert|119\nupdate|1",
              "SELECT op,(SELECT count(*) FROM json_each(fields)) FROM sigla_pending() ORDER BY n");
    db_refuses(f->db, "more than 120 columns",
               "ALTER TABLE t ADD COLUMN more; SELECT sigla_track('t')");
    db_exec(f->db, "INSERT INTO t(id) VALUES(2); UPDATE t SET c1='x' WHERE id=2");
    db_expect(f->db, "{\"c1\":\"x\"}", "SELECT fields FROM sigla_pending() WHERE n=4");
}

/* ---- columns that come later ---- */

static void tasks(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); SELECT sigla_track('t');"
                "INSERT INTO t VALUES(1,'one'),(2,'two')");
    db_taken(db);
}

static void expect_current(sqlite3 *db)
{
    db_expect(db, "1", "SELECT min(value->>'current') FROM json_each(sigla_status(),'$.tables')");
}

static void test_a_column_added_on_this_connection(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'none'; UPDATE t SET b='x' WHERE id=1;"
                   "UPDATE t SET a='three' WHERE id=2");
    db_pending(f->db, "update|t|1|{\"b\":\"x\"}\nupdate|t|2|{\"a\":\"three\"}");
    expect_current(f->db);
    db_exec(f->db, "UPDATE t SET b='none' WHERE id=1; INSERT INTO t(id) VALUES(3)");
    db_expect(f->db, "1|{\"b\":\"none\"}\n3|{\"a\":null,\"b\":\"none\"}",
              "SELECT key,fields FROM sigla_pending() ORDER BY n LIMIT 2 OFFSET 2");
    db_expect(f->db, "user", "SELECT origin FROM sigla_marks('t',1) WHERE field='b'");
}

static void test_a_column_added_in_the_same_transaction(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "BEGIN; ALTER TABLE t ADD COLUMN b; UPDATE t SET b=1 WHERE id=1; COMMIT;"
                   "BEGIN; UPDATE t SET b=2 WHERE id=1; ALTER TABLE t ADD COLUMN c;"
                   "UPDATE t SET c=3 WHERE id=2; INSERT INTO t VALUES(3,3,3,3); COMMIT");
    db_expect(f->db, "1|{\"b\":1}\n1|{\"b\":2}\n3|{\"a\":3,\"b\":3,\"c\":3}\n2|{\"c\":3}",
              "SELECT key,fields FROM sigla_pending() ORDER BY n");
    expect_current(f->db);
}

static void test_a_column_added_by_another_connection(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_expect(f->db, "2", "SELECT count(*) FROM t");
    for (int sigla = 0; sigla < 2; sigla++) {
        sqlite3 *other = sigla ? db_open(f) : db_open_plain(f);
        db_exec(other, "ALTER TABLE t ADD COLUMN b%d", sigla);
        db_exec(f->db, "UPDATE t SET b%d='x' WHERE id=1", sigla);
        char *rows = sqlite3_mprintf("1|{\"b%d\":\"x\"}", sigla);
        db_expect(f->db, rows, "SELECT key,fields FROM sigla_pending()");
        sqlite3_free(rows);
        db_taken(f->db);
        db_close(other);
    }
    expect_current(f->db);
}

/* Nobody wrote through triggers that know the column, nor through any: found at the next load. */
static void test_a_column_added_and_filled_while_sigla_was_not_there(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_close(f->db);
    f->db = db_open_plain(f);
    db_exec(f->db, "ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'Z' COLLATE NOCASE;"
                   "ALTER TABLE t ADD COLUMN c");
    db_close(f->db);
    f->db = db_open(f);
    expect_current(f->db);
    db_pending(f->db, "");
    db_exec(f->db, "UPDATE t SET b='z', c=0 WHERE id=2");
    db_expect(f->db, "2|b\n2|c",
              "SELECT p.key,j.key FROM sigla_pending() p, json_each(p.fields) j ORDER BY 2");
}

static void test_a_default_of_a_new_column_is_nobodys_write(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db,
            "ALTER TABLE t ADD COLUMN b DEFAULT 5; UPDATE t SET a='x'; SELECT sigla_refresh()");
    db_pending(f->db, "update|t|1|{\"a\":\"x\"}\nupdate|t|2|{\"a\":\"x\"}");
    db_expect(f->db, "a", "SELECT DISTINCT field FROM sigla_marks('t',1)");
}

static void test_a_renamed_column_is_a_new_field(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "ALTER TABLE t RENAME COLUMN a TO b; UPDATE t SET b='x' WHERE id=1");
    db_expect(f->db, "1|{\"b\":\"x\"}|user\n2|{\"b\":\"two\"}|migration",
              "SELECT key,fields,origin FROM sigla_pending() ORDER BY n");
    expect_current(f->db);
}

static void test_a_tracked_column_is_dropped_when_it_was_made_local(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "ALTER TABLE t ADD COLUMN b; UPDATE t SET b=1");
    db_refuses(f->db, "after drop column", "ALTER TABLE t DROP COLUMN a");
    db_exec(f->db, "SELECT sigla_track('t','{\"local\":[\"a\"]}'); ALTER TABLE t DROP COLUMN a");
    db_taken(f->db);
    db_exec(f->db, "UPDATE t SET b=2 WHERE id=1; INSERT INTO t VALUES(3,3)");
    db_pending(f->db, "update|t|1|{\"b\":2}\ninsert|t|3|{\"b\":3}");
    expect_current(f->db);
}

/* ---- indexes that come later ---- */

static void test_a_unique_index_made_after_tracking_is_watched(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "CREATE UNIQUE INDEX u ON t(a)");
    db_exec(f->db, "REPLACE INTO t VALUES(3,'one')"); /* nobody watched it yet */
    db_expect(f->db, "2\n3", "SELECT id FROM t");
    db_expect(f->db, "delete|1\ninsert|3", "SELECT op,key FROM sigla_pending() ORDER BY key");
    db_taken(f->db);
    db_exec(f->db, "REPLACE INTO t VALUES(4,'two')");
    db_expect(f->db, "delete|2\ninsert|4", "SELECT op,key FROM sigla_pending() ORDER BY key");
    expect_current(f->db);
}

/* ---- tables that go, come and change their name ---- */

static void test_a_renamed_table_stays_the_same_on_the_wire(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db,
            "ALTER TABLE t RENAME TO \"new name\"; UPDATE \"new name\" SET a='x' WHERE id=1;"
            "BEGIN; INSERT INTO \"new name\" VALUES(3,3); ALTER TABLE \"new name\" RENAME TO s;"
            "INSERT INTO s VALUES(4,4); COMMIT");
    db_expect(f->db, "s|1|{\"a\":\"x\"}\ns|3|{\"a\":3}\ns|4|{\"a\":4}",
              "SELECT \"table\",key,fields FROM sigla_pending() ORDER BY n");
    db_expect(f->db, "s|t|1", "SELECT name,wire,active FROM sigla_table");
    db_expect(f->db, "a|\"x\"", "SELECT field,value FROM sigla_marks('s',1)");
    db_refuses(f->db, "not tracked", "SELECT * FROM sigla_marks('t',1)");
}

static void test_tables_that_swap_their_names(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db,
            "CREATE TABLE v(id INTEGER PRIMARY KEY, b); SELECT sigla_track('v');"
            "ALTER TABLE t RENAME TO x; ALTER TABLE v RENAME TO t; ALTER TABLE x RENAME TO v;"
            "INSERT INTO t VALUES(1,'b'); INSERT INTO v VALUES(3,'a')");
    db_expect(f->db, "t|v\nv|t", "SELECT name,wire FROM sigla_table ORDER BY name");
    db_pending(f->db, "insert|t|1|{\"b\":\"b\"}\ninsert|v|3|{\"a\":\"a\"}");
}

static void test_a_dropped_table_keeps_what_is_queued(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "INSERT INTO t VALUES(3,3); DROP TABLE t;"
                   "CREATE TABLE v(id INTEGER PRIMARY KEY); SELECT sigla_track('v');"
                   "INSERT INTO v VALUES(1)");
    db_expect(f->db, "t|3\nv|1", "SELECT \"table\",key FROM sigla_pending() ORDER BY n");
    db_refuses(f->db, "is gone", "SELECT * FROM sigla_marks('t',1)");
    db_expect(f->db, "1|1",
              "SELECT t->>'tracked',t->>'missing' FROM (SELECT value AS t FROM "
              "json_each(sigla_status(),'$.tables')) WHERE t->>'name'='t'");
    db_exec(f->db, "SELECT sigla_refresh(); SELECT sigla_untrack('v')");
}

static void test_a_table_written_and_dropped_in_one_transaction(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "BEGIN; INSERT INTO t VALUES(3,3); DROP TABLE t; COMMIT");
    db_pending(f->db, "");
}

/* The way to change a table that ALTER cannot: make another, copy, drop, rename. */
static void test_a_rebuilt_table_is_tracked_again_and_its_marks_stay(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db,
            "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b DEFAULT 0);"
            "INSERT INTO n(id,a) SELECT id,a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;"
            "COMMIT; SELECT sigla_refresh(); UPDATE t SET b=1 WHERE id=1;"
            "INSERT INTO t VALUES(3,'x',0)");
    db_pending(f->db, "update|t|1|{\"b\":1}\ninsert|t|3|{\"a\":\"x\",\"b\":0}");
    db_expect(f->db, "user", "SELECT origin FROM sigla_marks('t',2)");
    expect_current(f->db);
}

static void test_rows_written_into_a_rebuilt_table_before_anybody_looked(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "UPDATE sigla_app SET cursor='c', seq=7;"
                   "CREATE TABLE n(id INTEGER PRIMARY KEY, a); INSERT INTO n VALUES(2,'two'),(5,5);"
                   "DROP TABLE t; ALTER TABLE n RENAME TO t; INSERT INTO t VALUES(6,6)");
    db_close(f->db);
    f->db = db_open(f);
    db_expect(f->db,
              "insert|5|1970-01-01T00:00:00.000Z|migration\n"
              "insert|6|1970-01-01T00:00:00.000Z|migration",
              "SELECT op,key,at,origin FROM sigla_pending() ORDER BY n");
    /* The row that is not there is asked for again, not deleted for everybody. */
    db_expect(f->db, "|0", "SELECT cursor,seq FROM sigla_app");
    db_expect(f->db, "", "SELECT * FROM sigla_marks('t',1)");
}

static void test_a_table_rebuilt_without_a_key_is_left_alone(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "DROP TABLE t; CREATE TABLE t(id,a); SELECT sigla_refresh();"
                   "INSERT INTO t VALUES(1,2); UPDATE t SET a=3; DELETE FROM t");
    db_pending(f->db, "");
    db_refuses(f->db, "no PRIMARY KEY", "SELECT sigla_track('t')");
}

static void test_vacuum_and_reindex(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id TEXT PRIMARY KEY, a); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES('a',1),('b',2),('c',3); DELETE FROM t WHERE id='a';"
                   "VACUUM; UPDATE t SET a=4 WHERE id='c'; REINDEX; VACUUM;"
                   "BEGIN; UPDATE t SET a=5; UPDATE t SET a=6; COMMIT");
    db_expect(f->db, "c|{\"a\":4}\nb|{\"a\":6}\nc|{\"a\":6}",
              "SELECT key,fields FROM sigla_pending() ORDER BY n LIMIT 3 OFFSET 4");
    db_exec(f->db, "VACUUM INTO '%q/copy.db'", f->dir);
    char *path = db_path(f, "copy.db");
    sqlite3 *copy = db_open_file(f, path);
    db_exec(copy, "UPDATE t SET a=7 WHERE id='b'");
    db_expect(copy, "8", "SELECT count(*) FROM sigla_pending()");
    db_close(copy);
    sqlite3_free(path);
}

/* ---- other databases ---- */

static void test_tables_of_attached_databases_are_refused(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "ATTACH '%q/b.db' AS b; CREATE TABLE b.far(id INTEGER PRIMARY KEY, a)", f->dir);
    db_refuses(f->db, "is in the database \"b\": only tables of the main database",
               "SELECT sigla_track('far')");
    db_refuses(f->db, "only tables of the main database", "SELECT sigla_track('b.far')");
    db_exec(f->db, "CREATE TABLE b.t(id INTEGER PRIMARY KEY, a); INSERT INTO b.t VALUES(9,9);"
                   "INSERT INTO t VALUES(3,3)");
    db_pending(f->db, "insert|t|3|{\"a\":3}");
}

static void test_a_tracked_table_of_an_attached_database_cannot_be_written(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    char *path = db_path(f, "b.db");
    sqlite3 *other = db_open_file(f, path);
    db_exec(other, "CREATE TABLE t(id INTEGER PRIMARY KEY, a); SELECT sigla_track('t')");
    db_close(other);
    db_exec(f->db, "ATTACH %Q AS b", path);
    db_refuses(f->db, "tracked in another database file", "INSERT INTO b.t VALUES(1,1)");
    db_exec(f->db, "INSERT INTO main.t VALUES(3,3)");
    db_expect(f->db, "", "SELECT * FROM b.t");
    db_pending(f->db, "insert|t|3|{\"a\":3}");
    sqlite3_free(path);
}

static void test_an_attached_copy_of_the_database_cannot_be_written(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db, "VACUUM INTO '%q/c.db'; ATTACH '%q/c.db' AS \"a copy\"", f->dir, f->dir);
    db_refuses(f->db, "the attached database \"a copy\" is a copy of this one",
               "INSERT INTO \"a copy\".t VALUES(3,3)");
    db_refuses(f->db, "is a copy of this one", "INSERT INTO t VALUES(3,3)");
    db_exec(f->db, "DETACH \"a copy\"; INSERT INTO t VALUES(3,3)");
    db_pending(f->db, "insert|t|3|{\"a\":3}");
}

static void test_a_temp_table_of_the_same_name_is_another_table(void **state)
{
    db_fixture *f = *state;
    tasks(f->db);
    db_exec(f->db,
            "CREATE TEMP TABLE t(id INTEGER PRIMARY KEY, a UNIQUE);"
            "INSERT INTO t VALUES(1,'temp'); INSERT INTO main.t VALUES(3,3);"
            "BEGIN; UPDATE main.t SET a=4 WHERE id=3; REPLACE INTO main.t VALUES(3,5); COMMIT");
    db_pending(f->db, "insert|t|3|{\"a\":3}\nupdate|t|3|{\"a\":5}");
    db_refuses(f->db, "is in the database \"temp\"", "SELECT sigla_track('t')");
}

/* ---- settings ---- */

static void test_under_settings_that_distrust_the_schema(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "PRAGMA trusted_schema=OFF; PRAGMA recursive_triggers=ON");
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(f->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    tasks(f->db);
    db_exec(f->db,
            "UPDATE t SET a=1 WHERE id=1; REPLACE INTO t VALUES(2,5); DELETE FROM t WHERE id=1;"
            "ALTER TABLE t ADD COLUMN b; UPDATE t SET b=6");
    db_pending(f->db, "update|t|1|{\"a\":1}\nupdate|t|2|{\"a\":5}\ndelete|t|1|{}\n"
                      "update|t|2|{\"b\":6}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_of_every_type),
        TEST(test_composite_keys),
        TEST(test_a_table_of_nothing_but_its_key),
        TEST(test_strict_tables),
        TEST(test_generated_columns_are_not_synced),
        TEST(test_names_that_need_quotes),
        TEST(test_as_many_columns_as_may_be),
        TEST(test_a_column_added_on_this_connection),
        TEST(test_a_column_added_in_the_same_transaction),
        TEST(test_a_column_added_by_another_connection),
        TEST(test_a_column_added_and_filled_while_sigla_was_not_there),
        TEST(test_a_default_of_a_new_column_is_nobodys_write),
        TEST(test_a_renamed_column_is_a_new_field),
        TEST(test_a_tracked_column_is_dropped_when_it_was_made_local),
        TEST(test_a_unique_index_made_after_tracking_is_watched),
        TEST(test_a_renamed_table_stays_the_same_on_the_wire),
        TEST(test_tables_that_swap_their_names),
        TEST(test_a_dropped_table_keeps_what_is_queued),
        TEST(test_a_table_written_and_dropped_in_one_transaction),
        TEST(test_a_rebuilt_table_is_tracked_again_and_its_marks_stay),
        TEST(test_rows_written_into_a_rebuilt_table_before_anybody_looked),
        TEST(test_a_table_rebuilt_without_a_key_is_left_alone),
        TEST(test_vacuum_and_reindex),
        TEST(test_tables_of_attached_databases_are_refused),
        TEST(test_a_tracked_table_of_an_attached_database_cannot_be_written),
        TEST(test_an_attached_copy_of_the_database_cannot_be_written),
        TEST(test_a_temp_table_of_the_same_name_is_another_table),
        TEST(test_under_settings_that_distrust_the_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
