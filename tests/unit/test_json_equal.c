/* Equality of JSON values: by value, not by spelling. L5 asks it whether a value was lost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/json.h"

#define TEXT_MAX (4 << 20)

struct pair {
    const char *a;
    const char *b;
};

static void check_pairs(const struct pair *pairs, size_t n, bool expected)
{
    for (size_t i = 0; i < n; i++) {
        sg_slice a = sg_slice_str(pairs[i].a), b = sg_slice_str(pairs[i].b);
        if (sg_json_equal(a, b) != expected || sg_json_equal(b, a) != expected)
            fail_msg("%s and %s must %sbe equal", pairs[i].a, pairs[i].b, expected ? "" : "not ");
    }
}

static void the_same_value_spelt_differently_is_equal(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"null", " null "},
        {"\"a\\u0062\\/\"", "\"\\u0061b/\""},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"\"\\u00e9\"", "\"\xc3\xa9\""},
        {"[1,2]", "[ 1 , 2 ]"},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"},
        {"{\"\\u0061\":1,\"b\":2}", "{\"b\":2.0,\"a\":1e0}"},
        {"{\"a\":{\"b\":1,\"c\":[{}]}}", "{ \"a\" : { \"c\" : [ { } ], \"b\" : 1 } }"},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\":1,\"b\":3,\"\\u0061\":2}", "{\"b\":3,\"a\":0,\"a\":2}"},
        {"{}", "{ }"},
        {"[]", "[ ]"},
    };
    check_pairs(pairs, sizeof pairs / sizeof pairs[0], true);
}

static void different_values_are_not_equal(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"null", "false"},
        {"0", "false"},
        {"1", "\"1\""},
        {"\"\"", "null"},
        {"[]", "{}"},
        {"\"a\"", "\"b\""},
        {"\"a\"", "\"a\\u0000\""},
        {"\"\\n\"", "\"n\""},
        {"\"\\\\n\"", "\"\\n\""},
        {"[1]", "[1,1]"},
        {"[1,2]", "[2,1]"},
        {"{\"a\":1}", "{\"b\":1}"},
        {"{\"a\":1}", "{\"a\":2}"},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}"},
        {"{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":1}"},
        {"{\"a\":null}", "{}"},
        {"[[1],[2]]", "[[1],[3]]"},
        {"{\"a\":[1,{\"b\":2}]}", "{\"a\":[1,{\"b\":3}]}"},
    };
    check_pairs(pairs, sizeof pairs / sizeof pairs[0], false);
}

static void numbers_are_equal_by_value(void **state)
{
    (void)state;
    static const struct pair equal[] = {
        {"1", "1.0"},
        {"1", "1e0"},
        {"100", "1E+2"},
        {"0", "-0"},
        {"0", "-0.0"},
        {"0.1", "0.10000000000000001"},
        {"1.5", "15e-1"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808.0"},
        {"9007199254740992", "9007199254740992.0"},
        {"9007199254740992", "9007199254740993.0"},
        {"123456789012345680000", "1.2345678901234568e20"},
        {"1e-400", "0"},
    };
    static const struct pair different[] = {
        {"1", "-1"},
        {"1", "1.0000000000000002"},
        {"9007199254740993", "9007199254740992"},
        {"9007199254740993", "9007199254740992.0"},
        {"9007199254740993", "9007199254740993.0"},
        {"9223372036854775807", "9223372036854775808"},
        {"9223372036854775807", "9223372036854775807.0"},
        {"18446744073709551615", "18446744073709551614"},
        {"0.1", "0.2"},
        {"1e308", "1e309"},
        {"1e400", "-1e400"},
        {"9223372036854775807", "1e400"},
        {"-9223372036854775808", "-1e400"},
        {"-9223372036854775808", "9223372036854775808.0"},
        {"5e-324", "0"},
    };
    check_pairs(equal, sizeof equal / sizeof equal[0], true);
    check_pairs(different, sizeof different / sizeof different[0], false);
}

static void what_is_not_json_equals_nothing(void **state)
{
    (void)state;
    static const struct pair pairs[] = {{"", ""}, {"x", "x"}, {"[1,]", "[1,]"}, {"1", "1 1"}};
    check_pairs(pairs, sizeof pairs / sizeof pairs[0], false);
}

/* {"key0":0,…} in ascending or descending order of the number */
static void many_members(sg_buf *out, int n, bool descending)
{
    sg_jsonw w;
    sg_buf_clear(out);
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    for (int i = 0; i < n; i++) {
        sg_buf key;
        sg_buf_init(&key, 32);
        int64_t v = descending ? n - 1 - i : i;
        sg_buf_str(&key, "key");
        sg_buf_int(&key, v);
        sg_jsonw_key(&w, sg_buf_view(&key));
        sg_jsonw_int(&w, v);
        sg_buf_deinit(&key);
    }
    sg_jsonw_object_end(&w);
    assert_int_equal(out->err, SG_OK);
}

