/* The user's own triggers and foreign keys: what they write is captured like anything else. */
#include "lib/db.h"

/* Our triggers and the user's run in an order SQLite does not promise: both are tried. */
typedef void (*with_order)(sqlite3 *db);

static void in_both_orders(db_fixture *f, const char *table, const char *trigger, with_order body)
{
    for (int ours_first = 0; ours_first < 2; ours_first++) {
        for (int recursive = 0; recursive < 2; recursive++) {
            db_exec(f->db, "PRAGMA recursive_triggers=%d", recursive);
            db_exec(f->db, "%s", table);
            if (!ours_first) db_exec(f->db, "%s", trigger);
            db_exec(f->db, "SELECT sigla_track('t')");
            if (ours_first) db_exec(f->db, "%s", trigger);
            body(f->db);
            db_exec(f->db, "SELECT sigla_untrack('t'); DROP TABLE t");
            db_taken(f->db);
        }
    }
}

/* What is pending, its fields in the order of their names. */
static void expect(sqlite3 *db, const char *rows)
{
    db_expect(db, rows,
              "SELECT op,key,(SELECT json_group_object(key,value) FROM (SELECT key,value FROM "
              "json_each(fields) ORDER BY key)) FROM sigla_pending() ORDER BY n");
    db_taken(db);
}

static void touch_body(sqlite3 *db)
{
    db_exec(db, "INSERT INTO t VALUES(1,' tea ',0)");
    expect(db, "insert|1|{\"changes\":0,\"title\":\" tea \"}");
    db_exec(db, "UPDATE t SET title=' milk '");
    db_expect(db, "milk|1", "SELECT title,changes FROM t");
    expect(db, "update|1|{\"changes\":1,\"title\":\"milk\"}");
}

static void test_after_update_that_updates_the_same_row(void **state)
{
    in_both_orders(*state, "CREATE TABLE t(id INTEGER PRIMARY KEY, title, changes)",
                   "CREATE TRIGGER mine AFTER UPDATE OF title ON t WHEN NEW.title<>OLD.title AND "
                   "NEW.title<>trim(OLD.title) BEGIN UPDATE t SET title=trim(NEW.title), "
                   "changes=changes+1 WHERE id=NEW.id; END",
                   touch_body);
}

static void insert_body(sqlite3 *db)
{
    db_exec(db, "INSERT INTO t(id,title) VALUES(1,'tea'),(2,'milk')");
    expect(db, "insert|1|{\"made\":\"now\",\"title\":\"tea\"}\n"
               "insert|2|{\"made\":\"now\",\"title\":\"milk\"}");
    db_exec(db, "REPLACE INTO t VALUES(1,'coffee','then')");
    expect(db, "update|1|{\"made\":\"now\",\"title\":\"coffee\"}");
    db_exec(db, "BEGIN; INSERT INTO t(id) VALUES(3); DELETE FROM t WHERE id=3; COMMIT");
    expect(db, "");
}

static void test_after_insert_that_updates_the_same_row(void **state)
{
    in_both_orders(*state, "CREATE TABLE t(id INTEGER PRIMARY KEY, title, made)",
                   "CREATE TRIGGER mine AFTER INSERT ON t BEGIN UPDATE t SET made='now' WHERE "
                   "id=NEW.id; END",
                   insert_body);
}

static void before_body(sqlite3 *db)
{
    db_exec(db, "INSERT INTO t VALUES(1,'a',0),(2,'b',0)");
    db_taken(db);
    db_exec(db, "UPDATE t SET title='x' WHERE id=1");
    db_expect(db, "x|0\nb|1", "SELECT title,n FROM t");
    db_expect(db, "1|{\"title\":\"x\"}\n2|{\"n\":1}",
              "SELECT key,fields FROM sigla_pending() ORDER BY key");
}

static void test_before_update_that_updates_another_row(void **state)
{
    in_both_orders(*state, "CREATE TABLE t(id INTEGER PRIMARY KEY, title, n)",
                   "CREATE TRIGGER mine BEFORE UPDATE OF title ON t BEGIN UPDATE t SET n=n+1 WHERE "
                   "id<>NEW.id; END",
                   before_body);
}

static void delete_body(sqlite3 *db)
{
    db_exec(db, "INSERT INTO t VALUES(1,NULL),(2,1),(3,2),(4,NULL)");
    db_taken(db);
    db_exec(db, "DELETE FROM t WHERE id=1");
    /* Each row that is gone was queued, no other. */
    db_expect(db, "1",
              "SELECT (SELECT group_concat(key) FROM (SELECT key FROM sigla_pending() ORDER BY "
              "key))=(SELECT group_concat(id) FROM (SELECT value AS id FROM "
              "json_each('[1,2,3,4]') WHERE value NOT IN (SELECT id FROM t) ORDER BY 1))");
}

