#include "sim/sim.h"

#include <stdlib.h>

#include "lib/serve.h"
#include "server/answer.h"
#include "sim/memory.h"
#include "store/history.h"

#define SERVER_PATH "/0/server.db"

static const char *const scopes[SIM_USERS] = {"u:ann", "u:ben"};

static sg_slice scope_of(const sim_device *d)
{
    return sg_slice_str(scopes[d->user]);
}

static sg_slice user_of(const sim_device *d)
{
    return sg_slice_str(scopes[d->user] + 2);
}

void sim_server_start(sim *s)
{
    sim_server *v = &s->server;
    int err = sg_store_sqlite_open(SERVER_PATH, &v->store);
    if (err != SG_OK) sim_fail(s, "L1: the server does not start: %s", sg_err_text(err));
    v->writer = v->store.ops->writer(v->store.impl);
    err = v->store.ops->view_new(v->store.impl, &v->view);
    if (err == SG_OK) v->applier = sg_applier_new(&v->store);
    if (v->applier == NULL) sim_fail(s, "L1: the server does not start: %s", sg_err_text(err));
    v->up = true;
}

void sim_server_stop(sim *s)
{
    sim_server *v = &s->server;
    if (!v->up) return;
    sg_applier_free(v->applier);
    v->applier = NULL;
    v->store.ops->view_free(v->view);
    sg_store_close(&v->store);
    v->up = false;
}

/* The disk has failed under it: the process dies, or its machine, and starts again. */
static int crash(sim *s)
{
    sim_server_stop(s);
    s->counters->crashes++;
    if (s->server.power) {
        s->counters->power_losses++;
        disk_power_loss(SIM_SERVER_DISK, &s->g);
    } else {
        disk_revive(SIM_SERVER_DISK);
    }
    sim_server_start(s);
    return -1;
}

static bool excused(void)
{
    return disk_failed(SIM_SERVER_DISK);
}

/* What a small server would send at once: pages of a record or a few, so that their boundaries lie
 * everywhere. */
static size_t page_limit(sim *s)
{
    if (s->watch != NULL) return SG_PAGE_RECORDS_MAX;
    return prng_below(&s->g, 3) == 0 ? 1 + (size_t)prng_below(&s->g, 3) : SG_PAGE_RECORDS_MAX;
}

/* ---- a push ---- */

static sim_sent sent(const sg_push *p, int64_t n)
{
    sim_sent what = {p->client, n, -1};
    for (size_t i = 0; i < p->count; i++)
        if (p->changes[i].c.n == n) what.at = p->changes[i].c.at_us;
    return what;
}

static void note(sim *s, sim_device *from, const sg_push *p)
{
    const sg_push_result *r = &p->result;
    for (size_t i = 0; i < r->restamp_count; i++) {
        sim_sent what = sent(p, r->restamps[i].n);
        sim_restamped(s, from, &what, r->restamps[i].at_us);
    }
    for (size_t i = 0; i < r->ack_count; i++)
        for (int64_t k = 0; k < r->acks[i].count; k++) {
            sim_sent what = sent(p, r->acks[i].n + k);
            sim_committed(s, from, &what, r->acks[i].seq + k);
        }
    for (size_t i = 0; i < r->refusal_count; i++)
        for (int64_t k = 0; k < r->refusals[i].count; k++) {
            sim_sent what = sent(p, r->refusals[i].n + k);
            sim_refused(s, from, &what, r->refusals[i].message);
        }
}

/* A change is committed under that number: this one, perhaps under another time, which nobody has been
 * told yet; or one that another copy of the database has sent. */
static int look_up_committed(sim *s, sim_device *from, const sim_sent *what, int64_t seq)
{
    const sg_store_ops *ops = s->server.store.ops;
    sg_history_row row;
    sg_history h = {.at_us = what->at};
    bool found;
    sg_arena arena;
    sg_arena_init(&arena);
    int err = ops->get_history(ops->writer_view(s->server.writer), seq, &row, &found);
    if (err == SG_OK && found) err = sg_history_unpack(&h, row.data, &arena);
    int64_t at = h.at_us;
    for (size_t i = 0; i < h.count; i++)
        if (h.fields[i].at_us > at) at = h.fields[i].at_us;
    if (err == SG_OK && h.restamped) sim_restamped(s, from, what, at);
    if (err == SG_OK && (h.restamped || h.at_us == what->at)) sim_committed(s, from, what, seq);
    sg_arena_deinit(&arena);
    return err;
}

/* What became of a push whose commit failed: both are allowed, but it must be known from here on. */
static void look_up(sim *s, sim_device *from, const sg_push *p)
{
    sim_server *v = &s->server;
    const sg_store_ops *ops = v->store.ops;
    sg_commit newest;
    sg_feed feed;
    uint32_t client;
    sg_client_state state;
    sg_slice scope = p->scope, app = p->app, name = p->client;
    int err = ops->begin(v->writer, &newest);
    if (err == SG_OK) err = ops->intern(v->writer, SG_TEXT_OF_SCOPE, &scope, 1, &feed.scope);
    if (err == SG_OK) err = ops->intern(v->writer, SG_TEXT_OF_APP, &app, 1, &feed.app);
    if (err == SG_OK) err = ops->intern(v->writer, SG_TEXT_OF_CLIENT, &name, 1, &client);
    if (err == SG_OK) err = ops->load_client(v->writer, feed, client, &state);
    for (size_t i = 0; i < p->count && err == SG_OK; i++) {
        int64_t n = p->changes[i].c.n;
        sg_answered was;
        if (n > state.max_n) continue;
        err = ops->answered(v->writer, &state, n, &was);
        sim_sent what = sent(p, n);
        if (err == SG_OK && was.kind == SG_ANSWER_ACK && was.seq != 0)
            err = look_up_committed(s, from, &what, was.seq + n - was.n);
        if (err == SG_OK && was.kind == SG_ANSWER_REFUSED) sim_refused(s, from, &what, was.message);
    }
    ops->rollback(v->writer);
    if (err != SG_OK) sim_fail(s, "L1: the server cannot be read: %s", sg_err_text(err));
}

