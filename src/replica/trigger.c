/*
 * Capture triggers of a table with id T (their calls: capture.c):
 *
 *   sigla_insert_T    AFTER INSERT: all columns
 *   sigla_before_T    BEFORE INSERT: the rows that a REPLACE would take away without firing DELETE
 *                     triggers (same key, or same in a UNIQUE index), as they are
 *   sigla_move_T_i    the same before an UPDATE, for UNIQUE index i
 *   sigla_update_T_c  AFTER UPDATE OF column c: old and new value
 *   sigla_touch_T     AFTER UPDATE: old and new key
 *   sigla_delete_T    AFTER DELETE: the key
 *
 * The text of sigla_insert_T ends with a comment that has the number of columns and a signature of
 * all of them, so that triggers made for another schema are known as such.
 */
#include "replica/trigger.h"

#include <stdlib.h>

#include "replica/index_sql.h"

#define SCRIPT_MAX ((size_t)8 << 20)
#define SIGNATURE_DIGITS 16

static void head(sg_buf *sql, const sg_table *t, const char *kind, int64_t number)
{
    sg_buf_str(sql, "CREATE TRIGGER main.sigla_");
    sg_buf_str(sql, kind);
    sg_buf_byte(sql, '_');
    sg_buf_int(sql, t->id);
    if (number < 0) return;
    sg_buf_byte(sql, '_');
    sg_buf_int(sql, number);
}

static void on(sg_buf *sql, const sg_table *t)
{
    sg_buf_str(sql, " ON ");
    sg_sql_ident(sql, t->name);
    sg_buf_str(sql, " BEGIN ");
}

/* sigla_capture(kind,tag */
static void call(sg_buf *sql, const sg_table *t, int kind)
{
    sg_buf_str(sql, "SELECT sigla_capture(");
    sg_buf_int(sql, kind);
    sg_buf_byte(sql, ',');
    sg_buf_int(sql, t->tag);
}

static void column(sg_buf *sql, const char *prefix, const char *name)
{
    sg_buf_str(sql, prefix);
    sg_sql_ident(sql, name);
}

static void key(sg_buf *sql, const sg_table *t, const char *prefix)
{
    for (size_t i = 0; i < t->key_count; i++)
        column(sql, prefix, t->columns[t->key[i]].name);
}

static void all_columns(sg_buf *sql, const sg_table *t, const char *prefix)
{
    for (size_t i = 0; i < t->column_count; i++)
        column(sql, prefix, t->columns[i].name);
}

/* ---- what REPLACE takes away ---- */

/* A way in which two rows may not be alike: the key, or a UNIQUE index. */
typedef struct probe {
    sg_buf same;    /* condition: a row of the table is like NEW in it */
    sg_buf columns; /* that an UPDATE must name to change it: "a","b" */
    bool any;       /* what changes it cannot be told: every UPDATE may */
} probe;

static void probe_init(probe *p)
{
    p->any = false;
    sg_buf_init(&p->same, SCRIPT_MAX);
    sg_buf_init(&p->columns, SCRIPT_MAX);
}

static void probe_deinit(probe *p)
{
    sg_buf_deinit(&p->same);
    sg_buf_deinit(&p->columns);
}

static void probe_column(probe *p, const char *name, const char *collation)
{
    column(&p->same, p->same.n != 0 ? " AND " : " WHERE ", name);
    column(&p->same, "=NEW.", name);
    if (collation != NULL) column(&p->same, " COLLATE ", collation);
    column(&p->columns, p->columns.n != 0 ? "," : "", name);
}

/* An expression's columns are those of the row it is evaluated on; NEW is made such a row. What the
 * user wrote may end with a comment to the end of the line. */
static void probe_expression(probe *p, sg_slice expression, const sg_buf *new_row)
{
    p->any = true;
    sg_buf_str(&p->same, p->same.n != 0 ? " AND (" : " WHERE (");
    sg_buf_slice(&p->same, expression);
    sg_buf_str(&p->same, "\n)=(SELECT ");
    sg_buf_slice(&p->same, expression);
    sg_buf_str(&p->same, "\n FROM (SELECT ");
    sg_buf_append(&p->same, new_row);
    sg_buf_str(&p->same, "))");
}

/* NEW."a" AS "a",… of all columns, generated ones too. */
static void new_row(sg_replica *r, const sg_table *t, sg_buf *out, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT name FROM pragma_table_xinfo(?1,'main')", err);
    if (*err == SG_OK) sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    while (sg_sql_row(s, err)) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        if (name == NULL) *err = SG_NOMEM;
        if (*err != SG_OK) break;
        column(out, out->n != 0 ? ",NEW." : "NEW.", name);
        column(out, " AS ", name);
    }
    sqlite3_finalize(s);
    if (*err == SG_OK) *err = out->err;
}

