/* Packed records: what is stored comes back, in one form only; damage is told, and never more. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "base/mem.h"
#include "core/clock.h"
#include "core/record.h"
#include "record_equal.h"

#define SEED 20240927
#define ROUNDS 3000
#define PACKED_MAX ((size_t)1 << 24)

/* ---- records at random ---- */

static int64_t any_int(prng *g, int64_t max)
{
    if (prng_below(g, 20) == 0) return max;
    return (int64_t)((prng_next(g) >> (1 + prng_below(g, 63))) % ((uint64_t)max + 1));
}

static uint32_t any_id(prng *g)
{
    return prng_below(g, 20) == 0 ? UINT32_MAX : (uint32_t)prng_below(g, 300);
}

static sg_mark any_mark(prng *g)
{
    return (sg_mark){.at_us = any_int(g, SG_AT_MAX_US),
                     .n = any_int(g, INT64_MAX),
                     .seq = any_int(g, INT64_MAX),
                     .client = any_id(g),
                     .actor = any_id(g),
                     .origin = (uint8_t)prng_below(g, 5),
                     .restamped = prng_below(g, 2) != 0};
}

static sg_slice any_bytes(prng *g, size_t least)
{
    static const char bytes[] =
        "\0\1\xff{\"key\":[1,2.5,null]}\xc3\xa9 and more than that, so that it is "
        "longer than what one byte of length can say, which is one hundred "
        "and twenty-seven";
    size_t n = prng_below(g, sizeof bytes - least) + least;
    return sg_slice_of(bytes, n);
}

static void any_field(prng *g, sg_record *r, uint32_t name, const sg_mark *marks, size_t mark_count)
{
    sg_field *f = sg_record_at(r, name);
    f->mark = marks[prng_below(g, mark_count)];
    f->has_value = prng_below(g, 3) != 0;
    if (f->has_value) f->value = any_bytes(g, 0);
    if (prng_below(g, 5) == 0) f->lost = any_bytes(g, 1);
}

/* Fields in runs and with gaps, one or few or as many marks as fields. */
static void any_record(prng *g, sg_record *r)
{
    sg_mark marks[40];
    size_t mark_count = prng_below(g, 3) == 0 ? 40 : prng_below(g, 3) + 1;
    size_t fields = prng_below(g, 10) == 0 ? 300 : prng_below(g, 12);
    for (size_t i = 0; i < mark_count; i++)
        marks[i] = any_mark(g);
    uint32_t name = prng_below(g, 4) == 0 ? 0 : any_id(g) / 2;
    for (size_t i = 0; i < fields; i++) {
        any_field(g, r, name, marks, mark_count);
        name += prng_below(g, 3) == 0 ? (uint32_t)prng_below(g, 100000) + 1 : 1;
    }
    if (prng_below(g, 10) == 0) any_field(g, r, UINT32_MAX, marks, mark_count);
    r->has_life = prng_below(g, 4) != 0;
    if (prng_below(g, 3) == 0) r->again_seq = any_int(g, INT64_MAX - 1) + 1;
    if (!r->has_life) return;
    r->life = prng_below(g, 2) != 0 ? any_mark(g) : marks[0];
    r->dead = prng_below(g, 2) != 0;
    if (prng_below(g, 3) == 0) r->revived_seq = any_int(g, INT64_MAX - 1) + 1;
}

/* ---- there and back ---- */

static void check_round_trip(const sg_record *r)
{
    sg_buf once, twice;
    sg_record back;
    sg_buf_init(&once, PACKED_MAX);
    sg_buf_init(&twice, PACKED_MAX);
    sg_record_init(&back);
    /* It held another record before. */
    sg_record_at(&back, 77)->has_value = true;
    back.dead = back.has_life = true;
    back.life.at_us = back.revived_seq = back.again_seq = 9;
    sg_record_pack(r, &once);
    assert_int_equal(once.err, SG_OK);
    assert_int_equal(sg_record_unpack(&back, sg_buf_view(&once)), SG_OK);
    const char *difference = record_difference(r, &back);
    if (difference != NULL) fail_msg("%s differs", difference);
    sg_record_pack(&back, &twice);
    assert_true(sg_slice_eq(sg_buf_view(&once), sg_buf_view(&twice)));
    sg_record_deinit(&back);
    sg_buf_deinit(&once);
    sg_buf_deinit(&twice);
}

