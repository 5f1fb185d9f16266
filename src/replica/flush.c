/*
 * Flush: what a transaction captured becomes changes in the outbox, at its commit.
 *
 * Captures are grouped by record. Nearly all records have one insert, one delete or updates of
 * different columns; those are copied as they are. Anything else (written twice, key moved,
 * replaced, columns the triggers do not know, groups) is settled by reading the row as it is now:
 * the transaction's net effect is what travels, since nobody could ever see more of it.
 */
#include "base/mem.h"
#include "replica/capture.h"
#include "replica/intern.h"
#include "replica/key.h"
#include "replica/ops.h"
#include "replica/outbox.h"
#include "replica/state.h"

typedef struct group {
    uint32_t first, last; /* items; the chain runs through sg_captured.next */
    uint32_t count;
} group;

typedef struct flush {
    sg_replica *r;
    group *groups; /* in order of first capture */
    size_t group_count;
    uint32_t *slots; /* hash table: group + 1 */
    size_t slot_mask;
    sg_outbox_writer out;
    int err;
} flush;

static sg_slice key_of(const flush *f, const sg_captured *i)
{
    return sg_slice_of(f->r->capture.bytes.p + i->key_at, i->key_n);
}

static sg_slice value_of(const flush *f, const sg_captured *i)
{
    return sg_slice_of(f->r->capture.bytes.p + i->value_at, i->value_n);
}

/* FNV-1a; the table is ours alone and lives for one flush. */
static size_t hash(uint32_t table, sg_slice key)
{
    uint64_t h = 14695981039346656037u ^ table;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (uint8_t)key.p[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 29);
}

static void add_item(flush *f, uint32_t index)
{
    sg_captured *item = &f->r->capture.items[index];
    item->next = 0;
    sg_slice key = key_of(f, item);
    size_t slot = hash(item->table, key) & f->slot_mask;
    for (; f->slots[slot] != 0; slot = (slot + 1) & f->slot_mask) {
        group *g = &f->groups[f->slots[slot] - 1];
        const sg_captured *first = &f->r->capture.items[g->first];
        if (first->table != item->table || !sg_slice_eq(key_of(f, first), key)) continue;
        f->r->capture.items[g->last].next = index + 1;
        g->last = index;
        g->count++;
        return;
    }
    f->groups[f->group_count++] = (group){index, index, 1};
    f->slots[slot] = (uint32_t)f->group_count;
}

static void make_groups(flush *f)
{
    const sg_capture *c = &f->r->capture;
    size_t slots = 16;
    while (slots < (c->count - c->flushed) * 2)
        slots *= 2;
    f->groups = sg_alloc((c->count - c->flushed) * sizeof *f->groups);
    f->slots = sg_zalloc(slots * sizeof *f->slots);
    f->slot_mask = slots - 1;
    if (f->groups == NULL || f->slots == NULL) {
        f->err = SG_NOMEM;
        return;
    }
    for (size_t i = c->flushed; i < c->count; i++)
        add_item(f, (uint32_t)i);
}

static const sg_captured *next_item(const flush *f, const sg_captured *i)
{
    return i->next != 0 ? &f->r->capture.items[i->next - 1] : NULL;
}

/* ---- records whose captures can be copied as they are ---- */

static bool is_plain_update(const flush *f, const sg_table *t, const group *g)
{
    const sg_captured *first = &f->r->capture.items[g->first];
    uint64_t seen[(SG_COLUMNS_MAX + 63) / 64] = {0};
    for (const sg_captured *i = first; i != NULL; i = next_item(f, i)) {
        if (i->kind != SG_CAP_UPDATE || i->actor != first->actor || i->value_n == 0) return false;
        if (t->columns[i->column].group != 0) return false;
        uint64_t bit = UINT64_C(1) << (i->column & 63);
        if (seen[i->column >> 6] & bit) return false;
        seen[i->column >> 6] |= bit;
    }
    return true;
}

static void copy_insert(flush *f, sg_table *t, const sg_captured *item)
{
    sg_packed_op op = {.table = t->id,
                       .actor = item->actor,
                       .op = SG_OP_INSERT,
                       .key = key_of(f, item),
                       .field_count = t->column_count - t->key_count};
    sg_buf *out = sg_outbox_op(&f->out, t->app, &op);
    sg_reader values = sg_reader_of(value_of(f, item));
    for (size_t c = 0; c < t->column_count; c++) {
        if (t->columns[c].key_part != 0) continue;
        const char *start = values.p;
        bool json;
        (void)sg_ops_value(&values, &json);
        sg_buf_varint(out, sg_column_name_id(f->r, &t->columns[c], &f->err));
        sg_buf_put(out, start, (size_t)(values.p - start));
    }
    if (values.err != SG_OK) f->err = values.err;
}

