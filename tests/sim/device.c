#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"

static int64_t device_now(void *ctx)
{
    const sim_device *d = ctx;
    return d->s->now_us + d->skew_us;
}

bool sim_device_excused(const sim_device *d)
{
    return disk_failed(d->index) || memory_failed();
}

/* ---- opening and closing ---- */

/* Half of the devices of a run with power losses do without syncing each commit. */
static bool is_durable(const sim_device *d)
{
    return (d->s->plan->trouble & TROUBLE_POWER) == 0 || d->index % 2 != 0;
}

bool sim_device_changed(sim_device *d, unsigned *seen)
{
    unsigned version = 0;
    int rc = sqlite3_file_control(d->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    sim_need(d->s, rc == SQLITE_OK);
    version++; /* 0: nothing is known of it */
    if (*seen == version) return false;
    *seen = version;
    return true;
}

/* True if the database is open and well; what a fault explains gives false. */
bool sim_device_open(sim_device *d)
{
    char path[32];
    snprintf(path, sizeof path, "/%d/app.db", d->index);
    int rc = sqlite3_open(path, &d->db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(d->db,
                          is_durable(d) ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
                                        : "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
                          NULL, NULL, NULL);
    int err = rc == SQLITE_OK ? sigla_register(d->db) : SIGLA_OK;
    d->adopted = d->checked = 0;
    if (rc == SQLITE_OK && err == SIGLA_OK) {
        sigla_set_clock(d->db, device_now, d);
        return true;
    }
    if (!sim_device_excused(d))
        sim_fail(d->s, "L1: device %d does not open: %s, %s", d->index, sqlite3_errmsg(d->db),
                 sigla_error_text(err));
    sim_device_close(d);
    return false;
}

void sim_device_hang_up(sim_device *d)
{
    sigla_session_close(d->session);
    d->session = NULL;
    d->generation++;
    d->request = 0;
    d->streaming = false;
}

void sim_device_close(sim_device *d)
{
    sim_device_hang_up(d);
    sqlite3_finalize(d->rows);
    sqlite3_finalize(d->marks);
    sqlite3_finalize(d->place);
    sqlite3_finalize(d->pending);
    sqlite3_finalize(d->self);
    d->rows = d->marks = d->place = d->pending = d->self = NULL;
    if (d->db != NULL && sqlite3_close(d->db) != SQLITE_OK) {
        sqlite3_stmt *open = sqlite3_next_stmt(d->db, NULL);
        sim_fail(d->s, "device %d: still open: %s", d->index,
                 open != NULL ? sqlite3_sql(open) : "something");
    }
    d->db = NULL;
}

sim_device *sim_device_add(sim *s, int user)
{
    sim_need(s, s->device_count < SIM_DEVICES_MAX + 1);
    sim_device *d = &s->devices[s->device_count++];
    *d = (sim_device){.s = s, .index = s->device_count, .user = user, .columns = 7};
    d->agent = d->index <= s->plan->devices && (s->plan->agents >> (d->index - 1) & 1);
    return d;
}

void sim_device_start(sim_device *d)
{
    if (!sim_device_open(d)) sim_fail(d->s, "device %d does not start", d->index);
    sim_adopt(d);
}

sim_device *sim_device_new(sim *s, int user)
{
    sim_device *d = sim_device_add(s, user);
    sim_template_device(d);
    sim_device_start(d);
    return d;
}

/* Columns its table has: an ALTER TABLE may or may not have been committed. */
static void read_columns(sim_device *d)
{
    (void)sim_device_sql(d, "SELECT sigla_refresh()");
    d->columns = (unsigned)sim_device_int(
        d, "SELECT 7+8*(SELECT count(*) FROM pragma_table_info('t') WHERE name='d')+"
           "16*(SELECT count(*) FROM pragma_table_info('t') WHERE name='e')");
}

/* The database is an earlier one than it was: what it no longer has queued was never written, unless
 * the server has it. */
void sim_device_forget(sim_device *d)
{
    sim *s = d->s;
    d->loose = true;
    d->timed = false;
    read_columns(d);
    sim_adopt(d);
    char *pending = sim_device_rows(d, "SELECT '|'||n||'|' FROM sigla_pending()");
    for (int i = 0; i < s->write_count; i++) {
        sim_write *w = &s->writes[i];
        char number[32];
        snprintf(number, sizeof number, "|%lld|", (long long)w->n);
        if (w->device == d->index && w->seq == 0 && strstr(pending, number) == NULL)
            w->undone = true;
    }
    sqlite3_free(pending);
}

void sim_device_recover(sim_device *d)
{
    bool lost_commits = false;
    sim *s = d->s;
    memory_fail(0, 0);
    d->memory = false;
    if (d->dying) {
        sim_device_close(d);
        s->counters->crashes++;
        if (d->power) {
            s->counters->power_losses++;
            disk_power_loss(d->index, &s->g);
            lost_commits = !is_durable(d);
        } else {
            disk_revive(d->index);
        }
        d->dying = d->power = false;
    } else {
        if (disk_failed(d->index)) s->counters->disk_errors++;
        disk_fail(d->index, DISK_WELL, 0);
        if (d->db != NULL && sqlite3_get_autocommit(d->db) == 0)
            sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (d->db == NULL && !sim_device_open(d)) sim_fail(s, "L1: device %d is gone", d->index);
    if (lost_commits) {
        sim_device_forget(d);
        return;
    }
    read_columns(d);
    sim_adopt(d);
}

/* ---- SQL ---- */

int sim_device_sql(sim_device *d, const char *sql)
{
    d->s->now_us += d->s->tick_us;
    int rc = sqlite3_exec(d->db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK && !sim_device_excused(d))
        sim_fail(d->s, "L1: device %d: %s: %s", d->index, sql, sqlite3_errmsg(d->db));
    return rc;
}

char *sim_device_rows(sim_device *d, const char *sql)
{
    sqlite3_stmt *q;
    if (sqlite3_prepare_v2(d->db, sql, -1, &q, NULL) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s: %s", d->index, sql, sqlite3_errmsg(d->db));
    sqlite3_str *out = sqlite3_str_new(NULL);
    while (sqlite3_step(q) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            const char *text = (const char *)sqlite3_column_text(q, i);
            sqlite3_str_appendf(out, "%s%s", i != 0 ? "|" : "", text != NULL ? text : "NULL");
        }
        sqlite3_str_appendchar(out, 1, '\n');
    }
    if (sqlite3_finalize(q) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s: %s", d->index, sql, sqlite3_errmsg(d->db));
    char *text = sqlite3_str_finish(out);
    return text != NULL ? text : sqlite3_mprintf("");
}

int64_t sim_device_int(sim_device *d, const char *sql)
{
    char *text = sim_device_rows(d, sql);
    int64_t v = strtoll(text, NULL, 10);
    sqlite3_free(text);
    return v;
}

bool sim_device_session(sim_device *d)
{
    if (d->session != NULL) return true;
    int err = sigla_session_open(d->db, "{\"encoding\":\"identity\",\"seed\":1}", &d->session);
    d->generation++;
    d->request = 0;
    if (err == SIGLA_OK) return true;
    if (!sim_device_excused(d))
        sim_fail(d->s, "device %d: no session: %s", d->index, sigla_error_text(err));
    d->session = NULL;
    return false;
}
