/*
 * What the household does, day by day. Everything follows from the seed.
 *
 * Ann has the phone, Ben the laptop, both the tablet. A visit to a device is a few edits, with a sync
 * before and after where there is a network: on the way to work there is none, in the holidays the
 * laptop has none for two weeks, and in spring nobody takes the tablet out of its drawer for two
 * months, so that it comes back below the purge floor. The agent tidies up at night.
 */
#include <string.h>

#include "year/year.h"

#define COMMUTES 2
#define HOLIDAY_FROM 196
#define HOLIDAY_TO 210
#define DRAWER_FROM 70
#define DRAWER_TO 135
#define VISITS_MAX 16
#define PICKS 40 /* tries to find a record for what somebody has a mind to do */

typedef struct visit {
    int minute, device;
} visit;

static int below(year *y, int n)
{
    return (int)prng_below(&y->g, (uint64_t)n);
}

static bool by_chance(year *y, int percent)
{
    return below(y, 100) < percent;
}

/* ---- what to write ---- */

static const char *value_for(year *y, int table, int field)
{
    const char *name = year_kinds[table].fields[field];
    if (strcmp(name, "done") == 0 || strcmp(name, "bought") == 0)
        return year_number(y, below(y, 2));
    if (strcmp(name, "priority") == 0 || strcmp(name, "stars") == 0)
        return year_number(y, 1 + below(y, 5));
    if (by_chance(y, 4)) return "NULL";
    if (strcmp(name, "body") == 0 || strcmp(name, "steps") == 0)
        return year_words(y, 8 + below(y, 30));
    if (strcmp(name, "notes") == 0 || strcmp(name, "ingredients") == 0)
        return year_words(y, 3 + below(y, 10));
    return year_words(y, 1 + below(y, 4));
}

/* Nobody else has typed there in the last minutes. */
static bool is_free(const year *y, const year_record *r, int device, int field)
{
    return r->typed_on[field] == device || y->s.now_us - r->typed_us[field] >= APART_US;
}

static bool is_all_free(const year *y, const year_record *r, int device)
{
    for (int f = 0; f <= YEAR_FIELDS; f++)
        if (!is_free(y, r, device, f)) return false;
    return true;
}

static const year_state *view_of(const year *y, int device, int record)
{
    return &y->l.records[record].view[device];
}

/* People come back to what they have just been at. */
static int pick(year *y, int device, bool alive)
{
    year_ledger *l = &y->l;
    for (int i = 0; i < PICKS && l->record_count != 0; i++) {
        int from = l->record_count > 1500 ? l->record_count - 1500 : 0;
        int record = from + below(y, l->record_count - from);
        if (by_chance(y, 20) && y->hot_at != 0)
            record = y->hot[below(y, y->hot_at < 16 ? y->hot_at : 16)];
        if (year_alive(l, view_of(y, device, record)) == alive) return record;
    }
    return -1;
}

static year_edit edit_of(const year *y, int device, int record, char op)
{
    return (year_edit){.device = device,
                       .record = record,
                       .op = op,
                       .person = device != AGENT,
                       .at_us = y->s.now_us};
}

/* One field of a record; false: there is nothing to type. */
static bool change_field(year *y, year_edit *e, int field, const char *value)
{
    const year_record *r = &y->l.records[e->record];
    if (field >= y->columns[e->device][r->table] || !is_free(y, r, e->device, field)) return false;
    if (!is_free(y, r, e->device, YEAR_FIELDS)) return false;
    if (strcmp(value, year_value(&y->l, view_of(y, e->device, e->record), field)) == 0)
        return false;
    e->has |= 1u << field;
    e->value[field] = value;
    return true;
}

static bool change(year *y, int device, year_edit *e)
{
    int record = pick(y, device, true);
    if (record < 0) return false;
    *e = edit_of(y, device, record, 'u');
    const year_record *r = &y->l.records[record];
    int field = below(y, y->columns[device][r->table]);
    /* Two people often write the same: that it is done, or how it is called. */
    const char *value = value_for(y, r->table, field);
    if (by_chance(y, 8)) value = year_value(&y->l, &r->server, field);
    bool any = change_field(y, e, field, value);
    if (by_chance(y, 20)) {
        int more = below(y, y->columns[device][r->table]);
        if (more != field) any |= change_field(y, e, more, value_for(y, r->table, more));
    }
    return any;
}

