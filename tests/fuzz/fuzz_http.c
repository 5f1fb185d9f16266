/*
 * Any bytes as what a client sends: requests, chunks, compressed bodies, handshakes, frames.
 *
 * Checked: the same bytes in one piece, in small pieces and to a client that takes answers slowly
 * give the same answers and the same calls of handlers; every answer begins as one; requests that
 * reach a handler keep their bounds; everything is closed and freed in the end.
 */
#include "../lib/http_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static http_feed feeds[3];

static void note(const sg_http *http, const sg_http_req *req)
{
    http_feed *f = feed_of(http->impl);
    feed_require(req->header_count <= SG_HTTP_MAX_HEADERS, "not too many headers");
    feed_require(req->path.n != 0 && req->path.p[0] == '/', "a path begins with a slash");
    feed_require(req->path.n + req->query.n <= SG_HTTP_MAX_URL, "the target is bounded");
    feed_require(req->body.n <= f->net.config.max_body, "the body is bounded");
    sg_buf_str(&f->heard, sg_http_method_name(req->method));
    sg_buf_lenslice(&f->heard, req->path);
    sg_buf_lenslice(&f->heard, req->query);
    sg_buf_lenslice(&f->heard, req->body);
    for (size_t i = 0; i < req->param_count; i++)
        sg_buf_lenslice(&f->heard, req->params[i]);
    for (size_t i = 0; i < req->header_count; i++) {
        sg_buf_lenslice(&f->heard, req->headers[i].name);
        sg_buf_lenslice(&f->heard, req->headers[i].value);
    }
}

static void on_echo(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    note(http, req);
    sg_answer answer = {.status = 200};
    answer.body = sg_http_take_body(http, req, &answer.body_len);
    sg_http_answer(http, req->id, &answer);
}

static void on_query(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_buf scratch;
    sg_slice value;
    note(http, req);
    sg_buf_init(&scratch, 65536);
    if (!sg_http_query_get(req, "q", &scratch, &value)) value = SG_LIT("");
    sg_http_answer_error(http, req->id, SG_BADREQUEST, value);
    sg_buf_deinit(&scratch);
}

static void on_stream(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    note(http, req);
    int err = sg_http_open_stream(http, req->id, &(sg_stream_spec){0});
    if (err != SG_OK) sg_http_answer_error(http, req->id, err, SG_LIT(""));
}

static int on_open(void *ctx, const sg_http *http, const sg_http_req *req, void **user)
{
    (void)ctx;
    *user = NULL;
    note(http, req);
    feed_of(http->impl)->has_ws = true;
    return SG_OK;
}

static void on_text(void *user, const sg_http *http, uint64_t id, sg_slice text)
{
    (void)user;
    (void)id;
    feed_require(text.n <= SG_WS_MAX_MESSAGE, "a message is bounded");
    sg_buf_lenslice(&feed_of(http->impl)->heard, text);
}

static void on_closed(void *user, const sg_http *http, uint64_t id, int code)
{
    (void)user;
    (void)id;
    (void)http;
    feed_require(code >= 0 && code <= 65535, "a close code is one");
}

static const sg_ws_handler ws = {on_open, on_text, on_closed};
static const sg_http_route routes[] = {
    {SG_HTTP_POST, "/echo", on_echo, NULL, NULL, 0},
    {SG_HTTP_GET, "/query/{a}/{rest*}", on_query, NULL, NULL, 0},
    {SG_HTTP_GET, "/stream", on_stream, NULL, NULL, 0},
    {SG_HTTP_GET, "/ws", NULL, &ws, NULL, 0},
};

/* What it did is in f->out and f->heard until feed_deinit. */
static bool play(http_feed *f, sg_slice bytes, uint32_t piece, bool slow)
{
    if (!feed_init(f, routes, sizeof routes / sizeof *routes, (uint32_t)bytes.n)) return false;
    f->slow = slow;
    feed_all(f, bytes, piece);
    f->slow = false;
    /* A paused connection goes on when its client takes something. */
    if (!f->is_closed) sg_conn_writable(&f->conn);
    sg_net_drain(&f->net);
    feed_mask_dates(&f->out);
    return true;
}

static void same(const http_feed *a, const http_feed *b)
{
    feed_require(sg_slice_eq(sg_buf_view(&a->heard), sg_buf_view(&b->heard)),
                 "handlers hear the same however the bytes are cut");
    /* After a close frame wslay drops the pongs that it has not sent yet. */
    if (a->has_ws) return;
    feed_require(sg_slice_eq(sg_buf_view(&a->out), sg_buf_view(&b->out)),
                 "answers are the same however the bytes are cut");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice bytes = sg_slice_of((const char *)data, size);
    bool ok = play(&feeds[0], bytes, UINT32_MAX, false) && play(&feeds[1], bytes, 9, false) &&
              play(&feeds[2], bytes, 100, true);
    feed_require(ok, "there is memory");
    const sg_buf *out = &feeds[0].out;
    feed_require(out->n == 0 || (out->n > 9 && memcmp(out->p, "HTTP/1.1 ", 9) == 0),
                 "an answer begins as one");
    same(&feeds[0], &feeds[1]);
    /* The slow client was not read from while it took nothing, so it may have said less. */
    feed_require(feeds[2].out.n != 0 || feeds[0].out.n == 0 || size > 4096,
                 "a slow client is answered");
    for (int i = 0; i < 3; i++)
        feed_deinit(&feeds[i]);
    return 0;
}
