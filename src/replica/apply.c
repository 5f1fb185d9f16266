#include "replica/apply.h"

#include "base/mem.h"
#include "replica/agree.h"
#include "replica/capture.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/key.h"
#include "replica/loss.h"
#include "replica/park.h"
#include "replica/repair.h"
#include "replica/resync.h"
#include "replica/tombstone.h"

int sg_apply_open(sg_apply *a, sg_replica *r, uint32_t app)
{
    *a = (sg_apply){.r = r};
    sg_rec_init(&a->rec);
    sg_arena_init(&a->one);
    sg_buf_init(&a->key, SG_KEY_MAX * 4);
    sg_buf_init(&a->scratch, (size_t)1 << 30);
    sg_buf_init(&a->image, (size_t)1 << 30);
    int err = sg_tables_load(r);
    sg_app_load(r, app, &a->app, &err);
    sg_repair_open(a, &err);
    a->counters = sg_counters_load(r, &err);
    a->journal = sg_journal_any(r, &err);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "PRAGMA foreign_keys", &err);
    a->foreign_keys = err == SG_OK && sg_sql_row(s, &err) && sqlite3_column_int(s, 0) != 0;
    sqlite3_finalize(s);
    if (a->foreign_keys) sg_sql_exec(r->db, "PRAGMA defer_foreign_keys=ON", &err);
    return err;
}

/* ---- marks ---- */

int sg_apply_ids_init(sg_apply_ids *ids, const sg_page *page)
{
    size_t count = page->client_count + page->actor_count;
    ids->clients = sg_arena_alloc(page->arena, (count + 1) * sizeof *ids->clients);
    if (ids->clients == NULL) return SG_NOMEM;
    memset(ids->clients, 0, count * sizeof *ids->clients);
    ids->actors = ids->clients + page->client_count;
    return SG_OK;
}

sg_mark sg_apply_mark(sg_apply *a, const sg_page_mark *m, int *err)
{
    uint32_t *client = &a->ids.clients[m->client_index], *actor = &a->ids.actors[m->actor_index];
    if (*client == 0) *client = sg_intern_client(a->r, m->client, err);
    if (*actor == 0) *actor = sg_intern_actor(a->r, m->actor, m->origin, err);
    return (sg_mark){.at_us = m->at_us,
                     .n = m->n,
                     .seq = m->seq,
                     .client = *client,
                     .actor = *actor,
                     .origin = (uint8_t)m->origin,
                     .restamped = m->restamped};
}

void sg_apply_follow(sg_apply *a, int64_t at_us)
{
    sg_clock *c = &a->counters.clock;
    /* Nearly all are old news: do not ask for the time to find that out. */
    if (at_us > c->seen_us || at_us > c->last_us) sg_clock_follow(c, at_us, sg_replica_now(a->r));
}

/* The server's stamp stands for a write that was sent from here, too: it may have given it another
 * time, and the answer that said so may have been lost (L14). */
static bool is_same_write(const sg_mark *cur, const sg_mark *in)
{
    return cur->n != 0 && cur->n == in->n && cur->client == in->client;
}

/* The server has a write of ours. It is known which seq that had got before: if that still holds, a
 * server put back has our history up to there. */
static void note_proved(sg_apply *a, const sg_mark *m, int *err)
{
    if (!sg_app_restored(&a->app) || m->client != sg_self_client(a->r, err)) return;
    if (sg_ack_seq(a->r, m->client, m->n, err) == m->seq && m->seq > a->proved) a->proved = m->seq;
}

static enum sg_merge decide(sg_apply *a, const sg_mark *cur, const sg_page_mark *in, int *err)
{
    if (cur->at_us != in->at_us) return in->at_us > cur->at_us ? SG_MERGE_TAKE : SG_MERGE_KEEP;
    sg_stamp cur_stamp = {cur->at_us, sg_client_text(a->r, cur->client, err), cur->n};
    sg_stamp in_stamp = {in->at_us, in->client, in->n};
    /* Equal stamps are one write here: the server has settled writers without numbers. */
    enum sg_merge verdict = sg_merge_decide(&cur_stamp, SG_LIT(""), &in_stamp, SG_LIT(""));
    return verdict == SG_MERGE_SAME && cur->seq != 0 && in->seq > cur->seq ? SG_MERGE_TAKE
                                                                           : verdict;
}

