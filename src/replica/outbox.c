#include "replica/outbox.h"

#include "base/mem.h"

int sg_outbox_open(sg_outbox_writer *w, sg_replica *r)
{
    *w = (sg_outbox_writer){.r = r};
    return SG_OK;
}

static sg_outbox_part *part_of(sg_outbox_writer *w, uint32_t app)
{
    for (size_t i = 0; i < w->part_count; i++)
        if (w->parts[i].app == app) return &w->parts[i];
    if (w->part_count == SG_OUTBOX_APPS_MAX) {
        w->err = sg_replica_fail(w->r, SG_LIMIT, "one transaction may write to at most %d apps",
                                 SG_OUTBOX_APPS_MAX);
        return &w->parts[0];
    }
    sg_outbox_part *p = &w->parts[w->part_count++];
    *p = (sg_outbox_part){.app = app};
    sg_buf_init(&p->ops, SG_TX_BYTES_MAX);
    return p;
}

static void cut(sg_outbox_writer *w, sg_outbox_part *p)
{
    void *cuts = sg_realloc(p->cuts, (p->cut_count + 1) * sizeof *p->cuts);
    if (cuts == NULL) {
        w->err = SG_NOMEM;
        return;
    }
    p->cuts = cuts;
    p->cuts[p->cut_count].end = p->ops.n;
    p->cuts[p->cut_count].count = p->count;
    p->cut_count++;
}

sg_buf *sg_outbox_op(sg_outbox_writer *w, uint32_t app, const sg_packed_op *op)
{
    sg_outbox_part *p = part_of(w, app);
    size_t start = p->cut_count != 0 ? p->cuts[p->cut_count - 1].end : 0;
    if (p->ops.n - start >= SG_OUTBOX_ROW_BYTES) cut(w, p);
    p->count++;
    sg_ops_put_head(&p->ops, op);
    return &p->ops;
}

/* A later flush of the same transaction: all of it is one (L1). */
static void extend(sg_outbox_writer *w, const sg_outbox_part *p, int64_t last_n, int *err)
{
    int64_t first_n = w->r->capture.first_n;
    sqlite3_stmt *s = first_n != 0 ? sg_replica_stmt(w->r, SG_STMT_OUTBOX_EXTEND, err) : NULL;
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, p->app);
    sqlite3_bind_int64(s, 2, first_n);
    sqlite3_bind_int64(s, 3, last_n);
    sg_sql_done(s, err);
}

static void store_part(sg_outbox_writer *w, sg_outbox_part *p, sg_counters *c, int64_t at_us,
                       int *err)
{
    if (*err == SG_OK) *err = p->ops.err;
    if (*err == SG_OK) cut(w, p);
    if (*err == SG_OK) *err = w->err;
    int64_t first = c->next_n, done = 0;
    size_t start = 0;
    for (size_t i = 0; i < p->cut_count && *err == SG_OK; i++) {
        sqlite3_stmt *s = sg_replica_stmt(w->r, SG_STMT_OUTBOX_ADD, err);
        if (s == NULL) return;
        sqlite3_bind_int64(s, 1, first + done);
        sqlite3_bind_int64(s, 2, p->cuts[i].count - done);
        sqlite3_bind_int64(s, 3, first + p->count - 1);
        sqlite3_bind_int64(s, 4, p->app);
        sqlite3_bind_int64(s, 5, at_us);
        sg_sql_bind_blob(s, 6, sg_slice_of(p->ops.p + start, p->cuts[i].end - start));
        sg_sql_done(s, err);
        start = p->cuts[i].end;
        done = p->cuts[i].count;
    }
    c->next_n += p->count;
    extend(w, p, c->next_n - 1, err);
}

int sg_outbox_close(sg_outbox_writer *w, int err)
{
    if (err == SG_OK) err = w->err;
    if (err == SG_OK && w->part_count != 0) {
        sg_counters c = sg_counters_load(w->r, &err);
        int64_t at_us =
            w->r->capture.bottom ? SG_AT_BOTTOM_US : sg_clock_tick(&c.clock, sg_replica_now(w->r));
        int64_t first_n = c.next_n;
        /* The newest row says how far the clock has got; one of the bottom stamp does not (L3). */
        if (w->r->capture.bottom) sg_counters_store(w->r, &c, &err);
        for (size_t i = 0; i < w->part_count && err == SG_OK; i++)
            store_part(w, &w->parts[i], &c, at_us, &err);
        if (err == SG_OK && w->r->capture.first_n == 0) w->r->capture.first_n = first_n;
    }
    for (size_t i = 0; i < w->part_count; i++) {
        sg_buf_deinit(&w->parts[i].ops);
        sg_free(w->parts[i].cuts);
    }
    return err;
}

sg_outbox_row sg_outbox_read(sqlite3_stmt *s, int *err)
{
    sg_outbox_row row = {.n = sqlite3_column_int64(s, 0),
                         .count = sqlite3_column_int64(s, 1),
                         .tx_last = sqlite3_column_int64(s, 2),
                         .app = sg_sql_u32(s, 3, err),
                         .at_us = sqlite3_column_int64(s, 4),
                         .base = sqlite3_column_int64(s, 5),
                         .ops = sg_sql_blob(s, 6)};
    bool can_be = row.n > 0 && row.count > 0 && row.count <= SG_COUNTER_MAX - row.n &&
                  row.tx_last >= row.n + row.count - 1 && row.tx_last <= SG_COUNTER_MAX &&
                  row.at_us >= 0 && row.at_us <= SG_AT_MAX_US && row.base >= SG_BASE_UNKNOWN;
    if (!can_be && *err == SG_OK) *err = SG_CORRUPT;
    return row;
}
