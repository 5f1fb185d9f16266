/* L3, L4, L14: the hybrid clock never runs backwards, never follows too far, takes correction. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../lib/prng.h"
#include "core/clock.h"
#include "core/stamp.h"

#define S INT64_C(1000000)
#define NOW (INT64_C(1767323045) * S) /* 2026-01-02 */
#define BOUND SG_CLOCK_BOUND_US
#define ROUNDS 200000
#define SEED 20240920

/* An answer that took no time. */
static bool correct(sg_clock *c, int64_t server_us, int64_t here_us)
{
    return sg_clock_correct(c, &(sg_clock_answer){server_us, here_us, here_us});
}

/* Somewhere between the ends of int64, mostly near something interesting. */
static int64_t any_time(prng *g)
{
    static const int64_t near[] = {INT64_MIN, -1,    0,           1,         NOW - 2 * BOUND,
                                   NOW,       BOUND, NOW + BOUND, INT64_MAX, SG_AT_MAX_US};
    int64_t t = near[prng_below(g, sizeof near / sizeof *near)];
    int64_t by = (int64_t)prng_below(g, 1000) - 500;
    if (prng_below(g, 4) == 0) return (int64_t)prng_next(g);
    if ((by > 0 && t > INT64_MAX - by) || (by < 0 && t < INT64_MIN - by)) return t;
    return t + by;
}

static sg_clock any_clock(prng *g)
{
    return (sg_clock){any_time(g), any_time(g), any_time(g)};
}

static void test_l14_now_is_the_servers_time(void **state)
{
    (void)state;
    sg_clock c = {0};
    assert_int_equal(sg_clock_now(&c, NOW), NOW);
    c.offset_us = 7 * S;
    assert_int_equal(sg_clock_now(&c, NOW), NOW + 7 * S);
    c.offset_us = -7 * S;
    assert_int_equal(sg_clock_now(&c, NOW), NOW - 7 * S);
}

/* L4: the bottom stamp is for defaults alone. */
static void test_l4_no_clock_gives_a_person_the_bottom_stamp(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int i = 0; i < ROUNDS; i++) {
        sg_clock c = any_clock(&g);
        int64_t physical = any_time(&g), now = sg_clock_now(&c, physical);
        int64_t at = sg_clock_tick(&c, physical);
        if (now <= SG_AT_BOTTOM_US || now > SG_AT_MAX_US || at <= SG_AT_BOTTOM_US ||
            at > SG_AT_MAX_US)
            fail_msg("now %lld, tick %lld at %lld", (long long)now, (long long)at,
                     (long long)physical);
    }
}

/* A clock that jumps anywhere; at the end of time the number of the change takes over. */
static void test_l3_ticks_strictly_increase_wherever_the_clock_jumps(void **state)
{
    (void)state;
    prng g = {SEED + 1};
    for (int round = 0; round < 1000; round++) {
        sg_clock c = {.offset_us = round % 2 ? any_time(&g) : 0};
        sg_stamp last = {0, SG_LIT("me"), 0};
        for (int64_t n = 1; n <= 100; n++) {
            sg_stamp now = {sg_clock_tick(&c, any_time(&g)), SG_LIT("me"), n};
            if (sg_stamp_cmp(&now, &last) <= 0 ||
                (now.at_us == last.at_us && now.at_us != SG_AT_MAX_US))
                fail_msg("%lld after %lld", (long long)now.at_us, (long long)last.at_us);
            last = now;
        }
    }
}

static void test_l3_a_clock_that_stands_or_goes_back_ticks_by_one(void **state)
{
    (void)state;
    sg_clock c = {0};
    assert_int_equal(sg_clock_tick(&c, NOW), NOW);
    assert_int_equal(sg_clock_tick(&c, NOW), NOW + 1);
    assert_int_equal(sg_clock_tick(&c, NOW - 3600 * S), NOW + 2);
    assert_int_equal(sg_clock_tick(&c, INT64_MIN), NOW + 3);
    assert_int_equal(sg_clock_tick(&c, NOW + 10), NOW + 10);
}

