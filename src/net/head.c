#include "net/head.h"

#include <http_parser.h>
#include <strings.h>

#define LENGTH_DIGITS 18u /* of a Content-Length: fits 63 bits */

/* The first reason stays. */
static bool refuse(sg_refusal *why, int err, int status, const char *detail)
{
    if (why->err == SG_OK) *why = (sg_refusal){err, status, detail};
    return false;
}

static bool bad(sg_head *h, const char *detail)
{
    return refuse(&h->why, SG_BADREQUEST, 400, detail);
}

size_t sg_head_find(sg_refusal *why, sg_slice bytes, size_t *scan)
{
    const char *p = bytes.p;
    size_t max = bytes.n < SG_HTTP_MAX_HEAD ? bytes.n : SG_HTTP_MAX_HEAD;
    while (*scan < max) {
        const char *lf = memchr(p + *scan, '\n', max - *scan);
        if (lf == NULL) break;
        size_t at = (size_t)(lf - p);
        if (at == 0 || p[at - 1] != '\r') {
            refuse(why, SG_BADREQUEST, 400, "a line must end with CR LF");
            return 0;
        }
        if (at >= 3 && p[at - 2] == '\n') return at + 1;
        *scan = at + 1;
    }
    /* *scan is the start of the line that is not complete. */
    if (*scan == 0 && bytes.n > SG_HTTP_MAX_URL + 32)
        refuse(why, SG_LIMIT, 414, "the request target is too long");
    else if (bytes.n >= SG_HTTP_MAX_HEAD)
        refuse(why, SG_HEADERS, 431, "the head is larger than 16 KiB");
    return 0;
}

/* tchar of RFC 9110, section 5.6.2 */
static bool is_token(sg_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) return false;
    }
    return s.n != 0;
}

static bool eq(sg_slice s, const char *text, size_t n)
{
    return s.n == n && strncasecmp(s.p, text, n) == 0;
}

#define IS(s, text) eq(s, text, sizeof(text) - 1)

/* True if the comma-separated list names the word. */
static bool list_has(sg_slice list, const char *word)
{
    if (list.n == 0) return false;
    size_t n = strlen(word);
    const char *end = list.p + list.n;
    for (const char *p = list.p; p < end;) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == ','))
            p++;
        const char *start = p;
        while (p < end && *p != ',')
            p++;
        const char *stop = p;
        while (stop > start && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if ((size_t)(stop - start) == n && strncasecmp(start, word, n) == 0) return true;
    }
    return false;
}

/* ---- http_parser's callbacks ---- */

typedef struct parse {
    http_parser parser;
    sg_head *h;
    sg_slice target;
    bool complete;
} parse;

static int on_url(http_parser *p, const char *at, size_t n)
{
    parse *x = p->data;
    if (x->target.p == NULL) x->target.p = at;
    x->target.n += n;
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
    sg_head *h = ((parse *)p->data)->h;
    if (h->header_count == SG_HTTP_MAX_HEADERS) {
        refuse(&h->why, SG_HEADERS, 431, "more than 100 header fields");
        return -1;
    }
    h->headers[h->header_count++] = (sg_http_header){.name = sg_slice_of(at, n)};
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    sg_head *h = ((parse *)p->data)->h;
    h->headers[h->header_count - 1].value = sg_slice_of(at, n);
    return 0;
}

static int on_complete(http_parser *p)
{
    ((parse *)p->data)->complete = true;
    return 0;
}

static const http_parser_settings callbacks = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

/* ---- fields ---- */

struct framing {
    unsigned hosts;
    unsigned lengths;
    unsigned codings;
    sg_slice length;
    bool connection_close;
    bool connection_keep;
    bool connection_upgrade;
    bool upgrade_websocket;
};

static void read_connection(struct framing *f, sg_slice value)
{
    if (list_has(value, "close")) f->connection_close = true;
    if (list_has(value, "keep-alive")) f->connection_keep = true;
    if (list_has(value, "upgrade")) f->connection_upgrade = true;
}

