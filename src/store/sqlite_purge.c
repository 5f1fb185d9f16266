/* What has grown too old goes, a bounded number of rows at a time. */
#include "core/record.h"
#include "store/sqlite_conn.h"

int sg_sqlite_floor(sg_view *v, sg_feed feed, sg_floor *floor)
{
    int err = SG_OK;
    *floor = (sg_floor){0};
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_GET_FLOOR, &err);
    if (s == NULL) return err;
    (void)sqlite3_bind_int64(s, 1, feed.scope);
    (void)sqlite3_bind_int64(s, 2, feed.app);
    if (sg_sqlite_row(s, &err)) {
        *floor = (sg_floor){sg_sqlite_count(s, 0, &err), sg_sqlite_count(s, 1, &err)};
        (void)sqlite3_reset(s);
    }
    return err;
}

static void bind_two(sqlite3_stmt *s, int64_t a, int64_t b)
{
    if (s == NULL) return;
    (void)sqlite3_bind_int64(s, 1, a);
    (void)sqlite3_bind_int64(s, 2, b);
}

/* The stamp of the delete that a tombstone holds. */
static int64_t death_of(sg_slice data, int *err)
{
    sg_record r;
    sg_record_init(&r);
    int bad = sg_record_unpack(&r, data);
    int64_t at_us = r.life.at_us;
    sg_record_deinit(&r);
    if (*err == SG_OK) *err = bad;
    return at_us;
}

/* A replica whose cursor lies below the floor could miss this delete: it has to start anew (L12).
 */
static void raise_floor(sg_sqlite *c, sqlite3_stmt *dead, int *err)
{
    int64_t at_us = death_of(sg_sqlite_blob(dead, 4), err);
    sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_RAISE_FLOOR, err);
    if (s == NULL) return;
    for (int i = 1; i <= 3; i++)
        (void)sqlite3_bind_int64(s, i, sqlite3_column_int64(dead, i));
    (void)sqlite3_bind_int64(s, 4, at_us);
    sg_sqlite_done(s, err);
}

static size_t purge_tombstones(sg_sqlite *c, int64_t before_us, size_t limit, int *err)
{
    size_t n = 0;
    sqlite3_stmt *dead = sg_sqlite_use(c, SG_SQLITE_DEAD_RECORDS, err);
    bind_two(dead, before_us, (int64_t)limit);
    for (; sg_sqlite_row(dead, err); n++) {
        raise_floor(c, dead, err);
        sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_DROP_RECORD, err);
        if (s != NULL) (void)sqlite3_bind_int64(s, 1, sqlite3_column_int64(dead, 0));
        sg_sqlite_done(s, err);
        if (*err != SG_OK) break;
    }
    if (dead != NULL) (void)sqlite3_reset(dead);
    return n;
}

static size_t purge_history(sg_writer *w, int64_t cutoff, size_t limit, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_DROP_HISTORY, err);
    bind_two(s, cutoff, (int64_t)limit);
    sg_sqlite_done(s, err);
    return *err == SG_OK ? (size_t)sqlite3_changes(w->conn.db) : 0;
}

/* Answers to numbers: drop what `old` finds (client, n, count), and remember up to where. */
static size_t purge_answers(sg_sqlite *c, enum sg_sqlite_statement old, int64_t before,
                            enum sg_sqlite_statement drop, size_t limit, int *err)
{
    size_t n = 0;
    sqlite3_stmt *rows = sg_sqlite_use(c, old, err);
    bind_two(rows, before, (int64_t)limit);
    for (; sg_sqlite_row(rows, err); n++) {
        int64_t client = sqlite3_column_int64(rows, 0), first = sg_sqlite_count(rows, 1, err);
        int64_t last = first + sg_sqlite_count(rows, 2, err) - 1;
        sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_RAISE_NUMBER_FLOOR, err);
        bind_two(s, client, last);
        sg_sqlite_done(s, err);
        s = sg_sqlite_use(c, drop, err);
        bind_two(s, client, first);
        sg_sqlite_done(s, err);
        if (*err != SG_OK) break;
    }
    if (rows != NULL) (void)sqlite3_reset(rows);
    return n;
}

static size_t purge_staged(sg_sqlite *c, int64_t before_us, size_t limit, int *err)
{
    size_t n = 0;
    sqlite3_stmt *old = sg_sqlite_use(c, SG_SQLITE_OLD_STAGED, err);
    bind_two(old, before_us, (int64_t)limit);
    for (; sg_sqlite_row(old, err); n++) {
        static const enum sg_sqlite_statement steps[] = {SG_SQLITE_DROP_STAGED,
                                                         SG_SQLITE_UNSTAGE_CLIENT};
        for (size_t i = 0; i < 2; i++) {
            sqlite3_stmt *s = sg_sqlite_use(c, steps[i], err);
            if (s != NULL) (void)sqlite3_bind_int64(s, 1, sqlite3_column_int64(old, 0));
            sg_sqlite_done(s, err);
        }
        if (*err != SG_OK) break;
    }
    if (old != NULL) (void)sqlite3_reset(old);
    return n;
}

int sg_sqlite_purge(sg_writer *w, const sg_purge *what, sg_purged *done)
{
    int err = SG_OK;
    size_t limit = what->limit;
    *done = (sg_purged){0};
    if (what->tombstones_before_us > 0)
        done->tombstones = purge_tombstones(&w->conn, what->tombstones_before_us, limit, &err);
    if (what->history_before_us > 0) {
        int64_t cutoff = 0, before_us = what->history_before_us;
        if (err == SG_OK) err = sg_sqlite_seq_before(&w->view, before_us, &cutoff);
        size_t runs =
            purge_answers(&w->conn, SG_SQLITE_OLD_RUNS, cutoff, SG_SQLITE_DROP_RUN, limit, &err);
        size_t refused = purge_answers(&w->conn, SG_SQLITE_OLD_REFUSED, before_us,
                                       SG_SQLITE_DROP_REFUSED, limit, &err);
        done->answers = runs + refused;
        /* Last, and only when no run is left behind: runs are found by the history's times. */
        if (runs < limit) done->history = purge_history(w, cutoff, limit, &err);
        done->more = runs == limit || refused == limit || done->history == limit;
    }
    if (what->staged_before_us > 0)
        done->staged = purge_staged(&w->conn, what->staged_before_us, limit, &err);
    if (done->tombstones == limit || done->staged == limit) done->more = true;
    if (what->history_before_us > 0 && !done->more)
        done->actors = sg_sqlite_purge_actors(w, limit, &done->more, &err);
    return err;
}
