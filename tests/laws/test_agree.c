/*
 * Replicas that differ from the server, made so on purpose, in each way there is: it is found, said,
 * and mended by the next sync.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/world.h"

#define SCHEMA                                                                                     \
    "CREATE TABLE t(id TEXT PRIMARY KEY, a, b INTEGER, x TEXT, j JSON); SELECT sigla_track('t')"
#define ROWS                                                                                       \
    "INSERT INTO t VALUES('k1','one',1,'1','{\"a\":[1]}'),('k2','two',2,'2.50',NULL),"             \
    "('k3',3.5,3,' 3','[]')"
#define EVERYTHING "SELECT * FROM t ORDER BY id"
#define MARKS "SELECT k.id,m.field,m.at,m.client,m.n FROM t k, sigla_marks('t',k.id) m ORDER BY 1,2"
#define STATE "SELECT value->>'$.server.state' FROM json_each(sigla_status(),'$.tables')"
#define DIFFERENCE                                                                                 \
    "SELECT value->>'$.server.difference.what',value->>'$.server.difference.repairedAt' IS NOT "   \
    "NULL FROM json_each(sigla_status(),'$.tables')"

typedef struct pair {
    world *w;
    device *a, *b;
} pair;

static pair set_up(void **state)
{
    pair p = {.w = *state};
    p.a = world_device(p.w, SCHEMA);
    p.b = world_device(p.w, SCHEMA);
    device_exec(p.a, ROWS);
    device_sync(p.a);
    device_sync(p.b);
    device_exec(p.b, "UPDATE t SET a='two of b' WHERE id='k2'");
    device_sync(p.b);
    device_sync(p.a);
    assert_rows(p.a, STATE, "equal\n");
    assert_rows(p.b, STATE, "equal\n");
    assert_rows(p.a, DIFFERENCE, "NULL|0\n");
    return p;
}

/* As a program without Sigla would, that has dropped the triggers. */
static void behind(device *d, const char *sql)
{
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    device_exec(d, sql);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
}

/* Corrupted so, A finds it at the next sync, says what it was, and holds what B holds. */
static void check(void **state, const char *sql, const char *what)
{
    pair p = set_up(state);
    char want[100];
    behind(p.a, sql);
    device_sync(p.a);
    assert_rows(p.a, STATE, "equal\n");
    snprintf(want, sizeof want, "%s|1\n", what);
    assert_rows(p.a, DIFFERENCE, want);
    assert_same(p.b, p.a, EVERYTHING);
    assert_same(p.b, p.a, MARKS);
    assert_rows(p.a, "SELECT count(*) FROM sigla_pending()", "0\n");
    /* And it is kept so. */
    device_sync(p.b);
    assert_same(p.b, p.a, EVERYTHING);
    device_exec(p.b, "UPDATE t SET b=b+1");
    device_sync(p.b);
    device_sync(p.a);
    assert_same(p.b, p.a, EVERYTHING);
    assert_rows(p.a, DIFFERENCE, want);
}

static void test_a_value_changed_behind_its_back(void **state)
{
    check(state, "UPDATE t SET a='stolen' WHERE id='k1'", "[\"values\"]");
    pair p = {.a = ((world *)*state)->devices[0]};
    /* Somebody may have typed it (L6). */
    assert_rows(p.a, "SELECT key,field,kind,wasLocal,nowServer,state FROM sigla_conflicts(1)",
                "k1|a|overwritten|\"stolen\"|\"one\"|quiet\n");
    assert_rows(p.a, "SELECT count(*) FROM sigla_conflicts()", "0\n");
}

static void test_a_value_of_somebody_else_changed(void **state)
{
    check(state, "UPDATE t SET a='stolen' WHERE id='k2'", "[\"values\"]");
}

static void test_a_value_set_to_null(void **state)
{
    check(state, "UPDATE t SET j=NULL WHERE id='k1'", "[\"values\"]");
}

static void test_a_row_deleted(void **state)
{
    check(state, "DELETE FROM t WHERE id='k2'", "[\"values\"]");
}

static void test_all_rows_deleted(void **state)
{
    check(state, "DELETE FROM t", "[\"values\"]");
}

static void test_the_marks_of_a_record_are_missing(void **state)
{
    check(state, "DELETE FROM sigla_rec WHERE key=(SELECT max(key) FROM sigla_rec)",
          "[\"marks\",\"values\"]");
}

static void test_all_marks_are_missing(void **state)
{
    check(state, "DELETE FROM sigla_rec", "[\"marks\",\"values\"]");
}

static void test_the_marks_of_one_record_are_anothers(void **state)
{
    check(state,
          "UPDATE sigla_rec SET m=(SELECT m FROM sigla_rec ORDER BY key LIMIT 1 OFFSET 1) WHERE "
          "key=(SELECT min(key) FROM sigla_rec)",
          "[\"marks\"]");
}

static void test_marks_that_cannot_be_read(void **state)
{
    check(state, "UPDATE sigla_rec SET m=x'ff' WHERE key=(SELECT min(key) FROM sigla_rec)",
          "[\"marks\",\"values\"]");
}

static void test_a_kept_sum_altered(void **state)
{
    check(state, "UPDATE sigla_sum SET marks=marks+1", "[\"sums\"]");
}

static void test_row_and_marks_of_a_record_gone(void **state)
{
    check(state,
          "DELETE FROM t WHERE id='k3'; DELETE FROM sigla_rec WHERE key=(SELECT max(key) FROM "
          "sigla_rec)",
          "[\"marks\",\"values\"]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_value_changed_behind_its_back),
        TEST(test_a_value_of_somebody_else_changed),
        TEST(test_a_value_set_to_null),
        TEST(test_a_row_deleted),
        TEST(test_all_rows_deleted),
        TEST(test_the_marks_of_a_record_are_missing),
        TEST(test_all_marks_are_missing),
        TEST(test_the_marks_of_one_record_are_anothers),
        TEST(test_marks_that_cannot_be_read),
        TEST(test_a_kept_sum_altered),
        TEST(test_row_and_marks_of_a_record_gone),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
