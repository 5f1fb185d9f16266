/* Keys: packed and back, as ids on the wire and back, as people give them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "lib/prng.h"
#include "replica/key.h"

typedef struct shape {
    sg_column columns[4];
    sg_table table;
} shape;

/* A table whose key has one column per affinity given. */
static const sg_table *table_of(shape *s, const char *affinities)
{
    *s = (shape){0};
    s->table.columns = s->columns;
    s->table.name = "t";
    for (; *affinities != '\0'; affinities++) {
        size_t i = s->table.key_count++;
        s->columns[i] = (sg_column){.affinity = *affinities, .key_part = (int)i + 1};
        s->table.key[i] = (int)i;
    }
    s->table.column_count = s->table.key_count;
    return &s->table;
}

static sg_value text(sg_slice s)
{
    return (sg_value){.type = SG_TEXT, .bytes = s};
}

static sg_value blob(sg_slice s)
{
    return (sg_value){.type = SG_BLOB, .bytes = s};
}

static sg_value integer(int64_t i)
{
    return (sg_value){.type = SG_INT, .i = i};
}

static sg_value real(double r)
{
    return (sg_value){.type = SG_REAL, .r = r};
}

static void expect_slice(sg_slice have, sg_slice want)
{
    if (sg_slice_eq(have, want)) return;
    print_error("have: %.*s\nwant: %.*s\n", (int)have.n, have.p, (int)want.n, want.p);
    fail();
}

/* The value, packed for a column of that affinity, has that id; and the id gives the same key. */
static void expect_id(char affinity, sg_value v, sg_slice id)
{
    shape s;
    const sg_table *t = table_of(&s, (char[]){affinity, 0});
    sg_buf packed, out, back;
    sg_buf_init(&packed, 1 << 20);
    sg_buf_init(&out, 1 << 20);
    sg_buf_init(&back, 1 << 20);
    assert_int_equal(sg_key_put(&packed, &v), SG_OK);
    assert_int_equal(sg_key_to_id(t, sg_buf_view(&packed), &out), SG_OK);
    expect_slice(sg_buf_view(&out), id);
    assert_int_equal(sg_key_from_id(t, sg_buf_view(&out), &back), SG_OK);
    expect_slice(sg_buf_view(&back), sg_buf_view(&packed));
    sg_value again;
    char uuid[36];
    assert_true(sg_key_single(sg_buf_view(&packed), &again, uuid));
    if (v.type != SG_REAL || again.type == SG_REAL) assert_true(sg_value_same(&again, &v));
    sg_buf_deinit(&packed);
    sg_buf_deinit(&out);
    sg_buf_deinit(&back);
}

#define ID(affinity, value, id) expect_id(affinity, value, SG_LIT(id))

static void test_ids_of_single_keys(void **state)
{
    (void)state;
    ID('T', text(SG_LIT("tea")), "tea");
    ID('T', text(SG_LIT("")), "~t");
    ID('T', text(SG_LIT("~x")), "~t~x");
    ID('T', text(SG_LIT("12")), "12");
    ID('I', text(SG_LIT("12")), "~t12");
    ID('I', text(SG_LIT("012")), "012");
    ID('I', text(SG_LIT("-0")), "-0");
    ID('I', text(SG_LIT("1\n")), "1\n");
    ID('I', text(SG_LIT("1.0")), "1.0");
    ID('I', text(SG_LIT("99999999999999999999")), "99999999999999999999");
    ID('T', text(SG_LIT("[1,2]")), "[1,2]");
    ID('T', text(SG_LIT("a\0b")), "a\0b");
    ID('T', text(SG_LIT("\xff")), "~x/w==");
    ID('T', text(SG_LIT("019b0a3e-7c1d-7aaa-8bbb-0123456789ab")),
       "019b0a3e-7c1d-7aaa-8bbb-0123456789ab");
    ID('T', text(SG_LIT("019B0A3E-7C1D-7AAA-8BBB-0123456789AB")),
       "019B0A3E-7C1D-7AAA-8BBB-0123456789AB");
    ID('T', text(SG_LIT("019b0a3e-7c1d-7aaa-8bbb+0123456789ab")),
       "019b0a3e-7c1d-7aaa-8bbb+0123456789ab");
    ID('I', integer(0), "0");
    ID('N', integer(INT64_MAX), "9223372036854775807");
    ID('R', integer(INT64_MIN), "-9223372036854775808");
    ID('B', integer(7), "~i7");
    ID('B', blob(SG_LIT("\0\xff")), "~bAP8=");
    ID('B', blob(SG_LIT("")), "~b");
    ID('R', real(1.5), "~r1.5");
    ID('B', real(-0.5), "~r-0.5");
    ID('R', real(1e300), "~r1e300");
    ID('R', real(INFINITY), "~r{\"$real\":\"Infinity\"}");
    ID('R', real(5e-324), "~r5e-324");
}

