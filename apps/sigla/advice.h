/* Why something cannot go on, and what its user can do about it. */
#ifndef SG_ADVICE_H
#define SG_ADVICE_H

#include <sqlite3.h>

/* Say that the sync of path has stopped with err, and the fix; the exit code. */
int sg_advise_stop(sqlite3 *db, const char *path, int err, const char *why);
/* A line that names the server's address and how to change it. */
void sg_advise_address(sqlite3 *db, const char *path);
/* Say that a server's data directory cannot be used for `doing`; the exit code. */
int sg_advise_data(const char *doing, const char *dir, int err);

#endif
