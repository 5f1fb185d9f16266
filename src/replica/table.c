#include "replica/table.h"

#include <strings.h>

#include "base/mem.h"
#include "replica/intern.h"
#include "replica/key.h"
#include "replica/options.h"
#include "replica/state.h"
#include "replica/trigger.h"

static sg_table *table_new(sg_slice name)
{
    sg_table *t = sg_zalloc(sizeof *t);
    if (t == NULL) return NULL;
    t->space = -1;
    t->name = sg_strndup(name.p, name.n);
    if (t->name != NULL) return t;
    sg_free(t);
    return NULL;
}

int sg_table_rename(sg_table *t, sg_slice name)
{
    char *copy = sg_strndup(name.p, name.n);
    if (copy == NULL) return SG_NOMEM;
    sg_free(t->name);
    t->name = copy;
    return SG_OK;
}

static void table_free(sg_table *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->column_count; i++) {
        sg_free(t->columns[i].name);
        sg_free(t->columns[i].otherwise);
    }
    sg_free(t->columns);
    for (size_t i = 0; i < SG_ROW_STMTS; i++)
        sqlite3_finalize(t->rows[i].stmt);
    sqlite3_finalize(t->row_get);
    sqlite3_finalize(t->row_delete);
    sg_free(t->name);
    sg_free(t->wire);
    sg_free(t->options);
    sg_free(t);
}

void sg_tables_clear(sg_replica *r)
{
    for (size_t i = 0; i < r->table_count; i++)
        table_free(r->tables[i]);
    sg_free(r->tables);
    r->tables = NULL;
    r->table_count = 0;
    r->schema_version = -1;
}

/* SQLite's rules for a declared type ("Datatypes in SQLite", 3.1). */
static char affinity_of(const char *type)
{
    static const struct {
        const char *part;
        char affinity;
    } rules[] = {{"INT", 'I'},  {"CHAR", 'T'}, {"CLOB", 'T'}, {"TEXT", 'T'},
                 {"BLOB", 'B'}, {"REAL", 'R'}, {"FLOA", 'R'}, {"DOUB", 'R'}};
    if (type == NULL || *type == '\0') return 'B';
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcasestr(type, rules[i].part) != NULL) return rules[i].affinity;
    return strcasecmp(type, "ANY") == 0 ? 'B' : 'N';
}

/* The key's columns whose equality is not that of their bytes (COLLATE NOCASE and others). */
static bool is_folded(sg_replica *r, const sg_table *t, const char *column, int *err)
{
    const char *collation = NULL;
    int rc = sqlite3_table_column_metadata(r->db, "main", t->name, column, NULL, &collation, NULL,
                                           NULL, NULL);
    if (rc != SQLITE_OK) *err = sg_sql_error(rc);
    return collation != NULL && sqlite3_stricmp(collation, "BINARY") != 0;
}

/* The columns of `row` are name, type, pk, hidden, dflt_value. */
static int add_column(sg_replica *r, sg_table *t, sqlite3_stmt *row, const sg_column_options *o)
{
    sg_column *columns = sg_realloc(t->columns, (t->column_count + 1) * sizeof *columns);
    if (columns == NULL) return SG_NOMEM;
    t->columns = columns;
    sg_column *c = &columns[t->column_count++];
    sg_slice name = sg_sql_text(row, 0), otherwise = sg_sql_text(row, 4);
    *c = (sg_column){.name = sg_strndup(name.p, name.n),
                     .key_part = sqlite3_column_int(row, 2),
                     .affinity = affinity_of((const char *)sqlite3_column_text(row, 1)),
                     .json = o->json,
                     .space = o->space,
                     .group = o->group};
    if (o->space) t->space = (int)t->column_count - 1;
    if (otherwise.p != NULL) c->otherwise = sg_strndup(otherwise.p, otherwise.n);
    if (c->name == NULL || (otherwise.p != NULL && c->otherwise == NULL)) return SG_NOMEM;
    if (c->key_part == 0) return SG_OK;
    int err = SG_OK;
    c->folded = is_folded(r, t, c->name, &err);
    return err;
}

