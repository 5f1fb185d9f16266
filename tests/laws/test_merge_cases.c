/* L4, L12 and the rest of the merge, case by case: defaults, deletes, values, marks, limits,
 * faults. */
#include "merge_fixture.h"

#include "core/clock.h"

enum { A, B, C, D };

static act write_x(enum sg_op op, unsigned client, int64_t n, int64_t at_us, const char *value)
{
    act a = {.op = op, .client = client, .n = n, .at_us = at_us, .mask = 1};
    a.value[0] = sg_slice_str(value);
    return a;
}

static act insert_x(unsigned client, int64_t n, int64_t at_us, const char *value)
{
    return write_x(SG_OP_INSERT, client, n, at_us, value);
}

static act update_x(unsigned client, int64_t n, int64_t at_us, const char *value)
{
    return write_x(SG_OP_UPDATE, client, n, at_us, value);
}

static act deletion(unsigned client, int64_t n, int64_t at_us)
{
    return (act){.op = SG_OP_DELETE, .client = client, .n = n, .at_us = at_us};
}

static void take_all(server *s, const act *acts, size_t count)
{
    server_init(s, false);
    for (size_t i = 0; i < count; i++) {
        (void)server_take(s, &acts[i]);
        server_store(s);
    }
}

static void assert_x(const server *s, bool dead, const char *value)
{
    assert_int_equal(s->record.dead, dead);
    sg_slice got = server_value(s, 0);
    if (!sg_slice_eq(got, sg_slice_str(value)))
        fail_msg("is %.*s, should be %s", (int)got.n, got.p, value);
}

static void check_x(const act *acts, size_t count, bool dead, const char *value)
{
    server s;
    take_all(&s, acts, count);
    assert_x(&s, dead, value);
    server_deinit(&s);
}

#define CHECK_X(dead, value, ...)                                                                  \
    check_x((const act[]){__VA_ARGS__}, sizeof((const act[]){__VA_ARGS__}) / sizeof(act), dead,    \
            value)

/* ---- L4 ---- */

static void test_l4_a_default_never_beats_a_value(void **state)
{
    (void)state;
    /* The oldest write a person can make, by the least client, against a default that has all ties
     * on its side. */
    act person = update_x(A, 1, SG_AT_BOTTOM_US + 1, "\"mine\"");
    act fallback = insert_x(D, INT64_MAX, SG_AT_BOTTOM_US, "\"zzz\"");
    CHECK_X(false, "\"mine\"", fallback, person);
    CHECK_X(false, "\"mine\"", person, fallback);
    CHECK_X(false, "\"mine\"", person, fallback, person, fallback);
}

static void test_l4_of_two_defaults_all_sides_keep_the_same(void **state)
{
    (void)state;
    act first = insert_x(A, 9, SG_AT_BOTTOM_US, "1"), second = insert_x(B, 1, SG_AT_BOTTOM_US, "2");
    CHECK_X(false, "2", first, second);
    CHECK_X(false, "2", second, first);
}

/* ---- L12 ---- */

static void test_l12_a_later_write_of_a_field_does_not_resurrect(void **state)
{
    (void)state;
    CHECK_X(true, "2", insert_x(A, 1, 1, "1"), deletion(B, 1, 2), update_x(A, 2, 3, "2"));
    CHECK_X(true, "2", insert_x(A, 1, 1, "1"), update_x(A, 2, 3, "2"), deletion(B, 1, 2));
    CHECK_X(true, "2", deletion(B, 1, 2), update_x(A, 2, 3, "2"), insert_x(A, 1, 1, "1"));
}

static void test_l12_a_later_insert_brings_the_record_back(void **state)
{
    (void)state;
    CHECK_X(false, "2", insert_x(A, 1, 1, "1"), deletion(B, 1, 2), insert_x(A, 2, 3, "2"));
    CHECK_X(false, "2", insert_x(A, 1, 1, "1"), insert_x(A, 2, 3, "2"), deletion(B, 1, 2));
}

