#include "replica/session.h"

#include <stdio.h>

#include "base/mem.h"
#include "replica/ack.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/stream.h"
#include "replica/refresh.h"
#include "wire/codec.h"
#include "wire/json.h"

/* ---- opening ---- */

static void read_options(sigla_session *s, const char *json, int *err)
{
    if (json == NULL) return;
    sg_json j;
    sg_json_init(&j, sg_slice_str(json));
    sg_slice key;
    sg_json_object(&j);
    while (sg_json_next_key(&j, &key)) {
        if (sg_slice_eq(key, SG_LIT("batch")))
            s->batch_max = sg_json_int(&j);
        else if (sg_slice_eq(key, SG_LIT("encoding")))
            s->encode = !sg_slice_eq(sg_json_raw_string(&j), SG_LIT("identity"));
        else if (sg_slice_eq(key, SG_LIT("seed")))
            s->random = (uint64_t)sg_json_int(&j);
        else
            sg_json_skip(&j);
    }
    if (!sg_json_end(&j) || s->batch_max < 1 || s->batch_max > SG_PUSH_TX_CHANGES)
        *err = sg_replica_fail(s->r, SG_BADREQUEST,
                               "session options are {\"batch\":1..%d,\"encoding\":\"zstd\"|"
                               "\"identity\",\"seed\":number}",
                               SG_PUSH_TX_CHANGES);
}

static void init_buffers(sigla_session *s)
{
    sg_buf_init(&s->url, 1 << 16);
    sg_buf_init(&s->auth, 1 << 16);
    sg_buf_init(&s->body, SG_TX_BYTES_MAX);
    sg_buf_init(&s->packed, SG_ANSWER_BYTES_MAX);
    sg_buf_init(&s->pages, SG_CATCHUP_BYTES_MAX + SG_ANSWER_BYTES_MAX + 16);
}

/* Everything a session needs to find: tables, an identity, the server. */
static void prepare(sigla_session *s, int *err)
{
    sg_replica *r = s->r;
    if (!sg_replica_installed(r)) {
        *err = sg_replica_fail(r, SG_NOTINIT,
                               "the database is not prepared for sync: SELECT sigla_init(…), or "
                               "sigla init FILE");
        return;
    }
    *err = sg_replica_install(r);
    sg_buf_clear(&s->url);
    if (*err == SG_OK && !sg_state_text(r, "server", &s->url, err) && *err == SG_OK)
        *err = sg_replica_fail(r, SG_NOTINIT,
                               "no server is known: SELECT sigla_init(…), or sigla init FILE");
    if (*err == SG_OK) *err = sg_refresh(r);
}

int sigla_session_open(struct sqlite3 *db, const char *options_json, sigla_session **out)
{
    *out = NULL;
    sg_replica *r = sg_replica_of(db);
    if (r == NULL) return SIGLA_MISUSE;
    sigla_session *s = sg_zalloc(sizeof *s);
    if (s == NULL) return SIGLA_NOMEM;
    s->r = r;
    s->batch_max = SG_PUSH_CHANGES;
    s->encode = true;
    sqlite3_randomness(sizeof s->random, &s->random);
    init_buffers(s);
    int err = SG_OK;
    read_options(s, options_json, &err);
    s->batch = s->batch_max;
    if (err == SG_OK) prepare(s, &err);
    if (err != SG_OK) {
        sigla_session_close(s);
        return err;
    }
    *out = s;
    return SIGLA_OK;
}

void sigla_session_close(sigla_session *s)
{
    if (s == NULL) return;
    sg_buf_deinit(&s->url);
    sg_buf_deinit(&s->auth);
    sg_buf_deinit(&s->body);
    sg_buf_deinit(&s->packed);
    sg_buf_deinit(&s->pages);
    for (int i = 0; i < s->stream_count; i++)
        sg_stream_deinit(&s->streams[i]);
    sg_free(s->streams);
    sg_free(s);
}

const char *sigla_session_message(const sigla_session *s)
{
    return s->message;
}

void sigla_session_progress(const sigla_session *s, sigla_progress *out)
{
    *out = s->progress;
    if (s->staged_to > s->place.settled) out->staged = s->staged_to - s->place.settled;
}

void sigla_session_wake(sigla_session *s)
{
    s->woken = true;
    s->hurry = true;
}

/* ---- requests ---- */

static void percent(sg_buf *out, sg_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            sg_buf_byte(out, c);
            continue;
        }
        sg_buf_byte(out, '%');
        sg_buf_byte(out, (uint8_t) "0123456789ABCDEF"[c >> 4]);
        sg_buf_byte(out, (uint8_t) "0123456789ABCDEF"[c & 15]);
    }
}

void sg_session_url(sigla_session *s, const char *rest, int *err)
{
    sg_buf_clear(&s->url);
    if (!sg_state_text(s->r, "server", &s->url, err)) return;
    while (s->url.n != 0 && s->url.p[s->url.n - 1] == '/')
        sg_buf_truncate(&s->url, s->url.n - 1);
    sg_buf_str(&s->url, "/sync/");
    percent(&s->url, sg_slice_str(s->place.name));
    sg_buf_str(&s->url, rest);
}

