#include "wire/change_draft.h"

#include "base/mem.h"
#include "wire/value.h"

#define QUADRATIC_MAX 16 /* fields up to which comparing all pairs is the fastest way */
#define TABLE_SLOTS ((size_t)2 * 2048)
_Static_assert(TABLE_SLOTS >= 2 * SG_CHANGE_FIELDS_MAX, "the table is at most half full");

static void refuse_member(sg_change_draft *d, int err, const char *member, const char *problem)
{
    sg_draft_refuse(d, err, sg_slice_of(NULL, 0), member, problem);
}

static sg_change_field *add_field(sg_change_draft *d, sg_slice name)
{
    sg_change_reader *r = d->r;
    if (d->fields == SG_CHANGE_FIELDS_MAX) {
        refuse_member(d, SG_LIMIT, "fields", "has more than 2000 members");
        return NULL;
    }
    if (d->fields == r->fields_cap) {
        size_t cap = r->fields_cap != 0 ? r->fields_cap * 2 : 32;
        sg_change_field *fields = sg_realloc(r->fields, cap * sizeof *fields);
        if (fields == NULL) {
            sg_json_fail(d->j, SG_NOMEM);
            return NULL;
        }
        r->fields = fields;
        r->fields_cap = cap;
    }
    sg_change_field *f = &r->fields[d->fields++];
    *f = (sg_change_field){.name = name, .value = SG_LIT("null"), .at_us = SG_DRAFT_NO_TIME};
    return f;
}

static sg_slice field_name(sg_change_draft *d, sg_slice raw)
{
    sg_slice name = raw.n <= SG_NAME_MAX * 6 ? sg_draft_unescape(d, raw) : raw;
    if (name.n == 0 || name.n > SG_NAME_MAX)
        refuse_member(d, SG_LIMIT, "fields", "has a name that is empty or longer than 256 bytes");
    return name;
}

/* A tagged value ({"$blob":…}) is checked here: a replica could not apply a malformed one. */
static bool value_good(sg_change_draft *d, sg_slice value)
{
    if (value.n < 2 || value.p[0] != '{') return true;
    sg_json j;
    sg_slice key;
    sg_json_init(&j, value);
    if (!sg_json_object(&j) || !sg_json_next_key(&j, &key) || key.n == 0) return true;
    if (key.p[0] != '$') return true;
    sg_value v;
    sg_buf_clear(&d->r->scratch);
    int err = sg_value_from_json(&v, value, false, &d->r->scratch);
    if (err == SG_NOMEM) sg_json_fail(d->j, err);
    return err == SG_OK;
}

static void read_value(sg_change_draft *d, sg_change_field *f)
{
    f->value = sg_json_skip(d->j);
    if (d->j->err != SG_OK) return;
    if (f->value.n > SG_VALUE_MAX)
        sg_draft_refuse(d, SG_LIMIT, f->name, "value", "is longer than 4 MiB");
    else if (!value_good(d, f->value))
        sg_draft_refuse(d, SG_BADVALUE, f->name, "value", "is a malformed tagged value");
}

static void read_field(sg_change_draft *d, sg_slice name)
{
    if (!sg_draft_wanted(d, SG_JSON_OBJECT, name, NULL, "is not an object")) {
        sg_draft_refuse(d, SG_BADCHANGE, name, NULL, "is not an object");
        return;
    }
    sg_change_field *f = add_field(d, name), unused = {0};
    if (f == NULL) f = &unused;
    (void)sg_json_object(d->j);
    for (sg_slice key; sg_json_next_key(d->j, &key);) {
        if (sg_slice_eq(key, SG_LIT("value")))
            read_value(d, f);
        else if (sg_slice_eq(key, SG_LIT("at")))
            f->at_us = sg_draft_time(d, name, "at");
        else
            (void)sg_json_skip(d->j);
    }
}

void sg_draft_read_fields(sg_change_draft *d)
{
    const sg_slice none = {NULL, 0};
    if (!sg_draft_wanted(d, SG_JSON_OBJECT, none, "fields", "is not an object")) return;
    (void)sg_json_object(d->j);
    for (sg_slice key; sg_json_next_key(d->j, &key);)
        read_field(d, field_name(d, key));
}

