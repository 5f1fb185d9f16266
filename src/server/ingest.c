#include "server/ingest.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/mem.h"
#include "server/apply.h"
#include "server/log.h"
#include "server/now.h"

struct sg_ingest {
    sg_ingest_config config;
    sg_applier *applier;
    sg_writer *writer;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t work;
    sg_push *head; /* waiting, oldest first */
    sg_push **tail;
    size_t waiting;
    size_t bytes;
    sg_task *first_task; /* waiting, oldest first */
    sg_task **last_task;
    size_t tasks_waiting;
    bool stopping;
    sg_ingest_stats stats;

    /* The writer's own. */
    sg_push *pushes[SG_INGEST_QUEUE_MAX];
    sg_task *tasks[SG_GROUP_TASKS_MAX];
    int64_t purge_at_us; /* monotonic */
};

/* What is committed together. */
typedef struct group {
    sg_task *const *tasks;
    size_t task_count;
    sg_push *const *pushes;
    size_t push_count;
} group;

/* ---- the queues ---- */

int sg_ingest_submit(sg_ingest *g, sg_push *p)
{
    int err = SG_OK;
    p->next = NULL;
    (void)pthread_mutex_lock(&g->lock);
    if (g->stopping)
        err = SG_SHUTDOWN;
    else if (g->waiting >= SG_INGEST_QUEUE_MAX || g->bytes + p->body_len > SG_INGEST_BYTES_MAX)
        err = SG_BUSY;
    if (err == SG_OK) {
        *g->tail = p;
        g->tail = &p->next;
        g->waiting++;
        g->bytes += p->body_len;
        if (g->waiting == 1) (void)pthread_cond_signal(&g->work);
    }
    (void)pthread_mutex_unlock(&g->lock);
    return err;
}

int sg_ingest_submit_task(sg_ingest *g, sg_task *t)
{
    int err = SG_OK;
    t->next = NULL;
    (void)pthread_mutex_lock(&g->lock);
    if (g->stopping)
        err = SG_SHUTDOWN;
    else if (g->tasks_waiting >= SG_INGEST_TASKS_MAX)
        err = SG_BUSY;
    if (err == SG_OK) {
        *g->last_task = t;
        g->last_task = &t->next;
        g->tasks_waiting++;
        if (g->tasks_waiting == 1) (void)pthread_cond_signal(&g->work);
    }
    (void)pthread_mutex_unlock(&g->lock);
    return err;
}

