#include "server/call.h"

#include <sodium.h>

#include "base/mem.h"
#include "core/time.h"
#include "server/directory_text.h"
#include "server/now.h"
#include "server/routes.h"

/* ---- the end ---- */

/* What was secret in the request is not left in memory that others are given. */
static void call_free(sg_call *c)
{
    for (size_t i = 0; c->spec->fields != NULL && c->spec->fields[i].name != NULL; i++) {
        sg_slice text = c->texts[i];
        if (c->spec->fields[i].secret && text.n != 0)
            sodium_memzero((char *)(uintptr_t)text.p, text.n);
    }
    sg_buf_deinit(&c->out);
    sg_arena_deinit(&c->arena);
    sg_free(c);
}

static void refuse(sg_call *c, int err)
{
    sg_http_answer_error(c->server->http, c->id, err, sg_slice_str(c->detail));
    call_free(c);
}

/* Nothing that lies between may keep it. */
static void answer_secret(sg_call *c, int status)
{
    static const sg_http_header no_store = {{"Cache-Control", 13}, {"no-store", 8}};
    sg_answer answer = {
        .status = status, .headers = &no_store, .header_count = 1, .no_compress = true};
    answer.body = sg_buf_take(&c->out, &answer.body_len);
    if (answer.body != NULL)
        sg_http_answer(c->server->http, c->id, &answer);
    else
        sg_http_answer_error(c->server->http, c->id, c->out.err, SG_LIT(""));
    call_free(c);
}

static void finish(sg_call *c)
{
    int status = c->spec->status != 0 ? c->spec->status : 200;
    for (size_t i = 0; i < c->ended_count; i++)
        sg_auth_end(c->server->auth, c->ended[i], sg_now_us() / 1000000);
    if (c->moved[0] != '\0') sg_hub_moved(c->server->hub, sg_slice_str(c->moved));
    if (c->verdict != SG_OK) {
        refuse(c, c->verdict);
    } else if (c->spec->secret) {
        answer_secret(c, status);
    } else {
        sg_http_answer_json(c->server->http, c->id, status, &c->out);
        call_free(c);
    }
}

void sg_call_moved(sg_call *c, const char *prefix, sg_slice id)
{
    snprintf(c->moved, sizeof c->moved, "%s%.*s", prefix, (int)id.n, id.p);
}

/* ---- doing it ---- */

static int run(sg_call *c, sg_directory *d)
{
    sg_buf_clear(&c->out);
    sg_jsonw_init(&c->json, &c->out);
    c->detail = NULL;
    c->verdict = SG_OK;
    c->ended_count = 0;
    c->moved[0] = '\0';
    int err = c->spec->run(c, d);
    return err == SG_OK ? c->out.err : err;
}

static int run_task(sg_task *task, sg_writer *w, sg_commit *newest, int64_t now_us)
{
    sg_call *c = (sg_call *)(void *)task;
    const sg_store *store = &c->server->store;
    sg_directory d = {store, store->ops->writer_view(w), w, newest, now_us, &c->arena};
    return run(c, &d);
}

static void task_done(sg_task *task, int err)
{
    sg_call *c = (sg_call *)(void *)task;
    if (err == SG_OK)
        finish(c);
    else
        refuse(c, err);
}

static sg_call *of_job(sg_job *job)
{
    return (sg_call *)(void *)((char *)job - offsetof(sg_call, job));
}

/* Of one moment. */
static int read_with(sg_call *c, sg_worker *w, int (*what)(sg_call *, sg_directory *))
{
    int64_t newest;
    sg_directory d = {
        .store = w->store, .view = w->view, .now_us = sg_now_us(), .arena = &c->arena};
    int err = w->store->ops->view_begin(w->view, &newest);
    if (err != SG_OK) return err;
    err = what(c, &d);
    w->store->ops->view_end(w->view);
    return err;
}

static void read_job(sg_job *job, sg_worker *w)
{
    sg_call *c = of_job(job);
    int err = read_with(c, w, run);
    if (err == SG_OK)
        finish(c);
    else
        refuse(c, err);
}

static void write_it(sg_call *c)
{
    c->task = (sg_task){.run = run_task, .done = task_done};
    int err = sg_ingest_submit_task(c->server->ingest, &c->task);
    if (err != SG_OK) refuse(c, err);
}

static void prepare_job(sg_job *job, sg_worker *w)
{
    sg_call *c = of_job(job);
    atomic_fetch_sub(&c->server->hashes, 1);
    int err = read_with(c, w, c->spec->look);
    if (err == SG_OK) err = c->spec->prepare(c);
    if (err == SG_OK)
        write_it(c);
    else
        refuse(c, err);
}

static void go(sg_call *c)
{
    sg_server *s = c->server;
    int err = SG_OK;
    if (c->spec->prepare != NULL) {
        c->job.run = prepare_job;
        if (atomic_fetch_add(&s->hashes, 1) >= SG_HASHES_MAX) err = SG_BUSY;
        if (err == SG_OK) err = sg_pool_submit(s->hashers, &c->job, false);
        if (err != SG_OK) atomic_fetch_sub(&s->hashes, 1);
    } else if (c->spec->writes) {
        write_it(c);
    } else {
        c->job.run = read_job;
        err = sg_pool_submit(s->pool, &c->job, false);
    }
    if (err != SG_OK) refuse(c, err);
}

/* ---- the request ---- */

/* "name: why" */
static int refuse_field(sg_call *c, int err, const char *name, const char *why)
{
    sg_buf text;
    sg_buf_init(&text, 256);
    sg_buf_str(&text, name);
    sg_buf_str(&text, why);
    int copied = SG_OK;
    sg_slice whole = sg_slice_of(sg_buf_cstr(&text), text.n + 1);
    if (whole.p != NULL) c->detail = sg_arena_copy(&c->arena, whole, &copied).p;
    sg_buf_deinit(&text);
    return err;
}

