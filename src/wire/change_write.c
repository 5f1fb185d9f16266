#include "core/time.h"
#include "wire/change_json.h"

static void put_at(sg_jsonw *w, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    size_t n = sg_time_format(at_us, text);
    sg_jsonw_kstr(w, "at", sg_slice_of(text, n));
}

static void put_field(sg_jsonw *w, const sg_change *c, const sg_change_field *f)
{
    sg_jsonw_key(w, f->name);
    sg_jsonw_object(w);
    sg_jsonw_kraw(w, "value", f->value);
    if (f->at_us != c->at_us) put_at(w, f->at_us);
    sg_jsonw_object_end(w);
}

static void put_fields(sg_jsonw *w, const sg_change *c)
{
    if (c->field_count == 0) return;
    sg_jsonw_k(w, "fields");
    sg_jsonw_object(w);
    for (size_t i = 0; i < c->field_count; i++)
        put_field(w, c, &c->fields[i]);
    sg_jsonw_object_end(w);
}

void sg_change_to_json(sg_jsonw *w, const sg_change *c)
{
    sg_jsonw_object(w);
    if (c->n != 0) sg_jsonw_kint(w, "n", c->n);
    if (c->n != 0 && c->tx_last != c->n) sg_jsonw_kint(w, "tx", c->tx_last);
    if (c->base != SG_BASE_UNKNOWN) sg_jsonw_kint(w, "base", c->base);
    sg_jsonw_kstr(w, "table", c->table);
    sg_jsonw_kstr(w, "id", c->id);
    sg_jsonw_kstr(w, "op", sg_slice_str(sg_op_name(c->op)));
    put_at(w, c->at_us);
    if (c->space.n != 0) sg_jsonw_kstr(w, "spaceId", c->space);
    if (c->actor.n != 0) sg_jsonw_kraw(w, "actor", c->actor);
    sg_jsonw_kstr(w, "origin", sg_slice_str(sg_origin_name(c->origin)));
    put_fields(w, c);
    sg_jsonw_object_end(w);
}
