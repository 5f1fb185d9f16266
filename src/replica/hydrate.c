#include "replica/hydrate.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/reader.h"
#include "replica/agree.h"
#include "replica/intern.h"
#include "replica/key.h"
#include "replica/tombstone.h"

/* Turning triggers off and on has every statement of the connection prepared anew: fewer records
 * than this do not make up for it. */
#define FAST_RECORDS_MIN 64

typedef struct arrival {
    sg_page_record in;
    const sg_apply_ids *ids;
    sg_table *t;  /* NULL: it must go the usual way */
    sg_slice key; /* packed */
    bool done;
} arrival;

typedef struct hydration {
    sg_apply *a;
    sg_arena arena;
    sg_page *pages;
    sg_apply_ids *ids; /* of each page */
    size_t page_count;
    arrival *arrivals; /* in commit order */
    size_t count, cap;
    const sg_table *table;         /* looked at last */
    bool simple;                   /* it is */
    sg_slice json[SG_COLUMNS_MAX]; /* of one record, by column; empty: not sent */
} hydration;

/* ---- reading ---- */

static arrival *arrival_new(hydration *h, int *err)
{
    if (h->count == h->cap) {
        size_t cap = h->cap != 0 ? h->cap * 2 : 1024;
        arrival *more = sg_realloc(h->arrivals, cap * sizeof *more);
        if (more == NULL) {
            *err = SG_NOMEM;
            return NULL;
        }
        h->arrivals = more;
        h->cap = cap;
    }
    return &h->arrivals[h->count++];
}

/* May its definition say ON CONFLICT REPLACE? What that takes away triggers must see. */
static bool may_replace(sg_replica *r, const sg_table *t, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT sql FROM main.sqlite_schema WHERE type='table' AND name=?1 COLLATE "
                   "NOCASE",
                   err);
    if (*err == SG_OK) sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    bool may = true;
    if (sg_sql_row(s, err)) {
        const char *sql = (const char *)sqlite3_column_text(s, 0);
        may = sql == NULL || strcasestr(sql, "replace") != NULL;
    }
    sqlite3_finalize(s);
    return may;
}

/* A plain INSERT writes nothing but the row there. */
static bool is_simple(hydration *h, sg_table *t, int *err)
{
    if (h->table == t) return h->simple;
    h->table = t;
    h->simple = t->active && !t->missing && !t->triggers && !may_replace(h->a->r, t, err);
    return h->simple;
}

static void look_at(hydration *h, arrival *x, int *err)
{
    sg_apply *a = h->a;
    sg_table *t = sg_table_wire(a->r, a->app.id, x->in.table);
    bool plain = x->in.life != NULL && !x->in.dead && x->in.space.n == 0;
    if (t == NULL || !plain || !is_simple(h, t, err)) return;
    sg_buf_clear(&a->key);
    if (sg_key_from_id(t, x->in.id, &a->key) != SG_OK) return;
    x->key = sg_arena_copy(&h->arena, sg_buf_view(&a->key), err);
    x->t = t;
}

static void read_page(hydration *h, sg_slice json, int *err)
{
    sg_page *page = &h->pages[h->page_count];
    sg_apply_ids *ids = &h->ids[h->page_count++];
    *err = sg_page_open(page, json, &h->arena);
    if (*err == SG_OK) *err = sg_apply_ids_init(ids, page);
    for (bool got = true; got && *err == SG_OK;) {
        sg_page_record in;
        *err = sg_page_next(page, &in, &h->arena, &got);
        if (*err != SG_OK || !got) continue;
        arrival *x = arrival_new(h, err);
        if (x == NULL) return;
        *x = (arrival){.in = in, .ids = ids};
        look_at(h, x, err);
    }
}

static size_t count_pages(sg_slice pages)
{
    sg_reader in = sg_reader_of(pages);
    size_t n = 0;
    for (; in.left != 0 && in.err == SG_OK; n++)
        (void)sg_read_lenslice(&in);
    return n;
}

static void read_pages(hydration *h, sg_slice pages, int *err)
{
    size_t n = count_pages(pages);
    h->pages = sg_arena_alloc(&h->arena, (n + 1) * sizeof *h->pages);
    h->ids = sg_arena_alloc(&h->arena, (n + 1) * sizeof *h->ids);
    if (h->pages == NULL || h->ids == NULL) *err = SG_NOMEM;
    sg_reader in = sg_reader_of(pages);
    while (*err == SG_OK && in.left != 0)
        read_page(h, sg_read_lenslice(&in), err);
    if (*err == SG_OK) *err = in.err;
}

/* ---- a row that is new here ---- */

/* The record as it came; what has a column goes to h->json instead. False: not so simple. */
static bool fill(hydration *h, const arrival *x, size_t *bytes, int *err)
{
    sg_apply *a = h->a;
    sg_record *rec = &a->rec.record;
    const sg_page_mark *last = x->in.life;
    sg_mark mark = sg_apply_mark(a, last, err);
    sg_rec_clear(&a->rec);
    rec->has_life = true;
    rec->life = mark;
    sg_apply_follow(a, mark.at_us);
    memset(h->json, 0, x->t->column_count * sizeof *h->json);
    size_t hint = 0;
    for (size_t i = 0; i < x->in.count && *err == SG_OK; i++) {
        const sg_page_field *in = &x->in.fields[i];
        int c = sg_apply_column(x->t, in->name, &hint);
        if (c >= 0 && x->t->columns[c].key_part != 0) c = -1; /* as in apply.c */
        uint32_t name = c >= 0 ? sg_column_name_id(a->r, &x->t->columns[c], err)
                               : sg_intern_name(a->r, in->name, err);
        if (in->mark != last) {
            mark = sg_apply_mark(a, in->mark, err);
            sg_apply_follow(a, mark.at_us);
            last = in->mark;
        }
        size_t before = rec->count;
        sg_field *f = *err == SG_OK ? sg_record_at(rec, name) : NULL;
        if (f == NULL || rec->count == before) return false;
        *f = (sg_field){.name = name, .mark = mark, .has_value = c < 0, .value = in->value};
        if (c >= 0) h->json[c] = in->value;
        *bytes += in->value.n;
    }
    return *err == SG_OK;
}

