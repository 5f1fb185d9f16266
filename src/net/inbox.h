/*
 * What other threads want the loop to do: answers, and events for streams and WebSockets.
 *
 * Answers have room reserved (as many as there may be requests in flight), so that one can't get
 * lost for want of memory. Events are bounded by number and bytes; when they overflow, some are
 * dropped and the loop is told, which then sends all streams away to resync: never silently.
 * Of what one thread pushes, answers come before later events. Threads: push from any, take by one.
 */
#ifndef SG_NET_INBOX_H
#define SG_NET_INBOX_H

#include <uv.h>

#include "net/http_server.h"

#define SG_INBOX_MAX_BYTES (256u * 1024u * 1024u) /* of blocks, each counted as often as queued */

typedef struct sg_reply {
    uint64_t id;
    int status;
    bool is_stream;
    bool body_static;
    sg_slice extra;  /* header lines "Name: value\r\n" */
    char *extra_own; /* the heap block that holds them, if any */
    char *body;
    size_t body_len;
    sg_stream_spec spec; /* of a stream */
} sg_reply;

enum sg_inbox_kind { SG_INBOX_SEND, SG_INBOX_CLOSE, SG_INBOX_DEADLINE };

typedef struct sg_inbox_event {
    enum sg_inbox_kind kind;
    uint32_t arg;  /* close code, or ms */
    uint64_t id;   /* when n is 1 */
    uint64_t *ids; /* when it is more; owned */
    size_t n;
    sg_block *block; /* SEND: a reference of its own */
} sg_inbox_event;

typedef struct sg_inbox_batch {
    sg_reply *replies;
    size_t reply_count;
    sg_inbox_event *events;
    size_t event_count;
    size_t event_cap;
    size_t event_bytes;
    bool overflow; /* events have been dropped */
} sg_inbox_batch;

typedef struct sg_inbox {
    uv_mutex_t mutex;
    size_t max_replies;
    sg_inbox_batch batch[2]; /* one is filled while the loop works on the other */
    unsigned filling;
} sg_inbox;

int sg_inbox_init(sg_inbox *q, size_t max_replies);
/* Frees what was never taken. */
void sg_inbox_deinit(sg_inbox *q);
/* Both move what they are given. False: more answers than requests; the answer was dropped. */
bool sg_inbox_push_reply(sg_inbox *q, const sg_reply *reply);
void sg_inbox_push_event(sg_inbox *q, const sg_inbox_event *event);
/* Everything pushed so far, to be given back empty with sg_inbox_clear before the next take. */
sg_inbox_batch *sg_inbox_take(sg_inbox *q);
void sg_inbox_clear(sg_inbox_batch *b);
void sg_reply_free(sg_reply *r);
static inline const uint64_t *sg_inbox_event_ids(const sg_inbox_event *e)
{
    return e->ids != NULL ? e->ids : &e->id;
}

#endif
