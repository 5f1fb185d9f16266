/*
 * The writer's thread over a store that can be told to wait or to fail: groups, isolation, bounds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "server/ingest.h"
#include "server/now.h"

#define WAIT_S 20

/* ---- a store with faults ---- */

typedef struct faults {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hold;        /* begin waits until this is false */
    bool waiting;     /* begin waits */
    int commit_fails; /* that many commits give commit_err */
    int commit_err;
    const char *bad_key; /* loading this record gives SG_CORRUPT */
    int groups;          /* commits that were asked for */
} faults;

static faults f;
static sg_store real;
static sg_store_ops faulty;

static struct timespec deadline(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += WAIT_S;
    return t;
}

static int begin(sg_writer *w, sg_commit *newest)
{
    pthread_mutex_lock(&f.lock);
    f.waiting = f.hold;
    pthread_cond_broadcast(&f.changed);
    while (f.hold)
        pthread_cond_wait(&f.changed, &f.lock);
    f.waiting = false;
    pthread_mutex_unlock(&f.lock);
    return real.ops->begin(w, newest);
}

static int commit(sg_writer *w, const sg_commit *newest)
{
    pthread_mutex_lock(&f.lock);
    f.groups++;
    bool fails = f.commit_fails > 0;
    if (fails) f.commit_fails--;
    pthread_mutex_unlock(&f.lock);
    return fails ? f.commit_err : real.ops->commit(w, newest);
}

static int load_records(sg_writer *w, sg_feed feed, const sg_ref *refs, size_t n, sg_arena *arena,
                        sg_stored *out)
{
    for (size_t i = 0; f.bad_key != NULL && i < n; i++)
        if (sg_slice_eq(refs[i].key, sg_slice_str(f.bad_key))) return SG_CORRUPT;
    return real.ops->load_records(w, feed, refs, n, arena, out);
}

/* ---- the world ---- */

typedef struct world {
    char dir[64];
    sg_store store;
    sg_ingest_config config;
    sg_ingest *ingest;
    int done;       /* pushes that have ended */
    int errs[4096]; /* by the push's id */
    size_t committed[4096];
    size_t refused[4096];
    int64_t staged[4096];
} world;

static void push_done(void *ctx, sg_push *p)
{
    world *t = ctx;
    pthread_mutex_lock(&f.lock);
    t->errs[p->id] = p->result.err;
    t->committed[p->id] = p->result.committed;
    t->refused[p->id] = p->result.refusal_count;
    t->staged[p->id] = p->result.staged;
    t->done++;
    pthread_cond_broadcast(&f.changed);
    pthread_mutex_unlock(&f.lock);
    sg_push_free(p);
}

static void pushes_committed(void *ctx, sg_push *const *pushes, size_t n)
{
    (void)ctx;
    (void)pushes;
    (void)n;
}

