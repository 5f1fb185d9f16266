/*
 * A household's long life: two people with a phone, a laptop and a tablet, and an agent that tidies
 * up at night, for simulated years. The machinery is the simulator's (tests/sim): a real replica,
 * session, ingest, delta and store on disks in memory, under a virtual clock. spec/simulation.md says
 * what must hold.
 *
 *     story.c      what they do, day by day     ledger.c     what comes of it, by their own books
 *     home.c       devices, and typing on them  conflicts.c  a device's conflicts against that
 *     sync.c       good and bad syncs           compare.c    a device's rows against that
 *     words.c      what they write              measure.c    sizes, costs, growth
 *     main.c       options, tables
 */
#ifndef SG_YEAR_H
#define SG_YEAR_H

#include "sim/sim.h"
#include "year/ledger.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define DAY_US (1440 * MINUTE_US)
#define YEAR_DAYS 365
#define YEAR_TABLES 5

/* What the server and the devices are told to keep. */
#define TOMBSTONES_US (45 * DAY_US)
#define HISTORY_US (90 * DAY_US)
#define JOURNAL_US (90 * DAY_US)
#define STAGED_US (7 * DAY_US)
/* People don't write to one field from two devices within this; clocks don't differ by as much. */
#define APART_US (3 * MINUTE_US)

enum year_device { PHONE, LAPTOP, TABLET, AGENT };
enum year_table { TASKS, SHOPPING, NOTES, RECIPES, PEOPLE };

typedef struct year_kind {
    const char *name;
    const char *fields[YEAR_FIELDS];
    int count, first; /* columns in the end; to begin with */
    int live;         /* rows the household keeps about */
} year_kind;

extern const year_kind year_kinds[YEAR_TABLES];
extern const char *const year_device_names[YEAR_DEVICES];

typedef struct year_options {
    uint64_t seed;
    int years;
    int writes; /* a month */
} year_options;

/* What syncs of one device have cost since it was last emptied. */
typedef struct year_cost {
    int64_t syncs, requests, sent, received, packed_sent, packed_received, rows;
    int64_t device_us, server_us; /* CPU */
} year_cost;

#define SERIES_MAX 160
#define WEEKS_MAX 530

/* One table of one database, week by week. */
typedef struct year_series {
    char where[12], table[28];
    int64_t rows[WEEKS_MAX], bytes[WEEKS_MAX];
} year_series;

typedef struct year_measure {
    year_series series[SERIES_MAX];
    int count, weeks;
} year_measure;

typedef struct year {
    sim s;
    sim_plan plan;
    sim_counters counters;
    year_options o;
    year_ledger l;
    prng g;
    char **words; /* every literal that was typed */
    int word_count, word_cap;
    int columns[YEAR_DEVICES][YEAR_TABLES]; /* a device's table has now */
    int hot[16], hot_at;                    /* records that were typed in lately */
    bool resynced[YEAR_DEVICES];            /* told to, in the sync at work */
    bool stale[YEAR_DEVICES];               /* it has not caught up since it last tried */
    year_cost cost[YEAR_DEVICES];
    int64_t cpu_mark, apart_us; /* CPU: when the server's work began; not to be counted */
    int64_t writes, month_writes, raised, restored, dismissed, expired, below_floor;
    int64_t resyncs, answers_lost, rough, crashes, compared;
    int64_t retried[YEAR_DEVICES]; /* of those the server has refused */
    year_measure m;
} year;

/* words.c: an SQL literal that stays as long as the year. */
const char *year_words(year *y, int count);
const char *year_number(year *y, int value);
const char *year_literal(year *y, const char *text);

/* home.c */
void year_home_open(year *y);
void year_home_close(year *y);
/* One more device, with all columns; it has never synced. */
sim_device *year_home_add(year *y);
sim_device *year_on(year *y, int device);
/* Type these, each in a record of its own, in one transaction. */
void year_type(year *y, int device, const year_edit *edits, int count);
void year_upgrade(year *y, int device, int table);
void year_purge(year *y);
/* Records have UUIDs, as in most apps: the table, and the ledger's number; -1: no such record. */
void year_put_id(char id[40], const year *y, int record);
int year_record_of(const year *y, const char *id);

/* sync.c */
extern const sim_watch year_watch;
void year_sync(year *y, int device);
/* The request arrives and its answer does not; the device stops there. */
void year_sync_answer_lost(year *y, int device);
/* Over a network that loses, repeats and delays, until it is through. */
void year_sync_rough(year *y, int device);
/* The device's or the server's machine dies somewhere in it. */
void year_sync_crash(year *y, int device, bool server);
/* A new device at the end: what its first sync costs. */
void year_hydrate(year *y, year_cost *cost, int64_t *file_bytes);

/* conflicts.c: of a device that has caught up */
void year_check_conflicts(year *y, int device);
/* Nothing is kept longer than it is good for. */
void year_check_bounds(year *y, int device);
/* Somebody looks at a conflict of his and decides; false: there is none. */
bool year_settle(year *y, int device);
/* Somebody looks at what the server has refused, and tries it again. */
void year_retry(year *y, int device);

/* compare.c */
/* Do all rows of a device that has caught up show what the ledger says? */
void year_compare(year *y, int device);
void year_compare_new(year *y, sim_device *d);
/* Before a failure is told: what the ledger knows of a record. */
void year_explain(const year *y, int record);

/* story.c */
void year_day(year *y, int day);
/* All come home and sync, twice. */
void year_reunion(year *y);

/* measure.c */
int64_t year_cpu_us(void);
void year_sample(year *y);
int64_t year_file_bytes(sqlite3 *db);
sqlite3 *year_server_db(year *y);
/* Tables that have grown from the last year but one to the last; prints them. */
int year_count_growth(const year *y);
void year_print_breakdown(year *y);

#endif