static void test_after_delete_that_deletes_children(void **state)
{
    in_both_orders(*state, "CREATE TABLE t(id INTEGER PRIMARY KEY, parent)",
                   "CREATE TRIGGER mine AFTER DELETE ON t BEGIN DELETE FROM t WHERE parent=OLD.id; "
                   "END",
                   delete_body);
}

static void raise_body(sqlite3 *db)
{
    db_exec(db, "INSERT INTO t VALUES(1,1),(2,2)");
    db_taken(db);
    db_fails(db, SQLITE_CONSTRAINT, "UPDATE t SET v=v-2");
    db_exec(db, "BEGIN; UPDATE t SET v=9 WHERE id=1");
    db_fails(db, SQLITE_CONSTRAINT, "UPDATE t SET v=-1");
    db_exec(db, "COMMIT");
    expect(db, "update|1|{\"v\":9}");
}

static void test_a_trigger_that_raises(void **state)
{
    in_both_orders(
        *state, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE TRIGGER mine AFTER UPDATE ON t WHEN NEW.v<0 BEGIN SELECT RAISE(ABORT,'no'); "
        "END",
        raise_body);
}

static void ignore_body(sqlite3 *db)
{
    db_exec(db, "INSERT INTO t VALUES(1,1),(2,2)");
    db_taken(db);
    db_exec(db, "UPDATE t SET v=v-2; DELETE FROM t; INSERT INTO t VALUES(1,5)");
    db_expect(db, "1|5\n2|0", "SELECT * FROM t");
    db_expect(db, "insert|1|{\"v\":5}\nupdate|2|{\"v\":0}",
              "SELECT op,key,fields FROM sigla_pending() WHERE key=2 OR op='insert' ORDER BY 1");
}

static void test_a_trigger_that_ignores_rows(void **state)
{
    in_both_orders(
        *state, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE TRIGGER mine BEFORE UPDATE ON t WHEN NEW.v<0 BEGIN SELECT RAISE(IGNORE); "
        "END; CREATE TRIGGER mine2 BEFORE DELETE ON t WHEN OLD.id=2 BEGIN SELECT "
        "RAISE(IGNORE); END",
        ignore_body);
}

/* What OR FAIL leaves must have been captured before the trigger that failed. */
static void fail_body(sqlite3 *db)
{
    db_exec(db, "SELECT sigla_refresh(); INSERT INTO t VALUES(1,1),(2,2)");
    db_taken(db);
    db_fails(db, SQLITE_CONSTRAINT, "INSERT OR FAIL INTO t VALUES(3,3),(4,-4),(5,5)");
    db_fails(db, SQLITE_CONSTRAINT, "UPDATE OR FAIL t SET v=v-2");
    db_expect(db, "1|-1\n2|2\n3|3\n4|-4", "SELECT * FROM t");
    expect(db, "insert|3|{\"v\":3}\ninsert|4|{\"v\":-4}\nupdate|1|{\"v\":-1}");
}

static void test_a_trigger_that_fails(void **state)
{
    in_both_orders(
        *state, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
        "CREATE TRIGGER mine AFTER UPDATE ON t WHEN NEW.v<0 BEGIN SELECT RAISE(FAIL,'no'); "
        "END; CREATE TRIGGER mine2 AFTER INSERT ON t WHEN NEW.v<0 BEGIN SELECT "
        "RAISE(FAIL,'no'); END",
        fail_body);
}

static void test_a_temp_trigger_of_this_connection(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); SELECT sigla_track('t');"
                   "CREATE TEMP TRIGGER mine AFTER UPDATE OF v ON main.t BEGIN UPDATE t SET "
                   "w=NEW.v WHERE id=NEW.id; END; INSERT INTO t VALUES(1,1,1)");
    db_taken(f->db);
    db_exec(f->db, "UPDATE t SET v=2");
    expect(f->db, "update|1|{\"v\":2,\"w\":2}");
}

static void test_a_view_with_instead_of_triggers(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "CREATE VIEW w AS SELECT id,v FROM t; CREATE TRIGGER wi INSTEAD OF INSERT ON w "
                   "BEGIN INSERT INTO t VALUES(NEW.id,NEW.v); END; INSERT INTO w VALUES(1,2)");
    expect(f->db, "insert|1|{\"v\":2}");
}

static void test_a_trigger_may_ask_who_writes(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "CREATE TABLE log(applying, at); CREATE TRIGGER mine AFTER INSERT ON t BEGIN "
                   "INSERT INTO log VALUES(sigla_applying(),sigla_updated_at('t',NEW.id)); END;"
                   "INSERT INTO t VALUES(1,1)");
    db_expect(f->db, "0|NULL", "SELECT * FROM log");
}