/* The key, if all of it travels. */
static void find_key(sg_table *t, int parts)
{
    size_t found = 0;
    t->key_count = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        int part = t->columns[i].key_part;
        if (part == 0 || part > SG_KEY_COLUMNS_MAX) continue;
        t->key[part - 1] = (int)i;
        found++;
    }
    if (found == (size_t)parts) t->key_count = found;
}

static int read_columns(sg_replica *r, sg_table *t)
{
    sqlite3_stmt *s = NULL;
    int err = SG_OK;
    sg_sql_prepare(r->db, &s,
                   "SELECT name,type,pk,hidden,dflt_value FROM pragma_table_xinfo(?1,'main')",
                   &err);
    if (err == SG_OK) sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    int parts = 0;
    while (sg_sql_row(s, &err)) {
        parts += sqlite3_column_int(s, 2) != 0;
        if (sqlite3_column_int(s, 3) != 0) continue; /* generated */
        sg_column_options o;
        sg_slice name = sg_sql_text(s, 0);
        err = name.p != NULL ? sg_options_of(sg_slice_str(t->options), name, &o) : SG_NOMEM;
        if (err != SG_OK || o.local) continue;
        if (t->column_count == SG_COLUMNS_MAX)
            t->wide = true;
        else
            err = add_column(r, t, s, &o);
    }
    sqlite3_finalize(s);
    find_key(t, parts);
    t->missing = t->key_count == 0;
    return err;
}

/* The user's triggers. SQLite runs the newest first, and ours must be: where a later one fails in a
 * statement with OR FAIL, what was written before stays, and must have been captured. */
static void read_own_triggers(sg_replica *r, sg_table *t, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT count(*),coalesce(max(n)>(SELECT rowid FROM main.sqlite_schema WHERE "
                   "type='trigger' AND name='sigla_insert_'||?2),0) FROM (SELECT rowid AS "
                   "n,type,tbl_name,name FROM main.sqlite_schema UNION ALL SELECT "
                   "0,type,tbl_name,name FROM temp.sqlite_schema) WHERE type='trigger' AND "
                   "tbl_name=?1 COLLATE NOCASE AND name NOT LIKE 'sigla\\_%' ESCAPE '\\'",
                   err);
    if (*err != SG_OK) return;
    sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    sqlite3_bind_int64(s, 2, t->id);
    if (sg_sql_row(s, err)) {
        bool newer = sqlite3_column_int(s, 1) != 0;
        t->triggers = sqlite3_column_int(s, 0) != 0;
        t->stale = t->stale || (newer && t->active && !t->missing);
    }
    sqlite3_finalize(s);
}

static int load_one(sg_replica *r, sqlite3_stmt *row, int64_t tag)
{
    sg_table *t = table_new(sg_sql_text(row, 1));
    sg_table **tables = sg_realloc(r->tables, (r->table_count + 1) * sizeof *tables);
    if (tables != NULL) r->tables = tables;
    if (t == NULL || tables == NULL) {
        table_free(t);
        return SG_NOMEM;
    }
    r->tables[r->table_count++] = t;
    sg_slice wire = sg_sql_text(row, 3), options = sg_sql_text(row, 4);
    int err = SG_OK;
    t->id = sg_sql_u32(row, 0, &err);
    t->tag = tag << 16 | t->id;
    t->app = sg_sql_u32(row, 2, &err);
    t->wire = sg_strndup(wire.p, wire.n);
    t->options = sg_strndup(options.p, options.n);
    t->active = sqlite3_column_int(row, 5) != 0;
    if (t->wire == NULL || t->options == NULL) return SG_NOMEM;
    t->indexed = sg_options_indexed(options);
    if (err == SG_OK) sg_triggers_find(r, t, &err);
    if (err == SG_OK) err = read_columns(r, t);
    if (err == SG_OK) sg_triggers_check(r, t, &err);
    if (err == SG_OK) read_own_triggers(r, t, &err);
    return err;
}

static int64_t schema_version(sg_replica *r, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_SCHEMA_VERSION, err);
    if (s == NULL || !sg_sql_row(s, err)) return -1;
    int64_t v = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return v;
}

