/*
 * timeout: 300
 *
 * Devices, a server and a bad network, at random: whatever happens, all end with the same data and
 * marks (L2), a device that comes later gets the same (L7), and exactly those conflicts are raised
 * that an independent model finds due (L5). Seeds: SIM_FROM, SIM_SEEDS in the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/prng.h"
#include "lib/world.h"

#define KEYS 3
#define FIELDS 3
#define CHANGES_MAX 4000
#define SCHEMA                                                                                     \
    "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, c);"                                                \
    "SELECT sigla_track('t')"

/* One change as a device made it. */
typedef struct change {
    int device;
    int64_t n, at, base, seq;
    char client[40];
    int key;
    char op; /* i, u, d */
    bool person;
    bool has[FIELDS];
    int value[FIELDS];       /* 0: NULL */
    bool superseded[FIELDS]; /* overwritten on the same device before anything else replaced it */
} change;

typedef struct model {
    change *all;
    int count;
} model;

/* ---- making changes ---- */

static const char *const names[FIELDS] = {"a", "b", "c"};

/* The device overwrites what it sees: if that is its own, it is superseded. */
static void supersede(model *m, device *d, int key, int field)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT client||' '||n FROM sigla_marks('t','k%d') WHERE field='%s'",
             key, names[field]);
    char *mark = device_text(d, sql);
    for (int i = 0; i < m->count; i++) {
        change *c = &m->all[i];
        char own[80];
        snprintf(own, sizeof own, "%s %lld", c->client, (long long)c->n);
        if (c->device == d->index && c->key == key && c->has[field] && strcmp(own, mark) == 0)
            c->superseded[field] = true;
    }
    sqlite3_free(mark);
}

/* What the statement just made has queued. */
static change *queued(model *m, device *d, int key, char op, bool person)
{
    assert_true(m->count < CHANGES_MAX);
    change *c = &m->all[m->count++];
    *c = (change){.device = d->index, .key = key, .op = op, .person = person};
    c->n = device_int(d, "SELECT max(n) FROM sigla_pending");
    c->at = device_int(d, "SELECT at FROM sigla_outbox ORDER BY n DESC LIMIT 1");
    c->base = device_int(d, "SELECT base FROM sigla_outbox ORDER BY n DESC LIMIT 1");
    char *client = device_text(d, "SELECT sigla_config('client')");
    snprintf(c->client, sizeof c->client, "%s", client);
    sqlite3_free(client);
    return c;
}

static int random_value(prng *g)
{
    return (int)prng_below(g, 5);
}

static void value_text(char *out, int v)
{
    if (v == 0)
        strcpy(out, "NULL");
    else
        snprintf(out, 12, "%d", v);
}

static void do_insert(model *m, device *d, prng *g, int key, bool person)
{
    int v[FIELDS];
    char t[FIELDS][12], sql[200];
    for (int f = 0; f < FIELDS; f++)
        value_text(t[f], v[f] = random_value(g));
    snprintf(sql, sizeof sql, "INSERT INTO t VALUES('k%d',%s,%s,%s)", key, t[0], t[1], t[2]);
    device_exec(d, sql);
    change *c = queued(m, d, key, 'i', person);
    for (int f = 0; f < FIELDS; f++) {
        c->has[f] = true;
        c->value[f] = v[f];
    }
}

static void do_update(model *m, device *d, prng *g, int key, bool person)
{
    char set[100] = "", sql[200], t[12];
    bool has[FIELDS] = {false};
    int v[FIELDS] = {0};
    for (int f = 0; f < FIELDS; f++) {
        if (prng_below(g, 2) == 0) continue;
        char had[100];
        snprintf(sql, sizeof sql, "SELECT coalesce(%s,0) FROM t WHERE id='k%d'", names[f], key);
        v[f] = random_value(g);
        if (device_int(d, sql) == v[f]) continue; /* no change is no edit */
        has[f] = true;
        supersede(m, d, key, f);
        value_text(t, v[f]);
        snprintf(had, sizeof had, "%s%s=%s", set[0] != '\0' ? "," : "", names[f], t);
        strcat(set, had);
    }
    if (set[0] == '\0') return;
    snprintf(sql, sizeof sql, "UPDATE t SET %s WHERE id='k%d'", set, key);
    device_exec(d, sql);
    change *c = queued(m, d, key, 'u', person);
    memcpy(c->has, has, sizeof has);
    memcpy(c->value, v, sizeof v);
}

static void do_delete(model *m, device *d, int key, bool person)
{
    char sql[100];
    for (int f = 0; f < FIELDS; f++)
        supersede(m, d, key, f);
    snprintf(sql, sizeof sql, "DELETE FROM t WHERE id='k%d'", key);
    device_exec(d, sql);
    (void)queued(m, d, key, 'd', person);
}