static bool insert(year *y, int device, int record, year_edit *e)
{
    const year_record *r = &y->l.records[record];
    if (!is_all_free(y, r, device)) return false;
    *e = edit_of(y, device, record, 'i');
    int columns = y->columns[device][r->table];
    e->has = (1u << columns) - 1;
    for (int f = 0; f < columns; f++)
        e->value[f] = value_for(y, r->table, f);
    return true;
}

static bool revive(year *y, int device, year_edit *e)
{
    int record = pick(y, device, false);
    return record >= 0 && y->l.records[record].typed_us[YEAR_FIELDS] != 0 &&
           insert(y, device, record, e);
}

static bool erase(year *y, int device, int record, year_edit *e)
{
    if (record < 0 || !is_all_free(y, &y->l.records[record], device)) return false;
    *e = edit_of(y, device, record, 'd');
    return true;
}

static int count_alive(const year *y, int device, int table)
{
    int n = 0;
    for (int i = 0; i < y->l.record_count; i++)
        n += y->l.records[i].table == table && year_alive(&y->l, view_of(y, device, i));
    return n;
}

static int oldest(const year *y, int device, int table)
{
    for (int i = 0; i < y->l.record_count; i++)
        if (y->l.records[i].table == table && year_alive(&y->l, view_of(y, device, i))) return i;
    return -1;
}

/* What there is stays about as much: where there is enough, something old goes. */
static bool keep_house(year *y, int device, year_edit *e)
{
    static const int often[] = {TASKS,    TASKS, TASKS, SHOPPING, SHOPPING,
                                SHOPPING, NOTES, NOTES, RECIPES,  PEOPLE};
    int table = often[below(y, 10)];
    int have = count_alive(y, device, table), live = year_kinds[table].live;
    if (have + below(y, 7) - 3 < live)
        return insert(y, device, year_ledger_record(&y->l, table), e);
    int record = oldest(y, device, table);
    for (int i = 0; i < 8 && by_chance(y, 70); i++) {
        int other = pick(y, device, true);
        if (other >= 0 && y->l.records[other].table == table) record = other;
    }
    return erase(y, device, record, e);
}

static int something(year *y, int device, year_edit edits[3])
{
    int what = below(y, 100);
    if (what < 68) return change(y, device, edits);
    if (what < 90) return keep_house(y, device, edits);
    if (what < 94) return revive(y, device, edits);
    int count = 0;
    for (int i = 0; i < 3; i++) {
        bool done = what < 97 ? change(y, device, &edits[count])
                              : erase(y, device, pick(y, device, true), &edits[count]);
        for (int k = 0; k < count; k++)
            done = done && edits[k].record != edits[count].record;
        count += done;
    }
    return count;
}

/* ---- visits ---- */

static bool is_offline(const year *y, int device, int day, int minute)
{
    int date = day % YEAR_DAYS;
    if (device == LAPTOP && date >= HOLIDAY_FROM && date < HOLIDAY_TO) return true;
    if (device == TABLET && date == DRAWER_FROM - 1) return true;
    bool commute = (minute >= 460 && minute < 520) || (minute >= 1030 && minute < 1090);
    if (device == PHONE && commute && date % 7 < 5) return true;
    /* Some days there is just no network. */
    prng luck = {y->o.seed ^ (uint64_t)day << 8 ^ (uint64_t)device};
    return device != AGENT && prng_below(&luck, 12) == 0;
}

static void go_online(year *y, int device, bool leaving)
{
    int how = below(y, 100);
    if (how < 4)
        year_sync_crash(y, device, by_chance(y, 30));
    else if (how < 12)
        year_sync_rough(y, device);
    else if (how < 22 && leaving)
        year_sync_answer_lost(y, device);
    else
        year_sync(y, device);
}

/* Edits of a visit: so many that a month comes to what was asked for. */
static int edits_of_visit(year *y)
{
    int in_100 = y->o.writes * 100 / 250;
    int n = in_100 / 100 + by_chance(y, in_100 % 100);
    return n == 0 ? 0 : 1 + below(y, 2 * n - 1);
}

