/*
 * The database file a verb works on: opened with Sigla registered, its errors said in plain words.
 */
#ifndef SG_FILE_H
#define SG_FILE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/buf.h"

#define SG_FILE_BUSY_MS 5000                /* how long another program's lock is waited for */
#define SG_FILE_TEXT_MAX ((size_t)64 << 20) /* bytes of a result taken as text */

/* SQL for the key that a word of the command line (?2) means in the table ?1: the text, or the number
 * where the column's type does not say which and only that record is known. */
#define SG_FILE_KEY                                                                                \
    "coalesce((SELECT k.column1 FROM (VALUES (?2), (CAST(?2 AS NUMERIC))) k"                       \
    " WHERE CAST(k.column1 AS TEXT) = ?2 AND EXISTS (SELECT 1 FROM"                                \
    " sigla_marks(?1, iif(CAST(k.column1 AS TEXT) = ?2, k.column1, ?2)))), ?2)"

/* SG_EXIT_OK with *db open, or what to exit with after the error has been said. `create`: make the
 * file if it is missing. */
int sg_file_open(const char *path, bool create, sqlite3 **db);
/* An existing file without Sigla: one that is damaged can be looked at. */
int sg_file_open_plain(const char *path, sqlite3 **db);
/* Sigla onto it, for verbs that need a database prepared by sigla init: SG_EXIT_OK, or what to exit
 * with after the error has been said. */
int sg_file_ready(sqlite3 *db, const char *path);
/* Both together. */
int sg_file_open_ready(const char *path, sqlite3 **db);
void sg_file_close(sqlite3 *db);

/* Say why the last call on db failed, after `doing` ("cannot track tasks"); the exit code. */
int sg_file_fail(sqlite3 *db, const char *doing);
/* Prepare; NULL after saying why not, with *exit_code set. */
sqlite3_stmt *sg_file_prepare(sqlite3 *db, const char *sql, const char *doing, int *exit_code);
/* Bind a command line word as text, NULL as SQL NULL; it must outlive the statement. */
void sg_file_bind_word(sqlite3_stmt *stmt, int i, const char *word);
/* The first column of the first row of `sql` with up to two words bound as text (NULL: SQL NULL),
 * appended to out (nothing for NULL). The exit code; errors have been said. */
int sg_file_text(sqlite3 *db, sg_buf *out, const char *doing, const char *sql, const char *first,
                 const char *second);
/* A value of Sigla's own configuration ("server", "user", "token"); false if it is not there. */
bool sg_file_config(sqlite3 *db, const char *name, sg_buf *out);

#endif
