#include "replica/listing.h"

#include "base/mem.h"
#include "core/time.h"
#include "replica/key.h"

typedef struct list_vtab {
    sqlite3_vtab base;
    sg_replica *r;
    const sg_list *list;
} list_vtab;

typedef struct list_cursor {
    sqlite3_vtab_cursor base;
    sg_rows rows;
    size_t row;
} list_cursor;

typedef struct list_binding {
    sg_replica *r;
    const sg_list *list;
} list_binding;

static sg_value *cell(sg_rows *rows)
{
    if (rows->err != SG_OK) return NULL;
    if (rows->count == rows->cap) {
        size_t cap = rows->cap != 0 ? rows->cap * 2 : 64;
        sg_value *cells = sg_realloc(rows->cells, cap * sizeof *cells);
        if (cells == NULL || cap > (size_t)SG_LIST_ROWS_MAX * 32) {
            if (cells != NULL) rows->cells = cells;
            rows->err = cells == NULL ? SG_NOMEM : SG_LIMIT;
            return NULL;
        }
        rows->cells = cells;
        rows->cap = cap;
    }
    sg_value *v = &rows->cells[rows->count++];
    *v = (sg_value){.type = SG_NULL};
    return v;
}

void sg_rows_text(sg_rows *rows, sg_slice text)
{
    sg_value *v = cell(rows);
    if (v == NULL) return;
    v->type = SG_TEXT;
    v->bytes = sg_arena_copy(&rows->arena, text, &rows->err);
}

void sg_rows_int(sg_rows *rows, int64_t i)
{
    sg_value *v = cell(rows);
    if (v != NULL) *v = (sg_value){.type = SG_INT, .i = i};
}

void sg_rows_null(sg_rows *rows)
{
    (void)cell(rows);
}

void sg_rows_time(sg_rows *rows, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    size_t n = sg_time_format(at_us, text);
    sg_rows_text(rows, sg_slice_of(text, n));
}

void sg_rows_key(sg_rows *rows, sg_slice key)
{
    sg_value v;
    char uuid[36];
    if (!sg_key_single(key, &v, uuid)) {
        sg_buf json;
        sg_buf_init(&json, SG_TX_BYTES_MAX);
        int err = sg_key_to_json(key, &json);
        if (err == SG_OK)
            sg_rows_text(rows, sg_buf_view(&json));
        else
            rows->err = err;
        sg_buf_deinit(&json);
        return;
    }
    sg_value *out = cell(rows);
    if (out == NULL) return;
    *out = v;
    out->bytes = sg_arena_copy(&rows->arena, v.bytes, &rows->err);
}

int sg_listing_error(sqlite3_vtab *v, const sg_replica *r, int err)
{
    sqlite3_free(v->zErrMsg);
    v->zErrMsg = sqlite3_mprintf("sigla: %s", sg_replica_message(r, err));
    return sg_sql_code(err);
}

static void result_value(sqlite3_context *ctx, const sg_value *v)
{
    const char *bytes = v->bytes.n != 0 ? v->bytes.p : "";
    switch (v->type) {
    case SG_NULL:
        break;
    case SG_INT:
        sqlite3_result_int64(ctx, v->i);
        break;
    case SG_REAL:
        sqlite3_result_double(ctx, v->r);
        break;
    case SG_TEXT:
        sqlite3_result_text64(ctx, bytes, v->bytes.n, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case SG_BLOB:
        sqlite3_result_blob64(ctx, bytes, v->bytes.n, SQLITE_TRANSIENT);
        break;
    }
}

void sg_listing_key(sqlite3_context *ctx, sg_slice key)
{
    sg_value v;
    char uuid[36];
    sg_buf json;
    sg_buf_init(&json, SG_TX_BYTES_MAX);
    if (!sg_key_single(key, &v, uuid)) {
        int err = sg_key_to_json(key, &json);
        if (err != SG_OK) sqlite3_result_error_code(ctx, sg_sql_code(err));
        v = (sg_value){.type = SG_TEXT, .bytes = sg_buf_view(&json)};
    }
    result_value(ctx, &v);
    sg_buf_deinit(&json);
}

static int list_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    (void)argc, (void)argv, (void)message;
    const list_binding *binding = aux;
    int rc = sqlite3_declare_vtab(db, binding->list->schema);
    if (rc != SQLITE_OK) return rc;
    list_vtab *v = sqlite3_malloc(sizeof *v);
    if (v == NULL) return SQLITE_NOMEM;
    *v = (list_vtab){.r = binding->r, .list = binding->list};
    *out = &v->base;
    return SQLITE_OK;
}

