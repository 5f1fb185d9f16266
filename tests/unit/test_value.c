/* SQLite values through JSON and back: storage class and bits, in plain and in JSON columns. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "../lib/prng.h"
#include "base/mem.h"
#include "wire/json.h"
#include "wire/value.h"

#define TEXT_MAX 100000
#define SEED 20240917

#define COLUMN_PLAIN false
#define COLUMN_JSON true

static sg_value integer(int64_t i)
{
    return (sg_value){.type = SG_INT, .i = i};
}

static sg_value real(double r)
{
    return (sg_value){.type = SG_REAL, .r = r};
}

static sg_value text(sg_slice bytes)
{
    return (sg_value){.type = SG_TEXT, .bytes = bytes};
}

static sg_value blob(sg_slice bytes)
{
    return (sg_value){.type = SG_BLOB, .bytes = bytes};
}

/* Written, embedded in a message, read by a reader that knows nothing of it, and back. */
static void check_round_trip(sg_value v, bool is_json_column)
{
    sg_buf message, scratch;
    sg_buf_init(&message, TEXT_MAX);
    sg_buf_init(&scratch, TEXT_MAX);
    sg_buf_str(&message, "[[[[[[[[ ");
    sg_value_to_json(&message, &v, is_json_column);
    sg_buf_str(&message, " ]]]]]]]]");
    assert_int_equal(message.err, SG_OK);
    sg_json j;
    sg_json_init(&j, sg_buf_view(&message));
    for (int i = 0; i < 8; i++) {
        sg_json_array(&j);
        sg_json_next(&j);
    }
    sg_slice json = sg_json_skip(&j);
    sg_value back;
    int err = sg_value_from_json(&back, json, is_json_column, &scratch);
    if (j.err != SG_OK || err != SG_OK || !sg_value_same(&v, &back))
        fail_msg("type %d came back as type %d, error %d, through %.*s", v.type, back.type, err,
                 (int)json.n, json.p);
    sg_buf_deinit(&message);
    sg_buf_deinit(&scratch);
}

static void check_written(sg_value v, bool is_json_column, const char *expected)
{
    sg_buf out;
    sg_buf_init(&out, TEXT_MAX);
    sg_value_to_json(&out, &v, is_json_column);
    assert_string_equal(sg_buf_cstr(&out), expected);
    sg_buf_deinit(&out);
    check_round_trip(v, is_json_column);
}

static void check_read(const char *json, bool is_json_column, sg_value expected)
{
    sg_buf scratch;
    sg_value v;
    sg_buf_init(&scratch, TEXT_MAX);
    int err = sg_value_from_json(&v, sg_slice_str(json), is_json_column, &scratch);
    if (err != SG_OK) fail_msg("%s: error %d", json, err);
    if (!sg_value_same(&v, &expected))
        fail_msg("%s: type %d %lld %a %.*s", json, v.type, (long long)v.i, v.r, (int)v.bytes.n,
                 v.bytes.p);
    sg_buf_deinit(&scratch);
}

/* ---- plain columns ---- */

static void integers_round_trip_to_both_ends(void **state)
{
    (void)state;
    check_written(integer(0), COLUMN_PLAIN, "0");
    check_written(integer(INT64_MAX), COLUMN_PLAIN, "9223372036854775807");
    check_written(integer(INT64_MIN), COLUMN_PLAIN, "-9223372036854775808");
    check_written(integer(9007199254740993), COLUMN_PLAIN, "9007199254740993");
}

