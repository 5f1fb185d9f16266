/*
 * A table-valued function whose rows are made all at once when it is called: how to define one.
 *
 * A list's `fill` gets the arguments and adds rows cell by cell; listing.c is the virtual table
 * around it.
 */
#ifndef SG_LISTING_H
#define SG_LISTING_H

#include "base/arena.h"
#include "replica/replica.h"

struct sg_rows;

#define SG_LIST_ARGS_MAX 18
#define SG_LIST_ROWS_MAX 10000000 /* rows of one call (L20) */

typedef struct sg_list {
    const char *name;
    const char *schema; /* "CREATE TABLE x(a, b, c HIDDEN)" */
    int columns;        /* visible ones; the hidden ones are the arguments */
    int args_max;
    /* Add rows; SG_OK or an error with r->message. */
    int (*fill)(sg_replica *r, struct sg_rows *rows, int argc, sqlite3_value **argv);
} sg_list;

typedef struct sg_rows {
    int columns;
    sg_value *cells;
    size_t count, cap; /* cells */
    sg_arena arena;
    int err;
} sg_rows;

/* Add the next cell; bytes are copied. Rows are as long as the list has columns. */
void sg_rows_text(sg_rows *rows, sg_slice text);
void sg_rows_int(sg_rows *rows, int64_t v);
void sg_rows_null(sg_rows *rows);
void sg_rows_time(sg_rows *rows, int64_t at_us);
void sg_rows_key(sg_rows *rows, sg_slice key); /* a packed key: its value, or a JSON array */

int sg_list_register(sg_replica *r, const sg_list *list);

/* For virtual tables of any kind: give an error to SQLite, and the result of a key column. */
int sg_listing_error(sqlite3_vtab *v, const sg_replica *r, int err);
void sg_listing_key(sqlite3_context *ctx, sg_slice key);

#endif
