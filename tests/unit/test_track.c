/* sigla_track, its options, sigla_untrack and sigla_sweep. */
#include <string.h>

#include "lib/db.h"

#define NOTES "CREATE TABLE notes(id TEXT PRIMARY KEY, title TEXT, body TEXT, lat REAL, lon REAL)"

static void notes(sqlite3 *db, const char *options)
{
    db_exec(db, NOTES "; SELECT sigla_track('notes',%Q)", options);
}

/* ---- what is refused ---- */

static void test_what_cannot_be_tracked_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *sql, *table, *message;
    } cases[] = {
        {"", "nowhere", "there is no table \"nowhere\": create it first"},
        {"", "", "there is no table \"\""},
        {"CREATE TABLE a(x,y)", "a", "no PRIMARY KEY"},
        {"CREATE VIEW b AS SELECT 1 AS id", "b", "\"b\" is a view: only ordinary tables"},
        {"CREATE VIRTUAL TABLE c USING fts5(x)", "c", "\"c\" is a virtual table: only"},
        {"CREATE VIRTUAL TABLE c USING fts5(x)", "c_data", "\"c_data\" is a shadow table: only"},
        {"", "sqlite_schema", "is not a table of yours"},
        {"", "sigla_state", "is not a table of yours"},
        {"", "sigla_pending", "is not a table of yours"},
        {"CREATE TEMP TABLE d(id INTEGER PRIMARY KEY)", "d", "which ends with the connection"},
        {"CREATE TABLE e(id INTEGER PRIMARY KEY)", "main.e", "without \"main.\""},
        {"", "pragma_table_info", "there is no table"},
    };
    db_fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].table, "c_data") != 0) db_exec(f->db, "%s", cases[i].sql);
        char *sql = sqlite3_mprintf("SELECT sigla_track(%Q)", cases[i].table);
        db_refuses(f->db, cases[i].message, "%s", sql);
        sqlite3_free(sql);
    }
    db_refuses(f->db, "there is no table", "SELECT sigla_track(NULL)");
    db_expect(f->db, "", "SELECT name FROM sqlite_schema WHERE type='trigger'");
    db_exec(f->db, NOTES "; SELECT sigla_track('notes')");
    db_expect(f->db, "notes", "SELECT name FROM sigla_table");
}

static void test_a_refused_table_leaves_no_trace_in_a_transaction(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE a(x)");
    db_exec(f->db, "BEGIN; CREATE TABLE b(id INTEGER PRIMARY KEY)");
    db_refuses(f->db, "no PRIMARY KEY", "SELECT sigla_track('a')");
    db_exec(f->db, "SELECT sigla_track('b'); INSERT INTO b VALUES(1); COMMIT");
    db_expect(f->db, "b", "SELECT name FROM sigla_table");
    db_pending(f->db, "insert|b|1|{}");
}

static void test_a_row_whose_key_is_null_is_named(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, NOTES "; INSERT INTO notes(title) VALUES('x')");
    db_refuses(f->db, "\"notes\" has a row whose key is NULL", "SELECT sigla_track('notes')");
    db_exec(f->db, "UPDATE notes SET id='a'; SELECT sigla_track('notes')");
}

static void test_bad_options_are_refused_and_the_known_ones_named(void **state)
{
    static const char *const bad[] = {
        "x",
        "[]",
        "{",
        "{}x",
        "null",
        "{\"colour\":1}",
        "{\"app\":1}",
        "{\"app\":\"\"}",
        "{\"as\":null}",
        "{\"as\":\"a\\u0000b\"}",
        "{\"local\":\"title\"}",
        "{\"local\":[1]}",
        "{\"local\":[[\"title\"]]}",
        "{\"groups\":[\"lat\"]}",
        "{\"groups\":[[[\"lat\"]]]}",
        "{\"json\":{}}",
        "{\"groups\":[[\"lat\",\"lon\"],[\"lon\",\"title\"]]}",
    };
    db_fixture *f = *state;
    db_exec(f->db, NOTES);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        db_refuses(f->db, "known: {\"app\":name", "SELECT sigla_track('notes',%Q)", bad[i]);
    db_refuses(f->db, "\"colour\" in \"local\": the table has no such column",
               "SELECT sigla_track('notes','{\"local\":[\"colour\"]}')");
    db_refuses(f->db, "\"ID\" in \"local\": the key travels as the record's id",
               "SELECT sigla_track('notes','{\"local\":[\"ID\"]}')");
    char *long_name = sqlite3_mprintf("%.*c", 257, 'x');
    db_refuses(f->db, "\"as\" is not a name of 1..256 bytes",
               "SELECT sigla_track('notes','{\"as\":\"%s\"}')", long_name);
    db_exec(f->db, "CREATE TABLE \"%s\"(id INTEGER PRIMARY KEY)", long_name);
    db_refuses(f->db, "longer than 256 bytes", "SELECT sigla_track('%s')", long_name);
    db_exec(f->db, "SELECT sigla_track('%s','{\"as\":\"short\"}')", long_name);
    db_exec(f->db, "CREATE TABLE w(id INTEGER PRIMARY KEY, \"%s\")", long_name);
    db_refuses(f->db, "longer than 256 bytes", "SELECT sigla_track('w')");
    sqlite3_free(long_name);
    db_expect(f->db, "0", "SELECT count(*) FROM sigla_table WHERE name='notes'");
}

