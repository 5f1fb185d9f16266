/* The server's libuv side, shared by its files: http_server.c, listener.c, link.c. */
#ifndef SG_NET_SERVER_H
#define SG_NET_SERVER_H

#include <uv.h>

#include "net/net.h"

#define SG_LISTENERS_MAX 4u        /* addresses that one host name may stand for */
#define SG_READ_SIZE (64u * 1024u) /* bytes of one read; one buffer serves all connections */
#define SG_ACCEPTS 32              /* connections taken in one go before others get their turn */
#define SG_ACCEPT_PAUSE_MS 200u    /* no accepting after descriptors or memory ran out */

typedef struct sg_listener {
    uv_poll_t poll;
    struct sg_http_server *server;
    int fd;
    uint64_t resume_ms; /* paused until then; 0: accepting */
} sg_listener;

struct sg_http_server {
    sg_net net;
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t timer;
    uv_prepare_t prepare;
    sg_listener listeners[SG_LISTENERS_MAX];
    unsigned listener_count;
    uint16_t port;
    atomic_bool stop; /* asked for; the async handle carries it to the loop */
    char read[SG_READ_SIZE];
};

/* ---- listener.c ---- */
/* Listen on every address of the configured host. */
int sg_listeners_open(sg_http_server *server);
/* Accept again if a pause is over. */
void sg_listeners_tick(sg_http_server *server);
void sg_listeners_close(sg_http_server *server);

/* ---- link.c ---- */
extern const sg_transport sg_link_transport;
/* A connection for the accepted socket, which it owns from now on, also when it fails. */
void sg_link_open(sg_http_server *server, int fd, const char *peer, bool refuse);

/* The loop's time, before a call into sg_net. */
static inline void sg_server_now(sg_http_server *server)
{
    server->net.now_ms = uv_now(&server->loop);
}

#endif
