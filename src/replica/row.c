#include "replica/row.h"

#include "replica/intern.h"
#include "replica/key.h"
#include "wire/json.h"

static void insert_sql(const sg_table *t, const sg_row_value *v, size_t count, sg_buf *sql)
{
    sg_buf_str(sql, "INSERT INTO main.");
    sg_sql_ident(sql, t->name);
    for (size_t i = 0; i < t->key_count; i++) {
        sg_buf_byte(sql, i == 0 ? '(' : ',');
        sg_sql_ident(sql, t->columns[t->key[i]].name);
    }
    for (size_t i = 0; i < count; i++) {
        sg_buf_byte(sql, ',');
        sg_sql_ident(sql, t->columns[v[i].column].name);
    }
    sg_buf_str(sql, ") VALUES(?");
    for (size_t i = 1; i < t->key_count + count; i++)
        sg_buf_str(sql, ",?");
    sg_buf_byte(sql, ')');
}

static void update_sql(const sg_table *t, const sg_row_value *v, size_t count, sg_buf *sql)
{
    sg_buf_str(sql, "UPDATE main.");
    sg_sql_ident(sql, t->name);
    for (size_t i = 0; i < count; i++) {
        sg_buf_str(sql, i == 0 ? " SET " : ",");
        sg_sql_ident(sql, t->columns[v[i].column].name);
        sg_buf_str(sql, "=?");
        sg_buf_int(sql, (int64_t)(t->key_count + i + 1));
    }
    sg_table_where_key(t, sql);
}

static void prepare(sg_replica *r, sqlite3_stmt **stmt, sg_buf *sql, int *err)
{
    const char *text = sg_buf_cstr(sql);
    if (*err == SG_OK) *err = sql->err;
    sg_sql_prepare(r->db, stmt, text, err);
}

/* The statement for that set of columns, from the table's small cache; parameters are the key's
 * parts, then the values. */
static sqlite3_stmt *row_stmt(sg_replica *r, sg_table *t, const sg_row_value *v, size_t count,
                              bool insert, int *err)
{
    sg_row_mask mask = {{0, 0}};
    for (size_t i = 0; i < count; i++)
        mask.bits[v[i].column >> 6] |= UINT64_C(1) << (v[i].column & 63);
    for (size_t i = 0; i < SG_ROW_STMTS; i++) {
        sg_row_stmt *c = &t->rows[i];
        if (c->stmt == NULL || c->insert != insert) continue;
        if (memcmp(&c->mask, &mask, sizeof mask) == 0) return c->stmt;
    }
    sg_row_stmt *c = &t->rows[t->row_next++ % SG_ROW_STMTS];
    sqlite3_finalize(c->stmt);
    *c = (sg_row_stmt){.mask = mask, .insert = insert};
    sg_buf sql;
    sg_buf_init(&sql, 1 << 20);
    if (insert)
        insert_sql(t, v, count, &sql);
    else
        update_sql(t, v, count, &sql);
    prepare(r, &c->stmt, &sql, err);
    sg_buf_deinit(&sql);
    return c->stmt;
}

/* Whatever this database's own rules say against the row (a constraint, a trigger of the user's
 * that raises or fails, a type that does not fit) is a conflict with them, for the caller to park.
 */
static int finish(sg_replica *r, sqlite3_stmt *s)
{
    int err = SG_OK;
    sg_sql_done(s, &err);
    if (err == SG_OK) return SG_OK;
    if (err == SG_INTERNAL || err == SG_LIMIT) err = SG_CONFLICT;
    return sg_replica_fail(r, err, "%s", sqlite3_errmsg(r->db));
}

int sg_row_put(sg_replica *r, sg_table *t, sg_slice key, const sg_row_value *values, size_t count,
               bool insert, bool *changed)
{
    *changed = false;
    if (count == 0 && !insert) return SG_OK;
    int err = SG_OK;
    sqlite3_stmt *s = row_stmt(r, t, values, count, insert, &err);
    if (err != SG_OK) return sg_replica_fail(r, err, "%s", sqlite3_errmsg(r->db));
    sqlite3_reset(s);
    err = sg_key_bind(s, 1, key);
    for (size_t i = 0; i < count && err == SG_OK; i++)
        sg_sql_bind_value(s, (int)(t->key_count + i + 1), &values[i].value);
    if (err == SG_OK) err = finish(r, s);
    /* A trigger's program may count its own; a row that is there was written. */
    *changed = err == SG_OK && sqlite3_changes(r->db) > 0;
    return err;
}

int sg_triggers_off(sg_replica *r)
{
    int on = 1;
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &on);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    return on;
}

