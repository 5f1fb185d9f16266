/* Statements over the directory's tables, in the words of whoever asks. */
#include "store/sqlite_conn.h"

/* Parameters are numbered in the order in which they are first named, which has to be $1, $2 …. */
static bool takes(sqlite3_stmt *s, size_t count)
{
    if (count > SG_CELLS_MAX || sqlite3_bind_parameter_count(s) != (int)count) return false;
    for (int i = 1; i <= (int)count; i++) {
        const char *name = sqlite3_bind_parameter_name(s, i);
        bool good = name != NULL && name[0] == '$' &&
                    (i < 10 ? name[1] == '0' + i && name[2] == '\0'
                            : name[1] == '1' && name[2] == '0' + i - 10 && name[3] == '\0');
        if (!good) return false;
    }
    return sqlite3_column_count(s) <= (int)SG_CELLS_MAX;
}

/* The place of a statement: its own, a free one, or that of one that has to go. */
static sg_sqlite_kept *place_of(sg_sqlite *c, const char *text)
{
    sg_sqlite_kept *free_place = NULL;
    for (size_t i = 0; i < SG_STATEMENTS_MAX; i++) {
        if (c->kept[i].text == text) return &c->kept[i];
        if (c->kept[i].text == NULL && free_place == NULL) free_place = &c->kept[i];
    }
    if (free_place != NULL) return free_place;
    return &c->kept[c->kept_next++ % SG_STATEMENTS_MAX];
}

static sqlite3_stmt *prepare(sg_sqlite *c, const sg_sql *sql, int *err)
{
    sg_sqlite_kept *k = place_of(c, sql->text);
    if (k->text == sql->text) return k->s;
    (void)sqlite3_finalize(k->s);
    *k = (sg_sqlite_kept){NULL, NULL};
    *err = sg_sqlite_error(
        sqlite3_prepare_v3(c->db, sql->text, -1, SQLITE_PREPARE_PERSISTENT, &k->s, NULL));
    if (*err == SG_OK && (k->s == NULL || !takes(k->s, sql->count))) *err = SG_INTERNAL;
    if (*err == SG_OK) {
        k->text = sql->text;
        return k->s;
    }
    (void)sqlite3_finalize(k->s);
    k->s = NULL;
    return NULL;
}

static void bind(sqlite3_stmt *s, int i, const sg_cell *cell)
{
    if (cell->type == SG_CELL_INT)
        (void)sqlite3_bind_int64(s, i, cell->i);
    else if (cell->type == SG_CELL_TEXT)
        sg_sqlite_bind_text(s, i, cell->s);
    else if (cell->type == SG_CELL_BLOB)
        sg_sqlite_bind_blob(s, i, cell->s);
    else
        (void)sqlite3_bind_null(s, i);
}

/* No column of these tables is a REAL. */
static sg_cell read_cell(sqlite3_stmt *s, int column, int *err)
{
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        return sg_cell_int(sqlite3_column_int64(s, column));
    case SQLITE_TEXT:
        return sg_cell_text(sg_sqlite_text(s, column));
    case SQLITE_BLOB:
        return sg_cell_blob(sg_sqlite_blob(s, column));
    case SQLITE_NULL:
        return (sg_cell){0};
    default:
        *err = SG_CORRUPT;
        return (sg_cell){0};
    }
}

/* False: no more rows are wanted. */
static bool hand_out(sqlite3_stmt *s, sg_row_fn *fn, void *ctx, int *err)
{
    sg_cell cells[SG_CELLS_MAX];
    int n = sqlite3_column_count(s);
    for (int i = 0; i < n; i++)
        cells[i] = read_cell(s, i, err);
    return *err == SG_OK && fn != NULL && fn(ctx, cells, (size_t)n);
}

/* `whole`: go on to the end, whether rows are wanted or not. */
static int run(sg_sqlite *c, const sg_sql *sql, bool whole, sg_row_fn *fn, void *ctx)
{
    int err = SG_OK;
    sqlite3_stmt *s = prepare(c, sql, &err);
    if (s == NULL) return err;
    (void)sqlite3_reset(s);
    for (size_t i = 0; i < sql->count; i++)
        bind(s, (int)i + 1, &sql->params[i]);
    int code;
    bool wanted = true;
    while ((wanted || whole) && err == SG_OK && (code = sqlite3_step(s)) != SQLITE_DONE) {
        err = (code & 0xff) == SQLITE_CONSTRAINT ? SG_CONFLICT : sg_sqlite_error(code);
        if (err == SG_OK && wanted) wanted = hand_out(s, fn, ctx, &err);
    }
    (void)sqlite3_reset(s);
    /* Nothing that was lent to it may outlive this call. */
    (void)sqlite3_clear_bindings(s);
    return err;
}

int sg_sqlite_execute(sg_writer *w, const sg_sql *sql, sg_row_fn *fn, void *ctx)
{
    return run(&w->conn, sql, true, fn, ctx);
}

int sg_sqlite_query(sg_view *v, const sg_sql *sql, sg_row_fn *fn, void *ctx)
{
    return run(v->conn, sql, false, fn, ctx);
}

void sg_sqlite_kept_deinit(sg_sqlite *c)
{
    for (size_t i = 0; i < SG_STATEMENTS_MAX; i++) {
        (void)sqlite3_finalize(c->kept[i].s);
        c->kept[i] = (sg_sqlite_kept){NULL, NULL};
    }
}
