/*
 * L2, L3, L12: the same set of changes gives the same data and marks in any order, in any batches,
 * however often each comes; and it is the data that the order of stamps says.
 *
 * timeout: 240
 */
#include "merge_fixture.h"

#include "../lib/prng.h"
#include "merge_oracle.h"

#define SEED 20240923
#define ROUNDS 4000
#define ACTS_MAX 32u

#define X 1u /* masks of fields */
#define Y 2u

enum { A, B, C, D };

#define V(x, y)                                                                                    \
    {                                                                                              \
        SG_LIT(x), SG_LIT(y), {NULL, 0},                                                           \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }

/* Everything that can meet: inserts, partial re-inserts, updates, deletes, a default; equal times
 * of different clients, of one client with different numbers, of one client without numbers. */
static const act universe[] = {
    {.op = SG_OP_INSERT, .client = A, .n = 1, .at_us = 1, .mask = X | Y, .value = V("1", "1")},
    {.op = SG_OP_INSERT, .client = B, .n = 1, .at_us = 1, .mask = X | Y, .value = V("2", "2")},
    {.op = SG_OP_INSERT, .client = B, .n = 5, .at_us = 3, .mask = X, .value = V("3", "")},
    {.op = SG_OP_UPDATE, .client = A, .n = 2, .at_us = 2, .mask = X, .value = V("4", "")},
    {.op = SG_OP_UPDATE, .client = B, .n = 2, .at_us = 2, .mask = X, .value = V("5", "")},
    {.op = SG_OP_UPDATE, .client = A, .n = 3, .at_us = 2, .mask = Y, .value = V("", "6")},
    {.op = SG_OP_UPDATE, .client = B, .n = 3, .at_us = 1, .mask = X | Y, .value = V("7", "7")},
    {.op = SG_OP_DELETE, .client = A, .n = 4, .at_us = 2},
    {.op = SG_OP_DELETE, .client = B, .n = 4, .at_us = 2},
    {.op = SG_OP_DELETE, .client = A, .n = 5, .at_us = 3},
    {.op = SG_OP_UPDATE, .client = C, .at_us = 2, .mask = X, .value = V("8", "")},
    {.op = SG_OP_UPDATE, .client = C, .at_us = 2, .mask = X, .value = V("9", "")},
    {.op = SG_OP_INSERT, .client = C, .at_us = 2, .mask = X | Y, .value = V("8", "8")},
    {.op = SG_OP_DELETE, .client = C, .at_us = 2},
    {.op = SG_OP_INSERT, .client = A, .n = 6, .at_us = 2, .mask = X, .value = V("10", "")},
    {.op = SG_OP_INSERT, .client = D, .n = 1, .at_us = 0, .mask = X | Y, .value = V("0", "0")},
};
#define UNIVERSE (sizeof universe / sizeof *universe)

/* ---- what should come out ---- */

static void put_act_mark(sg_buf *out, const act *a, int64_t at_us)
{
    put_mark_text(out, at_us, client_text(a->client), a->n, a->client + 100, a->origin);
}

static void oracle_text(const act *const *acts, size_t count, sg_buf *out)
{
    sg_buf_clear(out);
    const act *life = life_of(acts, count);
    if (life != NULL) {
        sg_buf_str(out, life->op == SG_OP_DELETE ? "dead" : "alive");
        put_act_mark(out, life, life->at_us);
    }
    for (unsigned f = 0; f < ACT_FIELDS; f++) {
        const act *w = winner_of(acts, count, f);
        if (w == NULL) continue;
        sg_buf_str(out, "; ");
        sg_buf_int(out, field_name(f));
        sg_buf_byte(out, '=');
        sg_buf_slice(out, w->value[f]);
        put_act_mark(out, w, act_field_at(w, f));
    }
}

/* ---- runs ---- */

typedef struct fixture {
    server server;
    sg_buf got;
    sg_buf want;
} fixture;