static void edit(model *m, device *d, prng *g)
{
    int key = (int)prng_below(g, KEYS);
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE id='k%d'", key);
    bool there = device_int(d, sql) != 0;
    bool person = prng_below(g, 4) != 0;
    if (!person)
        device_exec(d, "SELECT sigla_as('{\"kind\":\"system\",\"principalId\":\"system:rule\"}')");
    if (!there)
        do_insert(m, d, g, key, person);
    else if (prng_below(g, 8) == 0)
        do_delete(m, d, key, person);
    else
        do_update(m, d, g, key, person);
    if (!person) device_exec(d, "SELECT sigla_as_end()");
}

/* An update by a clock that has gone back unnoticed: greater than what the device wrote before, but
 * maybe less than what it has seen and writes over. */
static void edit_in_the_past(model *m, device *d, prng *g)
{
    int key = (int)prng_below(g, KEYS);
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE id='k%d'", key);
    if (device_int(d, sql) == 0) return;
    int64_t last = 1, skew_us = d->skew_us;
    int64_t hlc = device_int(d, "SELECT v FROM sigla_state WHERE k='hlc_us'");
    for (int i = 0; i < m->count; i++)
        if (m->all[i].device == d->index && m->all[i].at > last) last = m->all[i].at;
    snprintf(sql, sizeof sql, "UPDATE sigla_state SET v=%lld WHERE k='hlc_us'", (long long)last);
    device_exec(d, sql);
    d->skew_us -= INT64_C(10000000000);
    do_update(m, d, g, key, true);
    d->skew_us = skew_us;
    snprintf(sql, sizeof sql, "UPDATE sigla_state SET v=max(v,%lld) WHERE k='hlc_us'",
             (long long)hlc);
    device_exec(d, sql);
}

/* ---- the independent model: L5 from the law's text ---- */

typedef struct cell {
    const change *by; /* who wrote what is there; NULL: nothing is */
    bool judged;      /* a tombstone lay over it: that was its first winner */
} cell;

typedef struct verdicts {
    bool lost[CHANGES_MAX][FIELDS];
} verdicts;

static bool wins(const change *a, const change *b)
{
    if (a->at != b->at) return a->at > b->at;
    int c = strcmp(a->client, b->client);
    return c != 0 ? c > 0 : a->n > b->n;
}

static bool unseen(const change *loser, const change *winner)
{
    return loser->person && loser->device != winner->device && winner->base < loser->seq;
}

