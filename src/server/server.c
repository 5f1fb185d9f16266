#include "server/server.h"

#include <unistd.h>

#include "base/mem.h"
#include "server/datadir.h"
#include "server/log.h"
#include "server/now.h"
#include "server/routes.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define STAGED_AGE_US (7 * DAY_US)
#define PURGE_INTERVAL_MAX_US (INT64_C(3600) * 1000000)
#define PURGE_INTERVAL_MIN_US INT64_C(100000)
#define READERS 3u
#define SIGN_UPS_A_MINUTE 20u

void sg_server_config_init(sg_server_config *config)
{
    *config = (sg_server_config){.tombstone_age_us = 90 * DAY_US,
                                 .history_age_us = 365 * DAY_US,
                                 .threads = READERS,
                                 .sign_ups = SIGN_UPS_A_MINUTE,
                                 .staged_changes_max = SG_STAGED_CHANGES_MAX,
                                 .staged_bytes_max = SG_STAGED_BYTES_MAX};
}

/* ---- what is in the directory ---- */

static int open_key(sg_server *s)
{
    sg_buf path;
    sg_buf_init(&path, SG_PATH_BYTES_MAX);
    sg_datadir_path(s->config.dir, SG_KEY_FILE, &path);
    const char *name = sg_buf_cstr(&path);
    int err = name != NULL ? sg_key_open(name, &s->key) : path.err;
    sg_buf_deinit(&path);
    return err;
}

static int open_store(sg_server *s)
{
    sg_buf path;
    sg_buf_init(&path, SG_PATH_BYTES_MAX);
    sg_datadir_path(s->config.dir, SG_STORE_FILE, &path);
    const char *name = sg_buf_cstr(&path);
    int err = name != NULL ? sg_store_sqlite_open(name, &s->store) : path.err;
    sg_buf_deinit(&path);
    return err;
}

/* The epoch names one unbroken life of the data: made with the store, and never again. */
static int make_epoch(sg_server *s)
{
    const sg_store_ops *ops = s->store.ops;
    sg_writer *w = ops->writer(s->store.impl);
    char text[SG_EPOCH_TEXT];
    sg_commit newest;
    int err = sg_random(&s->epoch.id, sizeof s->epoch.id);
    sg_epoch_format(s->epoch, text);
    if (err == SG_OK) err = ops->begin(w, &newest);
    if (err == SG_OK) err = ops->put_value(w, "epoch", sg_slice_of(text, sizeof text));
    if (err == SG_OK) err = ops->commit(w, &newest);
    if (err != SG_OK) ops->rollback(w);
    return err;
}

static int load_epoch(sg_server *s)
{
    const sg_store_ops *ops = s->store.ops;
    sg_arena arena;
    sg_slice text;
    sg_arena_init(&arena);
    sg_view *view = ops->writer_view(ops->writer(s->store.impl));
    int err = ops->get_value(view, "epoch", &arena, &text);
    if (err == SG_OK && text.n == 0)
        err = make_epoch(s);
    else if (err == SG_OK)
        err = sg_epoch_parse(text, &s->epoch) == SG_OK ? SG_OK : SG_CORRUPT;
    sg_arena_deinit(&arena);
    return err;
}

static sg_directory reading(const sg_server *s, sg_arena *arena)
{
    const sg_store_ops *ops = s->store.ops;
    return (sg_directory){.store = &s->store,
                          .view = ops->writer_view(ops->writer(s->store.impl)),
                          .now_us = sg_now_us(),
                          .arena = arena};
}

/* Sessions that ended before the server did, while tokens of theirs may still be good. */
static int load_ended(sg_server *s)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_directory d = reading(s, &arena);
    sg_slice *ids;
    size_t n;
    int64_t since_s = d.now_us / 1000000 - SG_TOKEN_TTL_S - 2 * SG_TOKEN_LEEWAY_S;
    int err = sg_session_revoked_since(&d, since_s * 1000000, &ids, &n);
    for (size_t i = 0; err == SG_OK && i < n; i++)
        sg_auth_end(s->auth, ids[i], d.now_us / 1000000);
    sg_arena_deinit(&arena);
    return err;
}

static int look_for_persons(sg_server *s)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_directory d = reading(s, &arena);
    int err = sg_person_any(&d, &s->has_persons);
    sg_arena_deinit(&arena);
    return err;
}

/* ---- routes ---- */

static const sg_http_route route_table[] = {
    {SG_HTTP_POST, "/sync/{app}", sg_route_push, NULL, NULL, SG_BODY_MAX},
    {SG_HTTP_GET, "/sync/{app}/pull", sg_route_pull, NULL, NULL, 0},
    {SG_HTTP_GET, "/sync/{app}/stream", sg_route_stream, NULL, NULL, 0},
    {SG_HTTP_GET, "/ws", NULL, &sg_route_ws, NULL, 0},
    {SG_HTTP_GET, "/ws/{app}", NULL, &sg_route_ws, NULL, 0},
    {SG_HTTP_GET, "/api/v1/apps/{app}/history", sg_route_history, NULL, NULL, 0},
    {SG_HTTP_GET, "/health", sg_route_health, NULL, NULL, 0},
    {SG_HTTP_GET, "/metrics", sg_route_metrics, NULL, NULL, 0},
    {SG_HTTP_GET, "/.well-known/jwks.json", sg_route_jwks, NULL, NULL, 0},
#define CALL(method, pattern, handle)                                                              \
    {                                                                                              \
        SG_HTTP_##method, "/api/v1/" pattern, handle, NULL, NULL, SG_CALL_BODY_MAX                 \
    }
    CALL(POST, "auth/sign-up", sg_route_sign_up),
    CALL(POST, "auth/sign-in", sg_route_sign_in),
    CALL(POST, "auth/refresh", sg_route_refresh),
    CALL(POST, "auth/sign-out", sg_route_sign_out),
    CALL(POST, "auth/password", sg_route_password),
    CALL(GET, "me", sg_route_me),
    CALL(GET, "sessions", sg_route_sessions),
    CALL(DELETE, "sessions", sg_route_sessions_delete),
    CALL(DELETE, "sessions/{id}", sg_route_session_delete),
    CALL(GET, "spaces", sg_route_spaces),
    CALL(POST, "spaces", sg_route_space_new),
    CALL(PATCH, "spaces/{id}", sg_route_space_change),
    CALL(DELETE, "spaces/{id}", sg_route_space_delete),
    CALL(POST, "spaces/{id}/leave", sg_route_leave),
    CALL(POST, "spaces/{id}/invites", sg_route_invite),
    CALL(GET, "spaces/{id}/members", sg_route_members),
    CALL(PATCH, "spaces/{id}/members/{person}", sg_route_member_role),
    CALL(DELETE, "spaces/{id}/members/{person}", sg_route_member_delete),
    CALL(GET, "invites", sg_route_invites),
    CALL(POST, "invites/accept", sg_route_invite_accept),
    CALL(DELETE, "invites/{id}", sg_route_invite_delete),
#undef CALL
};