/* The fields this layer cares about; a switch by length keeps it to one comparison mostly. */
static void read_field(sg_head *h, struct framing *f, const sg_http_header *field)
{
    sg_slice name = field->name;
    sg_slice value = field->value;
    switch (name.n) {
    case 4:
        if (IS(name, "host")) f->hosts++;
        break;
    case 6:
        if (IS(name, "origin")) h->origin = value;
        if (IS(name, "expect")) h->expect_continue = IS(value, "100-continue");
        break;
    case 7:
        if (IS(name, "upgrade")) f->upgrade_websocket |= list_has(value, "websocket");
        break;
    case 10:
        if (IS(name, "connection")) read_connection(f, value);
        break;
    case 12:
        if (IS(name, "x-request-id")) h->request_id = value;
        break;
    case 14:
        if (!IS(name, "content-length")) break;
        f->lengths++;
        f->length = value;
        break;
    case 15:
        if (IS(name, "accept-encoding")) h->accept |= sg_coding_accepted(value);
        if (IS(name, "x-forwarded-for")) h->forwarded = value;
        break;
    case 16:
        if (!IS(name, "content-encoding")) break;
        /* Two fields are a list of two codings, which we don't take. */
        h->coding = h->coding != SG_CODING_NONE ? SG_CODING_UNKNOWN : sg_coding_of(value);
        break;
    case 17:
        if (!IS(name, "transfer-encoding")) break;
        f->codings++;
        h->chunked = IS(value, "chunked");
        break;
    case 29:
        if (IS(name, "access-control-request-method")) h->cors_method = value;
        break;
    default:
        break;
    }
}

static bool read_length(sg_head *h, sg_slice digits)
{
    if (digits.n == 0 || digits.n > LENGTH_DIGITS) return bad(h, "Content-Length is no number");
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') return bad(h, "Content-Length is no number");
        h->content_length = h->content_length * 10 + (uint64_t)(digits.p[i] - '0');
    }
    return true;
}

/* How long is the body? Whatever two readers could answer differently is refused. */
static bool check_framing(sg_head *h, const struct framing *f)
{
    if (f->hosts > 1 || (f->hosts == 0 && !h->http_1_0)) return bad(h, "Host must come once");
    if (f->codings != 0) {
        if (f->lengths != 0) return bad(h, "Content-Length beside Transfer-Encoding");
        if (f->codings > 1 || !h->chunked) return bad(h, "the transfer coding must be chunked");
        if (h->http_1_0) return bad(h, "HTTP/1.0 has no transfer codings");
    }
    if (f->lengths > 1) return bad(h, "Content-Length twice");
    return f->lengths == 0 || read_length(h, f->length);
}

static bool read_fields(sg_head *h)
{
    struct framing f = {0};
    for (size_t i = 0; i < h->header_count; i++) {
        if (!is_token(h->headers[i].name)) return bad(h, "a header name is no token");
        read_field(h, &f, &h->headers[i]);
    }
    if (!check_framing(h, &f)) return false;
    h->keep_alive = !f.connection_close && (!h->http_1_0 || f.connection_keep);
    h->is_upgrade = f.connection_upgrade && f.upgrade_websocket && !h->http_1_0;
    h->expect_continue = h->expect_continue && !h->http_1_0;
    return true;
}

/* ---- request line ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Visible ASCII without a fragment, escapes whole and none of them a NUL. */
static bool check_target(sg_head *h, sg_slice t)
{
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '#') return bad(h, "the target holds a bad character");
        if (c != '%') continue;
        if (t.n - i < 3 || !is_hex(t.p[i + 1]) || !is_hex(t.p[i + 2]))
            return bad(h, "a percent-escape is not whole");
        if (t.p[i + 1] == '0' && t.p[i + 2] == '0') return bad(h, "the target holds a NUL");
    }
    return true;
}