static void probe_terms(sg_replica *r, const sg_table *t, probe *p, const char *index,
                        sg_slice text, int *err)
{
    sg_buf row;
    sg_buf_init(&row, SCRIPT_MAX);
    new_row(r, t, &row, err);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT i.name,i.coll,coalesce(c.hidden,0) FROM pragma_index_xinfo(?1,'main') i "
                   "LEFT JOIN pragma_table_xinfo(?2,'main') c ON c.cid=i.cid WHERE i.key "
                   "ORDER BY i.seqno",
                   err);
    if (*err == SG_OK) {
        sg_sql_bind_text(s, 1, sg_slice_str(index));
        sg_sql_bind_text(s, 2, sg_slice_str(t->name));
    }
    for (size_t i = 0; sg_sql_row(s, err); i++) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        if (name != NULL)
            probe_column(p, name, (const char *)sqlite3_column_text(s, 1));
        else
            probe_expression(p, sg_index_term(text, i), &row);
        if (sqlite3_column_int(s, 2) != 0) p->any = true; /* generated */
    }
    sqlite3_finalize(s);
    sg_buf_deinit(&row);
}

/* Rows outside of a partial index are in nobody's way; its condition lets SQLite use it. */
static void probe_index(sg_replica *r, const sg_table *t, probe *p, const char *index,
                        sg_slice text, int *err)
{
    probe_terms(r, t, p, index, text, err);
    sg_slice where = sg_index_where(text);
    if (where.n != 0) {
        p->any = true;
        sg_buf_str(&p->same, " AND (");
        sg_buf_slice(&p->same, where);
        sg_buf_str(&p->same, "\n)");
    }
}

/* SELECT sigla_capture(4,tag,…) FROM t WHERE… */
static void image(sg_buf *sql, const sg_table *t, const probe *p)
{
    call(sql, t, SG_CAP_BEFORE);
    all_columns(sql, t, ",");
    sg_buf_str(sql, ") FROM ");
    sg_sql_ident(sql, t->name);
    sg_buf_append(sql, &p->same);
}

static void move_trigger(sg_buf *sql, const sg_table *t, const probe *p, int64_t number)
{
    head(sql, t, "move", number);
    sg_buf_str(sql, " BEFORE UPDATE");
    if (!p->any) {
        sg_buf_str(sql, " OF ");
        sg_buf_append(sql, &p->columns);
    }
    on(sql, t);
    image(sql, t, p);
    for (size_t i = 0; i < t->key_count; i++) {
        column(sql, i == 0 ? " AND NOT(" : " AND ", t->columns[t->key[i]].name);
        column(sql, " IS OLD.", t->columns[t->key[i]].name);
    }
    sg_buf_str(sql, "); END;");
}

static void one_probe(sg_buf *sql, sg_buf *before, const sg_table *t, const probe *p,
                      int64_t number)
{
    image(before, t, p);
    sg_buf_byte(before, ';');
    move_trigger(sql, t, p, number);
}

/* An INTEGER PRIMARY KEY has no index of its own. */
static void rowid_probe(sg_buf *sql, sg_buf *before, const sg_table *t)
{
    probe p;
    probe_init(&p);
    for (size_t i = 0; i < t->key_count; i++)
        probe_column(&p, t->columns[t->key[i]].name, NULL);
    one_probe(sql, before, t, &p, 0);
    probe_deinit(&p);
}

static void replace_triggers(sg_replica *r, const sg_table *t, sg_buf *sql, int *err)
{
    sg_buf before;
    sg_buf_init(&before, SCRIPT_MAX);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(
        r->db, &s,
        "SELECT l.name,l.origin='pk',i.sql FROM pragma_index_list(?1,'main') l LEFT JOIN "
        "main.sqlite_schema i ON i.type='index' AND i.name=l.name WHERE l.\"unique\" "
        "ORDER BY l.name",
        err);
    if (*err == SG_OK) sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    bool primary = false;
    for (int64_t number = 1; sg_sql_row(s, err); number++) {
        primary = primary || sqlite3_column_int(s, 1) != 0;
        probe p;
        probe_init(&p);
        probe_index(r, t, &p, (const char *)sqlite3_column_text(s, 0), sg_sql_text(s, 2), err);
        one_probe(sql, &before, t, &p, number);
        probe_deinit(&p);
    }
    sqlite3_finalize(s);
    if (!primary) rowid_probe(sql, &before, t);
    head(sql, t, "before", -1);
    sg_buf_str(sql, " BEFORE INSERT");
    on(sql, t);
    sg_buf_append(sql, &before);
    sg_buf_str(sql, " END;");
    sg_buf_deinit(&before);
}

/* ---- the others ---- */

static void update_trigger(sg_buf *sql, const sg_table *t, size_t c)
{
    head(sql, t, "update", (int64_t)c);
    column(sql, " AFTER UPDATE OF ", t->columns[c].name);
    on(sql, t);
    call(sql, t, SG_CAP_UPDATE);
    sg_buf_byte(sql, ',');
    sg_buf_int(sql, (int64_t)c);
    column(sql, ",OLD.", t->columns[c].name);
    column(sql, ",NEW.", t->columns[c].name);
    key(sql, t, ",NEW.");
    sg_buf_str(sql, "); END;");
}

static void touch_trigger(sg_buf *sql, const sg_table *t)
{
    head(sql, t, "touch", -1);
    sg_buf_str(sql, " AFTER UPDATE");
    on(sql, t);
    call(sql, t, SG_CAP_TOUCH);
    key(sql, t, ",OLD.");
    key(sql, t, ",NEW.");
    sg_buf_str(sql, "); END;");
}

