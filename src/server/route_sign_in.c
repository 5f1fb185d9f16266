/* POST /api/v1/auth/sign-up, sign-in, password: what takes a password. */
#include "server/directory_text.h"
#include "server/grant.h"
#include "server/now.h"
#include "server/password.h"
#include "server/routes.h"

static int64_t now_ms(void)
{
    return sg_monotonic_us() / 1000;
}

/* Do what may turn out to be a wrong guess at somebody's password. Too many of those are not looked
 * at any more; what goes well, or fails for reasons of ours, is none. */
static int attempt(sg_call *c, sg_slice login, int (*what)(sg_call *c))
{
    if (!sg_attempts_begin(c->server->attempts, login, c->peer, now_ms()))
        return sg_call_refuse(c, SG_RATE, "too many failed attempts: wait some minutes");
    int err = what(c);
    bool wrong = err != SG_OK && sg_err_http(err) < 500;
    if (!wrong) sg_attempts_good(c->server->attempts, login, c->peer, now_ms());
    return err;
}

static int check_password(sg_call *c, sg_slice password)
{
    if (password.n >= SG_PASSWORD_MIN) return SG_OK;
    return sg_call_refuse(c, SG_BADREQUEST, "a password has at least 8 bytes");
}

/* Hash a password into c->new_hash. */
static int make_hash(sg_call *c, sg_slice password)
{
    char text[SG_PASSWORD_TEXT];
    int err = sg_password_hash(password, text);
    if (err == SG_OK) c->new_hash = sg_arena_copy(&c->arena, sg_slice_str(text), &err);
    return err;
}

/* ---- signing in ---- */

enum { IN_LOGIN, IN_PASSWORD, IN_DEVICE };
static const sg_call_field sign_in_fields[] = {
    [IN_LOGIN] = {.name = "login", .max = SG_EMAIL_MAX, .needed = true},
    [IN_PASSWORD] = {.name = "password", .max = SG_PASSWORD_MAX, .needed = true, .secret = true},
    [IN_DEVICE] = {.name = "device", .max = SG_TITLE_MAX},
    {0}};

static int check_sign_in(sg_call *c)
{
    return sg_text_fold(c->texts[IN_LOGIN], &c->arena, &c->texts[IN_LOGIN]);
}

static int look_for(sg_call *c, sg_directory *d, sg_slice login)
{
    int err = login.n != 0 ? sg_person_find(d, login, &c->found) : SG_NOTFOUND;
    return err == SG_NOTFOUND ? SG_OK : err;
}

static int look_sign_in(sg_call *c, sg_directory *d)
{
    return look_for(c, d, c->texts[IN_LOGIN]);
}

/* Is this the password of whom look has found? It takes as long if that is nobody. */
static int prove(sg_call *c, sg_slice password)
{
    bool good;
    int err = sg_password_check(c->found.password, password, &good);
    if (err != SG_OK) return err;
    if (good && c->found.disabled_us == 0) return SG_OK;
    return sg_call_refuse(c, SG_UNAUTHORIZED, "no account has this login and password");
}

static int try_sign_in(sg_call *c)
{
    return prove(c, c->texts[IN_PASSWORD]);
}

static int prepare_sign_in(sg_call *c)
{
    return attempt(c, c->texts[IN_LOGIN], try_sign_in);
}

/* Whom look has found, unless they have changed since. */
static int same_person(sg_call *c, sg_directory *d, sg_person *p)
{
    int err = sg_person_get(d, c->found.id, p);
    if (err != SG_OK) return err == SG_NOTFOUND ? SG_UNAUTHORIZED : err;
    bool same = sg_slice_eq(p->password, c->found.password) && p->disabled_us == 0;
    return same ? SG_OK : SG_UNAUTHORIZED;
}

static int run_sign_in(sg_call *c, sg_directory *d)
{
    sg_person p;
    int err = same_person(c, d, &p);
    return err == SG_OK ? sg_grant_begin(c, d, &p, c->texts[IN_DEVICE]) : err;
}

static const sg_call_spec sign_in = {.fields = sign_in_fields,
                                     .open = true,
                                     .writes = true,
                                     .secret = true,
                                     .check = check_sign_in,
                                     .look = look_sign_in,
                                     .prepare = prepare_sign_in,
                                     .run = run_sign_in};

void sg_route_sign_in(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &sign_in);
}

/* ---- signing up ---- */

enum { UP_LOGIN, UP_EMAIL, UP_PASSWORD, UP_NAME, UP_DEVICE };
static const sg_call_field sign_up_fields[] = {
    [UP_LOGIN] = {.name = "login", .max = SG_LOGIN_MAX},
    [UP_EMAIL] = {.name = "email", .max = SG_EMAIL_MAX},
    [UP_PASSWORD] = {.name = "password", .max = SG_PASSWORD_MAX, .needed = true, .secret = true},
    [UP_NAME] = {.name = "name", .max = SG_TITLE_MAX},
    [UP_DEVICE] = {.name = "device", .max = SG_TITLE_MAX},
    {0}};

/* Under which attempts are counted. */
static sg_slice either_name(const sg_call *c)
{
    return c->texts[UP_LOGIN].n != 0 ? c->texts[UP_LOGIN] : c->texts[UP_EMAIL];
}

static int check_names(sg_call *c)
{
    sg_slice login = c->texts[UP_LOGIN], email = c->texts[UP_EMAIL];
    if (login.n == 0 && email.n == 0)
        return sg_call_refuse(c, SG_BADREQUEST, "an account has a login, an email, or both");
    if (login.n != 0 && !sg_login_good(login))
        return sg_call_refuse(c, SG_BADREQUEST,
                              "a login is 1 to 64 of a-z 0-9 . _ - and begins with one of a-z 0-9");
    if (email.n != 0 && !sg_email_good(email))
        return sg_call_refuse(c, SG_BADREQUEST, "this is no e-mail address");
    return SG_OK;
}

