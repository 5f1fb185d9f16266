#include <openssl/evp.h>
#include <strings.h>
#include <wslay/wslay.h>

#include "base/mem.h"
#include "net/net.h"

#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, section 1.3 */
#define WS_KEY_LEN 24u                                 /* base64 of 16 bytes */
#define WS_ACCEPT_SIZE 32u                             /* base64 of a SHA-1, and a NUL */

typedef struct sg_wsock {
    wslay_event_context_ptr ctx;
    const sg_ws_handler *handler;
    void *user;
    uint64_t id;
    sg_slice in;          /* fed, not yet taken by wslay */
    uint64_t deadline_ms; /* the handler's; UINT64_MAX: none */
    uint64_t ping_ms;     /* when to ask whether the client is there, or to give it up */
    bool is_asked;        /* a ping is out and nothing has come since */
    bool is_closing;      /* our close frame is out: the client has SG_WS_CLOSE_MS */
    bool is_broken;       /* frames can't be told apart any more: 1002 is out, nothing is read */
} sg_wsock;

/* ---- wslay's callbacks ---- */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len, int flags, void *user)
{
    (void)flags;
    sg_slice *in = &((sg_conn *)user)->ws->in;
    if (in->n == 0) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t n = in->n < len ? in->n : len;
    memcpy(buf, in->p, n);
    *in = sg_slice_of(in->p + n, in->n - n);
    return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t len, int flags,
                       void *user)
{
    (void)ctx;
    (void)flags;
    sg_conn *c = user;
    sg_outq_copy(&c->out, sg_slice_of((const char *)data, len));
    return (ssize_t)len; /* a failed copy is latched there and closes at the flush */
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m,
                       void *user)
{
    sg_conn *c = user;
    sg_wsock *w = c->ws;
    if (m->opcode == WSLAY_TEXT_FRAME)
        w->handler->text(w->user, &c->net->http, w->id,
                         sg_slice_of((const char *)m->msg, m->msg_length));
    else if (m->opcode == WSLAY_BINARY_FRAME)
        wslay_event_queue_close(ctx, WSLAY_CODE_UNSUPPORTED_DATA, NULL, 0);
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_recv,
    .send_callback = on_send,
    .on_msg_recv_callback = on_message,
};

/* ---- handshake ---- */

static bool is_base64(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '+' ||
           c == '/';
}

static bool is_key(sg_slice key)
{
    if (key.n != WS_KEY_LEN || memcmp(key.p + WS_KEY_LEN - 2, "==", 2) != 0) return false;
    for (size_t i = 0; i < WS_KEY_LEN - 2; i++) {
        if (!is_base64(key.p[i])) return false;
    }
    return true;
}

static bool accept_key(sg_slice key, char *out)
{
    unsigned char text[WS_KEY_LEN + sizeof WS_GUID];
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t n = 0;
    memcpy(text, key.p, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, WS_GUID, sizeof WS_GUID);
    if (EVP_Q_digest(NULL, "SHA1", NULL, text, sizeof text - 1, hash, &n) != 1) return false;
    return EVP_EncodeBlock((unsigned char *)out, hash, (int)n) > 0;
}

static void refuse(sg_conn *c, int err, int status, const char *detail, sg_slice fields)
{
    sg_reply_error(c, err, status, detail, fields);
    sg_conn_finish(c);
}

/* True if this is a handshake that we can answer; else it has been refused. */
static bool check_handshake(sg_conn *c, sg_slice *key)
{
    const sg_exchange *x = c->x;
    sg_slice version = sg_http_header_get(&x->req, "sec-websocket-version");
    *key = sg_http_header_get(&x->req, "sec-websocket-key");
    if (x->head.method != SG_HTTP_GET || !x->head.is_upgrade) {
        refuse(c, SG_BADREQUEST, 426, "this path speaks WebSocket",
               SG_LIT("Upgrade: websocket\r\n"));
        return false;
    }
    if (!sg_slice_eq(version, SG_LIT("13"))) {
        refuse(c, SG_BADREQUEST, 426, "WebSocket version 13 is spoken here",
               SG_LIT("Sec-WebSocket-Version: 13\r\n"));
        return false;
    }
    if (!is_key(*key) || x->view.n != 0) {
        refuse(c, SG_BADREQUEST, 400, "the WebSocket handshake is malformed", SG_LIT(""));
        return false;
    }
    return true;
}

static sg_wsock *new_ws(sg_conn *c)
{
    sg_wsock *w = sg_zalloc(sizeof *w);
    if (w == NULL) return NULL;
    if (wslay_event_context_server_init(&w->ctx, &callbacks, c) != 0) {
        sg_free(w);
        return NULL;
    }
    wslay_event_config_set_max_recv_msg_length(w->ctx, SG_WS_MAX_MESSAGE);
    w->handler = c->x->match.route->ws;
    w->id = c->x->req.id;
    w->deadline_ms = UINT64_MAX;
    return w;
}

static void drop_ws(sg_wsock *w)
{
    if (w != NULL) wslay_event_context_free(w->ctx);
    sg_free(w);
}

static void update_due(sg_conn *c)
{
    const sg_wsock *w = c->ws;
    uint64_t due = w->is_closing || w->ping_ms < w->deadline_ms ? w->ping_ms : w->deadline_ms;
    sg_conn_due(c, due > c->net->now_ms ? due - c->net->now_ms : 0);
}