static int set_up(void **state)
{
    static world t;
    const char *tmp = getenv("TMPDIR");
    char path[80];
    t = (world){0};
    f = (faults){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    snprintf(t.dir, sizeof t.dir, "%s/ingest-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof t.dir - 15 ? tmp : "/tmp");
    if (mkdtemp(t.dir) == NULL) return 1;
    snprintf(path, sizeof path, "%s/db", t.dir);
    if (sg_store_sqlite_open(path, &real) != SG_OK) return 1;
    faulty = *real.ops;
    faulty.begin = begin;
    faulty.commit = commit;
    faulty.load_records = load_records;
    t.store = (sg_store){&faulty, real.impl};
    t.config = (sg_ingest_config){.store = &t.store,
                                  .purge_interval_us = INT64_C(3600000000),
                                  .ctx = &t,
                                  .done = push_done,
                                  .committed = pushes_committed};
    *state = &t;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    world *t = *state;
    sg_ingest_free(t->ingest);
    sg_store_close(&real);
    return nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void start(world *t)
{
    assert_int_equal(sg_ingest_new(&t->config, &t->ingest), SG_OK);
}

static sg_push *new_push(uint64_t id, const char *client, const char *changes)
{
    char *body = NULL;
    sg_push *p = sg_push_new();
    assert_non_null(p);
    assert_true(
        asprintf(&body, "{'clientId':'%s','schemaVersion':2,'changes':[%s]}", client, changes) > 0);
    for (char *c = body; *c != '\0'; c++)
        if (*c == '\'') *c = '"';
    p->id = id;
    p->body_len = strlen(body);
    p->body = sg_strndup(body, p->body_len);
    free(body);
    p->claims.user = SG_LIT("ann");
    p->scope = SG_LIT("u:ann");
    p->app = SG_LIT("todo");
    assert_true(sg_push_read(p, (sg_epoch){1}, sg_now_us()));
    return p;
}

static sg_push *new_insert(uint64_t id, const char *client, const char *key)
{
    char change[256];
    snprintf(change, sizeof change,
             "{'n':1,'table':'t','id':'%s','op':'insert','fields':{'x':{'value':1}}}", key);
    return new_push(id, client, change);
}

static void submit(world *t, sg_push *p)
{
    assert_int_equal(sg_ingest_submit(t->ingest, p), SG_OK);
}

static void wait_done(world *t, int n)
{
    struct timespec until = deadline();
    pthread_mutex_lock(&f.lock);
    while (t->done < n)
        assert_int_equal(pthread_cond_timedwait(&f.changed, &f.lock, &until), 0);
    pthread_mutex_unlock(&f.lock);
}

/* Let the writer begin a group, and keep it there, so that what follows gathers behind it. */
static void hold(world *t)
{
    pthread_mutex_lock(&f.lock);
    f.hold = true;
    pthread_mutex_unlock(&f.lock);
    submit(t, new_insert(0, "first", "first"));
    pthread_mutex_lock(&f.lock);
    struct timespec until = deadline();
    while (!f.waiting)
        assert_int_equal(pthread_cond_timedwait(&f.changed, &f.lock, &until), 0);
    f.groups = 0;
    pthread_mutex_unlock(&f.lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&f.lock);
    f.hold = false;
    pthread_cond_broadcast(&f.changed);
    pthread_mutex_unlock(&f.lock);
}

static size_t records_stored(void)
{
    sg_view *v;
    int64_t newest;
    sg_store_counts counts;
    assert_int_equal(real.ops->view_new(real.impl, &v), SG_OK);
    assert_int_equal(real.ops->view_begin(v, &newest), SG_OK);
    assert_int_equal(real.ops->counts(v, &counts), SG_OK);
    real.ops->view_end(v);
    real.ops->view_free(v);
    return (size_t)counts.newest;
}

/* ---- the tests ---- */

static void what_waits_is_committed_together(void **state)
{
    world *t = *state;
    start(t);
    hold(t);
    for (uint64_t id = 1; id <= 10; id++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", (int)id);
        submit(t, new_insert(id, name, name));
    }
    let_go();
    wait_done(t, 11);
    assert_int_equal(f.groups, 2);
    for (int id = 0; id <= 10; id++)
        assert_int_equal(t->committed[id], 1);
    sg_ingest_stats stats;
    sg_ingest_stats_get(t->ingest, &stats);
    assert_int_equal(stats.pushes, 11);
    assert_int_equal(stats.committed, 11);
}

static void L9_a_push_that_fails_inside_fails_alone(void **state)
{
    world *t = *state;
    f.bad_key = "damaged";
    start(t);
    hold(t);
    submit(t, new_insert(1, "c1", "good"));
    submit(t, new_insert(2, "c2", "damaged"));
    submit(t, new_insert(3, "c3", "good"));
    let_go();
    wait_done(t, 4);
    assert_int_equal(t->errs[1], SG_OK);
    assert_int_equal(t->committed[1], 1);
    assert_int_equal(t->errs[2], SG_CORRUPT);
    assert_int_equal(t->committed[2], 0);
    assert_int_equal(t->errs[3], SG_OK);
    assert_int_equal(t->committed[3], 1);
    assert_int_equal(records_stored(), 3);
}

static void L1_a_commit_that_fails_is_acknowledged_to_nobody(void **state)
{
    world *t = *state;
    f.commit_err = SG_FULL;
    start(t);
    hold(t);
    submit(t, new_insert(1, "c1", "a"));
    submit(t, new_insert(2, "c2", "b"));
    pthread_mutex_lock(&f.lock);
    f.commit_fails = 4; /* the one that is held, the group, and each of its two alone */
    pthread_mutex_unlock(&f.lock);
    let_go();
    wait_done(t, 3);
    for (int id = 0; id < 3; id++) {
        assert_int_equal(t->errs[id], SG_FULL);
        assert_int_equal(t->committed[id], 0);
    }
    assert_int_equal(records_stored(), 0);
    submit(t, new_insert(3, "c1", "a")); /* and the next one finds nothing amiss */
    wait_done(t, 4);
    assert_int_equal(t->committed[3], 1);
}

/* ---- tasks ---- */

/* Takes a seq and makes a member of that name; then it ends as it is told to. */
typedef struct join {
    sg_task task;
    world *t;
    const char *person;
    int then; /* what run gives in the end */
    int runs;
    int64_t seq;
    bool done;
    int err;
} join;

static int run_join(sg_task *task, sg_writer *w, sg_commit *newest, int64_t now_us)
{
    join *j = (join *)(void *)task;
    const sg_cell p[] = {sg_cell_text(sg_slice_str(j->person)), sg_cell_int(newest->seq + 1)};
    const sg_sql sql = {"INSERT INTO member(space, person, role, joined_seq, left_seq) "
                        "VALUES ('s', $1, 'member', $2, 0)",
                        p, 2};
    assert_true(now_us >= newest->at_us);
    j->runs++;
    j->seq = ++newest->seq;
    int err = real.ops->execute(w, &sql, NULL, NULL);
    return err != SG_OK ? err : j->then;
}

static void join_done(sg_task *task, int err)
{
    join *j = (join *)(void *)task;
    pthread_mutex_lock(&f.lock);
    j->done = true;
    j->err = err;
    j->t->done++;
    pthread_cond_broadcast(&f.changed);
    pthread_mutex_unlock(&f.lock);
}

static join new_join(world *t, const char *person, int then)
{
    return (join){
        .task = {.run = run_join, .done = join_done}, .t = t, .person = person, .then = then};
}

static bool count_row(void *ctx, const sg_cell *cells, size_t n)
{
    (void)cells, (void)n;
    ++*(int *)ctx;
    return true;
}

static int members_stored(void)
{
    const sg_sql sql = {"SELECT person FROM member", NULL, 0};
    int count = 0;
    assert_int_equal(real.ops->query(real.ops->writer_view(real.ops->writer(real.impl)), &sql,
                                     count_row, &count),
                     SG_OK);
    return count;
}

static void a_task_is_committed_with_the_pushes_that_wait(void **state)
{
    world *t = *state;
    start(t);
    hold(t);
    submit(t, new_insert(1, "c1", "a"));
    join j = new_join(t, "ann", SG_OK);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &j.task), SG_OK);
    submit(t, new_insert(2, "c2", "b"));
    let_go();
    wait_done(t, 4);
    assert_int_equal(j.err, SG_OK);
    assert_int_equal(f.groups, 2); /* the one that was held, and this */
    assert_int_equal(members_stored(), 1);
    assert_int_equal(records_stored(), 3 + 1); /* one seq is the task's own */
    sg_ingest_stats stats;
    sg_ingest_stats_get(t->ingest, &stats);
    assert_int_equal(stats.tasks, 1);
}

static void L9_a_task_that_is_refused_takes_back_its_own_and_nothing_else(void **state)
{
    world *t = *state;
    start(t);
    hold(t);
    join good = new_join(t, "ann", SG_OK), refused = new_join(t, "bob", SG_FORBIDDEN),
         late = new_join(t, "cid", SG_OK);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &good.task), SG_OK);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &refused.task), SG_OK);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &late.task), SG_OK);
    submit(t, new_insert(1, "c1", "a"));
    let_go();
    wait_done(t, 5);
    assert_int_equal(good.err, SG_OK);
    assert_int_equal(refused.err, SG_FORBIDDEN);
    assert_int_equal(late.err, SG_OK);
    assert_int_equal(t->errs[1], SG_OK);
    assert_int_equal(refused.runs, 1);
    assert_int_equal(late.seq, good.seq + 1); /* its seq is taken back as well */
    assert_int_equal(members_stored(), 2);
    assert_int_equal(f.groups, 2);
}

