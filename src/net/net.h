/*
 * What all connections of a server share; knows no sockets.
 *
 * The sockets, the clock and the loop are behind sg_transport, so that tests and fuzzers can feed
 * bytes without any. Layout of src/net, from below:
 *
 *     chunked head router outq slots inbox          each by itself
 *     exchange                                      one request in hand
 *     conn reply request body sse wsock             one connection, sans-I/O
 *     net                                           all connections: clock ticks, inbox, stop
 *     ops                                           what handlers call, from any thread
 *     link listener http_server                     libuv and sockets
 *
 * Threads: the loop's, but for `inbox` and `stats`.
 */
#ifndef SG_NET_H
#define SG_NET_H

#include <stdatomic.h>
#include <time.h>

#include "net/conn.h"
#include "net/exchange.h"
#include "net/http_server.h"
#include "net/inbox.h"
#include "net/router.h"
#include "net/slots.h"
#include "server/rate.h"

#define SG_EXCHANGE_POOL 64u /* exchanges kept for reuse */
#define SG_REFUSED_MAX 64u   /* connections over the limit that are told so at the same time */
#define SG_LINGER_MS 2000u   /* how long we wait for the client to close after our last word */
/* And how much of what it still sends is read over. */
#define SG_LINGER_BYTES (16u * 1024u * 1024u)
#define SG_OUT_FULL (64u * 1024u) /* bytes of answers waiting when pipelined requests must wait */
#define SG_CHUNK_OVERHEAD (1024u * 1024u) /* bytes of chunk framing over the cap on a body */
/* Slowest pace of a body that is not cut off, after body_timeout. */
#define SG_BODY_BYTES_PER_MS 16u
#define SG_WS_CLOSE_MS 2000u /* for a client to answer our close frame */

typedef struct sg_transport {
    /* Bytes taken; 0: none now, call sg_conn_writable later; -1: the connection is broken. */
    ssize_t (*write)(sg_conn *c, const struct iovec *v, int n);
    /* What c waits for has changed. */
    void (*want)(sg_conn *c, bool read, bool write);
    /* Nothing more will be written: FIN. */
    void (*shut)(sg_conn *c);
    /* The last call for c, which must stay readable until the loop comes round again. */
    void (*closed)(sg_conn *c);
    /* Decode x->body elsewhere and call sg_request_decoded; NULL: it is done at once, here. */
    int (*decode)(sg_conn *c);
    /* From any thread: have sg_net_drain called on the loop's thread soon. */
    void (*wake)(sg_net *net);
} sg_transport;

typedef struct sg_net_stats { /* as in sg_http_stats */
    _Atomic uint64_t connections, streams, websockets, in_flight;
    _Atomic uint64_t accepted, refused, accept_errors, requests, rejected, late_answers, resyncs;
    _Atomic uint64_t bytes_in, bytes_out;
} sg_net_stats;

struct sg_net {
    sg_http_config config; /* strings owned */
    sg_router router;
    sg_http http; /* what handlers get */
    const sg_transport *io;
    sg_slots slots;
    sg_inbox inbox;
    sg_exchange *pool;
    unsigned pooled;
    sg_conn *current; /* whose handler is running */
    sg_conn *dirty;   /* those with something to flush at the end of a drain */
    uint64_t now_ms;  /* monotonic; set by the transport before each call into this layer */
    time_t date_s;    /* the second that `date` shows */
    char date[40];    /* "Date: ...\r\n" */
    uint64_t seed;    /* of request ids */
    sg_rate *rate;    /* NULL: no limit */
    bool stopping;
    uint64_t stop_due_ms;
    sg_block *resync;   /* event: the stream lags too far behind */
    sg_block *shutdown; /* event: the server stops */
    sg_block *refusal;  /* a whole response: too many connections */
    sg_net_stats stats;
};

/* The configuration is checked and copied. io->wake is not called before the first operation. */
int sg_net_init(sg_net *net, const sg_http_config *config, const sg_http_route *routes,
                size_t route_count, const sg_transport *io);
/* All connections must be closed. Streams that were still to be opened get their `closed`. */
void sg_net_deinit(sg_net *net);
/* Do what other threads asked for. */
void sg_net_drain(sg_net *net);
/* Wake the connections whose time has come. */
void sg_net_tick(sg_net *net);
/* How often to tick for the timeouts of the configuration to be kept, in ms. */
uint64_t sg_net_tick_ms(const sg_net *net);
/* Begin to stop; over when slots.count is 0. */
void sg_net_stop(sg_net *net);
/* "Date: ...\r\n" of this second. */
const char *sg_net_date(sg_net *net);
/* c has output that the end of the drain must flush. */
void sg_net_dirty(sg_net *net, sg_conn *c);
/* c is going: forget that. */
void sg_net_clean(sg_net *net, sg_conn *c);
/* Close all connections at once. */
void sg_net_close_all(sg_net *net);

/* The operations of server/http.h; their impl is the sg_net. */
extern const sg_http_ops sg_net_ops;
/* This thread runs the loop of net (NULL: no longer). */
void sg_net_enter(sg_net *net);

/* One writer, so a plain addition will do; the atomics are for the readers. */
static inline void sg_stat_set(_Atomic uint64_t *stat, uint64_t value)
{
    atomic_store_explicit(stat, value, memory_order_relaxed);
}

static inline uint64_t sg_stat_get(const _Atomic uint64_t *stat)
{
    return atomic_load_explicit(stat, memory_order_relaxed);
}

static inline void sg_stat_add(_Atomic uint64_t *stat, uint64_t n)
{
    sg_stat_set(stat, sg_stat_get(stat) + n);
}

/* Gauges stay at 0: an answer too many, which is a handler's mistake, must not wrap them. */
static inline void sg_stat_take(_Atomic uint64_t *stat)
{
    uint64_t value = sg_stat_get(stat);
    if (value != 0) sg_stat_set(stat, value - 1);
}

#endif
