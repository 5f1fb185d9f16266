/* timeout: 200
 * The session and what it applies, law by law, over a server in the same process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/world.h"

static device *synced(world *w, const char *schema)
{
    device *d = world_device(w, schema);
    device_sync(d);
    return d;
}

/* ---- L1 ---- */

static void L1_a_large_transaction_is_pushed_in_parts_and_seen_whole(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(
        a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<12000) INSERT "
           "INTO t SELECT 'k'||i, i, 'x' FROM n");
    int pushes = 0;
    while (device_int(a, "SELECT count(*) FROM sigla_pending") != 0) {
        assert_true(device_step(a, FATE_FINE));
        pushes++;
        device_sync(b);
        int64_t seen = device_int(b, "SELECT count(*) FROM t");
        assert_true(seen == 0 || seen == 12000);
    }
    assert_true(pushes >= 3);
    device_sync(b);
    assert_same(a, b, "SELECT count(*), sum(a) FROM t");
}

static void L1_parts_are_sent_again_after_the_server_has_dropped_them(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(
        a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<12000) INSERT "
           "INTO t SELECT 'k'||i, i, 'x' FROM n");
    assert_true(device_step(a, FATE_FINE));
    world_purge(w);
    device_sync(a);
    device_sync(b);
    assert_int_equal(device_int(b, "SELECT count(*) FROM t"), 12000);
}

/* ---- L2 ---- */

/* a, whose clock has gone back by more than the bound unnoticed, writes over what it has seen. */
static void write_with_a_clock_gone_back(world *w, device *a, device *b, const char *sql)
{
    w->now_us += INT64_C(3600) * 1000000;
    device_exec(b, "UPDATE t SET a='theirs', b='theirs' WHERE id='k1'");
    device_exec(b, "DELETE FROM t WHERE id='k2'");
    device_sync(b);
    device_sync(a);
    /* As if what it had followed were lost with the clock's battery. */
    device_exec(a, "UPDATE sigla_state SET v=v-7200000000 WHERE k IN('hlc_us','seen_us')");
    a->skew_us = -INT64_C(7200) * 1000000;
    device_exec(a, sql);
    device_exec(a, "UPDATE sigla_state SET v=0 WHERE k='offset_us'");
}

static void begin_with_two_rows(world *w, device **a, device **b)
{
    *a = synced(w, WORLD_SCHEMA);
    *b = synced(w, WORLD_SCHEMA);
    device_exec(*a, "INSERT INTO t VALUES('k1','mine','mine'),('k2',2,2)");
    device_sync(*a);
    device_sync(*b);
}

static void assert_level(device *a, device *b)
{
    device_sync(a);
    device_sync(b);
    device_sync(a);
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
}

static void L2_who_wrote_the_lesser_over_what_it_had_seen_is_told(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    write_with_a_clock_gone_back(w, a, b, "UPDATE t SET a='late' WHERE id='k1'");
    assert_level(a, b);
    assert_rows(a, WORLD_ROWS, "k1|theirs|theirs\n");
    /* It lost on arrival (L5), and was not null: once, and at the device that wrote it. */
    assert_rows(a, "SELECT key,field,wasLocal,nowServer FROM sigla_conflicts",
                "k1|a|\"late\"|\"theirs\"\n");
    assert_rows(b, "SELECT * FROM sigla_conflicts", "");
    device_exec(a, "SELECT sigla_restore(1)");
    assert_level(a, b);
    assert_rows(b, WORLD_ROWS, "k1|late|theirs\n");
}

static void L2_who_is_told_with_the_answer_lost_is_told_again(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    write_with_a_clock_gone_back(w, a, b, "UPDATE t SET a='late' WHERE id='k1'");
    device_exec(a, "INSERT INTO t VALUES('k3',3,3)");
    for (int i = 0; i < 4; i++)
        (void)device_step(a, FATE_ANSWER_LOST);
    assert_level(a, b);
    assert_rows(a, WORLD_ROWS, "k1|theirs|theirs\nk3|3|3\n");
    assert_rows(a, "SELECT wasLocal FROM sigla_conflicts", "\"late\"\n");
}

static void L2_a_lesser_insert_or_delete_is_told_too(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    device_exec(b, "DELETE FROM t WHERE id='k1'; INSERT INTO t VALUES('k1','again','again')");
    write_with_a_clock_gone_back(
        w, a, b, "DELETE FROM t WHERE id='k1'; INSERT INTO t VALUES('k2','risen',2)");
    assert_level(a, b);
    assert_rows(a, "SELECT id FROM t WHERE id='k1'", "k1\n");
    assert_rows(a, "SELECT id FROM t WHERE id='k2'", "");
    assert_rows(a, "SELECT key,field,kind,wasLocal FROM sigla_conflicts WHERE field='a'",
                "k2|a|deleted|\"risen\"\n");
    device *fresh = synced(w, WORLD_SCHEMA);
    assert_same(a, fresh, WORLD_ROWS);
    assert_same(a, fresh, WORLD_MARKS);
}

/* What the server has for d comes by its stream, before d has pushed anything. */
static void stream(world *w, device *d)
{
    sigla_action a;
    sg_buf page;
    sg_buf_init(&page, (size_t)1 << 24);
    assert_int_equal(sigla_session_stream_request(d->session, 0, &a), SIGLA_OK);
    char *url = sqlite3_mprintf("/sync/default/pull?%s", strchr(a.url, '?') + 1);
    assert_int_equal(world_request(w, "GET", url, SG_LIT(""), &page), 200);
    sqlite3_free(url);
    assert_int_equal(sigla_session_stream(d->session, 0, "event: changes\ndata: ", 21), SIGLA_OK);
    assert_int_equal(sigla_session_stream(d->session, 0, page.p, page.n), SIGLA_OK);
    assert_int_equal(sigla_session_stream(d->session, 0, "\n\n", 2), SIGLA_OK);
    sg_buf_deinit(&page);
}

static void L2_L5_an_edit_that_waits_while_its_record_goes_and_comes_again(void **state)
{
    world *w = *state;
    static const char *const revivals[] = {"INSERT INTO t VALUES('k2','again',0)",
                                           "INSERT INTO t VALUES('k2',NULL,0)"};
    for (int greater = 0; greater < 2; greater++) {
        device *a, *b;
        begin_with_two_rows(w, &a, &b);
        device_exec(b, "DELETE FROM t WHERE id='k2'");
        device_sync(b);
        device_exec(a, "UPDATE t SET a='waits' WHERE id='k2'");
        stream(w, a);
        assert_rows(a, "SELECT id FROM t WHERE id='k2'", "");
        /* It is younger, or older, than what the record comes back with. */
        b->skew_us = greater == 1 ? -INT64_C(10000000) : 0;
        device_exec(b, revivals[greater]);
        device_sync(b);
        stream(w, a);
        device_sync(a);
        assert_level(a, b);
        device_exec(a, "DELETE FROM t");
        assert_level(a, b);
    }
}

/* Its fields were dropped with the row; the insert that it lost to does not have them all. */
static void L2_L19_who_deleted_in_vain_gets_its_own_fields_again(void **state)
{
    world *w = *state;
    device *a = synced(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, d); SELECT sigla_track('t')");
    device *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1,'mine alone')");
    device_exec(a, "DELETE FROM t");
    device_exec(b, "INSERT INTO t VALUES('k1',2,2)");
    device_sync(b);
    stream(w, a);
    device_sync(a);
    device_sync(b);
    assert_rows(a, WORLD_ROWS, "k1|2|2|mine alone\n");
    assert_same(a, b, WORLD_MARKS);
}

/* a's field d is lost with the row, which b deletes without having seen it, and comes back with the
 * row that b, who has no such column, inserts again. */