static void test_l12_what_lay_underneath_comes_back_with_it(void **state)
{
    (void)state;
    act bare = {.op = SG_OP_INSERT, .client = B, .n = 2, .at_us = 9};
    act edit = update_x(A, 2, 5, "2");
    CHECK_X(false, "1", insert_x(A, 1, 1, "1"), deletion(B, 1, 2), bare);
    CHECK_X(false, "2", insert_x(A, 1, 1, "1"), deletion(B, 1, 2), edit, bare);
    CHECK_X(false, "2", insert_x(A, 1, 1, "1"), deletion(B, 1, 2), bare, edit);
    /* An insert whose field is older than what lies underneath does not bring the older back. */
    act stale = insert_x(B, 2, 9, "3");
    stale.field_at_us[0] = 4;
    CHECK_X(false, "2", insert_x(A, 1, 1, "1"), deletion(B, 1, 2), edit, stale);
}

static void test_l12_a_late_delete_does_not_take_a_newer_insert(void **state)
{
    (void)state;
    CHECK_X(false, "1", insert_x(A, 1, 5, "1"), deletion(B, 1, 4));
    CHECK_X(true, "1", insert_x(A, 1, 5, "1"), deletion(B, 1, 5)); /* the greater client */
    CHECK_X(false, "1", insert_x(B, 1, 5, "1"), deletion(A, 1, 5));
}

/* A client without numbers that deletes and inserts at one time cannot say which was first. */
static void test_l12_under_one_stamp_the_delete_has_the_last_word(void **state)
{
    (void)state;
    CHECK_X(true, "1", insert_x(A, 0, 5, "1"), deletion(A, 0, 5));
    CHECK_X(true, "1", deletion(A, 0, 5), insert_x(A, 0, 5, "1"));
}

static void test_l12_a_record_of_which_only_fields_were_heard_has_no_life(void **state)
{
    (void)state;
    server s;
    take_all(&s, (const act[]){update_x(A, 1, 1, "1")}, 1);
    assert_false(s.record.has_life);
    assert_x(&s, false, "1");
    server_deinit(&s);
}

/* ---- counts and marks ---- */

static void assert_count(sg_merge_count c, size_t won, size_t lost, size_t same)
{
    if (c.won != won || c.lost != lost || c.same != same)
        fail_msg("won %zu, lost %zu, same %zu; should be %zu, %zu, %zu", c.won, c.lost, c.same, won,
                 lost, same);
}

static void test_l8_what_comes_again_is_the_same_and_changes_nothing(void **state)
{
    (void)state;
    server s;
    server_init(&s, false);
    act first = insert_x(A, 1, 1, "1"), better = update_x(B, 1, 2, "2");
    assert_count(server_take(&s, &first), 2, 0, 0);
    assert_count(server_take(&s, &first), 0, 0, 2);
    assert_int_equal(s.record.life.seq, 1);
    assert_int_equal(sg_record_find(&s.record, field_name(0))->mark.seq, 1);
    assert_count(server_take(&s, &better), 1, 0, 0);
    assert_count(server_take(&s, &first), 0, 1, 1);
    act gone = deletion(B, 2, 3);
    assert_count(server_take(&s, &gone), 1, 0, 0);
    assert_count(server_take(&s, &gone), 0, 0, 1);
    assert_count(server_take(&s, &first), 0, 2, 0);
    server_deinit(&s);
}

static void test_a_mark_says_everything_of_its_write(void **state)
{
    (void)state;
    sg_record r;
    sg_arena arena;
    server s = {.reversed = false};
    sg_merge_count count;
    sg_record_init(&r);
    sg_arena_init(&arena);
    const uint32_t names[] = {7, 8};
    const sg_change_field fields[] = {{{NULL, 0}, SG_LIT("1"), 20}, {{NULL, 0}, SG_LIT("2"), 21}};
    const sg_change c = {.n = 5,
                         .at_us = 22,
                         .op = SG_OP_INSERT,
                         .origin = SG_ORIGIN_AGENT,
                         .fields = fields,
                         .field_count = 2};
    const sg_arrival in = {&c, names, SG_LIT("b"), 2, 33, 4, 44, true};
    const sg_clients clients = {&s, server_client_text};
    assert_int_equal(sg_merge_arrival(&r, &in, &clients, &arena, &count), SG_OK);
    const sg_mark *marks[] = {&r.fields[0].mark, &r.fields[1].mark, &r.life};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(marks[i]->at_us, 20 + i);
        assert_int_equal(marks[i]->n, 5);
        assert_int_equal(marks[i]->seq, 44);
        assert_int_equal(marks[i]->client, 2);
        assert_int_equal(marks[i]->actor, 33);
        assert_int_equal(marks[i]->origin, SG_ORIGIN_AGENT);
        assert_true(marks[i]->restamped);
    }
    sg_record_deinit(&r);
    sg_arena_deinit(&arena);
}

