/* timeout: 240
 * Accounts and sessions over HTTP: what is given to whom, for how long, and what a thief gets.
 */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "server/attempts.h"
#include "server/call.h"
#include "server/now.h"
#include "server/revoked.h"
#include "wire/value.h"

#define AUTH "/api/v1/auth/"

static void ok(json_t *answer)
{
    json_decref(answer);
}

static json_t *sign_in(const sync_world *w, int status, const char *login, const char *password)
{
    return sync_ask(w, "POST", NULL, status, AUTH "sign-in", "{'login':'%s','password':'%s'}",
                    login, password);
}

static json_t *refresh(const sync_world *w, int status, const char *token)
{
    return sync_ask(w, "POST", NULL, status, AUTH "refresh", "{'refreshToken':'%s'}", token);
}

/* ---- signing up and in ---- */

static void an_account_is_made_and_its_tokens_sync(void **state)
{
    const sync_world *w = *state;
    json_t *r = sync_ask(w, "POST", NULL, 201, AUTH "sign-up",
                         "{'login':'Dora','email':'Dora@Example.org','password':'correct horse',"
                         "'name':'Dora D.','device':'phone'}");
    sync_assert_text(r, "user.login", "dora");
    sync_assert_text(r, "user.email", "dora@example.org");
    sync_assert_text(r, "user.name", "Dora D.");
    sync_assert_text(r, "tokenType", "Bearer");
    sync_assert_int(r, "expiresIn", 900);
    sync_person p = {0};
    sync_person_take(&p, r);
    ok(r);
    r = sync_get(w, p.token, 200, "/api/v1/me");
    sync_assert_text(r, "user.id", p.id);
    ok(r);
    r = sync_get(w, p.token, 200, "/api/v1/spaces");
    sync_assert_count(r, "spaces", 1);
    sync_assert_text(r, "spaces.0.type", "personal");
    sync_assert_text(r, "spaces.0.role", "owner");
    ok(r);
    /* What she writes is hers, by name (L11). */
    ok(sync_post(
        w, p.token, 200, "/sync/todo",
        "{'clientId':'c','changes':[{'table':'t','id':'1','op':'insert','data':{'x':1}}]}"));
    r = sync_get(w, p.token, 200, "/sync/todo/pull");
    char actor[256];
    snprintf(actor, sizeof actor, "{'kind':'user','principalId':'u:%s','displayName':'Dora D.'}",
             p.id);
    sync_assert_json(r, "serverChanges.0.actor", actor);
    ok(r);
    sync_person_free(&p);
}

static void one_signs_in_with_login_or_email_in_any_case(void **state)
{
    const sync_world *w = *state;
    ok(sync_ask(w, "POST", NULL, 201, AUTH "sign-up",
                "{'login':'dora','email':'d@x.org','password':'correct horse'}"));
    ok(sign_in(w, 200, "dora", "correct horse"));
    ok(sign_in(w, 200, "DORA", "correct horse"));
    ok(sign_in(w, 200, "D@X.org", "correct horse"));
    ok(sign_in(w, 401, "dora", "Correct horse"));
    /* Of a login with another person's e-mail nothing comes. */
    ok(sync_ask(w, "POST", NULL, 201, AUTH "sign-up",
                "{'email':'only@x.org','password':'correct horse'}"));
    ok(sign_in(w, 200, "only@x.org", "correct horse"));
    ok(sign_in(w, 401, "only", "correct horse"));
}

static void nobody_is_told_who_has_an_account(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    json_t *wrong = sign_in(w, 401, "dora", "wrong password"),
           *unknown = sign_in(w, 401, "nobody", "wrong password");
    assert_true(json_equal(wrong, unknown));
    ok(wrong);
    ok(unknown);
    sync_person_free(&p);
}