static device *lose_and_get_back(world *w, device **b)
{
    static const char wide[] =
        "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, d); SELECT sigla_track('t')";
    device *a = synced(w, wide);
    *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1,NULL)");
    device_sync(a);
    device_sync(*b);
    device_exec(a, "UPDATE t SET d='mine' WHERE id='k1'");
    device_sync(a);
    device_exec(*b, "DELETE FROM t");
    device_sync(*b);
    device_sync(a);
    assert_rows(a, "SELECT field,wasLocal FROM sigla_conflicts", "d|\"mine\"\n");
    device_exec(*b, "INSERT INTO t VALUES('k1',2,2)");
    device_sync(*b);
    device_sync(a);
    assert_rows(a, "SELECT d FROM t", "mine\n");
    assert_rows(a, "SELECT * FROM sigla_conflicts", "");
    return a;
}

static void L5_what_comes_back_and_goes_again_is_raised_once(void **state)
{
    device *b, *a = lose_and_get_back(*state, &b);
    device_exec(b, "ALTER TABLE t ADD COLUMN d; SELECT sigla_refresh(); UPDATE t SET d='theirs'");
    assert_level(a, b);
    assert_rows(a, "SELECT count(*) FROM sigla_conflicts(1) WHERE field='d'", "1\n");
}

static void L5_what_comes_back_and_is_overwritten_by_its_writer_is_settled(void **state)
{
    device *b, *a = lose_and_get_back(*state, &b);
    device_exec(a, "UPDATE t SET d='changed' WHERE id='k1'");
    device_sync(a);
    device_sync(b);
    assert_rows(a, "SELECT * FROM sigla_conflicts", "");
}

/* What a dead record brings is no value of the record that an insert has made here since. */
static void L2_L19_a_delete_that_comes_under_a_waiting_insert_brings_no_values(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device *b = synced(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, d); SELECT sigla_track('t')");
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(a);
    device_sync(b);
    device_exec(b, "UPDATE t SET d='of a newer schema' WHERE id='k1'");
    device_sync(b);
    device_exec(a, "DELETE FROM t");
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_exec(a, "DELETE FROM t");
    sigla_action go;
    sigla_session_wake(a->session);
    assert_int_equal(sigla_session_next(a->session, &go), SIGLA_OK);
    device_exec(a, "INSERT INTO t VALUES('k1',2,2)");
    sg_buf out;
    sg_buf_init(&out, 1 << 20);
    sg_slice body = sg_slice_of(go.body, go.body_bytes);
    assert_int_equal(world_request(w, go.method, go.url, body, &out), 200);
    assert_int_equal(sigla_session_answer(a->session, 200, 0, out.p, out.n), SIGLA_OK);
    sg_buf_deinit(&out);
    device_sync(a);
    device_sync(b);
    device_sync(a);
    assert_same(a, b, WORLD_MARKS);
    assert_rows(b, WORLD_ROWS, "k1|2|2|of a newer schema\n");
}

/* ---- L3 ---- */

/* Rows that are adopted take no time from the clock, and must not hide what it has given before. */
static void L3_a_write_after_adopted_rows_is_above_those_before(void **state)
{
    device *a = synced(*state, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    device_exec(a, "CREATE TABLE u(id TEXT PRIMARY KEY); INSERT INTO u VALUES('old'); SELECT "
                   "sigla_track('u')");
    a->skew_us = -INT64_C(3600) * 1000000;
    device_exec(a, "UPDATE t SET a=2 WHERE id='k1'");
    assert_rows(a, "SELECT x.at>y.at FROM sigla_outbox x, sigla_outbox y WHERE x.n=3 AND y.n=1",
                "1\n");
}

/* A time that is given must not lie before what its writer had written there with a better clock. */
static void L3_L14_a_given_time_stays_above_ones_own_earlier_write(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    a->skew_us = INT64_C(240) * 1000000; /* within the bound */
    device_exec(a, "UPDATE t SET a='first' WHERE id='k1'");
    device_sync(a);
    a->skew_us = INT64_C(1000) * 1000000;
    device_exec(a, "UPDATE t SET a='second' WHERE id='k1'");
    assert_level(a, b);
    assert_rows(b, "SELECT a FROM t WHERE id='k1'", "second\n");
}

/* Its clock comes back with the answer, and what waits gets a new time: above those that the answer
 * gives to what was sent before it. */
static void L3_L14_what_waits_stays_above_what_was_given_a_time(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    a->skew_us = INT64_C(1000) * 1000000;
    /* As many as the microseconds that asking takes. */
    device_exec(a, "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE "
                   "i<3000) INSERT INTO t SELECT 'n'||i, i, 'x' FROM n;"
                   "UPDATE t SET a='first' WHERE id='k1'; COMMIT");
    sigla_action go;
    sigla_session_wake(a->session);
    assert_int_equal(sigla_session_next(a->session, &go), SIGLA_OK);
    device_exec(a, "UPDATE t SET a='last' WHERE id='k1'");
    sg_buf out;
    sg_buf_init(&out, 1 << 20);
    sg_slice body = sg_slice_of(go.body, go.body_bytes);
    assert_int_equal(world_request(w, go.method, go.url, body, &out), 200);
    assert_int_equal(sigla_session_answer(a->session, 200, 0, out.p, out.n), SIGLA_OK);
    sg_buf_deinit(&out);
    assert_level(a, b);
    assert_rows(b, "SELECT a FROM t WHERE id='k1'", "last\n");
    assert_rows(a, "SELECT * FROM sigla_conflicts", "");
}

/* ---- L8 ---- */

/* Nobody has to write again for it, nor to wake anything. */
static void L8_what_was_written_offline_goes_out_by_itself(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    for (int i = 0; i < 6; i++)
        assert_true(device_step(a, FATE_LOST));
    while (device_step(a, FATE_FINE))
        continue;
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "k1|1|1\n");
}

static void L8_an_edit_made_while_a_push_is_out_is_pushed_as_well(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    device_exec(a, "UPDATE t SET a='first' WHERE id='k1'");
    sigla_action go;
    sigla_session_wake(a->session);
    assert_int_equal(sigla_session_next(a->session, &go), SIGLA_OK);
    device_exec(a, "UPDATE t SET a='second' WHERE id='k1'");
    sg_buf out;
    sg_buf_init(&out, 1 << 20);
    sg_slice body = sg_slice_of(go.body, go.body_bytes);
    assert_int_equal(world_request(w, go.method, go.url, body, &out), 200);
    assert_int_equal(sigla_session_answer(a->session, 200, 0, out.p, out.n), SIGLA_OK);
    sg_buf_deinit(&out);
    assert_rows(a, "SELECT count(*) FROM sigla_pending", "1\n");
    assert_level(a, b);
    assert_rows(b, "SELECT a FROM t WHERE id='k1'", "second\n");
}

/* ---- L4 ---- */

static void L7_pages_that_could_not_be_written_are_pulled_again(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2500) "
                   "INSERT INTO t SELECT 'k'||i, i, 'x' FROM n");
    device_sync(a);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(b->path, &other), SQLITE_OK);
    assert_true(device_step(b, FATE_FINE));
    assert_true(device_step(b, FATE_FINE));
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_true(device_step(b, FATE_FINE));
    assert_int_equal(device_int(b, "SELECT count(*) FROM t"), 0);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    device_sync(b);
    assert_same(a, b, WORLD_ROWS);
}

static void L4_rows_that_were_there_before_tracking_never_overwrite(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('settings','mine',1)");
    device_sync(a);
    device *b = world_device(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b);"
                                "INSERT INTO t VALUES('settings','default',0),('extra','seed',0);"
                                "SELECT sigla_track('t')");
    device_sync(b);
    device_sync(a);
    assert_rows(a, WORLD_ROWS, "extra|seed|0\nsettings|mine|1\n");
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
}