static void test_tracking_inside_a_statement_that_writes_is_refused(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, NOTES "; CREATE TABLE log(x)");
    db_fails(f->db, 0, "INSERT INTO log SELECT sigla_track('notes')");
    db_expect(f->db, "", "SELECT * FROM log");
    db_exec(f->db, "SELECT sigla_track('notes'); INSERT INTO notes(id) VALUES('a')");
    db_expect(f->db, "a", "SELECT key FROM sigla_pending()");
}

static void test_functions_that_change_things_are_not_for_triggers(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{}");
    db_exec(f->db, "CREATE TABLE log(x); CREATE TRIGGER sly AFTER INSERT ON log BEGIN SELECT "
                   "sigla_untrack('notes'); END");
    db_refuses(f->db, "unsafe use of sigla_untrack", "INSERT INTO log VALUES(1)");
}

/* ---- options ---- */

static void test_app_and_wire_name(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"app\":\"todo\",\"as\":\"n\"}");
    db_expect(f->db, "notes|n|todo",
              "SELECT t.name,wire,a.name FROM sigla_table t JOIN sigla_app a "
              "ON a.id=t.app");
    db_exec(f->db, "INSERT INTO notes(id) VALUES('a')");
    db_expect(f->db, "todo|notes", "SELECT app,\"table\" FROM sigla_pending()");
    db_exec(f->db, "CREATE TABLE n(id INTEGER PRIMARY KEY)");
    db_refuses(f->db, "another table of this app already travels as \"n\"",
               "SELECT sigla_track('n','{\"app\":\"todo\"}')");
    db_exec(f->db, "SELECT sigla_track('n')");
    db_refuses(f->db, "is tracked in the app \"todo\" as \"n\": sigla_untrack() it first",
               "SELECT sigla_track('notes','{\"app\":\"other\"}')");
    db_refuses(f->db, "sigla_untrack() it first", "SELECT sigla_track('notes','{\"as\":\"m\"}')");
    db_exec(f->db, "SELECT sigla_track('notes')");
    db_expect(f->db, "n", "SELECT wire FROM sigla_table WHERE name='notes'");
}

static void test_local_columns_stay(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"local\":[\"BODY\",\"l\\u0061t\"]}");
    db_exec(f->db,
            "INSERT INTO notes VALUES('a','t','b',1,2); UPDATE notes SET body='x', lat=5;"
            "UPDATE notes SET body='y', title='z'; REPLACE INTO notes VALUES('a','z','w',9,2)");
    db_pending(f->db, "insert|notes|a|{\"title\":\"t\",\"lon\":2.0}\n"
                      "update|notes|a|{\"title\":\"z\"}");
}

static void test_a_column_that_is_local_no_more_is_queued(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"local\":[\"body\"]}");
    db_exec(f->db, "INSERT INTO notes(id,body) VALUES('a','text'),('b',NULL)");
    db_taken(f->db);
    db_exec(f->db, "SELECT sigla_track('notes','{\"local\":[]}')");
    db_pending(f->db, "update|notes|a|{\"body\":\"text\"}");
    db_taken(f->db);
    db_exec(f->db, "UPDATE notes SET body='x'");
    db_pending(f->db, "update|notes|a|{\"body\":\"x\"}\nupdate|notes|b|{\"body\":\"x\"}");
}

static void test_a_group_is_written_together(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"groups\":[[\"title\"],[\"lat\",\"LON\"]]}");
    db_exec(f->db, "INSERT INTO notes VALUES('a','t','b',1,2)");
    db_taken(f->db);
    db_exec(f->db, "UPDATE notes SET lat=3; UPDATE notes SET title='u', body='c';"
                   "REPLACE INTO notes VALUES('a','u','c',3,4)");
    db_expect(f->db, "3|lat=3.0\n3|lon=2.0\n4|body=c\n4|title=u\n5|lat=3.0\n5|lon=4.0",
              "SELECT n-(SELECT min(n) FROM sigla_pending())+3,j.key||'='||j.value FROM "
              "sigla_pending() p, json_each(p.fields) j ORDER BY n,j.key");
}

