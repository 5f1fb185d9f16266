/* timeout: 200
 * Replicas that differ from the server, made so on purpose, in each way there is: it is found, said,
 * and mended by the next sync.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/faults.h"
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

/* ---- what a repair leaves alone ---- */

static void test_what_is_not_pushed_yet_stays(void **state)
{
    pair p = set_up(state);
    behind(p.a, "UPDATE t SET b=77 WHERE id='k1'; DELETE FROM sigla_rec WHERE key=(SELECT max(key) "
                "FROM sigla_rec)");
    device_exec(p.a, "UPDATE t SET a='mine' WHERE id='k1'; INSERT INTO t(id,a) VALUES('k4','new'); "
                     "DELETE FROM t WHERE id='k2'");
    device_sync(p.a);
    device_sync(p.b);
    assert_rows(p.b, "SELECT id,a,b FROM t ORDER BY id", "k1|mine|1\nk3|3.5|3\nk4|new|NULL\n");
    assert_same(p.b, p.a, EVERYTHING);
    assert_same(p.b, p.a, MARKS);
    assert_rows(p.a, STATE, "equal\n");
    assert_rows(p.a, "SELECT key,field,wasLocal FROM sigla_conflicts(1)", "k1|b|77\n");
}

static void test_edits_made_while_a_repair_is_on_its_way_stay(void **state)
{
    pair p = set_up(state);
    behind(p.a, "UPDATE t SET a='stolen'");
    for (int i = 0; device_step(p.a, FATE_FINE); i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "UPDATE t SET b=%d WHERE id='k%d'", 100 + i, 1 + i % 3);
        if (i < 12) device_exec(p.a, sql);
    }
    device_sync(p.a);
    device_sync(p.b);
    assert_rows(p.a, STATE, "equal\n");
    assert_same(p.b, p.a, EVERYTHING);
    assert_same(p.b, p.a, MARKS);
    assert_true(device_int(p.a, "SELECT count(*) FROM t WHERE b>=100") != 0);
}

/* The answer of the pull is on its way; what is written now is not in it. */
static void test_edits_made_before_a_repair_is_applied_stay(void **state)
{
    pair p = set_up(state);
    sigla_action a;
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 26);
    behind(p.a, "UPDATE t SET a='stolen' WHERE id='k3'");
    sigla_session_wake(p.a->session);
    while (true) {
        assert_int_equal(sigla_session_next(p.a->session, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_REQUEST);
        int status = world_request(p.w, a.method, a.url, sg_slice_of(a.body, a.body_bytes), &out);
        bool repairs = device_int(p.a, "SELECT resync FROM sigla_app") != 0;
        if (repairs)
            device_exec(p.a, "UPDATE t SET a='mine' WHERE id='k1'; DELETE FROM t WHERE id='k2';"
                             "INSERT INTO t(id,a) VALUES('k5','new')");
        assert_int_equal(sigla_session_answer(p.a->session, status, 0, out.p, out.n), SIGLA_OK);
        if (repairs) break;
    }
    sg_buf_deinit(&out);
    assert_rows(p.a, "SELECT id,a FROM t ORDER BY id", "k1|mine\nk3|3.5\nk5|new\n");
    device_sync(p.a);
    device_sync(p.b);
    assert_rows(p.b, "SELECT id,a FROM t ORDER BY id", "k1|mine\nk3|3.5\nk5|new\n");
    assert_same(p.b, p.a, MARKS);
    assert_rows(p.a, STATE, "equal\n");
    assert_rows(p.a, "SELECT wasLocal FROM sigla_conflicts(1)", "\"stolen\"\n");
}

static void test_marks_that_the_server_does_not_have_go(void **state)
{
    pair p = set_up(state);
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 24);
    assert_int_equal(
        world_request(p.w, "POST", "http://sim/sync/default",
                      SG_LIT("{\"clientId\":\"old\",\"changes\":[{\"table\":\"t\",\"id\":"
                             "\"k9\",\"op\":\"insert\",\"data\":{\"a\":1}}]}"),
                      &out),
        200);
    sg_buf_deinit(&out);
    device_sync(p.a);
    device_sync(p.b);
    assert_rows(p.a, "SELECT field FROM sigla_marks('t','k9')", "a\n");
    behind(p.a, "UPDATE sigla_rec SET m=(SELECT m FROM sigla_rec ORDER BY key LIMIT 1) WHERE key="
                "(SELECT max(key) FROM sigla_rec)");
    assert_rows(p.a, "SELECT count(*) FROM sigla_marks('t','k9')", "4\n");
    device_sync(p.a);
    assert_same(p.b, p.a, MARKS);
    assert_rows(p.a, STATE, "equal\n");
}

