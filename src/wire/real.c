#include "wire/real.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* No double and no midpoint between two needs more than 767 digits to be told from its neighbours;
 * of longer numbers it only matters whether something other than zeros follows. */
#define SIGNIFICANT_MAX 770
#define EXPONENT_MAX 100000 /* beyond any double, even with SIGNIFICANT_MAX digits before it */
#define ROUND_TRIP_DIGITS 17

/* A decimal number: 0.d1d2d3... times 10^point, without leading zeros. */
struct decimal {
    char digit[SIGNIFICANT_MAX + 1];
    size_t n;
    int64_t point;
};

static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* ---- reading ---- */

static size_t put_number(char *text, uint64_t v)
{
    char digit[20];
    size_t n = 0, len = 0;
    do {
        digit[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0)
        text[len++] = digit[--n];
    return len;
}

/* Through strtod, on digits and an exponent only: without a radix character no locale matters. */
static double by_library(const struct decimal *d)
{
    char text[SIGNIFICANT_MAX + 32];
    int64_t exponent = d->point - (int64_t)d->n;
    if (exponent > EXPONENT_MAX) exponent = EXPONENT_MAX;
    if (exponent < -EXPONENT_MAX) exponent = -EXPONENT_MAX;
    memcpy(text, d->digit, d->n);
    size_t n = d->n;
    text[n++] = 'e';
    text[n++] = exponent < 0 ? '-' : '+';
    n += put_number(text + n, (uint64_t)(exponent < 0 ? -exponent : exponent));
    text[n] = '\0';
    return strtod(text, NULL);
}

/* One multiplication or division of two exactly representable numbers is correctly rounded. */
static bool by_arithmetic(const struct decimal *d, double *r)
{
    int64_t exponent = d->point - (int64_t)d->n;
    if (FLT_EVAL_METHOD != 0 || d->n > 15 || exponent > 22 || exponent < -22) return false;
    int64_t mantissa = 0;
    for (size_t i = 0; i < d->n; i++)
        mantissa = mantissa * 10 + (d->digit[i] - '0');
    *r = exponent < 0 ? (double)mantissa / power_of_ten[-exponent]
                      : (double)mantissa * power_of_ten[exponent];
    return true;
}

static double nearest(const struct decimal *d)
{
    double r = 0;
    if (d->n == 0 || by_arithmetic(d, &r)) return r;
    return by_library(d);
}

/* A digit other than zero behind the last one kept leaves a 1 there: more than the kept digits say,
 * by too little to reach the next number they can say. */
static void add_digit(struct decimal *d, char c)
{
    if (d->n == 0 && c == '0') return;
    if (d->n < SIGNIFICANT_MAX)
        d->digit[d->n++] = c;
    else if (d->n == SIGNIFICANT_MAX && c != '0')
        d->digit[d->n++] = '1';
}

/* The exponent's value, held within what no length of digits can bring back into range. */
static int64_t parse_exponent(sg_slice text)
{
    const int64_t most = INT64_MAX / 4;
    bool negative = text.n != 0 && text.p[0] == '-';
    int64_t v = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= '0' && text.p[i] <= '9' && v < most / 10) v = v * 10 + (text.p[i] - '0');
    return negative ? -v : v;
}

double sg_real_parse(sg_slice number)
{
    struct decimal d;
    d.n = 0;
    d.point = 0;
    bool negative = number.n != 0 && number.p[0] == '-';
    bool fraction = false;
    size_t i = negative ? 1 : 0;
    for (; i < number.n && (number.p[i] | 0x20) != 'e'; i++) {
        char c = number.p[i];
        if (c == '.') {
            fraction = true;
            continue;
        }
        bool leading = d.n == 0 && c == '0';
        if (fraction && leading) d.point--;
        if (!fraction && !leading) d.point++;
        add_digit(&d, c);
    }
    if (i < number.n) d.point += parse_exponent(sg_slice_of(number.p + i + 1, number.n - i - 1));
    double r = nearest(&d);
    return negative ? -r : r;
}

/* ---- writing ---- */