static void test_tracking_again_is_idempotent(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"app\":\"x\",\"local\":[\"lat\"]}");
    db_exec(f->db, "INSERT INTO notes(id) VALUES('a'); UPDATE sigla_app SET cursor='c', seq=9");
    char *before = db_rows(f->db, "SELECT * FROM sqlite_schema; ");
    char *tables = db_rows(f->db, "SELECT * FROM sigla_table");
    for (int i = 0; i < 3; i++)
        db_exec(f->db, "SELECT sigla_track('NOTES'); SELECT sigla_refresh()");
    db_expect(f->db, tables, "SELECT * FROM sigla_table");
    db_expect(f->db, "1|1|c|9",
              "SELECT (SELECT count(*) FROM sigla_pending()),count(*),cursor,seq "
              "FROM sigla_app");
    char *after = db_rows(f->db, "SELECT * FROM sqlite_schema; ");
    assert_int_equal(strlen(before), strlen(after));
    sqlite3_free(before);
    sqlite3_free(after);
    sqlite3_free(tables);
}

static void test_L4_rows_from_before_are_adopted_under_the_bottom_stamp(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, NOTES "; INSERT INTO notes(id,title) VALUES('a','old'),('b','older'); BEGIN;"
                         "SELECT sigla_track('notes'); UPDATE notes SET title='new' WHERE id='a';"
                         "COMMIT");
    db_expect(f->db,
              "insert|a|1970-01-01T00:00:00.000Z|migration\n"
              "insert|b|1970-01-01T00:00:00.000Z|migration\nupdate|a|2023|user",
              "SELECT op,key,iif(origin='user',substr(at,1,4),at),origin FROM sigla_pending() "
              "ORDER BY n");
    db_expect(f->db, "title|\"new\"|user",
              "SELECT field,value,origin FROM sigla_marks('notes','a') WHERE field='title'");
}

/* ---- sigla_untrack ---- */

static void test_untracked_tables_are_ordinary_again(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{}");
    db_exec(f->db, "INSERT INTO notes(id,title) VALUES('a','x'); SELECT sigla_untrack('notes');"
                   "SELECT sigla_untrack('notes'); UPDATE notes SET title='y'");
    sqlite3 *plain = db_open_plain(f);
    db_exec(plain, "INSERT INTO notes(id) VALUES('b')");
    db_close(plain);
    db_expect(f->db, "insert|a", "SELECT op,key FROM sigla_pending()");
    db_expect(f->db, "title|user",
              "SELECT field,origin FROM sigla_marks('notes','a') WHERE "
              "field='title'");
    db_refuses(f->db, "the table \"other\" is not tracked", "SELECT sigla_untrack('other')");
}

static void test_untrack_keeps_what_the_transaction_wrote_before(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{}");
    db_exec(f->db, "BEGIN; INSERT INTO notes(id) VALUES('a'); SELECT sigla_untrack('notes');"
                   "INSERT INTO notes(id) VALUES('b'); COMMIT");
    db_expect(f->db, "insert|a", "SELECT op,key FROM sigla_pending()");
}

static void test_what_was_changed_untracked_is_found_when_tracked_again(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"json\":[\"body\"]}");
    db_exec(f->db,
            "INSERT INTO notes VALUES('same','1','[1]',1,1),('edited','1','[1]',1,1),"
            "('gone','1','[1]',1,1),('dead','1','[1]',1,1); DELETE FROM notes WHERE id='dead';"
            "UPDATE sigla_app SET cursor='c', seq=3; SELECT sigla_untrack('notes')");
    db_taken(f->db);
    db_exec(f->db,
            "UPDATE notes SET title=2, lat=NULL WHERE id='edited';"
            "DELETE FROM notes WHERE id='gone'; INSERT INTO notes(id) VALUES('new'),('dead');"
            "ALTER TABLE notes ADD COLUMN extra; UPDATE notes SET extra=7 WHERE id='same';"
            "SELECT sigla_track('notes')");
    db_expect(f->db,
              "insert|new|migration|1970\nupdate|same|migration|2023\n"
              "update|edited|migration|2023\ninsert|dead|migration|2023",
              "SELECT op,key,origin,substr(at,1,4) FROM sigla_pending() ORDER BY substr(at,1,4),n");
    db_expect(f->db, "{\"extra\":7}\n{\"title\":\"2\",\"lat\":null}",
              "SELECT fields FROM sigla_pending() WHERE op='update' ORDER BY n");
    /* What is not there is asked for again. */
    db_expect(f->db, "|0", "SELECT cursor,seq FROM sigla_app");
    db_expect(f->db, "", "SELECT * FROM sigla_marks('notes','gone')");
    db_expect(f->db, "title|\"1\"|user",
              "SELECT field,value,origin FROM sigla_marks('notes','same') WHERE field='title'");
    db_taken(f->db);
    db_exec(f->db, "SELECT sigla_track('notes'); SELECT sigla_refresh()");
    db_pending(f->db, "");
}

