#include <time.h>

#include "api.h"
#include "checks.h"
#include "core/time.h"
#include "file.h"
#include "jwt.h"
#include "meter.h"
#include "show.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define CLOCK_NOTE_S 60     /* a clock this far off is worth a word … */
#define CLOCK_PROBLEM_S 300 /* … and past the bound writes get another time (L14) */

/* ---- the clock ---- */

/* off_s: how far this machine's clock is ahead of the server's. */
static void add_clock(sg_findings *f, int64_t off_s)
{
    int64_t far_s = off_s < 0 ? -off_s : off_s;
    enum sg_finding_state state = far_s >= CLOCK_PROBLEM_S ? SG_PROBLEM
                                  : far_s >= CLOCK_NOTE_S  ? SG_NOTE
                                                           : SG_FINE;
    if (state == SG_FINE)
        sg_findings_add(f, "clock", state, NULL, "it agrees with the server's");
    else
        sg_findings_add(
            f, "clock", state, "Set this machine's clock. Until then Sigla corrects for it.",
            "it is %lld s %s the server's", (long long)far_s, off_s < 0 ? "behind" : "ahead of");
}

/* What the last sync has learnt of the server's clock. */
void sg_check_clock(sqlite3 *db, sg_findings *f)
{
    sqlite3_stmt *stmt = NULL;
    int64_t off_s = 0;
    const char *sql = "SELECT (sigla_status()->>'clockOffsetUs') / 1000000";
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        off_s = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    add_clock(f, -off_s);
}

/* ---- the token ---- */

static const char new_token[] = "Get a new one, then: sigla init FILE --token TOKEN";

static void add_expiry(sg_findings *f, int64_t left_s)
{
    sg_buf span;
    if (left_s == INT64_MAX) {
        sg_findings_add(f, "token", SG_FINE, NULL, "it does not expire");
        return;
    }
    sg_buf_init(&span, 256);
    sg_meter_duration(&span, left_s < 0 ? -left_s : left_s);
    const char *text = sg_buf_cstr(&span);
    if (text != NULL && left_s <= 0)
        sg_findings_add(f, "token", SG_PROBLEM, new_token, "it expired %s ago", text);
    else if (text != NULL)
        sg_findings_add(f, "token", SG_FINE, NULL, "it is good for another %s", text);
    sg_buf_deinit(&span);
}

void sg_check_token(sqlite3 *db, sg_findings *f)
{
    sg_buf token, claims;
    sg_buf_init(&token, TEXT_MAX);
    sg_buf_init(&claims, TEXT_MAX);
    if (!sg_file_config(db, "token", &token)) {
        sg_findings_add(f, "token", SG_PROBLEM, new_token, "there is none");
    } else if (!sg_jwt_claims(sg_buf_view(&token), &claims)) {
        sg_findings_add(f, "token", SG_PROBLEM, new_token, "it is not a JWT");
    } else {
        add_expiry(f, sg_jwt_seconds_left(sg_buf_view(&claims)));
    }
    sg_buf_deinit(&token);
    sg_buf_deinit(&claims);
}

/* ---- the server ---- */

/* The time every page of ours tells. */
static bool server_time(const sg_api_answer *answer, int64_t *at_us)
{
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    bool told = answer->status == 200 &&
                sg_show_member_text(sg_buf_view(&answer->body), "serverTime", &text) &&
                sg_time_parse(sg_buf_view(&text), at_us);
    sg_buf_deinit(&text);
    return told;
}

/* A page of nothing: what it takes is a server, a token it accepts, and an app. */
static const char *make_path(sqlite3 *db, sg_buf *path)
{
    sg_buf app;
    sg_buf_init(&app, TEXT_MAX);
    if (sg_file_text(db, &app, "cannot look for an app",
                     "SELECT coalesce((SELECT a.name FROM sigla_app a JOIN sigla_table t ON"
                     " t.app = a.id WHERE t.active), 'default')",
                     NULL, NULL) != SG_OK) {
        sg_buf_deinit(&app);
        return NULL;
    }
    sg_buf_str(path, "/sync/");
    sg_api_escape(path, sg_buf_view(&app));
    sg_buf_str(path, "/pull?v=2&limit=1");
    sg_buf_deinit(&app);
    return sg_buf_cstr(path);
}

static const char *fix_for(int status)
{
    if (status == 401) return "Get a new token: sigla init FILE --token TOKEN";
    if (status == 402 || status == 403 || status == 426 || status == 429 || status >= 500)
        return "Ask whoever runs it.";
    return "Is it Sigla's? Another address: sigla init FILE --server URL";
}

void sg_check_server(sqlite3 *db, sg_findings *f)
{
    sg_buf path;
    sg_api_answer answer;
    sg_buf_init(&path, TEXT_MAX);
    const char *where = make_path(db, &path);
    if (where != NULL) {
        sg_api_get(db, where, &answer);
        int64_t now_us;
        if (server_time(&answer, &now_us)) {
            sg_findings_add(f, "server", SG_FINE, NULL, "it answers and takes the token");
            add_clock(f, (int64_t)time(NULL) - now_us / 1000000);
        } else if (answer.status == 0) {
            sg_findings_add(f, "server", SG_PROBLEM, "Check its address: sigla status FILE",
                            "it cannot be reached: %s", answer.why);
        } else {
            sg_findings_add(f, "server", SG_PROBLEM, fix_for(answer.status), "%s",
                            answer.status == 200 ? "its answer is not understood" : answer.why);
        }
        sg_api_deinit(&answer);
    }
    sg_buf_deinit(&path);
}
