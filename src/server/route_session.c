/* POST /api/v1/auth/refresh, sign-out; GET, DELETE /api/v1/sessions; GET /api/v1/me. */
#include <sodium.h>

#include "server/grant.h"
#include "server/routes.h"
#include "server/secret.h"

/* ---- refreshing ---- */

static const sg_call_field refresh_fields[] = {
    {.name = "refreshToken", .max = SG_SECRET_TEXT_MAX, .needed = true, .secret = true}, {0}};

/* A copy of an old token ends its session. That is to be kept, although the answer is an error. */
static int end_copied(sg_call *c, const sg_session *s, enum sg_refreshed outcome)
{
    c->verdict = SG_UNAUTHORIZED;
    c->detail = "the refresh token is unknown, or its session has ended";
    if (outcome == SG_REFRESH_UNKNOWN) return SG_OK;
    c->detail = "the refresh token was used before: its session has been ended";
    c->ended = sg_arena_alloc(&c->arena, sizeof *c->ended);
    if (c->ended == NULL) return SG_NOMEM;
    c->ended[0] = s->id;
    c->ended_count = 1;
    return SG_OK;
}

static int refresh_with(sg_call *c, sg_directory *d, sg_buf *next)
{
    sg_refresh shown;
    uint8_t digest[SG_DIGEST_BYTES];
    sg_session s;
    sg_person p;
    enum sg_refreshed outcome;
    int err = sg_refresh_read(c->texts[0], &shown);
    if (err == SG_OK) err = sg_refresh_next(c->texts[0], next, digest);
    if (err == SG_UNAUTHORIZED) return sg_call_refuse(c, err, "this is no refresh token");
    if (err == SG_OK) err = sg_session_refresh(d, &shown, digest, &s, &outcome);
    if (err != SG_OK) return err;
    if (outcome != SG_REFRESH_GIVEN) return end_copied(c, &s, outcome);
    err = sg_person_get(d, s.person, &p);
    return err == SG_OK ? sg_grant_write(c, &p, s.id, sg_buf_view(next)) : err;
}

static int run_refresh(sg_call *c, sg_directory *d)
{
    sg_buf next;
    sg_buf_init(&next, SG_SECRET_TEXT_MAX);
    int err = refresh_with(c, d, &next);
    if (next.n != 0) sodium_memzero(next.p, next.n);
    sg_buf_deinit(&next);
    return err;
}

static const sg_call_spec refresh = {
    .fields = refresh_fields, .open = true, .writes = true, .secret = true, .run = run_refresh};

void sg_route_refresh(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &refresh);
}

/* ---- ending sessions ---- */

static int end_one(sg_call *c, sg_directory *d, sg_slice id)
{
    int err = sg_session_revoke(d, c->claims.user, id);
    c->ended = sg_arena_alloc(&c->arena, sizeof *c->ended);
    if (c->ended == NULL) return SG_NOMEM;
    c->ended[0] = id;
    c->ended_count = err == SG_OK ? 1 : 0;
    sg_jsonw_object(&c->json);
    sg_jsonw_kint(&c->json, "sessionsEnded", (int64_t)c->ended_count);
    sg_jsonw_object_end(&c->json);
    return err;
}

static int run_sign_out(sg_call *c, sg_directory *d)
{
    return end_one(c, d, c->claims.session);
}

static const sg_call_spec sign_out = {.writes = true, .run = run_sign_out};

void sg_route_sign_out(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &sign_out);
}

static int run_end(sg_call *c, sg_directory *d)
{
    return end_one(c, d, c->params[0]);
}

static const sg_call_spec end_session = {.writes = true, .run = run_end};

void sg_route_session_delete(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &end_session);
}

static int run_end_others(sg_call *c, sg_directory *d)
{
    int err =
        sg_session_revoke_others(d, c->claims.user, c->claims.session, &c->ended, &c->ended_count);
    sg_jsonw_object(&c->json);
    sg_jsonw_kint(&c->json, "sessionsEnded", (int64_t)c->ended_count);
    sg_jsonw_object_end(&c->json);
    return err;
}

static const sg_call_spec end_others = {.writes = true, .run = run_end_others};

void sg_route_sessions_delete(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &end_others);
}

/* ---- looking ---- */

static int run_list(sg_call *c, sg_directory *d)
{
    sg_session *sessions;
    size_t n;
    sg_jsonw *w = &c->json;
    int err = sg_session_list(d, c->claims.user, &sessions, &n);
    if (err != SG_OK) return err;
    sg_jsonw_object(w);
    sg_jsonw_k(w, "sessions");
    sg_jsonw_array(w);
    for (size_t i = 0; i < n; i++) {
        sg_jsonw_object(w);
        sg_jsonw_kstr(w, "id", sessions[i].id);
        sg_jsonw_kstr(w, "device", sessions[i].device);
        sg_call_time(c, "createdAt", sessions[i].made_us);
        sg_call_time(c, "usedAt", sessions[i].used_us);
        sg_jsonw_kbool(w, "current", sg_slice_eq(sessions[i].id, c->claims.session));
        sg_jsonw_object_end(w);
    }
    sg_jsonw_array_end(w);
    sg_jsonw_object_end(w);
    return SG_OK;
}

static const sg_call_spec list = {.run = run_list};

void sg_route_sessions(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &list);
}

static int run_me(sg_call *c, sg_directory *d)
{
    sg_person p;
    int err = sg_person_get(d, c->claims.user, &p);
    if (err == SG_NOTFOUND) return sg_call_refuse(c, err, "the token's user has no account here");
    if (err != SG_OK) return err;
    sg_jsonw_object(&c->json);
    sg_grant_user(c, &p);
    sg_jsonw_object_end(&c->json);
    return SG_OK;
}

static const sg_call_spec me = {.agents = true, .run = run_me};

void sg_route_me(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &me);
}