/* Searching each of these members in the other object would take some 10^10 steps. */
static void large_objects_in_opposite_order_are_compared_at_once(void **state)
{
    (void)state;
    sg_buf a, b;
    sg_buf_init(&a, TEXT_MAX);
    sg_buf_init(&b, TEXT_MAX);
    many_members(&a, 150000, false);
    many_members(&b, 150000, true);
    assert_true(sg_json_equal(sg_buf_view(&a), sg_buf_view(&b)));
    many_members(&b, 149999, true);
    assert_false(sg_json_equal(sg_buf_view(&a), sg_buf_view(&b)));
    sg_buf_deinit(&a);
    sg_buf_deinit(&b);
}

static void without_memory_nothing_is_called_equal(void **state)
{
    (void)state;
    sg_buf a, b;
    sg_buf_init(&a, TEXT_MAX);
    sg_buf_init(&b, TEXT_MAX);
    many_members(&a, 100, false);
    many_members(&b, 100, true);
    size_t n = 1;
    bool same;
    do {
        sg_mem_fail_at(n++, 0);
        same = sg_json_equal(sg_buf_view(&a), sg_buf_view(&b));
        sg_mem_fail_at(0, 0);
    } while (!same && n < 100);
    assert_in_range(n, 3, 99);
    sg_buf_deinit(&a);
    sg_buf_deinit(&b);
}

static void a_difference_behind_what_memory_holds_is_not_overlooked(void **state)
{
    (void)state;
    sg_buf a, b;
    sg_buf_init(&a, TEXT_MAX);
    sg_buf_init(&b, TEXT_MAX);
    many_members(&a, 100, false);
    sg_buf_slice(&b, sg_buf_view(&a));
    b.p[b.n - 2]--; /* the last member's value */
    sg_mem_fail_at(1, 1);
    bool same = sg_json_equal(sg_buf_view(&a), sg_buf_view(&b));
    sg_mem_fail_at(0, 0);
    assert_false(same);
    sg_buf_deinit(&a);
    sg_buf_deinit(&b);
}

static void small_objects_need_no_memory(void **state)
{
    (void)state;
    sg_buf a, b;
    sg_buf_init(&a, TEXT_MAX);
    sg_buf_init(&b, TEXT_MAX);
    sg_buf_str(&a, "[0");
    sg_buf_str(&b, "[0");
    for (int i = 0; i < 100; i++) {
        sg_buf_str(&a, ",{\"a\":{\"b\":1,\"c\":2}}");
        sg_buf_str(&b, ",{\"a\":{\"c\":2,\"b\":1}}");
    }
    sg_buf_str(&a, "]");
    sg_buf_str(&b, "]");
    sg_mem_fail_at(1, 1);
    bool same = sg_json_equal(sg_buf_view(&a), sg_buf_view(&b));
    sg_mem_fail_at(0, 0);
    assert_true(same);
    sg_buf_deinit(&a);
    sg_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_value_spelt_differently_is_equal),
        cmocka_unit_test(different_values_are_not_equal),
        cmocka_unit_test(numbers_are_equal_by_value),
        cmocka_unit_test(what_is_not_json_equals_nothing),
        cmocka_unit_test(large_objects_in_opposite_order_are_compared_at_once),
        cmocka_unit_test(without_memory_nothing_is_called_equal),
        cmocka_unit_test(a_difference_behind_what_memory_holds_is_not_overlooked),
        cmocka_unit_test(small_objects_need_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
