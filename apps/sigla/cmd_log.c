#include <string.h>

#include "api.h"
#include "cli.h"
#include "entries.h"
#include "file.h"
#include "show.h"
#include "wire/json.h"

#define TEXT_MAX ((size_t)1 << 20)
#define LIMIT "1000" /* entries asked for: the newest */

static const sg_opt opts[] = {{"json", NULL, "print JSON"}, {0}};

/* ---- what is pending here ---- */

/* A key of several columns is a JSON array, which people may write with other blanks. */
static bool is_key(sg_slice key, sg_slice asked)
{
    sg_json j;
    if (sg_slice_eq(key, asked)) return true;
    if (key.n == 0 || key.p[0] != '[' || asked.n == 0 || asked.p[0] != '[') return false;
    sg_json_init(&j, asked);
    (void)sg_json_skip(&j);
    if (!sg_json_end(&j)) return false;
    sg_json_init(&j, key);
    (void)sg_json_skip(&j);
    return sg_json_end(&j) && sg_json_equal(key, asked);
}

static int put_pending(sqlite3 *db, sg_entries *o, const char *table, const char *key)
{
    int exit_code = SG_EXIT_OK, code;
    static const char doing[] = "cannot read what is pending";
    sqlite3_stmt *stmt = sg_file_prepare(
        db,
        "SELECT CAST(key AS TEXT), json_object('seq', 0, 'at', at, 'op', op, 'actor', json(actor),"
        " 'origin', origin, 'clientId', sigla_config('client'), 'n', n, 'fields', json(fields))"
        " FROM sigla_pending() WHERE \"table\" = ?1 COLLATE NOCASE ORDER BY n DESC",
        doing, &exit_code);
    if (stmt == NULL) return exit_code;
    sg_file_bind_word(stmt, 1, table);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *at = (const char *)sqlite3_column_text(stmt, 0);
        const char *entry = (const char *)sqlite3_column_text(stmt, 1);
        if (at != NULL && entry != NULL && is_key(sg_slice_str(at), sg_slice_str(key)))
            sg_entries_put(o, sg_slice_str(entry), true);
    }
    if (code != SQLITE_DONE) exit_code = sg_file_fail(db, doing);
    (void)sqlite3_finalize(stmt);
    return exit_code;
}

/* What the marks tell: the last write of each field, those of one change together. */
static int put_marks(sqlite3 *db, sg_entries *o, const char *table, const char *key)
{
    int exit_code = SG_EXIT_OK, code;
    static const char doing[] = "cannot read the marks";
    sqlite3_stmt *stmt = sg_file_prepare(
        db,
        "SELECT json_object('seq', seq, 'at', at, 'op', NULL, 'actor', json(actor), 'origin',"
        " origin, 'clientId', client, 'n', n, 'fields',"
        " json_group_object(field, json_object('value', json(value), 'outcome', 'won')))"
        " FROM sigla_marks(?1, " SG_FILE_KEY
        ") WHERE seq > 0 GROUP BY at, client, n ORDER BY at DESC",
        doing, &exit_code);
    if (stmt == NULL) return exit_code;
    sg_file_bind_word(stmt, 1, table);
    sg_file_bind_word(stmt, 2, key);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
        sg_entries_put(o, sg_slice_str((const char *)sqlite3_column_text(stmt, 0)), false);
    if (code != SQLITE_DONE) exit_code = sg_file_fail(db, doing);
    (void)sqlite3_finalize(stmt);
    return exit_code;
}

/* ---- what the server remembers ---- */

