#include "lib/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/answer.h"
#include "server/http.h"
#include "server/known.h"

static int refusal(int code, sg_buf *out)
{
    sg_buf_clear(out);
    sg_http_error_body(out, code, SG_LIT(""));
    return sg_err_http(code);
}

static int read_page(const serve *v, const sg_delta_spec *spec, sg_delta_page *page,
                     sg_arena *arena)
{
    int64_t newest;
    int err = v->store->ops->view_begin(v->view, &newest);
    if (err == SG_OK) err = sg_delta_read(v->store, v->view, newest, spec, arena, page);
    v->store->ops->view_end(v->view);
    return err;
}

int serve_page(const serve *v, sg_slice app, sg_slice client, sg_cursor since, sg_arena *arena,
               sg_delta_page *page)
{
    const sg_delta_spec spec = {.scope = v->scope,
                                .app = app,
                                .since = since,
                                .limit = v->limit,
                                .version = 2,
                                .self = client};
    return read_page(v, &spec, page, arena);
}

/* What has been committed is acknowledged whatever becomes of the page. */
static int answer_push(const serve *v, sg_push *p, sg_buf *out)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_delta_page page = {0};
    const sg_delta_spec spec = {.scope = p->scope,
                                .app = p->app,
                                .since = p->since,
                                .limit = v->limit,
                                .version = p->version,
                                .self = p->client};
    int unread = p->pull ? read_page(v, &spec, &page, &arena) : SG_OK;
    int err = p->count == 0 ? unread : SG_OK;
    if (err == SG_OK) {
        bool paged = p->pull && unread == SG_OK;
        sg_answer_push(p, paged ? &page : NULL, v->epoch, v->now_us, out);
        err = out->err;
    }
    sg_delta_deinit(&page);
    sg_arena_deinit(&arena);
    return err;
}

static int push(const serve *v, sg_slice app, sg_slice body, sg_buf *out)
{
    sg_push *p = sg_push_new();
    if (p != NULL) p->body = sg_strndup(body.p, body.n);
    if (p == NULL || p->body == NULL) {
        if (p != NULL) sg_push_free(p);
        return refusal(SG_NOMEM, out);
    }
    p->body_len = body.n;
    p->claims = v->claims;
    p->scope = v->scope;
    p->app = app;
    int err = sg_push_read(p, v->epoch, v->now_us) ? v->commit(v->ctx, p) : p->result.err;
    if (err == SG_OK) err = answer_push(v, p, out);
    sg_push_free(p);
    if (err < 0) return err;
    return err == SG_OK ? 200 : refusal(err, out);
}

/* The value of a parameter of a URL, which holds no escapes here. */
static sg_slice parameter(const char *url, const char *name)
{
    const char *at = strstr(url, name);
    if (at == NULL) return sg_slice_of("", 0);
    at += strlen(name);
    return sg_slice_of(at, strcspn(at, "&"));
}

static int64_t number(const char *url, const char *name)
{
    return strtoll(parameter(url, name).p, NULL, 10);
}

static int check_known(const serve *v, sg_slice app, const char *url)
{
    int64_t sent = parameter(url, "sent=").n != 0 ? number(url, "sent=") : -1;
    const sg_known known = {v->scope,
                            app,
                            parameter(url, "client="),
                            sent,
                            number(url, "ackedN="),
                            number(url, "ackedSeq=")};
    int64_t newest;
    int err = v->store->ops->view_begin(v->view, &newest);
    if (err == SG_OK) err = sg_known_check(v->store, v->view, newest, &known);
    v->store->ops->view_end(v->view);
    return err;
}

static int pull(const serve *v, sg_slice app, const char *url, sg_buf *out)
{
    sg_cursor since;
    int err = sg_cursor_parse(parameter(url, "since="), v->epoch, &since);
    if (err == SG_OK) err = check_known(v, app, url);
    if (err != SG_OK) return refusal(err, out);
    sg_arena arena;
    sg_arena_init(&arena);
    sg_delta_page page = {0};
    err = serve_page(v, app, parameter(url, "client="), since, &arena, &page);
    if (err == SG_OK) {
        sg_answer_page(&page, v->epoch, v->now_us, out);
        err = out->err;
    }
    sg_delta_deinit(&page);
    sg_arena_deinit(&arena);
    return err == SG_OK ? 200 : refusal(err, out);
}

int serve_request(const serve *v, const char *method, const char *url, sg_slice body, sg_buf *out)
{
    const char *at = strstr(url, "/sync/");
    if (at == NULL) return refusal(SG_NOTFOUND, out);
    at += strlen("/sync/");
    sg_slice app = sg_slice_of(at, strcspn(at, "/?"));
    sg_buf_clear(out);
    return method[0] == 'P' ? push(v, app, body, out) : pull(v, app, url, out);
}
