#include "server/pool.h"

#include <pthread.h>

#include "base/mem.h"

struct sg_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    sg_job *head; /* waiting, oldest first */
    sg_job **tail;
    size_t waiting;
    bool stopping;
    size_t threads;
    pthread_t thread[SG_POOL_THREADS_MAX];
    sg_worker worker[SG_POOL_THREADS_MAX];
};

typedef struct seat {
    sg_pool *pool;
    sg_worker *worker;
} seat;

/* The next job; NULL when the pool stops and nothing waits. */
static sg_job *take(sg_pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->head == NULL && !p->stopping)
        (void)pthread_cond_wait(&p->work, &p->lock);
    sg_job *job = p->head;
    if (job != NULL) {
        p->head = job->next;
        if (p->head == NULL) p->tail = &p->head;
        p->waiting--;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return job;
}

static void *work(void *arg)
{
    seat s = *(seat *)arg;
    sg_free(arg);
    for (sg_job *job; (job = take(s.pool)) != NULL;) {
        sg_arena_reset(&s.worker->arena);
        job->run(job, s.worker);
    }
    return NULL;
}

static int start(sg_pool *p, const sg_store *store)
{
    sg_worker *w = &p->worker[p->threads];
    w->store = store;
    sg_arena_init(&w->arena);
    int err = store->ops->view_new(store->impl, &w->view);
    if (err != SG_OK) return err;
    seat *s = sg_alloc(sizeof *s);
    if (s != NULL) *s = (seat){p, w};
    if (s != NULL && pthread_create(&p->thread[p->threads], NULL, work, s) == 0) {
        p->threads++;
        return SG_OK;
    }
    sg_free(s);
    store->ops->view_free(w->view);
    return SG_NOMEM;
}

int sg_pool_new(const sg_store *store, size_t threads, sg_pool **out)
{
    if (threads == 0 || threads > SG_POOL_THREADS_MAX) return SG_BADREQUEST;
    sg_pool *p = sg_zalloc(sizeof *p);
    if (p == NULL) return SG_NOMEM;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->work, NULL);
    p->tail = &p->head;
    int err = SG_OK;
    while (err == SG_OK && p->threads < threads)
        err = start(p, store);
    if (err == SG_OK)
        *out = p;
    else
        sg_pool_free(p);
    return err;
}

int sg_pool_submit(sg_pool *p, sg_job *job, bool must)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&p->lock);
    bool full = p->waiting >= SG_POOL_QUEUE_MAX && !must;
    if (!full) {
        *p->tail = job;
        p->tail = &job->next;
        p->waiting++;
        (void)pthread_cond_signal(&p->work);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return full ? SG_BUSY : SG_OK;
}

size_t sg_pool_waiting(sg_pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    size_t n = p->waiting;
    (void)pthread_mutex_unlock(&p->lock);
    return n;
}

void sg_pool_free(sg_pool *p)
{
    if (p == NULL) return;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->work);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads; i++) {
        (void)pthread_join(p->thread[i], NULL);
        p->worker[i].store->ops->view_free(p->worker[i].view);
        sg_arena_deinit(&p->worker[i].arena);
    }
    (void)pthread_cond_destroy(&p->work);
    (void)pthread_mutex_destroy(&p->lock);
    sg_free(p);
}
