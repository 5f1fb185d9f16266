/* GET /sync/{app}/pull: one page of what came after a cursor. */
#include "base/mem.h"
#include "server/answer.h"
#include "server/known.h"
#include "server/now.h"
#include "server/routes.h"

typedef struct pull {
    sg_job job;
    sg_server *server;
    uint64_t id;
    sg_arena arena;
    sg_claims claims;
    sg_delta_spec spec;
    sg_known known;
} pull;

static void pull_free(pull *p)
{
    sg_arena_deinit(&p->arena);
    sg_free(p);
}

static void pull_job(sg_job *job, sg_worker *w)
{
    pull *p = (pull *)(void *)job;
    sg_server *s = p->server;
    sg_delta_page page = {0};
    int64_t newest;
    int err = w->store->ops->view_begin(w->view, &newest);
    bool open = err == SG_OK;
    if (open) err = sg_known_check(w->store, w->view, newest, &p->known);
    if (err == SG_OK) err = sg_delta_read(w->store, w->view, newest, &p->spec, &w->arena, &page);
    if (open) w->store->ops->view_end(w->view);
    if (err == SG_OK) {
        sg_buf body;
        sg_buf_init(&body, SG_ANSWER_MAX);
        sg_answer_page(&page, s->epoch, sg_now_us(), &body);
        sg_http_answer_json(s->http, p->id, 200, &body);
    } else {
        sg_http_answer_error(s->http, p->id, err, SG_LIT(""));
    }
    sg_delta_deinit(&page);
    pull_free(p);
}

static bool fill(const sg_ask *r, pull *p, const sg_claims *claims)
{
    sg_slice since, *tables;
    int64_t version = 1, limit = SG_PAGE_RECORDS_MAX;
    sg_delta_spec *spec = &p->spec;
    p->known.sent = -1;
    if (!sg_ask_claims(r, claims, &p->claims, &spec->scope) || !sg_ask_app(r, 0, &spec->app) ||
        !sg_ask_query(r, "since", SG_SINCE_MAX, &since) || !sg_ask_cursor(r, since, &spec->since) ||
        !sg_ask_tables(r, "collection", &tables, &spec->table_count) ||
        !sg_ask_int(r, "limit", 1, SG_PAGE_RECORDS_MAX, &limit) ||
        !sg_ask_int(r, "sent", 0, SG_NUMBER_MAX, &p->known.sent) ||
        !sg_ask_int(r, "ackedN", 0, SG_NUMBER_MAX, &p->known.n) ||
        !sg_ask_int(r, "ackedSeq", 0, SG_NUMBER_MAX, &p->known.seq) ||
        !sg_ask_int(r, "v", 1, INT32_MAX, &version) || !sg_ask_client(r, &spec->self))
        return false;
    if (version > SG_VERSION_MAX) {
        sg_ask_refuse(r, SG_TOONEW, "this server speaks versions 1 and 2");
        return false;
    }
    p->known.scope = spec->scope;
    p->known.app = spec->app;
    p->known.client = spec->self;
    spec->tables = tables;
    spec->limit = (size_t)limit;
    spec->version = (int)version;
    return true;
}

void sg_route_pull(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_server *s = ctx;
    const sg_claims *claims = sg_auth_request(s->auth, http, req);
    if (claims == NULL) return;
    pull *p = sg_zalloc(sizeof *p);
    if (p == NULL) {
        sg_http_answer_error(http, req->id, SG_NOMEM, SG_LIT(""));
        return;
    }
    sg_arena_init(&p->arena);
    const sg_ask r = {s, http, req, &p->arena};
    p->server = s;
    p->id = req->id;
    p->job.run = pull_job;
    if (!fill(&r, p, claims)) {
        pull_free(p);
    } else if (sg_pool_submit(s->pool, &p->job, false) != SG_OK) {
        sg_ask_refuse(&r, SG_BUSY, "too many requests are waiting");
        pull_free(p);
    }
}