/* ---- L9 ---- */

static void L9_a_refused_change_stands_alone_and_can_be_retried(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('big', zeroblob(5000000), 0)");
    device_exec(a, "INSERT INTO t VALUES('small', 1, 0)");
    device_sync(a);
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "small|1|0\n");
    assert_rows(a, "SELECT key,code FROM sigla_refused", "big|limit\n");
    assert_rows(a, "SELECT count(*) FROM sigla_pending", "0\n");
    device_exec(a, "UPDATE t SET a='fits' WHERE id='big'");
    device_exec(a, "SELECT sigla_retry()");
    device_sync(a);
    device_exec(a, "SELECT sigla_retry()");
    device_sync(a);
    device_sync(b);
    assert_rows(a, "SELECT * FROM sigla_refused", "");
    assert_rows(b, WORLD_ROWS, "big|fits|0\nsmall|1|0\n");
}

static void L9_a_row_that_breaks_a_unique_index_is_parked_until_it_fits(void **state)
{
    world *w = *state;
    const char *schema =
        "CREATE TABLE t(id TEXT PRIMARY KEY, a UNIQUE, b); SELECT sigla_track('t')";
    device *a = synced(w, schema), *b = synced(w, schema);
    device_exec(a, "INSERT INTO t VALUES('x','same',1)");
    device_exec(b, "INSERT INTO t VALUES('y','same',2)");
    device_sync(a);
    device_sync(b);
    device_sync(a);
    assert_rows(b, "SELECT key FROM sigla_parked", "x\n");
    assert_rows(a, "SELECT key FROM sigla_parked", "y\n");
    device_exec(b, "UPDATE t SET a='other' WHERE id='y'");
    device_sync(b);
    device_sync(a);
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "x|same|1\ny|other|2\n");
    assert_same(a, b, WORLD_ROWS);
    assert_rows(a, "SELECT count(*) FROM sigla_parked", "0\n");
    assert_rows(b, "SELECT count(*) FROM sigla_parked", "0\n");
}

static void L9_children_before_their_parents_wait_for_them(void **state)
{
    world *w = *state;
    const char *schema =
        "PRAGMA foreign_keys=ON; CREATE TABLE p(id TEXT PRIMARY KEY, x); CREATE TABLE "
        "c(id TEXT PRIMARY KEY, p REFERENCES p(id)); SELECT sigla_track('p'), "
        "sigla_track('c')";
    device *a = synced(w, schema), *b = synced(w, schema);
    device_exec(a, "PRAGMA foreign_keys=OFF");
    device_exec(a, "INSERT INTO c VALUES('c1','p1')");
    device_sync(a);
    device_sync(b);
    assert_rows(b, "SELECT count(*) FROM c", "0\n");
    assert_rows(b, "SELECT key FROM sigla_parked", "c1\n");
    device_exec(a, "INSERT INTO p VALUES('p1',1)");
    device_sync(a);
    device_sync(b);
    assert_rows(b, "SELECT c.id,p.x FROM c JOIN p ON p.id=c.p", "c1|1\n");
    assert_rows(b, "SELECT count(*) FROM sigla_parked", "0\n");
}

/* ---- L10 ---- */

static void L10_applied_changes_are_not_queued_and_triggers_writes_are(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device *b = synced(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b);"
                          "CREATE TABLE audit(id TEXT PRIMARY KEY, what);"
                          "CREATE TRIGGER log AFTER INSERT ON t BEGIN INSERT INTO audit "
                          "VALUES(hex(randomblob(8)), NEW.id); END;"
                          "CREATE TRIGGER stamp AFTER UPDATE ON t BEGIN UPDATE t SET b=b+1 WHERE "
                          "id=NEW.id; END;"
                          "SELECT sigla_track('t'), sigla_track('audit')");
    device_exec(a, "INSERT INTO t VALUES('k1',1,10)");
    device_sync(a);
    device_sync(b);
    assert_rows(b, "SELECT what FROM audit", "k1\n");
    assert_rows(b, WORLD_ROWS, "k1|1|10\n");
    /* The audit row is this device's own write, by a rule; what was applied is nobody's here. */
    assert_rows(
        b, "SELECT m.origin,m.actor->>'principalId' FROM audit, sigla_marks('audit',audit.id) m",
        "system|system:rule\n");
    device_exec(a, "UPDATE t SET a=2 WHERE id='k1'");
    device_sync(a);
    for (int i = 0; i < 3; i++) {
        device_sync(b);
        assert_rows(b, "SELECT count(*) FROM sigla_pending", "0\n");
        device_sync(a);
    }
    assert_rows(b, WORLD_ROWS, "k1|2|10\n");
    assert_same(a, b, WORLD_ROWS);
}

/* More is always waiting than the next push takes. */
static void L7_who_writes_faster_than_it_pushes_sees_what_others_write(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(b, "INSERT INTO t VALUES('others',1,1)");
    device_sync(b);
    int steps = 0;
    do {
        for (int i = 0; i < 2; i++)
            device_exec(a, "WITH c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n<200)"
                           "INSERT INTO t SELECT hex(randomblob(8)),n,0 FROM c");
        assert_true(device_step(a, FATE_FINE));
    } while (device_int(a, "SELECT count(*) FROM t WHERE id='others'") == 0 && ++steps < 30);
    assert_true(steps < 12);
    /* And what waits goes out by the same sync. */
    assert_true(device_int(a, "SELECT count(*) FROM sigla_pending") > 0);
    device_sync(a);
    assert_rows(a, "SELECT count(*) FROM sigla_pending", "0\n");
    device_sync(b);
    assert_same(a, b, WORLD_ROWS);
}

/* ---- L12 ---- */

static void L12_a_device_below_the_floor_resyncs_and_nothing_rises_from_the_dead(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('gone',1,1),('stays',1,1)");
    device_sync(a);
    device_sync(b);
    device_exec(a, "DELETE FROM t WHERE id='gone'");
    device_sync(a);
    world_purge(w);
    device_exec(
        b, "UPDATE t SET a='unpushed' WHERE id='stays'; UPDATE t SET a='late' WHERE id='gone'");
    device_sync(b);
    device_sync(a);
    assert_rows(a, WORLD_ROWS, "stays|unpushed|1\n");
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
    assert_rows(b, "SELECT key,code FROM sigla_refused", "gone|not_found\n");
    device *c = synced(w, WORLD_SCHEMA);
    assert_same(a, c, WORLD_ROWS);
}

/* Its writer has applied the delete, and dropped the row; then the tombstone was purged. */
static void L12_an_insert_outlives_a_tombstone_that_was_purged_on_its_way(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    sigla_action pull;
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 26);
    sigla_session_wake(a->session);
    assert_int_equal(sigla_session_next(a->session, &pull), SIGLA_OK);
    device_exec(a, "INSERT INTO t VALUES('k','early',1)");
    device_exec(b, "INSERT INTO t VALUES('k','late',2); DELETE FROM t WHERE id='k'");
    device_sync(b);
    int status = world_request(w, pull.method, pull.url, SG_LIT(""), &out);
    assert_int_equal(sigla_session_answer(a->session, status, 0, out.p, out.n), SIGLA_OK);
    sg_buf_deinit(&out);
    assert_rows(a, WORLD_ROWS, "");
    world_purge(w);
    device_sync(a);
    device_sync(b);
    assert_rows(a, WORLD_ROWS, "k|early|1\n");
    assert_same(a, b, WORLD_ROWS);
    assert_same(a, b, WORLD_MARKS);
    assert_rows(a, "SELECT found_at FROM sigla_sum", "0\n");
}

