#include "sync_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/now.h"

/* ---- life ---- */

void sync_config(sync_world *w)
{
    *w = (sync_world){0};
    sg_server_config_init(&w->config);
    w->config.dev = true;
    w->config.tombstone_age_us = 0;
    w->config.history_age_us = 0;
    w->config.sign_ups = 0;
}

void sync_resume(sync_world *w)
{
    const char *problem;
    size_t n;
    w->config.dir = w->listen_dir;
    int err = sg_server_new(&w->config, &w->server, &problem);
    if (err != SG_OK) fail_msg("cannot %s: %s", problem, sg_err_code(err));
    const sg_http_route *routes = sg_server_routes(w->server, &n);
    http_start(&w->http, NULL, routes, n);
    sg_server_attach(w->server, w->http.http);
}

void sync_start(sync_world *w)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof w->dir, "%s/sync-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof w->dir - 13 ? tmp : "/tmp");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->listen_dir, sizeof w->listen_dir, "%s/data", w->dir);
    sync_resume(w);
    w->ann = sync_token(w, "ann", NULL);
    w->bob = sync_token(w, "bob", NULL);
    w->robot = sync_token(w, "ann", "planner");
}

void sync_halt(sync_world *w)
{
    sg_http_server_stop(w->http.server);
    http_join(&w->http);
    sg_server_free(w->server);
    sg_http_server_free(w->http.server);
    w->server = NULL;
}

void sync_restart(sync_world *w)
{
    sync_halt(w);
    sync_resume(w);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void sync_stop(sync_world *w)
{
    if (w->server != NULL) sync_halt(w);
    free(w->ann);
    free(w->bob);
    free(w->robot);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *sync_token(const sync_world *w, const char *user, const char *agent)
{
    int64_t now_s = sg_now_us() / 1000000;
    const sg_claims claims = {.user = sg_slice_str(user),
                              .agent = sg_slice_str(agent),
                              .expires_s = now_s + 3600,
                              .dev = true};
    sg_buf b;
    sg_buf_init(&b, SG_TOKEN_MAX);
    assert_int_equal(sg_token_make(w->server->key, &claims, now_s, &b), SG_OK);
    char *text = strdup(sg_buf_cstr(&b));
    sg_buf_deinit(&b);
    return text;
}

/* ---- requests ---- */

char *sync_quotes(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'') *p = '"';
    return copy;
}

static json_t *parse(const char *text, size_t n)
{
    json_error_t error;
    json_t *root = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (root == NULL) fail_msg("not JSON: %s at %d in %s", error.text, error.position, text);
    return root;
}

static json_t *exchange(const sync_world *w, const sg_buf *request, int status)
{
    http_client c = http_connect(&w->http);
    http_send(&c, request->p, request->n);
    http_reply r = http_read(&c);
    if (r.status != status) fail_msg("status %d, not %d: %s", r.status, status, r.body);
    json_t *root = parse(r.body, r.body_len);
    http_reply_free(&r);
    http_close(&c);
    return root;
}

static void put_head(sg_buf *b, const char *method, const char *path, const char *token, size_t n)
{
    sg_buf_str(b, method);
    sg_buf_str(b, " ");
    sg_buf_str(b, path);
    sg_buf_str(b, " HTTP/1.1\r\nHost: test\r\n");
    if (token != NULL) {
        sg_buf_str(b, "Authorization: Bearer ");
        sg_buf_str(b, token);
        sg_buf_str(b, "\r\n");
    }
    if (n != 0) {
        sg_buf_str(b, "Content-Length: ");
        sg_buf_int(b, (int64_t)n);
        sg_buf_str(b, "\r\n");
    }
    sg_buf_str(b, "\r\n");
}

static char *format(const char *text, va_list args)
{
    char *out = NULL;
    if (vasprintf(&out, text, args) < 0) fail();
    return out;
}

json_t *sync_get(const sync_world *w, const char *token, int status, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    char *full = format(path, args);
    va_end(args);
    sg_buf b;
    sg_buf_init(&b, SIZE_MAX / 2);
    put_head(&b, "GET", full, token, 0);
    json_t *root = exchange(w, &b, status);
    sg_buf_deinit(&b);
    free(full);
    return root;
}

json_t *sync_post_bytes(const sync_world *w, const char *token, int status, const char *path,
                        const char *bytes, size_t n)
{
    sg_buf b;
    sg_buf_init(&b, SIZE_MAX / 2);
    put_head(&b, "POST", path, token, n);
    sg_buf_put(&b, bytes, n);
    json_t *root = exchange(w, &b, status);
    sg_buf_deinit(&b);
    return root;
}

json_t *sync_post(const sync_world *w, const char *token, int status, const char *path,
                  const char *body, ...)
{
    va_list args;
    va_start(args, body);
    char *text = format(body, args);
    va_end(args);
    char *quoted = sync_quotes(text);
    json_t *root = sync_post_bytes(w, token, status, path, quoted, strlen(quoted));
    free(quoted);
    free(text);
    return root;
}

json_t *sync_ask(const sync_world *w, const char *method, const char *token, int status,
                 const char *path, const char *body, ...)
{
    sg_buf b;
    char *quoted = NULL;
    if (body != NULL) {
        va_list args;
        va_start(args, body);
        char *text = format(body, args);
        va_end(args);
        quoted = sync_quotes(text);
        free(text);
    }
    size_t n = quoted != NULL ? strlen(quoted) : 0;
    sg_buf_init(&b, SIZE_MAX / 2);
    put_head(&b, method, path, token, n);
    sg_buf_put(&b, quoted, n);
    json_t *root = exchange(w, &b, status);
    sg_buf_deinit(&b);
    free(quoted);
    return root;
}

void sync_person_take(sync_person *p, const json_t *answer)
{
    free(p->token);
    free(p->refresh);
    p->token = strdup(sync_text(answer, "accessToken"));
    p->refresh = strdup(sync_text(answer, "refreshToken"));
    snprintf(p->id, sizeof p->id, "%s", sync_text(answer, "user.id"));
    snprintf(p->session, sizeof p->session, "%s", sync_text(answer, "sessionId"));
}

sync_person sync_sign_up(const sync_world *w, const char *login)
{
    sync_person p = {0};
    json_t *r = sync_ask(w, "POST", NULL, 201, "/api/v1/auth/sign-up",
                         "{'login':'%s','password':'correct horse'}", login);
    sync_person_take(&p, r);
    json_decref(r);
    return p;
}

void sync_person_free(sync_person *p)
{
    free(p->token);
    free(p->refresh);
    *p = (sync_person){0};
}

http_client sync_stream(const sync_world *w, const char *token, const char *path, ...)
{
    va_list args;
    va_start(args, path);
    char *full = format(path, args);
    va_end(args);
    sg_buf b;
    sg_buf_init(&b, SIZE_MAX / 2);
    put_head(&b, "GET", full, token, 0);
    http_client c = http_connect(&w->http);
    http_send(&c, b.p, b.n);
    char *head = http_until(&c, "\r\n\r\n");
    assert_non_null(head);
    if (strstr(head, " 200 ") == NULL) fail_msg("no stream: %s", head);
    free(head);
    sg_buf_deinit(&b);
    free(full);
    return c;
}

/* The value of a line "name: value", freed by the caller. */
static char *line_of(const char *event, const char *name)
{
    const char *p = event;
    size_t n = strlen(name);
    while (p != NULL && strncmp(p, name, n) != 0) {
        p = strchr(p, '\n');
        if (p != NULL) p++;
    }
    return p != NULL ? strndup(p + n, strcspn(p + n, "\n")) : NULL;
}

static void give(char *text, char **to)
{
    if (to != NULL)
        *to = text;
    else
        free(text);
}

json_t *sync_event(http_client *c, char **name, char **id)
{
    for (;;) {
        char *event = http_until(c, "\n\n");
        if (event == NULL) {
            give(strdup("end"), name);
            give(NULL, id);
            return NULL;
        }
        char *kind = line_of(event, "event: "), *data = line_of(event, "data: ");
        json_t *root = kind != NULL && data != NULL ? parse(data, strlen(data)) : NULL;
        if (kind != NULL) {
            give(kind, name);
            give(line_of(event, "id: "), id);
        }
        free(data);
        free(event);
        if (kind != NULL) return root; /* else a comment */
    }
}

/* ---- answers ---- */

const json_t *sync_at(const json_t *root, const char *path)
{
    char part[128];
    const json_t *at = root;
    for (const char *p = path; *p != '\0' && at != NULL;) {
        size_t n = strcspn(p, ".");
        snprintf(part, sizeof part, "%.*s", (int)n, p);
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(part)) : json_object_get(at, part);
        p += n + (p[n] == '.');
    }
    if (at == NULL) {
        char *text = json_dumps(root, JSON_ENCODE_ANY);
        fail_msg("there is no %s in %s", path, text);
    }
    return at;
}

