/* Doubles as decimal digits: every bit comes back, and no digit is written that is not needed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/prng.h"
#include "wire/real.h"

#define TEXT_MAX 100000
#define SEED 20240917

static double from_bits(uint64_t bits)
{
    double r;
    memcpy(&r, &bits, sizeof r);
    return r;
}

static uint64_t to_bits(double r)
{
    uint64_t bits;
    memcpy(&bits, &r, sizeof bits);
    return bits;
}

static void print(double r, char *text, size_t size)
{
    sg_buf out;
    sg_buf_init(&out, size - 1);
    sg_real_put(&out, r);
    assert_int_equal(out.err, SG_OK);
    memcpy(text, sg_buf_view(&out).p, out.n);
    text[out.n] = '\0';
    sg_buf_deinit(&out);
}

static void check_print(double r, const char *expected)
{
    char text[64];
    print(r, text, sizeof text);
    assert_string_equal(text, expected);
}

static void prints_the_shortest_digits(void **state)
{
    (void)state;
    check_print(0.0, "0.0");
    check_print(-0.0, "-0.0");
    check_print(1.0, "1.0");
    check_print(-1.5, "-1.5");
    check_print(100.0, "100.0");
    check_print(0.1, "0.1");
    check_print(0.1 + 0.2, "0.30000000000000004");
    check_print(1.0 / 3.0, "0.3333333333333333");
    check_print(123456.789, "123456.789");
    check_print(0.001, "0.001");
    check_print(0.00001, "0.00001");
    check_print(0.000001, "1e-6");
    check_print(1.25e-7, "1.25e-7");
    check_print(1e16, "10000000000000000.0");
    check_print(1e17, "1e17");
    check_print(1.5e300, "1.5e300");
    check_print(9007199254740993.0, "9007199254740992.0");
    check_print(123456789012345680000.0, "1.2345678901234568e20");
    check_print(1e23, "1e23");
    check_print(9.5367431640625e-7, "9.5367431640625e-7");
    check_print(DBL_MAX, "1.7976931348623157e308");
    check_print(DBL_MIN, "2.2250738585072014e-308");
    check_print(DBL_EPSILON, "2.220446049250313e-16");
    check_print(5e-324, "5e-324");
    check_print(1e-323, "1e-323");
    check_print(2.5e-323, "2.5e-323");
    check_print(-4.35e-322, "-4.35e-322");
}

/* Below a power of two doubles lie twice as close: the 16 digits nearest to 2^-44 are another
 * double's, and one more in the last place is right. */
static void prints_powers_of_two_with_16_digits_where_they_suffice(void **state)
{
    (void)state;
    check_print(0x1p-44, "5.684341886080802e-14");
    check_print(0x1p-24, "5.960464477539063e-8");
}

static void check_round_trip(double r)
{
    char text[64];
    print(r, text, sizeof text);
    double back = sg_real_parse(sg_slice_str(text));
    if (to_bits(back) != to_bits(r)) fail_msg("%a became %s became %a", r, text, back);
    if (to_bits(strtod(text, NULL)) != to_bits(r)) fail_msg("%a became %s for strtod", r, text);
    if (strpbrk(text, ".e") == NULL) fail_msg("%a became %s, an integer", r, text);
}

static size_t count_digits(const char *text)
{
    size_t n = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '0' && n > 0) zeros++;
        if (*text >= '1' && *text <= '9') {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

/* No %.{k}e with fewer digits than ours reads back as r. */
static void check_shortest(double r)
{
    char text[64], shorter[64];
    print(r, text, sizeof text);
    int n = (int)count_digits(text);
    if (n < 2) return;
    snprintf(shorter, sizeof shorter, "%.*e", n - 2, r);
    if (strtod(shorter, NULL) == r) fail_msg("%s is longer than %s", text, shorter);
}

static void every_kind_of_double_round_trips(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int i = 0; i < 20000; i++) {
        double r = from_bits(prng_next(&g));
        if (isnan(r) || isinf(r)) continue;
        check_round_trip(r);
        if (i % 8 == 0) check_shortest(r);
        double subnormal = from_bits(prng_next(&g) >> (12 + prng_below(&g, 52)));
        check_round_trip(subnormal);
        if (i % 8 == 0) check_shortest(subnormal);
    }
}

static void numbers_as_people_write_them_round_trip(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int i = 0; i < 50000; i++) {
        int64_t digits = (int64_t)(prng_next(&g) >> (11 + prng_below(&g, 50)));
        double r = (double)digits / pow(10, (double)prng_below(&g, 14));
        check_round_trip(r);
        if (i % 4 == 0 && r != 0) check_shortest(r);
    }
}

static void neighbours_of_powers_round_trip(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        double r = ldexp(1.0, e);
        check_round_trip(r);
        check_shortest(r);
        check_round_trip(-nextafter(r, 0));
        if (e < 1023) check_round_trip(nextafter(r, INFINITY));
    }
    for (int e = -323; e <= 308; e++) {
        double r = pow(10, e);
        check_round_trip(r);
        check_round_trip(nextafter(r, 0));
        check_round_trip(nextafter(r, INFINITY));
    }
}

/* ---- reading ---- */

static void check_parse(const char *text, double expected)
{
    double r = sg_real_parse(sg_slice_str(text));
    if (to_bits(r) != to_bits(expected)) fail_msg("%s gave %a, not %a", text, r, expected);
}

