/*
 * The one writer: pushes and tasks wait in bounded queues, and what waits is committed together.
 *
 * A task is anything else that changes what the store keeps: an account, a membership. A group of both is
 * one transaction of the store. What is refused in it is in no way in the others' way; should a
 * group fail as a whole, each of its members is tried once more alone, so that the one at fault
 * fails alone (L9). Purging runs on the same thread, in slices between groups.
 *
 * Threads: submit from any thread; the callbacks run on the writer's thread.
 */
#ifndef SG_INGEST_H
#define SG_INGEST_H

#include "server/push.h"

#define SG_INGEST_QUEUE_MAX 1024u               /* pushes waiting; over it 503 busy */
#define SG_INGEST_BYTES_MAX ((size_t)256 << 20) /* of their bodies */
#define SG_INGEST_TASKS_MAX 1024u               /* tasks waiting; over it 503 busy */
#define SG_GROUP_CHANGES_MAX 4096u              /* changes after which a group is full */
#define SG_GROUP_TASKS_MAX 256u                 /* tasks of one group */
#define SG_STAGED_CHANGES_MAX 1000000           /* changes of one incomplete transaction */
#define SG_STAGED_BYTES_MAX (INT64_C(512) << 20)
#define SG_PURGE_SLICE 500u /* rows purged between two groups */

/* Embedded in what its owner keeps; it is the ingest's from submit to done. */
typedef struct sg_task {
    /* Inside the transaction, in a savepoint. newest is the newest commit so far: whoever takes a seq
     * raises newest->seq by it. now_us is never before the commit before. On an error nothing of
     * the task is done: where it is a refusal (status below 500) the rest of its group goes on. It
     * may be run again after a group has failed, and begins anew then. It may not intern texts. */
    int (*run)(struct sg_task *task, sg_writer *w, sg_commit *newest, int64_t now_us);
    /* It is committed (SG_OK), or nothing of it is. On the writer's thread. */
    void (*done)(struct sg_task *task, int err);
    struct sg_task *next; /* while it waits */
    int err;              /* of its run, the ingest's own */
} sg_task;

typedef struct sg_ingest_config {
    const sg_store *store;
    int64_t tombstone_age_us; /* 0: never purged */
    int64_t history_age_us;   /* 0: never purged */
    int64_t staged_age_us;
    int64_t purge_interval_us;
    int64_t staged_changes_max; /* 0: SG_STAGED_CHANGES_MAX */
    int64_t staged_bytes_max;   /* 0: SG_STAGED_BYTES_MAX */
    void *ctx;
    /* A push is finished: committed, or refused as a whole (p->result.err). It is the callee's. */
    void (*done)(void *ctx, sg_push *p);
    /* Before that, for all pushes of a group at once, so that streams and answers see one moment.
     */
    void (*committed)(void *ctx, sg_push *const *pushes, size_t n);
} sg_ingest_config;

typedef struct sg_ingest_stats {
    uint64_t groups;
    uint64_t pushes;
    uint64_t tasks;
    uint64_t committed; /* changes */
    uint64_t refused;   /* changes */
    uint64_t failed;    /* pushes and tasks that ended with an internal error */
    uint64_t purged;    /* rows */
    uint64_t waiting;   /* gauge: pushes and tasks */
    uint64_t commit_us; /* sum over groups, from begin to the end of commit */
} sg_ingest_stats;

typedef struct sg_ingest sg_ingest;

int sg_ingest_new(const sg_ingest_config *config, sg_ingest **out);
/* SG_BUSY: too much is waiting; SG_SHUTDOWN. On SG_OK the push is the ingest's. */
int sg_ingest_submit(sg_ingest *g, sg_push *p);
/* The same for a task. */
int sg_ingest_submit_task(sg_ingest *g, sg_task *t);
void sg_ingest_stats_get(sg_ingest *g, sg_ingest_stats *out);
/* Commits what waits, then ends the thread. */
void sg_ingest_free(sg_ingest *g);

#endif