static void test_l14_beyond_is_more_than_the_bound_ahead(void **state)
{
    (void)state;
    assert_int_equal(BOUND, 300 * S);
    assert_false(sg_clock_beyond(NOW, NOW));
    assert_false(sg_clock_beyond(NOW - BOUND - 1, NOW));
    assert_false(sg_clock_beyond(NOW + BOUND, NOW));
    assert_true(sg_clock_beyond(NOW + BOUND + 1, NOW));
    assert_true(sg_clock_beyond(INT64_MAX, INT64_MIN));
    assert_false(sg_clock_beyond(INT64_MIN, INT64_MAX));
    assert_true(sg_clock_beyond(INT64_MAX, 0));
}

/* What is written after something was seen must be greater than it. */
static void test_l14_follows_up_to_the_bound_and_not_beyond(void **state)
{
    (void)state;
    sg_clock c = {0};
    sg_clock_follow(&c, NOW + BOUND, NOW);
    assert_int_equal(sg_clock_tick(&c, NOW), NOW + BOUND + 1);
    c = (sg_clock){0};
    sg_clock_follow(&c, NOW + BOUND + 1, NOW);
    assert_int_equal(sg_clock_tick(&c, NOW), NOW);
    c = (sg_clock){.offset_us = -BOUND}; /* as the server sees it */
    sg_clock_follow(&c, NOW + 1, NOW);
    assert_int_equal(sg_clock_tick(&c, NOW), NOW - BOUND);
}

static void test_l14_following_never_goes_back_nor_past_the_bound(void **state)
{
    (void)state;
    prng g = {SEED + 2};
    for (int i = 0; i < ROUNDS; i++) {
        sg_clock c = any_clock(&g), before = c;
        int64_t at = any_time(&g), physical = any_time(&g), now = sg_clock_now(&c, physical);
        sg_clock_follow(&c, at, physical);
        bool moved = c.last_us != before.last_us;
        bool may = at > before.last_us && at <= SG_AT_MAX_US && (at <= now || at - now <= BOUND);
        if (c.last_us < before.last_us || moved != may || (moved && c.last_us != at))
            fail_msg("from %lld, seeing %lld at %lld, to %lld", (long long)before.last_us,
                     (long long)at, (long long)now, (long long)c.last_us);
    }
}

static void test_l14_correction_takes_the_servers_time(void **state)
{
    (void)state;
    sg_clock c = {0};
    assert_false(correct(&c, NOW + 90 * S, NOW));
    assert_int_equal(c.offset_us, 90 * S);
    assert_int_equal(sg_clock_tick(&c, NOW + S), NOW + 91 * S);
    assert_false(correct(&c, NOW + S, NOW + 2 * S));
    assert_int_equal(c.offset_us, -S);
}

/* It may have lain in a socket while the machine slept. */
static void test_l14_an_answer_that_waited_moves_the_clock_no_further_than_it_must(void **state)
{
    (void)state;
    sg_clock c = {0};
    assert_false(sg_clock_correct(&c, &(sg_clock_answer){NOW + S, NOW, NOW + 3600 * S}));
    assert_int_equal(c.offset_us, 0);
    assert_false(sg_clock_correct(&c, &(sg_clock_answer){NOW + 90 * S, NOW, NOW + 10 * S}));
    assert_int_equal(c.offset_us, 80 * S);
    assert_false(sg_clock_correct(&c, &(sg_clock_answer){NOW - 90 * S, NOW, NOW + 10 * S}));
    assert_int_equal(c.offset_us, -90 * S);
}

static void
test_l14_an_answer_while_the_clock_was_set_back_tells_how_far_it_lags_at_least(void **state)
{
    (void)state;
    sg_clock c = {.offset_us = 7 * S};
    assert_false(sg_clock_correct(&c, &(sg_clock_answer){NOW + S, NOW, NOW - 60 * S}));
    assert_int_equal(c.offset_us, 61 * S);
    assert_false(sg_clock_correct(&c, &(sg_clock_answer){NOW - 3600 * S, SG_AT_MAX_US, NOW}));
    assert_int_equal(c.offset_us, 61 * S);
}

