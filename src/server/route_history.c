/* GET /api/v1/apps/{app}/history: who wrote what in one record, newest first. */
#include "base/mem.h"
#include "core/time.h"
#include "server/answer.h"
#include "server/routes.h"
#include "store/history.h"

#define HISTORY_DEFAULT 100
#define HISTORY_MAX 1000 /* entries of one answer */

typedef struct history_job {
    sg_job job;
    sg_server *server;
    uint64_t id;
    sg_arena arena;
    sg_claims claims;
    sg_slice scope, app, table, key;
    int64_t limit;
} history_job;

typedef struct writing {
    sg_worker *worker;
    sg_jsonw w;
    int64_t left;
    int err;
} writing;

static void history_free(history_job *h)
{
    sg_arena_deinit(&h->arena);
    sg_free(h);
}

static void put_time(sg_jsonw *w, const char *key, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    size_t n = sg_time_format(at_us, text);
    sg_jsonw_kstr(w, key, sg_slice_of(text, n));
}

static sg_slice text_of(writing *c, enum sg_text_kind kind, uint32_t id)
{
    return c->worker->store->ops->text(c->worker->view, kind, id, &c->err);
}

static void put_fields(writing *c, const sg_history *h)
{
    sg_jsonw *w = &c->w;
    sg_jsonw_k(w, "fields");
    sg_jsonw_object(w);
    for (size_t i = 0; i < h->count; i++) {
        const sg_history_field *f = &h->fields[i];
        sg_jsonw_key(w, text_of(c, SG_TEXT_OF_NAME, f->name));
        sg_jsonw_object(w);
        sg_jsonw_kraw(w, "value", f->value);
        put_time(w, "at", f->at_us);
        sg_jsonw_kstr(w, "outcome", f->won ? SG_LIT("won") : SG_LIT("lost"));
        sg_jsonw_object_end(w);
    }
    sg_jsonw_object_end(w);
}

static bool put_entry(void *ctx, const sg_history_row *row)
{
    writing *c = ctx;
    sg_jsonw *w = &c->w;
    sg_history h;
    if (c->left-- == 0 || w->out->n > SG_PAGE_BYTES) return false;
    /* Reading texts moves the view on, so the entry is kept in the arena. */
    sg_slice data = sg_arena_copy(&c->worker->arena, row->data, &c->err);
    if (c->err == SG_OK) c->err = sg_history_unpack(&h, data, &c->worker->arena);
    if (c->err != SG_OK) return false;
    sg_jsonw_object(w);
    sg_jsonw_kint(w, "seq", row->seq);
    put_time(w, "at", h.at_us);
    put_time(w, "receivedAt", row->received_us);
    sg_jsonw_kstr(w, "clientId", text_of(c, SG_TEXT_OF_CLIENT, h.client));
    sg_jsonw_kint(w, "n", h.n);
    sg_jsonw_kstr(w, "op", sg_slice_str(sg_op_name(h.op)));
    if (h.op != SG_OP_UPDATE)
        sg_jsonw_kstr(w, "outcome", h.life_won ? SG_LIT("won") : SG_LIT("lost"));
    if (h.restamped) sg_jsonw_kbool(w, "restamped", true);
    sg_jsonw_kraw(w, "actor", text_of(c, SG_TEXT_OF_ACTOR, h.actor));
    sg_jsonw_kstr(w, "origin", sg_slice_str(sg_origin_name(h.origin)));
    put_fields(c, &h);
    sg_jsonw_object_end(w);
    return c->err == SG_OK;
}

/* The record's history: one's own, or of the first space that has one of that key. */
static int read_history(sg_worker *w, const history_job *h, writing *c)
{
    const sg_store_ops *ops = w->store->ops;
    sg_reach reach;
    sg_feed feed = {0, 0};
    sg_ref ref = {0, h->key};
    int err = sg_reach_read(w->store, w->view, h->scope, &w->arena, &reach);
    if (err == SG_OK) err = ops->find_text(w->view, SG_TEXT_OF_APP, h->app, &feed.app);
    if (err == SG_OK) err = ops->find_text(w->view, SG_TEXT_OF_TABLE, h->table, &ref.table);
    if (err == SG_OK) err = SG_NOTFOUND;
    for (size_t i = 0; i < reach.count && err == SG_NOTFOUND; i++) {
        feed.scope = reach.in[i].scope;
        if (feed.scope != 0) err = ops->history(w->view, feed, &ref, put_entry, c);
    }
    return err;
}

static int write_history(sg_worker *worker, const history_job *h, sg_buf *body)
{
    writing c = {.worker = worker, .left = h->limit};
    int64_t newest;
    int err = worker->store->ops->view_begin(worker->view, &newest);
    if (err != SG_OK) return err;
    sg_jsonw_init(&c.w, body);
    sg_jsonw_object(&c.w);
    sg_jsonw_k(&c.w, "history");
    sg_jsonw_array(&c.w);
    err = read_history(worker, h, &c);
    sg_jsonw_array_end(&c.w);
    sg_jsonw_object_end(&c.w);
    worker->store->ops->view_end(worker->view);
    return err != SG_OK ? err : c.err;
}

static void run(sg_job *job, sg_worker *w)
{
    history_job *h = (history_job *)(void *)job;
    sg_buf body;
    sg_buf_init(&body, SG_ANSWER_MAX);
    int err = write_history(w, h, &body);
    if (err == SG_OK)
        sg_http_answer_json(h->server->http, h->id, 200, &body);
    else
        sg_http_answer_error(h->server->http, h->id, err, SG_LIT(""));
    sg_buf_deinit(&body);
    history_free(h);
}

static bool fill(const sg_ask *r, history_job *h, const sg_claims *claims)
{
    h->limit = HISTORY_DEFAULT;
    if (!sg_ask_claims(r, claims, &h->claims, &h->scope) || !sg_ask_app(r, 0, &h->app) ||
        !sg_ask_query(r, "table", SG_NAME_MAX, &h->table) ||
        !sg_ask_query(r, "id", SG_KEY_MAX, &h->key) ||
        !sg_ask_int(r, "limit", 1, HISTORY_MAX, &h->limit))
        return false;
    if (h->table.n != 0 && h->key.n != 0) return true;
    sg_ask_refuse(r, SG_BADREQUEST, "name the record with table= and id=");
    return false;
}

void sg_route_history(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_server *s = ctx;
    const sg_claims *claims = sg_auth_request(s->auth, http, req);
    if (claims == NULL) return;
    history_job *h = sg_zalloc(sizeof *h);
    if (h == NULL) {
        sg_http_answer_error(http, req->id, SG_NOMEM, SG_LIT(""));
        return;
    }
    sg_arena_init(&h->arena);
    const sg_ask r = {s, http, req, &h->arena};
    h->job.run = run;
    h->server = s;
    h->id = req->id;
    if (!fill(&r, h, claims)) {
        history_free(h);
    } else if (sg_pool_submit(s->pool, &h->job, false) != SG_OK) {
        sg_ask_refuse(&r, SG_BUSY, "too many requests are waiting");
        history_free(h);
    }
}
