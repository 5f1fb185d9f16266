/* The JSON reader: what RFC 8259 allows and nothing else, with exact error positions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/json.h"

#define TEXT_MAX 100000

static sg_slice as_slice(const char *text)
{
    return sg_slice_str(text);
}

/* The bytes at the end of a heap block of exactly their size, so that a sanitizer sees a reader
 * that goes one byte too far. */
static char *exact_copy(sg_slice text)
{
    char *copy = sg_alloc(text.n);
    assert_non_null(copy);
    if (text.n != 0) memcpy(copy, text.p, text.n);
    return copy;
}

/* Error code and position of a whole document. */
static int read_all(sg_slice text, size_t *at)
{
    char *copy = exact_copy(text);
    sg_json j;
    sg_json_init(&j, sg_slice_of(copy, text.n));
    sg_json_skip(&j);
    sg_json_end(&j);
    *at = j.at;
    sg_free(copy);
    return j.err;
}

static void accepts_what_the_rfc_allows(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "10",
        "0.0",
        "-0.0",
        "0e0",
        "0E+0",
        "1e-1",
        "1.5e300",
        "123456789012345678901234567890",
        "1e99999",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        " \t\r\n1 \t\r\n",
        "[1]",
        "[1,2]",
        "[ 1 , 2 ]",
        "[[],[[]]]",
        "[{},{}]",
        "{\"a\":1}",
        "{ \"a\" : 1 , \"b\" : [ ] }",
        "{\"\":\"\"}",
        "{\"a\":1,\"a\":2}",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\"",
        "\"\\uD7FF\\uE000\\uFFFF\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"",
        "\"/\"",
        "\"\x7f\"",
        "\"\xc2\x80\xdf\xbf\"",
        "\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
        "\"\xe2\x80\xa8\"",
        "{\"\xc3\xa9\":1}",
        "\"0123456\\\\\"",
        "\"01234567\\\\\"",
        "\"0123456\xc3\xa9\"",
        "\"01234567\xc3\xa9\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t at;
        if (read_all(as_slice(texts[i]), &at) != SG_OK)
            fail_msg("refused at %zu: %s", at, texts[i]);
    }
}

struct refusal {
    const char *text;
    size_t at;
};

static void check_refusals(const struct refusal *refusals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at;
        if (read_all(as_slice(refusals[i].text), &at) != SG_BADJSON)
            fail_msg("not refused: %s", refusals[i].text);
        if (at != refusals[i].at)
            fail_msg("%s: refused at %zu, expected at %zu", refusals[i].text, at, refusals[i].at);
    }
}

static void refuses_bad_structure_at_its_position(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"", 0},
        {"  ", 2},
        {",", 0},
        {"]", 0},
        {"}", 0},
        {"[", 1},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[1}", 2},
        {"{", 1},
        {"{]", 1},
        {"{,}", 1},
        {"{\"a\"", 4},
        {"{\"a\":", 5},
        {"{\"a\":}", 5},
        {"{\"a\" 1}", 5},
        {"{a:1}", 1},
        {"{1:2}", 1},
        {"{\"a\":1,}", 7},
        {"{\"a\":1", 6},
        {"{\"a\":1]", 6},
        {"{\"a\",1}", 4},
        {"1 2", 2},
        {"[] []", 3},
        {"{}x", 2},
        {"[1]]", 3},
        {"1,", 1},
        {"\xef\xbb\xbf"
         "1",
         0},
        {"[1,,2]", 3},
        {"/**/1", 0},
        {"1//", 1},
        {"'a'", 0},
        {"\v1", 0},
        {"\xc2\xa0"
         "1",
         0},
        {"[[1],[2", 7},
        {"{\"a\":{\"b\":1}", 12},
        {"{\"a\":1 \"b\":2}", 7},
    };
    check_refusals(refusals, sizeof refusals / sizeof refusals[0]);
}

static void refuses_bad_words_and_numbers_at_their_position(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"nul", 3},       {"nulL", 3},  {"True", 0}, {"truex", 4}, {"falsetrue", 5},
        {"t", 1},         {"-", 1},     {"+1", 0},   {"01", 1},    {"-01", 2},
        {"00", 1},        {"1.", 2},    {".5", 0},   {"1.e1", 2},  {"1e", 2},
        {"1e+", 3},       {"1e1.5", 3}, {"0x10", 1}, {"NaN", 0},   {"Infinity", 0},
        {"-Infinity", 1}, {"1_000", 1}, {"--1", 1},  {"1.5.5", 3}, {"[1.]", 3},
        {"1a", 1},        {"[-]", 2},   {"1E-", 3},  {"[0 1]", 3},
    };
    check_refusals(refusals, sizeof refusals / sizeof refusals[0]);
}

