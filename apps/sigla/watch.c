#include "watch.h"

#include <string.h>

#include "advice.h"
#include "cli.h"
#include "drive.h"
#include "meter.h"
#include "report.h"
#include "stop.h"
#include "wire/json.h"

/*
 * One loop, three sources of news:
 *
 *   the server      event streams, one an app; their bytes go to the session as they come
 *   other programs  PRAGMA data_version changes with every commit of another connection
 *   the clock       pauses after failures, and when a broken stream may be opened again
 *
 *   SYNC  push and pull until the session is done  --done-->  FOLLOW
 *   FOLLOW  streams open  --local change, lost stream, resync-->  SYNC
 *
 * Invariant: whatever happens to a stream, its cursor is in the database; opened again it goes on
 * there, so nothing is missed and nothing has to be remembered here.
 */

#define BACKOFF_FIRST_MS 500 /* full jitter between 0 and this, doubled each time */
#define BACKOFF_MOST_MS 8000

typedef struct follow {
    bool open;
    bool heard; /* bytes have come since it was opened */
    int failures;
    int64_t retry_ms; /* not before then */
} follow;

typedef struct watcher {
    sqlite3 *db;
    const char *path;
    sqlite3_stmt *data_version;
    int64_t seen_version;
    int64_t look_ms; /* when it is read again */
    sigla_session *session;
    sg_fetch *fetch;
    sg_drive drive;
    follow follows[SG_FETCH_STREAMS];
    int follow_count;    /* apps that have been found */
    bool look_for_apps;  /* a table may have been tracked since */
    sigla_progress told; /* what has been said already */
    bool offline;
    bool json;
} watcher;

/* ---- saying things ---- */

static void tell(const watcher *w, const char *event, const char *text)
{
    if (!w->json) {
        sg_say("%s", text);
    } else {
        sg_buf line;
        sg_jsonw j;
        sg_buf_init(&line, 64 * 1024);
        sg_jsonw_init(&j, &line);
        sg_jsonw_object(&j);
        sg_jsonw_kstr(&j, "event", sg_slice_str(event));
        sg_jsonw_kstr(&j, "message", sg_slice_str(text));
        sg_jsonw_object_end(&j);
        sg_buf_byte(&line, '\n');
        if (line.err == SG_OK) sg_out(sg_buf_view(&line));
        sg_buf_deinit(&line);
    }
    (void)sg_out_flush();
}

/* What the session has done since we last said something. */
static void tell_progress(watcher *w)
{
    sigla_progress now;
    sigla_session_progress(w->session, &now);
    sigla_progress did = sg_report_since(&now, &w->told);
    w->told = now;
    if (!sg_report_any(&did)) return;
    sg_buf line;
    sg_buf_init(&line, 64 * 1024);
    if (w->json) {
        sg_buf_str(&line, "{\"event\":\"synced\",\"did\":");
        sg_report_json(&line, &did);
        sg_buf_str(&line, "}");
    } else {
        sg_report_text(&line, &did);
    }
    sg_buf_byte(&line, '\n');
    if (line.err == SG_OK) sg_out(sg_buf_view(&line));
    sg_buf_deinit(&line);
    (void)sg_out_flush();
}

static void tell_connection(watcher *w, bool offline)
{
    if (offline == w->offline) return;
    w->offline = offline;
    sg_buf text;
    sg_buf_init(&text, 4096);
    sg_buf_str(&text, offline ? "offline: " : "online again");
    if (offline) sg_buf_str(&text, w->drive.why);
    if (offline) sg_buf_str(&text, "; changes are kept, trying again");
    const char *line = sg_buf_cstr(&text);
    if (line != NULL) tell(w, offline ? "offline" : "online", line);
    sg_buf_deinit(&text);
}

/* ---- streams ---- */

static int64_t jitter_ms(int failures)
{
    uint64_t random;
    int64_t most = BACKOFF_FIRST_MS;
    for (int i = 1; i < failures && most < BACKOFF_MOST_MS; i++)
        most *= 2;
    sqlite3_randomness(sizeof random, &random);
    return (int64_t)(random % (uint64_t)(most < BACKOFF_MOST_MS ? most : BACKOFF_MOST_MS));
}

static void drop(watcher *w, int index)
{
    follow *f = &w->follows[index];
    f->failures = f->heard ? 1 : f->failures + 1;
    f->open = f->heard = false;
    f->retry_ms = sg_meter_now_ms() + jitter_ms(f->failures);
    sigla_session_stream_end(w->session, index);
    /* Why it ended is the session's to find out: its next request meets the same refusal, or pulls
     * what the stream has missed. */
    sg_drive_wake(&w->drive);
}

