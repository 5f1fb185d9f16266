/* The operations of server/http.h: what handlers call, from any thread. */
#include "base/mem.h"
#include "net/net.h"

/* The server whose loop this thread runs, if any. */
static _Thread_local sg_net *loop_of_this_thread;

void sg_net_enter(sg_net *net)
{
    loop_of_this_thread = net;
}

/* ---- making a reply, in the calling thread ---- */

/* A line break in a value would let whoever chose it write headers of their own. */
static bool is_field_text(sg_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static void put_field(sg_buf *out, sg_slice name, sg_slice value)
{
    if (!is_field_text(name) || !is_field_text(value)) {
        out->err = SG_INTERNAL;
        return;
    }
    sg_buf_slice(out, name);
    sg_buf_str(out, ": ");
    sg_buf_slice(out, value);
    sg_buf_str(out, "\r\n");
}

static void put_fields(sg_buf *out, const sg_http_header *headers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_field(out, headers[i].name, headers[i].value);
}

/* Replace the body by a compressed one if that is allowed and pays. */
static void compress(sg_reply *r, bool may, sg_buf *fields)
{
    enum sg_coding coding;
    char *out;
    size_t n;
    if (!may || r->body_len < SG_HTTP_COMPRESS_MIN) return;
    sg_buf_str(fields, "Vary: Accept-Encoding\r\n");
    sg_slice body = sg_slice_of(r->body, r->body_len);
    if (!sg_encode(sg_id_accept(r->id), body, &coding, &out, &n)) return;
    put_field(fields, SG_LIT("Content-Encoding"), sg_slice_str(sg_coding_name(coding)));
    if (!r->body_static) sg_free(r->body);
    r->body = out;
    r->body_len = n;
    r->body_static = false;
}

/* Whatever went wrong with the answer, there must be one. */
static void instead(sg_reply *r, sg_buf *fields)
{
    int err = fields->err == SG_NOMEM ? SG_NOMEM : SG_INTERNAL;
    if (!r->body_static) sg_free(r->body);
    r->status = sg_err_http(err);
    r->body = NULL;
    r->body_len = 0;
    sg_buf_clear(fields);
}

static void make_reply(sg_reply *r, const sg_answer *a, sg_buf *fields)
{
    r->status = a->status;
    r->body = a->body;
    r->body_len = a->body_len;
    r->body_static = a->body_static;
    if (a->body_len != 0) {
        const char *type = a->content_type != NULL ? a->content_type : "application/json";
        put_field(fields, SG_LIT("Content-Type"), sg_slice_str(type));
        compress(r, !a->no_compress, fields);
    }
    put_fields(fields, a->headers, a->header_count);
    if (fields->err != SG_OK || a->status < 200 || a->status > 599) instead(r, fields);
}

/* Hand it to the loop's thread. */
static bool push(sg_net *net, sg_reply *r, sg_buf *fields)
{
    r->extra.n = fields->n;
    r->extra_own = fields->n != 0 ? fields->p : NULL;
    r->extra.p = r->extra_own;
    if (r->extra_own == NULL) sg_buf_deinit(fields);
    bool ok = sg_inbox_push_reply(&net->inbox, r);
    if (ok) net->io->wake(net);
    return ok;
}

/* ---- the operations ---- */

/* The connection whose handler is running right now on this thread with that request. */
static sg_conn *running(sg_net *net, uint64_t id)
{
    if (loop_of_this_thread != net || net->current == NULL) return NULL;
    sg_exchange *x = net->current->x;
    return x->req.id == id && !x->answered ? net->current : NULL;
}

static void op_answer(void *impl, uint64_t id, const sg_answer *answer)
{
    sg_net *net = impl;
    sg_conn *c = running(net, id);
    sg_reply r = {.id = id};
    sg_buf fields;
    if (c == NULL) {
        sg_buf_init(&fields, SG_HTTP_MAX_EXTRA);
        make_reply(&r, answer, &fields);
        push(net, &r, &fields);
        return;
    }
    /* The short way, without a copy or an allocation. */
    char room[SG_HTTP_MAX_EXTRA];
    fields = (sg_buf){.p = room, .cap = sizeof room, .max = sizeof room};
    make_reply(&r, answer, &fields);
    r.extra = sg_buf_view(&fields);
    sg_stat_take(&net->stats.in_flight);
    sg_reply_send(c, &r);
}

static int op_open_stream(void *impl, uint64_t id, const sg_stream_spec *spec)
{
    sg_net *net = impl;
    sg_reply r = {.id = id, .is_stream = true, .spec = *spec};
    sg_buf fields;
    sg_buf_init(&fields, SG_HTTP_MAX_EXTRA);
    put_fields(&fields, spec->headers, spec->header_count);
    if (fields.err != SG_OK) {
        int err = fields.err;
        sg_buf_deinit(&fields);
        return err;
    }
    r.spec.headers = NULL;
    r.spec.header_count = 0;
    return push(net, &r, &fields) ? SG_OK : SG_MISUSE;
}

static void push_event(sg_net *net, const sg_inbox_event *e)
{
    sg_inbox_push_event(&net->inbox, e);
    net->io->wake(net);
}

static void op_send(void *impl, const uint64_t *ids, size_t n, sg_block *block)
{
    if (n == 0) return;
    sg_inbox_event e = {.kind = SG_INBOX_SEND, .id = ids[0], .n = n, .block = sg_block_ref(block)};
    if (n > 1) {
        e.ids = n <= SIZE_MAX / sizeof *ids ? sg_alloc(n * sizeof *ids) : NULL;
        if (e.ids != NULL) memcpy(e.ids, ids, n * sizeof *ids);
    }
    push_event(impl, &e);
}

static void op_close(void *impl, uint64_t id, int ws_code)
{
    push_event(impl, &(sg_inbox_event){
                         .kind = SG_INBOX_CLOSE, .arg = (uint32_t)ws_code, .id = id, .n = 1});
}

static void op_ws_deadline(void *impl, uint64_t id, uint32_t ms)
{
    push_event(impl, &(sg_inbox_event){.kind = SG_INBOX_DEADLINE, .arg = ms, .id = id, .n = 1});
}

static char *op_take_body(void *impl, const sg_http_req *req, size_t *n)
{
    sg_net *net = impl;
    sg_exchange *x = net->current != NULL ? net->current->x : NULL;
    *n = req->body.n;
    if (x == NULL || req != &x->req || x->body.n == 0 || x->body.p != req->body.p)
        return sg_strndup(req->body.p, req->body.n);
    x->body.max++; /* for the NUL */
    x->req.body = (sg_slice){NULL, 0};
    return sg_buf_take(&x->body, n);
}

const sg_http_ops sg_net_ops = {
    .answer = op_answer,
    .open_stream = op_open_stream,
    .send = op_send,
    .close = op_close,
    .ws_deadline = op_ws_deadline,
    .take_body = op_take_body,
};