/* ---- one record ---- */

int sg_apply_column(const sg_table *t, sg_slice name, size_t *hint)
{
    for (size_t k = 0; k < t->column_count; k++) {
        size_t c = (*hint + k) % t->column_count;
        const char *have = t->columns[c].name;
        if (strncmp(have, name.p, name.n) != 0 || have[name.n] != '\0') continue;
        *hint = c + 1;
        return (int)c;
    }
    return -1;
}

/* A greater mark than the server has, where it brings all of its records whole, and not one that it has
 * yet to get: the record was deleted and purged, and made anew by who had slept (L12). */
static bool is_gone(sg_apply *a, const sg_table *t, const sg_mark *m, int *err)
{
    return t->anew && *err == SG_OK && !sg_repair_pending(a, m, err);
}

/* What the page says of values that were lost in doubt. f: what is here. */
static void tell_journal(sg_apply *a, sg_table *t, const sg_page_field *in, const sg_field *f,
                         uint32_t name, const sg_mark *mark, bool anew, int *err)
{
    sg_slice key = sg_buf_view(&a->key);
    if (!a->journal) return;
    bool under = f != NULL && f->mark.client == mark->client && f->mark.n > mark->n &&
                 sg_loss_is_own(a, mark, err) &&
                 decide(a, &f->mark, in->mark, err) == SG_MERGE_KEEP;
    if (anew) sg_journal_relist(a->r, t, key, name, in->lost, err);
    sg_journal_removed(a->r, t, key, name, under ? mark->n : 0, in->lost, &a->count.conflicts, err);
    if (under) sg_journal_stands(a->r, t, key, name, mark, err);
}

/* The same, of a dead record. */
static void tell_journal_dead(sg_apply *a, sg_table *t, const sg_page_record *in, int *err)
{
    sg_slice key = sg_buf_view(&a->key);
    for (size_t i = 0; i < in->count && *err == SG_OK; i++) {
        uint32_t name = sg_intern_name(a->r, in->fields[i].name, err);
        sg_journal_removed(a->r, t, key, name, 0, in->fields[i].lost, &a->count.conflicts, err);
    }
    sg_journal_stood(a->r, t, key, err);
}

static void take_field(sg_apply *a, sg_table *t, const sg_page_field *in, bool anew, size_t *hint,
                       int *err)
{
    sg_record *rec = &a->rec.record;
    int column = sg_apply_column(t, in->name, hint);
    /* What the key says already has no column to go to, but a mark that others have as well. */
    if (column >= 0 && (t->columns[column].key_part != 0 || column == t->space)) column = -1;
    uint32_t name = column >= 0 ? sg_column_name_id(a->r, &t->columns[column], err)
                                : sg_intern_name(a->r, in->name, err);
    sg_mark mark = sg_apply_mark(a, in->mark, err);
    if (*err != SG_OK) return;
    sg_field *f = sg_record_find(rec, name);
    tell_journal(a, t, in, f, name, &mark, anew, err);
    if (t->repairing && (f == NULL || !sg_repair_pending(a, &f->mark, err))) {
        if (f == NULL) f = sg_record_at(rec, name);
        if (f == NULL) *err = SG_NOMEM;
        if (*err == SG_OK) sg_repair_field(a, t, f, column, in, &mark, err);
        sg_apply_follow(a, mark.at_us);
        return;
    }
    if (f != NULL && is_same_write(&f->mark, &mark)) {
        note_proved(a, &mark, err);
        f->mark = mark;
        return;
    }
    if (f != NULL) {
        enum sg_merge verdict = decide(a, &f->mark, in->mark, err);
        if (verdict == SG_MERGE_KEEP && is_gone(a, t, &f->mark, err)) {
            sg_repair_look(a, t, err);
            sg_repair_field(a, t, f, column, in, &mark, err);
            return;
        }
        if (verdict == SG_MERGE_SAME) f->mark.seq = mark.seq;
        if (verdict != SG_MERGE_TAKE) return;
        if (sg_loss_is_own(a, &f->mark, err)) sg_loss_field(a, t, f, column, in, &mark, err);
    } else {
        f = sg_record_at(rec, name);
        if (f == NULL) {
            *err = SG_NOMEM;
            return;
        }
    }
    *f = (sg_field){.name = name, .mark = mark, .has_value = true, .value = in->value};
    a->count.fields++;
    sg_apply_follow(a, mark.at_us);
    if (a->journal) sg_journal_now(a->r, t, sg_buf_view(&a->key), name, in->value, &mark, err);
}