static void test_any_record_comes_back_and_packs_to_the_same_bytes(void **state)
{
    (void)state;
    prng g = {SEED};
    sg_record r;
    sg_record_init(&r);
    for (int round = 0; round < ROUNDS; round++) {
        sg_record_clear(&r);
        any_record(&g, &r);
        check_round_trip(&r);
    }
    sg_record_deinit(&r);
}

static void test_the_widest_record_with_a_mark_for_each_field_comes_back(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    check_round_trip(&r); /* and the empty one */
    for (uint32_t i = 0; i < SG_RECORD_FIELDS_MAX; i++)
        *sg_record_at(&r, i) = (sg_field){.name = i, .mark = {.at_us = i, .seq = 1}};
    r.has_life = true;
    r.life.n = 1;
    check_round_trip(&r);
    sg_record_deinit(&r);
}

/* ---- the stored form ---- */

static void assert_packs_to(const sg_record *r, const char *bytes, size_t n)
{
    sg_buf b;
    sg_buf_init(&b, PACKED_MAX);
    sg_buf_str(&b, "before");
    sg_record_pack(r, &b);
    assert_int_equal(b.n, 6 + n);
    assert_memory_equal(b.p, "before", 6);
    assert_memory_equal(b.p + 6, bytes, n);
    sg_buf_deinit(&b);
}

/* Databases keep these bytes: a change here is a new format (spec/storage.md). */
static void test_the_stored_form_does_not_change(void **state)
{
    (void)state;
    sg_record r;
    sg_record_init(&r);
    const sg_mark first = {INT64_C(1577836800000001), 3, 5, 1, 2, 0, false};
    const sg_mark other = {INT64_C(1577836800000000), 2, 9, 4, 3, 1, true};
    r.has_life = true;
    r.life = first;
    for (uint32_t name = 1; name <= 8; name++)
        *sg_record_at(&r, name) = (sg_field){.name = name, .mark = first};
    const char one[] = {2 | 16, 7 | 1 << 3, 2, 6, 10, 1, 2 << 4, 1, 7};
    assert_packs_to(&r, one, sizeof one);
    r.dead = true;
    r.revived_seq = 4;
    *sg_record_at(&r, 3) = (sg_field){3, other, true, SG_LIT("ab"), SG_LIT("\7")};
    const char two[] = {1 | 2 | 4 | 8 | 32, /* dead, life, values, lists, revived */
                        2,                  /* marks */
                        7 | 1 << 3,
                        2,
                        6,
                        10,
                        1,
                        2 << 4,
                        1,
                        7, /* run 1-8 */
                        7 | 1 << 3,
                        1,
                        1,
                        8,
                        4,
                        3 << 4 | 1 << 1 | 1,
                        3,
                        0, /* run 3 */
                        2, /* revived one seq before */
                        0,
                        0,
                        3,
                        'a',
                        'b',
                        0,
                        0,
                        0,
                        0,
                        0, /* values */
                        1,
                        2,
                        1,
                        7}; /* lists */
    assert_packs_to(&r, two, sizeof two);
    sg_record_deinit(&r);
}

/* ---- damage ---- */

static int unpack(const void *bytes, size_t n)
{
    sg_record r;
    sg_record_init(&r);
    /* A block of its own, so that a sanitizer sees a read behind its end. */
    char *copy = sg_alloc(n);
    if (n != 0) memcpy(copy, bytes, n);
    int err = sg_record_unpack(&r, sg_slice_of(copy, n));
    if (err == SG_OK) check_round_trip(&r);
    sg_free(copy);
    sg_record_deinit(&r);
    return err;
}