static void test_tracking_again_under_another_name_is_tracking_anew(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{\"app\":\"one\"}");
    db_exec(f->db, "INSERT INTO notes(id) VALUES('a'); SELECT sigla_untrack('notes');"
                   "SELECT sigla_track('notes','{\"app\":\"two\"}')");
    db_expect(f->db, "one|a|user\ntwo|a|migration",
              "SELECT app,key,origin FROM sigla_pending() ORDER BY n");
}

static void test_a_table_renamed_while_untracked_is_known_by_its_wire_name(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{}");
    db_exec(f->db,
            "INSERT INTO notes(id) VALUES('a'); SELECT sigla_untrack('notes');"
            "ALTER TABLE notes RENAME TO memos; SELECT sigla_track('memos','{\"as\":\"notes\"}')");
    db_expect(f->db, "memos|notes|1", "SELECT name,wire,active FROM sigla_table");
    db_expect(f->db, "1", "SELECT count(*) FROM sigla_pending()");
    db_expect(f->db, "user", "SELECT DISTINCT origin FROM sigla_marks('memos','a')");
}

static void test_L16_other_tables_are_never_touched(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, NOTES "; CREATE TABLE private(id INTEGER PRIMARY KEY, updatedAt);"
                         "INSERT INTO private VALUES(1,2); SELECT sigla_track('notes');"
                         "INSERT INTO private VALUES(2,3); SELECT sigla_sweep('updatedAt')");
    db_expect(f->db, "2\n3", "SELECT updatedAt FROM private");
    db_pending(f->db, "");
    db_expect(f->db, "",
              "SELECT name FROM sqlite_schema WHERE tbl_name='private' AND type='trigger'");
}

/* ---- sigla_sweep ---- */

static void test_sweep_empties_the_column_everywhere_as_a_migration(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE a(id INTEGER PRIMARY KEY, UpdatedAt, x);"
                   "CREATE TABLE b(updatedat TEXT, id INTEGER PRIMARY KEY);"
                   "CREATE TABLE c(id INTEGER PRIMARY KEY, x);"
                   "CREATE TABLE d(updatedAt INTEGER PRIMARY KEY);"
                   "SELECT sigla_track('a'),sigla_track('b'),sigla_track('c'),sigla_track('d');"
                   "INSERT INTO a VALUES(1,'t',1),(2,NULL,2); INSERT INTO b VALUES('u',1);"
                   "INSERT INTO d VALUES(5)");
    db_taken(f->db);
    db_exec(f->db, "SELECT sigla_sweep('updatedAt')");
    db_expect(
        f->db,
        "a|update|1|{\"UpdatedAt\":null}|migration\nb|update|1|{\"updatedat\":null}|migration",
        "SELECT \"table\",op,key,fields,origin FROM sigla_pending() ORDER BY 1");
    db_expect(f->db, "NULL\nNULL", "SELECT UpdatedAt FROM a");
    db_expect(f->db, "5", "SELECT updatedAt FROM d");
    db_taken(f->db);
    db_exec(f->db, "UPDATE a SET UpdatedAt='now'; SELECT sigla_sweep('updatedAt')");
    db_expect(f->db, "now\nnow", "SELECT UpdatedAt FROM a");
    db_exec(f->db, "UPDATE a SET x=3 WHERE id=1; SELECT sigla_track('a')");
    db_pending(f->db, "update|a|1|{\"x\":3}");
}

