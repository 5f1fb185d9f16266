/*
 * A request's head, from bytes to slices, strictly.
 *
 * http_parser reads it; what that lets through and a proxy in front might read otherwise is refused
 * here: bare LF, folded lines, names that are no tokens, Content-Length beside Transfer-Encoding or
 * twice, any transfer coding but chunked, a missing or doubled Host. Everything in sg_head is
 * borrowed from the bytes. Threads: the loop's. Nothing is allocated.
 */
#ifndef SG_NET_HEAD_H
#define SG_NET_HEAD_H

#include "wire/codec.h"
#include "net/http_server.h"

/* Why a request is refused. */
typedef struct sg_refusal {
    int err;            /* enum sg_err; SG_OK: it is not */
    int status;         /* HTTP */
    const char *detail; /* one phrase */
} sg_refusal;

typedef struct sg_head {
    enum sg_http_method method;
    sg_slice path;
    sg_slice query;
    size_t header_count;
    uint64_t content_length; /* 0 without the header, too */
    bool chunked;
    bool keep_alive;
    bool expect_continue;
    bool is_upgrade; /* to a WebSocket */
    bool http_1_0;
    enum sg_coding coding; /* of the body */
    unsigned accept;       /* codings of the answer */
    sg_slice origin;       /* p NULL: no such header; so with the next ones */
    sg_slice request_id;
    sg_slice forwarded;   /* X-Forwarded-For */
    sg_slice cors_method; /* Access-Control-Request-Method */
    sg_refusal why;
    sg_http_header headers[SG_HTTP_MAX_HEADERS]; /* last: the only part that needs no zeroing */
} sg_head;

/* Look for the end of the head, from *scan on, which it moves: call again with more bytes. Returns
 * its length, or 0 when the bytes don't hold a whole one (or why->err says why they never will). */
size_t sg_head_find(sg_refusal *why, sg_slice bytes, size_t *scan);
/* Read a whole head, which sg_head_find measured; false with h->why set. h must be zero up to its
 * headers. */
bool sg_head_parse(sg_head *h, sg_slice bytes);
/* The bytes have been copied from `from` to `to`: let all slices follow. */
void sg_head_move(sg_head *h, const char *from, const char *to);

#endif