static void wait_until(sg_ingest *g, int64_t monotonic_us)
{
    struct timespec t = {.tv_sec = (time_t)(monotonic_us / 1000000),
                         .tv_nsec = (long)(monotonic_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&g->work, &g->lock, &t);
}

/* Both under the lock. */
static size_t take_tasks(sg_ingest *g)
{
    size_t n = 0;
    while (g->first_task != NULL && n < SG_GROUP_TASKS_MAX) {
        sg_task *t = g->first_task;
        g->first_task = t->next;
        if (g->first_task == NULL) g->last_task = &g->first_task;
        g->tasks_waiting--;
        g->tasks[n++] = t;
    }
    return n;
}

static size_t take_pushes(sg_ingest *g)
{
    size_t n = 0, changes = 0;
    while (g->head != NULL && changes < SG_GROUP_CHANGES_MAX) {
        sg_push *p = g->head;
        g->head = p->next;
        if (g->head == NULL) g->tail = &g->head;
        g->waiting--;
        g->bytes -= p->body_len;
        g->pushes[n++] = p;
        changes += p->count;
    }
    return n;
}

static bool is_empty(const group *what)
{
    return what->task_count == 0 && what->push_count == 0;
}

/* The next group: whatever waits, up to a full one. Empty when it is time to purge; false when it is
 * time to end. */
static bool take_group(sg_ingest *g, group *what)
{
    (void)pthread_mutex_lock(&g->lock);
    while (g->head == NULL && g->first_task == NULL && !g->stopping &&
           sg_monotonic_us() < g->purge_at_us)
        wait_until(g, g->purge_at_us);
    *what = (group){.tasks = g->tasks, .pushes = g->pushes};
    what->task_count = take_tasks(g);
    what->push_count = take_pushes(g);
    bool more = !is_empty(what) || !g->stopping;
    (void)pthread_mutex_unlock(&g->lock);
    return more;
}

/* ---- tasks ---- */

static int savepoint(sg_ingest *g, const char *text)
{
    const sg_sql sql = {text, NULL, 0};
    return g->config.store->ops->execute(g->writer, &sql, NULL, NULL);
}

static int take_back(sg_ingest *g)
{
    int err = savepoint(g, "ROLLBACK TO SAVEPOINT task");
    return err == SG_OK ? savepoint(g, "RELEASE SAVEPOINT task") : err;
}

/* Any error means that the whole transaction has to be rolled back. */
static int run_task(sg_ingest *g, sg_task *t, sg_commit *newest)
{
    sg_commit after = *newest;
    int64_t now_us = sg_now_us();
    if (now_us < newest->at_us) now_us = newest->at_us;
    int err = savepoint(g, "SAVEPOINT task");
    if (err != SG_OK) return err;
    t->err = t->run(t, g->writer, &after, now_us);
    if (t->err != SG_OK) return sg_err_http(t->err) < 500 ? take_back(g) : t->err;
    if (after.seq != newest->seq) after.at_us = now_us;
    *newest = after;
    return savepoint(g, "RELEASE SAVEPOINT task");
}

/* ---- groups ---- */

static int apply_all(sg_ingest *g, const group *what)
{
    const sg_store_ops *ops = g->config.store->ops;
    sg_commit newest;
    int err = ops->begin(g->writer, &newest);
    for (size_t i = 0; i < what->task_count && err == SG_OK; i++)
        err = run_task(g, what->tasks[i], &newest);
    if (err == SG_OK) sg_applier_begin(g->applier, &newest, sg_now_us());
    for (size_t i = 0; i < what->push_count && err == SG_OK; i++)
        err = sg_apply_push(g->applier, what->pushes[i]);
    if (err == SG_OK) err = ops->commit(g->writer, &g->applier->newest);
    if (err != SG_OK) ops->rollback(g->writer);
    return err;
}

static void count_group(sg_ingest *g, const group *what, int64_t took_us)
{
    (void)pthread_mutex_lock(&g->lock);
    g->stats.groups++;
    g->stats.tasks += what->task_count;
    g->stats.pushes += what->push_count;
    g->stats.commit_us += (uint64_t)took_us;
    for (size_t i = 0; i < what->push_count; i++) {
        g->stats.committed += what->pushes[i]->result.committed;
        g->stats.refused += what->pushes[i]->result.refusal_count;
    }
    (void)pthread_mutex_unlock(&g->lock);
}

static void finish(sg_ingest *g, const group *what, int64_t began_us)
{
    count_group(g, what, sg_monotonic_us() - began_us);
    if (what->push_count != 0) g->config.committed(g->config.ctx, what->pushes, what->push_count);
    for (size_t i = 0; i < what->task_count; i++)
        what->tasks[i]->done(what->tasks[i], what->tasks[i]->err);
    for (size_t i = 0; i < what->push_count; i++)
        g->config.done(g->config.ctx, what->pushes[i]);
}

static void count_failure(sg_ingest *g)
{
    (void)pthread_mutex_lock(&g->lock);
    g->stats.failed++;
    (void)pthread_mutex_unlock(&g->lock);
}

static void fail_push(sg_ingest *g, sg_push *p, int err)
{
    sg_push_result_clear(&p->result);
    p->result.err = err;
    sg_log_error("push_failed", err);
    count_failure(g);
    g->config.done(g->config.ctx, p);
}

static void fail_task(sg_ingest *g, sg_task *t, int err)
{
    sg_log_error("task_failed", err);
    count_failure(g);
    t->done(t, err);
}

static void run_group(sg_ingest *g, const group *what);

static void run_each_alone(sg_ingest *g, const group *what)
{
    for (size_t i = 0; i < what->task_count; i++)
        run_group(g, &(group){.tasks = &what->tasks[i], .task_count = 1});
    for (size_t i = 0; i < what->push_count; i++)
        run_group(g, &(group){.pushes = &what->pushes[i], .push_count = 1});
}

static void run_group(sg_ingest *g, const group *what)
{
    int64_t began_us = sg_monotonic_us();
    for (size_t i = 0; i < what->push_count; i++) {
        sg_push_result_clear(&what->pushes[i]->result);
        what->pushes[i]->touched = NULL;
    }
    int err = apply_all(g, what);
    if (err == SG_OK)
        finish(g, what, began_us);
    else if (what->task_count + what->push_count > 1)
        run_each_alone(g, what);
    else if (what->task_count != 0)
        fail_task(g, what->tasks[0], err);
    else
        fail_push(g, what->pushes[0], err);
}

/* ---- purging ---- */

static int64_t before(int64_t now_us, int64_t age_us)
{
    return age_us != 0 && now_us > age_us ? now_us - age_us : 0;
}

/* One slice; the next one comes soon if there is more to do. */
static void purge(sg_ingest *g)
{
    const sg_store_ops *ops = g->config.store->ops;
    int64_t now_us = sg_now_us();
    const sg_purge what = {.tombstones_before_us = before(now_us, g->config.tombstone_age_us),
                           .history_before_us = before(now_us, g->config.history_age_us),
                           .staged_before_us = before(now_us, g->config.staged_age_us),
                           .limit = SG_PURGE_SLICE};
    sg_purged done = {0};
    sg_commit newest;
    int err = ops->begin(g->writer, &newest);
    if (err == SG_OK) err = ops->purge(g->writer, &what, &done);
    if (err == SG_OK) err = ops->commit(g->writer, &newest);
    if (err != SG_OK) {
        ops->rollback(g->writer);
        sg_log_error("purge_failed", err);
        done = (sg_purged){0};
    }
    g->purge_at_us = sg_monotonic_us() + (done.more ? 0 : g->config.purge_interval_us);
    (void)pthread_mutex_lock(&g->lock);
    g->stats.purged += done.tombstones + done.history + done.answers + done.staged + done.actors;
    (void)pthread_mutex_unlock(&g->lock);
}

static void *write_all(void *arg)
{
    sg_ingest *g = arg;
    group what;
    while (take_group(g, &what)) {
        if (!is_empty(&what)) run_group(g, &what);
        if (sg_monotonic_us() >= g->purge_at_us) purge(g);
    }
    return NULL;
}

/* ---- life ---- */

static int init_waiting(sg_ingest *g)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) return SG_NOMEM;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int code = pthread_cond_init(&g->work, &attr);
    (void)pthread_condattr_destroy(&attr);
    return code == 0 && pthread_mutex_init(&g->lock, NULL) == 0 ? SG_OK : SG_NOMEM;
}

