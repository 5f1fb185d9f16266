/*
 * Inside the SQLite store: one connection with its statements and its texts.
 *
 * Statements are prepared when first used and kept. Helpers latch errors in an int *err (enum
 * sg_err) and do nothing once it is set, so that an operation is a list of steps and one check.
 */
#ifndef SG_SQLITE_CONN_H
#define SG_SQLITE_CONN_H

#include <sqlite3.h>

#include "store/store.h"
#include "store/text_cache.h"

/* X(name, SQL): every statement of the store. */
#define SG_SQLITE_STATEMENTS(X)                                                                    \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                              \
    X(BEGIN_READ, "BEGIN")                                                                         \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(GET_NEWEST, "SELECT seq, at_us FROM newest")                                                 \
    X(SET_NEWEST, "UPDATE newest SET seq = ?1, at_us = ?2")                                        \
    X(GET_VALUE, "SELECT value FROM kv WHERE key = ?1")                                            \
    X(PUT_VALUE, "INSERT OR REPLACE INTO kv(key, value) VALUES (?1, ?2)")                          \
    X(FIND_TEXT, "SELECT id FROM text WHERE kind = ?1 AND text = ?2")                              \
    X(GET_TEXT, "SELECT text FROM text WHERE kind = ?1 AND id = ?2")                               \
    X(ADD_TEXT, "INSERT INTO text(kind, id, text) "                                                \
                "SELECT ?1, coalesce(max(id), 0) + 1, ?2 FROM text WHERE kind = ?1 RETURNING id")  \
    X(LOAD_RECORD, "SELECT id, seq, hist, dead_us, data FROM record "                              \
                   "WHERE scope = ?1 AND app = ?2 AND tbl = ?3 AND key = ?4")                      \
    X(ADD_RECORD, "INSERT INTO record(scope, app, tbl, key, seq, hist, dead_us, data) "            \
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                       \
    X(SAVE_RECORD, "UPDATE record SET seq = ?1, hist = ?2, dead_us = ?3, data = ?4 WHERE id = ?5") \
    X(RECORD_REF, "SELECT tbl, key FROM record WHERE id = ?1")                                     \
    X(GET_SUM, "SELECT marks, vals, records FROM sums WHERE scope = ?1 AND app = ?2 AND tbl = ?3") \
    X(PUT_SUM, "INSERT OR REPLACE INTO sums(scope, app, tbl, marks, vals, records) "               \
               "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                  \
    X(SUMS, "SELECT marks, vals, records, tbl FROM sums WHERE scope = ?1 AND app = ?2")            \
    X(FEEDS, "SELECT scope, app FROM record UNION SELECT scope, app FROM sums")                    \
    X(DELTA, "SELECT tbl, key, id, seq, hist, dead_us, data FROM record "                          \
             "WHERE scope = ?1 AND app = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4")                   \
    X(DELTA_TABLE,                                                                                 \
      "SELECT tbl, key, id, seq, hist, dead_us, data FROM record "                                 \
      "WHERE scope = ?1 AND app = ?2 AND seq > ?3 AND tbl = ?5 ORDER BY seq LIMIT ?4")             \
    X(ADD_HISTORY, "INSERT INTO history(seq, prev, record, received_us, data) "                    \
                   "VALUES (?1, ?2, ?3, ?4, ?5)")                                                  \
    X(GET_HISTORY, "SELECT seq, prev, record, received_us, data FROM history WHERE seq = ?1")      \
    X(FIRST_HISTORY, "SELECT seq, received_us FROM history WHERE seq >= ?1 ORDER BY seq LIMIT 1")  \
    X(LAST_HISTORY, "SELECT seq, received_us FROM history ORDER BY seq DESC LIMIT 1")              \
    X(LOAD_CLIENT, "SELECT id, max_n, floor_n, heard_n, run_n, run_count, run_seq, staged_tx, "    \
                   "staged_count, staged_bytes, refused_tx FROM client "                           \
                   "WHERE scope = ?1 AND app = ?2 AND client = ?3")                                \
    X(ADD_CLIENT, "INSERT INTO client(scope, app, client) VALUES (?1, ?2, ?3)")                    \
    X(SAVE_CLIENT, "UPDATE client SET max_n = ?2, floor_n = ?3, heard_n = ?4, run_n = ?5, "        \
                   "run_count = ?6, run_seq = ?7, staged_tx = ?8, staged_count = ?9, "             \
                   "staged_bytes = ?10, refused_tx = ?11 WHERE id = ?1")                           \
    X(MAX_NUMBER, "SELECT max_n FROM client WHERE scope = ?1 AND app = ?2 AND client = ?3")        \
    X(KEEP_RUN, "INSERT OR REPLACE INTO run(client, n, count, seq) VALUES (?1, ?2, ?3, ?4)")       \
    X(FIND_RUN, "SELECT n, count, seq FROM run WHERE client = ?1 AND n <= ?2 "                     \
                "ORDER BY n DESC LIMIT 1")                                                         \
    X(REFUSE, "INSERT OR REPLACE INTO refused(client, n, count, code, message, "                   \
              "refused_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                       \
    X(FIND_REFUSED, "SELECT n, count, code, message FROM refused WHERE client = ?1 AND n <= ?2 "   \
                    "ORDER BY n DESC LIMIT 1")                                                     \
    X(STAGE, "INSERT OR REPLACE INTO staged(client, n, staged_us, json) VALUES (?1, ?2, ?3, ?4)")  \
    X(FIND_STAGED, "SELECT 1 FROM staged WHERE client = ?1 AND n = ?2")                            \
    X(LOAD_STAGED, "SELECT n, json FROM staged WHERE client = ?1 AND n > ?2 ORDER BY n LIMIT ?3")  \
    X(DROP_STAGED, "DELETE FROM staged WHERE client = ?1")                                         \
    X(GET_FLOOR, "SELECT seq, at_us FROM floor WHERE scope = ?1 AND app = ?2")                     \
    X(RAISE_FLOOR, "INSERT INTO floor(scope, app, seq, at_us) VALUES (?1, ?2, ?3, ?4) "            \
                   "ON CONFLICT(scope, app) DO UPDATE SET seq = max(seq, excluded.seq), "          \
                   "at_us = max(at_us, excluded.at_us)")                                           \
    X(DEAD_RECORDS, "SELECT id, scope, app, seq, data FROM record "                                \
                    "WHERE dead_us > 0 AND dead_us < ?1 ORDER BY dead_us LIMIT ?2")                \
    X(DROP_RECORD, "DELETE FROM record WHERE id = ?1")                                             \
    X(DROP_HISTORY, "DELETE FROM history WHERE seq IN "                                            \
                    "(SELECT seq FROM history WHERE seq <= ?1 ORDER BY seq LIMIT ?2)")             \
    X(OLD_RUNS, "SELECT client, n, count FROM run WHERE seq <= ?1 ORDER BY seq LIMIT ?2")          \
    X(DROP_RUN, "DELETE FROM run WHERE client = ?1 AND n = ?2")                                    \
    X(OLD_REFUSED,                                                                                 \
      "SELECT r.client, r.n, r.count FROM refused r JOIN client c ON c.id = r.client "             \
      "WHERE r.refused_us < ?1 AND r.n + r.count <= c.heard_n LIMIT ?2")                           \
    X(DROP_REFUSED, "DELETE FROM refused WHERE client = ?1 AND n = ?2")                            \
    X(RAISE_NUMBER_FLOOR, "UPDATE client SET floor_n = max(floor_n, ?2) WHERE id = ?1")            \
    X(OLD_STAGED, "SELECT DISTINCT client FROM staged WHERE staged_us < ?1 LIMIT ?2")              \
    X(UNSTAGE_CLIENT, "UPDATE client SET staged_count = 0, staged_bytes = 0 WHERE id = ?1")        \
    X(LAST_TEXT, "SELECT coalesce(max(id), 0) FROM text WHERE kind = ?1")                          \
    X(TEXT_IDS, "SELECT id FROM text WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3")            \
    X(DROP_TEXT, "DELETE FROM text WHERE kind = ?1 AND id = ?2")                                   \
    X(SCAN_RECORDS, "SELECT id, data FROM record WHERE id > ?1 ORDER BY id LIMIT ?2")              \
    X(SCAN_HISTORY, "SELECT seq, data FROM history WHERE seq > ?1 ORDER BY seq LIMIT ?2")          \
    X(PAGE_COUNT, "PRAGMA page_count")

#define SG_SQLITE_ENUM(name, sql) SG_SQLITE_##name,
enum sg_sqlite_statement { SG_SQLITE_STATEMENTS(SG_SQLITE_ENUM) SG_SQLITE_COUNT };
#undef SG_SQLITE_ENUM

/* A prepared statement of query or execute (sqlite_query.c). */
typedef struct sg_sqlite_kept {
    const char *text; /* known by its address; NULL: free */
    sqlite3_stmt *s;
} sg_sqlite_kept;

typedef struct sg_sqlite {
    sqlite3 *db;
    sqlite3_stmt *statements[SG_SQLITE_COUNT];
    sg_sqlite_kept kept[SG_STATEMENTS_MAX];
    unsigned kept_next; /* which of them goes when all are taken */
    sg_text_cache texts;
} sg_sqlite;

struct sg_view {
    sg_sqlite *conn;
    sg_sqlite own; /* of a view that is not the writer's */
    bool open;     /* inside view_begin … view_end */
};

/* A scan for actors that nothing names (sqlite_actors.c). */
typedef struct sg_actor_scan {
    int phase;
    int64_t at;    /* rows up to this one were looked at, in this phase */
    uint32_t last; /* newest actor when it began */
    uint8_t *used; /* a bit an actor up to that one */
    size_t rows;   /* looked at */
    size_t kept;
    int64_t next; /* the next one begins when an actor has a greater number; 0: not read yet */
} sg_actor_scan;

struct sg_writer {
    sg_sqlite conn;
    struct sg_view view;
    bool open; /* inside begin … commit */
    sg_actor_scan actors;
};

/* Our code for SQLite's. */
int sg_sqlite_error(int code);
/* A connection to a file, its pragmas set. */
int sg_sqlite_connect(sg_sqlite *c, const char *path);
void sg_sqlite_disconnect(sg_sqlite *c);
void sg_sqlite_exec(sg_sqlite *c, const char *sql, int *err);
/* A statement to bind and step; NULL once *err is set. */
sqlite3_stmt *sg_sqlite_use(sg_sqlite *c, enum sg_sqlite_statement which, int *err);
/* Step: true on a row. At the end, and on an error, the statement is reset. */
bool sg_sqlite_row(sqlite3_stmt *s, int *err);
/* Step to the end. */
void sg_sqlite_done(sqlite3_stmt *s, int *err);
void sg_sqlite_run(sg_sqlite *c, enum sg_sqlite_statement which, int *err);
void sg_sqlite_bind_text(sqlite3_stmt *s, int i, sg_slice text);
void sg_sqlite_bind_blob(sqlite3_stmt *s, int i, sg_slice bytes);
/* Columns, borrowed until the statement moves on; an empty one has p = "". */
sg_slice sg_sqlite_text(sqlite3_stmt *s, int column);
sg_slice sg_sqlite_blob(sqlite3_stmt *s, int column);
uint32_t sg_sqlite_u32(sqlite3_stmt *s, int column, int *err);
/* A seq, number, count or time: SG_CORRUPT if it is negative, or so great that a sum of two of them
 * has no room. */
int64_t sg_sqlite_count(sqlite3_stmt *s, int column, int *err);

/* sqlite_schema.c: create or check the schema. */
int sg_sqlite_schema(sg_sqlite *c);

/* The operations, by noun. */
int sg_sqlite_intern(sg_writer *w, enum sg_text_kind kind, const sg_slice *texts, size_t n,
                     uint32_t *ids);
int sg_sqlite_find_text(sg_view *v, enum sg_text_kind kind, sg_slice text, uint32_t *id);
sg_slice sg_sqlite_get_text(sg_view *v, enum sg_text_kind kind, uint32_t id, int *err);

int sg_sqlite_load_records(sg_writer *w, sg_feed feed, const sg_ref *refs, size_t n,
                           sg_arena *arena, sg_stored *out);
int sg_sqlite_save_records(sg_writer *w, sg_feed feed, const sg_ref *refs, sg_stored *records,
                           size_t n);
int sg_sqlite_record_ref(sg_writer *w, int64_t row, sg_ref *ref, bool *found);
int sg_sqlite_delta(sg_view *v, const sg_delta *what, sg_delta_fn *fn, void *ctx, bool *more);

int sg_sqlite_add_sum(sg_writer *w, sg_feed feed, uint32_t table, const sg_sum *more);
int sg_sqlite_feeds(sg_view *v, sg_feed_fn *fn, void *ctx);
int sg_sqlite_sums(sg_view *v, sg_feed feed, sg_sum_fn *fn, void *ctx);

int sg_sqlite_append_history(sg_writer *w, const sg_history_row *rows, size_t n);
int sg_sqlite_get_history(sg_view *v, int64_t seq, sg_history_row *row, bool *found);
int sg_sqlite_history(sg_view *v, sg_feed feed, const sg_ref *ref, sg_history_fn *fn, void *ctx);
int sg_sqlite_seq_before(sg_view *v, int64_t at_us, int64_t *seq);

int sg_sqlite_load_client(sg_writer *w, sg_feed feed, uint32_t client, sg_client_state *c);
int sg_sqlite_save_client(sg_writer *w, const sg_client_state *c);
int sg_sqlite_keep_run(sg_writer *w, const sg_client_state *c);
int sg_sqlite_answered(sg_writer *w, const sg_client_state *c, int64_t n, sg_answered *out);
int sg_sqlite_refuse(sg_writer *w, const sg_client_state *c, const sg_answered *refused, size_t n,
                     int64_t now_us);
int sg_sqlite_max_number(sg_view *v, sg_feed feed, uint32_t client, int64_t *n);

int sg_sqlite_stage(sg_writer *w, const sg_client_state *c, const sg_staged *staged, size_t n,
                    int64_t now_us);
int sg_sqlite_load_staged(sg_writer *w, const sg_client_state *c, int64_t after_n, size_t bytes,
                          sg_arena *arena, sg_staged *out, size_t *count);
int sg_sqlite_drop_staged(sg_writer *w, const sg_client_state *c);

int sg_sqlite_floor(sg_view *v, sg_feed feed, sg_floor *floor);
int sg_sqlite_purge(sg_writer *w, const sg_purge *what, sg_purged *done);

int sg_sqlite_execute(sg_writer *w, const sg_sql *sql, sg_row_fn *fn, void *ctx);
int sg_sqlite_query(sg_view *v, const sg_sql *sql, sg_row_fn *fn, void *ctx);
/* Let go of what sqlite_query.c has kept. */
void sg_sqlite_kept_deinit(sg_sqlite *c);

/* One slice of the scan for unused actors; how many it has removed. *more: it goes on. */
size_t sg_sqlite_purge_actors(sg_writer *w, size_t limit, bool *more, int *err);
/* An actor was asked for, to be named by what is written next. */
void sg_sqlite_actor_used(sg_writer *w, uint32_t actor);
void sg_sqlite_actors_deinit(sg_writer *w);

#endif
