/*
 * Who hears of commits: event streams, which are sent what changed, and WebSockets, which are told
 * that something did.
 *
 * Subscribers gather in feeds, one for each (scope, app). A stream is either live, standing exactly
 * at its feed's head, or behind, being sent one page after another as it takes them. After a commit
 * the feed's job, of which there is never more than one at a time, takes one snapshot, encodes what
 * came after the head once for each kind of stream, sends it to all that are live, moves the head,
 * and gives those behind a page each. So nothing is skipped and nothing sent twice (L7), and many
 * commits in quick succession become one event.
 *
 * Threads: any. Ownership: a subscriber ends with its connection's `closed`.
 */
#ifndef SG_HUB_H
#define SG_HUB_H

#include "server/delta.h"
#include "server/http.h"
#include "server/pool.h"
#include "server/push.h"

/* Streams behind that are given a page in one run of a feed's job. */
#define SG_HUB_BEHIND_MAX 64u

/* Of one event, unless a single record is larger. */
#define SG_STREAM_PAGE_BYTES ((size_t)1 << 20)
/* What may wait for a slow reader before it is told to resync: one page of many tables, and some
 * commits behind it. */
#define SG_STREAM_BACKLOG ((size_t)4 << 20)

typedef struct sg_hub sg_hub;

typedef struct sg_hub_stats {
    uint64_t streams;
    uint64_t sockets;
    uint64_t events; /* sent, times their receivers */
    uint64_t runs;   /* of feeds' jobs */
} sg_hub_stats;

int sg_hub_new(sg_pool *pool, sg_epoch epoch, sg_hub **out);
/* When the pool has ended and all connections are closed. */
void sg_hub_free(sg_hub *h);

/* Turn a request into a stream that starts behind spec->since. What spec points to is copied. On an
 * error nothing has been done. */
int sg_hub_stream(sg_hub *h, const sg_http *http, uint64_t id, const sg_delta_spec *spec);

/* A WebSocket that wants to hear of an app, or of all (empty). NULL: out of memory. */
typedef struct sg_hub_sub sg_hub_sub;
sg_hub_sub *sg_hub_socket(sg_hub *h, const sg_http *http, uint64_t id, sg_slice scope, sg_slice app,
                          sg_slice client);
void sg_hub_leave(sg_hub_sub *sub);

/* A group of pushes has been committed. On the writer's thread. */
void sg_hub_committed(sg_hub *h, sg_push *const *pushes, size_t n);
/* A person ("u:…") has joined a space, or people have left one ("s:…"). Any thread. */
void sg_hub_moved(sg_hub *h, sg_slice scope);
void sg_hub_stats_get(sg_hub *h, sg_hub_stats *out);

#endif
