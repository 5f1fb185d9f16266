#include <string.h>

#include "cli.h"
#include "file.h"
#include "rows.h"

#define RESULT_MAX ((size_t)64 * 1024)

static const sg_opt opts[] = {{"json", NULL, "print JSON"}, {0}};
static const sg_opt no_opts[] = {{0}};

static const sg_col conflicts[] = {
    {.name = "id", .title = "id", .right = true, .keep = true, .style = SG_BOLD},
    {.name = "table", .title = "table", .style = SG_CYAN},
    {.name = "key", .title = "key"},
    {.name = "field", .title = "field", .style = SG_CYAN},
    {.name = "kind", .title = "kind"},
    {.name = "wasLocal", .title = "you wrote", .kind = SG_COL_JSON, .style = SG_GREEN},
    {.name = "nowServer", .title = "now", .kind = SG_COL_JSON, .style = SG_YELLOW},
    {.name = "localAt", .kind = SG_COL_TIME},
    {.name = "serverAt", .title = "written", .kind = SG_COL_TIME, .keep = true},
    {.name = "localActor", .kind = SG_COL_ACTOR},
    {.name = "serverActor", .title = "by", .kind = SG_COL_ACTOR},
    {.name = "serverOrigin"},
    {.name = "raisedAt", .kind = SG_COL_TIME}};

static int run_conflicts(const sg_args *args)
{
    sqlite3 *db;
    const char *path = sg_args_word(args, 0);
    bool json = sg_args_has(args, "json");
    int exit_code = sg_file_open_ready(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    exit_code = sg_rows_query(db,
                              "SELECT id, \"table\", key, field, kind, wasLocal, nowServer,"
                              " localAt, serverAt, localActor, serverActor, serverOrigin, raisedAt"
                              " FROM sigla_conflicts()",
                              NULL, NULL, conflicts, sizeof conflicts / sizeof conflicts[0], json,
                              "cannot list the conflicts",
                              "No conflicts: nothing you wrote was overwritten unseen.");
    sg_file_close(db);
    return exit_code;
}

/* Each id on its own: one that fails does not keep the others from being done. */
static int for_each_id(const sg_args *args, const char *sql, const char *doing, const char *done)
{
    sqlite3 *db;
    sg_buf ignored;
    const char *id;
    int worst = sg_file_open_ready(sg_args_word(args, 0), &db);
    if (worst != SG_EXIT_OK) return worst;
    sg_buf_init(&ignored, RESULT_MAX);
    for (size_t i = 1; (id = sg_args_word(args, i)) != NULL; i++) {
        int exit_code = SG_EXIT_USAGE;
        if (id[strspn(id, "0123456789")] != '\0')
            sg_fail(exit_code, "%s is no conflict's id: sigla conflicts %s lists them", id,
                    sg_args_word(args, 0));
        else
            exit_code = sg_file_text(db, &ignored, doing, sql, id, NULL);
        if (exit_code == SG_EXIT_OK) sg_say("%s %s", done, id);
        if (exit_code > worst) worst = exit_code;
    }
    sg_buf_deinit(&ignored);
    sg_file_close(db);
    return worst;
}

static int run_restore(const sg_args *args)
{
    int exit_code = for_each_id(args, "SELECT sigla_restore(CAST(?1 AS INTEGER))",
                                "cannot restore it", "restored");
    if (exit_code == SG_EXIT_OK) sg_hint("Tell the others: sigla sync %s", sg_args_word(args, 0));
    return exit_code;
}

static int run_dismiss(const sg_args *args)
{
    return for_each_id(args, "SELECT sigla_dismiss(CAST(?1 AS INTEGER))", "cannot dismiss it",
                       "dismissed");
}

const sg_verb sg_verb_conflicts = {
    .name = "conflicts",
    .words = "FILE",
    .summary = "what a person wrote here and somebody overwrote without having seen it",
    .more = "Listed is what has been neither restored nor dismissed.",
    .examples = "sigla conflicts notes.db\n"
                "sigla restore notes.db 3\n"
                "sigla conflicts notes.db --json",
    .opts = opts,
    .run = run_conflicts};

const sg_verb sg_verb_restore = {.name = "restore",
                                 .words = "FILE ID [ID...]",
                                 .summary =
                                     "write back what a conflict overwrote, as an edit of now",
                                 .examples = "sigla restore notes.db 3",
                                 .opts = no_opts,
                                 .run = run_restore};

const sg_verb sg_verb_dismiss = {.name = "dismiss",
                                 .words = "FILE ID [ID...]",
                                 .summary = "leave a conflict as it is and stop listing it",
                                 .examples = "sigla dismiss notes.db 3 4",
                                 .opts = no_opts,
                                 .run = run_dismiss};
