#include "replica/park.h"

#include "base/reader.h"
#include "replica/intern.h"
#include "replica/key.h"
#include "replica/orphan.h"
#include "replica/swap.h"
#include "wire/json.h"

#define SETTLE_ROUNDS 8 /* parked rows may wait for one another: parents first, then children */

static void park(sg_replica *r, const sg_table *t, sg_slice key, const char *reason, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_PARKED_PUT, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sg_sql_bind_text(s, 3, sg_slice_str(reason));
    sqlite3_bind_int64(s, 4, sg_replica_now(r));
    sg_sql_done(s, err);
}

void sg_park_remove(sg_replica *r, const sg_table *t, sg_slice key, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_PARKED_DELETE, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, t->id);
    sg_sql_bind_blob(s, 2, key);
    sg_sql_done(s, err);
}

/* Under a text, which stands for no row here. */
static int park_apart(sg_apply *a, sg_table *t, sg_slice text, const char *reason)
{
    sg_value v = {.type = SG_TEXT, .bytes = text};
    sg_buf_clear(&a->key);
    int err = sg_key_put(&a->key, &v);
    if (err != SG_OK) return err;
    a->count.parked++;
    park(a->r, t, sg_buf_view(&a->key), reason, &err);
    return err;
}

int sg_park_foreign(sg_apply *a, sg_table *t, sg_slice id)
{
    return park_apart(a, t, id, "the id cannot be a key of this table");
}

int sg_park_space(sg_apply *a, sg_table *t, sg_slice space, sg_slice id)
{
    sg_buf text;
    sg_buf_init(&text, SG_NAME_MAX + SG_KEY_MAX + 2);
    sg_buf_slice(&text, space);
    sg_buf_str(&text, "/");
    sg_buf_slice(&text, id);
    int err = text.err;
    if (err == SG_OK)
        err = park_apart(a, t, sg_buf_view(&text), "another record here has this record's key");
    sg_buf_deinit(&text);
    return err;
}

/* Values of the shadow that have a column here. Scratch is reserved whole first, so that what
 * earlier values borrow does not move. */
static int collect(sg_apply *a, sg_table *t, bool fresh, sg_row_value *values, size_t *count)
{
    const sg_record *rec = &a->rec.record;
    size_t bytes = 0;
    for (size_t i = 0; i < rec->count; i++)
        bytes += rec->fields[i].value.n;
    sg_buf_clear(&a->scratch);
    (void)sg_buf_extend(&a->scratch, bytes + 1);
    sg_buf_truncate(&a->scratch, 0);
    int err = a->scratch.err;
    *count = 0;
    for (size_t c = 0; c < t->column_count && err == SG_OK; c++) {
        if (t->columns[c].key_part != 0) continue;
        if (t->columns[c].space) {
            if (!fresh || rec->space == 0) continue;
            sg_slice space = sg_name_text(a->r, rec->space, &err);
            values[(*count)++] = (sg_row_value){(int)c, {.type = SG_TEXT, .bytes = space}};
            continue;
        }
        const sg_field *f = sg_record_find(rec, sg_column_name_id(a->r, &t->columns[c], &err));
        if (f == NULL || !f->has_value || err != SG_OK) continue;
        sg_row_value *v = &values[(*count)++];
        v->column = (int)c;
        err = sg_value_from_json(&v->value, f->value, t->columns[c].json, &a->scratch);
    }
    return err;
}

/* The row has them now: the shadow need not. */
static void drop_values(sg_apply *a, sg_table *t, const sg_row_value *values, size_t count,
                        int *err)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t name = sg_column_name_id(a->r, &t->columns[values[i].column], err);
        sg_field *f = sg_record_find(&a->rec.record, name);
        if (f != NULL) f->has_value = false;
    }
}

static int put(sg_apply *a, sg_table *t, const sg_row_value *values, size_t count, bool fresh)
{
    sg_slice key = sg_buf_view(&a->key);
    bool changed;
    int err = sg_row_put(a->r, t, key, values, count, fresh, &changed);
    if (err == SG_OK && changed) return SG_OK;
    if (err != SG_OK && !(fresh && err == SG_CONFLICT)) return err;
    if (!fresh) return count != 0 ? sg_row_put(a->r, t, key, values, count, true, &changed) : SG_OK;
    /* A row without a shadow: it was there before the table was tracked. Its other constraints
     * would refuse an update as well, and then say so. */
    char reason[sizeof a->r->message];
    memcpy(reason, a->r->message, sizeof reason);
    err = sg_row_put(a->r, t, key, values, count, false, &changed);
    if (err == SG_OK && !changed && count != 0) {
        memcpy(a->r->message, reason, sizeof reason);
        err = SG_CONFLICT;
    }
    return err;
}

