/*
 * The server's storage seam: what ingest, delta and the rest ask of a store, in their own words.
 *
 * A store keeps, for each feed (the records of one scope in one app), merged records, the sums over
 * each table of them, beside them the history of every change, and what it knows of the clients that
 * push. One writer at a time changes it, between begin and commit; any number of views read it, each
 * from one moment. Operations take whole batches, so that a store at the other end of a wire can pipeline them.
 * Beside that, persons, spaces and who belongs to them (the directory, spec/spaces.md) are small tables that
 * are read and written in plain SQL, through `query` and `execute`.
 *
 * Rules for implementations and callers:
 *   1. seq is the order in which commits become visible: the writer hands out numbers above
 *      `newest`, and what a commit made visible is in every view taken after it (L7).
 *   2. Nothing is visible, and nothing survives a crash, before commit has returned SG_OK; after
 *      that everything survives (L1).
 *   3. Slices that come out are borrowed until the next call on the same writer or view, unless the
 *      operation takes an arena: then as long as that.
 *   4. Foreign error codes do not leave the store; damaged data is SG_CORRUPT, never a crash.
 *   5. After an error inside begin … commit the caller must roll back.
 *
 * Threads: a writer or a view belongs to one thread at a time; different ones are independent.
 */
#ifndef SG_STORE_H
#define SG_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "core/sum.h"

/* Texts that are stored once and known by a number; 0 is none. */
enum sg_text_kind {
    SG_TEXT_OF_NAME, /* field names */
    SG_TEXT_OF_CLIENT,
    SG_TEXT_OF_ACTOR, /* JSON */
    SG_TEXT_OF_APP,
    SG_TEXT_OF_SCOPE, /* "u:ann": whose records; later also spaces */
    SG_TEXT_OF_TABLE,
    SG_TEXT_KINDS
};

typedef struct sg_feed {
    uint32_t scope;
    uint32_t app;
} sg_feed;

typedef struct sg_ref {
    uint32_t table;
    sg_slice key;
} sg_ref;

/* A record as stored. */
typedef struct sg_stored {
    int64_t row;     /* the store's own number; 0: not there */
    uint32_t scope;  /* of delta: whose it is */
    int64_t seq;     /* the greatest seq of what is visible in it */
    int64_t hist;    /* seq of its newest history entry; 0: none */
    int64_t dead_us; /* when its delete was committed; 0: alive */
    sg_slice data;   /* sg_record_pack, with values */
} sg_stored;

/* The newest commit: the greatest seq handed out, and when. */
typedef struct sg_commit {
    int64_t seq;
    int64_t at_us;
} sg_commit;

/* One change as it was decided (store/history.h says what data holds). */
typedef struct sg_history_row {
    int64_t seq;
    int64_t prev; /* seq of the record's entry before this one; 0: none */
    int64_t row;  /* of the record */
    int64_t received_us;
    sg_slice data;
} sg_history_row;

/* A client of one feed. Its numbers ascend; the newest run of acknowledged ones is kept here,
 * earlier ones beside it. */
typedef struct sg_client_state {
    int64_t row;     /* the store's own number */
    int64_t max_n;   /* greatest number ever answered: acknowledged, refused or staged */
    int64_t floor_n; /* runs at and below it have been purged */
    int64_t heard_n; /* the client has had the answers of all numbers below it */
    int64_t run_n;   /* newest run: numbers run_n … got seqs run_seq … */
    int64_t run_count;
    int64_t run_seq;
    int64_t staged_tx;    /* last number of the transaction that is staged */
    int64_t staged_count; /* changes of it that wait for the rest */
    int64_t staged_bytes;
    int64_t refused_tx; /* last number of a transaction that was too big to stage */
} sg_client_state;

enum sg_answered_kind { SG_ANSWER_NONE, SG_ANSWER_ACK, SG_ANSWER_REFUSED, SG_ANSWER_STAGED };

/* What a client was told about one of its numbers. */
typedef struct sg_answered {
    enum sg_answered_kind kind;
    int64_t n; /* first number of the run it belongs to */
    int64_t count;
    int64_t seq; /* SG_ANSWER_ACK: of that first number; 0: purged long ago */
    int code;    /* SG_ANSWER_REFUSED: enum sg_err */
    sg_slice message;
} sg_answered;

/* A change that waits for the rest of its transaction: version 2 JSON, checked, base resolved. */
typedef struct sg_staged {
    int64_t n;
    sg_slice json;
} sg_staged;

/* A value that goes into a statement or comes out of one; in a store's own types (BIGINT and BYTEA in
 * PostgreSQL) numbers are int64, and text is UTF-8 without NUL. */
