#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"

static const char *const names[SIM_FIELDS] = {"a", "b", "c", "d", "e"};

/* ---- a device against the model, at any time ---- */

typedef struct place {
    int64_t seq, settled;
    bool whole;
} place;

static place place_of(sim_device *d)
{
    place p = {0};
    if (d->place == NULL &&
        sqlite3_prepare_v2(d->db,
                           "SELECT seq,settled,hydrated AND NOT resync FROM sigla_app WHERE "
                           "name='default'",
                           -1, &d->place, NULL) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    if (sqlite3_step(d->place) == SQLITE_ROW) {
        p.seq = sqlite3_column_int64(d->place, 0);
        p.settled = sqlite3_column_int64(d->place, 1);
        p.whole = sqlite3_column_int(d->place, 2) != 0;
    }
    sqlite3_reset(d->place);
    return p;
}

bool sim_device_incomplete(sim_device *d)
{
    return !place_of(d).whole;
}

static bool ever_deleted(const sim *s, int key)
{
    for (int i = 0; i < s->write_count; i++)
        if (s->writes[i].key == key && s->writes[i].op == 'd') return true;
    return false;
}

static bool deleted_since(const sim *s, const sim_write *w)
{
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *o = &s->writes[i];
        if (o->key == w->key && o->op == 'd' && o->seq > w->base) return true;
    }
    return false;
}

/* Keys of which the replica may rightly hold less than the model says: it drops what lies under a
 * tombstone, its own unsent fields too, and hears of it again only with the page that follows its own
 * push. */
static unsigned uncertain(const sim_device *d, const place *p)
{
    unsigned keys = 0;
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->device != d->index || w->undone) continue;
        if (w->n <= p->settled && w->seq <= p->seq) continue;
        bool hidden = w->op == 'i' ? ever_deleted(d->s, w->key) : deleted_since(d->s, w);
        if (hidden || w->restamped) keys |= 1u << w->key;
    }
    return keys;
}

unsigned sim_device_uncertain(sim_device *d)
{
    place p = place_of(d);
    return uncertain(d, &p);
}

static bool is_alive(const sim_state *m, int key)
{
    if (m->life[key] != NULL) return m->life[key]->op == 'i';
    for (int f = 0; f < SIM_FIELDS; f++)
        if (m->cells[key][f].by != NULL) return true;
    return false;
}

static int value_in(const sim_state *m, int key, int f)
{
    const sim_write *by = m->cells[key][f].by;
    return by != NULL ? by->value[f] : 0;
}

static void expect_rows(const sim_device *d, const sim_state *m, unsigned but, unsigned columns,
                        sqlite3_str *out)
{
    for (int k = d->user * SIM_KEYS; k < (d->user + 1) * SIM_KEYS; k++) {
        if ((but >> k & 1) || !is_alive(m, k)) continue;
        sqlite3_str_appendf(out, "k%d", k % SIM_KEYS);
        for (int f = 0; f < SIM_FIELDS; f++)
            if (columns >> f & 1) sqlite3_str_appendf(out, "|%d", value_in(m, k, f));
        sqlite3_str_appendchar(out, 1, '\n');
    }
}

