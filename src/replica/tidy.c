#include "replica/tidy.h"

#include "base/mem.h"
#include "replica/actor_stack.h"
#include "replica/intern.h"
#include "replica/ops.h"
#include "replica/rec.h"
#include "replica/state.h"

#define STATE_TIDIED "tidied"      /* how often actors went */
#define STATE_ACTORS "tidy_actors" /* walk when an actor has a greater id than this */
#define STATE_ACKS "tidy_acks"     /* walk when there are more runs than this */
#define STATE_MIN "tidy_min"       /* instead of SG_TIDY_MIN: tests cannot wait so long */
#define RECORDS_PER_NEW 16         /* of a large database walk less often */

typedef struct tidy {
    sg_replica *r;
    uint8_t *used; /* a bit an actor */
    uint32_t actor_max;
    int64_t records;
    sg_record record;
    sg_buf packed;
    int err;
} tidy;

static int64_t one(tidy *w, enum sg_stmt which)
{
    sqlite3_stmt *s = sg_replica_stmt(w->r, which, &w->err);
    if (s == NULL || !sg_sql_row(s, &w->err)) return 0;
    int64_t v = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return v;
}

static void use(tidy *w, int64_t actor)
{
    if (actor >= 0 && actor <= w->actor_max) w->used[actor / 8] |= (uint8_t)(1u << actor % 8);
}

/* ---- the walk ---- */

/* From here on the mark itself says which seq it has. */
static bool settle_mark(tidy *w, sg_mark *m)
{
    use(w, m->actor);
    if (m->seq != 0 || m->n == 0) return false;
    m->seq = sg_ack_seq(w->r, m->client, m->n, &w->err);
    return m->seq != 0;
}

static void walk_record(tidy *w, sqlite3_stmt *row)
{
    bool changed = false;
    sg_record *rec = &w->record;
    sg_record_clear(rec);
    if (w->err == SG_OK) w->err = sg_record_unpack(rec, sg_sql_blob(row, 2));
    if (w->err != SG_OK) return;
    if (rec->has_life) changed = settle_mark(w, &rec->life);
    for (size_t i = 0; i < rec->count; i++)
        if (settle_mark(w, &rec->fields[i].mark)) changed = true;
    w->records++;
    if (!changed || w->err != SG_OK) return;
    sg_buf_clear(&w->packed);
    sg_record_pack(rec, &w->packed);
    w->err = w->packed.err;
    sqlite3_stmt *s = sg_replica_stmt(w->r, SG_STMT_REC_SET, &w->err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, sqlite3_column_int64(row, 0));
    sg_sql_bind_blob(s, 2, sg_sql_blob(row, 1));
    sg_sql_bind_blob(s, 3, sg_buf_view(&w->packed));
    sg_sql_done(s, &w->err);
}

static void walk_records(tidy *w)
{
    sqlite3_stmt *s = sg_replica_stmt(w->r, SG_STMT_TIDY_RECORDS, &w->err);
    while (s != NULL && sg_sql_row(s, &w->err))
        walk_record(w, s);
    if (s != NULL) sqlite3_reset(s);
}

/* Who wrote what waits, or was refused. */
static void walk_ops(tidy *w, enum sg_stmt which)
{
    sqlite3_stmt *s = sg_replica_stmt(w->r, which, &w->err);
    while (s != NULL && sg_sql_row(s, &w->err)) {
        sg_ops ops = sg_ops_of(sg_sql_blob(s, 0));
        for (sg_packed_op op; sg_ops_next(&ops, &op);)
            use(w, op.actor);
        if (w->err == SG_OK) w->err = ops.in.err;
    }
    if (s != NULL) sqlite3_reset(s);
}

static void walk_journal(tidy *w)
{
    sqlite3_stmt *s = sg_replica_stmt(w->r, SG_STMT_TIDY_JOURNAL, &w->err);
    while (s != NULL && sg_sql_row(s, &w->err)) {
        use(w, sqlite3_column_int64(s, 0));
        use(w, sqlite3_column_int64(s, 1));
    }
    if (s != NULL) sqlite3_reset(s);
}

