/* What devices show, against the ledger. */
#include "year/year.h"

#include <stdio.h>
#include <string.h>

/* Before a failure is told: what the ledger knows of a record. */
void year_explain(const year *y, int record)
{
    for (int i = 0; i < y->l.edit_count; i++) {
        const year_edit *e = &y->l.edits[i];
        if (e->record != record) continue;
        printf("  %s at %lld s, place %lld, having seen %lld%s: %c", year_device_names[e->device],
               (long long)(e->at_us / SECOND_US), (long long)e->place, (long long)e->seen,
               e->refused ? ", refused" : "", e->op);
        for (int f = 0; f < YEAR_FIELDS; f++)
            if (e->has >> f & 1)
                printf(" %s=%s%s", year_kinds[y->l.records[record].table].fields[f], e->value[f],
                       e->known >> f & 1 ? " (then written over there)" : "");
        printf("\n");
    }
}

/* What the ledger says a device shows; a new one, all that the server has. */
static const year_state *shown_on(const year *y, const sim_device *d, int record)
{
    const year_record *r = &y->l.records[record];
    return d->index <= YEAR_DEVICES ? &r->view[d->index - 1] : &r->server;
}

static void compare_row(year *y, const sim_device *d, int columns, sqlite3_stmt *q)
{
    const char *id = (const char *)sqlite3_column_text(q, 0);
    int record = year_record_of(y, id);
    const year_state *state = record >= 0 ? shown_on(y, d, record) : NULL;
    if (state == NULL || !year_alive(&y->l, state)) {
        year_explain(y, record);
        sim_fail(&y->s, "L2: device %d shows %s, which is not there", d->index, id);
    }
    for (int f = 0; f < columns; f++) {
        const char *have = (const char *)sqlite3_column_text(q, f + 1);
        const char *want = year_value(&y->l, state, f);
        if (strcmp(have, want) == 0) continue;
        year_explain(y, record);
        sim_fail(&y->s, "L2: device %d shows %s in %s of record %d, not %s", d->index, have,
                 sqlite3_column_name(q, f + 1), record, want);
    }
}

static void compare_table(year *y, sim_device *d, int table, int columns)
{
    const year_kind *k = &year_kinds[table];
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "SELECT id");
    for (int f = 0; f < columns; f++)
        sqlite3_str_appendf(sql, ",quote(%s)", k->fields[f]);
    sqlite3_str_appendf(sql, " FROM %s", k->name);
    char *text = sqlite3_str_finish(sql);
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v2(d->db, text, -1, &q, NULL) != SQLITE_OK)
        sim_fail(&y->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    sqlite3_free(text);
    int rows = 0, alive = 0;
    for (; sqlite3_step(q) == SQLITE_ROW; rows++)
        compare_row(y, d, columns, q);
    sqlite3_finalize(q);
    for (int i = 0; i < y->l.record_count; i++)
        alive += y->l.records[i].table == table && year_alive(&y->l, shown_on(y, d, i));
    if (rows != alive)
        sim_fail(&y->s, "L2: device %d shows %d rows of %s, not %d", d->index, rows, k->name,
                 alive);
    y->compared += rows;
}

void year_compare(year *y, int device)
{
    for (int t = 0; t < YEAR_TABLES; t++)
        compare_table(y, year_on(y, device), t, y->columns[device][t]);
}

void year_compare_new(year *y, sim_device *d)
{
    for (int t = 0; t < YEAR_TABLES; t++)
        compare_table(y, d, t, year_kinds[t].count);
}
