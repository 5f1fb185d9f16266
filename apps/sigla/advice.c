#include "advice.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "file.h"
#include "sigla.h"

void sg_advise_address(sqlite3 *db, const char *path)
{
    sg_buf server;
    sg_buf_init(&server, SG_FILE_TEXT_MAX);
    (void)sg_file_config(db, "server", &server);
    const char *text = sg_buf_cstr(&server);
    if (text != NULL && server.n != 0)
        sg_hint("Is there a Sigla server at %s? For another address: sigla init %s --server URL",
                text, path);
    sg_buf_deinit(&server);
}

static void advise(sqlite3 *db, const char *path, int err)
{
    switch (err) {
    case SIGLA_UNAUTHORIZED:
        sg_hint("Get a new token and give it to the file: sigla init %s --token TOKEN", path);
        break;
    case SIGLA_TOONEW:
        sg_hint("Update the server, or use the older sigla.");
        break;
    case SIGLA_NOTFOUND:
    case SIGLA_BADREQUEST:
    case SIGLA_BADJSON:
        sg_advise_address(db, path);
        break;
    case SIGLA_INTERNAL:
        sg_hint("Ask for more: sigla doctor %s --online", path);
        break;
    default:
        if (sg_exit_of(err) == SG_EXIT_DATABASE) sg_hint("Ask for more: sigla doctor %s", path);
    }
}

int sg_advise_stop(sqlite3 *db, const char *path, int err, const char *why)
{
    if (err == SIGLA_IO && access(path, W_OK) != 0) {
        sg_fail(SG_EXIT_DATABASE, "%s cannot be written", path);
        sg_hint("Check that you may write the file and the directory it is in.");
        return SG_EXIT_DATABASE;
    }
    int exit_code = sg_fail(sg_exit_of(err), "%s", why);
    advise(db, path, err);
    return exit_code;
}

/* What the system has against the directory, or NULL. */
static const char *system_says(const char *dir)
{
    struct stat st;
    if (stat(dir, &st) != 0) return errno == ENOENT ? "it cannot be made there" : strerror(errno);
    if (!S_ISDIR(st.st_mode)) return "it is not a directory";
    return access(dir, R_OK | W_OK | X_OK) == 0 ? NULL : strerror(errno);
}

int sg_advise_data(const char *doing, const char *dir, int err)
{
    const char *why = err == SIGLA_IO ? system_says(dir) : NULL;
    if (err == SIGLA_BUSY) {
        sg_fail(SG_EXIT_FAILED, "another server has the data directory %s", dir);
        sg_hint("Stop that one, or give this one another: --data DIR");
        return SG_EXIT_FAILED;
    }
    int exit_code = SG_EXIT_DATABASE;
    sg_fail(exit_code, "cannot %s in %s: %s", doing, dir, why != NULL ? why : sg_err_text(err));
    if (err == SIGLA_TOONEW) sg_hint("A newer sigla has written it: run that one.");
    if (err == SIGLA_CORRUPT) sg_hint("Restore a copy of the directory.");
    if (why != NULL) sg_hint("Name a directory that you may write: --data DIR");
    return exit_code;
}