static void on_bytes(void *ctx, int index, sg_slice bytes)
{
    watcher *w = ctx;
    w->follows[index].heard = true;
    /* A failure (a locked database, a damaged event) leaves the cursor where it was: closing is
     * the loop's to do, this is called from inside the transfer. */
    if (!w->follows[index].open) return;
    if (sigla_session_stream(w->session, index, bytes.p, bytes.n) != SIGLA_OK)
        w->follows[index].open = false;
}

static void on_ended(void *ctx, int index, int status, const char *why)
{
    (void)status;
    (void)why;
    drop(ctx, index);
}

/* Open what is not open and may be; SIGLA_NOTFOUND past the last app. */
static int open_stream(watcher *w, int index)
{
    sigla_action request;
    follow *f = &w->follows[index];
    if (f->retry_ms > sg_meter_now_ms()) return SIGLA_OK;
    int err = sigla_session_stream_request(w->session, index, &request);
    if (err != SIGLA_OK) return err;
    err = sg_fetch_open_stream(w->fetch, index, &request);
    if (err == SG_OK) f->open = true;
    return err;
}

static int open_streams(watcher *w)
{
    int err = SIGLA_OK;
    for (int i = 0; i < w->follow_count && err == SIGLA_OK; i++)
        if (!w->follows[i].open) err = open_stream(w, i);
    if (!w->look_for_apps) return err;
    w->look_for_apps = false;
    for (int i = w->follow_count; i < SG_FETCH_STREAMS && err == SIGLA_OK; i++) {
        err = open_stream(w, i);
        if (err == SIGLA_OK) w->follow_count = i + 1;
    }
    return err == SIGLA_NOTFOUND ? SIGLA_OK : err;
}

static void close_failed(watcher *w)
{
    for (int i = 0; i < w->follow_count; i++) {
        if (w->follows[i].open || !w->follows[i].heard) continue;
        sg_fetch_close_stream(w->fetch, i);
        drop(w, i);
    }
}

/* ---- the loop ---- */

static void look_for_local_changes(watcher *w)
{
    int64_t now = sg_meter_now_ms();
    if (now < w->look_ms) return;
    w->look_ms = now + SG_WATCH_LOOK_MS;
    int64_t version = w->seen_version;
    if (sqlite3_step(w->data_version) == SQLITE_ROW)
        version = sqlite3_column_int64(w->data_version, 0);
    (void)sqlite3_reset(w->data_version);
    if (version == w->seen_version) return;
    w->seen_version = version;
    w->look_for_apps = true;
    sg_drive_wake(&w->drive);
}

/* One step of the session; the exit code, or -1 to go on. */
static int step(watcher *w)
{
    switch (sg_drive_step(&w->drive)) {
    case SG_DRIVE_PAUSED:
        tell_connection(w, true);
        return -1;
    case SG_DRIVE_DONE:
        tell_connection(w, false);
        return open_streams(w) == SIGLA_OK
                   ? -1
                   : sg_fail(SG_EXIT_FAILED, "%s", sigla_session_message(w->session));
    case SG_DRIVE_FAILED:
        return sg_advise_stop(w->db, w->path, w->drive.err, w->drive.why);
    default:
        return -1;
    }
}

static int follow_until_stopped(watcher *w)
{
    int exit_code = -1;
    while (exit_code < 0 && sg_stop_asked() == 0) {
        look_for_local_changes(w);
        exit_code = step(w);
        /* Many pages and batches of one sync are one thing that happened. */
        if (w->drive.state != SG_DRIVE_BUSY) tell_progress(w);
        if (!sg_out_flush()) return SG_EXIT_OK; /* whoever read our lines has gone */
        /* A request has to be sent, and after an answer comes the next: no waiting in between. */
        if (exit_code < 0) sg_fetch_poll(w->fetch, sg_drive_wait_ms(&w->drive, SG_WATCH_LOOK_MS));
        close_failed(w);
    }
    return exit_code < 0 ? SG_EXIT_OK : exit_code;
}

int sg_watch_run(sqlite3 *db, sigla_session *session, const char *path, int64_t silence_ms,
                 bool json)
{
    watcher w = {.db = db, .path = path, .session = session, .json = json, .look_for_apps = true};
    sg_fetch_events events = {&w, on_bytes, on_ended};
    w.fetch = sg_fetch_new(&events);
    if (w.fetch == NULL) return sg_fail(SG_EXIT_FAILED, "memory ran out");
    int exit_code = SG_EXIT_DATABASE;
    if (sqlite3_prepare_v2(db, "PRAGMA data_version", -1, &w.data_version, NULL) == SQLITE_OK) {
        sg_drive_init(&w.drive, session, w.fetch, silence_ms);
        if (!json) sg_say("watching %s; Ctrl-C ends it", path);
        exit_code = follow_until_stopped(&w);
    } else {
        (void)sg_fail(exit_code, "%s: %s", path, sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(w.data_version);
    sg_fetch_free(w.fetch);
    return exit_code;
}
