/*
 * Version 1: whole records as `op:update` with a stamp at every field, one row per (actor, origin)
 * among the fields, so that clients that know one actor a row attribute each field rightly.
 */
#include "core/time.h"
#include "wire/page_json.h"
#include "wire/page_marks.h"

static bool by_other(const sg_page_writer *p, const sg_mark *m)
{
    return m->seq > p->since &&
           (p->self == 0 || p->since == 0 || m->client != p->self || m->restamped);
}

/* A row is whole or not at all: it is sent if any part of it is news to its reader. */
static bool is_news(const sg_page_writer *p, const sg_record *r)
{
    if (sg_page_again(p, r)) return true;
    if (r->has_life && by_other(p, &r->life)) return true;
    if (r->dead) return false;
    for (size_t i = 0; i < r->count; i++)
        if (by_other(p, &r->fields[i].mark)) return true;
    return false;
}

static void put_time(sg_page_writer *p, const char *key, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    size_t n = sg_time_format(at_us, text);
    sg_jsonw_kstr(p->w, key, sg_slice_of(text, n));
}

static void put_head(sg_page_writer *p, sg_slice table, sg_slice id, const char *op)
{
    sg_jsonw_object(p->w);
    sg_jsonw_kstr(p->w, "table", table);
    sg_jsonw_kstr(p->w, "id", id);
    sg_jsonw_kstr(p->w, "op", sg_slice_str(op));
}

static void put_tail(sg_page_writer *p, const sg_mark *m)
{
    sg_jsonw_kraw(p->w, "actor", p->texts->actor(p->texts->ctx, m->actor));
    sg_jsonw_kstr(p->w, "origin", sg_slice_str(sg_origin_name((enum sg_origin)m->origin)));
    sg_jsonw_k(p->w, "spaceId");
    if (p->space.n != 0)
        sg_jsonw_string(p->w, p->space);
    else
        sg_jsonw_null(p->w);
    sg_jsonw_object_end(p->w);
}

static void put_field(sg_page_writer *p, const sg_field *f)
{
    sg_slice name = p->texts->name(p->texts->ctx, f->name);
    if (name.n == 0 && p->w->out->err == SG_OK) p->w->out->err = SG_CORRUPT;
    sg_jsonw_key(p->w, name);
    sg_jsonw_object(p->w);
    sg_jsonw_kraw(p->w, "value", f->value);
    put_time(p, "at", f->mark.at_us);
    sg_jsonw_object_end(p->w);
}

static bool same_hand(const sg_mark *a, const sg_mark *b)
{
    return a->actor == b->actor && a->origin == b->origin;
}

/* Has a field before number i the same hand? Then its row is written already. */
static bool row_written(const sg_record *r, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (r->fields[k].has_value && same_hand(&r->fields[k].mark, &r->fields[i].mark))
            return true;
    return false;
}

static void put_row(sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *r,
                    size_t first)
{
    put_head(p, table, id, "update");
    sg_jsonw_k(p->w, "fields");
    sg_jsonw_object(p->w);
    for (size_t i = first; i < r->count; i++)
        if (r->fields[i].has_value && same_hand(&r->fields[i].mark, &r->fields[first].mark))
            put_field(p, &r->fields[i]);
    sg_jsonw_object_end(p->w);
    put_tail(p, &r->fields[first].mark);
}

/* A record without fields still has to appear. */
static void put_bare(sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *r)
{
    put_head(p, table, id, r->dead ? "delete" : "update");
    if (r->dead) put_time(p, "deletedAt", r->life.at_us);
    sg_jsonw_k(p->w, "fields");
    sg_jsonw_object(p->w);
    sg_jsonw_object_end(p->w);
    put_tail(p, &r->life);
}

bool sg_page_put_v1(sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *r)
{
    if (!is_news(p, r)) return false;
    if (r->dead) {
        put_bare(p, table, id, r);
        return true;
    }
    size_t rows = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!r->fields[i].has_value || row_written(r, i)) continue;
        put_row(p, table, id, r, i);
        rows++;
    }
    if (rows == 0 && r->has_life) put_bare(p, table, id, r);
    return rows != 0 || r->has_life;
}
