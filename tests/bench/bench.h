/*
 * What the benchmark programs share: CPU time, SQLite without error paths (a benchmark that fails
 * just ends), and figures printed as one JSON object a line for run.py.
 */
#ifndef SG_TESTS_BENCH_H
#define SG_TESTS_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/slice.h"

/* Stop with a message unless `ok`. */
static inline void bench_need(int ok, const char *what, const char *why)
{
    if (ok) return;
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static inline double bench_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static inline double bench_wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void bench_figure(const char *name, double value)
{
    printf("{\"name\":\"%s\",\"value\":%.9g}\n", name, value);
    fflush(stdout);
}

static inline void bench_exec(sqlite3 *db, const char *sql)
{
    bench_need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql, sqlite3_errmsg(db));
}

static inline sqlite3_stmt *bench_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
    bench_need(rc == SQLITE_OK, sql, sqlite3_errmsg(db));
    return s;
}

static inline void bench_done(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    bench_need(rc == SQLITE_DONE || rc == SQLITE_ROW, sqlite3_sql(s),
               sqlite3_errmsg(sqlite3_db_handle(s)));
    sqlite3_reset(s);
}

static inline int64_t bench_int(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = bench_prepare(db, sql);
    bench_need(sqlite3_step(s) == SQLITE_ROW, sql, sqlite3_errmsg(db));
    int64_t v = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return v;
}

/* A new file database as most programs open one today. */
static inline sqlite3 *bench_open(const char *dir, const char *name)
{
    char path[4096];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s.db", dir, name);
    unlink(path);
    bench_need(sqlite3_open(path, &db) == SQLITE_OK, path, "cannot be opened");
    bench_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
    return db;
}

/* Bytes of the database in use, the free pages of its file left out. */
static inline double bench_bytes(sqlite3 *db)
{
    bench_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    int64_t pages = bench_int(db, "PRAGMA page_count") - bench_int(db, "PRAGMA freelist_count");
    return (double)(pages * bench_int(db, "PRAGMA page_size"));
}

#endif
