/* A record in memory: its fields by name (L20: bounded), and the time of its last change (L15). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "base/mem.h"
#include "core/record.h"

#define SEED 20240926

static void add(sg_record *r, uint32_t name, int64_t at_us)
{
    sg_field *f = sg_record_at(r, name);
    assert_non_null(f);
    f->mark.at_us = at_us;
}

static void test_fields_stand_in_the_order_of_their_names(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int round = 0; round < 200; round++) {
        sg_record r;
        sg_record_init(&r);
        int64_t last[64] = {0}; /* what was written to each name; 0: nothing */
        size_t distinct = 0;
        for (int64_t i = 1; i <= 100; i++) {
            uint64_t name = prng_below(&g, 64);
            distinct += last[name] == 0;
            last[name] = i;
            add(&r, (uint32_t)name * 3, i);
        }
        assert_int_equal(r.count, distinct);
        for (size_t i = 1; i < r.count; i++)
            assert_true(r.fields[i - 1].name < r.fields[i].name);
        for (uint32_t name = 0; name < 64 * 3; name++) {
            const sg_field *f = sg_record_find(&r, name);
            int64_t want = name % 3 == 0 ? last[name / 3] : 0;
            if ((f != NULL) != (want != 0) || (f != NULL && f->mark.at_us != want))
                fail_msg("field %u is not what was written to it", name);
        }
        sg_record_deinit(&r);
    }
}

static void test_a_new_field_is_empty(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    assert_null(sg_record_find(&r, 1));
    add(&r, 2, 5);
    sg_record_find(&r, 2)->has_value = true;
    const sg_field *f = sg_record_at(&r, 1);
    assert_int_equal(f->name, 1);
    assert_true(f->mark.at_us == 0 && f->mark.client == 0 && !f->has_value && f->lost.n == 0);
    sg_record_deinit(&r);
}

static void test_l20_no_more_fields_than_the_cap(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    for (uint32_t i = 0; i < SG_RECORD_FIELDS_MAX; i++)
        add(&r, i, 1);
    assert_null(sg_record_at(&r, SG_RECORD_FIELDS_MAX));
    assert_non_null(sg_record_at(&r, SG_RECORD_FIELDS_MAX - 1));
    assert_int_equal(r.count, SG_RECORD_FIELDS_MAX);
    sg_record_deinit(&r);
}

static void test_clearing_keeps_the_memory_and_nothing_else(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    add(&r, 1, 1);
    r.dead = r.has_life = true;
    r.revived_seq = 9;
    r.life.at_us = 7;
    sg_record_clear(&r);
    assert_true(r.count == 0 && !r.dead && !r.has_life && r.life.at_us == 0 && r.revived_seq == 0);
    sg_mem_fail_at(1, 1);
    const sg_field *f = sg_record_at(&r, 1);
    sg_mem_fail_at(0, 0);
    assert_non_null(f);
    sg_record_deinit(&r);
}

static void test_dropping_fields_keeps_the_life(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    add(&r, 1, 1);
    r.dead = r.has_life = true;
    r.life.at_us = 7;
    sg_record_drop_fields(&r);
    assert_true(r.count == 0 && r.dead && r.has_life && r.life.at_us == 7);
    sg_record_deinit(&r);
}

static void test_l15_last_modified_is_the_greatest_time_of_a_field(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    r.has_life = true;
    r.life.at_us = 50;
    assert_int_equal(sg_record_updated_at(&r), 50);
    add(&r, 1, 0); /* a default */
    assert_int_equal(sg_record_updated_at(&r), 0);
    add(&r, 1, 10);
    assert_int_equal(sg_record_updated_at(&r), 10);
    add(&r, 3, 30);
    add(&r, 2, 20);
    assert_int_equal(sg_record_updated_at(&r), 30);
    add(&r, 4, 25); /* not the last one's */
    assert_int_equal(sg_record_updated_at(&r), 30);
    sg_record_drop_fields(&r);
    assert_int_equal(sg_record_updated_at(&r), 50);
    add(&r, 1, 10); /* what lies behind it in memory is no field any more */
    assert_int_equal(sg_record_updated_at(&r), 10);
    sg_record_deinit(&r);
}

static void test_running_out_of_memory_leaves_the_fields(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    uint32_t name = 0;
    sg_mem_fail_at(3, 1);
    while (name < SG_RECORD_FIELDS_MAX && sg_record_at(&r, name) != NULL)
        name++;
    sg_mem_fail_at(0, 0);
    assert_in_range(name, 1, SG_RECORD_FIELDS_MAX - 1);
    assert_int_equal(r.count, name);
    for (uint32_t i = 0; i < name; i++)
        assert_int_equal(r.fields[i].name, i);
    add(&r, name, 1);
    sg_record_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_stand_in_the_order_of_their_names),
        cmocka_unit_test(test_a_new_field_is_empty),
        cmocka_unit_test(test_l20_no_more_fields_than_the_cap),
        cmocka_unit_test(test_clearing_keeps_the_memory_and_nothing_else),
        cmocka_unit_test(test_dropping_fields_keeps_the_life),
        cmocka_unit_test(test_l15_last_modified_is_the_greatest_time_of_a_field),
        cmocka_unit_test(test_running_out_of_memory_leaves_the_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