static void strip_zeros(struct decimal *d)
{
    while (d->n > 1 && d->digit[d->n - 1] == '0')
        d->n--;
}

/* Numbers with few decimals, as people write them. If m / 10^k, both exact, gives r again then
 * these digits read as r, and the least such k makes them the shortest (m stays below 10^15, where
 * different decimals are different doubles). */
static bool few_decimals(double r, struct decimal *d)
{
    if (FLT_EVAL_METHOD != 0 || r < 1e-3) return false;
    for (int k = 0; k <= 8; k++) {
        double scaled = r * power_of_ten[k];
        if (scaled >= 1e15) return false;
        uint64_t m = (uint64_t)(scaled + 0.5);
        if (m != 0 && (double)m / power_of_ten[k] == r) {
            d->n = put_number(d->digit, m);
            d->point = (int64_t)d->n - k;
            return true;
        }
    }
    return false;
}

/* r rounded to n digits. Only the digits and the exponent are taken from the library's text: the
 * radix character between them depends on the locale. */
static void round_to(double r, int n, struct decimal *d)
{
    char text[48];
    snprintf(text, sizeof text, "%.*e", n - 1, r);
    const char *p = text;
    for (d->n = 0; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9') d->digit[d->n++] = *p;
    bool negative = p[1] == '-';
    int64_t exponent = 0;
    for (p += 2; *p != '\0'; p++)
        exponent = exponent * 10 + (*p - '0');
    d->point = (negative ? -exponent : exponent) + 1;
}

/* True if n digits can say r > 0. Below a power of two doubles lie closer than above it: there the
 * digits nearest to r can be its neighbour's while the next greater ones are still its own. (None
 * of those powers has a 9 for its last digit: nothing is carried.) */
static bool said_by(double r, int n, struct decimal *d)
{
    round_to(r, n, d);
    if (nearest(d) == r) return true;
    if (d->digit[d->n - 1] == '9') return false;
    d->digit[d->n - 1]++;
    return nearest(d) == r;
}

/* The fewest digits that read back as r > 0. 15 digits always name different normal doubles, so
 * fewer are found by stripping zeros; among the sparse subnormal ones they have to be looked for.
 */
static void shortest(double r, struct decimal *d)
{
    if (few_decimals(r, d)) return;
    int n = r < DBL_MIN ? 1 : 15;
    while (n < ROUND_TRIP_DIGITS && !said_by(r, n, d))
        n++;
    if (n == ROUND_TRIP_DIGITS) round_to(r, n, d);
    strip_zeros(d);
}

static void put_zeros(sg_buf *out, int64_t n)
{
    while (n-- > 0)
        sg_buf_byte(out, '0');
}

/* 0.00123, 123.0, 123.45 */
static void put_positional(sg_buf *out, const struct decimal *d)
{
    size_t whole = d->point <= 0 ? 0 : (size_t)d->point < d->n ? (size_t)d->point : d->n;
    sg_buf_put(out, d->digit, whole);
    put_zeros(out, d->point <= 0 ? 1 : d->point - (int64_t)whole);
    sg_buf_byte(out, '.');
    put_zeros(out, -d->point);
    sg_buf_put(out, d->digit + whole, d->n - whole);
    if (whole == d->n) sg_buf_byte(out, '0');
}

/* 1e300, 1.23e-7 */
static void put_scientific(sg_buf *out, const struct decimal *d)
{
    sg_buf_put(out, d->digit, 1);
    if (d->n > 1) sg_buf_byte(out, '.');
    sg_buf_put(out, d->digit + 1, d->n - 1);
    sg_buf_byte(out, 'e');
    sg_buf_int(out, d->point - 1);
}

void sg_real_put(sg_buf *out, double r)
{
    if (signbit(r)) sg_buf_byte(out, '-');
    r = fabs(r);
    if (r == 0) {
        sg_buf_put(out, "0.0", 3);
        return;
    }
    struct decimal d;
    shortest(r, &d);
    if (d.point > -5 && d.point <= 17)
        put_positional(out, &d);
    else
        put_scientific(out, &d);
}
