#include "core/merge.h"

#include "core/conflict.h"

enum sg_merge sg_merge_decide(const sg_stamp *cur, sg_slice cur_value, const sg_stamp *in,
                              sg_slice in_value)
{
    if (cur == NULL) return SG_MERGE_TAKE;
    int c = sg_stamp_cmp_value(in, in_value, cur, cur_value);
    if (c == 0) return SG_MERGE_SAME;
    return c > 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;
}

static sg_stamp stamp_of(const sg_mark *m, const sg_clients *clients)
{
    return (sg_stamp){m->at_us, clients->text(clients->ctx, m->client), m->n};
}

static sg_stamp arrival_stamp(const sg_arrival *in, int64_t at_us)
{
    return (sg_stamp){at_us, in->client_text, in->change->n};
}

static sg_mark arrival_mark(const sg_arrival *in, int64_t at_us)
{
    return (sg_mark){.at_us = at_us,
                     .n = in->change->n,
                     .seq = in->seq,
                     .client = in->client,
                     .actor = in->actor,
                     .origin = (uint8_t)in->change->origin,
                     .restamped = in->restamped};
}

/* list := list + seq */
static int note_lost(sg_slice *packed, int64_t seq, sg_arena *arena)
{
    sg_lost list;
    int err = sg_lost_unpack(&list, *packed);
    if (err != SG_OK) return err;
    sg_lost_add(&list, seq);
    sg_buf out;
    sg_buf_init(&out, SG_LOST_MAX * 10);
    sg_lost_pack(&list, &out);
    err = out.err;
    if (err == SG_OK) *packed = sg_arena_copy(arena, sg_buf_view(&out), &err);
    sg_buf_deinit(&out);
    return err;
}

static void tally(sg_merge_count *count, enum sg_merge verdict)
{
    if (verdict == SG_MERGE_TAKE)
        count->won++;
    else if (verdict == SG_MERGE_SAME)
        count->same++;
    else
        count->lost++;
}

/* Was the field's write still to be judged? What a tombstone covered was judged when it came to
 * lie there, and stays judged when the record comes back: the first winner decides (L5). */
static bool is_unjudged(const sg_record *r, const sg_field *f)
{
    return f->mark.seq >= r->revived_seq;
}

/* A delete takes with it every person's field that its maker had not applied (L5). Like every loss
 * it is noted with the field, so that what is said of one field of a change is never taken for
 * another. */
static int note_deleted(sg_record *r, const sg_arrival *in, sg_arena *arena)
{
    for (size_t i = 0; i < r->count; i++) {
        sg_field *f = &r->fields[i];
        if (!is_unjudged(r, f) || !sg_conflict_unseen(&f->mark, in->client, in->base)) continue;
        int err = note_lost(&f->lost, f->mark.seq, arena);
        if (err != SG_OK) return err;
    }
    return SG_OK;
}

/* What one merge works with. */
typedef struct merging {
    const sg_clients *clients;
    sg_arena *arena;
    bool was_dead;       /* the record, before the arrival */
    int64_t revived_seq; /* before it, too */
} merging;

/* Whoever writes over what it has applied shows its own write from then on. If that is the lesser
 * one, because a clock went back, it has to be told (L2). What was given another time here was
 * perhaps the greater one there, and has kept out what came since. */
static bool shows_its_own(const sg_mark *cur, const sg_arrival *in)
{
    return cur->client == in->client || cur->seq <= in->base || in->restamped;
}