static int make_routes(sg_server *s)
{
    s->route_count = sizeof route_table / sizeof *route_table;
    s->routes = sg_alloc(sizeof route_table);
    if (s->routes == NULL) return SG_NOMEM;
    memcpy(s->routes, route_table, sizeof route_table);
    for (size_t i = 0; i < s->route_count; i++)
        s->routes[i].ctx = s;
    return SG_OK;
}

const sg_http_route *sg_server_routes(const sg_server *s, size_t *count)
{
    *count = s->route_count;
    return s->routes;
}

/* ---- life ---- */

static void pushes_committed(void *ctx, sg_push *const *pushes, size_t n)
{
    const sg_server *s = ctx;
    sg_hub_committed(s->hub, pushes, n);
}

/* Hourly, or more often where the ages are short. */
static int64_t purge_interval(const sg_server_config *c)
{
    int64_t interval_us = PURGE_INTERVAL_MAX_US;
    if (c->tombstone_age_us != 0 && c->tombstone_age_us / 4 < interval_us)
        interval_us = c->tombstone_age_us / 4;
    if (c->history_age_us != 0 && c->history_age_us / 4 < interval_us)
        interval_us = c->history_age_us / 4;
    return interval_us > PURGE_INTERVAL_MIN_US ? interval_us : PURGE_INTERVAL_MIN_US;
}

static int start(sg_server *s)
{
    const sg_ingest_config ingest = {.store = &s->store,
                                     .tombstone_age_us = s->config.tombstone_age_us,
                                     .history_age_us = s->config.history_age_us,
                                     .staged_age_us = STAGED_AGE_US,
                                     .staged_changes_max = s->config.staged_changes_max,
                                     .staged_bytes_max = s->config.staged_bytes_max,
                                     .purge_interval_us = purge_interval(&s->config),
                                     .ctx = s,
                                     .done = sg_route_push_done,
                                     .committed = pushes_committed};
    s->auth = sg_auth_new(s->key, s->config.dev);
    s->attempts = sg_attempts_new(s->config.sign_ups);
    s->metrics = sg_metrics_new();
    if (s->auth == NULL || s->attempts == NULL || s->metrics == NULL) return SG_NOMEM;
    int err = make_routes(s);
    if (err == SG_OK) err = load_ended(s);
    if (err == SG_OK) err = look_for_persons(s);
    if (err == SG_OK) err = sg_pool_new(&s->store, s->config.threads, &s->pool);
    if (err == SG_OK) err = sg_pool_new(&s->store, SG_HASHERS, &s->hashers);
    if (err == SG_OK) err = sg_hub_new(s->pool, s->epoch, &s->hub);
    if (err == SG_OK) err = sg_ingest_new(&ingest, &s->ingest);
    return err;
}

int sg_server_new(const sg_server_config *config, sg_server **out, const char **problem)
{
    sg_server *s = sg_zalloc(sizeof *s);
    *problem = "start";
    if (s == NULL) return SG_NOMEM;
    s->config = *config;
    s->lock_fd = -1;
    *problem = "keep data";
    int err = sg_datadir_make(config->dir);
    if (err == SG_OK) {
        *problem = "lock the data directory";
        err = sg_datadir_lock(config->dir, &s->lock_fd);
    }
    if (err == SG_OK) {
        *problem = "read or make the signing key";
        err = open_key(s);
    }
    if (err == SG_OK) {
        *problem = "open the database";
        err = open_store(s);
    }
    if (err == SG_OK) err = load_epoch(s);
    if (err == SG_OK) {
        *problem = "start";
        err = start(s);
    }
    if (err == SG_OK)
        *out = s;
    else
        sg_server_free(s);
    return err;
}

void sg_server_attach(sg_server *s, const sg_http *http)
{
    s->http = http;
}

/* First those who hash, whose last tasks the writer still does; then the writer, whose last pushes the
 * pool still answers; then the pool; then what all use. */
void sg_server_free(sg_server *s)
{
    if (s == NULL) return;
    sg_pool_free(s->hashers);
    sg_ingest_free(s->ingest);
    sg_pool_free(s->pool);
    sg_hub_free(s->hub);
    sg_metrics_free(s->metrics);
    sg_attempts_free(s->attempts);
    sg_auth_free(s->auth);
    sg_store_close(&s->store);
    sg_key_free(s->key);
    if (s->lock_fd >= 0) (void)close(s->lock_fd);
    sg_free(s->routes);
    sg_free(s);
}
