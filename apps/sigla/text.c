#include "text.h"

#include <locale.h>
#include <wchar.h>

#include "wire/utf8.h"

#define ELLIPSIS "…"
#define REPLACEMENT "\xEF\xBF\xBD"

void sg_text_setup(void)
{
    /* Only the character tables: numbers stay as C writes them. */
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) (void)setlocale(LC_CTYPE, "");
}

static size_t char_width(uint32_t cp)
{
    if (cp < 0x7F) return 1;
    int w = wcwidth((wchar_t)cp);
    return w > 0 ? (size_t)w : 0;
}

size_t sg_text_width(sg_slice text)
{
    if (text.n == 0) return 0;
    const char *p = text.p, *end = p + text.n;
    size_t width = 0;
    while (p < end) {
        size_t n = sg_utf8_step(p, end);
        width += n != 0 ? char_width(sg_utf8_get(p, n)) : 1;
        p += n != 0 ? n : 1;
    }
    return width;
}

/* Marks and overrides of writing direction, and separators that some terminals act on. */
static bool is_sly(uint32_t cp)
{
    return (cp >= 0x7F && cp < 0xA0) || cp == 0x200E || cp == 0x200F || cp == 0x061C ||
           (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF;
}

void sg_text_clean(sg_buf *out, sg_slice text)
{
    if (text.n == 0) return;
    const char *p = text.p, *end = p + text.n;
    while (p < end) {
        size_t n = sg_utf8_step(p, end);
        uint32_t cp = n != 0 ? sg_utf8_get(p, n) : 0;
        if (n == 0)
            sg_buf_str(out, REPLACEMENT);
        else if (cp == '\n')
            sg_buf_str(out, "↵");
        else if (cp == '\t')
            sg_buf_byte(out, ' ');
        else if (cp == '\r' && p + 1 < end && p[1] == '\n')
            ; /* the line end that follows is shown */
        else if (cp < 0x20 || is_sly(cp))
            sg_buf_str(out, REPLACEMENT);
        else
            sg_buf_put(out, p, n);
        p += n != 0 ? n : 1;
    }
}

size_t sg_text_fit(sg_buf *out, sg_slice clean, size_t width)
{
    size_t whole = sg_text_width(clean);
    if (whole <= width) {
        sg_buf_slice(out, clean);
        return whole;
    }
    if (width == 0) return 0;
    const char *p = clean.p, *end = p + clean.n;
    size_t used = 0;
    while (p < end) {
        size_t n = sg_utf8_step(p, end);
        size_t w = n != 0 ? char_width(sg_utf8_get(p, n)) : 1;
        if (used + w > width - 1) break;
        used += w;
        p += n != 0 ? n : 1;
    }
    sg_buf_put(out, clean.p, (size_t)(p - clean.p));
    sg_buf_str(out, ELLIPSIS);
    return used + 1;
}

void sg_text_copy(char *to, size_t room, const char *text)
{
    size_t n = strnlen(text, room - 1);
    memcpy(to, text, n);
    to[n] = '\0';
}

void sg_text_count(sg_buf *out, int64_t n)
{
    if (n < 0) {
        sg_buf_byte(out, '-');
        n = n == INT64_MIN ? INT64_MAX : -n;
    }
    int64_t unit = 1;
    while (n / unit >= 1000)
        unit *= 1000;
    sg_buf_int(out, n / unit);
    for (unit /= 1000; unit != 0; unit /= 1000) {
        int64_t part = n / unit % 1000;
        sg_buf_byte(out, ',');
        sg_buf_byte(out, (uint8_t)('0' + part / 100));
        sg_buf_byte(out, (uint8_t)('0' + part / 10 % 10));
        sg_buf_byte(out, (uint8_t)('0' + part % 10));
    }
}
