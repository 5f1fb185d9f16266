#include "wire/utf8.h"

#include "wire/json.h"

/* The second byte decides over overlongs (E0, F0), surrogates (ED) and the end of Unicode (F4). */
static bool second_ok(uint8_t lead, uint8_t second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return second >= 0x80 && second <= 0xbf;
    }
}

size_t sg_utf8_step(const char *p, const char *end)
{
    uint8_t lead = (uint8_t)*p;
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    size_t n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (n > (size_t)(end - p)) return 0;
    if (!second_ok(lead, (uint8_t)p[1])) return 0;
    for (size_t i = 2; i < n; i++)
        if (((uint8_t)p[i] & 0xc0) != 0x80) return 0;
    return n;
}

uint32_t sg_utf8_get(const char *p, size_t n)
{
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t cp = (uint32_t)((uint8_t)p[0] & lead_bits[n]);
    for (size_t i = 1; i < n; i++)
        cp = cp << 6 | ((uint8_t)p[i] & 0x3fu);
    return cp;
}

size_t sg_utf8_put(char *p, uint32_t cp)
{
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t lead_mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--) {
        p[i] = (char)(0x80 | (cp & 0x3f));
        cp >>= 6;
    }
    p[0] = (char)(lead_mark[n] | cp);
    return n;
}

/* The first byte of p..end that is not ASCII, else end. */
static const char *ascii_run(const char *p, const char *end)
{
    uint64_t x;
    for (; end - p >= 8; p += 8) {
        memcpy(&x, p, 8);
        if ((x & 0x8080808080808080u) != 0) break;
    }
    while (p < end && (uint8_t)*p < 0x80)
        p++;
    return p;
}

bool sg_utf8_valid(sg_slice text)
{
    const char *p = text.p;
    const char *end = text.n != 0 ? p + text.n : p;
    while (p < end) {
        p = ascii_run(p, end);
        if (p == end) break;
        size_t n = sg_utf8_step(p, end);
        if (n == 0) return false;
        p += n;
    }
    return true;
}
