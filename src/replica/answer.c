/* What a session makes of an answer: acknowledgements, pages, refusals, waiting. */
#include <stdio.h>

#include "base/mem.h"
#include "replica/ack.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/session.h"
#include "wire/codec.h"
#include "wire/json.h"

static uint64_t next_random(sigla_session *s)
{
    /* splitmix64 (Steele, Lea, Flood, 2014) */
    uint64_t z = (s->random += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Full jitter (Brooker, "Exponential Backoff And Jitter", AWS, 2015) between the two bounds. */
void sg_session_retry(sigla_session *s, int err, int64_t retry_after_ms, const char *message)
{
    int64_t ceiling = SG_RETRY_MIN_MS;
    for (int i = 0; i <= s->attempts && ceiling < SG_RETRY_MAX_MS; i++)
        ceiling *= 2;
    if (ceiling > SG_RETRY_MAX_MS) ceiling = SG_RETRY_MAX_MS;
    uint64_t span = (uint64_t)(ceiling - SG_RETRY_MIN_MS + 1);
    s->wait_ms = SG_RETRY_MIN_MS + (int64_t)(next_random(s) % span);
    if (retry_after_ms > s->wait_ms) s->wait_ms = retry_after_ms;
    s->attempts++;
    s->out = false;
    s->waiting = true;
    s->wait_error = err;
    s->staged_to = 0;
    snprintf(s->message, sizeof s->message, "%s", message);
}

/* The error a server sent, or what its status means. */
typedef struct refusal {
    int code;
    bool restored; /* the detail says so */
    char message[400];
} refusal;

static void read_refusal(sg_slice body, int status, refusal *f)
{
    f->code = SG_BADREQUEST; /* no server of ours refuses without a code */
    f->restored = false;
    snprintf(f->message, sizeof f->message, "the server answered %d", status);
    char detail[sizeof f->message / 2] = "";
    sg_json j;
    sg_json_init(&j, body);
    sg_slice key, inner;
    sg_buf text;
    sg_buf_init(&text, 4096);
    if (sg_json_peek(&j) == SG_JSON_OBJECT && sg_json_object(&j)) {
        while (sg_json_next_key(&j, &key)) {
            if (!sg_slice_eq(key, SG_LIT("error")) || sg_json_peek(&j) != SG_JSON_OBJECT) {
                sg_json_skip(&j);
                continue;
            }
            sg_json_object(&j);
            while (sg_json_next_key(&j, &inner)) {
                bool is_text = sg_json_peek(&j) == SG_JSON_STRING;
                sg_slice v = is_text ? sg_json_string(&j, &text) : sg_json_skip(&j);
                if (is_text && sg_slice_eq(inner, SG_LIT("code")))
                    f->code = sg_err_from_code(v.p, v.n);
                if (is_text && sg_slice_eq(inner, SG_LIT("message")))
                    snprintf(f->message, sizeof f->message, "%.*s", (int)v.n, v.p);
                if (is_text && sg_slice_eq(inner, SG_LIT("detail"))) {
                    f->restored = sg_slice_eq(v, sg_slice_str(sg_err_code(SG_RESTORED)));
                    snprintf(detail, sizeof detail, "%.*s", (int)v.n, v.p);
                }
            }
        }
    }
    size_t n = strlen(f->message);
    if (detail[0] != '\0') snprintf(f->message + n, sizeof f->message - n, ": %s", detail);
    sg_buf_deinit(&text);
}

/* A body the server will not take whole: smaller ones, and in the end the one change alone. */
static int shrink(sigla_session *s, const refusal *f)
{
    if (s->sent_count > 1) {
        s->batch = s->sent_count / 2;
        s->out = false;
        return SG_OK;
    }
    int err = sg_replica_begin(s->r);
    if (err != SG_OK) return err;
    sg_app_load(s->r, s->app, &s->place, &err);
    sg_ack_refuse(s->r, &s->place, s->sent_from, f->code, sg_slice_str(f->message), &err);
    err = sg_replica_end(s->r, err);
    s->progress.refused += err == SG_OK;
    s->out = false;
    return err;
}

/* Somebody else pushes under our id. If another program has sent more from this database since the
 * request was made, or has taken a new id for it, that is who: then the request is made again. */
static int take_new_client(sigla_session *s)
{
    s->out = false;
    s->staged_to = 0;
    int err = sg_replica_begin(s->r);
    if (err != SG_OK) return err;
    bool overtaken = sg_state_int(s->r, "sent_n", 0, &err) > s->said_n ||
                     sg_self_client(s->r, &err) != s->said_client;
    if (err == SG_OK && !overtaken) err = sg_ack_new_client(s->r);
    return sg_replica_end(s->r, err);
}

static int refused(sigla_session *s, int status, int64_t retry_after_ms, sg_slice body)
{
    refusal f;
    read_refusal(body, status, &f);
    int err = SG_OK;
    if (status == 408 || status == 429 || status >= 500) {
        int code = status == 429 ? SG_RATE : status == 408 ? SG_TIMEOUT : SG_BUSY;
        sg_session_retry(s, code, retry_after_ms, f.message);
        return SG_OK;
    }
    s->attempts = 0;
    if (f.code == SG_CLIENTCOPIED) return take_new_client(s);
    if (f.code == SG_CONFLICT && s->staged_to != 0) {
        /* The server has dropped the parts of a transaction it was keeping: from its beginning. */
        s->staged_to = 0;
        s->out = false;
        return SG_OK;
    }
    if (status == 410 || f.code == SG_RESYNC || f.code == SG_BADCURSOR) {
        /* What is pending first: whatever the server refuses of it has to go with its record. */
        s->out = false;
        s->phase = SG_PHASE_PUSH;
        s->staged_to = 0;
        sg_session_resync(s, s->app, f.restored, &err);
        return err;
    }
    if ((status == 413 || status == 400) && s->sent_to != 0) return shrink(s, &f);
    static const struct {
        int status, code;
    } known[] = {{401, SG_UNAUTHORIZED},
                 {402, SG_PAYMENT},
                 {403, SG_FORBIDDEN},
                 {404, SG_NOTFOUND},
                 {426, SG_TOONEW}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status) f.code = known[i].code;
    (void)sg_session_stop(s, f.code, f.message);
    return SG_OK;
}

void sg_session_learn_time(sigla_session *s, const sg_page *page, int64_t asked_us, int *err)
{
    sg_clock_answer a = {page->server_us, asked_us, sg_replica_now(s->r)};
    int64_t given_us = 0;
    for (size_t i = 0; i < page->restamped_count; i++)
        if (page->restamped[i].at_us > given_us) given_us = page->restamped[i].at_us;
    sg_ack_server_time(s->r, &a, given_us, err);
    if (page->server_us > 0) sg_journal_expire(s->r, page->server_us, err);
}

static int take_push(sigla_session *s, const sg_page *page)
{
    int err = sg_replica_begin(s->r);
    if (err != SG_OK) return err;
    /* As it stands now: while the request was out, a stream or another session may have moved on. */
    sg_app_load(s->r, s->app, &s->place, &err);
    sg_fold(s->r, &err);
    sg_session_learn_time(s, page, s->asked_us, &err);
    sg_ack_count count = {0};
    sg_ack_take(s->r, &s->place, page, s->sent_to, &count, &err);
    err = sg_replica_end(s->r, err);
    if (err != SG_OK) return err;
    s->progress.pushed += count.acknowledged;
    s->progress.refused += count.refused;
    s->progress.conflicts += count.conflicts;
    int64_t before = s->staged_to;
    if (page->staged > s->staged_to && page->staged <= s->sent_to) s->staged_to = page->staged;
    /* An answer that settles nothing would have us send the same for ever. */
    if (count.acknowledged == 0 && count.refused == 0 && s->staged_to == before &&
        s->place.settled < s->sent_to)
        return sg_replica_fail(s->r, SG_BADREQUEST,
                               "the server's answer settles none of the changes sent");
    return SG_OK;
}

static int take_page(sigla_session *s, const sg_page *page, sg_slice json)
{
    int err = SG_OK;
    /* The server has committed what was pushed, but could not read what is new. */
    if (page->synced_until.n == 0 && s->sent_to != 0) return SG_OK;
    if (page->synced_until.n == 0 || page->synced_until.n > SG_CURSOR_MAX)
        return sg_replica_fail(s->r, SG_BADREQUEST, "the server's answer has no cursor");
    sg_session_page(s, &s->held, s->app, page, json, s->sent_to == 0 ? s->asked_us : 0, &err);
    if (err != SG_OK) {
        /* What was held is gone: begin again where the database stands, or pages would be missed.
         */
        s->pull_cursor[0] = '\0';
        sg_buf_clear(&s->held.pages);
        return err;
    }
    bool held = s->held.pages.n != 0;
    memcpy(s->pull_cursor, page->synced_until.p, page->synced_until.n);
    s->pull_cursor[held ? page->synced_until.n : 0] = '\0';
    if (s->held.passed)
        s->phase = SG_PHASE_PUSH;
    else if (page->has_more)
        s->phase = SG_PHASE_PULL;
    else if (s->place.resync || s->more)
        s->phase = SG_PHASE_PUSH;
    else
        sg_check_start(s);
    return err;
}

static int accepted(sigla_session *s, sg_slice json)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_page page;
    int err = sg_page_open(&page, json, &arena);
    if (err != SG_OK)
        err = sg_replica_fail(s->r, err,
                              "the server's answer is not understood: is there a Sigla "
                              "server at this address?");
    s->out = false;
    if (err == SG_OK && s->sent_to != 0) err = take_push(s, &page);
    if (err == SG_OK && s->out_pulls) err = take_page(s, &page, json);
    if (err == SG_OK) {
        s->pushes = s->out_pulls ? 0 : s->pushes + 1;
        s->attempts = 0;
        if (s->batch < s->batch_max) s->batch++;
    }
    sg_arena_deinit(&arena);
    return err;
}

/* The body in the clear. */
static int unpack(sigla_session *s, sg_slice *body)
{
#ifndef __wasm__
    enum sg_coding coding = SG_CODING_NONE;
    if (body->n > 4 && memcmp(body->p, "\x28\xb5\x2f\xfd", 4) == 0) coding = SG_CODING_COLUMNS;
    if (body->n > 2 && memcmp(body->p, "\x1f\x8b", 2) == 0) coding = SG_CODING_GZIP;
    if (coding == SG_CODING_NONE) return SG_OK;
    char *bytes;
    size_t n;
    int err = sg_decode(coding, *body, SG_ANSWER_BYTES_MAX, &bytes, &n);
    if (err != SG_OK) return sg_replica_fail(s->r, err, "the server's answer is damaged");
    sg_free(s->packed.p);
    s->packed = (sg_buf){.p = bytes, .n = n, .cap = n, .max = SG_ANSWER_BYTES_MAX};
    *body = sg_slice_of(bytes, n);
#else
    (void)s, (void)body;
#endif
    return SG_OK;
}

int sigla_session_answer(sigla_session *s, int http_status, int64_t retry_after_ms,
                         const void *body, size_t bytes)
{
    if (!s->out) return SIGLA_MISUSE;
    s->r->message[0] = '\0';
    sg_slice text = sg_slice_of(body, bytes);
    int err = unpack(s, &text);
    if (err == SG_OK && http_status == 200)
        err = accepted(s, text);
    else if (err == SG_OK)
        err = refused(s, http_status, retry_after_ms, text);
    if (err == SG_BUSY || err == SG_NOMEM) {
        /* Nothing was taken: the same request can be made again (L8). */
        sg_session_retry(s, err, 0, "the database is busy");
        return SIGLA_OK;
    }
    if (err != SG_OK)
        sg_session_stop(s, err, s->r->message[0] != '\0' ? s->r->message : sg_err_text(err));
    return err;
}

int sigla_session_lost(sigla_session *s)
{
    if (!s->out) return SIGLA_MISUSE;
    sg_session_retry(s, SG_NETWORK, 0, "the server cannot be reached");
    return SIGLA_OK;
}
