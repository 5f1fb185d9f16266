#include "net/conn.h"

#include "net/net.h"

#define IN_MAX (SG_HTTP_MAX_HEAD + 128u * 1024u) /* bytes; more than one read on a full buffer */
#define RUNS 64                                  /* of a writev */

/* ---- timeouts ---- */

static void update_slot(sg_conn *c)
{
    c->net->slots.v[c->slot].due_ms = c->due_ms < c->write_due_ms ? c->due_ms : c->write_due_ms;
}

void sg_conn_due(sg_conn *c, uint64_t ms)
{
    c->due_ms = ms == UINT64_MAX ? UINT64_MAX : c->net->now_ms + ms;
    update_slot(c);
}

static void set_write_due(sg_conn *c, bool progress)
{
    uint64_t due = c->write_due_ms;
    if (c->out.bytes == 0)
        due = UINT64_MAX;
    else if (progress || due == UINT64_MAX)
        due = c->net->now_ms + c->net->config.write_timeout_ms;
    if (due == c->write_due_ms) return;
    c->write_due_ms = due;
    update_slot(c);
}

/* ---- life ---- */

bool sg_conn_open(sg_net *net, sg_conn *c, const char *peer)
{
    *c = (sg_conn){.net = net, .due_ms = UINT64_MAX, .write_due_ms = UINT64_MAX};
    c->slot = sg_slots_add(&net->slots, c);
    if (c->slot == SG_SLOT_NONE) return false;
    c->wants_read = true;
    sg_buf_init(&c->in, IN_MAX);
    size_t n = strnlen(peer, sizeof c->peer - 1);
    memcpy(c->peer, peer, n);
    c->peer[n] = '\0';
    sg_conn_due(c, net->config.head_timeout_ms);
    sg_stat_set(&net->stats.connections, net->slots.count);
    return true;
}

void sg_conn_close(sg_conn *c, int why)
{
    sg_net *net = c->net;
    if (c->state == SG_CONN_CLOSED) return;
    c->state = SG_CONN_CLOSED;
    sg_slots_remove(&net->slots, c->slot);
    sg_stat_set(&net->stats.connections, net->slots.count);
    sg_net_clean(net, c);
    if (c->x != NULL) sg_exchange_put(net, c->x);
    c->x = NULL;
    sg_buf_deinit(&c->in);
    sg_outq_deinit(&c->out);
    if (c->stream != NULL) sg_sse_free(c, why);
    if (c->ws != NULL) sg_wsock_free(c);
    net->io->closed(c);
}

void sg_conn_linger(sg_conn *c)
{
    c->state = SG_CONN_LINGER;
    sg_buf_deinit(&c->in);
    sg_conn_due(c, UINT64_MAX);
}

void sg_conn_refuse(sg_conn *c)
{
    sg_outq_block(&c->out, c->net->refusal);
    sg_conn_linger(c);
    sg_conn_flush(c);
}

void sg_conn_finish(sg_conn *c)
{
    bool close = c->x->close;
    sg_exchange_put(c->net, c->x);
    c->x = NULL;
    if (close) {
        sg_conn_linger(c);
        return;
    }
    c->state = SG_CONN_HEAD;
    c->scan = 0;
    c->head_begun = false;
    sg_conn_due(c, c->net->config.idle_timeout_ms);
}

/* ---- output ---- */

static void update_interest(sg_conn *c)
{
    bool read = !c->eof && c->in.n < SG_HTTP_MAX_HEAD;
    bool write = c->out.bytes != 0;
    if (read == c->wants_read && write == c->wants_write) return;
    c->wants_read = read;
    c->wants_write = write;
    c->net->io->want(c, read, write);
}

