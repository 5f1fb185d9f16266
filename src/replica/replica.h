/*
 * The replica: everything Sigla keeps for one SQLite connection.
 *
 * One sg_replica belongs to one connection and dies with it. Nothing in it outlives a rollback
 * wrongly: what was read inside a transaction is dropped by sg_replica_forget when it is undone.
 * Threads: as the connection.
 */
#ifndef SG_REPLICA_H
#define SG_REPLICA_H

#include "base/arena.h"
#include "core/clock.h"
#include "core/merge.h"
#include "core/record.h"
#include "core/sum.h"
#include "replica/sql.h"

#define SG_FORMAT 1 /* version of Sigla's tables in a database (spec/storage.md) */

/* Limits (L20). */
#define SG_TX_BYTES_MAX ((size_t)1 << 30)     /* captured bytes of one transaction */
#define SG_OUTBOX_ROW_BYTES ((size_t)1 << 19) /* an outbox row is cut past this many bytes */
#define SG_ACTOR_DEPTH_MAX 64
#define SG_KEY_COLUMNS_MAX 16
#define SG_COLUMNS_MAX 120  /* of a tracked table: SQLite passes 127 values to a function */
#define SG_WORK_DEPTH_MAX 8 /* nested pieces of work */

/* Interned rows with a fixed meaning. */
#define SG_ACTOR_SELF 1u /* the database's user */
#define SG_ACTOR_MIGRATION 2u
#define SG_ACTOR_RULE 3u

typedef struct sg_replica sg_replica;
typedef struct sg_table sg_table;

/* Prepared statements of the connection; the index names the text in statements.c. */
enum sg_stmt {
#define SG_STMT(name, sql) SG_STMT_##name,
#include "replica/statements.def"
#undef SG_STMT
    SG_STMT_COUNT
};

/* One captured write; key and value are ranges of capture.bytes. */
enum sg_capture_kind { SG_CAP_INSERT, SG_CAP_UPDATE, SG_CAP_TOUCH, SG_CAP_DELETE, SG_CAP_BEFORE };

typedef struct sg_captured {
    uint32_t table; /* id */
    uint32_t actor;
    uint32_t key_at, key_n;
    uint32_t value_at, value_n;
    uint32_t next;  /* chain of one record, built at flush: index + 1 */
    int16_t column; /* SG_CAP_UPDATE: index into table->columns */
    uint8_t kind;
} sg_captured;

/* How things stood when a savepoint was opened. */
typedef struct sg_savepoint {
    size_t count, bytes, flushed;
    int64_t first_n;
} sg_savepoint;

typedef struct sg_capture {
    sg_captured *items;
    size_t count, cap;
    size_t flushed;  /* so many of them are in the outbox; a ROLLBACK TO may bring them back */
    int64_t first_n; /* number of the transaction's first change in the outbox; 0: none yet */
    sg_buf bytes;
    sg_savepoint *savepoints; /* by SQLite's level */
    size_t savepoint_count, savepoint_cap;
    bool enlisted; /* the transaction knows of us */
    bool loaded;   /* tables were looked at since it began */
    bool bottom;   /* flush under the bottom stamp: rows that were there before tracking (L4) */
} sg_capture;

typedef struct sg_actor_frame {
    uint32_t actor; /* interned; 0: to be interned again */
    char *json;     /* NULL for SG_ACTOR_SELF and its like */
    enum sg_origin origin;
    bool in_transaction; /* ends with it */
} sg_actor_frame;

/* Interned texts, by id. */
typedef struct sg_intern_cache {
    char **text; /* [id], NULL where not loaded */
    uint32_t cap;
} sg_intern_cache;

/* What the work at hand adds to one table's sums (sums.h). */
typedef struct sg_rolled {
    uint32_t table;
    sg_sum sum;
    int64_t changes; /* records saved or deleted */
    bool recount;
} sg_rolled;

struct sg_replica {
    sg_replica *next; /* in the process's list */
    sqlite3 *db;
    sqlite3_stmt *stmts[SG_STMT_COUNT];
    bool ready;     /* all functions are registered */
    bool installed; /* Sigla's tables are there */

    int64_t (*now)(void *ctx);
    void *now_ctx;

    int64_t schema_version; /* of the tables below; -1: load before use */
    sg_table **tables;
    size_t table_count;

    sg_intern_cache names, clients, actors;
    uint32_t self_client; /* interned; 0: load before use */
    int64_t tidied;       /* what of sigla_actor had gone when `actors` was read (tidy.h) */

    sg_capture capture;
    sg_actor_frame actor_stack[SG_ACTOR_DEPTH_MAX];
    size_t actor_depth;

    /* While a server change is applied: which record; captures of it are not the user's (L10). */
    bool applying;
    const sg_table *applying_table;
    sg_slice applying_key;
    bool applying_touched; /* a trigger wrote to that record */

    sg_rolled *rolled; /* not written yet */
    size_t rolled_count;

    int depth;                        /* of sg_replica_begin */
    bool outer_at[SG_WORK_DEPTH_MAX]; /* that begin opened the transaction itself */
    bool half_done;                   /* failed work is not undone: no commit may follow (L1) */
    bool half_done_outer;             /* and the transaction is of our own making */
    char message[512];                /* of the last error, for SQL and sessions */
};

/* The replica of a connection, or NULL if Sigla is not registered there. */
sg_replica *sg_replica_of(sqlite3 *db);
/* A statement of statements.def, reset; NULL after an error. */
sqlite3_stmt *sg_replica_stmt(sg_replica *r, enum sg_stmt which, int *err);
/* Create Sigla's tables if they are missing; SG_CORRUPT if they are of a newer format. */
int sg_replica_install(sg_replica *r);
/* True if Sigla's tables are in the database (looked up once); false after an error. */
bool sg_replica_installed(sg_replica *r, int *err);
/* A rollback may have undone what the caches hold. */
void sg_replica_forget(sg_replica *r);
/* The same, of interned ids alone: tables and their statements stay. */
void sg_replica_forget_ids(sg_replica *r);
int64_t sg_replica_now(sg_replica *r);
/* Finalize every cached statement; they are prepared again when needed. */
void sg_replica_release(sg_replica *r);
/* Set the message (printf format) and give `err` back. */
int sg_replica_fail(sg_replica *r, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What to say of an error: the message, or else the code's sentence. */
const char *sg_replica_message(const sg_replica *r, int err);

/* One transaction around a piece of work: BEGIN IMMEDIATE, or a savepoint inside the caller's. */
int sg_replica_begin(sg_replica *r);
/* Commit if err is SG_OK, else roll back; returns the first error. */
int sg_replica_end(sg_replica *r, int err);
/* Roll back what was done only to look at it; returns err. */
int sg_replica_abandon(sg_replica *r, int err);

#endif
