#include "sim/sim.h"

static const struct {
    const char *name;
    unsigned needs; /* trouble it belongs to; 0: always there */
    unsigned weight;
} kinds[STEP_KINDS] = {
    [STEP_EDIT] = {"edit", 0, 40},
    [STEP_TALK] = {"talk", 0, 40},
    [STEP_DELIVER] = {"deliver", 0, 25},
    [STEP_GIVE_UP] = {"give-up", TROUBLE_NETWORK, 4},
    [STEP_SYNC] = {"sync", 0, 5},
    [STEP_RESTART] = {"restart", TROUBLE_RESTART, 5},
    [STEP_DEVICE_FAULT] = {"device-fault", TROUBLE_KILL | TROUBLE_DISK, 6},
    [STEP_SERVER_FAULT] = {"server-fault", TROUBLE_KILL | TROUBLE_DISK, 4},
    [STEP_MEMORY_FAULT] = {"memory-fault", TROUBLE_MEMORY, 8},
    [STEP_SERVER_MEMORY] = {"server-memory", TROUBLE_MEMORY, 4},
    [STEP_PARTITION] = {"partition", TROUBLE_NETWORK, 2},
    [STEP_SKEW] = {"skew", TROUBLE_CLOCK, 4},
    [STEP_TIME] = {"time", 0, 2},
    [STEP_ALTER] = {"alter", TROUBLE_SCHEMA, 2},
    [STEP_DEFAULTS] = {"defaults", TROUBLE_SCHEMA, 2},
    [STEP_COPY] = {"copy", TROUBLE_COPY, 2},
    [STEP_BACKUP] = {"backup", TROUBLE_COPY, 2},
    [STEP_RESTORE] = {"restore", TROUBLE_COPY, 2},
    [STEP_SERVER_BACKUP] = {"server-backup", TROUBLE_SERVER_BACK, 2},
    [STEP_SERVER_RESTORE] = {"server-restore", TROUBLE_SERVER_BACK, 2},
    [STEP_PURGE] = {"purge", TROUBLE_PURGE, 4},
    [STEP_STREAM] = {"stream", TROUBLE_STREAM, 12},
    [STEP_SETTLE] = {"settle", TROUBLE_SETTLE, 3},
    [STEP_CORRUPT] = {"corrupt", TROUBLE_CORRUPT, 2},
};

const char *sim_kind_name(enum sim_kind kind)
{
    return kinds[kind].name;
}

const char *sim_trouble_name(int bit)
{
    static const char *const names[TROUBLE_COUNT] = {
        "network", "cut",    "restart",    "kill",    "power", "disk",
        "memory",  "clock",  "wild-clock", "schema",  "copy",  "server-back",
        "purge",   "stream", "settle",     "refusal", "still", "corrupt"};
    return names[bit];
}

static enum sim_kind pick(prng *g, unsigned trouble)
{
    unsigned total = 0;
    for (int k = 0; k < STEP_KINDS; k++)
        if (kinds[k].needs == 0 || (kinds[k].needs & trouble) != 0) total += kinds[k].weight;
    unsigned at = (unsigned)prng_below(g, total);
    for (int k = 0; k < STEP_KINDS; k++) {
        if (kinds[k].needs != 0 && (kinds[k].needs & trouble) == 0) continue;
        if (at < kinds[k].weight) return (enum sim_kind)k;
        at -= kinds[k].weight;
    }
    return STEP_TALK;
}

void sim_plan_make(sim_plan *p, uint64_t seed)
{
    prng g = {seed * 0x9e3779b97f4a7c15u + 1};
    *p = (sim_plan){.seed = seed};
    /* Most kinds of trouble are away most of the time, so that each is seen without the others. */
    for (int bit = 0; bit < TROUBLE_COUNT - 1; bit++) {
        bool heavy = bit == 10 || bit == 11 || bit == 12 || bit == 8;
        if (prng_below(&g, heavy ? 8 : 3) == 0) p->trouble |= 1u << bit;
    }
    /* Of its own, so that the other seeds' plans are what they were without it. */
    prng apart = {seed * 0x9e3779b97f4a7c15u + 2};
    if (prng_below(&apart, 8) == 0) p->trouble |= TROUBLE_CORRUPT;
    p->devices = 2 + (int)prng_below(&g, 3);
    if (prng_below(&g, 20) == 0) p->devices = 5 + (int)prng_below(&g, 4);
    p->agents = (unsigned)(prng_next(&g) & prng_next(&g));
    if (p->trouble & TROUBLE_REFUSAL) p->agents |= 1u;
    /* Who gives a number a second time must give it another stamp, or the model takes them for one. */
    if (p->trouble & (TROUBLE_COPY | TROUBLE_POWER)) p->trouble &= ~(unsigned)TROUBLE_STILL;
    p->users = 1 + (prng_below(&g, 4) == 0);
    /* Most are short: what fails at all mostly fails early, and more of them can be run. */
    uint64_t length = prng_below(&g, 30);
    int most = length < 20 ? 20 : length < 29 ? 60 : SIM_STEPS_MAX;
    p->count = 8 + (int)prng_below(&g, (uint64_t)(most - 8));
    for (int i = 0; i < p->count; i++)
        p->steps[i] = (sim_step){.kind = pick(&g, p->trouble),
                                 .device = (int)prng_below(&g, (uint64_t)p->devices),
                                 .r = prng_next(&g)};
}
