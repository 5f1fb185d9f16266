#include "replica/fold.h"

#include <stdlib.h>

#include "base/mem.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/outbox.h"

/* Outbox bytes folded at a time: enough for sorting to pay, little enough for a phone. */
#define FOLD_BYTES ((size_t)16 << 20)

/* One change to fold. */
typedef struct fold_item {
    sg_packed_op op;
    int64_t n;
    int64_t at_us;
} fold_item;

typedef struct fold {
    sg_replica *r;
    fold_item *items;
    size_t count, cap;
    sg_arena arena; /* of the ops' bytes */
    size_t bytes;
    int64_t last_row; /* n of the last outbox row taken; those up to it are folded */
    bool journal;     /* there are conflicts whose present value must be kept up */
    uint32_t actor;   /* whose origin was asked for last; 0: nobody's */
    enum sg_origin origin;
    sg_rec rec;
} fold;

static fold_item *item_new(fold *f, int *err)
{
    if (f->count == f->cap) {
        size_t cap = f->cap != 0 ? f->cap * 2 : 256;
        fold_item *items = sg_realloc(f->items, cap * sizeof *items);
        if (items == NULL) {
            *err = SG_NOMEM;
            return NULL;
        }
        f->items = items;
        f->cap = cap;
    }
    return &f->items[f->count++];
}

static void take_row(fold *f, const sg_outbox_row *row, int *err)
{
    sg_slice bytes = sg_arena_copy(&f->arena, row->ops, err);
    if (*err != SG_OK) return;
    f->bytes += bytes.n;
    f->last_row = row->n;
    sg_ops ops = sg_ops_of(bytes);
    sg_packed_op op;
    for (int64_t n = row->n; sg_ops_next(&ops, &op) && *err == SG_OK; n++) {
        fold_item *item = item_new(f, err);
        if (item != NULL) *item = (fold_item){op, n, row->at_us};
    }
    if (ops.in.err != SG_OK) *err = ops.in.err;
}

static int by_key(const void *pa, const void *pb)
{
    const fold_item *a = pa, *b = pb;
    if (a->op.table != b->op.table) return a->op.table < b->op.table ? -1 : 1;
    int c = sg_slice_cmp(a->op.key, b->op.key);
    if (c != 0) return c;
    return (a->n > b->n) - (a->n < b->n);
}

static void note_now(fold *f, const sg_table *t, const fold_item *item, const sg_op_field *field,
                     const sg_mark *mark, int *err)
{
    sg_buf json;
    sg_buf_init(&json, SG_VALUE_MAX);
    sg_value_to_json(&json, &field->value, field->json);
    sg_journal_now(f->r, t, item->op.key, field->name, sg_buf_view(&json), mark, err);
    sg_buf_deinit(&json);
}

/* The journal speaks of values that were lost; one that is there is not. */
static void settle_shown(fold *f, const sg_table *t, const fold_item *item, const sg_field *old,
                         int *err)
{
    if (!f->journal) return;
    bool own = old->mark.client == sg_self_client(f->r, err);
    sg_journal_superseded(f->r, t, item->op.key, old, own ? old->mark.n : 0, err);
}

/* Whose a record is, is said once: when it is made. */
static bool fold_space(fold *f, sg_table *t, const sg_op_field *field, int *err)
{
    if (t->space < 0) return false;
    uint32_t name = sg_column_name_id(f->r, &t->columns[t->space], err);
    if (field->name != name || *err != SG_OK) return false;
    bool said = field->value.type == SG_TEXT && field->value.bytes.n != 0;
    if (!f->rec.exists && said) f->rec.record.space = sg_intern_name(f->r, field->value.bytes, err);
    return true;
}

static void fold_fields(fold *f, sg_table *t, fold_item *item, const sg_mark *mark, int *err)
{
    sg_op_field field;
    while (*err == SG_OK && sg_op_next_field(&item->op, &field)) {
        if (fold_space(f, t, &field, err)) continue;
        sg_field *slot = sg_record_at(&f->rec.record, field.name);
        if (slot == NULL) {
            *err = SG_NOMEM;
            return;
        }
        settle_shown(f, t, item, slot, err);
        *slot = (sg_field){.name = field.name, .mark = *mark};
        if (f->journal) note_now(f, t, item, &field, mark, err);
    }
}

/* Nearly all changes in a row are one actor's. */
static enum sg_origin origin_of(fold *f, uint32_t actor, int *err)
{
    if (f->actor != actor) f->origin = sg_actor_origin(f->r, actor, err);
    f->actor = actor;
    return f->origin;
}

/* One's own write is always the newest here: it was made on top of what the record held, and the
 * clock had followed that (core/clock.h). */
static void fold_item_into(fold *f, sg_table *t, fold_item *item, int *err)
{
    sg_record *rec = &f->rec.record;
    sg_mark mark = {.at_us = item->at_us,
                    .n = item->n,
                    .client = sg_self_client(f->r, err),
                    .actor = item->op.actor,
                    .origin = (uint8_t)origin_of(f, item->op.actor, err)};
    if (item->op.op != SG_OP_UPDATE) {
        rec->has_life = true;
        rec->life = mark;
        rec->dead = item->op.op == SG_OP_DELETE;
    }
    if (!rec->dead) {
        fold_fields(f, t, item, &mark, err);
        return;
    }
    for (size_t i = 0; i < rec->count; i++)
        settle_shown(f, t, item, &rec->fields[i], err);
    sg_record_drop_fields(rec);
    if (f->journal) sg_journal_gone(f->r, t, item->op.key, &mark, err);
}

