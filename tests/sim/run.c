/* One run: its steps, then everything is mended, synced and compared. */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"

#define ROUNDS_MAX 10
#define TICK_US 1000 /* that anything takes */

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
    memory_fail(0, 0);
    sim_template_world(s);
    sim_server_start(s);
    for (int i = 0; i < s->plan->devices; i++)
        sim_device_start(sim_device_add(s, i % s->plan->users));
}

/* True if the server has heard something new: not all know of it then. */
static bool sync_all(sim *s)
{
    int64_t before = sim_server_newest(s);
    for (int i = 0; i < s->device_count; i++)
        sim_sync(s, &s->devices[i]);
    return sim_server_newest(s) != before;
}

static void mend(sim *s)
{
    disk_revive(SIM_SERVER_DISK);
    s->server.memory = false;
    for (int i = 0; i < s->device_count; i++) {
        sim_device *d = &s->devices[i];
        d->memory = d->offline = false;
        if (disk_failed(d->index)) sim_device_recover(d);
        d->dying = d->power = false;
        disk_fail(d->index, DISK_WELL, 0);
    }
    while (sim_deliver(s, true))
        continue;
    /* A session that is in the middle of something ends that first, and pushes in the next round. */
    int rounds = 0;
    for (int quiet = 0; quiet < 2; quiet = sync_all(s) ? 0 : quiet + 1)
        if (++rounds > ROUNDS_MAX) sim_fail(s, "L2: syncing does not come to an end");
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
    s->tick_us = TICK_US;
    s->server.epoch.id = 0x1234;
    s->g.state = plan->seed;
    if (setjmp(s->failed) != 0) return false;
    begin(s);
    /* What all runs begin with is made under one clock. */
    if (plan->trouble & TROUBLE_STILL) s->tick_us = 0;
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