static int list_disconnect(sqlite3_vtab *v)
{
    sqlite3_free(v);
    return SQLITE_OK;
}

/* Arguments are the hidden columns, handed over in order as far as they are given. */
static int list_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const sg_list *list = ((list_vtab *)base)->list;
    int at[SG_LIST_ARGS_MAX];
    for (int i = 0; i < list->args_max; i++)
        at[i] = -1;
    for (int i = 0; i < info->nConstraint; i++) {
        int arg = info->aConstraint[i].iColumn - list->columns;
        if (arg < 0 || arg >= list->args_max) continue;
        if (info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
        at[arg] = i;
    }
    int argc = 0;
    while (argc < list->args_max && at[argc] >= 0) {
        info->aConstraintUsage[at[argc]].argvIndex = argc + 1;
        info->aConstraintUsage[at[argc]].omit = 1;
        argc++;
    }
    info->idxNum = argc;
    info->estimatedCost = 1000;
    return SQLITE_OK;
}

static int list_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
    (void)v;
    list_cursor *c = sqlite3_malloc(sizeof *c);
    if (c == NULL) return SQLITE_NOMEM;
    *c = (list_cursor){0};
    sg_arena_init(&c->rows.arena);
    *out = &c->base;
    return SQLITE_OK;
}

static int list_close(sqlite3_vtab_cursor *base)
{
    list_cursor *c = (list_cursor *)base;
    sg_free(c->rows.cells);
    sg_arena_deinit(&c->rows.arena);
    sqlite3_free(c);
    return SQLITE_OK;
}

static int list_filter(sqlite3_vtab_cursor *base, int idx_num, const char *idx_str, int argc,
                       sqlite3_value **argv)
{
    (void)idx_num, (void)idx_str;
    list_cursor *c = (list_cursor *)base;
    list_vtab *v = (list_vtab *)base->pVtab;
    c->row = 0;
    c->rows.count = 0;
    c->rows.err = SG_OK;
    c->rows.columns = v->list->columns;
    sg_arena_reset(&c->rows.arena);
    v->r->message[0] = '\0';
    int err = v->list->fill(v->r, &c->rows, argc, argv);
    if (err == SG_OK) err = c->rows.err;
    return err == SG_OK ? SQLITE_OK : sg_listing_error(&v->base, v->r, err);
}

static int list_next(sqlite3_vtab_cursor *base)
{
    ((list_cursor *)base)->row++;
    return SQLITE_OK;
}

static int list_eof(sqlite3_vtab_cursor *base)
{
    const list_cursor *c = (const list_cursor *)base;
    return (c->row + 1) * (size_t)c->rows.columns > c->rows.count;
}

static int list_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
    const list_cursor *c = (const list_cursor *)base;
    if (i >= c->rows.columns) return SQLITE_OK;
    result_value(ctx, &c->rows.cells[c->row * (size_t)c->rows.columns + (size_t)i]);
    return SQLITE_OK;
}

static int list_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((list_cursor *)base)->row;
    return SQLITE_OK;
}

static const sqlite3_module list_module = {
    .xConnect = list_connect,
    .xBestIndex = list_best_index,
    .xDisconnect = list_disconnect,
    .xOpen = list_open,
    .xClose = list_close,
    .xFilter = list_filter,
    .xNext = list_next,
    .xEof = list_eof,
    .xColumn = list_column,
    .xRowid = list_rowid,
};

int sg_list_register(sg_replica *r, const sg_list *list)
{
    list_binding *binding = sg_alloc(sizeof *binding);
    if (binding == NULL) return SG_NOMEM;
    *binding = (list_binding){r, list};
    return sg_sql_error(
        sqlite3_create_module_v2(r->db, list->name, &list_module, binding, sg_free));
}