enum sg_cell_type { SG_CELL_NULL, SG_CELL_INT, SG_CELL_TEXT, SG_CELL_BLOB };

typedef struct sg_cell {
    enum sg_cell_type type;
    int64_t i;
    sg_slice s; /* of a text or a blob */
} sg_cell;

static inline sg_cell sg_cell_int(int64_t i)
{
    return (sg_cell){SG_CELL_INT, i, {NULL, 0}};
}

static inline sg_cell sg_cell_text(sg_slice text)
{
    return (sg_cell){SG_CELL_TEXT, 0, text};
}

static inline sg_cell sg_cell_blob(sg_slice bytes)
{
    return (sg_cell){SG_CELL_BLOB, 0, bytes};
}

#define SG_STATEMENTS_MAX 128u /* statements of query and execute kept by one connection */
#define SG_CELLS_MAX 16u       /* parameters of a statement, and columns of a row */

/* One statement over the tables of store/directory_tables.h, in SQL that SQLite and PostgreSQL both
 * understand. Its text is a constant of the program: prepared statements are kept by its address. What
 * varies is a parameter, $1, $2 …, first named in that order. */
typedef struct sg_sql {
    const char *text;
    const sg_cell *params;
    size_t count;
} sg_sql;

/* The purge floor of a feed: deletes up to here may be forgotten (L12). */
typedef struct sg_floor {
    int64_t seq;   /* a cursor below it must resync; 0: nothing was purged */
    int64_t at_us; /* greatest stamp of a purged delete */
} sg_floor;

typedef struct sg_delta {
    sg_feed feed;
    int64_t since;
    uint32_t table;         /* 0: all */
    size_t limit;           /* records looked at */
    const uint32_t *others; /* scopes that are read along with the feed's, in one order of seq */
    size_t other_count;
} sg_delta;

/* Called in order of seq. False: enough; the record was not taken. */
typedef bool sg_delta_fn(void *ctx, const sg_ref *ref, const sg_stored *stored);
typedef void sg_feed_fn(void *ctx, sg_feed feed);
typedef void sg_sum_fn(void *ctx, uint32_t table, const sg_sum *sum);
typedef bool sg_history_fn(void *ctx, const sg_history_row *row);
/* A row, borrowed until it returns; it may not ask the store for anything. False: enough. */
typedef bool sg_row_fn(void *ctx, const sg_cell *cells, size_t n);

typedef struct sg_purge {
    int64_t tombstones_before_us; /* deletes committed before this go; 0: none */
    int64_t history_before_us;    /* history, and answers given, before this go, and in the end
                                   * actors only they had named; 0: none */
    int64_t staged_before_us;     /* incomplete transactions begun before this go; 0: none */
    size_t limit;                 /* rows in one call */
} sg_purge;

typedef struct sg_purged {
    size_t tombstones; /* records */
    size_t history;    /* entries */
    size_t answers;    /* runs of acknowledged numbers, refusals */
    size_t staged;     /* clients whose incomplete transaction was dropped */
    size_t actors;     /* that nothing names any more */
    bool more;         /* call again */
} sg_purged;

typedef struct sg_store_counts {
    int64_t bytes; /* on disk, with logs */
    int64_t newest;
} sg_store_counts;

typedef struct sg_writer sg_writer;
typedef struct sg_view sg_view;

