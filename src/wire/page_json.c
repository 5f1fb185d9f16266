#include "wire/page_json.h"

#include "base/mem.h"
#include "core/time.h"
#include "wire/page_marks.h"

void sg_page_writer_init(sg_page_writer *p, sg_jsonw *w, const sg_texts *texts)
{
    *p = (sg_page_writer){.w = w, .texts = texts, .version = 2};
    sg_index_map_init(&p->clients);
    sg_index_map_init(&p->actors);
}

void sg_page_writer_deinit(sg_page_writer *p)
{
    sg_index_map_deinit(&p->clients);
    sg_index_map_deinit(&p->actors);
    sg_free(p->marks);
    p->marks = NULL;
}

static void latch(sg_page_writer *p, int err)
{
    if (p->w->out->err == SG_OK) p->w->out->err = err;
}

/* Is the mark news to the reader? Its own writes are not, unless the server changed them. */
static bool is_news(const sg_page_writer *p, const sg_mark *m)
{
    if (m->seq <= p->since) return false;
    return p->self == 0 || p->since == 0 || m->client != p->self || m->restamped;
}

/* One's own insert or delete is not sent back either, except for a record that was dead before: of
 * that its reader has dropped fields which it may not know how to write. */
static bool life_sent(const sg_page_writer *p, const sg_record *r)
{
    if (r->has_life && sg_page_again(p, r)) return true;
    if (!r->has_life || r->life.seq <= p->since) return false;
    return r->revived_seq != 0 || is_news(p, &r->life);
}

/* Which marks are sent, the one of most fields first: its fields travel in the short form. */
static bool collect(sg_page_writer *p, const sg_record *r)
{
    if (p->marks == NULL) p->marks = sg_alloc(sizeof *p->marks);
    if (p->marks == NULL) {
        latch(p, SG_NOMEM);
        return false;
    }
    sg_page_marks *set = p->marks;
    set->count = 0;
    bool life = life_sent(p, r), all = life || sg_page_again(p, r);
    if (life) (void)sg_page_marks_add(set, &r->life);
    for (size_t i = 0; i < r->count; i++) {
        const sg_field *f = &r->fields[i];
        bool sent = f->has_value && (all || is_news(p, &f->mark));
        /* Of a deleted record's fields only those are named that have something to say of lost
         * writes; what is there now is the delete. */
        if (r->dead) sent = life && f->lost.n != 0;
        const sg_mark *m = r->dead ? &r->life : &f->mark;
        set->of_field[i] = sent ? sg_page_marks_add(set, m) : SG_PAGE_NO_MARK;
    }
    return set->count != 0;
}

static uint16_t most_used(const sg_page_marks *set)
{
    uint16_t best = 0;
    for (uint16_t i = 1; i < set->count; i++)
        if (set->uses[i] > set->uses[best]) best = i;
    return best;
}

/* Position on the wire of mark i when `first` has changed places with number 0. */
static int64_t position(uint16_t i, uint16_t first)
{
    if (i == first) return 0;
    return i == 0 ? first : i;
}

static void put_mark(sg_page_writer *p, const sg_mark *m)
{
    char at[SG_TIME_TEXT_MAX];
    size_t n = sg_time_format(m->at_us, at);
    int err = SG_OK;
    sg_jsonw_array(p->w);
    sg_jsonw_string(p->w, sg_slice_of(at, n));
    sg_jsonw_int(p->w, sg_index_map_at(&p->clients, m->client, &err));
    sg_jsonw_int(p->w, m->n);
    sg_jsonw_int(p->w, sg_index_map_at(&p->actors, m->actor, &err));
    sg_jsonw_string(p->w, sg_slice_str(sg_origin_name((enum sg_origin)m->origin)));
    sg_jsonw_int(p->w, m->seq);
    if (m->restamped) sg_jsonw_int(p->w, 1);
    sg_jsonw_array_end(p->w);
    if (err != SG_OK) latch(p, err);
}

