/*
 * Threads that read the store and encode: everything that takes longer than the loop may wait and
 * does not write.
 *
 * Each worker has a view of the store and memory of its own. Jobs are run in the order they came;
 * the number of waiting ones is bounded, except for those that finish what has been promised
 * already.
 *
 * Threads: submit from any thread. Ownership: a job belongs to whoever submitted it; while it is
 * queued or runs, the pool does. Its last act in run may be to free itself.
 */
#ifndef SG_POOL_H
#define SG_POOL_H

#include "base/arena.h"
#include "store/store.h"

#define SG_POOL_QUEUE_MAX 4096u /* jobs waiting; over it submit says SG_BUSY */
#define SG_POOL_THREADS_MAX 16u

typedef struct sg_worker {
    const sg_store *store;
    sg_view *view;
    sg_arena arena; /* reset before each job */
} sg_worker;

typedef struct sg_job {
    void (*run)(struct sg_job *job, sg_worker *worker);
    struct sg_job *next;
} sg_job;

typedef struct sg_pool sg_pool;

int sg_pool_new(const sg_store *store, size_t threads, sg_pool **out);
/* SG_BUSY: too much is waiting. Never with must: for jobs whose number is bounded elsewhere. */
int sg_pool_submit(sg_pool *p, sg_job *job, bool must);
size_t sg_pool_waiting(sg_pool *p);
/* Runs what is waiting, then ends the threads. Nothing may be submitted from here on but by jobs.
 */
void sg_pool_free(sg_pool *p);

#endif
