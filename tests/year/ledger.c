#include "year/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const year_state nothing = {YEAR_NOBODY,
                                   {{YEAR_NOBODY, 0},
                                    {YEAR_NOBODY, 0},
                                    {YEAR_NOBODY, 0},
                                    {YEAR_NOBODY, 0},
                                    {YEAR_NOBODY, 0},
                                    {YEAR_NOBODY, 0}}};

static void *grow(void *p, int count, int *cap, size_t size)
{
    if (count < *cap) return p;
    *cap = *cap != 0 ? *cap * 2 : 256;
    p = realloc(p, (size_t)*cap * size);
    if (p == NULL) abort();
    return p;
}

void year_ledger_init(year_ledger *l)
{
    memset(l, 0, sizeof *l);
}

void year_ledger_deinit(year_ledger *l)
{
    free(l->edits);
    free(l->records);
    free(l->log);
    for (int d = 0; d < YEAR_DEVICES; d++) {
        free(l->queue[d]);
        free(l->losses[d]);
    }
}

int year_ledger_record(year_ledger *l, int table)
{
    l->records = grow(l->records, l->record_count, &l->record_cap, sizeof *l->records);
    year_record *r = &l->records[l->record_count];
    *r = (year_record){.table = table, .server = nothing};
    for (int d = 0; d < YEAR_DEVICES; d++)
        r->view[d] = nothing;
    return l->record_count++;
}

bool year_alive(const year_ledger *l, const year_state *s)
{
    return s->life != YEAR_NOBODY && l->edits[s->life].op == 'i';
}

const char *year_value(const year_ledger *l, const year_state *s, int field)
{
    int by = s->cells[field].by;
    return by != YEAR_NOBODY ? l->edits[by].value[field] : "NULL";
}

/* ---- at a device ---- */

/* Its own value is overwritten by the hand that sees it: nobody has lost it. One that had been lost,
 * and came back because somebody typed the same, is settled with that. */
static void replace_own(year_ledger *l, const year_edit *e, const year_state *view, int field)
{
    int by = view->cells[field].by;
    if (by == YEAR_NOBODY) return;
    if (l->edits[by].device == e->device) l->edits[by].known |= 1u << field;
    for (int i = 0; i < l->loss_count[e->device]; i++) {
        year_loss *x = &l->losses[e->device][i];
        const year_edit *u = &l->edits[x->edit];
        if (u->record != e->record || x->field != field) continue;
        if (strcmp(u->value[field], year_value(l, view, field)) == 0) x->settled = true;
    }
}

void year_ledger_write(year_ledger *l, const year_edit *typed)
{
    l->edits = grow(l->edits, l->edit_count, &l->edit_cap, sizeof *l->edits);
    int index = l->edit_count++, d = typed->device;
    year_edit *e = &l->edits[index];
    *e = *typed;
    e->seen = l->known[d];
    l->queue[d] = grow(l->queue[d], l->queue_count[d], &l->queue_cap[d], sizeof *l->queue[d]);
    l->queue[d][l->queue_count[d]++] = index;
    year_record *r = &l->records[e->record];
    year_state *view = &r->view[d];
    bool alive = year_alive(l, view);
    for (int f = 0; f < YEAR_FIELDS; f++) {
        bool touched = e->op == 'd' || (e->has >> f & 1);
        if (!touched) continue;
        if (alive) replace_own(l, e, view, f);
        view->cells[f] = (year_cell){e->op == 'd' ? YEAR_NOBODY : index, false};
        r->typed_us[f] = e->at_us;
        r->typed_on[f] = d;
    }
    if (e->op == 'u') return;
    view->life = index;
    r->typed_us[YEAR_FIELDS] = e->at_us;
    r->typed_on[YEAR_FIELDS] = d;
}

void year_ledger_caught_up(year_ledger *l, int device)
{
    for (int64_t i = l->known[device]; i < l->log_count; i++) {
        year_record *r = &l->records[l->edits[l->log[i]].record];
        r->view[device] = r->server;
    }
    l->known[device] = l->log_count;
    for (int i = 0; i < l->record_count; i++)
        if (l->records[i].gone) l->records[i].view[device] = nothing;
}

/* ---- at the server ---- */

