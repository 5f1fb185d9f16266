/*
 * L5 at the device that made a write: it looks its write up in the lists the server sends, and the
 * answer is the law's, whenever and however often it pulls.
 *
 * timeout: 240
 */
#include "conflict_story.h"

#include "core/conflict.h"

#define SEED 20240925
#define ROUNDS 20000

static void test_l5_a_write_in_doubt_is_not_judged(void **state)
{
    (void)state;
    sg_lost lost = {.count = 0};
    sg_lost_add(&lost, 4);
    assert_int_equal(sg_conflict_judge(0, 9, &lost), SG_JUDGE_DOUBT);
    assert_int_equal(sg_conflict_judge(4, 9, &lost), SG_JUDGE_LOST);
    assert_int_equal(sg_conflict_judge(5, 9, &lost), SG_JUDGE_SEEN);
    /* Committed after what is there now: it lost on arrival. */
    assert_int_equal(sg_conflict_judge(10, 9, &lost), SG_JUDGE_LOST);
    assert_int_equal(sg_conflict_judge(9, 9, &lost), SG_JUDGE_SEEN);
}

/* What its writer's device holds of one write to field x (replica/apply.c, in small). */
typedef struct device {
    int64_t own_seq;
    int64_t since;
    bool visible; /* the write is what the device shows */
    bool dead;
    bool raised;
} device;

static void judge(device *d, const server *s, int64_t winner_seq)
{
    sg_lost lost = server_lost(s, 0);
    if (sg_conflict_judge(d->own_seq, winner_seq, &lost) == SG_JUDGE_LOST) d->raised = true;
    d->visible = false;
}

static void pull(device *d, const server *s)
{
    const sg_record *r = &s->record;
    bool life = r->has_life && r->life.seq > d->since;
    if (life && r->dead && !d->dead && d->visible) judge(d, s, r->life.seq);
    if (life) d->dead = r->dead;
    const sg_field *x = sg_record_find(r, field_name(0));
    if (!d->dead && x != NULL && (life || x->mark.seq > d->since)) {
        if (x->mark.seq == d->own_seq)
            d->visible = true;
        else if (d->visible)
            judge(d, s, x->mark.seq);
    }
    d->since = s->seq;
}

/* The device pulls after arrival u + 1 + k if bit k is set, and at the end. */
static void check_schedule(server *hub, const story *s, size_t u, unsigned schedule)
{
    device d = {.own_seq = (int64_t)u + 1, .since = s->all[u]->base, .visible = true};
    server_empty(hub, false);
    for (size_t i = 0; i < s->count; i++) {
        (void)server_take(hub, s->all[i]);
        if (i >= u && (i + 1 == s->count || schedule >> (i - u) & 1)) pull(&d, hub);
    }
    /* A conflict whose value came back by itself is withdrawn. */
    bool shown = d.raised && !d.visible, want = law_says_lost(s, u, 0) && !d.visible;
    if (shown != want) fail_story(s, u, 0, shown);
}

static void test_l5_the_answer_does_not_depend_on_when_the_device_pulls(void **state)
{
    (void)state;
    prng g = {SEED};
    server hub;
    server_init(&hub, false);
    size_t lost = 0, seen = 0;
    for (int round = 0; round < ROUNDS; round++) {
        story s = {.count = 0};
        int64_t base[ACT_CLIENTS] = {0};
        size_t u = prng_below(&g, 4), after = prng_below(&g, 5) + 1;
        while (s.count < u + 1 + after) {
            size_t i = s.count;
            tell_at_random(&s, &g, base);
            /* Client a makes one write, arrival u, and is a person with numbers. */
            if ((i == u) != (s.acts[i].client == A))
                s.count--;
            else if (i == u && (!(s.acts[i].mask & X) || s.acts[i].origin != SG_ORIGIN_USER))
                s.count--;
        }
        for (unsigned schedule = 0; schedule < 1u << after; schedule++)
            check_schedule(&hub, &s, u, schedule);
        *(law_says_lost(&s, u, 0) ? &lost : &seen) += 1;
    }
    assert_true(lost > ROUNDS / 10 && seen > ROUNDS / 10);
    server_deinit(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_l5_a_write_in_doubt_is_not_judged),
        cmocka_unit_test(test_l5_the_answer_does_not_depend_on_when_the_device_pulls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