static int by_seq(const void *a, const void *b)
{
    const change *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Runs the changes in commit order; notes which were overwritten unseen, and leaves the end state
 * in cells and dead. A write of which the first overwriting was seen is never lost later. */
static void run_model(model *m, verdicts *v, cell cells[KEYS][FIELDS], const change *life[KEYS])
{
    qsort(m->all, (size_t)m->count, sizeof *m->all, by_seq);
    for (int i = 0; i < m->count; i++) {
        change *c = &m->all[i];
        const change *old = life[c->key];
        if (c->op != 'u' && (old == NULL || wins(c, old))) {
            bool alive = old == NULL || old->op != 'd';
            if (c->op == 'd' && alive)
                for (int f = 0; f < FIELDS; f++) {
                    cell *x = &cells[c->key][f];
                    if (x->by != NULL && !x->judged && unseen(x->by, c))
                        v->lost[x->by - m->all][f] = true;
                    x->judged = true;
                }
            life[c->key] = c;
        }
        const change *now = life[c->key];
        bool dead = now != NULL && now->op == 'd';
        for (int f = 0; f < FIELDS; f++) {
            if (!c->has[f]) continue;
            if (dead && c->person && now->device != c->device) v->lost[i][f] = true;
            const change *by = cells[c->key][f].by;
            if (by != NULL && wins(by, c)) {
                if (c->person && by->device != c->device) v->lost[i][f] = true;
                continue;
            }
            if (by != NULL && !cells[c->key][f].judged && unseen(by, c))
                v->lost[by - m->all][f] = true;
            cells[c->key][f] = (cell){c, dead};
        }
    }
}

/* All that happened to a record, for whoever looks into a failure. */
static void print_history(const model *m, const verdicts *v)
{
    for (int i = 0; i < m->count; i++) {
        const change *c = &m->all[i];
        print_message("k%d seq %lld base %lld device %d n %lld at %lld %c %s", c->key,
                      (long long)c->seq, (long long)c->base, c->device, (long long)c->n,
                      (long long)c->at, c->op, c->person ? "person" : "rule");
        for (int f = 0; f < FIELDS; f++)
            if (c->has[f])
                print_message(" %s=%d%s%s", names[f], c->value[f], v->lost[i][f] ? " lost" : "",
                              c->superseded[f] ? " superseded" : "");
        print_message("\n");
    }
}

static void compare_conflicts(model *m, device *d, const verdicts *v, cell cells[KEYS][FIELDS],
                              const change *life[KEYS])
{
    sqlite3_str *due = sqlite3_str_new(NULL);
    for (int key = 0; key < KEYS; key++) {
        bool dead = life[key] != NULL && life[key]->op == 'd';
        for (int f = 0; f < FIELDS; f++)
            for (int i = 0; i < m->count; i++) {
                const change *c = &m->all[i];
                if (c->device != d->index || c->key != key || !c->has[f] || !v->lost[i][f])
                    continue;
                if (c->superseded[f] || c->value[f] == 0) continue;
                int now = dead ? 0 : cells[key][f].by->value[f];
                if (now == c->value[f]) continue;
                sqlite3_str_appendf(due, "k%d|%s|%d|%lld\n", key, names[f], c->value[f],
                                    (long long)c->at);
            }
    }
    char *want = sqlite3_str_finish(due);
    if (want == NULL) want = sqlite3_mprintf("");
    char *have =
        device_rows(d, "SELECT c.key,c.field,c.wasLocal,j.at FROM sigla_conflicts c JOIN "
                       "sigla_journal j USING(id) ORDER BY c.key,c.field,j.winner_seq*0,"
                       "(SELECT seq+j.n-a.n FROM sigla_ack a WHERE a.n<=j.n ORDER BY a.n DESC "
                       "LIMIT 1)");
    if (strcmp(want, have) != 0) print_history(m, v);
    if (strcmp(want, have) != 0)
        fail_msg("device %d: conflicts due:\n%sraised:\n%s", d->index, want, have);
    sqlite3_free(want);
    sqlite3_free(have);
}

/* ---- one run ---- */

static enum fate random_fate(prng *g)
{
    uint64_t r = prng_below(g, 20);
    if (r < 12) return FATE_FINE;
    if (r < 14) return FATE_LOST;
    if (r < 17) return FATE_ANSWER_LOST;
    return r < 19 ? FATE_TWICE : FATE_BUSY;
}

static void assert_equal_everywhere(world *w)
{
    static const char *const what[] = {
        "SELECT * FROM t ORDER BY id",
        "SELECT k.id,m.field,m.value,m.at,m.actor,m.client,m.n,m.seq FROM (SELECT 'k0' id UNION SELECT "
        "'k1' UNION SELECT 'k2') k, sigla_marks('t',k.id) m ORDER BY 1,2"};
    for (size_t q = 0; q < sizeof what / sizeof *what; q++) {
        char *first = device_rows(w->devices[0], what[q]);
        for (int i = 1; i < w->device_count; i++) {
            char *other = device_rows(w->devices[i], what[q]);
            if (strcmp(first, other) != 0)
                fail_msg("device 0 and %d differ:\n%s--\n%s", i, first, other);
            sqlite3_free(other);
        }
        sqlite3_free(first);
    }
}

static void random_step(world *w, model *m, prng *g)
{
    device *d = w->devices[prng_below(g, (uint64_t)w->device_count)];
    uint64_t r = prng_below(g, 100);
    if (r < 50)
        edit(m, d, g);
    else if (r < 85)
        (void)device_step(d, random_fate(g));
    else if (r < 90)
        device_restart(d);
    else if (r < 93)
        device_sync(d);
    else if (r < 97)
        edit_in_the_past(m, d, g);
    else
        d->skew_us = (int64_t)prng_below(g, 200000000) - 100000000;
}

static void run_seed(uint64_t seed)
{
    prng g = {seed * 7919};
    world w;
    world_open(&w);
    int devices = 2 + (int)prng_below(&g, 3);
    for (int i = 0; i < devices; i++)
        device_sync(world_device(&w, SCHEMA));
    model m = {.all = calloc(CHANGES_MAX, sizeof *m.all)};
    verdicts *v = calloc(1, sizeof *v);
    int steps = 20 + (int)prng_below(&g, 150);
    for (int i = 0; i < steps; i++)
        random_step(&w, &m, &g);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < devices; i++)
            device_sync(w.devices[i]);
    for (int i = 0; i < m.count; i++) {
        char sql[300];
        snprintf(sql, sizeof sql,
                 "SELECT seq+%lld-n FROM sigla_ack a JOIN sigla_client c ON c.id=a.client WHERE "
                 "c.client='%s' AND n<=%lld ORDER BY n DESC LIMIT 1",
                 (long long)m.all[i].n, m.all[i].client, (long long)m.all[i].n);
        m.all[i].seq = device_int(w.devices[m.all[i].device], sql);
        if (m.all[i].seq <= 0) {
            char *refused = device_rows(w.devices[m.all[i].device], "SELECT * FROM sigla_refused");
            fail_msg("change %lld of device %d was not acknowledged; refused:\n%s",
                     (long long)m.all[i].n, m.all[i].device, refused);
        }
    }
    cell cells[KEYS][FIELDS] = {{{NULL, false}}};
    const change *life[KEYS] = {NULL};
    run_model(&m, v, cells, life);
    for (int i = 0; i < devices; i++)
        compare_conflicts(&m, w.devices[i], v, cells, life);
    device_sync(world_device(&w, SCHEMA));
    assert_equal_everywhere(&w);
    free(m.all);
    free(v);
    world_close(&w);
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void L2_L5_any_run_converges_and_raises_what_is_due(void **state)
{
    (void)state;
    uint64_t from = from_env("SIM_FROM", 1), seeds = from_env("SIM_SEEDS", 60);
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        /* Printed before: a failing test names its seed. */
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L2_L5_any_run_converges_and_raises_what_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
