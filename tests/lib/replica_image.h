/*
 * A replica that has something in each of Sigla's tables, made once and copied into memory as often
 * as it is needed: for fuzzers, and for tests of damage. Everything in it is deterministic.
 *
 * App "x" has t (a text key, a UNIQUE column, a JSON column, an index by time), v (two key columns)
 * and w (refers to t). There are acknowledged, refused and waiting changes, a conflict, a parked
 * row, a field without a column.
 */
#ifndef SG_TESTS_REPLICA_IMAGE_H
#define SG_TESTS_REPLICA_IMAGE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sigla.h"

#define IMAGE_EPOCH_US INT64_C(1767225600000000)

static inline void image_require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

/* Microseconds that go on with each look; ctx is an int64_t. */
static inline int64_t image_now(void *ctx)
{
    return ++*(int64_t *)ctx;
}

static inline void image_exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return;
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    image_require(false, sql);
}

/* Answer one request after another with these bodies, to the end. */
static inline void image_sync(sigla_session *s, const char *const *answers)
{
    sigla_action a;
    sigla_session_wake(s);
    while (sigla_session_next(s, &a) == SIGLA_OK && a.kind == SIGLA_REQUEST) {
        image_require(*answers != NULL, "there is an answer");
        if (sigla_session_answer(s, 200, 0, *answers, strlen(*answers)) != SIGLA_OK)
            image_require(false, sigla_session_message(s));
        answers++;
    }
    image_require(a.kind == SIGLA_DONE && *answers == NULL, "a session gets done");
}

#define IMAGE_HEAD                                                                                 \
    "\"serverTime\":\"2026-01-01T00:00:00.000Z\",\"epoch\":\"00000000000000ff\",\"hasMore\":false,"

static inline sqlite3 *image_make(int64_t *now_us)
{
    static const char *const first[] = {
        "{\"acks\":[{\"n\":1,\"seq\":1,\"count\":4}],\"serverChanges\":[],\"syncedSeq\":0}",
        "{" IMAGE_HEAD "\"serverChanges\":[],\"syncedUntil\":\"c4\",\"syncedSeq\":4}", NULL};
    static const char *const second[] = {
        "{" IMAGE_HEAD "\"acks\":[{\"n\":5,\"seq\":5},{\"n\":6,\"seq\":6}],"
        "\"rejected\":[{\"n\":7,\"code\":\"bad_change\",\"message\":\"no\"}],"
        "\"clients\":[\"other\"],\"actors\":[{\"kind\":\"user\",\"principalId\":\"u:ann\"},"
        "{\"kind\":\"ai\",\"principalId\":\"bot\"}],\"syncedUntil\":\"c9\",\"syncedSeq\":9,"
        "\"serverChanges\":["
        "{\"table\":\"t\",\"id\":\"k1\",\"marks\":[[\"2026-01-01T00:00:09.000Z\",0,3,1,\"agent\",7]],"
        "\"fields\":{\"b\":[0,\"theirs\",[5]],\"later\":[0,{\"new\":1}]}},"
        "{\"table\":\"t\",\"id\":\"k3\",\"marks\":[[\"2026-01-01T00:00:09.000Z\",0,4,0,\"user\",8]],"
        "\"life\":0,\"values\":{\"a\":1,\"b\":\"in the way\"}},"
        "{\"table\":\"v\",\"id\":\"[7,\\\"x\\\"]\",\"marks\":[[\"2026-01-01T00:00:09.000Z\",0,5,0,"
        "\"user\",9]],\"life\":0,\"dead\":true}]}",
        NULL};
    sqlite3 *db;
    sigla_session *s;
    *now_us = IMAGE_EPOCH_US;
    image_require(sqlite3_open(":memory:", &db) == SQLITE_OK, "there is memory");
    image_require(sigla_register(db) == SIGLA_OK, "Sigla is registered");
    sigla_set_clock(db, image_now, now_us);
    image_exec(
        db, "CREATE TABLE t(id TEXT PRIMARY KEY, a UNIQUE, b, c TEXT);"
            "CREATE TABLE v(k INT, l BLOB, x, PRIMARY KEY(k,l)) WITHOUT ROWID;"
            "CREATE TABLE w(id INTEGER PRIMARY KEY, ref TEXT REFERENCES t(id), \"a b\");"
            "SELECT sigla_init('{\"server\":\"http://s\",\"token\":\"t\",\"user\":\"ann\"}');"
            "SELECT sigla_track('t','{\"app\":\"x\",\"json\":[\"c\"]}');"
            "SELECT sigla_track('v','{\"app\":\"x\"}'); SELECT sigla_track('w','{\"app\":\"x\"}');"
            "SELECT sigla_index_updated('t');"
            "INSERT INTO t VALUES('k1',1,'one','{\"x\":1}'); INSERT INTO t VALUES('k2',2,0.5,NULL);"
            "INSERT INTO v VALUES(1,x'00ff','v'); INSERT INTO w VALUES(1,'k1',NULL)");
    image_require(sigla_session_open(db, "{\"seed\":1,\"encoding\":\"identity\"}", &s) == SIGLA_OK,
                  "a session opens");
    image_sync(s, first);
    image_exec(db, "UPDATE t SET b='mine' WHERE id='k1'; UPDATE t SET b='mine' WHERE id='k2';"
                   "UPDATE t SET a=9 WHERE id='k2'");
    image_sync(s, second);
    sigla_session_close(s);
    image_exec(db, "UPDATE t SET b='again' WHERE id='k2'; INSERT INTO t VALUES('k4',4,'new','[]');"
                   "BEGIN; UPDATE v SET x=NULL; DELETE FROM w; COMMIT");
    return db;
}

/* A connection of its own to a copy of the image, in memory. */
static inline sqlite3 *image_open(int64_t *now_us)
{
    static unsigned char *bytes;
    static sqlite3_int64 size;
    sqlite3 *db;
    if (bytes == NULL) {
        db = image_make(now_us);
        bytes = sqlite3_serialize(db, "main", &size, 0);
        image_require(bytes != NULL && sqlite3_close(db) == SQLITE_OK, "an image is made");
    }
    *now_us = IMAGE_EPOCH_US + 60000000;
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)size);
    image_require(copy != NULL, "there is memory");
    memcpy(copy, bytes, (size_t)size);
    image_require(sqlite3_open(":memory:", &db) == SQLITE_OK, "there is memory");
    image_require(sqlite3_deserialize(db, "main", copy, size, size,
                                      SQLITE_DESERIALIZE_FREEONCLOSE |
                                          SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK,
                  "an image is read");
    image_require(sigla_register(db) == SIGLA_OK, "Sigla is registered");
    sigla_set_clock(db, image_now, now_us);
    return db;
}

/* Nothing of Sigla's may keep it open. */
static inline void image_close(sqlite3 *db)
{
    if (sqlite3_close(db) == SQLITE_OK) return;
    sqlite3_stmt *s = sqlite3_next_stmt(db, NULL);
    image_require(false, s != NULL ? sqlite3_sql(s) : "a connection closes");
}

#endif