static int check_sign_up(sg_call *c)
{
    if (c->server->config.no_sign_up)
        return sg_call_refuse(c, SG_FORBIDDEN, "accounts are made by this server's operator");
    int err = sg_text_fold(c->texts[UP_LOGIN], &c->arena, &c->texts[UP_LOGIN]);
    if (err == SG_OK) err = sg_text_fold(c->texts[UP_EMAIL], &c->arena, &c->texts[UP_EMAIL]);
    if (err == SG_OK) err = check_names(c);
    return err == SG_OK ? check_password(c, c->texts[UP_PASSWORD]) : err;
}

/* The account that has this login or this e-mail. */
static int look_sign_up(sg_call *c, sg_directory *d)
{
    int err = look_for(c, d, c->texts[UP_LOGIN]);
    if (err == SG_OK && c->found.id.n == 0) err = look_for(c, d, c->texts[UP_EMAIL]);
    return err;
}

/* Whoever has made just this account before, and whose answer was lost, signs in. Anybody else is
 * told that it is taken. */
static int sign_up_again(sg_call *c)
{
    bool same = sg_slice_eq(c->found.login, c->texts[UP_LOGIN]) &&
                sg_slice_eq(c->found.email, c->texts[UP_EMAIL]);
    int err = prove(c, c->texts[UP_PASSWORD]);
    if (err == SG_UNAUTHORIZED || (err == SG_OK && !same))
        return sg_call_refuse(c, SG_CONFLICT, "this login or email has an account");
    return err;
}

static int try_sign_up(sg_call *c)
{
    return c->found.id.n != 0 ? sign_up_again(c) : make_hash(c, c->texts[UP_PASSWORD]);
}

static int prepare_sign_up(sg_call *c)
{
    if (!sg_attempts_sign_up(c->server->attempts, c->peer, now_ms()))
        return sg_call_refuse(c, SG_RATE, "too many accounts are made from this address");
    return attempt(c, either_name(c), try_sign_up);
}

static sg_slice display_name(const sg_call *c)
{
    if (c->texts[UP_NAME].n != 0) return c->texts[UP_NAME];
    if (c->texts[UP_LOGIN].n != 0) return c->texts[UP_LOGIN];
    sg_slice email = c->texts[UP_EMAIL];
    size_t n = (size_t)((const char *)memchr(email.p, '@', email.n) - email.p);
    return sg_slice_of(email.p, n <= SG_TITLE_MAX ? n : SG_TITLE_MAX);
}

static int make_account(sg_call *c, sg_directory *d, sg_person *p)
{
    *p = (sg_person){.login = c->texts[UP_LOGIN],
                     .email = c->texts[UP_EMAIL],
                     .name = display_name(c),
                     .password = c->new_hash,
                     .made_us = d->now_us};
    int err = sg_person_add(d, p, &p->id);
    /* Somebody was quicker, perhaps the same request sent twice: trying again tells. */
    return err == SG_CONFLICT ? SG_BUSY : err;
}

static int run_sign_up(sg_call *c, sg_directory *d)
{
    sg_person p;
    int err = c->found.id.n != 0 ? same_person(c, d, &p) : make_account(c, d, &p);
    return err == SG_OK ? sg_grant_begin(c, d, &p, c->texts[UP_DEVICE]) : err;
}

static const sg_call_spec sign_up = {.fields = sign_up_fields,
                                     .open = true,
                                     .writes = true,
                                     .secret = true,
                                     .status = 201,
                                     .check = check_sign_up,
                                     .look = look_sign_up,
                                     .prepare = prepare_sign_up,
                                     .run = run_sign_up};

void sg_route_sign_up(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &sign_up);
}

/* ---- another password ---- */

enum { PW_CURRENT, PW_NEW };
static const sg_call_field password_fields[] = {
    [PW_CURRENT] = {.name = "current", .max = SG_PASSWORD_MAX, .needed = true, .secret = true},
    [PW_NEW] = {.name = "password", .max = SG_PASSWORD_MAX, .needed = true, .secret = true},
    {0}};

static int check_change(sg_call *c)
{
    return check_password(c, c->texts[PW_NEW]);
}

static int look_change(sg_call *c, sg_directory *d)
{
    return sg_person_get(d, c->claims.user, &c->found);
}

static int try_current(sg_call *c)
{
    int err = prove(c, c->texts[PW_CURRENT]);
    return err == SG_UNAUTHORIZED ? sg_call_refuse(c, SG_FORBIDDEN, "current is wrong") : err;
}

static int prepare_change(sg_call *c)
{
    int err = attempt(c, c->claims.user, try_current);
    return err == SG_OK ? make_hash(c, c->texts[PW_NEW]) : err;
}

/* Whoever knew the old one is signed out, but for who changes it. */
static int run_change(sg_call *c, sg_directory *d)
{
    sg_person p;
    int err = same_person(c, d, &p);
    if (err == SG_OK) err = sg_person_set_password(d, p.id, c->new_hash);
    if (err == SG_OK)
        err = sg_session_revoke_others(d, p.id, c->claims.session, &c->ended, &c->ended_count);
    sg_jsonw_object(&c->json);
    sg_jsonw_kint(&c->json, "sessionsEnded", (int64_t)c->ended_count);
    sg_jsonw_object_end(&c->json);
    return err;
}

static const sg_call_spec change_password = {.fields = password_fields,
                                             .writes = true,
                                             .check = check_change,
                                             .look = look_change,
                                             .prepare = prepare_change,
                                             .run = run_change};

void sg_route_password(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &change_password);
}