static void reals_round_trip_and_never_look_like_integers(void **state)
{
    (void)state;
    check_written(real(1), COLUMN_PLAIN, "1.0");
    check_written(real(-0.0), COLUMN_PLAIN, "-0.0");
    check_written(real(0.1), COLUMN_PLAIN, "0.1");
    check_written(real(5e-324), COLUMN_PLAIN, "5e-324");
    check_written(real(-DBL_MAX), COLUMN_PLAIN, "-1.7976931348623157e308");
    check_written(real(0x1p63), COLUMN_PLAIN, "9.223372036854776e18");
    check_written(real(INFINITY), COLUMN_PLAIN, "{\"$real\":\"Infinity\"}");
    check_written(real(-INFINITY), COLUMN_PLAIN, "{\"$real\":\"-Infinity\"}");
    check_round_trip(real(0x0.fffffffffffffp-1022), COLUMN_PLAIN);
}

static void nan_is_null_as_in_sqlite(void **state)
{
    (void)state;
    sg_buf out;
    sg_value v = real(NAN);
    sg_buf_init(&out, TEXT_MAX);
    sg_value_to_json(&out, &v, COLUMN_PLAIN);
    assert_string_equal(sg_buf_cstr(&out), "null");
    sg_buf_deinit(&out);
}

static void text_travels_as_a_string(void **state)
{
    (void)state;
    check_written(text(SG_LIT("")), COLUMN_PLAIN, "\"\"");
    check_written(text(SG_LIT("a\0b\"\n")), COLUMN_PLAIN, "\"a\\u0000b\\\"\\n\"");
    check_written(text(SG_LIT("{\"a\":1}")), COLUMN_PLAIN, "\"{\\\"a\\\":1}\"");
    check_written(text(SG_LIT("{\"$blob\":\"\"}")), COLUMN_PLAIN, "\"{\\\"$blob\\\":\\\"\\\"}\"");
    check_written(text(SG_LIT("null")), COLUMN_PLAIN, "\"null\"");
}

static size_t encode(uint32_t cp, char *utf8)
{
    if (cp < 0x80) {
        utf8[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const int lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; --i > 0; cp >>= 6)
        utf8[i] = (char)(0x80 | (cp & 0x3f));
    utf8[0] = (char)(lead[n] | (int)cp);
    return n;
}

static void every_code_point_of_every_plane_round_trips(void **state)
{
    (void)state;
    char utf8[4 * 64];
    size_t n = 0;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        if (cp >= 0xd800 && cp <= 0xdfff) continue;
        n += encode(cp, utf8 + n);
        if (n + 4 <= sizeof utf8 && cp != 0x10ffff) continue;
        check_round_trip(text(sg_slice_of(utf8, n)), COLUMN_PLAIN);
        n = 0;
    }
}

static void text_that_is_not_utf8_keeps_its_bytes(void **state)
{
    (void)state;
    check_written(text(SG_LIT("\xff")), COLUMN_PLAIN, "{\"$text\":\"/w==\"}");
    check_round_trip(text(SG_LIT("a\0\xc3")), COLUMN_PLAIN);
    check_round_trip(text(SG_LIT("\xed\xa0\x80")), COLUMN_PLAIN);
    check_round_trip(text(SG_LIT("\xc0\x80")), COLUMN_PLAIN);
    check_round_trip(text(SG_LIT("\xf4\x90\x80\x80")), COLUMN_PLAIN);
}

static void blobs_travel_as_base64(void **state)
{
    (void)state;
    check_written(blob(SG_LIT("")), COLUMN_PLAIN, "{\"$blob\":\"\"}");
    check_written(blob(SG_LIT("\0\xff\x10")), COLUMN_PLAIN, "{\"$blob\":\"AP8Q\"}");
    check_written(blob(SG_LIT("abc")), COLUMN_JSON, "{\"$blob\":\"YWJj\"}");
}

static void null_is_null_in_both_kinds_of_column(void **state)
{
    (void)state;
    check_written((sg_value){.type = SG_NULL}, COLUMN_PLAIN, "null");
    check_written((sg_value){.type = SG_NULL}, COLUMN_JSON, "null");
}

