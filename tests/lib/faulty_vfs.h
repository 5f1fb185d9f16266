/*
 * A VFS that makes write N fail, of all writes, syncs, truncations and deletions on its files: a
 * full or broken disk, or the last moments before a crash. Everything else is done by the default
 * VFS.
 *
 * One counter for the process.
 */
#ifndef SG_TESTS_FAULTY_VFS_H
#define SG_TESTS_FAULTY_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sqlite3.h>

#define FAULTY_VFS "faulty"

/* Make it known to SQLite; harmless when done before. */
int faulty_vfs_register(void);
/* And make it the one that is used where none is named. */
int faulty_vfs_register_default(void);
/* Let the n-th write from now fail with that code, and all after it if `dead`. 0: none. */
void faulty_vfs_fail_at(int n, int code, bool dead);
/* The same with the code as it is. How many writes there were since the last call; none are
 * counted while n is 0. */
size_t faulty_vfs_set(size_t n, bool dead);
/* Did it? */
bool faulty_vfs_failed(void);

#endif