static void fold_items(fold *f, sg_table *t, size_t from, size_t to, int *err)
{
    for (size_t i = from; i < to && *err == SG_OK; i++) {
        fold_item item = f->items[i]; /* reading its fields uses it up */
        fold_item_into(f, t, &item, err);
    }
}

/* What begins with an insert is mostly new: it need not be looked for first. */
static bool fold_new(fold *f, sg_table *t, size_t from, size_t to, int *err)
{
    if (f->items[from].op.op != SG_OP_INSERT || f->journal || *err != SG_OK) return false;
    sg_rec_clear(&f->rec);
    fold_items(f, t, from, to, err);
    return sg_rec_add(f->r, &f->rec, t, f->items[from].op.key, err);
}

static void fold_into_old(fold *f, sg_table *t, size_t from, size_t to, int *err)
{
    sg_slice key = f->items[from].op.key;
    sg_rec_load(f->r, &f->rec, t, key, err);
    fold_items(f, t, from, to, err);
    sg_rec_save(f->r, &f->rec, t, key, err);
}

static void fold_taken(fold *f, int *err)
{
    if (*err != SG_OK || f->count == 0) return;
    qsort(f->items, f->count, sizeof *f->items, by_key);
    for (size_t i = 0; i < f->count && *err == SG_OK;) {
        fold_item *first = &f->items[i];
        sg_table *t = sg_table_id(f->r, first->op.table);
        sg_slice key = first->op.key;
        if (t == NULL) {
            *err = sg_replica_fail(f->r, SG_CORRUPT, "the outbox names a table that is not known");
            return;
        }
        size_t end = i + 1;
        while (end < f->count && f->items[end].op.table == t->id &&
               sg_slice_eq(f->items[end].op.key, key))
            end++;
        if (!fold_new(f, t, i, end, err)) fold_into_old(f, t, i, end, err);
        i = end;
    }
}

/* Take rows up to FOLD_BYTES; false when there were none. */
static bool take_some(fold *f, int *err)
{
    f->count = 0;
    f->bytes = 0;
    sg_arena_reset(&f->arena);
    sqlite3_stmt *s = sg_replica_stmt(f->r, SG_STMT_OUTBOX_UNFOLDED, err);
    if (s != NULL) sqlite3_bind_int64(s, 1, f->last_row);
    while (f->bytes < FOLD_BYTES && sg_sql_row(s, err)) {
        sg_outbox_row row = sg_outbox_read(s, err);
        take_row(f, &row, err);
    }
    if (s != NULL) sqlite3_reset(s);
    return *err == SG_OK && f->count != 0;
}

void sg_fold(sg_replica *r, int *err)
{
    if (*err == SG_OK) *err = sg_tables_load(r);
    if (*err != SG_OK) {
        if (*err == SG_NOTTRACKED) *err = SG_OK;
        return;
    }
    fold f = {.r = r, .journal = sg_journal_any(r, err)};
    f.last_row = sg_state_int(r, "folded_n", 0, err);
    sg_arena_init(&f.arena);
    sg_rec_init(&f.rec);
    while (take_some(&f, err)) {
        fold_taken(&f, err);
        sg_state_set_int(r, "folded_n", f.last_row, err);
    }
    sg_free(f.items);
    sg_arena_deinit(&f.arena);
    sg_rec_deinit(&f.rec);
}

static void remark_one(sg_mark *m, uint32_t self, int64_t n, const sg_remark *to)
{
    if (m->client != self || m->n != n) return;
    if (to->at_us != 0) m->at_us = to->at_us;
    m->client = to->client;
    m->restamped = m->restamped || to->restamped;
}

void sg_fold_remark(sg_replica *r, sg_slice bytes, int64_t first_n, int64_t from, int64_t to,
                    const sg_remark *to_what, int *err)
{
    sg_rec rec;
    sg_rec_init(&rec);
    uint32_t self = sg_self_client(r, err);
    sg_ops ops = sg_ops_of(bytes);
    sg_packed_op op;
    for (int64_t n = first_n; n <= to && *err == SG_OK && sg_ops_next(&ops, &op); n++) {
        sg_table *t = n >= from ? sg_table_id(r, op.table) : NULL;
        if (t == NULL) continue;
        sg_rec_load(r, &rec, t, op.key, err);
        remark_one(&rec.record.life, self, n, to_what);
        for (size_t i = 0; i < rec.record.count; i++)
            remark_one(&rec.record.fields[i].mark, self, n, to_what);
        if (rec.exists) sg_rec_save(r, &rec, t, op.key, err);
    }
    sg_rec_deinit(&rec);
}

void sg_fold_view(sg_replica *r, sg_rec *rec, sg_table *t, sg_slice key, int *err)
{
    sg_rec_load(r, rec, t, key, err);
    fold f = {.r = r};
    sg_arena_init(&f.arena);
    f.last_row = sg_state_int(r, "folded_n", 0, err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_UNFOLDED, err);
    if (s != NULL) sqlite3_bind_int64(s, 1, f.last_row);
    f.rec = *rec; /* lent, and given back below */
    while (s != NULL && sg_sql_row(s, err)) {
        sg_outbox_row row = sg_outbox_read(s, err);
        sg_ops ops = sg_ops_of(row.ops);
        fold_item item = {.at_us = row.at_us};
        for (item.n = row.n; sg_ops_next(&ops, &item.op) && *err == SG_OK; item.n++) {
            if (item.op.table != t->id || !sg_slice_eq(item.op.key, key)) continue;
            fold_item_into(&f, t, &item, err);
            f.rec.exists = true;
        }
    }
    if (s != NULL) sqlite3_reset(s);
    *rec = f.rec;
    sg_arena_deinit(&f.arena);
}
