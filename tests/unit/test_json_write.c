/* The JSON writer: commas, escapes, limits; every text it makes is one that readers take. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/json.h"

#define TEXT_MAX 100000

static void check_text(sg_buf *out, const char *expected)
{
    assert_int_equal(out->err, SG_OK);
    assert_string_equal(sg_buf_cstr(out), expected);
    sg_buf_deinit(out);
}

static void check_quoted(sg_slice text, const char *expected)
{
    sg_buf out;
    sg_buf_init(&out, TEXT_MAX);
    sg_json_quote(&out, text);
    check_text(&out, expected);
}

static void strings_escape_what_they_must_and_nothing_else(void **state)
{
    (void)state;
    check_quoted(SG_LIT(""), "\"\"");
    check_quoted(SG_LIT("a/b\x7f"), "\"a/b\x7f\"");
    check_quoted(SG_LIT("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    check_quoted(SG_LIT("\0\x01\x0b\x1f"), "\"\\u0000\\u0001\\u000b\\u001f\"");
    check_quoted(SG_LIT("\xc3\xa9\n\xe2\x82\xac\xf0\x9f\x98\x80"),
                 "\"\xc3\xa9\\n\xe2\x82\xac\xf0\x9f\x98\x80\"");
    check_quoted(SG_LIT("0123456789\xe2\x80\xa8\"0123456789"),
                 "\"0123456789\xe2\x80\xa8\\\"0123456789\"");
}

static void commas_stand_between_and_nowhere_else(void **state)
{
    (void)state;
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    sg_jsonw_init(&w, &out);
    sg_jsonw_object(&w);
    sg_jsonw_kint(&w, "n", -1);
    sg_jsonw_k(&w, "a");
    sg_jsonw_array(&w);
    sg_jsonw_array(&w);
    sg_jsonw_array_end(&w);
    sg_jsonw_int(&w, INT64_MIN);
    sg_jsonw_null(&w);
    sg_jsonw_object(&w);
    sg_jsonw_object_end(&w);
    sg_jsonw_bool(&w, true);
    sg_jsonw_array_end(&w);
    sg_jsonw_key(&w, SG_LIT("a\"b"));
    sg_jsonw_string(&w, SG_LIT("\n"));
    sg_jsonw_kbool(&w, "f", false);
    sg_jsonw_kstr(&w, "s", SG_LIT("x"));
    sg_jsonw_kraw(&w, "r", SG_LIT("1.50"));
    sg_jsonw_object_end(&w);
    assert_int_equal(w.depth, 0);
    check_text(&out, "{\"n\":-1,\"a\":[[],-9223372036854775808,null,{},true],\"a\\\"b\":\"\\n\","
                     "\"f\":false,\"s\":\"x\",\"r\":1.50}");
}

static void text_that_is_not_utf8_latches(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "a\xff",
                                      "\xc0\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xe2\x82",
                                      "0123456789abcdef\xc3"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sg_buf out;
        sg_jsonw w;
        sg_buf_init(&out, TEXT_MAX);
        sg_jsonw_init(&w, &out);
        sg_jsonw_string(&w, sg_slice_str(bad[i]));
        sg_jsonw_int(&w, 1);
        assert_int_equal(out.err, SG_BADVALUE);
        assert_false(sg_utf8_valid(sg_slice_str(bad[i])));
        sg_buf_deinit(&out);
    }
    assert_true(sg_utf8_valid(SG_LIT("")));
    assert_true(sg_utf8_valid(SG_LIT("a\0\"\\\x1f\xf0\x9f\x98\x80")));
}

static void no_value_is_not_written_as_one(void **state)
{
    (void)state;
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    sg_jsonw_init(&w, &out);
    sg_jsonw_raw(&w, sg_slice_of(NULL, 0));
    assert_int_equal(out.err, SG_BADVALUE);
    sg_buf_deinit(&out);
}

static void nesting_is_written_up_to_what_the_reader_takes(void **state)
{
    (void)state;
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    sg_jsonw_init(&w, &out);
    for (int i = 0; i < SG_JSON_MAX_DEPTH; i++)
        sg_jsonw_array(&w);
    assert_int_equal(out.err, SG_OK);
    for (int i = 0; i < SG_JSON_MAX_DEPTH; i++)
        sg_jsonw_array_end(&w);
    sg_json j;
    sg_json_init(&j, sg_buf_view(&out));
    assert_int_equal(sg_json_skip(&j).n, 2 * SG_JSON_MAX_DEPTH);
    sg_buf_clear(&out);
    sg_jsonw_init(&w, &out);
    for (int i = 0; i < SG_JSON_MAX_DEPTH + 1; i++)
        sg_jsonw_object(&w), sg_jsonw_k(&w, "k");
    assert_int_equal(out.err, SG_LIMIT);
    sg_buf_deinit(&out);
}

static void an_end_without_a_beginning_latches(void **state)
{
    (void)state;
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    sg_jsonw_init(&w, &out);
    sg_jsonw_object_end(&w);
    assert_int_equal(out.err, SG_INTERNAL);
    sg_buf_clear(&out);
    sg_jsonw_init(&w, &out);
    sg_jsonw_object(&w);
    sg_jsonw_k(&w, "key without a value");
    sg_jsonw_object_end(&w);
    assert_int_equal(out.err, SG_INTERNAL);
    sg_buf_deinit(&out);
}

static void write_some(sg_buf *out)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_array(&w);
    for (int i = 0; i < 50; i++)
        sg_jsonw_string(&w, SG_LIT("some text \n with escapes"));
    sg_jsonw_array_end(&w);
}

static void every_failing_allocation_and_cap_latches(void **state)
{
    (void)state;
    sg_buf whole, out;
    sg_buf_init(&whole, TEXT_MAX);
    write_some(&whole);
    size_t n = 1;
    do {
        sg_buf_init(&out, TEXT_MAX);
        sg_mem_fail_at(n++, 0);
        write_some(&out);
        sg_mem_fail_at(0, 0);
        assert_true(out.err == SG_OK || out.err == SG_NOMEM);
        if (out.err == SG_OK) break;
        sg_buf_deinit(&out);
    } while (n < 100);
    assert_in_range(n, 3, 99);
    assert_true(sg_slice_eq(sg_buf_view(&out), sg_buf_view(&whole)));
    sg_buf_deinit(&out);
    sg_buf_init(&out, whole.n - 1);
    write_some(&out);
    assert_int_equal(out.err, SG_LIMIT);
    sg_buf_deinit(&out);
    sg_buf_deinit(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_escape_what_they_must_and_nothing_else),
        cmocka_unit_test(commas_stand_between_and_nowhere_else),
        cmocka_unit_test(text_that_is_not_utf8_latches),
        cmocka_unit_test(no_value_is_not_written_as_one),
        cmocka_unit_test(nesting_is_written_up_to_what_the_reader_takes),
        cmocka_unit_test(an_end_without_a_beginning_latches),
        cmocka_unit_test(every_failing_allocation_and_cap_latches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