/* ---- limits and faults ---- */

static int add_field(server *s, uint32_t name)
{
    sg_merge_count count;
    const sg_change_field field = {{NULL, 0}, SG_LIT("1"), 1};
    const sg_change c = {
        .n = name, .at_us = 1, .op = SG_OP_UPDATE, .fields = &field, .field_count = 1};
    const sg_arrival in = {&c, &name, SG_LIT("a"), 1, 1, 0, ++s->seq, false};
    const sg_clients clients = {s, server_client_text};
    return sg_merge_arrival(&s->record, &in, &clients, &s->arena, &count);
}

/* L2: whoever writes the lesser over what it has applied has to be told; others merge it when it
 * comes. */
static void test_l2_a_write_that_loses_to_what_its_writer_had_applied_is_news_to_it(void **state)
{
    (void)state;
    static const struct {
        act first, second;
        bool again;
    } cases[] = {
        {{.client = 0, .n = 1, .at_us = 9, .mask = 1},
         {.client = 1, .n = 1, .at_us = 5, .base = 1, .mask = 1},
         true},
        {{.client = 0, .n = 1, .at_us = 9, .mask = 1},
         {.client = 1, .n = 1, .at_us = 5, .base = 0, .mask = 1},
         false},
        {{.client = 0, .n = 1, .at_us = 9, .mask = 1},
         {.client = 0, .n = 2, .at_us = 5, .base = 0, .mask = 1},
         true},
        {{.client = 0, .n = 1, .at_us = 9, .mask = 1},
         {.client = 1, .n = 1, .at_us = 10, .base = 1, .mask = 1},
         false},
        {{.client = 0, .n = 1, .at_us = 9, .mask = 1},
         {.client = 1, .n = 1, .at_us = 5, .base = 1, .mask = 2},
         false},
        {{.op = SG_OP_INSERT, .client = 0, .n = 1, .at_us = 9},
         {.op = SG_OP_DELETE, .client = 1, .n = 1, .at_us = 5, .base = 1},
         true},
        /* Its writer has dropped what it had of the record. */
        {{.op = SG_OP_INSERT, .client = 0, .n = 1, .at_us = 9},
         {.op = SG_OP_DELETE, .client = 1, .n = 1, .at_us = 5, .base = 0},
         true},
        {{.op = SG_OP_DELETE, .client = 0, .n = 1, .at_us = 9},
         {.op = SG_OP_INSERT, .client = 1, .n = 1, .at_us = 5, .base = 1, .mask = 1},
         true},
    };
    server s;
    server_init(&s, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        act first = cases[i].first, second = cases[i].second;
        if (first.op == SG_OP_INSERT && first.mask != 0) first.op = SG_OP_UPDATE;
        if (second.op == SG_OP_INSERT && first.mask != 0) second.op = SG_OP_UPDATE;
        first.value[0] = SG_LIT("1");
        second.value[0] = second.value[1] = SG_LIT("2");
        server_empty(&s, false);
        (void)server_take(&s, &first);
        (void)server_take(&s, &second);
        if ((s.record.again_seq == 2) != cases[i].again) fail_msg("case %zu", i);
    }
    server_deinit(&s);
}

static void test_l20_a_record_has_a_bounded_number_of_fields(void **state)
{
    (void)state;
    server s;
    server_init(&s, false);
    for (uint32_t name = 1; name <= SG_RECORD_FIELDS_MAX; name++)
        assert_int_equal(add_field(&s, name), SG_OK);
    assert_int_equal(add_field(&s, SG_RECORD_FIELDS_MAX + 1), SG_LIMIT);
    assert_int_equal(add_field(&s, 1), SG_OK);
    server_deinit(&s);
}

