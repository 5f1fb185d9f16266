/*
 * L5: which writes of people were overwritten unseen. The server's lists clause by clause, over
 * every small story and over many long ones.
 *
 * timeout: 240
 */
#include "conflict_story.h"

#define SEED 20240924
#define ROUNDS 20000

/* ---- the server's lists ---- */

static void arrive(server *hub, const story *s, unsigned cuts)
{
    server_empty(hub, cuts & 1);
    for (size_t i = 0; i < s->count; i++) {
        (void)server_take(hub, s->all[i]);
        if (cuts >> i % 32 & 1) server_store(hub);
    }
}

static void check_lists(server *hub, const story *s, unsigned cuts)
{
    arrive(hub, s, cuts);
    for (unsigned f = 0; f < ACT_FIELDS; f++) {
        sg_lost lost = server_lost(hub, f);
        for (size_t u = 0; u < s->count; u++)
            if (sg_lost_has(&lost, (int64_t)u + 1) != law_says_lost(s, u, f))
                fail_story(s, u, f, sg_lost_has(&lost, (int64_t)u + 1));
    }
}

/* The list of field x after the story is exactly these seqs. */
static void check_x(const act *acts, size_t count, const int64_t *seqs, size_t n)
{
    story s = {.count = 0};
    server hub;
    server_init(&hub, false);
    for (size_t i = 0; i < count; i++)
        tell(&s, acts[i]);
    check_lists(&hub, &s, 0);
    sg_lost lost = server_lost(&hub, 0);
    assert_int_equal(lost.count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(lost.seq[i], seqs[i]);
    server_deinit(&hub);
}

#define ACTS(...) (const act[]){__VA_ARGS__}, sizeof((const act[]){__VA_ARGS__}) / sizeof(act)
#define LOST(...)                                                                                  \
    (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
#define NONE NULL, 0

static act person(unsigned client, int64_t n, int64_t at_us, int64_t base)
{
    return (act){SG_OP_UPDATE, client, n, at_us, base, SG_ORIGIN_USER, X, {{0}}, {0}};
}

static act origin(act a, enum sg_origin o)
{
    a.origin = o;
    return a;
}

static act deletion(unsigned client, int64_t n, int64_t at_us, int64_t base)
{
    return (act){SG_OP_DELETE, client, n, at_us, base, SG_ORIGIN_USER, 0, {{0}}, {0}};
}

static act insertion(unsigned client, int64_t n, int64_t at_us, int64_t base)
{
    return (act){SG_OP_INSERT, client, n, at_us, base, SG_ORIGIN_USER, X, {{0}}, {0}};
}

static void test_l5_a_write_that_lost_on_arrival(void **state)
{
    (void)state;
    check_x(ACTS(person(A, 1, 9, 0), person(B, 1, 5, 0)), LOST(2));
    /* Even if its writer had seen the winner: it is lost all the same. */
    check_x(ACTS(person(A, 1, 9, 0), person(B, 1, 5, 1)), LOST(2));
}

static void test_l5_a_write_whose_first_winner_had_not_seen_it(void **state)
{
    (void)state;
    check_x(ACTS(person(A, 1, 5, 0), person(B, 1, 9, 0)), LOST(1));
    check_x(ACTS(person(A, 1, 5, 0), origin(person(B, 1, 9, 0), SG_ORIGIN_AGENT)), LOST(1));
    check_x(ACTS(person(A, 1, 5, 0), person(B, 0, 9, 0)), LOST(1));
}

static void test_l5_a_colleagues_later_edit_is_no_conflict(void **state)
{
    (void)state;
    check_x(ACTS(person(A, 1, 5, 0), person(B, 1, 9, 1)), NONE);
}

static void test_l5_only_the_first_winner_counts(void **state)
{
    (void)state;
    check_x(
        ACTS(person(A, 1, 5, 0), origin(person(B, 1, 9, 1), SG_ORIGIN_AGENT), person(C, 1, 10, 0)),
        NONE);
    check_x(ACTS(person(A, 1, 5, 0), person(B, 1, 9, 0), person(C, 1, 10, 2)), LOST(1));
}

static void test_l5_ten_sequential_replays_are_no_conflict(void **state)
{
    (void)state;
    story s = {.count = 0};
    server hub;
    server_init(&hub, false);
    for (int64_t i = 0; i < 10; i++)
        tell(&s, person((unsigned)i % 3, i / 3 + 1, 10 + i, i));
    check_lists(&hub, &s, 0);
    assert_int_equal(server_lost(&hub, 0).count, 0);
    server_deinit(&hub);
}

static void test_l5_nobody_overwrites_himself_unseen(void **state)
{
    (void)state;
    check_x(ACTS(person(A, 1, 5, 0), person(A, 2, 9, 0)), NONE);
    check_x(ACTS(person(A, 1, 5, 0), deletion(A, 2, 9, 0)), NONE);
    check_x(ACTS(person(A, 2, 9, 0), person(A, 1, 5, 0)), NONE);
}

static void test_l5_agents_systems_and_migrations_lose_silently(void **state)
{
    (void)state;
    const enum sg_origin silent[] = {SG_ORIGIN_AGENT, SG_ORIGIN_SYSTEM, SG_ORIGIN_MIGRATION};
    for (int i = 0; i < 3; i++) {
        check_x(ACTS(origin(person(A, 1, 5, 0), silent[i]), person(B, 1, 9, 0)), NONE);
        check_x(ACTS(person(A, 1, 9, 0), origin(person(B, 1, 5, 0), silent[i])), NONE);
        check_x(ACTS(origin(person(A, 1, 5, 0), silent[i]), deletion(B, 1, 9, 0)), NONE);
        check_x(ACTS(deletion(B, 1, 9, 0), origin(person(A, 1, 10, 0), silent[i])), NONE);
    }
}

/* A writer without numbers could not be told. */
static void test_l5_writers_without_numbers_lose_silently(void **state)
{
    (void)state;
    check_x(ACTS(person(A, 0, 5, 0), person(B, 1, 9, 0)), NONE);
    check_x(ACTS(person(A, 1, 9, 0), person(B, 0, 5, 0)), NONE);
    check_x(ACTS(person(A, 0, 5, 0), deletion(B, 1, 9, 0)), NONE);
    check_x(ACTS(deletion(B, 1, 9, 0), person(A, 0, 10, 0)), NONE);
}

static void test_l5_a_delete_that_removes_unseen_edits(void **state)
{
    (void)state;
    check_x(ACTS(insertion(B, 1, 1, 0), person(A, 1, 5, 1), deletion(B, 2, 9, 1)), LOST(2));
    check_x(ACTS(insertion(B, 1, 1, 0), person(A, 1, 5, 1), deletion(B, 2, 9, 2)), NONE);
}

static void test_l5_an_edit_of_a_dead_record(void **state)
{
    (void)state;
    check_x(ACTS(insertion(B, 1, 1, 0), deletion(B, 2, 4, 1), person(A, 1, 5, 1)), LOST(3));
    /* An insert by one who had seen the delete brings the record back: nothing is lost. */
    check_x(ACTS(insertion(B, 1, 1, 0), deletion(B, 2, 4, 1), insertion(A, 1, 5, 2)), NONE);
}

/* Of one change some fields may be lost and some not: a list belongs to a field. */
static void test_l5_each_field_is_judged_by_itself(void **state)
{
    (void)state;
    story s = {.count = 0};
    server hub;
    server_init(&hub, false);
    act both = person(A, 1, 5, 0), x = person(B, 1, 6, 0);
    both.mask = X | Y;
    tell(&s, both);
    tell(&s, x);
    tell(&s, deletion(C, 1, 9, 2)); /* by one who had seen it all */
    check_lists(&hub, &s, 0);
    assert_int_equal(server_lost(&hub, 0).count, 1);
    assert_int_equal(server_lost(&hub, 1).count, 0);
    server_deinit(&hub);
}

/* The first winner was the delete; what happens to the field after it is no news of that write. */
static void test_l5_what_a_tombstone_covered_is_judged_once(void **state)
{
    (void)state;
    check_x(ACTS(person(A, 1, 5, 0), deletion(B, 1, 6, 1), insertion(C, 1, 7, 0)), NONE);
    check_x(ACTS(person(A, 1, 5, 0), deletion(B, 1, 6, 0), insertion(C, 1, 7, 2)), LOST(1));
    act bare = insertion(C, 1, 7, 0);
    bare.mask = 0;
    check_x(ACTS(person(A, 1, 5, 0), deletion(B, 1, 6, 1), bare, person(D, 1, 8, 0)), NONE);
    check_x(ACTS(person(A, 1, 5, 0), deletion(B, 1, 6, 1), bare, deletion(D, 1, 8, 0)), NONE);
    check_x(ACTS(deletion(B, 1, 6, 0), bare, person(A, 1, 8, 0), person(D, 1, 9, 0)), LOST(3));
    /* A second insert of a living record covers nothing. */
    act again = insertion(C, 1, 7, 0);
    again.mask = Y;
    check_x(ACTS(insertion(A, 1, 5, 0), again, person(D, 1, 8, 0)), LOST(1));
}

static void test_l20_a_field_remembers_the_newest_lost_writes(void **state)
{
    (void)state;
    server hub;
    server_init(&hub, false);
    act winner = person(B, 1, 1000, 0);
    (void)server_take(&hub, &winner);
    for (int64_t n = 1; n <= SG_LOST_MAX + 6; n++) {
        act late = person(A, n, n, 0);
        (void)server_take(&hub, &late);
        server_store(&hub);
    }
    sg_lost lost = server_lost(&hub, 0);
    assert_int_equal(lost.count, SG_LOST_MAX);
    assert_int_equal(lost.seq[0], 8);
    assert_int_equal(lost.seq[SG_LOST_MAX - 1], SG_LOST_MAX + 7);
    server_deinit(&hub);
}

/* ---- every small story ---- */

#define KINDS 3u
#define TIMES 2u
#define BASES 2u
#define CHOICES (3u * KINDS * TIMES * BASES) /* with clients a, b, c */

/* One of CHOICES acts as arrival i. Times of one client must ascend: then false. */
static bool choose(story *s, unsigned choice)
{
    static const enum sg_op ops[KINDS] = {SG_OP_UPDATE, SG_OP_DELETE, SG_OP_INSERT};
    int64_t i = (int64_t)s->count, early = choice / 3 / KINDS % TIMES == 0;
    act a = {.client = choice % 3, .op = ops[choice / 3 % KINDS], .n = i + 1};
    a.mask = a.op == SG_OP_DELETE ? 0 : X;
    a.at_us = (early ? 10 : 20) + i;
    a.base = choice / 3 / KINDS / TIMES == 0 ? 0 : i;
    for (size_t k = 0; k < s->count; k++)
        if (s->acts[k].client == a.client && s->acts[k].at_us > a.at_us) return false;
    tell(s, a);
    return true;
}

static void each_story(server *hub, story *s, size_t length)
{
    if (s->count == length) {
        check_lists(hub, s, 0);
        return;
    }
    for (unsigned choice = 0; choice < CHOICES; choice++) {
        if (!choose(s, choice)) continue;
        each_story(hub, s, length);
        s->count--;
    }
}

static void test_l5_every_story_of_four_changes(void **state)
{
    (void)state;
    server hub;
    server_init(&hub, false);
    for (size_t length = 1; length <= 4; length++) {
        story s = {.count = 0};
        each_story(&hub, &s, length);
    }
    server_deinit(&hub);
}

/* ---- long stories of honest writers ---- */

static void test_l5_many_long_stories(void **state)
{
    (void)state;
    prng g = {SEED};
    server hub;
    server_init(&hub, false);
    for (int round = 0; round < ROUNDS; round++) {
        story s = {.count = 0};
        int64_t base[ACT_CLIENTS] = {0};
        size_t length = prng_below(&g, round % 20 == 0 ? ARRIVALS_MAX : 12) + 1;
        while (s.count < length)
            tell_at_random(&s, &g, base);
        check_lists(&hub, &s, (unsigned)(prng_next(&g) & prng_next(&g)));
    }
    server_deinit(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_l5_a_write_that_lost_on_arrival),
        cmocka_unit_test(test_l5_a_write_whose_first_winner_had_not_seen_it),
        cmocka_unit_test(test_l5_a_colleagues_later_edit_is_no_conflict),
        cmocka_unit_test(test_l5_only_the_first_winner_counts),
        cmocka_unit_test(test_l5_ten_sequential_replays_are_no_conflict),
        cmocka_unit_test(test_l5_nobody_overwrites_himself_unseen),
        cmocka_unit_test(test_l5_agents_systems_and_migrations_lose_silently),
        cmocka_unit_test(test_l5_writers_without_numbers_lose_silently),
        cmocka_unit_test(test_l5_a_delete_that_removes_unseen_edits),
        cmocka_unit_test(test_l5_an_edit_of_a_dead_record),
        cmocka_unit_test(test_l5_each_field_is_judged_by_itself),
        cmocka_unit_test(test_l5_what_a_tombstone_covered_is_judged_once),
        cmocka_unit_test(test_l20_a_field_remembers_the_newest_lost_writes),
        cmocka_unit_test(test_l5_every_story_of_four_changes),
        cmocka_unit_test(test_l5_many_long_stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
