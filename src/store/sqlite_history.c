#include "store/sqlite_conn.h"

int sg_sqlite_append_history(sg_writer *w, const sg_history_row *rows, size_t n)
{
    int err = SG_OK;
    for (size_t i = 0; i < n && err == SG_OK; i++) {
        sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_ADD_HISTORY, &err);
        if (s == NULL) break;
        (void)sqlite3_bind_int64(s, 1, rows[i].seq);
        (void)sqlite3_bind_int64(s, 2, rows[i].prev);
        (void)sqlite3_bind_int64(s, 3, rows[i].row);
        (void)sqlite3_bind_int64(s, 4, rows[i].received_us);
        sg_sqlite_bind_blob(s, 5, rows[i].data);
        sg_sqlite_done(s, &err);
    }
    return err;
}

/* The statement is left standing on the row: its data is borrowed until the next call. */
static bool get(sg_sqlite *c, int64_t seq, sg_history_row *row, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(c, SG_SQLITE_GET_HISTORY, err);
    if (s == NULL) return false;
    (void)sqlite3_bind_int64(s, 1, seq);
    if (!sg_sqlite_row(s, err)) return false;
    *row = (sg_history_row){.seq = sg_sqlite_count(s, 0, err),
                            .prev = sg_sqlite_count(s, 1, err),
                            .row = sg_sqlite_count(s, 2, err),
                            .received_us = sg_sqlite_count(s, 3, err),
                            .data = sg_sqlite_blob(s, 4)};
    return *err == SG_OK;
}

int sg_sqlite_get_history(sg_view *v, int64_t seq, sg_history_row *row, bool *found)
{
    int err = SG_OK;
    *found = get(v->conn, seq, row, &err);
    return err;
}

static int64_t newest_entry(sg_view *v, sg_feed feed, const sg_ref *ref, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_LOAD_RECORD, err);
    if (s == NULL) return 0;
    (void)sqlite3_bind_int64(s, 1, feed.scope);
    (void)sqlite3_bind_int64(s, 2, feed.app);
    (void)sqlite3_bind_int64(s, 3, ref->table);
    sg_sqlite_bind_blob(s, 4, ref->key);
    int64_t seq = 0;
    bool found = sg_sqlite_row(s, err);
    if (found)
        seq = sg_sqlite_count(s, 2, err);
    else if (*err == SG_OK)
        *err = SG_NOTFOUND;
    (void)sqlite3_reset(s);
    return seq;
}

int sg_sqlite_history(sg_view *v, sg_feed feed, const sg_ref *ref, sg_history_fn *fn, void *ctx)
{
    int err = SG_OK;
    int64_t seq = newest_entry(v, feed, ref, &err);
    sg_history_row row;
    /* Entries lead backwards: a chain that does not descend is damage, and would never end. */
    while (err == SG_OK && seq > 0 && get(v->conn, seq, &row, &err)) {
        if (row.prev >= seq) err = SG_CORRUPT;
        seq = row.prev;
        if (err == SG_OK && !fn(ctx, &row)) break;
    }
    return err;
}

/* First entry at or above seq: its seq and time. False: there is none. */
static bool first_from(sg_view *v, int64_t seq, int64_t *found, int64_t *at_us, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_FIRST_HISTORY, err);
    if (s == NULL) return false;
    (void)sqlite3_bind_int64(s, 1, seq);
    bool got = sg_sqlite_row(s, err);
    if (got) {
        *found = sg_sqlite_count(s, 0, err);
        *at_us = sg_sqlite_count(s, 1, err);
    }
    (void)sqlite3_reset(s);
    return got && *err == SG_OK;
}

static bool last(sg_view *v, int64_t *seq, int64_t *at_us, int *err)
{
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_LAST_HISTORY, err);
    bool got = sg_sqlite_row(s, err);
    if (!got) return false;
    *seq = sg_sqlite_count(s, 0, err);
    *at_us = sg_sqlite_count(s, 1, err);
    (void)sqlite3_reset(s);
    return *err == SG_OK;
}

/* Times of receipt never descend with seq, so this is a search by halves. */
int sg_sqlite_seq_before(sg_view *v, int64_t at_us, int64_t *seq)
{
    int err = SG_OK;
    int64_t high, high_us, low = 0;
    *seq = 0;
    if (!last(v, &high, &high_us, &err)) return err;
    if (high_us < at_us) {
        *seq = high;
        return SG_OK;
    }
    /* Entries at or below low are before the time; those at or above high are not. */
    while (err == SG_OK && low + 1 < high) {
        int64_t mid = low + (high - low) / 2, found = 0, found_us = 0;
        if (!first_from(v, mid, &found, &found_us, &err)) break;
        if (found_us >= at_us)
            high = mid;
        else
            *seq = low = found;
        if (low >= high) break;
    }
    return err;
}
