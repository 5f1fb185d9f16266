/* Base64 in both alphabets: RFC 4648's vectors, and one spelling only for the same bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "base/mem.h"
#include "wire/base64.h"

#define TEXT_MAX 100000

static const struct {
    const char *bytes;
    const char *padded;
    const char *url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xef\xbe\xff", "++++/w==", "----_w"},
    {"\xff\xff\xff", "////", "____"},
};

static void encodes_and_decodes_the_vectors(void **state)
{
    (void)state;
    sg_buf out;
    sg_buf_init(&out, TEXT_MAX);
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        sg_buf_clear(&out);
        sg_base64_encode(&out, sg_slice_str(vectors[i].bytes));
        assert_string_equal(sg_buf_cstr(&out), vectors[i].padded);
        sg_buf_clear(&out);
        sg_base64url_encode(&out, sg_slice_str(vectors[i].bytes));
        assert_string_equal(sg_buf_cstr(&out), vectors[i].url);
        sg_buf_clear(&out);
        assert_int_equal(sg_base64_decode(&out, sg_slice_str(vectors[i].padded)), SG_OK);
        assert_string_equal(sg_buf_cstr(&out), vectors[i].bytes);
        sg_buf_clear(&out);
        assert_int_equal(sg_base64url_decode(&out, sg_slice_str(vectors[i].url)), SG_OK);
        assert_string_equal(sg_buf_cstr(&out), vectors[i].bytes);
    }
    sg_buf_deinit(&out);
}

static void check_refused(int (*decode)(sg_buf *, sg_slice), const char *text)
{
    sg_buf out;
    sg_buf_init(&out, TEXT_MAX);
    sg_buf_str(&out, "kept");
    if (decode(&out, sg_slice_str(text)) != SG_BADVALUE) fail_msg("taken: %s", text);
    assert_string_equal(sg_buf_cstr(&out), "kept");
    sg_buf_deinit(&out);
}

static void refuses_every_other_spelling(void **state)
{
    (void)state;
    static const char *const padded[] = {
        "Zg",   "Zg=",  "Zm8",   "Zg===", "====",       "=",     "Z===",
        "Zh==", "Zm9=", "Zm9v=", "Zm 9",  "Zm9v\n",     "Zm9\n", "Zg==Zg==",
        "Zm9-", "Zm9_", "Zm9*",  "Z=g=",  "\xc3\xa9Zg", "A",     "=AAA"};
    static const char *const url[] = {"Zg==", "Zm8=", "A",    "Zh",   "Zm9",      "Zm9vA",
                                      "Zm+v", "Zm/v", "Zm v", "Zg\n", "\xff\xff", "\x80\x80"};
    for (size_t i = 0; i < sizeof padded / sizeof padded[0]; i++)
        check_refused(sg_base64_decode, padded[i]);
    for (size_t i = 0; i < sizeof url / sizeof url[0]; i++)
        check_refused(sg_base64url_decode, url[i]);
}

static void random_bytes_round_trip_at_every_length(void **state)
{
    (void)state;
    prng g = {20240917};
    char bytes[300];
    sg_buf text, back;
    sg_buf_init(&text, TEXT_MAX);
    sg_buf_init(&back, TEXT_MAX);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)prng_next(&g);
        sg_slice all = sg_slice_of(bytes, n);
        sg_buf_clear(&text);
        sg_buf_clear(&back);
        sg_base64_encode(&text, all);
        assert_int_equal(text.n, (n + 2) / 3 * 4);
        assert_int_equal(sg_base64_decode(&back, sg_buf_view(&text)), SG_OK);
        assert_true(sg_slice_eq(sg_buf_view(&back), all));
        size_t in_place = text.n;
        if (n > 0) assert_int_equal(sg_base64_decode_in_place(text.p, &in_place), SG_OK);
        assert_true(sg_slice_eq(sg_slice_of(text.p, in_place), all));
        sg_buf_clear(&text);
        sg_buf_clear(&back);
        sg_base64url_encode(&text, all);
        assert_int_equal(sg_base64url_decode(&back, sg_buf_view(&text)), SG_OK);
        assert_true(sg_slice_eq(sg_buf_view(&back), all));
    }
    sg_buf_deinit(&text);
    sg_buf_deinit(&back);
}

static void needs_exactly_the_room_its_output_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        sg_slice bytes = sg_slice_str(vectors[i].bytes), text = sg_slice_str(vectors[i].padded);
        sg_buf out;
        sg_buf_init(&out, bytes.n);
        assert_int_equal(sg_base64_decode(&out, text), SG_OK);
        sg_buf_deinit(&out);
        if (bytes.n == 0) continue;
        sg_buf_init(&out, bytes.n - 1);
        assert_int_equal(sg_base64_decode(&out, text), SG_LIMIT);
        sg_buf_deinit(&out);
        sg_buf_init(&out, text.n - 1);
        sg_base64_encode(&out, bytes);
        assert_int_equal(out.err, SG_LIMIT);
        sg_buf_deinit(&out);
    }
}

static void a_length_whose_encoding_cannot_be_counted_is_refused(void **state)
{
    (void)state;
    sg_buf out;
    sg_buf_init(&out, SIZE_MAX);
    sg_base64_encode(&out, sg_slice_of("", SIZE_MAX));
    assert_int_equal(out.err, SG_LIMIT);
    sg_buf_deinit(&out);
}

static void reports_that_memory_ran_out(void **state)
{
    (void)state;
    sg_buf out;
    sg_buf_init(&out, TEXT_MAX);
    sg_mem_fail_at(1, 1);
    int err = sg_base64_decode(&out, SG_LIT("Zm9v"));
    sg_mem_fail_at(0, 0);
    assert_int_equal(err, SG_NOMEM);
    sg_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes_the_vectors),
        cmocka_unit_test(refuses_every_other_spelling),
        cmocka_unit_test(random_bytes_round_trip_at_every_length),
        cmocka_unit_test(needs_exactly_the_room_its_output_takes),
        cmocka_unit_test(a_length_whose_encoding_cannot_be_counted_is_refused),
        cmocka_unit_test(reports_that_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
