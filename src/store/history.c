#include "store/history.h"

#include "base/reader.h"

void sg_history_pack(const sg_history *h, sg_buf *out)
{
    sg_buf_byte(out, (uint8_t)((unsigned)h->op | (unsigned)h->origin << 2 |
                               (unsigned)h->restamped << 5 | (unsigned)h->life_won << 6));
    sg_buf_varint(out, h->client);
    sg_buf_varint(out, h->actor);
    sg_buf_varint(out, (uint64_t)h->n);
    sg_buf_zigzag(out, h->at_us);
    sg_buf_zigzag(out, h->base);
    sg_buf_varint(out, h->count);
    for (size_t i = 0; i < h->count; i++) {
        const sg_history_field *f = &h->fields[i];
        sg_buf_varint(out, (uint64_t)f->name << 1 | f->won);
        sg_buf_zigzag(out, f->at_us - h->at_us);
        sg_buf_lenslice(out, f->value);
    }
}

static uint32_t read_id(sg_reader *r)
{
    uint64_t id = sg_read_varint(r);
    if (id > UINT32_MAX) r->err = SG_CORRUPT;
    return (uint32_t)id;
}

static void read_fields(sg_reader *r, sg_history *h, sg_history_field *fields)
{
    for (size_t i = 0; i < h->count; i++) {
        uint64_t name = sg_read_varint(r);
        if (name >> 1 > UINT32_MAX) r->err = SG_CORRUPT;
        fields[i].name = (uint32_t)(name >> 1);
        fields[i].won = name & 1;
        fields[i].at_us = (int64_t)((uint64_t)h->at_us + (uint64_t)sg_read_zigzag(r));
        fields[i].value = sg_read_lenslice(r);
    }
}

int sg_history_unpack(sg_history *h, sg_slice packed, sg_arena *arena)
{
    sg_reader r = sg_reader_of(packed);
    unsigned header = sg_read_byte(&r);
    *h = (sg_history){.op = header & 3, .origin = header >> 2 & 7};
    h->restamped = header >> 5 & 1;
    h->life_won = header >> 6 & 1;
    h->client = read_id(&r);
    h->actor = read_id(&r);
    uint64_t n = sg_read_varint(&r);
    if (n > INT64_MAX) r.err = SG_CORRUPT;
    h->n = (int64_t)n;
    h->at_us = sg_read_zigzag(&r);
    h->base = sg_read_zigzag(&r);
    uint64_t count = sg_read_varint(&r);
    if (h->op > SG_OP_DELETE || h->origin > SG_ORIGIN_SERVER_REPLAY) r.err = SG_CORRUPT;
    if (r.err != SG_OK || count > SG_CHANGE_FIELDS_MAX) return SG_CORRUPT;
    if (count == 0) return r.left == 0 ? SG_OK : SG_CORRUPT;
    sg_history_field *fields = sg_arena_alloc(arena, (size_t)count * sizeof *fields);
    if (fields == NULL) return SG_NOMEM;
    h->count = (size_t)count;
    h->fields = fields;
    read_fields(&r, h, fields);
    return r.err == SG_OK && r.left == 0 ? SG_OK : SG_CORRUPT;
}
