/* The sums over each table of a feed's records, kept in step with them. */
#include "store/sqlite_conn.h"

static sg_sum read_sum(sqlite3_stmt *s)
{
    return (sg_sum){(uint64_t)sqlite3_column_int64(s, 0), (uint64_t)sqlite3_column_int64(s, 1),
                    sqlite3_column_int64(s, 2)};
}

static void bind_table(sqlite3_stmt *s, sg_feed feed, uint32_t table)
{
    if (s == NULL) return;
    (void)sqlite3_bind_int64(s, 1, feed.scope);
    (void)sqlite3_bind_int64(s, 2, feed.app);
    (void)sqlite3_bind_int64(s, 3, table);
}

int sg_sqlite_add_sum(sg_writer *w, sg_feed feed, uint32_t table, const sg_sum *more)
{
    int err = SG_OK;
    sg_sum sum = {0};
    sqlite3_stmt *s = sg_sqlite_use(&w->conn, SG_SQLITE_GET_SUM, &err);
    bind_table(s, feed, table);
    if (sg_sqlite_row(s, &err)) {
        sum = read_sum(s);
        (void)sqlite3_reset(s);
    }
    sg_sum_add(&sum, more);
    s = sg_sqlite_use(&w->conn, SG_SQLITE_PUT_SUM, &err);
    if (s == NULL) return err;
    bind_table(s, feed, table);
    (void)sqlite3_bind_int64(s, 4, (int64_t)sum.marks);
    (void)sqlite3_bind_int64(s, 5, (int64_t)sum.values);
    (void)sqlite3_bind_int64(s, 6, sum.records);
    sg_sqlite_done(s, &err);
    return err;
}

int sg_sqlite_feeds(sg_view *v, sg_feed_fn *fn, void *ctx)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_FEEDS, &err);
    while (s != NULL && sg_sqlite_row(s, &err)) {
        const sg_feed feed = {sg_sqlite_u32(s, 0, &err), sg_sqlite_u32(s, 1, &err)};
        if (err != SG_OK) break;
        fn(ctx, feed);
    }
    if (s != NULL) (void)sqlite3_reset(s);
    return err;
}

int sg_sqlite_sums(sg_view *v, sg_feed feed, sg_sum_fn *fn, void *ctx)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_sqlite_use(v->conn, SG_SQLITE_SUMS, &err);
    if (s == NULL) return err;
    (void)sqlite3_bind_int64(s, 1, feed.scope);
    (void)sqlite3_bind_int64(s, 2, feed.app);
    while (sg_sqlite_row(s, &err)) {
        sg_sum sum = read_sum(s);
        uint32_t table = sg_sqlite_u32(s, 3, &err);
        if (err != SG_OK) break;
        fn(ctx, table, &sum);
    }
    (void)sqlite3_reset(s);
    return err;
}