int64_t sync_int(const json_t *root, const char *path)
{
    const json_t *v = sync_at(root, path);
    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

const char *sync_text(const json_t *root, const char *path)
{
    const json_t *v = sync_at(root, path);
    assert_true(json_is_string(v));
    return json_string_value(v);
}

size_t sync_count(const json_t *root, const char *path)
{
    const json_t *v = sync_at(root, path);
    return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

static void differ(const json_t *root, const char *path, const char *got, const char *expected)
{
    char *text = json_dumps(root, JSON_ENCODE_ANY);
    fail_msg("%s is %s, not %s, in %s", path, got, expected, text);
}

void sync_assert_json(const json_t *root, const char *path, const char *expected)
{
    char *got = json_dumps(sync_at(root, path), JSON_ENCODE_ANY | JSON_COMPACT);
    char *quoted = sync_quotes(expected);
    if (strcmp(got, quoted) != 0) differ(root, path, got, quoted);
    free(got);
    free(quoted);
}

void sync_assert_int(const json_t *root, const char *path, int64_t expected)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)expected);
    sync_assert_json(root, path, text);
}

void sync_assert_text(const json_t *root, const char *path, const char *expected)
{
    const char *got = sync_text(root, path);
    if (strcmp(got, expected) != 0) differ(root, path, got, expected);
}

void sync_assert_count(const json_t *root, const char *path, size_t expected)
{
    if (sync_count(root, path) != expected) sync_assert_int(root, path, (int64_t)expected);
}

int sync_setup(void **state)
{
    static sync_world w;
    sync_config(&w);
    sync_start(&w);
    *state = &w;
    return 0;
}

int sync_teardown(void **state)
{
    sync_stop(*state);
    return 0;
}
