#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"

#define ALL_COLUMNS ((1u << SIM_FIELDS) - 1)

/* ---- a device against the model, at any time ---- */

sim_place sim_device_place(sim_device *d)
{
    sim_place p = {0};
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
    return !sim_device_place(d).whole;
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
static unsigned uncertain(const sim_device *d, const sim_place *p)
{
    unsigned keys = 0;
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->device != d->index || w->undone) continue;
        if (w->refused) keys |= 1u << w->key; /* it is here, and nowhere else (L9) */
        if (w->n <= p->settled && w->seq <= p->seq) continue;
        bool hidden = w->op == 'i' ? ever_deleted(d->s, w->key) : deleted_since(d->s, w);
        if (hidden || w->restamped) keys |= 1u << w->key;
    }
    return keys;
}

unsigned sim_device_uncertain(sim_device *d)
{
    sim_place p = sim_device_place(d);
    return uncertain(d, &p);
}

/* ---- what is held of each record, and what should be: its row, and a line a mark ---- */

typedef struct texts {
    sqlite3_str *of[SIM_KEYS];
    char *text[SIM_KEYS];
} texts;

static void texts_begin(texts *t)
{
    for (int k = 0; k < SIM_KEYS; k++)
        t->of[k] = sqlite3_str_new(NULL);
}

static void texts_end(texts *t)
{
    for (int k = 0; k < SIM_KEYS; k++) {
        t->text[k] = sqlite3_str_finish(t->of[k]);
        if (t->text[k] == NULL) t->text[k] = sqlite3_mprintf("");
    }
}

static void texts_free(texts *t)
{
    for (int k = 0; k < SIM_KEYS; k++)
        sqlite3_free(t->text[k]);
}

static void expect_record(const sim_device *d, const sim_state *m, int k, unsigned columns,
                          sqlite3_str *out)
{
    if (!sim_is_alive(m, k)) return;
    sqlite3_str_appendf(out, "k%d", k % SIM_KEYS);
    for (int f = 0; f < SIM_FIELDS; f++)
        if (columns & d->columns & 1u << f) sqlite3_str_appendf(out, "|%d", sim_value_in(m, k, f));
    sqlite3_str_appendchar(out, 1, '\n');
    for (int f = 0; f < SIM_FIELDS; f++) {
        const sim_write *by = m->cells[k][f].by;
        if (!(columns >> f & 1) || by == NULL) continue;
        char at[SG_TIME_TEXT_MAX];
        sg_time_format(by->at, at);
        sqlite3_str_appendf(out, "%s|%s|%s|%lld\n", sim_field_name(f), at, by->client,
                            (long long)by->n);
    }
}

static void expect(const sim_device *d, const sim_state *m, unsigned columns, texts *out)
{
    texts_begin(out);
    for (int k = 0; k < SIM_KEYS; k++)
        expect_record(d, m, d->user * SIM_KEYS + k, columns, out->of[k]);
    texts_end(out);
}

static void read_rows(sim_device *d, unsigned columns, texts *out)
{
    if (d->rows == NULL &&
        sqlite3_prepare_v2(d->db, "SELECT * FROM t ORDER BY id", -1, &d->rows, NULL) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
    sqlite3_stmt *q = d->rows;
    while (sqlite3_step(q) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(q, 0);
        sqlite3_str *to = out->of[sim_key_of(d, key) % SIM_KEYS];
        int value[SIM_FIELDS] = {0};
        for (int c = 1; c < sqlite3_column_count(q); c++)
            value[sim_field_of(sqlite3_column_name(q, c))] = sqlite3_column_int(q, c);
        sqlite3_str_appendf(to, "%s", key);
        for (int f = 0; f < SIM_FIELDS; f++)
            if (columns >> f & 1) sqlite3_str_appendf(to, "|%d", value[f]);
        sqlite3_str_appendchar(to, 1, '\n');
    }
    if (sqlite3_reset(q) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
}

static void read_marks(sim_device *d, unsigned columns, texts *out)
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
        int key = sim_key_of(d, (const char *)sqlite3_column_text(q, 0));
        const char *field = (const char *)sqlite3_column_text(q, 1);
        if (!(columns >> sim_field_of(field) & 1)) continue;
        sqlite3_str_appendf(out->of[key % SIM_KEYS], "%s|%s|%s|%lld\n", field,
                            sqlite3_column_text(q, 2), sqlite3_column_text(q, 3),
                            sqlite3_column_int64(q, 4));
    }
    if (sqlite3_reset(q) != SQLITE_OK)
        sim_fail(d->s, "device %d: %s", d->index, sqlite3_errmsg(d->db));
}