/* One writev; true if all of it went, so that more may be tried. */
static bool write_some(sg_conn *c, bool *progress)
{
    struct iovec v[RUNS];
    int n = sg_outq_runs(&c->out, v, RUNS);
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += v[i].iov_len;
    ssize_t sent = c->net->io->write(c, v, n);
    if (sent < 0) {
        sg_conn_close(c, SG_OK);
        return false;
    }
    if (sent == 0) return false;
    *progress = true;
    sg_outq_advance(&c->out, (size_t)sent);
    sg_stat_add(&c->net->stats.bytes_out, (uint64_t)sent);
    return (size_t)sent == total;
}

static void flushed(sg_conn *c)
{
    if (c->state == SG_CONN_STREAM) sg_sse_flushed(c);
    if (c->state == SG_CONN_WS) sg_wsock_flushed(c);
    if (c->state != SG_CONN_LINGER || c->out.bytes != 0 || c->is_shut) return;
    c->is_shut = true;
    c->net->io->shut(c);
    sg_conn_due(c, SG_LINGER_MS);
    if (c->eof) sg_conn_close(c, SG_OK);
}

void sg_conn_flush(sg_conn *c)
{
    if (c->state == SG_CONN_CLOSED) return;
    if (c->out.err != SG_OK) {
        sg_conn_close(c, c->out.err);
        return;
    }
    bool progress = false;
    while (c->out.bytes != 0 && write_some(c, &progress)) {
    }
    if (c->state == SG_CONN_CLOSED) return;
    set_write_due(c, progress);
    flushed(c);
    if (c->state != SG_CONN_CLOSED) update_interest(c);
}

/* ---- input ---- */

/* True while answers may pile up behind a client that does not take them. */
static bool out_full(sg_conn *c)
{
    if (c->out.bytes <= SG_OUT_FULL) return false;
    sg_conn_flush(c);
    return c->out.bytes > SG_OUT_FULL;
}

/* Pipelined requests, one at a time and in order; returns the bytes used. */
static size_t take_requests(sg_conn *c, sg_slice s)
{
    size_t at = 0;
    c->is_blocked = false;
    while (at < s.n) {
        c->is_blocked = out_full(c);
        if (c->is_blocked) break;
        sg_slice rest = sg_slice_of(s.p + at, s.n - at);
        size_t used = 0;
        if (c->state == SG_CONN_HEAD)
            used = sg_request_head(c, rest);
        else if (c->state == SG_CONN_BODY)
            used = sg_request_body(c, rest);
        if (used == 0) break;
        at += used;
    }
    /* The bytes go, the head stays. */
    bool holds_head = c->state == SG_CONN_BODY || c->state == SG_CONN_DECODE;
    if (holds_head && !sg_exchange_keep(c->x)) sg_conn_close(c, SG_NOMEM);
    return at;
}

/* Keep what was not used, if it is of use. */
static void keep_rest(sg_conn *c, sg_slice rest)
{
    if (c->state == SG_CONN_WS) {
        sg_wsock_feed(c, rest);
        rest.n = 0;
    }
    bool wanted = c->state < SG_CONN_STREAM && rest.n != 0;
    if (!wanted) {
        if (c->state != SG_CONN_CLOSED) sg_buf_deinit(&c->in);
        return;
    }
    if (c->in.n != 0) {
        memmove(c->in.p, rest.p, rest.n);
        sg_buf_truncate(&c->in, rest.n);
    } else {
        sg_buf_slice(&c->in, rest);
    }
    if (c->in.err != SG_OK) sg_conn_close(c, c->in.err);
}

/* The client will send no more, and what it sent is answered, and the answers are out. */
static void check_eof(sg_conn *c)
{
    if (c->eof && c->state <= SG_CONN_BODY && !c->is_blocked && c->out.bytes == 0)
        sg_conn_close(c, SG_OK);
}

/* True if requests waited for room in the output, and there is some. */
static bool can_go_on(const sg_conn *c)
{
    return c->is_blocked && c->state <= SG_CONN_BODY && c->out.bytes <= SG_OUT_FULL;
}