void sg_session_headers(sigla_session *s, bool post, int *err)
{
    sg_buf_clear(&s->auth);
    sg_buf_str(&s->auth, "Authorization: Bearer ");
    if (!sg_state_text(s->r, "token", &s->auth, err)) sg_buf_str(&s->auth, "none");
    sg_buf_byte(&s->auth, 0);
    size_t client = s->auth.n;
    sg_buf_str(&s->auth, "X-Client-Id: ");
    sg_buf_slice(&s->auth, sg_client_text(s->r, sg_self_client(s->r, err), err));
    sg_buf_byte(&s->auth, 0);
    if (*err == SG_OK) *err = s->auth.err;
    if (*err != SG_OK) return;
    int n = 0;
    s->headers[n++] = s->auth.p;
    s->headers[n++] = s->auth.p + client;
    s->headers[n++] =
        s->encode ? "Accept-Encoding: sigla-columns, zstd, gzip" : "Accept-Encoding: identity";
    s->headers[n++] = post ? "Content-Type: application/json" : "Accept: application/json";
    s->headers[n] = NULL;
}

static void query(sigla_session *s, const char *name, sg_slice value)
{
    sg_buf_byte(&s->url, '&');
    sg_buf_str(&s->url, name);
    sg_buf_byte(&s->url, '=');
    percent(&s->url, value);
}

static void make_pull(sigla_session *s, int *err)
{
    sg_session_url(s, "/pull?v=2", err);
    const char *cursor = s->pull_cursor[0] != '\0' ? s->pull_cursor : s->place.cursor;
    query(s, "since", sg_slice_str(cursor));
    query(s, "client", sg_client_text(s->r, sg_self_client(s->r, err), err));
    query(s, "sent", SG_LIT(""));
    sg_buf_int(&s->url, sg_state_int(s->r, "sent_n", 0, err));
    int64_t n, seq;
    if (sg_app_known(s->r, &s->place, &n, &seq, err)) {
        sg_buf_str(&s->url, "&ackedN=");
        sg_buf_int(&s->url, n);
        sg_buf_str(&s->url, "&ackedSeq=");
        sg_buf_int(&s->url, seq);
    }
    sg_session_headers(s, false, err);
    sg_buf_clear(&s->body);
    s->sent_from = s->sent_to = 0;
    s->out_pulls = true;
}

/* Queued changes get their marks: once at a session's start. */
static void begin_work(sigla_session *s, int *err)
{
    *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return;
    sg_fold(s->r, err);
    *err = sg_replica_end(s->r, *err);
}

static void next_app(sigla_session *s, int *err)
{
    s->app = sg_app_after(s->r, s->app, err);
    s->staged_to = 0;
    s->pull_cursor[0] = '\0';
    sg_buf_clear(&s->pages);
    s->phase = s->app != 0 ? SG_PHASE_PUSH : SG_PHASE_DONE;
    if (s->app == 0) return;
    sg_app_load(s->r, s->app, &s->place, err);
    /* What had been seen of a resync is forgotten with the process: begin it again. */
    if (s->place.resync && *err == SG_OK) sg_session_resync(s, s->app, false, err);
}

/* Move on until there is a request to make, or nothing is left. */
static void advance(sigla_session *s, int *err)
{
    while (*err == SG_OK && !s->out) {
        if (s->phase == SG_PHASE_START) {
            s->woken = false;
            begin_work(s, err);
            s->app = 0;
            if (*err == SG_OK) next_app(s, err);
            continue;
        }
        if (s->phase == SG_PHASE_DONE) {
            if (!s->woken) return;
            s->phase = SG_PHASE_START;
            continue;
        }
        sg_app_load(s->r, s->app, &s->place, err);
        /* What a server put back lacks is known when everything was pulled; all goes together. */
        if (sg_app_restored(&s->place)) s->phase = SG_PHASE_PULL;
        if (s->phase == SG_PHASE_PUSH) {
            s->out = *err == SG_OK && sg_session_push(s, err);
            if (!s->out && *err == SG_OK) s->phase = SG_PHASE_PULL;
        } else {
            make_pull(s, err);
            s->out = *err == SG_OK;
        }
        /* Both end with a URL, whose buffer latches what went wrong. */
        if (s->out && sg_buf_cstr(&s->url) == NULL) *err = s->url.err;
        if (*err != SG_OK) s->out = false;
    }
}

static int stop(sigla_session *s, int err, const char *message)
{
    s->phase = SG_PHASE_STOP;
    s->out = false;
    s->stop_error = err;
    /* A server may have sent an empty one. */
    snprintf(s->message, sizeof s->message, "%s", *message != '\0' ? message : sg_err_text(err));
    return err;
}