/* The record's life; true if the record is dead afterwards. */
static bool take_life(sg_apply *a, sg_table *t, const sg_page_record *in, int *err)
{
    sg_record *rec = &a->rec.record;
    bool stands = t->repairing && !(rec->has_life && sg_repair_pending(a, &rec->life, err));
    if (stands && in->life == NULL) rec->has_life = rec->dead = false;
    if (in->life == NULL) return rec->dead;
    sg_mark mark = sg_apply_mark(a, in->life, err);
    if (!stands && rec->has_life && is_same_write(&rec->life, &mark)) {
        note_proved(a, &mark, err);
        rec->life = mark;
        return rec->dead;
    }
    enum sg_merge verdict =
        rec->has_life && !stands ? decide(a, &rec->life, in->life, err) : SG_MERGE_TAKE;
    if (verdict == SG_MERGE_SAME) rec->life.seq = mark.seq;
    stands = stands || (verdict == SG_MERGE_KEEP && is_gone(a, t, &rec->life, err));
    if (verdict != SG_MERGE_TAKE && !stands) return rec->dead;
    bool shown = !rec->dead || (t->repairing && a->shown.here);
    if (in->dead && shown && *err == SG_OK) {
        sg_loss_record(a, t, in, &mark, err);
        if (*err == SG_OK) *err = sg_park_delete(a, t);
    }
    if (in->dead) sg_record_drop_fields(rec);
    if (in->dead && a->journal) sg_journal_gone(a->r, t, sg_buf_view(&a->key), &mark, err);
    rec->has_life = true;
    rec->dead = in->dead;
    rec->life = mark;
    sg_apply_follow(a, mark.at_us);
    return rec->dead;
}

/* Whose it is. False: a record of that key is here, and somebody else's. A dead one makes room. */
static bool take_space(sg_apply *a, const sg_page_record *in, int *err)
{
    sg_record *rec = &a->rec.record;
    uint32_t space = in->space.n != 0 ? sg_intern_name(a->r, in->space, err) : 0;
    if (*err != SG_OK || rec->space == space) return *err == SG_OK;
    bool made = a->rec.exists && rec->has_life;
    if (made && (!rec->dead || in->dead)) return false;
    if (made) sg_record_clear(rec);
    rec->space = space;
    if (space != 0 && sg_state_int(a->r, SG_STATE_SPACES, 0, err) == 0)
        sg_state_set_int(a->r, SG_STATE_SPACES, 1, err);
    return *err == SG_OK;
}

