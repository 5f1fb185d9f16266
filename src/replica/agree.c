#include "replica/agree.h"

#include "replica/ops.h"
#include "replica/scan.h"
#include "replica/sums.h"

static const char *const reasons[] = {
#define SG_UNCOMPARED_TEXT(name, text) text,
    SG_UNCOMPARED(SG_UNCOMPARED_TEXT)
#undef SG_UNCOMPARED_TEXT
};

const char *sg_uncompared_text(int reason)
{
    return reason >= 0 && reason < SG_UNCOMPARED_COUNT ? reasons[reason] : "";
}

/* ---- rows ---- */

void sg_agree_load(sg_replica *r, uint32_t table, sg_agree *a, int *err)
{
    *a = (sg_agree){.table = table, .told_seq = -1};
    sg_sums_keep(r, err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_SUM_GET, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, table);
    if (!sg_sql_row(s, err)) return;
    int c = 0;
    a->changes = sqlite3_column_int64(s, c++);
    a->kept.marks = (uint64_t)sqlite3_column_int64(s, c++);
    a->kept.records = sqlite3_column_int64(s, c++);
    a->recount = sqlite3_column_int(s, c++) != 0;
    a->told.marks = (uint64_t)sqlite3_column_int64(s, c++);
    a->told.values = (uint64_t)sqlite3_column_int64(s, c++);
    a->told.records = sqlite3_column_int64(s, c++);
    a->told_seq = sqlite3_column_int64(s, c++);
    a->state = sqlite3_column_int(s, c++);
    a->what = sqlite3_column_int(s, c++);
    a->reason = sqlite3_column_int(s, c++);
    a->scanned_us = sqlite3_column_int64(s, c++);
    a->scanned_changes = sqlite3_column_int64(s, c++);
    a->found_seq = sqlite3_column_int64(s, c++);
    a->found_us = sqlite3_column_int64(s, c++);
    a->mended_us = sqlite3_column_int64(s, c++);
    a->off_marks = (uint64_t)sqlite3_column_int64(s, c++);
    a->off_values = (uint64_t)sqlite3_column_int64(s, c++);
    sqlite3_reset(s);
}

void sg_agree_save(sg_replica *r, const sg_agree *a, int *err)
{
    const int64_t columns[] = {a->table,
                               (int64_t)a->kept.marks,
                               a->kept.records,
                               a->recount,
                               (int64_t)a->told.marks,
                               (int64_t)a->told.values,
                               a->told.records,
                               a->told_seq,
                               a->state,
                               a->what,
                               a->reason,
                               a->scanned_us,
                               a->scanned_changes,
                               a->found_seq,
                               a->found_us,
                               a->mended_us,
                               (int64_t)a->off_marks,
                               (int64_t)a->off_values};
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_SUM_SET, err);
    if (s == NULL) return;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sqlite3_bind_int64(s, (int)i + 1, columns[i]);
    sg_sql_done(s, err);
}

/* ---- what the server tells ---- */

static const sg_page_sum *sum_in(const sg_page *page, const sg_table *t)
{
    for (size_t i = 0; i < page->sum_count; i++)
        if (sg_slice_eq(page->sums[i].table, sg_slice_str(t->wire))) return &page->sums[i];
    return NULL;
}

void sg_agree_told(sg_apply *a, const sg_page *page, int *err)
{
    if (!page->summed || page->has_more || page->synced_seq != a->app.seq) return;
    for (size_t i = 0; i < a->r->table_count && *err == SG_OK; i++) {
        const sg_table *t = a->r->tables[i];
        if (t->app != a->app.id || !t->active || t->missing) continue;
        sg_agree g;
        sg_agree_load(a->r, t->id, &g, err);
        const sg_page_sum *told = sum_in(page, t);
        g.told = told != NULL ? told->sum : (sg_sum){0};
        g.told_seq = page->synced_seq;
        sg_agree_save(a->r, &g, err);
    }
}

/* ---- may they be compared? ---- */

bool sg_agree_refused(sg_replica *r, const sg_table *t, int *err)
{
    bool any = false;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_REFUSED_APP, err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, t->app);
    while (!any && sg_sql_row(s, err)) {
        sg_ops ops = sg_ops_of(sg_sql_blob(s, 0));
        for (sg_packed_op op; !any && sg_ops_next(&ops, &op);)
            any = op.table == t->id;
        any = any || ops.in.err != SG_OK;
    }
    sqlite3_reset(s);
    return any;
}

static bool parked_in(sg_replica *r, const sg_table *t, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_PARKED_IN, err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, t->id);
    bool any = sg_sql_row(s, err);
    if (any) sqlite3_reset(s);
    return any;
}

enum sg_uncompared sg_agree_obstacle(sg_replica *r, const sg_app *app, const sg_table *t,
                                     const sg_agree *a, int *err)
{
    if (app->resync || !app->hydrated) return SG_UNCOMPARED_PULLING;
    if (sg_app_pending(r, app->id, err) || r->capture.count != r->capture.flushed)
        return SG_UNCOMPARED_PENDING;
    if (a->told_seq < 0 || a->told_seq != app->seq) return SG_UNCOMPARED_UNTOLD;
    if (sg_agree_refused(r, t, err)) return SG_UNCOMPARED_REFUSED;
    if (parked_in(r, t, err)) return SG_UNCOMPARED_PARKED;
    return SG_UNCOMPARED_NOTHING;
}