static void delete_trigger(sg_buf *sql, const sg_table *t)
{
    head(sql, t, "delete", -1);
    sg_buf_str(sql, " AFTER DELETE");
    on(sql, t);
    call(sql, t, SG_CAP_DELETE);
    key(sql, t, ",OLD.");
    sg_buf_str(sql, "); END;");
}

/* All triggers but for the end of the last. */
static void script(sg_replica *r, const sg_table *t, sg_buf *sql, int *err)
{
    replace_triggers(r, t, sql, err);
    for (size_t c = 0; c < t->column_count; c++)
        if (t->columns[c].key_part == 0) update_trigger(sql, t, c);
    touch_trigger(sql, t);
    delete_trigger(sql, t);
    head(sql, t, "insert", -1);
    sg_buf_str(sql, " AFTER INSERT");
    on(sql, t);
    call(sql, t, SG_CAP_INSERT);
    all_columns(sql, t, ",NEW.");
    sg_buf_str(sql, ");");
    if (*err == SG_OK) *err = sql->err;
}

/* FNV-1a; never 0. */
static uint64_t signature_of(sg_slice text)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (uint8_t)text.p[i]) * 1099511628211u;
    return h != 0 ? h : 1;
}

/* The comment at the end of sigla_insert_T: count, blank, 16 hexadecimal digits. */
static void put_signature(sg_buf *sql, const sg_table *t, uint64_t signature)
{
    sg_buf_str(sql, "/*");
    sg_buf_int(sql, (int64_t)t->column_count);
    sg_buf_byte(sql, ' ');
    for (int i = SIGNATURE_DIGITS; i-- > 0;)
        sg_buf_byte(sql, (uint8_t) "0123456789abcdef"[signature >> (4 * i) & 15]);
    sg_buf_str(sql, "*/ END;");
}

static void read_signature(sg_table *t, sg_slice sql)
{
    sg_slice end = SG_LIT("*/ END");
    if (sql.n < end.n + SIGNATURE_DIGITS + 4) return;
    if (memcmp(sql.p + sql.n - end.n, end.p, end.n) != 0) return;
    const char *digits = sql.p + sql.n - end.n - SIGNATURE_DIGITS, *count = digits - 1;
    while (count > sql.p && count[-1] != '*')
        count--;
    t->signature = strtoull(digits, NULL, 16);
    t->captured_count = (size_t)strtoul(count, NULL, 10);
}

void sg_triggers_create(sg_replica *r, const sg_table *t, int *err)
{
    sg_buf sql;
    sg_buf_init(&sql, SCRIPT_MAX);
    if (*err == SG_OK) script(r, t, &sql, err);
    put_signature(&sql, t, signature_of(sg_buf_view(&sql)));
    const char *text = sg_buf_cstr(&sql);
    if (*err == SG_OK) *err = sql.err;
    sg_sql_exec(r->db, text, err);
    if (*err != SG_OK && r->message[0] == '\0')
        sg_replica_fail(r, *err, "the triggers of \"%s\" cannot be made: %s", t->name,
                        sqlite3_errmsg(r->db));
    sg_buf_deinit(&sql);
}

void sg_triggers_check(sg_replica *r, sg_table *t, int *err)
{
    t->stale = false;
    if (*err != SG_OK || !t->active || t->missing) return;
    sg_buf sql;
    sg_buf_init(&sql, SCRIPT_MAX);
    script(r, t, &sql, err);
    t->stale = t->signature != signature_of(sg_buf_view(&sql));
    sg_buf_deinit(&sql);
}

void sg_triggers_find(sg_replica *r, sg_table *t, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT tbl_name,sql FROM main.sqlite_schema WHERE type='trigger' AND "
                   "name='sigla_insert_'||?1",
                   err);
    if (*err != SG_OK) return;
    sqlite3_bind_int64(s, 1, t->id);
    if (sg_sql_row(s, err)) {
        read_signature(t, sg_sql_text(s, 1));
        *err = sg_table_rename(t, sg_sql_text(s, 0));
    }
    sqlite3_finalize(s);
}

void sg_triggers_drop(sg_replica *r, const sg_table *t, int *err)
{
    sg_buf sql;
    sg_buf_init(&sql, SCRIPT_MAX);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT name FROM main.sqlite_schema WHERE type='trigger' AND (name GLOB "
                   "'sigla_[a-z]*[a-z]_'||?1 OR name GLOB 'sigla_[a-z]*[a-z]_'||?1||'_*')",
                   err);
    if (*err == SG_OK) sqlite3_bind_int64(s, 1, t->id);
    while (sg_sql_row(s, err)) {
        column(&sql, "DROP TRIGGER main.", (const char *)sqlite3_column_text(s, 0));
        sg_buf_byte(&sql, ';');
    }
    sqlite3_finalize(s);
    const char *text = sg_buf_cstr(&sql);
    if (*err == SG_OK) *err = sql.err;
    sg_sql_exec(r->db, text, err);
    sg_buf_deinit(&sql);
}
