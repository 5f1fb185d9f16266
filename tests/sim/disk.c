#include "sim/disk.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHM_REGIONS 64
#define SHM_LOCKS SQLITE_SHM_NLOCK

typedef struct content {
    uint8_t *bytes;
    size_t n, cap;
} content;

/* A file by its name; `safe` is what a power loss leaves of it for sure. */
typedef struct node {
    char name[32]; /* empty: there is none */
    bool deleted;  /* and its folder not synced since: a power loss may bring it back */
    bool
        is_new; /* the first sync of a journal syncs the folder with it, as SQLite's own VFS does */
    content live, safe;
    uint8_t *dirty; /* a bit a sector */
    size_t dirty_bytes;
    int shared;           /* holders of SHARED */
    const void *reserved; /* holder of RESERVED or more */
    const void *exclusive;
    void *shm[SHM_REGIONS];
    int shm_users;
    int shm_shared[SHM_LOCKS];
    const void *shm_exclusive[SHM_LOCKS];
} node;

typedef struct disk {
    node nodes[DISK_FILES_MAX];
    enum disk_fault fault;
    uint64_t countdown;
    bool failed, dead;
} disk;

struct disk_image {
    char names[DISK_FILES_MAX][32];
    content live[DISK_FILES_MAX], safe[DISK_FILES_MAX];
};

typedef struct file {
    sqlite3_file base;
    disk *d;
    node *n;
    int lock;
    bool has_shm, temporary;
    node own; /* of a temporary file */
} file;

static disk disks[DISKS_MAX];
static prng randomness;
static const int64_t *now_us;
static uint64_t operations;

static void out_of_memory(void)
{
    fputs("simulation: out of memory\n", stderr);
    abort();
}

static void reserve(content *c, size_t n)
{
    if (n <= c->cap) return;
    size_t cap = c->cap != 0 ? c->cap : 4096;
    while (cap < n)
        cap *= 2;
    c->bytes = realloc(c->bytes, cap);
    if (c->bytes == NULL) out_of_memory();
    c->cap = cap;
}

static void resize(content *c, size_t n)
{
    reserve(c, n);
    if (n > c->n) memset(c->bytes + c->n, 0, n - c->n);
    c->n = n;
}

static void copy(content *to, const content *from)
{
    reserve(to, from->n);
    if (from->n != 0) memcpy(to->bytes, from->bytes, from->n);
    to->n = from->n;
}

/* ---- faults ---- */

/* One operation that could fail: SQLite's code if it does. */
static int operate(disk *d, bool writes)
{
    operations++;
    if (d->dead) return SQLITE_IOERR;
    if (d->fault == DISK_WELL || d->countdown == 0) return SQLITE_OK;
    if (d->fault == DISK_FULL_ONCE && !writes) return SQLITE_OK;
    if (--d->countdown != 0) return SQLITE_OK;
    d->failed = true;
    if (d->fault == DISK_DIES) d->dead = true;
    return d->fault == DISK_FULL_ONCE ? SQLITE_FULL : SQLITE_IOERR;
}

/* ---- files ---- */

static void mark_dirty(node *n, size_t from, size_t to)
{
    size_t need = to / DISK_SECTOR / 8 + 1;
    if (need > n->dirty_bytes) {
        size_t cap = need * 2;
        n->dirty = realloc(n->dirty, cap);
        if (n->dirty == NULL) out_of_memory();
        memset(n->dirty + n->dirty_bytes, 0, cap - n->dirty_bytes);
        n->dirty_bytes = cap;
    }
    for (size_t s = from / DISK_SECTOR; s * DISK_SECTOR < to; s++)
        n->dirty[s / 8] |= (uint8_t)(1u << s % 8);
}

static bool is_dirty(const node *n, size_t sector)
{
    return sector / 8 < n->dirty_bytes && (n->dirty[sector / 8] >> sector % 8 & 1) != 0;
}

static void sync_sector(node *n, size_t sector)
{
    size_t from = sector * DISK_SECTOR;
    if (from >= n->live.n) return;
    size_t len = n->live.n - from < DISK_SECTOR ? n->live.n - from : DISK_SECTOR;
    if (from + len > n->safe.n) resize(&n->safe, from + len);
    memcpy(n->safe.bytes + from, n->live.bytes + from, len);
}

