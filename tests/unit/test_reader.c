/* The cursor over foreign bytes: what it reads, and that after the first bad read it reads nothing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "base/buf.h"
#include "base/reader.h"

#define ROUNDS 20000
#define SEED 20240918

static void assert_latched(sg_reader *r)
{
    assert_int_equal(r->err, SG_CORRUPT);
    assert_int_equal(sg_read_byte(r), 0);
    assert_int_equal(sg_read_varint(r), 0);
    assert_int_equal(sg_read_zigzag(r), 0);
    assert_int_equal(sg_read_bytes(r, 1).n, 0);
    assert_int_equal(sg_read_lenslice(r).n, 0);
    assert_int_equal(r->err, SG_CORRUPT);
}

static void test_reads_come_in_order_and_borrow(void **state)
{
    (void)state;
    const char bytes[] = "A\x80\x01\x05"
                         "bcd\2ef";
    sg_reader r = sg_reader_of(sg_slice_of(bytes, sizeof bytes - 1));
    assert_int_equal(sg_read_byte(&r), 'A');
    assert_int_equal(sg_read_varint(&r), 128);
    assert_int_equal(sg_read_zigzag(&r), -3);
    sg_slice s = sg_read_bytes(&r, 3);
    assert_ptr_equal(s.p, bytes + 4);
    assert_int_equal(s.n, 3);
    s = sg_read_lenslice(&r);
    assert_ptr_equal(s.p, bytes + 8);
    assert_int_equal(s.n, 2);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.err, SG_OK);
}

static uint64_t any_size(prng *g)
{
    return prng_next(g) >> prng_below(g, 64);
}

static void test_what_the_buffer_writes_is_read_back(void **state)
{
    (void)state;
    prng g = {SEED};
    sg_buf b;
    sg_buf_init(&b, 1000);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t u = i == 0 ? UINT64_MAX : any_size(&g);
        int64_t v = i == 0 ? INT64_MIN : (int64_t)any_size(&g) * (prng_below(&g, 2) ? 1 : -1);
        sg_buf_clear(&b);
        sg_buf_varint(&b, u);
        sg_buf_zigzag(&b, v);
        sg_buf_lenslice(&b, SG_LIT("text"));
        sg_reader r = sg_reader_of(sg_buf_view(&b));
        assert_true(sg_read_varint(&r) == u);
        assert_true(sg_read_zigzag(&r) == v);
        assert_true(sg_slice_eq(sg_read_lenslice(&r), SG_LIT("text")));
        assert_true(r.left == 0 && r.err == SG_OK);
    }
    sg_buf_deinit(&b);
}

static void test_reading_past_the_end_is_latched(void **state)
{
    (void)state;
    sg_reader r = sg_reader_of(SG_LIT("ab"));
    assert_int_equal(sg_read_bytes(&r, 3).n, 0);
    assert_latched(&r); /* though two bytes were there */
    r = sg_reader_of(sg_slice_of(NULL, 0));
    assert_int_equal(sg_read_byte(&r), 0);
    assert_latched(&r);
    r = sg_reader_of(SG_LIT("\xff\xff"));
    assert_int_equal(sg_read_varint(&r), 0);
    assert_latched(&r);
    r = sg_reader_of(SG_LIT("\3ab"));
    assert_int_equal(sg_read_lenslice(&r).n, 0);
    assert_latched(&r);
    r = sg_reader_of(SG_LIT("ab"));
    assert_int_equal(sg_read_bytes(&r, SIZE_MAX).n, 0);
    assert_latched(&r);
}

/* A length of 2^64 - 1 must not wrap around to something small. */
static void test_a_number_beyond_64_bits_is_damage(void **state)
{
    (void)state;
    sg_reader r = sg_reader_of(SG_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    assert_int_equal(sg_read_varint(&r), 0);
    assert_latched(&r);
    r = sg_reader_of(SG_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01"));
    assert_int_equal(sg_read_varint(&r), 0);
    assert_latched(&r);
    r = sg_reader_of(SG_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_int_equal(sg_read_lenslice(&r).n, 0);
    assert_latched(&r);
}

static void test_no_bytes_can_be_read_from_nothing(void **state)
{
    (void)state;
    sg_reader r = sg_reader_of(sg_slice_of(NULL, 0));
    assert_int_equal(sg_read_bytes(&r, 0).n, 0);
    assert_int_equal(r.err, SG_OK);
}

/* A decoder may latch what it found wrong itself, as running out of memory. */
static void test_an_error_latched_by_the_caller_stays(void **state)
{
    (void)state;
    sg_reader r = sg_reader_of(SG_LIT("a"));
    r.err = SG_NOMEM;
    (void)sg_read_bytes(&r, 2);
    assert_int_equal(r.err, SG_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_come_in_order_and_borrow),
        cmocka_unit_test(test_what_the_buffer_writes_is_read_back),
        cmocka_unit_test(test_reading_past_the_end_is_latched),
        cmocka_unit_test(test_a_number_beyond_64_bits_is_damage),
        cmocka_unit_test(test_no_bytes_can_be_read_from_nothing),
        cmocka_unit_test(test_an_error_latched_by_the_caller_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
