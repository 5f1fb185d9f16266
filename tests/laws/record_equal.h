/* Are two records the same in everything? For the tests and the fuzzer of packed records. */
#ifndef SG_TESTS_RECORD_EQUAL_H
#define SG_TESTS_RECORD_EQUAL_H

#include "core/record.h"

static inline bool mark_is(const sg_mark *a, const sg_mark *b)
{
    return a->at_us == b->at_us && a->n == b->n && a->seq == b->seq && a->client == b->client &&
           a->actor == b->actor && a->origin == b->origin && a->restamped == b->restamped;
}

/* What differs, or NULL. */
static inline const char *record_difference(const sg_record *a, const sg_record *b)
{
    if (a->dead != b->dead || a->has_life != b->has_life) return "life";
    if (!mark_is(&a->life, &b->life)) return "the life's mark"; /* all zero if there is none */
    if (a->revived_seq != b->revived_seq) return "revived_seq";
    if (a->again_seq != b->again_seq) return "again_seq";
    if (a->count != b->count) return "the number of fields";
    for (size_t i = 0; i < a->count; i++) {
        const sg_field *f = &a->fields[i], *g = &b->fields[i];
        if (f->name != g->name) return "a name";
        if (!mark_is(&f->mark, &g->mark)) return "a mark";
        if (f->has_value != g->has_value) return "having a value";
        if (!sg_slice_eq(f->value, g->value)) return "a value";
        if (!sg_slice_eq(f->lost, g->lost)) return "a list of lost writes";
    }
    return NULL;
}

#endif