static int setup(void **state)
{
    fixture *f = sg_zalloc(sizeof *f);
    server_init(&f->server, false);
    sg_buf_init(&f->got, ACT_TEXT_MAX);
    sg_buf_init(&f->want, ACT_TEXT_MAX);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    server_deinit(&f->server);
    sg_buf_deinit(&f->got);
    sg_buf_deinit(&f->want);
    sg_free(f);
    return 0;
}

/* A sequence of arrivals; a set bit i of cuts stores and loads the record after arrival i. */
typedef struct run {
    const act *acts[2 * ACTS_MAX];
    size_t count;
    unsigned cuts;
    bool reversed;
} run;

static void put_run(sg_buf *out, const run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        sg_buf_str(out, sg_op_name(r->acts[i]->op));
        put_act_mark(out, r->acts[i], r->acts[i]->at_us);
        sg_buf_str(out, r->cuts >> i & 1 ? " | " : ", ");
    }
}

static void check(fixture *f, const run *r)
{
    server_empty(&f->server, r->reversed);
    for (size_t i = 0; i < r->count; i++) {
        (void)server_take(&f->server, r->acts[i]);
        if (i < 32 && r->cuts >> i & 1) server_store(&f->server);
    }
    server_text(&f->server, &f->got);
    if (sg_slice_eq(sg_buf_view(&f->got), sg_buf_view(&f->want))) return;
    sg_buf story;
    sg_buf_init(&story, ACT_TEXT_MAX);
    put_run(&story, r);
    fail_msg("after %s\n got  %s\n want %s", sg_buf_cstr(&story), sg_buf_cstr(&f->got),
             sg_buf_cstr(&f->want));
}

static void check_batchings(fixture *f, run *r)
{
    for (unsigned cuts = 0; cuts < 1u << r->count; cuts++) {
        r->cuts = cuts;
        r->reversed = cuts & 1;
        check(f, r);
    }
}

/* Each act once more, at each later place; then everything again backwards. */
static void check_repetitions(fixture *f, const run *r)
{
    for (size_t again = 0; again < r->count; again++)
        for (size_t after = again; after < r->count; after++) {
            run twice = {.reversed = r->reversed};
            for (size_t i = 0; i < r->count; i++) {
                twice.acts[twice.count++] = r->acts[i];
                if (i == after) twice.acts[twice.count++] = r->acts[again];
            }
            check(f, &twice);
        }
    run back = *r;
    for (size_t i = r->count; i-- > 0;)
        back.acts[back.count++] = r->acts[i];
    check(f, &back);
}

typedef void each_order(fixture *f, run *r);

/* All orders of the first `count` acts of r, by exchanging. */
static void permute(fixture *f, run *r, size_t fixed, each_order *visit)
{
    if (fixed == r->count) {
        visit(f, r);
        return;
    }
    for (size_t i = fixed; i < r->count; i++) {
        const act *a = r->acts[fixed];
        r->acts[fixed] = r->acts[i];
        r->acts[i] = a;
        permute(f, r, fixed + 1, visit);
        r->acts[i] = r->acts[fixed];
        r->acts[fixed] = a;
    }
}

/* All sets of `size` acts of the universe. */
static void each_set(fixture *f, run *r, size_t from, size_t size, each_order *visit)
{
    if (r->count == size) {
        oracle_text(r->acts, r->count, &f->want);
        permute(f, r, 0, visit);
        return;
    }
    for (size_t i = from; i < UNIVERSE; i++) {
        r->acts[r->count++] = &universe[i];
        each_set(f, r, i + 1, size, visit);
        r->count--;
    }
}

static void check_order_fully(fixture *f, run *r)
{
    check_batchings(f, r);
    check_repetitions(f, r);
}

static void test_l2_all_orders_batchings_and_repetitions_of_up_to_three(void **state)
{
    for (size_t size = 1; size <= 3; size++) {
        run r = {.count = 0};
        each_set(*state, &r, 0, size, check_order_fully);
    }
}

static void check_order_in_two_ways(fixture *f, run *r)
{
    r->cuts = 0;
    r->reversed = false;
    check(f, r);
    r->cuts = ~0u;
    r->reversed = true;
    check(f, r);
}