static void empty_values_are_not_null_pointers(void **state)
{
    (void)state;
    static const char *const empty[] = {"\"\"", "{\"$blob\":\"\"}", "{\"$text\":\"\"}"};
    sg_buf scratch;
    sg_buf_init(&scratch, TEXT_MAX);
    for (size_t i = 0; i < 3; i++) {
        sg_value v;
        assert_int_equal(sg_value_from_json(&v, sg_slice_str(empty[i]), false, &scratch), SG_OK);
        assert_int_equal(v.bytes.n, 0);
        assert_non_null(v.bytes.p);
    }
    sg_buf_deinit(&scratch);
}

/* ---- JSON columns ---- */

static void json_text_travels_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"a\": [1, 2.50, {}]}",
                                        "[ ]",
                                        "{}",
                                        "\"a\\u0062\"",
                                        "true",
                                        "false",
                                        "-0",
                                        "1e2",
                                        "18446744073709551615",
                                        "{\"a\":{\"$blob\":\"\"}}",
                                        "[{\"$blob\":1}]",
                                        "{\"\":{}}",
                                        "{\"a\":1,\"$blob\":2}",
                                        "{\"a\":1,\"a\":2}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_written(text(sg_slice_str(texts[i])), COLUMN_JSON, texts[i]);
}

static void json_that_would_be_mistaken_is_wrapped(void **state)
{
    (void)state;
    check_written(text(SG_LIT("null")), COLUMN_JSON, "{\"$json\":null}");
    check_written(text(SG_LIT("{\"$blob\":\"YQ==\"}")), COLUMN_JSON,
                  "{\"$json\":{\"$blob\":\"YQ==\"}}");
    check_written(text(SG_LIT("{\"$json\":null}")), COLUMN_JSON, "{\"$json\":{\"$json\":null}}");
    check_written(text(SG_LIT("{ \"$x\":1}")), COLUMN_JSON, "{\"$json\":{ \"$x\":1}}");
    check_written(text(SG_LIT("{\"\\u0024blob\":1}")), COLUMN_JSON,
                  "{\"$json\":{\"\\u0024blob\":1}}");
    check_written(text(SG_LIT("{\"$\":1}")), COLUMN_JSON, "{\"$json\":{\"$\":1}}");
}

static void text_that_json_would_not_bring_back_travels_as_bytes(void **state)
{
    (void)state;
    check_written(text(SG_LIT("")), COLUMN_JSON, "{\"$text\":\"\"}");
    check_written(text(SG_LIT("abc")), COLUMN_JSON, "{\"$text\":\"YWJj\"}");
    check_written(text(SG_LIT("{}\n")), COLUMN_JSON, "{\"$text\":\"e30K\"}");
    check_written(text(SG_LIT(" 1")), COLUMN_JSON, "{\"$text\":\"IDE=\"}");
    check_written(text(SG_LIT("1 2")), COLUMN_JSON, "{\"$text\":\"MSAy\"}");
    check_written(text(SG_LIT("\"\xff\"")), COLUMN_JSON, "{\"$text\":\"Iv8i\"}");
    check_round_trip(text(SG_LIT("{\"a\":1\0}")), COLUMN_JSON);
}

/* n arrays in one another around `around` */
static sg_slice deep(sg_buf *out, int n, const char *around)
{
    sg_buf_clear(out);
    for (int i = 0; i < n; i++)
        sg_buf_byte(out, '[');
    sg_buf_str(out, around);
    for (int i = 0; i < n; i++)
        sg_buf_byte(out, ']');
    return sg_buf_view(out);
}

