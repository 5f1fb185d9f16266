/* Inside the JSON reader: grammar of single tokens and whole values over raw bytes. */
#ifndef SG_JSON_SCAN_H
#define SG_JSON_SCAN_H

#include "wire/json.h"

/* Latch err at p, if nothing has been latched before. Always NULL, so that a scanner can return it.
 */
const char *sg_json_fail_at(sg_json *j, const char *p, int err);
/* p is behind the opening quote; the closing quote's position, or NULL after latching an error. */
const char *sg_json_scan_string(sg_json *j, const char *p);
/* p is at '-' or a digit; the first byte behind the number, or NULL. */
const char *sg_json_scan_number(sg_json *j, const char *p);
/* p is at 't', 'f' or 'n'; the first byte behind true, false or null, or NULL. */
const char *sg_json_scan_word(sg_json *j, const char *p);
/* p is at the first byte of any value; the first byte behind it, or NULL. */
const char *sg_json_scan_value(sg_json *j, const char *p);

/* Four hexadecimal digits at p; -1 when they are not. */
int sg_json_hex4(const char *p);
/* Digits of a valid JSON number as an integer; false if it has a fraction or exponent or does not
 * fit int64. */
bool sg_json_to_int(sg_slice digits, int64_t *v);
/* True if the digits of a valid JSON number have neither '.' nor an exponent. */
bool sg_json_integral(sg_slice digits);
/* Order of two valid raw strings by code points, their escapes undone. */
int sg_json_raw_cmp(sg_slice a, sg_slice b);

static inline const char *sg_json_ws(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

#endif
