/* Inside the page writers: the distinct marks of one record, and which field has which. */
#ifndef SG_PAGE_MARKS_H
#define SG_PAGE_MARKS_H

#include "core/record.h"

typedef struct sg_page_marks {
    const sg_mark *marks[SG_RECORD_FIELDS_MAX + 1];
    uint32_t uses[SG_RECORD_FIELDS_MAX + 1];
    uint16_t of_field[SG_RECORD_FIELDS_MAX];
    size_t count;
} sg_page_marks;

#define SG_PAGE_NO_MARK UINT16_MAX /* in of_field: the field is not sent */

static inline bool sg_mark_same(const sg_mark *a, const sg_mark *b)
{
    return a->at_us == b->at_us && a->n == b->n && a->seq == b->seq && a->client == b->client &&
           a->actor == b->actor && a->origin == b->origin && a->restamped == b->restamped;
}

static inline uint16_t sg_page_marks_add(sg_page_marks *set, const sg_mark *m)
{
    size_t i = set->count;
    while (i > 0 && !sg_mark_same(set->marks[i - 1], m))
        i--;
    if (i == 0) {
        set->marks[set->count] = m;
        set->uses[set->count] = 0;
        i = ++set->count;
    }
    set->uses[i - 1]++;
    return (uint16_t)(i - 1);
}

/* Version 1's way of writing a record (page_v1_json.c). */
struct sg_page_writer;
bool sg_page_put_v1(struct sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *record);

#endif