static void json_nested_too_deep_for_a_message_travels_as_bytes(void **state)
{
    (void)state;
    sg_buf column, out;
    sg_buf_init(&column, TEXT_MAX);
    sg_buf_init(&out, TEXT_MAX);
    sg_value v = text(deep(&column, SG_VALUE_JSON_DEPTH, ""));
    sg_value_to_json(&out, &v, COLUMN_JSON);
    assert_true(sg_slice_eq(sg_buf_view(&out), v.bytes));
    check_round_trip(v, COLUMN_JSON);
    v = text(deep(&column, SG_VALUE_JSON_DEPTH + 1, ""));
    sg_buf_clear(&out);
    sg_value_to_json(&out, &v, COLUMN_JSON);
    assert_memory_equal(sg_buf_view(&out).p, "{\"$text\":", 9);
    check_round_trip(v, COLUMN_JSON);
    v = text(deep(&column, 2000, "{}"));
    check_round_trip(v, COLUMN_JSON);
    sg_buf_deinit(&column);
    sg_buf_deinit(&out);
}

static void numbers_in_json_columns_come_back_as_their_text(void **state)
{
    (void)state;
    sg_buf out;
    sg_value v = integer(5);
    sg_buf_init(&out, TEXT_MAX);
    sg_value_to_json(&out, &v, COLUMN_JSON);
    assert_string_equal(sg_buf_cstr(&out), "5");
    sg_buf_deinit(&out);
    check_read("5", COLUMN_JSON, text(SG_LIT("5")));
    check_read("1.50", COLUMN_JSON, text(SG_LIT("1.50")));
    check_round_trip(real(INFINITY), COLUMN_JSON);
}

static void scratch_holds_no_more_than_the_bytes(void **state)
{
    (void)state;
    sg_buf scratch;
    sg_value v;
    sg_buf_init(&scratch, TEXT_MAX);
    sg_buf_str(&scratch, "kept");
    int err = sg_value_from_json(&v, SG_LIT("{\"$blob\":\"YWJj\"}"), COLUMN_PLAIN, &scratch);
    assert_int_equal(err, SG_OK);
    assert_string_equal(sg_buf_cstr(&scratch), "keptabc");
    sg_buf_deinit(&scratch);
}

/* ---- what others send ---- */

static void plain_columns_take_any_json(void **state)
{
    (void)state;
    check_read("true", COLUMN_PLAIN, integer(1));
    check_read("false", COLUMN_PLAIN, integer(0));
    check_read("-0", COLUMN_PLAIN, integer(0));
    check_read("1e0", COLUMN_PLAIN, real(1));
    check_read("9223372036854775808", COLUMN_PLAIN, real(0x1p63));
    check_read("-9223372036854775809", COLUMN_PLAIN, real(-0x1p63));
    check_read("1e400", COLUMN_PLAIN, real(INFINITY));
    check_read("[1, 2]", COLUMN_PLAIN, text(SG_LIT("[1, 2]")));
    check_read("{\"a\":1}", COLUMN_PLAIN, text(SG_LIT("{\"a\":1}")));
    check_read("{}", COLUMN_PLAIN, text(SG_LIT("{}")));
    check_read("{\"$date\":1}", COLUMN_PLAIN, text(SG_LIT("{\"$date\":1}")));
    check_read("{\"a\":1,\"$blob\":2}", COLUMN_PLAIN, text(SG_LIT("{\"a\":1,\"$blob\":2}")));
    check_read("\"\\ud83d\\ude00\"", COLUMN_PLAIN, text(SG_LIT("\xf0\x9f\x98\x80")));
}

static void json_columns_keep_the_text_of_any_json(void **state)
{
    (void)state;
    check_read("true", COLUMN_JSON, text(SG_LIT("true")));
    check_read("\"a\\n\"", COLUMN_JSON, text(SG_LIT("\"a\\n\"")));
    check_read("[ 1 ]", COLUMN_JSON, text(SG_LIT("[ 1 ]")));
    check_read("{\"$date\":1}", COLUMN_JSON, text(SG_LIT("{\"$date\":1}")));
    check_read("{\"$json\": [1 ] }", COLUMN_JSON, text(SG_LIT("[1 ]")));
}

