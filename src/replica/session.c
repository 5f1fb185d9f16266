#include "replica/session.h"

#include <stdio.h>

#include "base/mem.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/stream.h"
#include "replica/refresh.h"
#include "replica/tidy.h"
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
    sg_buf_init(&s->held.pages, SG_CATCHUP_BYTES_MAX + SG_ANSWER_BYTES_MAX + 16);
}

/* Everything a session needs to find: tables, an identity, the server. */
static void prepare(sigla_session *s, int *err)
{
    sg_replica *r = s->r;
    if (!sg_replica_installed(r, err)) {
        if (*err == SG_OK)
            *err =
                sg_replica_fail(r, SG_NOTINIT,
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
    sg_buf_deinit(&s->held.pages);
    sg_check_stop(s);
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
    if (s->pull_cursor[0] == '\0') sg_session_hold_from(s);
    const char *cursor = s->pull_cursor[0] != '\0' ? s->pull_cursor : s->place.cursor;
    query(s, "since", sg_slice_str(cursor));
    query(s, "client", sg_client_text(s->r, sg_self_client(s->r, err), err));
    query(s, "sent", SG_LIT(""));
    s->said_client = sg_self_client(s->r, err);
    s->said_n = sg_state_int(s->r, "sent_n", 0, err);
    sg_buf_int(&s->url, s->said_n);
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

/* Whenever a session begins anew: columns may have come since the last time, and queued changes get
 * their marks. */
static void begin_work(sigla_session *s, int *err)
{
    *err = sg_refresh(s->r);
    if (*err == SG_OK) *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return;
    sg_fold(s->r, err);
    sg_tidy(s->r, err);
    *err = sg_replica_end(s->r, *err);
}

void sg_session_next_app(sigla_session *s, int *err)
{
    s->app = sg_app_after(s->r, s->app, err);
    s->staged_to = 0;
    s->more = false;
    s->pull_cursor[0] = '\0';
    s->resync = false;
    sg_buf_clear(&s->held.pages);
    s->phase = s->app != 0 ? SG_PHASE_PUSH : SG_PHASE_DONE;
}

/* What has been seen of a resync is known to who began it, and forgotten with the process: any other
 * begins it again. */
static void load_place(sigla_session *s, int *err)
{
    sg_app_load(s->r, s->app, &s->place, err);
    if (!s->place.resync) s->resync = false;
    if (!s->place.resync || s->resync || *err != SG_OK) return;
    s->phase = SG_PHASE_PUSH;
    s->staged_to = 0;
    sg_session_resync(s, s->app, false, err);
    sg_app_load(s->r, s->app, &s->place, err);
}

/* A table that is large is read in slices, with the caller's turn in between. */
static void check(sigla_session *s, int *err)
{
    bool done = sg_check_step(s, err);
    if (*err != SG_OK) return;
    if (!done) {
        s->waiting = true;
        s->wait_ms = 0;
        s->wait_error = SG_OK;
        s->message[0] = '\0';
        return;
    }
    uint32_t differing = sg_agree_differing(s->r, s->app, err);
    if (differing == 0) {
        if (*err == SG_OK) sg_session_next_app(s, err);
        return;
    }
    s->phase = SG_PHASE_PUSH;
    sg_session_repair(s, s->app, err);
}

/* Move on until there is a request to make, or nothing is left. */
static void advance(sigla_session *s, int *err)
{
    while (*err == SG_OK && !s->out) {
        if (s->phase == SG_PHASE_START) {
            s->woken = false;
            begin_work(s, err);
            s->app = 0;
            if (*err == SG_OK) sg_session_next_app(s, err);
            continue;
        }
        if (s->phase == SG_PHASE_DONE) {
            if (!s->woken) return;
            s->phase = SG_PHASE_START;
            continue;
        }
        load_place(s, err);
        /* What a server put back lacks is known when everything was pulled; all goes together. */
        if (sg_app_restored(&s->place)) s->phase = SG_PHASE_PULL;
        if (s->phase == SG_PHASE_CHECK) {
            check(s, err);
            if (s->waiting) return;
            continue;
        }
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

int sg_session_stop(sigla_session *s, int err, const char *message)
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
    if (err == SG_OK && s->waiting) return sigla_session_next(s, out);
    if (err == SG_BUSY) {
        /* Another connection writes at length: that passes. */
        sg_session_retry(s, SG_BUSY, 0, "the database is busy");
        return sigla_session_next(s, out);
    }
    if (err != SG_OK)
        sg_session_stop(s, err, s->r->message[0] != '\0' ? s->r->message : sg_err_text(err));
    count_pending(s);
    fill_action(s, out);
    return SIGLA_OK;
}
