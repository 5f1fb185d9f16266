/* Times as text: an independent walk through the calendar, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "core/clock.h"
#include "core/time.h"

#define US INT64_C(1000000)
#define DAY_US (86400 * US)
#define ROUNDS 300000
#define SEED 20240921

static void assert_text(int64_t at_us, const char *text)
{
    char out[SG_TIME_TEXT_MAX];
    size_t n = sg_time_format(at_us, out);
    assert_string_equal(out, text);
    assert_int_equal(n, strlen(text));
}

static void assert_time(const char *text, int64_t at_us)
{
    int64_t got = -1;
    if (!sg_time_parse(sg_slice_str(text), &got) || got != at_us)
        fail_msg("%s is %lld, should be %lld", text, (long long)got, (long long)at_us);
}

static void assert_refused(sg_slice text)
{
    int64_t got;
    if (sg_time_parse(text, &got))
        fail_msg("taken as %lld: %.*s", (long long)got, (int)text.n, text.p);
}

static void test_known_times(void **state)
{
    (void)state;
    assert_text(0, "1970-01-01T00:00:00.000Z");
    assert_text(1, "1970-01-01T00:00:00.000001Z");
    assert_text(INT64_C(1767323045678000), "2026-01-02T03:04:05.678Z");
    assert_text(INT64_C(1767323045678001), "2026-01-02T03:04:05.678001Z");
    assert_text(INT64_C(951782400000000), "2000-02-29T00:00:00.000Z");
    assert_text(SG_AT_MAX_US, "9999-12-31T23:59:59.999999Z");
    assert_time("1970-01-01T00:00:00Z", 0);
    assert_time("2026-01-02T03:04:05.678Z", INT64_C(1767323045678000));
    assert_time("9999-12-31T23:59:59.999999Z", SG_AT_MAX_US);
}

static void test_what_has_no_text_is_shown_as_the_nearest_that_has(void **state)
{
    (void)state;
    assert_text(-1, "1970-01-01T00:00:00.000Z");
    assert_text(INT64_MIN, "1970-01-01T00:00:00.000Z");
    assert_text(SG_AT_MAX_US + 1, "9999-12-31T23:59:59.999999Z");
    assert_text(INT64_MAX, "9999-12-31T23:59:59.999999Z");
}

static bool is_leap(int y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int days_in(int y, int m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return m == 2 && is_leap(y) ? 29 : days[m - 1];
}

/* Each of the 2.9 million days, by counting. */
static void test_every_day_from_1970_to_9999(void **state)
{
    (void)state;
    int64_t at_us = 0;
    char text[SG_TIME_TEXT_MAX], date[64];
    for (int y = 1970; y <= 9999; y++)
        for (int m = 1; m <= 12; m++)
            for (int d = 1; d <= days_in(y, m); d++, at_us += DAY_US) {
                int64_t back = -1;
                size_t n = sg_time_format(at_us, text);
                (void)snprintf(date, sizeof date, "%04d-%02d-%02dT00:00:00.000Z", y, m, d);
                if (strcmp(text, date) != 0) fail_msg("%s instead of %s", text, date);
                if (!sg_time_parse(sg_slice_of(text, n), &back) || back != at_us)
                    fail_msg("%s came back as %lld", text, (long long)back);
            }
    assert_int_equal(at_us, SG_AT_MAX_US + 1);
}

static void test_every_second_of_a_day(void **state)
{
    (void)state;
    char text[SG_TIME_TEXT_MAX], clock[64];
    for (int s = 0; s < 86400; s++) {
        (void)sg_time_format(DAY_US * 20000 + s * US, text);
        (void)snprintf(clock, sizeof clock, "T%02d:%02d:%02d.000Z", s / 3600, s / 60 % 60, s % 60);
        assert_string_equal(text + 10, clock);
        assert_time(text, DAY_US * 20000 + s * US);
    }
}

static void test_any_microsecond_comes_back(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int i = 0; i < ROUNDS; i++) {
        char text[SG_TIME_TEXT_MAX];
        int64_t at_us = (int64_t)prng_below(&g, (uint64_t)SG_AT_MAX_US + 1), back = -1;
        if (i % 2) at_us -= at_us % 1000;
        size_t n = sg_time_format(at_us, text);
        assert_int_equal(n, at_us % 1000 == 0 ? 24 : 27);
        if (!sg_time_parse(sg_slice_of(text, n), &back) || back != at_us)
            fail_msg("%lld came back as %lld from %s", (long long)at_us, (long long)back, text);
    }
}

