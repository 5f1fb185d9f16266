/* SQL with parameters in, rows as JSON out: db_exec of wasm_api.h. */
#include "wasm_api.h"

#include <sqlite3.h>

#include "base/err.h"
#include "wire/json.h"
#include "wire/value.h"

#define EXEC_TEXT_MAX ((size_t)64 << 20)  /* bytes of one request's or value's unescaped text */
#define EXEC_EXACT_MAX (INT64_C(1) << 53) /* integers up to it are exact as JavaScript numbers */

typedef struct request {
    sg_buf sql;
    sg_json params; /* inside the array, or at its end */
    bool has_params;
} request;

static int read_request(request *r, sg_slice text)
{
    sg_json j;
    sg_slice params = {NULL, 0};
    sg_json_init(&j, text);
    sg_json_object(&j);
    for (sg_slice key; sg_json_next_key(&j, &key);) {
        if (sg_slice_eq(key, SG_LIT("sql"))) {
            sg_json_unescape(sg_json_raw_string(&j), &r->sql);
        } else if (sg_slice_eq(key, SG_LIT("params"))) {
            params = sg_json_skip(&j);
        } else {
            sg_json_skip(&j);
        }
    }
    if (!sg_json_end(&j)) return j.err;
    if (params.n != 0) {
        sg_json_init(&r->params, params);
        r->has_params = sg_json_array(&r->params);
        if (!r->has_params) return SG_BADREQUEST;
    }
    return r->sql.err;
}

static int bind_value(sqlite3_stmt *stmt, int i, const sg_value *v)
{
    switch (v->type) {
    case SG_INT:
        return sqlite3_bind_int64(stmt, i, v->i);
    case SG_REAL:
        return sqlite3_bind_double(stmt, i, v->r);
    case SG_TEXT:
        return sqlite3_bind_text64(stmt, i, v->bytes.n != 0 ? v->bytes.p : "", v->bytes.n,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    case SG_BLOB:
        return sqlite3_bind_blob64(stmt, i, v->bytes.n != 0 ? v->bytes.p : "", v->bytes.n,
                                   SQLITE_TRANSIENT);
    case SG_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, i);
}

/* Give the statement as many of the parameters that are left as it takes. */
static int bind_params(sqlite3 *db, sqlite3_stmt *stmt, request *r)
{
    int rc = SG_OK;
    sg_buf scratch;
    sg_buf_init(&scratch, EXEC_TEXT_MAX);
    for (int i = 1; rc == SG_OK && i <= sqlite3_bind_parameter_count(stmt); i++) {
        sg_value v;
        if (!r->has_params || !sg_json_next(&r->params)) {
            rc = wasm_fail(SG_BADREQUEST, "there are fewer parameters than the SQL has places");
            break;
        }
        sg_buf_clear(&scratch);
        rc = sg_value_from_json(&v, sg_json_skip(&r->params), false, &scratch);
        if (rc != SG_OK) {
            wasm_fail(rc, sg_err_text(rc));
        } else if (bind_value(stmt, i, &v) != SQLITE_OK) {
            rc = wasm_fail(SG_BADVALUE, sqlite3_errmsg(db));
        }
    }
    sg_buf_deinit(&scratch);
    return rc;
}

static sg_value column_value(sqlite3_stmt *stmt, int c)
{
    sg_value v = {.type = SG_NULL};
    switch (sqlite3_column_type(stmt, c)) {
    case SQLITE_INTEGER:
        v.type = SG_INT;
        v.i = sqlite3_column_int64(stmt, c);
        break;
    case SQLITE_FLOAT:
        v.type = SG_REAL;
        v.r = sqlite3_column_double(stmt, c);
        break;
    case SQLITE_TEXT:
        v.type = SG_TEXT;
        v.bytes.p = (const char *)sqlite3_column_text(stmt, c);
        break;
    case SQLITE_BLOB:
        v.type = SG_BLOB;
        v.bytes.p = sqlite3_column_blob(stmt, c);
        break;
    default:
        return v;
    }
    v.bytes.n = v.bytes.p != NULL ? (size_t)sqlite3_column_bytes(stmt, c) : 0;
    return v;
}

static void write_value(sg_jsonw *w, const sg_value *v, sg_buf *scratch)
{
    sg_buf_clear(scratch);
    if (v->type == SG_INT && (v->i > EXEC_EXACT_MAX || v->i < -EXEC_EXACT_MAX)) {
        sg_buf_str(scratch, "{\"$int\":\"");
        sg_buf_int(scratch, v->i);
        sg_buf_str(scratch, "\"}");
    } else {
        sg_value_to_json(scratch, v, false);
    }
    if (scratch->err == SG_OK) {
        sg_jsonw_raw(w, sg_buf_view(scratch));
    } else if (w->out->err == SG_OK) {
        w->out->err = scratch->err;
    }
}

static void write_columns(sg_jsonw *w, sqlite3_stmt *stmt)
{
    sg_jsonw_k(w, "columns");
    sg_jsonw_array(w);
    for (int c = 0; c < sqlite3_column_count(stmt); c++) {
        sg_jsonw_string(w, sg_slice_str(sqlite3_column_name(stmt, c)));
    }
    sg_jsonw_array_end(w);
}

/* Step to the end; every row goes to the result. Returns SQLite's code. */
static int write_rows(sg_jsonw *w, sqlite3_stmt *stmt)
{
    int rc;
    sg_buf scratch;
    sg_buf_init(&scratch, WASM_RESULT_MAX);
    sg_jsonw_k(w, "rows");
    sg_jsonw_array(w);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && w->out->err == SG_OK) {
        sg_jsonw_array(w);
        for (int c = 0; c < sqlite3_column_count(stmt); c++) {
            sg_value v = column_value(stmt, c);
            write_value(w, &v, &scratch);
        }
        sg_jsonw_array_end(w);
    }
    sg_jsonw_array_end(w);
    sg_buf_deinit(&scratch);
    return rc;
}

static int run_statement(sqlite3 *db, sqlite3_stmt *stmt, request *r)
{
    sg_jsonw w;
    int rc = bind_params(db, stmt, r);
    if (rc != SG_OK) return rc;
    sg_jsonw_init(&w, wasm_result());
    sg_jsonw_object(&w);
    write_columns(&w, stmt);
    rc = write_rows(&w, stmt);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) return wasm_fail(SG_MISUSE, sqlite3_errmsg(db));
    sg_jsonw_kint(&w, "changes", sqlite3_changes64(db));
    sg_jsonw_object_end(&w);
    return wasm_done(SG_OK);
}

static int run_all(sqlite3 *db, request *r)
{
    int rc = SG_OK;
    const char *rest = sg_buf_cstr(&r->sql);
    while (rc == SG_OK && rest != NULL && rest[0] != '\0') {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(db, rest, -1, &stmt, &rest) != SQLITE_OK) {
            return wasm_fail(SG_MISUSE, sqlite3_errmsg(db));
        }
        if (stmt != NULL) rc = run_statement(db, stmt, r);
        sqlite3_finalize(stmt);
    }
    return rc;
}

int db_exec(struct sqlite3 *db, const char *text)
{
    request r = {.has_params = false};
    int rc;
    sg_buf_init(&r.sql, EXEC_TEXT_MAX);
    sg_buf_str(wasm_result(), "{\"columns\":[],\"rows\":[],\"changes\":0}");
    rc = read_request(&r, sg_slice_str(text));
    rc = rc == SG_OK ? run_all(db, &r) : wasm_fail(rc, "the request is not {\"sql\",\"params\"}");
    sg_buf_deinit(&r.sql);
    return rc;
}
