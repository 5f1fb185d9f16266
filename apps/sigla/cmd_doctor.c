#include "checks.h"
#include "cli.h"
#include "file.h"

static const sg_opt opts[] = {
    {"online", NULL, "ask the server too"}, {"json", NULL, "print JSON"}, {0}};

static void check(sqlite3 *db, sg_findings *found, bool online)
{
    sg_check_tables(db, found);
    sg_check_triggers(db, found);
    sg_check_keys(db, found);
    sg_check_marks(db, found);
    sg_check_queues(db, found);
    sg_check_token(db, found);
    if (online)
        sg_check_server(db, found);
    else
        sg_check_clock(db, found);
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_findings found;
    const char *path = sg_args_word(args, 0);
    int exit_code = sg_file_open_plain(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_findings_begin(&found, path, sg_args_has(args, "json"));
    sg_check_integrity(db, &found);
    /* A file that SQLite finds damaged is not for Sigla to work on. */
    if (found.problems == 0) exit_code = sg_file_ready(db, path);
    if (found.problems == 0 && exit_code == SG_EXIT_OK)
        check(db, &found, sg_args_has(args, "online"));
    sg_findings_end(&found);
    sg_file_close(db);
    return found.problems == 0 ? exit_code : SG_EXIT_FAILED;
}

const sg_verb sg_verb_doctor = {
    .name = "doctor",
    .words = "FILE",
    .summary = "look for problems and say what to do about them",
    .more =
        "Checks the file, Sigla's tables and triggers, keys, marks, what waits, and the token; with --online\n"
        "also the server and the clocks. Nothing is changed. Exits with 1 if there is a problem;\n"
        "notes are none.",
    .examples = "sigla doctor notes.db\n"
                "sigla doctor notes.db --online --json",
    .opts = opts,
    .run = run};
