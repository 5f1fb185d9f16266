#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sim/memory.h"

#define SYNC_STEPS_MAX 4000
#define AT_ONCE_US INT64_C(500000) /* an answer so quick tells the time */

/* ---- what is on its way ---- */

static sim_message *new_message(sim *s)
{
    for (int i = 0; i < SIM_MESSAGES_MAX; i++)
        if (!s->messages[i].used) {
            sim_message *m = &s->messages[i];
            sg_buf body = m->body;
            *m = (sim_message){.used = true, .body = body};
            if (m->body.max == 0) sg_buf_init(&m->body, (size_t)1 << 26);
            sg_buf_clear(&m->body);
            return m;
        }
    return NULL; /* the network is full: it drops */
}

void sim_drop_messages(sim *s, int device)
{
    for (int i = 0; i < SIM_MESSAGES_MAX; i++)
        if (device < 0 || s->messages[i].device == device) s->messages[i].used = false;
}

/* ---- what comes to a device ---- */

static void after_session(sim_device *d, int err)
{
    sim *s = d->s;
    bool excused = sim_device_excused(d);
    if (!excused) memory_fail(0, 0);
    if (err == SIGLA_OK && !(d->dying && disk_failed(d->index))) {
        /* Nothing happened, or the session has come to terms with it. */
        if (excused) sim_device_recover(d);
        return;
    }
    if (!excused)
        sim_fail(s, "L9: device %d: %s: %s", d->index, sigla_error_text(err),
                 sigla_session_message(d->session));
    if (memory_failed()) s->counters->memory_errors++;
    sim_device_hang_up(d);
    sim_device_recover(d);
}

static void arrive_answer(sim *s, const sim_message *m)
{
    sim_device *d = &s->devices[m->device - 1];
    if (d->session == NULL || d->generation != m->generation || d->request != m->request) {
        s->counters->late++;
        return;
    }
    d->request = 0;
    sim_trace("device %d has its answer", d->index);
    bool at_once = m->status == 200 && s->now_us - d->asked_us < AT_ONCE_US;
    int err = sigla_session_answer(d->session, m->status, 0, m->body.p, m->body.n);
    if (at_once && err == SIGLA_OK && !sim_device_excused(d)) d->timed = true;
    after_session(d, err);
    sim_adopt(d);
    sim_check_device(d);
}

/* ---- what comes to the server ---- */

static void arrive_request(sim *s, const sim_message *m, bool perfect)
{
    sim_device *d = &s->devices[m->device - 1];
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 28);
    int status;
    if (m->cut) {
        /* Its rest never comes: what is there must not be taken for the whole. */
        s->counters->cut++;
        sg_slice part = sg_slice_of(m->body.p, prng_below(&s->g, m->body.n + 1));
        status = sim_server_request(s, d, m->post, m->url, part, &out);
        if (m->post && part.n < m->body.n && status == 200)
            sim_fail(s, "L1: the server took half a request");
        sg_buf_deinit(&out);
        return;
    }
    status = sim_server_request(s, d, m->post, m->url, sg_buf_view(&m->body), &out);
    sim_message *answer = status > 0 ? new_message(s) : NULL;
    bool lost = !perfect && (s->plan->trouble & TROUBLE_NETWORK) && prng_below(&s->g, 6) == 0;
    if (answer != NULL && !lost) {
        answer->answer = true;
        answer->device = m->device;
        answer->generation = m->generation;
        answer->request = m->request;
        answer->status = status;
        sg_buf_slice(&answer->body, sg_buf_view(&out));
        sim_need(s, answer->body.err == SG_OK);
    } else {
        if (answer != NULL) answer->used = false;
        s->counters->lost++;
    }
    sg_buf_deinit(&out);
}

static void arrive(sim *s, sim_message *m, bool perfect)
{
    sim_message now = *m;
    m->used = false;
    if (s->devices[now.device - 1].offline) {
        s->counters->lost++;
        return;
    }
    sg_buf_init(&m->body, (size_t)1 << 26);
    if (now.answer)
        arrive_answer(s, &now);
    else
        arrive_request(s, &now, perfect);
    sg_buf_deinit(&now.body);
}

bool sim_deliver(sim *s, bool perfect)
{
    int waiting[SIM_MESSAGES_MAX], count = 0;
    for (int i = 0; i < SIM_MESSAGES_MAX; i++)
        if (s->messages[i].used) waiting[count++] = i;
    if (count == 0) return false;
    arrive(s, &s->messages[waiting[prng_below(&s->g, (uint64_t)count)]], perfect);
    return true;
}

void sim_give_up(sim_device *d)
{
    if (d->session == NULL || d->request == 0) return;
    d->request = 0;
    after_session(d, sigla_session_lost(d->session));
}

/* ---- what a device sends ---- */

