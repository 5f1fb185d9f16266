/* One change into its record, and what is written of it: history, acknowledgement, refusal. */
#include "server/apply.h"
#include "store/history.h"

static sg_slice client_text(void *ctx, uint32_t client)
{
    sg_applier *a = ctx;
    const sg_store_ops *ops = a->store->ops;
    return ops->text(ops->writer_view(a->writer), SG_TEXT_OF_CLIENT, client);
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
    return a->floor.seq != 0 && at_us <= a->floor.at_us;
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

static int note_table(sg_applier *a, sg_slice table)
{
    sg_push *p = a->push;
    for (size_t i = 0; i < p->table_count; i++)
        if (sg_slice_eq(p->tables[i], table)) return SG_OK;
    if (p->table_count == SG_TABLES_MAX) return SG_OK;
    int err = SG_OK;
    p->tables[p->table_count] = sg_arena_copy(&p->arena, table, &err);
    if (err == SG_OK) p->table_count++;
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

int sg_chunk_merge(sg_applier *a, const sg_chunk_item *item)
{
    const sg_clients clients = {a, client_text};
    sg_chunk_slot *slot = &a->slots[item->slot];
    const sg_change *c = &item->change;
    if (is_missing(a, item))
        return sg_apply_refuse(a, c, SG_NOTFOUND, SG_LIT("there is no such record to update"));
    if (is_too_big(slot, item))
        return sg_apply_refuse(a, c, SG_LIMIT, SG_LIT("the record would grow too large"));
    sg_arrival in = {.change = c,
                     .names = item->names,
                     .client_text = a->push->client,
                     .client = a->client,
                     .actor = item->actor,
                     .seq = a->newest.seq + 1,
                     .restamped = item->restamped};
    sg_merge_count count;
    int64_t again_seq = slot->record.again_seq;
    int err = sg_apply_base(a, c, &in.base);
    if (err == SG_OK) err = sg_merge_arrival(&slot->record, &in, &clients, &a->arena, &count);
    if (err != SG_OK) return err;
    if (c->n == 0 && count.won == 0) {
        bool before = count.lost == 0;
        if (!before) err = lost_before(a, item, &before);
        if (before) slot->record.again_seq = again_seq; /* it is not committed */
        if (err != SG_OK || before) return err;
    }
    return commit_item(a, item, &in, &count);
}