static void a_sign_up_tried_again_is_harmless(void **state)
{
    const sync_world *w = *state;
    static const char body[] = "{'login':'dora','email':'d@x.org','password':'correct horse'}";
    json_t *first = sync_ask(w, "POST", NULL, 201, AUTH "sign-up", body),
           *second = sync_ask(w, "POST", NULL, 201, AUTH "sign-up", body);
    assert_string_equal(sync_text(first, "user.id"), sync_text(second, "user.id"));
    json_t *r = sync_get(w, sync_text(second, "accessToken"), 200, "/api/v1/spaces");
    sync_assert_count(r, "spaces", 1);
    ok(r);
    ok(first);
    ok(second);
    /* But it is nobody else's, in no part. */
    static const char *const others[] = {
        "{'login':'dora','email':'d@x.org','password':'another horse'}",
        "{'login':'dora','password':'correct horse'}",
        "{'login':'dora','email':'other@x.org','password':'correct horse'}",
        "{'login':'other','email':'d@x.org','password':'correct horse'}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        r = sync_ask(w, "POST", NULL, 409, AUTH "sign-up", "%s", others[i]);
        sync_assert_text(r, "error.code", "conflict");
        ok(r);
    }
    ok(sign_in(w, 401, "other", "correct horse"));
}

static void L20_fields_are_bounded_and_checked(void **state)
{
    const sync_world *w = *state;
    static const struct {
        const char *body;
        int status;
    } cases[] = {
        {"{'password':'correct horse'}", 400},
        {"{'login':'dora'}", 400},
        {"{'login':'dora','password':null}", 400},
        {"{'login':'dora','password':'7 bytes'}", 400},
        {"{'login':'do ra','password':'correct horse'}", 400},
        {"{'login':'do@ra','password':'correct horse'}", 400},
        {"{'login':'-dora','password':'correct horse'}", 400},
        {"{'login':'d\xc3\xb6ra','password':'correct horse'}", 400},
        {"{'login':7,'password':'correct horse'}", 400},
        {"{'login':{},'password':'correct horse'}", 400},
        {"{'email':'dora','password':'correct horse'}", 400},
        {"{'email':'@','password':'correct horse'}", 400},
        {"{'email':'a@b@c','password':'correct horse'}", 400},
        {"{'email':'a b@c','password':'correct horse'}", 400},
        {"{'login':'dora','password':'correct horse','name':'a\\u0000b'}", 400},
        {"{'login':'dora','password':'correct horse','name':'a\\nb'}", 400},
        {"{'login':'dora','password':'correct horse','device':'\\u001b[2J'}", 400},
        {"{'login':'dora','password':'correct horse'", 400},
        {"{'login':'dora','password':'correct horse'} x", 400},
        {"[]", 400},
        {"", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ok(sync_ask(w, "POST", NULL, cases[i].status, AUTH "sign-up", "%s", cases[i].body));
    static const struct {
        const char *name;
        size_t max;
    } bounds[] = {
        {"login", 64}, {"email", 254}, {"name", 200}, {"device", 200}, {"password", 1024}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        char body[2048], text[1100];
        memset(text, 'x', bounds[i].max + 1);
        text[bounds[i].max + 1] = '\0';
        snprintf(body, sizeof body, "{'login':'dora','password':'correct horse','%s':'%s'}",
                 bounds[i].name, text);
        json_t *r = sync_ask(w, "POST", NULL, 413, AUTH "sign-up", "%s", body);
        assert_non_null(strstr(sync_text(r, "error.detail"), bounds[i].name));
        ok(r);
    }
    char *large = malloc(SG_CALL_BODY_MAX + 2);
    memset(large, ' ', SG_CALL_BODY_MAX + 1);
    ok(sync_post_bytes(w, NULL, 413, AUTH "sign-up", large, SG_CALL_BODY_MAX + 1));
    free(large);
    ok(sign_in(w, 401, "dora", "correct horse"));
}

static void what_looks_like_sql_or_json_is_text(void **state)
{
    const sync_world *w = *state;
    static const char *const texts[] = {"'; DROP TABLE person; --",
                                        "' OR '1'='1",
                                        "\\\"},{\\\"role\\\":\\\"owner\\\"}",
                                        "$1",
                                        "?1",
                                        "%s%n%s",
                                        "<script>alert(1)</script>",
                                        "\xe2\x80\xae\xf0\x9f\x90\xb1",
                                        "NULL"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char body[512], login[16];
        snprintf(login, sizeof login, "user%zu", i);
        /* Quotes of its own: written byte for byte. */
        int n = snprintf(body, sizeof body,
                         "{\"login\":\"%s\",\"password\":\"%s        \",\"name\":\"%s\","
                         "\"device\":\"%s\"}",
                         login, texts[i], texts[i], texts[i]);
        json_t *r = sync_post_bytes(w, NULL, 201, AUTH "sign-up", body, (size_t)n);
        json_t *expected = json_loads(body, 0, NULL);
        sync_assert_text(r, "user.name", sync_text(expected, "name"));
        json_t *list = sync_get(w, sync_text(r, "accessToken"), 200, "/api/v1/sessions");
        sync_assert_text(list, "sessions.0.device", sync_text(expected, "device"));
        ok(list);
        ok(expected);
        ok(r);
        n = snprintf(body, sizeof body, "{\"login\":\"%s\",\"password\":\"%s\"}", texts[i],
                     "correct horse");
        ok(sync_post_bytes(w, NULL, 401, AUTH "sign-in", body, (size_t)n));
        n = snprintf(body, sizeof body, "{\"refreshToken\":\"%s\"}", texts[i]);
        ok(sync_post_bytes(w, NULL, 401, AUTH "refresh", body, (size_t)n));
    }
}

static void sign_up_can_be_switched_off(void **state)
{
    sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    w->config.no_sign_up = true;
    sync_restart(w);
    json_t *r = sync_ask(w, "POST", NULL, 403, AUTH "sign-up",
                         "{'login':'other','password':'correct horse'}");
    assert_non_null(strstr(sync_text(r, "error.detail"), "operator"));
    ok(r);
    ok(sign_in(w, 200, "dora", "correct horse"));
    sync_person_free(&p);
}

static void L20_guesses_are_limited_and_good_attempts_are_not(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora"), q = sync_sign_up(w, "emil");
    for (unsigned i = 0; i < 2 * SG_ATTEMPTS_PAIR; i++)
        ok(sign_in(w, 200, "dora", "correct horse"));
    for (unsigned i = 0; i < SG_ATTEMPTS_PAIR; i++)
        ok(sign_in(w, 401, "dora", "wrong password"));
    json_t *r = sign_in(w, 429, "Dora", "correct horse");
    sync_assert_text(r, "error.code", "rate_limited");
    ok(r);
    /* Signing up is no way around it, and changing the password none either. */
    ok(sync_ask(w, "POST", NULL, 429, AUTH "sign-up",
                "{'login':'dora','password':'another horse'}"));
    ok(sign_in(w, 200, "emil", "correct horse"));
    for (unsigned i = 0; i < SG_ATTEMPTS_PAIR; i++)
        ok(sync_ask(w, "POST", q.token, 403, AUTH "password",
                    "{'current':'wrong password','password':'another horse'}"));
    ok(sync_ask(w, "POST", q.token, 429, AUTH "password",
                "{'current':'correct horse','password':'another horse'}"));
    sync_person_free(&p);
    sync_person_free(&q);
}

static void one_address_locks_nobody_out_and_many_guess_no_faster(void **state)
{
    (void)state;
    sg_attempts *a = sg_attempts_new(0);
    assert_non_null(a);
    const sg_slice ann = SG_LIT("ann");
    unsigned tried = 0;
    /* An hour of guessing from one address. */
    for (int64_t ms = 0; ms < 3600000; ms += 100)
        tried += sg_attempts_begin(a, ann, SG_LIT("192.0.2.1"), ms);
    assert_in_range(tried, SG_ATTEMPTS_PAIR, SG_ATTEMPTS_PAIR + 60);
    assert_true(sg_attempts_begin(a, ann, SG_LIT("198.51.100.7"), 3600000));
    sg_attempts_good(a, ann, SG_LIT("198.51.100.7"), 3600000);
    /* And a minute of it from a thousand. */
    tried = 0;
    for (int i = 0; i < 60000; i++) {
        char peer[16];
        snprintf(peer, sizeof peer, "10.0.%d.%d", i % 1000 / 250, i % 250);
        tried += sg_attempts_begin(a, ann, sg_slice_str(peer), 3600000 + i);
    }
    assert_in_range(tried, SG_ATTEMPTS_LOGIN / 2, SG_ATTEMPTS_LOGIN + SG_ATTEMPTS_LOGIN_A_MINUTE);
    sg_attempts_free(a);
}

static void L20_accounts_from_one_address_are_limited(void **state)
{
    sync_world *w = *state;
    w->config.sign_ups = 2;
    sync_restart(w);
    sync_person p = sync_sign_up(w, "dora"), q = sync_sign_up(w, "emil");
    json_t *r = sync_ask(w, "POST", NULL, 429, AUTH "sign-up",
                         "{'login':'fred','password':'correct horse'}");
    assert_non_null(strstr(sync_text(r, "error.detail"), "address"));
    ok(r);
    sync_person_free(&p);
    sync_person_free(&q);
}

/* ---- tokens ---- */

static void access_tokens_say_who_and_until_when(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    const char *body = strchr(p.token, '.') + 1;
    sg_buf json;
    sg_buf_init(&json, 4096);
    assert_int_equal(sg_base64url_decode(&json, sg_slice_of(body, strcspn(body, "."))), SG_OK);
    json_t *claims = json_loadb(json.p, json.n, 0, NULL);
    sync_assert_text(claims, "sub", p.id);
    sync_assert_text(claims, "sid", p.session);
    sync_assert_text(claims, "name", "dora");
    sync_assert_text(claims, "iss", "sigla");
    sync_assert_text(claims, "aud", "sigla");
    assert_int_equal(sync_int(claims, "exp") - sync_int(claims, "iat"), 900);
    assert_null(json_object_get(claims, "dev"));
    ok(claims);
    sg_buf_deinit(&json);
    sync_person_free(&p);
}

static void answers_with_secrets_are_kept_by_nobody_in_between(void **state)
{
    const sync_world *w = *state;
    http_client c = http_connect(&w->http);
    http_say(&c, "POST /api/v1/auth/sign-up HTTP/1.1\r\nHost: t\r\nAccept-Encoding: zstd, gzip\r\n"
                 "Content-Length: 45\r\n\r\n{\"login\":\"dora\",\"password\":\"a correct horse\"}");
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 201);
    assert_string_equal(http_header(&r, "Cache-Control"), "no-store");
    assert_null(http_header(&r, "Content-Encoding"));
    http_reply_free(&r);
    http_close(&c);
}

static void L11_a_copied_refresh_token_ends_the_session(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora"), other = {0};
    json_t *r = sign_in(w, 200, "dora", "correct horse");
    sync_person_take(&other, r);
    ok(r);
    char *stolen = strdup(p.refresh);
    for (int i = 0; i < 3; i++) {
        r = refresh(w, 200, p.refresh);
        sync_assert_text(r, "sessionId", p.session);
        sync_assert_text(r, "user.id", p.id);
        assert_string_not_equal(sync_text(r, "refreshToken"), p.refresh);
        sync_person_take(&p, r);
        ok(r);
    }
    ok(sync_get(w, p.token, 200, "/api/v1/me"));
    r = refresh(w, 401, stolen);
    sync_assert_text(r, "error.code", "unauthorized");
    ok(r);
    /* The owner's own tokens of that session end with it, at once; other sessions do not. */
    ok(refresh(w, 401, p.refresh));
    r = sync_get(w, p.token, 401, "/api/v1/me");
    assert_non_null(strstr(sync_text(r, "error.detail"), "session"));
    ok(r);
    ok(sync_get(w, p.token, 401, "/sync/todo/pull"));
    ok(sync_get(w, other.token, 200, "/api/v1/me"));
    ok(refresh(w, 200, other.refresh));
    free(stolen);
    sync_person_free(&p);
    sync_person_free(&other);
}

static void a_refresh_whose_answer_was_lost_works_again(void **state)
{
    sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    json_t *lost = refresh(w, 200, p.refresh), *found = refresh(w, 200, p.refresh);
    char *void_one = strdup(sync_text(lost, "refreshToken"));
    sync_person_take(&p, found);
    ok(lost);
    ok(found);
    sync_restart(w);
    json_t *r = refresh(w, 200, p.refresh);
    sync_person_take(&p, r);
    ok(r);
    ok(sync_get(w, p.token, 200, "/api/v1/me"));
    ok(refresh(w, 401, void_one));
    ok(refresh(w, 401, p.refresh));
    free(void_one);
    sync_person_free(&p);
}

static void a_token_that_was_never_given_ends_nothing(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    char *bad = strdup(p.refresh);
    bad[6] = bad[6] == 'A' ? 'B' : 'A'; /* another family */
    ok(refresh(w, 401, bad));
    ok(refresh(w, 401, p.session));
    ok(refresh(w, 401, p.token[0] != '\0' ? "sgr_" : ""));
    ok(refresh(w, 413, p.token));
    ok(sync_get(w, p.refresh, 401, "/api/v1/me"));
    ok(refresh(w, 200, p.refresh));
    free(bad);
    sync_person_free(&p);
}

/* ---- sessions ---- */

static void L11_sessions_are_listed_and_ended(void **state)
{
    sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora"), q = sync_sign_up(w, "emil"), phone = {0}, tv = {0};
    json_t *r = sync_ask(w, "POST", NULL, 200, AUTH "sign-in",
                         "{'login':'dora','password':'correct horse','device':'phone'}");
    sync_person_take(&phone, r);
    ok(r);
    r = sign_in(w, 200, "dora", "correct horse");
    sync_person_take(&tv, r);
    ok(r);
    r = sync_get(w, phone.token, 200, "/api/v1/sessions");
    sync_assert_count(r, "sessions", 3);
    size_t current = 0;
    for (size_t i = 0; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof path, "sessions.%zu.current", i);
        if (!json_is_true(sync_at(r, path))) continue;
        current++;
        snprintf(path, sizeof path, "sessions.%zu.device", i);
        sync_assert_text(r, path, "phone");
    }
    assert_int_equal(current, 1);
    ok(r);
    char path[80];
    snprintf(path, sizeof path, "/api/v1/sessions/%s", tv.session);
    ok(sync_ask(w, "DELETE", q.token, 404, path, NULL)); /* nobody else's */
    ok(sync_get(w, tv.token, 200, "/api/v1/me"));
    ok(sync_ask(w, "DELETE", phone.token, 200, path, NULL));
    ok(sync_get(w, tv.token, 401, "/api/v1/me"));
    ok(refresh(w, 401, tv.refresh));
    ok(sync_ask(w, "DELETE", phone.token, 404, path, NULL));
    r = sync_ask(w, "DELETE", phone.token, 200, "/api/v1/sessions", NULL);
    sync_assert_int(r, "sessionsEnded", 1);
    ok(r);
    ok(sync_get(w, p.token, 401, "/api/v1/me"));
    ok(sync_ask(w, "POST", phone.token, 200, AUTH "sign-out", NULL));
    ok(sync_get(w, phone.token, 401, "/api/v1/me"));
    ok(refresh(w, 401, phone.refresh));
    /* A restart lets nobody in again. */
    sync_restart(w);
    ok(sync_get(w, phone.token, 401, "/api/v1/me"));
    ok(sync_get(w, q.token, 200, "/api/v1/me"));
    sync_person_free(&p);
    sync_person_free(&q);
    sync_person_free(&phone);
    sync_person_free(&tv);
}