static int merge_life(sg_record *r, const sg_arrival *in, const merging *m, sg_merge_count *count)
{
    const sg_change *c = in->change;
    if (c->op == SG_OP_UPDATE) return SG_OK;
    sg_stamp cur = {0}, now = arrival_stamp(in, c->at_us);
    if (r->has_life) cur = stamp_of(&r->life, m->clients);
    /* One writer's delete and insert under one stamp: the delete has the last word. */
    sg_slice cur_value = r->dead ? SG_LIT("d") : SG_LIT("a");
    sg_slice new_value = c->op == SG_OP_DELETE ? SG_LIT("d") : SG_LIT("a");
    enum sg_merge verdict = sg_merge_decide(r->has_life ? &cur : NULL, cur_value, &now, new_value);
    tally(count, verdict);
    /* Who deletes drops its fields with the row; if the delete loses, it has to get them all again. */
    bool shown = c->op == SG_OP_DELETE || shows_its_own(&r->life, in);
    if (verdict == SG_MERGE_KEEP && shown) r->again_seq = in->seq;
    if (verdict != SG_MERGE_TAKE) return SG_OK;
    int err = SG_OK;
    if (c->op == SG_OP_DELETE && !r->dead) err = note_deleted(r, in, m->arena);
    if (c->op == SG_OP_INSERT && r->dead) r->revived_seq = in->seq;
    r->has_life = true;
    r->dead = c->op == SG_OP_DELETE;
    r->life = arrival_mark(in, c->at_us);
    return err;
}

/* Has a person's write to a field lost on arrival: to a greater stamp, or to the tombstone that
 * covers the record? As unseen as can be, whatever its base says. */
static bool is_lost_on_arrival(const sg_record *r, const sg_mark *cur, const sg_arrival *in,
                               enum sg_merge verdict)
{
    if (in->change->n == 0 || in->change->origin != SG_ORIGIN_USER) return false;
    if (verdict == SG_MERGE_KEEP && cur->client != in->client) return true;
    return r->dead && in->change->op != SG_OP_DELETE && r->life.client != in->client;
}

static int merge_field(sg_record *r, size_t i, const sg_arrival *in, const merging *m,
                       sg_merge_count *count)
{
    const sg_change_field *cf = &in->change->fields[i];
    bool fresh = sg_record_find(r, in->names[i]) == NULL;
    sg_field *f = sg_record_at(r, in->names[i]);
    if (f == NULL) return r->count == SG_RECORD_FIELDS_MAX ? SG_LIMIT : SG_NOMEM;
    sg_stamp cur = {0}, now = arrival_stamp(in, cf->at_us);
    if (!fresh) cur = stamp_of(&f->mark, m->clients);
    enum sg_merge verdict = sg_merge_decide(fresh ? NULL : &cur, f->value, &now, cf->value);
    tally(count, verdict);
    if (verdict == SG_MERGE_SAME) return SG_OK;
    /* Its writer may have dropped it with the row, and does not know what has become of it. */
    if (m->revived_seq > in->base) r->again_seq = in->seq;
    /* Writers without numbers send whole rows: what they say again is theirs already. */
    bool differs = in->change->n != 0 || !sg_slice_eq(f->value, cf->value);
    if (verdict == SG_MERGE_KEEP && differs && shows_its_own(&f->mark, in)) r->again_seq = in->seq;
    int err = SG_OK;
    if (is_lost_on_arrival(r, &f->mark, in, verdict)) err = note_lost(&f->lost, in->seq, m->arena);
    if (verdict == SG_MERGE_KEEP) return err;
    bool judge = !fresh && !m->was_dead && is_unjudged(r, f);
    if (err == SG_OK && judge && sg_conflict_unseen(&f->mark, in->client, in->base))
        err = note_lost(&f->lost, f->mark.seq, m->arena);
    f->mark = arrival_mark(in, cf->at_us);
    f->value = cf->value;
    f->has_value = true;
    return err;
}

int sg_merge_arrival(sg_record *record, const sg_arrival *in, const sg_clients *clients,
                     sg_arena *arena, sg_merge_count *count)
{
    const merging m = {clients, arena, record->dead, record->revived_seq};
    *count = (sg_merge_count){0};
    int err = merge_life(record, in, &m, count);
    for (size_t i = 0; i < in->change->field_count && err == SG_OK; i++)
        err = merge_field(record, i, in, &m, count);
    return err;
}
