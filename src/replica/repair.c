#include "replica/repair.h"

#include "replica/agree.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/key.h"
#include "replica/resync.h"
#include "replica/sums.h"
#include "wire/value_hash.h"

void sg_repair_begin(sg_replica *r, uint32_t app, int *err)
{
    sg_app place;
    if (*err == SG_OK) *err = sg_tables_load(r);
    sg_app_load(r, app, &place, err);
    for (size_t i = 0; i < r->table_count && *err == SG_OK; i++) {
        sg_agree a;
        if (r->tables[i]->app != app) continue;
        sg_agree_load(r, r->tables[i]->id, &a, err);
        if (a.state != SG_AGREE_DIFFERS) continue;
        a.state = SG_AGREE_REPAIRING;
        sg_agree_save(r, &a, err);
    }
    if (*err == SG_OK) sg_resync_begin(r, &place, false, err);
}

static void ask_for(sg_replica *r, const sg_table *t, int *err)
{
    sg_agree a;
    sg_sums_recount(r, t->id, err);
    sg_agree_load(r, t->id, &a, err);
    a.state = SG_AGREE_DIFFERS;
    a.what = SG_DIFFERS_ASKED;
    a.found_us = sg_replica_now(r);
    a.found_seq = a.told_seq > 0 ? a.told_seq : 0;
    a.mended_us = 0;
    sg_agree_save(r, &a, err);
}

int sg_repair_ask(sg_replica *r, sg_slice table)
{
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    err = sg_tables_load(r);
    const sg_table *only = err == SG_OK && table.n != 0 ? sg_table_need(r, table, &err) : NULL;
    for (size_t i = 0; i < r->table_count && err == SG_OK; i++) {
        const sg_table *t = r->tables[i];
        if (t->active && !t->missing && (only == NULL || only == t)) ask_for(r, t, &err);
    }
    return sg_replica_end(r, err);
}

void sg_repair_open(sg_apply *a, int *err)
{
    for (size_t i = 0; i < a->r->table_count && *err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        sg_agree g;
        t->repairing = t->anew = false;
        if (t->app != a->app.id || !a->app.resync || sg_app_restored(&a->app)) continue;
        /* What was refused the server does not have, and is not to go for that. */
        t->anew = !sg_agree_refused(a->r, t, err);
        sg_agree_load(a->r, t->id, &g, err);
        t->repairing = g.state == SG_AGREE_REPAIRING;
    }
}

void sg_repair_close(sg_apply *a, bool whole, int *err)
{
    for (size_t i = 0; i < a->r->table_count; i++) {
        sg_table *t = a->r->tables[i];
        if (t->repairing && whole) sg_sums_recount(a->r, t->id, err);
        t->repairing = t->anew = false;
    }
}

bool sg_repair_pending(sg_apply *a, const sg_mark *m, int *err)
{
    return m->client == sg_self_client(a->r, err) && m->n > a->app.settled;
}

/* ---- what is shown ---- */

/* Column c as a push would send it, onto a->scratch. */
static sg_slice shown_json(sg_apply *a, const sg_table *t, sqlite3_stmt *row, int c)
{
    sg_value v = sg_sql_value(sqlite3_column_value(row, c));
    sg_buf_clear(&a->scratch);
    sg_value_to_json(&a->scratch, &v, t->columns[c].json);
    return sg_buf_view(&a->scratch);
}

void sg_repair_look(sg_apply *a, sg_table *t, int *err)
{
    sg_buf hold;
    sqlite3_stmt *row = sg_table_row(a->r, t, sg_buf_view(&a->key), err);
    a->shown.here = row != NULL && sg_sql_row(row, err);
    if (!a->shown.here) return;
    sg_buf_init(&hold, (size_t)1 << 30);
    for (size_t c = 0; c < t->column_count && *err == SG_OK; c++) {
        sg_slice json = shown_json(a, t, row, (int)c);
        *err = a->scratch.err;
        if (*err == SG_OK) a->shown.hash[c] = sg_value_hash_json(json, &hold);
        if (*err == SG_OK) *err = hold.err;
    }
    sqlite3_reset(row);
    sg_buf_deinit(&hold);
}

/* ---- fields ---- */

