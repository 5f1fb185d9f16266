#include <string.h>

#include "advice.h"
#include "cli.h"
#include "drive.h"
#include "file.h"
#include "meter.h"
#include "report.h"
#include "stop.h"
#include "watch.h"

#define DEFAULT_TIMEOUT_MS 30000
#define POLL_MS 200 /* how soon progress is redrawn and Ctrl-C noticed, at the latest */

static const sg_opt opts[] = {
    {"watch", NULL, "stay connected and sync whatever changes, here or there, until Ctrl-C"},
    {"timeout", "TIME", "give up when the server is silent for so long (default 30s)"},
    {"json", NULL, "say what was done as JSON"},
    {0}};

static void show_pause(sg_meter *meter, const sg_drive *d)
{
    sg_buf line;
    sg_buf_init(&line, 2048);
    sg_buf_str(&line, "trying again in ");
    sg_meter_duration(&line, (d->pause_until_ms - sg_meter_now_ms() + 999) / 1000);
    sg_buf_str(&line, ": ");
    sg_buf_str(&line, d->why);
    const char *text = sg_buf_cstr(&line);
    if (text != NULL) sg_meter_note(meter, text);
    sg_buf_deinit(&line);
}

static void show_progress(sg_meter *meter, const sg_drive *d)
{
    sigla_progress p;
    sigla_session_progress(d->session, &p);
    if (d->state == SG_DRIVE_PAUSED)
        show_pause(meter, d);
    else if (p.pending > 0)
        sg_meter_show(meter, "pushing", p.pushed + p.staged, p.pushed + p.pending);
    else
        sg_meter_show(meter, "receiving", p.pulled, 0);
}

/* Nothing good has come for as long as --timeout allows. */
static int give_up(const sg_drive *d, sqlite3 *db, const char *path)
{
    sigla_progress p;
    sigla_session_progress(d->session, &p);
    if (d->trouble == SG_TROUBLE_NONE && !d->in_flight)
        return sg_fail(SG_EXIT_DATABASE, "%s; nothing is lost, sync again later", d->why);
    sg_fail(SG_EXIT_NETWORK,
            d->trouble == SG_TROUBLE_SERVER ? "the server cannot answer: %s"
                                            : "the server cannot be reached: %s",
            d->why[0] != '\0' ? d->why : "it does not answer");
    if (p.pending > 0)
        sg_hint("Nothing is lost: %lld change%s kept in the file, pending. Sync again later.",
                (long long)p.pending, p.pending == 1 ? " is" : "s are");
    else
        sg_hint("Nothing is lost, and nothing was waiting to be pushed. Sync again later.");
    sg_advise_address(db, path);
    return SG_EXIT_NETWORK;
}

static int sync_once(sg_drive *d, sg_meter *meter, sqlite3 *db, const char *path)
{
    for (;;) {
        enum sg_drive_state state = sg_drive_step(d);
        if (state == SG_DRIVE_DONE) return SG_EXIT_OK;
        if (state == SG_DRIVE_FAILED) {
            sg_meter_clear(meter);
            return sg_advise_stop(db, path, d->err, d->why);
        }
        if (sg_stop_asked() != 0) return SG_EXIT_FAILED;
        if (sg_drive_silence_ms(d) >= d->silence_ms) {
            sg_meter_clear(meter);
            return give_up(d, db, path);
        }
        show_progress(meter, d);
        sg_fetch_poll(d->fetch, sg_drive_wait_ms(d, POLL_MS));
    }
}

static void say_what_was_done(const sg_drive *d, bool json)
{
    sg_buf line;
    sigla_progress did;
    sigla_session_progress(d->session, &did);
    sg_buf_init(&line, 4096);
    (json ? sg_report_json : sg_report_text)(&line, &did);
    sg_buf_byte(&line, '\n');
    if (line.err == SG_OK) sg_out(sg_buf_view(&line));
    sg_buf_deinit(&line);
}

static void say_what_needs_eyes(const sg_drive *d, const char *path)
{
    sigla_progress did;
    sigla_session_progress(d->session, &did);
    if (did.conflicts > 0)
        sg_say("  what you wrote and somebody overwrote: sigla conflicts %s", path);
    if (did.refused > 0) sg_say("  what the server refused, and why: sigla refused %s", path);
    if (did.parked > 0) sg_say("  what this database's rules keep out: sigla parked %s", path);
}

static int once(sqlite3 *db, sigla_session *session, const char *path, int64_t timeout_ms,
                bool json)
{
    sg_drive drive;
    sg_meter meter;
    sg_fetch *fetch = sg_fetch_new(NULL);
    if (fetch == NULL) return sg_fail(SG_EXIT_FAILED, "memory ran out");
    sg_drive_init(&drive, session, fetch, timeout_ms);
    sg_meter_begin(&meter);
    int exit_code = sync_once(&drive, &meter, db, path);
    sg_meter_clear(&meter);
    if (exit_code == SG_EXIT_OK) {
        say_what_was_done(&drive, json);
        if (!json) say_what_needs_eyes(&drive, path);
    }
    sg_fetch_free(fetch);
    return exit_code;
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    sigla_session *session = NULL;
    int64_t timeout_ms = DEFAULT_TIMEOUT_MS;
    const char *path = sg_args_word(args, 0), *timeout = sg_args_value(args, "timeout");
    bool json = sg_args_has(args, "json"), watch = sg_args_has(args, "watch");
    if (timeout != NULL && (!sg_args_duration(timeout, &timeout_ms) || timeout_ms == 0))
        return sg_fail(SG_EXIT_USAGE, "--timeout %s: say 30s, 2m or 500ms", timeout);
    int exit_code = sg_file_open_ready(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_stop_install();
    int err = sigla_session_open(db, NULL, &session);
    if (err != SIGLA_OK)
        exit_code = sg_fail(sg_exit_of(err), "cannot sync %s: %s", path, sigla_error_text(err));
    else if (watch)
        exit_code = sg_watch_run(db, session, path, timeout_ms, json);
    else
        exit_code = once(db, session, path, timeout_ms, json);
    sigla_session_close(session);
    sg_file_close(db);
    if (!watch && exit_code == SG_EXIT_FAILED && sg_stop_asked() != 0) {
        sg_fail(exit_code, "stopped; what was not pushed yet stays pending");
        sg_stop_as_asked();
    }
    return exit_code;
}

const sg_verb sg_verb_sync = {
    .name = "sync",
    .words = "FILE",
    .summary = "push what is pending, then pull what is new",
    .more =
        "Pushes every pending change, then pulls to the end. While the server cannot be reached it\n"
        "tries again, at growing random distances, until --timeout; the changes stay in the file.\n"
        "With --watch it never gives up: it follows the server's event stream and the commits of\n"
        "other programs, and says one line for each thing that happens.",
    .examples = "sigla sync notes.db\n"
                "sigla sync notes.db --watch\n"
                "sigla sync notes.db --timeout 2m --json",
    .opts = opts,
    .run = run};
