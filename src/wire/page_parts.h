/* Inside the page reader: small parts that all its files use. Errors latch in the JSON reader. */
#ifndef SG_PAGE_PARTS_H
#define SG_PAGE_PARTS_H

#include "base/arena.h"
#include "wire/page_json.h"

/* An array that grows in an arena. */
typedef struct sg_part_vec {
    char *p;
    size_t count;
    size_t cap;
    size_t item; /* bytes of one */
    size_t max;  /* items; beyond it SG_LIMIT */
    sg_arena *arena;
} sg_part_vec;

static inline sg_part_vec sg_part_vec_of(sg_arena *arena, size_t item, size_t max)
{
    return (sg_part_vec){.item = item, .max = max, .arena = arena};
}

/* Room for one more, zeroed; NULL after an error. Valid until the next one. */
void *sg_part_add(sg_part_vec *v, sg_json *j);
/* A validated raw string with its escapes undone, in the arena if there were any. */
sg_slice sg_part_unescape(sg_json *j, sg_arena *arena, sg_slice raw);
sg_slice sg_part_text(sg_json *j, sg_arena *arena);
int64_t sg_part_time(sg_json *j);
/* An integer that is not negative. */
int64_t sg_part_count(sg_json *j);
/* An index into an array of that many. */
uint32_t sg_part_index(sg_json *j, size_t count);

/* One record, where j stands in the array of them (page_record.c). */
void sg_page_read_record(sg_page *p, sg_json *j, sg_page_record *r, sg_arena *arena);

#endif