static int read_text(sg_call *c, sg_json *j, const sg_call_field *f, sg_slice *text)
{
    sg_buf scratch;
    int err = SG_OK;
    sg_buf_init(&scratch, SG_CALL_BODY_MAX);
    sg_slice value = sg_json_string(j, &scratch);
    if (j->err == SG_OK && value.n > f->max)
        err = refuse_field(c, SG_LIMIT, f->name, " is too long");
    if (j->err == SG_OK && err == SG_OK && !f->secret && !sg_text_printable(value))
        err = refuse_field(c, SG_BADREQUEST, f->name, " holds a control character");
    /* Even an empty one is there. */
    if (j->err == SG_OK && err == SG_OK)
        *text = value.n != 0 ? sg_arena_copy(&c->arena, value, &err) : SG_LIT("");
    if (scratch.n != 0) sodium_memzero(scratch.p, scratch.n);
    sg_buf_deinit(&scratch);
    return err;
}

static int read_number(sg_call *c, sg_json *j, const sg_call_field *f, int64_t *number)
{
    *number = sg_json_int(j);
    bool good = j->err != SG_OK || (*number >= f->low && *number <= f->high);
    return good ? SG_OK : refuse_field(c, SG_BADREQUEST, f->name, " is out of range");
}

static int read_member(sg_call *c, sg_json *j, sg_slice key)
{
    const sg_call_field *fields = c->spec->fields;
    for (size_t i = 0; fields[i].name != NULL; i++) {
        if (!sg_json_key_eq(key, sg_slice_str(fields[i].name))) continue;
        if (sg_json_peek(j) == SG_JSON_NULL) break;
        return fields[i].max != 0 ? read_text(c, j, &fields[i], &c->texts[i])
                                  : read_number(c, j, &fields[i], &c->numbers[i]);
    }
    (void)sg_json_skip(j);
    return SG_OK;
}

static int read_body(sg_call *c, sg_slice body)
{
    sg_json j;
    int err = SG_OK;
    sg_json_init(&j, body);
    (void)sg_json_object(&j);
    for (sg_slice key; err == SG_OK && sg_json_next_key(&j, &key);)
        err = read_member(c, &j, key);
    if (err == SG_OK && !sg_json_end(&j)) err = j.err;
    const sg_call_field *fields = c->spec->fields;
    for (size_t i = 0; err == SG_OK && fields[i].name != NULL; i++)
        if (fields[i].needed && c->texts[i].n == 0 && fields[i].max != 0)
            err = refuse_field(c, SG_BADREQUEST, fields[i].name, " is missing");
    return err;
}

/* An id that cannot be one is one that is not there. */
static int read_params(sg_call *c, const sg_http_req *req)
{
    for (size_t i = 0; i < req->param_count && i < SG_CALL_PARAMS; i++) {
        sg_buf scratch;
        sg_slice value;
        sg_buf_init(&scratch, SG_ID_TEXT + 1);
        bool any = sg_http_param(req, i, &scratch, &value);
        int err = any ? SG_OK : scratch.err == SG_NOMEM ? SG_NOMEM : SG_NOTFOUND;
        if (any && value.n != SG_ID_TEXT) err = SG_NOTFOUND;
        if (err == SG_OK) c->params[i] = sg_arena_copy(&c->arena, value, &err);
        sg_buf_deinit(&scratch);
        if (err != SG_OK) return err;
    }
    return SG_OK;
}

static int read_request(sg_call *c, const sg_http_req *req)
{
    int err = SG_OK;
    c->peer = sg_arena_copy(&c->arena, req->peer, &err);
    if (err == SG_OK) err = read_params(c, req);
    if (err == SG_OK && c->spec->fields != NULL) err = read_body(c, req->body);
    if (err == SG_OK && c->spec->check != NULL) err = c->spec->check(c);
    return err;
}

/* False: it has been answered. */
static bool read_claims(sg_call *c, const sg_http *http, const sg_http_req *req)
{
    if (c->spec->open) return true;
    sg_slice scope;
    const sg_ask r = {c->server, http, req, &c->arena};
    const sg_claims *claims = sg_auth_request(c->server->auth, http, req);
    if (claims == NULL || !sg_ask_claims(&r, claims, &c->claims, &scope)) return false;
    if (c->claims.agent.n == 0 || c->spec->agents) return true;
    sg_ask_refuse(&r, SG_FORBIDDEN, "an agent's token does not do this: it takes its person's");
    return false;
}

void sg_call_start(sg_server *s, const sg_http *http, const sg_http_req *req,
                   const sg_call_spec *spec)
{
    sg_call *c = sg_zalloc(sizeof *c);
    if (c == NULL) {
        sg_http_answer_error(http, req->id, SG_NOMEM, SG_LIT(""));
        return;
    }
    c->spec = spec;
    c->server = s;
    c->id = req->id;
    sg_arena_init(&c->arena);
    sg_buf_init(&c->out, SG_CALL_ANSWER_MAX);
    if (!read_claims(c, http, req)) {
        call_free(c);
        return;
    }
    int err = read_request(c, req);
    if (err == SG_OK)
        go(c);
    else
        refuse(c, err);
}

void sg_call_time(sg_call *c, const char *key, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    sg_jsonw_k(&c->json, key);
    if (at_us == 0)
        sg_jsonw_null(&c->json);
    else
        sg_jsonw_string(&c->json, sg_slice_of(text, sg_time_format(at_us, text)));
}
