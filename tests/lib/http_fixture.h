/*
 * A server on a thread of its own, and raw clients that speak to it, for the tests of src/net.
 *
 * Clients block, for at most ten seconds, so that a test that waits for what never comes fails.
 * All functions fail the running cmocka test when something goes wrong that is not the point.
 */
#ifndef SG_TESTS_HTTP_FIXTURE_H
#define SG_TESTS_HTTP_FIXTURE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <uv.h>

#include "net/http_server.h"

#define HTTP_WAIT_MS 10000

typedef struct http_fixture {
    sg_http_server *server;
    const sg_http *http;
    uv_thread_t thread;
    bool is_running;
    int run_result;
} http_fixture;

typedef struct http_client {
    int fd;
    char *in; /* what has come and was not taken yet */
    size_t in_len;
    size_t in_cap;
} http_client;

typedef struct http_reply {
    int status; /* 0: the connection ended instead */
    char *head; /* NUL-terminated, with the empty line */
    char *body; /* NUL-terminated */
    size_t body_len;
} http_reply;

/* A configuration with short ways: loopback, any port, ten seconds where the defaults have more. */
void http_config(sg_http_config *config);
void http_start(http_fixture *f, const sg_http_config *config, const sg_http_route *routes,
                size_t n);
/* Ask it to stop, wait until it has, free it. */
void http_stop(http_fixture *f);
/* Wait until it has stopped. */
void http_join(http_fixture *f);
sg_http_stats http_stats(const http_fixture *f);

http_client http_connect(const http_fixture *f);
/* With a small receive buffer, to be a slow reader. */
http_client http_connect_small(const http_fixture *f);
void http_close(http_client *c);
/* The server may have closed already: that is not a failure. */
void http_send(http_client *c, const void *bytes, size_t n);
void http_say(http_client *c, const char *text);
/* Exactly n bytes, freed by the caller. */
char *http_take(http_client *c, size_t n);
/* Everything up to and with the text, freed by the caller; NULL if the connection ended before. */
char *http_until(http_client *c, const char *text);
/* The next response, 1xx included. */
http_reply http_read(http_client *c);
/* The same to a HEAD request. */
http_reply http_read_head(http_client *c);
void http_reply_free(http_reply *r);
/* A header's value, or NULL; valid until the next call. */
const char *http_header(const http_reply *r, const char *name);
/* True if the server has closed and nothing was left to read. */
bool http_at_end(http_client *c);

/* A request on a connection of its own, its status. */
int http_status_of(const http_fixture *f, const char *request);
/* One response's status on this connection; fails unless its error code is the one given. */
void http_assert_refused(http_client *c, int status, const char *code);

/* Wait, at most HTTP_WAIT_MS, until the expression holds. */
#define http_wait_for(expression)                                                                  \
    do {                                                                                           \
        unsigned waited_ms = 0;                                                                    \
        while (!(expression) && waited_ms < HTTP_WAIT_MS) {                                        \
            uv_sleep(1);                                                                           \
            waited_ms++;                                                                           \
        }                                                                                          \
        assert_true(expression);                                                                   \
    } while (0)

#endif