/* The power goes while it is written: a part of it is there, from its start or to its end. */
static void tear_sector(node *n, size_t sector, prng *g)
{
    size_t from = sector * DISK_SECTOR, len = n->live.n - from;
    if (len > DISK_SECTOR) len = DISK_SECTOR;
    size_t first = 0, last = prng_below(g, len);
    if (prng_below(g, 2) != 0) {
        first = last;
        last = len;
    }
    if (from + last > n->safe.n) resize(&n->safe, from + last);
    memcpy(n->safe.bytes + from + first, n->live.bytes + from + first, last - first);
}

static void sync_node(node *n)
{
    for (size_t s = 0; s * DISK_SECTOR < n->live.n; s++)
        if (is_dirty(n, s)) sync_sector(n, s);
    resize(&n->safe, n->live.n);
    if (n->dirty != NULL) memset(n->dirty, 0, n->dirty_bytes);
}

static void empty(node *n)
{
    n->name[0] = '\0';
    n->deleted = n->is_new = false;
    n->live.n = n->safe.n = 0;
    if (n->dirty != NULL) memset(n->dirty, 0, n->dirty_bytes);
}

/* What has been deleted is gone for good. */
static void sync_folder(disk *d)
{
    for (int i = 0; i < DISK_FILES_MAX; i++)
        if (d->nodes[i].deleted) empty(&d->nodes[i]);
}

