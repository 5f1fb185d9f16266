#include "replica/reconcile.h"

#include "replica/actor_stack.h"
#include "replica/capture.h"
#include "replica/key.h"
#include "replica/state.h"
#include "wire/json.h"

#define NAMES_MAX ((size_t)1 << 20)
#define STATE_KEY_MAX 32

typedef struct reconcile {
    sg_replica *r;
    sg_table *t;
    enum sg_gap gap;
    bool kept[SG_COLUMNS_MAX]; /* its values were put into the shadows when capture ended */
    bool any_kept;
    sg_rec rec;
    sg_arena arena; /* values of the record at hand */
    sg_buf key;
    sqlite3_stmt *rows; /* the key's columns, then two of each other: value, differs from default */
} reconcile;

static void state_key(uint32_t table, char out[STATE_KEY_MAX])
{
    sqlite3_snprintf(STATE_KEY_MAX, out, "kept_%u", table);
}

static void open_rows(reconcile *c, int *err)
{
    const sg_table *t = c->t;
    sg_buf sql;
    sg_buf_init(&sql, NAMES_MAX);
    sg_buf_str(&sql, "SELECT ");
    sg_table_key_names(t, &sql);
    for (size_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].key_part != 0) continue;
        sg_buf_byte(&sql, ',');
        sg_sql_ident(&sql, t->columns[i].name);
        sg_buf_byte(&sql, ',');
        sg_column_differs(&t->columns[i], &sql);
    }
    sg_buf_str(&sql, " FROM main.");
    sg_sql_ident(&sql, t->name);
    const char *text = sg_buf_cstr(&sql);
    if (*err == SG_OK) *err = sql.err;
    sg_sql_prepare(c->r->db, &c->rows, text, err);
    if (*err != SG_OK && c->r->message[0] == '\0')
        sg_replica_fail(c->r, *err, "%s", sqlite3_errmsg(c->r->db));
    sg_buf_deinit(&sql);
}

static void init(reconcile *c, sg_replica *r, uint32_t table, int *err)
{
    *c = (reconcile){.r = r};
    sg_rec_init(&c->rec);
    sg_arena_init(&c->arena);
    sg_buf_init(&c->key, SG_TX_BYTES_MAX);
    if (*err == SG_OK) *err = sg_tables_load(r);
    c->t = *err == SG_OK ? sg_table_id(r, table) : NULL;
    if (c->t != NULL)
        open_rows(c, err);
    else if (*err == SG_OK)
        *err = SG_INTERNAL;
}

static void deinit(reconcile *c)
{
    sqlite3_finalize(c->rows);
    sg_rec_deinit(&c->rec);
    sg_arena_deinit(&c->arena);
    sg_buf_deinit(&c->key);
}

/* The next row, its shadow loaded. */
static bool next_row(reconcile *c, int *err)
{
    if (c->rows == NULL || !sg_sql_row(c->rows, err)) return false;
    sg_arena_reset(&c->arena);
    sg_buf_clear(&c->key);
    *err = sg_table_key_of(c->r, c->t, c->rows, 0, &c->key);
    sg_rec_load(c->r, &c->rec, c->t, sg_buf_view(&c->key), err);
    if (*err != SG_OK) sqlite3_reset(c->rows);
    return *err == SG_OK;
}

static bool is_live(const reconcile *c)
{
    return c->rec.exists && !c->rec.record.dead;
}

/* The present value of the i-th column that is not of the key, as the shadow keeps it. */
static sg_slice value_json(reconcile *c, size_t i, int *err)
{
    sg_buf json;
    sg_buf_init(&json, SG_TX_BYTES_MAX);
    sg_value v = sg_sql_value(sqlite3_column_value(c->rows, (int)(c->t->key_count + 2 * i)));
    sg_value_to_json(&json, &v, false);
    if (*err == SG_OK) *err = json.err;
    sg_slice copy = sg_arena_copy(&c->arena, sg_buf_view(&json), err);
    sg_buf_deinit(&json);
    return copy;
}