/* "/path?query", "http://host/path?query", or "*" for OPTIONS. */
static bool read_target(sg_head *h, sg_slice t)
{
    if (t.n > SG_HTTP_MAX_URL) {
        return refuse(&h->why, SG_LIMIT, 414, "the request target is longer than 8 KiB");
    }
    if (!check_target(h, t)) return false;
    if (t.n > 7 && strncasecmp(t.p, "http://", 7) == 0) {
        const char *slash = memchr(t.p + 7, '/', t.n - 7);
        if (slash == NULL) return bad(h, "the target has no path");
        t = sg_slice_of(slash, t.n - (size_t)(slash - t.p));
    }
    bool star = t.n == 1 && t.p[0] == '*' && h->method == SG_HTTP_OPTIONS;
    if (!star && (t.n == 0 || t.p[0] != '/')) return bad(h, "the target must start with a slash");
    const char *mark = memchr(t.p, '?', t.n);
    h->path = sg_slice_of(t.p, mark != NULL ? (size_t)(mark - t.p) : t.n);
    if (mark != NULL) h->query = sg_slice_of(mark + 1, t.n - h->path.n - 1);
    return true;
}

/* " HTTP/1.1" and the end of the line must follow the target; http_parser does not look closely. */
static bool check_version(sg_head *h, sg_slice target, sg_slice bytes)
{
    static const char version[] = " HTTP/1.1\r\n";
    const char *p = target.p + target.n;
    bool whole = (size_t)(bytes.p + bytes.n - p) >= sizeof version - 1;
    return (whole && memcmp(p, version, 6) == 0 && memcmp(p + 9, version + 9, 2) == 0) ||
           bad(h, "the request line is malformed");
}

static bool read_method(sg_head *h, unsigned method)
{
    switch (method) {
    case HTTP_GET:
        h->method = SG_HTTP_GET;
        return true;
    case HTTP_HEAD:
        h->method = SG_HTTP_HEAD;
        return true;
    case HTTP_POST:
        h->method = SG_HTTP_POST;
        return true;
    case HTTP_PUT:
        h->method = SG_HTTP_PUT;
        return true;
    case HTTP_PATCH:
        h->method = SG_HTTP_PATCH;
        return true;
    case HTTP_DELETE:
        h->method = SG_HTTP_DELETE;
        return true;
    case HTTP_OPTIONS:
        h->method = SG_HTTP_OPTIONS;
        return true;
    default:
        return refuse(&h->why, SG_METHOD, 501, "this method is not known here");
    }
}

/* True if a line starts with white space, which once continued the line before. */
static bool has_fold(sg_slice s)
{
    const char *end = s.p + s.n;
    for (const char *p = s.p; (p = memchr(p, '\n', (size_t)(end - p))) != NULL && ++p < end;) {
        if (*p == ' ' || *p == '\t') return true;
    }
    return false;
}

bool sg_head_parse(sg_head *h, sg_slice bytes)
{
    parse x = {.h = h};
    http_parser_init(&x.parser, HTTP_REQUEST);
    x.parser.data = &x;
    if (has_fold(bytes)) return bad(h, "a header line is folded");
    http_parser_execute(&x.parser, &callbacks, bytes.p, bytes.n);
    enum http_errno rc = HTTP_PARSER_ERRNO(&x.parser);
    if (h->why.err != SG_OK) return false;
    if (rc == HPE_INVALID_METHOD)
        return refuse(&h->why, SG_METHOD, 501, "this method is not known here");
    if (rc != HPE_OK) return bad(h, http_errno_description(rc));
    if (!x.complete || x.target.p == NULL) return bad(h, "this is no request head");
    if (x.parser.http_major != 1 || x.parser.http_minor > 1)
        return refuse(&h->why, SG_BADREQUEST, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    h->http_1_0 = x.parser.http_minor == 0;
    return check_version(h, x.target, bytes) && read_method(h, x.parser.method) &&
           read_target(h, x.target) && read_fields(h);
}

static void move(sg_slice *s, const char *from, const char *to)
{
    if (s->p != NULL) s->p = to + (s->p - from);
}

void sg_head_move(sg_head *h, const char *from, const char *to)
{
    move(&h->path, from, to);
    move(&h->query, from, to);
    for (size_t i = 0; i < h->header_count; i++) {
        move(&h->headers[i].name, from, to);
        move(&h->headers[i].value, from, to);
    }
    move(&h->origin, from, to);
    move(&h->request_id, from, to);
    move(&h->forwarded, from, to);
    move(&h->cors_method, from, to);
}
