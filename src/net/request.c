#include <arpa/inet.h>

#include "net/net.h"

static sg_slice nothing(void)
{
    return (sg_slice){NULL, 0};
}

/* Refuse the request in hand. One whose body is still to come takes the connection with it. */
static void refuse(sg_conn *c, int err, int status, const char *detail, sg_slice fields)
{
    sg_exchange *x = c->x;
    if (x->head.chunked || x->head.content_length != 0) x->close = true;
    sg_reply_error(c, err, status, detail, fields);
    sg_conn_finish(c);
}

void sg_request_refuse(sg_conn *c, int err, int status, const char *detail)
{
    c->x->close = true;
    refuse(c, err, status, detail, nothing());
}

/* ---- who asks ---- */

static void set_request_id(sg_conn *c)
{
    sg_exchange *x = c->x;
    sg_slice given = x->head.request_id;
    bool ok = given.n != 0 && given.n <= SG_REQUEST_ID_MAX;
    for (size_t i = 0; ok && i < given.n; i++)
        ok = given.p[i] > 0x20 && given.p[i] < 0x7f;
    if (ok) {
        memcpy(x->request_id, given.p, given.n);
        x->request_id_len = (uint32_t)given.n;
        return;
    }
    uint64_t v = (x->req.id ^ c->net->seed) * 0x9e3779b97f4a7c15u;
    v ^= v >> 29;
    for (unsigned i = 0; i < 16; i++)
        x->request_id[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    x->request_id_len = 16;
}

/* Behind a proxy, the address that it has seen: the last one in the list. */
static void set_peer(sg_conn *c)
{
    sg_exchange *x = c->x;
    sg_slice list = x->head.forwarded;
    memcpy(x->peer, c->peer, sizeof x->peer);
    if (!c->net->config.trust_forwarded || list.n == 0) return;
    const char *comma = memrchr(list.p, ',', list.n);
    const char *p = comma != NULL ? comma + 1 : list.p;
    const char *end = list.p + list.n;
    while (p < end && *p == ' ')
        p++;
    char text[SG_PEER_MAX] = {0};
    size_t n = (size_t)(end - p);
    if (n == 0 || n >= sizeof text) return;
    memcpy(text, p, n);
    unsigned char address[16];
    bool ok = inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
    if (ok) memcpy(x->peer, text, sizeof text);
}

/* One peer is an IPv4 address or an IPv6 /64, which is what one customer gets. */
static bool within_rate(sg_conn *c)
{
    if (c->net->rate == NULL) return true;
    unsigned char address[16];
    size_t n = inet_pton(AF_INET6, c->x->peer, address) == 1  ? 8
               : inet_pton(AF_INET, c->x->peer, address) == 1 ? 4
                                                              : 0;
    uint64_t key = sg_rate_key(sg_slice_of((const char *)address, n));
    return sg_rate_take(c->net->rate, key, c->net->now_ms);
}

/* ---- calling the handler ---- */

static void fill_request(sg_conn *c)
{
    sg_exchange *x = c->x;
    const sg_head *h = &x->head;
    x->req.method = h->method;
    x->req.path = h->path;
    x->req.query = h->query;
    x->req.headers = h->headers;
    x->req.header_count = h->header_count;
    x->req.body = x->view;
    x->req.peer = sg_slice_str(x->peer);
    x->req.request_id = sg_slice_of(x->request_id, x->request_id_len);
    x->req.pattern = x->match.route->pattern;
    memcpy(x->req.params, x->match.params, sizeof x->req.params);
    x->req.param_count = x->match.param_count;
}

static void call_handler(sg_conn *c)
{
    sg_net *net = c->net;
    sg_exchange *x = c->x;
    const sg_http_route *route = x->match.route;
    sg_stat_add(&net->stats.in_flight, 1);
    fill_request(c);
    net->current = c;
    route->handle(route->ctx, &net->http, &x->req);
    net->current = NULL;
    if (x->answered) {
        sg_conn_finish(c);
        return;
    }
    c->state = SG_CONN_WAIT;
    /* All the request pointed to may go now. */
    sg_buf_deinit(&x->keep);
    sg_buf_deinit(&x->body);
    sg_conn_due(c, net->config.answer_timeout_ms);
}

void sg_request_dispatch(sg_conn *c)
{
    sg_exchange *x = c->x;
    if (x->match.route->ws != NULL) {
        fill_request(c);
        sg_wsock_open(c);
        return;
    }
    uint64_t busy = sg_stat_get(&c->net->stats.in_flight);
    if (busy < c->net->config.max_in_flight) {
        call_handler(c);
        return;
    }
    sg_reply_error(c, SG_BUSY, 503, "too many requests are being worked on", nothing());
    sg_conn_finish(c);
}

/* ---- head ---- */

static void no_route(sg_conn *c)
{
    char room[256];
    sg_buf allow = {.p = room, .cap = sizeof room, .max = sizeof room};
    unsigned methods = c->x->match.methods;
    if (methods == 0) {
        refuse(c, SG_NOTFOUND, 404, "no such path", nothing());
        return;
    }
    sg_reply_allow(&allow, "Allow", methods | 1u << SG_HTTP_OPTIONS);
    refuse(c, SG_METHOD, 405, "see the Allow header", sg_buf_view(&allow));
}

/* A preflight, or a question what may be asked. "*" asks about the server as a whole. */
static void answer_options(sg_conn *c)
{
    unsigned methods = c->x->match.methods;
    if (c->x->head.path.p[0] == '*') methods = (1u << SG_HTTP_METHOD_COUNT) - 1;
    if (methods == 0) {
        no_route(c);
        return;
    }
    if (c->x->head.chunked || c->x->head.content_length != 0) c->x->close = true;
    sg_reply_options(c, methods);
    sg_conn_finish(c);
}

/* The head is understood: decide what becomes of the request. */
static void accept_head(sg_conn *c)
{
    sg_exchange *x = c->x;
    bool is_allowed = sg_reply_cors(c->net, x->head.origin, &x->cors);
    sg_router_find(&c->net->router, x->head.method, x->head.path, &x->match);
    set_peer(c);
    if (!within_rate(c))
        refuse(c, SG_RATE, 429, "too many requests from this address", nothing());
    else if (x->head.method == SG_HTTP_OPTIONS)
        answer_options(c);
    else if (x->match.route == NULL)
        no_route(c);
    else if (!is_allowed && x->match.route->ws != NULL)
        refuse(c, SG_FORBIDDEN, 403, "this origin may not connect", nothing());
    else
        sg_request_begin_body(c);
}

/* The first bytes of a request: from now on it has to come in time. */
static void begin_head(sg_conn *c)
{
    if (c->head_begun) return;
    c->head_begun = true;
    sg_conn_due(c, c->net->config.head_timeout_ms);
}

/* A whole head, or one that never will be: make it the connection's request. */
static void take_head(sg_conn *c, sg_slice head, const sg_refusal *why)
{
    sg_exchange *x = c->x;
    x->started_ns = uv_hrtime();
    x->head_bytes = head;
    x->head.why = *why;
    bool ok = why->err == SG_OK && sg_head_parse(&x->head, head);
    x->req.id = sg_slots_renew(&c->net->slots, c->slot, x->head.accept);
    set_request_id(c);
    x->close = !ok || !x->head.keep_alive;
    if (ok)
        accept_head(c);
    else
        sg_request_refuse(c, x->head.why.err, x->head.why.status, x->head.why.detail);
}

size_t sg_request_head(sg_conn *c, sg_slice bytes)
{
    /* Empty lines before a request are read over (RFC 9112, section 2.2). */
    if (c->scan == 0 && bytes.n >= 2 && memcmp(bytes.p, "\r\n", 2) == 0) return 2;
    if (c->scan == 0 && bytes.n == 1 && bytes.p[0] == '\r') return 0;
    sg_refusal why = {0};
    size_t n = sg_head_find(&why, bytes, &c->scan);
    if (n == 0 && why.err == SG_OK) {
        begin_head(c);
        return 0;
    }
    c->scan = 0;
    c->x = sg_exchange_get(c->net);
    if (c->x != NULL)
        take_head(c, sg_slice_of(bytes.p, n), &why);
    else
        sg_conn_refuse(c);
    return n;
}
