#include "net/router.h"

/* One segment of a pattern: its text, or its name when it is a capture. */
struct segment {
    sg_slice text;
    bool is_capture;
    bool takes_rest; /* {name*} */
};

/* The segment at p, which stands behind a slash; returns its end. */
static const char *read_segment(const char *p, struct segment *s)
{
    size_t n = strcspn(p, "/");
    *s = (struct segment){.text = sg_slice_of(p, n)};
    s->is_capture = n > 2 && p[0] == '{' && p[n - 1] == '}';
    s->takes_rest = s->is_capture && p[n - 2] == '*';
    return p + n;
}

static bool is_pattern(const char *p)
{
    size_t captures = 0;
    if (p == NULL || *p != '/') return false;
    while (*p == '/') {
        struct segment s;
        p = read_segment(p + 1, &s);
        if (s.is_capture && ++captures > SG_HTTP_MAX_PARAMS) return false;
        if (s.takes_rest && *p != '\0') return false;
        if (!s.is_capture && s.text.n != 0 && memchr(s.text.p, '{', s.text.n) != NULL) return false;
    }
    return true;
}

int sg_router_init(sg_router *r, const sg_http_route *rows, size_t n)
{
    if (n > SG_HTTP_MAX_ROUTES) return SG_BADREQUEST;
    *r = (sg_router){.v = rows, .n = n};
    for (size_t i = 0; i < n; i++) {
        bool one = (rows[i].handle != NULL) != (rows[i].ws != NULL);
        bool method = rows[i].ws == NULL || rows[i].method == SG_HTTP_GET;
        if (!one || !method || !is_pattern(rows[i].pattern)) return SG_BADREQUEST;
        r->literal[i] = strcspn(rows[i].pattern, "{");
    }
    return SG_OK;
}

/* The captures of a path that starts with the pattern's literal part, whose length is `literal`. */
static bool capture(const char *pattern, size_t literal, sg_slice path, sg_route_match *m)
{
    const char *p = path.p + literal;
    const char *end = path.p + path.n;
    pattern += literal;
    m->param_count = 0;
    while (*pattern != '\0') {
        struct segment s;
        pattern = read_segment(pattern, &s);
        const char *slash = memchr(p, '/', (size_t)(end - p));
        sg_slice text = sg_slice_of(p, (size_t)((slash != NULL ? slash : end) - p));
        if (s.takes_rest) text.n = (size_t)(end - p);
        if (s.is_capture)
            m->params[m->param_count++] = text;
        else if (!sg_slice_eq(s.text, text))
            return false;
        if (s.takes_rest) return true;
        if (s.is_capture && text.n == 0) return false;
        p += text.n;
        if ((*pattern == '/') != (p < end)) return false;
        if (*pattern == '/') {
            pattern++;
            p++;
        }
    }
    return p == end;
}

static bool takes(const sg_http_route *route, enum sg_http_method method)
{
    return route->method == method ||
           (method == SG_HTTP_HEAD && route->method == SG_HTTP_GET && route->ws == NULL);
}

void sg_router_find(const sg_router *r, enum sg_http_method method, sg_slice path,
                    sg_route_match *out)
{
    *out = (sg_route_match){0};
    for (size_t i = 0; i < r->n; i++) {
        const sg_http_route *row = &r->v[i];
        size_t literal = r->literal[i];
        if (path.n < literal || memcmp(path.p, row->pattern, literal) != 0) continue;
        if (!capture(row->pattern, literal, path, out)) continue;
        out->methods |= 1u << row->method;
        if (takes(row, SG_HTTP_HEAD)) out->methods |= 1u << SG_HTTP_HEAD;
        if (takes(row, method)) {
            out->route = row;
            return;
        }
    }
}