static void refuses_bad_strings_at_the_offending_byte(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"\"", 1},
        {"\"abc", 4},
        {"\"\n\"", 1},
        {"\"a\tb\"", 2},
        {"\"\x1f\"", 1},
        {"\"\\", 1},
        {"\"\\\"", 3},
        {"\"\\x\"", 1},
        {"\"\\u\"", 1},
        {"\"\\u12\"", 1},
        {"\"\\u123g\"", 1},
        {"\"\\U0041\"", 1},
        {"\"\\ud800\"", 1},
        {"\"\\udc00\"", 1},
        {"\"\\ud800\\n\"", 1},
        {"\"a\\0\"", 2},
        {"\"\\ud800\\ud800\"", 1},
        {"\"\\ud800\\u0041\"", 1},
        {"\"\\udc00\\ud800\"", 1},
        {"\"\\ud800\\udc0", 1},
        {"\"\\u 123\"", 1},
        {"\"\\u+123\"", 1},
        {"\"\x80\"", 1},
        {"\"a\xbf\"", 2},
        {"\"\xc0\x80\"", 1},
        {"\"\xc1\xbf\"", 1},
        {"\"\xc2\"", 1},
        {"\"\xc2", 1},
        {"\"\xe0\x80\x80\"", 1},
        {"\"\xe0\x9f\xbf\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xed\xbf\xbf\"", 1},
        {"\"\xe2\x82\"", 1},
        {"\"\xe2\x82", 1},
        {"\"\xf0\x80\x80\x80\"", 1},
        {"\"\xf0\x8f\xbf\xbf\"", 1},
        {"\"\xf4\x90\x80\x80\"", 1},
        {"\"\xf5\x80\x80\x80\"", 1},
        {"\"\xff\"", 1},
        {"\"\xf0\x9f\x98\"", 1},
        {"\"\xc3\xa9\xc3\"", 3},
        {"\"\xe2\x28\xa1\"", 1},
        {"\"\xe2\x82\x28\"", 1},
        {"\"01234567\x01\"", 9},
        {"\"0123456789abcde\x80\"", 16},
        {"{\"\x01\":1}", 2},
        {"\"\xc2\xc0\"", 1},
        {"\"\xc2\x7f\"", 1},
        {"\"\xe0\xc0\x80\"", 1},
        {"\"\xe1\x80\xc0\"", 1},
        {"\"\xed\x7f\x80\"", 1},
        {"\"\xf0\xc0\x80\x80\"", 1},
        {"\"\xf1\x80\x80\xc0\"", 1},
        {"\"\xf4\x7f\x80\x80\"", 1},
    };
    check_refusals(refusals, sizeof refusals / sizeof refusals[0]);
}

static void refuses_raw_nul_bytes(void **state)
{
    (void)state;
    size_t at;
    assert_int_equal(read_all(SG_LIT("\"a\0b\""), &at), SG_BADJSON);
    assert_int_equal(at, 2);
    assert_int_equal(read_all(SG_LIT("1\0"), &at), SG_BADJSON);
    assert_int_equal(at, 1);
}

/* ---- strings ---- */

static void check_string(const char *json, sg_slice expected)
{
    sg_json j;
    sg_buf scratch;
    sg_buf_init(&scratch, TEXT_MAX);
    sg_json_init(&j, as_slice(json));
    sg_slice got = sg_json_string(&j, &scratch);
    assert_true(sg_json_end(&j));
    if (!sg_slice_eq(got, expected))
        fail_msg("%s gave %.*s, not %.*s", json, (int)got.n, got.p, (int)expected.n, expected.p);
    sg_buf_deinit(&scratch);
}

