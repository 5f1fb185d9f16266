/* A connection's socket: readiness from libuv, reads into one shared buffer, writev. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/server.h"

typedef struct sg_link {
    sg_conn conn; /* first: the transport's functions get it and mean the link */
    uv_poll_t poll;
    int fd;
} sg_link;

static sg_link *link_of(sg_conn *c)
{
    return (sg_link *)(void *)c;
}

static sg_http_server *server_of(sg_net *net)
{
    return (sg_http_server *)(void *)net; /* its first member */
}

/* ---- events ---- */

static void read_some(sg_link *l)
{
    sg_http_server *server = server_of(l->conn.net);
    ssize_t n = recv(l->fd, server->read, sizeof server->read, 0);
    if (n > 0)
        sg_conn_feed(&l->conn, sg_slice_of(server->read, (size_t)n));
    else if (n == 0)
        sg_conn_eof(&l->conn);
    else if (errno != EAGAIN && errno != EINTR)
        sg_conn_close(&l->conn, SG_OK);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    sg_link *l = handle->data;
    sg_server_now(server_of(l->conn.net));
    if (status < 0) {
        sg_conn_close(&l->conn, SG_OK);
        return;
    }
    if ((events & UV_WRITABLE) != 0) sg_conn_writable(&l->conn);
    if ((events & UV_READABLE) != 0 && l->conn.state != SG_CONN_CLOSED) read_some(l);
}

static void on_released(uv_handle_t *handle)
{
    sg_free(handle->data);
}

void sg_link_open(sg_http_server *server, int fd, const char *peer, bool refuse)
{
    sg_link *l = sg_alloc(sizeof *l);
    if (l == NULL || uv_poll_init(&server->loop, &l->poll, fd) != 0) {
        sg_free(l);
        close(fd);
        return;
    }
    l->poll.data = l;
    l->fd = fd;
    if (!sg_conn_open(&server->net, &l->conn, peer)) {
        close(fd);
        uv_close((uv_handle_t *)&l->poll, on_released);
        return;
    }
    uv_poll_start(&l->poll, UV_READABLE, on_poll);
    if (refuse) sg_conn_refuse(&l->conn);
}

/* ---- transport ---- */

static ssize_t link_write(sg_conn *c, const struct iovec *v, int n)
{
    struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = (size_t)n};
    ssize_t sent = sendmsg(link_of(c)->fd, &m, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void link_want(sg_conn *c, bool read, bool write)
{
    sg_link *l = link_of(c);
    int events = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
    if (events != 0)
        uv_poll_start(&l->poll, events, on_poll);
    else
        uv_poll_stop(&l->poll);
}

static void link_shut(sg_conn *c)
{
    shutdown(link_of(c)->fd, SHUT_WR);
}

static void link_closed(sg_conn *c)
{
    sg_link *l = link_of(c);
    uv_close((uv_handle_t *)&l->poll, on_released); /* stops watching, so the socket may go */
    close(l->fd);
}

static void link_wake(sg_net *net)
{
    uv_async_send(&server_of(net)->async);
}

/* ---- decoding on libuv's thread pool ---- */

struct decoding {
    uv_work_t work;
    sg_http_server *server;
    uint64_t id;
    enum sg_coding coding;
    size_t max; /* bytes */
    char *in;
    size_t in_len;
    char *out;
    size_t out_len;
    int err;
};

static void on_work(uv_work_t *work)
{
    struct decoding *d = work->data;
    d->err = sg_decode(d->coding, sg_slice_of(d->in, d->in_len), d->max, &d->out, &d->out_len);
}

static void on_worked(uv_work_t *work, int status)
{
    struct decoding *d = work->data;
    sg_conn *c = sg_slots_get(&d->server->net.slots, d->id);
    (void)status; /* never cancelled */
    sg_server_now(d->server);
    if (c != NULL && c->state == SG_CONN_DECODE) {
        sg_request_decoded(c, d->err, d->out, d->out_len);
        sg_conn_resume(c);
    } else {
        sg_free(d->out);
    }
    sg_free(d->in);
    sg_free(d);
}

static int link_decode(sg_conn *c)
{
    sg_exchange *x = c->x;
    struct decoding *d = sg_zalloc(sizeof *d);
    if (d == NULL) return SG_NOMEM;
    d->server = server_of(c->net);
    d->id = x->req.id;
    d->coding = x->head.coding;
    d->max = x->max_body;
    x->body.max++; /* for the NUL */
    d->in = sg_buf_take(&x->body, &d->in_len);
    d->work.data = d;
    if (d->in != NULL && uv_queue_work(&d->server->loop, &d->work, on_work, on_worked) == 0)
        return SG_OK;
    sg_free(d->in);
    sg_free(d);
    return SG_NOMEM;
}

const sg_transport sg_link_transport = {
    .write = link_write,
    .want = link_want,
    .shut = link_shut,
    .closed = link_closed,
    .decode = link_decode,
    .wake = link_wake,
};