static bool differs_from_default(const reconcile *c, size_t i)
{
    return sqlite3_column_int(c->rows, (int)(c->t->key_count + 2 * i + 1)) != 0;
}

/* ---- before ---- */

static void keep_row(reconcile *c, int *err)
{
    size_t i = 0;
    for (size_t k = 0; k < c->t->column_count && *err == SG_OK; k++) {
        sg_column *column = &c->t->columns[k];
        if (column->key_part != 0) continue;
        uint32_t name = sg_column_name_id(c->r, column, err);
        sg_field *f = *err == SG_OK ? sg_record_find(&c->rec.record, name) : NULL;
        if (f != NULL) {
            f->value = value_json(c, i, err);
            f->has_value = true;
        }
        i++;
    }
    sg_rec_save(c->r, &c->rec, c->t, sg_buf_view(&c->key), err);
}

/* Which columns there were. */
static void keep_names(reconcile *c, int *err)
{
    char key[STATE_KEY_MAX];
    state_key(c->t->id, key);
    sg_buf names;
    sg_buf_init(&names, NAMES_MAX);
    sg_jsonw w;
    sg_jsonw_init(&w, &names);
    sg_jsonw_array(&w);
    for (size_t i = 0; i < c->t->column_count; i++)
        sg_jsonw_string(&w, sg_slice_str(c->t->columns[i].name));
    sg_jsonw_array_end(&w);
    if (*err == SG_OK) *err = names.err;
    sg_state_set_text(c->r, key, sg_buf_view(&names), err);
    sg_buf_deinit(&names);
}

void sg_reconcile_keep(sg_replica *r, uint32_t table, int *err)
{
    reconcile c;
    init(&c, r, table, err);
    while (next_row(&c, err))
        if (is_live(&c)) keep_row(&c, err);
    if (*err == SG_OK) keep_names(&c, err);
    deinit(&c);
}

/* ---- after ---- */

static void read_names(reconcile *c, int *err)
{
    char key[STATE_KEY_MAX];
    state_key(c->t->id, key);
    sg_buf names, scratch;
    sg_buf_init(&names, NAMES_MAX);
    sg_buf_init(&scratch, NAMES_MAX);
    sg_json j;
    if (sg_state_text(c->r, key, &names, err)) {
        sg_json_init(&j, sg_buf_view(&names));
        sg_json_array(&j);
        while (sg_json_next(&j)) {
            sg_buf_clear(&scratch);
            sg_slice name = sg_json_string(&j, &scratch);
            c->any_kept = true;
            for (size_t i = 0; i < c->t->column_count; i++)
                c->kept[i] = c->kept[i] || sg_slice_eq(name, sg_slice_str(c->t->columns[i].name));
        }
    }
    sg_buf_deinit(&scratch);
    sg_buf_deinit(&names);
}

/* Was column k changed unseen? *f is its field, NULL if it has no mark. */
static bool changed(reconcile *c, size_t k, size_t i, sg_field *f, bool *save, int *err)
{
    /* Somebody gave it a value before it had a mark. */
    if (f == NULL) return differs_from_default(c, i);
    if (!c->kept[k] || !f->has_value) return false;
    bool same = sg_slice_eq(f->value, value_json(c, i, err));
    f->has_value = false;
    f->value = sg_slice_of(NULL, 0);
    *save = true;
    return !same;
}

static void look_at_row(reconcile *c, int *err)
{
    size_t i = 0;
    bool save = false;
    if (c->rec.record.dead) /* it was deleted, and there again unseen */
        *err = sg_capture_row(c->r, c->t, sg_buf_view(&c->key), SG_ACTOR_MIGRATION);
    if (c->rec.record.dead) return;
    for (size_t k = 0; k < c->t->column_count && *err == SG_OK; k++) {
        sg_column *column = &c->t->columns[k];
        if (column->key_part != 0) continue;
        uint32_t name = sg_column_name_id(c->r, column, err);
        sg_field *f = *err == SG_OK ? sg_record_find(&c->rec.record, name) : NULL;
        if (*err == SG_OK && changed(c, k, i, f, &save, err) && *err == SG_OK)
            *err = sg_capture_column(c->r, c->t, sg_buf_view(&c->key), k, SG_ACTOR_MIGRATION);
        i++;
    }
    if (save) sg_rec_save(c->r, &c->rec, c->t, sg_buf_view(&c->key), err);
}

