/*
 * One request in hand, from the first byte of its head to its answer.
 *
 * A connection has one only in between; they are kept in a pool, so that idle connections stay
 * small. Threads: the loop's.
 */
#ifndef SG_NET_EXCHANGE_H
#define SG_NET_EXCHANGE_H

#include <netinet/in.h>

#include "net/chunked.h"
#include "net/head.h"
#include "net/router.h"

/* Bytes of an X-Request-Id that is echoed; a longer one is replaced. */
#define SG_REQUEST_ID_MAX 64u
#define SG_PEER_MAX INET6_ADDRSTRLEN

struct sg_net;

typedef struct sg_exchange {
    struct sg_exchange *next; /* in the pool */
    sg_http_req req;
    sg_route_match match;
    sg_slice head_bytes;
    sg_buf keep;   /* the head's bytes, when they had to outlive the read buffer */
    sg_buf body;   /* what has arrived, when it had to */
    sg_slice view; /* the body: in `body`, or in the read buffer */
    sg_chunked chunked;
    size_t max_body;     /* bytes */
    uint64_t body_left;  /* bytes still to come of a body with a length */
    uint64_t wire_bytes; /* of the body so far, chunk framing included */
    uint64_t body_ms;    /* when the body began */
    uint64_t started_ns; /* when the head was complete */
    bool answered;
    bool close; /* this is the connection's last request */
    int cors;   /* 0: no header, -1: any origin, else 1 + index of the allowed one */
    uint32_t request_id_len;
    char request_id[SG_REQUEST_ID_MAX];
    char peer[SG_PEER_MAX];
    sg_head head; /* last, and its headers the last of it: all before is zeroed for each request */
} sg_exchange;

/* A fresh one; NULL when memory ran out. */
sg_exchange *sg_exchange_get(struct sg_net *net);
void sg_exchange_put(struct sg_net *net, sg_exchange *x);
/* Copy the head out of the read buffer; false when memory ran out. */
bool sg_exchange_keep(sg_exchange *x);

#endif