void sg_triggers_back(sg_replica *r, int on)
{
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, on, NULL);
}

int sg_row_delete(sg_replica *r, sg_table *t, sg_slice key)
{
    int err = SG_OK;
    if (t->row_delete == NULL) {
        sg_buf sql;
        sg_buf_init(&sql, 1 << 20);
        sg_buf_str(&sql, "DELETE FROM main.");
        sg_sql_ident(&sql, t->name);
        sg_table_where_key(t, &sql);
        prepare(r, &t->row_delete, &sql, &err);
        sg_buf_deinit(&sql);
    }
    if (err != SG_OK) return err;
    sqlite3_reset(t->row_delete);
    err = sg_key_bind(t->row_delete, 1, key);
    return err == SG_OK ? finish(r, t->row_delete) : err;
}

int sg_row_to_json(sg_replica *r, sg_table *t, sg_slice key, sg_buf *out)
{
    int err = SG_OK;
    sqlite3_stmt *s = sg_table_row(r, t, key, &err);
    if (s == NULL || !sg_sql_row(s, &err)) return err;
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_buf json;
    sg_buf_init(&json, SG_VALUE_MAX);
    for (size_t c = 0; c < t->column_count; c++) {
        if (t->columns[c].key_part != 0) continue;
        sg_value v = sg_sql_value(sqlite3_column_value(s, (int)c));
        sg_buf_clear(&json);
        sg_value_to_json(&json, &v, t->columns[c].json);
        sg_jsonw_key(&w, sg_slice_str(t->columns[c].name));
        sg_jsonw_raw(&w, sg_buf_view(&json));
        if (json.err != SG_OK) out->err = json.err;
    }
    sg_jsonw_object_end(&w);
    sg_buf_deinit(&json);
    sqlite3_reset(s);
    return out->err;
}

/* Collect the columns of a JSON object; `override` takes the place of one of them. */
static int snapshot_values(sg_table *t, sg_slice snapshot, int column, sg_slice value,
                           sg_row_value *out, size_t *count, sg_buf *scratch)
{
    sg_slice json[SG_COLUMNS_MAX] = {{NULL, 0}};
    sg_json j;
    sg_json_init(&j, snapshot.n != 0 ? snapshot : SG_LIT("{}"));
    sg_slice key;
    sg_json_object(&j);
    while (sg_json_next_key(&j, &key)) {
        sg_slice v = sg_json_skip(&j);
        for (size_t c = 0; c < t->column_count; c++)
            if (sg_slice_eq(key, sg_slice_str(t->columns[c].name))) json[c] = v;
    }
    if (!sg_json_end(&j)) return SG_CORRUPT;
    if (column >= 0) json[column] = value;
    *count = 0;
    for (size_t c = 0; c < t->column_count; c++) {
        if (json[c].n == 0 || t->columns[c].key_part != 0) continue;
        sg_row_value *v = &out[(*count)++];
        v->column = (int)c;
        /* Room for every value at once: slices into scratch must not move. */
        int err = sg_value_from_json(&v->value, json[c], t->columns[c].json, scratch);
        if (err != SG_OK) return err;
    }
    return SG_OK;
}

int sg_row_restore(sg_replica *r, sg_table *t, sg_slice key, sg_slice snapshot, uint32_t field,
                   sg_slice value)
{
    int err = SG_OK;
    int column = sg_table_column(r, t, field, &err);
    if (err != SG_OK) return err;
    if (column < 0)
        return sg_replica_fail(r, SG_NOTFOUND, "the column of this conflict is not in \"%s\" now",
                               t->name);
    sg_row_value values[SG_COLUMNS_MAX];
    size_t count;
    bool changed = false;
    sg_buf scratch;
    sg_buf_init(&scratch, (size_t)SG_VALUE_MAX * 16);
    /* Reserve first: then appending never moves what earlier values borrow. */
    (void)sg_buf_extend(&scratch, snapshot.n + value.n + 16);
    sg_buf_truncate(&scratch, 0);
    err = scratch.err;
    if (err == SG_OK)
        err = snapshot_values(t, SG_LIT("{}"), column, value, values, &count, &scratch);
    if (err == SG_OK) err = sg_row_put(r, t, key, values, count, false, &changed);
    if (err == SG_OK && !changed) {
        sg_buf_truncate(&scratch, 0);
        err = snapshot_values(t, snapshot, column, value, values, &count, &scratch);
        if (err == SG_OK) err = sg_row_put(r, t, key, values, count, true, &changed);
    }
    sg_buf_deinit(&scratch);
    return err;
}
