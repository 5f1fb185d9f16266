#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US (86400 * SECOND_US)
#define YEAR_US (365 * DAY_US)

/* ---- writing ---- */

static void put_value(sim *s, sqlite3_str *sql)
{
    int v = (int)prng_below(&s->g, 5);
    if (v == 0)
        sqlite3_str_appendall(sql, "NULL");
    else
        sqlite3_str_appendf(sql, "%d", v);
}

static void put_insert(sim_device *d, sqlite3_str *sql, const char *verb, int key)
{
    sqlite3_str_appendf(sql, "%s INTO t(id", verb);
    for (int f = 0; f < SIM_FIELDS; f++)
        if (d->columns >> f & 1) sqlite3_str_appendf(sql, ",%c", 'a' + f);
    sqlite3_str_appendf(sql, ") VALUES('k%d'", key);
    for (int f = 0; f < SIM_FIELDS; f++) {
        if (!(d->columns >> f & 1)) continue;
        sqlite3_str_appendall(sql, ",");
        put_value(d->s, sql);
    }
    sqlite3_str_appendall(sql, ")");
}

static void put_set(sim_device *d, sqlite3_str *sql)
{
    bool any = false;
    for (int f = 0; f < SIM_FIELDS; f++) {
        if (!(d->columns >> f & 1) || (any && prng_below(&d->s->g, 2) == 0)) continue;
        sqlite3_str_appendf(sql, "%s%c=", any ? "," : "", 'a' + f);
        put_value(d->s, sql);
        any = true;
    }
}

static void put_statement(sim_device *d, sqlite3_str *sql)
{
    sim *s = d->s;
    int key = (int)prng_below(&s->g, SIM_KEYS);
    switch (prng_below(&s->g, 12)) {
    case 0:
    case 1:
    case 2:
        put_insert(d, sql, "INSERT OR IGNORE", key);
        break;
    case 3:
        put_insert(d, sql, "INSERT OR REPLACE", key);
        break;
    case 4:
        put_insert(d, sql, "INSERT", key);
        sqlite3_str_appendall(sql, " ON CONFLICT(id) DO UPDATE SET ");
        put_set(d, sql);
        break;
    case 5:
        sqlite3_str_appendf(sql, "DELETE FROM t WHERE id='k%d'", key);
        break;
    case 6:
        sqlite3_str_appendall(sql, "UPDATE t SET ");
        put_set(d, sql);
        break;
    default:
        sqlite3_str_appendall(sql, "UPDATE t SET ");
        put_set(d, sql);
        sqlite3_str_appendf(sql, " WHERE id='k%d'", key);
        break;
    }
    sqlite3_str_appendall(sql, ";");
}

static const char *const actors[] = {"{\"kind\":\"ai\",\"principalId\":\"" SIM_AGENT
                                     "\",\"rationale\":\"because\"}",
                                     "{\"kind\":\"system\",\"principalId\":\"system:rule\"}"};

/* BEGIN; … COMMIT, or something that is taken back in part or whole. */
static char *transaction(sim_device *d)
{
    sim *s = d->s;
    sqlite3_str *sql = sqlite3_str_new(NULL);
    bool alone = prng_below(&s->g, 2) == 0;
    uint64_t who = d->agent ? 0 : prng_below(&s->g, 6);
    /* An agent that does not say who it is: its change is taken for its person's, and refused. */
    if (d->agent && (s->plan->trouble & TROUBLE_REFUSAL) && prng_below(&s->g, 5) == 0) who = 5;
    if (!alone) sqlite3_str_appendall(sql, "BEGIN;");
    if (who < 2) sqlite3_str_appendf(sql, "SELECT sigla_as('%s');", actors[who]);
    int count = alone ? 1 : 1 + (int)prng_below(&s->g, 4);
    for (int i = 0; i < count; i++) {
        bool undo = !alone && prng_below(&s->g, 6) == 0;
        if (undo) sqlite3_str_appendall(sql, "SAVEPOINT p;");
        put_statement(d, sql);
        if (undo) sqlite3_str_appendall(sql, "ROLLBACK TO p; RELEASE p;");
    }
    if (who < 2) sqlite3_str_appendall(sql, "SELECT sigla_as_end();");
    if (!alone) sqlite3_str_appendall(sql, prng_below(&s->g, 10) == 0 ? "ROLLBACK" : "COMMIT");
    return sqlite3_str_finish(sql);
}

