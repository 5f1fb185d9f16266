#include "replica/resync.h"

#include <stdio.h>

#include "replica/intern.h"
#include "replica/loss.h"
#include "replica/park.h"
#include "replica/resend.h"

#define STATE_KEY_MAX 32

bool sg_resync_next(sg_replica *r, const sg_table *t, enum sg_stmt which, sg_buf *key, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, which, err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, sg_buf_view(key));
    bool found = sg_sql_row(s, err);
    if (!found) return false;
    /* SQLite has a copy of what was bound until it is bound again. */
    sg_buf_clear(key);
    sg_buf_slice(key, sg_sql_blob(s, 0));
    sqlite3_reset(s);
    *err = key->err;
    return *err == SG_OK;
}

/* ---- once more ---- */

static void reached_key(uint32_t app, char out[STATE_KEY_MAX])
{
    snprintf(out, STATE_KEY_MAX, "reached_%u", app);
}

void sg_resync_restart(sg_replica *r, uint32_t app, int *err)
{
    sg_app place;
    char key[STATE_KEY_MAX];
    reached_key(app, key);
    sg_app_load(r, app, &place, err);
    if (*err != SG_OK || place.cursor[0] == '\0') return;
    if (!place.resync) sg_state_set_int(r, key, place.seq, err);
    place.cursor[0] = '\0';
    place.seq = 0;
    sg_app_save(r, &place, err);
}

bool sg_resync_is_due(sg_apply *a, int64_t floor, int *err)
{
    char key[STATE_KEY_MAX];
    if (a->app.cursor[0] != '\0' || a->app.resync || *err != SG_OK) return false;
    reached_key(a->app.id, key);
    return sg_state_int(a->r, key, INT64_MAX, err) < floor;
}

/* ---- beginning ---- */

/* What one's own writes had got is compared with what the server has of them: if the mark alone says
 * it, it becomes an acknowledgement again until that is done. */
static void forget_seq(sg_replica *r, sg_mark *m, int *err)
{
    int64_t seq = m->seq;
    m->seq = 0;
    if (seq == 0 || m->n == 0 || m->client != sg_self_client(r, err)) return;
    if (sg_ack_seq(r, m->client, m->n, err) != 0) return;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ACK_PUT, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, m->client);
    sqlite3_bind_int64(s, 2, m->n);
    sqlite3_bind_int64(s, 3, 1);
    sqlite3_bind_int64(s, 4, seq);
    sg_sql_done(s, err);
}

static void forget_seqs(sg_replica *r, sg_table *t, sg_buf *key, sg_rec *rec, int *err)
{
    sg_buf_clear(key);
    while (sg_resync_next(r, t, SG_STMT_REC_NEXT, key, err)) {
        sg_rec_load(r, rec, t, sg_buf_view(key), err);
        forget_seq(r, &rec->record.life, err);
        for (size_t i = 0; i < rec->record.count; i++)
            forget_seq(r, &rec->record.fields[i].mark, err);
        sg_rec_save(r, rec, t, sg_buf_view(key), err);
    }
}

static void forget_all_seqs(sg_replica *r, const sg_app *app, int *err)
{
    if (*err == SG_OK) *err = sg_tables_load(r);
    sg_buf key;
    sg_rec rec;
    sg_buf_init(&key, SG_KEY_MAX * 4);
    sg_rec_init(&rec);
    for (size_t i = 0; i < r->table_count && *err == SG_OK; i++)
        if (r->tables[i]->app == app->id) forget_seqs(r, r->tables[i], &key, &rec, err);
    sg_rec_deinit(&rec);
    sg_buf_deinit(&key);
}

void sg_resync_begin(sg_replica *r, sg_app *app, bool restored, int *err)
{
    sg_sql_exec(r->db,
                "CREATE TEMP TABLE IF NOT EXISTS sigla_seen(tbl INTEGER, key BLOB, PRIMARY "
                "KEY(tbl, key)) WITHOUT ROWID; DELETE FROM temp.sigla_seen",
                err);
    if (restored || sg_app_restored(app))
        app->reached = SG_REACHED_ELSEWHERE;
    else if (!app->resync)
        app->reached = app->seq;
    app->resync = true;
    app->cursor[0] = '\0';
    app->seq = 0;
    if (sg_app_restored(app)) forget_all_seqs(r, app, err);
    sg_app_save(r, app, err);
}

