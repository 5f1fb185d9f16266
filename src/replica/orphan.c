#include "replica/orphan.h"

#include "replica/key.h"

/* What is true of a row c of the table ?1 that breaks its foreign key number ?2. The rowids that
 * foreign_key_check gives would not do: tables WITHOUT ROWID have none. */
static const char condition_sql[] =
    "SELECT group_concat(printf('c.\"%w\" IS NOT NULL',\"from\"),' AND ')"
    "||printf(' AND NOT EXISTS(SELECT 1 FROM main.\"%w\" p WHERE ',\"table\")"
    "||group_concat(printf('p.\"%w\"=c.\"%w\"',coalesce(\"to\",(SELECT name FROM "
    "pragma_table_info(l.\"table\",'main') WHERE pk=seq+1)),\"from\"),' AND ')||')' "
    "FROM pragma_foreign_key_list(?1,'main') l WHERE id=?2";

/* The number of a foreign key that some row of the table breaks. */
static bool broken_key(sg_replica *r, const sg_table *t, int64_t *number, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT fkid FROM pragma_foreign_key_check(?1,'main') LIMIT 1", err);
    if (s == NULL) return false;
    sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    bool broken = sg_sql_row(s, err);
    if (broken) *number = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return broken;
}

/* SELECT the key of such a row. */
static void put_query(sg_replica *r, const sg_table *t, int64_t number, sg_buf *sql, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, condition_sql, err);
    if (s == NULL) return;
    sg_sql_bind_text(s, 1, sg_slice_str(t->name));
    sqlite3_bind_int64(s, 2, number);
    sg_buf_str(sql, "SELECT ");
    sg_table_key_names(t, sql);
    sg_buf_str(sql, " FROM main.");
    sg_sql_ident(sql, t->name);
    sg_buf_str(sql, " c WHERE ");
    if (sg_sql_row(s, err)) sg_buf_slice(sql, sg_sql_text(s, 0));
    sg_buf_str(sql, " LIMIT 1");
    sqlite3_finalize(s);
    if (*err == SG_OK) *err = sql->err;
}

static bool orphan_of(sg_apply *a, const sg_table *t, int *err)
{
    int64_t number;
    if (!broken_key(a->r, t, &number, err)) return false;
    sqlite3_stmt *s = NULL;
    sg_buf sql;
    sg_buf_init(&sql, 1 << 20);
    put_query(a->r, t, number, &sql, err);
    sg_sql_prepare(a->r->db, &s, *err == SG_OK ? sg_buf_cstr(&sql) : "", err);
    sg_buf_deinit(&sql);
    bool found = s != NULL && sg_sql_row(s, err);
    sg_buf_clear(&a->key);
    if (found && *err == SG_OK) *err = sg_table_key_of(a->r, t, s, 0, &a->key);
    sqlite3_finalize(s);
    return found && *err == SG_OK;
}

sg_table *sg_orphan_find(sg_apply *a, int *err)
{
    for (size_t i = 0; i < a->r->table_count && *err == SG_OK; i++) {
        sg_table *t = a->r->tables[i];
        if (t->active && !t->missing && orphan_of(a, t, err)) return t;
    }
    return NULL;
}
