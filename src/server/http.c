#include "server/http.h"

#include <strings.h>

#include "base/mem.h"
#include "wire/json.h"

#define ERROR_BODY_MAX 4096u /* bytes; a longer detail is left out */

const char *sg_http_method_name(enum sg_http_method method)
{
    static const char *const names[SG_HTTP_METHOD_COUNT] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
    };
    return (unsigned)method < SG_HTTP_METHOD_COUNT ? names[method] : "?";
}

sg_slice sg_http_header_get(const sg_http_req *req, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < req->header_count; i++) {
        const sg_http_header *h = &req->headers[i];
        if (h->name.n == n && strncasecmp(h->name.p, name, n) == 0) return h->value;
    }
    return (sg_slice){NULL, 0};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* One byte of escaped text at p; *used says how many bytes it took. A broken escape, which src/net
 * lets through in no request, stands for itself. */
static char unescape_at(const char *p, const char *end, bool plus, size_t *used)
{
    *used = 1;
    if (*p == '+' && plus) return ' ';
    if (*p != '%' || end - p < 3 || hex(p[1]) < 0 || hex(p[2]) < 0) return *p;
    *used = 3;
    return (char)(hex(p[1]) * 16 + hex(p[2]));
}

static bool has_escape(sg_slice s, bool plus)
{
    if (s.n == 0) return false;
    return memchr(s.p, '%', s.n) != NULL || (plus && memchr(s.p, '+', s.n) != NULL);
}

/* Undo escapes; false when scratch latched an error. */
static bool unescape(sg_slice raw, bool plus, sg_buf *scratch, sg_slice *value)
{
    *value = raw;
    if (!has_escape(raw, plus)) return true;
    size_t start = scratch->n;
    const char *end = raw.p + raw.n;
    for (const char *p = raw.p; p < end;) {
        size_t used;
        sg_buf_byte(scratch, (uint8_t)unescape_at(p, end, plus, &used));
        p += used;
    }
    if (scratch->err != SG_OK) return false;
    *value = sg_slice_of(scratch->p + start, scratch->n - start);
    return true;
}

/* True if raw, its escapes undone, is the name. */
static bool name_is(sg_slice raw, const char *name)
{
    const char *end = raw.n != 0 ? raw.p + raw.n : raw.p;
    for (const char *p = raw.p; p < end; name++) {
        size_t used;
        if (*name == '\0' || unescape_at(p, end, true, &used) != *name) return false;
        p += used;
    }
    return *name == '\0';
}

bool sg_http_query_get(const sg_http_req *req, const char *name, sg_buf *scratch, sg_slice *value)
{
    sg_slice rest = req->query;
    while (rest.n != 0) {
        const char *amp = memchr(rest.p, '&', rest.n);
        sg_slice pair = sg_slice_of(rest.p, amp != NULL ? (size_t)(amp - rest.p) : rest.n);
        size_t skip = pair.n + (amp != NULL);
        rest = sg_slice_of(rest.p + skip, rest.n - skip);
        const char *eq = pair.n != 0 ? memchr(pair.p, '=', pair.n) : NULL;
        size_t key = eq != NULL ? (size_t)(eq - pair.p) : pair.n;
        if (pair.n == 0 || !name_is(sg_slice_of(pair.p, key), name)) continue;
        size_t from = eq != NULL ? key + 1 : key;
        return unescape(sg_slice_of(pair.p + from, pair.n - from), true, scratch, value);
    }
    return false;
}

bool sg_http_param(const sg_http_req *req, size_t i, sg_buf *scratch, sg_slice *value)
{
    if (i >= req->param_count) return false;
    return unescape(req->params[i], false, scratch, value);
}

void sg_http_error_body(sg_buf *out, int err, sg_slice detail)
{
    /* Whoever does not know the reason knows what to do: resync. */
    bool restored = err == SG_RESTORED;
    if (restored) detail = sg_slice_str(sg_err_code(err));
    sg_buf_str(out, "{\"error\":{\"code\":");
    sg_json_quote(out, sg_slice_str(sg_err_code(restored ? SG_RESYNC : err)));
    sg_buf_str(out, ",\"message\":");
    sg_json_quote(out, sg_slice_str(sg_err_text(err)));
    sg_buf_str(out, ",\"detail\":");
    /* A detail may quote what a peer sent: never let it break the JSON. */
    sg_json_quote(out,
                  detail.n < ERROR_BODY_MAX / 8 && sg_utf8_valid(detail) ? detail : SG_LIT(""));
    sg_buf_str(out, "}}");
}

void sg_http_answer_error(const sg_http *http, uint64_t id, int err, sg_slice detail)
{
    static const sg_http_header retry = {{"Retry-After", 11}, {"1", 1}};
    sg_answer answer = {.status = sg_err_http(err), .headers = &retry};
    answer.header_count = answer.status == 429 || answer.status == 503 ? 1 : 0;
    sg_buf body;
    sg_buf_init(&body, ERROR_BODY_MAX);
    sg_http_error_body(&body, err, detail);
    answer.body = sg_buf_take(&body, &answer.body_len);
    sg_buf_deinit(&body);
    sg_http_answer(http, id,
                   &answer); /* without a body if memory ran out: the status says enough */
}

void sg_http_answer_json(const sg_http *http, uint64_t id, int status, sg_buf *body)
{
    int err = body->err;
    sg_answer answer = {.status = status};
    if (err == SG_OK) {
        answer.body = sg_buf_take(body, &answer.body_len);
        err = body->err; /* the final NUL may have been one byte too many */
    }
    sg_buf_deinit(body);
    if (err != SG_OK) {
        sg_http_answer_error(http, id, err == SG_LIMIT ? SG_INTERNAL : err, SG_LIT(""));
        return;
    }
    sg_http_answer(http, id, &answer);
}