/* "/api/v1/apps/todo/history?table=tasks&id=t1". */
static int make_path(sqlite3 *db, sg_buf *path, const char *table, const char *key)
{
    int exit_code = SG_EXIT_OK;
    static const char doing[] = "cannot read the history";
    sqlite3_stmt *stmt = sg_file_prepare(
        db,
        "SELECT value->>'app', value->>'as', sigla_id(?1, " SG_FILE_KEY ")"
        " FROM json_each(sigla_status(), '$.tables') WHERE value->>'name' = ?1 COLLATE NOCASE",
        doing, &exit_code);
    if (stmt == NULL) return exit_code;
    sg_file_bind_word(stmt, 1, table);
    sg_file_bind_word(stmt, 2, key);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        sg_buf_str(path, "/api/v1/apps/");
        sg_api_escape(path, sg_slice_str((const char *)sqlite3_column_text(stmt, 0)));
        sg_buf_str(path, "/history?limit=" LIMIT "&table=");
        sg_api_escape(path, sg_slice_str((const char *)sqlite3_column_text(stmt, 1)));
        sg_buf_str(path, "&id=");
        sg_api_escape(path, sg_slice_of((const char *)sqlite3_column_text(stmt, 2),
                                        (size_t)sqlite3_column_bytes(stmt, 2)));
    } else if (code == SQLITE_DONE) {
        exit_code = sg_fail(SG_EXIT_FAILED, "%s is not tracked", table);
    } else {
        exit_code = sg_file_fail(db, doing);
    }
    (void)sqlite3_finalize(stmt);
    return exit_code;
}

static void put_history(sg_entries *o, sg_slice list)
{
    sg_json j;
    sg_json_init(&j, list);
    (void)sg_json_array(&j);
    while (sg_json_next(&j))
        sg_entries_put(o, sg_json_skip(&j), false);
}

/* Without the server the log is what is here: not an error, but said. */
static void explain_absence(const sg_api_answer *answer)
{
    sg_hint(answer->status == 0 ? "The server cannot be reached (%s)."
                                : "The server does not give the history (%s).",
            answer->why);
    sg_hint("Shown is what this file knows: what is pending, and the last write of each field.");
}

static int put_log(sqlite3 *db, sg_entries *o, const char *table, const char *key)
{
    sg_buf path;
    sg_api_answer answer;
    sg_buf_init(&path, TEXT_MAX);
    int exit_code = make_path(db, &path, table, key);
    const char *text = sg_buf_cstr(&path);
    if (exit_code == SG_EXIT_OK && text == NULL)
        exit_code = sg_fail(SG_EXIT_FAILED, "the key is too long");
    if (exit_code == SG_EXIT_OK) exit_code = put_pending(db, o, table, key);
    if (exit_code == SG_EXIT_OK) {
        sg_slice history;
        sg_api_get(db, text, &answer);
        if (answer.status == 200 &&
            sg_show_member(sg_buf_view(&answer.body), "history", &history)) {
            put_history(o, history);
        } else {
            int64_t before = o->count;
            exit_code = put_marks(db, o, table, key);
            /* Of a record that was never pushed the server rightly knows nothing. */
            if (answer.status != 404 || o->count > before) explain_absence(&answer);
        }
        sg_api_deinit(&answer);
    }
    sg_buf_deinit(&path);
    return exit_code;
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_entries entries;
    bool json = sg_args_has(args, "json");
    int exit_code = sg_file_open_ready(sg_args_word(args, 0), &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_entries_begin(&entries, json);
    exit_code = put_log(db, &entries, sg_args_word(args, 1), sg_args_word(args, 2));
    int err = sg_entries_end(&entries, exit_code == SG_EXIT_OK);
    if (!json && exit_code == SG_EXIT_OK && entries.count == 0) sg_say("Nothing is known of it.");
    sg_file_close(db);
    if (err != SG_OK) return sg_fail(SG_EXIT_FAILED, "the log is incomplete: %s", sg_err_text(err));
    return exit_code;
}

const sg_verb sg_verb_log = {
    .name = "log",
    .words = "FILE TABLE KEY",
    .summary = "the history of a record: who wrote what, and which writes lost",
    .more =
        "Newest first: what is pending here, then what the server remembers. When the server cannot\n"
        "be reached, what is here is shown and the exit code is 0.",
    .examples = "sigla log notes.db tasks t1\n"
                "sigla log notes.db tasks t1 --json",
    .opts = opts,
    .run = run};
