/* The allocator, and above all its fault: exactly the allocation that was asked for fails. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static int lives(void *p)
{
    sg_free(p);
    return p != NULL;
}

static void test_nothing_fails_by_itself(void **state)
{
    (void)state;
    assert_true(lives(sg_alloc(0)));
    assert_true(lives(sg_alloc(10)));
    assert_true(lives(sg_realloc(NULL, 0)));
    sg_free(NULL);
}

static void test_zalloc_gives_zeros(void **state)
{
    (void)state;
    static const char zeros[4096];
    char *p = sg_alloc(sizeof zeros);
    memset(p, 'x', sizeof zeros);
    sg_free(p); /* so that the next one is likely to be dirty */
    p = sg_zalloc(sizeof zeros);
    assert_memory_equal(p, zeros, sizeof zeros);
    sg_free(p);
}

static void test_realloc_keeps_the_bytes(void **state)
{
    (void)state;
    char *p = sg_alloc(3);
    memcpy(p, "abc", 3);
    p = sg_realloc(p, 100000);
    memset(p + 3, 'x', 100000 - 3);
    char *other = sg_zalloc(100000); /* would lie on it, were it too short */
    assert_memory_equal(p, "abcxxx", 6);
    assert_int_equal(p[99999], 'x');
    sg_free(other);
    sg_free(p);
}

static void test_a_copied_text_ends(void **state)
{
    (void)state;
    char *p = sg_strndup("plugh and xyzzy", 5);
    assert_string_equal(p, "plugh");
    sg_free(p);
    p = sg_strndup(NULL, 0);
    assert_string_equal(p, "");
    sg_free(p);
}

static void test_exactly_the_nth_allocation_fails(void **state)
{
    (void)state;
    for (size_t at = 1; at <= 4; at++) {
        int alive[4];
        sg_mem_fail_at(at, 0);
        alive[0] = lives(sg_alloc(1));
        alive[1] = lives(sg_zalloc(1));
        alive[2] = lives(sg_realloc(NULL, 1));
        alive[3] = lives(sg_strndup("a", 1));
        sg_mem_fail_at(0, 0);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(alive[i], i + 1 != at);
    }
}

static void test_a_sticky_fault_stays(void **state)
{
    (void)state;
    sg_mem_fail_at(2, 1);
    int first = lives(sg_alloc(1)), second = lives(sg_alloc(1)), third = lives(sg_alloc(1));
    sg_mem_fail_at(0, 0);
    assert_true(first);
    assert_false(second);
    assert_false(third);
    assert_true(lives(sg_alloc(1)));
}

static void test_a_failed_realloc_leaves_the_block(void **state)
{
    (void)state;
    char *p = sg_alloc(4);
    memcpy(p, "abc", 4);
    sg_mem_fail_at(1, 0);
    char *q = sg_realloc(p, 100);
    sg_mem_fail_at(0, 0);
    assert_null(q);
    assert_string_equal(p, "abc");
    sg_free(p);
}

static void test_allocations_are_counted_while_a_fault_is_set(void **state)
{
    (void)state;
    sg_mem_fail_at(SIZE_MAX, 0);
    for (int i = 0; i < 5; i++)
        assert_true(lives(sg_alloc(1)));
    assert_int_equal(sg_mem_fail_at(0, 0), 5);
    assert_true(lives(sg_alloc(1)));
    assert_int_equal(sg_mem_fail_at(0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_fails_by_itself),
        cmocka_unit_test(test_zalloc_gives_zeros),
        cmocka_unit_test(test_realloc_keeps_the_bytes),
        cmocka_unit_test(test_a_copied_text_ends),
        cmocka_unit_test(test_exactly_the_nth_allocation_fails),
        cmocka_unit_test(test_a_sticky_fault_stays),
        cmocka_unit_test(test_a_failed_realloc_leaves_the_block),
        cmocka_unit_test(test_allocations_are_counted_while_a_fault_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