int sg_ingest_new(const sg_ingest_config *config, sg_ingest **out)
{
    sg_ingest *g = sg_zalloc(sizeof *g);
    if (g == NULL) return SG_NOMEM;
    g->config = *config;
    g->tail = &g->head;
    g->last_task = &g->first_task;
    /* At the start, unless nothing is ever purged. */
    bool purges =
        config->tombstone_age_us != 0 || config->history_age_us != 0 || config->staged_age_us != 0;
    g->purge_at_us = purges ? 0 : INT64_MAX;
    g->writer = config->store->ops->writer(config->store->impl);
    g->applier = sg_applier_new(config->store);
    int err = g->applier != NULL ? init_waiting(g) : SG_NOMEM;
    if (err == SG_OK && config->staged_changes_max != 0)
        g->applier->staged_changes_max = config->staged_changes_max;
    if (err == SG_OK && config->staged_bytes_max != 0)
        g->applier->staged_bytes_max = config->staged_bytes_max;
    if (err == SG_OK && pthread_create(&g->thread, NULL, write_all, g) != 0) err = SG_NOMEM;
    g->started = err == SG_OK;
    if (err == SG_OK)
        *out = g;
    else
        sg_ingest_free(g);
    return err;
}

void sg_ingest_stats_get(sg_ingest *g, sg_ingest_stats *out)
{
    (void)pthread_mutex_lock(&g->lock);
    *out = g->stats;
    out->waiting = g->waiting + g->tasks_waiting;
    (void)pthread_mutex_unlock(&g->lock);
}

void sg_ingest_free(sg_ingest *g)
{
    if (g == NULL) return;
    if (g->started) {
        (void)pthread_mutex_lock(&g->lock);
        g->stopping = true;
        (void)pthread_cond_signal(&g->work);
        (void)pthread_mutex_unlock(&g->lock);
        (void)pthread_join(g->thread, NULL);
        (void)pthread_cond_destroy(&g->work);
        (void)pthread_mutex_destroy(&g->lock);
    }
    sg_applier_free(g->applier);
    sg_free(g);
}
