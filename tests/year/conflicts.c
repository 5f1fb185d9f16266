/* The conflicts of a device are those of the ledger, and people deal with them. */
#include "year/year.h"

#include <stdio.h>
#include <string.h>

static int field_of(int table, const char *name)
{
    for (int f = 0; f < year_kinds[table].count; f++)
        if (strcmp(year_kinds[table].fields[f], name) == 0) return f;
    return -1;
}

static year_loss *claim(year *y, int device, int64_t id, const year_edit *like, int field)
{
    year_ledger *l = &y->l;
    year_loss *found = NULL;
    for (int i = 0; i < l->loss_count[device]; i++) {
        year_loss *x = &l->losses[device][i];
        const year_edit *u = &l->edits[x->edit];
        if (x->claimed || !year_loss_due(l, x)) continue;
        if (x->id != 0 && x->id != id) continue;
        bool same = u->record == like->record && x->field == field &&
                    strcmp(u->value[field], like->value[field]) == 0;
        if (same && (found == NULL || x->id == id)) found = x;
    }
    return found;
}

/* Of what is gone with a purge nobody can say any more who had seen it (L6). */
static int64_t floor_of(year *y)
{
    sqlite3 *db = year_server_db(y);
    sqlite3_stmt *s = NULL;
    int64_t seq = 0;
    if (sqlite3_prepare_v2(db, "SELECT max(seq) FROM floor", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        seq = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return seq;
}

static void check_missing(year *y, int device, bool resynced)
{
    year_ledger *l = &y->l;
    int64_t floor = resynced ? floor_of(y) : 0;
    for (int i = 0; i < l->loss_count[device]; i++) {
        year_loss *x = &l->losses[device][i];
        const year_edit *u = &l->edits[x->edit];
        if (x->claimed || !year_loss_due(l, x)) continue;
        if (y->s.now_us - x->heard_us > JOURNAL_US - DAY_US) {
            x->settled = true;
            y->expired++;
        } else if (x->id == 0 && u->place <= floor) {
            x->settled = true;
            y->below_floor++;
        } else {
            year_explain(y, u->record);
            sim_fail(&y->s,
                     "L5: %s: %s of record %d, %s, written as change with seq %lld having seen "
                     "%lld, was lost unseen and is no%s conflict",
                     year_device_names[device],
                     year_kinds[l->records[u->record].table].fields[x->field], u->record,
                     u->value[x->field], (long long)u->place, (long long)u->seen,
                     x->id != 0 ? " longer a" : "");
        }
    }
}

/* One conflict as its device lists it: id, key, field, the value that lost. */
static void check_conflict(year *y, int device, sqlite3_stmt *q)
{
    const year_ledger *l = &y->l;
    int64_t id = sqlite3_column_int64(q, 0);
    const char *name = (const char *)sqlite3_column_text(q, 2);
    const char *value = (const char *)sqlite3_column_text(q, 3);
    year_edit like = {.record = year_record_of(y, (const char *)sqlite3_column_text(q, 1))};
    int field = like.record >= 0 ? field_of(l->records[like.record].table, name) : -1;
    if (field >= 0) like.value[field] = value;
    year_loss *x = field >= 0 ? claim(y, device, id, &like, field) : NULL;
    if (x == NULL) {
        year_explain(y, like.record);
        sim_fail(&y->s, "L5: %s: a conflict over %s of record %d, %s, that nobody lost unseen",
                 year_device_names[device], name, like.record, value);
    }
    if (x->id == 0) y->raised++;
    x->claimed = true;
    x->id = id;
    if (y->s.now_us - x->heard_us > JOURNAL_US + DAY_US)
        sim_fail(&y->s, "L6: %s: conflict %lld is older than the journal's age",
                 year_device_names[device], (long long)id);
}

void year_check_conflicts(year *y, int device)
{
    static const char sql[] = "SELECT id,key,field,quote(json_extract('['||wasLocal||']','$[0]')) "
                              "FROM sigla_conflicts";
    year_ledger *l = &y->l;
    sqlite3_stmt *q = NULL;
    for (int i = 0; i < l->loss_count[device]; i++) {
        year_loss *x = &l->losses[device][i];
        x->claimed = false;
        if (x->heard_us == 0) x->heard_us = y->s.now_us;
    }
    sqlite3 *db = year_on(y, device)->db;
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        sim_fail(&y->s, "%s: %s", year_device_names[device], sqlite3_errmsg(db));
    while (sqlite3_step(q) == SQLITE_ROW)
        check_conflict(y, device, q);
    sqlite3_finalize(q);
    check_missing(y, device, y->resynced[device]);
    y->resynced[device] = false;
}

/* Shown, and with another value there now: another one may have brought the row back, and this value
 * with it. */
static bool can_settle(const year *y, int device, const year_loss *x)
{
    const year_edit *u = &y->l.edits[x->edit];
    const year_state *view = &y->l.records[u->record].view[device];
    if (x->id == 0 || !x->claimed || !year_loss_due(&y->l, x)) return false;
    return !year_alive(&y->l, view) ||
           strcmp(year_value(&y->l, view, x->field), u->value[x->field]) != 0;
}

/* A row that came back from its image: all its columns were written. */
static void read_image(year *y, year_edit *e)
{
    const year_record *r = &y->l.records[e->record];
    char id[40], sql[200];
    year_put_id(id, y, e->record);
    e->op = 'i';
    for (int f = 0; f < y->columns[e->device][r->table]; f++) {
        snprintf(sql, sizeof sql, "SELECT quote(%s) FROM %s WHERE id='%s'",
                 year_kinds[r->table].fields[f], year_kinds[r->table].name, id);
        char *have = sim_device_rows(year_on(y, e->device), sql);
        have[strcspn(have, "\n")] = '\0';
        e->has |= 1u << f;
        e->value[f] = year_literal(y, have);
        sqlite3_free(have);
    }
}

static void note_restored(year *y, int device, const year_loss *x)
{
    const year_edit *u = &y->l.edits[x->edit];
    const char *value = u->value[x->field];
    year_edit e = {.device = device,
                   .record = u->record,
                   .op = 'u',
                   .person = true,
                   .at_us = y->s.now_us,
                   .has = 1u << x->field};
    e.value[x->field] = value;
    if (!year_alive(&y->l, &y->l.records[u->record].view[device])) read_image(y, &e);
    if (strcmp(e.value[x->field], value) != 0)
        sim_fail(&y->s, "L6: %s: restored %s, and %s is there", year_device_names[device], value,
                 e.value[x->field]);
    year_ledger_write(&y->l, &e);
    y->writes++;
    y->restored++;
}

/* To restore is a fresh edit like any other: not on the heels of somebody else's. */
static bool may_restore(const year *y, int device, int record)
{
    const year_record *r = &y->l.records[record];
    for (int f = 0; f <= YEAR_FIELDS; f++)
        if (r->typed_on[f] != device && y->s.now_us - r->typed_us[f] < APART_US) return false;
    return true;
}

bool year_settle(year *y, int device)
{
    if (y->stale[device]) return false;
    for (int i = 0; i < y->l.loss_count[device]; i++) {
        year_loss *x = &y->l.losses[device][i];
        if (!can_settle(y, device, x)) continue;
        bool back = prng_below(&y->g, 2) == 0 && may_restore(y, device, y->l.edits[x->edit].record);
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT sigla_%s(%lld)", back ? "restore" : "dismiss",
                 (long long)x->id);
        (void)sim_device_sql(year_on(y, device), sql);
        x->settled = true;
        if (back)
            note_restored(y, device, x);
        else
            y->dismissed++;
        return true;
    }
    return false;
}

void year_retry(year *y, int device)
{
    sim_device *d = year_on(y, device);
    static const char refused_sql[] = "SELECT count(*) FROM sigla_set_aside";
    if (y->stale[device] || sim_device_int(d, refused_sql) == 0) return;
    int64_t waiting = sim_device_int(d, "SELECT count(*) FROM sigla_outbox");
    (void)sim_device_sql(d, "SELECT sigla_retry()");
    y->retried[device] = y->l.refused[device];
    sim_need(&y->s, sim_device_int(d, refused_sql) == 0);
    /* The record is gone here as well: there is nothing to send again. */
    sim_need(&y->s, sim_device_int(d, "SELECT count(*) FROM sigla_outbox") == waiting);
}

/* Nothing is kept longer than it is good for. */
void year_check_bounds(year *y, int device)
{
    sim_device *d = year_on(y, device);
    const year_ledger *l = &y->l;
    sim_need(&y->s, sim_device_int(d, "SELECT count(*) FROM sigla_outbox") == 0);
    sim_need(&y->s, sim_device_int(d, "SELECT count(*) FROM sigla_set_aside") ==
                        l->refused[device] - y->retried[device]);
    int64_t lately = 0;
    for (int i = 0; i < l->loss_count[device]; i++)
        lately += y->s.now_us - l->losses[device][i].heard_us < 2 * JOURNAL_US + DAY_US;
    /* From when it was decided about, too, an entry is kept for its age. */
    int64_t kept = sim_device_int(d, "SELECT count(*) FROM sigla_journal WHERE state<>'quiet'");
    if (kept > lately)
        sim_fail(&y->s, "L6: %s: %lld entries in the journal, of %lld losses in that time",
                 year_device_names[device], (long long)kept, (long long)lately);
}
