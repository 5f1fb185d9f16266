/* timeout: 200
 * A sync in which one thing fails, for as many things as can: an allocation, a write or a
 * statement, at the device or at the server. Whatever fails, the sync is taken up again, both
 * devices end equal to each other, nothing was done by halves (L1), twice (L8) or in vain (L6), and
 * of each round's lost edit exactly one conflict is raised (L5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/faults.h"
#include "lib/prng.h"
#include "lib/world.h"
#include "server/audit.h"

#define SCHEMA                                                                                       \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, n); CREATE TABLE copy(id INTEGER PRIMARY KEY, a, " \
    "b, n);"                                                                                         \
    "CREATE TABLE u(k, l, v UNIQUE, PRIMARY KEY(k,l)) WITHOUT ROWID;"                                \
    "SELECT sigla_track('t'); SELECT sigla_track('copy'); SELECT sigla_track('u');"                  \
    "SELECT sigla_index_updated('t')"
#define ROUNDS_MAX 100000

enum side { DEVICE, SERVER };

typedef struct story {
    world *w;
    device *a, *b;
    enum side side; /* that is struck */
    int round;
    prng random;
} story;

static void run(device *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    device_exec(d, sql);
    sqlite3_free(sql);
}

/* ---- a round ---- */

/* B writes and syncs; A writes, knowing nothing of it. A's edit of row 1 loses. */
static void write_both(story *s)
{
    int i = s->round;
    run(s->a, "BEGIN; UPDATE t SET a='a%d' WHERE id=1; UPDATE copy SET a='a%d' WHERE id=1; COMMIT",
        i, i);
    run(s->a,
        "BEGIN; INSERT INTO t VALUES(%d,%d,zeroblob(300),1); INSERT INTO copy SELECT * FROM t WHERE "
        "id=%d; DELETE FROM t WHERE id=%d; DELETE FROM copy WHERE id=%d; COMMIT;"
        "REPLACE INTO u VALUES(%d,'x',%d)",
        100 + i, i, 100 + i, 96 + i, 96 + i, i % 5, i);
    run(s->b,
        "BEGIN; UPDATE t SET a='b%d', b='b%d' WHERE id=1; UPDATE copy SET a='b%d', b='b%d' "
        "WHERE id=1; UPDATE t SET n=n+1 WHERE id<4; UPDATE copy SET n=n+1 WHERE id<4; COMMIT;"
        "REPLACE INTO u VALUES(%d,'x','y%d')",
        i, i, i, i, i % 7, i);
    device_sync(s->b);
}

static int ask_server(story *s, const sigla_action *a, sg_buf *out)
{
    if (s->side == SERVER) fault_resume();
    int status = world_request(s->w, a->method, a->url, sg_slice_of(a->body, a->body_bytes), out);
    if (s->side == SERVER) fault_pause();
    assert_true(status == 200 || status >= 500);
    return status;
}

/* One step of A; false when there is no more to do, or it cannot be done now. */
static bool step(story *s)
{
    device *d = s->a;
    sigla_action a = {.kind = SIGLA_STOP};
    if (s->side == DEVICE) fault_resume();
    int err = SIGLA_OK;
    if (d->session == NULL)
        err = sigla_session_open(d->db, "{\"encoding\":\"identity\",\"seed\":1}", &d->session);
    if (err == SIGLA_OK) err = sigla_session_next(d->session, &a);
    if (s->side == DEVICE) fault_pause();
    if (err != SIGLA_OK || a.kind == SIGLA_STOP) {
        if (err == SIGLA_OK) assert_true(a.message[0] != '\0');
        return false;
    }
    assert_true(sqlite3_get_autocommit(d->db));
    if (a.kind == SIGLA_WAIT) s->w->now_us += a.wait_ms * 1000;
    if (a.kind != SIGLA_REQUEST) return a.kind != SIGLA_DONE;
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 30);
    int status = ask_server(s, &a, &out);
    if (s->side == DEVICE) fault_resume();
    err = sigla_session_answer(d->session, status, 0, out.p, out.n);
    if (s->side == DEVICE) fault_pause();
    assert_true(sqlite3_get_autocommit(d->db));
    if (err != SIGLA_OK) assert_true(sigla_session_message(d->session)[0] != '\0');
    sg_buf_deinit(&out);
    return err == SIGLA_OK;
}

