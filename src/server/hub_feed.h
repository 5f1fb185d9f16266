/* Inside the hub: feeds and their subscribers. All of it is guarded by the hub's lock. */
#ifndef SG_HUB_FEED_H
#define SG_HUB_FEED_H

#include <pthread.h>

#include "server/hub.h"

#define SG_HUB_BUCKETS 1024u

/* Streams that are sent the very same bytes: one dialect, one set of tables. */
typedef struct sg_hub_kind {
    struct sg_hub_kind *next;
    int version;
    sg_slice *tables;
    size_t table_count;
    size_t members;
    sg_arena arena; /* holds the tables */
} sg_hub_kind;

struct sg_hub_sub {
    struct sg_hub_sub *next, **at; /* in its feed's list */
    sg_hub *hub;
    struct sg_hub_feed *feed;
    sg_hub_kind *kind; /* NULL: a WebSocket */
    const sg_http *http;
    uint64_t id;
    sg_cursor cursor; /* behind: what came up to here has been sent; live: the feed's head */
    bool live;
    bool ready;      /* behind: takes another page */
    bool gone;       /* its connection has ended: only references keep it */
    unsigned refs;   /* its connection, and a job that is at it */
    sg_slice client; /* in the same block as the sub */
};

typedef struct sg_hub_feed {
    sg_job job;
    struct sg_hub_feed *next; /* in its bucket */
    sg_hub *hub;
    sg_slice scope; /* in the same block as the feed */
    sg_slice app;   /* empty: the WebSockets of all apps */
    sg_hub_kind *kinds;
    sg_hub_sub *streams;
    sg_hub_sub *sockets;
    sg_arena arena; /* holds what follows: the spaces its person read when the job ran last */
    sg_slice *spaces;
    size_t space_count;
    int64_t head;   /* seq up to which live streams have been sent everything */
    bool scheduled; /* its job waits or runs */
    bool dirty;     /* something came while it ran */
} sg_hub_feed;

struct sg_hub {
    pthread_mutex_t lock;
    sg_pool *pool;
    sg_epoch epoch;
    sg_hub_stats stats;
    sg_hub_feed *buckets[SG_HUB_BUCKETS];
};

/* hub_run.c */
void sg_hub_run(sg_job *job, sg_worker *worker);

/* hub.c, for the job: all with the lock held. */
sg_hub_feed *sg_hub_find(sg_hub *h, sg_slice scope, sg_slice app);
void sg_hub_schedule(sg_hub_feed *f);
void sg_hub_unref(sg_hub_sub *sub);
/* Frees the feed if nobody is in it and no job at it. */
void sg_hub_tidy(sg_hub_feed *f);

#endif
