#include "server/apply.h"

#define WIDE_RECORD 256u /* fields; the memory of wider records is not kept for the next chunk */
#define SCRATCH_KEPT ((size_t)1 << 16) /* bytes; the same */

/* ---- filling ---- */

size_t sg_chunk_bytes(const sg_change *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->field_count; i++)
        n += c->fields[i].value.n + c->fields[i].name.n;
    return n;
}

int sg_chunk_add(sg_applier *a, const sg_change *c)
{
    size_t bytes = sg_chunk_bytes(c);
    sg_target target;
    const char *problem;
    int err = sg_target_of(a, c, &target, &problem);
    if (err != SG_OK) return err;
    if (problem != NULL) return sg_apply_refuse(a, c, SG_SPACE, sg_slice_str(problem));
    bool elsewhere = target.feed.scope != a->target.feed.scope;
    if (a->item_count == SG_CHUNK_CHANGES ||
        (a->item_count != 0 && (elsewhere || a->item_bytes + bytes > SG_CHUNK_BYTES)))
        err = sg_chunk_flush(a);
    if (err != SG_OK) return err;
    a->target = target;
    sg_chunk_item *item = &a->items[a->item_count++];
    *item = (sg_chunk_item){.change = *c};
    a->item_bytes += bytes;
    return SG_OK;
}

/* ---- numbers for texts ---- */

static int intern_names(sg_applier *a, sg_chunk_item *item)
{
    const sg_change *c = &item->change;
    if (c->field_count == 0) return SG_OK;
    uint32_t *names = sg_arena_alloc(&a->arena, c->field_count * sizeof *names);
    sg_slice *texts = sg_arena_alloc(&a->arena, c->field_count * sizeof *texts);
    if (names == NULL || texts == NULL) return SG_NOMEM;
    for (size_t i = 0; i < c->field_count; i++)
        texts[i] = c->fields[i].name;
    item->names = names;
    return a->store->ops->intern(a->writer, SG_TEXT_OF_NAME, texts, c->field_count, names);
}

/* Neighbours mostly share their actor, and the very bytes of it. */
static int intern_actor(sg_applier *a, sg_chunk_item *item)
{
    sg_slice text = item->change.actor;
    if (a->actor_id != 0 && text.p == a->actor_text.p && text.n == a->actor_text.n) {
        item->actor = a->actor_id;
        return SG_OK;
    }
    int err = a->store->ops->intern(a->writer, SG_TEXT_OF_ACTOR, &text, 1, &item->actor);
    a->actor_id = item->actor;
    a->actor_text = text;
    return err;
}

static size_t hash_ref(uint32_t table, sg_slice key)
{
    uint64_t h = UINT64_C(1469598103934665603) ^ table;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.p[i]) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 29);
}

/* The slot of a record, a new one if it has none in this chunk. */
static uint32_t slot_of(sg_applier *a, sg_ref ref)
{
    const size_t mask = 2 * SG_CHUNK_CHANGES - 1;
    size_t i = hash_ref(ref.table, ref.key) & mask;
    for (; a->table[i] != 0; i = (i + 1) & mask) {
        const sg_ref *there = &a->slots[a->table[i] - 1].ref;
        if (there->table == ref.table && sg_slice_eq(there->key, ref.key)) break;
    }
    if (a->table[i] == 0) {
        sg_chunk_slot *slot = &a->slots[a->slot_count++];
        slot->ref = ref;
        slot->changed = false;
        a->table[i] = (uint16_t)a->slot_count;
    }
    return a->table[i] - 1u;
}

static int resolve(sg_applier *a, sg_chunk_item *item)
{
    const sg_change *c = &item->change;
    sg_ref ref = {0, c->id};
    int err = a->store->ops->intern(a->writer, SG_TEXT_OF_TABLE, &c->table, 1, &ref.table);
    if (err == SG_OK) err = intern_names(a, item);
    if (err == SG_OK) err = intern_actor(a, item);
    if (err == SG_OK) item->slot = slot_of(a, ref);
    return err;
}

/* A seq at or below the purge floor says nothing to anybody any more once what decided on it lies
 * there, too. Its own age does not tell: who slept below the floor may write over it today. */
