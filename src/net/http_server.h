/*
 * The HTTP/1.1 and WebSocket server: one event loop, everything bounded.
 *
 * It knows routes (server/http.h) and nothing of sync. TLS is the business of a proxy in front.
 *
 *     sg_http_config config;
 *     sg_http_config_init(&config);
 *     config.port = 8080;
 *     sg_http_server *server;
 *     int err = sg_http_server_new(&config, routes, route_count, &server);
 *     ... give sg_http_server_http(server) to whoever answers from other threads ...
 *     err = sg_http_server_run(server);     // until sg_http_server_stop
 *     ... join the threads that may still answer ...
 *     sg_http_server_free(server);
 *
 * Threads: run on one thread; stop from any thread or signal handler; the operations of
 * server/http.h from any thread between new and free.
 */
#ifndef SG_HTTP_SERVER_H
#define SG_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/http.h"

#define SG_HTTP_MAX_HEAD (16u * 1024u) /* bytes of request line and headers; over it 431 */
#define SG_HTTP_MAX_HEADERS 100u       /* header fields; over it 431 */
#define SG_HTTP_MAX_URL (8u * 1024u)   /* bytes of the request target; over it 414 */
#define SG_HTTP_MAX_ROUTES 128u        /* rows of the route table */
#define SG_HTTP_MAX_CONNECTIONS 65536u /* upper bound of the configurable limit */
#define SG_HTTP_MAX_QUEUED 65536u      /* blocks waiting to be taken over by the loop's thread */
#define SG_HTTP_COMPRESS_MIN 1024u     /* bytes of a body that is worth compressing */

/* What one answered request was, for logs and metrics. */
typedef struct sg_http_done {
    enum sg_http_method method;
    const char *pattern; /* NULL: no route matched */
    int status;          /* 101 for a WebSocket, 200 for an opened stream */
    uint64_t micros;     /* from the end of the request head to the answer */
    sg_slice request_id; /* borrowed */
    sg_slice peer;       /* borrowed */
} sg_http_done;

typedef struct sg_http_config {
    const char *host; /* address or name: "127.0.0.1", "::1", "::" (both families); borrowed */
    uint16_t port;    /* 0: any free one, see sg_http_server_port */

    uint32_t max_connections;   /* over it: 503 and close; lowered to what RLIMIT_NOFILE allows */
    uint32_t max_in_flight;     /* requests in the handlers' hands; over it: 503 */
    size_t max_body;            /* bytes of a request body, decompressed; over it: 413 */
    size_t stream_backlog;      /* bytes an event stream may lag behind; over it: resync, close */
    size_t ws_backlog;          /* the same for a WebSocket; over it: the connection is dropped */
    uint32_t head_timeout_ms;   /* for a request head to arrive: 408, close */
    uint32_t body_timeout_ms;   /* for a body, plus 1 s for each 16 KiB received: 408, close */
    uint32_t idle_timeout_ms;   /* keep-alive without a request: close */
    uint32_t answer_timeout_ms; /* for a handler to answer: 503 */
    uint32_t write_timeout_ms;  /* for a client to take anything at all of what waits: close */
    uint32_t heartbeat_ms;      /* comment on silent streams, ping on silent WebSockets */
    uint32_t stop_timeout_ms;   /* for requests in flight after sg_http_server_stop */

    const char *const *origins; /* allowed CORS and WebSocket origins; NULL: any ("*") */
    size_t origin_count;
    bool trust_forwarded; /* behind a proxy: the peer is the last address of X-Forwarded-For */
    uint32_t rate_per_s;  /* requests a second for one peer address; over it 429; 0: no limit */
    uint32_t rate_burst;  /* requests at once; 0: the same number as rate_per_s */

    /* Called on the loop's thread after each answer; may be NULL. Must not block. */
    void (*done)(void *ctx, const sg_http_done *done);
    void *ctx;
} sg_http_config;

/* Counters since the start, and gauges. */
typedef struct sg_http_stats {
    uint64_t connections;   /* gauge: open now, streams and WebSockets among them */
    uint64_t streams;       /* gauge */
    uint64_t websockets;    /* gauge */
    uint64_t in_flight;     /* gauge: requests in the handlers' hands */
    uint64_t accepted;      /* connections */
    uint64_t refused;       /* connections over the limit */
    uint64_t accept_errors; /* descriptors or memory ran out at accept */
    uint64_t requests;      /* answered */
    uint64_t rejected; /* answered by this layer with an error: malformed, too large, late … */
    uint64_t late_answers; /* dropped: the client had gone */
    uint64_t resyncs;      /* streams told to resync because they lagged */
    uint64_t bytes_in;
    uint64_t bytes_out;
} sg_http_stats;

typedef struct sg_http_server sg_http_server;

/* The defaults: 127.0.0.1, any port, the limits of the specification. */
void sg_http_config_init(sg_http_config *config);
/* Bind and listen. The routes and all they point to must outlive the server; strings of the
 * configuration are copied. SG_BUSY: the address is in use; SG_BADREQUEST: it, or a limit or
 * pattern, makes no sense; SG_IO, SG_NOMEM. */
int sg_http_server_new(const sg_http_config *config, const sg_http_route *routes,
                       size_t route_count, sg_http_server **out);
/* What handlers answer with; valid until free. */
const sg_http *sg_http_server_http(sg_http_server *server);
uint16_t sg_http_server_port(const sg_http_server *server);
/* Serve until stopped. SG_OK after a clean stop. */
int sg_http_server_run(sg_http_server *server);
/* Stop: no new connections, streams get `event: shutdown`, WebSockets close code 1001, requests in
 * flight are finished for up to stop_timeout_ms, then run returns. Async-signal-safe. */
void sg_http_server_stop(sg_http_server *server);
/* A snapshot; from any thread. */
void sg_http_server_stats(const sg_http_server *server, sg_http_stats *out);
/* After run has returned (or was never called) and nobody uses its sg_http any more. */
void sg_http_server_free(sg_http_server *server);

#endif