int sg_tables_load(sg_replica *r)
{
    int err = SG_OK;
    if (!sg_replica_installed(r, &err))
        return err != SG_OK ? err : sg_replica_fail(r, SG_NOTTRACKED, "no table is tracked");
    int64_t version = schema_version(r, &err);
    if (err != SG_OK || version == r->schema_version) return err;
    sg_tables_clear(r);
    int64_t tag = sg_state_int(r, "tag", 0, &err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_TABLES, &err);
    while (err == SG_OK && sg_sql_row(s, &err)) {
        err = load_one(r, s, tag);
        if (err != SG_OK) sqlite3_reset(s);
    }
    if (err != SG_OK) sg_tables_clear(r);
    /* A schema not yet committed may be undone without our hearing of it, and another may then get
     * its version. */
    else if (r->capture.enlisted || sqlite3_get_autocommit(r->db))
        r->schema_version = version;
    return err;
}

sg_table *sg_table_named(sg_replica *r, sg_slice name)
{
    for (size_t i = 0; i < r->table_count; i++) {
        sg_table *t = r->tables[i];
        if (strlen(t->name) == name.n && strncasecmp(t->name, name.p, name.n) == 0) return t;
    }
    return NULL;
}

sg_table *sg_table_id(sg_replica *r, uint32_t id)
{
    for (size_t i = 0; i < r->table_count; i++)
        if (r->tables[i]->id == id) return r->tables[i];
    return NULL;
}

sg_table *sg_table_tagged(sg_replica *r, int64_t tag)
{
    for (size_t i = 0; i < r->table_count; i++)
        if (r->tables[i]->tag == tag) return r->tables[i];
    return NULL;
}

sg_table *sg_table_wire(sg_replica *r, uint32_t app, sg_slice wire)
{
    for (size_t i = 0; i < r->table_count; i++) {
        sg_table *t = r->tables[i];
        if (t->app == app && sg_slice_eq(sg_slice_str(t->wire), wire)) return t;
    }
    return NULL;
}

sg_table *sg_table_need(sg_replica *r, sg_slice name, int *err)
{
    if (*err == SG_OK) *err = sg_tables_load(r);
    if (*err != SG_OK && *err != SG_NOTTRACKED) return NULL;
    sg_table *t = *err == SG_OK ? sg_table_named(r, name) : NULL;
    if (t != NULL && !t->missing) return t;
    *err = t != NULL
               ? sg_replica_fail(r, SG_NOTTRACKED, "the table \"%s\" is gone, or its key", t->name)
               : sg_replica_fail(r, SG_NOTTRACKED,
                                 "the table \"%.*s\" is not tracked: SELECT "
                                 "sigla_track('%.*s')",
                                 (int)name.n, name.p, (int)name.n, name.p);
    return NULL;
}

uint32_t sg_column_name_id(sg_replica *r, sg_column *c, int *err)
{
    if (c->name_id == 0) c->name_id = sg_intern_name(r, sg_slice_str(c->name), err);
    return c->name_id;
}

int sg_table_column(sg_replica *r, sg_table *t, uint32_t name_id, int *err)
{
    for (size_t i = 0; i < t->column_count; i++)
        if (t->columns[i].name_id == name_id) return (int)i;
    /* By its text, so that reading interns nothing. */
    sg_slice name = sg_name_text(r, name_id, err);
    for (size_t i = 0; i < t->column_count && *err == SG_OK; i++) {
        if (!sg_slice_eq(name, sg_slice_str(t->columns[i].name))) continue;
        t->columns[i].name_id = name_id;
        return (int)i;
    }
    return -1;
}

