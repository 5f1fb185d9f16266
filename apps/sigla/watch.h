/* sigla sync --watch: stays connected and follows what happens here and there until it is ended. */
#ifndef SG_WATCH_H
#define SG_WATCH_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "sigla.h"

#define SG_WATCH_LOOK_MS 200 /* how often another connection's commits are looked for */

/* Until a signal (SG_EXIT_OK) or an error that waiting does not cure. */
int sg_watch_run(sqlite3 *db, sigla_session *session, const char *path, int64_t silence_ms,
                 bool json);

#endif
