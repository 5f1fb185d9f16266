#include "net/net.h"

#include <sys/random.h>

#include "base/mem.h"

#define SG_TICK_MIN_MS 5u
#define SG_TICK_MAX_MS 500u

/* ---- configuration ---- */

static bool is_sane(const sg_http_config *c)
{
    bool counts = c->max_connections != 0 && c->max_connections <= SG_HTTP_MAX_CONNECTIONS &&
                  c->max_in_flight != 0 && c->max_in_flight <= SG_HTTP_MAX_CONNECTIONS;
    bool times = c->head_timeout_ms != 0 && c->body_timeout_ms != 0 && c->idle_timeout_ms != 0 &&
                 c->answer_timeout_ms != 0 && c->write_timeout_ms != 0 && c->heartbeat_ms != 0;
    bool sizes = c->max_body != 0 && c->max_body < SIZE_MAX / 4 && c->stream_backlog != 0 &&
                 c->ws_backlog != 0;
    return counts && times && sizes;
}

static void free_strings(sg_http_config *c)
{
    char **origins = (char **)(uintptr_t)c->origins;
    for (size_t i = 0; origins != NULL && i < c->origin_count; i++)
        sg_free(origins[i]);
    sg_free(origins);
    sg_free((char *)(uintptr_t)c->host);
    c->origins = NULL;
    c->host = NULL;
}

static int copy_config(sg_http_config *to, const sg_http_config *from)
{
    *to = *from;
    to->origins = NULL;
    to->host = sg_strndup(from->host, strlen(from->host));
    if (to->host == NULL) return SG_NOMEM;
    if (from->origins == NULL) return SG_OK;
    char **origins = sg_zalloc((from->origin_count + 1) * sizeof *origins);
    to->origins = (const char *const *)(uintptr_t)origins;
    if (origins == NULL) return SG_NOMEM;
    for (size_t i = 0; i < from->origin_count; i++) {
        origins[i] = sg_strndup(from->origins[i], strlen(from->origins[i]));
        if (origins[i] == NULL) return SG_NOMEM;
    }
    return SG_OK;
}

/* ---- life ---- */

static sg_block *new_refusal(void)
{
    char body_room[256];
    char room[512];
    sg_buf body = {.p = body_room, .cap = sizeof body_room, .max = sizeof body_room};
    sg_buf out = {.p = room, .cap = sizeof room, .max = sizeof room};
    sg_http_error_body(&body, SG_BUSY, SG_LIT("too many connections"));
    sg_buf_str(&out, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                     "Connection: close\r\nRetry-After: 5\r\nContent-Length: ");
    sg_buf_int(&out, (int64_t)body.n);
    sg_buf_str(&out, "\r\n\r\n");
    sg_buf_append(&out, &body);
    return sg_block_new(sg_buf_view(&out));
}

static int init_parts(sg_net *net)
{
    const sg_http_config *config = &net->config;
    net->resync = sg_block_event("resync", SG_LIT(""), SG_LIT("{}"));
    net->shutdown = sg_block_event("shutdown", SG_LIT(""), SG_LIT("{}"));
    net->refusal = new_refusal();
    if (net->resync == NULL || net->shutdown == NULL || net->refusal == NULL) return SG_NOMEM;
    if (config->rate_per_s == 0) return SG_OK;
    net->rate = sg_rate_new(config->rate_per_s, config->rate_burst);
    return net->rate != NULL ? SG_OK : SG_NOMEM;
}

static void free_parts(sg_net *net)
{
    sg_block_unref(net->resync);
    sg_block_unref(net->shutdown);
    sg_block_unref(net->refusal);
    sg_rate_free(net->rate);
    sg_slots_deinit(&net->slots);
    free_strings(&net->config);
}

int sg_net_init(sg_net *net, const sg_http_config *config, const sg_http_route *routes,
                size_t route_count, const sg_transport *io)
{
    memset(net, 0, sizeof *net);
    if (config->host == NULL || !is_sane(config)) return SG_BADREQUEST;
    int err = sg_router_init(&net->router, routes, route_count);
    if (err != SG_OK) return err;
    net->io = io;
    net->http = (sg_http){.ops = &sg_net_ops, .impl = net};
    sg_slots_init(&net->slots);
    /* Only to tell requests apart in logs: without entropy they still differ. */
    if (getrandom(&net->seed, sizeof net->seed, GRND_NONBLOCK) < 0)
        net->seed = (uint64_t)time(NULL);
    err = copy_config(&net->config, config);
    if (err == SG_OK) err = init_parts(net);
    if (err == SG_OK) err = sg_inbox_init(&net->inbox, config->max_in_flight);
    if (err != SG_OK) free_parts(net);
    return err;
}

void sg_net_deinit(sg_net *net)
{
    sg_net_drain(net);
    sg_inbox_deinit(&net->inbox);
    while (net->pool != NULL) {
        sg_exchange *x = net->pool;
        net->pool = x->next;
        sg_free(x);
    }
    free_parts(net);
}

/* ---- what other threads asked for ---- */

void sg_net_dirty(sg_net *net, sg_conn *c)
{
    if (c->is_dirty) return;
    c->is_dirty = true;
    c->next_dirty = net->dirty;
    net->dirty = c;
}

