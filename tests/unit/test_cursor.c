/* Cursors on the wire: opaque to clients, exact to us (L7). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "server/cursor.h"

static const sg_epoch epoch = {UINT64_C(0x0123456789abcdef)};

static void assert_text(sg_cursor cursor, const char *expected)
{
    char text[SG_CURSOR_TEXT];
    size_t n = sg_cursor_format(cursor, epoch, text);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(text, expected, n);
    sg_cursor back;
    assert_int_equal(sg_cursor_parse(sg_slice_of(text, n), epoch, &back), SG_OK);
    assert_true(back.seq == cursor.seq && back.from == cursor.from);
    assert_true(back.joins == cursor.joins && back.at == cursor.at);
    assert_true(back.proof == (cursor.proof > 0 ? cursor.proof : 0));
}

static void a_cursor_comes_back_as_it_went(void **state)
{
    (void)state;
    assert_text(sg_cursor_at(0), "c0000000000000000-0123456789abcdef-00000000");
    assert_text(sg_cursor_at(842), "c000000000000034a-0123456789abcdef-00000000");
    assert_text(sg_cursor_at(INT64_MAX), "c7fffffffffffffff-0123456789abcdef-00000000");
    assert_text((sg_cursor){.seq = 842, .proof = 255},
                "c000000000000034a-0123456789abcdef-000000ff-0000000000000000");
    assert_text((sg_cursor){.seq = 842, .from = 17, .proof = UINT32_MAX},
                "c000000000000034a-0123456789abcdef-ffffffff-0000000000000011");
    assert_text((sg_cursor){.seq = 842, .from = 842, .proof = 1, .joins = 843, .at = 17},
                "c000000000000034a-0123456789abcdef-00000001-000000000000034a-000000000000034b-"
                "0000000000000011");
    assert_text((sg_cursor){.seq = 842, .from = 17, .proof = 1, .joins = 900, .at = SG_CURSOR_SENT},
                "c000000000000034a-0123456789abcdef-00000001-0000000000000011-0000000000000384-"
                "7fffffffffffffff");
}

static void nothing_and_the_start_of_time_mean_from_the_start(void **state)
{
    (void)state;
    sg_cursor c = sg_cursor_at(5);
    assert_int_equal(sg_cursor_parse(SG_LIT(""), epoch, &c), SG_OK);
    assert_true(c.seq == 0 && c.from == 0);
    c = sg_cursor_at(5);
    assert_int_equal(sg_cursor_parse(SG_LIT("1970-01-01T00:00:00.000Z"), epoch, &c), SG_OK);
    assert_true(c.seq == 0 && c.from == 0);
}

static void another_epochs_cursor_asks_for_a_resync(void **state)
{
    (void)state;
    sg_cursor c;
    sg_slice text = SG_LIT("c000000000000034a-0123456789abcdee-00000001");
    assert_int_equal(sg_cursor_parse(text, epoch, &c), SG_RESTORED);
}

static void what_is_no_cursor_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "c",
        "x000000000000034a-0123456789abcdef",
        "c000000000000034A-0123456789abcdef-00000001",
        "c000000000000034a_0123456789abcdef-00000001",
        "c000000000000034a-0123456789abcde-00000001",
        "c000000000000034a-0123456789abcdef",
        "c000000000000034a-0123456789abcdef_00000001",
        "c000000000000034a-0123456789abcdef-0000000x",
        "c000000000000034a-0123456789abcdef-00000001-",
        "c000000000000034a-0123456789abcdef-00000001-000000000000034b", /* began behind itself */
        "c000000000000034a-0123456789abcdef-00000001_0000000000000011",
        /* joined no later, or sent beyond itself */
        "c000000000000034a-0123456789abcdef-00000001-0000000000000011-000000000000034a-"
        "0000000000000011",
        "c000000000000034a-0123456789abcdef-00000001-0000000000000011-000000000000034b-"
        "000000000000034b",
        "c000000000000034a-0123456789abcdef-00000001-000000000000001g",
        "c8000000000000000-0123456789abcdef-00000001",
        "2026-01-01T00:00:00.000Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sg_cursor c;
        int err = sg_cursor_parse(sg_slice_str(bad[i]), epoch, &c);
        if (err != SG_BADCURSOR) fail_msg("%s gave %s", bad[i], sg_err_code(err));
    }
}

static void cursors_sort_as_text_by_their_position(void **state)
{
    (void)state;
    static const sg_cursor ascending[] = {{1, 1, 9, 0, 0},
                                          {2, 0, 8, 0, 0},
                                          {2, 1, 8, 0, 0},
                                          {2, 2, 8, 7, 1},
                                          {2, 2, 8, 7, 2},
                                          {2, 2, 8, 9, 1},
                                          {2, 2, 8, 9, SG_CURSOR_SENT},
                                          {9, 9, 7, 0, 0},
                                          {10, 3, 6, 0, 0},
                                          {256, 256, 5, 0, 0}};
    char before[SG_CURSOR_TEXT] = "1970-01-01T00:00:00.000Z", text[SG_CURSOR_TEXT];
    size_t n = strlen(before);
    for (size_t i = 0; i < sizeof ascending / sizeof ascending[0]; i++) {
        size_t m = sg_cursor_format(ascending[i], epoch, text);
        assert_true(sg_slice_cmp(sg_slice_of(before, n), sg_slice_of(text, m)) < 0);
        memcpy(before, text, n = m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_comes_back_as_it_went),
        cmocka_unit_test(nothing_and_the_start_of_time_mean_from_the_start),
        cmocka_unit_test(another_epochs_cursor_asks_for_a_resync),
        cmocka_unit_test(what_is_no_cursor_is_refused),
        cmocka_unit_test(cursors_sort_as_text_by_their_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