void sg_draft_read_data(sg_change_draft *d, sg_slice data)
{
    sg_json whole = *d->j;
    sg_json_init(d->j, data);
    d->data_from = d->fields;
    (void)sg_json_object(d->j);
    for (sg_slice key; sg_json_next_key(d->j, &key);) {
        sg_change_field *f = add_field(d, field_name(d, key)), unused = {0};
        read_value(d, f != NULL ? f : &unused);
    }
    int err = d->j->err;
    *d->j = whole;
    if (err != SG_OK) sg_json_fail(d->j, err);
}

static size_t name_hash(sg_slice name)
{
    size_t h = 1469598103u;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    return h;
}

/* The slot of a name in a table of indexes + 1: its own or an empty one. */
static uint16_t *slot_of(const sg_change_field *fields, uint16_t *table, sg_slice name)
{
    size_t i = name_hash(name) % TABLE_SLOTS;
    while (table[i] != 0 && !sg_slice_eq(fields[table[i] - 1].name, name))
        i = (i + 1) % TABLE_SLOTS;
    return &table[i];
}

static bool seen_before(const sg_change_field *fields, size_t count, sg_slice name)
{
    for (size_t i = 0; i < count; i++)
        if (sg_slice_eq(fields[i].name, name)) return true;
    return false;
}

/* Of two fields with one name the first stays: `fields` wins over `data`, and a change never holds
 * a name twice. table is NULL for a few fields, else it has TABLE_SLOTS zeroes. */
static void keep_first(sg_change_draft *d, uint16_t *table)
{
    sg_change_field *fields = d->r->fields;
    size_t kept = 0, data_from = d->data_from;
    for (size_t i = 0; i < d->fields; i++) {
        if (i == data_from) d->data_from = kept;
        uint16_t *slot = table != NULL ? slot_of(fields, table, fields[i].name) : NULL;
        if (slot != NULL ? *slot != 0 : seen_before(fields, kept, fields[i].name)) {
            if (i < data_from)
                sg_draft_refuse(d, SG_BADCHANGE, fields[i].name, NULL, "is given twice");
            continue;
        }
        fields[kept++] = fields[i];
        if (slot != NULL) *slot = (uint16_t)kept;
    }
    if (data_from >= d->fields) d->data_from = kept;
    d->fields = kept;
}

static void drop_doubles(sg_change_draft *d)
{
    if (d->fields <= QUADRATIC_MAX) {
        keep_first(d, NULL);
        return;
    }
    uint16_t *table = sg_zalloc(TABLE_SLOTS * sizeof *table);
    if (table != NULL)
        keep_first(d, table);
    else
        sg_json_fail(d->j, SG_NOMEM);
    sg_free(table);
}

static int64_t greatest_at(const sg_change_draft *d)
{
    int64_t at_us = SG_DRAFT_NO_TIME;
    for (size_t i = 0; i < d->data_from; i++)
        if (d->r->fields[i].at_us > at_us) at_us = d->r->fields[i].at_us;
    return at_us;
}

static void settle_times(sg_change_draft *d)
{
    int64_t at_us = d->at_us;
    if (at_us == SG_DRAFT_NO_TIME && d->out->c.op == SG_OP_DELETE) at_us = d->deleted_us;
    if (at_us == SG_DRAFT_NO_TIME) at_us = greatest_at(d);
    if (at_us == SG_DRAFT_NO_TIME) at_us = d->r->arrival_us;
    d->out->c.at_us = at_us;
    for (size_t i = 0; i < d->fields; i++)
        if (d->r->fields[i].at_us == SG_DRAFT_NO_TIME) d->r->fields[i].at_us = at_us;
}

void sg_draft_settle_fields(sg_change_draft *d)
{
    sg_change *c = &d->out->c;
    if (d->fields > 1) drop_doubles(d);
    settle_times(d);
    if (c->op == SG_OP_DELETE) d->fields = 0; /* a delete has none; rows of old clients do */
    if (d->fields == 0) return;
    sg_change_field *fields = sg_arena_alloc(d->r->arena, d->fields * sizeof *fields);
    if (fields == NULL) {
        sg_json_fail(d->j, SG_NOMEM);
        return;
    }
    memcpy(fields, d->r->fields, d->fields * sizeof *fields);
    c->fields = fields;
    c->field_count = d->fields;
}
