/* JSON by columns: the same bytes come back, whatever they are; damage is noticed, never followed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../lib/prng.h"
#include "base/mem.h"
#include "wire/codec.h"
#include "wire/columns.h"

#define TEXT_MAX ((size_t)1 << 20)
#define SEEDS 400
#define DAMAGES 3000

static const char page[] =
    "{\"syncedSeq\":0,\"clients\":[\"c1\",\"c2\"],\"actors\":[{\"kind\":\"user\"}],\"serverChanges\":["
    "{\"table\":\"t\",\"id\":\"a\",\"marks\":[[\"2026\",0,12,0,\"user\",841],[\"2027\",1,7,1,\"agent\",850]],"
    "\"life\":0,\"values\":{\"title\":\"Tea\",\"x\":null},\"fields\":{\"note\":[1,\"say \\\"\\n\\\"\",[845]]}},"
    "{\"table\":\"t\",\"id\":\"b\",\"dead\":true,\"marks\":[],\"values\":{}, \"n\" : -1.5e+7}]}\n";

static void check_same(sg_slice text)
{
    sg_buf packed, back;
    sg_buf_init(&packed, 2 * text.n + SG_COLUMNS_MAX);
    sg_buf_init(&back, text.n);
    assert_true(sg_columns_pack(text, &packed));
    assert_true(sg_columns_is(sg_buf_view(&packed)));
    assert_int_equal(sg_columns_unpack(sg_buf_view(&packed), &back), SG_OK);
    assert_int_equal(back.n, text.n);
    assert_memory_equal(back.p, text.p, text.n);
    sg_buf_deinit(&packed);
    sg_buf_deinit(&back);
}

static void texts_come_back_byte_for_byte(void **state)
{
    (void)state;
    static const char *const texts[] = {page,
                                        "1",
                                        "\"\"",
                                        "[]",
                                        " { } ",
                                        "[[[1],[2,3]],{\"\":{\"\":\"\"}}]",
                                        "{\"a\":[{\"b\":1},{\"b\":2,\"c\":[true,false,null]}]}",
                                        "[1,2,3,4,5,6,7,8,9,10,\"11\",\"\\u0000\\\\\"]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_same(sg_slice_str(texts[i]));
}

static void put_random(sg_buf *out, prng *g, int depth)
{
    uint64_t kind = prng_below(g, depth > 6 ? 4 : 6);
    if (kind < 2) {
        sg_buf_int(out, (int64_t)prng_below(g, 1000) - 500);
    } else if (kind == 2) {
        sg_buf_str(out, prng_below(g, 2) == 0 ? "true" : "null");
    } else if (kind == 3) {
        sg_buf_byte(out, '"');
        for (uint64_t n = prng_below(g, 20); n > 0; n--)
            sg_buf_str(out, prng_below(g, 5) == 0 ? "\\\"" : "\xc3\xa4x");
        sg_buf_byte(out, '"');
    } else {
        sg_buf_byte(out, kind == 4 ? '[' : '{');
        for (uint64_t i = 0, n = prng_below(g, 12); i < n; i++) {
            if (i != 0) sg_buf_byte(out, ',');
            if (kind == 5) sg_buf_str(out, "\"k");
            if (kind == 5) sg_buf_int(out, (int64_t)prng_below(g, 200));
            if (kind == 5) sg_buf_str(out, "\":");
            put_random(out, g, depth + 1);
        }
        sg_buf_byte(out, kind == 4 ? ']' : '}');
    }
}

/* With many more places than there are columns among them. */
static void any_text_comes_back(void **state)
{
    (void)state;
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        prng g = {seed};
        sg_buf_clear(&text);
        put_random(&text, &g, 0);
        assert_int_equal(text.err, SG_OK);
        check_same(sg_buf_view(&text));
    }
    sg_buf_deinit(&text);
}

static void what_is_no_json_is_not_packed(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\"open", "\"a\nb\"", "\x01", "}", "[1]]", "#", "\"\\"};
    char deep[SG_COLUMNS_DEPTH + 2];
    sg_buf packed;
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    sg_buf_init(&packed, TEXT_MAX);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(sg_columns_pack(sg_slice_str(texts[i]), &packed));
    assert_false(sg_columns_pack(sg_slice_str(deep), &packed));
    sg_buf_deinit(&packed);
}