static void fill_action(sigla_session *s, sigla_action *out)
{
    *out = (sigla_action){.message = ""};
    if (s->phase == SG_PHASE_STOP) {
        out->kind = SIGLA_STOP;
        out->error = s->stop_error;
        out->message = s->message;
        return;
    }
    if (!s->out) {
        out->kind = SIGLA_DONE;
        return;
    }
    s->asked_us = sg_replica_now(s->r);
    out->kind = SIGLA_REQUEST;
    out->method = s->body.n != 0 ? "POST" : "GET";
    out->url = sg_buf_cstr(&s->url);
    out->headers = s->headers;
    out->body = s->body.n != 0 ? s->body.p : NULL;
    out->body_bytes = s->body.n;
}

static void count_pending(sigla_session *s)
{
    int err = SG_OK;
    s->progress.pending = sg_app_count_pending(s->r, &err);
}

int sigla_session_next(sigla_session *s, sigla_action *out)
{
    s->r->message[0] = '\0';
    if (s->waiting && !s->hurry) {
        s->waiting = false; /* the caller waits now; the next call goes on */
        *out = (sigla_action){.kind = SIGLA_WAIT,
                              .wait_ms = s->wait_ms,
                              .error = s->wait_error,
                              .message = s->message};
        return SIGLA_OK;
    }
    s->waiting = false;
    s->hurry = false;
    int err = SG_OK;
    if (s->phase != SG_PHASE_STOP) advance(s, &err);
    if (err == SG_BUSY) {
        /* Another connection writes at length: that passes. */
        sg_session_retry(s, SG_BUSY, 0, "the database is busy");
        return sigla_session_next(s, out);
    }
    if (err != SG_OK) stop(s, err, s->r->message[0] != '\0' ? s->r->message : sg_err_text(err));
    count_pending(s);
    fill_action(s, out);
    return SIGLA_OK;
}

/* ---- answers ---- */

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
                if (is_text && sg_slice_eq(inner, SG_LIT("detail")))
                    f->restored = sg_slice_eq(v, sg_slice_str(sg_err_code(SG_RESTORED)));
                if (is_text && sg_slice_eq(inner, SG_LIT("message")))
                    snprintf(f->message, sizeof f->message, "%.*s", (int)v.n, v.p);
                if (is_text && sg_slice_eq(inner, SG_LIT("detail")))
                    snprintf(detail, sizeof detail, "%.*s", (int)v.n, v.p);
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
    if (f.code == SG_CLIENTCOPIED) {
        s->out = false;
        s->staged_to = 0;
        return sg_ack_new_client(s->r);
    }
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
    (void)stop(s, f.code, f.message);
    return SG_OK;
}

static void learn_time(sigla_session *s, const sg_page *page, int64_t asked_us, int *err)
{
    sg_clock_answer a = {page->server_us, asked_us, sg_replica_now(s->r)};
    sg_ack_server_time(s->r, &a, err);
    if (page->server_us > 0) sg_journal_expire(s->r, page->server_us, err);
}

void sg_session_told(sigla_session *s, const sg_page *page, int64_t asked_us, int *err)
{
    if (*err == SG_OK) *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return;
    learn_time(s, page, asked_us, err);
    *err = sg_replica_end(s->r, *err);
}

static int take_push(sigla_session *s, const sg_page *page)
{
    int err = sg_replica_begin(s->r);
    if (err != SG_OK) return err;
    /* As it stands now: while the request was out, a stream or another session may have moved on. */
    sg_app_load(s->r, s->app, &s->place, &err);
    sg_fold(s->r, &err);
    learn_time(s, page, s->asked_us, &err);
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
    if (s->sent_to == 0) sg_session_told(s, page, s->asked_us, &err);
    if (err != SG_OK) return err;
    /* The server has committed what was pushed, but could not read what is new. */
    if (page->synced_until.n == 0 && s->sent_to != 0) return SG_OK;
    if (page->synced_until.n == 0 || page->synced_until.n > SG_CURSOR_MAX)
        return sg_replica_fail(s->r, SG_BADREQUEST, "the server's answer has no cursor");
    sg_session_page(s, &s->pages, s->app, json, page->has_more, &err);
    if (err != SG_OK) {
        /* What was held is gone: begin again where the database stands, or pages would be missed.
         */
        s->pull_cursor[0] = '\0';
        sg_buf_clear(&s->pages);
        return err;
    }
    bool held = s->pages.n != 0;
    memcpy(s->pull_cursor, page->synced_until.p, page->synced_until.n);
    s->pull_cursor[held ? page->synced_until.n : 0] = '\0';
    if (page->has_more)
        s->phase = SG_PHASE_PULL;
    else if (s->place.resync)
        s->phase = SG_PHASE_PUSH;
    else
        next_app(s, &err);
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
    if (err != SG_OK) stop(s, err, s->r->message[0] != '\0' ? s->r->message : sg_err_text(err));
    return err;
}

int sigla_session_lost(sigla_session *s)
{
    if (!s->out) return SIGLA_MISUSE;
    sg_session_retry(s, SG_NETWORK, 0, "the server cannot be reached");
    return SIGLA_OK;
}
