#include "wire/base64.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char urlsafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- encoding ---- */

static void put_group(char *to, const char *alphabet, uint32_t bits)
{
    to[0] = alphabet[bits >> 18 & 63];
    to[1] = alphabet[bits >> 12 & 63];
    to[2] = alphabet[bits >> 6 & 63];
    to[3] = alphabet[bits & 63];
}

static void encode(sg_buf *out, sg_slice bytes, const char *alphabet, bool padded)
{
    if (bytes.n == 0) return;
    if (bytes.n > SIZE_MAX / 2) {
        if (out->err == SG_OK) out->err = SG_LIMIT;
        return;
    }
    const uint8_t *p = (const uint8_t *)bytes.p;
    size_t rest = bytes.n % 3, whole = bytes.n / 3;
    char *to = sg_buf_extend(out, whole * 4);
    if (to == NULL) return;
    for (; whole > 0; whole--, p += 3, to += 4)
        put_group(to, alphabet, (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]);
    if (rest == 0) return;
    char last[4];
    put_group(last, alphabet, (uint32_t)p[0] << 16 | (rest == 2 ? (uint32_t)p[1] << 8 : 0));
    if (rest == 1) last[2] = '=';
    last[3] = '=';
    sg_buf_put(out, last, padded ? 4 : rest + 1);
}

void sg_base64_encode(sg_buf *out, sg_slice bytes)
{
    encode(out, bytes, standard, true);
}

void sg_base64url_encode(sg_buf *out, sg_slice bytes)
{
    encode(out, bytes, urlsafe, false);
}

/* ---- decoding ---- */

#define NO 64

/* Values of the digits both alphabets share. */
static const uint8_t value_of[128] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, /* 0x00 */
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, /* 0x10 */
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, /* 0x20 */
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO, /* 0..9 */
    NO, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, /* A..O */
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO, /* P..Z */
    NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, /* a..o */
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO, /* p..z */
};

static uint32_t digit(char c, const char *alphabet)
{
    if (c == alphabet[62]) return 62;
    if (c == alphabet[63]) return 63;
    return (uint8_t)c < 128 ? value_of[(uint8_t)c] : NO;
}

/* Bytes that n digits (without padding) stand for. */
static size_t decoded_size(size_t n)
{
    return n / 4 * 3 + n % 4 * 3 / 4;
}

/* Digits without padding to decoded_size bytes. Bits left over at the end must be zero: bytes have
 * one encoding only. */
static int decode(char *dst, sg_slice digits, const char *alphabet)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < digits.n; i++) {
        uint32_t value = digit(digits.p[i], alphabet);
        if (value == NO) return SG_BADVALUE;
        bits = bits << 6 | value;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        *dst++ = (char)(bits >> have & 0xff);
        bits &= (1u << have) - 1;
    }
    return have < 6 && bits == 0 ? SG_OK : SG_BADVALUE;
}

/* Cut the padding off; SG_BADVALUE when the length cannot be that of padded base64. */
static int unpad(sg_slice *text)
{
    if (text->n % 4 != 0) return SG_BADVALUE;
    for (int padding = 0; padding < 2 && text->n > 0 && text->p[text->n - 1] == '='; padding++)
        text->n--;
    return SG_OK;
}

int sg_base64_decode_in_place(char *text, size_t *n)
{
    sg_slice digits = sg_slice_of(text, *n);
    int err = unpad(&digits);
    if (err == SG_OK) err = decode(text, digits, standard);
    *n = decoded_size(digits.n);
    return err;
}

static int append(sg_buf *out, sg_slice digits, const char *alphabet)
{
    size_t from = out->n;
    char *dst = sg_buf_extend(out, decoded_size(digits.n));
    if (dst == NULL) return out->err;
    int err = decode(dst, digits, alphabet);
    if (err != SG_OK) sg_buf_truncate(out, from);
    return err;
}

int sg_base64_decode(sg_buf *out, sg_slice text)
{
    int err = unpad(&text);
    return err == SG_OK ? append(out, text, standard) : err;
}

int sg_base64url_decode(sg_buf *out, sg_slice text)
{
    return append(out, text, urlsafe);
}
