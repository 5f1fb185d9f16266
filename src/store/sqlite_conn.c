#include "store/sqlite_conn.h"

#include <string.h>

#define SQL(name, sql) sql,
static const char *const statements[] = {SG_SQLITE_STATEMENTS(SQL)};
#undef SQL

#define BUSY_TIMEOUT_MS 5000

/* Damage is reported, not trusted; a commit is on the disk when it returns (L1). */
static const char pragmas[] = "PRAGMA synchronous = FULL;"
                              "PRAGMA temp_store = MEMORY;"
                              "PRAGMA cell_size_check = ON;"
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA journal_size_limit = 67108864;"
                              "PRAGMA wal_autocheckpoint = 8000;"
                              "PRAGMA cache_size = -65536;";

int sg_sqlite_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return SG_OK;
    case SQLITE_NOMEM:
        return SG_NOMEM;
    case SQLITE_FULL:
        return SG_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SG_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return SG_CORRUPT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return SG_IO;
    case SQLITE_INTERRUPT:
        return SG_INTERRUPTED;
    case SQLITE_TOOBIG:
        return SG_LIMIT;
    default:
        return SG_INTERNAL;
    }
}

int sg_sqlite_connect(sg_sqlite *c, const char *path)
{
    *c = (sg_sqlite){0};
    sg_text_cache_init(&c->texts);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int err = sg_sqlite_error(sqlite3_open_v2(path, &c->db, flags, NULL));
    if (err == SG_OK) err = sg_sqlite_error(sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS));
    sg_sqlite_exec(c, pragmas, &err);
    if (err != SG_OK) sg_sqlite_disconnect(c);
    return err;
}

void sg_sqlite_disconnect(sg_sqlite *c)
{
    for (size_t i = 0; i < SG_SQLITE_COUNT; i++)
        (void)sqlite3_finalize(c->statements[i]);
    sg_sqlite_kept_deinit(c);
    (void)sqlite3_close(c->db);
    sg_text_cache_deinit(&c->texts);
    *c = (sg_sqlite){0};
}

void sg_sqlite_exec(sg_sqlite *c, const char *sql, int *err)
{
    if (*err == SG_OK) *err = sg_sqlite_error(sqlite3_exec(c->db, sql, NULL, NULL, NULL));
}

sqlite3_stmt *sg_sqlite_use(sg_sqlite *c, enum sg_sqlite_statement which, int *err)
{
    if (*err != SG_OK) return NULL;
    sqlite3_stmt **s = &c->statements[which];
    if (*s == NULL)
        *err = sg_sqlite_error(
            sqlite3_prepare_v3(c->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL));
    else if (sqlite3_stmt_busy(*s))
        (void)sqlite3_reset(*s); /* left standing on a row whose columns were borrowed */
    return *err == SG_OK ? *s : NULL;
}

bool sg_sqlite_row(sqlite3_stmt *s, int *err)
{
    if (*err != SG_OK || s == NULL) return false;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) return true;
    *err = sg_sqlite_error(code);
    (void)sqlite3_reset(s);
    return false;
}

void sg_sqlite_done(sqlite3_stmt *s, int *err)
{
    while (sg_sqlite_row(s, err)) {
    }
}

void sg_sqlite_run(sg_sqlite *c, enum sg_sqlite_statement which, int *err)
{
    sg_sqlite_done(sg_sqlite_use(c, which, err), err);
}

/* SQLite takes a NULL pointer for NULL, not for an empty text. */
static const char *never_null(sg_slice s)
{
    return s.p != NULL ? s.p : "";
}

void sg_sqlite_bind_text(sqlite3_stmt *s, int i, sg_slice text)
{
    if (s != NULL)
        (void)sqlite3_bind_text64(s, i, never_null(text), text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void sg_sqlite_bind_blob(sqlite3_stmt *s, int i, sg_slice bytes)
{
    if (s != NULL) (void)sqlite3_bind_blob64(s, i, never_null(bytes), bytes.n, SQLITE_STATIC);
}

sg_slice sg_sqlite_text(sqlite3_stmt *s, int column)
{
    const char *p = (const char *)sqlite3_column_text(s, column);
    return p != NULL ? sg_slice_of(p, (size_t)sqlite3_column_bytes(s, column)) : SG_LIT("");
}

sg_slice sg_sqlite_blob(sqlite3_stmt *s, int column)
{
    const char *p = sqlite3_column_blob(s, column);
    return p != NULL ? sg_slice_of(p, (size_t)sqlite3_column_bytes(s, column)) : SG_LIT("");
}

uint32_t sg_sqlite_u32(sqlite3_stmt *s, int column, int *err)
{
    int64_t v = sqlite3_column_int64(s, column);
    if (v >= 0 && v <= UINT32_MAX) return (uint32_t)v;
    if (*err == SG_OK) *err = SG_CORRUPT;
    return 0;
}

int64_t sg_sqlite_count(sqlite3_stmt *s, int column, int *err)
{
    int64_t v = sqlite3_column_int64(s, column);
    if (v >= 0 && v <= INT64_MAX / 2) return v;
    if (*err == SG_OK) *err = SG_CORRUPT;
    return 0;
}