static int file_close(sqlite3_file *f)
{
    file *x = (file *)f;
    if (!x->temporary) return SQLITE_OK;
    free(x->own.live.bytes);
    free(x->own.safe.bytes);
    free(x->own.dirty);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    const content *c = &((file *)f)->n->live;
    size_t want = (size_t)n, from = (size_t)at;
    size_t have = from < c->n ? c->n - from : 0;
    if (have > want) have = want;
    if (have != 0) memcpy(to, c->bytes + from, have);
    if (have == want) return SQLITE_OK;
    memset((char *)to + have, 0, want - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    file *x = (file *)f;
    if (!x->temporary) {
        int rc = operate(x->d, true);
        if (rc != SQLITE_OK) return rc == SQLITE_IOERR ? SQLITE_IOERR_WRITE : rc;
    }
    size_t start = (size_t)at, end = start + (size_t)n;
    if (end > x->n->live.n) resize(&x->n->live, end);
    memcpy(x->n->live.bytes + start, from, (size_t)n);
    mark_dirty(x->n, start, end);
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    file *x = (file *)f;
    if (!x->temporary && operate(x->d, false) != SQLITE_OK) return SQLITE_IOERR_TRUNCATE;
    if ((size_t)size < x->n->live.n) x->n->live.n = (size_t)size;
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    file *x = (file *)f;
    if (x->temporary) return SQLITE_OK;
    if (operate(x->d, false) != SQLITE_OK) return SQLITE_IOERR_FSYNC;
    sync_node(x->n);
    if (x->n->is_new) sync_folder(x->d);
    x->n->is_new = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((file *)f)->n->live.n;
    return SQLITE_OK;
}

/* ---- locks: connections of one process, one thread ---- */

static int file_lock(sqlite3_file *f, int level)
{
    file *x = (file *)f;
    node *n = x->n;
    if (level <= x->lock) return SQLITE_OK;
    if (x->lock == SQLITE_LOCK_NONE) {
        if (n->exclusive != NULL) return SQLITE_BUSY;
        n->shared++;
        x->lock = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
    if (n->reserved != NULL && n->reserved != x) return SQLITE_BUSY;
    n->reserved = x;
    if (level < SQLITE_LOCK_EXCLUSIVE) {
        x->lock = level;
        return SQLITE_OK;
    }
    if (n->shared > 1) return SQLITE_BUSY;
    n->exclusive = x;
    x->lock = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *f, int level)
{
    file *x = (file *)f;
    node *n = x->n;
    if (level >= x->lock) return SQLITE_OK;
    if (n->reserved == x) n->reserved = NULL;
    if (n->exclusive == x) n->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE && x->lock >= SQLITE_LOCK_SHARED) n->shared--;
    x->lock = level;
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *f, int *held)
{
    *held = ((file *)f)->n->reserved != NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    (void)f, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f)
{
    (void)f;
    return DISK_SECTOR;
}

static int file_traits(sqlite3_file *f)
{
    (void)f;
    return 0;
}

/* ---- the shared memory of a WAL ---- */

static int shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    file *x = (file *)f;
    *out = NULL;
    if (region >= SHM_REGIONS) return SQLITE_IOERR_SHMMAP;
    if (!x->has_shm) {
        x->has_shm = true;
        x->n->shm_users++;
    }
    if (x->n->shm[region] == NULL && extend) {
        x->n->shm[region] = calloc(1, (size_t)size);
        if (x->n->shm[region] == NULL) out_of_memory();
    }
    *out = x->n->shm[region];
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
    file *x = (file *)f;
    node *n = x->n;
    bool shared = (flags & SQLITE_SHM_SHARED) != 0, lock = (flags & SQLITE_SHM_LOCK) != 0;
    for (int i = offset; lock && i < offset + count; i++) {
        if (n->shm_exclusive[i] != NULL && n->shm_exclusive[i] != x) return SQLITE_BUSY;
        if (!shared && n->shm_shared[i] != 0) return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + count; i++) {
        if (shared)
            n->shm_shared[i] += lock ? 1 : -1;
        else
            n->shm_exclusive[i] = lock ? x : NULL;
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *f)
{
    (void)f;
}

static void forget_shm(node *n)
{
    for (int i = 0; i < SHM_REGIONS; i++) {
        free(n->shm[i]);
        n->shm[i] = NULL;
    }
}

static int shm_unmap(sqlite3_file *f, int delete_it)
{
    (void)delete_it;
    file *x = (file *)f;
    if (!x->has_shm) return SQLITE_OK;
    x->has_shm = false;
    if (--x->n->shm_users == 0) forget_shm(x->n);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the VFS ---- */

static disk *disk_of(const char *path, const char **name)
{
    char *end;
    long number = strtol(path + 1, &end, 10);
    if (path[0] != '/' || *end != '/' || number < 0 || number >= DISKS_MAX) return NULL;
    *name = end + 1;
    return &disks[number];
}

static node *find_any(disk *d, const char *name, bool deleted)
{
    for (int i = 0; i < DISK_FILES_MAX; i++)
        if (d->nodes[i].deleted == deleted && strcmp(d->nodes[i].name, name) == 0)
            return &d->nodes[i];
    return NULL;
}

static node *find(disk *d, const char *name)
{
    return find_any(d, name, false);
}

/* A file that is new takes the place of a deleted one of its name for good. */
static node *create(disk *d, const char *name, bool is_journal)
{
    node *n = find_any(d, name, true);
    if (n == NULL) n = find(d, "");
    if (n == NULL) return NULL;
    empty(n);
    strcpy(n->name, name);
    n->is_new = is_journal;
    return n;
}

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags, int *out)
{
    (void)v;
    file *x = (file *)f;
    memset(x, 0, sizeof *x);
    if (out != NULL) *out = flags;
    if (path == NULL) {
        x->temporary = true;
        x->n = &x->own;
        x->base.pMethods = &methods;
        return SQLITE_OK;
    }
    const char *name;
    x->d = disk_of(path, &name);
    if (x->d == NULL || strlen(name) >= sizeof x->n->name) return SQLITE_CANTOPEN;
    x->n = find(x->d, name);
    if (x->n == NULL) {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        if (operate(x->d, false) != SQLITE_OK) return SQLITE_CANTOPEN;
        x->n = create(x->d, name, (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0);
        if (x->n == NULL) return SQLITE_CANTOPEN;
    }
    x->base.pMethods = &methods;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync)
{
    (void)v;
    const char *name;
    disk *d = disk_of(path, &name);
    if (d == NULL || operate(d, false) != SQLITE_OK) return SQLITE_IOERR_DELETE;
    node *n = find(d, name);
    if (n == NULL) return SQLITE_IOERR_DELETE_NOENT;
    if (sync)
        empty(n);
    else
        n->deleted = true;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    (void)v, (void)flags;
    const char *name;
    disk *d = disk_of(path, &name);
    node *n = d != NULL ? find(d, name) : NULL;
    *out = n != NULL && n->name[0] != '\0' && (flags != SQLITE_ACCESS_EXISTS || n->live.n != 0);
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    (void)v;
    return snprintf(out, (size_t)n, "%s", path) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    for (int i = 0; i < n; i++)
        out[i] = (char)prng_next(&randomness);
    return n;
}

static int vfs_sleep(sqlite3_vfs *v, int us)
{
    (void)v;
    return us;
}

static int vfs_time(sqlite3_vfs *v, sqlite3_int64 *ms)
{
    (void)v;
    *ms = (now_us != NULL ? *now_us : 0) / 1000 + INT64_C(210866760000000);
    return SQLITE_OK;
}

static int vfs_time_day(sqlite3_vfs *v, double *day)
{
    sqlite3_int64 ms;
    vfs_time(v, &ms);
    *day = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void)v, (void)n, (void)out;
    return 0;
}

void disk_register(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(file),
        .mxPathname = 64,
        .zName = "sim",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time_day,
        .xCurrentTimeInt64 = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) out_of_memory();
}

