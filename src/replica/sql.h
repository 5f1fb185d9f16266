/*
 * SQLite's API, direct or through the table of the program that loaded the extension, and the few
 * calls the replica makes of it all the time.
 *
 * Errors: every helper latches into an int *err (enum sg_err) and does nothing once it is set, so
 * that a storage routine is a list of steps and one check (the manner of SQLite's own session
 * module). SQLite's text for an error stays in the connection; see sg_sql_error.
 */
#ifndef SG_SQL_H
#define SG_SQL_H

#ifdef SIGLA_LOADABLE
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

#include "base/buf.h"
#include "base/slice.h"
#include "wire/value.h"

/* Our code for SQLite's. */
int sg_sql_error(int sqlite_code);
/* SQLite's code for ours, to hand an error back to it. */
int sg_sql_code(int err);
/* Run statements that give no rows. */
void sg_sql_exec(sqlite3 *db, const char *sql, int *err);
/* Prepare *stmt if it is NULL; it is the caller's to finalize. Reset and unbound. */
void sg_sql_prepare(sqlite3 *db, sqlite3_stmt **stmt, const char *sql, int *err);
/* Step: true on a row. At the end, and on an error, the statement is reset. */
bool sg_sql_row(sqlite3_stmt *stmt, int *err);
/* Step to the end. */
void sg_sql_done(sqlite3_stmt *stmt, int *err);
void sg_sql_bind_text(sqlite3_stmt *stmt, int i, sg_slice text);
void sg_sql_bind_blob(sqlite3_stmt *stmt, int i, sg_slice bytes);
void sg_sql_bind_value(sqlite3_stmt *stmt, int i, const sg_value *v);
/* Borrowed until the statement moves on. */
sg_slice sg_sql_text(sqlite3_stmt *stmt, int col);
sg_slice sg_sql_blob(sqlite3_stmt *stmt, int col);
/* A number of ours for a name, client, actor, table or app; SG_CORRUPT if it cannot be one. */
uint32_t sg_sql_u32(sqlite3_stmt *stmt, int col, int *err);
sg_value sg_sql_value(sqlite3_value *v);
/* "name" with its quotes doubled. */
void sg_sql_ident(sg_buf *out, const char *name);

#endif