/* Nobody knows who wrote it, or when: it stands under the mark of what it took the place of. */
static void keep_shown(sg_apply *a, sg_table *t, const sg_field *f, int column, sg_slice now,
                       const sg_mark *mark, int *err)
{
    static const sg_mark nobody = {.actor = SG_ACTOR_SELF};
    sqlite3_stmt *row = sg_table_row(a->r, t, sg_buf_view(&a->key), err);
    if (row == NULL || !sg_sql_row(row, err)) return;
    sg_mark own = nobody;
    own.at_us = f->mark.at_us;
    sg_loss loss = {.table = t,
                    .key = sg_buf_view(&a->key),
                    .field = f->name,
                    .own = &own,
                    .value = shown_json(a, t, row, column),
                    .winner = mark,
                    .now = now};
    sqlite3_reset(row);
    if (*err == SG_OK) *err = a->scratch.err;
    sg_journal_keep(a->r, &loss, err);
    a->journal = true;
}

static bool shows(sg_apply *a, sg_slice json, int column, int *err)
{
    sg_buf hold;
    sg_buf_init(&hold, (size_t)1 << 30);
    bool same = a->shown.here && a->shown.hash[column] == sg_value_hash_json(json, &hold);
    if (*err == SG_OK) *err = hold.err;
    sg_buf_deinit(&hold);
    return same;
}

void sg_repair_field(sg_apply *a, sg_table *t, sg_field *f, int column, const sg_page_field *in,
                     const sg_mark *mark, int *err)
{
    bool kept = f->has_value; /* beside the row, which shows nothing of it */
    if (column >= 0 && !kept && shows(a, in->value, column, err)) {
        f->mark = *mark;
        return;
    }
    if (column >= 0 && !kept && a->shown.here && *err == SG_OK)
        keep_shown(a, t, f, column, in->value, mark, err);
    *f = (sg_field){.name = f->name, .mark = *mark, .has_value = true, .value = in->value};
    a->count.fields++;
}

static bool is_in(sg_apply *a, const sg_page_record *in, uint32_t name, int *err)
{
    sg_slice text = sg_name_text(a->r, name, err);
    for (size_t i = 0; i < in->count; i++)
        if (sg_slice_eq(in->fields[i].name, text)) return true;
    return false;
}

/* UPDATE t SET c=<its default> WHERE <key>: as the row is where that field was never heard of. What this
 * database's rules say against it stands. */
static void reset_column(sg_apply *a, sg_table *t, int column, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_buf sql;
    sg_buf_init(&sql, 1 << 20);
    sg_buf_str(&sql, "UPDATE main.");
    sg_sql_ident(&sql, t->name);
    sg_buf_str(&sql, " SET ");
    sg_sql_ident(&sql, t->columns[column].name);
    sg_buf_byte(&sql, '=');
    sg_buf_str(&sql, t->columns[column].otherwise != NULL ? t->columns[column].otherwise : "NULL");
    sg_table_where_key(t, &sql);
    const char *text = sg_buf_cstr(&sql);
    if (*err == SG_OK) *err = sql.err;
    sg_sql_prepare(a->r->db, &s, text, err);
    if (*err == SG_OK) *err = sg_key_bind(s, 1, sg_buf_view(&a->key));
    sg_sql_done(s, err);
    if (*err == SG_CONFLICT || *err == SG_INTERNAL) *err = SG_OK;
    sqlite3_finalize(s);
    sg_buf_deinit(&sql);
}

void sg_repair_rest(sg_apply *a, sg_table *t, const sg_page_record *in, int *err)
{
    sg_record *rec = &a->rec.record;
    size_t kept = 0;
    for (size_t i = 0; i < rec->count && *err == SG_OK; i++) {
        sg_field *f = &rec->fields[i];
        bool stays = is_in(a, in, f->name, err) || sg_repair_pending(a, &f->mark, err);
        int column = stays || f->has_value ? -1 : sg_table_column(a->r, t, f->name, err);
        if (column >= 0 && *err == SG_OK) {
            keep_shown(a, t, f, column, SG_LIT("null"), in->life != NULL ? &rec->life : &f->mark,
                       err);
            reset_column(a, t, column, err);
        }
        if (stays) rec->fields[kept++] = *f;
    }
    if (*err == SG_OK) rec->count = kept;
}