static void visit_device(year *y, int day, const visit *v)
{
    bool offline = is_offline(y, v->device, day, v->minute);
    year_edit edits[3];
    if (!offline && by_chance(y, 50)) go_online(y, v->device, false);
    if (by_chance(y, 25)) (void)year_settle(y, v->device);
    if (by_chance(y, 10)) year_retry(y, v->device);
    for (int n = edits_of_visit(y); n > 0; n--) {
        y->s.now_us += (20 + below(y, 60)) * SECOND_US;
        int count = something(y, v->device, edits);
        if (count != 0) year_type(y, v->device, edits, count);
    }
    y->s.now_us += 30 * SECOND_US;
    if (!offline && by_chance(y, 80)) go_online(y, v->device, true);
}

static void tidy(year *y, int field_of_tasks)
{
    year_edit e;
    for (int n = y->o.writes / 50 + 1; n > 0; n--) {
        y->s.now_us += 20 * SECOND_US;
        int record = pick(y, AGENT, true);
        if (record < 0) continue;
        int table = y->l.records[record].table;
        int field = table == NOTES ? 1 : table == TASKS ? field_of_tasks : -1;
        e = edit_of(y, AGENT, record, 'u');
        if (field >= 0 && change_field(y, &e, field, value_for(y, table, field)))
            year_type(y, AGENT, &e, 1);
    }
}

/* The agent has read everything in the evening, or reads it now; some nights its push fails. */
static void night(year *y)
{
    if (by_chance(y, 60)) year_sync(y, AGENT);
    tidy(y, by_chance(y, 50) ? 4 : 1);
    if (by_chance(y, 90))
        year_sync(y, AGENT);
    else
        year_sync_answer_lost(y, AGENT);
}

/* ---- days ---- */

static void add_visits(year *y, visit *visits, int *count, int device, int n, int from, int to)
{
    for (int i = 0; i < n && *count < VISITS_MAX; i++) {
        visit v = {from + below(y, to - from), device};
        int at = (*count)++;
        for (; at > 0 && visits[at - 1].minute > v.minute; at--)
            visits[at] = visits[at - 1];
        visits[at] = v;
    }
}

static int plan_day(year *y, int day, visit *visits)
{
    int count = 0, date = day % YEAR_DAYS;
    add_visits(y, visits, &count, PHONE, 2 + below(y, 3), 390, 1350);
    add_visits(y, visits, &count, PHONE, 1, 460 + below(y, COMMUTES) * 570, 1090);
    add_visits(y, visits, &count, LAPTOP, 2 + below(y, 2), 540, 1320);
    /* On its last day before the drawer it is used a good deal, without a network. */
    int tablet = date == DRAWER_FROM - 1 ? 8 : 1 + below(y, 2);
    if (date < DRAWER_FROM || date >= DRAWER_TO)
        add_visits(y, visits, &count, TABLET, tablet, 1000, 1400);
    return count;
}

static void drift(year *y)
{
    for (int d = 0; d < YEAR_DEVICES; d++)
        year_on(y, d)->skew_us += (below(y, 3001) - 1500) * INT64_C(1000);
}

static void upgrades(year *y, int day)
{
    static const int first[YEAR_DEVICES] = {100, 104, 137, 109};
    static const int second[YEAR_DEVICES] = {222, 218, 231, 219};
    for (int d = 0; d < YEAR_DEVICES; d++) {
        if (day == first[d]) year_upgrade(y, d, TASKS);
        if (day == second[d]) year_upgrade(y, d, NOTES);
    }
}

static void begin_minute(year *y, int64_t day_us, int minute)
{
    int64_t at_us = day_us + minute * MINUTE_US;
    if (y->s.now_us < at_us) y->s.now_us = at_us;
}

void year_day(year *y, int day)
{
    int64_t day_us = INT64_C(1767225600000000) + day * DAY_US;
    visit visits[VISITS_MAX];
    if (day == 0)
        for (int d = 0; d < YEAR_DEVICES; d++)
            year_on(y, d)->skew_us = (below(y, 180) - 90) * SECOND_US;
    begin_minute(y, day_us, 180);
    night(y);
    begin_minute(y, day_us, 240);
    year_purge(y);
    drift(y);
    upgrades(y, day);
    int count = plan_day(y, day, visits);
    for (int i = 0; i < count; i++) {
        begin_minute(y, day_us, visits[i].minute);
        visit_device(y, day, &visits[i]);
    }
}

void year_reunion(year *y)
{
    for (int round = 0; round < 2; round++)
        for (int d = 0; d < YEAR_DEVICES; d++) {
            y->s.now_us += MINUTE_US;
            year_sync(y, d);
        }
    for (int d = 0; d < YEAR_DEVICES; d++)
        year_compare(y, d);
}
