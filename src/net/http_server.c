#include "net/http_server.h"

#include <sys/resource.h>

#include "base/mem.h"
#include "net/server.h"

#define FILES_RESERVED 64u /* descriptors left for the database and the rest of the program */

void sg_http_config_init(sg_http_config *config)
{
    *config = (sg_http_config){
        .host = "127.0.0.1",
        .max_connections = 10000,
        .max_in_flight = 1024,
        .max_body = 10u * 1024u * 1024u,
        .stream_backlog = 1024u * 1024u,
        .ws_backlog = 256u * 1024u,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 60000,
        .idle_timeout_ms = 75000,
        .answer_timeout_ms = 120000,
        .write_timeout_ms = 60000,
        .heartbeat_ms = 30000,
        .stop_timeout_ms = 5000,
    };
}

/* A limit that descriptors run out below would be none. */
static void fit_descriptors(sg_http_config *config)
{
    struct rlimit files;
    if (config->max_connections > SG_HTTP_MAX_CONNECTIONS) return; /* sg_net_init refuses it */
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return;
    rlim_t max = files.rlim_cur;
    max = max > 2 * FILES_RESERVED ? max - FILES_RESERVED : (max + 1) / 2;
    if (config->max_connections > max) config->max_connections = (uint32_t)max;
}

/* ---- events ---- */

static void on_async(uv_async_t *handle)
{
    sg_http_server *server = handle->data;
    sg_server_now(server);
    sg_net_drain(&server->net);
    if (!atomic_load(&server->stop) || server->net.stopping) return;
    sg_listeners_close(server);
    sg_net_stop(&server->net);
}

static void on_timer(uv_timer_t *handle)
{
    sg_http_server *server = handle->data;
    sg_server_now(server);
    sg_listeners_tick(server);
    sg_net_tick(&server->net);
}

/* Before the loop waits: is there anything to wait for? */
static void on_prepare(uv_prepare_t *handle)
{
    sg_http_server *server = handle->data;
    if (server->net.stopping && server->net.slots.count == 0) uv_stop(&server->loop);
}

/* ---- life ---- */

static int init_handles(sg_http_server *server)
{
    int rc = uv_async_init(&server->loop, &server->async, on_async);
    if (rc == 0) rc = uv_timer_init(&server->loop, &server->timer);
    if (rc == 0) rc = uv_prepare_init(&server->loop, &server->prepare);
    if (rc != 0) return SG_NOMEM;
    server->async.data = server;
    server->timer.data = server;
    server->prepare.data = server;
    return SG_OK;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void deinit_loop(sg_http_server *server)
{
    sg_listeners_close(server);
    uv_walk(&server->loop, close_handle, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT); /* the closing, and what the thread pool still does */
    uv_loop_close(&server->loop);
}

int sg_http_server_new(const sg_http_config *config, const sg_http_route *routes,
                       size_t route_count, sg_http_server **out)
{
    *out = NULL;
    sg_http_server *server = sg_zalloc(sizeof *server);
    if (server == NULL) return SG_NOMEM;
    sg_http_config fitted = *config;
    fit_descriptors(&fitted);
    int err = sg_net_init(&server->net, &fitted, routes, route_count, &sg_link_transport);
    if (err != SG_OK) {
        sg_free(server);
        return err;
    }
    if (uv_loop_init(&server->loop) != 0) {
        sg_net_deinit(&server->net);
        sg_free(server);
        return SG_NOMEM;
    }
    err = init_handles(server);
    if (err == SG_OK) err = sg_listeners_open(server);
    if (err != SG_OK) {
        sg_http_server_free(server);
        return err;
    }
    *out = server;
    return SG_OK;
}

const sg_http *sg_http_server_http(sg_http_server *server)
{
    return &server->net.http;
}

uint16_t sg_http_server_port(const sg_http_server *server)
{
    return server->port;
}

int sg_http_server_run(sg_http_server *server)
{
    uint64_t tick = sg_net_tick_ms(&server->net);
    int rc = uv_timer_start(&server->timer, on_timer, tick, tick);
    if (rc == 0) rc = uv_prepare_start(&server->prepare, on_prepare);
    if (rc != 0) return SG_INTERNAL;
    sg_net_enter(&server->net);
    uv_update_time(&server->loop);
    sg_server_now(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    sg_net_enter(NULL);
    return SG_OK;
}

void sg_http_server_stop(sg_http_server *server)
{
    atomic_store(&server->stop, true);
    uv_async_send(&server->async);
}

void sg_http_server_stats(const sg_http_server *server, sg_http_stats *out)
{
    const sg_net_stats *s = &server->net.stats;
    *out = (sg_http_stats){
        .connections = sg_stat_get(&s->connections),
        .streams = sg_stat_get(&s->streams),
        .websockets = sg_stat_get(&s->websockets),
        .in_flight = sg_stat_get(&s->in_flight),
        .accepted = sg_stat_get(&s->accepted),
        .refused = sg_stat_get(&s->refused),
        .accept_errors = sg_stat_get(&s->accept_errors),
        .requests = sg_stat_get(&s->requests),
        .rejected = sg_stat_get(&s->rejected),
        .late_answers = sg_stat_get(&s->late_answers),
        .resyncs = sg_stat_get(&s->resyncs),
        .bytes_in = sg_stat_get(&s->bytes_in),
        .bytes_out = sg_stat_get(&s->bytes_out),
    };
}

void sg_http_server_free(sg_http_server *server)
{
    if (server == NULL) return;
    sg_net_close_all(&server->net);
    deinit_loop(server);
    sg_net_deinit(&server->net);
    sg_free(server);
}