/* ---- what goes ---- */

/* The newest stays, used or not: ids are given once. */
static int64_t cut_actors(tidy *w)
{
    int64_t kept = 0, cut = 0;
    sqlite3_stmt *ids = sg_replica_stmt(w->r, SG_STMT_TIDY_ACTORS, &w->err);
    while (ids != NULL && sg_sql_row(ids, &w->err)) {
        uint32_t id = sg_sql_u32(ids, 0, &w->err);
        bool keep = id <= SG_ACTOR_RULE || id >= w->actor_max || (w->used[id / 8] >> id % 8 & 1);
        kept += keep;
        if (keep) continue;
        sqlite3_stmt *s = sg_replica_stmt(w->r, SG_STMT_ACTOR_DELETE, &w->err);
        if (s == NULL) break;
        sqlite3_bind_int64(s, 1, id);
        sg_sql_done(s, &w->err);
        cut++;
    }
    if (ids != NULL) sqlite3_reset(ids);
    if (cut == 0) return kept;
    int64_t tidied = sg_state_int(w->r, STATE_TIDIED, 0, &w->err) + 1;
    sg_state_set_int(w->r, STATE_TIDIED, tidied, &w->err);
    sg_tidy_notice(w->r, &w->err);
    return kept;
}

/* A replica names its newest acknowledgement until the pages have come as far, and doubts wait for
 * that, too; the run that the next one may continue stays as well. */
static void cut_acks(tidy *w)
{
    sqlite3_stmt *s = sg_replica_stmt(w->r, SG_STMT_TIDY_ACKS, &w->err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, sg_self_client(w->r, &w->err));
    sg_sql_done(s, &w->err);
}

static void set_next(tidy *w, const char *name, int64_t now, int64_t kept)
{
    int64_t more = w->records / RECORDS_PER_NEW;
    if (more < kept / 2) more = kept / 2;
    int64_t least = sg_state_int(w->r, STATE_MIN, SG_TIDY_MIN, &w->err);
    if (more < least) more = least;
    sg_state_set_int(w->r, name, now + more, &w->err);
}

static void walk(tidy *w)
{
    w->used = sg_zalloc(w->actor_max / 8 + 1);
    if (w->used == NULL) w->err = SG_NOMEM;
    if (w->err != SG_OK) return;
    walk_records(w);
    walk_ops(w, SG_STMT_TIDY_OUTBOX);
    walk_ops(w, SG_STMT_TIDY_REFUSED);
    walk_journal(w);
    cut_acks(w);
    int64_t kept = cut_actors(w);
    set_next(w, STATE_ACTORS, w->actor_max, kept);
    int64_t acks = one(w, SG_STMT_ACK_COUNT);
    set_next(w, STATE_ACKS, acks, acks);
}

void sg_tidy(sg_replica *r, int *err)
{
    if (*err != SG_OK) return;
    tidy w = {.r = r};
    int64_t least = sg_state_int(r, STATE_MIN, SG_TIDY_MIN, &w.err);
    w.actor_max = (uint32_t)one(&w, SG_STMT_ACTOR_LAST);
    bool due = w.actor_max > sg_state_int(r, STATE_ACTORS, least, &w.err) ||
               one(&w, SG_STMT_ACK_COUNT) > sg_state_int(r, STATE_ACKS, least, &w.err);
    if (due && w.err == SG_OK) {
        sg_record_init(&w.record);
        sg_buf_init(&w.packed, SG_TX_BYTES_MAX);
        walk(&w);
        sg_record_deinit(&w.record);
        sg_buf_deinit(&w.packed);
        sg_free(w.used);
    }
    *err = w.err;
}

void sg_tidy_notice(sg_replica *r, int *err)
{
    if (*err != SG_OK || !sg_replica_installed(r, err)) return;
    int64_t tidied = sg_state_int(r, STATE_TIDIED, 0, err);
    if (*err != SG_OK || tidied == r->tidied) return;
    r->tidied = tidied;
    sg_intern_cache_clear(&r->actors);
    sg_actor_stack_forget(r);
}
