/*
 * What a set of acts comes to, by the laws' own words: the greatest write of each field (L3), the
 * greatest insert or delete of the life (L12). No order of arrival is known here.
 */
#ifndef SG_TESTS_MERGE_ORACLE_H
#define SG_TESTS_MERGE_ORACLE_H

#include "merge_fixture.h"

/* at, then client, then number, then bytes; clients are single letters, so their index will do. */
static inline bool is_greater(const act *a, int64_t a_at, sg_slice a_value, const act *b,
                              int64_t b_at, sg_slice b_value)
{
    if (a_at != b_at) return a_at > b_at;
    if (a->client != b->client) return a->client > b->client;
    if (a->n != b->n) return a->n > b->n;
    size_t n = a_value.n < b_value.n ? a_value.n : b_value.n;
    int c = n != 0 ? memcmp(a_value.p, b_value.p, n) : 0;
    return c != 0 ? c > 0 : a_value.n > b_value.n;
}

static inline sg_slice life_value(const act *a)
{
    return a->op == SG_OP_DELETE ? SG_LIT("deleted") : SG_LIT("alive");
}

static inline const act *life_of(const act *const *acts, size_t count)
{
    const act *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (acts[i]->op == SG_OP_UPDATE) continue;
        if (best == NULL || is_greater(acts[i], acts[i]->at_us, life_value(acts[i]), best,
                                       best->at_us, life_value(best)))
            best = acts[i];
    }
    return best;
}

static inline const act *winner_of(const act *const *acts, size_t count, unsigned f)
{
    const act *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!(acts[i]->mask & 1u << f)) continue;
        if (best == NULL || is_greater(acts[i], act_field_at(acts[i], f), acts[i]->value[f], best,
                                       act_field_at(best, f), best->value[f]))
            best = acts[i];
    }
    return best;
}

#endif
