/* The data directory: made for its owner alone, and held by one server at a time. */
#ifndef SG_DATADIR_H
#define SG_DATADIR_H

#include "base/buf.h"
#include "base/err.h"

#define SG_PATH_BYTES_MAX ((size_t)4096)
#define SG_KEY_FILE "server.key"
#define SG_STORE_FILE "sigla.db"
#define SG_LOCK_FILE "lock"

/* Make the directory (0700) if it is missing. SG_IO. */
int sg_datadir_make(const char *dir);
/* dir/name onto out. */
void sg_datadir_path(const char *dir, const char *name, sg_buf *out);
/* Hold the directory until *fd is closed or the process ends. SG_BUSY: somebody holds it. */
int sg_datadir_lock(const char *dir, int *fd);

#endif
