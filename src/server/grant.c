#include "server/grant.h"

#include <sodium.h>

#include "server/now.h"
#include "server/secret.h"

static void put_or_null(sg_jsonw *w, const char *key, sg_slice text)
{
    sg_jsonw_k(w, key);
    if (text.n != 0)
        sg_jsonw_string(w, text);
    else
        sg_jsonw_null(w);
}

void sg_grant_user(sg_call *c, const sg_person *p)
{
    sg_jsonw *w = &c->json;
    sg_jsonw_k(w, "user");
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "id", p->id);
    put_or_null(w, "login", p->login);
    put_or_null(w, "email", p->email);
    sg_jsonw_kstr(w, "name", p->name);
    sg_call_time(c, "createdAt", p->made_us);
    sg_jsonw_object_end(w);
}

static int write_access_token(sg_call *c, const sg_person *p, sg_slice session)
{
    int64_t now_s = sg_now_us() / 1000000;
    const sg_claims claims = {
        .user = p->id, .name = p->name, .session = session, .expires_s = now_s + SG_TOKEN_TTL_S};
    sg_buf token;
    sg_buf_init(&token, SG_TOKEN_MAX);
    int err = sg_token_make(c->server->key, &claims, now_s, &token);
    if (err == SG_OK) sg_jsonw_kstr(&c->json, "accessToken", sg_buf_view(&token));
    sg_buf_deinit(&token);
    return err;
}

int sg_grant_write(sg_call *c, const sg_person *p, sg_slice session, sg_slice refresh)
{
    sg_jsonw *w = &c->json;
    sg_jsonw_object(w);
    int err = write_access_token(c, p, session);
    sg_jsonw_kstr(w, "tokenType", SG_LIT("Bearer"));
    sg_jsonw_kint(w, "expiresIn", SG_TOKEN_TTL_S);
    sg_jsonw_kstr(w, "refreshToken", refresh);
    sg_jsonw_kstr(w, "sessionId", session);
    sg_grant_user(c, p);
    sg_jsonw_object_end(w);
    return err;
}

int sg_grant_begin(sg_call *c, sg_directory *d, const sg_person *p, sg_slice device)
{
    sg_refresh first;
    sg_slice session;
    sg_buf refresh;
    sg_buf_init(&refresh, SG_SECRET_TEXT_MAX);
    int err = sg_refresh_make(&refresh, &first);
    if (err == SG_OK)
        err = sg_session_add(d, p->id, device, &first, &session, &c->ended, &c->ended_count);
    if (err == SG_OK) err = sg_grant_write(c, p, session, sg_buf_view(&refresh));
    if (refresh.n != 0) sodium_memzero(refresh.p, refresh.n);
    sg_buf_deinit(&refresh);
    return err;
}