void sg_net_clean(sg_net *net, sg_conn *c)
{
    sg_conn **at = &net->dirty;
    if (!c->is_dirty) return;
    while (*at != c)
        at = &(*at)->next_dirty;
    *at = c->next_dirty;
    c->is_dirty = false;
}

static void flush_dirty(sg_net *net)
{
    while (net->dirty != NULL) {
        sg_conn *c = net->dirty;
        net->dirty = c->next_dirty;
        c->is_dirty = false;
        sg_conn_flush(c);
    }
}

static void drain_reply(sg_net *net, sg_reply *reply)
{
    sg_conn *c = sg_slots_get(&net->slots, reply->id);
    sg_stat_take(&net->stats.in_flight);
    bool waits = c != NULL && c->state == SG_CONN_WAIT;
    if (!waits) {
        sg_stat_add(&net->stats.late_answers, 1);
        if (reply->is_stream && reply->spec.closed != NULL)
            reply->spec.closed(reply->spec.user, reply->id, SG_OK);
        return;
    }
    if (reply->is_stream) {
        sg_sse_open(c, reply);
        return;
    }
    sg_reply_send(c, reply);
    sg_conn_finish(c);
    sg_conn_resume(c);
}

static void send_one(sg_conn *c, sg_block *block)
{
    if (c->state == SG_CONN_STREAM) sg_sse_send(c, block);
    if (c->state == SG_CONN_WS) sg_wsock_send(c, block);
}

static void close_one(sg_conn *c, int code)
{
    if (c->state == SG_CONN_STREAM) sg_sse_finish(c, SG_OK, NULL);
    if (c->state == SG_CONN_WS) sg_wsock_finish(c, code);
}

static void drain_event(sg_net *net, const sg_inbox_event *e)
{
    const uint64_t *ids = sg_inbox_event_ids(e);
    for (size_t i = 0; i < e->n; i++) {
        sg_conn *c = sg_slots_get(&net->slots, ids[i]);
        if (c == NULL) continue;
        if (e->kind == SG_INBOX_SEND) send_one(c, e->block);
        if (e->kind == SG_INBOX_CLOSE) close_one(c, (int)e->arg);
        if (e->kind == SG_INBOX_DEADLINE && c->state == SG_CONN_WS) sg_wsock_deadline(c, e->arg);
    }
}

/* Events were lost, nobody knows whose: all must start again from their cursors. */
static void resync_all(sg_net *net)
{
    for (uint32_t i = 0; i < net->slots.used; i++) {
        sg_conn *c = net->slots.v[i].conn;
        if (c == NULL) continue;
        if (c->state == SG_CONN_STREAM) {
            sg_stat_add(&net->stats.resyncs, 1);
            sg_sse_finish(c, SG_LIMIT, net->resync);
        } else if (c->state == SG_CONN_WS) {
            sg_wsock_finish(c, 1013); /* try again later */
        }
    }
}

void sg_net_drain(sg_net *net)
{
    sg_inbox_batch *batch = sg_inbox_take(&net->inbox);
    for (size_t i = 0; i < batch->reply_count; i++)
        drain_reply(net, &batch->replies[i]);
    for (size_t i = 0; i < batch->event_count; i++)
        drain_event(net, &batch->events[i]);
    if (batch->overflow) resync_all(net);
    sg_inbox_clear(batch);
    flush_dirty(net);
}

/* ---- time and stop ---- */

static uint64_t smaller(uint64_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint64_t sg_net_tick_ms(const sg_net *net)
{
    const sg_http_config *c = &net->config;
    uint64_t least = smaller(c->head_timeout_ms, c->body_timeout_ms);
    least = smaller(smaller(least, c->idle_timeout_ms), c->answer_timeout_ms);
    least = smaller(smaller(least, c->write_timeout_ms), c->heartbeat_ms);
    least = smaller(least, c->stop_timeout_ms);
    uint64_t tick = least / 8;
    return tick < SG_TICK_MIN_MS ? SG_TICK_MIN_MS : smaller(tick, SG_TICK_MAX_MS);
}

void sg_net_close_all(sg_net *net)
{
    for (uint32_t i = 0; i < net->slots.used; i++) {
        if (net->slots.v[i].conn != NULL) sg_conn_close(net->slots.v[i].conn, SG_SHUTDOWN);
    }
}

void sg_net_tick(sg_net *net)
{
    for (uint32_t i = 0; i < net->slots.used; i++) {
        const sg_slot *slot = &net->slots.v[i];
        if (slot->due_ms <= net->now_ms && slot->conn != NULL) sg_conn_expire(slot->conn);
    }
    flush_dirty(net);
    if (net->stopping && net->now_ms >= net->stop_due_ms) sg_net_close_all(net);
}

void sg_net_stop(sg_net *net)
{
    if (net->stopping) return;
    net->stopping = true;
    net->stop_due_ms = net->now_ms + net->config.stop_timeout_ms;
    for (uint32_t i = 0; i < net->slots.used; i++) {
        if (net->slots.v[i].conn != NULL) sg_conn_stop(net->slots.v[i].conn);
    }
    flush_dirty(net);
}

const char *sg_net_date(sg_net *net)
{
    time_t now = time(NULL);
    if (now == net->date_s) return net->date;
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(net->date, sizeof net->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    net->date_s = now;
    return net->date;
}