/* ---- judging ---- */

static bool is_old(int64_t then_us, int64_t now_us)
{
    int64_t age_us = now_us > then_us ? now_us - then_us : then_us - now_us;
    return age_us >= SG_AGREE_AGAIN_US;
}

void sg_agree_note(sg_replica *r, sg_agree *a, int what)
{
    a->what = what;
    a->found_seq = a->told_seq;
    a->found_us = sg_replica_now(r);
    a->mended_us = 0;
}

static void note_mended(sg_replica *r, sg_agree *a)
{
    if (a->found_us != 0 && a->mended_us == 0) a->mended_us = sg_replica_now(r);
    a->state = SG_AGREE_EQUAL;
    a->off_marks = a->off_values = 0;
}

/* It differs by as much. */
static void differs(sg_replica *r, sg_agree *a, uint64_t marks, uint64_t values)
{
    bool known = a->state == SG_AGREE_FAILED && a->off_marks == marks && a->off_values == values;
    if (known && !is_old(a->found_us, sg_replica_now(r))) return;
    bool in_vain = a->state == SG_AGREE_REPAIRING;
    sg_agree_note(r, a,
                  (marks != 0 ? SG_DIFFERS_MARKS : 0) | (values != 0 ? SG_DIFFERS_VALUES : 0));
    a->state = in_vain ? SG_AGREE_FAILED : SG_AGREE_DIFFERS;
    a->off_marks = in_vain ? marks : 0;
    a->off_values = in_vain ? values : 0;
}

void sg_agree_judge(sg_replica *r, sg_agree *a, const sg_sum *found)
{
    if (a->kept.marks != found->marks || a->kept.records != found->records) {
        if (!a->recount) sg_agree_note(r, a, SG_DIFFERS_KEPT);
        a->kept.marks = found->marks;
        a->kept.records = found->records;
    }
    a->recount = false;
    a->scanned_us = sg_replica_now(r);
    a->scanned_changes = a->changes;
    uint64_t marks = a->told.marks - found->marks, values = a->told.values - found->values;
    if (marks == 0 && values == 0)
        note_mended(r, a);
    else
        differs(r, a, marks, values);
}

/* The kept sums are not the server's: are they those of the marks? */
static void count_anew(sg_replica *r, sg_table *t, sg_agree *a, int *err)
{
    sg_scan scan;
    sg_scan_begin(&scan, r, t);
    scan.marks_only = true;
    while (!sg_scan_some(&scan, INT64_MAX, err))
        if (*err != SG_OK) break;
    if (*err == SG_OK && !a->recount &&
        (a->kept.marks != scan.sum.marks || a->kept.records != scan.sum.records))
        sg_agree_note(r, a, SG_DIFFERS_KEPT);
    a->kept.marks = scan.sum.marks;
    a->kept.records = scan.sum.records;
    a->recount = false;
    sg_scan_end(&scan);
}

static void compare(sg_replica *r, sg_table *t, sg_agree *a, int *err)
{
    if (a->recount || a->kept.marks != a->told.marks) count_anew(r, t, a, err);
    uint64_t off = a->told.marks - a->kept.marks;
    /* What a repair has come to the scan says, for marks and values together. */
    if (a->state == SG_AGREE_REPAIRING) return;
    if (a->state == SG_AGREE_FAILED && off == a->off_marks) {
        if (is_old(a->found_us, sg_replica_now(r))) a->state = SG_AGREE_DIFFERS;
        return;
    }
    if (off != 0)
        differs(r, a, off, 0);
    else if (a->state != SG_AGREE_DIFFERS)
        note_mended(r, a);
}

void sg_agree_compare(sg_apply *a, int *err)
{
    for (size_t i = 0; i < a->r->table_count && *err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        if (t->app != a->app.id || !t->active || t->missing) continue;
        sg_agree before, g;
        sg_agree_load(a->r, t->id, &before, err);
        g = before;
        g.reason = (int)sg_agree_obstacle(a->r, &a->app, t, &g, err);
        if (g.reason == SG_UNCOMPARED_NOTHING && *err == SG_OK) compare(a->r, t, &g, err);
        if (memcmp(&g, &before, sizeof g) != 0) sg_agree_save(a->r, &g, err);
    }
}

uint32_t sg_agree_differing(sg_replica *r, uint32_t app, int *err)
{
    if (*err == SG_OK) *err = sg_tables_load(r);
    for (size_t i = 0; *err == SG_OK && i < r->table_count; i++) {
        const sg_table *t = r->tables[i];
        sg_agree a;
        if (t->app != app || !t->active || t->missing) continue;
        sg_agree_load(r, t->id, &a, err);
        if (*err == SG_OK && a.state == SG_AGREE_DIFFERS) return t->id;
    }
    return 0;
}
