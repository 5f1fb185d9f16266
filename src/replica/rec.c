#include "replica/rec.h"

#include "replica/key.h"
#include "replica/sums.h"

#define REC_BYTES_MAX ((size_t)256 << 20)

void sg_rec_init(sg_rec *rec)
{
    *rec = (sg_rec){0};
    sg_record_init(&rec->record);
    sg_buf_init(&rec->packed, REC_BYTES_MAX);
    sg_buf_init(&rec->scratch, REC_BYTES_MAX);
    sg_record_init(&rec->before);
    sg_buf_init(&rec->id, SG_KEY_MAX * 8);
}

void sg_rec_deinit(sg_rec *rec)
{
    sg_record_deinit(&rec->record);
    sg_buf_deinit(&rec->packed);
    sg_buf_deinit(&rec->scratch);
    sg_record_deinit(&rec->before);
    sg_buf_deinit(&rec->id);
}

static sqlite3_stmt *bind(sg_replica *r, enum sg_stmt which, const sg_table *t, sg_slice key,
                          int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, which, err);
    if (s == NULL) return NULL;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    return s;
}

void sg_rec_clear(sg_rec *rec)
{
    sg_record_clear(&rec->record);
    sg_buf_clear(&rec->packed);
    rec->stored = sg_slice_of(NULL, 0);
    rec->exists = false;
    rec->updated_at = SG_NOT_INDEXED;
}

void sg_rec_load(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err)
{
    sg_rec_clear(rec);
    sqlite3_stmt *s = bind(r, SG_STMT_REC_GET, t, key, err);
    if (s == NULL || !sg_sql_row(s, err)) return;
    sg_buf_slice(&rec->packed, sg_sql_blob(s, 0));
    sqlite3_reset(s);
    rec->exists = true;
    *err = rec->packed.err;
    rec->stored = sg_buf_view(&rec->packed);
    if (*err == SG_OK) *err = sg_record_unpack(&rec->record, rec->stored);
    if (*err == SG_CORRUPT)
        sg_replica_fail(r, *err, "the marks of a record of \"%s\" are damaged", t->name);
    if (*err == SG_OK && !rec->record.dead) rec->updated_at = sg_record_updated_at(&rec->record);
}

void sg_rec_load_anyhow(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err)
{
    sg_rec_load(r, rec, t, key, err);
    if (*err != SG_CORRUPT || rec->stored.n == 0) return;
    *err = SG_OK;
    r->message[0] = '\0';
    sg_rec_clear(rec);
    rec->exists = true;
    sg_sums_recount(r, t->id, err);
}

static void index_change(sg_replica *r, enum sg_stmt which, const sg_table *t, int64_t at_us,
                         sg_slice key, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, which, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sqlite3_bind_int64(s, 2, at_us);
    sg_sql_bind_blob(s, 3, key);
    sg_sql_done(s, err);
}

/* Keep sigla_updated_index in step (only for tables that asked for it). */
static void reindex(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int64_t at_us,
                    int *err)
{
    if (!t->indexed || at_us == rec->updated_at) return;
    if (rec->updated_at != SG_NOT_INDEXED)
        index_change(r, SG_STMT_UPDATED_DELETE, t, rec->updated_at, key, err);
    if (at_us != SG_NOT_INDEXED) index_change(r, SG_STMT_UPDATED_PUT, t, at_us, key, err);
    rec->updated_at = at_us;
}

/* Keep the table's sums in step: what is stored becomes `now`, NULL: nothing. */
static void roll(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, const sg_record *now,
                 int *err)
{
    if (*err != SG_OK) return;
    sg_sum sum = {0};
    sg_sums_ctx ctx = {.r = r};
    const sg_summer summer = sg_sums_of_marks(&ctx);
    const sg_record *before = rec->stored.n != 0 ? &rec->before : NULL;
    sg_buf_clear(&rec->id);
    int rc = t->missing ? SG_CORRUPT : sg_key_to_id(t, key, &rec->id);
    if (rc == SG_OK) rc = rec->id.err;
    if (rc == SG_NOMEM) *err = rc;
    if (rc != SG_OK) {
        /* A table that is gone, or has got another key: what its records add nobody can say now. */
        sg_sums_recount(r, t->id, err);
        return;
    }
    uint64_t start = sg_sum_start(sg_slice_str(t->wire), sg_buf_view(&rec->id));
    sg_sum_change(&sum, &summer, start, before, now);
    *err = ctx.err;
    sg_sums_add(r, t->id, &sum, err);
}

/* What is stored now, before it is written over. */
static void remember(sg_rec *rec, int *err)
{
    sg_record_clear(&rec->before);
    if (rec->stored.n != 0 && *err == SG_OK) *err = sg_record_unpack(&rec->before, rec->stored);
}

static void store(sg_replica *r, sg_rec *rec, enum sg_stmt how, const sg_table *t, sg_slice key,
                  int *err)
{
    if (*err != SG_OK) return;
    remember(rec, err);
    sg_buf_clear(&rec->scratch);
    sg_record_pack(&rec->record, &rec->scratch);
    if (*err == SG_OK) *err = rec->scratch.err;
    sqlite3_stmt *s = bind(r, how, t, key, err);
    if (s == NULL) return;
    sg_sql_bind_blob(s, 3, sg_buf_view(&rec->scratch));
    sg_sql_done(s, err);
    rec->exists = sqlite3_changes(r->db) != 0;
    if (rec->exists) roll(r, rec, t, key, &rec->record, err);
    if (rec->exists) rec->stored = sg_buf_view(&rec->scratch);
    if (!t->indexed || *err != SG_OK || !rec->exists) return;
    int64_t at_us = rec->record.dead ? SG_NOT_INDEXED : sg_record_updated_at(&rec->record);
    reindex(r, rec, t, key, at_us, err);
}

bool sg_rec_add(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err)
{
    store(r, rec, SG_STMT_REC_NEW, t, key, err);
    return *err == SG_OK && rec->exists;
}

void sg_rec_save(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err)
{
    store(r, rec, rec->exists ? SG_STMT_REC_SET : SG_STMT_REC_ADD, t, key, err);
}

void sg_rec_delete(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err)
{
    remember(rec, err);
    sqlite3_stmt *s = bind(r, SG_STMT_REC_DELETE, t, key, err);
    sg_sql_done(s, err);
    roll(r, rec, t, key, NULL, err);
    rec->stored = sg_slice_of(NULL, 0);
    reindex(r, rec, t, key, SG_NOT_INDEXED, err);
    rec->exists = false;
}

sg_ack_run sg_ack_run_at(sg_replica *r, uint32_t client, int64_t n, int *err)
{
    sg_ack_run run = {0};
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ACK_FIND, err);
    if (s == NULL) return run;
    sqlite3_bind_int64(s, 1, client);
    sqlite3_bind_int64(s, 2, n);
    if (!sg_sql_row(s, err)) return run;
    run = (sg_ack_run){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                       sqlite3_column_int64(s, 2)};
    sqlite3_reset(s);
    bool can_be = run.n > 0 && run.count > 0 && run.seq > 0 && run.count <= INT64_MAX - run.n &&
                  run.count <= INT64_MAX - run.seq;
    if (can_be) return run;
    *err = sg_replica_fail(r, SG_CORRUPT, "the acknowledgements are damaged");
    return (sg_ack_run){0};
}

int64_t sg_ack_seq(sg_replica *r, uint32_t client, int64_t n, int *err)
{
    sg_ack_run run = sg_ack_run_at(r, client, n, err);
    return run.count != 0 && n - run.n < run.count ? run.seq + (n - run.n) : 0;
}