/* It is asked for everything from the start, which does not tell what was purged. */
static void L12_who_comes_to_track_a_table_below_the_floor_resyncs(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    device_exec(b, "DELETE FROM t WHERE id='k1'");
    device_sync(b);
    device_exec(a, "SELECT sigla_untrack('t'); INSERT INTO t VALUES('k3',3,3);"
                   "SELECT sigla_track('t')");
    world_purge(w);
    assert_level(a, b);
    assert_rows(a, "SELECT id FROM t ORDER BY id", "k2\nk3\n");
    assert_rows(a, "SELECT found_at FROM sigla_sum", "0\n");
    /* A person wrote what went (L6). */
    assert_rows(a, "SELECT key,field,wasLocal FROM sigla_conflicts(1)",
                "k1|a|\"mine\"\nk1|b|\"mine\"\n");
}

/* As with a record that came back from the dead, of which nobody knows any more that it was dead. */
static void L12_an_edit_outlives_a_tombstone_that_was_purged_while_it_waited(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    device_exec(b, "DELETE FROM t WHERE id='k1'");
    device_sync(b);
    device_exec(a, "UPDATE t SET a='waits' WHERE id='k1'");
    stream(w, a);
    world_purge(w);
    b->skew_us = -INT64_C(10000000);
    device_exec(b, "INSERT INTO t VALUES('k1','again','again')");
    device_sync(b);
    stream(w, a);
    assert_level(a, b);
    assert_rows(a, "SELECT a,b FROM t WHERE id='k1'", "waits|again\n");
    assert_rows(a, "SELECT found_at FROM sigla_sum", "0\n");
}

/* Who has slept holds the purged record under a greater stamp than the one that was made of it. */
static void L12_what_was_purged_and_made_anew_with_a_lesser_stamp_stands(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA), *c = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k','early',1)");
    w->now_us += 1000;
    device_exec(b, "INSERT INTO t VALUES('k','late',2)");
    device_sync(b);
    device_sync(c);
    device_exec(b, "DELETE FROM t WHERE id='k'");
    device_sync(b);
    world_purge(w);
    device_sync(a);
    device_sync(c);
    assert_rows(c, WORLD_ROWS, "k|early|1\n");
    assert_same(a, c, WORLD_ROWS);
    assert_same(a, c, WORLD_MARKS);
    assert_rows(c, "SELECT found_at FROM sigla_sum", "0\n");
    assert_rows(c, "SELECT count(*) FROM sigla_conflicts", "0\n");
}

/* The record that it was a field of was purged; the one that is there now was made by this device. */
static void L12_a_field_goes_with_the_record_that_was_purged(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    sigla_action pull;
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 26);
    device_exec(b, "ALTER TABLE t ADD COLUMN e DEFAULT 'none'");
    device_restart(b);
    device_exec(b, "INSERT INTO t VALUES('k','late',2,'e')");
    sigla_session_wake(a->session);
    assert_int_equal(sigla_session_next(a->session, &pull), SIGLA_OK);
    device_sync(b);
    device_exec(a, "INSERT INTO t VALUES('k','early',1)");
    int status = world_request(w, pull.method, pull.url, SG_LIT(""), &out);
    assert_int_equal(sigla_session_answer(a->session, status, 0, out.p, out.n), SIGLA_OK);
    sg_buf_deinit(&out);
    device_exec(b, "DELETE FROM t WHERE id='k'");
    device_sync(b);
    world_purge(w);
    device_exec(a, "ALTER TABLE t ADD COLUMN e DEFAULT 'none'");
    device_restart(a);
    device_sync(a);
    device_sync(b);
    assert_rows(a, "SELECT * FROM t", "k|early|1|none\n");
    assert_same(a, b, "SELECT * FROM t");
    assert_same(a, b, WORLD_MARKS);
    assert_rows(a, "SELECT found_at FROM sigla_sum", "0\n");
}

static void L12_a_late_insert_of_what_was_purged_is_alive_for_all(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k','late',1)");
    device_exec(b, "INSERT INTO t VALUES('k','theirs',2)");
    device_exec(b, "DELETE FROM t");
    device_sync(b);
    world_purge(w);
    device_sync(a);
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "k|late|1\n");
    assert_same(b, synced(w, WORLD_SCHEMA), WORLD_MARKS);
    assert_same(b, a, WORLD_MARKS);
}

static void L12_tombstones_below_the_floor_do_not_gather(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('gone',1,1),('stays',1,1),('later',1,1)");
    device_sync(a);
    device_exec(a, "DELETE FROM t WHERE id='gone'");
    device_sync(a);
    device_sync(b);
    world_purge(w);
    device_exec(a, "DELETE FROM t WHERE id='later'");
    device_sync(a);
    device_sync(b);
    device_sync(a);
    assert_rows(a, "SELECT count(*) FROM sigla_rec", "2\n");
    assert_rows(b, "SELECT count(*) FROM sigla_rec", "2\n");
}

static void L6_a_resync_keeps_what_a_person_wrote_in_records_it_removes(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('gone',1,1),('other',1,1)");
    device_sync(a);
    device_sync(b);
    device_exec(b, "UPDATE t SET a='typed at b' WHERE id='gone'");
    device_sync(b);
    device_exec(a, "DELETE FROM t");
    device_sync(a);
    world_purge(w);
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "");
    assert_rows(b, "SELECT count(*) FROM sigla_conflicts", "0\n");
    assert_rows(
        b, "SELECT key,field,kind,wasLocal,nowServer,serverOrigin,state FROM sigla_conflicts(1)",
        "gone|a|deleted|\"typed at b\"|null|server-replay|quiet\n");
    device_exec(b, "SELECT sigla_restore(id) FROM sigla_conflicts(1)");
    device_sync(b);
    device_sync(a);
    assert_rows(a, WORLD_ROWS, "gone|typed at b|1\n");
}

/* ---- L13 ---- */

static void L13_a_copied_database_gets_an_id_of_its_own_and_loses_nothing(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(a);
    device *copy = world_copy(w, a);
    device_exec(a, "INSERT INTO t VALUES('a','from a',1)");
    device_exec(copy, "INSERT INTO t VALUES('c','from copy',1); UPDATE t SET b=2 WHERE id='k1'");
    assert_same(a, copy, "SELECT sigla_config('client')");
    device_sync(a);
    device_sync(copy);
    device_sync(a);
    assert_rows(a, WORLD_ROWS, "a|from a|1\nc|from copy|1\nk1|1|2\n");
    assert_same(a, copy, WORLD_ROWS);
    assert_same(a, copy, WORLD_MARKS);
    char *one = device_text(a, "SELECT sigla_config('client')");
    char *other = device_text(copy, "SELECT sigla_config('client')");
    assert_string_not_equal(one, other);
    sqlite3_free(one);
    sqlite3_free(other);
}

static void L13_a_restored_backup_goes_on_without_loss(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(a);
    device *backup = world_copy(w, a);
    device_exec(a, "UPDATE t SET a=2 WHERE id='k1'");
    device_exec(a, "INSERT INTO t VALUES('k2',2,2)");
    device_sync(a);
    /* a's disk dies; the backup takes its place, knowing nothing of what a did last. */
    device_exec(backup, "UPDATE t SET b='after the restore' WHERE id='k1'");
    device_sync(backup);
    assert_rows(backup, WORLD_ROWS, "k1|2|after the restore\nk2|2|2\n");
}

/* The device makes a request, which is slow. */
static void ask(device *d, sigla_action *a)
{
    sigla_session_wake(d->session);
    assert_int_equal(sigla_session_next(d->session, a), SIGLA_OK);
    assert_int_equal(a->kind, SIGLA_REQUEST);
}