static void arm_memory(sim_device *d)
{
    if (!d->memory) return;
    d->memory = false;
    size_t n = 1 + (size_t)prng_below(&d->s->g, 200);
    if (prng_below(&d->s->g, 2) == 0)
        memory_fail(n, 0);
    else
        memory_fail(0, n * 4);
}

/* sigla_as outlives a statement that failed; the connection of an app would be closed or told so. */
static void end_actor(sim_device *d)
{
    (void)sqlite3_exec(d->db, "SELECT sigla_as_end()", NULL, NULL, NULL);
}

static void edit(sim_device *d)
{
    char *sql = transaction(d);
    sim_trace("device %d: %s", d->index, sql);
    arm_memory(d);
    d->writing = true;
    int rc = sim_device_sql(d, sql);
    sqlite3_free(sql);
    if (rc != SQLITE_OK || sim_device_excused(d)) {
        if (memory_failed()) d->s->counters->memory_errors++;
        sim_device_recover(d);
        end_actor(d);
    }
    memory_fail(0, 0);
    sim_adopt(d);
    sim_check_device(d);
    d->writing = false;
}

/* ---- programs and machines ---- */

static void restart(sim_device *d)
{
    /* With a transaction open, perhaps: it leaves nothing (L1). */
    if (prng_below(&d->s->g, 2) == 0) {
        char sql[100];
        snprintf(sql, sizeof sql, "BEGIN; UPDATE t SET a=%d; DELETE FROM t WHERE id='k%d'",
                 (int)prng_below(&d->s->g, 5), (int)prng_below(&d->s->g, SIM_KEYS));
        (void)sim_device_sql(d, sql);
    }
    sim_device_close(d);
    if (!sim_device_open(d) || sim_device_excused(d)) sim_device_recover(d);
    sim_adopt(d);
    sim_check_device(d);
}

static void device_fault(sim_device *d)
{
    sim *s = d->s;
    unsigned trouble = s->plan->trouble;
    if (d->dying) return;
    uint64_t n = 1 + prng_below(&s->g, 60);
    if ((trouble & TROUBLE_KILL) && ((trouble & TROUBLE_DISK) == 0 || prng_below(&s->g, 2) == 0)) {
        d->dying = true;
        d->power = (trouble & TROUBLE_POWER) && prng_below(&s->g, 2) == 0;
        disk_fail(d->index, DISK_DIES, n);
    } else {
        disk_fail(d->index, prng_below(&s->g, 2) == 0 ? DISK_FULL_ONCE : DISK_ERROR_ONCE, n);
    }
}

static void server_fault(sim *s)
{
    unsigned trouble = s->plan->trouble;
    s->server.power = (trouble & TROUBLE_POWER) && prng_below(&s->g, 2) == 0;
    bool dies =
        (trouble & TROUBLE_KILL) && ((trouble & TROUBLE_DISK) == 0 || prng_below(&s->g, 2) == 0);
    disk_fail(SIM_SERVER_DISK, dies ? DISK_DIES : DISK_ERROR_ONCE, 1 + prng_below(&s->g, 30));
}

static void skew(sim_device *d)
{
    sim *s = d->s;
    int64_t most = 100 * SECOND_US;
    if (prng_below(&s->g, 4) == 0) most = 600 * SECOND_US; /* about the bound */
    if (prng_below(&s->g, 4) == 0) most = 3600 * SECOND_US;
    if (s->plan->trouble & TROUBLE_WILD_CLOCK) most = 30 * YEAR_US;
    d->skew_us = (int64_t)prng_below(&s->g, (uint64_t)(2 * most)) - most;
    d->timed = false;
    d->asked_us = 0; /* the answer that is on its way tells nothing of this clock */
    sim_trace("device %d: its clock is off by %lld us", d->index, (long long)d->skew_us);
}

static void pass_time(sim *s)
{
    int64_t most = prng_below(&s->g, 4) == 0 ? 30 * DAY_US : 600 * SECOND_US;
    s->now_us += (int64_t)prng_below(&s->g, (uint64_t)most);
}

static void alter(sim_device *d)
{
    unsigned bit = prng_below(&d->s->g, 2) == 0 ? 8 : 16;
    if (d->columns & bit) return;
    int rc = sim_device_sql(d, bit == 8 ? "ALTER TABLE t ADD COLUMN d; SELECT sigla_refresh()"
                                        : "ALTER TABLE t ADD COLUMN e; SELECT sigla_refresh()");
    /* What a statement reads may change with it. */
    sqlite3_finalize(d->rows);
    d->rows = NULL;
    if (rc != SQLITE_OK || sim_device_excused(d))
        sim_device_recover(d);
    else
        d->columns |= bit;
    sim_adopt(d);
    sim_check_device(d);
}

