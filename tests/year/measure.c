/* How large everything is, and what syncs cost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "year/year.h"

static const char *const names[] = {"phone", "laptop", "tablet", "agent", "server"};

int64_t year_cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

sqlite3 *year_server_db(year *y)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2("/0/server.db", &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        sim_fail(&y->s, "the server's database does not open");
    return db;
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t n = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return n;
}

int64_t year_file_bytes(sqlite3 *db)
{
    return ask(db, "PRAGMA page_count") * ask(db, "PRAGMA page_size");
}

/* ---- week by week ---- */

static void note(year *y, const char *where, const char *table, int64_t rows, int64_t bytes)
{
    year_measure *m = &y->m;
    year_series *x = m->series;
    while (x < m->series + m->count &&
           (strcmp(x->where, where) != 0 || strcmp(x->table, table) != 0))
        x++;
    if (x == m->series + m->count) {
        sim_need(&y->s, m->count < SERIES_MAX);
        m->count++;
        snprintf(x->where, sizeof x->where, "%s", where);
        snprintf(x->table, sizeof x->table, "%s", table);
    }
    x->rows[m->weeks] = rows;
    x->bytes[m->weeks] = bytes;
}

/* Payload, not pages: a page more or less says nothing. */
static void sample_tables(year *y, const char *where, sqlite3 *db)
{
    static const char sql[] =
        "SELECT s.tbl_name,sum(d.payload) FROM dbstat d JOIN sqlite_schema s ON s.name=d.name "
        "WHERE d.aggregate=1 GROUP BY 1";
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        sim_fail(&y->s, "%s: %s", where, sqlite3_errmsg(db));
    while (sqlite3_step(q) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(q, 0);
        char count[80];
        snprintf(count, sizeof count, "SELECT count(*) FROM \"%s\"", table);
        note(y, where, table, ask(db, count), sqlite3_column_int64(q, 1));
    }
    sqlite3_finalize(q);
    note(y, where, "(file)", ask(db, "PRAGMA page_count"), year_file_bytes(db));
}

void year_sample(year *y)
{
    sim_need(&y->s, y->m.weeks < WEEKS_MAX);
    for (int d = 0; d < YEAR_DEVICES; d++)
        sample_tables(y, names[d], year_on(y, d)->db);
    sqlite3 *db = year_server_db(y);
    sample_tables(y, names[YEAR_DEVICES], db);
    int64_t oldest_us = ask(db, "SELECT min(refused_us) FROM refused");
    sim_need(&y->s, oldest_us == 0 || y->s.now_us - oldest_us < HISTORY_US + DAY_US);
    note(y, "server", "record: deleted", ask(db, "SELECT count(*) FROM record WHERE dead_us>0"),
         ask(db, "SELECT sum(length(data)) FROM record WHERE dead_us>0"));
    static const char *const kinds[] = {"names", "clients", "actors"};
    for (int k = 0; k < 3; k++) {
        char sql[100], name[28];
        snprintf(name, sizeof name, "text: %s", kinds[k]);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM text WHERE kind=%d", k);
        int64_t rows = ask(db, sql);
        snprintf(sql, sizeof sql, "SELECT sum(length(text)) FROM text WHERE kind=%d", k);
        note(y, "server", name, rows, ask(db, sql));
    }
    sqlite3_close(db);
    y->m.weeks++;
}

/* ---- what has grown ---- */

static int64_t most(const int64_t *v, int from, int to)
{
    int64_t n = 0;
    for (int i = from; i < to; i++)
        if (v[i] > n) n = v[i];
    return n;
}

/* A tenth more, and a few rows. What is tidied up now and then goes up and down: the most counts. */
static bool has_grown(int64_t before, int64_t now, int64_t slack)
{
    return now * 10 > before * 11 + slack * 10;
}

/* What comes by chance is held against the ledger whenever a sync is through (conflicts.c), and
 * what the server says of refusals against their age. */
static bool is_by_chance(const year_series *x)
{
    static const char *const by_chance[] = {"sigla_journal", "sigla_outbox", "sigla_set_aside",
                                            "refused"};
    for (size_t i = 0; i < sizeof by_chance / sizeof *by_chance; i++)
        if (strcmp(x->table, by_chance[i]) == 0) return true;
    return false;
}

/* How high these go in a year depends on when they are tidied up. */
static bool is_tidied(const year_series *x)
{
    return strcmp(x->table, "sigla_ack") == 0 || strcmp(x->table, "sigla_actor") == 0;
}

int year_count_growth(const year *y)
{
    int grown = 0, end = y->m.weeks, before = end - 52;
    for (int i = 0; i < y->m.count; i++) {
        const year_series *x = &y->m.series[i];
        int64_t rows = most(x->rows, before - 52, before), rows_now = most(x->rows, before, end);
        int64_t bytes = most(x->bytes, before - 52, before);
        int64_t bytes_now = most(x->bytes, before, end);
        if (is_by_chance(x)) continue;
        if (!has_grown(rows, rows_now, is_tidied(x) ? 32 : 8) &&
            !has_grown(bytes, bytes_now, is_tidied(x) ? 8192 : 4096))
            continue;
        grown++;
        printf("%s: %s has grown from %" PRId64 " to %" PRId64 " rows, %" PRId64 " to %" PRId64
               " bytes\n",
               x->where, x->table, rows, rows_now, bytes, bytes_now);
    }
    return grown;
}

static double mean(const int64_t *v, int from, int to)
{
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += (double)v[i];
    return sum / (double)(to > from ? to - from : 1);
}

void year_print_breakdown(year *y)
{
    const year_measure *m = &y->m;
    printf("\ntable, rows and bytes in the    first year          last year\n");
    for (int w = 0; w <= YEAR_DEVICES; w++) {
        printf("%s\n", names[w]);
        for (int i = 0; i < m->count; i++) {
            const year_series *x = &m->series[i];
            if (strcmp(x->where, names[w]) != 0) continue;
            printf("  %-26s %8.0f %8.0f B %8.0f %8.0f B\n", x->table, mean(x->rows, 26, 52),
                   mean(x->bytes, 26, 52), mean(x->rows, m->weeks - 26, m->weeks),
                   mean(x->bytes, m->weeks - 26, m->weeks));
        }
    }
}
