/* One run: its steps, then everything is mended, synced and compared. */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"

#define ROUNDS 4

bool sim_tracing;

void sim_trace(const char *format, ...)
{
    if (!sim_tracing) return;
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void begin(sim *s)
{
    disk_reset_all(s->plan->seed, &s->now_us);
    memory_fail(0, 0);
    sim_server_start(s);
    for (int i = 0; i < s->plan->devices; i++)
        sim_sync(s, sim_device_new(s, i % s->plan->users));
}

static void mend(sim *s)
{
    disk_revive(SIM_SERVER_DISK);
    for (int i = 0; i < s->device_count; i++) {
        sim_device *d = &s->devices[i];
        d->memory = false;
        if (disk_failed(d->index)) sim_device_recover(d);
        d->dying = d->power = false;
        disk_fail(d->index, DISK_WELL, 0);
    }
    while (sim_deliver(s, true))
        continue;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < s->device_count; i++)
            sim_sync(s, &s->devices[i]);
}

static void end(sim *s)
{
    for (int i = 0; i < s->device_count; i++) {
        sim_device_close(&s->devices[i]);
        disk_image_free(s->devices[i].backup);
    }
    sim_server_stop(s);
    disk_image_free(s->server.backup);
    for (int i = 0; i < SIM_MESSAGES_MAX; i++)
        sg_buf_deinit(&s->messages[i].body);
}

bool sim_run(sim *s, const sim_plan *plan, sim_counters *counters)
{
    sim_write *writes = s->writes;
    if (writes == NULL) writes = calloc(SIM_WRITES_MAX, sizeof *writes);
    memset(s, 0, sizeof *s);
    s->plan = plan;
    s->writes = writes;
    s->counters = counters;
    s->now_us = INT64_C(1767225600000000); /* 2026-01-01 */
    s->server.epoch.id = 0x1234;
    s->g.state = plan->seed;
    if (setjmp(s->failed) != 0) return false;
    begin(s);
    for (int i = 0; i < plan->count; i++) {
        s->step = i;
        sim_trace("-- %s %d", sim_kind_name(plan->steps[i].kind), plan->steps[i].device + 1);
        if (sim_do(s, &plan->steps[i])) counters->kinds[plan->steps[i].kind]++;
    }
    s->step = plan->count;
    mend(s);
    sim_check_end(s);
    end(s);
    return true;
}
