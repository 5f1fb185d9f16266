#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "file.h"
#include "rows.h"

#define SCRIPT_MAX ((size_t)64 << 20) /* bytes of SQL from standard input */

static const sg_opt opts[] = {{"json", NULL, "print rows as JSON"}, {0}};

static int print_rows(sqlite3 *db, sqlite3_stmt *stmt, bool json)
{
    size_t n = (size_t)sqlite3_column_count(stmt);
    sg_col *cols = sg_zalloc(n * sizeof *cols);
    if (cols == NULL) return sg_fail(SG_EXIT_FAILED, "memory ran out");
    for (size_t i = 0; i < n; i++)
        cols[i].name = cols[i].title = sqlite3_column_name(stmt, (int)i);
    int exit_code = sg_rows_print(db, stmt, cols, n, json, "the SQL failed", NULL);
    sg_free(cols);
    return exit_code;
}

static int run_one(sqlite3 *db, sqlite3_stmt *stmt, bool json)
{
    if (sqlite3_column_count(stmt) != 0) return print_rows(db, stmt, json);
    int code = sqlite3_step(stmt);
    return code == SQLITE_DONE ? SG_EXIT_OK : sg_file_fail(db, "the SQL failed");
}

static int run_script(sqlite3 *db, const char *sql, bool json)
{
    int exit_code = SG_EXIT_OK;
    while (exit_code == SG_EXIT_OK && *sql != '\0') {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, &sql) != SQLITE_OK)
            exit_code = sg_file_fail(db, "the SQL failed");
        else if (stmt != NULL) /* NULL: only blanks or a comment */
            exit_code = run_one(db, stmt, json);
        (void)sqlite3_finalize(stmt);
    }
    if (sqlite3_get_autocommit(db)) return exit_code;
    sg_hint("The transaction was not committed, so nothing in it was changed.");
    return exit_code != SG_EXIT_OK ? exit_code : SG_EXIT_FAILED;
}

static const char *read_script(sg_buf *out)
{
    char block[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, block, sizeof block)) > 0)
        sg_buf_put(out, block, (size_t)n);
    return n == 0 ? sg_buf_cstr(out) : NULL;
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_buf input;
    int exit_code = sg_file_open(sg_args_word(args, 0), false, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_buf_init(&input, SCRIPT_MAX);
    const char *sql = sg_args_word(args, 1);
    if (sql == NULL) sql = read_script(&input);
    exit_code = sql != NULL ? run_script(db, sql, sg_args_has(args, "json"))
                            : sg_fail(SG_EXIT_FAILED, "cannot read the SQL from standard input");
    sg_buf_deinit(&input);
    sg_file_close(db);
    return exit_code;
}

const sg_verb sg_verb_sql = {
    .name = "sql",
    .words = "FILE [SQL]",
    .summary = "run SQL with Sigla loaded, so that tracked tables can be written",
    .more =
        "Several statements may follow each other; the first error ends it. Without SQL it is read\n"
        "from standard input.",
    .examples = "sigla sql notes.db \"INSERT INTO tasks(id, title) VALUES ('t1', 'Buy tea')\"\n"
                "sigla sql notes.db \"SELECT * FROM tasks\" --json\n"
                "sigla sql notes.db < import.sql",
    .opts = opts,
    .run = run};
