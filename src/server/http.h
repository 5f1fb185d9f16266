/*
 * What a route handler sees of HTTP: a request to read, and a table of operations to answer with.
 *
 * src/net implements the operations; tests of routes may implement them too, which is why a
 * request is a plain struct and not an opaque one. The rules:
 *
 *   1. A handler runs on the event loop's thread and must not block. It is called with the whole
 *      request: the body is complete, within its cap, and decompressed.
 *   2. Everything in sg_http_req is borrowed and ends with the handler's return. A handler that
 *      finishes elsewhere keeps `id` (a number, not a pointer), copies what it needs, and moves
 *      the body out with sg_http_take_body.
 *   3. Each request gets exactly one of sg_http_answer, sg_http_answer_error and
 *      sg_http_open_stream, inside the handler or later, from any thread. What comes after the
 *      client has gone is dropped silently; it must still be called, because the number of
 *      requests in the handlers' hands is bounded.
 *   4. Operations never call back into the handlers: callbacks run later, on the loop's thread.
 *
 *     static void get_health(void *ctx, const sg_http *http, const sg_http_req *req)
 *     {
 *         sg_http_answer(http, req->id, &(sg_answer){.status = 200,
 *                        .body = "{\"ok\":true}", .body_len = 11, .body_static = true});
 *     }
 */
#ifndef SG_HTTP_H
#define SG_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "server/block.h"

#define SG_HTTP_MAX_PARAMS 4   /* {captures} in one pattern */
#define SG_HTTP_MAX_EXTRA 2048 /* bytes of a handler's own response headers */

enum sg_http_method {
    SG_HTTP_GET,
    SG_HTTP_HEAD, /* reaches the GET route; the body of the answer is not sent */
    SG_HTTP_POST,
    SG_HTTP_PUT,
    SG_HTTP_PATCH,
    SG_HTTP_DELETE,
    SG_HTTP_OPTIONS, /* answered by src/net, no route sees it */
    SG_HTTP_METHOD_COUNT
};

typedef struct sg_http_header {
    sg_slice name;
    sg_slice value; /* without surrounding white space */
} sg_http_header;

typedef struct sg_http_req {
    uint64_t id; /* answer with it; never used twice in the life of a process */
    enum sg_http_method method;
    sg_slice path;  /* as sent, percent-escapes valid but not undone; starts with '/' */
    sg_slice query; /* as sent, after the '?'; escapes valid */
    const sg_http_header *headers;
    size_t header_count;
    sg_slice body;
    sg_slice peer;       /* "192.0.2.1" or "2001:db8::1" */
    sg_slice request_id; /* the client's X-Request-Id, or ours */
    const char *pattern; /* of the route that matched; lives as long as the route table */
    sg_slice params[SG_HTTP_MAX_PARAMS]; /* the captures, in order, escapes not undone */
    size_t param_count;
} sg_http_req;

/* An answer. Headers are borrowed until the call returns; the body is moved unless static. */
typedef struct sg_answer {
    int status;
    const char *content_type;      /* NULL: application/json */
    const sg_http_header *headers; /* extra ones: no Content-*, Connection, Date or CORS headers */
    size_t header_count;
    char *body; /* from sg_alloc (sg_buf_take), freed by the receiver */
    size_t body_len;
    bool body_static; /* the body lives as long as the process: not freed */
    bool no_compress; /* already compressed, or must not be (secrets beside foreign input) */
} sg_answer;

/* A request that becomes a stream of server-sent events. */
typedef struct sg_stream_spec {
    const sg_http_header *headers; /* extra ones, borrowed until the call returns */
    size_t header_count;
    size_t backlog_max; /* bytes not yet taken by the client; 0: the server's default */
    void *user;         /* for the two below */
    /* All that was sent has left for the client: time for the next page of a catch-up. May be
     * NULL. Called after each run of sends. */
    void (*drained)(void *user, uint64_t id);
    /* Called exactly once, the last call for this id. why: SG_OK the client left or we closed it,
     * SG_LIMIT it was too slow and was told to resync, SG_SHUTDOWN the server stops. May be NULL.
     */
    void (*closed)(void *user, uint64_t id, int why);
} sg_stream_spec;

typedef struct sg_http sg_http;

/* What src/net gives to handlers. All may be called from any thread. */
typedef struct sg_http_ops {
    /* Answer a request. The body is compressed here, in the calling thread, if that is allowed,
     * pays, and the client takes it. */
    void (*answer)(void *impl, uint64_t id, const sg_answer *answer);
    /* Turn a request into an event stream. SG_OK: `closed` will be called, even if the client has
     * already gone. An error (SG_NOMEM, or headers that are none): it won't; answer instead. Only
     * after this may others be told of the id: what is sent to it before goes nowhere. */
    int (*open_stream)(void *impl, uint64_t id, const sg_stream_spec *spec);
    /* Send one block to n streams or WebSockets, in the order of the calls. To a WebSocket the
     * block is one text message (valid UTF-8); to a stream it is whole events, as sg_block_event
     * makes them. Ids that are gone are skipped. The caller keeps its reference. */
    void (*send)(void *impl, const uint64_t *ids, size_t n, sg_block *block);
    /* Close a stream or WebSocket after what was sent to it. ws_code is the WebSocket close code
     * (1000, 1008, 4000..4999); a stream ignores it. */
    void (*close)(void *impl, uint64_t id, int ws_code);
    /* Close the WebSocket with 1008 unless this is called again within ms; 0 takes it back. */
    void (*ws_deadline)(void *impl, uint64_t id, uint32_t ms);
    /* Inside the handler only: the body as a heap block of the caller's (sg_free), moved if it can
     * be, NUL-terminated. NULL when memory ran out. */
    char *(*take_body)(void *impl, const sg_http_req *req, size_t *n);
} sg_http_ops;