static void read_texts(sim_device *d, unsigned columns, texts *out)
{
    texts_begin(out);
    read_rows(d, columns & d->columns, out);
    read_marks(d, columns, out);
    texts_end(out);
}

/* The rest of a, or of b if that has more, from the first line on in which they differ. */
static const char *first_difference(const char *a, const char *b)
{
    while (*a != '\0' && strcspn(a, "\n") == strcspn(b, "\n") &&
           strncmp(a, b, strcspn(a, "\n")) == 0) {
        a += strcspn(a, "\n") + 1;
        b += strcspn(b, "\n") + 1;
    }
    return *a != '\0' ? a : b;
}

/* ---- which law a record breaks that is not what it should be ---- */

static bool is_at(sim_device *d, int key, const char *have, int64_t cursor)
{
    sim_state m;
    sim_view(d, cursor, NULL, &m);
    sqlite3_str *text = sqlite3_str_new(NULL);
    expect_record(d, &m, d->user * SIM_KEYS + key, ALL_COLUMNS, text);
    char *want = sqlite3_str_finish(text);
    bool same = strcmp(want != NULL ? want : "", have) == 0;
    sqlite3_free(want);
    return same;
}

typedef struct without {
    const sim_device *d;
    const sim_write *w;
    int64_t cursor;
} without;

static bool in_without(void *ctx, const sim_write *w)
{
    const without *x = ctx;
    if (w == x->w || w->undone || w->key != x->w->key) return false;
    return w->device == x->d->index || (w->seq != 0 && w->seq <= x->cursor);
}

/* Is one of its own writes gone, where nothing else was written? */
static bool swallowed(sim_device *d, int key, const char *have, int64_t cursor)
{
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->device != d->index || w->key % SIM_KEYS != key || w->undone) continue;
        without x = {d, w, cursor};
        sim_state m;
        sim_merge(d->s, &m, in_without, &x);
        sqlite3_str *text = sqlite3_str_new(NULL);
        expect_record(d, &m, w->key, ALL_COLUMNS, text);
        char *want = sqlite3_str_finish(text);
        bool same = strcmp(want != NULL ? want : "", have) == 0;
        sqlite3_free(want);
        if (same) return true;
    }
    return false;
}

static bool own_restamped(const sim_device *d, int key)
{
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->device == d->index && w->key % SIM_KEYS == key && w->restamped) return true;
    }
    return false;
}

/* As far as one look can tell. */
static const char *law_of(sim_device *d, int key, const char *want, const char *have,
                          int64_t cursor)
{
    if (d->writing) return "L1";
    const char *line = first_difference(want, have);
    if ((line[0] == 'd' || line[0] == 'e') && line[1] == '|') return "L2 L19";
    for (int i = 0; i < d->s->write_count; i++) {
        int64_t seq = d->s->writes[i].seq;
        if (seq != 0 && is_at(d, key, have, seq)) return seq > cursor ? "L1 L7" : "L2 L7";
    }
    if (swallowed(d, key, have, cursor)) return "L10";
    return own_restamped(d, key) ? "L2 L14" : "L2 L3";
}

static void compare_view(sim_device *d, const sim_state *m, unsigned but, int64_t cursor)
{
    texts want, have;
    expect(d, m, ALL_COLUMNS, &want);
    read_texts(d, ALL_COLUMNS, &have);
    for (int k = 0; k < SIM_KEYS; k++) {
        if ((but >> (d->user * SIM_KEYS + k) & 1) || strcmp(want.text[k], have.text[k]) == 0)
            continue;
        sim_fail(d->s, "%s: device %d should hold of k%d\n%sand holds\n%s",
                 law_of(d, k, want.text[k], have.text[k], cursor), d->index, k, want.text[k],
                 have.text[k]);
    }
    texts_free(&want);
    texts_free(&have);
}

