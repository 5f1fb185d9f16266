/* UTF-8 (RFC 3629) one code point at a time, and the search for the end of plain ASCII. */
#ifndef SG_UTF8_H
#define SG_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the sequence at p, 1..4; 0 when it is invalid or cut off by end. p < end. */
size_t sg_utf8_step(const char *p, const char *end);
/* The code point of a valid sequence of n bytes. */
uint32_t sg_utf8_get(const char *p, size_t n);
/* Write a code point (not a surrogate, at most U+10FFFF); returns the bytes written, 1..4. */
size_t sg_utf8_put(char *p, uint32_t cp);

/* The first byte of p..end that is not a plain JSON string byte: a quote, a backslash, a control
 * character or the start of a non-ASCII sequence; end when there is none. Eight bytes at a time: a
 * byte's high bit in `hit` is set if it is one of those (a borrow can set bits above such a byte,
 * never below, so the lowest bit is right). */
static inline const char *sg_plain_run(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101u;
    while (end - p >= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        uint64_t quote = (x ^ ones * '"') - ones;
        uint64_t backslash = (x ^ ones * '\\') - ones;
        uint64_t control = x - ones * 0x20;
        uint64_t hit = (quote | backslash | control | x) & (ones * 0x80);
        if (hit != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + __builtin_ctzll(hit) / 8;
#else
            break;
#endif
        }
        p += 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20 && (uint8_t)*p < 0x80)
        p++;
    return p;
}

#endif