/* Until it is done, or cannot go on; a server that stays out of memory is asked a few times. */
static void sync_struck(story *s)
{
    for (int steps = 0; steps < 20 && step(s); steps++)
        continue;
}

static void assert_text(device *d, const char *sql, const char *want)
{
    char *have = device_text(d, sql);
    if (strcmp(have, want) != 0)
        fail_msg("device %d: %s gives %s, not %s", d->index, sql, have, want);
    sqlite3_free(have);
}

static void assert_level(story *s, const char *sql)
{
    char *a = device_rows(s->a, sql), *b = device_rows(s->b, sql);
    if (strcmp(a, b) != 0) fail_msg("%s gives\n%s\nand\n%s", sql, a, b);
    sqlite3_free(a);
    sqlite3_free(b);
}

static void assert_sound(void *ctx, const sg_audited *t)
{
    (void)ctx;
    assert_true(sg_audited_sound(t));
}

static void check_round(story *s)
{
    assert_int_equal(sg_audit(&s->w->store, s->w->view, assert_sound, NULL), SG_OK);
    char conflicts[200], want[30];
    device *both[] = {s->a, s->b};
    for (int i = 0; i < 2; i++) {
        assert_text(both[i], "SELECT count(*) FROM sigla_pending()", "0");
        assert_text(both[i], "SELECT count(*) FROM sigla_outbox", "0");
        assert_rows(both[i], "SELECT * FROM t EXCEPT SELECT * FROM copy", "");
        assert_text(both[i], "SELECT count(*) FROM sigla_refused()", "0");
        /* What was undone is in no sum, and what was not is in it. */
        assert_text(both[i], "SELECT count(*) FROM sigla_sum WHERE found_at<>0", "0");
    }
    assert_level(s, "SELECT * FROM t");
    assert_level(s, "SELECT * FROM u");
    assert_level(s, "SELECT * FROM copy");
    assert_level(s, "SELECT field,value,at,actor,client,n,seq FROM sigla_marks('t',1)");
    snprintf(conflicts, sizeof conflicts,
             "SELECT field,value,at,actor,client,n,seq FROM sigla_marks('t',%d)", 100 + s->round);
    assert_level(s, conflicts);
    snprintf(conflicts, sizeof conflicts,
             "SELECT count(*) FROM sigla_conflicts(1) WHERE "
             "\"table\"='t' AND field='a' AND wasLocal='\"a%d\"'",
             s->round);
    assert_text(s->a, conflicts, "1");
    snprintf(want, sizeof want, "%d", s->round);
    assert_text(s->a, "SELECT count(*) FROM sigla_conflicts(1) WHERE \"table\"='t'", want);
}

/* The n-th fails; false if it never came to that. */
static bool round_struck(story *s, enum fault which, size_t n, bool sticky)
{
    s->round++;
    /* With statements not prepared yet, every other time. */
    if (s->round % 2 == 0) device_restart(s->a);
    write_both(s);
    fault_arm(which, n, sticky);
    fault_pause();
    sync_struck(s);
    bool struck = fault_disarm();
    if (s->a->session != NULL) sigla_session_close(s->a->session);
    s->a->session = NULL;
    device_sync(s->a);
    device_sync(s->b);
    check_round(s);
    return struck;
}

/* ---- all of them ---- */

static story open_story(enum side side)
{
    story s = {.w = calloc(1, sizeof *s.w), .side = side, .random = {7}};
    world_open(s.w);
    s.a = world_device(s.w, SCHEMA);
    s.b = world_device(s.w, SCHEMA);
    device_exec(s.a, "INSERT INTO t VALUES(1,1,1,0),(2,2,2,0),(3,3,3,0); INSERT INTO copy SELECT * "
                     "FROM t");
    device_sync(s.a);
    device_sync(s.b);
    device_sync(s.a);
    return s;
}

