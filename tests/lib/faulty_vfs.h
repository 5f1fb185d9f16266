/*
 * A VFS in which operation N of some kinds fails: a full or broken disk, a process without file
 * descriptors, or the last moments before a crash. Everything else is done by the default VFS, but
 * nothing is ever synced: no test pulls the plug.
 *
 * One counter for the process.
 */
#ifndef SG_TESTS_FAULTY_VFS_H
#define SG_TESTS_FAULTY_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <sqlite3.h>

#define FAULTY_VFS "faulty"

enum faulty_op {
    FAULTY_READ = 1,
    FAULTY_WRITE = 2, /* or truncate */
    FAULTY_SYNC = 4,
    FAULTY_DELETE = 8,
    FAULTY_OPEN = 16, /* or map a WAL's index */
    FAULTY_CHANGE = FAULTY_WRITE | FAULTY_SYNC | FAULTY_DELETE
};

/* Make it known to SQLite; harmless when done before. */
int faulty_vfs_register(void);
/* And make it the one that is used where none is named. */
int faulty_vfs_register_default(void);
/* Let the n-th change from now fail, a write with that code, and all after it if `dead`. 0: none. */
void faulty_vfs_fail_at(int n, int code, bool dead);
/* The same with the code as it is, of operations of these kinds. How many of them there were since
 * the last call; none are counted while n is 0. */
size_t faulty_vfs_set(unsigned ops, size_t n, bool dead);
/* Did it? */
bool faulty_vfs_failed(void);

#endif
