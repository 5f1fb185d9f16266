/* The growing buffer: what it appends, its cap, its latched error, and memory running out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#define ROOM ((size_t)1 << 20)

static void assert_bytes(const sg_buf *b, const void *bytes, size_t n)
{
    assert_int_equal(b->err, SG_OK);
    assert_int_equal(b->n, n);
    assert_memory_equal(b->p, bytes, n);
}

static void test_appends_stand_in_order(void **state)
{
    (void)state;
    sg_buf b;
    sg_buf_init(&b, ROOM);
    sg_buf_put(&b, "ab", 2);
    sg_buf_byte(&b, 0);
    sg_buf_str(&b, "cd");
    sg_buf_slice(&b, SG_LIT("e\0f"));
    sg_buf_slice(&b, sg_slice_of(NULL, 0));
    memcpy(sg_buf_extend(&b, 2), "gh", 2);
    sg_buf_lenslice(&b, SG_LIT("ij"));
    assert_bytes(&b, "ab\0cde\0fgh\2ij", 13);
    assert_true(sg_slice_eq(sg_buf_view(&b), SG_LIT("ab\0cde\0fgh\2ij")));
    sg_buf_deinit(&b);
}

static void check_int(int64_t v, const char *digits)
{
    sg_buf b;
    sg_buf_init(&b, ROOM);
    sg_buf_int(&b, v);
    assert_string_equal(sg_buf_cstr(&b), digits);
    sg_buf_deinit(&b);
}

static void test_integers_are_decimal_to_their_ends(void **state)
{
    (void)state;
    check_int(0, "0");
    check_int(7, "7");
    check_int(10, "10");
    check_int(-1, "-1");
    check_int(INT64_MAX, "9223372036854775807");
    check_int(INT64_MIN, "-9223372036854775808");
}

static void check_varint(uint64_t v, const char *bytes, size_t n)
{
    sg_buf b;
    sg_buf_init(&b, ROOM);
    sg_buf_varint(&b, v);
    assert_bytes(&b, bytes, n);
    sg_buf_deinit(&b);
}

static void check_zigzag(int64_t v, const char *bytes, size_t n)
{
    sg_buf b;
    sg_buf_init(&b, ROOM);
    sg_buf_zigzag(&b, v);
    assert_bytes(&b, bytes, n);
    sg_buf_deinit(&b);
}

/* Stored bytes must never change their meaning: these are the format, not the code's opinion. */
static void test_varints_are_leb128_and_zigzag(void **state)
{
    (void)state;
    check_varint(0, "\0", 1);
    check_varint(127, "\x7f", 1);
    check_varint(128, "\x80\x01", 2);
    check_varint(16383, "\xff\x7f", 2);
    check_varint(16384, "\x80\x80\x01", 3);
    check_varint(UINT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    check_zigzag(0, "\0", 1);
    check_zigzag(-1, "\1", 1);
    check_zigzag(1, "\2", 1);
    check_zigzag(-64, "\x7f", 1);
    check_zigzag(64, "\x80\x01", 2);
    check_zigzag(INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    check_zigzag(INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}

static void test_growth_keeps_what_is_there(void **state)
{
    (void)state;
    sg_buf b;
    sg_buf_init(&b, ROOM);
    for (unsigned i = 0; i < ROOM; i++)
        sg_buf_byte(&b, (uint8_t)(i * 7 % 251));
    assert_int_equal(b.n, ROOM);
    for (unsigned i = 0; i < ROOM; i++)
        if ((uint8_t)b.p[i] != i * 7 % 251) fail_msg("byte %u is %u", i, (uint8_t)b.p[i]);
    sg_buf_deinit(&b);
}

/* Twice as much each time: few allocations, and not much more memory than bytes. */
static void test_growth_doubles(void **state)
{
    (void)state;
    sg_buf b;
    sg_buf_init(&b, ROOM);
    sg_mem_fail_at(SIZE_MAX, 0);
    for (size_t i = 1; i <= 1000; i++) {
        sg_buf_byte(&b, 'x');
        if (b.cap < i || b.cap > 2 * i + 64) fail_msg("%zu bytes hold %zu", b.cap, i);
    }
    assert_int_equal(sg_mem_fail_at(0, 0), 5); /* 64, 128, 256, 512, 1024 */
    sg_buf_deinit(&b);
}

static void check_cap(size_t max)
{
    sg_buf b;
    sg_buf_init(&b, max);
    for (size_t i = 0; i < max; i++)
        sg_buf_byte(&b, 'x');
    assert_int_equal(b.err, SG_OK);
    assert_int_equal(b.n, max);
    assert_true(b.cap <= max);
    sg_buf_byte(&b, 'y');
    assert_int_equal(b.err, SG_LIMIT);
    assert_int_equal(b.n, max);
    sg_buf_deinit(&b);
}

/* L20 */
static void test_the_cap_is_reached_exactly_and_never_passed(void **state)
{
    (void)state;
    for (size_t max = 1; max < 300; max++)
        check_cap(max);
    check_cap(65537);
    sg_buf b;
    sg_buf_init(&b, 10);
    sg_buf_str(&b, "12345");
    assert_null(sg_buf_extend(&b, SIZE_MAX));
    assert_int_equal(b.err, SG_LIMIT);
    sg_buf_deinit(&b);
}

static void test_after_the_first_error_nothing_is_appended(void **state)
{
    (void)state;
    sg_buf b;
    sg_buf_init(&b, 4);
    sg_buf_str(&b, "abc");
    sg_buf_str(&b, "too long");
    sg_buf_byte(&b, 'd'); /* would fit */
    sg_buf_int(&b, 1);
    assert_int_equal(b.err, SG_LIMIT);
    assert_int_equal(b.n, 3);
    assert_memory_equal(b.p, "abc", 3);
    size_t n = 77;
    assert_null(sg_buf_cstr(&b));
    assert_null(sg_buf_take(&b, &n));
    sg_buf_clear(&b);
    sg_buf_str(&b, "wxyz");
    assert_bytes(&b, "wxyz", 4);
    sg_buf_deinit(&b);
}

static void test_a_c_string_does_not_count_its_end(void **state)
{
    (void)state;
    sg_buf b;
    sg_buf_init(&b, ROOM);
    assert_string_equal(sg_buf_cstr(&b), "");
    sg_buf_str(&b, "ab");
    assert_string_equal(sg_buf_cstr(&b), "ab");
    sg_buf_str(&b, "c");
    assert_string_equal(sg_buf_cstr(&b), "abc");
    assert_int_equal(b.n, 3);
    sg_buf_deinit(&b);
}

static void test_truncation_only_shortens(void **state)
{
    (void)state;
    sg_buf b;
    sg_buf_init(&b, ROOM);
    sg_buf_str(&b, "abcdef");
    sg_buf_truncate(&b, 9);
    assert_bytes(&b, "abcdef", 6);
    sg_buf_truncate(&b, 2);
    sg_buf_str(&b, "x");
    assert_bytes(&b, "abx", 3);
    sg_buf_deinit(&b);
}

static void test_taken_bytes_are_the_callers(void **state)
{
    (void)state;
    sg_buf b;
    size_t n = 0;
    sg_buf_init(&b, 100);
    sg_buf_put(&b, "a\0b", 3);
    char *p = sg_buf_take(&b, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "a\0b", 4);
    assert_int_equal(b.n, 0);
    sg_buf_str(&b, "new");
    assert_bytes(&b, "new", 3);
    assert_memory_equal(p, "a\0b", 4);
    sg_free(p);
    assert_int_equal(b.max, 100);
    sg_buf_deinit(&b);
}

/* Fail allocation 1, 2, … until none is asked for any more. */
static void test_the_error_of_a_part_is_the_error_of_the_whole(void **state)
{
    (void)state;
    sg_buf part, whole;
    sg_buf_init(&part, 4);
    sg_buf_init(&whole, 64);
    sg_buf_str(&part, "abc");
    sg_buf_append(&whole, &part);
    assert_int_equal(whole.err, SG_OK);
    assert_string_equal(sg_buf_cstr(&whole), "abc");
    sg_buf_str(&part, "de");
    sg_buf_append(&whole, &part);
    assert_int_equal(whole.err, SG_LIMIT);
    assert_int_equal(whole.n, 3);
    sg_buf_deinit(&part);
    sg_buf_deinit(&whole);
}

static void test_running_out_of_memory_is_latched_and_keeps_the_bytes(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t at = 1;; at++) {
        sg_buf b;
        sg_buf_init(&b, ROOM);
        sg_mem_fail_at(at, 1);
        for (int i = 0; i < 1000; i++)
            sg_buf_byte(&b, (uint8_t)i);
        sg_mem_fail_at(0, 0);
        for (size_t i = 0; i < b.n; i++)
            assert_int_equal((uint8_t)b.p[i], (uint8_t)i);
        int err = b.err;
        assert_true(err == SG_OK ? b.n == 1000 : err == SG_NOMEM && b.n < 1000);
        sg_buf_deinit(&b);
        if (err == SG_OK) break;
        failed++;
    }
    assert_true(failed > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_stand_in_order),
        cmocka_unit_test(test_integers_are_decimal_to_their_ends),
        cmocka_unit_test(test_varints_are_leb128_and_zigzag),
        cmocka_unit_test(test_growth_keeps_what_is_there),
        cmocka_unit_test(test_growth_doubles),
        cmocka_unit_test(test_the_cap_is_reached_exactly_and_never_passed),
        cmocka_unit_test(test_after_the_first_error_nothing_is_appended),
        cmocka_unit_test(test_a_c_string_does_not_count_its_end),
        cmocka_unit_test(test_truncation_only_shortens),
        cmocka_unit_test(test_taken_bytes_are_the_callers),
        cmocka_unit_test(test_the_error_of_a_part_is_the_error_of_the_whole),
        cmocka_unit_test(test_running_out_of_memory_is_latched_and_keeps_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