/* What each column of the record is to hold: what came, else what the row held before (image). */
static void expected(sg_apply *a, sg_table *t, const sg_row_value *values, size_t count,
                     sg_slice json[SG_COLUMNS_MAX], int *err)
{
    sg_json j;
    sg_json_init(&j, a->image.n != 0 ? sg_buf_view(&a->image) : SG_LIT("{}"));
    sg_slice name;
    sg_json_object(&j);
    while (sg_json_next_key(&j, &name)) {
        sg_slice v = sg_json_skip(&j);
        for (size_t c = 0; c < t->column_count; c++)
            if (sg_slice_eq(name, sg_slice_str(t->columns[c].name))) json[c] = v;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t id = sg_column_name_id(a->r, &t->columns[values[i].column], err);
        const sg_field *f = sg_record_find(&a->rec.record, id);
        if (f != NULL) json[values[i].column] = f->value;
    }
}

/* The columns in which the row differs from that. */
static int differing(sg_apply *a, sg_table *t, sg_slice json[SG_COLUMNS_MAX], sg_row_value *out,
                     size_t *count, sg_buf *hold)
{
    int err = SG_OK;
    *count = 0;
    sqlite3_stmt *row = sg_table_row(a->r, t, sg_buf_view(&a->key), &err);
    if (row == NULL || !sg_sql_row(row, &err)) return err;
    sg_buf now;
    sg_buf_init(&now, (size_t)1 << 30);
    for (size_t c = 0; c < t->column_count && err == SG_OK; c++) {
        if (json[c].n == 0) continue;
        sg_value v = sg_sql_value(sqlite3_column_value(row, (int)c));
        sg_buf_clear(&now);
        sg_value_to_json(&now, &v, t->columns[c].json);
        err = now.err;
        if (err != SG_OK || sg_slice_eq(sg_buf_view(&now), json[c])) continue;
        sg_row_value *d = &out[(*count)++];
        d->column = (int)c;
        err = sg_value_from_json(&d->value, json[c], t->columns[c].json, hold);
    }
    sqlite3_reset(row);
    sg_buf_deinit(&now);
    return err;
}

/* The user's triggers may have written to the very record that was applied. Their work at the
 * writer's has come along as data; doing it again here would make every replica answer every
 * other's write without end. So the merged values stand, written once more without triggers. */
static int overrule(sg_apply *a, sg_table *t, const sg_row_value *values, size_t count)
{
    sg_slice json[SG_COLUMNS_MAX] = {{NULL, 0}};
    sg_row_value wrong[SG_COLUMNS_MAX];
    size_t wrong_count = 0, bytes = 1;
    int err = SG_OK;
    expected(a, t, values, count, json, &err);
    for (size_t c = 0; c < t->column_count; c++)
        bytes += json[c].n;
    sg_buf hold;
    sg_buf_init(&hold, (size_t)1 << 30);
    (void)sg_buf_extend(&hold, bytes);
    sg_buf_truncate(&hold, 0);
    if (err == SG_OK) err = hold.err;
    if (err == SG_OK) err = differing(a, t, json, wrong, &wrong_count, &hold);
    if (err == SG_OK && wrong_count != 0) {
        bool changed;
        int on = sg_triggers_off(a->r);
        err = sg_row_put(a->r, t, sg_buf_view(&a->key), wrong, wrong_count, false, &changed);
        sg_triggers_back(a->r, on);
    }
    sg_buf_deinit(&hold);
    return err;
}

int sg_park_delete(sg_apply *a, sg_table *t)
{
    int err = sg_row_delete(a->r, t, sg_buf_view(&a->key));
    if (err == SG_CONFLICT) {
        a->count.parked++;
        err = SG_OK;
        park(a->r, t, sg_buf_view(&a->key), a->r->message, &err);
        return err;
    }
    if (err == SG_OK) sg_park_remove(a->r, t, sg_buf_view(&a->key), &err);
    return err;
}

int sg_park_write(sg_apply *a, sg_table *t, bool fresh)
{
    sg_row_value values[SG_COLUMNS_MAX];
    size_t count;
    int err = collect(a, t, fresh, values, &count);
    if (err == SG_BADVALUE) {
        a->count.parked++;
        park(a->r, t, sg_buf_view(&a->key), "a value is not one SQLite can hold", &err);
        return err == SG_BADVALUE ? SG_OK : err;
    }
    if (err != SG_OK || (count == 0 && !fresh)) return err;
    sg_buf_clear(&a->image);
    if (t->triggers) err = sg_row_to_json(a->r, t, sg_buf_view(&a->key), &a->image);
    if (err == SG_OK) err = put(a, t, values, count, fresh);
    if (err == SG_OK && t->triggers) err = overrule(a, t, values, count);
    if (err == SG_CONFLICT) {
        a->count.parked++;
        err = SG_OK;
        park(a->r, t, sg_buf_view(&a->key), a->r->message, &err);
        return err;
    }
    if (err == SG_OK) drop_values(a, t, values, count, &err);
    return err;
}

/* ---- foreign keys ---- */