static void lose(year_ledger *l, int edit, int field, bool deleted)
{
    const year_edit *u = &l->edits[edit];
    if (!u->person) {
        l->agent_lost++;
        return;
    }
    int d = u->device;
    l->losses[d] = grow(l->losses[d], l->loss_count[d], &l->loss_cap[d], sizeof *l->losses[d]);
    l->losses[d][l->loss_count[d]++] =
        (year_loss){.edit = edit, .field = field, .deleted = deleted};
    if (u->known >> field & 1) l->own_hand++;
}

/* The first that replaces a value decides whether it was seen. */
static void judge(year_ledger *l, year_cell *x, const year_edit *winner, int field)
{
    if (x->by == YEAR_NOBODY || x->judged) return;
    const year_edit *u = &l->edits[x->by];
    if (u->device == winner->device) return;
    if (u->place > winner->seen)
        lose(l, x->by, field, winner->op == 'd');
    else
        l->overwritten_seen += u->person;
}

static void lay_life(year_ledger *l, year_record *r, int index, int64_t now_us)
{
    const year_edit *e = &l->edits[index];
    year_state *s = &r->server;
    bool alive = year_alive(l, s);
    if (e->op == 'u' || (s->life != YEAR_NOBODY && l->edits[s->life].at_us > e->at_us)) return;
    if (e->op == 'd' && alive)
        for (int f = 0; f < YEAR_FIELDS; f++) {
            judge(l, &s->cells[f], e, f);
            s->cells[f].judged = true;
        }
    s->life = index;
    if (e->op == 'i')
        r->dead_us = 0;
    else if (r->dead_us == 0)
        r->dead_us = now_us;
}

static void lay_field(year_ledger *l, year_record *r, int index, int field)
{
    const year_edit *e = &l->edits[index];
    year_cell *x = &r->server.cells[field];
    int life = r->server.life;
    bool dead = life != YEAR_NOBODY && !year_alive(l, &r->server);
    bool older = x->by != YEAR_NOBODY && l->edits[x->by].at_us > e->at_us;
    if ((dead && l->edits[life].device != e->device) ||
        (older && l->edits[x->by].device != e->device))
        lose(l, index, field, dead);
    if (older) return;
    if (!dead) judge(l, x, e, field);
    *x = (year_cell){index, dead};
}

const char *year_ledger_commit(year_ledger *l, int device, int64_t n, int64_t place, int64_t now_us)
{
    if (n < 1 || n > l->queue_count[device]) return "nobody typed that";
    int index = l->queue[device][n - 1];
    year_edit *e = &l->edits[index];
    if (e->place == place) return NULL; /* told again */
    if (e->place != 0) return "it was committed in another place before";
    if (e->refused) return "it was refused before";
    if (place != l->log_count + 1) return "it is not the next one";
    e->place = place;
    l->log = grow(l->log, l->log_count, &l->log_cap, sizeof *l->log);
    l->log[l->log_count++] = index;
    year_record *r = &l->records[e->record];
    if (r->gone && e->op == 'u') return "an update of what the server had forgotten";
    if (r->gone) {
        r->server = nothing;
        r->dead_us = 0;
        r->gone = false;
    }
    lay_life(l, r, index, now_us);
    for (int f = 0; f < YEAR_FIELDS; f++)
        if (e->has >> f & 1) lay_field(l, r, index, f);
    return NULL;
}

const char *year_ledger_refuse(year_ledger *l, int device, int64_t n)
{
    if (n < 1 || n > l->queue_count[device]) return "nobody typed that";
    year_edit *e = &l->edits[l->queue[device][n - 1]];
    if (e->place != 0) return "it was committed before";
    if (e->op != 'u' || l->records[e->record].purged == 0)
        return "the server had not forgotten the record";
    l->refused[device] += !e->refused;
    e->refused = true;
    return NULL;
}

void year_ledger_purge(year_ledger *l, int64_t before_us)
{
    for (int i = 0; i < l->record_count; i++) {
        year_record *r = &l->records[i];
        if (r->gone || r->dead_us == 0 || r->dead_us >= before_us) continue;
        r->gone = true;
        r->purged++;
        r->server = nothing;
    }
}

/* ---- conflicts ---- */

bool year_loss_due(const year_ledger *l, const year_loss *x)
{
    const year_edit *u = &l->edits[x->edit];
    const year_state *s = &l->records[u->record].server;
    if (x->settled || (u->known >> x->field & 1)) return false;
    if (strcmp(u->value[x->field], "NULL") == 0) return false;
    return !year_alive(l, s) || strcmp(year_value(l, s, x->field), u->value[x->field]) != 0;
}
