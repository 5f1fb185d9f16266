#include <string.h>

#include "cli.h"
#include "file.h"

static const sg_opt opts[] = {{0}};

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_buf count;
    const char *path = sg_args_word(args, 0), *n = sg_args_word(args, 1);
    if (n != NULL && (n[0] == '\0' || n[strspn(n, "0123456789")] != '\0'))
        return sg_fail(SG_EXIT_USAGE, "N is the number of a refused change: sigla refused %s",
                       path);
    int exit_code = sg_file_open_ready(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_buf_init(&count, 4096);
    exit_code = sg_file_text(
        db, &count, "cannot queue it again",
        n != NULL ? "SELECT sigla_retry(CAST(?1 AS INTEGER))" : "SELECT sigla_retry()", n, NULL);
    if (exit_code == SG_EXIT_OK) sg_say("queued again; push it: sigla sync %s", path);
    sg_buf_deinit(&count);
    sg_file_close(db);
    return exit_code;
}

const sg_verb sg_verb_retry = {.name = "retry",
                               .words = "FILE [N]",
                               .summary = "queue refused changes again, all or number N",
                               .examples = "sigla retry notes.db\n"
                                           "sigla retry notes.db 17",
                               .opts = opts,
                               .run = run};