/* Put a row's values back into its shadow and take the row out. */
static int unwrite(sg_apply *a, sg_table *t, const char *reason)
{
    int err = SG_OK;
    sg_slice key = sg_buf_view(&a->key);
    sg_rec_load(a->r, &a->rec, t, key, &err);
    if (err != SG_OK || !a->rec.exists) return err;
    sqlite3_stmt *row = sg_table_row(a->r, t, key, &err);
    if (row == NULL || !sg_sql_row(row, &err)) return err;
    sg_arena hold;
    sg_arena_init(&hold);
    for (size_t c = 0; c < t->column_count && err == SG_OK; c++) {
        sg_field *f = sg_record_find(&a->rec.record, sg_column_name_id(a->r, &t->columns[c], &err));
        if (f == NULL || t->columns[c].key_part != 0) continue;
        sg_buf_clear(&a->scratch);
        sg_value v = sg_sql_value(sqlite3_column_value(row, (int)c));
        sg_value_to_json(&a->scratch, &v, t->columns[c].json);
        f->value = sg_arena_copy(&hold, sg_buf_view(&a->scratch), &err);
        f->has_value = true;
    }
    sqlite3_reset(row);
    sg_rec_save(a->r, &a->rec, t, key, &err);
    sg_arena_deinit(&hold);
    a->r->applying_table = t;
    a->r->applying_key = key;
    if (err == SG_OK) err = sg_row_delete(a->r, t, key);
    a->count.parked++;
    park(a->r, t, key, reason, &err);
    return err;
}

static bool orphans(sg_apply *a)
{
    int open = 0, high = 0;
    if (!a->foreign_keys) return false;
    sqlite3_db_status(a->r->db, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &high, 0);
    return open != 0;
}

static int park_orphans(sg_apply *a)
{
    int err = SG_OK;
    while (err == SG_OK && orphans(a)) {
        sg_table *t = sg_orphan_find(a, &err);
        if (t == NULL) break;
        err = unwrite(a, t, "a row this one refers to is not here (foreign key)");
    }
    return err;
}

/* ---- trying again ---- */

int sg_park_retry(sg_apply *a, sg_table *t, bool *freed)
{
    int err = SG_OK;
    sg_slice key = sg_buf_view(&a->key);
    sg_rec_load(a->r, &a->rec, t, key, &err);
    if (err != SG_OK || !a->rec.exists) return err;
    int64_t parked = a->count.parked;
    a->r->applying_table = t;
    a->r->applying_key = key;
    sg_sql_exec(a->r->db, "SAVEPOINT sigla_retry", &err);
    bool here = false;
    sqlite3_stmt *row = sg_table_row(a->r, t, key, &err);
    if (row != NULL && sg_sql_row(row, &err)) {
        here = true;
        sqlite3_reset(row);
    }
    if (err == SG_OK) err = a->rec.record.dead ? sg_park_delete(a, t) : sg_park_write(a, t, !here);
    bool refused = a->count.parked != parked || orphans(a);
    if (refused) {
        sg_sql_exec(a->r->db, "ROLLBACK TO sigla_retry", &err);
    } else {
        sg_rec_save(a->r, &a->rec, t, key, &err);
        sg_park_remove(a->r, t, key, &err);
        *freed = true;
    }
    sg_sql_exec(a->r->db, "RELEASE sigla_retry", &err);
    a->count.parked = parked;
    return err;
}

/* Keys of the parked rows, copied first: trying them changes the table. */
static int retry_all(sg_apply *a, bool *freed)
{
    int err = SG_OK;
    *freed = false;
    sg_buf list;
    sg_buf_init(&list, (size_t)1 << 28);
    sqlite3_stmt *s = sg_replica_stmt(a->r, SG_STMT_PARKED_ALL, &err);
    while (s != NULL && sg_sql_row(s, &err)) {
        sg_buf_varint(&list, (uint64_t)sqlite3_column_int64(s, 0));
        sg_buf_lenslice(&list, sg_sql_blob(s, 1));
    }
    if (err == SG_OK) err = list.err;
    sg_reader in = sg_reader_of(sg_buf_view(&list));
    while (in.left != 0 && err == SG_OK) {
        sg_table *t = sg_table_id(a->r, (uint32_t)sg_read_varint(&in));
        sg_slice key = sg_read_lenslice(&in);
        sg_buf_clear(&a->key);
        sg_buf_slice(&a->key, key);
        if (t != NULL && !t->missing && t->active) err = sg_park_retry(a, t, freed);
    }
    sg_buf_deinit(&list);
    return err;
}

int sg_park_settle(sg_apply *a)
{
    int err = park_orphans(a);
    sqlite3_stmt *s = sg_replica_stmt(a->r, SG_STMT_PARKED_ANY, &err);
    bool any = s != NULL && sg_sql_row(s, &err);
    if (any) sqlite3_reset(s);
    bool freed = any;
    for (int round = 0; round < SETTLE_ROUNDS && freed && err == SG_OK; round++)
        err = retry_all(a, &freed);
    return err == SG_OK && any ? sg_swap(a) : err;
}