void sg_resync_seen(sg_replica *r, const sg_table *t, sg_slice key, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "INSERT OR IGNORE INTO temp.sigla_seen(tbl,key) VALUES(?1,?2)", err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sg_sql_done(s, err);
    sqlite3_finalize(s);
}

/* ---- below the floor ---- */

static bool has_pending(sg_apply *a, int *err)
{
    uint32_t self = sg_self_client(a->r, err);
    const sg_record *rec = &a->rec.record;
    if (rec->has_life && rec->life.client == self && rec->life.n > a->app.settled) return true;
    for (size_t i = 0; i < rec->count; i++)
        if (rec->fields[i].mark.client == self && rec->fields[i].mark.n > a->app.settled)
            return true;
    return false;
}

static bool was_seen(sg_apply *a, const sg_table *t, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(a->r->db, &s, "SELECT 1 FROM temp.sigla_seen WHERE tbl=?1 AND key=?2", err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, sg_buf_view(&a->key));
    bool seen = sg_sql_row(s, err);
    sqlite3_finalize(s);
    return seen;
}

/* The record at hand goes, and its row; what a person wrote in it is kept (L6). */
static void remove_record(sg_apply *a, sg_table *t, sg_slice key, int *err)
{
    /* Who deleted it, and when, is not known here. */
    static const sg_mark nobody = {.actor = SG_ACTOR_RULE, .origin = SG_ORIGIN_SERVER_REPLAY};
    a->r->applying_table = t;
    a->r->applying_key = key;
    if (!a->rec.record.dead) {
        sg_loss_record(a, t, NULL, &nobody, err);
        if (*err == SG_OK) *err = sg_row_delete(a->r, t, key);
    }
    sg_park_remove(a->r, t, key, err);
    sg_rec_delete(a->r, &a->rec, t, key, err);
}

static int remove_unseen(sg_apply *a, sg_table *t)
{
    int err = SG_OK;
    sg_buf_clear(&a->key);
    while (sg_resync_next(a->r, t, SG_STMT_REC_NEXT, &a->key, &err)) {
        sg_slice key = sg_buf_view(&a->key);
        if (was_seen(a, t, &err)) continue;
        if (t->repairing)
            sg_rec_load_anyhow(a->r, &a->rec, t, key, &err);
        else
            sg_rec_load(a->r, &a->rec, t, key, &err);
        if (err == SG_OK && !has_pending(a, &err)) remove_record(a, t, key, &err);
    }
    return err;
}

static int remove_all_unseen(sg_apply *a)
{
    int err = SG_OK;
    a->r->applying = true;
    for (size_t i = 0; i < a->r->table_count && err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        if (t->app == a->app.id && t->active && !t->missing) err = remove_unseen(a, t);
    }
    a->r->applying = false;
    return err;
}

/* ---- spaces ---- */

static void leave_table(sg_apply *a, sg_table *t, uint32_t space, int *err)
{
    sg_buf_clear(&a->key);
    while (sg_resync_next(a->r, t, SG_STMT_REC_NEXT, &a->key, err)) {
        sg_slice key = sg_buf_view(&a->key);
        sg_rec_load(a->r, &a->rec, t, key, err);
        if (*err == SG_OK && a->rec.record.space == space) remove_record(a, t, key, err);
    }
}

int sg_resync_leave(sg_apply *a, sg_slice space)
{
    int err = SG_OK;
    uint32_t id = sg_intern_name(a->r, space, &err);
    a->r->applying = true;
    for (size_t i = 0; i < a->r->table_count && err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        if (t->app == a->app.id && t->active && !t->missing) leave_table(a, t, id, &err);
    }
    a->r->applying = false;
    return err;
}

/* ---- the end ---- */

/* Is it another life of the server's data than the one known before? The first one is no other. */
static bool has_lost(const sg_apply *a)
{
    bool known = a->app.epoch[0] != '\0' && a->new_epoch[0] != '\0';
    return (known && strcmp(a->new_epoch, a->app.epoch) != 0) || a->app.seq < a->app.reached;
}

int sg_resync_finish(sg_apply *a)
{
    int err = SG_OK;
    if (!sg_app_restored(&a->app) && has_lost(a)) {
        sg_resync_begin(a->r, &a->app, true, &err);
        return err;
    }
    err = sg_app_restored(&a->app) ? sg_resend(a) : remove_all_unseen(a);
    sg_sql_exec(a->r->db, "DELETE FROM temp.sigla_seen", &err);
    a->app.resync = false;
    a->app.reached = 0;
    return err;
}