static void copy_update(flush *f, sg_table *t, const group *g)
{
    const sg_captured *first = &f->r->capture.items[g->first];
    sg_packed_op op = {.table = t->id,
                       .actor = first->actor,
                       .op = SG_OP_UPDATE,
                       .key = key_of(f, first),
                       .field_count = g->count};
    sg_buf *out = sg_outbox_op(&f->out, t->app, &op);
    for (const sg_captured *i = first; i != NULL; i = next_item(f, i)) {
        sg_buf_varint(out, sg_column_name_id(f->r, &t->columns[i->column], &f->err));
        sg_buf_slice(out, value_of(f, i));
    }
}

static void put_delete(flush *f, const sg_table *t, const sg_captured *last)
{
    sg_packed_op op = {
        .table = t->id, .actor = last->actor, .op = SG_OP_DELETE, .key = key_of(f, last)};
    (void)sg_outbox_op(&f->out, t->app, &op);
}

/* ---- the others: settled by the row as it is now ---- */

typedef struct settled {
    uint32_t writer[SG_COLUMNS_MAX]; /* actor + 1 of the columns that count as written */
    bool edited[SG_COLUMNS_MAX];     /* by an UPDATE, whatever its value is now */
    bool existed;                    /* before the transaction */
    bool inserted;                   /* deleted or new, and there again */
    uint32_t touched;                /* actor + 1 of an update that only the row can tell */
    const sg_captured *before;       /* image of the row as it was, if one was taken */
    const sg_captured *last;
} settled;

static void write_all(settled *s, const sg_table *t, uint32_t actor)
{
    for (size_t c = 0; c < t->column_count; c++)
        s->writer[c] = actor + 1;
}

/* Columns of a group win or lose together, so they are written together. */
static void write_groups(settled *s, const sg_table *t)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (t->columns[c].group == 0 || s->writer[c] == 0) continue;
        for (size_t k = 0; k < t->column_count; k++)
            if (t->columns[k].group == t->columns[c].group) s->writer[k] = s->writer[c];
    }
}

static void settle(const flush *f, const sg_table *t, const group *g, settled *s)
{
    const sg_captured *first = &f->r->capture.items[g->first];
    *s = (settled){.existed = true};
    bool known = false; /* there was an item that says whether it existed */
    for (const sg_captured *i = first; i != NULL; i = next_item(f, i)) {
        s->last = i;
        switch (i->kind) {
        case SG_CAP_UPDATE:
            s->writer[i->column] = i->actor + 1;
            s->edited[i->column] = true;
            break;
        case SG_CAP_TOUCH:
            s->touched = i->actor + 1;
            break;
        case SG_CAP_INSERT:
            if (!known) s->existed = false;
            s->inserted = true;
            write_all(s, t, i->actor);
            break;
        case SG_CAP_BEFORE:
            if (!known) s->before = i;
            break;
        default:
            break;
        }
        known = known || (i->kind != SG_CAP_UPDATE && i->kind != SG_CAP_TOUCH);
    }
}

/* REPLACE of a row whose image was taken: only what differs was written. */
static void keep_differing(const flush *f, const sg_table *t, settled *s, sqlite3_stmt *row)
{
    sg_reader image = sg_reader_of(value_of(f, s->before));
    for (size_t c = 0; c < t->captured_count; c++) {
        if (t->columns[c].key_part != 0) continue;
        bool json;
        sg_value was = sg_ops_value(&image, &json);
        sg_value now = sg_sql_value(sqlite3_column_value(row, (int)c));
        if (!s->edited[c] && sg_value_same(&was, &now)) s->writer[c] = 0;
    }
}

/* Columns that came since the triggers were made: in a row that was there before, what is not its
 * default was written. */
static void keep_not_default(const sg_table *t, settled *s, sqlite3_stmt *row)
{
    uint32_t writer = s->inserted ? s->last->actor + 1 : s->touched;
    for (size_t c = t->captured_count; c < t->column_count; c++) {
        int differs = (int)(t->column_count + c - t->captured_count);
        s->writer[c] = sqlite3_column_int(row, differs) != 0 ? writer : 0;
    }
}