static void L9_a_task_that_fails_inside_fails_alone(void **state)
{
    world *t = *state;
    start(t);
    hold(t);
    join good = new_join(t, "ann", SG_OK), bad = new_join(t, "bob", SG_IO);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &good.task), SG_OK);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &bad.task), SG_OK);
    submit(t, new_insert(1, "c1", "a"));
    let_go();
    wait_done(t, 4);
    assert_int_equal(good.err, SG_OK);
    assert_int_equal(bad.err, SG_IO);
    assert_int_equal(bad.runs, 2);
    assert_int_equal(t->errs[1], SG_OK);
    assert_int_equal(members_stored(), 1);
    assert_int_equal(records_stored(), 2 + 1);
}

static void L1_a_commit_that_fails_is_a_task_that_failed(void **state)
{
    world *t = *state;
    f.commit_err = SG_FULL;
    f.commit_fails = 1;
    start(t);
    join j = new_join(t, "ann", SG_OK);
    assert_int_equal(sg_ingest_submit_task(t->ingest, &j.task), SG_OK);
    wait_done(t, 1);
    assert_int_equal(j.err, SG_FULL);
    assert_int_equal(members_stored(), 0);
}

static void L20_the_queue_of_tasks_is_bounded(void **state)
{
    world *t = *state;
    static join joins[SG_INGEST_TASKS_MAX + 1];
    static char names[SG_INGEST_TASKS_MAX + 1][16];
    start(t);
    hold(t);
    for (size_t i = 0; i <= SG_INGEST_TASKS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "p%d", (int)i);
        joins[i] = new_join(t, names[i], SG_OK);
        assert_int_equal(sg_ingest_submit_task(t->ingest, &joins[i].task),
                         i < SG_INGEST_TASKS_MAX ? SG_OK : SG_BUSY);
    }
    let_go();
    wait_done(t, 1 + (int)SG_INGEST_TASKS_MAX);
    assert_int_equal(members_stored(), (int)SG_INGEST_TASKS_MAX);
}

