#include "cli.h"
#include "file.h"
#include "rows.h"

static const sg_opt opts[] = {{"json", NULL, "print JSON"}, {0}};

static const sg_col marks[] = {
    {.name = "field", .title = "field", .style = SG_CYAN},
    {.name = "value", .title = "value", .kind = SG_COL_JSON},
    {.name = "at", .title = "written", .kind = SG_COL_TIME, .keep = true},
    {.name = "actor", .title = "by", .kind = SG_COL_ACTOR},
    {.name = "origin", .title = "origin"},
    {.name = "seq", .title = "seq", .right = true, .style = SG_DIM},
    {.name = "client"},
    {.name = "n"}};

#define REST "value, at, actor, origin, seq, client, n FROM sigla_marks(?1, " SG_FILE_KEY ")"
static const char as_json[] = "SELECT field, " REST;
static const char as_table[] = "SELECT coalesce(field, '(deleted)'), " REST;

static int run(const sg_args *args)
{
    sqlite3 *db;
    int exit_code = sg_file_open_ready(sg_args_word(args, 0), &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    bool json = sg_args_has(args, "json");
    exit_code = sg_rows_query(db, json ? as_json : as_table, sg_args_word(args, 1),
                              sg_args_word(args, 2), marks, sizeof marks / sizeof marks[0], json,
                              "cannot read the marks", "There is no such record.");
    sg_file_close(db);
    return exit_code;
}

const sg_verb sg_verb_marks = {
    .name = "marks",
    .words = "FILE TABLE KEY",
    .summary = "who wrote each field of a record, when, and through what",
    .more =
        "KEY is the value of the primary key, a text or a number; of a key with several columns a JSON\n"
        "array of them. A seq of 0 means that the server has not acknowledged the field yet.",
    .examples = "sigla marks notes.db tasks t1\n"
                "sigla marks notes.db seats '[\"A\",12]' --json",
    .opts = opts,
    .run = run};
