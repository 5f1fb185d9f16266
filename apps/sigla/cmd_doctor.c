#include "checks.h"
#include "cli.h"
#include "file.h"

static const sg_opt opts[] = {
    {"online", NULL, "ask the server too"}, {"json", NULL, "print JSON"}, {0}};

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_findings found;
    int exit_code = sg_file_open_ready(sg_args_word(args, 0), &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_findings_begin(&found, sg_args_word(args, 0), sg_args_has(args, "json"));
    sg_check_integrity(db, &found);
    sg_check_tables(db, &found);
    sg_check_triggers(db, &found);
    sg_check_keys(db, &found);
    sg_check_queues(db, &found);
    sg_check_token(db, &found);
    if (sg_args_has(args, "online"))
        sg_check_server(db, &found);
    else
        sg_check_clock(db, &found);
    sg_findings_end(&found);
    sg_file_close(db);
    return found.problems == 0 ? SG_EXIT_OK : SG_EXIT_FAILED;
}

const sg_verb sg_verb_doctor = {
    .name = "doctor",
    .words = "FILE",
    .summary = "look for problems and say what to do about them",
    .more =
        "Checks the file, Sigla's tables and triggers, keys, what waits, and the token; with --online\n"
        "also the server and the clocks. Nothing is changed. Exits with 1 if there is a problem;\n"
        "notes are none.",
    .examples = "sigla doctor notes.db\n"
                "sigla doctor notes.db --online --json",
    .opts = opts,
    .run = run};