static void check_damage(const sg_record *r, prng *g)
{
    sg_buf b;
    sg_buf_init(&b, PACKED_MAX);
    sg_record_pack(r, &b);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(unpack(b.p, n), SG_CORRUPT);
    for (size_t i = 0; i < b.n; i++) {
        char was = b.p[i];
        b.p[i] = (char)prng_next(g);
        int err = unpack(b.p, b.n); /* another good record, or damage */
        if (err != SG_OK && err != SG_CORRUPT) fail_msg("error %d", err);
        b.p[i] = was;
    }
    sg_buf_byte(&b, 0);
    assert_int_equal(unpack(b.p, b.n), SG_CORRUPT);
    sg_buf_deinit(&b);
}

static void test_cut_or_longer_records_are_damage_and_changed_bytes_do_no_harm(void **state)
{
    (void)state;
    prng g = {SEED + 1};
    sg_record r;
    sg_record_init(&r);
    for (int round = 0; round < 300; round++) {
        sg_record_clear(&r);
        any_record(&g, &r);
        if (r.count < 100) check_damage(&r, &g);
    }
    sg_record_deinit(&r);
}

#define ASSERT_CORRUPT(...)                                                                        \
    assert_int_equal(                                                                              \
        unpack((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})),            \
        SG_CORRUPT)
#define ASSERT_GOOD(...)                                                                           \
    assert_int_equal(                                                                              \
        unpack((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})), SG_OK)

enum { DEAD = 1, HAS_LIFE = 2, VALUES = 4, LISTS = 8, ONE_MARK = 16, REVIVED = 32 };
/* Of a mark: seq, client and who differ; a run. */
enum { SEQ = 1, ALL = 7, RUN = 8 };

static void test_what_cannot_be_is_damage(void **state)
{
    (void)state;
    assert_int_equal(unpack(NULL, 0), SG_CORRUPT);
    ASSERT_GOOD(0, 0);
    ASSERT_CORRUPT(64, 0); /* nothing behind what the header says */
    ASSERT_CORRUPT(128, 0);
    ASSERT_CORRUPT(128, 0, 0);
    ASSERT_GOOD(128, 0, 7);
    ASSERT_CORRUPT(128, 0, 0x80, 0x80, 0x80, 0x80, 0x10);
    ASSERT_CORRUPT(DEAD, 0);
    ASSERT_CORRUPT(HAS_LIFE, 0);
    ASSERT_CORRUPT(REVIVED, 0, 1);
    ASSERT_GOOD(HAS_LIFE | ONE_MARK, ALL, 0, 0, 0, 1, 0);
    ASSERT_GOOD(HAS_LIFE | ONE_MARK | REVIVED, ALL, 0, 0, 4, 1, 0, 2);
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK | REVIVED, ALL, 0, 0, 4, 1, 0, 4); /* seq 0 */
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK | REVIVED, ALL, 0, 0, 4, 1, 0, 6); /* seq -1 */
    ASSERT_GOOD(HAS_LIFE | ONE_MARK, ALL, 0, 0, 0, 1, 4 << 1);
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK, ALL, 0, 0, 0, 1, 5 << 1); /* no such origin */
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK, ALL, 0, 1, 0, 1, 0);      /* n -1 */
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK, ALL, 0, 0, 1, 1, 0);      /* seq -1 */
    /* Ids of 2^32. */
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK, ALL, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0);
    ASSERT_CORRUPT(HAS_LIFE | ONE_MARK, ALL, 0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 2);
}

