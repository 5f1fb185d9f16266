#include "replica/trackable.h"

#include <strings.h>

static bool begins(sg_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && strncasecmp(s.p, with, n) == 0;
}

static int refuse_kind(sg_replica *r, sg_slice name, const char *schema, const char *type)
{
    if (strcmp(schema, "temp") == 0)
        return sg_replica_fail(r, SG_SCHEMA,
                               "\"%.*s\" is in the database \"temp\", which ends with the "
                               "connection: only tables of the main database can be tracked",
                               (int)name.n, name.p);
    if (strcmp(schema, "main") != 0)
        return sg_replica_fail(
            r, SG_SCHEMA,
            "\"%.*s\" is in the database \"%s\": only tables of the main database "
            "can be tracked; open that file as a database of its own",
            (int)name.n, name.p, schema);
    if (strcmp(type, "table") != 0)
        return sg_replica_fail(
            r, SG_SCHEMA, "\"%.*s\" is a %s%s: only ordinary tables can be tracked", (int)name.n,
            name.p, type, strcmp(type, "view") == 0 ? "" : " table");
    return SG_OK;
}

static int refuse_unknown(sg_replica *r, sg_slice name)
{
    if (begins(name, "main."))
        return sg_replica_fail(r, SG_SCHEMA, "\"%.*s\": name the table alone, without \"main.\"",
                               (int)name.n, name.p);
    if (memchr(name.p, '.', name.n) != NULL)
        return sg_replica_fail(
            r, SG_SCHEMA,
            "\"%.*s\": only tables of the main database can be tracked; open the "
            "attached file as a database of its own",
            (int)name.n, name.p);
    return sg_replica_fail(r, SG_SCHEMA, "there is no table \"%.*s\": create it first", (int)name.n,
                           name.p);
}

int sg_trackable_name(sg_replica *r, sg_slice name)
{
    if (begins(name, "sigla_") || begins(name, "sqlite_"))
        return sg_replica_fail(r, SG_SCHEMA, "\"%.*s\" is not a table of yours", (int)name.n,
                               name.p);
    sqlite3_stmt *s = NULL;
    int err = SG_OK;
    sg_sql_prepare(r->db, &s,
                   "SELECT schema,type,name FROM pragma_table_list WHERE name=?1 COLLATE NOCASE "
                   "ORDER BY schema<>'temp',schema<>'main'",
                   &err);
    if (err == SG_OK) sg_sql_bind_text(s, 1, name);
    if (sg_sql_row(s, &err)) {
        err = refuse_kind(r, name, (const char *)sqlite3_column_text(s, 0),
                          (const char *)sqlite3_column_text(s, 1));
    } else if (err == SG_OK) {
        err = refuse_unknown(r, name);
    }
    sqlite3_finalize(s);
    return err;
}

static int check_names(sg_replica *r, const sg_table *t)
{
    for (size_t i = 0; i < t->column_count; i++)
        if (strlen(t->columns[i].name) > SG_NAME_MAX)
            return sg_replica_fail(
                r, SG_LIMIT,
                "\"%s\" has a column whose name is longer than %d bytes: make it "
                "local",
                t->name, SG_NAME_MAX);
    if (strlen(t->wire) > SG_NAME_MAX)
        return sg_replica_fail(r, SG_LIMIT,
                               "the name of the table is longer than %d bytes: give it {\"as\":…}",
                               SG_NAME_MAX);
    return SG_OK;
}

int sg_trackable_table(sg_replica *r, const sg_table *t)
{
    if (t == NULL) return SG_INTERNAL;
    if (t->wide)
        return sg_replica_fail(r, SG_LIMIT, "\"%s\" has more than %d columns: keep some local",
                               t->name, SG_COLUMNS_MAX);
    if (t->missing)
        return sg_replica_fail(
            r, SG_SCHEMA,
            "\"%s\" has no PRIMARY KEY, or one of more than %d columns: a record "
            "needs an identity that is the same on every device; add one, such "
            "as a UUID",
            t->name, SG_KEY_COLUMNS_MAX);
    if (t->id > SG_TABLE_ID_MAX)
        return sg_replica_fail(r, SG_LIMIT, "this database has tracked more than %u tables",
                               SG_TABLE_ID_MAX);
    return check_names(r, t);
}