static void test_a_table_that_cannot_be_swept_does_not_stop_the_others(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db,
            "CREATE TABLE a(id INTEGER PRIMARY KEY, u NOT NULL);"
            "CREATE TABLE b(id INTEGER PRIMARY KEY, u);"
            "CREATE TABLE \"c c\"(id INTEGER PRIMARY KEY, u CHECK(u IS NOT NULL));"
            "SELECT sigla_track('a'),sigla_track('b'),sigla_track('c c');"
            "INSERT INTO a VALUES(1,1); INSERT INTO b VALUES(1,1); INSERT INTO \"c c\" VALUES(1,1);"
            "SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"ann\"}')");
    db_taken(f->db);
    db_refuses(f->db, "swept everywhere but in \"a\": NOT NULL constraint failed",
               "SELECT sigla_sweep('u')");
    db_expect(f->db, "1|NULL|1",
              "SELECT (SELECT u FROM a),(SELECT u FROM b),(SELECT u FROM \"c c\")");
    db_expect(f->db, "b|migration", "SELECT \"table\",origin FROM sigla_pending()");
    db_taken(f->db);
    db_exec(f->db, "UPDATE a SET u=2; UPDATE b SET u=2");
    db_expect(f->db, "a|{\"u\":2}|ann",
              "SELECT \"table\",fields,actor->>'principalId' FROM sigla_pending()");
}

static void test_sweep_of_nothing(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "SELECT sigla_sweep('updatedAt')");
    db_refuses(f->db, "takes the name of a column", "SELECT sigla_sweep('')");
    db_refuses(f->db, "takes the name of a column", "SELECT sigla_sweep(NULL)");
    notes(f->db, "{}");
    db_exec(f->db, "SELECT sigla_sweep('updatedAt')");
    db_pending(f->db, "");
}

/* ---- before anything is tracked ---- */

static void test_reading_a_database_without_sigla_writes_nothing(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, NOTES);
    db_expect(f->db, "0.1.0|0", "SELECT sigla_version(),sigla_applying()");
    db_expect(f->db, "0", "SELECT sigla_status()->>'initialised'");
    db_expect(f->db, "", "SELECT * FROM sigla_pending()");
    db_expect(f->db, "", "SELECT * FROM sigla_refused()");
    db_expect(f->db, "", "SELECT * FROM sigla_conflicts()");
    db_expect(f->db, "", "SELECT * FROM sigla_parked()");
    db_refuses(f->db, "is not tracked: SELECT sigla_track('notes')",
               "SELECT * FROM sigla_marks('notes','a')");
    db_refuses(f->db, "is not tracked", "SELECT sigla_updated_at('notes','a')");
    db_refuses(f->db, "is not tracked", "SELECT sigla_index_updated('notes')");
    db_refuses(f->db, "is not tracked", "SELECT sigla_untrack('notes')");
    db_exec(f->db, "SELECT sigla_refresh()");
    db_expect(f->db, "0", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sigla%%'");
}

static void test_a_database_of_a_newer_sigla_is_refused(void **state)
{
    db_fixture *f = *state;
    notes(f->db, "{}");
    db_exec(f->db, "UPDATE sigla_state SET v=v+1 WHERE k='format'");
    db_refuses(f->db, "written by a newer Sigla", "SELECT sigla_track('notes')");
    db_refuses(f->db, "written by a newer Sigla", "SELECT sigla_as('{}')");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_cannot_be_tracked_is_refused_with_the_reason),
        TEST(test_a_refused_table_leaves_no_trace_in_a_transaction),
        TEST(test_a_row_whose_key_is_null_is_named),
        TEST(test_bad_options_are_refused_and_the_known_ones_named),
        TEST(test_tracking_inside_a_statement_that_writes_is_refused),
        TEST(test_functions_that_change_things_are_not_for_triggers),
        TEST(test_app_and_wire_name),
        TEST(test_local_columns_stay),
        TEST(test_a_column_that_is_local_no_more_is_queued),
        TEST(test_a_group_is_written_together),
        TEST(test_tracking_again_is_idempotent),
        TEST(test_L4_rows_from_before_are_adopted_under_the_bottom_stamp),
        TEST(test_untracked_tables_are_ordinary_again),
        TEST(test_untrack_keeps_what_the_transaction_wrote_before),
        TEST(test_what_was_changed_untracked_is_found_when_tracked_again),
        TEST(test_tracking_again_under_another_name_is_tracking_anew),
        TEST(test_a_table_renamed_while_untracked_is_known_by_its_wire_name),
        TEST(test_L16_other_tables_are_never_touched),
        TEST(test_sweep_empties_the_column_everywhere_as_a_migration),
        TEST(test_a_table_that_cannot_be_swept_does_not_stop_the_others),
        TEST(test_sweep_of_nothing),
        TEST(test_reading_a_database_without_sigla_writes_nothing),
        TEST(test_a_database_of_a_newer_sigla_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
