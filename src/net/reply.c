#include <http_parser.h>

#include "net/net.h"

#define HEAD_MAX 4096u  /* bytes of a response head */
#define COPY_MAX 16384u /* bytes of a body that is copied behind its head rather than queued */
#define ALLOWED_HEADERS                                                                            \
    "Authorization, Content-Type, Content-Encoding, X-Client-Id, X-Request-Id, Last-Event-ID"
#define EXPOSED_HEADERS "X-Request-Id, Retry-After, ETag, Date"
#define PREFLIGHT_SECONDS "7200"

static const char *status_text(int status)
{
    switch (status) {
#define TEXT(code, name, text)                                                                     \
    case code:                                                                                     \
        return #text;
        HTTP_STATUS_MAP(TEXT)
#undef TEXT
    default:
        return "Status";
    }
}

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* ---- CORS ---- */

bool sg_reply_cors(const sg_net *net, sg_slice origin, int *cors)
{
    *cors = 0;
    if (origin.p == NULL) return true;
    if (net->config.origins == NULL) {
        *cors = -1;
        return true;
    }
    for (size_t i = 0; i < net->config.origin_count; i++) {
        if (!sg_slice_eq(origin, sg_slice_str(net->config.origins[i]))) continue;
        *cors = (int)i + 1;
        return true;
    }
    return false;
}

static void put_cors(sg_buf *out, const sg_net *net, int cors)
{
    if (net->config.origins != NULL) sg_buf_str(out, "Vary: Origin\r\n");
    if (cors == 0) return;
    sg_buf_str(out, "Access-Control-Allow-Origin: ");
    sg_buf_str(out, cors < 0 ? "*" : net->config.origins[cors - 1]);
    sg_buf_str(out, "\r\nAccess-Control-Expose-Headers: " EXPOSED_HEADERS "\r\n");
}

void sg_reply_allow(sg_buf *out, const char *name, unsigned methods)
{
    const char *separator = ": ";
    sg_buf_str(out, name);
    for (unsigned m = 0; m < SG_HTTP_METHOD_COUNT; m++) {
        if ((methods >> m & 1) == 0) continue;
        sg_buf_str(out, separator);
        sg_buf_str(out, sg_http_method_name((enum sg_http_method)m));
        separator = ", ";
    }
    sg_buf_str(out, "\r\n");
}

void sg_reply_options(sg_conn *c, unsigned methods)
{
    sg_buf fields;
    sg_buf_init(&fields, SG_HTTP_MAX_EXTRA);
    methods |= 1u << SG_HTTP_OPTIONS;
    sg_reply_allow(&fields, "Allow", methods);
    if (c->x->head.cors_method.p != NULL && c->x->cors != 0) {
        sg_reply_allow(&fields, "Access-Control-Allow-Methods", methods);
        sg_buf_str(&fields, "Access-Control-Allow-Headers: " ALLOWED_HEADERS
                            "\r\nAccess-Control-Max-Age: " PREFLIGHT_SECONDS "\r\n");
    }
    sg_reply reply = {.status = 204, .extra = sg_buf_view(&fields)};
    sg_reply_send(c, &reply);
    sg_buf_deinit(&fields);
}

/* ---- head ---- */

static void put_head(sg_buf *out, sg_conn *c, int status, sg_slice fields)
{
    const sg_exchange *x = c->x;
    sg_buf_str(out, "HTTP/1.1 ");
    sg_buf_int(out, status);
    sg_buf_byte(out, ' ');
    sg_buf_str(out, status_text(status));
    sg_buf_str(out, "\r\n");
    sg_buf_str(out, sg_net_date(c->net));
    sg_buf_slice(out, fields);
    put_cors(out, c->net, x->cors);
    if (status != 101) {
        sg_buf_str(out, "X-Content-Type-Options: nosniff\r\n");
        if (x->close) sg_buf_str(out, "Connection: close\r\n");
        if (!x->close && x->head.http_1_0) sg_buf_str(out, "Connection: keep-alive\r\n");
    }
    if (x->request_id_len != 0) {
        sg_buf_str(out, "X-Request-Id: ");
        sg_buf_put(out, x->request_id, x->request_id_len);
        sg_buf_str(out, "\r\n");
    }
    sg_buf_str(out, "\r\n");
}

static void report(sg_conn *c, int status)
{
    const sg_exchange *x = c->x;
    const sg_http_config *config = &c->net->config;
    sg_stat_add(&c->net->stats.requests, 1);
    if (config->done == NULL) return;
    uint64_t since = x->started_ns != 0 ? uv_hrtime() - x->started_ns : 0;
    sg_http_done done = {
        .method = x->head.method,
        .pattern = x->match.route != NULL ? x->match.route->pattern : NULL,
        .status = status,
        .micros = since / 1000,
        .request_id = sg_slice_of(x->request_id, x->request_id_len),
        .peer = sg_slice_str(x->peer[0] != '\0' ? x->peer : c->peer),
    };
    config->done(config->ctx, &done);
}

void sg_reply_head(sg_conn *c, int status, sg_slice fields)
{
    char room[HEAD_MAX];
    sg_buf head = {.p = room, .cap = sizeof room, .max = sizeof room}; /* never grows */
    put_head(&head, c, status, fields);
    if (head.err != SG_OK)
        c->out.err = head.err;
    else
        sg_outq_copy(&c->out, sg_buf_view(&head));
    c->x->answered = true;
    report(c, status);
}

/* ---- whole responses ---- */

static void put_body(sg_conn *c, sg_reply *reply)
{
    if (reply->body_len <= COPY_MAX) {
        sg_outq_copy(&c->out, sg_slice_of(reply->body, reply->body_len));
        return;
    }
    if (reply->body_static)
        sg_outq_static(&c->out, sg_slice_of(reply->body, reply->body_len));
    else
        sg_outq_heap(&c->out, reply->body, reply->body_len);
    if (!reply->body_static) reply->body = NULL;
}

void sg_reply_send(sg_conn *c, sg_reply *reply)
{
    char room[SG_HTTP_MAX_EXTRA + 64];
    sg_buf fields = {.p = room, .cap = sizeof room, .max = sizeof room}; /* never grows */
    if (c->net->stopping) c->x->close = true;
    if (has_body(reply->status)) {
        sg_buf_str(&fields, "Content-Length: ");
        sg_buf_int(&fields, (int64_t)reply->body_len);
        sg_buf_str(&fields, "\r\n");
    }
    sg_buf_slice(&fields, reply->extra);
    sg_reply_head(c, reply->status, sg_buf_view(&fields));
    if (has_body(reply->status) && c->x->head.method != SG_HTTP_HEAD) put_body(c, reply);
    sg_reply_free(reply);
}

void sg_reply_error(sg_conn *c, int err, int status, const char *detail, sg_slice extra)
{
    char body_room[512];
    char room[512];
    sg_buf body = {.p = body_room, .cap = sizeof body_room, .max = sizeof body_room};
    sg_buf fields = {.p = room, .cap = sizeof room, .max = sizeof room};
    sg_http_error_body(&body, err, sg_slice_str(detail));
    sg_buf_str(&fields, "Content-Type: application/json\r\n");
    if (status == 429 || status == 503) sg_buf_str(&fields, "Retry-After: 1\r\n");
    sg_buf_slice(&fields, extra);
    sg_reply reply = {.status = status,
                      .extra = sg_buf_view(&fields),
                      .body = body.p,
                      .body_len = body.n,
                      .body_static = true}; /* copied: it is short */
    sg_stat_add(&c->net->stats.rejected, 1);
    sg_reply_send(c, &reply);
}
