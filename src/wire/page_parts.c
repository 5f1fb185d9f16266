#include "wire/page_parts.h"

#include "core/time.h"

#define SMALL_ITEM 64 /* bytes; of larger ones (marks) there are few in one list */

void *sg_part_add(sg_part_vec *v, sg_json *j)
{
    if (v->count == v->max) {
        sg_json_fail(j, SG_LIMIT);
        return NULL;
    }
    if (v->count == v->cap) {
        size_t cap = v->cap != 0 ? v->cap * 2 : v->item > SMALL_ITEM ? 2 : 8;
        char *p = sg_arena_alloc(v->arena, cap * v->item);
        if (p == NULL) {
            sg_json_fail(j, SG_NOMEM);
            return NULL;
        }
        if (v->count != 0) memcpy(p, v->p, v->count * v->item);
        v->p = p;
        v->cap = cap;
    }
    char *slot = v->p + v->count++ * v->item;
    memset(slot, 0, v->item);
    return slot;
}

sg_slice sg_part_unescape(sg_json *j, sg_arena *arena, sg_slice raw)
{
    if (sg_json_plain(raw)) return raw;
    sg_buf out;
    sg_buf_init(&out, raw.n);
    sg_json_unescape(raw, &out);
    int err = out.err;
    sg_slice text = sg_slice_of(NULL, 0);
    if (err == SG_OK) text = sg_arena_copy(arena, sg_buf_view(&out), &err);
    sg_buf_deinit(&out);
    if (err != SG_OK) sg_json_fail(j, err);
    return text;
}

sg_slice sg_part_text(sg_json *j, sg_arena *arena)
{
    return sg_part_unescape(j, arena, sg_json_raw_string(j));
}

int64_t sg_part_time(sg_json *j)
{
    int64_t at_us = 0;
    sg_slice text = sg_json_raw_string(j);
    if (j->err == SG_OK && !sg_time_parse(text, &at_us)) sg_json_fail(j, SG_BADREQUEST);
    return at_us;
}

int64_t sg_part_count(sg_json *j)
{
    int64_t v = sg_json_int(j);
    if (v < 0) sg_json_fail(j, SG_BADREQUEST);
    return v;
}

uint32_t sg_part_index(sg_json *j, size_t count)
{
    int64_t i = sg_json_int(j);
    if (j->err == SG_OK && i >= 0 && (uint64_t)i < count) return (uint32_t)i;
    sg_json_fail(j, SG_BADREQUEST);
    return 0;
}
