#include "wire/json_scan.h"

#include "wire/utf8.h"

const char *sg_json_fail_at(sg_json *j, const char *p, int err)
{
    if (j->err == SG_OK) {
        j->err = err;
        j->at = (size_t)(p - j->start);
    }
    return NULL;
}

static const char *bad(sg_json *j, const char *p)
{
    return sg_json_fail_at(j, p, SG_BADJSON);
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int sg_json_hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* Bytes of the \u escape at p, with its second half when it is a surrogate pair; 0 when invalid. */
static size_t unicode_escape(const char *p, const char *end)
{
    if (end - p < 6) return 0;
    int unit = sg_json_hex4(p + 2);
    if (unit < 0) return 0;
    if (unit < 0xd800 || unit > 0xdfff) return 6;
    if (unit > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u') return 0;
    int low = sg_json_hex4(p + 8);
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

static size_t escape(const char *p, const char *end)
{
    if (end - p < 2) return 0;
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;
    case 'u':
        return unicode_escape(p, end);
    default:
        return 0;
    }
}

const char *sg_json_scan_string(sg_json *j, const char *p)
{
    const char *end = j->end;
    for (;;) {
        p = sg_plain_run(p, end);
        if (p == end) return bad(j, p);
        if (*p == '"') return p;
        do {
            size_t n = *p == '\\' ? escape(p, end) : (uint8_t)*p < 0x80 ? 0 : sg_utf8_step(p, end);
            if (n == 0) return bad(j, p);
            p += n;
        } while (p < end && (uint8_t)*p >= 0x80);
    }
}

/* ---- numbers and words ---- */

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* At least one digit from p on. */
static const char *some_digits(sg_json *j, const char *p)
{
    const char *behind = digits(p, j->end);
    return behind != p ? behind : bad(j, p);
}

const char *sg_json_scan_number(sg_json *j, const char *p)
{
    const char *end = j->end;
    if (*p == '-') p++;
    if (p < end && *p == '0')
        p++;
    else
        p = some_digits(j, p);
    if (p != NULL && p < end && *p == '.') p = some_digits(j, p + 1);
    if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        p = some_digits(j, p);
    }
    return p;
}

const char *sg_json_scan_word(sg_json *j, const char *p)
{
    const char *word = *p == 't' ? "true" : *p == 'f' ? "false" : "null";
    for (; *word != '\0'; word++, p++)
        if (p == j->end || *p != *word) return bad(j, p);
    return p;
}

bool sg_json_integral(sg_slice number)
{
    for (size_t i = 0; i < number.n; i++)
        if (number.p[i] == '.' || (number.p[i] | 0x20) == 'e') return false;
    return true;
}

bool sg_json_to_int(sg_slice number, int64_t *v)
{
    bool negative = number.n != 0 && number.p[0] == '-';
    const uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t sum = 0;
    for (size_t i = negative ? 1 : 0; i < number.n; i++) {
        if (number.p[i] < '0' || number.p[i] > '9') return false;
        uint64_t digit = (uint64_t)(number.p[i] - '0');
        if (sum > (most - digit) / 10) return false;
        sum = sum * 10 + digit;
    }
    /* Negated without passing through -INT64_MIN. */
    *v = !negative ? (int64_t)sum : sum == 0 ? 0 : -(int64_t)(sum - 1) - 1;
    return true;
}

/* ---- whole values ---- */

/* A key and its colon, p at the opening quote; the first byte of the member's value, or NULL. */
static const char *member_key(sg_json *j, const char *p)
{
    if (p == j->end || *p != '"') return bad(j, p);
    p = sg_json_scan_string(j, p + 1);
    if (p == NULL) return NULL;
    p = sg_json_ws(p + 1, j->end);
    if (p == j->end || *p != ':') return bad(j, p);
    return sg_json_ws(p + 1, j->end);
}

static const char *scalar(sg_json *j, const char *p)
{
    switch (*p) {
    case '"':
        p = sg_json_scan_string(j, p + 1);
        return p != NULL ? p + 1 : NULL;
    case 't':
    case 'f':
    case 'n':
        return sg_json_scan_word(j, p);
    default:
        if (*p != '-' && (*p < '0' || *p > '9')) return bad(j, p);
        return sg_json_scan_number(j, p);
    }
}

/* The containers open inside the value being scanned. */
struct nest {
    uint64_t objects; /* bit 0: the innermost is an object; bit 1: the one around it; ... */
    int open;
};

/* From behind a complete value to the start of the next one in the same container, leaving the
 * containers that end here. With nothing left open the position is the end of the whole value. */
static const char *advance(sg_json *j, const char *p, struct nest *in)
{
    while (in->open > 0) {
        bool object = (in->objects & 1) != 0;
        p = sg_json_ws(p, j->end);
        if (p == j->end) return bad(j, p);
        if (*p == ',') {
            p = sg_json_ws(p + 1, j->end);
            return object ? member_key(j, p) : p;
        }
        if (*p != (object ? '}' : ']')) return bad(j, p);
        p++;
        in->objects >>= 1;
        in->open--;
    }
    return p;
}

/* Enter the container that starts at p: the position of its first value, or where it has ended. */
static const char *enter(sg_json *j, const char *p, struct nest *in)
{
    if (in->open + j->depth >= SG_JSON_MAX_DEPTH) return sg_json_fail_at(j, p, SG_LIMIT);
    bool object = *p == '{';
    p = sg_json_ws(p + 1, j->end);
    if (p < j->end && *p == (object ? '}' : ']')) return advance(j, p + 1, in);
    in->objects = in->objects << 1 | (object ? 1 : 0);
    in->open++;
    return object ? member_key(j, p) : p;
}

const char *sg_json_scan_value(sg_json *j, const char *p)
{
    struct nest in = {0, 0};
    do {
        if (p == j->end) return bad(j, p);
        if (*p == '{' || *p == '[') {
            p = enter(j, p, &in);
        } else {
            p = scalar(j, p);
            if (p != NULL) p = advance(j, p, &in);
        }
    } while (p != NULL && in.open > 0);
    return p;
}
