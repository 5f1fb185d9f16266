#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "sim/memory.h"

#define SLACK_US                                                                                   \
    INT64_C(1000000) /* that answers take over a perfect network, and corrections leave */

static const char *const fields[SIM_FIELDS] = {"a", "b", "c", "d", "e"};

int sim_field_of(const char *name)
{
    for (int f = 0; f < SIM_FIELDS; f++)
        if (strcmp(fields[f], name) == 0) return f;
    return -1;
}

const char *sim_field_name(int f)
{
    return fields[f];
}

bool sim_is_alive(const sim_state *m, int key)
{
    if (m->life[key] != NULL) return m->life[key]->op == 'i';
    for (int f = 0; f < SIM_FIELDS; f++)
        if (m->cells[key][f].by != NULL) return true;
    return false;
}

int sim_value_in(const sim_state *m, int key, int f)
{
    const sim_write *by = m->cells[key][f].by;
    return by != NULL ? by->value[f] : 0;
}

int sim_key_of(const sim_device *d, const char *key)
{
    return d->user * SIM_KEYS + (key[1] - '0');
}

_Noreturn void sim_fail(sim *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->message, sizeof s->message, format, args);
    va_end(args);
    longjmp(s->failed, 1);
}

/* L3. */
bool sim_wins(const sim_write *a, const sim_write *b)
{
    if (a->at != b->at) return a->at > b->at;
    int c = strcmp(a->client, b->client);
    return c != 0 ? c > 0 : a->n > b->n;
}

void sim_merge(const sim *s, sim_state *out, sim_in *in, void *ctx)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *w = &s->writes[i];
        if (!in(ctx, w)) continue;
        const sim_write **life = &out->life[w->key];
        if (w->op != 'u' && (*life == NULL || sim_wins(w, *life))) *life = w;
        for (int f = 0; f < SIM_FIELDS; f++) {
            const sim_write **by = &out->cells[w->key][f].by;
            if ((w->has >> f & 1) && (*by == NULL || sim_wins(w, *by))) *by = w;
        }
    }
}

typedef struct view {
    const sim_device *d;
    int64_t cursor;
    const sim_write *before;
} view;

static bool in_view(void *ctx, const sim_write *w)
{
    const view *v = ctx;
    if (w->undone || w->key / SIM_KEYS != v->d->user) return false;
    if (w->device == v->d->index) return v->before == NULL || w < v->before;
    return w->seq != 0 && w->seq <= v->cursor;
}

void sim_view(const sim_device *d, int64_t cursor, const sim_write *before, sim_state *out)
{
    view v = {d, cursor, before};
    sim_merge(d->s, out, in_view, &v);
}

/* ---- what a device has queued ---- */

static sim_write *find(sim *s, int device, const char *client, size_t client_n, int64_t n)
{
    for (int i = s->write_count; i-- > 0;) {
        sim_write *w = &s->writes[i];
        if (w->n == n && w->device == device && !w->undone && strlen(w->client) == client_n &&
            memcmp(w->client, client, client_n) == 0)
            return w;
    }
    return NULL;
}

static sim_write *add(sim *s)
{
    if (s->write_count == SIM_WRITES_MAX) sim_fail(s, "too many writes for the model");
    sim_write *w = &s->writes[s->write_count++];
    *w = (sim_write){0};
    return w;
}

