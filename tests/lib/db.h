/*
 * Databases for the tests of the replica: files in a directory of the test's own, and SQL with the
 * answer it must give written beside it.
 *
 * Functions fail the running cmocka test, at the caller's line, when something goes wrong that is
 * not the point. Formats are those of sqlite3_mprintf (%Q quotes a text, %w a name).
 */
#ifndef SG_TESTS_DB_H
#define SG_TESTS_DB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sqlite3.h>

/* A directory with one database, open, Sigla registered, on a clock that the test turns. */
typedef struct db_fixture {
    char dir[64];
    char path[80]; /* of the database */
    sqlite3 *db;
    int64_t now_us; /* what db's clock says; each look adds a microsecond */
} db_fixture;

/* For cmocka's setup and teardown: *state is a db_fixture *. The teardown closes db, if it is not
 * NULL, and fails if anything of it is still open. */
int db_setup(void **state);
int db_teardown(void **state);

#define DB_EPOCH_US INT64_C(1700000000000000) /* where the clock of a fixture begins */

/* Connections of a test's own; the fixture's clock is given to them as well. */
#define db_open(f) db_open_at(f, (f)->path, true, __FILE__, __LINE__)
#define db_open_plain(f) db_open_at(f, (f)->path, false, __FILE__, __LINE__)
#define db_open_file(f, path) db_open_at(f, path, true, __FILE__, __LINE__)
#define db_close(db) db_close_at(db, __FILE__, __LINE__)
/* "dir/name" of the fixture; freed by sqlite3_free. */
char *db_path(const db_fixture *f, const char *name);

/* Run statements that must succeed. */
#define db_exec(db, ...) db_exec_at(db, __FILE__, __LINE__, __VA_ARGS__)
/* Run statements that must fail with that result code (primary or extended; 0: any). */
#define db_fails(db, code, ...) db_fails_at(db, code, NULL, __FILE__, __LINE__, __VA_ARGS__)
/* The same, and the message must hold that text. */
#define db_refuses(db, part, ...) db_fails_at(db, 0, part, __FILE__, __LINE__, __VA_ARGS__)
/* Run statements; the result code. */
int db_try(sqlite3 *db, const char *sql);

/* The rows a query gives: columns joined by '|', rows by '\n'; values as SQLite's quote() writes
 * them, but text plain. */
#define db_expect(db, rows, ...) db_expect_at(db, rows, __FILE__, __LINE__, __VA_ARGS__)
/* The same text, freed by sqlite3_free. */
#define db_rows(db, ...) db_rows_at(db, __FILE__, __LINE__, __VA_ARGS__)
#define db_int(db, ...) db_int_at(db, __FILE__, __LINE__, __VA_ARGS__)

/* What is pending: op|table|key|fields by number. */
#define db_pending(db, rows)                                                                       \
    db_expect(db, rows, "SELECT op,\"table\",key,fields FROM sigla_pending() ORDER BY n")
/* Forget what is pending, as if a server had taken it all. */
#define db_taken(db) db_taken_at(db, __FILE__, __LINE__)

sqlite3 *db_open_at(db_fixture *f, const char *path, bool sigla, const char *file, int line);
void db_close_at(sqlite3 *db, const char *file, int line);
void db_exec_at(sqlite3 *db, const char *file, int line, const char *format, ...);
void db_fails_at(sqlite3 *db, int code, const char *part, const char *file, int line,
                 const char *format, ...);
void db_expect_at(sqlite3 *db, const char *rows, const char *file, int line, const char *format,
                  ...);
char *db_rows_at(sqlite3 *db, const char *file, int line, const char *format, ...);
int64_t db_int_at(sqlite3 *db, const char *file, int line, const char *format, ...);
void db_taken_at(sqlite3 *db, const char *file, int line);

#endif
