#include "wire/page_json.h"
#include "wire/page_parts.h"

static const sg_lost no_lost;

/* One record being read. A field that comes before the marks waits until they are known. */
typedef struct draft {
    sg_page *page;
    sg_json *j;
    sg_arena *arena;
    sg_part_vec marks;
    sg_part_vec fields;
    int64_t life;         /* index of a mark; -1: not sent */
    sg_slice values_text; /* `values` and `fields` that came before the marks */
    sg_slice fields_text;
} draft;

/* The next element must be there. */
static bool element(sg_json *j)
{
    if (sg_json_next(j)) return true;
    sg_json_fail(j, SG_BADREQUEST);
    return false;
}

static void skip_rest(sg_json *j)
{
    while (sg_json_next(j))
        (void)sg_json_skip(j);
}

static void read_mark(draft *d)
{
    const sg_page *p = d->page;
    sg_slice origin = {NULL, 0};
    sg_page_mark *m = sg_part_add(&d->marks, d->j);
    if (m == NULL || !sg_json_array(d->j)) return;
    if (element(d->j)) m->at_us = sg_part_time(d->j);
    if (element(d->j)) m->client_index = sg_part_index(d->j, p->client_count);
    if (element(d->j)) m->n = sg_part_count(d->j);
    if (element(d->j)) m->actor_index = sg_part_index(d->j, p->actor_count);
    if (element(d->j)) origin = sg_json_raw_string(d->j);
    if (element(d->j)) m->seq = sg_part_count(d->j);
    if (sg_json_next(d->j)) {
        m->restamped = sg_json_int(d->j) == 1;
        skip_rest(d->j);
    }
    if (d->j->err == SG_OK && !sg_origin_parse(origin, &m->origin))
        sg_json_fail(d->j, SG_BADREQUEST);
    if (d->j->err != SG_OK) return;
    m->client = p->clients[m->client_index];
    m->actor = p->actors[m->actor_index];
}

static void read_marks(draft *d)
{
    for ((void)sg_json_array(d->j); sg_json_next(d->j);)
        read_mark(d);
}

static const sg_lost *read_lost(draft *d)
{
    sg_lost *list = sg_arena_alloc(d->arena, sizeof *list);
    if (list == NULL) {
        sg_json_fail(d->j, SG_NOMEM);
        return &no_lost;
    }
    list->count = 0;
    for ((void)sg_json_array(d->j); sg_json_next(d->j);)
        sg_lost_add(list, sg_part_count(d->j));
    return list;
}

static const sg_page_mark *mark_at(draft *d, uint32_t i)
{
    if (d->j->err != SG_OK) return NULL;
    if (i < d->marks.count) return (const sg_page_mark *)(void *)d->marks.p + i;
    sg_json_fail(d->j, SG_BADREQUEST);
    return NULL;
}

static sg_page_field *add_field(draft *d, sg_slice key)
{
    sg_page_field *f = sg_part_add(&d->fields, d->j);
    if (f == NULL) return NULL;
    f->name = sg_part_unescape(d->j, d->arena, key);
    f->lost = &no_lost;
    return f;
}

static void read_values(draft *d)
{
    (void)sg_json_object(d->j);
    for (sg_slice key; sg_json_next_key(d->j, &key);) {
        sg_page_field *f = add_field(d, key);
        if (f == NULL) return;
        f->mark = mark_at(d, 0);
        f->value = sg_json_skip(d->j);
    }
}

static void read_fields(draft *d)
{
    (void)sg_json_object(d->j);
    for (sg_slice key; sg_json_next_key(d->j, &key);) {
        sg_page_field *f = add_field(d, key);
        if (f == NULL || !sg_json_array(d->j)) return;
        if (element(d->j)) f->mark = mark_at(d, sg_part_index(d->j, d->marks.count));
        if (element(d->j)) f->value = sg_json_skip(d->j);
        if (!sg_json_next(d->j)) continue;
        f->lost = read_lost(d);
        skip_rest(d->j);
    }
}

/* Now if the marks are known, else when they are. */
static void read_or_keep(draft *d, sg_slice *kept, void (*read)(draft *))
{
    if (d->marks.count != 0)
        read(d);
    else
        *kept = sg_json_skip(d->j);
}

static void read_kept(draft *d, sg_slice kept, void (*read)(draft *))
{
    if (kept.n == 0 || d->j->err != SG_OK) return;
    sg_json whole = *d->j;
    sg_json_init(d->j, kept);
    read(d);
    int err = d->j->err;
    *d->j = whole;
    if (err != SG_OK) sg_json_fail(d->j, err);
}

static void read_member(draft *d, sg_slice key, sg_page_record *r)
{
    sg_json *j = d->j;
    if (sg_slice_eq(key, SG_LIT("table")))
        r->table = sg_part_text(j, d->arena);
    else if (sg_slice_eq(key, SG_LIT("id")))
        r->id = sg_part_text(j, d->arena);
    else if (sg_slice_eq(key, SG_LIT("spaceId")))
        r->space = sg_part_text(j, d->arena);
    else if (sg_slice_eq(key, SG_LIT("marks")))
        read_marks(d);
    else if (sg_slice_eq(key, SG_LIT("life")))
        d->life = sg_part_count(j);
    else if (sg_slice_eq(key, SG_LIT("dead")))
        r->dead = sg_json_bool(j);
    else if (sg_slice_eq(key, SG_LIT("values")))
        read_or_keep(d, &d->values_text, read_values);
    else if (sg_slice_eq(key, SG_LIT("fields")))
        read_or_keep(d, &d->fields_text, read_fields);
    else
        (void)sg_json_skip(j);
}

void sg_page_read_record(sg_page *p, sg_json *j, sg_page_record *r, sg_arena *arena)
{
    draft d = {.page = p, .j = j, .arena = arena, .life = -1};
    d.marks = sg_part_vec_of(arena, sizeof(sg_page_mark), SG_RECORD_FIELDS_MAX + 1);
    d.fields = sg_part_vec_of(arena, sizeof(sg_page_field), SG_RECORD_FIELDS_MAX);
    *r = (sg_page_record){.table = {NULL, 0}};
    (void)sg_json_object(j);
    for (sg_slice key; sg_json_next_key(j, &key);)
        read_member(&d, key, r);
    read_kept(&d, d.values_text, read_values);
    read_kept(&d, d.fields_text, read_fields);
    if (d.life >= 0) r->life = d.life < UINT32_MAX ? mark_at(&d, (uint32_t)d.life) : NULL;
    if (r->table.n == 0 || r->id.n == 0 || (d.life >= 0 && r->life == NULL))
        sg_json_fail(j, SG_BADREQUEST);
    r->fields = (const sg_page_field *)(void *)d.fields.p;
    r->count = d.fields.count;
}
