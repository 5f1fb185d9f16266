#include "replica/journal.h"

#include "replica/intern.h"
#include "replica/rec.h"
#include "replica/row.h"
#include "replica/state.h"
#include "wire/json.h"

/* By the server's clock, as far as it is known: an age counted by ours would depend on its whims. */
static int64_t now_us(sg_replica *r, int *err)
{
    sg_counters c = sg_counters_load(r, err);
    return sg_clock_now(&c.clock, sg_replica_now(r));
}

bool sg_journal_any(sg_replica *r, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_ANY, err);
    bool any = s != NULL && sg_sql_row(s, err);
    if (any) sqlite3_reset(s);
    return any;
}

/* A value is lost once, however often it comes back and goes again. */
static bool is_known(sg_replica *r, const sg_loss *l, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_HAS, err);
    if (s == NULL) return false;
    sqlite3_bind_int64(s, 1, l->table->id);
    sg_sql_bind_blob(s, 2, l->key);
    sqlite3_bind_int64(s, 3, l->field);
    sqlite3_bind_int64(s, 4, l->own->n);
    bool known = sg_sql_row(s, err);
    if (known) sqlite3_reset(s);
    return known;
}

static const char *state_of(enum sg_judgement verdict, bool hydrated)
{
    if (verdict == SG_JUDGE_DOUBT) return hydrated ? "doubt" : "doubt-quiet";
    return hydrated ? "open" : "quiet";
}

static void add(sg_replica *r, const sg_loss *l, const char *state, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_ADD, err);
    if (s == NULL) return;
    sg_buf lost;
    sg_buf_init(&lost, SG_LOST_MAX * 10);
    if (l->lost != NULL) sg_lost_pack(l->lost, &lost);
    sqlite3_bind_int64(s, 1, l->table->id);
    sg_sql_bind_blob(s, 2, l->key);
    sqlite3_bind_int64(s, 3, l->field);
    sg_sql_bind_text(s, 4, l->deleted ? SG_LIT("deleted") : SG_LIT("overwritten"));
    sg_sql_bind_text(s, 5, sg_slice_str(state));
    sg_sql_bind_text(s, 6, l->value);
    sqlite3_bind_int64(s, 7, l->own->n);
    sqlite3_bind_int64(s, 8, l->own->at_us);
    sqlite3_bind_int64(s, 9, l->own->actor);
    sqlite3_bind_int64(s, 10, l->winner->seq);
    sg_sql_bind_blob(s, 11, sg_buf_view(&lost));
    sg_sql_bind_text(s, 12, l->now);
    sqlite3_bind_int64(s, 13, l->winner->at_us);
    sqlite3_bind_int64(s, 14, l->winner->actor);
    sqlite3_bind_int64(s, 15, l->winner->origin);
    if (l->snapshot.n != 0)
        sg_sql_bind_text(s, 16, l->snapshot);
    else
        sqlite3_bind_null(s, 16);
    sqlite3_bind_int64(s, 17, now_us(r, err));
    if (*err == SG_OK) *err = lost.err;
    sg_sql_done(s, err);
    sg_buf_deinit(&lost);
}

/* Once marks have come from the server they say it themselves: after a resync for good. */
static int64_t own_seq_of(sg_replica *r, const sg_mark *own, int *err)
{
    return own->seq != 0 ? own->seq : sg_ack_seq(r, own->client, own->n, err);
}

static enum sg_judgement judge(const sg_loss *l, int64_t own_seq)
{
    /* A seq of a history that is gone says nothing about this one: the write is not in it. */
    if (l->restored && own_seq > l->proved) return SG_JUDGE_LOST;
    return sg_conflict_judge(own_seq, l->winner->seq, l->lost);
}

void sg_journal_loss(sg_replica *r, const sg_loss *l, int64_t *raised, int *err)
{
    if (*err != SG_OK || sg_slice_eq(l->value, SG_LIT("null"))) return;
    if (l->lost == NULL) {
        /* Kept, but not announced: a conflict is what is known to be one (L5, L6). */
        if (!is_known(r, l, err)) add(r, l, "quiet", err);
        return;
    }
    enum sg_judgement verdict = judge(l, own_seq_of(r, l->own, err));
    if (*err != SG_OK || verdict == SG_JUDGE_SEEN || is_known(r, l, err)) return;
    add(r, l, state_of(verdict, l->hydrated), err);
    *raised += verdict == SG_JUDGE_LOST && l->hydrated;
}

void sg_journal_keep(sg_replica *r, const sg_loss *l, int *err)
{
    if (*err == SG_OK && !sg_slice_eq(l->value, SG_LIT("null"))) add(r, l, "quiet", err);
}