/* It arrives after all, with that status, and is answered. */
static void arrive(device *d, const sigla_action *a, int want)
{
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 24);
    sg_slice body = sg_slice_of(a->body, a->body_bytes);
    int status = world_request(d->w, a->method, a->url, body, &out);
    assert_int_equal(status, want);
    assert_int_equal(sigla_session_answer(d->session, status, 0, out.p, out.n), SIGLA_OK);
    sg_buf_deinit(&out);
}

/* All is synced under the id there was, and so many changes were committed. */
static void assert_one_client(device *d, const char *id, const char *commits)
{
    device_sync(d);
    assert_rows(d, "SELECT sigla_config('client')", id);
    assert_rows(synced(d->w, WORLD_SCHEMA), "SELECT seq FROM sigla_app", commits);
}

/* a's write of k2 waits while the record goes and comes again; when it arrives there, it stands. But a
 * has inserted the record meanwhile, on top of nothing. */
static void let_a_write_stand_under_an_insert(world *w, device *a, device *b, device *c,
                                              const char *removal)
{
    sigla_action push;
    device_exec(b, "DELETE FROM t WHERE id='k2'");
    device_sync(b);
    device_exec(a, "UPDATE t SET a='waits' WHERE id='k2'");
    stream(w, a);
    b->skew_us = -INT64_C(10000000);
    device_exec(b, "INSERT INTO t VALUES('k2','again',0)");
    device_sync(b);
    b->skew_us = 0;
    ask(a, &push);
    w->now_us += 1000;
    if (c != NULL) device_exec(c, removal);
    device_exec(a, "INSERT INTO t VALUES('k2',NULL,1)");
    arrive(a, &push, 200);
}

static void L5_what_stood_under_an_own_insert_was_lost_to_who_removed_it_there(void **state)
{
    world *w = *state;
    static const char *const removals[] = {"DELETE FROM t WHERE id='k2'",
                                           "UPDATE t SET a='theirs' WHERE id='k2'"};
    for (int k = 0; k < 2; k++) {
        device *a, *b, *c = synced(w, WORLD_SCHEMA);
        begin_with_two_rows(w, &a, &b);
        device_sync(c);
        /* After the write, and before the insert; it arrives between them. */
        c->skew_us = -INT64_C(500);
        let_a_write_stand_under_an_insert(w, a, b, c, removals[k]);
        assert_rows(a, "SELECT * FROM sigla_conflicts", "");
        device_sync(c);
        stream(w, a);
        assert_level(a, b);
        assert_rows(a, "SELECT key,field,wasLocal FROM sigla_conflicts", "k2|a|\"waits\"\n");
        device_exec(a, "DELETE FROM t");
        assert_level(a, b);
    }
}

static void L5_what_stood_under_an_own_insert_was_replaced_by_its_own_hand(void **state)
{
    world *w = *state;
    device *a, *b;
    begin_with_two_rows(w, &a, &b);
    let_a_write_stand_under_an_insert(w, a, b, NULL, NULL);
    stream(w, a);
    assert_level(a, b);
    assert_rows(a, "SELECT count(*) FROM sigla_journal", "0\n");
}

static void L13_a_pull_that_another_program_has_overtaken_shows_no_copy(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA), *other = world_again(w, d);
    char *id = device_rows(d, "SELECT sigla_config('client')");
    sigla_action pull;
    ask(d, &pull);
    device_exec(other, "INSERT INTO t VALUES('k1',1,1)");
    assert_true(device_step(other, FATE_ANSWER_LOST));
    arrive(d, &pull, 409);
    assert_one_client(d, id, "1\n");
    sqlite3_free(id);
}

static void L13_a_push_that_another_program_has_overtaken_shows_no_copy(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA), *other = world_again(w, d);
    char *id = device_rows(d, "SELECT sigla_config('client')");
    sigla_action push;
    device_exec(d, "INSERT INTO t VALUES('k1',1,1)");
    ask(d, &push);
    device_exec(other, "INSERT INTO t VALUES('k2',2,2)");
    assert_true(device_step(other, FATE_ANSWER_LOST));
    arrive(d, &push, 409);
    assert_one_client(d, id, "2\n");
    sqlite3_free(id);
}

/* Between what d reads of its outbox and what it notes as sent the other program sends more. */
static int overtake(unsigned type, void *ctx, void *statement, void *sql)
{
    device *other = ctx;
    (void)type;
    bool notes = strstr(sql, "INTO sigla_state(k,v)") != NULL;
    if (!notes || other->session != NULL || !sqlite3_get_autocommit(sqlite3_db_handle(statement)))
        return 0;
    device_exec(other, "INSERT INTO t VALUES('k2',2,2)");
    assert_true(device_step(other, FATE_ANSWER_LOST));
    return 0;
}

static void L13_what_another_program_has_sent_meanwhile_is_not_forgotten(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA), *other = world_again(w, d);
    char *id = device_rows(d, "SELECT sigla_config('client')");
    sigla_action push;
    device_exec(d, "INSERT INTO t VALUES('k1',1,1)");
    sqlite3_trace_v2(d->db, SQLITE_TRACE_STMT, overtake, other);
    ask(d, &push);
    sqlite3_trace_v2(d->db, 0, NULL, NULL);
    assert_non_null(other->session);
    assert_rows(d, "SELECT v FROM sigla_state WHERE k='sent_n'", "2\n");
    assert_true(sigla_session_lost(d->session) == SIGLA_OK);
    assert_one_client(d, id, "2\n");
    sqlite3_free(id);
}

/* Of two programs that hear of a copy one takes a new id, for both. */
static void L13_two_programs_that_find_a_copy_take_one_new_id(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA);
    device *copy = world_copy(w, d), *other = world_again(w, d);
    char *id = device_rows(d, "SELECT sigla_config('client')");
    sigla_action one, two;
    ask(d, &one);
    assert_true(device_step(other, FATE_LOST));
    assert_true(device_step(other, FATE_FINE));
    ask(other, &two);
    device_exec(copy, "INSERT INTO t VALUES('c',1,1)");
    device_sync(copy);
    arrive(d, &one, 409);
    char *fresh = device_rows(d, "SELECT sigla_config('client')");
    assert_string_not_equal(fresh, id);
    arrive(other, &two, 409);
    device_sync(other);
    assert_rows(other, "SELECT sigla_config('client')", fresh);
    assert_rows(d, "SELECT sigla_config('client')", fresh);
    sqlite3_free(id);
    sqlite3_free(fresh);
}

static void L13_what_another_program_writes_goes_under_the_new_id(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA);
    device *copy = world_copy(w, d), *other = world_again(w, d);
    device_sync(other); /* which knows the id by heart then */
    device_exec(copy, "INSERT INTO t VALUES('c',1,1)");
    device_sync(copy);
    device_sync(d);
    device_exec(other, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(other);
    device *fresh = synced(w, WORLD_SCHEMA);
    assert_same(other, fresh, WORLD_MARKS);
    char *id = device_rows(d, "SELECT sigla_config('client')");
    assert_rows(fresh, "SELECT DISTINCT client FROM sigla_marks('t','k1')", id);
    sqlite3_free(id);
}

static void L6_a_clock_years_ahead_expires_no_conflict(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k','mine',0)");
    device_exec(b, "INSERT INTO t VALUES('k','theirs',0)");
    device_sync(b);
    device_sync(a);
    device_sync(b);
    device *loser = device_int(a, "SELECT count(*) FROM sigla_conflicts") != 0 ? a : b;
    assert_rows(loser, "SELECT count(*) FROM sigla_conflicts", "1\n");
    loser->skew_us = INT64_C(30) * 365 * 86400 * 1000000;
    device_restart(loser);
    device_sync(loser);
    assert_rows(loser, "SELECT count(*) FROM sigla_conflicts", "1\n");
    loser->skew_us = 0;
    w->now_us += INT64_C(366) * 86400 * 1000000;
    device_sync(loser);
    assert_rows(loser, "SELECT count(*) FROM sigla_conflicts", "0\n");
}

