/*
 * The rows of a statement, as a table for people or as a JSON array for programs (one record a
 * line).
 */
#ifndef SG_ROWS_H
#define SG_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "grid.h"

enum sg_col_kind {
    SG_COL_ANY,    /* by its storage class */
    SG_COL_JSON,   /* text that is a JSON value */
    SG_COL_FIELDS, /* … of names and values, or of names */
    SG_COL_ACTOR,  /* … of an actor */
    SG_COL_TIME,   /* ISO-8601 text */
    SG_COL_BOOL    /* 0 or 1 */
};

typedef struct sg_col {
    const char *name;  /* member in JSON; NULL: only in the table */
    const char *title; /* over the column; NULL: only in JSON */
    enum sg_col_kind kind;
    bool right, keep; /* as in sg_grid_column */
    enum sg_style style;
} sg_col;

/* Columns of stmt in order. Steps to the end; does not finalize. *count gets the rows, if not NULL.
 * The exit code; errors have been said, after `doing`. */
int sg_rows_print(sqlite3 *db, sqlite3_stmt *stmt, const sg_col *cols, size_t n, bool json,
                  const char *doing, int64_t *count);
/* Prepare sql, bind up to two words as text, print, finalize. Where there are no rows and no JSON
 * is wanted, `none` is said. */
int sg_rows_query(sqlite3 *db, const char *sql, const char *first, const char *second,
                  const sg_col *cols, size_t n, bool json, const char *doing, const char *none);

#endif