/* Nothing of it has been committed, or all of it. A server that lacks memory says so and goes on. */
static int failed(sim *s, sim_device *from, const sg_push *p, int err)
{
    bool short_of_memory = memory_failed();
    memory_fail(0, 0);
    if (short_of_memory) {
        s->counters->memory_errors++;
        s->server.store.ops->rollback(s->server.writer);
        look_up(s, from, p);
        return err;
    }
    if (!excused()) sim_fail(s, "the server cannot apply a push: %s", sg_err_text(err));
    s->counters->disk_errors++;
    crash(s);
    look_up(s, from, p);
    return -1;
}

typedef struct asked {
    sim *s;
    sim_device *from;
} asked;

static int commit(void *ctx, sg_push *p)
{
    const asked *a = ctx;
    sim *s = a->s;
    sim_server *v = &s->server;
    sg_commit newest;
    int err = v->store.ops->begin(v->writer, &newest);
    if (err == SG_OK) {
        sg_applier_begin(v->applier, &newest, s->now_us);
        err = sg_apply_push(v->applier, p);
    }
    if (err == SG_OK && p->result.err != SG_OK) {
        v->store.ops->rollback(v->writer);
        return p->result.err;
    }
    if (err == SG_OK) err = v->store.ops->commit(v->writer, &v->applier->newest);
    if (err != SG_OK) return failed(s, a->from, p, err);
    note(s, a->from, p);
    s->counters->commits++;
    return SG_OK;
}

/* ---- requests ---- */

static serve serve_for(sim *s, asked *a)
{
    serve v = {.store = &s->server.store,
               .view = s->server.view,
               .epoch = s->server.epoch,
               .now_us = s->now_us,
               .claims = {.user = user_of(a->from)},
               .scope = scope_of(a->from),
               .limit = page_limit(s),
               .commit = commit,
               .ctx = a};
    if (a->from->agent) v.claims.agent = SG_LIT(SIM_AGENT);
    s->counters->pages++;
    return v;
}

static void arm_memory(sim *s)
{
    if (!s->server.memory) return;
    s->server.memory = false;
    size_t n = 1 + (size_t)prng_below(&s->g, 300);
    if (prng_below(&s->g, 2) == 0)
        memory_fail(n, 0);
    else
        memory_fail(0, n);
}

int sim_server_request(sim *s, sim_device *from, bool post, const char *url, sg_slice body,
                       sg_buf *out)
{
    s->now_us += s->tick_us;
    s->counters->requests++;
    asked a = {s, from};
    serve v = serve_for(s, &a);
    arm_memory(s);
    if (s->watch != NULL) s->watch->asked(from);
    int status = serve_request(&v, post ? "POST" : "GET", url, body, out);
    if (s->watch != NULL) s->watch->answered(from, status, body, sg_buf_view(out));
    memory_fail(0, 0);
    sim_trace("device %d: %s %.*s -> %d %.*s", from->index, url, (int)body.n, body.p, status,
              (int)out->n, out->p);
    return status;
}

/* ---- streams ---- */

int sim_server_event(sim *s, sim_device *d, sg_buf *out)
{
    asked a = {s, d};
    serve v = serve_for(s, &a);
    sg_arena arena;
    sg_arena_init(&arena);
    sg_delta_page page = {0};
    int err =
        serve_page(&v, SG_LIT("default"), sg_slice_str(d->client), d->stream_at, &arena, &page);
    sg_buf_clear(out);
    if (err == SG_RESYNC) sg_buf_str(out, "event: resync\ndata: {}\n\n");
    if (err == SG_OK && (page.more || page.until.seq > d->stream_at.seq)) {
        char id[SG_CURSOR_TEXT];
        size_t n = sg_cursor_format(page.until, s->server.epoch, id);
        sg_buf_str(out, "id: ");
        sg_buf_put(out, id, n);
        sg_buf_str(out, "\nevent: changes\ndata: ");
        sg_answer_page(&page, s->server.epoch, s->now_us, out);
        sg_buf_str(out, "\n\n");
        d->stream_at = page.until;
        s->counters->events++;
        sim_trace("event for device %d: %.*s", d->index, (int)out->n, out->p);
    }
    sg_delta_deinit(&page);
    sg_arena_deinit(&arena);
    return err;
}

/* ---- its own life ---- */

int64_t sim_server_newest(sim *s)
{
    sim_server *v = &s->server;
    int64_t newest = 0;
    int err = v->store.ops->view_begin(v->view, &newest);
    v->store.ops->view_end(v->view);
    if (err != SG_OK) sim_fail(s, "L1: the server cannot be read: %s", sg_err_text(err));
    return newest;
}

void sim_server_purge(sim *s)
{
    sim_server *v = &s->server;
    s->now_us += 1000000;
    const sg_purge what = {.tombstones_before_us = s->now_us,
                           .history_before_us = s->now_us,
                           .staged_before_us = s->now_us,
                           .limit = 100000};
    sg_purged done;
    sg_commit newest;
    int err = v->store.ops->begin(v->writer, &newest);
    if (err == SG_OK) err = v->store.ops->purge(v->writer, &what, &done);
    if (err == SG_OK) err = v->store.ops->commit(v->writer, &newest);
    if (err == SG_OK) return;
    if (!excused()) sim_fail(s, "the server cannot purge: %s", sg_err_text(err));
    crash(s);
}
