#include "checks.h"

#include <string.h>

#include "core/record.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define NAMED_MAX 5 /* tables or triggers named in one finding */

static const char mend[] = "sigla sync FILE mends it; sigla doctor FILE --repair has it done anew.";
static const char damaged[] = "Sigla's tables are damaged: restore a backup.";

/* ---- asking the database ---- */

/* First column of the first row as an integer, `otherwise` if there is none or the SQL fails. */
static int64_t number(sqlite3 *db, const char *sql, int64_t otherwise)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n = otherwise;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return n;
}

/* The rows' first columns as "a, b, c and more" onto out; how many there are, -1 after an error. */
static int64_t names(sqlite3 *db, const char *sql, sg_buf *out)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n = 0;
    int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW) break;
        if (n++ >= NAMED_MAX) continue;
        if (n > 1) sg_buf_str(out, ", ");
        sg_buf_str(out, (const char *)sqlite3_column_text(stmt, 0));
    }
    if (n > NAMED_MAX) sg_buf_str(out, " and more");
    (void)sqlite3_finalize(stmt);
    return code == SQLITE_DONE ? n : -1;
}

/* A finding of a list of names: fine when there are none. */
static void add_names(sqlite3 *db, sg_findings *f, const char *check, enum sg_finding_state state,
                      const char *sql, const char *what, const char *fine, const char *fix)
{
    sg_buf list;
    sg_buf_init(&list, TEXT_MAX);
    int64_t n = names(db, sql, &list);
    const char *text = sg_buf_cstr(&list);
    if (n < 0 || text == NULL)
        sg_findings_add(f, check, SG_PROBLEM, damaged, "cannot be looked at: %s",
                        sqlite3_errmsg(db));
    else if (n == 0)
        sg_findings_add(f, check, SG_FINE, NULL, "%s", fine);
    else
        sg_findings_add(f, check, state, fix, "%s: %s", what, text);
    sg_buf_deinit(&list);
}

/* ---- the checks ---- */

void sg_check_integrity(sqlite3 *db, sg_findings *f)
{
    sg_buf first;
    sg_buf_init(&first, TEXT_MAX);
    int64_t n = names(db, "PRAGMA integrity_check(10)", &first);
    const char *text = sg_buf_cstr(&first);
    if (n == 1 && text != NULL && strcmp(text, "ok") == 0)
        sg_findings_add(f, "integrity", SG_FINE, NULL, "SQLite finds the file sound");
    else
        sg_findings_add(f, "integrity", SG_PROBLEM,
                        "Copy the file now, then restore a backup or: sqlite3 FILE .recover",
                        "the file is damaged: %s",
                        n > 0 && text != NULL ? text : sqlite3_errmsg(db));
    sg_buf_deinit(&first);
}

void sg_check_tables(sqlite3 *db, sg_findings *f)
{
    int64_t tracked = number(db, "SELECT count(*) FROM sigla_table WHERE active", -1);
    if (tracked == 0) {
        sg_findings_add(f, "tables", SG_NOTE, "sigla track FILE TABLE", "nothing is tracked yet");
        return;
    }
    add_names(db, f, "tables", SG_PROBLEM,
              "SELECT name FROM sigla_table WHERE active AND name NOT IN"
              " (SELECT name COLLATE NOCASE FROM sqlite_schema WHERE type = 'table')",
              "tracked, but gone from the database", "every tracked table is there",
              "Create the table again, or: sigla untrack FILE TABLE");
}

void sg_check_triggers(sqlite3 *db, sg_findings *f)
{
    /* The fixed ones of each table, one for every column that travels, and one for the key and each
     * UNIQUE index, through which a REPLACE may take other rows away. */
    add_names(
        db, f, "triggers", SG_PROBLEM,
        "SELECT t.name || ' (' || k.column1 || ')' FROM sigla_table t,"
        " (VALUES ('insert'), ('before'), ('touch'), ('delete')) k"
        " WHERE t.active AND EXISTS (SELECT 1 FROM pragma_table_info(t.name)) AND NOT EXISTS"
        " (SELECT 1 FROM sqlite_schema s WHERE s.type = 'trigger' AND s.tbl_name = t.name"
        "  COLLATE NOCASE AND s.name = 'sigla_' || k.column1 || '_' || t.id)"
        " UNION ALL "
        "SELECT t.name || '.' || c.name FROM sigla_table t, pragma_table_xinfo(t.name) c"
        " WHERE t.active AND c.hidden = 0 AND c.pk = 0 AND NOT EXISTS"
        " (SELECT 1 FROM json_each(t.options, '$.local') l WHERE l.value = c.name COLLATE NOCASE)"
        " AND NOT EXISTS (SELECT 1 FROM sqlite_schema s WHERE s.type = 'trigger' AND s.tbl_name ="
        "  t.name COLLATE NOCASE AND s.name GLOB 'sigla_update_*' AND instr(s.sql,"
        "  'UPDATE OF \"' || replace(c.name, '\"', '\"\"') || '\"') > 0)"
        " UNION ALL "
        "SELECT t.name || ' (REPLACE)' FROM sigla_table t WHERE t.active"
        " AND EXISTS (SELECT 1 FROM pragma_table_info(t.name)) AND"
        " (SELECT count(*) FROM sqlite_schema s WHERE s.type = 'trigger' AND"
        "  s.name GLOB 'sigla_move_' || t.id || '_*') <"
        " 1 + (SELECT count(*) FROM pragma_index_list(t.name) i WHERE i.\"unique\" AND"
        "  i.origin <> 'pk')",
        "changes are not captured for", "every change of a tracked table is captured",
        "sigla track FILE TABLE makes them anew");
}