static void strings_have_their_escapes_undone(void **state)
{
    (void)state;
    check_string("\"\"", SG_LIT(""));
    check_string("\"plain \xc3\xa9\"", SG_LIT("plain \xc3\xa9"));
    check_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SG_LIT("\"\\/\b\f\n\r\t"));
    check_string("\"a\\u0000b\"", SG_LIT("a\0b"));
    check_string("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
                 SG_LIT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"));
    check_string("\"\\ud800\\udc00\\uDBFF\\uDFFF\"", SG_LIT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    check_string("\"x\\ud83d\\ude00y\"", SG_LIT("x\xf0\x9f\x98\x80y"));
}

static void plain_strings_are_borrowed_from_the_text(void **state)
{
    (void)state;
    const char *text = "\"plain\"";
    sg_json j;
    sg_buf scratch;
    sg_buf_init(&scratch, 0);
    sg_json_init(&j, as_slice(text));
    assert_ptr_equal(sg_json_string(&j, &scratch).p, text + 1);
    assert_int_equal(scratch.n, 0);
}

static void a_scratch_that_cannot_grow_is_the_readers_error(void **state)
{
    (void)state;
    sg_json j;
    sg_buf scratch;
    sg_buf_init(&scratch, 3);
    sg_json_init(&j, as_slice("[\"\\n\\n\\n\",\"\\n\"]"));
    sg_json_array(&j);
    assert_true(sg_json_next(&j));
    assert_int_equal(sg_json_string(&j, &scratch).n, 3);
    assert_true(sg_json_next(&j));
    assert_int_equal(sg_json_string(&j, &scratch).n, 0);
    assert_int_equal(j.err, SG_LIMIT);
    sg_buf_deinit(&scratch);
}

static void an_allocation_that_fails_is_the_readers_error(void **state)
{
    (void)state;
    sg_json j;
    sg_buf scratch;
    sg_buf_init(&scratch, TEXT_MAX);
    sg_json_init(&j, as_slice("\"\\n\""));
    sg_mem_fail_at(1, 0);
    sg_slice got = sg_json_string(&j, &scratch);
    sg_mem_fail_at(0, 0);
    assert_int_equal(got.n, 0);
    assert_int_equal(j.err, SG_NOMEM);
    assert_false(sg_json_end(&j));
    sg_buf_deinit(&scratch);
}

static void keys_compare_with_their_escapes_undone(void **state)
{
    (void)state;
    assert_true(sg_json_key_eq(SG_LIT("since"), SG_LIT("since")));
    assert_true(sg_json_key_eq(SG_LIT("s\\u0069nce"), SG_LIT("since")));
    assert_true(sg_json_key_eq(SG_LIT("\\ud83d\\ude00"), SG_LIT("\xf0\x9f\x98\x80")));
    assert_true(sg_json_key_eq(SG_LIT(""), SG_LIT("")));
    assert_false(sg_json_key_eq(SG_LIT("s\\u0069nc"), SG_LIT("since")));
    assert_false(sg_json_key_eq(SG_LIT("s\\u0069ncee"), SG_LIT("since")));
    assert_false(sg_json_key_eq(SG_LIT("\\n"), SG_LIT("\\n")));
}

/* ---- numbers, words ---- */

static int read_int(const char *text, int64_t *v)
{
    sg_json j;
    sg_json_init(&j, as_slice(text));
    *v = sg_json_int(&j);
    sg_json_end(&j);
    return j.err;
}

static void integers_fit_int64_or_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t v;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"-1", -1},
                {"9007199254740993", 9007199254740993},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    int64_t v;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(read_int(good[i].text, &v), SG_OK);
        if (v != good[i].v) fail_msg("%s gave %lld", good[i].text, (long long)v);
    }
    static const char *const bad[] = {"9223372036854775808",
                                      "-9223372036854775809",
                                      "1.0",
                                      "1e0",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "\"1\"",
                                      "null",
                                      "true",
                                      "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (read_int(bad[i], &v) != SG_BADJSON || v != 0) fail_msg("%s was taken", bad[i]);
}

static void numbers_keep_their_digits(void **state)
{
    (void)state;
    sg_json j;
    sg_json_init(&j, as_slice("[ 1.50 , -0e+7 ]"));
    sg_json_array(&j);
    assert_true(sg_json_next(&j));
    assert_true(sg_slice_eq(sg_json_number(&j), SG_LIT("1.50")));
    assert_true(sg_json_next(&j));
    assert_true(sg_slice_eq(sg_json_number(&j), SG_LIT("-0e+7")));
    assert_false(sg_json_next(&j));
    assert_true(sg_json_end(&j));
}

static void booleans_and_null_are_read_as_such_only(void **state)
{
    (void)state;
    sg_json j;
    sg_json_init(&j, as_slice("[true,false,null,0]"));
    sg_json_array(&j);
    sg_json_next(&j);
    assert_true(sg_json_bool(&j));
    sg_json_next(&j);
    assert_false(sg_json_bool(&j));
    sg_json_next(&j);
    sg_json_null(&j);
    sg_json_next(&j);
    assert_int_equal(j.err, SG_OK);
    assert_false(sg_json_bool(&j));
    assert_int_equal(j.err, SG_BADJSON);
    assert_int_equal(j.at, 17);
}