static void test_a_row_of_nothing_but_nulls_is_missed_too(void **state)
{
    pair p = set_up(state);
    device_exec(p.a, "INSERT INTO t(id) VALUES('k0')");
    device_sync(p.a);
    device_sync(p.b);
    behind(p.b, "DELETE FROM t WHERE id='k0'");
    device_sync(p.b);
    assert_same(p.a, p.b, EVERYTHING);
    assert_rows(p.b, DIFFERENCE, "[\"values\"]|1\n");
}

static void test_rows_that_nobody_marked_are_taken_in(void **state)
{
    pair p = set_up(state);
    behind(p.a, "INSERT INTO t(id,a) VALUES('k0','found')");
    device_sync(p.a);
    assert_rows(p.a, DIFFERENCE, "[\"rows\"]|1\n");
    device_sync(p.b);
    assert_same(p.b, p.a, EVERYTHING);
    assert_rows(p.b, "SELECT a FROM t WHERE id='k0'", "found\n");
    assert_rows(p.b, "SELECT actor->>'principalId',at FROM sigla_marks('t','k0') WHERE field='a'",
                "system:migration|1970-01-01T00:00:00.000Z\n");
}

static void test_a_row_of_a_deleted_record_goes(void **state)
{
    pair p = set_up(state);
    device_exec(p.a, "DELETE FROM t WHERE id='k1'");
    device_sync(p.a);
    device_sync(p.b);
    behind(p.b, "INSERT INTO t(id,a) VALUES('k1','again')");
    device_sync(p.b);
    assert_rows(p.b, STATE, "equal\n");
    assert_rows(p.b, DIFFERENCE, "[\"values\"]|1\n");
    assert_same(p.a, p.b, EVERYTHING);
    assert_same(p.a, p.b, MARKS);
    /* Once nobody remembers the delete, such a row is one that nobody has marked. */
    world_purge(p.w);
    behind(p.b, "INSERT INTO t(id,a) VALUES('k1','again')");
    device_sync(p.b);
    device_sync(p.a);
    assert_same(p.a, p.b, EVERYTHING);
    assert_rows(p.a, "SELECT a FROM t WHERE id='k1'", "again\n");
}

/* ---- in vain ---- */

