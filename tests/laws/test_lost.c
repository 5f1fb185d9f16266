/* Lists of lost writes (L5): sets of seqs, ascending, at most SG_LOST_MAX of them (L20), packed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "base/mem.h"
#include "core/record.h"

#define SEED 20240922

static void add_all(sg_lost *l, const int64_t *seqs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sg_lost_add(l, seqs[i]);
}

static void test_l5_a_list_is_a_set_in_ascending_order(void **state)
{
    (void)state;
    const int64_t seqs[] = {5, 2, 9, 2, 5, 1};
    sg_lost l = {.count = 0};
    add_all(&l, seqs, 6);
    assert_int_equal(l.count, 4);
    const int64_t want[] = {1, 2, 5, 9};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(l.seq[i], want[i]);
    assert_true(sg_lost_has(&l, 9));
    assert_false(sg_lost_has(&l, 3));
}

/* Whatever order they come in, the newest stay. */
static void test_l20_beyond_the_cap_the_oldest_are_dropped(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int round = 0; round < 200; round++) {
        int64_t seqs[3 * SG_LOST_MAX];
        size_t n = sizeof seqs / sizeof *seqs;
        for (size_t i = 0; i < n; i++)
            seqs[i] = (int64_t)i + 1;
        for (size_t i = n; i > 1; i--) {
            size_t k = prng_below(&g, i);
            int64_t swap = seqs[i - 1];
            seqs[i - 1] = seqs[k];
            seqs[k] = swap;
        }
        sg_lost l = {.count = 0};
        add_all(&l, seqs, n);
        assert_int_equal(l.count, SG_LOST_MAX);
        for (size_t i = 0; i < SG_LOST_MAX; i++)
            assert_int_equal(l.seq[i], n - SG_LOST_MAX + i + 1);
    }
}

static void test_l5_the_purge_floor_takes_what_lies_at_or_below(void **state)
{
    (void)state;
    const int64_t seqs[] = {2, 4, 6};
    for (int64_t floor = 0; floor <= 7; floor++) {
        sg_lost l = {.count = 0};
        add_all(&l, seqs, 3);
        sg_lost_trim(&l, floor);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(sg_lost_has(&l, seqs[i]), seqs[i] > floor);
        assert_int_equal(l.count, (floor < 2) + (floor < 4) + (floor < 6));
    }
}

static void check_round_trip(const sg_lost *l)
{
    sg_buf packed;
    sg_lost back;
    sg_buf_init(&packed, SG_LOST_MAX * 10); /* what merge.c gives it */
    sg_lost_pack(l, &packed);
    assert_int_equal(packed.err, SG_OK);
    assert_int_equal(sg_lost_unpack(&back, sg_buf_view(&packed)), SG_OK);
    assert_int_equal(back.count, l->count);
    if (l->count != 0) assert_memory_equal(back.seq, l->seq, l->count * sizeof *l->seq);
    /* Cut anywhere inside its last number it is damaged, or shorter. */
    if (packed.n != 0) {
        int err = sg_lost_unpack(&back, sg_slice_of(packed.p, packed.n - 1));
        assert_true(err == SG_CORRUPT || (err == SG_OK && back.count == l->count - 1));
    }
    sg_buf_deinit(&packed);
}

static void test_a_packed_list_comes_back(void **state)
{
    (void)state;
    prng g = {SEED + 1};
    for (int round = 0; round < 5000; round++) {
        sg_lost l = {.count = 0};
        size_t n = prng_below(&g, SG_LOST_MAX + 1);
        unsigned shift = (unsigned)prng_below(&g, 56) + 1;
        while (l.count < n)
            sg_lost_add(&l, (int64_t)(prng_next(&g) >> shift) + (int64_t)l.count);
        if (round == 0) sg_lost_add(&l, INT64_MAX);
        check_round_trip(&l);
    }
}

static int unpack(const char *bytes, size_t n)
{
    sg_lost l;
    return sg_lost_unpack(&l, sg_slice_of(bytes, n));
}

static void test_a_damaged_list_is_damage(void **state)
{
    (void)state;
    assert_int_equal(unpack(NULL, 0), SG_OK);
    assert_int_equal(unpack("\x80", 1), SG_CORRUPT);
    assert_int_equal(unpack("\x01\x80", 2), SG_CORRUPT);
    assert_int_equal(unpack("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10), SG_CORRUPT);
    /* INT64_MAX, and one more: no seq may pass the end of int64. */
    assert_int_equal(unpack("\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9), SG_OK);
    assert_int_equal(unpack("\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x01", 10), SG_CORRUPT);
    char many[SG_LOST_MAX + 1];
    memset(many, 1, sizeof many);
    assert_int_equal(unpack(many, SG_LOST_MAX), SG_OK);
    assert_int_equal(unpack(many, SG_LOST_MAX + 1), SG_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_l5_a_list_is_a_set_in_ascending_order),
        cmocka_unit_test(test_l20_beyond_the_cap_the_oldest_are_dropped),
        cmocka_unit_test(test_l5_the_purge_floor_takes_what_lies_at_or_below),
        cmocka_unit_test(test_a_packed_list_comes_back),
        cmocka_unit_test(test_a_damaged_list_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
