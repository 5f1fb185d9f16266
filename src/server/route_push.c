/* POST /sync/{app}: a push, and one page back. */
#include "base/mem.h"
#include "server/answer.h"
#include "server/known.h"
#include "server/log.h"
#include "server/now.h"
#include "server/routes.h"

#define INLINE_BODY 8192u /* bytes: a body up to here is read on the loop, which saves a hop */
#define INLINE_ANSWER                                                                              \
    256u /* changes: an answer without a page up to here is written by the writer */

static void let_go(sg_push *p)
{
    atomic_fetch_sub(&p->server->body_bytes, p->body_len);
    sg_push_free(p);
}

static void finish(sg_push *p, const sg_delta_page *page)
{
    sg_server *s = p->server;
    sg_buf body;
    sg_buf_init(&body, SG_ANSWER_MAX);
    sg_answer_push(p, page, s->epoch, sg_now_us(), &body);
    sg_http_answer_json(s->http, p->id, 200, &body);
    sg_metrics_push(s->metrics, (uint64_t)(sg_monotonic_us() - p->began_us));
    let_go(p);
}

static void refuse(sg_push *p, int err, const char *detail)
{
    sg_http_answer_error(p->server->http, p->id, err, sg_slice_str(detail));
    let_go(p);
}

/* ---- the answer ---- */

static void answer_job(sg_job *job, sg_worker *w)
{
    sg_push *p = (sg_push *)(void *)job;
    const sg_delta_spec spec = {.scope = p->scope,
                                .app = p->app,
                                .since = p->since,
                                .limit = SG_PAGE_RECORDS_MAX,
                                .version = p->version,
                                .self = p->client};
    sg_delta_page page = {0};
    int64_t newest;
    bool wanted = p->pull;
    int err = w->store->ops->view_begin(w->view, &newest);
    bool open = err == SG_OK;
    /* A push without changes never sees the writer, who asks this otherwise. */
    if (open && p->count == 0) {
        const sg_known known = {p->scope, p->app, p->client, p->sent, p->acked_n, p->acked_seq};
        err = sg_known_check(w->store, w->view, newest, &known);
    }
    if (err == SG_OK && wanted)
        err = sg_delta_read(w->store, w->view, newest, &spec, &w->arena, &page);
    if (open) w->store->ops->view_end(w->view);
    /* What has been committed is acknowledged whatever becomes of the page. */
    bool committed = p->count != 0;
    if (err == SG_OK)
        finish(p, wanted ? &page : NULL);
    else if (committed)
        finish(p, NULL);
    else
        refuse(p, err, NULL);
    sg_delta_deinit(&page);
}

static void answer_later(sg_push *p)
{
    p->job.run = answer_job;
    /* Its changes are committed: this cannot be refused any more. */
    (void)sg_pool_submit(p->server->pool, &p->job, true);
}

void sg_route_push_done(void *ctx, sg_push *p)
{
    (void)ctx;
    if (p->result.err != SG_OK)
        refuse(p, p->result.err, p->result.detail);
    else if (!p->pull && p->count <= INLINE_ANSWER)
        finish(p, NULL);
    else
        answer_later(p);
}

/* ---- the request ---- */

static void take_in(sg_push *p)
{
    sg_server *s = p->server;
    if (!sg_push_read(p, s->epoch, sg_now_us())) {
        refuse(p, p->result.err, p->result.detail);
        return;
    }
    if (p->count == 0) {
        answer_later(p);
        return;
    }
    int err = sg_ingest_submit(s->ingest, p);
    if (err != SG_OK) refuse(p, err, "too many pushes are waiting");
}

static void read_job(sg_job *job, sg_worker *w)
{
    (void)w;
    take_in((sg_push *)(void *)job);
}

static bool fill(const sg_ask *r, sg_push *p, const sg_claims *claims)
{
    sg_slice client = sg_http_header_get(r->req, "X-Client-Id");
    int err = SG_OK;
    p->header_client = sg_arena_copy(r->arena, client, &err);
    p->body = sg_http_take_body(r->http, r->req, &p->body_len);
    if (p->body == NULL || err != SG_OK) {
        sg_ask_refuse(r, SG_NOMEM, NULL);
        return false;
    }
    return sg_ask_claims(r, claims, &p->claims, &p->scope) && sg_ask_app(r, 0, &p->app);
}

void sg_route_push(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_server *s = ctx;
    const sg_claims *claims = sg_auth_request(s->auth, http, req);
    if (claims == NULL) return;
    sg_push *p = sg_push_new();
    if (p == NULL) {
        sg_http_answer_error(http, req->id, SG_NOMEM, SG_LIT(""));
        return;
    }
    const sg_ask r = {s, http, req, &p->arena};
    p->server = s;
    p->id = req->id;
    p->began_us = sg_monotonic_us();
    if (!fill(&r, p, claims)) {
        sg_push_free(p);
        return;
    }
    if (atomic_fetch_add(&s->body_bytes, p->body_len) + p->body_len > SG_BODIES_MAX) {
        refuse(p, SG_BUSY, "too many pushes are at work");
        return;
    }
    p->job.run = read_job;
    if (p->body_len <= INLINE_BODY)
        take_in(p);
    else if (sg_pool_submit(s->pool, &p->job, false) != SG_OK)
        refuse(p, SG_BUSY, "too many requests are waiting");
}
