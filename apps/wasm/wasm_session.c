/* The sync session for a JavaScript host: its actions as JSON. See wasm_api.h. */
#include "wasm_api.h"

#include <sqlite3.h>

#include "base/err.h"
#include "wire/json.h"

/* Leave the session's own words when one of its calls failed. */
static int outcome(const sigla_session *s, int rc)
{
    if (rc == SG_OK) return SG_OK;
    return wasm_fail(rc, s != NULL ? sigla_session_message(s) : sg_err_text(rc));
}

sigla_session *session_open(struct sqlite3 *db, const char *options)
{
    sigla_session *s = NULL;
    int rc = sigla_session_open(db, options, &s);
    if (rc == SG_OK) return s;
    wasm_fail(rc, sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sg_err_text(rc));
    return NULL;
}

void session_close(sigla_session *s)
{
    sigla_session_close(s);
}

static void write_request(sg_jsonw *w, const sigla_action *a)
{
    sg_jsonw_kstr(w, "method", sg_slice_str(a->method));
    sg_jsonw_kstr(w, "url", sg_slice_str(a->url));
    sg_jsonw_k(w, "headers");
    sg_jsonw_array(w);
    for (const char *const *h = a->headers; *h != NULL; h++) {
        sg_jsonw_string(w, sg_slice_str(*h));
    }
    sg_jsonw_array_end(w);
    sg_jsonw_kint(w, "bodyAt", (int64_t)(uintptr_t)a->body);
    sg_jsonw_kint(w, "bodyBytes", (int64_t)a->body_bytes);
}

static void write_reason(sg_jsonw *w, const sigla_action *a)
{
    sg_jsonw_kstr(w, "code", sg_slice_str(sg_err_code(a->error)));
    sg_jsonw_kstr(w, "message", sg_slice_str(a->message));
}

int session_next(sigla_session *s)
{
    static const char *const kinds[] = {
        [SIGLA_REQUEST] = "request",
        [SIGLA_WAIT] = "wait",
        [SIGLA_DONE] = "done",
        [SIGLA_STOP] = "stop",
    };
    sigla_action a;
    sg_jsonw w;
    int rc = sigla_session_next(s, &a);
    if (rc != SG_OK) return outcome(s, rc);
    sg_jsonw_init(&w, wasm_result());
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "kind", sg_slice_str(kinds[a.kind]));
    if (a.kind == SIGLA_REQUEST) write_request(&w, &a);
    if (a.kind == SIGLA_WAIT) sg_jsonw_kint(&w, "waitMs", a.wait_ms);
    if (a.kind == SIGLA_WAIT || a.kind == SIGLA_STOP) write_reason(&w, &a);
    sg_jsonw_object_end(&w);
    return wasm_done(SG_OK);
}

int session_answer(sigla_session *s, int status, double retry_after_ms, const void *body,
                   size_t bytes)
{
    return outcome(s, sigla_session_answer(s, status, (int64_t)retry_after_ms, body, bytes));
}

int session_lost(sigla_session *s)
{
    return outcome(s, sigla_session_lost(s));
}

void session_wake(sigla_session *s)
{
    sigla_session_wake(s);
}

int session_progress(sigla_session *s)
{
    sigla_progress p;
    sg_jsonw w;
    sigla_session_progress(s, &p);
    sg_jsonw_init(&w, wasm_result());
    sg_jsonw_object(&w);
    sg_jsonw_kint(&w, "pending", p.pending);
    sg_jsonw_kint(&w, "pushed", p.pushed);
    sg_jsonw_kint(&w, "refused", p.refused);
    sg_jsonw_kint(&w, "pulled", p.pulled);
    sg_jsonw_kint(&w, "applied", p.applied);
    sg_jsonw_kint(&w, "conflicts", p.conflicts);
    sg_jsonw_kint(&w, "parked", p.parked);
    sg_jsonw_kint(&w, "staged", p.staged);
    sg_jsonw_object_end(&w);
    return wasm_done(SG_OK);
}