void sg_journal_now(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field, sg_slice now,
                    const sg_mark *mark, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_NOW, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sqlite3_bind_int64(s, 3, field);
    sg_sql_bind_text(s, 4, now);
    sqlite3_bind_int64(s, 5, mark->at_us);
    sqlite3_bind_int64(s, 6, mark->actor);
    sqlite3_bind_int64(s, 7, mark->origin);
    sg_sql_done(s, err);
}

static void forget_entry(sg_replica *r, int64_t id, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_DELETE, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, id);
    sg_sql_done(s, err);
}

/* The next entry of that field after *id that waits for somebody: true, and whether it speaks of change
 * n or of the value that is there now. */
static bool next_waiting(sqlite3_stmt *s, int64_t n, int64_t *id, bool *speaks, int *err)
{
    sqlite3_bind_int64(s, 4, *id);
    if (!sg_sql_row(s, err)) return false;
    *id = sqlite3_column_int64(s, 0);
    *speaks =
        sqlite3_column_int64(s, 1) == n || sg_json_equal(sg_sql_text(s, 2), sg_sql_text(s, 3));
    sqlite3_reset(s);
    return true;
}

void sg_journal_superseded(sg_replica *r, const sg_table *t, sg_slice key, const sg_field *shown,
                           int64_t n, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_WAITING, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sqlite3_bind_int64(s, 3, shown->name);
    bool speaks;
    for (int64_t id = 0; next_waiting(s, n, &id, &speaks, err);)
        if (speaks) forget_entry(r, id, err);
}

void sg_journal_gone(sg_replica *r, const sg_table *t, sg_slice key, const sg_mark *mark, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_GONE, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sqlite3_bind_int64(s, 3, mark->at_us);
    sqlite3_bind_int64(s, 4, mark->actor);
    sqlite3_bind_int64(s, 5, mark->origin);
    sg_sql_done(s, err);
}

/* Its age counts from now on, unless our clock was put back: it goes no sooner for that (L6). */
static void set_state(sg_replica *r, int64_t id, const char *state, int64_t raised_at, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_STATE, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, id);
    sg_sql_bind_text(s, 2, sg_slice_str(state));
    sqlite3_bind_int64(s, 3, raised_at);
    sg_sql_done(s, err);
}

void sg_journal_relist(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field,
                       const sg_lost *lost, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_RELIST, err);
    if (s == NULL) return;
    sg_buf packed;
    sg_buf_init(&packed, SG_LOST_MAX * 10);
    sg_lost_pack(lost, &packed);
    if (*err == SG_OK) *err = packed.err;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sqlite3_bind_int64(s, 3, field);
    sg_sql_bind_blob(s, 4, sg_buf_view(&packed));
    sg_sql_done(s, err);
    sg_buf_deinit(&packed);
}

void sg_journal_stands(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field,
                       const sg_mark *own, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_STANDS, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sqlite3_bind_int64(s, 3, field);
    sqlite3_bind_int64(s, 4, own->n);
    sqlite3_bind_int64(s, 5, own->seq);
    sg_sql_done(s, err);
}

void sg_journal_removed(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field, int64_t n,
                        const sg_lost *lost, int64_t *raised, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_STANDING, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sqlite3_bind_int64(s, 3, field);
    sqlite3_bind_int64(s, 4, n);
    while (sg_sql_row(s, err)) {
        int64_t id = sqlite3_column_int64(s, 0);
        bool seen = !sg_lost_has(lost, sqlite3_column_int64(s, 1));
        bool hydrated = sg_slice_eq(sg_sql_text(s, 2), SG_LIT("doubt"));
        sqlite3_reset(s);
        if (seen) {
            forget_entry(r, id, err);
            continue;
        }
        set_state(r, id, state_of(SG_JUDGE_LOST, hydrated), now_us(r, err), err);
        *raised += hydrated;
    }
}

void sg_journal_stood(sg_replica *r, const sg_table *t, sg_slice key, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_STOOD, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sg_sql_done(s, err);
}

void sg_journal_settle(sg_replica *r, int64_t *raised, int *err)
{
    uint32_t self = sg_self_client(r, err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_DOUBTS, err);
    while (s != NULL && sg_sql_row(s, err)) {
        int64_t id = sqlite3_column_int64(s, 0);
        if (sqlite3_column_int64(s, 2) < 0) continue; /* it stands: see sg_journal_removed */
        int64_t seq = sg_ack_seq(r, self, sqlite3_column_int64(s, 1), err);
        if (seq == 0) continue;
        /* A deleted record may have been brought back before the write arrived: that is known when
         * the pages have come so far. */
        if (sqlite3_column_int(s, 5) != 0 && seq > sqlite3_column_int64(s, 6)) continue;
        sg_lost lost;
        *err = sg_lost_unpack(&lost, sg_sql_blob(s, 3));
        enum sg_judgement verdict = sg_conflict_judge(seq, sqlite3_column_int64(s, 2), &lost);
        bool hydrated = sg_slice_eq(sg_sql_text(s, 4), SG_LIT("doubt"));
        if (verdict == SG_JUDGE_SEEN) {
            forget_entry(r, id, err);
        } else {
            set_state(r, id, state_of(verdict, hydrated), now_us(r, err), err);
            *raised += hydrated;
        }
    }
    if (s != NULL) sqlite3_reset(s);
}

