/* Syncs, good and bad ones, and what the simulator tells of them. */
#include "year/year.h"

#include "base/mem.h"
#include "wire/codec.h"

static void committed(sim_device *d, const sim_sent *what, int64_t seq)
{
    year *y = d->s->story;
    if (d->index > YEAR_DEVICES) return;
    const char *wrong = year_ledger_commit(&y->l, d->index - 1, what->n, seq, d->s->now_us);
    if (wrong != NULL)
        sim_fail(d->s, "L8: %s: change %lld, seq %lld: %s", year_device_names[d->index - 1],
                 (long long)what->n, (long long)seq, wrong);
}

static void refused(sim_device *d, const sim_sent *what, sg_slice why)
{
    year *y = d->s->story;
    const char *wrong = year_ledger_refuse(&y->l, d->index - 1, what->n);
    if (wrong != NULL)
        sim_fail(d->s, "L9: %s: change %lld was refused, %.*s: %s", year_device_names[d->index - 1],
                 (long long)what->n, (int)why.n, why.p, wrong);
}

static void asked(sim_device *d)
{
    year *y = d->s->story;
    y->cpu_mark = year_cpu_us();
}

static int64_t packed(unsigned accepted, sg_slice bytes)
{
    enum sg_coding coding;
    char *out;
    size_t n;
    if (bytes.n == 0 || !sg_encode(accepted, bytes, &coding, &out, &n)) return (int64_t)bytes.n;
    sg_free(out);
    return (int64_t)n;
}

static void answered(sim_device *d, int status, sg_slice request, sg_slice answer)
{
    year *y = d->s->story;
    int64_t now = year_cpu_us();
    year_cost *c = &y->cost[(d->index - 1) % YEAR_DEVICES];
    c->requests++;
    c->server_us += now - y->cpu_mark;
    c->sent += (int64_t)request.n;
    c->received += (int64_t)answer.n;
    c->packed_sent += packed(SG_CODING_ZSTD, request);
    c->packed_received += packed(SG_CODING_COLUMNS, answer);
    y->apart_us += year_cpu_us() - y->cpu_mark;
    if (status == 410) y->resynced[(d->index - 1) % YEAR_DEVICES] = true;
}

const sim_watch year_watch = {committed, refused, asked, answered};

static void came_through(year *y, int device)
{
    year_ledger_caught_up(&y->l, device);
    y->stale[device] = false;
    y->resyncs += y->resynced[device];
    year_check_conflicts(y, device);
    year_check_bounds(y, device);
}

static void run_sync(year *y, int device)
{
    int64_t began = year_cpu_us();
    y->apart_us = 0;
    sim_sync(&y->s, year_on(y, device));
    y->cost[device].device_us += year_cpu_us() - began - y->apart_us;
    y->cost[device].syncs++;
}

void year_sync(year *y, int device)
{
    run_sync(y, device);
    came_through(y, device);
}

static void wake(sim_device *d)
{
    if (d->session != NULL && d->request == 0) sigla_session_wake(d->session);
}

void year_sync_answer_lost(year *y, int device)
{
    sim *s = &y->s;
    sim_device *d = year_on(y, device);
    wake(d);
    for (int i = 0; i < 4 && d->request == 0; i++)
        sim_talk(s, d, true);
    (void)sim_deliver(s, true);
    sim_drop_messages(s, d->index);
    if (prng_below(&y->g, 2) == 0)
        sim_give_up(d);
    else
        sim_device_hang_up(d);
    y->stale[device] = true;
    y->answers_lost++;
}

void year_sync_rough(year *y, int device)
{
    sim *s = &y->s;
    sim_device *d = year_on(y, device);
    y->plan.trouble = TROUBLE_NETWORK;
    wake(d);
    for (int i = 0; i < 12; i++) {
        sim_talk(s, d, false);
        if (prng_below(&y->g, 3) != 0) (void)sim_deliver(s, false);
        if (prng_below(&y->g, 4) == 0) sim_give_up(d);
    }
    y->plan.trouble = 0;
    while (sim_deliver(s, true))
        continue;
    y->rough++;
    year_sync(y, device);
}

void year_sync_crash(year *y, int device, bool server)
{
    sim *s = &y->s;
    sim_device *d = year_on(y, device);
    if (server) {
        s->server.power = prng_below(&y->g, 2) == 0;
        disk_fail(SIM_SERVER_DISK, DISK_DIES, 1 + prng_below(&y->g, 10));
    } else {
        d->dying = true;
        d->power = prng_below(&y->g, 2) == 0;
        disk_fail(d->index, DISK_DIES, 1 + prng_below(&y->g, 40));
    }
    run_sync(y, device);
    s->server.power = false;
    d->dying = d->power = false;
    disk_fail(SIM_SERVER_DISK, DISK_WELL, 0);
    disk_fail(d->index, DISK_WELL, 0);
    y->crashes++;
    came_through(y, device);
}

void year_hydrate(year *y, year_cost *cost, int64_t *file_bytes)
{
    sim_device *d = year_home_add(y);
    year_cost *c = &y->cost[(d->index - 1) % YEAR_DEVICES];
    *c = (year_cost){0};
    int64_t began = year_cpu_us();
    y->apart_us = 0;
    sim_sync(&y->s, d);
    c->device_us += year_cpu_us() - began - y->apart_us;
    c->syncs++;
    *cost = *c;
    year_compare_new(y, d);
    cost->rows = sim_device_int(d, "SELECT count(*) FROM sigla_rec");
    *file_bytes = year_file_bytes(d->db);
}
