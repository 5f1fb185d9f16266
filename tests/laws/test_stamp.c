/* L3: stamps are totally ordered by time, then client, then number, then value. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/stamp.h"

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static int cmp(int64_t at_a, const char *client_a, int64_t n_a, int64_t at_b, const char *client_b,
               int64_t n_b)
{
    sg_stamp a = {at_a, sg_slice_str(client_a), n_a}, b = {at_b, sg_slice_str(client_b), n_b};
    return sign(sg_stamp_cmp(&a, &b));
}

static void test_l3_the_later_time_wins_whatever_client_and_number(void **state)
{
    (void)state;
    assert_int_equal(cmp(2, "a", 1, 1, "z", 9), 1);
    assert_int_equal(cmp(1, "z", 9, 2, "a", 1), -1);
    assert_int_equal(cmp(INT64_MAX, "a", 0, INT64_MIN, "a", 0), 1);
    assert_int_equal(cmp(INT64_MIN, "a", 0, INT64_MAX, "a", 0), -1);
}

static void test_l3_at_one_time_the_greater_client_wins_whatever_the_number(void **state)
{
    (void)state;
    assert_int_equal(cmp(1, "b", 1, 1, "a", 9), 1);
    assert_int_equal(cmp(1, "a", 9, 1, "b", 1), -1);
    assert_int_equal(cmp(1, "ab", 1, 1, "a", 9), 1);   /* the shorter one first */
    assert_int_equal(cmp(1, "\xff", 1, 1, "a", 9), 1); /* bytes, not signed chars */
    assert_int_equal(cmp(1, "", 1, 1, "a", 1), -1);
}

static void test_l3_of_one_client_at_one_time_the_greater_number_wins(void **state)
{
    (void)state;
    assert_int_equal(cmp(1, "a", 2, 1, "a", 1), 1);
    assert_int_equal(cmp(1, "a", 0, 1, "a", INT64_MAX), -1);
    assert_int_equal(cmp(1, "a", 3, 1, "a", 3), 0);
}

static void test_l3_equal_stamps_are_decided_by_the_values_bytes(void **state)
{
    (void)state;
    sg_stamp a = {1, SG_LIT("c"), 0}, later = {1, SG_LIT("c"), 1};
    assert_int_equal(sign(sg_stamp_cmp_value(&a, SG_LIT("2"), &a, SG_LIT("1"))), 1);
    assert_int_equal(sign(sg_stamp_cmp_value(&a, SG_LIT("1"), &a, SG_LIT("2"))), -1);
    assert_int_equal(sign(sg_stamp_cmp_value(&a, SG_LIT("1"), &a, SG_LIT("1"))), 0);
    assert_int_equal(sign(sg_stamp_cmp_value(&a, SG_LIT("10"), &a, SG_LIT("1"))), 1);
    assert_int_equal(sign(sg_stamp_cmp_value(&a, SG_LIT("\xff"), &a, SG_LIT("1"))), 1);
    assert_int_equal(sign(sg_stamp_cmp_value(&a, SG_LIT("9"), &later, SG_LIT("1"))), -1);
}

/* Every pair and every triple of a grid that has all ties in it. */
static void test_l3_the_order_is_total(void **state)
{
    (void)state;
    static const char *const clients[] = {"a", "aa", "b"};
    static const char *const values[] = {"", "1", "2"};
    sg_stamp s[81];
    sg_slice v[81];
    size_t count = 0;
    for (int at = 0; at < 3; at++)
        for (int c = 0; c < 3; c++)
            for (int n = 0; n < 3; n++)
                for (int k = 0; k < 3; k++, count++) {
                    s[count] = (sg_stamp){at, sg_slice_str(clients[c]), n};
                    v[count] = sg_slice_str(values[k]);
                }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            /* The grid is made in its own order. */
            int want = (i > j) - (i < j), got = sign(sg_stamp_cmp_value(&s[i], v[i], &s[j], v[j]));
            if (got != want) fail_msg("%zu against %zu gives %d", i, j, got);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_l3_the_later_time_wins_whatever_client_and_number),
        cmocka_unit_test(test_l3_at_one_time_the_greater_client_wins_whatever_the_number),
        cmocka_unit_test(test_l3_of_one_client_at_one_time_the_greater_number_wins),
        cmocka_unit_test(test_l3_equal_stamps_are_decided_by_the_values_bytes),
        cmocka_unit_test(test_l3_the_order_is_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