static void tags_are_read_in_any_spelling_and_column(void **state)
{
    (void)state;
    check_read("{ \"$blob\" : \"YWJj\" }", COLUMN_PLAIN, blob(SG_LIT("abc")));
    check_read("{\"\\u0024blob\":\"\\u0059WJj\"}", COLUMN_PLAIN, blob(SG_LIT("abc")));
    check_read("{\"$blob\":\"\\/w==\"}", COLUMN_JSON, blob(SG_LIT("\xff")));
    check_read("{\"$text\":\"YWJj\"}", COLUMN_JSON, text(SG_LIT("abc")));
    check_read("{\"$real\":\"\\u002dInfinity\"}", COLUMN_JSON, real(-INFINITY));
    check_read("{\"$json\":{\"a\":1}}", COLUMN_PLAIN, text(SG_LIT("{\"a\":1}")));
}

static void malformed_tags_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"$blob\":1}",
                                      "{\"$blob\":null}",
                                      "{\"$blob\":\"a\"}",
                                      "{\"$blob\":\"YQ\"}",
                                      "{\"$blob\":\"YQ==\",\"b\":1}",
                                      "{\"$blob\":[]}",
                                      "{\"$text\":{}}",
                                      "{\"$text\":\"!\"}",
                                      "{\"$text\":\"YQ==\",\"$text\":\"YQ==\"}",
                                      "{\"$real\":1.0}",
                                      "{\"$real\":\"NaN\"}",
                                      "{\"$real\":\"\"}",
                                      "{\"$real\":\"Infinity\",\"a\":1}",
                                      "{\"$json\":1,\"a\":1}",
                                      "{\"$blob\":\"\\u0000\"}",
                                      "{\"$blob\":\"\xc3\xa9\xc3\xa9\"}"};
    sg_buf scratch;
    sg_buf_init(&scratch, TEXT_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (int column = 0; column < 2; column++) {
            sg_value v = integer(1);
            int err = sg_value_from_json(&v, sg_slice_str(bad[i]), column == 1, &scratch);
            if (err != SG_BADVALUE || v.type != SG_NULL) fail_msg("%s: %d", bad[i], err);
        }
    }
    sg_buf_deinit(&scratch);
}

static void values_are_the_same_only_bit_for_bit(void **state)
{
    (void)state;
    const sg_value values[] = {{.type = SG_NULL},   integer(0),        integer(1),
                               real(0.0),           real(-0.0),        real(1),
                               text(SG_LIT("")),    text(SG_LIT("a")), text(SG_LIT("a\0")),
                               blob(SG_LIT("")),    blob(SG_LIT("a")), blob(SG_LIT("b")),
                               text(SG_LIT("null"))};
    const size_t n = sizeof values / sizeof values[0];
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++)
            assert_int_equal(sg_value_same(&values[a], &values[b]), a == b);
}

/* ---- properties ---- */

/* Bytes of which JSON, base64 and UTF-8 are made turn up often. */
static size_t random_bytes(prng *g, char *bytes, size_t max)
{
    static const char likely[] = "{}[]\",:$\\u0nt 1e-.\xc3\xa9\xf0\x9f\x98\x80";
    size_t n = (size_t)prng_below(g, max + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] =
            prng_below(g, 4) != 0 ? likely[prng_below(g, sizeof likely - 1)] : (char)prng_next(g);
    return n;
}

static void random_values_round_trip(void **state)
{
    (void)state;
    prng g = {SEED};
    char bytes[40];
    for (int i = 0; i < 100000; i++) {
        double r;
        uint64_t bits = prng_next(&g);
        memcpy(&r, &bits, sizeof r);
        if (i % 16 == 0 && !isnan(r)) check_round_trip(real(r), COLUMN_PLAIN);
        check_round_trip(integer((int64_t)(bits >> prng_below(&g, 64))), COLUMN_PLAIN);
        sg_slice s = sg_slice_of(bytes, random_bytes(&g, bytes, sizeof bytes));
        check_round_trip(text(s), COLUMN_PLAIN);
        check_round_trip(text(s), COLUMN_JSON);
        check_round_trip(blob(s), COLUMN_PLAIN);
        check_round_trip(blob(s), COLUMN_JSON);
    }
}