static void test_times_outside_the_range_of_stamps_are_damage(void **state)
{
    (void)state;
    const int64_t good[] = {0, SG_AT_MAX_US}, bad[] = {-1, SG_AT_MAX_US + 1, INT64_MIN, INT64_MAX};
    for (int i = 0; i < 6; i++) {
        sg_buf b;
        sg_buf_init(&b, 100);
        int64_t at_us = i < 2 ? good[i] : bad[i - 2];
        sg_buf_byte(&b, HAS_LIFE | ONE_MARK);
        sg_buf_byte(&b, ALL);
        sg_buf_zigzag(&b, (int64_t)((uint64_t)at_us - UINT64_C(1577836800000000)));
        sg_buf_put(&b, "\0\0\1\0", 4);
        assert_int_equal(unpack(b.p, b.n), i < 2 ? SG_OK : SG_CORRUPT);
        sg_buf_deinit(&b);
    }
}

static void test_fields_that_cannot_be_are_damage(void **state)
{
    (void)state;
    /* One run, then: names behind the last one there can be, in five ways. */
    ASSERT_GOOD(ONE_MARK, ALL | RUN, 0, 0, 0, 1, 0, 7, 0);
    ASSERT_CORRUPT(ONE_MARK, ALL | 2 * RUN, 0, 0, 0, 1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0);
    ASSERT_GOOD(ONE_MARK, ALL | RUN, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0);
    ASSERT_CORRUPT(ONE_MARK, ALL | RUN, 0, 0, 0, 1, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0);
    ASSERT_CORRUPT(ONE_MARK, ALL | RUN, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 1);
    ASSERT_CORRUPT(ONE_MARK, ALL | 2 * RUN, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0);
    /* A gap of 2^64 - 16, which would come back to a name before it. */
    ASSERT_CORRUPT(ONE_MARK, ALL | 2 * RUN, 0, 0, 0, 1, 0, 20, 0, 0xf0, 0xff, 0xff, 0xff, 0xff,
                   0xff, 0xff, 0xff, 0xff, 1, 0);
    /* 4000 fields, 4001 in one run, 4001 in two. */
    ASSERT_GOOD(ONE_MARK, ALL | RUN, 0, 0, 0, 1, 0, 0, 0x9f, 0x1f);
    ASSERT_CORRUPT(ONE_MARK, ALL | RUN, 0, 0, 0, 1, 0, 0, 0xa0, 0x1f);
    ASSERT_CORRUPT(ONE_MARK, ALL | 2 * RUN, 0, 0, 0, 1, 0, 0, 0x9f, 0x1f, 1, 0);
    /* A value, then one that is longer than what is left; a list, then one of no field. */
    ASSERT_GOOD(ONE_MARK | VALUES, ALL | RUN, 0, 0, 0, 1, 0, 7, 0, 2, 'a');
    ASSERT_CORRUPT(ONE_MARK | VALUES, ALL | RUN, 0, 0, 0, 1, 0, 7, 0, 3, 'a');
    ASSERT_CORRUPT(ONE_MARK | VALUES, ALL | RUN, 0, 0, 0, 1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
                   0xff, 0xff, 0xff, 0xff, 1, 'a');
    ASSERT_GOOD(ONE_MARK | LISTS, ALL | RUN, 0, 0, 0, 1, 0, 7, 0, 1, 0, 1, 'a');
    ASSERT_CORRUPT(ONE_MARK | LISTS, ALL | RUN, 0, 0, 0, 1, 0, 7, 0, 1, 1, 1, 'a');
    ASSERT_CORRUPT(ONE_MARK | LISTS, ALL | RUN, 0, 0, 0, 1, 0, 7, 0, 1, 0, 2, 'a');
    /* More runs than there can be fields. */
    ASSERT_CORRUPT(ONE_MARK, 0xff, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                   0xff, 1, 7, 0);
}

