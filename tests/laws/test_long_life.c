/* What shows only after a long time together: values that come back, devices that slept below the
 * purge floor, columns that come while a session is open, and tables of Sigla's own that must not grow
 * with every write. The household's years (tests/year) have shown most of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/world.h"

#define CONFLICTS "SELECT key,field,wasLocal,nowServer FROM sigla_conflicts ORDER BY 1,2"

static device *synced(world *w)
{
    device *d = world_device(w, WORLD_SCHEMA);
    device_sync(d);
    return d;
}

static void write_as(device *d, const char *reason, const char *sql)
{
    char text[300];
    snprintf(
        text, sizeof text,
        "SELECT sigla_as('{\"kind\":\"ai\",\"principalId\":\"agent:a\",\"rationale\":\"%s\"}');"
        "%s;SELECT sigla_as_end()",
        reason, sql);
    device_exec(d, text);
}

/* ---- L5 ---- */

/* Both have written the same; the one whose write lost sees that value, and goes on from there. */
static void lose_to_the_same(device *a, device *b)
{
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_sync(a);
    device_sync(b);
    device_exec(a, "UPDATE t SET a=1");
    a->w->now_us += 1000000;
    device_exec(b, "UPDATE t SET a=1");
    device_sync(a);
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "");
}

static void L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_goes_on(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    lose_to_the_same(a, b);
    device_exec(a, "UPDATE t SET a=2");
    device_sync(a);
    device_sync(b);
    assert_rows(a, CONFLICTS, "");
    assert_rows(b, CONFLICTS, "");
}

static void L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_deletes_it(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    lose_to_the_same(a, b);
    device_exec(a, "DELETE FROM t");
    device_sync(a);
    assert_rows(a, CONFLICTS, "");
}

static void L5_a_value_somebody_else_wrote_too_is_lost_when_a_third_goes_on(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    lose_to_the_same(a, b);
    device_exec(b, "UPDATE t SET a=2");
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "k1|a|1|2\n");
}

/* What is overwritten lies below the floor, what overwrites it does not: its writer slept. */
static void L5_an_old_value_overwritten_by_who_slept_below_the_floor_is_a_conflict(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1','first',0),('k2',0,0)");
    device_sync(a);
    device_sync(b);
    device_exec(a, "UPDATE t SET a='unseen' WHERE id='k1'");
    device_exec(a, "DELETE FROM t WHERE id='k2'");
    device_sync(a);
    world_purge(w);
    w->now_us += 1000000;
    device_exec(b, "UPDATE t SET a='woken' WHERE id='k1'");
    device_sync(b);
    device_exec(b, "UPDATE t SET b='more' WHERE id='k1'");
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "k1|a|\"unseen\"|\"woken\"\n");
    assert_rows(b, CONFLICTS, "");
}

/* ---- L19 ---- */

static void L19_a_column_that_comes_under_an_open_session_shows_what_was_kept(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "ALTER TABLE t ADD COLUMN c");
    device_exec(a, "INSERT INTO t VALUES('k1',1,2,3)");
    device_sync(a);
    device_sync(b);
    device_exec(b, "ALTER TABLE t ADD COLUMN c");
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "k1|1|2|3\n");
}

/* ---- L20 ---- */

/* Two devices take turns, so that no run of numbers goes on. */
static void take_turns(device *a, device *b, int times)
{
    char sql[80];
    for (int i = 0; i < times; i++) {
        device *d = i % 2 == 0 ? a : b;
        snprintf(sql, sizeof sql, "UPDATE t SET b=%d WHERE id='k1'", i);
        d->w->now_us += 1000000;
        device_sync(d);
        device_exec(d, sql);
        device_sync(d);
    }
}

static void L20_acknowledgements_do_not_grow_with_each_push(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_exec(a, "INSERT INTO sigla_state VALUES('tidy_min',4)");
    take_turns(a, b, 4);
    device_exec(a, "UPDATE t SET a='old'");
    take_turns(a, b, 60);
    assert_true(device_int(a, "SELECT count(*) FROM sigla_ack") < 12);
    /* The mark says now itself what the acknowledgement had said. */
    device_sync(a);
    assert_same(a, b, WORLD_MARKS);
    device_exec(a, "UPDATE t SET a='unseen'");
    w->now_us += 1000000;
    device_exec(b, "UPDATE t SET a='later'");
    device_sync(a);
    take_turns(a, a, 20);
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "k1|a|\"unseen\"|\"later\"\n");
}