static void L20_a_text_does_not_grow_past_its_cap(void **state)
{
    (void)state;
    sg_slice text = sg_slice_str(page);
    sg_buf packed, back;
    sg_buf_init(&packed, TEXT_MAX);
    assert_true(sg_columns_pack(text, &packed));
    sg_buf_init(&back, text.n - 1);
    assert_int_equal(sg_columns_unpack(sg_buf_view(&packed), &back), SG_LIMIT);
    sg_buf_deinit(&back);
    sg_buf_deinit(&packed);
}

static void damage_is_an_error_or_another_text(void **state)
{
    (void)state;
    sg_buf packed, back;
    sg_buf_init(&packed, TEXT_MAX);
    sg_buf_init(&back, TEXT_MAX);
    assert_true(sg_columns_pack(sg_slice_str(page), &packed));
    for (size_t n = 0; n < packed.n; n++)
        assert_int_equal(sg_columns_unpack(sg_slice_of(packed.p, n), &back), SG_BADREQUEST);
    prng g = {11};
    for (int i = 0; i < DAMAGES; i++) {
        size_t at = (size_t)prng_below(&g, packed.n);
        char was = packed.p[at];
        packed.p[at] = (char)prng_below(&g, 256);
        sg_buf_clear(&back);
        int err = sg_columns_unpack(sg_buf_view(&packed), &back);
        assert_true(err == SG_OK || err == SG_BADREQUEST);
        packed.p[at] = was;
    }
    sg_buf_deinit(&packed);
    sg_buf_deinit(&back);
}

/* Hundreds of like records, as a page has them. */
static void like_records_become_smaller_than_by_zstd_alone(void **state)
{
    (void)state;
    sg_buf text;
    prng g = {3};
    enum sg_coding coding;
    char *one, *other;
    size_t n_one, n_other;
    sg_buf_init(&text, TEXT_MAX);
    for (int i = 0; i < 1000; i++) {
        sg_buf_str(&text, i == 0 ? "[{\"id\":\"" : ",{\"id\":\"");
        for (int k = 0; k < 4; k++)
            sg_buf_int(&text, (int64_t)prng_below(&g, 100000000));
        sg_buf_str(&text, "\",\"title\":\"kettle\",\"amount\":");
        sg_buf_int(&text, (int64_t)prng_below(&g, 1000000));
        sg_buf_str(&text, "}");
    }
    sg_buf_str(&text, "]");
    assert_true(sg_encode(SG_CODING_ZSTD, sg_buf_view(&text), &coding, &one, &n_one));
    assert_int_equal(coding, SG_CODING_ZSTD);
    unsigned both = SG_CODING_COLUMNS | SG_CODING_ZSTD;
    assert_true(sg_encode(both, sg_buf_view(&text), &coding, &other, &n_other));
    assert_int_equal(coding, SG_CODING_COLUMNS);
    assert_true(n_other * 10 < n_one * 9);
    sg_free(one);
    assert_int_equal(sg_decode(coding, sg_slice_of(other, n_other), TEXT_MAX, &one, &n_one), SG_OK);
    assert_int_equal(n_one, text.n);
    assert_memory_equal(one, text.p, text.n);
    sg_free(one);
    sg_free(other);
    sg_buf_deinit(&text);
}

static void what_is_no_json_is_encoded_otherwise(void **state)
{
    (void)state;
    char text[2000], *out;
    enum sg_coding coding;
    size_t n;
    memset(text, '#', sizeof text);
    sg_slice in = sg_slice_of(text, sizeof text);
    assert_true(sg_encode(SG_CODING_COLUMNS | SG_CODING_GZIP, in, &coding, &out, &n));
    assert_int_equal(coding, SG_CODING_GZIP);
    sg_free(out);
    assert_false(sg_encode(SG_CODING_COLUMNS, in, &coding, &out, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back_byte_for_byte),
        cmocka_unit_test(any_text_comes_back),
        cmocka_unit_test(what_is_no_json_is_not_packed),
        cmocka_unit_test(L20_a_text_does_not_grow_past_its_cap),
        cmocka_unit_test(damage_is_an_error_or_another_text),
        cmocka_unit_test(like_records_become_smaller_than_by_zstd_alone),
        cmocka_unit_test(what_is_no_json_is_encoded_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