static void test_a_later_mark_takes_fields_from_the_first_alone(void **state)
{
    (void)state;
    ASSERT_GOOD(0, 2, ALL | RUN, 0, 0, 0, 1, 0, 7, 1, RUN, 0, 2, 8, 0);
    ASSERT_CORRUPT(0, 2, ALL | RUN, 0, 0, 0, 1, 0, 7, 1, RUN, 0, 2, 9, 0); /* nobody's */
    ASSERT_GOOD(0, 3, ALL | RUN, 0, 0, 0, 1, 0, 7, 1, RUN, 0, 2, 8, 0, RUN, 0, 2, 7, 0);
    ASSERT_CORRUPT(0, 3, ALL | RUN, 0, 0, 0, 1, 0, 7, 1, RUN, 0, 2, 8, 0, RUN, 0, 2, 8, 0);
    /* What is not said is as in the mark before. */
    ASSERT_GOOD(0, 2, ALL | RUN, 0, 0, 4, 1, 0, 7, 1, SEQ | RUN, 0, 2, 3, 8, 0);
    ASSERT_CORRUPT(0, 2, ALL | RUN, 0, 0, 4, 1, 0, 7, 1, SEQ | RUN, 0, 2, 5, 8, 0); /* seq -1 */
}

/* ---- faults ---- */

static void test_running_out_of_memory_is_said(void **state)
{
    (void)state;
    sg_record r, back;
    sg_buf b;
    sg_record_init(&r);
    sg_record_init(&back);
    sg_buf_init(&b, PACKED_MAX);
    for (uint32_t i = 0; i < 100; i++)
        *sg_record_at(&r, i) = (sg_field){i, {.n = i}, true, SG_LIT("value"), SG_LIT("\1")};
    size_t failed = 0;
    for (size_t at = 1; at == failed + 1; at++) {
        sg_buf_deinit(&b);
        sg_buf_clear(&b);
        sg_mem_fail_at(at, 1);
        sg_record_pack(&r, &b);
        sg_mem_fail_at(0, 0);
        if (b.err != SG_OK) failed++;
        assert_int_equal(b.err, b.err != SG_OK ? SG_NOMEM : SG_OK);
    }
    assert_true(failed >= 2);
    failed = 0;
    for (size_t at = 1; at == failed + 1; at++) {
        sg_record_deinit(&back);
        sg_mem_fail_at(at, 1);
        int err = sg_record_unpack(&back, sg_buf_view(&b));
        sg_mem_fail_at(0, 0);
        if (err != SG_OK) failed++;
        assert_int_equal(err, err != SG_OK ? SG_NOMEM : SG_OK);
    }
    assert_true(failed >= 2);
    assert_null(record_difference(&r, &back));
    sg_record_deinit(&r);
    sg_record_deinit(&back);
    sg_buf_deinit(&b);
}

static void test_l20_a_record_that_does_not_fit_says_limit(void **state)
{
    (void)state;
    sg_record r;
    sg_buf b;
    sg_record_init(&r);
    sg_buf_init(&b, 40);
    *sg_record_at(&r, 1) = (sg_field){.name = 1, .has_value = true, .value = SG_LIT("0123456789")};
    sg_record_pack(&r, &b);
    assert_int_equal(b.err, SG_OK);
    sg_record_pack(&r, &b);
    assert_int_equal(b.err, SG_LIMIT);
    sg_buf_deinit(&b);
    sg_record_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_record_comes_back_and_packs_to_the_same_bytes),
        cmocka_unit_test(test_the_widest_record_with_a_mark_for_each_field_comes_back),
        cmocka_unit_test(test_the_stored_form_does_not_change),
        cmocka_unit_test(test_cut_or_longer_records_are_damage_and_changed_bytes_do_no_harm),
        cmocka_unit_test(test_what_cannot_be_is_damage),
        cmocka_unit_test(test_times_outside_the_range_of_stamps_are_damage),
        cmocka_unit_test(test_fields_that_cannot_be_are_damage),
        cmocka_unit_test(test_a_later_mark_takes_fields_from_the_first_alone),
        cmocka_unit_test(test_running_out_of_memory_is_said),
        cmocka_unit_test(test_l20_a_record_that_does_not_fit_says_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