static void read_rows(sim_device *d, unsigned but, unsigned columns, sqlite3_str *out)
{
    if (d->rows == NULL &&
        sqlite3_prepare_v2(d->db, "SELECT * FROM t ORDER BY id", -1, &d->rows, NULL) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    sqlite3_stmt *q = d->rows;
    while (sqlite3_step(q) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(q, 0);
        if (but >> sim_key_of(d, key) & 1) continue;
        sqlite3_str_appendf(out, "%s", key);
        for (int c = 1; c < sqlite3_column_count(q); c++) {
            int f = sim_field_of(sqlite3_column_name(q, c));
            if (columns >> f & 1) sqlite3_str_appendf(out, "|%d", sqlite3_column_int(q, c));
        }
        sqlite3_str_appendchar(out, 1, '\n');
    }
    if (sqlite3_reset(q) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
}

/* k0 a at client n */
static void expect_marks(const sim_device *d, const sim_state *m, unsigned but, unsigned columns,
                         sqlite3_str *out)
{
    for (int k = d->user * SIM_KEYS; k < (d->user + 1) * SIM_KEYS; k++) {
        if ((but >> k & 1) || !is_alive(m, k)) continue;
        for (int f = 0; f < SIM_FIELDS; f++) {
            const sim_write *by = m->cells[k][f].by;
            if (!(columns >> f & 1) || by == NULL) continue;
            char at[SG_TIME_TEXT_MAX];
            sg_time_format(by->at, at);
            sqlite3_str_appendf(out, "k%d|%s|%s|%s|%lld\n", k % SIM_KEYS, names[f], at, by->client,
                                (long long)by->n);
        }
    }
}

static void read_marks(sim_device *d, unsigned but, unsigned columns, sqlite3_str *out)
{
    if (d->marks == NULL &&
        sqlite3_prepare_v2(d->db,
                           "SELECT k.id,m.field,m.at,m.client,m.n FROM (SELECT 'k0' id UNION ALL "
                           "SELECT 'k1' UNION ALL SELECT 'k2') k, sigla_marks('t',k.id) m WHERE "
                           "m.field NOT NULL ORDER BY 1,2",
                           -1, &d->marks, NULL) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    sqlite3_stmt *q = d->marks;
    while (sqlite3_step(q) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(q, 0);
        const char *field = (const char *)sqlite3_column_text(q, 1);
        if ((but >> sim_key_of(d, key) & 1) || !(columns >> sim_field_of(field) & 1)) continue;
        sqlite3_str_appendf(out, "%s|%s|%s|%s|%lld\n", key, field, sqlite3_column_text(q, 2),
                            sqlite3_column_text(q, 3), sqlite3_column_int64(q, 4));
    }
    if (sqlite3_reset(q) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
}

static void compare(sim_device *d, const char *law, sqlite3_str *want, sqlite3_str *have)
{
    char *w = sqlite3_str_finish(want), *h = sqlite3_str_finish(have);
    if (strcmp(w != NULL ? w : "", h != NULL ? h : "") != 0)
        sim_fail(d->s, "%s: device %d should hold\n%sand holds\n%s", law, d->index,
                 w != NULL ? w : "", h != NULL ? h : "");
    sqlite3_free(w);
    sqlite3_free(h);
}

static void compare_view(sim_device *d, const sim_state *m, unsigned but, unsigned columns)
{
    sqlite3_str *want = sqlite3_str_new(NULL), *have = sqlite3_str_new(NULL);
    expect_rows(d, m, but, columns & d->columns, want);
    read_rows(d, but, columns & d->columns, have);
    compare(d, "L2 L7 L10", want, have);
    want = sqlite3_str_new(NULL);
    have = sqlite3_str_new(NULL);
    expect_marks(d, m, but, columns, want);
    read_marks(d, but, columns, have);
    compare(d, "L2 marks", want, have);
}

/* No cursor stands inside a transaction of somebody else (L1). */
static void check_whole(sim_device *d, int64_t cursor)
{
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->seq == 0 || w->seq != cursor || w->undone || w->n == w->tx_last ||
            w->device == d->index)
            continue;
        sim_fail(d->s, "L1: device %d stands inside a transaction, at seq %lld", d->index,
                 (long long)cursor);
    }
}

void sim_check_device(sim_device *d)
{
    if (d->db == NULL || d->loose || d->s->loose) return;
    if (!sim_device_changed(d, &d->checked)) return;
    place p = place_of(d);
    if (!p.whole) return;
    check_whole(d, p.seq);
    sim_state m;
    sim_view(d, p.seq, NULL, &m);
    compare_view(d, &m, uncertain(d, &p), 7);
}

/* ---- the end ---- */

static bool in_end(void *ctx, const sim_write *w)
{
    (void)ctx;
    return !w->undone && w->seq != 0;
}

static void check_agreement(sim *s, sim_device *first, sim_device *d)
{
#define EACH_KEY "(SELECT 'k0' id UNION ALL SELECT 'k1' UNION ALL SELECT 'k2') k"
    static const char fields[] =
        "SELECT k.id,m.field,m.value,m.at,m.actor,m.client,m.n,m.seq FROM " EACH_KEY
        ", sigla_marks('t',k.id) m WHERE m.field NOT NULL ORDER BY 1,2";
    static const char graves[] = "SELECT k.id,m.at,m.client,m.n FROM " EACH_KEY
                                 ", sigla_marks('t',k.id) m WHERE m.field IS NULL ORDER BY 1,2";
    static const char *const what[] = {"SELECT id,a,b,c FROM t ORDER BY id", fields, graves};
    /* A purged tombstone is not brought to those who come later. */
    size_t queries = sizeof what / sizeof *what - (s->purged ? 1 : 0);
    for (size_t i = 0; i < queries; i++) {
        char *want = sim_device_rows(first, what[i]), *have = sim_device_rows(d, what[i]);
        if (strcmp(want, have) != 0)
            sim_fail(s, "L2: devices %d and %d differ:\n%s--\n%s", first->index, d->index, want,
                     have);
        sqlite3_free(want);
        sqlite3_free(have);
    }
}

/* ---- conflicts, from the text of L5 ---- */

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

/* Runs the changes in commit order and notes which were overwritten unseen: a bit a field. */
static void judge(sim *s, sim_state *m, unsigned *lost)
{
    const sim_write **order = calloc((size_t)s->write_count + 1, sizeof *order);
    int count = 0;
    for (int i = 0; i < s->write_count; i++)
        if (s->writes[i].seq != 0 && !s->writes[i].undone) order[count++] = &s->writes[i];
    qsort(order, (size_t)count, sizeof *order, by_seq);
    memset(m, 0, sizeof *m);
    for (int i = 0; i < count; i++) {
        const sim_write *w = order[i], *old = m->life[w->key];
        if (w->op != 'u' && (old == NULL || sim_wins(w, old))) {
            if (w->op == 'd' && (old == NULL || old->op != 'd')) bury(m, lost, s, w);
            m->life[w->key] = w;
        }
        lay(m, lost, s, w);
    }
    free(order);
}

static bool is_settled(const char *settled, int key, int f, int64_t n)
{
    char line[80];
    snprintf(line, sizeof line, "k%d|%s|%lld\n", key % SIM_KEYS, names[f], (long long)n);
    return strstr(settled, line) != NULL;
}

static void check_conflicts(sim_device *d, const sim_state *m, const unsigned *lost)
{
    sim *s = d->s;
    char *settled = sim_device_rows(
        d, "SELECT c.key,c.field,j.n FROM sigla_conflicts(1) c JOIN sigla_journal j USING(id) "
           "WHERE j.state IN('restored','dismissed')");
    sqlite3_str *want = sqlite3_str_new(NULL), *have = sqlite3_str_new(NULL);
    for (int k = d->user * SIM_KEYS; k < (d->user + 1) * SIM_KEYS; k++)
        for (int f = 0; f < SIM_FIELDS && !(d->vague >> k & 1); f++)
            for (int i = 0; i < s->write_count; i++) {
                const sim_write *w = &s->writes[i];
                if (w->device != d->index || w->key != k || !(lost[i] >> f & 1)) continue;
                if ((w->superseded >> f & 1) || w->value[f] == 0) continue;
                if (is_alive(m, k) && value_in(m, k, f) == w->value[f]) continue;
                if (is_settled(settled, k, f, w->n)) continue;
                sqlite3_str_appendf(want, "k%d|%s|%d|%lld\n", k % SIM_KEYS, names[f], w->value[f],
                                    (long long)w->n);
            }
    char *rows = sim_device_rows(d, "SELECT c.key,c.field,c.wasLocal,j.n FROM sigla_conflicts c "
                                    "JOIN sigla_journal j USING(id) ORDER BY c.key,c.field,j.n");
    for (const char *p = rows; *p != '\0'; p += strcspn(p, "\n") + 1) {
        s->counters->conflicts++;
        if (d->vague >> sim_key_of(d, p) & 1) continue;
        sqlite3_str_append(have, p, (int)strcspn(p, "\n") + 1);
    }
    sqlite3_free(rows);
    sqlite3_free(settled);
    compare(d, "L5", want, have);
}

static void check_count(sim *s)
{
    int64_t newest = sim_server_newest(s), committed = 0;
    for (int i = 0; i < s->write_count; i++) {
        if (s->devices[s->writes[i].device - 1].loose) return; /* its copy has the same changes */
        if (s->writes[i].seq != 0) committed++;
    }
    if (newest != committed)
        sim_fail(s, "L8: %lld changes were made, and the server has committed %lld",
                 (long long)committed, (long long)newest);
}

void sim_check_end(sim *s)
{
    int devices = s->device_count;
    unsigned *lost = calloc((size_t)s->write_count + 1, sizeof *lost);
    sim_state end;
    judge(s, &end, lost);
    for (int user = 0; user < s->plan->users; user++) {
        sim_device *fresh = sim_device_new(s, user);
        sim_sync(s, fresh);
        for (int i = 0; i < devices; i++) {
            sim_device *d = &s->devices[i];
            if (d->user != user) continue;
            /* An agent may not send others' fields again to a server put back; its status says so. */
            if (s->loose && sim_device_int(d, "SELECT count(*) FROM sigla_refused") != 0) continue;
            check_agreement(s, fresh, d);
            if (s->loose || d->loose) continue;
            check_conflicts(d, &end, lost);
        }
        if (!s->loose) {
            sim_state m;
            sim_merge(s, &m, in_end, NULL);
            compare_view(fresh, &m, 0, (1u << SIM_FIELDS) - 1);
        }
        sim_device_close(fresh);
        s->device_count--;
    }
    if (!s->loose) check_count(s);
    free(lost);
}