static void damage_server(world *w, const char *sql)
{
    char path[300];
    sqlite3 *db;
    world_halt(w);
    snprintf(path, sizeof path, "%s/server.db", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(world_serve(w), SG_OK);
}

/* Records that a sync has received. */
static int64_t pulled_by(device *d)
{
    sigla_progress before = {0}, after;
    if (d->session != NULL) sigla_session_progress(d->session, &before);
    device_sync(d);
    sigla_session_progress(d->session, &after);
    return after.pulled - before.pulled;
}

static void test_a_repair_in_vain_is_said_and_not_tried_again_before_a_day(void **state)
{
    pair p = set_up(state);
    damage_server(p.w, "UPDATE sums SET vals=vals+1");
    assert_int_equal(pulled_by(p.a), 3);
    assert_rows(p.a, STATE, "failed\n");
    assert_rows(p.a, DIFFERENCE, "[\"values\"]|0\n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pulled_by(p.a), 0);
        assert_rows(p.a, STATE, "failed\n");
    }
    /* Changes come and go; the difference stays what it was. */
    device_exec(p.b, "UPDATE t SET b=b+1 WHERE id='k1'");
    device_sync(p.b);
    assert_int_equal(pulled_by(p.a), 1);
    assert_int_equal(pulled_by(p.a), 0);
    /* Another one is another matter. */
    behind(p.a, "UPDATE t SET a='stolen' WHERE id='k1'");
    assert_int_equal(pulled_by(p.a), 3);
    assert_rows(p.a, "SELECT a FROM t WHERE id='k1'", "one\n");
    assert_rows(p.a, STATE, "failed\n");
    p.w->now_us += INT64_C(86400) * 1000000;
    assert_int_equal(pulled_by(p.a), 3);
    assert_int_equal(pulled_by(p.a), 0);
    damage_server(p.w, "UPDATE sums SET vals=vals-1");
    assert_int_equal(pulled_by(p.a), 0);
    assert_rows(p.a, STATE, "equal\n");
}

static void test_marks_in_vain_too(void **state)
{
    pair p = set_up(state);
    damage_server(p.w, "UPDATE sums SET marks=marks+1");
    assert_int_equal(pulled_by(p.a), 3);
    assert_rows(p.a, STATE, "failed\n");
    assert_int_equal(pulled_by(p.a), 0);
    device_exec(p.a, "UPDATE t SET b=b+1 WHERE id='k1'");
    assert_int_equal(pulled_by(p.a), 0);
    assert_rows(p.a, STATE, "failed\n");
    p.w->now_us += INT64_C(86400) * 1000000;
    assert_int_equal(pulled_by(p.a), 3);
}

/* ---- what cannot be compared ---- */

static void assert_not_compared(device *d, const char *why)
{
    char want[200];
    snprintf(want, sizeof want, "%s|NULL\n", why);
    assert_rows(d,
                "SELECT value->>'$.server.notCompared',value->>'$.server.difference' FROM "
                "json_each(sigla_status(),'$.tables')",
                want);
}

static void test_what_was_refused_is_no_difference(void **state)
{
    pair p = set_up(state);
    device_exec(p.a, "UPDATE t SET a=printf('%.*c',5000000,'x') WHERE id='k1'");
    device_sync(p.a);
    assert_rows(p.a, "SELECT count(*) FROM sigla_refused", "1\n");
    device_sync(p.a);
    assert_not_compared(p.a, "changes were refused by the server");
    assert_rows(p.a, "SELECT length(a) FROM t WHERE id='k1'", "5000000\n");
}

static void test_what_is_parked_is_no_difference(void **state)
{
    world *w = *state;
    device *a = world_device(w, SCHEMA);
    device *b =
        world_device(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b INTEGER CHECK(b<3), x, j); "
                        "SELECT sigla_track('t')");
    device_exec(a, ROWS);
    device_sync(a);
    device_sync(b);
    assert_not_compared(b, "records are kept out by this database's rules");
    device_exec(a, "UPDATE t SET b=1");
    device_sync(a);
    device_sync(b);
    assert_rows(b, STATE, "equal\n");
    assert_not_compared(b, "");
}

static void test_a_renamed_column_is_no_difference(void **state)
{
    pair p = set_up(state);
    device_exec(p.a, "ALTER TABLE t RENAME COLUMN x TO y");
    device_restart(p.a);
    device_sync(p.a);
    device_sync(p.a);
    assert_not_compared(p.a, "a column whose values the server holds was dropped or renamed here");
    /* Marks are all the same. */
    behind(p.a, "DELETE FROM sigla_rec WHERE key=(SELECT max(key) FROM sigla_rec)");
    device_sync(p.a);
    assert_rows(p.a, DIFFERENCE, "[\"marks\"]|1\n");
}

static void test_columns_of_other_types_are_no_difference(void **state)
{
    world *w = *state;
    device *a =
        world_device(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, c, d); SELECT sigla_track('t')");
    static const char *const types[] = {"INTEGER", "REAL", "TEXT", "NUMERIC", "BLOB", "JSON"};
    device *others[sizeof types / sizeof *types];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char sql[300];
        const char *t = types[i];
        snprintf(sql, sizeof sql,
                 "CREATE TABLE t(id TEXT PRIMARY KEY, a %s, b %s, c %s, d %s); SELECT "
                 "sigla_track('t')",
                 t, t, t, t);
        others[i] = world_device(w, sql);
    }
    device_exec(a, "INSERT INTO t VALUES('k1',1,'1',1.0,'1.0'),('k2',2.5,'2.5',x'00ff','[1,2]'),"
                   "('k3',NULL,'','true',-0.0),('k4',0.1+0.2,'1e3',' 7 ','{\"a\":[1,\"x\"]}'),"
                   "('k5',9007199254740991,'007','0x1',1e300)");
    device_sync(a);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            device_sync(others[i]);
            assert_rows(others[i], STATE, "equal\n");
            assert_not_compared(others[i], "");
        }
}

