#include <sys/stat.h>

#include "checks.h"
#include "cli.h"
#include "file.h"

static const sg_opt opts[] = {
    {"online", NULL, "ask the server too"},
    {"repair", NULL, "have the next sync put every table right by what the server holds"},
    {"json", NULL, "print JSON"},
    {0}};

static void check(sqlite3 *db, sg_findings *found, bool online)
{
    sg_check_own(db, found);
    sg_check_tables(db, found);
    sg_check_triggers(db, found);
    sg_check_keys(db, found);
    sg_check_marks(db, found);
    sg_check_sums(db, found);
    sg_check_outbox(db, found);
    sg_check_queues(db, found);
    sg_check_token(db, found);
    if (online)
        sg_check_server(db, found);
    else
        sg_check_clock(db, found);
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int run_on_data(const sg_args *args)
{
    sg_findings found;
    const char *path = sg_args_word(args, 0);
    sg_findings_begin(&found, path, sg_args_has(args, "json"));
    sg_check_data(path, sg_args_has(args, "repair"), &found);
    sg_findings_end(&found);
    return found.problems == 0 ? SG_EXIT_OK : SG_EXIT_FAILED;
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_findings found;
    const char *path = sg_args_word(args, 0);
    if (is_directory(path)) return run_on_data(args);
    int exit_code = sg_file_open_plain(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_findings_begin(&found, path, sg_args_has(args, "json"));
    sg_check_integrity(db, &found);
    /* A file that SQLite finds damaged is not for Sigla to work on. */
    if (found.problems == 0) exit_code = sg_file_ready(db, path);
    if (found.problems == 0 && exit_code == SG_EXIT_OK) {
        check(db, &found, sg_args_has(args, "online"));
        if (sg_args_has(args, "repair")) sg_check_repair(db, &found);
    }
    sg_findings_end(&found);
    sg_file_close(db);
    return found.problems == 0 ? exit_code : SG_EXIT_FAILED;
}

const sg_verb sg_verb_doctor = {
    .name = "doctor",
    .words = "FILE",
    .summary = "look for problems and say what to do about them",
    .more =
        "Checks the file, Sigla's tables and triggers, keys, marks, what each table holds against what\n"
        "the server said at the last sync, what waits, and the token; with --online also the server and\n"
        "the clocks. Exits with 1 if there is a problem; notes are none. A table that differs from the\n"
        "server's is mended by the next sync by itself; --repair has that done for all tables. What is\n"
        "not pushed yet stays; what is replaced is kept in sigla_conflicts(1).\n"
        "Of a server's data directory, while it is stopped, it checks that the sums it sends are those\n"
        "of its records; --repair counts them anew.",
    .examples = "sigla doctor notes.db\n"
                "sigla doctor notes.db --online --json",
    .opts = opts,
    .run = run};
