#include "drive.h"

#include "base/err.h"
#include "meter.h"
#include "text.h"

static void keep(char *to, const char *text)
{
    sg_text_copy(to, SG_DRIVE_WHY_BYTES, text != NULL ? text : "");
}

void sg_drive_init(sg_drive *d, sigla_session *session, sg_fetch *fetch, int64_t silence_ms)
{
    *d = (sg_drive){
        .session = session, .fetch = fetch, .silence_ms = silence_ms, .good_ms = sg_meter_now_ms()};
}

static enum sg_drive_state fail(sg_drive *d, int err, const char *why)
{
    d->err = err;
    keep(d->why, why != NULL && why[0] != '\0' ? why : sg_err_text(err));
    return d->state = SG_DRIVE_FAILED;
}

static bool is_servers_failure(int status)
{
    return status == 408 || status == 429 || status >= 500;
}

/* The request has ended: give the session its answer, or tell it that there is none. */
static int hand_over(sg_drive *d, const sg_fetched *f)
{
    d->in_flight = false;
    if (!f->arrived) {
        d->trouble = SG_TROUBLE_NETWORK;
        keep(d->last_failure, f->why);
        return sigla_session_lost(d->session);
    }
    d->trouble = is_servers_failure(f->status) ? SG_TROUBLE_SERVER : SG_TROUBLE_NONE;
    if (d->trouble == SG_TROUBLE_NONE) d->good_ms = sg_meter_now_ms();
    return sigla_session_answer(d->session, f->status, f->retry_after_ms, f->body.p, f->body.n);
}

static enum sg_drive_state obey(sg_drive *d, const sigla_action *a)
{
    int err;
    switch (a->kind) {
    case SIGLA_REQUEST:
        err = sg_fetch_start(d->fetch, a, d->silence_ms);
        if (err != SG_OK) return fail(d, err, NULL);
        d->in_flight = true;
        return d->state = SG_DRIVE_BUSY;
    case SIGLA_WAIT:
        /* Nothing has failed: it only gives us our turn. */
        if (a->error == SIGLA_OK && a->wait_ms == 0) return d->state = SG_DRIVE_BUSY;
        d->pause_until_ms = sg_meter_now_ms() + (a->wait_ms > 0 ? a->wait_ms : 0);
        keep(d->why, d->trouble == SG_TROUBLE_NETWORK ? d->last_failure : a->message);
        return d->state = SG_DRIVE_PAUSED;
    case SIGLA_DONE:
        return d->state = SG_DRIVE_DONE;
    default:
        return fail(d, a->error, a->message);
    }
}

enum sg_drive_state sg_drive_step(sg_drive *d)
{
    sg_fetched fetched;
    sigla_action action;
    int err = SIGLA_OK;
    if (d->in_flight) {
        if (!sg_fetch_take(d->fetch, &fetched)) return d->state;
        err = hand_over(d, &fetched);
    } else if (d->pause_until_ms > sg_meter_now_ms()) {
        return d->state;
    }
    d->pause_until_ms = 0;
    if (d->state == SG_DRIVE_DONE && d->woken) {
        d->woken = false;
        sigla_session_wake(d->session);
    }
    if (err == SIGLA_OK) err = sigla_session_next(d->session, &action);
    if (err != SIGLA_OK) return fail(d, err, sigla_session_message(d->session));
    return obey(d, &action);
}

int64_t sg_drive_silence_ms(const sg_drive *d)
{
    int64_t heard = d->good_ms;
    /* A long answer that keeps coming is no silence. */
    if (d->in_flight && sg_fetch_moved_ms(d->fetch) > heard) heard = sg_fetch_moved_ms(d->fetch);
    return sg_meter_now_ms() - heard;
}

int64_t sg_drive_wait_ms(const sg_drive *d, int64_t most_ms)
{
    if (d->state == SG_DRIVE_BUSY && !d->in_flight) return 0;
    if (d->state != SG_DRIVE_PAUSED) return most_ms;
    int64_t left = d->pause_until_ms - sg_meter_now_ms();
    if (left < 0) return 0;
    return left < most_ms ? left : most_ms;
}

void sg_drive_wake(sg_drive *d)
{
    d->woken = true;
}