/* Overwritten unseen, over a list that was damaged on disk. */
static void test_a_damaged_list_stops_the_merge(void **state)
{
    (void)state;
    sg_merge_count count;
    server s;
    take_all(&s, (const act[]){insert_x(A, 1, 1, "1")}, 1);
    sg_record_find(&s.record, field_name(0))->lost = SG_LIT("\x80");
    act over = update_x(B, 1, 2, "2"), late = update_x(B, 2, 0, "0"), gone = deletion(B, 3, 2);
    assert_int_equal(server_try(&s, &late, &count), SG_CORRUPT);
    assert_int_equal(server_try(&s, &gone, &count), SG_CORRUPT);
    server_deinit(&s);
    take_all(&s, (const act[]){insert_x(A, 1, 1, "1")}, 1);
    sg_record_find(&s.record, field_name(0))->lost = SG_LIT("\x80");
    assert_int_equal(server_try(&s, &over, &count), SG_CORRUPT);
    server_deinit(&s);
}

/* With allocation 1, 2, … failing: either it says so, or the result is the right one. */
static void check_faults(const act *acts, size_t count)
{
    server whole;
    sg_buf want, got;
    sg_buf_init(&want, ACT_TEXT_MAX);
    sg_buf_init(&got, ACT_TEXT_MAX);
    take_all(&whole, acts, count);
    server_text(&whole, &want);
    size_t failures = 0;
    for (size_t at = 1;; at++) {
        sg_merge_count tally;
        server s;
        int err = SG_OK;
        server_init(&s, false);
        sg_mem_fail_at(at, 1);
        for (size_t i = 0; i < count && err == SG_OK; i++)
            err = server_try(&s, &acts[i], &tally);
        sg_mem_fail_at(0, 0);
        server_text(&s, &got);
        sg_lost lists[2] = {{.count = 0}, {.count = 0}};
        if (err == SG_OK) lists[0] = server_lost(&s, 0);
        lists[1] = server_lost(&whole, 0);
        server_deinit(&s);
        if (err == SG_OK) {
            assert_string_equal(sg_buf_cstr(&got), sg_buf_cstr(&want));
            assert_int_equal(lists[0].count, lists[1].count);
            break;
        }
        assert_int_equal(err, SG_NOMEM);
        failures++;
    }
    assert_true(failures >= 3);
    server_deinit(&whole);
    sg_buf_deinit(&want);
    sg_buf_deinit(&got);
}

static void test_running_out_of_memory_is_said_and_never_half_a_merge(void **state)
{
    (void)state;
    const act overwritten[] = {insert_x(A, 1, 1, "1"), update_x(B, 1, 2, "2")};
    const act on_arrival[] = {insert_x(A, 1, 2, "1"), update_x(B, 1, 1, "2")};
    const act deleted[] = {insert_x(A, 1, 1, "1"), deletion(B, 1, 2), update_x(C, 1, 3, "3")};
    check_faults(overwritten, 2);
    check_faults(on_arrival, 2);
    check_faults(deleted, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_l4_a_default_never_beats_a_value),
        cmocka_unit_test(test_l4_of_two_defaults_all_sides_keep_the_same),
        cmocka_unit_test(test_l12_a_later_write_of_a_field_does_not_resurrect),
        cmocka_unit_test(test_l12_a_later_insert_brings_the_record_back),
        cmocka_unit_test(test_l12_what_lay_underneath_comes_back_with_it),
        cmocka_unit_test(test_l12_a_late_delete_does_not_take_a_newer_insert),
        cmocka_unit_test(test_l12_under_one_stamp_the_delete_has_the_last_word),
        cmocka_unit_test(test_l12_a_record_of_which_only_fields_were_heard_has_no_life),
        cmocka_unit_test(test_l8_what_comes_again_is_the_same_and_changes_nothing),
        cmocka_unit_test(test_a_mark_says_everything_of_its_write),
        cmocka_unit_test(test_l20_a_record_has_a_bounded_number_of_fields),
        cmocka_unit_test(test_l2_a_write_that_loses_to_what_its_writer_had_applied_is_news_to_it),
        cmocka_unit_test(test_a_damaged_list_stops_the_merge),
        cmocka_unit_test(test_running_out_of_memory_is_said_and_never_half_a_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