/* As an app does that comes with some rows, and is told to track its table afterwards. */
static bool put_defaults(sim_device *d)
{
    if (d->agent) return false; /* its token could not push them */
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "BEGIN; SELECT sigla_untrack('t');");
    put_insert(d, sql, "INSERT OR IGNORE", (int)prng_below(&d->s->g, SIM_KEYS));
    sqlite3_str_appendall(sql, "; SELECT sigla_track('t'); COMMIT");
    char *text = sqlite3_str_finish(sql);
    sim_trace("device %d: %s", d->index, text);
    int64_t seq = sim_device_place(d).seq;
    if (seq > d->reached) d->reached = seq;
    d->writing = d->seeding = true;
    if (sim_device_sql(d, text) != SQLITE_OK || sim_device_excused(d)) sim_device_recover(d);
    sqlite3_free(text);
    sim_adopt(d);
    sim_check_device(d);
    d->writing = d->seeding = false;
    return true;
}

static bool copy(sim *s, sim_device *d)
{
    if (s->device_count >= SIM_DEVICES_MAX || d->dying) return false;
    disk_image *image = disk_snapshot(d->index);
    sim_device *new = &s->devices[s->device_count++];
    *new = (sim_device){.s = s,
                        .index = s->device_count,
                        .user = d->user,
                        .agent = d->agent,
                        .columns = d->columns,
                        .corrupted = d->corrupted,
                        .loose = true};
    memcpy(new->client, d->client, sizeof new->client);
    disk_wipe(new->index);
    disk_restore(new->index, image);
    disk_image_free(image);
    d->loose = true;
    sim_inherit(s, d->index, new->index);
    if (!sim_device_open(new)) sim_fail(s, "the copy of device %d does not open", d->index);
    sim_adopt(new);
    return true;
}

static bool back_up(sim_device *d)
{
    if (d->dying) return false;
    disk_image_free(d->backup);
    d->backup = disk_snapshot(d->index);
    return true;
}

static bool put_back(sim_device *d)
{
    if (d->backup == NULL || d->dying) return false;
    sim_device_close(d);
    disk_wipe(d->index);
    disk_restore(d->index, d->backup);
    d->loose = true;
    if (!sim_device_open(d)) sim_fail(d->s, "the backup of device %d does not open", d->index);
    sim_device_forget(d);
    return true;
}

static void server_back_up(sim *s)
{
    disk_image_free(s->server.backup);
    s->server.backup = disk_snapshot(SIM_SERVER_DISK);
    s->server.backup_seq = sim_server_newest(s);
}

/* Another life begins: whoever puts a backup back says so to the server. */
static bool server_put_back(sim *s)
{
    if (s->server.backup == NULL) return false;
    sim_server_stop(s);
    disk_wipe(SIM_SERVER_DISK);
    disk_restore(SIM_SERVER_DISK, s->server.backup);
    s->server.epoch.id = prng_next(&s->g);
    sim_server_start(s);
    s->loose = s->put_back = true;
    for (int i = 0; i < s->write_count; i++)
        if (s->writes[i].seq > s->server.backup_seq) s->writes[i].seq = 0;
    for (int i = 0; i < s->device_count; i++)
        s->devices[i].streaming = false;
    return true;
}

/* A value that was there already need not be written. */
static bool is_there(const sim_device *d, const sim_state *m, const char *lost)
{
    int key = sim_key_of(d, lost);
    return sim_is_alive(m, key) &&
           sim_value_in(m, key, lost[3] - 'a') == (int)strtol(lost + 5, NULL, 10);
}

/* The value is there again, by a fresh edit of the person's. */
static void check_restored(sim_device *d, const sim_state *before, const char *lost)
{
    if (is_there(d, before, lost)) return;
    sim *s = d->s;
    int key = sim_key_of(d, lost), f = lost[3] - 'a';
    const sim_write *w = NULL;
    for (int i = 0; i < s->write_count; i++)
        if (s->writes[i].device == d->index && s->writes[i].key == key) w = &s->writes[i];
    bool fresh = w != NULL && w->person && w->seq == 0 && (w->has >> f & 1);
    if (!fresh || w->value[f] != (int)strtol(lost + 5, NULL, 10))
        sim_fail(s, "L6: device %d has restored %.*s, and has not written it", d->index,
                 (int)strcspn(lost, "\n"), lost);
}

