/* Bodies that are compressed come back, or are refused: L20, spec/protocol.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "wire/codec.h"

#define TEXT_MAX 100000

/* JSON in which any bit is a value's. */
static void put_text(sg_buf *text)
{
    sg_buf_str(text, "[");
    for (int i = 0; i < 100; i++) {
        sg_buf_str(text, i == 0 ? "{\"title\":\"kettle " : ",{\"title\":\"kettle ");
        sg_buf_int(text, i * 7919);
        sg_buf_str(text, "\",\"amount\":");
        sg_buf_int(text, i * 104729);
        sg_buf_str(text, "}");
    }
    sg_buf_str(text, "]");
}

/* One bit another one: no other text comes of it. Some bits of a frame's head say nothing of it. */
static void no_flipped_bit_gives_another_text(enum sg_coding wanted)
{
    sg_buf text;
    enum sg_coding coding;
    char *packed, *out;
    size_t packed_n, n, refused = 0;
    sg_buf_init(&text, TEXT_MAX);
    put_text(&text);
    assert_true(sg_encode((unsigned)wanted, sg_buf_view(&text), &coding, &packed, &packed_n));
    assert_int_equal(coding, wanted);
    for (size_t bit = 0; bit < 8 * packed_n; bit++) {
        packed[bit / 8] = (char)(packed[bit / 8] ^ 1 << bit % 8);
        if (sg_decode(coding, sg_slice_of(packed, packed_n), TEXT_MAX, &out, &n) != SG_OK) {
            refused++;
        } else {
            assert_int_equal(n, text.n);
            assert_memory_equal(out, text.p, n);
            sg_free(out);
        }
        packed[bit / 8] = (char)(packed[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(refused + 16 * 8 > 8 * packed_n);
    sg_free(packed);
    sg_buf_deinit(&text);
}

static void damage_of_gzip_is_seen(void **state)
{
    (void)state;
    no_flipped_bit_gives_another_text(SG_CODING_GZIP);
}

static void damage_of_zstd_is_seen(void **state)
{
    (void)state;
    no_flipped_bit_gives_another_text(SG_CODING_ZSTD);
}

static void damage_of_columns_is_seen(void **state)
{
    (void)state;
    no_flipped_bit_gives_another_text(SG_CODING_COLUMNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_of_gzip_is_seen),
        cmocka_unit_test(damage_of_zstd_is_seen),
        cmocka_unit_test(damage_of_columns_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
