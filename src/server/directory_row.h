/* Inside the directory: statements, and their rows copied into its arena. */
#ifndef SG_DIRECTORY_ROW_H
#define SG_DIRECTORY_ROW_H

#include "server/directory.h"

/* A statement and its parameters, of which there is at least one. */
#define SG_SQL(sql, ...)                                                                           \
    (&(const sg_sql){.text = (sql),                                                                \
                     .params = (const sg_cell[]){__VA_ARGS__},                                     \
                     .count = sizeof((const sg_cell[]){__VA_ARGS__}) / sizeof(sg_cell)})
#define SG_T(slice) sg_cell_text(slice)
#define SG_I(number) sg_cell_int(number)
/* NULL for an empty text. */
#define SG_T_OR_NULL(slice) sg_text_or_null(slice)

static inline sg_cell sg_text_or_null(sg_slice text)
{
    return text.n != 0 ? sg_cell_text(text) : (sg_cell){SG_CELL_NULL, 0, {NULL, 0}};
}

static inline sg_cell sg_digest_cell(const uint8_t digest[SG_DIGEST_BYTES])
{
    return sg_cell_blob(sg_slice_of((const char *)digest, SG_DIGEST_BYTES));
}

/* Rows of n cells each, one behind the other. */
typedef struct sg_rows {
    sg_cell *cells;
    size_t count; /* rows */
} sg_rows;

/* All rows of a SELECT. */
int sg_rows_read(sg_directory *d, const sg_sql *sql, sg_rows *rows);
/* Its first one; SG_NOTFOUND if there is none. Valid until the arena goes. */
int sg_row_read(sg_directory *d, const sg_sql *sql, const sg_cell **row);
/* The number in its only column. */
int sg_row_int(sg_directory *d, const sg_sql *sql, int64_t *v);
/* A statement that changes something; rows may be NULL. */
int sg_row_write(sg_directory *d, const sg_sql *sql, sg_rows *rows);

/* The next seq, which no record will have. */
int64_t sg_seq_take(sg_directory *d);
/* Make somebody a member, anew or again (directory_member.c). */
int sg_member_join(sg_directory *d, sg_slice space, sg_slice person, enum sg_role role);
/* The role of one who has to be there (SG_NOTFOUND), and whether it is somebody's personal space. */
int sg_member_role(sg_directory *d, sg_slice space, sg_slice person, enum sg_role *role,
                   bool *personal);

#endif
