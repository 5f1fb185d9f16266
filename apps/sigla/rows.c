#include "rows.h"

#include "base/mem.h"
#include "cli.h"
#include "file.h"
#include "show.h"
#include "term.h"
#include "wire/json.h"
#include "wire/value.h"

#define BLOB_SHOWN 16 /* bytes of a blob that a table shows */

static sg_slice text_of(sqlite3_stmt *stmt, int col)
{
    const void *p = sqlite3_column_blob(stmt, col);
    return sg_slice_of(p, (size_t)sqlite3_column_bytes(stmt, col));
}

static sg_value value_of(sqlite3_stmt *stmt, int col)
{
    sg_value v = {0};
    switch (sqlite3_column_type(stmt, col)) {
    case SQLITE_INTEGER:
        v.type = SG_INT;
        v.i = sqlite3_column_int64(stmt, col);
        break;
    case SQLITE_FLOAT:
        v.type = SG_REAL;
        v.r = sqlite3_column_double(stmt, col);
        break;
    case SQLITE_TEXT:
        v.type = SG_TEXT;
        v.bytes = text_of(stmt, col);
        break;
    case SQLITE_BLOB:
        v.type = SG_BLOB;
        v.bytes = text_of(stmt, col);
        break;
    default:
        v.type = SG_NULL;
    }
    return v;
}

static bool is_json(sg_slice text)
{
    sg_json j;
    sg_json_init(&j, text);
    (void)sg_json_skip(&j);
    return sg_json_end(&j);
}

/* ---- JSON ---- */

static void write_member(sg_jsonw *w, sqlite3_stmt *stmt, int i, const sg_col *col)
{
    bool null = sqlite3_column_type(stmt, i) == SQLITE_NULL;
    sg_value v = value_of(stmt, i);
    sg_jsonw_key(w, sg_slice_str(col->name));
    if (!null && col->kind == SG_COL_BOOL) {
        sg_jsonw_bool(w, v.i != 0);
        return;
    }
    bool raw = col->kind == SG_COL_JSON || col->kind == SG_COL_FIELDS || col->kind == SG_COL_ACTOR;
    if (raw && v.type == SG_TEXT && is_json(v.bytes)) {
        sg_jsonw_raw(w, v.bytes);
        return;
    }
    sg_buf value;
    sg_buf_init(&value, w->out->max);
    sg_value_to_json(&value, &v, false);
    sg_jsonw_raw(w, sg_buf_view(&value));
    if (value.err != SG_OK && w->out->err == SG_OK) w->out->err = value.err;
    sg_buf_deinit(&value);
}

static int write_json_row(sqlite3_stmt *stmt, const sg_col *cols, size_t n, bool first)
{
    sg_buf line;
    sg_jsonw w;
    sg_buf_init(&line, SG_GRID_BYTES);
    sg_buf_str(&line, first ? "[\n" : ",\n");
    sg_jsonw_init(&w, &line);
    sg_jsonw_object(&w);
    for (size_t c = 0; c < n; c++)
        if (cols[c].name != NULL) write_member(&w, stmt, (int)c, &cols[c]);
    sg_jsonw_object_end(&w);
    int err = line.err;
    if (err == SG_OK) sg_out(sg_buf_view(&line));
    sg_buf_deinit(&line);
    return err;
}

static int print_json(sqlite3_stmt *stmt, const sg_col *cols, size_t n, int *code, int64_t *rows)
{
    int err = SG_OK;
    while (err == SG_OK && (*code = sqlite3_step(stmt)) == SQLITE_ROW)
        err = write_json_row(stmt, cols, n, (*rows)++ == 0);
    sg_out(*rows == 0 ? SG_LIT("[]\n") : SG_LIT("\n]\n"));
    return err;
}

/* ---- tables ---- */

static void show_blob(sg_buf *out, sg_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    sg_buf_str(out, "x'");
    for (size_t i = 0; i < bytes.n && i < BLOB_SHOWN; i++) {
        sg_buf_byte(out, (uint8_t)digits[(uint8_t)bytes.p[i] >> 4]);
        sg_buf_byte(out, (uint8_t)digits[(uint8_t)bytes.p[i] & 15]);
    }
    if (bytes.n <= BLOB_SHOWN) {
        sg_buf_byte(out, '\'');
        return;
    }
    sg_buf_str(out, "…' (");
    sg_buf_int(out, (int64_t)bytes.n);
    sg_buf_str(out, " bytes)");
}