/* ---- foreign keys ---- */

static void family(sqlite3 *db, const char *action)
{
    db_exec(db,
            "PRAGMA foreign_keys=ON; CREATE TABLE p(id TEXT PRIMARY KEY, v);"
            "CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT DEFAULT 'z' REFERENCES p %s);"
            "SELECT sigla_track('p'),sigla_track('c');"
            "INSERT INTO p VALUES('a',1),('z',1); INSERT INTO c VALUES(1,'a'),(2,'a'),(3,'z')",
            action);
    db_taken(db);
}

static void test_on_delete_cascade(void **state)
{
    db_fixture *f = *state;
    family(f->db, "ON DELETE CASCADE");
    db_exec(f->db, "DELETE FROM p WHERE id='a'");
    db_expect(f->db, "c|delete|1\nc|delete|2\np|delete|a",
              "SELECT \"table\",op,key FROM sigla_pending() ORDER BY 1,3");
}

static void test_on_delete_set_null_and_default(void **state)
{
    db_fixture *f = *state;
    family(f->db, "ON DELETE SET NULL");
    db_exec(f->db, "DELETE FROM p WHERE id='a'");
    db_expect(f->db, "c|1|{\"p\":null}\nc|2|{\"p\":null}\np|a|{}",
              "SELECT \"table\",key,fields FROM sigla_pending() ORDER BY 1,2");
    db_exec(f->db, "DROP TABLE c; CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT DEFAULT 'z' "
                   "REFERENCES p ON DELETE SET DEFAULT); SELECT sigla_track('c');"
                   "INSERT INTO p VALUES('b',1); INSERT INTO c VALUES(7,'b')");
    db_taken(f->db);
    db_exec(f->db, "DELETE FROM p WHERE id='b'");
    db_expect(f->db, "c|7|{\"p\":\"z\"}\np|b|{}",
              "SELECT \"table\",key,fields FROM sigla_pending() ORDER BY 1");
}

static void test_on_update_cascade(void **state)
{
    db_fixture *f = *state;
    family(f->db, "ON UPDATE CASCADE");
    db_exec(f->db, "UPDATE p SET id='b' WHERE id='a'");
    db_expect(f->db,
              "c|update|1|{\"p\":\"b\"}\nc|update|2|{\"p\":\"b\"}\np|delete|a|{}\n"
              "p|insert|b|{\"v\":1}",
              "SELECT \"table\",op,key,fields FROM sigla_pending() ORDER BY 1,2,3");
}

static void test_L1_a_broken_foreign_key_leaves_nothing(void **state)
{
    db_fixture *f = *state;
    family(f->db, "DEFERRABLE INITIALLY DEFERRED");
    db_fails(f->db, SQLITE_CONSTRAINT, "DELETE FROM p WHERE id='a'");
    db_exec(f->db, "BEGIN; INSERT INTO c VALUES(4,'nobody')");
    db_fails(f->db, SQLITE_CONSTRAINT, "COMMIT");
    db_exec(f->db, "UPDATE c SET p='z' WHERE id=4; COMMIT");
    db_expect(f->db, "c|insert|4|{\"p\":\"z\"}",
              "SELECT \"table\",op,key,fields FROM sigla_pending()");
}

static void test_replace_cascades(void **state)
{
    db_fixture *f = *state;
    family(f->db, "ON DELETE CASCADE");
    db_exec(f->db, "REPLACE INTO p VALUES('a',2)");
    db_expect(f->db, "z", "SELECT p FROM c");
    db_expect(f->db, "c|delete|1|{}\nc|delete|2|{}\np|update|a|{\"v\":2}",
              "SELECT \"table\",op,key,fields FROM sigla_pending() ORDER BY 1,3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_after_update_that_updates_the_same_row),
        TEST(test_after_insert_that_updates_the_same_row),
        TEST(test_before_update_that_updates_another_row),
        TEST(test_after_delete_that_deletes_children),
        TEST(test_a_trigger_that_raises),
        TEST(test_a_trigger_that_ignores_rows),
        TEST(test_a_trigger_that_fails),
        TEST(test_a_temp_trigger_of_this_connection),
        TEST(test_a_view_with_instead_of_triggers),
        TEST(test_a_trigger_may_ask_who_writes),
        TEST(test_on_delete_cascade),
        TEST(test_on_delete_set_null_and_default),
        TEST(test_on_update_cascade),
        TEST(test_L1_a_broken_foreign_key_leaves_nothing),
        TEST(test_replace_cascades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
