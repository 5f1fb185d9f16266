/*
 * After an app is level with the server: read what its tables really hold, as far as it is their turn,
 * and begin a repair where something differs (agree.h).
 *
 * Small tables are read at every sync, large ones once a day and after as many changes as they have
 * records, so that reading costs a row for each change. One call reads no more than a slice, and
 * a table that has changed between two slices is begun again, with twice the slice, so that it ends.
 */
#include "replica/reconcile.h"
#include "replica/scan.h"
#include "replica/session.h"

static bool is_due(sg_replica *r, const sg_agree *a)
{
    if (a->state == SG_AGREE_DIFFERS) return false; /* what there is to know of it is known */
    if (a->state == SG_AGREE_REPAIRING || a->kept.records <= SG_SCAN_SMALL) return true;
    int64_t age_us = sg_replica_now(r) - a->scanned_us;
    if (age_us >= SG_SCAN_EVERY_US || age_us < -SG_SCAN_EVERY_US) return true;
    return a->changes - a->scanned_changes >= a->kept.records;
}

static sg_table *next_table(sg_replica *r, uint32_t app, uint32_t after)
{
    for (size_t i = 0; i < r->table_count; i++) {
        sg_table *t = r->tables[i];
        if (t->id > after && t->app == app && t->active && !t->missing) return t;
    }
    return NULL;
}

void sg_check_stop(sigla_session *s)
{
    if (s->check.on) sg_scan_end(&s->check.scan);
    s->check.on = false;
    s->check.restarts = 0;
}

void sg_check_start(sigla_session *s)
{
    sg_check_stop(s);
    s->check.table = 0;
    s->phase = SG_PHASE_CHECK;
}

/* Rows that nobody has marked are taken for one's own, as they are when they are found in a table that
 * comes to be tracked (L4); they go out with another round. */
static void adopt(sigla_session *s, sg_agree *a, int *err)
{
    if (a->state != SG_AGREE_EQUAL || sg_scan_unmarked(&s->check.scan, err) <= 0) return;
    sg_reconcile_adopt(s->r, a->table, err);
    if (!sg_app_pending(s->r, s->app, err)) return;
    sg_agree_note(s->r, a, SG_DIFFERS_ROWS);
    a->mended_us = a->found_us;
    s->woken = true;
}

static void conclude(sigla_session *s, sg_agree *a, int *err)
{
    sg_agree before = *a;
    const sg_scan *scan = &s->check.scan;
    a->reason = scan->valueless != 0 ? SG_UNCOMPARED_DROPPED : SG_UNCOMPARED_NOTHING;
    sg_sum found = scan->sum;
    /* Of values that are not here nothing can be said. */
    if (scan->valueless != 0) found.values = a->told.values;
    sg_agree_judge(s->r, a, &found);
    /* Of a small table, that it was read is no news. */
    if (a->kept.records <= SG_SCAN_SMALL && a->state == before.state) {
        a->scanned_us = before.scanned_us;
        a->scanned_changes = before.scanned_changes;
    }
    adopt(s, a, err);
    if (memcmp(a, &before, sizeof before) != 0) sg_agree_save(s->r, a, err);
    sg_check_stop(s);
    s->check.table = a->table;
}

static void begin_table(sigla_session *s, sg_table *t, const sg_agree *a)
{
    int restarts = s->check.restarts;
    sg_check_stop(s);
    sg_scan_begin(&s->check.scan, s->r, t);
    s->check.on = true;
    s->check.changes = a->changes;
    s->check.restarts = restarts;
}

/* A first look at a large table is not due at once: what was just written is as it was written. */
static void put_off(sigla_session *s, sg_agree *a, int *err)
{
    if (a->scanned_us != 0 || a->kept.records <= SG_SCAN_SMALL) return;
    a->scanned_us = sg_replica_now(s->r);
    a->scanned_changes = a->changes;
    sg_agree_save(s->r, a, err);
}

/* One slice, of the table at hand or the next whose turn it is; true: there is no more to read. */
static bool read_some(sigla_session *s, int64_t *left, int *err)
{
    sg_replica *r = s->r;
    sg_table *t = s->check.on ? sg_table_id(r, s->check.scan.table_id)
                              : next_table(r, s->app, s->check.table);
    if (t == NULL) return true;
    sg_agree a;
    sg_agree_load(r, t->id, &a, err);
    if (*err == SG_OK) put_off(s, &a, err);
    bool skip = sg_agree_obstacle(r, &s->place, t, &a, err) != SG_UNCOMPARED_NOTHING ||
                !t->active || t->missing || !is_due(r, &a);
    if (skip) {
        sg_check_stop(s);
        s->check.table = t->id;
        return false;
    }
    bool changed = s->check.on && s->check.changes != a.changes;
    s->check.restarts += changed;
    if (!s->check.on || changed) begin_table(s, t, &a);
    s->check.scan.table = t;
    int shift = s->check.restarts < SG_SCAN_DOUBLINGS ? s->check.restarts : SG_SCAN_DOUBLINGS;
    int64_t most = *left << shift;
    bool whole = *err == SG_OK && sg_scan_some(&s->check.scan, most, err);
    /* Even an empty table costs a look. */
    *left -= 1 + (s->check.scan.rows >> shift);
    if (whole) conclude(s, &a, err);
    return false;
}

bool sg_check_step(sigla_session *s, int *err)
{
    int64_t left = SG_SCAN_ROWS;
    *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return false;
    if (*err == SG_OK) *err = sg_tables_load(s->r);
    sg_app_load(s->r, s->app, &s->place, err);
    bool done = false;
    while (!done && left > 0 && *err == SG_OK)
        done = read_some(s, &left, err);
    *err = sg_replica_end(s->r, *err);
    if (*err != SG_OK || done) sg_check_stop(s);
    return done;
}