static void L13_another_user_does_not_get_the_database(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    assert_int_equal(device_try(a, "SELECT sigla_init('{\"user\":\"bob\",\"token\":\"x\"}')"),
                     SQLITE_ERROR);
    assert_non_null(strstr(sqlite3_errmsg(a->db), "belongs to \"ann\""));
    assert_rows(a, "SELECT count(*) FROM sigla_pending", "1\n");
}

/* ---- L14 ---- */

static void L14_a_clock_years_ahead_wins_nothing_and_blocks_nothing(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA);
    device *late = world_device(w, WORLD_SCHEMA);
    late->skew_us = INT64_C(2) * 365 * 86400 * 1000000;
    device_exec(a, "INSERT INTO t VALUES('k1','a',1)");
    device_sync(a);
    device_exec(late, "INSERT INTO t VALUES('k1','late',2)");
    device_exec(late, "INSERT INTO t VALUES('k2','late',2)");
    device_sync(late);
    device_exec(a, "UPDATE t SET a='after' WHERE id='k1'");
    device_sync(a);
    device_sync(late);
    w->now_us += INT64_C(400) * 1000000;
    device_exec(a, "UPDATE t SET a='again' WHERE id='k1'");
    device_exec(late, "UPDATE t SET a='own' WHERE id='k2'");
    device_sync(a);
    device_sync(late);
    device_sync(a);
    assert_rows(a, WORLD_ROWS, "k1|again|2\nk2|own|2\n");
    assert_same(a, late, WORLD_ROWS);
    assert_same(a, late, WORLD_MARKS);
    assert_int_equal(device_int(a, "SELECT count(*) FROM sigla_marks('t','k1') WHERE at>'2026-02'"),
                     0);
}

static void L14_a_clock_behind_is_corrected_before_it_loses_edits(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *slow = world_device(w, WORLD_SCHEMA);
    slow->skew_us = -INT64_C(365) * 86400 * 1000000;
    device_exec(a, "INSERT INTO t VALUES('k1','a',1)");
    device_sync(a);
    device_sync(slow);
    device_exec(slow, "UPDATE t SET a='slow' WHERE id='k1'");
    device_sync(slow);
    device_sync(a);
    assert_rows(a, WORLD_ROWS, "k1|slow|1\n");
}

static void L14_a_time_given_with_an_answer_that_was_lost_is_taken_over(void **state)
{
    world *w = *state;
    device *late = world_device(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    late->skew_us = INT64_C(365) * 86400 * 1000000;
    device_exec(late, "INSERT INTO t VALUES('k1','late',1)");
    assert_true(device_step(late, FATE_ANSWER_LOST));
    device_exec(late, "UPDATE t SET a='on top' WHERE id='k1'");
    device_exec(late, "INSERT INTO t VALUES('k2','late',1)");
    assert_level(late, b);
    assert_rows(b, WORLD_ROWS, "k1|on top|1\nk2|late|1\n");
    assert_rows(b, "SELECT count(*) FROM sigla_marks('t','k1') WHERE at>'2026-02'", "0\n");
    assert_rows(late, "SELECT * FROM sigla_conflicts", "");
}

/* By the time it had it was the greater one, and what came meanwhile was not taken. */
static void L14_L2_who_is_given_a_lesser_time_than_what_it_kept_out_is_told(void **state)
{
    static const char *const waits[] = {
        "UPDATE t SET a='waits' WHERE id='k1'", "DELETE FROM t WHERE id='k1'",
        "DELETE FROM t WHERE id='k2'; INSERT INTO t VALUES('k2','waits',2)"};
    static const char *const meanwhile[] = {
        "UPDATE t SET a='theirs' WHERE id='k1'",
        "DELETE FROM t WHERE id='k1'; INSERT INTO t VALUES('k1','theirs',1)",
        "DELETE FROM t WHERE id='k2'"};
    world *w = *state;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        device *a, *b;
        begin_with_two_rows(w, &a, &b);
        a->skew_us = INT64_C(1000) * 1000000;
        b->skew_us = INT64_C(100) * 1000000;
        device_exec(a, waits[i]);
        device_exec(b, meanwhile[i]);
        device_sync(b);
        stream(w, a);
        assert_level(a, b);
        assert_rows(a, "SELECT count(*) FROM t WHERE a='waits'", "0\n");
        a->skew_us = b->skew_us = 0;
        device_exec(a, "DELETE FROM t");
        assert_level(a, b);
        w->now_us += INT64_C(1000) * 1000000;
    }
}

/* ---- L19 ---- */

static void L19_fields_of_a_newer_schema_are_kept_and_appear_with_their_column(void **state)
{
    world *w = *state;
    device *old = synced(w, WORLD_SCHEMA);
    device *new =
        synced(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, note); SELECT sigla_track('t')");
    device_exec(new, "INSERT INTO t VALUES('k1',1,1,'kept')");
    device_sync(new);
    device_sync(old);
    device_exec(old, "UPDATE t SET a=2 WHERE id='k1'");
    device_exec(old, "INSERT OR REPLACE INTO t(id,a,b) VALUES('k1',3,1)");
    device_sync(old);
    device_sync(new);
    assert_rows(new, WORLD_ROWS, "k1|3|1|kept\n");
    device_exec(old, "ALTER TABLE t ADD COLUMN note; SELECT sigla_refresh()");
    assert_rows(old, WORLD_ROWS, "k1|3|1|kept\n");
    assert_same(old, new, WORLD_MARKS);
    device_exec(old, "UPDATE t SET note='changed' WHERE id='k1'");
    device_sync(old);
    device_sync(new);
    assert_same(old, new, WORLD_ROWS);
}

/* ---- the machine's own manners ---- */

static void answers_that_cannot_be_helped_stop_the_session_by_name(void **state)
{
    static const struct {
        int status;
        int code;
    } cases[] = {{401, SIGLA_UNAUTHORIZED},
                 {402, SIGLA_PAYMENT},
                 {403, SIGLA_FORBIDDEN},
                 {426, SIGLA_TOONEW},
                 {404, SIGLA_NOTFOUND}};
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA);
    device_exec(d, "INSERT INTO t VALUES('k1',1,1)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sigla_session *s;
        sigla_action a;
        assert_int_equal(sigla_session_open(d->db, NULL, &s), SIGLA_OK);
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_REQUEST);
        (void)sigla_session_answer(s, cases[i].status, 0, "no", 2);
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_STOP);
        assert_int_equal(a.error, cases[i].code);
        sigla_session_close(s);
    }
    assert_rows(d, "SELECT count(*) FROM sigla_pending", "1\n");
}

static void answers_that_are_nonsense_lose_nothing(void **state)
{
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "<html>",
                                         "{}",
                                         "{\"acks\":[{\"n\":9,\"seq\":1}]}",
                                         "{\"acks\":[{\"n\":-1,\"seq\":1}]}",
                                         "\x28\xb5\x2f\xfd\x00\x00",
                                         "\x1f\x8b\x08"};
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA);
    device_exec(d, "INSERT INTO t VALUES('k1',1,1)");
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        sigla_session *s;
        sigla_action a;
        assert_int_equal(sigla_session_open(d->db, NULL, &s), SIGLA_OK);
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        (void)sigla_session_answer(s, 200, 0, bodies[i], strlen(bodies[i]));
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_STOP);
        assert_true(strlen(a.message) > 10);
        sigla_session_close(s);
        assert_rows(d, "SELECT count(*) FROM sigla_pending", "1\n");
    }
    device_sync(d);
    assert_rows(d, "SELECT count(*) FROM sigla_pending", "0\n");
}

