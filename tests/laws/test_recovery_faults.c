/* timeout: 200
 * What a device does on rare days, while one thing fails at it or at the server: a first pull, a
 * resync, a server put back from a copy, a copied database, a transaction sent in parts. Whatever
 * fails, trying again brings both devices to what they come to when nothing does; nothing is lost
 * (L6), doubled (L8) or left open.
 *
 * Each try begins with the same files. To add a day, add a line to `days`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/faults.h"
#include "lib/world.h"

#define DENSE 6 /* faults of a kind that are tried one by one; after them, fewer and fewer */
#define OPTIONS "{\"encoding\":\"identity\",\"seed\":1}"
#define STEPS_MAX 40

enum side { DEVICE, SERVER };

typedef struct day {
    const char *name;
    void (*before)(world *w, device *a, device *b);
    const char *options; /* of a's session */
    int refusal;         /* the status by which the server tells what day it is; 0: it does not */
} day;

typedef struct story {
    const day *day;
    world *w;
    device *a, *b; /* a is struck */
    enum side side;
    char *rows, *marks; /* when nothing fails */
    int refused;        /* the last status that was not 200 */
} story;

/* ---- the days ---- */

static void first_pull(world *w, device *a, device *b)
{
    (void)w, (void)a;
    device_exec(b, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40) "
                   "INSERT INTO t SELECT 'b'||i,i,x'00ff' FROM n; DELETE FROM t WHERE id='b7'");
    device_sync(b);
    device_exec(a, "INSERT INTO t VALUES('b1','own',1)");
}

static void both_have_rows(device *a, device *b)
{
    device_exec(a, "INSERT INTO t VALUES('k1',1,1),('k2',2,2),('k3',3,3)");
    device_sync(a);
    device_sync(b);
}

static void old_cursor(world *w, device *a, device *b)
{
    both_have_rows(a, b);
    device_exec(b, "DELETE FROM t WHERE id='k2'; UPDATE t SET a='b' WHERE id='k1'");
    device_sync(b);
    world_purge(w);
    device_exec(a, "UPDATE t SET a='a', b='a' WHERE id='k1'; INSERT INTO t VALUES('k4',4,4)");
}

static void server_put_back(world *w, device *a, device *b)
{
    both_have_rows(a, b);
    world_backup(w);
    device_exec(a, "UPDATE t SET a='after' WHERE id='k1'; INSERT INTO t VALUES('k5',5,5)");
    device_sync(a);
    device_sync(b);
    world_put_back(w);
    device_exec(b, "UPDATE t SET b='b' WHERE id='k1'; DELETE FROM t WHERE id='k3'");
    device_sync(b);
    device_exec(a, "UPDATE t SET b='pending' WHERE id='k2'");
}

/* Another database has pushed as this one. */
static void copied(world *w, device *a, device *b)
{
    both_have_rows(a, b);
    device *copy = world_copy(w, a);
    device_exec(copy, "UPDATE t SET a='copy' WHERE id='k1'");
    device_sync(copy);
    device_exec(a, "UPDATE t SET b='a' WHERE id='k1'; INSERT INTO t VALUES('k6',6,6)");
}

static void in_parts(world *w, device *a, device *b)
{
    (void)w;
    both_have_rows(a, b);
    device_exec(a, "BEGIN; UPDATE t SET a='whole'; INSERT INTO t VALUES('k7',7,7),('k8',8,8),"
                   "('k9',9,9),('k10',10,10); DELETE FROM t WHERE id='k2'; COMMIT");
    device_exec(b, "UPDATE t SET a='b' WHERE id='k3'");
    device_sync(b);
}

static const day days[] = {
    {"a first pull", first_pull, OPTIONS, 0},
    {"a resync", old_cursor, OPTIONS, 410},
    {"a server put back", server_put_back, OPTIONS, 410},
    {"a copied database", copied, OPTIONS, 409},
    {"a transaction in parts", in_parts, "{\"encoding\":\"identity\",\"seed\":1,\"batch\":2}", 0},
};
#define DAYS (sizeof days / sizeof *days)

/* ---- a sync that may fail ---- */

static int ask(story *s, const sigla_action *a, sg_buf *out)
{
    if (s->side == SERVER) fault_resume();
    int status = world_request(s->w, a->method, a->url, sg_slice_of(a->body, a->body_bytes), out);
    if (s->side == SERVER) fault_pause();
    if (status != 200) s->refused = status;
    return status;
}