static bool settle(sim_device *d)
{
    int64_t id = sim_device_int(d, "SELECT id FROM sigla_conflicts LIMIT 1");
    if (id == 0) return false;
    char sql[60];
    char *lost = sim_device_rows(d, "SELECT key,field,wasLocal FROM sigla_conflicts LIMIT 1");
    sim_state before;
    sim_view(d, sim_device_place(d).seq, NULL, &before);
    bool back = prng_below(&d->s->g, 2) == 0;
    snprintf(sql, sizeof sql, "SELECT sigla_%s(%lld)", back ? "restore" : "dismiss", (long long)id);
    d->writing = true;
    bool done = sim_device_sql(d, sql) == SQLITE_OK && !sim_device_excused(d);
    if (!done) sim_device_recover(d);
    sim_adopt(d);
    if (done && back) check_restored(d, &before, lost);
    sqlite3_free(lost);
    sim_check_device(d);
    d->writing = false;
    return true;
}

/* What a program without Sigla, or a bad disk, does to a replica. Its program is there: what it queues
 * from now on is its own. */
static bool corrupt(sim_device *d)
{
    static const char *const what[] = {
        "UPDATE t SET a=7 WHERE id='k%d'",
        "UPDATE t SET b=NULL,c=8 WHERE id='k%d'",
        "DELETE FROM t WHERE id='k%d'",
        "DELETE FROM sigla_rec WHERE key=(SELECT key FROM sigla_rec ORDER BY key LIMIT 1 OFFSET %d)",
        ("UPDATE sigla_rec SET m=(SELECT m FROM sigla_rec ORDER BY key LIMIT 1 OFFSET %d) WHERE key="
         "(SELECT min(key) FROM sigla_rec) AND (SELECT count(*) FROM sigla_rec)=3"),
        "UPDATE sigla_sum SET marks=marks+1+%d"};
    char sql[300];
    uint64_t kind = prng_below(&d->s->g, sizeof what / sizeof *what);
    if (d->db == NULL || d->dying) return false;
    snprintf(sql, sizeof sql, what[kind], (int)prng_below(&d->s->g, SIM_KEYS));
    sim_trace("device %d is damaged: %s", d->index, sql);
    sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (sim_device_sql(d, sql) != SQLITE_OK || sim_device_excused(d)) sim_device_recover(d);
    if (d->db != NULL) sqlite3_db_config(d->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
    d->corrupted = d->loose = true;
    return true;
}

static void memory_talk(sim *s, sim_device *d)
{
    arm_memory(d);
    sim_talk(s, d, false);
    memory_fail(0, 0);
}

bool sim_do(sim *s, const sim_step *step)
{
    sim_device *d = &s->devices[step->device % s->device_count];
    s->g.state = step->r;
    switch (step->kind) {
    case STEP_EDIT:
        edit(d);
        return true;
    case STEP_TALK:
        memory_talk(s, d);
        return true;
    case STEP_DELIVER:
        return sim_deliver(s, false);
    case STEP_GIVE_UP:
        if (d->request == 0) return false;
        sim_give_up(d);
        return true;
    case STEP_PARTITION:
        d->offline = !d->offline;
        return true;
    case STEP_SYNC:
        d->offline = false;
        sim_sync(s, d);
        return true;
    case STEP_RESTART:
        restart(d);
        return true;
    case STEP_DEVICE_FAULT:
        device_fault(d);
        return true;
    case STEP_SERVER_FAULT:
        server_fault(s);
        return true;
    case STEP_MEMORY_FAULT:
        d->memory = true;
        return true;
    case STEP_SERVER_MEMORY:
        s->server.memory = true;
        return true;
    case STEP_SKEW:
        skew(d);
        return true;
    case STEP_TIME:
        pass_time(s);
        return true;
    case STEP_ALTER:
        alter(d);
        return true;
    case STEP_DEFAULTS:
        return put_defaults(d);
    case STEP_COPY:
        return copy(s, d);
    case STEP_BACKUP:
        return back_up(d);
    case STEP_RESTORE:
        return put_back(d);
    case STEP_SERVER_BACKUP:
        server_back_up(s);
        return true;
    case STEP_SERVER_RESTORE:
        return server_put_back(s);
    case STEP_PURGE:
        s->loose = s->purged = true;
        sim_server_purge(s);
        return true;
    case STEP_STREAM:
        sim_stream(s, d);
        return true;
    case STEP_SETTLE:
        return settle(d);
    case STEP_CORRUPT:
        return corrupt(d);
    case STEP_KINDS:
        break;
    }
    return false;
}