static void L20_the_queue_is_bounded(void **state)
{
    world *t = *state;
    start(t);
    hold(t);
    char name[16];
    for (uint64_t id = 1; id <= SG_INGEST_QUEUE_MAX; id++) {
        snprintf(name, sizeof name, "c%d", (int)id);
        submit(t, new_insert(id, name, name));
    }
    sg_push *over = new_insert(4000, "over", "over");
    assert_int_equal(sg_ingest_submit(t->ingest, over), SG_BUSY);
    sg_push_free(over);
    sg_ingest_stats stats;
    sg_ingest_stats_get(t->ingest, &stats);
    assert_int_equal(stats.waiting, SG_INGEST_QUEUE_MAX);
    let_go();
    wait_done(t, 1 + (int)SG_INGEST_QUEUE_MAX);
    submit(t, new_insert(4000, "over", "over"));
    wait_done(t, 2 + (int)SG_INGEST_QUEUE_MAX);
}

static void what_waits_is_still_committed_when_the_writer_ends(void **state)
{
    world *t = *state;
    start(t);
    hold(t);
    submit(t, new_insert(1, "c1", "a"));
    let_go();
    sg_ingest_free(t->ingest);
    t->ingest = NULL;
    assert_int_equal(t->done, 2);
    assert_int_equal(records_stored(), 2);
}

#define PART(n, tx)                                                                                \
    "{'n':" #n ",'tx':" #tx ",'table':'t','id':'r" #n "','op':'insert','at':'2026-01-02T03:04:05Z'}"

static void L20_a_transaction_too_big_to_keep_is_refused_whole(void **state)
{
    world *t = *state;
    t->config.staged_changes_max = 3;
    start(t);
    submit(t, new_push(1, "c1", PART(1, 9) "," PART(2, 9)));
    wait_done(t, 1);
    assert_int_equal(t->staged[1], 2);
    submit(t, new_push(2, "c1", PART(3, 9) "," PART(4, 9)));
    wait_done(t, 2);
    assert_int_equal(t->refused[2], 4);
    assert_int_equal(t->committed[2], 0);
    submit(t, new_push(3, "c1", PART(8, 9) "," PART(9, 9) "," PART(10, 10)));
    wait_done(t, 3);
    assert_int_equal(t->refused[3], 2); /* the rest of it */
    assert_int_equal(t->committed[3], 1);
    submit(t, new_push(4, "c1", PART(1, 9))); /* and the refusal is remembered */
    wait_done(t, 4);
    assert_int_equal(t->refused[4], 1);
}

