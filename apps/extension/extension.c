/* The loadable extension: build/sigla.so, entry point sqlite3_sigla_init. */
#include "replica/sql.h"

SQLITE_EXTENSION_INIT1

#include "sigla.h"

SIGLA_API int sqlite3_sigla_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

int sqlite3_sigla_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    int err = sigla_register(db);
    if (err == SIGLA_OK) return SQLITE_OK;
    if (message != NULL) *message = sqlite3_mprintf("sigla: %s", sigla_error_text(err));
    return err == SIGLA_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}