static void test_l2_all_orders_of_four(void **state)
{
    run r = {.count = 0};
    each_set(*state, &r, 0, 4, check_order_in_two_ways);
}

/* ---- many, at random ---- */

static act any_act(prng *g, int64_t n)
{
    static const char *const values[] = {"null", "0", "1", "1.0", "\"\"", "\"a\"", "[1]", "{}"};
    act a = {.client = (unsigned)prng_below(g, ACT_CLIENTS), .at_us = (int64_t)prng_below(g, 5)};
    static const enum sg_op ops[] = {SG_OP_INSERT, SG_OP_UPDATE, SG_OP_UPDATE, SG_OP_DELETE};
    a.op = ops[prng_below(g, 4)];
    a.n = a.client == C ? 0 : n; /* client c sends no numbers */
    a.origin = (enum sg_origin)a.client;
    if (a.op != SG_OP_DELETE || prng_below(g, 8) == 0) a.mask = (unsigned)prng_below(g, 16);
    for (unsigned f = 0; f < ACT_FIELDS; f++) {
        a.value[f] = sg_slice_str(values[prng_below(g, sizeof values / sizeof *values)]);
        if (prng_below(g, 4) == 0) a.field_at_us[f] = (int64_t)prng_below(g, 5);
    }
    return a;
}

static void shuffle(prng *g, run *r)
{
    for (size_t i = r->count; i > 1; i--) {
        size_t k = prng_below(g, i);
        const act *a = r->acts[i - 1];
        r->acts[i - 1] = r->acts[k];
        r->acts[k] = a;
    }
}

static void test_l2_many_changes_at_random(void **state)
{
    fixture *f = *state;
    prng g = {SEED};
    for (int round = 0; round < ROUNDS; round++) {
        act acts[ACTS_MAX];
        run r = {.count = prng_below(&g, ACTS_MAX) + 1};
        for (size_t i = 0; i < r.count; i++) {
            acts[i] = any_act(&g, (int64_t)i + 1);
            r.acts[i] = &acts[i];
        }
        size_t distinct = r.count;
        oracle_text(r.acts, r.count, &f->want);
        for (int order = 0; order < 6; order++) {
            shuffle(&g, &r);
            r.cuts = (unsigned)(prng_next(&g) & prng_next(&g));
            r.reversed = order & 1;
            check(f, &r);
            /* The next orders have some of them twice or more. */
            if (r.count < 2 * ACTS_MAX - 3)
                for (int k = 0; k < 3; k++)
                    r.acts[r.count++] = &acts[prng_below(&g, distinct)];
        }
    }
}

/* ---- the decision itself ---- */

/* Of two writes one side says take, the other keep; of the same write both say same. */
static void test_l3_two_sides_never_both_keep_nor_both_take(void **state)
{
    (void)state;
    static const char *const values[] = {"", "1", "2"};
    for (unsigned i = 0; i < 81; i++)
        for (unsigned j = 0; j < 81; j++) {
            sg_stamp a = {i / 27, client_text(i / 9 % 3), i / 3 % 3};
            sg_stamp b = {j / 27, client_text(j / 9 % 3), j / 3 % 3};
            sg_slice va = sg_slice_str(values[i % 3]), vb = sg_slice_str(values[j % 3]);
            enum sg_merge here = sg_merge_decide(&a, va, &b, vb);
            enum sg_merge there = sg_merge_decide(&b, vb, &a, va);
            enum sg_merge want = i == j ? SG_MERGE_SAME : j > i ? SG_MERGE_TAKE : SG_MERGE_KEEP;
            assert_int_equal(here, want);
            if (i != j) assert_int_not_equal(here, there);
            assert_int_equal(sg_merge_decide(NULL, va, &b, vb), SG_MERGE_TAKE);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_l2_all_orders_batchings_and_repetitions_of_up_to_three,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_l2_all_orders_of_four, setup, teardown),
        cmocka_unit_test_setup_teardown(test_l2_many_changes_at_random, setup, teardown),
        cmocka_unit_test(test_l3_two_sides_never_both_keep_nor_both_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