/* Rows that nobody marked: under the bottom stamp, so that they never overwrite what somebody
 * wrote (L4). */
static void adopt_rows(reconcile *c, int *err)
{
    while (next_row(c, err))
        if (!c->rec.exists)
            *err = sg_capture_row(c->r, c->t, sg_buf_view(&c->key), SG_ACTOR_MIGRATION);
    if (*err == SG_OK) *err = sg_capture_flush_bottom(c->r);
}

static bool has_row(reconcile *c, sg_slice key, int *err)
{
    sqlite3_stmt *row = sg_table_row(c->r, c->t, key, err);
    bool here = row != NULL && sg_sql_row(row, err);
    if (here) sqlite3_reset(row);
    return here;
}

/* A live shadow without a row. Under our eyes only a REPLACE of the writer's can have removed it,
 * for a UNIQUE index we did not know of. If nobody looked it is not known to be meant for others:
 * it comes again from the server, which is asked for everything. */
static void lose_row(reconcile *c, sg_slice key, int *err)
{
    if (c->gap == SG_GAP_UNSEEN) {
        sg_rec_delete(c->r, &c->rec, c->t, key, err);
        return;
    }
    uint32_t actor = sg_actor_current(c->r, err);
    if (*err == SG_OK) *err = sg_capture_gone(c->r, c->t, key, actor);
}

/* Shadows but for those of parked records, which have no row. */
static void look_for_lost(reconcile *c, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(c->r->db, &s,
                   "SELECT key FROM sigla_rec WHERE tbl=?1 AND NOT EXISTS(SELECT 1 FROM "
                   "sigla_parking p WHERE p.tbl=sigla_rec.tbl AND p.key=sigla_rec.key)",
                   err);
    if (s != NULL) sqlite3_bind_int64(s, 1, c->t->id);
    while (sg_sql_row(s, err)) {
        sg_buf_clear(&c->key);
        sg_buf_slice(&c->key, sg_sql_blob(s, 0));
        *err = c->key.err;
        sg_slice key = sg_buf_view(&c->key);
        sg_rec_load(c->r, &c->rec, c->t, key, err);
        if (*err == SG_OK && is_live(c) && !has_row(c, key, err) && *err == SG_OK)
            lose_row(c, key, err);
    }
    sqlite3_finalize(s);
}

static bool has_shadows(reconcile *c, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(c->r->db, &s, "SELECT 1 FROM sigla_rec WHERE tbl=?1 LIMIT 1", err);
    if (s != NULL) sqlite3_bind_int64(s, 1, c->t->id);
    bool any = sg_sql_row(s, err);
    sqlite3_finalize(s);
    return any;
}

void sg_reconcile_adopt(sg_replica *r, uint32_t table, int *err)
{
    reconcile c;
    init(&c, r, table, err);
    if (*err == SG_OK) adopt_rows(&c, err);
    deinit(&c);
}

void sg_reconcile(sg_replica *r, uint32_t table, enum sg_gap gap, int *err)
{
    reconcile c;
    init(&c, r, table, err);
    c.gap = gap;
    if (*err == SG_OK) {
        read_names(&c, err);
        adopt_rows(&c, err);
        bool before = has_shadows(&c, err);
        while (before && next_row(&c, err))
            if (c.rec.exists) look_at_row(&c, err);
        if (before) look_for_lost(&c, err);
        char key[STATE_KEY_MAX];
        state_key(c.t->id, key);
        if (c.any_kept) sg_state_set_text(r, key, SG_LIT("[]"), err);
    }
    deinit(&c);
}
