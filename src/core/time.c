#include "core/time.h"

#include "core/clock.h"

#define US INT64_C(1000000)
#define DAY_S INT64_C(86400)

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int64_t *m, int64_t *d)
{
    z += 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp + (mp < 10 ? 3 : -9);
    *y = yoe + era * 400 + (*m <= 2);
}

static char *digits(char *at, int64_t v, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return at + width;
}

static char *put(char *at, char c)
{
    *at = c;
    return at + 1;
}

size_t sg_time_format(int64_t at_us, char out[SG_TIME_TEXT_MAX])
{
    if (at_us < 0) at_us = 0;
    if (at_us > SG_AT_MAX_US) at_us = SG_AT_MAX_US;
    int64_t s = at_us / US, us = at_us % US, y, m, d;
    civil_from_days(s / DAY_S, &y, &m, &d);
    s %= DAY_S;
    char *p = digits(out, y, 4);
    p = digits(put(p, '-'), m, 2);
    p = digits(put(p, '-'), d, 2);
    p = digits(put(p, 'T'), s / 3600, 2);
    p = digits(put(p, ':'), s / 60 % 60, 2);
    p = digits(put(p, ':'), s % 60, 2);
    p = us % 1000 == 0 ? digits(put(p, '.'), us / 1000, 3) : digits(put(p, '.'), us, 6);
    p = put(p, 'Z');
    *p = '\0';
    return (size_t)(p - out);
}

/* Takes `width` digits, or says no. */
static bool number(sg_slice *s, size_t width, int64_t *v)
{
    if (s->n < width) return false;
    *v = 0;
    for (size_t i = 0; i < width; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        *v = *v * 10 + (s->p[i] - '0');
    }
    *s = sg_slice_of(s->p + width, s->n - width);
    return true;
}

static bool literal(sg_slice *s, char c)
{
    if (s->n == 0 || s->p[0] != c) return false;
    *s = sg_slice_of(s->p + 1, s->n - 1);
    return true;
}

/* ".5" to ".123456789"; digits past the microsecond are dropped. */
static bool fraction(sg_slice *s, int64_t *us)
{
    *us = 0;
    if (!literal(s, '.')) return true;
    int64_t scale = US / 10, digit;
    size_t n = 0;
    for (; n < 9 && s->n != 0 && s->p[0] >= '0' && s->p[0] <= '9'; n++) {
        (void)number(s, 1, &digit);
        *us += digit * scale;
        scale /= 10;
    }
    return n != 0;
}

/* "Z", or an offset from UTC in seconds. */
static bool zone(sg_slice *s, int64_t *offset_s)
{
    *offset_s = 0;
    if (literal(s, 'Z')) return true;
    int64_t h, m, sign = literal(s, '-') ? -1 : 1;
    if (sign == 1 && !literal(s, '+')) return false;
    if (!number(s, 2, &h) || !literal(s, ':') || !number(s, 2, &m)) return false;
    *offset_s = sign * (h * 3600 + m * 60);
    return h < 24 && m < 60;
}

static int64_t month_days(int64_t y, int64_t m)
{
    return days_from_civil(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1) - days_from_civil(y, m, 1);
}

bool sg_time_parse(sg_slice s, int64_t *at_us)
{
    int64_t y, mo, d, h, mi, sec, us, offset_s;
    if (!number(&s, 4, &y) || !literal(&s, '-') || !number(&s, 2, &mo) || !literal(&s, '-') ||
        !number(&s, 2, &d) || !literal(&s, 'T') || !number(&s, 2, &h) || !literal(&s, ':') ||
        !number(&s, 2, &mi) || !literal(&s, ':') || !number(&s, 2, &sec) || !fraction(&s, &us) ||
        !zone(&s, &offset_s) || s.n != 0)
        return false;
    if (y < 1970 || mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || sec > 59) return false;
    if (d > month_days(y, mo)) return false;
    *at_us = (days_from_civil(y, mo, d) * DAY_S + h * 3600 + mi * 60 + sec - offset_s) * US + us;
    return *at_us >= 0 && *at_us <= SG_AT_MAX_US;
}
