/* The household's years: options, the run, and tables. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"
#include "year/year.h"

#define YEARS_MAX 10

static year y;

static void add_cost(year_cost *to, const year_cost *c)
{
    int64_t *a = (int64_t *)to;
    const int64_t *b = (const int64_t *)c;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

static void end_month(int month)
{
    year_cost all = {0};
    int64_t file[YEAR_DEVICES + 1];
    for (int d = 0; d < YEAR_DEVICES; d++) {
        add_cost(&all, &y.cost[d]);
        file[d] = year_file_bytes(year_on(&y, d)->db);
        y.cost[d] = (year_cost){0};
    }
    sqlite3 *db = year_server_db(&y);
    file[YEAR_DEVICES] = year_file_bytes(db);
    sqlite3_close(db);
    double n = all.syncs != 0 ? (double)all.syncs : 1;
    printf("%5d %7" PRId64 " %9" PRId64, month + 1, y.writes - y.month_writes, y.raised);
    for (int d = 0; d <= YEAR_DEVICES; d++)
        printf(" %7" PRId64, file[d] / 1024);
    printf(" %6" PRId64 " %5.2f %7.0f %6.0f %7.0f %6.0f %6.2f %6.2f\n", all.syncs,
           (double)all.requests / n, (double)all.sent / n, (double)all.packed_sent / n,
           (double)all.received / n, (double)all.packed_received / n,
           (double)all.device_us / n / 1000, (double)all.server_us / n / 1000);
    y.month_writes = y.writes;
}

static void print_head(void)
{
    printf(
        "                        ------------ database, KiB -------------         ---------------- "
        "a sync, on average ----------------\n");
    printf("month  writes conflicts   phone  laptop  tablet   agent  server  syncs  req.  sent B "
           "packed  recv. B packed dev ms srv ms\n");
}

static void print_end(void)
{
    year_cost c;
    int64_t bytes;
    year_hydrate(&y, &c, &bytes);
    year_print_breakdown(&y);
    int64_t due = 0, refused = 0;
    for (int d = 0; d < YEAR_DEVICES; d++) {
        due += y.l.loss_count[d];
        refused += y.l.refused[d];
    }
    printf("\na new device: %" PRId64 " records in %" PRId64 " requests, %" PRId64 " B (%" PRId64
           " packed), %.1f ms on it and %.1f ms at the server, a database of %" PRId64 " KiB\n",
           c.rows, c.requests, c.received, c.packed_received, (double)c.device_us / 1000,
           (double)c.server_us / 1000, bytes / 1024);
    printf("writes %" PRId64 "; lost unseen %" PRId64 ", of these %" PRId64
           " written over by their own writer; raised %" PRId64 ", restored %" PRId64
           ", dismissed %" PRId64 ", expired %" PRId64 ", below the floor %" PRId64 "\n",
           y.writes, due, y.l.own_hand, y.raised, y.restored, y.dismissed, y.expired,
           y.below_floor);
    printf("no conflicts: %" PRId64 " values written over by who had seen them, %" PRId64
           " of the agent's lost\n",
           y.l.overwritten_seen, y.l.agent_lost);
    printf("answers lost %" PRId64 ", rough syncs %" PRId64 ", crashes %" PRId64
           ", resyncs %" PRId64 ", refused %" PRId64 ", rows compared %" PRId64 "\n",
           y.answers_lost, y.rough, y.crashes, y.resyncs, refused, y.compared);
}

/* Days on which nobody is away. */
static bool is_reunion(int day)
{
    int date = day % YEAR_DAYS;
    return date == 30 || date == 65 || date == 145 || date == 190 || date == 245 || date == 300;
}

static bool live(void)
{
    if (setjmp(y.s.failed) != 0) {
        printf("day %" PRId64 ": %s\n", (y.s.now_us - INT64_C(1767225600000000)) / DAY_US,
               y.s.message);
        return false;
    }
    year_home_open(&y);
    print_head();
    int days = y.o.years * YEAR_DAYS;
    for (int day = 0; day < days; day++) {
        year_day(&y, day);
        if (day % 7 == 6) year_sample(&y);
        if (is_reunion(day)) year_reunion(&y);
        int month = day % YEAR_DAYS * 12 / YEAR_DAYS, next = (day + 1) % YEAR_DAYS * 12 / YEAR_DAYS;
        if (next != month) end_month(day / YEAR_DAYS * 12 + month);
    }
    year_reunion(&y);
    print_end();
    return true;
}

static int number(const char *text, int most)
{
    char *end;
    long v = text != NULL ? strtol(text, &end, 10) : 0;
    if (text == NULL || *end != '\0' || v < 1 || v > most) {
        fprintf(stderr, "year: a number from 1 to %d is needed, not %s\n", most,
                text != NULL ? text : "nothing");
        exit(2);
    }
    return (int)v;
}

int main(int argc, char **argv)
{
    y.o = (year_options){.seed = 1, .years = 3, .writes = 1500};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--seed") == 0)
            y.o.seed = (uint64_t)number(value, 1000000000);
        else if (strcmp(argv[i], "--years") == 0)
            y.o.years = number(value, YEARS_MAX);
        else if (strcmp(argv[i], "--writes") == 0)
            y.o.writes = number(value, 20000);
        else {
            fprintf(stderr, "year: --writes N (a month), --years N, --seed S\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    memory_register();
    disk_register();
    bool passed = live();
    int grown = passed && y.o.years > 1 ? year_count_growth(&y) : 0;
    printf("%d passed, %d failed\n", passed, !passed + grown);
    return !passed || grown != 0;
}