/* A database that finds itself a copy goes on under another id; what waits, waits under that. */
static void read_client(sim_device *d)
{
    sim *s = d->s;
    char client[sizeof d->client];
    if (d->self == NULL &&
        sqlite3_prepare_v2(d->db, "SELECT sigla_config('client')", -1, &d->self, NULL) != SQLITE_OK)
        sim_fail(s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    sim_need(s, sqlite3_step(d->self) == SQLITE_ROW);
    snprintf(client, sizeof client, "%s", sqlite3_column_text(d->self, 0));
    sqlite3_reset(d->self);
    if (d->client[0] != '\0' && strcmp(client, d->client) != 0) {
        s->counters->copies_found++;
        if (!d->loose && !s->loose) sim_fail(s, "L13: device %d takes itself for a copy", d->index);
        for (int i = 0; i < s->write_count; i++) {
            sim_write *w = &s->writes[i];
            if (w->device == d->index && w->seq == 0) w->undone = true;
        }
    }
    memcpy(d->client, client, sizeof client);
}

static bool was_there(const sim_state *m, int key)
{
    return m->life[key] != NULL || sim_is_alive(m, key);
}

/* What a device has just written over what it saw: `seen`, of which `hidden` keys not all. */
static void check_written(const sim_device *d, const sim_write *w, const sim_state *seen,
                          unsigned hidden)
{
    sim *s = d->s;
    if (!d->writing || d->loose || s->loose) return;
    if (d->seeding && (w->person || (!was_there(seen, w->key) && w->at != 0)))
        sim_fail(s, "L4: device %d writes a default as change %lld under the time %lld", d->index,
                 (long long)w->n, (long long)w->at);
    for (int f = 0; f < SIM_FIELDS && d->timed && !(hidden >> w->key & 1); f++) {
        const sim_write *by = seen->cells[w->key][f].by;
        if (!(w->has >> f & 1) || by == NULL || by->refused || sim_wins(w, by)) continue;
        sim_fail(s, "L3: device %d has written change %lld under a stamp less than what it saw",
                 d->index, (long long)w->n);
    }
}

/* The base is what the writer had applied; who asks for everything anew has it all the same. */
static void check_base(const sim_device *d, const sim_write *w, int64_t cursor)
{
    if (!d->writing || d->seeding || d->loose || d->s->loose || w->base == cursor) return;
    sim_fail(d->s, "L5: change %lld of device %d has base %lld, and its cursor was at %lld",
             (long long)w->n, d->index, (long long)w->base, (long long)cursor);
}

/* A value of its own that is there because somebody else wrote the same is its own hand's, too. */
static void supersede_value(sim_device *d, const sim_write *w, const sim_write *shown, int f)
{
    for (sim_write *o = d->s->writes; o < w; o++)
        if (o->device == d->index && o->key == w->key && (o->has >> f & 1) &&
            (o == shown || o->value[f] == shown->value[f]))
            o->superseded |= 1u << f;
}

/* What it overwrites is superseded if it is its own: nobody has lost it then. */
static void supersede(sim_device *d, const sim_write *w)
{
    sim_state seen;
    int64_t cursor = sim_device_place(d).seq;
    unsigned hidden = sim_device_uncertain(d);
    sim_view(d, cursor > d->reached ? cursor : d->reached, w, &seen);
    check_base(d, w, cursor);
    check_written(d, w, &seen, hidden);
    const sim_write *life = seen.life[w->key];
    if (life != NULL && life->op == 'd') return;
    if (hidden >> w->key & 1) d->vague |= 1u << w->key;
    for (int f = 0; f < SIM_FIELDS; f++) {
        const sim_write *by = seen.cells[w->key][f].by;
        if (by == NULL) continue;
        if (w->op == 'd' || (w->has >> f & 1)) supersede_value(d, w, by, f);
    }
}

/* Its clock may have been wrong when it stamped the change, but not any more once it has heard the
 * server's time (L14): a hybrid clock is ahead by the bound at most, and never behind. */
static void check_time(const sim_device *d, const sim_write *w)
{
    int64_t now = d->s->now_us;
    if (!d->timed || (w->at > now - SLACK_US && w->at < now + SG_CLOCK_BOUND_US + SLACK_US)) return;
    sim_fail(d->s, "L14: device %d knows the time and stamps change %lld %lld us from it", d->index,
             (long long)w->n, (long long)(w->at - now));
}

static void check_stamp(sim_device *d, const sim_write *w)
{
    /* What a server put back lacks goes again under the stamps it had. */
    if (w->at == 0 || d->s->loose || d->loose) return;
    check_time(d, w);
    for (int i = 0; i < w - d->s->writes; i++) {
        const sim_write *o = &d->s->writes[i];
        bool later = o->at > w->at || (o->at == w->at && o->tx_last != w->tx_last);
        if (o->device == d->index && o->n < w->n && later && !o->undone && !o->refused)
            sim_fail(d->s, "L3: device %d: change %lld is not stamped after change %lld", d->index,
                     (long long)w->n, (long long)o->n);
    }
}

static const char pending_sql[] =
    "SELECT p.n,p.key,p.op,p.origin,o.at,o.base,o.tx_last,j.key,j.value FROM sigla_pending() p "
    "JOIN sigla_outbox o ON o.n=(SELECT max(n) FROM sigla_outbox WHERE n<=p.n) LEFT JOIN "
    "json_each(p.fields) j ORDER BY p.n";

void sim_adopt(sim_device *d)
{
    sim *s = d->s;
    if (s->watch != NULL) return;
    memory_fail(0, 0); /* what was armed was for what the device did */
    if (d->db == NULL || !sim_device_changed(d, &d->adopted)) return;
    read_client(d);
    if (d->pending == NULL &&
        sqlite3_prepare_v2(d->db, pending_sql, -1, &d->pending, NULL) != SQLITE_OK)
        sim_fail(s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    sim_write *w = NULL;
    int first = s->write_count;
    while (sqlite3_step(d->pending) == SQLITE_ROW) {
        sqlite3_stmt *q = d->pending;
        int64_t n = sqlite3_column_int64(q, 0);
        if (w == NULL || w->n != n) {
            w = find(s, d->index, d->client, strlen(d->client), n);
            int64_t at = sqlite3_column_int64(q, 4);
            /* A number that was lost with the power is given again. */
            if (w != NULL && d->loose && w->seq != 0 && !w->restamped && w->at != at) w = NULL;
            if (w != NULL && w->seq == 0) w->at = at;
        }
        if (w != NULL && w < s->writes + first) continue;
        if (w == NULL) {
            w = add(s);
            w->device = d->index;
            snprintf(w->client, sizeof w->client, "%s", d->client);
            w->n = n;
            w->key = sim_key_of(d, (const char *)sqlite3_column_text(q, 1));
            w->op = *(const char *)sqlite3_column_text(q, 2);
            w->person = strcmp((const char *)sqlite3_column_text(q, 3), "user") == 0;
            w->at = sqlite3_column_int64(q, 4);
            w->base = sqlite3_column_int64(q, 5);
            w->tx_last = sqlite3_column_int64(q, 6);
        }
        const char *field = (const char *)sqlite3_column_text(q, 7);
        if (field == NULL) continue;
        int f = sim_field_of(field);
        sim_need(s, f >= 0);
        w->has |= 1u << f;
        w->value[f] = sqlite3_column_int(q, 8);
    }
    if (sqlite3_reset(d->pending) != SQLITE_OK)
        sim_fail(s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    for (int i = first; i < s->write_count; i++) {
        const sim_write *x = &s->writes[i];
        sim_trace("device %d has queued %lld: %c k%d at %lld base %lld", d->index, (long long)x->n,
                  x->op, x->key % SIM_KEYS, (long long)x->at, (long long)x->base);
        if (!d->writing && !d->loose && !s->loose)
            sim_fail(s, "L10: device %d has queued change %lld, which nobody has written", d->index,
                     (long long)x->n);
        check_stamp(d, x);
        supersede(d, &s->writes[i]);
        d->known_n = s->writes[i].n;
    }
}

/* ---- what the server has decided ---- */

static sim_write *decided(sim *s, sim_device *d, const sim_sent *what)
{
    sim_write *best = NULL;
    for (int i = 0; i < s->write_count; i++) {
        sim_write *w = &s->writes[i];
        if (w->device != d->index || w->n != what->n || strlen(w->client) != what->client.n)
            continue;
        if (memcmp(w->client, what->client.p, what->client.n) != 0) continue;
        /* What a device has lost may still have been on its way. */
        if (w->at == what->at || best == NULL || (best->at != what->at && best->undone)) best = w;
    }
    if (best == NULL)
        sim_fail(s, "L8: the server speaks of change %lld, which device %d has not made",
                 (long long)what->n, d->index);
    return best;
}

void sim_committed(sim *s, sim_device *d, const sim_sent *what, int64_t seq)
{
    if (s->watch != NULL) {
        s->watch->committed(d, what, seq);
        return;
    }
    sim_write *w = decided(s, d, what);
    w->undone = false;
    if (w->seq != 0 && w->seq != seq && seq != 1 && !s->loose)
        sim_fail(s, "L8: change %lld of device %d has got seq %lld and %lld", (long long)w->n,
                 d->index, (long long)w->seq, (long long)seq);
    if (w->refused && !s->loose) sim_fail(s, "L8: change %lld was refused before", (long long)w->n);
    if (d->agent && w->person && !s->loose)
        sim_fail(s, "L11: change %lld of device %d is a person's, and its token an agent's",
                 (long long)w->n, d->index);
    if (w->seq == 0 && sg_clock_beyond(w->at, s->now_us) && !s->loose)
        sim_fail(s, "L14: change %lld of device %d is committed under a time beyond the bound",
                 (long long)w->n, d->index);
    if (w->seq == 0) w->seq = seq;
}

static bool in_committed(void *ctx, const sim_write *w)
{
    (void)ctx;
    return !w->undone && w->seq != 0;
}

/* The server says again what it has told another copy of the database, which has sent the same. */
static bool told_a_copy(const sim *s, const sim_write *w, int64_t at)
{
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *o = &s->writes[i];
        if (o->device != w->device && o->n == w->n && o->restamped && o->at == at &&
            strcmp(o->client, w->client) == 0)
            return true;
    }
    return false;
}

/* A clock that was wrong must not turn the order of one's own edits (L3), where the earlier one is
 * still there to be seen. */
static void check_own_order(sim *s, const sim_write *w, int64_t at)
{
    sim_state now;
    sim_merge(s, &now, in_committed, NULL);
    for (int f = 0; f < SIM_FIELDS; f++) {
        const sim_write *o = now.cells[w->key][f].by;
        if (o == NULL || (w->has >> f & 1) == 0 || o->device != w->device) continue;
        if (o->n < w->n && o->at >= at)
            sim_fail(s, "L3: change %lld of device %d is given a time before its change %lld",
                     (long long)w->n, w->device, (long long)o->n);
    }
}

void sim_restamped(sim *s, sim_device *d, const sim_sent *what, int64_t at)
{
    if (s->watch != NULL) sim_fail(s, "change %lld was given another time", (long long)what->n);
    sim_write *w = decided(s, d, what);
    s->counters->restamped += !w->restamped;
    /* It is judged by the time it came with: its device may have renewed it since it sent that. A part
     * that came earlier is not in this body. */
    int64_t came = what->at >= 0 ? what->at : w->at;
    if (!w->restamped && !sg_clock_beyond(came, s->now_us) && !s->loose && !told_a_copy(s, w, at))
        sim_fail(s, "L14: change %lld of device %d got another time without need", (long long)w->n,
                 d->index);
    if (!w->restamped && !d->loose && !s->loose) check_own_order(s, w, at);
    w->restamped = true;
    w->at = at;
}

/* A change that its token may not make, or that is of a record whose insert was such a one. */
static bool may_be_refused(const sim *s, const sim_device *d, const sim_write *w)
{
    if (d->agent && w->person) return true;
    const sim_write *insert = NULL; /* the last one before it */
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *o = &s->writes[i];
        if (o->device == d->index && o->key == w->key && o->op == 'i' && o->n < w->n) insert = o;
    }
    return w->op == 'u' && insert != NULL && insert->refused;
}

void sim_refused(sim *s, sim_device *d, const sim_sent *what, sg_slice why)
{
    if (s->watch != NULL) {
        s->watch->refused(d, what, why);
        return;
    }
    sim_write *w = decided(s, d, what);
    s->counters->refused += !w->refused;
    if (!s->loose && !d->loose && !may_be_refused(s, d, w))
        sim_fail(s, "L9: change %lld of device %d was refused: %.*s", (long long)w->n, d->index,
                 (int)why.n, why.p);
    w->refused = true;
}

void sim_inherit(sim *s, int from, int to)
{
    int count = s->write_count;
    for (int i = 0; i < count; i++) {
        if (s->writes[i].device != from || s->writes[i].undone) continue;
        sim_write *w = add(s);
        *w = s->writes[i];
        w->device = to;
    }
}
