/*
 * What a power cut leaves of the SQLite store: of each file what it held when it was last synced,
 * which is the least that a disk may keep. The program takes fsync and fdatasync for SQLite.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store.h"

#define COMMITS 12
#define LARGE_COMMIT 6                       /* the one after which SQLite moves its log home: */
#define LARGE_BYTES ((size_t)40 << 20)       /* larger than the log may grow, */
#define LARGE_RECORD_BYTES ((size_t)1 << 20) /* in records of that size */
#define SYNCED ".synced"

static char dir[64];

/* ---- the disk ---- */

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n;
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)n), n);
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

/* The file as it is now is what a power cut leaves of it, until it is synced again. */
static int sync_file(int fd)
{
    char by_fd[64], path[256], kept[300];
    struct stat st;
    snprintf(by_fd, sizeof by_fd, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(by_fd, path, sizeof path - 1);
    if (n < 0 || fstat(fd, &st) != 0) return -1;
    path[n] = '\0';
    if (!S_ISREG(st.st_mode)) return 0; /* a folder */
    snprintf(kept, sizeof kept, "%s" SYNCED, path);
    copy_file(path, kept);
    return 0;
}

int fsync(int fd)
{
    return sync_file(fd);
}

int fdatasync(int fd)
{
    return sync_file(fd);
}

/* A store as it is found when the power is back. */
static void open_after_cut(sg_store *store)
{
    static const char *const files[] = {"db", "db-wal"};
    char from[128], to[128];
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/%s" SYNCED, dir, files[i]);
        snprintf(to, sizeof to, "%s/after-%s", dir, files[i]);
        (void)unlink(to);
        if (access(from, F_OK) == 0) copy_file(from, to);
    }
    snprintf(to, sizeof to, "%s/after-db", dir);
    assert_int_equal(sg_store_sqlite_open(to, store), SG_OK);
}

/* ---- the store ---- */

static void put(const sg_store *store, sg_feed feed, sg_slice data, sg_commit *newest)
{
    char key[24];
    newest->seq++;
    snprintf(key, sizeof key, "%lld", (long long)newest->seq);
    const sg_ref ref = {1, sg_slice_str(key)};
    sg_stored r = {.seq = newest->seq, .data = data};
    sg_writer *w = store->ops->writer(store->impl);
    assert_int_equal(store->ops->save_records(w, feed, &ref, &r, 1), SG_OK);
}

static void commit_some(const sg_store *store, sg_feed feed, bool large, sg_commit *newest)
{
    sg_writer *w = store->ops->writer(store->impl);
    size_t n = large ? LARGE_RECORD_BYTES : 10;
    char *bytes = sg_zalloc(n);
    assert_non_null(bytes);
    assert_int_equal(store->ops->begin(w, newest), SG_OK);
    for (size_t done = 0; done < (large ? LARGE_BYTES : n); done += n)
        put(store, feed, sg_slice_of(bytes, n), newest);
    assert_int_equal(store->ops->commit(w, newest), SG_OK);
    sg_free(bytes);
}

static int64_t newest_of(const sg_store *store)
{
    sg_commit newest;
    sg_writer *w = store->ops->writer(store->impl);
    assert_int_equal(store->ops->begin(w, &newest), SG_OK);
    store->ops->rollback(w);
    return newest.seq;
}

static void L1_what_commit_said_is_there_survives_a_power_cut(void **state)
{
    (void)state;
    char path[80];
    sg_store store, after;
    sg_commit newest;
    const sg_feed feed = {1, 1};
    snprintf(path, sizeof path, "%s/db", dir);
    assert_int_equal(sg_store_sqlite_open(path, &store), SG_OK);
    for (int i = 1; i <= COMMITS; i++) {
        commit_some(&store, feed, i == LARGE_COMMIT, &newest);
        open_after_cut(&after);
        assert_int_equal(newest_of(&after), newest.seq);
        sg_store_close(&after);
    }
    sg_store_close(&store);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/power-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof dir - 14 ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L1_what_commit_said_is_there_survives_a_power_cut)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 || failed;
}