static void test_l14_stamps_within_the_bound_survive_correction(void **state)
{
    (void)state;
    sg_clock c = {.last_us = NOW + BOUND};
    assert_false(correct(&c, NOW, NOW + BOUND));
    assert_int_equal(c.last_us, NOW + BOUND);
    assert_int_equal(sg_clock_tick(&c, NOW + BOUND), NOW + BOUND + 1);
}

/* The one time the clock goes back: its stamps would be refused. */
static void test_l14_correction_brings_a_runaway_clock_back(void **state)
{
    (void)state;
    sg_clock c = {.last_us = NOW + BOUND + 1};
    assert_true(correct(&c, NOW, NOW + 3600 * S));
    assert_int_equal(c.last_us, NOW);
    assert_int_equal(sg_clock_tick(&c, NOW + 3600 * S), NOW + 1);
}

/* L3: a write made after another was seen must win over it, on a runaway clock too. */
static void test_l14_correction_stays_above_what_was_followed(void **state)
{
    (void)state;
    int64_t seen = NOW + 60 * S;
    sg_clock c = {0};
    sg_clock_follow(&c, seen, NOW);
    (void)sg_clock_tick(&c, NOW + 3600 * S);
    assert_true(correct(&c, NOW, NOW + 3600 * S));
    assert_int_equal(sg_clock_tick(&c, NOW + 3600 * S), seen + 1);
    /* But what was followed while the clock ran away counts only up to the bound. */
    c = (sg_clock){0};
    sg_clock_follow(&c, NOW + 3600 * S, NOW + 3600 * S);
    assert_true(correct(&c, NOW, NOW + 3600 * S));
    assert_int_equal(c.last_us, NOW);
}

static void test_l14_no_clock_is_beyond_the_bound_after_correction(void **state)
{
    (void)state;
    prng g = {SEED + 3};
    for (int i = 0; i < ROUNDS; i++) {
        sg_clock c = any_clock(&g), before = c;
        int64_t server = any_time(&g), physical = any_time(&g);
        bool told = correct(&c, server, physical);
        int64_t now = sg_clock_now(&c, physical);
        int64_t want = server < 1 ? 1 : server > SG_AT_MAX_US ? SG_AT_MAX_US : server;
        if (now != want || sg_clock_beyond(c.last_us, now) ||
            told != sg_clock_beyond(before.last_us, now) ||
            (!told && c.last_us != before.last_us) || (told && c.last_us < now))
            fail_msg("server %lld, here %lld, last %lld to %lld, now %lld", (long long)server,
                     (long long)physical, (long long)before.last_us, (long long)c.last_us,
                     (long long)now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_l14_now_is_the_servers_time),
        cmocka_unit_test(test_l4_no_clock_gives_a_person_the_bottom_stamp),
        cmocka_unit_test(test_l3_ticks_strictly_increase_wherever_the_clock_jumps),
        cmocka_unit_test(test_l3_a_clock_that_stands_or_goes_back_ticks_by_one),
        cmocka_unit_test(test_l14_beyond_is_more_than_the_bound_ahead),
        cmocka_unit_test(test_l14_follows_up_to_the_bound_and_not_beyond),
        cmocka_unit_test(test_l14_following_never_goes_back_nor_past_the_bound),
        cmocka_unit_test(test_l14_correction_takes_the_servers_time),
        cmocka_unit_test(test_l14_an_answer_that_waited_moves_the_clock_no_further_than_it_must),
        cmocka_unit_test(
            test_l14_an_answer_while_the_clock_was_set_back_tells_how_far_it_lags_at_least),
        cmocka_unit_test(test_l14_stamps_within_the_bound_survive_correction),
        cmocka_unit_test(test_l14_correction_brings_a_runaway_clock_back),
        cmocka_unit_test(test_l14_correction_stays_above_what_was_followed),
        cmocka_unit_test(test_l14_no_clock_is_beyond_the_bound_after_correction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