static void put_lost(sg_page_writer *p, sg_slice packed)
{
    sg_lost list;
    int err = sg_lost_unpack(&list, packed);
    if (err != SG_OK) {
        latch(p, err);
        return;
    }
    sg_jsonw_array(p->w);
    for (size_t i = 0; i < list.count; i++)
        sg_jsonw_int(p->w, list.seq[i]);
    sg_jsonw_array_end(p->w);
}

static void put_name(sg_page_writer *p, uint32_t name)
{
    sg_slice text = p->texts->name(p->texts->ctx, name);
    if (text.n == 0) latch(p, SG_CORRUPT);
    sg_jsonw_key(p->w, text);
}

static bool is_short(const sg_page_marks *set, const sg_record *r, size_t i, uint16_t first)
{
    return set->of_field[i] == first && r->fields[i].lost.n == 0;
}

static void put_values(sg_page_writer *p, const sg_record *r, uint16_t first)
{
    bool open = false;
    for (size_t i = 0; i < r->count; i++) {
        if (!is_short(p->marks, r, i, first)) continue;
        if (!open) {
            sg_jsonw_k(p->w, "values");
            sg_jsonw_object(p->w);
            open = true;
        }
        put_name(p, r->fields[i].name);
        sg_jsonw_raw(p->w, r->fields[i].value);
    }
    if (open) sg_jsonw_object_end(p->w);
}

static void put_fields(sg_page_writer *p, const sg_record *r, uint16_t first)
{
    const sg_page_marks *set = p->marks;
    bool open = false;
    for (size_t i = 0; i < r->count; i++) {
        if (set->of_field[i] == SG_PAGE_NO_MARK || is_short(set, r, i, first)) continue;
        if (!open) {
            sg_jsonw_k(p->w, "fields");
            sg_jsonw_object(p->w);
            open = true;
        }
        put_name(p, r->fields[i].name);
        sg_jsonw_array(p->w);
        sg_jsonw_int(p->w, position(set->of_field[i], first));
        sg_jsonw_raw(p->w, r->dead ? SG_LIT("null") : r->fields[i].value);
        if (r->fields[i].lost.n != 0) put_lost(p, r->fields[i].lost);
        sg_jsonw_array_end(p->w);
    }
    if (open) sg_jsonw_object_end(p->w);
}

static void put_marks(sg_page_writer *p, uint16_t first)
{
    const sg_page_marks *set = p->marks;
    sg_jsonw_k(p->w, "marks");
    sg_jsonw_array(p->w);
    put_mark(p, set->marks[first]);
    for (uint16_t i = 1; i < set->count; i++)
        put_mark(p, set->marks[i == first ? 0 : i]);
    sg_jsonw_array_end(p->w);
}

static bool put_v2(sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *r)
{
    if (!collect(p, r)) return false;
    uint16_t first = most_used(p->marks);
    sg_jsonw_object(p->w);
    sg_jsonw_kstr(p->w, "table", table);
    sg_jsonw_kstr(p->w, "id", id);
    if (p->space.n != 0) sg_jsonw_kstr(p->w, "spaceId", p->space);
    put_marks(p, first);
    if (life_sent(p, r)) {
        sg_jsonw_kint(p->w, "life", position(0, first));
        if (r->dead) sg_jsonw_kbool(p->w, "dead", true);
    }
    put_values(p, r, first);
    put_fields(p, r, first);
    sg_jsonw_object_end(p->w);
    return true;
}

bool sg_page_put(sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *record)
{
    if (p->version == 1) return sg_page_put_v1(p, table, id, record);
    return put_v2(p, table, id, record);
}

void sg_page_put_tables(sg_page_writer *p)
{
    sg_jsonw_k(p->w, "clients");
    sg_jsonw_array(p->w);
    for (size_t i = 0; i < p->clients.count; i++)
        sg_jsonw_string(p->w, p->texts->client(p->texts->ctx, p->clients.ids[i]));
    sg_jsonw_array_end(p->w);
    sg_jsonw_k(p->w, "actors");
    sg_jsonw_array(p->w);
    for (size_t i = 0; i < p->actors.count; i++)
        sg_jsonw_raw(p->w, p->texts->actor(p->texts->ctx, p->actors.ids[i]));
    sg_jsonw_array_end(p->w);
}
