/*
 * Tracked tables: what Sigla knows of one, read from SQLite's schema and sigla_table.
 *
 * Loaded per connection, and again whenever the schema's version has changed.
 */
#ifndef SG_TABLE_H
#define SG_TABLE_H

#include "replica/replica.h"

typedef struct sg_column {
    char *name;
    uint32_t name_id; /* interned; 0 until it is needed */
    int key_part;     /* 1.. within the key, 0: not of the key */
    int group;        /* columns of one group > 0 win or lose together */
    char affinity;    /* 'I'nteger, 'R'eal, 'N'umeric, 'T'ext, 'B'lob (none) */
    bool json;        /* travels as JSON */
    bool space;       /* travels as the record's space */
    bool folded;      /* of the key, and compared by something else than its bytes */
    char *otherwise;  /* the DEFAULT clause; NULL if there is none */
} sg_column;

/* An INSERT or UPDATE of one set of columns, kept for the next row that needs the same. */
#define SG_ROW_STMTS 16
typedef struct sg_row_mask {
    uint64_t bits[(SG_COLUMNS_MAX + 63) / 64];
} sg_row_mask;
typedef struct sg_row_stmt {
    sg_row_mask mask; /* of columns */
    bool insert;
    sqlite3_stmt *stmt;
} sg_row_stmt;

struct sg_table {
    uint32_t id;
    int64_t tag; /* what its triggers say: the database's random bits, then id (SG_TABLE_ID_MAX) */
    uint32_t app;
    char *name; /* now; what sigla_table has may be older */
    char *wire;
    char *options;
    bool indexed;       /* sigla_index_updated was asked for */
    bool triggers;      /* the user has triggers of his own on it */
    bool active;        /* tracked now; false after sigla_untrack */
    bool missing;       /* the table itself is gone from the database, or has no key now */
    bool wide;          /* it has more columns than can travel: the last ones stay here */
    sg_column *columns; /* that travel, in the table's order; the key's among them */
    size_t column_count;
    size_t captured_count; /* how many of them the triggers know; the rest came by ALTER TABLE */
    uint64_t signature;    /* of its triggers; 0: it has none */
    bool repairing;        /* while an apply repairs it (repair.h) */
    bool anew;             /* while an apply brings all of its records whole */
    bool stale;            /* they are not those that would be made now, or not the newest */
    int space;             /* index of the column that says whose a record is; -1: there is none */
    int key[SG_KEY_COLUMNS_MAX]; /* indexes of the key's columns, by key_part */
    size_t key_count;
    sg_row_stmt rows[SG_ROW_STMTS];
    size_t row_next; /* the next to give up */
    sqlite3_stmt *row_get, *row_delete;
};

#define SG_TABLE_ID_MAX 65535u /* tables that one database may ever have tracked */

/* Make r->tables current. Cheap when the schema has not changed. */
int sg_tables_load(sg_replica *r);
void sg_tables_clear(sg_replica *r);
/* NULL if there is none. By the SQL name (case as SQLite sees it), by id, by its triggers' tag, by
 * what it is called on the wire. sg_tables_load must have succeeded in this transaction. */
sg_table *sg_table_named(sg_replica *r, sg_slice name);
sg_table *sg_table_id(sg_replica *r, uint32_t id);
sg_table *sg_table_tagged(sg_replica *r, int64_t tag);
sg_table *sg_table_wire(sg_replica *r, uint32_t app, sg_slice wire);
/* The named table, tracked now or before, or an error that says what to do. */
sg_table *sg_table_need(sg_replica *r, sg_slice name, int *err);
/* Index of the column whose field name is interned as that, or -1. */
int sg_table_column(sg_replica *r, sg_table *t, uint32_t name_id, int *err);
uint32_t sg_column_name_id(sg_replica *r, sg_column *c, int *err);
/* What was interned may have been undone. */
void sg_table_forget_ids(sg_table *t);
int sg_table_rename(sg_table *t, sg_slice name);

/* Append ` WHERE "a"=?1 AND "b"=?2…`: the row of exactly that key. */
void sg_table_where_key(const sg_table *t, sg_buf *sql);
/* Append `"a","b"…`: the columns of the key. */
void sg_table_key_names(const sg_table *t, sg_buf *sql);
/* Append the packed key that stands in a row from column `first` on. */
int sg_table_key_of(sg_replica *r, const sg_table *t, sqlite3_stmt *row, int first, sg_buf *out);

/* Append what says whether column c is something else than its default. */
void sg_column_differs(const sg_column *c, sg_buf *sql);
/* SELECT all columns that travel, and of those the triggers do not know whether they differ from
 * their default, WHERE key = ?: bound to the packed key. NULL after an error. */
sqlite3_stmt *sg_table_row(sg_replica *r, sg_table *t, sg_slice key, int *err);

#endif