int sg_apply_record(sg_apply *a, const sg_page_record *in)
{
    sg_table *t = sg_table_wire(a->r, a->app.id, in->table);
    if (t == NULL || !t->active || t->missing) {
        a->count.skipped++;
        return SG_OK;
    }
    int err = SG_OK;
    sg_buf_clear(&a->key);
    err = sg_key_from_id(t, in->id, &a->key);
    if (err == SG_BADVALUE || err == SG_LIMIT) return sg_park_foreign(a, t, in->id);
    if (err != SG_OK) return err;
    sg_slice key = sg_buf_view(&a->key);
    if (t->repairing)
        sg_rec_load_anyhow(a->r, &a->rec, t, key, &err);
    else
        sg_rec_load(a->r, &a->rec, t, key, &err);
    if (t->repairing) sg_repair_look(a, t, &err);
    if (err != SG_OK) return err;
    if (!take_space(a, in, &err)) {
        if (err != SG_OK || in->dead) return err;
        return sg_park_space(a, t, in->space, in->id);
    }
    a->r->applying_table = t;
    a->r->applying_key = key;
    a->count.records++;
    bool fresh = !a->rec.exists || a->rec.record.dead;
    bool dead = take_life(a, t, in, &err);
    if (in->dead && a->journal) tell_journal_dead(a, t, in, &err);
    /* A dead record brings lists, not values: it may be alive here by an insert that still waits. */
    size_t hint = 0;
    for (size_t i = 0; i < in->count && !dead && !in->dead && err == SG_OK; i++)
        take_field(a, t, &in->fields[i], in->life != NULL, &hint, &err);
    if (err == SG_OK && !dead && !in->dead && (t->repairing || t->anew))
        sg_repair_rest(a, t, in, &err);
    if (err == SG_OK && !dead) err = sg_park_write(a, t, fresh);
    sg_rec_save(a->r, &a->rec, t, key, &err);
    if (a->app.resync) sg_resync_seen(a->r, t, key, &err);
    return err;
}

/* ---- pages ---- */

int sg_apply_cursor(sg_apply *a, const sg_page *page)
{
    if (page->synced_until.n == 0) return SG_OK;
    if (page->synced_until.n > SG_CURSOR_MAX || page->epoch.n > SG_EPOCH_MAX) return SG_BADCURSOR;
    if (page->synced_seq < a->app.seq) return SG_OK;
    memcpy(a->app.cursor, page->synced_until.p, page->synced_until.n);
    a->app.cursor[page->synced_until.n] = '\0';
    a->app.seq = page->synced_seq;
    if (page->epoch.n != 0) memcpy(a->new_epoch, page->epoch.p, page->epoch.n);
    a->new_epoch[page->epoch.n] = '\0';
    return SG_OK;
}

int sg_apply_page(sg_apply *a, sg_slice json)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_page page;
    int err = sg_page_open(&page, json, &arena);
    if (err == SG_OK) err = sg_apply_ids_init(&a->ids, &page);
    if (err == SG_OK) err = sg_tombstones_forget(a, page.floor_seq);
    for (size_t i = 0; i < page.left_count && err == SG_OK; i++)
        err = sg_resync_leave(a, page.left[i]);
    a->r->applying = true;
    bool got = err == SG_OK;
    for (sg_page_record rec; got && err == SG_OK;) {
        err = sg_page_next(&page, &rec, &a->one, &got);
        if (err == SG_OK && got) err = sg_apply_record(a, &rec);
        sg_arena_reset(&a->one);
    }
    a->r->applying = false;
    if (err == SG_OK) err = sg_apply_cursor(a, &page);
    sg_agree_told(a, &page, &err);
    sg_arena_deinit(&arena);
    return err;
}

int sg_apply_close(sg_apply *a, bool last, int err)
{
    if (err == SG_OK && last && a->app.resync) err = sg_resync_finish(a);
    sg_repair_close(a, last && !a->app.resync, &err);
    a->r->applying = true;
    if (err == SG_OK) err = sg_park_settle(a);
    a->r->applying = false;
    /* A resync compares the two epochs at its end. */
    bool compared = !a->app.resync || sg_app_restored(&a->app);
    if (compared && a->new_epoch[0] != '\0')
        memcpy(a->app.epoch, a->new_epoch, sizeof a->app.epoch);
    if (last) a->app.hydrated = true;
    sg_app_save(a->r, &a->app, &err);
    if (a->journal) sg_journal_settle(a->r, &a->count.conflicts, &err);
    sg_counters_store(a->r, &a->counters, &err);
    if (last) sg_agree_compare(a, &err);
    sg_rec_deinit(&a->rec);
    sg_arena_deinit(&a->one);
    sg_buf_deinit(&a->key);
    sg_buf_deinit(&a->scratch);
    sg_buf_deinit(&a->image);
    return err;
}