static void L7_a_server_put_back_is_told_what_had_been_acknowledged_long_before(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_exec(a, "INSERT INTO t VALUES('k2','seen',0)");
    device_exec(a, "INSERT INTO t VALUES('k3','proof',0)");
    device_exec(a, "INSERT INTO sigla_state VALUES('tidy_min',4)");
    take_turns(a, b, 30);
    assert_rows(a, "SELECT count(*) FROM sigla_ack WHERE n<4", "0\n");
    world_backup(w);
    device_exec(a, "INSERT INTO t VALUES('k4','after the copy',0)");
    device_sync(a);
    world_put_back(w);
    device_exec(b, "UPDATE t SET a='on' WHERE id='k2'");
    device_sync(b);
    for (int i = 0; i < 3; i++) {
        device_sync(a);
        device_sync(b);
    }
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
    assert_rows(a, "SELECT a FROM t WHERE id='k2'", "on\n");
    /* It was there to be seen before the copy was made: the acknowledgement says so, though cut. */
    assert_rows(a, CONFLICTS, "");
    assert_rows(b, CONFLICTS, "");
}

static void L20_actors_that_no_mark_names_any_more_go(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    char sql[80], reason[20];
    device_exec(a, "INSERT INTO t VALUES('k1',0,0),('k2',0,0)");
    write_as(a, "kept", "UPDATE t SET a='kept' WHERE id='k2'");
    device_exec(a, "INSERT INTO sigla_state VALUES('tidy_min',4)");
    device_exec(b, "INSERT INTO sigla_state VALUES('tidy_min',4)");
    for (int i = 0; i < 40; i++) {
        snprintf(reason, sizeof reason, "reason %d", i);
        snprintf(sql, sizeof sql, "UPDATE t SET a=%d WHERE id='k1'", i);
        write_as(a, reason, sql);
        device_sync(a);
        device_sync(b);
    }
    assert_true(device_int(a, "SELECT count(*) FROM sigla_actor") < 16);
    assert_true(device_int(b, "SELECT count(*) FROM sigla_actor") < 16);
    static const char reasons[] =
        "SELECT t.id,m.actor->>'rationale' FROM t,sigla_marks('t',t.id) m "
        "WHERE m.field='a' ORDER BY 1";
    assert_rows(a, reasons, "k1|reason 39\nk2|kept\n");
    assert_rows(b, reasons, "k1|reason 39\nk2|kept\n");
}

