#include "lib/faulty_vfs.h"

#include <stdatomic.h>
#include <string.h>

static atomic_size_t calls, fail_at; /* fail_at 0: none will */
static atomic_int fail_code;
static atomic_bool is_dead;
static atomic_uint counted; /* enum faulty_op */

size_t faulty_vfs_set(unsigned ops, size_t n, bool dead)
{
    atomic_store(&counted, ops);
    atomic_store(&is_dead, dead);
    atomic_store(&fail_at, n);
    return atomic_exchange(&calls, 0);
}

void faulty_vfs_fail_at(int n, int code, bool dead)
{
    fail_code = code;
    (void)faulty_vfs_set(FAULTY_CHANGE, (size_t)n, dead);
}

bool faulty_vfs_failed(void)
{
    return fail_at != 0 && calls >= fail_at;
}

/* To be asked once before each operation. */
static bool fails(enum faulty_op op)
{
    size_t at = fail_at;
    if (at == 0 || (counted & (unsigned)op) == 0) return false;
    size_t now = atomic_fetch_add(&calls, 1) + 1;
    return is_dead ? now >= at : now == at;
}

typedef struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
} faulty_file;

static sqlite3_file *real(sqlite3_file *f)
{
    return ((faulty_file *)f)->real;
}

static int f_close(sqlite3_file *f)
{
    return real(f)->pMethods->xClose(real(f));
}

static int f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return fails(FAULTY_READ) ? SQLITE_IOERR_READ : real(f)->pMethods->xRead(real(f), to, n, at);
}

static int f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    return fails(FAULTY_WRITE) ? fail_code : real(f)->pMethods->xWrite(real(f), from, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return fails(FAULTY_WRITE) ? SQLITE_IOERR_TRUNCATE
                               : real(f)->pMethods->xTruncate(real(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    (void)f, (void)flags;
    return fails(FAULTY_SYNC) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int f_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int f_check(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int f_device(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    if (fails(FAULTY_OPEN)) return SQLITE_IOERR_SHMMAP;
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static sqlite3_vfs *base_of(sqlite3_vfs *v)
{
    return v->pAppData;
}

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    faulty_file *mine = (faulty_file *)f;
    mine->real = (sqlite3_file *)(mine + 1);
    mine->base.pMethods = NULL;
    if (fails(FAULTY_OPEN)) return SQLITE_CANTOPEN;
    int rc = base_of(v)->xOpen(base_of(v), name, mine->real, flags, out);
    if (mine->real->pMethods != NULL) mine->base.pMethods = &methods;
    return rc;
}

static int v_delete(sqlite3_vfs *v, const char *name, int sync)
{
    return fails(FAULTY_DELETE) ? SQLITE_IOERR_DELETE : base_of(v)->xDelete(base_of(v), name, sync);
}

static int v_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    return base_of(v)->xAccess(base_of(v), name, flags, out);
}

static int v_full_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
    return base_of(v)->xFullPathname(base_of(v), name, n, out);
}

static int v_randomness(sqlite3_vfs *v, int n, char *out)
{
    return base_of(v)->xRandomness(base_of(v), n, out);
}

static int v_sleep(sqlite3_vfs *v, int us)
{
    return base_of(v)->xSleep(base_of(v), us);
}

static int v_time(sqlite3_vfs *v, double *out)
{
    return base_of(v)->xCurrentTime(base_of(v), out);
}

static int v_last_error(sqlite3_vfs *v, int n, char *out)
{
    return base_of(v)->xGetLastError(base_of(v), n, out);
}

static int register_vfs(bool as_default)
{
    static sqlite3_vfs vfs;
    if (vfs.zName != NULL) return sqlite3_vfs_register(&vfs, as_default);
    sqlite3_vfs *base = sqlite3_vfs_find(NULL);
    vfs = (sqlite3_vfs){.iVersion = 1,
                        .szOsFile = (int)sizeof(faulty_file) + base->szOsFile,
                        .mxPathname = base->mxPathname,
                        .zName = FAULTY_VFS,
                        .pAppData = base,
                        .xOpen = v_open,
                        .xDelete = v_delete,
                        .xAccess = v_access,
                        .xFullPathname = v_full_path,
                        .xRandomness = v_randomness,
                        .xSleep = v_sleep,
                        .xCurrentTime = v_time,
                        .xGetLastError = v_last_error};
    return sqlite3_vfs_register(&vfs, as_default);
}

int faulty_vfs_register(void)
{
    return register_vfs(false);
}

int faulty_vfs_register_default(void)
{
    fail_code = SQLITE_IOERR_WRITE;
    return register_vfs(true);
}
