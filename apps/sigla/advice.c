#include "advice.h"

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
