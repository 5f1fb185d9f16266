/* One change into its record, and what is written of it: history, acknowledgement, refusal. */
#include "server/apply.h"
#include "store/history.h"

static sg_slice client_text(void *ctx, uint32_t client)
{
    sg_applier *a = ctx;
    const sg_store_ops *ops = a->store->ops;
    return ops->text(ops->writer_view(a->writer), SG_TEXT_OF_CLIENT, client, &a->text_err);
}

/* An update of what is not here would bring back the dead (L12): the record was deleted and purged,
 * or its insert was refused. A client that sends no version is only held to that for old writes. */
static bool is_missing(const sg_applier *a, const sg_chunk_item *item)
{
    const sg_change *c = &item->change;
    if (c->op != SG_OP_UPDATE || a->slots[item->slot].known) return false;
    if (a->push->version >= 2) return true;
    int64_t at_us = c->at_us;
    for (size_t i = 0; i < c->field_count; i++)
        if (c->fields[i].at_us > at_us) at_us = c->fields[i].at_us;
    return a->target.floor.seq != 0 && at_us <= a->target.floor.at_us;
}

/* Would the record grow past its bounds? */
static bool is_too_big(sg_chunk_slot *slot, const sg_chunk_item *item)
{
    size_t fresh = 0, bytes = sg_chunk_bytes(&item->change);
    for (size_t i = 0; i < item->change.field_count; i++)
        if (sg_record_find(&slot->record, item->names[i]) == NULL) fresh++;
    if (slot->record.count + fresh > SG_RECORD_FIELDS_MAX) return true;
    if (slot->bytes + bytes > SG_STORED_MAX) {
        slot->bytes = 0;
        for (size_t i = 0; i < slot->record.count; i++)
            slot->bytes += slot->record.fields[i].value.n;
    }
    slot->bytes += bytes;
    return slot->bytes > SG_STORED_MAX;
}

/* ---- stamps beyond the bound (L14) ---- */

/* Its writer wrote it over this: the writer's own, or applied there before. */
static bool had_seen(const sg_applier *a, const sg_mark *m, int64_t base)
{
    return m->client == a->client || m->seq <= base;
}

/* The server's time, or as much later as it takes to stay above what the writer has written over: a
 * clock that was wrong must not turn the order of one's own edits (L3). */
static int64_t new_time(sg_applier *a, const sg_chunk_item *item, int64_t base)
{
    const sg_record *rec = &a->slots[item->slot].record;
    const sg_change *c = &item->change;
    int64_t above_us = a->now_us;
    bool life = rec->has_life && c->op != SG_OP_UPDATE && had_seen(a, &rec->life, base);
    if (life && rec->life.at_us > above_us) above_us = rec->life.at_us;
    for (size_t i = 0; i < c->field_count; i++) {
        const sg_field *f = sg_record_find(rec, item->names[i]);
        if (f != NULL && f->mark.at_us > above_us && had_seen(a, &f->mark, base))
            above_us = f->mark.at_us;
    }
    if (above_us > a->clock.last_us) a->clock.last_us = above_us;
    return sg_clock_tick(&a->clock, a->now_us);
}

/* A change beyond the bound gets another time, and its fields with it. */
static int restamp(sg_applier *a, sg_chunk_item *item, int64_t base)
{
    sg_change *c = &item->change;
    bool beyond = sg_clock_beyond(c->at_us, a->now_us);
    for (size_t i = 0; i < c->field_count; i++)
        if (sg_clock_beyond(c->fields[i].at_us, a->now_us)) beyond = true;
    if (!beyond) return SG_OK;
    sg_change_field *fields = sg_arena_alloc(&a->arena, (c->field_count + 1) * sizeof *fields);
    if (fields == NULL) return SG_NOMEM;
    int64_t at_us = new_time(a, item, base);
    for (size_t i = 0; i < c->field_count; i++) {
        fields[i] = c->fields[i];
        if (sg_clock_beyond(fields[i].at_us, a->now_us)) fields[i].at_us = at_us;
    }
    if (sg_clock_beyond(c->at_us, a->now_us)) c->at_us = at_us;
    c->fields = fields;
    item->restamped = true;
    const sg_push_restamp r = {c->n, at_us, c->table, c->id};
    return sg_push_restamp_add(&a->push->result, &r);
}

/* A history entry of this chunk or of the store. */
static int find_history(sg_applier *a, int64_t seq, sg_history_row *row, bool *found)
{
    for (size_t i = a->history_count; i-- > 0;) {
        if (a->history[i].seq != seq) continue;
        size_t from = a->history_from[i];
        size_t to = i + 1 < a->history_count ? a->history_from[i + 1] : a->history_bytes.n;
        *row = a->history[i];
        row->data = sg_slice_of(a->history_bytes.p + from, to - from);
        *found = true;
        return SG_OK;
    }
    return a->store->ops->get_history(a->store->ops->writer_view(a->writer), seq, row, found);
}

/* Has a change without a number that lost come before? It is known by its client and time (L8). */
static int lost_before(sg_applier *a, const sg_chunk_item *item, bool *before)
{
    int64_t seq = a->slots[item->slot].stored.hist;
    *before = false;
    for (int i = 0; i < SG_LOST_RETRY_MAX && seq > 0 && !*before; i++) {
        sg_history_row row;
        sg_history h;
        bool found;
        int err = find_history(a, seq, &row, &found);
        if (err != SG_OK || !found) return err;
        err = sg_history_unpack(&h, row.data, &a->arena);
        if (err != SG_OK) return err;
        *before = h.n == 0 && h.client == a->client && h.op == item->change.op &&
                  h.at_us == item->change.at_us;
        if (row.prev >= seq) return SG_CORRUPT;
        seq = row.prev;
    }
    return SG_OK;
}