/* ---- faults ---- */

static int there_and_back(sg_value v, bool is_json_column, sg_value *back, sg_buf *json,
                          sg_buf *scratch)
{
    sg_value_to_json(json, &v, is_json_column);
    if (json->err != SG_OK) return json->err;
    return sg_value_from_json(back, sg_buf_view(json), is_json_column, scratch);
}

static void check_faults(sg_value v, bool is_json_column)
{
    int err;
    size_t n = 1;
    do {
        sg_buf json, scratch;
        sg_value back;
        sg_buf_init(&json, TEXT_MAX);
        sg_buf_init(&scratch, TEXT_MAX);
        sg_mem_fail_at(n++, 0);
        err = there_and_back(v, is_json_column, &back, &json, &scratch);
        sg_mem_fail_at(0, 0);
        assert_true(err == SG_NOMEM || (err == SG_OK && sg_value_same(&v, &back)));
        sg_buf_deinit(&json);
        sg_buf_deinit(&scratch);
    } while (err != SG_OK && n < 100);
    assert_int_equal(err, SG_OK);
    assert_in_range(n, 3, 99);
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    char bytes[3000];
    memset(bytes, '\n', sizeof bytes);
    check_faults(text(sg_slice_of(bytes, sizeof bytes)), COLUMN_PLAIN);
    check_faults(text(sg_slice_of(bytes, sizeof bytes)), COLUMN_JSON);
    check_faults(blob(sg_slice_of(bytes, sizeof bytes)), COLUMN_PLAIN);
    check_faults(real(INFINITY), COLUMN_PLAIN);
}

static void a_scratch_that_cannot_grow_is_reported(void **state)
{
    (void)state;
    static const char *const texts[] = {"\"\\n\\n\\n\\n\"", "{\"$blob\":\"YWJj\"}"};
    for (size_t i = 0; i < 2; i++) {
        sg_buf scratch;
        sg_value v;
        sg_buf_init(&scratch, 3);
        int err = sg_value_from_json(&v, sg_slice_str(texts[i]), COLUMN_PLAIN, &scratch);
        assert_int_equal(err, SG_LIMIT);
        assert_int_equal(v.type, SG_NULL);
        sg_buf_deinit(&scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_round_trip_to_both_ends),
        cmocka_unit_test(reals_round_trip_and_never_look_like_integers),
        cmocka_unit_test(nan_is_null_as_in_sqlite),
        cmocka_unit_test(text_travels_as_a_string),
        cmocka_unit_test(every_code_point_of_every_plane_round_trips),
        cmocka_unit_test(text_that_is_not_utf8_keeps_its_bytes),
        cmocka_unit_test(blobs_travel_as_base64),
        cmocka_unit_test(null_is_null_in_both_kinds_of_column),
        cmocka_unit_test(empty_values_are_not_null_pointers),
        cmocka_unit_test(json_text_travels_as_it_is),
        cmocka_unit_test(json_that_would_be_mistaken_is_wrapped),
        cmocka_unit_test(text_that_json_would_not_bring_back_travels_as_bytes),
        cmocka_unit_test(json_nested_too_deep_for_a_message_travels_as_bytes),
        cmocka_unit_test(numbers_in_json_columns_come_back_as_their_text),
        cmocka_unit_test(scratch_holds_no_more_than_the_bytes),
        cmocka_unit_test(plain_columns_take_any_json),
        cmocka_unit_test(json_columns_keep_the_text_of_any_json),
        cmocka_unit_test(tags_are_read_in_any_spelling_and_column),
        cmocka_unit_test(malformed_tags_are_refused),
        cmocka_unit_test(values_are_the_same_only_bit_for_bit),
        cmocka_unit_test(random_values_round_trip),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(a_scratch_that_cannot_grow_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
