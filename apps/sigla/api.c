#include "api.h"

#include "fetch.h"
#include "file.h"
#include "meter.h"
#include "show.h"
#include "stop.h"
#include "text.h"

#define URL_MAX ((size_t)64 * 1024)
#define POLL_MS 200

void sg_api_escape(sg_buf *out, sg_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c != '\0' && strchr("-._~", c) != NULL);
        if (plain) {
            sg_buf_byte(out, c);
            continue;
        }
        sg_buf_byte(out, '%');
        sg_buf_byte(out, (uint8_t)digits[c >> 4]);
        sg_buf_byte(out, (uint8_t)digits[c & 15]);
    }
}

static void wait_for(sg_fetch *fetch, sg_fetched *fetched)
{
    *fetched = (sg_fetched){.why = "stopped"};
    int64_t end_ms = sg_meter_now_ms() + SG_API_TIMEOUT_MS;
    while (!sg_fetch_take(fetch, fetched)) {
        if (sg_stop_asked() != 0) return;
        if (sg_meter_now_ms() >= end_ms) {
            fetched->why = "the server does not answer";
            return;
        }
        sg_fetch_poll(fetch, POLL_MS);
    }
}

/* {"error":{"message":…, "detail":…}} if the server said so. */
static void explain(sg_api_answer *out)
{
    sg_slice error = {0};
    sg_buf message, detail;
    sg_buf_init(&message, sizeof out->why);
    sg_buf_init(&detail, sizeof out->why);
    if (sg_show_member(sg_buf_view(&out->body), "error", &error)) {
        (void)sg_show_member_text(error, "message", &message);
        (void)sg_show_member_text(error, "detail", &detail);
    }
    if (message.n == 0) {
        sg_buf_str(&message, "the server answered ");
        sg_buf_int(&message, out->status);
    } else if (detail.n != 0) {
        sg_buf_str(&message, ": ");
        sg_buf_slice(&message, sg_buf_view(&detail));
    }
    sg_buf_deinit(&detail);
    const char *text = sg_buf_cstr(&message);
    if (text != NULL) sg_text_copy(out->why, sizeof out->why, text);
    sg_buf_deinit(&message);
}

static void ask(sg_fetch *fetch, const char *url, const char *authorization, sg_api_answer *out)
{
    sg_fetched fetched;
    const char *headers[] = {authorization, "Accept: application/json", "Accept-Encoding: identity",
                             NULL};
    sigla_action request = {
        .kind = SIGLA_REQUEST, .method = "GET", .url = url, .headers = headers, .message = ""};
    if (sg_fetch_start(fetch, &request, SG_API_TIMEOUT_MS) != SG_OK) return;
    wait_for(fetch, &fetched);
    if (!fetched.arrived) {
        sg_text_copy(out->why, sizeof out->why, fetched.why);
        return;
    }
    out->status = fetched.status;
    sg_buf_slice(&out->body, fetched.body);
    if (out->status != 200) explain(out);
}

void sg_api_get(sqlite3 *db, const char *path, sg_api_answer *out)
{
    sg_buf url, auth;
    *out = (sg_api_answer){.why = "memory ran out"};
    sg_buf_init(&out->body, SG_API_BODY_MAX);
    sg_buf_init(&url, URL_MAX);
    sg_buf_init(&auth, URL_MAX);
    (void)sg_file_config(db, "server", &url);
    while (url.n != 0 && url.p[url.n - 1] == '/')
        sg_buf_truncate(&url, url.n - 1);
    sg_buf_str(&url, path);
    sg_buf_str(&auth, "Authorization: Bearer ");
    (void)sg_file_config(db, "token", &auth);
    const char *where = sg_buf_cstr(&url), *who = sg_buf_cstr(&auth);
    sg_fetch *fetch = sg_fetch_new(NULL);
    if (fetch != NULL && where != NULL && who != NULL) ask(fetch, where, who, out);
    sg_fetch_free(fetch);
    sg_buf_deinit(&url);
    sg_buf_deinit(&auth);
}

void sg_api_deinit(sg_api_answer *a)
{
    sg_buf_deinit(&a->body);
}