/* A connection that has read an actor before another one has tidied it up. */
static void L20_an_actor_that_went_comes_anew_for_every_connection(void **state)
{
    world *w = *state;
    device *a = synced(w);
    sqlite3 *other;
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_exec(a, "INSERT INTO sigla_state VALUES('tidy_min',4)");
    assert_int_equal(sqlite3_open(a->path, &other), SQLITE_OK);
    assert_int_equal(sigla_register(other), SIGLA_OK);
    static const char as[] = "SELECT sigla_as('{\"kind\":\"ai\",\"principalId\":\"agent:a\","
                             "\"rationale\":\"from the other\"}')";
    assert_int_equal(sqlite3_exec(other, as, NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 20; i++) {
        char reason[20];
        snprintf(reason, sizeof reason, "reason %d", i);
        write_as(a, reason, "UPDATE t SET a=a+1");
        device_sync(a);
    }
    assert_rows(a, "SELECT count(*) FROM sigla_actor WHERE actor LIKE '%from the other%'", "0\n");
    assert_int_equal(sqlite3_exec(other, "UPDATE t SET b='by it'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    device_sync(a);
    assert_rows(a, "SELECT actor->>'rationale' FROM sigla_marks('t','k1') WHERE field='b'",
                "from the other\n");
}

static int64_t rows_at_server(world *w, const char *sql)
{
    char path[300];
    sqlite3 *db;
    sqlite3_stmt *q;
    snprintf(path, sizeof path, "%s/server.db", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t rows = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return rows;
}

static int64_t count_at_server(world *w, const char *reason)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM text WHERE kind=2 AND CAST(text AS TEXT) LIKE '%%%s%%'", reason);
    return rows_at_server(w, sql);
}

/* One slice of what the server does between requests. */
static void purge_history(world *w, int64_t before_us)
{
    const sg_purge what = {.history_before_us = before_us, .limit = 100000};
    sg_purged done;
    sg_commit newest;
    assert_int_equal(w->store.ops->begin(w->writer, &newest), SG_OK);
    assert_int_equal(w->store.ops->purge(w->writer, &what, &done), SG_OK);
    assert_int_equal(w->store.ops->commit(w->writer, &newest), SG_OK);
}

static void L20_a_server_forgets_actors_with_the_history_that_named_them(void **state)
{
    world *w = *state;
    device *a = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1',0,0),('k2',0,0)");
    write_as(a, "kept", "UPDATE t SET a='kept' WHERE id='k2'");
    for (int i = 0; i < 300; i++) {
        char reason[20];
        snprintf(reason, sizeof reason, "reason %d.", i);
        write_as(a, reason, "UPDATE t SET a=a+1 WHERE id='k1'");
    }
    device_sync(a);
    assert_int_equal(count_at_server(w, "reason"), 300);
    w->now_us += 1000000;
    int64_t before_us = w->now_us;
    /* Only the history names the first of these two. */
    write_as(a, "reason 8.", "UPDATE t SET b=8 WHERE id='k2'");
    device_sync(a);
    write_as(a, "reason 9.", "UPDATE t SET b=9 WHERE id='k2'");
    device_sync(a);
    for (int i = 0; i < 3; i++)
        purge_history(w, before_us);
    /* When everything has been looked at, something of what will go is named again. */
    write_as(a, "reason 7.", "UPDATE t SET b=7 WHERE id='k1'");
    device_sync(a);
    purge_history(w, before_us);
    assert_int_equal(count_at_server(w, "reason"), 4); /* 299 stands in k1 */
    assert_int_equal(count_at_server(w, "reason 8."), 1);
    write_as(a, "reason 3.", "UPDATE t SET b=3 WHERE id='k1'");
    device_sync(a);
    /* Nothing is remembered beside the data. */
    world_halt(w);
    assert_int_equal(world_serve(w), SG_OK);
    device *fresh = synced(w);
    assert_same(a, fresh, WORLD_MARKS);
}

/* ---- L6 ---- */

static void L6_a_clock_put_back_makes_no_entry_older(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_sync(a);
    device_sync(b);
    device_exec(a, "UPDATE t SET a=1");
    w->now_us += 1000000;
    device_exec(b, "UPDATE t SET a=2");
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "k1|a|1|2\n");
    a->skew_us = -INT64_C(400) * 24 * 3600 * 1000000;
    device_exec(a, "SELECT sigla_dismiss(id) FROM sigla_conflicts");
    device_sync(a);
    assert_rows(a, "SELECT state FROM sigla_conflicts(1)", "dismissed\n");
}

/* ---- L13 ---- */

/* What had the copy's number is purged, so that nothing shows that it was another change. */
static void L13_a_copy_from_before_the_history_loses_nothing(void **state)
{
    world *w = *state;
    device *a = synced(w), *copy = world_copy(w, a);
    device_exec(a, "INSERT INTO t VALUES('k1',1,0)");
    device_sync(a);
    world_purge(w);
    device_exec(copy, "INSERT INTO t VALUES('k2',2,0)");
    device_sync(copy);
    device *fresh = synced(w);
    assert_rows(fresh, WORLD_ROWS, "k1|1|0\nk2|2|0\n");
    assert_same(fresh, copy, WORLD_ROWS);
    assert_rows(copy, "SELECT found_at FROM sigla_sum", "0\n");
}

/* ---- L9 ---- */

static void L9_a_refusal_is_said_until_it_was_heard(void **state)
{
    world *w = *state;
    device *a = synced(w);
    device_exec(a, "INSERT INTO t VALUES('big',zeroblob(5000000),0)");
    assert_true(device_step(a, FATE_ANSWER_LOST));
    world_purge(w);
    device_sync(a);
    assert_rows(a, "SELECT key,code FROM sigla_refused", "big|limit\n");
    assert_rows(a, "SELECT count(*) FROM sigla_pending", "0\n");
    world_purge(w);
    assert_int_equal(rows_at_server(w, "SELECT count(*) FROM refused"), 1);
    device_exec(a, "INSERT INTO t VALUES('small',0,0)");
    device_sync(a);
    world_purge(w);
    assert_int_equal(rows_at_server(w, "SELECT count(*) FROM refused"), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_goes_on),
        T(L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_deletes_it),
        T(L5_a_value_somebody_else_wrote_too_is_lost_when_a_third_goes_on),
        T(L5_an_old_value_overwritten_by_who_slept_below_the_floor_is_a_conflict),
        T(L19_a_column_that_comes_under_an_open_session_shows_what_was_kept),
        T(L20_acknowledgements_do_not_grow_with_each_push),
        T(L7_a_server_put_back_is_told_what_had_been_acknowledged_long_before),
        T(L20_actors_that_no_mark_names_any_more_go),
        T(L20_an_actor_that_went_comes_anew_for_every_connection),
        T(L20_a_server_forgets_actors_with_the_history_that_named_them),
        T(L6_a_clock_put_back_makes_no_entry_older),
        T(L13_a_copy_from_before_the_history_loses_nothing),
        T(L9_a_refusal_is_said_until_it_was_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
