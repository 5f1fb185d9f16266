/* The bump allocator: blocks are apart, aligned and stay where they are; reset and exhaustion. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"

#define BLOCKS 2000
#define SEED 20240919

static void test_blocks_are_apart_and_stay(void **state)
{
    (void)state;
    prng g = {SEED};
    sg_arena a;
    unsigned char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
    sg_arena_init(&a);
    for (unsigned i = 0; i < BLOCKS; i++) {
        sizes[i] = prng_below(&g, i % 100 == 0 ? 100000 : 200) + 1;
        blocks[i] = sg_arena_alloc(&a, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)(i % 251), sizes[i]);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (blocks[i][k] != i % 251) fail_msg("block %u was overwritten at %zu", i, k);
    sg_arena_deinit(&a);
}

static void test_an_arena_can_be_used_again(void **state)
{
    (void)state;
    sg_arena a;
    sg_arena_init(&a);
    sg_arena_reset(&a);
    sg_arena_deinit(&a); /* both before anything was allocated */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            memset(sg_arena_alloc(&a, 1000), round, 1000);
        sg_arena_reset(&a);
    }
    sg_arena_deinit(&a);
    assert_non_null(sg_arena_alloc(&a, 1));
    sg_arena_deinit(&a);
}

/* How many chunks that many blocks ask for. */
static size_t chunks_for(sg_arena *a, size_t blocks, size_t bytes)
{
    sg_mem_fail_at(SIZE_MAX, 0);
    for (size_t i = 0; i < blocks; i++)
        assert_int_equal((uintptr_t)sg_arena_alloc(a, bytes) % _Alignof(max_align_t), 0);
    return sg_mem_fail_at(0, 0);
}

static void test_small_blocks_share_a_chunk(void **state)
{
    (void)state;
    sg_arena a;
    sg_arena_init(&a);
    assert_int_equal(chunks_for(&a, 500, 32), 1);
    sg_arena_deinit(&a);
}

/* What a request needs it should not ask for again with each request. */
static void test_reset_keeps_a_whole_chunk_for_reuse(void **state)
{
    (void)state;
    sg_arena a;
    sg_arena_init(&a);
    assert_int_equal(chunks_for(&a, 12, 1000), 1);
    sg_arena_reset(&a);
    assert_int_equal(chunks_for(&a, 12, 1000), 0);
    sg_arena_deinit(&a);
}

static void test_a_copy_is_the_arenas_own(void **state)
{
    (void)state;
    sg_arena a;
    int err = SG_OK;
    char text[] = "a\0b";
    sg_arena_init(&a);
    sg_slice copy = sg_arena_copy(&a, sg_slice_of(text, 3), &err);
    memset(text, 'x', sizeof text);
    assert_int_equal(err, SG_OK);
    assert_true(sg_slice_eq(copy, SG_LIT("a\0b")));
    copy = sg_arena_copy(&a, sg_slice_of(text, 0), &err);
    assert_int_equal(err, SG_OK);
    assert_null(copy.p);
    assert_int_equal(copy.n, 0);
    sg_arena_deinit(&a);
}

static void test_running_out_of_memory_says_so(void **state)
{
    (void)state;
    sg_arena a;
    int err = SG_OK;
    sg_arena_init(&a);
    assert_null(sg_arena_alloc(&a, SIZE_MAX));
    assert_null(sg_arena_alloc(&a, SIZE_MAX / 2 + 1));
    sg_mem_fail_at(1, 1);
    void *p = sg_arena_alloc(&a, 1);
    sg_slice copy = sg_arena_copy(&a, SG_LIT("abc"), &err);
    sg_mem_fail_at(0, 0);
    assert_null(p);
    assert_int_equal(copy.n, 0);
    assert_int_equal(err, SG_NOMEM);
    assert_non_null(sg_arena_alloc(&a, 1));
    sg_arena_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_apart_and_stay),
        cmocka_unit_test(test_an_arena_can_be_used_again),
        cmocka_unit_test(test_small_blocks_share_a_chunk),
        cmocka_unit_test(test_reset_keeps_a_whole_chunk_for_reuse),
        cmocka_unit_test(test_a_copy_is_the_arenas_own),
        cmocka_unit_test(test_running_out_of_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
