/* The household's devices, their tables, and what is typed on them. */
#include "year/year.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const year_kind year_kinds[YEAR_TABLES] = {
    [TASKS] = {"tasks", {"title", "notes", "done", "due", "priority"}, 5, 4, 120},
    [SHOPPING] = {"shopping", {"name", "amount", "bought"}, 3, 3, 50},
    [NOTES] = {"notes", {"title", "body", "tags"}, 3, 2, 90},
    [RECIPES] = {"recipes", {"title", "ingredients", "steps", "stars"}, 4, 4, 40},
    [PEOPLE] = {"people", {"name", "phone", "birthday", "remarks"}, 4, 4, 30},
};

const char *const year_device_names[YEAR_DEVICES] = {"phone", "laptop", "tablet", "agent"};

sim_device *year_on(year *y, int device)
{
    return &y->s.devices[device];
}

/* Records have UUIDs, as in most apps: the table, and a number. */
void year_put_id(char id[40], const year *y, int record)
{
    snprintf(id, 40, "0190%04x-0000-7000-8000-%012x", (unsigned)y->l.records[record].table,
             (unsigned)record);
}

int year_record_of(const year *y, const char *id)
{
    unsigned table, record;
    if (sscanf(id, "0190%4x-0000-7000-8000-%12x", &table, &record) != 2) return -1;
    return (int)record < y->l.record_count ? (int)record : -1;
}

/* ---- beginning and end ---- */

static void create(year *y, sim_device *d)
{
    static const char init[] =
        "SELECT sigla_init('{\"server\":\"http://sim\",\"token\":\"t\",\"user\":\"ann\"}');";
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, init);
    sqlite3_str_appendf(sql, "SELECT sigla_config('journal_age_us',%lld);", (long long)JOURNAL_US);
    for (int t = 0; t < YEAR_TABLES; t++) {
        const year_kind *k = &year_kinds[t];
        sqlite3_str_appendf(sql, "CREATE TABLE %s(id TEXT PRIMARY KEY", k->name);
        int columns = d->index <= YEAR_DEVICES ? k->first : k->count;
        for (int f = 0; f < columns; f++)
            sqlite3_str_appendf(sql, ",%s", k->fields[f]);
        sqlite3_str_appendf(sql, ");SELECT sigla_track('%s');", k->name);
        if (d->index <= YEAR_DEVICES) y->columns[d->index - 1][t] = columns;
    }
    char *text = sqlite3_str_finish(sql);
    (void)sim_device_sql(d, text);
    sqlite3_free(text);
}

sim_device *year_home_add(year *y)
{
    sim *s = &y->s;
    sim_device *d = &s->devices[s->device_count++];
    *d = (sim_device){.s = s, .index = s->device_count, .agent = s->device_count == AGENT + 1};
    disk_wipe(d->index);
    if (!sim_device_open(d)) sim_fail(s, "device %d does not open", d->index);
    create(y, d);
    return d;
}

void year_home_open(year *y)
{
    sim *s = &y->s;
    y->plan = (sim_plan){.seed = y->o.seed, .devices = YEAR_DEVICES, .users = 1};
    s->plan = &y->plan;
    s->counters = &y->counters;
    s->watch = &year_watch;
    s->story = y;
    s->loose = true;
    s->now_us = INT64_C(1767225600000000); /* 2026-01-01 */
    s->server.epoch.id = 0x1234;
    s->g.state = y->g.state = y->o.seed;
    year_ledger_init(&y->l);
    disk_reset_all(y->o.seed, &s->now_us);
    sim_server_start(s);
    for (int d = 0; d < YEAR_DEVICES; d++)
        (void)year_home_add(y);
    for (int d = 0; d < YEAR_DEVICES; d++)
        year_sync(y, d);
}

void year_home_close(year *y)
{
    for (int i = 0; i < y->s.device_count; i++)
        sim_device_close(&y->s.devices[i]);
    sim_server_stop(&y->s);
    for (int i = 0; i < SIM_MESSAGES_MAX; i++)
        sg_buf_deinit(&y->s.messages[i].body);
    year_ledger_deinit(&y->l);
    for (int i = 0; i < y->word_count; i++)
        free(y->words[i]);
    free(y->words);
}

/* ---- typing ---- */

