/*
 * Tables of the SQLite store.
 *
 * Texts are numbers everywhere else, so that a record's key is compared as three small integers and
 * one key, and marks stay a few bytes. History is append-only by seq; a record leads to its newest
 * entry, and each entry to the one before it. The directory's tables are the same in every store.
 */
#include "base/mem.h"
#include "store/directory_tables.h"
#include "store/sqlite_conn.h"

#define SCHEMA_VERSION 1

static const char schema[] =
    "CREATE TABLE kv(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE newest(seq INTEGER NOT NULL, at_us INTEGER NOT NULL) STRICT;"
    "INSERT INTO newest VALUES (0, 0);"
    "CREATE TABLE text(kind INTEGER NOT NULL, id INTEGER NOT NULL, text BLOB NOT NULL,"
    " PRIMARY KEY (kind, id), UNIQUE (kind, text)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE record(id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, app INTEGER NOT NULL,"
    " tbl INTEGER NOT NULL, key BLOB NOT NULL, seq INTEGER NOT NULL, hist INTEGER NOT NULL,"
    " dead_us INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (scope, app, tbl, key)) STRICT;"
    "CREATE INDEX record_seq ON record(scope, app, seq, tbl);"
    "CREATE INDEX record_dead ON record(dead_us) WHERE dead_us > 0;"
    "CREATE TABLE sums(scope INTEGER NOT NULL, app INTEGER NOT NULL, tbl INTEGER NOT NULL,"
    " marks INTEGER NOT NULL, vals INTEGER NOT NULL, records INTEGER NOT NULL,"
    " PRIMARY KEY (scope, app, tbl)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE history(seq INTEGER PRIMARY KEY, prev INTEGER NOT NULL, record INTEGER NOT NULL,"
    " received_us INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE client(id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, app INTEGER NOT NULL,"
    " client INTEGER NOT NULL, max_n INTEGER NOT NULL DEFAULT 0, floor_n INTEGER NOT NULL DEFAULT 0,"
    " heard_n INTEGER NOT NULL DEFAULT 0,"
    " run_n INTEGER NOT NULL DEFAULT 0, run_count INTEGER NOT NULL DEFAULT 0,"
    " run_seq INTEGER NOT NULL DEFAULT 0, staged_tx INTEGER NOT NULL DEFAULT 0,"
    " staged_count INTEGER NOT NULL DEFAULT 0, staged_bytes INTEGER NOT NULL DEFAULT 0,"
    " refused_tx INTEGER NOT NULL DEFAULT 0, UNIQUE (scope, app, client)) STRICT;"
    "CREATE TABLE run(client INTEGER NOT NULL, n INTEGER NOT NULL, count INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, PRIMARY KEY (client, n)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX run_seq ON run(seq);"
    "CREATE TABLE refused(client INTEGER NOT NULL, n INTEGER NOT NULL, count INTEGER NOT NULL,"
    " code TEXT NOT NULL, message TEXT NOT NULL, refused_us INTEGER NOT NULL,"
    " PRIMARY KEY (client, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE staged(id INTEGER PRIMARY KEY, client INTEGER NOT NULL, n INTEGER NOT NULL,"
    " staged_us INTEGER NOT NULL, json BLOB NOT NULL, UNIQUE (client, n)) STRICT;"
    "CREATE TABLE floor(scope INTEGER NOT NULL, app INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL, PRIMARY KEY (scope, app)) STRICT, WITHOUT ROWID;" SG_DIRECTORY_TABLES(
        "INTEGER", "BLOB", " STRICT") "INSERT INTO kv VALUES ('schema', CAST('1' AS BLOB));";
_Static_assert(SCHEMA_VERSION == 1, "the last line of the schema says so too");

/* 0 in a new database. A database of somebody else's has tables but no kv. */
static int64_t stored_version(sg_sqlite *c, int *err)
{
    sqlite3_stmt *s = NULL;
    int64_t tables = 0, version = 0;
    const char *count = "SELECT count(*), count(CASE WHEN name = 'kv' THEN 1 END) "
                        "FROM sqlite_schema WHERE type = 'table'";
    if (*err == SG_OK) *err = sg_sqlite_error(sqlite3_prepare_v2(c->db, count, -1, &s, NULL));
    bool ours = false;
    if (sg_sqlite_row(s, err)) {
        tables = sqlite3_column_int64(s, 0);
        ours = sqlite3_column_int64(s, 1) == 1;
    }
    (void)sqlite3_finalize(s);
    if (*err != SG_OK || tables == 0) return 0;
    if (!ours) *err = SG_CORRUPT;
    s = sg_sqlite_use(c, SG_SQLITE_GET_VALUE, err);
    sg_sqlite_bind_text(s, 1, SG_LIT("schema"));
    if (sg_sqlite_row(s, err)) {
        version = sqlite3_column_int64(s, 0);
        (void)sqlite3_reset(s);
    }
    if (*err == SG_OK && version <= 0) *err = SG_CORRUPT;
    return version;
}

static int64_t usable_version(sg_sqlite *c, int *err)
{
    int64_t version = stored_version(c, err);
    if (*err == SG_OK && version > SCHEMA_VERSION) *err = SG_TOONEW;
    return version;
}

int sg_sqlite_schema(sg_sqlite *c)
{
    int err = SG_OK;
    /* What is not ours to use stays as it is: the journal's mode is written into the file. */
    (void)usable_version(c, &err);
    sg_sqlite_exec(c, "PRAGMA journal_mode = WAL", &err);
    sg_sqlite_exec(c, "BEGIN IMMEDIATE", &err);
    int64_t version = usable_version(c, &err);
    if (err == SG_OK && version == 0) sg_sqlite_exec(c, schema, &err);
    sg_sqlite_exec(c, "COMMIT", &err);
    if (err != SG_OK) (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}
