/*
 * Actors that no record and no history entry names any more go: an agent that gives its reasons is
 * another actor with each change.
 *
 * A scan notes which are named, first by records, then by history, a bounded number of rows between
 * two transactions, and removes the others at its end. What is written meanwhile can only name actors
 * that were interned meanwhile, and those are noted there; a record that was looked at gets no others.
 * The newest stays in any case, since numbers are given once: views may know a text that has gone, and
 * never another one under its number. A scan that a restart cuts short begins anew.
 */
#include <stdio.h>

#include "base/mem.h"
#include "core/record.h"
#include "store/history.h"
#include "store/sqlite_conn.h"

/* So many new actors are worth a scan; half as many as are in use, if that is more, and more where it
 * has much to read. */
#define NEW_MIN 256
#define ROWS_PER_NEW 16
#define KEY_NEXT "actors_next" /* a scan begins when an actor has a greater number than this */

enum phase { IDLE, RECORDS, HISTORY, REMOVE };

static void note(sg_actor_scan *s, uint32_t actor)
{
    if (actor <= s->last) s->used[actor / 8] |= (uint8_t)(1u << actor % 8);
}

void sg_sqlite_actor_used(sg_writer *w, uint32_t actor)
{
    if (w->actors.phase != IDLE) note(&w->actors, actor);
}

void sg_sqlite_actors_deinit(sg_writer *w)
{
    sg_free(w->actors.used);
    w->actors = (sg_actor_scan){0};
}

static void next_phase(sg_actor_scan *s)
{
    s->phase++;
    s->at = 0;
}

/* ---- noting ---- */

static void note_record(sg_actor_scan *s, sg_slice data, int *err)
{
    sg_record r;
    sg_record_init(&r);
    int bad = sg_record_unpack(&r, data);
    if (bad == SG_OK && r.has_life) note(s, r.life.actor);
    for (size_t i = 0; i < r.count && bad == SG_OK; i++)
        note(s, r.fields[i].mark.actor);
    sg_record_deinit(&r);
    if (*err == SG_OK) *err = bad;
}

static void note_history(sg_actor_scan *s, sg_slice data, int *err)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_history h;
    int bad = sg_history_unpack(&h, data, &arena);
    if (bad == SG_OK) note(s, h.actor);
    sg_arena_deinit(&arena);
    if (*err == SG_OK) *err = bad;
}

/* Rows after s->at, at most limit; fewer: it is done with them. */
static void read_rows(sg_writer *w, enum sg_sqlite_statement which, size_t limit, int *err)
{
    sg_actor_scan *s = &w->actors;
    size_t n = 0;
    sqlite3_stmt *q = sg_sqlite_use(&w->conn, which, err);
    if (q == NULL) return;
    (void)sqlite3_bind_int64(q, 1, s->at);
    (void)sqlite3_bind_int64(q, 2, (int64_t)limit);
    for (; sg_sqlite_row(q, err); n++) {
        s->at = sqlite3_column_int64(q, 0);
        if (which == SG_SQLITE_SCAN_RECORDS)
            note_record(s, sg_sqlite_blob(q, 1), err);
        else
            note_history(s, sg_sqlite_blob(q, 1), err);
        if (*err != SG_OK) break;
    }
    (void)sqlite3_reset(q);
    s->rows += n;
    if (n < limit) next_phase(s);
}

/* ---- beginning and end ---- */

static int64_t last_actor(sg_sqlite *c, int *err)
{
    sqlite3_stmt *q = sg_sqlite_use(c, SG_SQLITE_LAST_TEXT, err);
    if (q == NULL) return 0;
    (void)sqlite3_bind_int(q, 1, SG_TEXT_OF_ACTOR);
    int64_t last = sg_sqlite_row(q, err) ? sg_sqlite_count(q, 0, err) : 0;
    (void)sqlite3_reset(q);
    return last;
}

