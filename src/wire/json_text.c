#include "wire/json_scan.h"
#include "wire/utf8.h"

bool sg_json_plain(sg_slice raw)
{
    return raw.n == 0 || memchr(raw.p, '\\', raw.n) == NULL;
}

/* ---- escapes undone ---- */

/* The code point of the \u escape at *p, which is left behind it. */
static uint32_t unicode_escape(const char **p)
{
    uint32_t unit = (uint32_t)sg_json_hex4(*p + 2);
    *p += 6;
    if (unit < 0xd800 || unit > 0xdbff) return unit;
    uint32_t low = (uint32_t)sg_json_hex4(*p + 2);
    *p += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/* The code point of the escape at *p (a backslash), which is left behind it. */
static uint32_t escape(const char **p)
{
    char c = (*p)[1];
    if (c == 'u') return unicode_escape(p);
    *p += 2;
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return (uint8_t)c;
    }
}

void sg_json_unescape(sg_slice raw, sg_buf *out)
{
    const char *p = raw.p;
    const char *end = raw.n != 0 ? p + raw.n : p;
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        sg_buf_put(out, p, (size_t)((backslash != NULL ? backslash : end) - p));
        if (backslash == NULL) break;
        p = backslash;
        char utf8[4];
        sg_buf_put(out, utf8, sg_utf8_put(utf8, escape(&p)));
    }
}

/* ---- comparison without copying ---- */

static uint32_t code_point(const char **p, const char *end)
{
    if (**p == '\\') return escape(p);
    size_t n = sg_utf8_step(*p, end);
    uint32_t cp = sg_utf8_get(*p, n);
    *p += n;
    return cp;
}

int sg_json_raw_cmp(sg_slice a, sg_slice b)
{
    /* Bytes of UTF-8 sort as their code points do. */
    if (sg_json_plain(a) && sg_json_plain(b)) return sg_slice_cmp(a, b);
    const char *p = a.p, *p_end = a.n != 0 ? p + a.n : p;
    const char *q = b.p, *q_end = b.n != 0 ? q + b.n : q;
    while (p < p_end && q < q_end) {
        uint32_t x = code_point(&p, p_end);
        uint32_t y = code_point(&q, q_end);
        if (x != y) return x < y ? -1 : 1;
    }
    return (p < p_end) - (q < q_end);
}

bool sg_json_key_eq(sg_slice raw, sg_slice text)
{
    if (sg_json_plain(raw)) return sg_slice_eq(raw, text);
    const char *p = raw.p, *end = p + raw.n;
    size_t at = 0;
    while (p < end) {
        char utf8[4];
        size_t n = sg_utf8_put(utf8, code_point(&p, end));
        if (n > text.n - at || memcmp(text.p + at, utf8, n) != 0) return false;
        at += n;
    }
    return at == text.n;
}

/* ---- escapes made ---- */

static void put_escaped(sg_buf *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char text[6] = {'\\', (char)c};
    size_t n = 2;
    if (c < 0x20 && shorts[c] != '\0') {
        text[1] = shorts[c];
    } else if (c < 0x20) {
        memcpy(text + 1, "u00", 3);
        text[4] = hex[c >> 4];
        text[5] = hex[c & 15];
        n = 6;
    }
    sg_buf_put(out, text, n);
}

/* The end of the bytes from p on that a JSON string takes as they are, non-ASCII ones included. */
static const char *unescaped_run(const char *p, const char *end)
{
    p = sg_plain_run(p, end);
    while (p < end && (uint8_t)*p >= 0x80)
        p = sg_plain_run(p + 1, end);
    return p;
}

void sg_json_quote(sg_buf *out, sg_slice text)
{
    if (!sg_utf8_valid(text)) {
        if (out->err == SG_OK) out->err = SG_BADVALUE;
        return;
    }
    const char *p = text.p;
    const char *end = text.n != 0 ? p + text.n : p;
    sg_buf_byte(out, '"');
    while (p < end) {
        const char *run = unescaped_run(p, end);
        sg_buf_put(out, p, (size_t)(run - p));
        p = run;
        if (p < end) put_escaped(out, (uint8_t)*p++);
    }
    sg_buf_byte(out, '"');
}
