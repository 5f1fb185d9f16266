/* GET /ws, GET /ws/{app}: a WebSocket that is told when there is something to pull. */
#include "base/mem.h"
#include "server/routes.h"
#include "wire/json.h"

#define AUTH_DEADLINE_MS 10000u
#define CLOSE_UNAUTHORIZED 4401
#define CLOSE_MALFORMED 1008
#define MESSAGE_TEXT_MAX SG_TOKEN_MAX

/* Waits for its token until it has a subscription. */
typedef struct socket {
    sg_server *server;
    sg_arena arena;
    sg_slice app; /* empty: all of them */
    sg_hub_sub *sub;
} socket;

static int ws_open(void *ctx, const sg_http *http, const sg_http_req *req, void **user)
{
    socket *s = sg_zalloc(sizeof *s);
    if (s == NULL) return SG_NOMEM;
    s->server = ctx;
    sg_arena_init(&s->arena);
    int err = SG_OK;
    sg_buf scratch;
    sg_slice app;
    sg_buf_init(&scratch, 4 * SG_APP_MAX);
    if (req->param_count != 0) {
        bool good = sg_http_param(req, 0, &scratch, &app) && sg_app_good(app);
        err = good ? SG_OK : SG_BADREQUEST;
        if (good) s->app = sg_arena_copy(&s->arena, app, &err);
    }
    sg_buf_deinit(&scratch);
    if (err != SG_OK) {
        sg_arena_deinit(&s->arena);
        sg_free(s);
        return err;
    }
    sg_http_ws_deadline(http, req->id, AUTH_DEADLINE_MS);
    *user = s;
    return SG_OK;
}

static void say(const sg_http *http, uint64_t id, const char *text)
{
    sg_block *b = sg_block_new(sg_slice_str(text));
    if (b != NULL) sg_http_send(http, id, b);
    sg_block_unref(b);
}

/* ---- messages ---- */

typedef struct message {
    sg_slice type;
    sg_slice token;
    sg_slice client;
} message;

static sg_slice read_text(sg_json *j, sg_arena *arena)
{
    sg_buf scratch;
    int err = SG_OK;
    sg_buf_init(&scratch, MESSAGE_TEXT_MAX);
    sg_slice text = sg_arena_copy(arena, sg_json_string(j, &scratch), &err);
    sg_buf_deinit(&scratch);
    if (err != SG_OK) sg_json_fail(j, err);
    return text;
}

static bool read_message(sg_slice text, sg_arena *arena, message *m)
{
    sg_json j;
    *m = (message){0};
    sg_json_init(&j, text);
    (void)sg_json_object(&j);
    for (sg_slice key; sg_json_next_key(&j, &key);) {
        if (sg_slice_eq(key, SG_LIT("type")))
            m->type = read_text(&j, arena);
        else if (sg_slice_eq(key, SG_LIT("token")))
            m->token = read_text(&j, arena);
        else if (sg_slice_eq(key, SG_LIT("clientId")) && sg_json_peek(&j) == SG_JSON_STRING)
            m->client = read_text(&j, arena);
        else
            (void)sg_json_skip(&j);
    }
    return sg_json_end(&j);
}

static void sign_in(socket *s, const sg_http *http, uint64_t id, const message *m)
{
    int err;
    const char *why;
    const sg_claims *claims = sg_auth_token(s->server->auth, m->token, &err, &why);
    if (claims == NULL) {
        sg_http_close(http, id, CLOSE_UNAUTHORIZED);
        return;
    }
    sg_buf scope;
    sg_buf_init(&scope, SG_USER_MAX + 2);
    sg_buf_str(&scope, "u:");
    sg_buf_slice(&scope, claims->user);
    if (scope.err == SG_OK)
        s->sub = sg_hub_socket(s->server->hub, http, id, sg_buf_view(&scope), s->app, m->client);
    sg_buf_deinit(&scope);
    if (s->sub == NULL) {
        sg_http_close(http, id, 1011);
        return;
    }
    sg_http_ws_deadline(http, id, 0);
    say(http, id, "{\"type\":\"auth-ok\"}");
}

static void ws_text(void *user, const sg_http *http, uint64_t id, sg_slice text)
{
    socket *s = user;
    message m;
    sg_arena arena;
    sg_arena_init(&arena);
    if (!read_message(text, &arena, &m))
        sg_http_close(http, id, CLOSE_MALFORMED);
    else if (sg_slice_eq(m.type, SG_LIT("ping")))
        say(http, id, "{\"type\":\"pong\"}");
    else if (s->sub == NULL && sg_slice_eq(m.type, SG_LIT("auth")))
        sign_in(s, http, id, &m);
    else if (s->sub == NULL)
        sg_http_close(http, id, CLOSE_UNAUTHORIZED);
    sg_arena_deinit(&arena);
}

static void ws_closed(void *user, const sg_http *http, uint64_t id, int code)
{
    (void)http;
    (void)id;
    (void)code;
    socket *s = user;
    if (s->sub != NULL) sg_hub_leave(s->sub);
    sg_arena_deinit(&s->arena);
    sg_free(s);
}

const sg_ws_handler sg_route_ws = {ws_open, ws_text, ws_closed};
