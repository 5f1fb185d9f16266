/*
 * The one writer: pushes wait in a bounded queue, and what waits is committed together.
 *
 * A group of pushes is one transaction of the store. A push that is refused is in no way in the
 * others' way; should a group fail as a whole, each of its pushes is tried once more alone, so that
 * the one at fault fails alone (L9). Purging runs on the same thread, in slices between groups.
 *
 * Threads: submit from any thread; the callbacks run on the writer's thread.
 */
#ifndef SG_INGEST_H
#define SG_INGEST_H

#include "server/push.h"

#define SG_INGEST_QUEUE_MAX 1024u               /* pushes waiting; over it 503 busy */
#define SG_INGEST_BYTES_MAX ((size_t)256 << 20) /* of their bodies */
#define SG_GROUP_CHANGES_MAX 4096u              /* changes after which a group is full */
#define SG_STAGED_CHANGES_MAX 1000000           /* changes of one incomplete transaction */
#define SG_STAGED_BYTES_MAX (INT64_C(512) << 20)
#define SG_PURGE_SLICE 500u /* rows purged between two groups */

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
    uint64_t committed; /* changes */
    uint64_t refused;   /* changes */
    uint64_t failed;    /* pushes that ended with an internal error */
    uint64_t purged;    /* rows */
    uint64_t waiting;   /* gauge: pushes */
    uint64_t commit_us; /* sum over groups, from begin to the end of commit */
} sg_ingest_stats;

typedef struct sg_ingest sg_ingest;

int sg_ingest_new(const sg_ingest_config *config, sg_ingest **out);
/* SG_BUSY: too much is waiting; SG_SHUTDOWN. On SG_OK the push is the ingest's. */
int sg_ingest_submit(sg_ingest *g, sg_push *p);
void sg_ingest_stats_get(sg_ingest *g, sg_ingest_stats *out);
/* Commits what waits, then ends the thread. */
void sg_ingest_free(sg_ingest *g);

#endif