static void reads_what_strtod_reads(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "-0.0e9",
        "1",
        "-1.5",
        "1e0",
        "1E+2",
        "1e-2",
        "123456789012345678",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992.99999",
        "0.1",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "123456789012345e22",
        "1234567890123456e22",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "4.9e-324",
        "2.5e-324",
        "2.4e-324",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "0.000000000000000000000000000001e30",
        "100000e-5",
        "0.5e1",
        "6.631236846766476e-316",
        "3.2378839133029012895883524125015321748630094e-66",
        "8.988465674311580e307",
        "0e99999",
        "0.00e-99999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_parse(texts[i], strtod(texts[i], NULL));
}

static void reads_beyond_the_range_as_infinity_and_zero(void **state)
{
    (void)state;
    check_parse("1e309", INFINITY);
    check_parse("-1e309", -INFINITY);
    check_parse("1.7976931348623159e308", INFINITY);
    check_parse("1e99999999999999999999", INFINITY);
    check_parse("-1e-99999999999999999999", -0.0);
    check_parse("1e-400", 0.0);
    check_parse("2.4703282292062327e-324", 0.0);
}

/* zeros around the exponent: 0.000…1e+n and 1000…e-n are 1 */
static void an_exponent_and_as_many_zeros_cancel_out(void **state)
{
    (void)state;
    enum { ZEROS = 20000 };
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    sg_buf_str(&text, "0.");
    for (int i = 0; i < ZEROS; i++)
        sg_buf_byte(&text, '0');
    sg_buf_str(&text, "15e");
    sg_buf_int(&text, ZEROS + 1);
    check_parse(sg_buf_cstr(&text), 1.5);
    sg_buf_clear(&text);
    sg_buf_str(&text, "15");
    for (int i = 0; i < ZEROS; i++)
        sg_buf_byte(&text, '0');
    sg_buf_str(&text, "e-");
    sg_buf_int(&text, ZEROS + 1);
    check_parse(sg_buf_cstr(&text), 1.5);
    sg_buf_deinit(&text);
}

/* The midpoint of two doubles, then the same with something far behind it that decides. */
static void a_digit_far_behind_a_midpoint_decides(void **state)
{
    (void)state;
    char midpoint[1200];
    snprintf(midpoint, sizeof midpoint, "%.1075Lf", 0x1.8p-1074L);
    check_parse(midpoint, 0x2p-1074);
    snprintf(midpoint, sizeof midpoint, "%.1075Lf", 0x2.8p-1074L);
    check_parse(midpoint, 0x2p-1074);
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    sg_buf_str(&text, midpoint);
    for (int i = 0; i < 5000; i++)
        sg_buf_byte(&text, '0');
    check_parse(sg_buf_cstr(&text), 0x2p-1074);
    sg_buf_byte(&text, '1');
    check_parse(sg_buf_cstr(&text), 0x3p-1074);
    sg_buf_deinit(&text);
}

static void reads_no_byte_behind_the_number(void **state)
{
    (void)state;
    assert_true(sg_real_parse(sg_slice_of("1.2599", 3)) == 1.2);
    assert_true(sg_real_parse(sg_slice_of("1e259", 3)) == 1e2);
    assert_true(sg_real_parse(sg_slice_of("12345678901234567890", 18)) == 123456789012345678.0);
}

/* ---- locale ---- */

/* Compile a locale with a comma as radix character; NULL where the system has no sources for one.
 */
static const char *comma_locale(char *dir)
{
    char command[256];
    if (mkdtemp(dir) == NULL) return NULL;
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 --no-archive %s/de_DE.UTF-8 >/dev/null 2>&1", dir);
    if (system(command) != 0) return NULL;
    setenv("LOCPATH", dir, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8");
}

static void no_locale_changes_the_digits(void **state)
{
    (void)state;
    char dir[] = "/tmp/sigla-locale-XXXXXX", command[64], comma[8];
    bool have = comma_locale(dir) != NULL;
    snprintf(comma, sizeof comma, "%.1f", 1.5);
    if (have) {
        prints_the_shortest_digits(NULL);
        check_parse("0.1", 0x1.999999999999ap-4);
        check_parse("0.30000000000000004", 0x1.3333333333334p-2);
        check_parse("2.2250738585072014e-308", DBL_MIN);
    }
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
    if (!have) {
        print_message("no locale with a comma can be made here\n");
        skip();
    }
    assert_string_equal(comma, "1,5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_the_shortest_digits),
        cmocka_unit_test(prints_powers_of_two_with_16_digits_where_they_suffice),
        cmocka_unit_test(every_kind_of_double_round_trips),
        cmocka_unit_test(numbers_as_people_write_them_round_trip),
        cmocka_unit_test(neighbours_of_powers_round_trip),
        cmocka_unit_test(reads_what_strtod_reads),
        cmocka_unit_test(reads_beyond_the_range_as_infinity_and_zero),
        cmocka_unit_test(an_exponent_and_as_many_zeros_cancel_out),
        cmocka_unit_test(a_digit_far_behind_a_midpoint_decides),
        cmocka_unit_test(reads_no_byte_behind_the_number),
        cmocka_unit_test(no_locale_changes_the_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