static void show_cell(sg_buf *out, sqlite3_stmt *stmt, int i, enum sg_col_kind kind)
{
    sg_value v = value_of(stmt, i);
    if (v.type == SG_NULL) return;
    if (kind == SG_COL_BOOL) {
        sg_buf_str(out, v.i != 0 ? "yes" : "no");
    } else if (v.type == SG_BLOB) {
        show_blob(out, v.bytes);
    } else if (kind == SG_COL_ANY || v.type != SG_TEXT) {
        sg_buf_slice(out, sg_slice_of((const char *)sqlite3_column_text(stmt, i),
                                      (size_t)sqlite3_column_bytes(stmt, i)));
    } else if (kind == SG_COL_TIME) {
        sg_show_time(out, v.bytes);
    } else if (!is_json(v.bytes)) {
        sg_buf_slice(out, v.bytes);
    } else if (kind == SG_COL_ACTOR) {
        sg_show_actor(out, v.bytes);
    } else if (kind == SG_COL_FIELDS) {
        sg_show_fields(out, v.bytes);
    } else {
        sg_show_value(out, v.bytes);
    }
}

static void write_out(void *ctx, sg_slice text)
{
    (void)ctx;
    sg_out(text);
}

static int show_row(sg_grid *g, sqlite3_stmt *stmt, const sg_col *cols, size_t n)
{
    sg_buf cell;
    sg_buf_init(&cell, SG_GRID_BYTES);
    for (size_t c = 0; c < n; c++) {
        if (cols[c].title == NULL) continue;
        show_cell(&cell, stmt, (int)c, cols[c].kind);
        sg_grid_cell(g, sg_buf_view(&cell));
        if (cell.err != SG_OK) break;
        sg_buf_clear(&cell);
    }
    int err = cell.err != SG_OK ? cell.err : g->err;
    sg_buf_deinit(&cell);
    return err;
}

static int print_table(sqlite3_stmt *stmt, const sg_col *cols, size_t n, int *code, int64_t *rows)
{
    size_t shown = 0;
    sg_grid_column *columns = sg_alloc(n * sizeof *columns);
    if (columns == NULL) return SG_NOMEM;
    for (size_t c = 0; c < n; c++)
        if (cols[c].title != NULL)
            columns[shown++] =
                (sg_grid_column){cols[c].title, cols[c].right, cols[c].keep, cols[c].style};
    sg_grid grid;
    const sg_term *term = sg_term_get();
    sg_grid_init(&grid, columns, shown, term->out_width, term->out_colour, write_out, NULL);
    int err = grid.err;
    for (; err == SG_OK && (*code = sqlite3_step(stmt)) == SQLITE_ROW; (*rows)++)
        err = show_row(&grid, stmt, cols, n);
    int at_end = sg_grid_end(&grid);
    sg_free(columns);
    return err != SG_OK ? err : at_end;
}

int sg_rows_print(sqlite3 *db, sqlite3_stmt *stmt, const sg_col *cols, size_t n, bool json,
                  const char *doing, int64_t *count)
{
    int64_t rows = 0;
    int code = SQLITE_DONE;
    int err = (json ? print_json : print_table)(stmt, cols, n, &code, &rows);
    if (count != NULL) *count = rows;
    if (err != SG_OK) return sg_fail(sg_exit_of(err), "%s: %s", doing, sg_err_text(err));
    return code == SQLITE_DONE ? SG_EXIT_OK : sg_file_fail(db, doing);
}

int sg_rows_query(sqlite3 *db, const char *sql, const char *first, const char *second,
                  const sg_col *cols, size_t n, bool json, const char *doing, const char *none)
{
    int exit_code = SG_EXIT_OK;
    int64_t rows = 0;
    sqlite3_stmt *stmt = sg_file_prepare(db, sql, doing, &exit_code);
    if (stmt == NULL) return exit_code;
    int words = sqlite3_bind_parameter_count(stmt);
    if (words > 0) sg_file_bind_word(stmt, 1, first);
    if (words > 1) sg_file_bind_word(stmt, 2, second);
    exit_code = sg_rows_print(db, stmt, cols, n, json, doing, &rows);
    (void)sqlite3_finalize(stmt);
    if (exit_code == SG_EXIT_OK && rows == 0 && !json) sg_say("%s", none);
    return exit_code;
}
