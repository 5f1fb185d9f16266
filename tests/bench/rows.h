/*
 * The benchmarks' data: a table of tasks with a 36-character text key and 8 columns, about 230
 * bytes a row in a plain SQLite file. The same seed gives the same rows.
 */
#ifndef SG_TESTS_BENCH_ROWS_H
#define SG_TESTS_BENCH_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "../lib/prng.h"

#define ROWS_SCHEMA                                                                                \
    "CREATE TABLE task(id TEXT PRIMARY KEY, title TEXT, notes TEXT, status TEXT,"                  \
    " priority INTEGER, amount REAL, due TEXT, owner TEXT, created INTEGER)"
#define ROWS_INSERT "INSERT INTO task VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"
#define ROWS_FIELDS 8

#define ROWS_WORDS 4096

typedef struct row {
    char id[37];
    char title[40];
    char notes[88];
    char due[11];
    char owner[24];
    const char *status;
    int64_t priority;
    double amount;
    int64_t created_ms;
} row;

static inline void rows_uuid(prng *g, char out[37])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t bits[2] = {prng_next(g), prng_next(g)};
    for (size_t i = 0, nibble = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            out[i] = '-';
            continue;
        }
        out[i] = hex[bits[nibble / 16] >> (nibble % 16 * 4) & 15];
        nibble++;
    }
    out[14] = '4';
    out[36] = '\0';
}

/* A made-up word of two to ten letters; word w is always the same one. */
static inline size_t rows_word(uint64_t w, char out[12])
{
    static const char *const parts[] = {"ka", "re", "ti", "lo",  "men", "su", "da", "vi",
                                        "no", "pe", "ra", "sto", "li",  "be", "in", "for"};
    prng g = {w * 2654435761u};
    size_t n = 0;
    for (uint64_t i = 1 + prng_below(&g, 3); i > 0; i--) {
        const char *part = parts[prng_below(&g, 16)];
        for (; *part != '\0'; part++)
            out[n++] = *part;
    }
    return n;
}

/* Words with spaces until `want` bytes are there; common words come up more often. */
static inline void rows_text(prng *g, char *out, size_t size, size_t want)
{
    size_t n = 0;
    while (n < want) {
        char word[12];
        uint64_t span = prng_below(g, ROWS_WORDS) + 1;
        size_t length = rows_word(prng_below(g, span), word);
        if (n + length + 2 > size) break;
        if (n != 0) out[n++] = ' ';
        memcpy(out + n, word, length);
        n += length;
    }
    out[n] = '\0';
}

static inline void rows_fill(prng *g, row *r)
{
    static const char *const states[] = {"open", "doing", "done", "blocked", "dropped"};
    rows_uuid(g, r->id);
    rows_text(g, r->title, sizeof r->title, 12 + prng_below(g, 20));
    rows_text(g, r->notes, sizeof r->notes, 25 + prng_below(g, 50));
    r->status = states[prng_below(g, 5)];
    r->priority = (int64_t)prng_below(g, 5);
    r->amount = (double)prng_below(g, 1000000) / 100;
    snprintf(r->due, sizeof r->due, "2026-%02u-%02u", (unsigned)prng_below(g, 12) + 1,
             (unsigned)prng_below(g, 28) + 1);
    char word[12];
    size_t n = rows_word(prng_below(g, 64), word);
    snprintf(r->owner, sizeof r->owner, "%.*s@example.org", (int)n, word);
    r->created_ms = INT64_C(1767225600000) + (int64_t)prng_below(g, UINT64_C(86400000) * 90);
}

/* The caller frees. */
static inline row *rows_make(size_t count, uint64_t seed)
{
    row *rows = calloc(count, sizeof *rows);
    prng g = {seed};
    for (size_t i = 0; rows != NULL && i < count; i++)
        rows_fill(&g, &rows[i]);
    return rows;
}

static inline void rows_bind_text(sqlite3_stmt *s, int i, const char *value)
{
    sqlite3_bind_text(s, i, value, -1, SQLITE_STATIC);
}

/* All parameters of ROWS_INSERT; they borrow from r. */
static inline void rows_bind(sqlite3_stmt *s, const row *r)
{
    rows_bind_text(s, 1, r->id);
    rows_bind_text(s, 2, r->title);
    rows_bind_text(s, 3, r->notes);
    rows_bind_text(s, 4, r->status);
    sqlite3_bind_int64(s, 5, r->priority);
    sqlite3_bind_double(s, 6, r->amount);
    rows_bind_text(s, 7, r->due);
    rows_bind_text(s, 8, r->owner);
    sqlite3_bind_int64(s, 9, r->created_ms);
}

/* 0 … count-1 in random order; the caller frees. */
static inline uint32_t *rows_shuffled(size_t count, uint64_t seed)
{
    uint32_t *order = calloc(count, sizeof *order);
    prng g = {seed};
    for (size_t i = 0; order != NULL && i < count; i++) {
        size_t j = prng_below(&g, i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    return order;
}

#endif