/* Texts of stamps sort as the stamps do, as long as they have as many digits. */
static void test_texts_sort_as_times_do(void **state)
{
    (void)state;
    prng g = {SEED + 1};
    for (int i = 0; i < ROUNDS; i++) {
        char a[SG_TIME_TEXT_MAX], b[SG_TIME_TEXT_MAX];
        int64_t x = (int64_t)prng_below(&g, (uint64_t)SG_AT_MAX_US) / 1000 * 1000;
        int64_t y = (int64_t)prng_below(&g, (uint64_t)SG_AT_MAX_US) / 1000 * 1000;
        (void)sg_time_format(x, a);
        (void)sg_time_format(y, b);
        assert_true((strcmp(a, b) < 0) == (x < y));
    }
}

static void test_fractions(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00.5Z", 500000);
    assert_time("1970-01-01T00:00:00.05Z", 50000);
    assert_time("1970-01-01T00:00:00.123456Z", 123456);
    assert_time("1970-01-01T00:00:00.1234567Z", 123456);
    assert_time("1970-01-01T00:00:00.000000999Z", 0);
    assert_refused(SG_LIT("1970-01-01T00:00:00.Z"));
    assert_refused(SG_LIT("1970-01-01T00:00:00.0123456789Z"));
    assert_refused(SG_LIT("1970-01-01T00:00:00,5Z"));
}

static void test_offsets_are_taken_off(void **state)
{
    (void)state;
    assert_time("1970-01-01T02:30:00+02:30", 0);
    assert_time("1970-01-01T00:00:00-01:00", 3600 * US);
    assert_time("2026-01-01T00:30:00.250+01:00", INT64_C(1767223800250000));
    assert_time("9999-12-31T23:59:59.999999+00:00", SG_AT_MAX_US);
    assert_refused(SG_LIT("1970-01-01T00:00:00+00:01")); /* before 1970 */
    assert_refused(SG_LIT("9999-12-31T23:59:59-00:01")); /* after 9999 */
    assert_refused(SG_LIT("2026-01-01T00:00:00+24:00"));
    assert_refused(SG_LIT("2026-01-01T00:00:00+00:60"));
    assert_refused(SG_LIT("2026-01-01T00:00:00+0100"));
    assert_refused(SG_LIT("2026-01-01T00:00:00+01"));
    assert_refused(SG_LIT("2026-01-01T00:00:00+01:"));
    assert_refused(SG_LIT("2026-01-01T00:00:00+01:0"));
    assert_refused(SG_LIT("2026-01-01T00:00:00"));
}

static void test_leap_days(void **state)
{
    (void)state;
    assert_time("1972-02-29T00:00:00Z", INT64_C(68169600) * US);
    assert_refused(SG_LIT("1970-02-29T00:00:00Z"));
    assert_refused(SG_LIT("2100-02-29T00:00:00Z"));
    assert_time("2400-02-29T00:00:00Z", INT64_C(13574563200) * US);
    assert_refused(SG_LIT("2400-02-30T00:00:00Z"));
}

static void test_what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-01",
        "2026-01-01 00:00:00Z",
        "2026-01-01t00:00:00Z",
        "2026-01-01T00:00:00z",
        "2026-01-01T00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-12-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00Z ",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00ZZ",
        "+2026-01-01T00:00:00Z",
        "-026-01-01T00:00:00Z",
        "2026-1-01T00:00:00Z",
        "2026-01-1T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-01-01T00:00:0aZ",
        "2026/01/01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(sg_slice_str(bad[i]));
    int64_t got;
    assert_false(sg_time_parse(sg_slice_of(NULL, 0), &got));
    assert_refused(SG_LIT("2026-01-01T00:00:00Z\0"));
}

/* Any prefix of a time is none, and no byte in the wrong place passes. */
static void test_damaged_times_are_refused_or_mean_another_time(void **state)
{
    (void)state;
    const char good[] = "2026-01-02T03:04:05.678901Z";
    for (size_t n = 0; n < sizeof good - 1; n++)
        assert_refused(sg_slice_of(good, n));
    for (size_t i = 0; i < sizeof good - 1; i++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[i] = (char)byte;
            bool digit = good[i] >= '0' && good[i] <= '9';
            if (text[i] != good[i] && !(digit && byte >= '0' && byte <= '9'))
                assert_refused(sg_slice_of(text, sizeof text - 1));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_times),
        cmocka_unit_test(test_what_has_no_text_is_shown_as_the_nearest_that_has),
        cmocka_unit_test(test_every_day_from_1970_to_9999),
        cmocka_unit_test(test_every_second_of_a_day),
        cmocka_unit_test(test_any_microsecond_comes_back),
        cmocka_unit_test(test_texts_sort_as_times_do),
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_offsets_are_taken_off),
        cmocka_unit_test(test_leap_days),
        cmocka_unit_test(test_what_is_no_time_is_refused),
        cmocka_unit_test(test_damaged_times_are_refused_or_mean_another_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
