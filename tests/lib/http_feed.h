/*
 * A connection of src/net without a socket: bytes are fed in pieces, what it says is collected.
 *
 * For fuzzers: the same bytes in one piece and in many must give the same answers. Time stands
 * still; output is taken whole, or, with `slow`, a few bytes at a time.
 */
#ifndef SG_TESTS_HTTP_FEED_H
#define SG_TESTS_HTTP_FEED_H

#include <stdio.h>
#include <stdlib.h>

#include "net/net.h"

#define FEED_OUT_MAX (64u << 20)

typedef struct http_feed {
    sg_net net; /* first: the transport's functions find the feed by it */
    sg_conn conn;
    sg_buf out;      /* what the connection has said */
    bool has_ws;     /* a WebSocket was opened */
    bool is_closed;  /* it has let go of its transport */
    bool slow;       /* take output a few bytes at a time */
    uint32_t random; /* xorshift; decides where pieces end */
    sg_buf heard;    /* what handlers note */
} http_feed;

static inline void feed_require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static inline uint32_t feed_random(http_feed *f, uint32_t below)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 17;
    f->random ^= f->random << 5;
    return f->random % below;
}

/* ---- transport ---- */

static inline http_feed *feed_of(sg_net *net)
{
    return (http_feed *)(void *)net;
}

static inline ssize_t feed_write(sg_conn *c, const struct iovec *v, int n)
{
    http_feed *f = feed_of(c->net);
    size_t room = f->slow ? feed_random(f, 4) * 7 : SIZE_MAX;
    size_t sent = 0;
    for (int i = 0; i < n && room != 0; i++) {
        size_t part = v[i].iov_len < room ? v[i].iov_len : room;
        sg_buf_put(&f->out, v[i].iov_base, part);
        sent += part;
        room -= part;
    }
    return (ssize_t)sent;
}

static inline void feed_want(sg_conn *c, bool read, bool write)
{
    feed_require(c->wants_read == read && c->wants_write == write, "interest is what was asked");
}

static inline void feed_shut(sg_conn *c)
{
    feed_require(c->out.bytes == 0, "FIN comes after all output");
}

static inline void feed_closed(sg_conn *c)
{
    feed_require(!feed_of(c->net)->is_closed, "a connection closes once");
    feed_of(c->net)->is_closed = true;
}

static inline void feed_wake(sg_net *net)
{
    (void)net;
}

/* ---- life ---- */

/* False when it can't be made, which is no finding. */
static inline bool feed_init(http_feed *f, const sg_http_route *routes, size_t n, uint32_t random)
{
    static const sg_transport transport = {.write = feed_write,
                                           .want = feed_want,
                                           .shut = feed_shut,
                                           .closed = feed_closed,
                                           .wake = feed_wake};
    sg_http_config config;
    sg_http_config_init(&config);
    config.max_in_flight = 4;
    config.max_body = 100000;
    f->is_closed = false;
    f->has_ws = false;
    f->slow = false;
    f->random = random * 2 + 1;
    sg_buf_init(&f->out, FEED_OUT_MAX);
    sg_buf_init(&f->heard, FEED_OUT_MAX);
    if (sg_net_init(&f->net, &config, routes, n, &transport) != SG_OK) return false;
    f->net.seed = 1; /* the same ids in each run */
    f->net.now_ms = 1000;
    sg_net_enter(&f->net);
    return sg_conn_open(&f->net, &f->conn, "192.0.2.1");
}

/* Let go of everything, as at the end of a server. */
static inline void feed_deinit(http_feed *f)
{
    if (!f->is_closed) sg_conn_eof(&f->conn);
    sg_net_drain(&f->net);
    sg_net_stop(&f->net);
    f->net.now_ms += (uint64_t)1 << 40;
    sg_net_tick(&f->net);
    feed_require(f->is_closed && f->net.slots.count == 0, "everything is closed in the end");
    sg_net_deinit(&f->net);
    sg_net_enter(NULL);
    sg_buf_deinit(&f->out);
    sg_buf_deinit(&f->heard);
}

static inline void feed_piece(http_feed *f, sg_slice piece)
{
    if (!f->is_closed && f->conn.wants_read) {
        /* A copy that ends where the piece does, so that a read past it is noticed. */
        char *copy = malloc(piece.n);
        memcpy(copy, piece.p, piece.n);
        sg_conn_feed(&f->conn, sg_slice_of(copy, piece.n));
        free(copy);
    }
    sg_net_drain(&f->net);
    for (int i = 0; i < 3 && !f->is_closed && f->conn.wants_write; i++)
        sg_conn_writable(&f->conn);
}

/* All the bytes, in pieces of at most max. */
static inline void feed_all(http_feed *f, sg_slice bytes, uint32_t max)
{
    while (bytes.n != 0) {
        size_t n = max < bytes.n ? 1 + feed_random(f, max) : bytes.n;
        feed_piece(f, sg_slice_of(bytes.p, n));
        bytes = sg_slice_of(bytes.p + n, bytes.n - n);
    }
}

/* Blank out what the clock of the system says. */
static inline void feed_mask_dates(sg_buf *out)
{
    static const char name[] = "\r\nDate: ";
    for (size_t at = 0; at + sizeof name + 28 < out->n; at++) {
        if (memcmp(out->p + at, name, sizeof name - 1) != 0) continue;
        memset(out->p + at + sizeof name - 1, '-', 29);
    }
}

#endif