void sg_journal_unsettled(sg_replica *r, uint32_t app, int64_t *raised, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_UNSETTLED, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, app);
    sqlite3_bind_int64(s, 2, now_us(r, err));
    sg_sql_done(s, err);
    if (*err == SG_OK) *raised += sqlite3_changes(r->db);
}

void sg_journal_expire(sg_replica *r, int64_t server_us, int *err)
{
    int64_t age_us = sg_state_int(r, "journal_age_us", SG_JOURNAL_AGE_US, err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_EXPIRE, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, server_us - age_us);
    sg_sql_done(s, err);
}

/* One entry, copied out of its statement. */
typedef struct entry {
    sg_table *table;
    sg_buf key, value, snapshot;
    uint32_t field;
    bool waiting; /* open or quiet: it can be restored or dismissed */
} entry;

static void entry_deinit(entry *e)
{
    sg_buf_deinit(&e->key);
    sg_buf_deinit(&e->value);
    sg_buf_deinit(&e->snapshot);
}

static int entry_load(sg_replica *r, int64_t id, entry *e)
{
    *e = (entry){0};
    sg_buf_init(&e->key, SG_KEY_MAX * 4);
    sg_buf_init(&e->value, SG_VALUE_MAX);
    sg_buf_init(&e->snapshot, (size_t)SG_VALUE_MAX * 16);
    int err = sg_tables_load(r);
    if (err != SG_OK) return err;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_JOURNAL_GET, &err);
    if (s != NULL) sqlite3_bind_int64(s, 1, id);
    if (s == NULL || !sg_sql_row(s, &err))
        return err != SG_OK ? err
                            : sg_replica_fail(r, SG_NOTFOUND,
                                              "there is no conflict %lld: see sigla_conflicts()",
                                              (long long)id);
    e->table = sg_table_id(r, sg_sql_u32(s, 0, &err));
    sg_buf_slice(&e->key, sg_sql_blob(s, 1));
    e->field = sg_sql_u32(s, 2, &err);
    sg_slice state = sg_sql_text(s, 4);
    e->waiting = sg_slice_eq(state, SG_LIT("open")) || sg_slice_eq(state, SG_LIT("quiet"));
    sg_buf_slice(&e->value, sg_sql_text(s, 5));
    sg_buf_slice(&e->snapshot, sg_sql_text(s, 6));
    sqlite3_reset(s);
    if (err != SG_OK) return err;
    if (e->key.err != SG_OK) return e->key.err;
    if (e->value.err != SG_OK) return e->value.err;
    if (e->snapshot.err != SG_OK) return e->snapshot.err;
    if (e->table == NULL || e->table->missing)
        return sg_replica_fail(r, SG_NOTFOUND, "the table of conflict %lld is gone", (long long)id);
    return SG_OK;
}

static int already_settled(sg_replica *r, int64_t id)
{
    return sg_replica_fail(r, SG_CONFLICT, "conflict %lld was restored or dismissed already",
                           (long long)id);
}

int sg_journal_dismiss(sg_replica *r, int64_t id)
{
    entry e;
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    err = entry_load(r, id, &e);
    if (err == SG_OK && !e.waiting) err = already_settled(r, id);
    if (err == SG_OK) set_state(r, id, "dismissed", now_us(r, &err), &err);
    entry_deinit(&e);
    return sg_replica_end(r, err);
}

/* Writes the value back by plain SQL, so that it is captured as a fresh edit like any other. A
 * deleted record is inserted again from the image taken when it went. */
int sg_journal_restore(sg_replica *r, int64_t id)
{
    entry e;
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    err = entry_load(r, id, &e);
    if (err == SG_OK && !e.waiting) err = already_settled(r, id);
    if (err == SG_OK)
        err = sg_row_restore(r, e.table, sg_buf_view(&e.key), sg_buf_view(&e.snapshot), e.field,
                             sg_buf_view(&e.value));
    if (err == SG_OK) set_state(r, id, "restored", now_us(r, &err), &err);
    entry_deinit(&e);
    return sg_replica_end(r, err);
}