/* One step of a's; false when it is done or cannot go on. */
static bool step(story *s, sigla_session *session)
{
    sigla_action a = {.kind = SIGLA_STOP};
    if (s->side == DEVICE) fault_resume();
    int err = sigla_session_next(session, &a);
    if (s->side == DEVICE) fault_pause();
    assert_int_equal(err, SIGLA_OK);
    if (a.kind == SIGLA_STOP) assert_true(a.message[0] != '\0');
    if (a.kind == SIGLA_WAIT) s->w->now_us += a.wait_ms * 1000;
    if (a.kind != SIGLA_REQUEST) return a.kind == SIGLA_WAIT;
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 30);
    int status = ask(s, &a, &out);
    if (s->side == DEVICE) fault_resume();
    err = sigla_session_answer(session, status, 0, out.p, out.n);
    if (s->side == DEVICE) fault_pause();
    if (err != SIGLA_OK) assert_true(sigla_session_message(session)[0] != '\0');
    sg_buf_deinit(&out);
    return err == SIGLA_OK;
}

static void sync(story *s)
{
    sigla_session *session = NULL;
    if (s->side == DEVICE) fault_resume();
    int err = sigla_session_open(s->a->db, s->day->options, &session);
    if (s->side == DEVICE) fault_pause();
    for (int steps = 0; err == SIGLA_OK && steps < STEPS_MAX && step(s, session); steps++)
        continue;
    sigla_session_close(session);
}

/* ---- what must hold ---- */

static void settle(story *s)
{
    for (int i = 0; i < 2; i++) {
        device_sync(s->a);
        device_sync(s->b);
    }
}

#define MARKS "SELECT t.id,m.field,m.value,m.actor FROM t, sigla_marks('t',t.id) m ORDER BY 1,2"

static void check(story *s)
{
    device *const both[] = {s->a, s->b};
    for (size_t i = 0; i < 2; i++) {
        assert_rows(both[i], WORLD_ROWS, s->rows);
        assert_rows(both[i], MARKS, s->marks);
        assert_rows(both[i], "SELECT count(*) FROM sigla_pending()", "0\n");
        assert_rows(both[i], "SELECT count(*) FROM sigla_outbox", "0\n");
        assert_rows(both[i], "SELECT count(*) FROM sigla_refused()", "0\n");
    }
    assert_rows(s->a, "PRAGMA integrity_check", "ok\n");
    assert_same(s->a, s->b, WORLD_MARKS);
}

static bool attempt(void *ctx, enum fault which, size_t n, bool sticky)
{
    story *s = ctx;
    world_return(s->w);
    /* Nothing is synced to a disk in truth: the VFS sees to that. */
    device_exec(s->a, "PRAGMA synchronous=FULL");
    fault_arm(which, n, sticky);
    fault_pause();
    sync(s);
    bool struck = fault_disarm();
    settle(s);
    check(s);
    return struck;
}

static void test_it(void **state)
{
    (void)fault_disarm(); /* of a test that has failed */
    story s = {.day = *state, .w = calloc(1, sizeof(world))};
    assert_non_null(s.w);
    world_open(s.w);
    s.a = world_device(s.w, WORLD_SCHEMA);
    s.b = world_device(s.w, WORLD_SCHEMA);
    s.day->before(s.w, s.a, s.b);
    world_keep(s.w);
    sync(&s);
    assert_int_equal(s.refused, s.day->refusal);
    settle(&s);
    s.rows = device_rows(s.a, WORLD_ROWS);
    s.marks = device_rows(s.a, MARKS);
    check(&s);
    for (int which = 0; which < FAULT_KINDS; which++) {
        size_t struck[2];
        for (s.side = DEVICE; s.side <= SERVER; s.side++)
            struck[s.side] = fault_each((enum fault)which, DENSE, attempt, &s);
        print_message("%s: %s: %zu here, %zu at the server\n", s.day->name,
                      fault_name((enum fault)which), struck[DEVICE], struck[SERVER]);
    }
    sqlite3_free(s.rows);
    sqlite3_free(s.marks);
    world_close(s.w);
    free(s.w);
}

/* The name of a day as an argument: that one alone. */
int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    faults_install();
    struct CMUnitTest tests[DAYS];
    for (size_t i = 0; i < DAYS; i++)
        tests[i] =
            (struct CMUnitTest){days[i].name, test_it, NULL, NULL, (void *)(uintptr_t)&days[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