static void start(sg_conn *c, sg_wsock *w, const char *accept)
{
    char room[128];
    sg_buf fields = {.p = room, .cap = sizeof room, .max = sizeof room};
    sg_buf_str(&fields, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
    sg_buf_str(&fields, accept);
    sg_buf_str(&fields, "\r\n");
    sg_reply_head(c, 101, sg_buf_view(&fields));
    sg_conn_finish(c);
    sg_stat_add(&c->net->stats.websockets, 1);
    c->ws = w;
    c->state = SG_CONN_WS;
    w->ping_ms = c->net->now_ms + c->net->config.heartbeat_ms;
    update_due(c);
}

void sg_wsock_open(sg_conn *c)
{
    sg_slice key;
    char accept[WS_ACCEPT_SIZE];
    const sg_http_route *route = c->x->match.route;
    if (!check_handshake(c, &key)) return;
    sg_wsock *w = new_ws(c);
    int err = w != NULL && accept_key(key, accept) ? SG_OK : SG_NOMEM;
    if (err == SG_OK && c->net->stopping) err = SG_SHUTDOWN;
    if (err == SG_OK) err = route->ws->open(route->ctx, &c->net->http, &c->x->req, &w->user);
    if (err == SG_OK) {
        c->x->close = false; /* so that finishing the request keeps the connection */
        start(c, w, accept);
        return;
    }
    drop_ws(w);
    refuse(c, err, sg_err_http(err), "the WebSocket was refused", SG_LIT(""));
}

/* ---- life ---- */

/* What wslay wants to send, into the connection's queue; and see whether the end has come. */
static void pump(sg_conn *c)
{
    sg_wsock *w = c->ws;
    if (w->is_broken) return;
    if (wslay_event_send(w->ctx) != 0) c->out.err = SG_NOMEM;
    if (!wslay_event_get_close_sent(w->ctx) || w->is_closing) return;
    w->is_closing = true;
    w->ping_ms = c->net->now_ms + SG_WS_CLOSE_MS;
    update_due(c);
}

/* Bytes that are no frames. wslay would close without a code; this says which rule was broken. */
static void break_off(sg_conn *c)
{
    static const char close_1002[] = {'\x88', 2, '\x03', '\xea'};
    c->ws->is_broken = true;
    sg_outq_copy(&c->out, sg_slice_of(close_1002, sizeof close_1002));
}

void sg_wsock_feed(sg_conn *c, sg_slice bytes)
{
    sg_wsock *w = c->ws;
    if (bytes.n == 0 || w->is_broken) return;
    w->is_asked = false;
    w->in = bytes;
    int rc = wslay_event_recv(w->ctx);
    w->in = (sg_slice){NULL, 0}; /* what is left was sent after the close frame */
    if (rc == WSLAY_ERR_NOMEM)
        c->out.err = SG_NOMEM;
    else if (rc != 0)
        break_off(c);
    else
        pump(c);
}

void sg_wsock_send(sg_conn *c, const sg_block *text)
{
    struct wslay_event_msg m = {
        .opcode = WSLAY_TEXT_FRAME, .msg = (const uint8_t *)text->bytes, .msg_length = text->n};
    /* A message after our close frame is refused by wslay, and rightly not sent. */
    if (wslay_event_queue_msg(c->ws->ctx, &m) == WSLAY_ERR_NOMEM) c->out.err = SG_NOMEM;
    pump(c);
    sg_net_dirty(c->net, c);
}

void sg_wsock_finish(sg_conn *c, int code)
{
    wslay_event_queue_close(c->ws->ctx, (uint16_t)code, NULL, 0);
    pump(c);
    sg_net_dirty(c->net, c);
}

void sg_wsock_deadline(sg_conn *c, uint32_t ms)
{
    c->ws->deadline_ms = ms != 0 ? c->net->now_ms + ms : UINT64_MAX;
    update_due(c);
}

void sg_wsock_expire(sg_conn *c)
{
    sg_wsock *w = c->ws;
    uint64_t now = c->net->now_ms;
    if (w->is_closing || (now >= w->ping_ms && w->is_asked)) {
        sg_conn_close(c, SG_TIMEOUT);
        return;
    }
    if (now >= w->deadline_ms) {
        w->deadline_ms = UINT64_MAX;
        sg_wsock_finish(c, WSLAY_CODE_POLICY_VIOLATION);
    } else {
        struct wslay_event_msg ping = {.opcode = WSLAY_PING};
        wslay_event_queue_msg(w->ctx, &ping);
        w->is_asked = true;
        w->ping_ms = now + c->net->config.heartbeat_ms;
        pump(c);
    }
    if (c->state == SG_CONN_WS) update_due(c);
    sg_conn_flush(c);
}

void sg_wsock_flushed(sg_conn *c)
{
    const sg_wsock *w = c->ws;
    bool over = w->is_broken || (!wslay_event_want_read(w->ctx) && !wslay_event_want_write(w->ctx));
    if (c->out.bytes > c->net->config.ws_backlog) {
        sg_conn_close(c, SG_LIMIT);
    } else if (over && c->out.bytes == 0) {
        sg_wsock_free(c);
        sg_conn_linger(c);
    }
}

static int close_code(const sg_wsock *w)
{
    wslay_event_context_ptr ctx = w->ctx;
    if (w->is_broken) return WSLAY_CODE_PROTOCOL_ERROR;
    if (wslay_event_get_close_received(ctx)) return wslay_event_get_status_code_received(ctx);
    if (wslay_event_get_close_sent(ctx)) return wslay_event_get_status_code_sent(ctx);
    return WSLAY_CODE_ABNORMAL_CLOSURE;
}

void sg_wsock_free(sg_conn *c)
{
    sg_wsock *w = c->ws;
    c->ws = NULL;
    sg_stat_take(&c->net->stats.websockets);
    w->handler->closed(w->user, &c->net->http, w->id, close_code(w));
    drop_ws(w);
}