/* What the columns are to hold. Scratch is reserved whole first, so that what earlier values borrow
 * does not move. */
static bool decode(hydration *h, const sg_table *t, size_t bytes, sg_row_value *values,
                   size_t *count, int *err)
{
    sg_buf *scratch = &h->a->scratch;
    sg_buf_clear(scratch);
    (void)sg_buf_extend(scratch, bytes + 1);
    sg_buf_truncate(scratch, 0);
    *err = scratch->err;
    *count = 0;
    for (size_t c = 0; c < t->column_count && *err == SG_OK; c++) {
        if (h->json[c].n == 0) continue;
        sg_row_value *v = &values[(*count)++];
        v->column = (int)c;
        int rc = sg_value_from_json(&v->value, h->json[c], t->columns[c].json, scratch);
        if (rc == SG_BADVALUE) return false;
        *err = rc;
    }
    return *err == SG_OK;
}

/* Write it if there is no shadow of it and the row can be written; else nothing has happened. */
static void write_new(hydration *h, arrival *x, int *err)
{
    sg_apply *a = h->a;
    sg_row_value values[SG_COLUMNS_MAX];
    size_t bytes = 0, count;
    a->ids = *x->ids;
    if (!fill(h, x, &bytes, err) || !decode(h, x->t, bytes, values, &count, err)) return;
    if (!sg_rec_add(a->r, &a->rec, x->t, x->key, err)) return;
    bool changed;
    int rc = sg_row_put(a->r, x->t, x->key, values, count, true, &changed);
    if (rc == SG_CONFLICT) {
        sg_rec_delete(a->r, &a->rec, x->t, x->key, err);
        return;
    }
    *err = rc;
    x->done = true;
    a->count.records++;
    a->count.fields += (int64_t)a->rec.record.count;
}

static int by_key(const void *pa, const void *pb)
{
    const arrival *a = *(arrival *const *)pa, *b = *(arrival *const *)pb;
    if (a->t != b->t) return a->t->id < b->t->id ? -1 : 1;
    int c = sg_key_cmp(a->key, b->key);
    return c != 0 ? c : (a > b) - (a < b); /* the later one of two will find the earlier */
}

static arrival **sorted(hydration *h, size_t *count, int *err)
{
    arrival **list = sg_arena_alloc(&h->arena, (h->count + 1) * sizeof *list);
    if (list == NULL) *err = SG_NOMEM;
    *count = 0;
    for (size_t i = 0; i < h->count && list != NULL; i++)
        if (h->arrivals[i].t != NULL) list[(*count)++] = &h->arrivals[i];
    if (*count != 0) qsort(list, *count, sizeof *list, by_key);
    return list;
}

static void write_all_new(hydration *h, int *err)
{
    size_t count;
    arrival **list = sorted(h, &count, err);
    if (*err != SG_OK || count < FAST_RECORDS_MIN) return;
    int on = sg_triggers_off(h->a->r);
    for (size_t i = 0; i < count && *err == SG_OK; i++)
        write_new(h, list[i], err);
    sg_triggers_back(h->a->r, on);
}

/* ---- all of it ---- */

/* Somebody watches what is written, by triggers of this connection alone. */
static bool is_watched(sg_replica *r, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT 1 FROM temp.sqlite_schema WHERE type='trigger' LIMIT 1", err);
    bool any = *err == SG_OK && sg_sql_row(s, err);
    sqlite3_finalize(s);
    return any;
}

int sg_hydrate(sg_apply *a, sg_slice pages)
{
    hydration h = {.a = a};
    sg_arena_init(&h.arena);
    int err = SG_OK;
    read_pages(&h, pages, &err);
    for (size_t i = 0; i < h.page_count && err == SG_OK; i++)
        err = sg_tombstones_forget(a, h.pages[i].floor_seq);
    bool usual = a->journal || a->app.resync || is_watched(a->r, &err);
    if (err == SG_OK && !usual) write_all_new(&h, &err);
    a->r->applying = true;
    for (size_t i = 0; i < h.count && err == SG_OK; i++) {
        if (h.arrivals[i].done) continue;
        a->ids = *h.arrivals[i].ids;
        err = sg_apply_record(a, &h.arrivals[i].in);
    }
    a->r->applying = false;
    for (size_t i = 0; i < h.page_count && err == SG_OK; i++)
        err = sg_apply_cursor(a, &h.pages[i]);
    for (size_t i = 0; i < h.page_count && err == SG_OK; i++)
        sg_agree_told(a, &h.pages[i], &err);
    sg_free(h.arrivals);
    sg_arena_deinit(&h.arena);
    return err;
}