static void send(sim *s, sim_device *d, const sigla_action *a, bool perfect)
{
    unsigned trouble = perfect ? 0 : s->plan->trouble;
    d->request = ++s->requests;
    d->asked_us = s->now_us;
    int copies = 1;
    if ((trouble & TROUBLE_NETWORK) && prng_below(&s->g, 8) == 0) copies = 0;
    if ((trouble & TROUBLE_NETWORK) && prng_below(&s->g, 8) == 0) copies = 2;
    if (d->offline) copies = 0;
    bool cut = (trouble & TROUBLE_CUT) && a->body_bytes != 0 && prng_below(&s->g, 6) == 0;
    if (copies == 0) s->counters->lost++;
    if (copies == 2) s->counters->repeated++;
    for (int i = 0; i < copies; i++) {
        sim_message *m = new_message(s);
        if (m == NULL) return;
        m->device = d->index;
        m->generation = d->generation;
        m->request = d->request;
        m->post = a->method[0] == 'P';
        m->cut = cut;
        snprintf(m->url, sizeof m->url, "%s", a->url);
        sg_buf_put(&m->body, a->body, a->body_bytes);
        if (m->body.err == SG_NOMEM) m->used = false; /* the fault has struck here: it is lost */
        sim_need(s, m->body.err != SG_LIMIT && strlen(a->url) < sizeof m->url);
    }
}

static bool stopped(sim_device *d, const sigla_action *a)
{
    if (!sim_device_excused(d))
        sim_fail(d->s, "L9: device %d stopped: %s: %s", d->index, sigla_error_text(a->error),
                 a->message);
    after_session(d, a->error);
    return true;
}

/* One step of a device's session; false when it has nothing to do. */
static bool step_session(sim *s, sim_device *d, bool perfect)
{
    if (!sim_device_session(d)) {
        after_session(d, SIGLA_IO);
        return true;
    }
    if (d->request != 0) {
        /* It waits; what it waits for may have been lost. */
        for (int i = 0; i < SIM_MESSAGES_MAX; i++)
            if (s->messages[i].used && s->messages[i].device == d->index &&
                s->messages[i].request == d->request && !s->messages[i].cut)
                return true;
        sim_give_up(d);
        return true;
    }
    sigla_action a;
    int err = sigla_session_next(d->session, &a);
    if (err == SIGLA_OK && a.kind == SIGLA_STOP) return stopped(d, &a);
    if (err == SIGLA_OK && a.kind == SIGLA_WAIT) s->now_us += a.wait_ms * 1000;
    if (err == SIGLA_OK && a.kind == SIGLA_REQUEST) send(s, d, &a, perfect);
    bool done = err == SIGLA_OK && a.kind == SIGLA_DONE;
    if (done) sigla_session_wake(d->session);
    after_session(d, err);
    return !done;
}

void sim_talk(sim *s, sim_device *d, bool perfect)
{
    (void)step_session(s, d, perfect);
    sim_adopt(d);
    sim_check_device(d);
}

void sim_sync(sim *s, sim_device *d)
{
    if (d->session != NULL && d->request == 0) sigla_session_wake(d->session);
    for (int i = 0; i < SYNC_STEPS_MAX; i++) {
        if (!step_session(s, d, true)) {
            sim_adopt(d);
            sim_check_device(d);
            return;
        }
        /* What it waits for comes now; the rest stays on its way. */
        for (int k = 0; k < SIM_MESSAGES_MAX; k++) {
            sim_message *m = &s->messages[k];
            if (m->used && m->device == d->index && m->generation == d->generation &&
                m->request == d->request && d->request != 0)
                arrive(s, m, true);
        }
    }
    sim_fail(s, "L9: device %d does not get done", d->index);
}

/* ---- live streams ---- */

static bool open_stream(sim_device *d)
{
    sigla_action a;
    if (d->session == NULL || d->request != 0) return false;
    int err = sigla_session_stream_request(d->session, 0, &a);
    if (err != SIGLA_OK) {
        after_session(d, err);
        return false;
    }
    const char *since = strstr(a.url, "since=");
    sim_need(d->s, since != NULL);
    since += 6;
    err =
        sg_cursor_parse(sg_slice_of(since, strcspn(since, "&")), d->s->server.epoch, &d->stream_at);
    d->streaming = err == SG_OK;
    return d->streaming;
}

static void feed(sim *s, sim_device *d, const sg_buf *event)
{
    size_t at = 0, end = event->n;
    /* It may break anywhere. */
    bool breaks = prng_below(&s->g, 4) == 0;
    if (breaks) end = prng_below(&s->g, event->n + 1);
    while (at < end) {
        size_t part = 1 + prng_below(&s->g, end - at);
        int err = sigla_session_stream(d->session, 0, event->p + at, part);
        if (err != SIGLA_OK || sim_device_excused(d)) {
            if (err == SIGLA_BUSY) err = SIGLA_OK;
            d->streaming = false;
            if (d->session != NULL) sigla_session_stream_end(d->session, 0);
            after_session(d, err);
            return;
        }
        at += part;
    }
    if (breaks) {
        sigla_session_stream_end(d->session, 0);
        d->streaming = false;
    }
}

void sim_stream(sim *s, sim_device *d)
{
    if (d->offline || (!d->streaming && !open_stream(d))) return;
    sg_buf event;
    sg_buf_init(&event, (size_t)1 << 28);
    int err = sim_server_event(s, d, &event);
    if (err != SG_OK && err != SG_RESYNC) sim_fail(s, "no event: %s", sg_err_text(err));
    if (event.n != 0) feed(s, d, &event);
    if (err == SG_RESYNC) d->streaming = false;
    sg_buf_deinit(&event);
    sim_adopt(d);
    sim_check_device(d);
}