static void failures_are_retried_with_full_jitter(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA);
    device_exec(d, "INSERT INTO t VALUES('k1',1,1)");
    sigla_session *s;
    sigla_action a;
    assert_int_equal(sigla_session_open(d->db, "{\"seed\":7}", &s), SIGLA_OK);
    int64_t longest = 0, different = 0, before = 0;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_REQUEST);
        static const int statuses[] = {408, 429, 500, 503};
        if (i % 2 == 0)
            (void)sigla_session_lost(s);
        else
            (void)sigla_session_answer(s, statuses[i / 2 % 4], 0, "", 0);
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        assert_int_equal(a.kind, SIGLA_WAIT);
        assert_true(a.wait_ms >= 500 && a.wait_ms <= 8000);
        if (a.wait_ms > longest) longest = a.wait_ms;
        different += a.wait_ms != before;
        before = a.wait_ms;
    }
    assert_true(longest > 6000);
    assert_true(different > 30);
    assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
    (void)sigla_session_answer(s, 503, 60000, "", 0);
    assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
    assert_int_equal(a.wait_ms, 60000);
    sigla_session_close(s);
}

static void a_body_that_is_too_large_is_halved_and_the_one_at_fault_set_aside(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA);
    device_exec(d, "INSERT INTO t VALUES('k1',1,1),('k2',1,1),('k3',1,1)");
    sigla_session *s;
    sigla_action a;
    assert_int_equal(sigla_session_open(d->db, "{\"encoding\":\"identity\"}", &s), SIGLA_OK);
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 24);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(sigla_session_next(s, &a), SIGLA_OK);
        if (a.kind == SIGLA_DONE) break;
        sg_slice body = sg_slice_of(a.body, a.body_bytes);
        bool bad = a.body != NULL && memmem(body.p, body.n, "\"k2\"", 4) != NULL;
        int status = bad ? 413 : world_request(w, a.method, a.url, body, &out);
        (void)sigla_session_answer(s, status, 0, out.p, bad ? 0 : out.n);
    }
    sg_buf_deinit(&out);
    assert_int_equal(a.kind, SIGLA_DONE);
    sigla_session_close(s);
    assert_rows(d, "SELECT key FROM sigla_refused", "k2\n");
    assert_rows(d, "SELECT count(*) FROM sigla_pending", "0\n");
}

static void L7_an_answer_does_not_take_the_cursor_back_behind_a_stream(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    sigla_action go;
    assert_int_equal(sigla_session_stream_request(a->session, 0, &go), SIGLA_OK);
    device_exec(a, "INSERT INTO t VALUES('a',1,1)");
    assert_int_equal(sigla_session_next(a->session, &go), SIGLA_OK);
    assert_string_equal(go.method, "POST");
    sg_buf answer, event;
    sg_buf_init(&answer, 1 << 20);
    sg_buf_init(&event, 1 << 20);
    assert_int_equal(world_request(w, "POST", go.url, sg_slice_of(go.body, go.body_bytes), &answer),
                     200);
    device_exec(b, "INSERT INTO t VALUES('b',2,2)");
    device_sync(b);
    sg_buf page;
    sg_buf_init(&page, 1 << 20);
    assert_int_equal(world_request(w, "GET", "http://sim/sync/default/pull?v=2&since=&client=x",
                                   sg_slice_of("", 0), &page),
                     200);
    sg_buf_str(&event, "event: changes\ndata: ");
    sg_buf_append(&event, &page);
    sg_buf_str(&event, "\n\n");
    assert_int_equal(sigla_session_stream(a->session, 0, event.p, event.n), SIGLA_OK);
    assert_rows(a, "SELECT seq FROM sigla_app", "2\n");
    assert_int_equal(sigla_session_answer(a->session, 200, 0, answer.p, answer.n), SIGLA_OK);
    assert_rows(a, "SELECT seq FROM sigla_app", "2\n");
    sg_buf_deinit(&answer);
    sg_buf_deinit(&event);
    sg_buf_deinit(&page);
}

#define TWO_TABLES                                                                                 \
    "CREATE TABLE t(id TEXT PRIMARY KEY, a, b); CREATE TABLE u(id TEXT PRIMARY KEY, a);"           \
    "SELECT sigla_track('t')"

/* Rows of u that b has passed over, since it did not track it when they came. */
static device *without_the_other_table(world *w)
{
    device *a = synced(w, TWO_TABLES ", sigla_track('u')");
    device_exec(a, "INSERT INTO u VALUES('u1',1)");
    device_sync(a);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(a);
    return synced(w, TWO_TABLES);
}

static void assert_all_came(device *b)
{
    assert_rows(b, "SELECT seq FROM sigla_app", "0\n");
    device_sync(b);
    assert_rows(b, "SELECT * FROM u", "u1|1\n");
    assert_rows(b, "SELECT count(*) FROM sigla_sum WHERE found_at<>0", "0\n");
}

/* Who comes to track a table asks for everything; what was asked for before does not go on top of
 * nothing. */
static void L7_a_late_answer_passes_over_nothing_that_is_asked_for_anew(void **state)
{
    device *b = without_the_other_table(*state);
    sigla_action pull;
    ask(b, &pull);
    device_exec(b, "SELECT sigla_track('u')");
    arrive(b, &pull, 200);
    assert_all_came(b);
}

static void L7_nor_does_a_stream(void **state)
{
    world *w = *state;
    device *b = without_the_other_table(w), *c = synced(w, WORLD_SCHEMA);
    sigla_action go;
    sg_buf page;
    sg_buf_init(&page, 1 << 20);
    assert_int_equal(sigla_session_stream_request(b->session, 0, &go), SIGLA_OK);
    char *url = sqlite3_mprintf("/sync/default/pull?%s", strchr(go.url, '?') + 1);
    device_exec(c, "INSERT INTO t VALUES('k2',2,2)");
    device_sync(c);
    assert_int_equal(world_request(w, "GET", url, SG_LIT(""), &page), 200);
    device_exec(b, "SELECT sigla_track('u')");
    assert_int_equal(sigla_session_stream(b->session, 0, "event: changes\ndata: ", 21), SIGLA_OK);
    assert_int_equal(sigla_session_stream(b->session, 0, page.p, page.n), SIGLA_OK);
    assert_int_equal(sigla_session_stream(b->session, 0, "\n\n", 2), SIGLA_BUSY);
    assert_all_came(b);
    sqlite3_free(url);
    sg_buf_deinit(&page);
}