/* Is some of the transaction still to come, for who stands at its change w? */
static bool goes_on(const sim *s, const sim_write *w, int64_t cursor)
{
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *o = &s->writes[i];
        if (o->device != w->device || o->tx_last != w->tx_last || o->undone || o->refused) continue;
        if (o->seq == 0 || o->seq > cursor) return true;
    }
    return false;
}

/* No cursor stands inside a transaction of somebody else (L1). */
static void check_whole(sim_device *d, int64_t cursor)
{
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->seq == 0 || w->seq != cursor || w->undone || w->device == d->index) continue;
        if (d->s->devices[w->device - 1].loose) continue; /* it gives numbers again */
        if (!goes_on(d->s, w, cursor)) continue;
        sim_fail(d->s, "L1: device %d stands inside a transaction, at seq %lld", d->index,
                 (long long)cursor);
    }
}

void sim_check_device(sim_device *d)
{
    if (d->db == NULL || d->loose || d->s->loose) return;
    if (!sim_device_changed(d, &d->checked)) return;
    sim_place p = sim_device_place(d);
    if (!p.whole || p.seq < d->reached) return;
    check_whole(d, p.seq);
    sim_state m;
    sim_view(d, p.seq, NULL, &m);
    compare_view(d, &m, uncertain(d, &p), p.seq);
    sim_check_conflicts(d, &p, &m);
}

/* ---- the end ---- */

static bool in_end(void *ctx, const sim_write *w)
{
    (void)ctx;
    return !w->undone && w->seq != 0;
}

/* Why two devices differ that have heard everything, as far as one look can tell. */
static const char *law_of_difference(const sim *s, const sim_device *d, const char *line)
{
    if (s->put_back) return "L7";
    if (s->purged) return "L12";
    if (d->loose) return "L13";
    int key, f = 0;
    char field[8] = "";
    if (sscanf(line, "k%d|%7[a-e]|", &key, field) == 2) f = sim_field_of(field);
    return f >= 3 ? "L2 L19" : "L2";
}

/* The lines of records that are to be the same, and which differs first. */
static char *without_keys(const sim_device *d, char *text, unsigned but)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n") + 1)
        if (!(but >> sim_key_of(d, p) & 1)) sqlite3_str_append(out, p, (int)strcspn(p, "\n") + 1);
    sqlite3_free(text);
    char *kept = sqlite3_str_finish(out);
    return kept != NULL ? kept : sqlite3_mprintf("");
}

static unsigned refused_keys(const sim_device *d)
{
    unsigned keys = 0;
    for (int i = 0; i < d->s->write_count; i++)
        if (d->s->writes[i].device == d->index && d->s->writes[i].refused)
            keys |= 1u << d->s->writes[i].key;
    return keys;
}

static void check_agreement(sim *s, sim_device *first, sim_device *d)
{
#define EACH_KEY "(SELECT 'k0' id UNION ALL SELECT 'k1' UNION ALL SELECT 'k2') k"
    static const char fields[] =
        "SELECT k.id,m.field,m.value,m.at,m.actor,m.client,m.n,m.seq FROM " EACH_KEY
        ", sigla_marks('t',k.id) m WHERE m.field NOT NULL ORDER BY 1,2";
    static const char graves[] = "SELECT k.id,m.at,m.client,m.n FROM " EACH_KEY
                                 ", sigla_marks('t',k.id) m WHERE m.field IS NULL ORDER BY 1,2";
    static const char *const what[] = {fields, "SELECT id,a,b,c FROM t ORDER BY id", graves};
    /* A purged tombstone is not brought to those who come later, and no sum tells of a damaged one. */
    size_t queries = sizeof what / sizeof *what - (s->purged || d->corrupted ? 1 : 0);
    unsigned but = refused_keys(d);
    for (size_t i = 0; i < queries; i++) {
        char *want = without_keys(d, sim_device_rows(first, what[i]), but);
        char *have = without_keys(d, sim_device_rows(d, what[i]), but);
        if (strcmp(want, have) != 0)
            sim_fail(s, "%s: devices %d and %d differ:\n%s--\n%s",
                     law_of_difference(s, d, first_difference(want, have)), first->index, d->index,
                     want, have);
        sqlite3_free(want);
        sqlite3_free(have);
    }
}

/* Whoever finds that it differs from the server, when nobody has damaged it, is mistaken or has found a
 * bug. A server put back is told again what others wrote, under lesser stamps (spec/protocol.md): until
 * they come themselves, who told it differs. */
