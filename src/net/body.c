/* A request's body: with a length or chunked, capped, decompressed. */
#include "net/net.h"

/* The body as it travelled is whole: x->view. */
static void body_complete(sg_conn *c)
{
    sg_exchange *x = c->x;
    if (x->head.coding == SG_CODING_NONE || x->view.n == 0) {
        sg_request_dispatch(c);
        return;
    }
    if (c->net->io->decode == NULL) {
        char *body = NULL;
        size_t n = 0;
        int err = sg_decode(x->head.coding, x->view, x->max_body, &body, &n);
        c->state = SG_CONN_DECODE;
        sg_request_decoded(c, err, body, n);
        return;
    }
    /* Ten megabytes of it would stop all others for tens of milliseconds: not on this thread. */
    if (x->body.n == 0) sg_buf_slice(&x->body, x->view);
    c->state = SG_CONN_DECODE;
    sg_conn_due(c, UINT64_MAX);
    int err = x->body.err != SG_OK ? x->body.err : c->net->io->decode(c);
    if (err != SG_OK)
        sg_request_refuse(c, err, sg_err_http(err), "the body could not be decompressed");
}

void sg_request_decoded(sg_conn *c, int err, char *body, size_t n)
{
    sg_exchange *x = c->x;
    if (err != SG_OK) {
        const char *detail = err == SG_LIMIT ? "the decompressed body is larger than allowed"
                                             : "the body could not be decompressed";
        sg_reply_error(c, err, sg_err_http(err), detail, SG_LIT(""));
        sg_conn_finish(c);
        return;
    }
    sg_buf_deinit(&x->body);
    x->body = (sg_buf){.p = body, .n = n, .cap = n + 1, .max = x->max_body};
    x->view = sg_buf_view(&x->body);
    sg_request_dispatch(c);
}

static void body_too_large(sg_conn *c)
{
    sg_request_refuse(c, SG_LIMIT, 413, "the body is larger than allowed");
}

/* What is asked for a body that can't be kept because memory ran out, or that is too large. */
static void body_failed(sg_conn *c)
{
    if (c->x->body.err == SG_LIMIT)
        body_too_large(c);
    else
        sg_request_refuse(c, SG_NOMEM, 503, "");
}

/* A body that keeps coming may take its time, but no longer than at the slowest pace allowed. */
static void body_progress(sg_conn *c, size_t n)
{
    sg_exchange *x = c->x;
    x->wire_bytes += n;
    uint64_t allowed = c->net->config.body_timeout_ms + x->wire_bytes / SG_BODY_BYTES_PER_MS;
    uint64_t spent = c->net->now_ms - x->body_ms;
    sg_conn_due(c, allowed > spent ? allowed - spent : 0);
}

static size_t read_with_length(sg_conn *c, sg_slice bytes)
{
    sg_exchange *x = c->x;
    size_t n = bytes.n < x->body_left ? bytes.n : (size_t)x->body_left;
    sg_slice part = sg_slice_of(bytes.p, n);
    bool at_once = x->body.n == 0 && n == x->body_left;
    if (!at_once) sg_buf_slice(&x->body, part);
    if (x->body.err != SG_OK) {
        body_failed(c);
        return 0;
    }
    x->body_left -= n;
    if (x->body_left == 0) {
        x->view = at_once ? part : sg_buf_view(&x->body);
        body_complete(c);
    } else {
        body_progress(c, n);
    }
    return n;
}

static size_t read_chunked(sg_conn *c, sg_slice bytes)
{
    sg_exchange *x = c->x;
    sg_slice data;
    size_t n = sg_chunked_read(&x->chunked, bytes, &data);
    sg_buf_slice(&x->body, data);
    body_progress(c, n);
    if (x->chunked.state == SG_CHUNK_BAD) {
        sg_request_refuse(c, SG_BADREQUEST, 400, "the chunked coding is malformed");
    } else if (x->body.err != SG_OK) {
        body_failed(c);
    } else if (x->chunked.state == SG_CHUNK_DONE) {
        x->view = sg_buf_view(&x->body);
        body_complete(c);
    } else if (x->wire_bytes > x->body.n + SG_CHUNK_OVERHEAD) {
        sg_request_refuse(c, SG_LIMIT, 413, "the chunks are too small");
    }
    return n;
}

size_t sg_request_body(sg_conn *c, sg_slice bytes)
{
    return c->x->head.chunked ? read_chunked(c, bytes) : read_with_length(c, bytes);
}

void sg_request_begin_body(sg_conn *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    sg_exchange *x = c->x;
    size_t max = x->match.route->max_body;
    x->max_body = max != 0 ? max : c->net->config.max_body;
    if (x->head.content_length > x->max_body) {
        body_too_large(c);
        return;
    }
    if (x->head.coding == SG_CODING_UNKNOWN) {
        sg_request_refuse(c, SG_UNSUPPORTED, 415, "bodies are taken plain, gzip or zstd");
        return;
    }
    sg_buf_init(&x->body, x->max_body);
    if (!x->head.chunked && x->head.content_length == 0) {
        sg_request_dispatch(c);
        return;
    }
    x->body_left = x->head.content_length;
    x->body_ms = c->net->now_ms;
    c->state = SG_CONN_BODY;
    if (x->head.expect_continue) sg_outq_copy(&c->out, sg_slice_str(go_on));
    body_progress(c, 0);
}