/* An older state of the server says nothing of what is here: what it told is not compared. */
static void L2_a_late_answer_is_not_compared_with_what_came_by_a_stream(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    sigla_action pull;
    sg_buf old;
    sg_buf_init(&old, 1 << 20);
    ask(a, &pull);
    assert_int_equal(world_request(w, "GET", pull.url, SG_LIT(""), &old), 200);
    device_exec(b, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(b);
    device *other = world_again(w, a);
    device_sync(other);
    device_exec(a, "SELECT sigla_untrack('t'); SELECT sigla_track('t')");
    assert_int_equal(sigla_session_answer(a->session, 200, 0, old.p, old.n), SIGLA_OK);
    device_sync(a);
    assert_same(a, b, WORLD_ROWS);
    assert_rows(a, "SELECT count(*) FROM sigla_sum WHERE found_at<>0", "0\n");
    sg_buf_deinit(&old);
}

/* Go on until everything is being asked for. */
static void begin_resync(device *d)
{
    sigla_action pull;
    for (ask(d, &pull); device_int(d, "SELECT resync FROM sigla_app") == 0; ask(d, &pull))
        arrive(d, &pull, 200);
    assert_int_equal(sigla_session_lost(d->session), SIGLA_OK);
}

/* It brings less than all there is, which the other program has asked for. */
static void L12_a_late_answer_ends_no_resync_of_another_program(void **state)
{
    world *w = *state;
    device *d = synced(w, WORLD_SCHEMA), *other = world_again(w, d);
    sigla_action pull;
    device_exec(d, "INSERT INTO t VALUES('k1',1,1)");
    device_sync(d);
    device_sync(other);
    for (int again = 0; again < 2; again++) {
        ask(d, &pull);
        device_exec(other, "SELECT sigla_repair()");
        begin_resync(other);
        arrive(d, &pull, 200);
        assert_rows(d, "SELECT id FROM t", "k1\n");
        assert_rows(d, "SELECT resync<>0 FROM sigla_app", "1\n");
        device_sync(d);
        device_sync(other);
        assert_rows(d, "SELECT id FROM t", "k1\n");
        assert_rows(d, "SELECT resync FROM sigla_app", "0\n");
    }
}

static void who_stops_says_why_even_if_the_server_does_not(void **state)
{
    device *a = synced(*state, WORLD_SCHEMA);
    static const char silent[] = "{\"error\":{\"code\":\"forbidden\",\"message\":\"\"}}";
    sigla_action action;
    assert_int_equal(sigla_session_next(a->session, &action), SIGLA_OK);
    assert_int_equal(action.kind, SIGLA_REQUEST);
    assert_int_equal(sigla_session_answer(a->session, 403, 0, silent, sizeof silent - 1), SIGLA_OK);
    assert_int_equal(sigla_session_next(a->session, &action), SIGLA_OK);
    assert_int_equal(action.kind, SIGLA_STOP);
    assert_int_equal(action.error, SIGLA_FORBIDDEN);
    assert_true(action.message[0] != '\0');
}

/* The server has committed, and could not read what is new. */
static void a_push_that_is_answered_without_a_page_is_followed_by_a_pull(void **state)
{
    world *w = *state;
    device *a = synced(w, WORLD_SCHEMA), *b = synced(w, WORLD_SCHEMA);
    device_exec(b, "INSERT INTO t VALUES('theirs',1,1)");
    device_sync(b);
    device_exec(a, "INSERT INTO t VALUES('mine',1,1)");
    sigla_action action;
    assert_int_equal(sigla_session_next(a->session, &action), SIGLA_OK);
    assert_string_equal(action.method, "POST");
    sg_buf out;
    sg_buf_init(&out, 1 << 20);
    sg_slice body = sg_slice_of(action.body, action.body_bytes);
    assert_int_equal(world_request(w, action.method, action.url, body, &out), 200);
    static const char bare[] = "{\"acks\":[{\"n\":1,\"seq\":2}],\"staged\":0,\"rejected\":[],"
                               "\"restamped\":[],\"conflicts\":[]}";
    assert_int_equal(sigla_session_answer(a->session, 200, 0, bare, sizeof bare - 1), SIGLA_OK);
    sg_buf_deinit(&out);
    device_sync(a);
    device_sync(b);
    assert_same(a, b, WORLD_ROWS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(L1_a_large_transaction_is_pushed_in_parts_and_seen_whole),
        T(L1_parts_are_sent_again_after_the_server_has_dropped_them),
        T(L7_pages_that_could_not_be_written_are_pulled_again),
        T(L2_who_wrote_the_lesser_over_what_it_had_seen_is_told),
        T(L2_who_is_told_with_the_answer_lost_is_told_again),
        T(L2_a_lesser_insert_or_delete_is_told_too),
        T(L2_L5_an_edit_that_waits_while_its_record_goes_and_comes_again),
        T(L3_a_write_after_adopted_rows_is_above_those_before),
        T(L3_L14_what_waits_stays_above_what_was_given_a_time),
        T(L3_L14_a_given_time_stays_above_ones_own_earlier_write),
        T(L5_what_comes_back_and_goes_again_is_raised_once),
        T(L5_what_comes_back_and_is_overwritten_by_its_writer_is_settled),
        T(L8_what_was_written_offline_goes_out_by_itself),
        T(L8_an_edit_made_while_a_push_is_out_is_pushed_as_well),
        T(L4_rows_that_were_there_before_tracking_never_overwrite),
        T(L2_L19_who_deleted_in_vain_gets_its_own_fields_again),
        T(L2_L19_a_delete_that_comes_under_a_waiting_insert_brings_no_values),
        T(L9_a_refused_change_stands_alone_and_can_be_retried),
        T(L9_a_row_that_breaks_a_unique_index_is_parked_until_it_fits),
        T(L9_children_before_their_parents_wait_for_them),
        T(L10_applied_changes_are_not_queued_and_triggers_writes_are),
        T(L7_who_writes_faster_than_it_pushes_sees_what_others_write),
        T(L12_a_device_below_the_floor_resyncs_and_nothing_rises_from_the_dead),
        T(L12_an_insert_outlives_a_tombstone_that_was_purged_on_its_way),
        T(L12_who_comes_to_track_a_table_below_the_floor_resyncs),
        T(L12_an_edit_outlives_a_tombstone_that_was_purged_while_it_waited),
        T(L12_what_was_purged_and_made_anew_with_a_lesser_stamp_stands),
        T(L12_a_field_goes_with_the_record_that_was_purged),
        T(L12_a_late_insert_of_what_was_purged_is_alive_for_all),
        T(L12_tombstones_below_the_floor_do_not_gather),
        T(L6_a_resync_keeps_what_a_person_wrote_in_records_it_removes),
        T(L13_a_copied_database_gets_an_id_of_its_own_and_loses_nothing),
        T(L6_a_clock_years_ahead_expires_no_conflict),
        T(L7_an_answer_does_not_take_the_cursor_back_behind_a_stream),
        T(L7_a_late_answer_passes_over_nothing_that_is_asked_for_anew),
        T(L7_nor_does_a_stream),
        T(L2_a_late_answer_is_not_compared_with_what_came_by_a_stream),
        T(L12_a_late_answer_ends_no_resync_of_another_program),
        T(L13_a_restored_backup_goes_on_without_loss),
        T(L13_another_user_does_not_get_the_database),
        T(L5_what_stood_under_an_own_insert_was_lost_to_who_removed_it_there),
        T(L5_what_stood_under_an_own_insert_was_replaced_by_its_own_hand),
        T(L13_a_pull_that_another_program_has_overtaken_shows_no_copy),
        T(L13_a_push_that_another_program_has_overtaken_shows_no_copy),
        T(L13_what_another_program_has_sent_meanwhile_is_not_forgotten),
        T(L13_two_programs_that_find_a_copy_take_one_new_id),
        T(L13_what_another_program_writes_goes_under_the_new_id),
        T(L14_a_clock_years_ahead_wins_nothing_and_blocks_nothing),
        T(L14_a_time_given_with_an_answer_that_was_lost_is_taken_over),
        T(L14_L2_who_is_given_a_lesser_time_than_what_it_kept_out_is_told),
        T(L14_a_clock_behind_is_corrected_before_it_loses_edits),
        T(L19_fields_of_a_newer_schema_are_kept_and_appear_with_their_column),
        T(answers_that_cannot_be_helped_stop_the_session_by_name),
        T(answers_that_are_nonsense_lose_nothing),
        T(failures_are_retried_with_full_jitter),
        T(a_body_that_is_too_large_is_halved_and_the_one_at_fault_set_aside),
        T(who_stops_says_why_even_if_the_server_does_not),
        T(a_push_that_is_answered_without_a_page_is_followed_by_a_pull),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