static void close_story(story *s)
{
    assert_text(s->a, "PRAGMA integrity_check", "ok");
    assert_text(s->b, "PRAGMA integrity_check", "ok");
    world_close(s->w);
    free(s->w);
}

/* The first eighty one by one, then ever larger steps. */
static void strike_each(enum side side, enum fault which)
{
    for (int sticky = 0; sticky < 2; sticky++) {
        story s = open_story(side);
        size_t n = 1;
        /* Rounds of both kinds must get through. */
        for (int unstruck = 0; unstruck < 2 && s.round < ROUNDS_MAX;) {
            unstruck = round_struck(&s, which, n, sticky) ? 0 : unstruck + 1;
            n += n < 80 ? 1 : 1 + prng_below(&s.random, n / 5);
        }
        print_message("%s %zu: not reached any more\n", fault_name(which), n);
        assert_true(n > 10);
        close_story(&s);
    }
}

static void L1_L8_memory_of_ours_that_runs_out_at_the_device(void **state)
{
    (void)state;
    strike_each(DEVICE, FAULT_OURS);
}

static void L1_L8_memory_of_SQLite_that_runs_out_at_the_device(void **state)
{
    (void)state;
    strike_each(DEVICE, FAULT_SQLITES);
}

static void L1_L8_a_disk_that_fails_at_the_device(void **state)
{
    (void)state;
    strike_each(DEVICE, FAULT_DISK);
}

static void L1_L8_statements_that_are_interrupted_at_the_device(void **state)
{
    (void)state;
    strike_each(DEVICE, FAULT_STATEMENT);
}

static void L1_L8_memory_of_ours_that_runs_out_at_the_server(void **state)
{
    (void)state;
    strike_each(SERVER, FAULT_OURS);
}

static void L1_L8_memory_of_SQLite_that_runs_out_at_the_server(void **state)
{
    (void)state;
    strike_each(SERVER, FAULT_SQLITES);
}

static void L1_L8_a_disk_that_fails_at_the_server(void **state)
{
    (void)state;
    strike_each(SERVER, FAULT_DISK);
}

static void L1_L8_statements_that_are_interrupted_at_the_server(void **state)
{
    (void)state;
    strike_each(SERVER, FAULT_STATEMENT);
}

/* What waits can be sent although a write that failed has cost the connection what it knew of its
 * tables. */
static void L9_a_write_that_failed_does_not_hold_back_what_waits(void **state)
{
    (void)state;
    story s = open_story(DEVICE);
    bool struck = true;
    for (int n = 1; struck; n++) {
        run(s.a, "UPDATE t SET n=n+1 WHERE id=1");
        (void)device_step(s.a, FATE_LOST);
        run(s.a, "CREATE TABLE later%d(x)", n);
        fault_arm(FAULT_OURS, (size_t)n, false);
        (void)device_try(s.a, "UPDATE t SET n=n+1 WHERE id=2");
        struck = fault_disarm();
        device_sync(s.a);
    }
    device_sync(s.b);
    assert_level(&s, "SELECT * FROM t");
    close_story(&s);
}

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L9_a_write_that_failed_does_not_hold_back_what_waits),
        cmocka_unit_test(L1_L8_memory_of_ours_that_runs_out_at_the_device),
        cmocka_unit_test(L1_L8_memory_of_SQLite_that_runs_out_at_the_device),
        cmocka_unit_test(L1_L8_a_disk_that_fails_at_the_device),
        cmocka_unit_test(L1_L8_statements_that_are_interrupted_at_the_device),
        cmocka_unit_test(L1_L8_memory_of_ours_that_runs_out_at_the_server),
        cmocka_unit_test(L1_L8_memory_of_SQLite_that_runs_out_at_the_server),
        cmocka_unit_test(L1_L8_a_disk_that_fails_at_the_server),
        cmocka_unit_test(L1_L8_statements_that_are_interrupted_at_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
