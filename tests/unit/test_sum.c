/* Sums over records: whatever way leads to a set of records, it has one sum; another set has another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/sum.h"
#include "lib/prng.h"

#define RECORDS 6
#define NAMES 5
#define STORIES 2000
#define CHANGES 40

static sg_slice text_of(void *ctx, uint32_t id)
{
    static const char *const texts[] = {"", "a", "b", "title", "a-rather-long-name", "c"};
    (void)ctx;
    return sg_slice_str(texts[id]);
}

static uint64_t hash_of(void *ctx, sg_slice json)
{
    (void)ctx;
    return sg_hash_bytes(7, json);
}

static const sg_summer summer = {NULL, text_of, text_of, hash_of};

typedef struct table {
    sg_record records[RECORDS];
} table;

static void table_deinit(table *t)
{
    for (size_t i = 0; i < RECORDS; i++)
        sg_record_deinit(&t->records[i]);
}

static void copy(sg_record *to, const sg_record *from)
{
    sg_record_clear(to);
    for (size_t i = 0; i < from->count; i++)
        *sg_record_at(to, from->fields[i].name) = from->fields[i];
    to->dead = from->dead;
    to->has_life = from->has_life;
    to->life = from->life;
}

static uint64_t start_of(size_t i)
{
    static const char *const ids[RECORDS] = {"k", "kk", "1", "", "other", "k0"};
    return sg_sum_start(SG_LIT("t"), sg_slice_str(ids[i]));
}

static sg_mark random_mark(prng *g)
{
    return (sg_mark){.at_us = (int64_t)prng_below(g, 3),
                     .n = (int64_t)prng_below(g, 3),
                     .client = 1 + (uint32_t)prng_below(g, 3)};
}

static void change(prng *g, sg_record *r)
{
    static const char *const values[] = {"1", "2", "\"x\""};
    switch (prng_below(g, 6)) {
    case 0:
        r->dead = !r->dead;
        r->has_life = true;
        r->life = random_mark(g);
        return;
    case 1:
        r->has_life = true;
        r->life = random_mark(g);
        return;
    case 2:
        sg_record_drop_fields(r);
        return;
    default:
        break;
    }
    sg_field *f = sg_record_at(r, 1 + (uint32_t)prng_below(g, NAMES));
    assert_non_null(f);
    f->mark = random_mark(g);
    f->value = sg_slice_str(values[prng_below(g, 3)]);
}

static sg_sum sum_of(const table *t)
{
    sg_sum sum = {0};
    for (size_t i = RECORDS; i-- > 0;)
        sg_sum_change(&sum, &summer, start_of(i), NULL, &t->records[i]);
    return sum;
}

static void assert_sum(const sg_sum *have, const sg_sum *want)
{
    if (have->marks != want->marks || have->values != want->values ||
        have->records != want->records)
        fail_msg("%llx %llx %lld, not %llx %llx %lld", (unsigned long long)have->marks,
                 (unsigned long long)have->values, (long long)have->records,
                 (unsigned long long)want->marks, (unsigned long long)want->values,
                 (long long)want->records);
}

static void a_kept_sum_is_that_of_the_records(void **state)
{
    (void)state;
    prng g = {5};
    for (int story = 0; story < STORIES; story++) {
        table t = {0};
        sg_record before = {0};
        sg_sum kept = sum_of(&t);
        for (int i = 0; i < CHANGES; i++) {
            size_t at = prng_below(&g, RECORDS);
            copy(&before, &t.records[at]);
            change(&g, &t.records[at]);
            sg_sum_change(&kept, &summer, start_of(at), &before, &t.records[at]);
        }
        sg_sum want = sum_of(&t);
        assert_sum(&kept, &want);
        sg_record_deinit(&before);
        table_deinit(&t);
    }
}

/* One live record of one field. */
typedef struct single {
    const char *table, *id, *value;
    uint32_t name;
    sg_mark mark, life;
} single;

static sg_sum sum_of_single(const single *s)
{
    sg_record r = {.has_life = true, .life = s->life};
    sg_field *f = sg_record_at(&r, s->name);
    f->mark = s->mark;
    f->value = sg_slice_str(s->value);
    sg_sum sum = {0};
    uint64_t start = sg_sum_start(sg_slice_str(s->table), sg_slice_str(s->id));
    sg_sum_change(&sum, &summer, start, NULL, &r);
    sg_record_deinit(&r);
    return sum;
}

static void every_part_counts(void **state)
{
    (void)state;
    const single plain = {
        "t", "id", "1", 1, {.at_us = 10, .n = 3, .client = 1}, {.at_us = 9, .n = 2, .client = 1}};
    enum { MARKS = 1, VALUES = 2 };
    struct {
        single s;
        int differs;
    } cases[] = {{plain, 0},
                 {plain, MARKS | VALUES},
                 {plain, MARKS | VALUES},
                 {plain, VALUES},
                 {plain, MARKS | VALUES},
                 {plain, MARKS},
                 {plain, MARKS},
                 {plain, MARKS},
                 {plain, MARKS},
                 {plain, MARKS},
                 {plain, MARKS},
                 {plain, 0},
                 {plain, MARKS | VALUES}};
    cases[1].s.table = "u";
    cases[2].s.id = "di";
    cases[3].s.value = "2";
    cases[4].s.name = 2;
    cases[5].s.mark.at_us = 11;
    cases[6].s.mark.n = 4;
    cases[7].s.mark.client = 2;
    cases[8].s.life.at_us = 8;
    cases[9].s.life.n = 3;
    cases[10].s.life.client = 2;
    /* Who wrote it, and where in the server's order, is no part of it. */
    cases[11].s.mark.seq = 5;
    cases[11].s.mark.actor = 7;
    cases[11].s.life.restamped = true;
    /* Table and id are told apart. */
    cases[12].s.table = "ti";
    cases[12].s.id = "d";
    sg_sum want = sum_of_single(&plain);
    assert_int_equal(want.records, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sg_sum have = sum_of_single(&cases[i].s);
        int differs =
            (have.marks != want.marks ? MARKS : 0) | (have.values != want.values ? VALUES : 0);
        if (differs != cases[i].differs) fail_msg("case %zu: %d", i, differs);
    }
}

static void the_dead_count_for_nothing(void **state)
{
    (void)state;
    sg_record r = {.has_life = true, .dead = true, .life = {.at_us = 5, .n = 1, .client = 1}};
    sg_field *f = sg_record_at(&r, 1);
    f->value = SG_LIT("1");
    sg_sum sum = {0};
    sg_sum_change(&sum, &summer, start_of(0), NULL, &r);
    assert_sum(&sum, &(sg_sum){0});
    sg_record_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_sum_is_that_of_the_records),
        cmocka_unit_test(every_part_counts),
        cmocka_unit_test(the_dead_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
