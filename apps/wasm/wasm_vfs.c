/*
 * SQLite's files in a JavaScript host: a VFS over the calls of wasm_host.h.
 *
 * There are no locks: the host gives a file to one module at a time (an OPFS access handle is
 * exclusive by nature), and the module has one thread. There is no shared memory either, so
 * write-ahead logging works with `PRAGMA locking_mode = EXCLUSIVE` set first. Temporary files do
 * not occur: SQLite is built to keep them in memory (wasm.mk).
 */
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wasm_host.h"

#define VFS_NAME_MAX 512              /* bytes of a file's name */
#define VFS_SECTOR 4096               /* bytes a host writes at least */
#define VFS_RANDOM_CHUNK 256          /* bytes getentropy gives at most */
#define UNIX_EPOCH_MS 210866760000000 /* 1970 in SQLite's milliseconds since -4713-11-24 12:00 */

typedef struct wasm_file {
    sqlite3_file base;
    int file; /* the host's number */
} wasm_file;

static int file_of(sqlite3_file *f)
{
    return ((wasm_file *)f)->file;
}

static int io_close(sqlite3_file *f)
{
    return file_close(file_of(f)) < 0 ? SQLITE_IOERR_CLOSE : SQLITE_OK;
}

static int io_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 offset)
{
    int got = file_read(file_of(f), bytes, n, (double)offset);
    if (got < 0) return SQLITE_IOERR_READ;
    if (got == n) return SQLITE_OK;
    /* SQLite relies on the rest being zero. */
    memset((char *)bytes + got, 0, (size_t)(n - got));
    return SQLITE_IOERR_SHORT_READ;
}

static int io_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 offset)
{
    int rc = file_write(file_of(f), bytes, n, (double)offset);
    if (rc == FILE_FULL) return SQLITE_FULL;
    return rc < 0 ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int io_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = file_truncate(file_of(f), (double)size);
    if (rc == FILE_FULL) return SQLITE_FULL;
    return rc < 0 ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int io_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    return file_sync(file_of(f)) < 0 ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int io_size(sqlite3_file *f, sqlite3_int64 *size)
{
    double bytes = file_size(file_of(f));
    if (bytes < 0) return SQLITE_IOERR_FSTAT;
    *size = (sqlite3_int64)bytes;
    return SQLITE_OK;
}

static int io_lock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}

static int io_check_reserved(sqlite3_file *f, int *reserved)
{
    (void)f;
    *reserved = 0;
    return SQLITE_OK;
}

static int io_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int io_sector_size(sqlite3_file *f)
{
    (void)f;
    return VFS_SECTOR;
}

static int io_characteristics(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static const sqlite3_io_methods io_methods = {
    .iVersion = 1,
    .xClose = io_close,
    .xRead = io_read,
    .xWrite = io_write,
    .xTruncate = io_truncate,
    .xSync = io_sync,
    .xFileSize = io_size,
    .xLock = io_lock,
    .xUnlock = io_lock,
    .xCheckReservedLock = io_check_reserved,
    .xFileControl = io_control,
    .xSectorSize = io_sector_size,
    .xDeviceCharacteristics = io_characteristics,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    wasm_file *w = (wasm_file *)f;
    (void)vfs;
    w->base.pMethods = NULL;
    if (name == NULL) return SQLITE_CANTOPEN;
    w->file = file_open(name, (flags & SQLITE_OPEN_CREATE) != 0);
    if (w->file < 0) return SQLITE_CANTOPEN;
    w->base.pMethods = &io_methods;
    if (out_flags != NULL) *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    (void)sync_folder;
    return file_delete(name) < 0 ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *yes)
{
    (void)vfs;
    (void)flags;
    *yes = file_exists(name) > 0;
    return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int max, char *out)
{
    size_t n = strlen(name);
    (void)vfs;
    if (n >= (size_t)max) return SQLITE_CANTOPEN;
    memcpy(out, name, n + 1);
    return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    for (int done = 0; done < n; done += VFS_RANDOM_CHUNK) {
        int chunk = n - done < VFS_RANDOM_CHUNK ? n - done : VFS_RANDOM_CHUNK;
        if (getentropy(out + done, (size_t)chunk) != 0) return done;
    }
    return n;
}

/* Nobody else can hold a lock, so there is nothing to wait for. */
static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    (void)us;
    return 0;
}

static int vfs_now_ms(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
    struct timespec t;
    (void)vfs;
    if (clock_gettime(CLOCK_REALTIME, &t) != 0) return SQLITE_ERROR;
    *ms = UNIX_EPOCH_MS + (sqlite3_int64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    return SQLITE_OK;
}

static int vfs_now(sqlite3_vfs *vfs, double *days)
{
    sqlite3_int64 ms;
    int rc = vfs_now_ms(vfs, &ms);
    if (rc == SQLITE_OK) *days = (double)ms / 86400000.0;
    return rc;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    (void)n;
    (void)out;
    return 0;
}

static sqlite3_vfs host_vfs = {
    .iVersion = 2,
    .szOsFile = sizeof(wasm_file),
    .mxPathname = VFS_NAME_MAX,
    .zName = "sigla-host",
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_name,
    .xRandomness = vfs_random,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_now,
    .xGetLastError = vfs_last_error,
    .xCurrentTimeInt64 = vfs_now_ms,
};

/* What a build with SQLITE_OS_OTHER calls from sqlite3_initialize and sqlite3_shutdown. */
int sqlite3_os_init(void)
{
    return sqlite3_vfs_register(&host_vfs, 1);
}

int sqlite3_os_end(void)
{
    return SQLITE_OK;
}