static void test_a_key_among_the_fields_is_no_difference(void **state)
{
    pair p = set_up(state);
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 24);
    assert_int_equal(
        world_request(p.w, "POST", "http://sim/sync/default",
                      SG_LIT("{\"clientId\":\"old\",\"changes\":[{\"table\":\"t\",\"id\":"
                             "\"k9\",\"op\":\"insert\",\"data\":{\"id\":\"k9\",\"a\":true,"
                             "\"zz\":1}}]}"),
                      &out),
        200);
    sg_buf_deinit(&out);
    device *fresh = world_device(p.w, SCHEMA);
    device_sync(fresh);
    device_sync(p.a);
    assert_rows(p.a, STATE, "equal\n");
    assert_not_compared(p.a, "");
    assert_rows(fresh, STATE, "equal\n");
    assert_not_compared(fresh, "");
}

/* ---- large tables ---- */

#define MANY                                                                                        \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<%d) INSERT INTO t(id,a) " \
    "SELECT printf('m%%05d',i),i FROM c"

/* Pauses that a sync has made to give its caller a turn. */
static int turns_of(device *d)
{
    int turns = 0;
    sigla_session_wake(d->session);
    for (sigla_action a; sigla_session_next(d->session, &a) == SIGLA_OK && a.kind != SIGLA_DONE;) {
        sg_buf out;
        sg_buf_init(&out, (size_t)1 << 28);
        if (a.kind == SIGLA_WAIT) assert_int_equal(a.wait_ms + a.error, 0);
        turns += a.kind == SIGLA_WAIT;
        if (a.kind == SIGLA_REQUEST) {
            int status =
                world_request(d->w, a.method, a.url, sg_slice_of(a.body, a.body_bytes), &out);
            assert_int_equal(sigla_session_answer(d->session, status, 0, out.p, out.n), SIGLA_OK);
        }
        sg_buf_deinit(&out);
    }
    return turns;
}

static void test_a_large_table_is_read_once_a_day_a_slice_at_a_time(void **state)
{
    pair p = set_up(state);
    char sql[300];
    snprintf(sql, sizeof sql, MANY, 3500);
    device_exec(p.a, sql);
    device_sync(p.a);
    device_sync(p.b);
    behind(p.b, "UPDATE t SET a=-1 WHERE id='m03000'");
    assert_int_equal(turns_of(p.b), 0);
    assert_rows(p.b, STATE, "equal\n");
    assert_rows(p.b, "SELECT a FROM t WHERE id='m03000'", "-1\n");
    p.w->now_us += INT64_C(86400) * 1000000;
    /* Once to find it, once to see that it has been mended. */
    assert_int_equal(turns_of(p.b), 2 * 3);
    assert_rows(p.b, "SELECT a FROM t WHERE id='m03000'", "3000\n");
    assert_rows(p.b, DIFFERENCE, "[\"values\"]|1\n");
    assert_int_equal(turns_of(p.b), 0);
}

static void test_a_table_is_read_after_as_many_changes_as_it_has_records(void **state)
{
    pair p = set_up(state);
    char sql[300];
    snprintf(sql, sizeof sql, MANY, 600);
    device_exec(p.a, sql);
    device_sync(p.a);
    device_sync(p.b);
    behind(p.b, "UPDATE t SET a=-1 WHERE id='m00300'");
    device_exec(p.a, "UPDATE t SET b=1 WHERE id LIKE 'm000%'");
    device_sync(p.a);
    device_sync(p.b);
    assert_rows(p.b, "SELECT a FROM t WHERE id='m00300'", "-1\n");
    device_exec(p.a, "UPDATE t SET b=2");
    device_sync(p.a);
    device_sync(p.b);
    assert_rows(p.b, "SELECT a FROM t WHERE id='m00300'", "300\n");
}