typedef struct sg_store_ops {
    void (*close)(void *impl);
    /* The one writer. begin also gives the newest commit. */
    sg_writer *(*writer)(void *impl);
    int (*begin)(sg_writer *w, sg_commit *newest);
    /* newest: neither member is less than begin gave it. */
    int (*commit)(sg_writer *w, const sg_commit *newest);
    void (*rollback)(sg_writer *w);
    /* A text's number, made if it has none. SG_LIMIT: no more numbers. */
    int (*intern)(sg_writer *w, enum sg_text_kind kind, const sg_slice *texts, size_t n,
                  uint32_t *ids);
    int (*load_records)(sg_writer *w, sg_feed feed, const sg_ref *refs, size_t n, sg_arena *arena,
                        sg_stored *out);
    /* Rows that are 0 are given a number, in place. */
    int (*save_records)(sg_writer *w, sg_feed feed, const sg_ref *refs, sg_stored *records,
                        size_t n);
    /* Add to the sums of one table's records (core/sum.h). */
    int (*add_sum)(sg_writer *w, sg_feed feed, uint32_t table, const sg_sum *more);
    int (*append_history)(sg_writer *w, const sg_history_row *rows, size_t n);
    int (*record_ref)(sg_writer *w, int64_t row, sg_ref *ref, bool *found);

    /* A client's state, made if it is new. */
    int (*load_client)(sg_writer *w, sg_feed feed, uint32_t client, sg_client_state *c);
    int (*save_client)(sg_writer *w, const sg_client_state *c);
    /* Keep the run of c that a newer one is about to replace. */
    int (*keep_run)(sg_writer *w, const sg_client_state *c);
    int (*answered)(sg_writer *w, const sg_client_state *c, int64_t n, sg_answered *out);
    int (*refuse)(sg_writer *w, const sg_client_state *c, const sg_answered *refused, size_t n,
                  int64_t now_us);
    int (*stage)(sg_writer *w, const sg_client_state *c, const sg_staged *staged, size_t n,
                 int64_t now_us);
    /* Those above after_n in order of n: at most *count, and no more once bytes are reached. */
    int (*load_staged)(sg_writer *w, const sg_client_state *c, int64_t after_n, size_t bytes,
                       sg_arena *arena, sg_staged *out, size_t *count);
    int (*drop_staged)(sg_writer *w, const sg_client_state *c);

    int (*purge)(sg_writer *w, const sg_purge *what, sg_purged *done);
    int (*put_value)(sg_writer *w, const char *key, sg_slice value);
    /* A statement that changes tables of the directory, or a savepoint within begin … commit; its rows
     * are those of RETURNING. It is run to its end even where fn has had enough. fn may be NULL.
     * SG_CONFLICT: a constraint does not allow it; the rest as everywhere. */
    int (*execute)(sg_writer *w, const sg_sql *sql, sg_row_fn *fn, void *ctx);

    /* Views. A view is cheap to begin and end and costly to make. */
    int (*view_new)(void *impl, sg_view **view);
    void (*view_free)(sg_view *v);
    /* Take a snapshot; newest: the greatest seq that is visible in it. */
    int (*view_begin)(sg_view *v, int64_t *newest);
    void (*view_end)(sg_view *v);
    /* The number of a text, 0 if it has none. */
    int (*find_text)(sg_view *v, enum sg_text_kind kind, sg_slice text, uint32_t *id);
    /* Empty, and *err says why, if it cannot be had: SG_CORRUPT if the number is unknown. Does
     * nothing if *err is not SG_OK. Borrowed until view_end. */
    sg_slice (*text)(sg_view *v, enum sg_text_kind kind, uint32_t id, int *err);
    /* *more: there are records behind the last one that was taken. */
    int (*delta)(sg_view *v, const sg_delta *what, sg_delta_fn *fn, void *ctx, bool *more);
    /* Every feed that has a record or a sum. */
    int (*feeds)(sg_view *v, sg_feed_fn *fn, void *ctx);
    /* The sums of every table that ever had a record, in no order that means anything. */
    int (*sums)(sg_view *v, sg_feed feed, sg_sum_fn *fn, void *ctx);
    /* *found = false: there is no such entry, or it has been purged. */
    int (*get_history)(sg_view *v, int64_t seq, sg_history_row *row, bool *found);
    /* A record's history, newest first. SG_NOTFOUND: there is no such record. */
    int (*history)(sg_view *v, sg_feed feed, const sg_ref *ref, sg_history_fn *fn, void *ctx);
    /* The greatest seq committed before a time; what lies before all history gives 0. */
    int (*seq_before)(sg_view *v, int64_t at_us, int64_t *seq);
    int (*floor)(sg_view *v, sg_feed feed, sg_floor *floor);
    int (*max_number)(sg_view *v, sg_feed feed, uint32_t client, int64_t *n);
    int (*get_value)(sg_view *v, const char *key, sg_arena *arena, sg_slice *value);
    int (*counts)(sg_view *v, sg_store_counts *counts);
    /* A SELECT from tables of the directory. */
    int (*query)(sg_view *v, const sg_sql *sql, sg_row_fn *fn, void *ctx);
    /* The writer's own view, inside begin … commit: sees what it has written. */
    sg_view *(*writer_view)(sg_writer *w);
} sg_store_ops;

typedef struct sg_store {
    const sg_store_ops *ops;
    void *impl;
} sg_store;

/* Open or create the database in one file. SG_TOONEW: a newer server has written it; SG_CORRUPT,
 * SG_IO, SG_BUSY (another process has it open for writing), SG_NOMEM. */
int sg_store_sqlite_open(const char *path, sg_store *store);

static inline void sg_store_close(sg_store *store)
{
    if (store->ops != NULL) store->ops->close(store->impl);
    *store = (sg_store){NULL, NULL};
}

#endif