void sg_check_keys(sqlite3 *db, sg_findings *f)
{
    add_names(db, f, "keys", SG_NOTE,
              "SELECT t.name FROM sigla_table t WHERE t.active AND 1 ="
              " (SELECT count(*) FROM pragma_table_info(t.name) c WHERE c.pk > 0) AND EXISTS"
              " (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.pk = 1 AND upper(c.type) ="
              "  'INTEGER') AND NOT EXISTS (SELECT 1 FROM pragma_table_list l WHERE l.name = t.name"
              "  COLLATE NOCASE AND l.wr)",
              "two devices that insert offline may choose the same number in",
              "no table's keys are numbers handed out by each device",
              "Give new rows keys that are the same nowhere else, such as text UUIDs.");
}

/* Whose records' marks cannot be read? */
static void add_damaged(sqlite3 *db, sg_findings *f, sqlite3_stmt *stmt)
{
    sg_record record;
    int64_t n = 0;
    int code, err = SG_OK;
    sg_record_init(&record);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && err != SG_NOMEM) {
        sg_slice packed =
            sg_slice_of(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        sg_record_clear(&record);
        err = sg_record_unpack(&record, packed);
        n += err != SG_OK;
    }
    sg_record_deinit(&record);
    if (code != SQLITE_DONE)
        sg_findings_add(f, "marks", SG_PROBLEM, damaged, "cannot be looked at: %s",
                        code == SQLITE_ROW ? sg_err_text(err) : sqlite3_errmsg(db));
    else if (n != 0)
        sg_findings_add(f, "marks", SG_PROBLEM, mend, "those of %lld record%s are damaged",
                        (long long)n, n == 1 ? "" : "s");
    else
        sg_findings_add(f, "marks", SG_FINE, NULL, "every record's can be read");
}

void sg_check_marks(sqlite3 *db, sg_findings *f)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, "SELECT m FROM sigla_rec", -1, &stmt, NULL) == SQLITE_OK)
        add_damaged(db, f, stmt);
    else
        sg_findings_add(f, "marks", SG_PROBLEM, damaged, "cannot be looked at: %s",
                        sqlite3_errmsg(db));
    (void)sqlite3_finalize(stmt);
}

/* What waits of one kind: how it is counted, and what to call one, many and none. */
typedef struct queue {
    const char *check;
    enum sg_finding_state state; /* if there is any */
    const char *sql;
    const char *one, *many, *none;
    const char *fix;
} queue;

static const queue queues[] = {
    {"pending", SG_NOTE, "SELECT count(*) FROM sigla_pending()", "change waits to be pushed",
     "changes wait to be pushed", "everything is pushed", "sigla sync FILE"},
    {"refused", SG_PROBLEM, "SELECT count(*) FROM sigla_refused()",
     "change was refused by the server", "changes were refused by the server",
     "nothing was refused by the server", "sigla refused FILE, then sigla retry FILE"},
    {"parked", SG_PROBLEM, "SELECT count(*) FROM sigla_parked()",
     "record is kept out by this database's own rules",
     "records are kept out by this database's own rules", "every record that came is in its table",
     "sigla parked FILE"},
    {"conflicts", SG_NOTE, "SELECT count(*) FROM sigla_conflicts()",
     "value of yours was overwritten unseen", "values of yours were overwritten unseen",
     "nothing of yours was overwritten unseen",
     "sigla conflicts FILE, then sigla restore or sigla dismiss"}};

void sg_check_queues(sqlite3 *db, sg_findings *f)
{
    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++) {
        const queue *q = &queues[i];
        int64_t n = number(db, q->sql, -1);
        if (n < 0)
            sg_findings_add(f, q->check, SG_PROBLEM, damaged, "cannot be counted: %s",
                            sqlite3_errmsg(db));
        else if (n == 0)
            sg_findings_add(f, q->check, SG_FINE, NULL, "%s", q->none);
        else
            sg_findings_add(f, q->check, q->state, q->fix, "%lld %s", (long long)n,
                            n == 1 ? q->one : q->many);
    }
}