static void test_a_table_that_changes_while_it_is_read_is_read_to_the_end(void **state)
{
    pair p = set_up(state);
    char sql[300];
    snprintf(sql, sizeof sql, MANY, 6000);
    device_exec(p.a, sql);
    device_sync(p.a);
    device_sync(p.b);
    behind(p.b, "UPDATE t SET a=-1 WHERE id='m05000'");
    p.w->now_us += INT64_C(86400) * 1000000;
    /* Another program folds something of its own before every slice. Twice as much each time: four turns
     * for six thousand, and those of the repair. */
    for (int i = 0; i < 14; i++) {
        device_exec(p.b, "UPDATE sigla_sum SET changes=changes+1");
        (void)device_step(p.b, FATE_FINE);
    }
    assert_rows(p.b, "SELECT a FROM t WHERE id='m05000'", "5000\n");
}

/* ---- a stream beside it ---- */

static void test_no_event_ends_a_repair(void **state)
{
    pair p = set_up(state);
    sigla_action a;
    sg_buf page, event;
    char url[300];
    sg_buf_init(&page, (size_t)1 << 26);
    sg_buf_init(&event, (size_t)1 << 26);
    device_sync(p.a);
    assert_int_equal(sigla_session_stream_request(p.a->session, 0, &a), SIGLA_OK);
    const char *since = strstr(a.url, "since=");
    snprintf(url, sizeof url, "http://sim/sync/default/pull?v=2&%.*s&client=x&",
             (int)strcspn(since, "&"), since);
    device_exec(p.b, "UPDATE t SET b=9 WHERE id='k1'");
    device_sync(p.b);
    assert_int_equal(world_request(p.w, "GET", url, SG_LIT(""), &page), 200);
    sg_buf_str(&event, "event: changes\ndata: ");
    sg_buf_append(&event, &page);
    sg_buf_str(&event, "\n\n");
    device_exec(p.a, "SELECT sigla_repair()");
    /* Until it has begun, and asked for everything. */
    sigla_session_wake(p.a->session);
    while (true) {
        assert_int_equal(sigla_session_next(p.a->session, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_REQUEST);
        if (device_int(p.a, "SELECT resync FROM sigla_app") != 0) break;
        int status = world_request(p.w, a.method, a.url, sg_slice_of(a.body, a.body_bytes), &page);
        assert_int_equal(sigla_session_answer(p.a->session, status, 0, page.p, page.n), SIGLA_OK);
    }
    assert_int_equal(sigla_session_stream(p.a->session, 0, event.p, event.n), SIGLA_BUSY);
    assert_rows(p.a, "SELECT count(*) FROM t", "3\n");
    assert_int_equal(sigla_session_lost(p.a->session), SIGLA_OK);
    device_sync(p.a);
    assert_same(p.b, p.a, EVERYTHING);
    assert_rows(p.a, STATE, "equal\n");
    sg_buf_deinit(&page);
    sg_buf_deinit(&event);
}

/* ---- asking ---- */

static void test_what_is_there_is_told_when_asked(void **state)
{
    pair p = set_up(state);
#define CHECK                                                                                      \
    "SELECT value->>'kept',value->>'marks',value->>'values',value->>'records',"                    \
    "value->>'serverRecords',value->>'missingRows',value->>'damagedMarks',value->>'unmarkedRows'," \
    "value->>'notCompared' FROM json_each(sigla_check('t'))"
    assert_rows(p.a, CHECK, "1|1|1|3|3|0|0|0|\n");
    behind(p.a,
           "DELETE FROM t WHERE id='k1'; INSERT INTO t(id) VALUES('k7'); UPDATE t SET a=1 WHERE "
           "id='k2'");
    assert_rows(p.a, CHECK, "1|1|0|3|3|1|0|1|\n");
    behind(p.a, "UPDATE sigla_rec SET m=x'ff' WHERE key=(SELECT min(key) FROM sigla_rec)");
    assert_rows(p.a, CHECK, "0|0|0|2|3|0|1|1|\n");
    device_exec(p.a, "UPDATE t SET b=5 WHERE id='k3'");
    assert_rows(p.a, CHECK, "0|NULL|NULL|2|3|0|1|1|changes made here wait to be sent\n");
    assert_int_equal(device_try(p.a, "SELECT sigla_check('none')"), SQLITE_ERROR);
    assert_int_equal(device_try(p.a, "SELECT sigla_repair('none')"), SQLITE_ERROR);
}

/* ---- what fails on the way ---- */

/* Until it is done, or cannot go on. */
static void sync_struck(device *d)
{
    sigla_action a = {.kind = SIGLA_STOP};
    for (int steps = 0; steps < 20; steps++) {
        fault_resume();
        int err = SIGLA_OK;
        if (d->session == NULL)
            err = sigla_session_open(d->db, "{\"encoding\":\"identity\",\"seed\":1}", &d->session);
        if (err == SIGLA_OK) err = sigla_session_next(d->session, &a);
        fault_pause();
        assert_true(sqlite3_get_autocommit(d->db));
        if (err != SIGLA_OK || a.kind == SIGLA_STOP || a.kind == SIGLA_DONE) return;
        if (a.kind != SIGLA_REQUEST) continue;
        sg_buf out;
        sg_buf_init(&out, (size_t)1 << 28);
        int status = world_request(d->w, a.method, a.url, sg_slice_of(a.body, a.body_bytes), &out);
        fault_resume();
        err = sigla_session_answer(d->session, status, 0, out.p, out.n);
        fault_pause();
        sg_buf_deinit(&out);
        if (err != SIGLA_OK) return;
    }
}

static void strike_each(void **state, enum fault which)
{
    pair p = set_up(state);
    bool struck = true;
    for (size_t n = 1; struck; n += n < 40 ? 1 : 1 + n / 12) {
        behind(p.a,
               "UPDATE t SET a='stolen' WHERE id='k1'; DELETE FROM t WHERE id='k2'; DELETE FROM "
               "sigla_rec WHERE key=(SELECT max(key) FROM sigla_rec)");
        device_restart(p.a);
        fault_arm(which, n, false);
        fault_pause();
        sync_struck(p.a);
        struck = fault_disarm();
        sigla_session_close(p.a->session);
        p.a->session = NULL;
        device_sync(p.a);
        assert_rows(p.a, STATE, "equal\n");
        assert_same(p.b, p.a, EVERYTHING);
        assert_same(p.b, p.a, MARKS);
    }
}

static void test_memory_of_ours_runs_out_in_a_repair(void **state)
{
    strike_each(state, FAULT_OURS);
}

static void test_memory_of_SQLite_runs_out_in_a_repair(void **state)
{
    strike_each(state, FAULT_SQLITES);
}

static void test_a_disk_fails_in_a_repair(void **state)
{
    strike_each(state, FAULT_DISK);
}

int main(void)
{
    faults_install();
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
        TEST(test_what_is_not_pushed_yet_stays),
        TEST(test_edits_made_while_a_repair_is_on_its_way_stay),
        TEST(test_edits_made_before_a_repair_is_applied_stay),
        TEST(test_marks_that_the_server_does_not_have_go),
        TEST(test_a_row_of_nothing_but_nulls_is_missed_too),
        TEST(test_rows_that_nobody_marked_are_taken_in),
        TEST(test_a_row_of_a_deleted_record_goes),
        TEST(test_a_repair_in_vain_is_said_and_not_tried_again_before_a_day),
        TEST(test_marks_in_vain_too),
        TEST(test_what_was_refused_is_no_difference),
        TEST(test_what_is_parked_is_no_difference),
        TEST(test_a_renamed_column_is_no_difference),
        TEST(test_columns_of_other_types_are_no_difference),
        TEST(test_a_key_among_the_fields_is_no_difference),
        TEST(test_a_large_table_is_read_once_a_day_a_slice_at_a_time),
        TEST(test_a_table_is_read_after_as_many_changes_as_it_has_records),
        TEST(test_a_table_that_changes_while_it_is_read_is_read_to_the_end),
        TEST(test_no_event_ends_a_repair),
        TEST(test_what_is_there_is_told_when_asked),
        TEST(test_memory_of_ours_runs_out_in_a_repair),
        TEST(test_memory_of_SQLite_runs_out_in_a_repair),
        TEST(test_a_disk_fails_in_a_repair),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