static void another_password_signs_out_whoever_knew_the_old_one(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora"), thief = {0};
    json_t *r = sign_in(w, 200, "dora", "correct horse");
    sync_person_take(&thief, r);
    ok(r);
    ok(sync_ask(w, "POST", p.token, 403, AUTH "password",
                "{'current':'wrong password','password':'another horse'}"));
    ok(sync_ask(w, "POST", p.token, 400, AUTH "password",
                "{'current':'correct horse','password':'short'}"));
    r = sync_ask(w, "POST", p.token, 200, AUTH "password",
                 "{'current':'correct horse','password':'another horse'}");
    sync_assert_int(r, "sessionsEnded", 1);
    ok(r);
    ok(sync_get(w, thief.token, 401, "/api/v1/me"));
    ok(refresh(w, 401, thief.refresh));
    ok(sync_get(w, p.token, 200, "/api/v1/me"));
    ok(refresh(w, 200, p.refresh));
    ok(sign_in(w, 401, "dora", "correct horse"));
    ok(sign_in(w, 200, "dora", "another horse"));
    sync_person_free(&p);
    sync_person_free(&thief);
}

static void who_has_no_account_has_nothing_of_one(void **state)
{
    const sync_world *w = *state;
    ok(sync_get(w, w->ann, 404, "/api/v1/me")); /* a token for development */
    ok(sync_get(w, NULL, 401, "/api/v1/me"));
    ok(sync_get(w, w->robot, 403, "/api/v1/sessions"));
    ok(sync_ask(w, "POST", w->robot, 403, AUTH "sign-out", NULL));
    ok(sync_ask(w, "POST", w->robot, 403, AUTH "password",
                "{'current':'correct horse','password':'another horse'}"));
    ok(sync_ask(w, "POST", w->ann, 404, AUTH "sign-out", NULL));
    ok(sync_ask(w, "POST", w->ann, 404, AUTH "password",
                "{'current':'correct horse','password':'another horse'}"));
}