/* ---- walking ---- */

static void an_object_is_walked_member_by_member(void **state)
{
    (void)state;
    sg_json j;
    sg_slice key;
    sg_json_init(&j, as_slice(" { \"a\" : 1 , \"b\\n\" : [ 2 , {} ] , \"c\" : { } } "));
    assert_int_equal(sg_json_peek(&j), SG_JSON_OBJECT);
    assert_true(sg_json_object(&j));
    assert_true(sg_json_next_key(&j, &key));
    assert_true(sg_slice_eq(key, SG_LIT("a")));
    assert_int_equal(sg_json_int(&j), 1);
    assert_true(sg_json_next_key(&j, &key));
    assert_true(sg_slice_eq(key, SG_LIT("b\\n")));
    assert_true(sg_slice_eq(sg_json_skip(&j), SG_LIT("[ 2 , {} ]")));
    assert_true(sg_json_next_key(&j, &key));
    assert_true(sg_json_object(&j));
    assert_false(sg_json_next_key(&j, &key));
    assert_false(sg_json_next_key(&j, &key));
    assert_int_equal(key.n, 0);
    assert_true(sg_json_end(&j));
}

static void a_bad_key_ends_the_walk(void **state)
{
    (void)state;
    static const char *const texts[] = {"{1:2}", "{\"a\"}", "{\"a\":1,}", "{\"\\x\":1}", "{"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sg_json j;
        sg_slice key = SG_LIT("untouched");
        sg_json_init(&j, as_slice(texts[i]));
        sg_json_object(&j);
        while (sg_json_next_key(&j, &key)) {
            assert_int_equal(j.err, SG_OK);
            sg_json_skip(&j);
        }
        assert_int_equal(j.err, SG_BADJSON);
        assert_int_equal(key.n, 0);
    }
}

static void next_outside_of_a_container_is_nothing(void **state)
{
    (void)state;
    sg_json j;
    sg_slice key;
    sg_json_init(&j, as_slice("1"));
    assert_false(sg_json_next(&j));
    assert_false(sg_json_next_key(&j, &key));
    assert_int_equal(sg_json_int(&j), 1);
    assert_true(sg_json_end(&j));
}

static void peek_names_every_type_without_taking_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sg_json_type type;
    } cases[] = {{" null", SG_JSON_NULL}, {"true", SG_JSON_TRUE},   {"false", SG_JSON_FALSE},
                 {" -1", SG_JSON_NUMBER}, {"\"\"", SG_JSON_STRING}, {"[]", SG_JSON_ARRAY},
                 {"{}", SG_JSON_OBJECT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sg_json j;
        sg_json_init(&j, as_slice(cases[i].text));
        assert_int_equal(sg_json_peek(&j), cases[i].type);
        assert_int_equal(sg_json_peek(&j), cases[i].type);
        assert_int_not_equal(sg_json_skip(&j).n, 0);
        assert_int_equal(sg_json_peek(&j), SG_JSON_NONE);
        assert_true(sg_json_end(&j));
    }
}

static void a_document_is_complete_only_when_all_of_it_was_taken(void **state)
{
    (void)state;
    sg_json j;
    sg_json_init(&j, as_slice(" 1"));
    assert_false(sg_json_end(&j));
    sg_json_init(&j, as_slice("[1]"));
    sg_json_array(&j);
    assert_false(sg_json_end(&j));
    sg_json_init(&j, as_slice("1 2"));
    sg_json_skip(&j);
    assert_int_equal(sg_json_skip(&j).n, 0);
    assert_int_equal(j.err, SG_BADJSON);
}

static void the_first_error_latches(void **state)
{
    (void)state;
    sg_json j;
    sg_slice key;
    sg_buf scratch;
    sg_buf_init(&scratch, TEXT_MAX);
    sg_json_init(&j, as_slice("[1,{\"a\":true}]"));
    sg_json_array(&j);
    sg_json_next(&j);
    assert_false(sg_json_object(&j));
    assert_int_equal(j.at, 1);
    sg_json_fail(&j, SG_NOMEM);
    assert_int_equal(j.err, SG_BADJSON);
    assert_false(sg_json_next(&j));
    assert_false(sg_json_next_key(&j, &key));
    assert_false(sg_json_array(&j));
    assert_false(sg_json_bool(&j));
    assert_int_equal(sg_json_peek(&j), SG_JSON_NONE);
    assert_int_equal(sg_json_skip(&j).n + sg_json_number(&j).n + sg_json_raw_string(&j).n, 0);
    assert_int_equal(sg_json_string(&j, &scratch).n, 0);
    assert_int_equal(sg_json_int(&j), 0);
    assert_false(sg_json_end(&j));
    assert_int_equal(j.at, 1);
}

