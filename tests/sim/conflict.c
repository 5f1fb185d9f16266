/* The conflicts that are due, from the text of L5, and those that a device has raised. */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a device's person wrote and lost: a bit a field, for each write of the model. */
typedef struct verdicts {
    unsigned due[SIM_WRITES_MAX]; /* by all that was committed up to the device's cursor */
    unsigned may[SIM_WRITES_MAX]; /* by all that was committed */
} verdicts;

/* ---- the server's order, change by change ---- */

static bool unseen(const sim_write *loser, const sim_write *winner)
{
    return loser->person && strcmp(loser->client, winner->client) != 0 && winner->base < loser->seq;
}

static int by_seq(const void *a, const void *b)
{
    const sim_write *x = *(const sim_write *const *)a, *y = *(const sim_write *const *)b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void bury(sim_state *m, unsigned *lost, const sim *s, const sim_write *grave)
{
    for (int f = 0; f < SIM_FIELDS; f++) {
        sim_cell *x = &m->cells[grave->key][f];
        if (x->by != NULL && !x->judged && unseen(x->by, grave)) lost[x->by - s->writes] |= 1u << f;
        x->judged = true;
    }
}

static void lay(sim_state *m, unsigned *lost, const sim *s, const sim_write *w)
{
    const sim_write *now = m->life[w->key];
    bool dead = now != NULL && now->op == 'd';
    for (int f = 0; f < SIM_FIELDS; f++) {
        if (!(w->has >> f & 1)) continue;
        if (dead && w->person && strcmp(now->client, w->client) != 0)
            lost[w - s->writes] |= 1u << f;
        sim_cell *x = &m->cells[w->key][f];
        if (x->by != NULL && sim_wins(x->by, w)) {
            if (w->person && strcmp(x->by->client, w->client) != 0) lost[w - s->writes] |= 1u << f;
            continue;
        }
        if (x->by != NULL && !x->judged && unseen(x->by, w)) lost[x->by - s->writes] |= 1u << f;
        *x = (sim_cell){w, dead};
    }
}

static void take(sim_state *m, unsigned *lost, const sim *s, const sim_write *w)
{
    const sim_write *old = m->life[w->key];
    if (w->op != 'u' && (old == NULL || sim_wins(w, old))) {
        if (w->op == 'd' && (old == NULL || old->op != 'd')) bury(m, lost, s, w);
        m->life[w->key] = w;
    }
    lay(m, lost, s, w);
}

/* Runs the changes of a user in commit order and notes which were overwritten unseen. */
static void judge(const sim *s, int user, int64_t cursor, verdicts *v)
{
    static const sim_write *order[SIM_WRITES_MAX];
    static sim_state m;
    int count = 0;
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *w = &s->writes[i];
        v->due[i] = v->may[i] = 0;
        if (w->seq != 0 && !w->undone && w->key / SIM_KEYS == user) order[count++] = w;
    }
    qsort(order, (size_t)count, sizeof *order, by_seq);
    memset(&m, 0, sizeof m);
    for (int i = 0; i < count; i++) {
        take(&m, v->may, s, order[i]);
        if (order[i]->seq <= cursor && (i + 1 == count || order[i + 1]->seq > cursor))
            memcpy(v->due, v->may, (size_t)s->write_count * sizeof *v->due);
    }
}

/* ---- what a device says ---- */

static bool is_settled(const char *settled, const sim_write *w, int f)
{
    char line[80];
    snprintf(line, sizeof line, "k%d|%s|%lld\n", w->key % SIM_KEYS, sim_field_name(f),
             (long long)w->n);
    return strstr(settled, line) != NULL;
}

/* Could the value be in conflict, by what the device has done itself and by what is there now? */
static bool is_open(const sim_write *w, int f, const sim_place *p, const sim_state *now)
{
    if (w->n > p->settled || (w->superseded >> f & 1) || w->value[f] == 0) return false;
    return !sim_is_alive(now, w->key) || sim_value_in(now, w->key, f) != w->value[f];
}

static const sim_write *write_of(const sim_device *d, int key, int f, int64_t n)
{
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->device == d->index && w->n == n && w->key == key && (w->has >> f & 1)) return w;
    }
    return NULL;
}

/* Each line of `raised` is k|field|n|value. What is found there is taken out of what is due. */
static void check_raised(sim_device *d, const char *raised, unsigned vague, const sim_place *p,
                         const sim_state *now, verdicts *v)
{
    sim *s = d->s;
    for (const char *line = raised; *line != '\0'; line += strcspn(line, "\n") + 1) {
        int length = (int)strcspn(line, "\n");
        int key = sim_key_of(d, line), f = line[3] - 'a', value = 0; /* and of null */
        long long n = 0;
        if (vague >> key & 1) continue;
        sim_need(s, sscanf(line + 5, "%lld|%d", &n, &value) >= 1);
        const sim_write *w = write_of(d, key, f, n);
        bool may = w != NULL && (v->may[w - s->writes] >> f & 1) && is_open(w, f, p, now);
        if (!may)
            sim_fail(s, "L5: device %d raises a conflict that is not due, or a second time: %.*s",
                     d->index, length, line);
        if (value != w->value[f])
            sim_fail(s, "L6: device %d wrote %d, and keeps as lost: %.*s", d->index, w->value[f],
                     length, line);
        v->due[w - s->writes] &= ~(1u << f);
        v->may[w - s->writes] &= ~(1u << f);
        s->counters->conflicts++;
    }
}

static void check_due(sim_device *d, const char *settled, unsigned vague, const sim_place *p,
                      const sim_state *now, const verdicts *v)
{
    sim *s = d->s;
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *w = &s->writes[i];
        if (w->device != d->index || v->due[i] == 0 || (vague >> w->key & 1)) continue;
        for (int f = 0; f < SIM_FIELDS; f++) {
            if (!(v->due[i] >> f & 1) || !is_open(w, f, p, now) || is_settled(settled, w, f))
                continue;
            sim_fail(s, "L5: device %d does not raise a conflict that is due: k%d|%s|%d|%lld",
                     d->index, w->key % SIM_KEYS, sim_field_name(f), w->value[f], (long long)w->n);
        }
    }
}

/* The journal follows when marks are folded. */
static bool all_folded(sim_device *d)
{
    return sim_device_int(d, "SELECT EXISTS(SELECT 1 FROM sigla_outbox WHERE n>coalesce((SELECT v "
                             "FROM sigla_state WHERE k='folded_n'),0))") == 0;
}

void sim_check_conflicts(sim_device *d, const sim_place *p, const sim_state *now)
{
    static verdicts v;
    if (!all_folded(d)) return;
    judge(d->s, d->user, p->seq, &v);
    unsigned vague = d->vague | sim_device_uncertain(d);
    char *raised = sim_device_rows(d, "SELECT c.key,c.field,j.n,c.wasLocal FROM sigla_conflicts c "
                                      "JOIN sigla_journal j USING(id)");
    char *settled = sim_device_rows(
        d, "SELECT c.key,c.field,j.n FROM sigla_conflicts(1) c JOIN sigla_journal j USING(id) "
           "WHERE j.state IN('restored','dismissed')");
    check_raised(d, raised, vague, p, now, &v);
    check_due(d, settled, vague, p, now, &v);
    sqlite3_free(settled);
    sqlite3_free(raised);
}