static void L20_sessions_that_ended_are_remembered_in_bounded_room(void **state)
{
    (void)state;
    sg_revoked *r = sg_revoked_new();
    assert_non_null(r);
    enum { COUNT = 2 * SG_REVOKED_BUCKETS * SG_REVOKED_WAYS };
    char id[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "00000000-0000-7000-8000-%012d", i);
        sg_revoked_add(r, sg_slice_str(id), 1000, 2000);
    }
    size_t innocent = 0;
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "00000000-0000-7000-8000-%012d", i);
        /* Not one of them gets through, whether there was room for it or not. */
        assert_true(sg_revoked_has(r, sg_slice_str(id), 900, 1500));
        snprintf(id, sizeof id, "11111111-0000-7000-8000-%012d", i);
        innocent += !sg_revoked_has(r, sg_slice_str(id), 900, 1500);
        /* Who refreshes gets through. */
        assert_false(sg_revoked_has(r, sg_slice_str(id), 1001, 1500));
    }
    assert_true(innocent < COUNT);
    sg_revoked_free(r);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, sync_setup, sync_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(an_account_is_made_and_its_tokens_sync),
        WITH_WORLD(one_signs_in_with_login_or_email_in_any_case),
        WITH_WORLD(nobody_is_told_who_has_an_account),
        WITH_WORLD(a_sign_up_tried_again_is_harmless),
        WITH_WORLD(L20_fields_are_bounded_and_checked),
        WITH_WORLD(what_looks_like_sql_or_json_is_text),
        WITH_WORLD(sign_up_can_be_switched_off),
        WITH_WORLD(L20_guesses_are_limited_and_good_attempts_are_not),
        cmocka_unit_test(one_address_locks_nobody_out_and_many_guess_no_faster),
        WITH_WORLD(L20_accounts_from_one_address_are_limited),
        WITH_WORLD(access_tokens_say_who_and_until_when),
        WITH_WORLD(answers_with_secrets_are_kept_by_nobody_in_between),
        WITH_WORLD(L11_a_copied_refresh_token_ends_the_session),
        WITH_WORLD(a_refresh_whose_answer_was_lost_works_again),
        WITH_WORLD(a_token_that_was_never_given_ends_nothing),
        WITH_WORLD(L11_sessions_are_listed_and_ended),
        WITH_WORLD(another_password_signs_out_whoever_knew_the_old_one),
        WITH_WORLD(who_has_no_account_has_nothing_of_one),
        cmocka_unit_test(L20_sessions_that_ended_are_remembered_in_bounded_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
