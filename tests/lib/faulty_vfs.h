/*
 * A VFS that makes write N fail, of all writes, syncs, truncations and deletions on its files: a
 * full or broken disk, or the last moments before a crash. Everything else is done by the default
 * VFS.
 *
 * One counter for the process; not for threads.
 */
#ifndef SG_TESTS_FAULTY_VFS_H
#define SG_TESTS_FAULTY_VFS_H

#include <stdbool.h>
#include <sqlite3.h>

#define FAULTY_VFS "faulty"

/* Make it known to SQLite; harmless when done before. */
int faulty_vfs_register(void);
/* Let the n-th write from now fail with that code, and all after it if `dead`. 0: none. */
void faulty_vfs_fail_at(int n, int code, bool dead);
/* Did it? */
bool faulty_vfs_failed(void);

#endif
