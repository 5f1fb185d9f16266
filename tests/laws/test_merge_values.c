/* L2: every value SQLite can hold comes out of the merge as the bytes that went in, and as itself.
 */
#include "merge_fixture.h"

#include "wire/value.h"

enum { A, B };

/* A value through the merge and the stored record: over an older one, and a late one against it. */
static void check_value(sg_value v, bool is_json_column)
{
    sg_buf json, scratch;
    sg_value back;
    server s;
    sg_buf_init(&json, (size_t)1 << 24);
    sg_buf_init(&scratch, (size_t)1 << 24);
    sg_value_to_json(&json, &v, is_json_column);
    sg_slice view = sg_buf_view(&json);
    const act acts[] = {
        {.op = SG_OP_INSERT, .client = A, .n = 1, .at_us = 1, .mask = 1, .value = {SG_LIT("1")}},
        {.op = SG_OP_UPDATE, .client = B, .n = 1, .at_us = 2, .mask = 1, .value = {view}},
        {.op = SG_OP_UPDATE, .client = A, .n = 2, .at_us = 1, .mask = 1, .value = {SG_LIT("3")}}};
    server_init(&s, false);
    for (size_t i = 0; i < 3; i++) {
        (void)server_take(&s, &acts[i]);
        server_store(&s);
    }
    sg_slice got = server_value(&s, 0);
    assert_true(sg_slice_eq(got, view));
    assert_int_equal(sg_value_from_json(&back, got, is_json_column, &scratch), SG_OK);
    if (!sg_value_same(&v, &back)) fail_msg("came back as another value: %s", sg_buf_cstr(&json));
    sg_buf_deinit(&json);
    sg_buf_deinit(&scratch);
    server_deinit(&s);
}

static void test_integers_to_their_ends(void **state)
{
    (void)state;
    const int64_t all[] = {0, 1, -1, INT64_C(9007199254740993), INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_value((sg_value){.type = SG_INT, .i = all[i]}, false);
}

static void test_reals_bit_for_bit(void **state)
{
    (void)state;
    const double all[] = {0.0,
                          -0.0,
                          0.1,
                          1.0,
                          0x1.fffffffffffffp+1023,
                          -0x1.fffffffffffffp+1023,
                          0x1p-1022,
                          0x0.0000000000001p-1022,
                          -0x0.fffffffffffffp-1022,
                          1e15,
                          1e16,
                          123456789.123456789,
                          -1.0 / 3};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_value((sg_value){.type = SG_REAL, .r = all[i]}, false);
    check_value((sg_value){.type = SG_REAL, .r = (double)__builtin_inf()}, false);
    check_value((sg_value){.type = SG_REAL, .r = -(double)__builtin_inf()}, false);
}

static size_t utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* NUL and every other character there is, one plane at a time. */
static void test_text_of_all_of_unicode(void **state)
{
    (void)state;
    char *text = sg_alloc(4 * 0x10000);
    for (uint32_t plane = 0; plane <= 0x10; plane++) {
        size_t n = 0;
        for (uint32_t c = plane << 16; c < (plane + 1) << 16; c++)
            if (c < 0xd800 || c > 0xdfff) n += utf8(text + n, c);
        check_value((sg_value){.type = SG_TEXT, .bytes = sg_slice_of(text, n)}, false);
    }
    sg_free(text);
    check_value((sg_value){.type = SG_TEXT, .bytes = SG_LIT("")}, false);
    check_value((sg_value){.type = SG_TEXT, .bytes = SG_LIT("a\xff\xc0\x80")}, false);
}

static void test_blobs_null_and_nested_json(void **state)
{
    (void)state;
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    check_value((sg_value){.type = SG_BLOB, .bytes = sg_slice_of(bytes, 256)}, false);
    check_value((sg_value){.type = SG_BLOB, .bytes = SG_LIT("")}, false);
    check_value((sg_value){.type = SG_NULL}, false);
    check_value((sg_value){.type = SG_NULL}, true);
    sg_slice nested = SG_LIT("{\"a\":[1,{\"b\":null,\"c\":[[],{}]}],\"\\u0000\":-0.0,\"e\":1e400}");
    check_value((sg_value){.type = SG_TEXT, .bytes = nested}, true);
    check_value((sg_value){.type = SG_TEXT, .bytes = SG_LIT("{\"$blob\":\"x\"}")}, true);
    check_value((sg_value){.type = SG_TEXT, .bytes = SG_LIT("null")}, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_to_their_ends),
        cmocka_unit_test(test_reals_bit_for_bit),
        cmocka_unit_test(test_text_of_all_of_unicode),
        cmocka_unit_test(test_blobs_null_and_nested_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
