#include "wire/value_hash.h"

#include <math.h>
#include <stdio.h>

#include "core/sum.h"
#include "wire/json_scan.h"
#include "wire/real.h"

#define DIGITS 15 /* of a double that every text of it keeps */

/* What a hash is of. */
enum {
    OF_NULL = 1,
    OF_INT,
    OF_REAL,
    OF_INFINITY,
    OF_TEXT,
    OF_BLOB,
    OF_OTHER,
    OF_WORD,
    OF_ARRAY,
    OF_OBJECT
};

/* ---- numbers ---- */

static uint64_t hash_int(int64_t i)
{
    return sg_hash_word(OF_INT, (uint64_t)i);
}

static bool is_int(double r)
{
    return r >= -0x1p63 && r < 0x1p63 && r == trunc(r);
}

/* The first digits of a double, as JSON: d.dde+xx, whatever the locale's radix character is. */
static size_t put_digits(double r, char out[64])
{
    char text[64];
    size_t n = 0;
    int len = snprintf(text, sizeof text, "%.*e", DIGITS - 1, r);
    bool radix = false;
    for (int i = 0; i < len && i < (int)sizeof text - 1; i++) {
        bool plain = (text[i] >= '0' && text[i] <= '9') || text[i] == '-' || text[i] == '+' ||
                     text[i] == 'e';
        if (plain)
            out[n++] = text[i];
        else if (!radix)
            out[n++] = '.';
        radix = radix || !plain;
    }
    return n;
}

static uint64_t hash_real(double r)
{
    char text[64];
    if (isinf(r)) return sg_hash_word(OF_INFINITY, r < 0);
    if (is_int(r)) return hash_int((int64_t)r);
    sg_slice digits = sg_slice_of(text, put_digits(r, text));
    double rounded = sg_real_parse(digits);
    if (is_int(rounded)) return hash_int((int64_t)rounded);
    return sg_hash_bytes(OF_REAL, digits);
}

/* ---- texts that SQLite reads as numbers ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *digits_end(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static size_t copy(char *to, sg_slice from)
{
    if (from.n != 0) memcpy(to, from.p, from.n);
    return from.n;
}

/* A number in SQLite's spelling (white space around it, a plus, zeros before it, a bare point) as JSON
 * into out, which has room for the text and two more; 0 if it is none. */
static size_t as_json_number(sg_slice text, char *out)
{
    const char *p = text.p, *end = text.p + text.n;
    size_t n = 0;
    while (p < end && is_space(*p))
        p++;
    while (p < end && is_space(end[-1]))
        end--;
    if (p < end && *p == '-') out[n++] = '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    const char *whole = p, *point = digits_end(p, end), *fraction = point, *mantissa = point;
    if (point < end && *point == '.') mantissa = digits_end(fraction = point + 1, end);
    if (point == whole && mantissa == fraction) return 0;
    while (whole < point && *whole == '0')
        whole++;
    if (whole == point) out[n++] = '0';
    n += copy(out + n, sg_slice_of(whole, (size_t)(point - whole)));
    if (mantissa != fraction) {
        out[n++] = '.';
        n += copy(out + n, sg_slice_of(fraction, (size_t)(mantissa - fraction)));
    }
    if (mantissa == end) return n;
    const char *exponent = mantissa;
    if (*exponent != 'e' && *exponent != 'E') return 0;
    if (++exponent < end && (*exponent == '-' || *exponent == '+')) exponent++;
    if (exponent == end || digits_end(exponent, end) != end) return 0;
    return n + copy(out + n, sg_slice_of(mantissa, (size_t)(end - mantissa)));
}

static bool read_number(sg_slice text, uint64_t *hash)
{
    char json[SG_NUMBER_TEXT_MAX + 2];
    if (text.n == 0 || text.n > SG_NUMBER_TEXT_MAX) return false;
    char c = text.p[0];
    if (!is_digit(c) && !is_space(c) && c != '-' && c != '+' && c != '.') return false;
    sg_slice digits = sg_slice_of(json, as_json_number(text, json));
    if (digits.n == 0) return false;
    int64_t i;
    *hash = sg_json_to_int(digits, &i) ? hash_int(i) : hash_real(sg_real_parse(digits));
    return true;
}

/* ---- texts that are JSON ---- */

static uint64_t hash_string(sg_json *j, sg_buf *scratch)
{
    size_t from = scratch->n;
    sg_slice text = sg_json_string(j, scratch);
    uint64_t h = sg_hash_bytes(OF_TEXT, text);
    sg_buf_truncate(scratch, from);
    return h;
}

