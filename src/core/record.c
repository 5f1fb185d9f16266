#include "core/record.h"

#include "base/mem.h"

void sg_record_init(sg_record *r)
{
    *r = (sg_record){0};
}

void sg_record_deinit(sg_record *r)
{
    sg_free(r->fields);
    *r = (sg_record){0};
}

void sg_record_clear(sg_record *r)
{
    *r = (sg_record){.fields = r->fields, .cap = r->cap};
}

void sg_record_drop_fields(sg_record *r)
{
    r->count = 0;
}

/* Index of the first field whose name is not below. */
static size_t lower_bound(const sg_record *r, uint32_t name)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->fields[mid].name < name)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

sg_field *sg_record_find(const sg_record *r, uint32_t name)
{
    size_t i = lower_bound(r, name);
    return i < r->count && r->fields[i].name == name ? &r->fields[i] : NULL;
}

static bool grow(sg_record *r)
{
    size_t cap = r->cap != 0 ? r->cap * 2 : 16;
    sg_field *fields = sg_realloc(r->fields, cap * sizeof *fields);
    if (fields == NULL) return false;
    r->fields = fields;
    r->cap = cap;
    return true;
}

sg_field *sg_record_at(sg_record *r, uint32_t name)
{
    /* Fields mostly come in order. */
    bool last = r->count == 0 || r->fields[r->count - 1].name < name;
    size_t i = last ? r->count : lower_bound(r, name);
    if (i < r->count && r->fields[i].name == name) return &r->fields[i];
    if (r->count == SG_RECORD_FIELDS_MAX) return NULL;
    if (r->count == r->cap && !grow(r)) return NULL;
    memmove(&r->fields[i + 1], &r->fields[i], (r->count - i) * sizeof *r->fields);
    r->count++;
    r->fields[i] = (sg_field){.name = name};
    return &r->fields[i];
}

int64_t sg_record_updated_at(const sg_record *r)
{
    if (r->count == 0) return r->life.at_us;
    int64_t at_us = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->fields[i].mark.at_us > at_us) at_us = r->fields[i].mark.at_us;
    return at_us;
}
