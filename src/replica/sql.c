#include "replica/sql.h"

int sg_sql_error(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return SG_OK;
    case SQLITE_NOMEM:
        return SG_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SG_BUSY;
    case SQLITE_FULL:
        return SG_FULL;
    case SQLITE_INTERRUPT:
        return SG_INTERRUPTED;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return SG_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SG_CORRUPT;
    case SQLITE_TOOBIG:
        return SG_LIMIT;
    case SQLITE_CONSTRAINT:
        return SG_CONFLICT;
    default:
        return SG_INTERNAL;
    }
}

int sg_sql_code(int err)
{
    switch (err) {
    case SG_OK:
        return SQLITE_OK;
    case SG_NOMEM:
        return SQLITE_NOMEM;
    case SG_BUSY:
        return SQLITE_BUSY;
    case SG_FULL:
        return SQLITE_FULL;
    case SG_INTERRUPTED:
        return SQLITE_INTERRUPT;
    case SG_IO:
        return SQLITE_IOERR;
    case SG_CORRUPT:
        return SQLITE_CORRUPT;
    default:
        return SQLITE_ERROR;
    }
}

void sg_sql_exec(sqlite3 *db, const char *sql, int *err)
{
    if (*err == SG_OK) *err = sg_sql_error(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

void sg_sql_prepare(sqlite3 *db, sqlite3_stmt **stmt, const char *sql, int *err)
{
    if (*err != SG_OK || *stmt != NULL) return;
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    *err = sg_sql_error(rc);
}

bool sg_sql_row(sqlite3_stmt *stmt, int *err)
{
    if (*err != SG_OK) return false;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) return true;
    int end = sqlite3_reset(stmt);
    /* The reset knows more, but where preparing again has failed it knows an earlier try. */
    *err = sg_sql_error(rc);
    if (*err == SG_INTERNAL) *err = sg_sql_error(end);
    return false;
}

void sg_sql_done(sqlite3_stmt *stmt, int *err)
{
    while (sg_sql_row(stmt, err))
        continue;
}

void sg_sql_bind_text(sqlite3_stmt *stmt, int i, sg_slice text)
{
    sqlite3_bind_text64(stmt, i, text.n != 0 ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void sg_sql_bind_blob(sqlite3_stmt *stmt, int i, sg_slice bytes)
{
    if (bytes.n == 0)
        sqlite3_bind_zeroblob(stmt, i, 0);
    else
        sqlite3_bind_blob64(stmt, i, bytes.p, bytes.n, SQLITE_STATIC);
}

void sg_sql_bind_value(sqlite3_stmt *stmt, int i, const sg_value *v)
{
    switch (v->type) {
    case SG_NULL:
        sqlite3_bind_null(stmt, i);
        break;
    case SG_INT:
        sqlite3_bind_int64(stmt, i, v->i);
        break;
    case SG_REAL:
        sqlite3_bind_double(stmt, i, v->r);
        break;
    case SG_TEXT:
        sg_sql_bind_text(stmt, i, v->bytes);
        break;
    case SG_BLOB:
        sg_sql_bind_blob(stmt, i, v->bytes);
        break;
    }
}

sg_slice sg_sql_text(sqlite3_stmt *stmt, int col)
{
    const char *p = (const char *)sqlite3_column_text(stmt, col);
    return sg_slice_of(p, p != NULL ? (size_t)sqlite3_column_bytes(stmt, col) : 0);
}

sg_slice sg_sql_blob(sqlite3_stmt *stmt, int col)
{
    const char *p = sqlite3_column_blob(stmt, col);
    return sg_slice_of(p, p != NULL ? (size_t)sqlite3_column_bytes(stmt, col) : 0);
}

uint32_t sg_sql_u32(sqlite3_stmt *stmt, int col, int *err)
{
    int64_t v = sqlite3_column_int64(stmt, col);
    if (v >= 0 && v <= UINT32_MAX) return (uint32_t)v;
    if (*err == SG_OK) *err = SG_CORRUPT;
    return 0;
}

sg_value sg_sql_value(sqlite3_value *v)
{
    sg_value out = {.type = SG_NULL};
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        out.type = SG_INT;
        out.i = sqlite3_value_int64(v);
        break;
    case SQLITE_FLOAT:
        out.type = SG_REAL;
        out.r = sqlite3_value_double(v);
        break;
    case SQLITE_TEXT:
        out.type = SG_TEXT;
        out.bytes.p = (const char *)sqlite3_value_text(v);
        out.bytes.n = (size_t)sqlite3_value_bytes(v);
        break;
    case SQLITE_BLOB:
        out.type = SG_BLOB;
        out.bytes.p = sqlite3_value_blob(v);
        out.bytes.n = (size_t)sqlite3_value_bytes(v);
        break;
    default:
        break;
    }
    return out;
}

void sg_sql_ident(sg_buf *out, const char *name)
{
    sg_buf_byte(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') sg_buf_byte(out, '"');
        sg_buf_byte(out, (uint8_t)*name);
    }
    sg_buf_byte(out, '"');
}