static void check_sums(sim_device *d)
{
    if (d->s->put_back || d->corrupted) return;
    char *found =
        sim_device_rows(d, "SELECT tbl,what,found_seq,state FROM sigla_sum WHERE found_at<>0");
    if (*found != '\0')
        sim_fail(d->s, "L2: device %d differs from the server's sums: %s", d->index, found);
    sqlite3_free(found);
}

static void check_count(sim *s)
{
    int64_t newest = sim_server_newest(s), committed = 0;
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *w = &s->writes[i];
        if (s->devices[w->device - 1].loose) return; /* its copy has the same changes */
        if (w->seq != 0) committed++;
        if (w->seq == 0 && !w->undone && !w->refused)
            sim_fail(s, "L9: change %lld of device %d never came to the server", (long long)w->n,
                     w->device);
    }
    if (newest != committed)
        sim_fail(s, "L8: %lld changes were made, and the server has committed %lld",
                 (long long)committed, (long long)newest);
}

/* What the server has refused is set aside, and nothing else. */
static void check_refused(sim_device *d)
{
    sqlite3_str *want = sqlite3_str_new(NULL);
    for (int i = 0; i < d->s->write_count; i++) {
        const sim_write *w = &d->s->writes[i];
        if (w->device == d->index && w->refused && !w->undone)
            sqlite3_str_appendf(want, "%lld\n", (long long)w->n);
    }
    char *w = sqlite3_str_finish(want);
    char *have = sim_device_rows(d, "SELECT n FROM sigla_refused ORDER BY n");
    if (strcmp(w != NULL ? w : "", have) != 0)
        sim_fail(d->s, "L9: device %d should have set aside\n%sand has\n%s", d->index,
                 w != NULL ? w : "", have);
    sqlite3_free(w);
    sqlite3_free(have);
}

static bool any_loose(const sim *s)
{
    for (int i = 0; i < s->device_count; i++)
        if (s->devices[i].loose) return true;
    return false;
}

static bool inserted_after(const sim *s, const sim_write *grave)
{
    for (int i = 0; i < s->write_count; i++) {
        const sim_write *w = &s->writes[i];
        if (w->key == grave->key && w->op == 'i' && w->seq > grave->seq) return true;
    }
    return false;
}

/* What was deleted is not back, unless somebody has inserted it since. */
static void check_dead(sim *s, sim_device *fresh)
{
    sim_state m;
    sim_merge(s, &m, in_end, NULL);
    for (int k = 0; k < SIM_KEYS; k++) {
        const sim_write *life = m.life[fresh->user * SIM_KEYS + k];
        if (life == NULL || life->op != 'd' || inserted_after(s, life)) continue;
        char sql[60];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE id='k%d'", k);
        if (sim_device_int(fresh, sql) != 0)
            sim_fail(s, "L12: k%d was deleted by device %d, and is there", k, life->device);
    }
}

static void check_one_at_end(sim *s, sim_device *fresh, sim_device *d)
{
    check_sums(d);
    /* An agent may not send others' fields again to a server put back, and a table of which something
     * was refused is not watched; its status says so. */
    if ((s->loose || d->loose) && sim_device_int(d, "SELECT count(*) FROM sigla_refused") != 0)
        return;
    check_agreement(s, fresh, d);
    if (s->loose || d->loose) return;
    check_refused(d);
    sim_place p = sim_device_place(d);
    sim_state m;
    sim_view(d, p.seq, NULL, &m);
    sim_check_conflicts(d, &p, &m);
}

void sim_check_end(sim *s)
{
    int devices = s->device_count;
    for (int user = 0; user < s->plan->users; user++) {
        sim_device *fresh = sim_device_new(s, user);
        sim_sync(s, fresh);
        for (int i = 0; i < devices; i++)
            if (s->devices[i].user == user) check_one_at_end(s, fresh, &s->devices[i]);
        if (!s->loose) {
            sim_state m;
            sim_merge(s, &m, in_end, NULL);
            compare_view(fresh, &m, 0, INT64_MAX);
        }
        if (!s->put_back && !any_loose(s)) check_dead(s, fresh);
        sim_device_close(fresh);
        s->device_count--;
    }
    if (!s->loose) check_count(s);
}