/* One change of the columns that `actor` wrote, with the row's present values. */
static void put_written(flush *f, sg_table *t, const settled *s, sqlite3_stmt *row, uint32_t actor,
                        enum sg_op kind)
{
    sg_packed_op op = {
        .table = t->id, .actor = actor, .op = kind, .key = key_of(f, s->last), .field_count = 0};
    for (size_t c = 0; c < t->column_count; c++)
        op.field_count += s->writer[c] == actor + 1 && t->columns[c].key_part == 0;
    if (op.field_count == 0 && kind == SG_OP_UPDATE) return;
    sg_buf *out = sg_outbox_op(&f->out, t->app, &op);
    for (size_t c = 0; c < t->column_count; c++) {
        if (s->writer[c] != actor + 1 || t->columns[c].key_part != 0) continue;
        sg_value v = sg_sql_value(sqlite3_column_value(row, (int)c));
        sg_buf_varint(out, sg_column_name_id(f->r, &t->columns[c], &f->err));
        sg_ops_put_value(out, &v, t->columns[c].json);
    }
}

static void put_by(flush *f, sg_table *t, settled *s, sqlite3_stmt *row, uint32_t actor,
                   enum sg_op kind)
{
    put_written(f, t, s, row, actor, kind);
    for (size_t c = 0; c < t->column_count; c++)
        if (s->writer[c] == actor + 1) s->writer[c] = 0;
}

/* A change for each actor who wrote some of the record; the insert first. */
static void put_row(flush *f, sg_table *t, settled *s, sqlite3_stmt *row)
{
    if (s->inserted && s->before != NULL) keep_differing(f, t, s, row);
    if (!s->inserted || s->before != NULL) keep_not_default(t, s, row);
    write_groups(s, t);
    /* Nobody but the insert writes the key. */
    if (s->inserted && s->before == NULL)
        put_by(f, t, s, row, s->writer[t->key[0]] - 1, SG_OP_INSERT);
    for (size_t c = 0; c < t->column_count && f->err == SG_OK; c++)
        if (s->writer[c] != 0) put_by(f, t, s, row, s->writer[c] - 1, SG_OP_UPDATE);
}

static void put_settled(flush *f, sg_table *t, const group *g)
{
    settled s;
    settle(f, t, g, &s);
    sqlite3_stmt *row = sg_table_row(f->r, t, key_of(f, s.last), &f->err);
    if (f->err != SG_OK) return;
    if (sg_sql_row(row, &f->err)) {
        put_row(f, t, &s, row);
        sqlite3_reset(row);
    } else if (f->err == SG_OK && s.existed) {
        put_delete(f, t, s.last);
    }
}

static void put_group(flush *f, const group *g)
{
    const sg_captured *first = &f->r->capture.items[g->first];
    sg_table *t = sg_table_id(f->r, first->table);
    if (t == NULL || t->missing) return; /* dropped since */
    bool known = t->captured_count == t->column_count;
    if (g->count == 1 && first->kind == SG_CAP_INSERT && known && first->value_n != 0)
        copy_insert(f, t, first);
    else if (g->count == 1 && first->kind == SG_CAP_DELETE)
        put_delete(f, t, first);
    else if (is_plain_update(f, t, g))
        copy_update(f, t, g);
    else
        put_settled(f, t, g);
}

static int flush_items(sg_replica *r)
{
    flush f = {.r = r};
    make_groups(&f);
    if (f.err == SG_OK) f.err = sg_outbox_open(&f.out, r);
    for (size_t i = 0; i < f.group_count && f.err == SG_OK; i++) {
        put_group(&f, &f.groups[i]);
        if (f.err == SG_OK) f.err = f.out.err;
    }
    f.err = sg_outbox_close(&f.out, f.err);
    sg_free(f.groups);
    sg_free(f.slots);
    return f.err;
}

int sg_capture_flush(sg_replica *r)
{
    sg_capture *c = &r->capture;
    if (c->count == c->flushed) return SG_OK;
    /* The schema may have changed since the writes, in the same transaction. */
    int err = sg_tables_load(r);
    if (err == SG_OK) err = flush_items(r);
    if (err == SG_OK) c->flushed = c->count;
    return err;
}

int sg_capture_flush_bottom(sg_replica *r)
{
    r->capture.bottom = true;
    int err = sg_capture_flush(r);
    r->capture.bottom = false;
    return err;
}