static void test_a_real_that_is_an_integer_is_that_integer(void **state)
{
    (void)state;
    ID('R', real(3.0), "3");
    ID('R', real(-0.0), "0");
    ID('R', real(9007199254740993.0), "9007199254740992");
    ID('R', real(-0x1p63), "-9223372036854775808");
    ID('B', real(0x1p62), "~i4611686018427387904");
    ID('R', real(0x1p63), "~r9.223372036854776e18");
}

static void test_a_null_is_no_key(void **state)
{
    (void)state;
    sg_buf out;
    sg_buf_init(&out, 100);
    sg_value null = {.type = SG_NULL};
    assert_int_equal(sg_key_put(&out, &null), SG_BADVALUE);
    assert_int_equal(out.n, 0);
    sg_buf_deinit(&out);
}

static int from_id(const sg_table *t, const char *id)
{
    sg_buf out;
    sg_buf_init(&out, 1 << 20);
    int err = sg_key_from_id(t, sg_slice_str(id), &out);
    sg_buf_deinit(&out);
    return err;
}

static void test_ids_that_cannot_be_a_key(void **state)
{
    static const char *const single[] = {
        "~q",      "~i",     "~i1.0",  "~i 1",  "~i01",
        "~b!",     "~bAA",   "~x!",    "~r",    "~rx",
        "~r\"a\"", "~r1.5 ", "~rnull", "~r[1]", "~i99999999999999999999"};
    static const char *const pair[] = {
        "",         "1",    "[]",     "[1]",       "[1,2,3]",
        "[1,null]", "[1,2", "[1,2]x", "{\"a\":1}", "[1,{\"$blob\":\"!\"}]",
        "a"};
    (void)state;
    shape s;
    const sg_table *t = table_of(&s, "T");
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        assert_int_equal(from_id(t, single[i]), SG_BADVALUE);
    }
    t = table_of(&s, "TI");
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
        assert_int_equal(from_id(t, pair[i]), SG_BADVALUE);
    assert_int_equal(from_id(t, " [ 1 , true ] "), SG_OK);
}

static void test_composite_ids(void **state)
{
    (void)state;
    shape s;
    const sg_table *t = table_of(&s, "TIB");
    sg_value values[] = {text(SG_LIT("a\"b")), integer(-5), blob(SG_LIT("\1"))};
    sg_buf packed, id, back;
    sg_buf_init(&packed, 1 << 20);
    sg_buf_init(&id, 1 << 20);
    sg_buf_init(&back, 1 << 20);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(sg_key_put(&packed, &values[i]), SG_OK);
    assert_int_equal(sg_key_to_id(t, sg_buf_view(&packed), &id), SG_OK);
    expect_slice(sg_buf_view(&id), SG_LIT("[\"a\\\"b\",-5,{\"$blob\":\"AQ==\"}]"));
    assert_int_equal(sg_key_from_id(t, sg_buf_view(&id), &back), SG_OK);
    expect_slice(sg_buf_view(&back), sg_buf_view(&packed));
    sg_value v;
    char uuid[36];
    assert_false(sg_key_single(sg_buf_view(&packed), &v, uuid));
    sg_buf_deinit(&packed);
    sg_buf_deinit(&id);
    sg_buf_deinit(&back);
}