static void L20_a_transaction_too_long_to_keep_is_refused_whole(void **state)
{
    world *t = *state;
    t->config.staged_bytes_max = 400;
    start(t);
    submit(t, new_push(1, "c1", PART(1, 9)));
    submit(t, new_push(2, "c1", PART(2, 9) "," PART(3, 9)));
    wait_done(t, 2);
    assert_int_equal(t->refused[2], 3);
}

static void L1_the_rest_of_a_transaction_that_was_dropped_is_sent_again(void **state)
{
    world *t = *state;
    t->config.staged_age_us = 1;
    t->config.purge_interval_us = 1000;
    start(t);
    submit(t, new_push(1, "c1", PART(1, 3) "," PART(2, 3)));
    sg_ingest_stats stats = {0};
    struct timespec until = deadline(), now = {0};
    while (stats.purged == 0 && now.tv_sec < until.tv_sec) {
        clock_gettime(CLOCK_REALTIME, &now);
        sg_ingest_stats_get(t->ingest, &stats);
    }
    assert_int_equal(stats.purged, 1);
    submit(t, new_push(2, "c1", PART(3, 3)));
    wait_done(t, 2);
    assert_int_equal(t->errs[2], SG_CONFLICT);
    submit(t, new_push(3, "c1", PART(1, 3) "," PART(2, 3) "," PART(3, 3)));
    wait_done(t, 3);
    assert_int_equal(t->errs[3], SG_OK);
    assert_int_equal(t->committed[3], 3);
}

static void a_large_push_is_committed_whole(void **state)
{
    world *t = *state;
    enum { COUNT = 3000 };
    sg_buf changes;
    sg_buf_init(&changes, SIZE_MAX / 2);
    for (int n = 1; n <= COUNT; n++) {
        char one[128];
        snprintf(one, sizeof one, "%s{'n':%d,'table':'t','id':'r%d','op':'insert'}",
                 n > 1 ? "," : "", n, n % 1000);
        sg_buf_str(&changes, one);
    }
    start(t);
    submit(t, new_push(1, "c1", sg_buf_cstr(&changes)));
    wait_done(t, 1);
    assert_int_equal(t->committed[1], COUNT);
    assert_int_equal(records_stored(), COUNT);
    sg_buf_deinit(&changes);
}

static void running_out_of_memory_fails_a_push_and_nothing_else(void **state)
{
    world *t = *state;
    start(t);
    bool succeeded = false;
    for (int n = 1; !succeeded; n++) {
        assert_true(n < 300);
        sg_push *p = new_insert((uint64_t)n, "c1", "a");
        (void)sg_mem_fail_at((size_t)n, 1);
        submit(t, p);
        wait_done(t, n);
        (void)sg_mem_fail_at(0, 0);
        succeeded = t->errs[n] == SG_OK;
        if (!succeeded) assert_int_equal(t->errs[n], SG_NOMEM);
    }
    assert_int_equal(records_stored(), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_waits_is_committed_together),
        WITH_STORE(L9_a_push_that_fails_inside_fails_alone),
        WITH_STORE(L1_a_commit_that_fails_is_acknowledged_to_nobody),
        WITH_STORE(a_task_is_committed_with_the_pushes_that_wait),
        WITH_STORE(L9_a_task_that_is_refused_takes_back_its_own_and_nothing_else),
        WITH_STORE(L9_a_task_that_fails_inside_fails_alone),
        WITH_STORE(L1_a_commit_that_fails_is_a_task_that_failed),
        WITH_STORE(L20_the_queue_of_tasks_is_bounded),
        WITH_STORE(L20_the_queue_is_bounded),
        WITH_STORE(what_waits_is_still_committed_when_the_writer_ends),
        WITH_STORE(L20_a_transaction_too_big_to_keep_is_refused_whole),
        WITH_STORE(L20_a_transaction_too_long_to_keep_is_refused_whole),
        WITH_STORE(L1_the_rest_of_a_transaction_that_was_dropped_is_sent_again),
        WITH_STORE(a_large_push_is_committed_whole),
        WITH_STORE(running_out_of_memory_fails_a_push_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