static int64_t threshold(sg_sqlite *c, int *err)
{
    sqlite3_stmt *q = sg_sqlite_use(c, SG_SQLITE_GET_VALUE, err);
    sg_sqlite_bind_text(q, 1, SG_LIT(KEY_NEXT));
    int64_t next = NEW_MIN;
    if (sg_sqlite_row(q, err)) next = sg_sqlite_count(q, 0, err);
    if (q != NULL) (void)sqlite3_reset(q);
    return next;
}

static void start(sg_writer *w, int *err)
{
    sg_actor_scan *s = &w->actors;
    int64_t last = last_actor(&w->conn, err);
    if (s->next == 0) s->next = threshold(&w->conn, err);
    if (*err != SG_OK || last <= s->next || last > UINT32_MAX) return;
    s->used = sg_zalloc((size_t)last / 8 + 1);
    if (s->used == NULL) {
        *err = SG_NOMEM;
        return;
    }
    s->last = (uint32_t)last;
    s->rows = s->kept = 0;
    next_phase(s);
}

static void finish(sg_writer *w, int *err)
{
    sg_actor_scan *s = &w->actors;
    size_t more = s->rows / ROWS_PER_NEW;
    if (more < s->kept / 2) more = s->kept / 2;
    if (more < NEW_MIN) more = NEW_MIN;
    int64_t next = s->last + (int64_t)more;
    sg_sqlite_actors_deinit(w);
    w->actors.next = next;
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)next);
    sqlite3_stmt *q = sg_sqlite_use(&w->conn, SG_SQLITE_PUT_VALUE, err);
    sg_sqlite_bind_text(q, 1, SG_LIT(KEY_NEXT));
    sg_sqlite_bind_blob(q, 2, sg_slice_str(digits));
    sg_sqlite_done(q, err);
}

static size_t remove_unused(sg_writer *w, size_t limit, int *err)
{
    sg_actor_scan *s = &w->actors;
    size_t n = 0, removed = 0;
    sqlite3_stmt *q = sg_sqlite_use(&w->conn, SG_SQLITE_TEXT_IDS, err);
    if (q == NULL) return 0;
    (void)sqlite3_bind_int(q, 1, SG_TEXT_OF_ACTOR);
    (void)sqlite3_bind_int64(q, 2, s->at);
    (void)sqlite3_bind_int64(q, 3, (int64_t)limit);
    for (; sg_sqlite_row(q, err); n++) {
        uint32_t id = sg_sqlite_u32(q, 0, err);
        s->at = id;
        if (*err != SG_OK || id >= s->last || (s->used[id / 8] >> id % 8 & 1)) {
            s->kept++;
            continue;
        }
        sqlite3_stmt *drop = sg_sqlite_use(&w->conn, SG_SQLITE_DROP_TEXT, err);
        if (drop == NULL) break;
        (void)sqlite3_bind_int(drop, 1, SG_TEXT_OF_ACTOR);
        (void)sqlite3_bind_int64(drop, 2, id);
        sg_sqlite_done(drop, err);
        removed++;
    }
    (void)sqlite3_reset(q);
    /* The writer must not give a number that is gone. */
    if (removed != 0) sg_text_cache_clear(&w->conn.texts);
    if (n < limit && *err == SG_OK) finish(w, err);
    return removed;
}

size_t sg_sqlite_purge_actors(sg_writer *w, size_t limit, bool *more, int *err)
{
    sg_actor_scan *s = &w->actors;
    size_t removed = 0;
    if (*err != SG_OK) return 0;
    if (s->phase == IDLE)
        start(w, err);
    else if (s->phase == RECORDS)
        read_rows(w, SG_SQLITE_SCAN_RECORDS, limit, err);
    else if (s->phase == HISTORY)
        read_rows(w, SG_SQLITE_SCAN_HISTORY, limit, err);
    else
        removed = remove_unused(w, limit, err);
    if (s->phase != IDLE) *more = true;
    return removed;
}