static void an_error_of_the_callers_latches_where_it_is(void **state)
{
    (void)state;
    sg_json j;
    sg_json_init(&j, as_slice("[1,2]"));
    sg_json_array(&j);
    sg_json_next(&j);
    sg_json_int(&j);
    sg_json_fail(&j, SG_BADCHANGE);
    assert_false(sg_json_next(&j));
    assert_int_equal(j.err, SG_BADCHANGE);
    assert_int_equal(j.at, 2);
}

/* ---- depth ---- */

/* open × n, middle, close × n */
static void nested(sg_buf *out, size_t n, const char *open, const char *close)
{
    sg_buf_clear(out);
    for (size_t i = 0; i < n; i++)
        sg_buf_str(out, open);
    sg_buf_str(out, "0");
    for (size_t i = 0; i < n; i++)
        sg_buf_str(out, close);
}

static void nesting_is_allowed_up_to_its_limit(void **state)
{
    (void)state;
    static const char *const brackets[][2] = {{"[", "]"}, {"{\"k\":", "}"}, {"[{\"\":", "}]"}};
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    for (size_t i = 0; i < 3; i++) {
        size_t each = i == 2 ? 2 : 1, at;
        nested(&text, SG_JSON_MAX_DEPTH / each, brackets[i][0], brackets[i][1]);
        assert_int_equal(read_all(sg_buf_view(&text), &at), SG_OK);
        nested(&text, SG_JSON_MAX_DEPTH / each + 1, brackets[i][0], brackets[i][1]);
        assert_int_equal(read_all(sg_buf_view(&text), &at), SG_LIMIT);
        assert_int_equal(at, SG_JSON_MAX_DEPTH / each * strlen(brackets[i][0]));
    }
    sg_buf_deinit(&text);
}

static void containers_entered_and_skipped_count_together(void **state)
{
    (void)state;
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    for (size_t n = SG_JSON_MAX_DEPTH; n <= SG_JSON_MAX_DEPTH + 1; n++) {
        nested(&text, n, "[", "]");
        for (size_t entered = 0; entered <= n; entered++) {
            sg_json j;
            sg_json_init(&j, sg_buf_view(&text));
            for (size_t i = 0; i < entered; i++) {
                assert_int_equal(sg_json_array(&j), i < SG_JSON_MAX_DEPTH);
                sg_json_next(&j);
            }
            sg_json_skip(&j);
            assert_int_equal(j.err, n == SG_JSON_MAX_DEPTH ? SG_OK : SG_LIMIT);
            if (j.err != SG_OK) assert_int_equal(j.at, SG_JSON_MAX_DEPTH);
        }
    }
    sg_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_the_rfc_allows),
        cmocka_unit_test(refuses_bad_structure_at_its_position),
        cmocka_unit_test(refuses_bad_words_and_numbers_at_their_position),
        cmocka_unit_test(refuses_bad_strings_at_the_offending_byte),
        cmocka_unit_test(refuses_raw_nul_bytes),
        cmocka_unit_test(strings_have_their_escapes_undone),
        cmocka_unit_test(plain_strings_are_borrowed_from_the_text),
        cmocka_unit_test(a_scratch_that_cannot_grow_is_the_readers_error),
        cmocka_unit_test(an_allocation_that_fails_is_the_readers_error),
        cmocka_unit_test(keys_compare_with_their_escapes_undone),
        cmocka_unit_test(integers_fit_int64_or_are_refused),
        cmocka_unit_test(numbers_keep_their_digits),
        cmocka_unit_test(booleans_and_null_are_read_as_such_only),
        cmocka_unit_test(an_object_is_walked_member_by_member),
        cmocka_unit_test(a_bad_key_ends_the_walk),
        cmocka_unit_test(next_outside_of_a_container_is_nothing),
        cmocka_unit_test(peek_names_every_type_without_taking_it),
        cmocka_unit_test(a_document_is_complete_only_when_all_of_it_was_taken),
        cmocka_unit_test(the_first_error_latches),
        cmocka_unit_test(an_error_of_the_callers_latches_where_it_is),
        cmocka_unit_test(nesting_is_allowed_up_to_its_limit),
        cmocka_unit_test(containers_entered_and_skipped_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