/* ---- what a simulation does with them ---- */

void disk_wipe(int index)
{
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        node *n = &disks[index].nodes[i];
        empty(n);
        forget_shm(n);
        n->shared = n->shm_users = 0;
        n->reserved = n->exclusive = NULL;
        memset(n->shm_shared, 0, sizeof n->shm_shared);
        memset(n->shm_exclusive, 0, sizeof n->shm_exclusive);
    }
    disk_revive(index);
}

uint64_t disk_reseed(uint64_t seed)
{
    uint64_t before = randomness.state;
    randomness.state = seed;
    sqlite3_randomness(0, NULL);
    return before;
}

void disk_reset_all(uint64_t seed, const int64_t *clock)
{
    for (int i = 0; i < DISKS_MAX; i++)
        disk_wipe(i);
    now_us = clock;
    (void)disk_reseed(seed);
}

void disk_fail(int index, enum disk_fault fault, uint64_t n)
{
    disks[index].fault = n != 0 ? fault : DISK_WELL;
    disks[index].countdown = n;
    disks[index].failed = false;
}

bool disk_failed(int index)
{
    return disks[index].failed;
}

void disk_revive(int index)
{
    sync_folder(&disks[index]);
    for (int i = 0; i < DISK_FILES_MAX; i++)
        if (disks[index].nodes[i].name[0] != '\0') sync_node(&disks[index].nodes[i]);
    disks[index].dead = disks[index].failed = false;
    disks[index].fault = DISK_WELL;
}

/* What has not been synced of a file is there, is not, or, of a sector, is there in part. */
static void lose_power(node *n, prng *g)
{
    if (n->deleted && prng_below(g, 2) != 0) {
        empty(n);
        return;
    }
    n->deleted = false;
    if (n->live.n < n->safe.n && prng_below(g, 2) != 0) n->safe.n = n->live.n;
    for (size_t s = 0; s * DISK_SECTOR < n->live.n; s++) {
        if (!is_dirty(n, s)) continue;
        uint64_t fate = prng_below(g, 5);
        if (fate < 2) sync_sector(n, s);
        if (fate == 2) tear_sector(n, s, g);
    }
    copy(&n->live, &n->safe);
    if (n->dirty != NULL) memset(n->dirty, 0, n->dirty_bytes);
    if (n->live.n == 0) empty(n);
}

void disk_power_loss(int index, prng *g)
{
    for (int i = 0; i < DISK_FILES_MAX; i++)
        if (disks[index].nodes[i].name[0] != '\0') lose_power(&disks[index].nodes[i], g);
    disk_revive(index);
}

disk_image *disk_snapshot(int index)
{
    disk_image *image = calloc(1, sizeof *image);
    if (image == NULL) out_of_memory();
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        const node *n = &disks[index].nodes[i];
        if (n->deleted) continue;
        strcpy(image->names[i], n->name);
        copy(&image->live[i], &n->live);
        copy(&image->safe[i], &n->safe);
    }
    return image;
}

void disk_restore(int index, const disk_image *image)
{
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        node *n = &disks[index].nodes[i];
        assert(n->shared == 0 && n->shm_users == 0);
        empty(n);
        strcpy(n->name, image->names[i]);
        copy(&n->live, &image->live[i]);
        copy(&n->safe, &image->live[i]);
    }
}

void disk_image_free(disk_image *image)
{
    if (image == NULL) return;
    for (int i = 0; i < DISK_FILES_MAX; i++) {
        free(image->live[i].bytes);
        free(image->safe[i].bytes);
    }
    free(image);
}

uint64_t disk_operations(void)
{
    return operations;
}
