/*
 * Disks as they are when a run begins, made once per process: setting up databases would take longer
 * than most runs do. There are several of each, with other clients' ids and other page sizes.
 */
#include "sim/sim.h"

#include <stdio.h>

#define VARIANTS 4
#define START_US INT64_C(1767225600000000) /* 2026-01-01 */

typedef struct world {
    disk_image *disks[SIM_DEVICES_MAX + 1]; /* the server's first */
    int64_t now_us;
} world;

static const char *const users[SIM_USERS] = {"ann", "ben"};
static disk_image *devices[SIM_USERS][SIM_DEVICES_MAX + 2][VARIANTS];
static world worlds[SIM_USERS][SIM_DEVICES_MAX + 1][VARIANTS];

static int variant_of(const sim *s)
{
    return (int)(s->plan->seed % VARIANTS);
}

static void set_up(sim_device *d)
{
    sim *s = d->s;
    char sql[500];
    /* Small pages are split sooner, and half of the devices tidy up all the time. */
    snprintf(sql, sizeof sql,
             "PRAGMA page_size=%d;"
             "PRAGMA journal_mode=WAL;"
             "SELECT sigla_init('{\"server\":\"http://sim\",\"token\":\"t\",\"user\":\"%s\"}');"
             "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, c);"
             "SELECT sigla_track('t');"
             "INSERT INTO sigla_state VALUES('tidy_min',%d);"
             "PRAGMA wal_checkpoint(TRUNCATE)",
             variant_of(s) % 2 == 0 ? 4096 : 1024, users[d->user], variant_of(s) < 2 ? 2 : 256);
    disk_wipe(d->index);
    if (!sim_device_open(d) || sqlite3_exec(d->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        sim_fail(s, "device %d cannot be set up: %s", d->index, sqlite3_errmsg(d->db));
    sim_device_close(d);
}

void sim_template_device(sim_device *d)
{
    sim *s = d->s;
    disk_image **image = &devices[d->user][d->index][variant_of(s)];
    if (*image == NULL) {
        int64_t now = s->now_us;
        uint64_t place = (uint64_t)(d->user * (SIM_DEVICES_MAX + 2) + d->index);
        uint64_t before = disk_reseed(place * VARIANTS + (uint64_t)variant_of(s));
        s->now_us = START_US;
        set_up(d);
        *image = disk_snapshot(d->index);
        s->now_us = now;
        (void)disk_reseed(before);
    }
    disk_wipe(d->index);
    disk_restore(d->index, *image);
}

/* The server and all devices, each synced once. */
static void make_world(sim *s, world *w)
{
    const sim_plan *plan = s->plan;
    sim_counters *counters = s->counters, none = {0};
    sim_plan quiet = {
        .seed = (uint64_t)variant_of(s), .devices = plan->devices, .users = plan->users};
    s->plan = &quiet;
    s->counters = &none;
    s->now_us = START_US;
    disk_reset_all(quiet.seed, &s->now_us);
    sim_server_start(s);
    for (int i = 0; i < quiet.devices; i++)
        sim_sync(s, sim_device_new(s, i % quiet.users));
    for (int i = 0; i < quiet.devices; i++)
        sim_device_close(&s->devices[i]);
    sim_server_stop(s);
    for (int i = 0; i <= quiet.devices; i++)
        w->disks[i] = disk_snapshot(i);
    w->now_us = s->now_us;
    s->plan = plan;
    s->counters = counters;
    s->device_count = 0;
    s->requests = 0;
}

void sim_template_world(sim *s)
{
    const sim_plan *plan = s->plan;
    world *w = &worlds[plan->users - 1][plan->devices][variant_of(s)];
    if (w->disks[SIM_SERVER_DISK] == NULL) make_world(s, w);
    disk_reset_all(plan->seed, &s->now_us);
    for (int i = 0; i <= plan->devices; i++)
        disk_restore(i, w->disks[i]);
    s->now_us = w->now_us;
}
