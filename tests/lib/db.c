#include "lib/db.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sigla.h"

static int64_t look(void *ctx)
{
    return ++*(int64_t *)ctx;
}

static void fail_at(const char *file, int line, sqlite3 *db, const char *sql, const char *what)
{
    print_error("%s\n%s: %s\n", sql, what, db != NULL ? sqlite3_errmsg(db) : "");
    _fail(file, line);
}

sqlite3 *db_open_at(db_fixture *f, const char *path, bool sigla, const char *file, int line)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK) fail_at(file, line, db, path, "open");
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, 10000);
    if (!sigla) return db;
    int err = sigla_register(db);
    if (err == SIGLA_OK) err = sigla_set_clock(db, look, &f->now_us);
    if (err != SIGLA_OK) fail_at(file, line, db, path, sigla_error_text(err));
    return db;
}

void db_close_at(sqlite3 *db, const char *file, int line)
{
    int rc = sqlite3_close(db);
    if (rc == SQLITE_OK) return;
    sqlite3_stmt *s = sqlite3_next_stmt(db, NULL);
    fail_at(file, line, db, s != NULL ? sqlite3_sql(s) : "", "close");
}

char *db_path(const db_fixture *f, const char *name)
{
    return sqlite3_mprintf("%s/%s", f->dir, name);
}

int db_setup(void **state)
{
    db_fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    const char *tmp = getenv("TMPDIR");
    if (tmp == NULL || strlen(tmp) > 30) tmp = "/tmp";
    sqlite3_snprintf(sizeof f->dir, f->dir, "%s/sigla-test-XXXXXX", tmp);
    if (mkdtemp(f->dir) == NULL) return -1;
    sqlite3_snprintf(sizeof f->path, f->path, "%s/a.db", f->dir);
    f->now_us = DB_EPOCH_US;
    *state = f;
    f->db = db_open(f);
    return 0;
}

static void remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e = NULL; d != NULL && (e = readdir(d)) != NULL;) {
        char *path = sqlite3_mprintf("%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.') (void)unlink(path);
        sqlite3_free(path);
    }
    if (d != NULL) closedir(d);
    (void)rmdir(dir);
}

int db_teardown(void **state)
{
    db_fixture *f = *state;
    int rc = f->db != NULL ? sqlite3_close(f->db) : SQLITE_OK;
    if (rc != SQLITE_OK) {
        sqlite3_stmt *s = sqlite3_next_stmt(f->db, NULL);
        print_error("still open: %s\n", s != NULL ? sqlite3_sql(s) : sqlite3_errmsg(f->db));
    }
    remove_dir(f->dir);
    free(f);
    return rc == SQLITE_OK ? 0 : -1;
}

/* ---- statements ---- */

int db_try(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

#define FORMAT(sql, format)                                                                        \
    va_list args;                                                                                  \
    va_start(args, format);                                                                        \
    char *sql = sqlite3_vmprintf(format, args);                                                    \
    va_end(args)

void db_exec_at(sqlite3 *db, const char *file, int line, const char *format, ...)
{
    FORMAT(sql, format);
    if (db_try(db, sql) != SQLITE_OK) fail_at(file, line, db, sql, "failed");
    sqlite3_free(sql);
}

void db_fails_at(sqlite3 *db, int code, const char *part, const char *file, int line,
                 const char *format, ...)
{
    FORMAT(sql, format);
    int rc = db_try(db, sql);
    if (rc == SQLITE_OK) fail_at(file, line, NULL, sql, "must fail");
    if (code != 0 && rc != code && (rc & 0xff) != code)
        fail_at(file, line, db, sql, sqlite3_mprintf("code %d, not %d", rc, code));
    if (part != NULL && strstr(sqlite3_errmsg(db), part) == NULL)
        fail_at(file, line, db, sql, sqlite3_mprintf("the message lacks \"%s\"", part));
    sqlite3_free(sql);
}

static void put_value(sqlite3_str *out, sqlite3_value *v)
{
    const unsigned char *blob;
    switch (sqlite3_value_type(v)) {
    case SQLITE_NULL:
        sqlite3_str_appendall(out, "NULL");
        break;
    case SQLITE_INTEGER:
        sqlite3_str_appendf(out, "%lld", sqlite3_value_int64(v));
        break;
    case SQLITE_FLOAT:
        sqlite3_str_appendf(out, "%!.17g", sqlite3_value_double(v));
        break;
    case SQLITE_TEXT:
        sqlite3_str_append(out, (const char *)sqlite3_value_text(v), sqlite3_value_bytes(v));
        break;
    default:
        blob = sqlite3_value_blob(v);
        sqlite3_str_appendall(out, "x'");
        for (int i = 0; i < sqlite3_value_bytes(v); i++)
            sqlite3_str_appendf(out, "%02x", blob[i]);
        sqlite3_str_appendchar(out, 1, '\'');
    }
}

static char *rows_of(sqlite3 *db, const char *sql, const char *file, int line)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_at(file, line, db, sql, "cannot be prepared");
    sqlite3_str *out = sqlite3_str_new(NULL);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (sqlite3_str_length(out) != 0) sqlite3_str_appendchar(out, 1, '\n');
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            if (i != 0) sqlite3_str_appendchar(out, 1, '|');
            put_value(out, sqlite3_column_value(s, i));
        }
    }
    if (rc != SQLITE_DONE) fail_at(file, line, db, sql, "failed");
    sqlite3_finalize(s);
    char *text = sqlite3_str_finish(out);
    return text != NULL ? text : sqlite3_mprintf("");
}

char *db_rows_at(sqlite3 *db, const char *file, int line, const char *format, ...)
{
    FORMAT(sql, format);
    char *rows = rows_of(db, sql, file, line);
    sqlite3_free(sql);
    return rows;
}

void db_expect_at(sqlite3 *db, const char *rows, const char *file, int line, const char *format,
                  ...)
{
    FORMAT(sql, format);
    char *have = rows_of(db, sql, file, line);
    if (strcmp(have, rows) != 0) {
        print_error("%s\ngives    %s\nnot      %s\n", sql, have, rows);
        _fail(file, line);
    }
    sqlite3_free(have);
    sqlite3_free(sql);
}

int64_t db_int_at(sqlite3 *db, const char *file, int line, const char *format, ...)
{
    FORMAT(sql, format);
    char *rows = rows_of(db, sql, file, line);
    int64_t v = strtoll(rows, NULL, 10);
    sqlite3_free(rows);
    sqlite3_free(sql);
    return v;
}

void db_taken_at(sqlite3 *db, const char *file, int line)
{
    if (db_try(db, "UPDATE sigla_app SET settled=(SELECT coalesce(max(n+cnt-1),settled) FROM "
                   "sigla_outbox)") != SQLITE_OK)
        fail_at(file, line, db, "sigla_app", "cannot be settled");
}