static uint64_t hash_number(sg_json *j)
{
    int64_t i;
    sg_slice digits = sg_json_number(j);
    if (j->err != SG_OK) return 0;
    return sg_json_to_int(digits, &i) ? hash_int(i) : hash_real(sg_real_parse(digits));
}

static uint64_t hash_next(sg_json *j, sg_buf *scratch);

static uint64_t hash_array(sg_json *j, sg_buf *scratch)
{
    uint64_t h = OF_ARRAY;
    for ((void)sg_json_array(j); sg_json_next(j);)
        h = sg_hash_word(h, hash_next(j, scratch));
    return sg_hash_word(h, OF_ARRAY);
}

/* A sum over its members, for their order says nothing. */
static uint64_t hash_object(sg_json *j, sg_buf *scratch)
{
    uint64_t sum = 0;
    (void)sg_json_object(j);
    for (sg_slice raw; sg_json_next_key(j, &raw);) {
        size_t from = scratch->n;
        if (!sg_json_plain(raw)) {
            sg_json_unescape(raw, scratch);
            raw = sg_slice_of(scratch->p + from, scratch->n - from);
        }
        uint64_t key = sg_hash_bytes(OF_OBJECT, raw);
        sg_buf_truncate(scratch, from);
        sum += sg_hash_word(key, hash_next(j, scratch));
    }
    return sg_hash_word(OF_OBJECT, sum);
}

/* Recursion is bounded by SG_JSON_MAX_DEPTH. */
static uint64_t hash_next(sg_json *j, sg_buf *scratch)
{
    switch (sg_json_peek(j)) {
    case SG_JSON_OBJECT:
        return hash_object(j, scratch);
    case SG_JSON_ARRAY:
        return hash_array(j, scratch);
    case SG_JSON_STRING:
        return hash_string(j, scratch);
    case SG_JSON_NUMBER:
        return hash_number(j);
    default:
        return sg_hash_bytes(OF_WORD, sg_json_skip(j));
    }
}

static bool read_json(sg_slice text, sg_buf *scratch, uint64_t *hash)
{
    const char *p = text.p != NULL ? sg_json_ws(text.p, text.p + text.n) : NULL;
    if (p == NULL || p == text.p + text.n || (*p != '{' && *p != '[')) return false;
    sg_json j;
    sg_json_init(&j, text);
    *hash = hash_next(&j, scratch);
    return sg_json_end(&j);
}

/* ---- values ---- */

static uint64_t hash_text(sg_slice text, sg_buf *scratch)
{
    uint64_t h;
    if (read_number(text, &h) || read_json(text, scratch, &h)) return h;
    return sg_hash_bytes(OF_TEXT, text);
}

uint64_t sg_value_hash(const sg_value *v, sg_buf *scratch)
{
    switch (v->type) {
    case SG_NULL:
        return OF_NULL;
    case SG_INT:
        return hash_int(v->i);
    case SG_REAL:
        return hash_real(v->r);
    case SG_TEXT:
        return hash_text(v->bytes, scratch);
    case SG_BLOB:
        break;
    }
    return sg_hash_bytes(OF_BLOB, v->bytes);
}

/* What most values are needs no reader: they are valid. */
static bool hash_plain(sg_slice json, sg_buf *scratch, uint64_t *hash)
{
    int64_t i;
    char c = json.n != 0 ? *json.p : '\0';
    if (c == '"' && sg_json_plain(json)) {
        *hash = hash_text(sg_slice_of(json.p + 1, json.n - 2), scratch);
        return true;
    }
    if (!is_digit(c) || !sg_json_to_int(json, &i)) return false;
    *hash = hash_int(i);
    return true;
}

uint64_t sg_value_hash_json(sg_slice json, sg_buf *scratch)
{
    sg_value v;
    uint64_t plain;
    if (hash_plain(json, scratch, &plain)) return plain;
    size_t from = scratch->n;
    /* Twice the text: its escapes undone, and once more those of the JSON that it may be. Then what
     * the value borrows does not move. */
    (void)sg_buf_extend(scratch, 2 * json.n + 16);
    sg_buf_truncate(scratch, from);
    int err = sg_value_from_json(&v, json, false, scratch);
    uint64_t h = err == SG_BADVALUE ? sg_hash_bytes(OF_OTHER, json) : sg_value_hash(&v, scratch);
    sg_buf_truncate(scratch, from);
    return h;
}