static int put_history(sg_applier *a, const sg_chunk_item *item, const sg_arrival *in,
                       const sg_merge_count *count)
{
    const sg_change *c = &item->change;
    sg_chunk_slot *slot = &a->slots[item->slot];
    sg_history_field *fields = NULL;
    if (c->field_count != 0) {
        fields = sg_arena_alloc(&a->arena, c->field_count * sizeof *fields);
        if (fields == NULL) return SG_NOMEM;
    }
    for (size_t i = 0; i < c->field_count; i++) {
        const sg_field *f = sg_record_find(&slot->record, item->names[i]);
        bool won = f != NULL && f->mark.seq == in->seq;
        fields[i] = (sg_history_field){item->names[i], won, c->fields[i].at_us, c->fields[i].value};
    }
    const sg_history h = {.op = c->op,
                          .origin = c->origin,
                          .restamped = item->restamped,
                          .life_won = slot->record.has_life && slot->record.life.seq == in->seq,
                          .client = a->client,
                          .actor = item->actor,
                          .n = c->n,
                          .at_us = c->at_us,
                          .base = in->base,
                          .fields = fields,
                          .count = c->field_count};
    size_t i = a->history_count++;
    a->history_from[i] = a->history_bytes.n;
    a->history_slot[i] = item->slot;
    a->history[i] =
        (sg_history_row){.seq = in->seq, .prev = slot->stored.hist, .received_us = a->now_us};
    sg_history_pack(&h, &a->history_bytes);
    slot->stored.hist = in->seq;
    slot->changed = true;
    if (count->won != 0 || slot->record.again_seq == in->seq) slot->stored.seq = in->seq;
    return a->history_bytes.err;
}

static sg_slice scope_text(const sg_applier *a)
{
    for (size_t i = 1; i < a->reach.count; i++)
        if (a->reach.in[i].scope == a->target.feed.scope) return a->reach.in[i].text;
    return a->push->scope;
}

/* Neighbours are mostly of one scope, which is the first of the list. */
static sg_push_touched *touched_at(sg_applier *a)
{
    sg_push *p = a->push;
    sg_slice scope = scope_text(a);
    for (sg_push_touched *t = p->touched; t != NULL; t = t->next)
        if (sg_slice_eq(t->scope, scope)) return t;
    sg_push_touched *t = sg_arena_alloc(&p->arena, sizeof *t);
    if (t == NULL) return NULL;
    t->scope = scope;
    t->count = 0;
    t->next = p->touched;
    p->touched = t;
    return t;
}

static int note_table(sg_applier *a, sg_slice table)
{
    sg_push_touched *t = touched_at(a);
    if (t == NULL) return SG_NOMEM;
    for (size_t i = 0; i < t->count; i++)
        if (sg_slice_eq(t->tables[i], table)) return SG_OK;
    if (t->count == SG_TABLES_MAX) return SG_OK;
    int err = SG_OK;
    t->tables[t->count] = sg_arena_copy(&a->push->arena, table, &err);
    if (err == SG_OK) t->count++;
    return err;
}

static int commit_item(sg_applier *a, const sg_chunk_item *item, const sg_arrival *in,
                       const sg_merge_count *count)
{
    sg_chunk_slot *slot = &a->slots[item->slot];
    int err = put_history(a, item, in, count);
    slot->known = true;
    if (!slot->record.dead)
        slot->stored.dead_us = 0;
    else if (slot->stored.dead_us == 0)
        slot->stored.dead_us = a->now_us;
    a->newest.seq = in->seq;
    a->push->result.committed++;
    a->push->result.last_seq = in->seq;
    if (err == SG_OK && count->won != 0) err = note_table(a, item->change.table);
    if (err == SG_OK && item->change.n != 0) err = sg_apply_ack(a, item->change.n, in->seq);
    return err;
}

int sg_chunk_merge(sg_applier *a, sg_chunk_item *item)
{
    const sg_clients clients = {a, client_text};
    sg_chunk_slot *slot = &a->slots[item->slot];
    const sg_change *c = &item->change;
    if (is_missing(a, item))
        return sg_apply_refuse(a, c, SG_NOTFOUND, SG_LIT("there is no such record to update"));
    if (is_too_big(slot, item))
        return sg_apply_refuse(a, c, SG_LIMIT, SG_LIT("the record would grow too large"));
    int64_t base;
    int err = sg_apply_base(a, c, &base);
    if (base < a->target.joined_seq) base = 0; /* it had seen nothing of the space yet (L5) */
    if (err == SG_OK) err = restamp(a, item, base);
    if (err != SG_OK) return err;
    sg_arrival in = {.change = c,
                     .names = item->names,
                     .client_text = a->push->client,
                     .client = a->client,
                     .actor = item->actor,
                     .seq = a->newest.seq + 1,
                     .base = base,
                     .restamped = item->restamped};
    sg_merge_count count;
    int64_t again_seq = slot->record.again_seq;
    err = sg_merge_arrival(&slot->record, &in, &clients, &a->arena, &count);
    if (err == SG_OK) err = a->text_err;
    if (err != SG_OK) return err;
    /* A tombstone that was purged since may have come to its writer before, and taken the row along;
     * whether the record is here because of this write, or was made anew before it. */
    if (base < a->target.floor.seq) slot->record.again_seq = in.seq;
    if (c->n == 0 && count.won == 0) {
        bool before = count.lost == 0;
        if (!before) err = lost_before(a, item, &before);
        if (before) slot->record.again_seq = again_seq; /* it is not committed */
        if (err != SG_OK || before) return err;
    }
    return commit_item(a, item, &in, &count);
}
