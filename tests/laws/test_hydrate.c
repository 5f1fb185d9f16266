/* timeout: 200
 * A first pull: many records at once give what the same records give one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/world.h"

#define TABLE "CREATE TABLE t(id TEXT PRIMARY KEY, a, b);"
#define TRACK "SELECT sigla_track('t')"
/* Enough for them not to be taken one by one, and more than a page. */
#define MANY                                                                                       \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1500) "                  \
    "INSERT INTO t SELECT 'k'||(i*7919%1500), i, 'x'||i FROM n"

/* A device whose rows, edits and deletes are at the server. */
static device *writer(world *w, const char *schema, const char *sql)
{
    device *d = world_device(w, schema);
    device_exec(d, sql);
    device_sync(d);
    return d;
}

static device *many(world *w)
{
    return writer(w, TABLE TRACK, MANY);
}

static device *fresh(world *w, const char *schema)
{
    device *d = world_device(w, schema);
    device_sync(d);
    return d;
}

static void L2_a_fresh_device_has_the_same_data_and_marks(void **state)
{
    world *w = *state;
    device *a = many(w);
    device_exec(a, "UPDATE t SET b=NULL WHERE a%3=0; DELETE FROM t WHERE a%10=0");
    device_exec(a, "INSERT INTO t VALUES('k10',x'00ff','again'),('',1.5,'\"')");
    device_sync(a);
    device *b = fresh(w, TABLE TRACK);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
    assert_int_equal(device_int(b, "SELECT count(*) FROM sigla_pending"), 0);
}

static void L2_integer_keys_and_the_index_of_changes(void **state)
{
    world *w = *state;
    device *a = writer(w, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);" TRACK,
                       "WITH RECURSIVE n(i) AS (SELECT -700 UNION ALL SELECT i+1 FROM n WHERE "
                       "i<700) INSERT INTO t SELECT i*i*i, i FROM n");
    device *b = fresh(w, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);" TRACK
                         ";SELECT sigla_index_updated('t')");
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
    assert_int_equal(device_int(b, "SELECT count(*) FROM sigla_updated('t')"), 1401);
}

static void L4_rows_that_were_there_before_are_merged_like_any_other(void **state)
{
    world *w = *state;
    device *a = many(w);
    device *b = fresh(w, TABLE "INSERT INTO t VALUES('k5','seed',0),('zz','seed',0);" TRACK);
    device_sync(a);
    assert_int_equal(device_int(b, "SELECT count(*) FROM t"), 1501);
    assert_int_equal(device_int(b, "SELECT count(*) FROM t WHERE a='seed'"), 1);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
}

static void L9_a_row_that_a_constraint_refuses_is_parked_alone(void **state)
{
    world *w = *state;
    device *a = many(w);
    device_exec(a, "UPDATE t SET a=1 WHERE id='k11'");
    device_sync(a);
    device *b = fresh(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a UNIQUE, b);" TRACK);
    assert_int_equal(device_int(b, "SELECT count(*) FROM t"), 1499);
    assert_int_equal(device_int(b, "SELECT count(*) FROM sigla_parking"), 1);
    device_exec(a, "UPDATE t SET a='other' WHERE a=1");
    device_exec(a, "UPDATE t SET a='yet another' WHERE id='k11'");
    device_sync(a);
    device_sync(b);
    assert_int_equal(device_int(b, "SELECT count(*) FROM sigla_parking"), 0);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
}

static void L9_children_may_come_before_their_parents(void **state)
{
    static const char schema[] =
        "PRAGMA foreign_keys=ON; CREATE TABLE a(id INTEGER PRIMARY KEY, p REFERENCES t(id));"
        "CREATE TABLE t(id TEXT PRIMARY KEY, a, b); SELECT sigla_track('a');" TRACK;
    world *w = *state;
    device *a = writer(w, schema, MANY ";INSERT INTO a SELECT rowid, id FROM t");
    device *b = fresh(w, schema);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, "SELECT * FROM a ORDER BY id");
    assert_int_equal(device_int(b, "SELECT count(*) FROM sigla_parking"), 0);
}

static void L10_a_row_that_REPLACE_takes_away_is_captured(void **state)
{
    world *w = *state;
    device *a = many(w);
    device_exec(a, "UPDATE t SET a=1 WHERE id='k11'");
    device_sync(a);
    device *b = world_device(
        w, "CREATE TABLE t(id TEXT PRIMARY KEY, a UNIQUE ON CONFLICT REPLACE, b);" TRACK);
    while (device_int(b, "SELECT count(*) FROM t") == 0)
        assert_true(device_step(b, FATE_FINE));
    assert_int_equal(device_int(b, "SELECT count(*) FROM t"), 1499);
    assert_rows(b, "SELECT op FROM sigla_pending", "delete\n");
}

static void L10_triggers_of_the_users_fire_and_capture_goes_on(void **state)
{
    static const char log[] = "CREATE TABLE log(n); CREATE TRIGGER tr AFTER INSERT ON t BEGIN "
                              "INSERT INTO log VALUES(new.id); END;";
    static const char temp[] = "CREATE TABLE log(n); CREATE TEMP TRIGGER tr AFTER INSERT ON t "
                               "BEGIN INSERT INTO log VALUES(new.id); END;";
    world *w = *state;
    device *a = many(w);
    char schema[600];
    for (int i = 0; i < 3; i++) {
        snprintf(schema, sizeof schema, "%s%s%s", TABLE, i == 0 ? "" : i == 1 ? log : temp, TRACK);
        device *b = fresh(w, schema);
        assert_same(a, b, WORLD_ROWS);
        if (i != 0) assert_int_equal(device_int(b, "SELECT count(*) FROM log"), 1500);
        device_exec(b, "UPDATE t SET b=b||'!' WHERE id='k7'");
        assert_rows(b, "SELECT op,key FROM sigla_pending", "update|k7\n");
        device_sync(b);
        device_sync(a);
    }
}

static void L19_fields_without_a_column_wait_for_it(void **state)
{
    world *w = *state;
    device *a = many(w);
    device *b = fresh(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a);" TRACK);
    device_exec(b, "ALTER TABLE t ADD COLUMN b; SELECT sigla_refresh()");
    device_sync(b);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
}

static void L1_a_pull_that_was_broken_off_begins_again(void **state)
{
    world *w = *state;
    device *a = many(w), *b = world_device(w, TABLE TRACK);
    assert_true(device_step(b, FATE_FINE));
    device_restart(b);
    device_sync(b);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(L1_a_pull_that_was_broken_off_begins_again),
        TEST(L2_a_fresh_device_has_the_same_data_and_marks),
        TEST(L2_integer_keys_and_the_index_of_changes),
        TEST(L4_rows_that_were_there_before_are_merged_like_any_other),
        TEST(L9_a_row_that_a_constraint_refuses_is_parked_alone),
        TEST(L9_children_may_come_before_their_parents),
        TEST(L10_a_row_that_REPLACE_takes_away_is_captured),
        TEST(L10_triggers_of_the_users_fire_and_capture_goes_on),
        TEST(L19_fields_without_a_column_wait_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