static void put_edit(year *y, sqlite3_str *sql, const year_edit *e)
{
    const year_record *r = &y->l.records[e->record];
    const year_kind *k = &year_kinds[r->table];
    int columns = y->columns[e->device][r->table];
    char id[40];
    year_put_id(id, y, e->record);
    if (e->op == 'd') {
        sqlite3_str_appendf(sql, "DELETE FROM %s WHERE id='%s';", k->name, id);
        return;
    }
    if (e->op == 'i') {
        sqlite3_str_appendf(sql, "INSERT INTO %s VALUES('%s'", k->name, id);
        for (int f = 0; f < columns; f++)
            sqlite3_str_appendf(sql, ",%s", e->value[f]);
        sqlite3_str_appendall(sql, ");");
        return;
    }
    const char *comma = "";
    sqlite3_str_appendf(sql, "UPDATE %s SET ", k->name);
    for (int f = 0; f < columns; f++) {
        if (!(e->has >> f & 1)) continue;
        sqlite3_str_appendf(sql, "%s%s=%s", comma, k->fields[f], e->value[f]);
        comma = ",";
    }
    sqlite3_str_appendf(sql, " WHERE id='%s';", id);
}

/* Every write of the agent's says why: that is another actor each time. */
static void put_agent(year *y, sqlite3_str *sql)
{
    const char *why = year_words(y, 6);
    sqlite3_str_appendf(
        sql,
        "SELECT sigla_as('{\"kind\":\"ai\",\"principalId\":\"" SIM_AGENT
        "\",\"missionId\":\"nightly\",\"iterationId\":\"%lld\",\"rationale\":\"%lld "
        "%.*s\"}');",
        (long long)(y->s.now_us / DAY_US), (long long)y->writes, (int)strlen(why) - 2, why + 1);
}

static char *transaction(year *y, const year_edit *edits, int count)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "BEGIN;");
    if (!edits->person) put_agent(y, sql);
    for (int i = 0; i < count; i++)
        put_edit(y, sql, &edits[i]);
    if (!edits->person) sqlite3_str_appendall(sql, "SELECT sigla_as_end();");
    sqlite3_str_appendall(sql, "COMMIT");
    return sqlite3_str_finish(sql);
}

/* After a crash its writer looks whether it is there, and does not type it again. */
static bool is_there(year *y, const year_edit *e)
{
    const year_record *r = &y->l.records[e->record];
    const year_kind *k = &year_kinds[r->table];
    char id[40], sql[300];
    year_put_id(id, y, e->record);
    sim_device *d = year_on(y, e->device);
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE id='%s'", k->name, id);
    bool row = sim_device_int(d, sql) != 0;
    if (e->op != 'u') return row == (e->op == 'i');
    int f = 0;
    while (!(e->has >> f & 1))
        f++;
    snprintf(sql, sizeof sql, "SELECT quote(%s) FROM %s WHERE id='%s'", k->fields[f], k->name, id);
    char *have = sim_device_rows(d, sql);
    have[strcspn(have, "\n")] = '\0';
    bool same = strcmp(have, e->value[f]) == 0;
    sqlite3_free(have);
    return same;
}

void year_type(year *y, int device, const year_edit *edits, int count)
{
    sim_device *d = year_on(y, device);
    char *sql = transaction(y, edits, count);
    bool crashes = edits->person && prng_below(&y->g, 150) == 0;
    if (crashes) {
        d->dying = true;
        d->power = prng_below(&y->g, 2) == 0;
        disk_fail(d->index, DISK_DIES, 1 + prng_below(&y->g, 12));
    }
    int rc = sim_device_sql(d, sql);
    sqlite3_free(sql);
    bool there = rc == SQLITE_OK;
    if (sim_device_excused(d)) {
        sim_device_recover(d);
        there = is_there(y, edits);
        y->crashes++;
    }
    d->dying = d->power = false;
    disk_fail(d->index, DISK_WELL, 0);
    for (int i = 0; i < count && there; i++) {
        year_ledger_write(&y->l, &edits[i]);
        y->hot[y->hot_at++ % 16] = edits[i].record;
        y->writes++;
    }
}

/* ---- the rest ---- */

void year_upgrade(year *y, int device, int table)
{
    const year_kind *k = &year_kinds[table];
    int *columns = &y->columns[device][table];
    if (*columns == k->count) return;
    char sql[100];
    snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s", k->name, k->fields[*columns]);
    (void)sim_device_sql(year_on(y, device), sql);
    ++*columns;
}

void year_purge(year *y)
{
    sim_server *v = &y->s.server;
    const sg_purge what = {.tombstones_before_us = y->s.now_us - TOMBSTONES_US,
                           .history_before_us = y->s.now_us - HISTORY_US,
                           .staged_before_us = y->s.now_us - STAGED_US,
                           .limit = 500};
    sg_purged done = {.more = true};
    sg_commit newest;
    int err = SG_OK;
    while (err == SG_OK && done.more) {
        err = v->store.ops->begin(v->writer, &newest);
        if (err == SG_OK) err = v->store.ops->purge(v->writer, &what, &done);
        if (err == SG_OK) err = v->store.ops->commit(v->writer, &newest);
    }
    if (err != SG_OK) sim_fail(&y->s, "the server cannot purge: %s", sg_err_text(err));
    year_ledger_purge(&y->l, what.tombstones_before_us);
}