static void take(sg_conn *c, sg_slice bytes)
{
    do {
        size_t used = take_requests(c, bytes);
        if (c->state == SG_CONN_CLOSED) return;
        keep_rest(c, sg_slice_of(bytes.p + used, bytes.n - used));
        sg_conn_flush(c);
        bytes = sg_buf_view(&c->in);
    } while (can_go_on(c)); /* the client may have read meanwhile: nothing else would wake us */
}

void sg_conn_resume(sg_conn *c)
{
    if (c->in.n != 0 && c->state <= SG_CONN_BODY)
        take(c, sg_buf_view(&c->in));
    else
        sg_conn_flush(c);
    check_eof(c);
}

static void discard(sg_conn *c, size_t n)
{
    c->discarded += n;
    if (c->discarded > SG_LINGER_BYTES) sg_conn_close(c, SG_OK);
}

void sg_conn_feed(sg_conn *c, sg_slice bytes)
{
    sg_stat_add(&c->net->stats.bytes_in, bytes.n);
    if (c->state == SG_CONN_WS) {
        sg_wsock_feed(c, bytes);
        sg_conn_flush(c);
    } else if (c->state == SG_CONN_LINGER) {
        discard(c, bytes.n);
    } else if (c->state < SG_CONN_STREAM && c->in.n == 0) {
        take(c, bytes);
    } else if (c->state < SG_CONN_STREAM) {
        sg_buf_slice(&c->in, bytes);
        if (c->in.err != SG_OK)
            sg_conn_close(c, c->in.err);
        else
            take(c, sg_buf_view(&c->in));
    }
}

void sg_conn_eof(sg_conn *c)
{
    c->eof = true;
    bool over = c->state == SG_CONN_STREAM || c->state == SG_CONN_WS || c->is_shut;
    if (over)
        sg_conn_close(c, SG_OK);
    else
        check_eof(c); /* a client may close its side and still wait for its answer */
    if (c->state != SG_CONN_CLOSED) update_interest(c);
}

void sg_conn_writable(sg_conn *c)
{
    sg_conn_flush(c);
    if (can_go_on(c))
        sg_conn_resume(c);
    else
        check_eof(c);
}

/* ---- time and stop ---- */

static void give_up(sg_conn *c, int err, int status, const char *detail)
{
    c->x->close = true;
    sg_reply_error(c, err, status, detail, SG_LIT(""));
    sg_conn_finish(c);
    sg_conn_flush(c);
}

static void expire_head(sg_conn *c)
{
    if (c->head_begun) c->x = sg_exchange_get(c->net);
    if (c->x == NULL)
        sg_conn_close(c, SG_TIMEOUT);
    else
        give_up(c, SG_TIMEOUT, 408, "the request's head did not arrive in time");
}

void sg_conn_expire(sg_conn *c)
{
    uint64_t now = c->net->now_ms;
    if (now >= c->write_due_ms) {
        sg_conn_close(c, SG_LIMIT);
        return;
    }
    if (now < c->due_ms) return;
    switch (c->state) {
    case SG_CONN_HEAD:
        expire_head(c);
        break;
    case SG_CONN_BODY:
        give_up(c, SG_TIMEOUT, 408, "the request's body did not arrive in time");
        break;
    case SG_CONN_WAIT:
        give_up(c, SG_TIMEOUT, 503, "no answer was ready in time");
        break;
    case SG_CONN_STREAM:
        sg_sse_expire(c);
        break;
    case SG_CONN_WS:
        sg_wsock_expire(c);
        break;
    default:
        sg_conn_close(c, SG_OK);
        break;
    }
}

void sg_conn_stop(sg_conn *c)
{
    if (c->state == SG_CONN_STREAM) {
        sg_sse_finish(c, SG_SHUTDOWN, c->net->shutdown);
    } else if (c->state == SG_CONN_WS) {
        sg_wsock_finish(c, 1001);
    } else if (c->state == SG_CONN_HEAD && !c->head_begun) {
        if (c->out.bytes == 0) {
            sg_conn_close(c, SG_SHUTDOWN);
            return;
        }
        sg_conn_linger(c);
    }
    sg_conn_flush(c);
}
