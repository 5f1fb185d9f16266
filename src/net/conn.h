/*
 * One connection: bytes in, bytes out, no socket (src/net/link.c has that).
 *
 *     HEAD --head complete--> BODY --body complete--> [DECODE] --> WAIT --answered--> HEAD
 *       |  \________________no body____________________________/    |
 *       |                                                           +--open_stream--> STREAM
 *       +--handshake--> WS              any --last answer, refusal--> LINGER --> CLOSED
 *
 *   HEAD    x is NULL, or the request's head is being read; `in` holds the incomplete head
 *   BODY    x->head is whole; the body is arriving
 *   DECODE  the body is being decompressed on another thread
 *   WAIT    a handler has the request; pipelined bytes wait in `in`
 *   STREAM  stream is set; what the client sends is read over
 *   WS      ws is set
 *   LINGER  nothing more to say; output is flushed, then FIN, then input is read over until the
 *           client closes, so that no reset destroys our last answer on its way
 *   CLOSED  nothing owned; the memory stays until the transport has let go
 *
 * Every function below may close the connection; none frees it. Threads: the loop's.
 */
#ifndef SG_NET_CONN_H
#define SG_NET_CONN_H

#include "net/exchange.h"
#include "net/outq.h"

typedef struct sg_net sg_net;
typedef struct sg_conn sg_conn;
struct sg_reply;
struct sg_sse;
struct sg_wsock;

enum sg_conn_state {
    SG_CONN_HEAD,
    SG_CONN_BODY,
    SG_CONN_DECODE,
    SG_CONN_WAIT,
    SG_CONN_STREAM,
    SG_CONN_WS,
    SG_CONN_LINGER,
    SG_CONN_CLOSED
};

struct sg_conn {
    sg_net *net;
    enum sg_conn_state state;
    uint32_t slot;
    sg_buf in;   /* bytes read but not yet understood */
    size_t scan; /* bytes of `in` without the end of a head */
    sg_outq out;
    uint64_t due_ms;       /* when the present state times out */
    uint64_t write_due_ms; /* when a client that takes nothing is given up */
    sg_exchange *x;
    struct sg_sse *stream;
    struct sg_wsock *ws;
    sg_conn *next_dirty;
    size_t discarded; /* LINGER: bytes read over */
    bool is_dirty;
    bool is_blocked; /* requests in `in` wait for the client to take answers */
    bool head_begun; /* some bytes of a head have come: the head timeout runs */
    bool eof;        /* the client has sent all it will */
    bool is_shut;    /* we have sent FIN */
    bool wants_read;
    bool wants_write;
    char peer[SG_PEER_MAX];
};

/* Take a slot and wait for a request. False (and nothing to undo) when memory ran out. */
bool sg_conn_open(sg_net *net, sg_conn *c, const char *peer);
/* Too many connections: say so and close. Instead of waiting for a request. */
void sg_conn_refuse(sg_conn *c);
/* Bytes have come; borrowed. */
void sg_conn_feed(sg_conn *c, sg_slice bytes);
/* The client has sent all it will. */
void sg_conn_eof(sg_conn *c);
/* Output is taken again. */
void sg_conn_writable(sg_conn *c);
/* due_ms or write_due_ms has come. */
void sg_conn_expire(sg_conn *c);
/* At once. why: enum sg_err, for the owner of a stream. */
void sg_conn_close(sg_conn *c, int why);
/* The server stops: close when there is nothing in hand. */
void sg_conn_stop(sg_conn *c);

/* ---- between the files of this layer ---- */

/* Set the state's timeout, ms from now; UINT64_MAX: none. */
void sg_conn_due(sg_conn *c, uint64_t ms);
/* Send what can be sent, and what follows from that. */
void sg_conn_flush(sg_conn *c);
/* The request is answered: let go of it, and be ready for the next or linger. */
void sg_conn_finish(sg_conn *c);
/* Nothing more to say: what is queued goes out, then FIN; the flush that must follow sees to it. */
void sg_conn_linger(sg_conn *c);
/* Go on with what waits in `in`. */
void sg_conn_resume(sg_conn *c);

/* request.c, body.c: understand bytes; returns how many were used, 0 when more are needed or a
 * state was reached that takes none. */
size_t sg_request_head(sg_conn *c, sg_slice bytes);
size_t sg_request_body(sg_conn *c, sg_slice bytes);
/* The head is accepted: wait for the body, if there is one, then dispatch. */
void sg_request_begin_body(sg_conn *c);
/* The request is whole: hand it to the handler. */
void sg_request_dispatch(sg_conn *c);
/* Refuse it and close: what follows can't be understood, or is not wanted. */
void sg_request_refuse(sg_conn *c, int err, int status, const char *detail);
/* The body has been decoded: moved in when err is SG_OK. */
void sg_request_decoded(sg_conn *c, int err, char *body, size_t n);

/* reply.c: queue the response to c->x. The reply's body is moved (and NULL afterwards). */
void sg_reply_send(sg_conn *c, struct sg_reply *reply);
/* The head of the response only; type and length are the caller's business. */
void sg_reply_head(sg_conn *c, int status, sg_slice fields);
/* An error of this layer's own. fields: more header lines, or empty. */
void sg_reply_error(sg_conn *c, int err, int status, const char *detail, sg_slice fields);
/* The request's place in `cors`, from its Origin; false when the origin is not allowed. */
bool sg_reply_cors(const sg_net *net, sg_slice origin, int *cors);
/* An OPTIONS request: a CORS preflight or a plain question. methods: bits of what the path takes.
 */
void sg_reply_options(sg_conn *c, unsigned methods);
/* "Allow: GET, HEAD\r\n" onto out. */
void sg_reply_allow(sg_buf *out, const char *name, unsigned methods);

/* sse.c */
void sg_sse_open(sg_conn *c, struct sg_reply *reply);
void sg_sse_send(sg_conn *c, sg_block *block);
/* Close after what has been sent; last is one more event, or NULL. */
void sg_sse_finish(sg_conn *c, int why, sg_block *last);
void sg_sse_expire(sg_conn *c);
/* After a flush: lagging too far, drained, or finished. */
void sg_sse_flushed(sg_conn *c);
void sg_sse_free(sg_conn *c, int why);

/* wsock.c: c->x is a handshake for route->ws, not yet validated. */
void sg_wsock_open(sg_conn *c);
void sg_wsock_feed(sg_conn *c, sg_slice bytes);
void sg_wsock_send(sg_conn *c, const sg_block *text);
void sg_wsock_finish(sg_conn *c, int code);
void sg_wsock_deadline(sg_conn *c, uint32_t ms);
void sg_wsock_expire(sg_conn *c);
void sg_wsock_flushed(sg_conn *c);
void sg_wsock_free(sg_conn *c);

#endif