struct sg_http {
    const sg_http_ops *ops;
    void *impl;
};

typedef void sg_http_handler(void *ctx, const sg_http *http, const sg_http_req *req);

/* A WebSocket's life, all on the loop's thread. The id is the request's id. */
typedef struct sg_ws_handler {
    /* A valid handshake has come. SG_OK accepts it, and what is sent to the id from here on follows
     * the handshake; any other error refuses with that error's status. *user goes to the others. */
    int (*open)(void *ctx, const sg_http *http, const sg_http_req *req, void **user);
    /* One whole text message: valid UTF-8, at most SG_WS_MAX_MESSAGE bytes, borrowed. */
    void (*text)(void *user, const sg_http *http, uint64_t id, sg_slice text);
    /* The last call for this id, once for each open that gave SG_OK. code: the close code that was
     * received or sent, 1006 if the connection broke. */
    void (*closed)(void *user, const sg_http *http, uint64_t id, int code);
} sg_ws_handler;

/* Bytes of a message from a client; more is close code 1009. */
#define SG_WS_MAX_MESSAGE (64u * 1024u)

/*
 * A row of the route table. The first row that matches wins. A pattern is literal segments and
 * {captures} of one non-empty segment: "/sync/{app}/pull"; a last segment {name*} takes the rest of
 * the path, which may be empty.
 */
typedef struct sg_http_route {
    enum sg_http_method method; /* SG_HTTP_GET for WebSockets */
    const char *pattern;
    sg_http_handler *handle;
    const sg_ws_handler *ws; /* instead of handle */
    void *ctx;               /* first parameter of handle and ws->open */
    size_t max_body;         /* bytes, decompressed; 0: the server's cap */
} sg_http_route;

static inline void sg_http_answer(const sg_http *http, uint64_t id, const sg_answer *answer)
{
    http->ops->answer(http->impl, id, answer);
}

static inline int sg_http_open_stream(const sg_http *http, uint64_t id, const sg_stream_spec *spec)
{
    return http->ops->open_stream(http->impl, id, spec);
}

static inline void sg_http_send(const sg_http *http, uint64_t id, sg_block *block)
{
    http->ops->send(http->impl, &id, 1, block);
}

static inline void sg_http_send_all(const sg_http *http, const uint64_t *ids, size_t n,
                                    sg_block *block)
{
    http->ops->send(http->impl, ids, n, block);
}

static inline void sg_http_close(const sg_http *http, uint64_t id, int ws_code)
{
    http->ops->close(http->impl, id, ws_code);
}

static inline void sg_http_ws_deadline(const sg_http *http, uint64_t id, uint32_t ms)
{
    http->ops->ws_deadline(http->impl, id, ms);
}

static inline char *sg_http_take_body(const sg_http *http, const sg_http_req *req, size_t *n)
{
    return http->ops->take_body(http->impl, req, n);
}

/* Answer with status and body of an error: {"error":{"code","message","detail"}}. detail may be
 * empty; it is never a database's own text. */
void sg_http_answer_error(const sg_http *http, uint64_t id, int err, sg_slice detail);
/* Answer 'status' with the JSON in the buffer, which is empty afterwards. A buffer with a latched
 * error gives that error's answer instead. */
void sg_http_answer_json(const sg_http *http, uint64_t id, int status, sg_buf *body);
/* The error body itself, onto out. */
void sg_http_error_body(sg_buf *out, int err, sg_slice detail);

/* First header of that name (ASCII case ignored); p is NULL if there is none. */
sg_slice sg_http_header_get(const sg_http_req *req, const char *name);
/* First query parameter of that name, escapes undone and '+' a space: borrowed from the request
 * when there is nothing to undo, else appended to scratch and borrowed from it until it changes.
 * False if there is none, or if scratch latched an error. */
bool sg_http_query_get(const sg_http_req *req, const char *name, sg_buf *scratch, sg_slice *value);
/* Capture number i (0 = the first) of the route's pattern, escapes undone in the same manner, but
 * '+' stays. False if there is none, or if scratch latched an error. */
bool sg_http_param(const sg_http_req *req, size_t i, sg_buf *scratch, sg_slice *value);
/* "GET", for logs. */
const char *sg_http_method_name(enum sg_http_method method);

#endif