static void test_damaged_keys_give_an_error(void **state)
{
    (void)state;
    shape s;
    const sg_table *t = table_of(&s, "TT");
    prng random = {11};
    for (int i = 0; i < 20000; i++) {
        char bytes[24];
        size_t n = prng_below(&random, sizeof bytes + 1);
        for (size_t k = 0; k < n; k++)
            bytes[k] = (char)prng_below(&random, k == 0 ? 8 : 256);
        sg_slice key = sg_slice_of(bytes, n);
        sg_buf out;
        sg_buf_init(&out, 1 << 20);
        sg_value v;
        char uuid[36];
        int err = sg_key_to_json(key, &out);
        assert_true(err == SG_OK || err == SG_CORRUPT);
        (void)sg_key_single(key, &v, uuid);
        (void)sg_key_to_id(t, key, &out);
        sg_buf_deinit(&out);
    }
    sg_buf out;
    sg_buf_init(&out, 100);
    assert_int_equal(sg_key_to_json(SG_LIT("\x09"), &out), SG_CORRUPT);
    assert_int_equal(sg_key_to_json(SG_LIT("\x03\x05"
                                           "ab"),
                                    &out),
                     SG_CORRUPT);
    assert_int_equal(sg_key_to_json(SG_LIT("\x02"
                                           "abc"),
                                    &out),
                     SG_CORRUPT);
    sg_buf_deinit(&out);
}

/* Keys that differ are packed differently, and sort by table no matter how: only equality counts.
 */
static void test_different_keys_have_different_bytes(void **state)
{
    (void)state;
    sg_value values[] = {text(SG_LIT("1")), integer(1),        real(1.5),  blob(SG_LIT("1")),
                         text(SG_LIT("")),  blob(SG_LIT("")),  integer(0), text(SG_LIT("0")),
                         real(0x1p63),      integer(INT64_MAX)};
    size_t n = sizeof values / sizeof *values;
    sg_buf packed[16];
    for (size_t i = 0; i < n; i++) {
        sg_buf_init(&packed[i], 100);
        assert_int_equal(sg_key_put(&packed[i], &values[i]), SG_OK);
        for (size_t k = 0; k < i; k++)
            assert_false(sg_slice_eq(sg_buf_view(&packed[k]), sg_buf_view(&packed[i])));
    }
    for (size_t i = 0; i < n; i++)
        sg_buf_deinit(&packed[i]);
}

static void test_a_failed_allocation_is_an_error(void **state)
{
    (void)state;
    shape s;
    const sg_table *t = table_of(&s, "TB");
    int err = SG_NOMEM;
    size_t at = 1;
    for (; err == SG_NOMEM; at++) {
        sg_buf out;
        sg_buf_init(&out, 1 << 20);
        sg_mem_fail_at(at, 1);
        err = sg_key_from_id(t, SG_LIT("[\"a\\\"b\",{\"$blob\":\"AQ==\"}]"), &out);
        sg_mem_fail_at(0, 0);
        sg_buf_deinit(&out);
    }
    assert_int_equal(err, SG_OK);
    assert_true(at > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_single_keys),
        cmocka_unit_test(test_a_real_that_is_an_integer_is_that_integer),
        cmocka_unit_test(test_a_null_is_no_key),
        cmocka_unit_test(test_ids_that_cannot_be_a_key),
        cmocka_unit_test(test_composite_ids),
        cmocka_unit_test(test_damaged_keys_give_an_error),
        cmocka_unit_test(test_different_keys_have_different_bytes),
        cmocka_unit_test(test_a_failed_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