static int trim_list(sg_applier *a, const sg_record *r, sg_field *f)
{
    int64_t floor = a->target.floor.seq;
    if (f->lost.n == 0 || f->mark.seq > floor || r->life.seq > floor) return SG_OK;
    sg_lost list;
    int err = sg_lost_unpack(&list, f->lost);
    if (err != SG_OK || list.count == 0 || list.seq[0] > floor) return err;
    sg_lost_trim(&list, floor);
    sg_buf out;
    sg_buf_init(&out, SG_LOST_MAX * 10);
    sg_lost_pack(&list, &out);
    err = out.err;
    if (err == SG_OK) f->lost = sg_arena_copy(&a->arena, sg_buf_view(&out), &err);
    sg_buf_deinit(&out);
    return err;
}

static int unpack_slot(sg_applier *a, sg_chunk_slot *slot)
{
    sg_record *r = &slot->record;
    int err = sg_record_unpack(r, slot->stored.data);
    for (size_t i = 0; i < r->count && err == SG_OK; i++)
        err = trim_list(a, r, &r->fields[i]);
    return err;
}

static int load(sg_applier *a)
{
    sg_ref *refs = sg_arena_alloc(&a->arena, a->slot_count * sizeof *refs);
    sg_stored *stored = sg_arena_alloc(&a->arena, a->slot_count * sizeof *stored);
    if (refs == NULL || stored == NULL) return SG_NOMEM;
    for (size_t i = 0; i < a->slot_count; i++)
        refs[i] = a->slots[i].ref;
    int err = a->store->ops->load_records(a->writer, a->target.feed, refs, a->slot_count, &a->arena,
                                          stored);
    for (size_t i = 0; i < a->slot_count && err == SG_OK; i++) {
        sg_chunk_slot *slot = &a->slots[i];
        slot->stored = stored[i];
        slot->known = stored[i].row != 0;
        slot->bytes = stored[i].data.n;
        sg_record_clear(&slot->record);
        if (slot->known) err = unpack_slot(a, slot);
    }
    return err;
}

/* ---- saving ---- */

static int pack_slot(sg_applier *a, sg_chunk_slot *slot)
{
    sg_buf_clear(&a->packed);
    sg_record_pack(&slot->record, &a->packed);
    int err = a->packed.err;
    if (err == SG_OK) slot->stored.data = sg_arena_copy(&a->arena, sg_buf_view(&a->packed), &err);
    return err;
}

static int save(sg_applier *a)
{
    int err = SG_OK;
    for (size_t i = 0; i < a->slot_count && err == SG_OK; i++) {
        if (!a->slots[i].changed) continue;
        err = sg_chunk_sum(a, &a->slots[i]);
        if (err == SG_OK) err = pack_slot(a, &a->slots[i]);
    }
    if (err == SG_OK) err = sg_chunk_sum_save(a);
    for (size_t i = 0; i < a->slot_count && err == SG_OK; i++) {
        sg_chunk_slot *slot = &a->slots[i];
        if (!slot->changed) continue;
        err = a->store->ops->save_records(a->writer, a->target.feed, &slot->ref, &slot->stored, 1);
    }
    for (size_t i = 0; i < a->history_count; i++) {
        size_t from = a->history_from[i];
        size_t to = i + 1 < a->history_count ? a->history_from[i + 1] : a->history_bytes.n;
        a->history[i].row = a->slots[a->history_slot[i]].stored.row;
        a->history[i].data = sg_slice_of(a->history_bytes.p + from, to - from);
    }
    if (err == SG_OK) err = a->store->ops->append_history(a->writer, a->history, a->history_count);
    return err;
}

void sg_chunk_drop(sg_applier *a)
{
    for (size_t i = 0; i < a->slot_count; i++)
        if (a->slots[i].record.cap > WIDE_RECORD) sg_record_deinit(&a->slots[i].record);
    a->item_count = 0;
    a->item_bytes = 0;
    a->slot_count = 0;
    a->history_count = 0;
    a->actor_id = 0; /* its text may go with the arena */
    memset(a->table, 0, sizeof a->table);
    sg_buf_clear(&a->history_bytes);
    a->sum_count = 0;
    if (a->before.cap > WIDE_RECORD) sg_record_deinit(&a->before);
    if (a->scratch.cap > SCRATCH_KEPT) sg_buf_deinit(&a->scratch);
    sg_arena_reset(&a->arena);
}

int sg_chunk_flush(sg_applier *a)
{
    int err = SG_OK;
    for (size_t i = 0; i < a->item_count && err == SG_OK; i++)
        err = resolve(a, &a->items[i]);
    if (err == SG_OK && a->slot_count != 0) err = load(a);
    for (size_t i = 0; i < a->item_count && err == SG_OK; i++)
        err = sg_chunk_merge(a, &a->items[i]);
    if (err == SG_OK) err = save(a);
    sg_chunk_drop(a);
    return err;
}
