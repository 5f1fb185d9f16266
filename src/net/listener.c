/* Listening sockets: our own accept loop, so that accepting can pause when descriptors run out. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/server.h"

/* ---- accepting ---- */

/* "192.0.2.1", also for ::ffff:192.0.2.1 */
static void peer_text(const struct sockaddr_storage *address, char *out)
{
    out[0] = '\0';
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, out, SG_PEER_MAX);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, SG_PEER_MAX);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, out, SG_PEER_MAX);
    }
}

/* Errors of one connection, which has gone; the next one may be well. */
static bool is_passing(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

/* Descriptors or memory ran out: leave the rest in the kernel's queue and look again later. */
static void pause_accepting(sg_listener *l)
{
    sg_stat_add(&l->server->net.stats.accept_errors, 1);
    l->resume_ms = uv_now(&l->server->loop) + SG_ACCEPT_PAUSE_MS;
    uv_poll_stop(&l->poll);
}

static void admit(sg_http_server *server, int fd, const struct sockaddr_storage *address)
{
    char peer[SG_PEER_MAX];
    sg_net *net = &server->net;
    uint32_t max = net->config.max_connections;
    bool refuse = net->slots.count >= max;
    if (refuse) sg_stat_add(&net->stats.refused, 1);
    if (net->slots.count >= max + SG_REFUSED_MAX) {
        close(fd);
        return;
    }
    sg_stat_add(&net->stats.accepted, 1);
    peer_text(address, peer);
    sg_link_open(server, fd, peer, refuse);
}

static void on_acceptable(uv_poll_t *handle, int status, int events)
{
    sg_listener *l = handle->data;
    (void)status;
    (void)events;
    sg_server_now(l->server);
    for (int i = 0; i < SG_ACCEPTS; i++) {
        struct sockaddr_storage address;
        socklen_t n = sizeof address;
        int fd = accept4(l->fd, (struct sockaddr *)&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(l->server, fd, &address);
        } else if (!is_passing(errno)) {
            if (errno != EAGAIN) pause_accepting(l);
            return;
        }
    }
}

void sg_listeners_tick(sg_http_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++) {
        sg_listener *l = &server->listeners[i];
        if (l->resume_ms == 0 || l->resume_ms > uv_now(&server->loop)) continue;
        l->resume_ms = 0;
        uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
    }
}

/* ---- opening and closing ---- */

static int our_error(int error)
{
    switch (error) {
    case EADDRINUSE:
    case EACCES:
        return SG_BUSY;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
        return SG_BADREQUEST;
    case ENOMEM:
    case ENOBUFS:
        return SG_NOMEM;
    default:
        return SG_IO;
    }
}

static void set_port(struct addrinfo *a, uint16_t port)
{
    uint16_t net_port = htons(port);
    if (a->ai_family == AF_INET)
        ((struct sockaddr_in *)(void *)a->ai_addr)->sin_port = net_port;
    else
        ((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_port = net_port;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) return 0;
    return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&a)->sin_port
                                        : ((struct sockaddr_in6 *)(void *)&a)->sin6_port);
}

/* A listening socket, or -1 with errno. Accepted sockets inherit TCP_NODELAY. */
static int listen_on(const struct addrinfo *a, bool both_families)
{
    int on = 1;
    int v6only = !both_families;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int add_listener(sg_http_server *server, struct addrinfo *a, bool both_families)
{
    sg_listener *l = &server->listeners[server->listener_count];
    set_port(a, server->port);
    l->server = server;
    l->fd = listen_on(a, both_families);
    if (l->fd < 0) return our_error(errno);
    if (uv_poll_init(&server->loop, &l->poll, l->fd) != 0) {
        close(l->fd);
        return SG_NOMEM;
    }
    l->poll.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
    server->listener_count++;
    /* Where the system chose the port, the other addresses get the same one. */
    server->port = bound_port(l->fd);
    return SG_OK;
}

int sg_listeners_open(sg_http_server *server)
{
    const char *host = server->net.config.host;
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    int err = SG_BADREQUEST;
    bool both = strcmp(host, "::") == 0;
    server->port = server->net.config.port;
    if (getaddrinfo(host, NULL, &hints, &list) != 0) return SG_BADREQUEST;
    for (struct addrinfo *a = list; a != NULL && server->listener_count < SG_LISTENERS_MAX;
         a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
            err = add_listener(server, a, both);
    }
    freeaddrinfo(list);
    /* A name with an address that this machine does not have is served on the others. */
    return server->listener_count != 0 ? SG_OK : err;
}

void sg_listeners_close(sg_http_server *server)
{
    while (server->listener_count != 0) {
        sg_listener *l = &server->listeners[--server->listener_count];
        uv_close((uv_handle_t *)&l->poll, NULL);
        close(l->fd);
    }
}