void sg_table_forget_ids(sg_table *t)
{
    for (size_t i = 0; i < t->column_count; i++)
        t->columns[i].name_id = 0;
}

/* ---- SQL of a table ---- */

void sg_table_key_names(const sg_table *t, sg_buf *sql)
{
    for (size_t i = 0; i < t->key_count; i++) {
        if (i != 0) sg_buf_byte(sql, ',');
        sg_sql_ident(sql, t->columns[t->key[i]].name);
    }
}

void sg_table_where_key(const sg_table *t, sg_buf *sql)
{
    for (size_t i = 0; i < t->key_count; i++) {
        const sg_column *c = &t->columns[t->key[i]];
        /* The column's own collation finds it by its index; another case is another record. */
        for (int exactly = 0; exactly <= c->folded; exactly++) {
            sg_buf_str(sql, i == 0 && !exactly ? " WHERE " : " AND ");
            sg_sql_ident(sql, c->name);
            sg_buf_str(sql, "=?");
            sg_buf_int(sql, (int64_t)i + 1);
            if (exactly) sg_buf_str(sql, " COLLATE BINARY");
        }
    }
}

int sg_table_key_of(sg_replica *r, const sg_table *t, sqlite3_stmt *row, int first, sg_buf *out)
{
    int err = SG_OK;
    for (size_t i = 0; i < t->key_count && err == SG_OK; i++) {
        sg_value v = sg_sql_value(sqlite3_column_value(row, first + (int)i));
        err = sg_key_put(out, &v);
    }
    if (err == SG_BADVALUE)
        sg_replica_fail(r, err, "\"%s\" has a row whose key is NULL: give it a value", t->name);
    return err;
}

void sg_column_differs(const sg_column *c, sg_buf *sql)
{
    const char *otherwise = c->otherwise != NULL ? c->otherwise : "NULL";
    sg_buf_byte(sql, '(');
    sg_sql_ident(sql, c->name);
    sg_buf_str(sql, " IS NOT (");
    sg_buf_str(sql, otherwise);
    sg_buf_str(sql, ") COLLATE BINARY");
    /* Where no affinity makes them one, 1 is not 1.0. */
    if (c->affinity == 'B') {
        sg_buf_str(sql, " OR typeof(");
        sg_sql_ident(sql, c->name);
        sg_buf_str(sql, ")<>typeof(");
        sg_buf_str(sql, otherwise);
        sg_buf_byte(sql, ')');
    }
    sg_buf_byte(sql, ')');
}

static void row_sql(const sg_table *t, sg_buf *sql)
{
    sg_buf_str(sql, "SELECT ");
    for (size_t i = 0; i < t->column_count; i++) {
        if (i != 0) sg_buf_byte(sql, ',');
        sg_sql_ident(sql, t->columns[i].name);
    }
    for (size_t i = t->captured_count; i < t->column_count; i++) {
        sg_buf_byte(sql, ',');
        sg_column_differs(&t->columns[i], sql);
    }
    sg_buf_str(sql, " FROM main.");
    sg_sql_ident(sql, t->name);
    sg_table_where_key(t, sql);
}

sqlite3_stmt *sg_table_row(sg_replica *r, sg_table *t, sg_slice key, int *err)
{
    if (t->row_get == NULL && *err == SG_OK) {
        sg_buf sql;
        sg_buf_init(&sql, 1 << 20);
        row_sql(t, &sql);
        const char *text = sg_buf_cstr(&sql);
        *err = sql.err;
        sg_sql_prepare(r->db, &t->row_get, text, err);
        sg_buf_deinit(&sql);
    }
    if (*err != SG_OK) return NULL;
    sqlite3_reset(t->row_get);
    *err = sg_key_bind(t->row_get, 1, key);
    return *err == SG_OK ? t->row_get : NULL;
}
