/* Sigla's own tables: are all there, and can what waits be read? */
#include "checks.h"

#include "replica/ops.h"
#include "replica/schema.h"

static const char damaged[] = "Sigla's tables are damaged: restore a backup.";
static const char sent_anew[] =
    "Restore a backup; or begin a new replica: what it had pushed comes from the server.";

/* ---- the schema ---- */

static bool has(sqlite3 *db, const char *name, bool *there)
{
    sqlite3_stmt *stmt = NULL;
    int code =
        sqlite3_prepare_v2(db, "SELECT 1 FROM main.sqlite_schema WHERE name = ?1", -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        code = sqlite3_step(stmt);
    }
    *there = code == SQLITE_ROW;
    (void)sqlite3_finalize(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

/* What a new database has, and this one has not, onto `missing`. */
static int compare(sqlite3 *db, sqlite3 *made, sg_buf *missing, int *count)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_exec(made, sg_schema_sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(
            made, "SELECT name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name", -1, &stmt,
            NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW) break;
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        bool there = false;
        if (name == NULL || !has(db, name, &there)) code = SQLITE_ERROR;
        if (code != SQLITE_ROW || there) continue;
        if ((*count)++ != 0) sg_buf_str(missing, ", ");
        sg_buf_str(missing, name);
    }
    (void)sqlite3_finalize(stmt);
    return code;
}

void sg_check_own(sqlite3 *db, sg_findings *f)
{
    sg_buf missing;
    sqlite3 *made = NULL;
    int count = 0;
    sg_buf_init(&missing, 4096);
    int code = sqlite3_open(":memory:", &made);
    if (code == SQLITE_OK) code = compare(db, made, &missing, &count);
    const char *text = sg_buf_cstr(&missing);
    if (code != SQLITE_DONE || text == NULL)
        sg_findings_add(f, "own", SG_PROBLEM, damaged, "cannot be looked at: %s",
                        sqlite3_errmsg(db));
    else if (count != 0)
        sg_findings_add(f, "own", SG_PROBLEM, damaged, "missing: %s", text);
    else
        sg_findings_add(f, "own", SG_FINE, NULL, "all of Sigla's own tables are there");
    (void)sqlite3_close(made);
    sg_buf_deinit(&missing);
}

/* ---- the outbox ---- */

static bool is_sound(sg_slice bytes, int64_t count)
{
    sg_ops ops = sg_ops_of(bytes);
    sg_packed_op op;
    sg_op_field field;
    int64_t n = 0;
    for (; sg_ops_next(&ops, &op); n++) {
        while (sg_op_next_field(&op, &field))
            continue;
        if (op.fields.err != SG_OK) return false;
    }
    return ops.in.err == SG_OK && n == count;
}

void sg_check_outbox(sqlite3 *db, sg_findings *f)
{
    sqlite3_stmt *stmt = NULL;
    int64_t rows = 0, broken = 0, first = 0;
    int code =
        sqlite3_prepare_v2(db, "SELECT n, cnt, ops FROM sigla_outbox ORDER BY n", -1, &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW) break;
        rows++;
        sg_slice ops =
            sg_slice_of(sqlite3_column_blob(stmt, 2), (size_t)sqlite3_column_bytes(stmt, 2));
        if (is_sound(ops, sqlite3_column_int64(stmt, 1))) continue;
        if (broken++ == 0) first = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    if (code != SQLITE_DONE)
        sg_findings_add(f, "outbox", SG_PROBLEM, damaged, "cannot be looked at: %s",
                        sqlite3_errmsg(db));
    else if (broken != 0)
        sg_findings_add(f, "outbox", SG_PROBLEM, sent_anew,
                        "%lld of %lld rows that wait cannot be read, from change %lld on",
                        (long long)broken, (long long)rows, (long long)first);
    else
        sg_findings_add(f, "outbox", SG_FINE, NULL, "every change that waits can be read");
}
