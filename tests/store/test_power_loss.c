/* timeout: 200
 * The power of a server goes at write N, for every N, from opening the SQLite store to closing it: of
 * what was not synced to its disk each sector is there, is not, or is torn. What commit() has said
 * to be there is there, and no commit is there in part (L1).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>

#include "base/mem.h"
#include "sim/disk.h"
#include "store/store.h"

#define DISK 0
#define PATH "/0/server.db"
#define PASSES 3  /* with other luck each */
#define COMMITS 6 /* of a round */
#define RECORDS 3 /* of a commit */
#define RECORD_BYTES 3000

static int64_t now_us;

/* ---- the store ---- */

static int put(const sg_store *store, sg_commit *newest)
{
    static const char bytes[RECORD_BYTES];
    char key[24];
    newest->seq++;
    snprintf(key, sizeof key, "%lld", (long long)newest->seq);
    const sg_feed feed = {1, 1};
    const sg_ref ref = {1, sg_slice_str(key)};
    sg_stored r = {.seq = newest->seq, .data = sg_slice_of(bytes, sizeof bytes)};
    sg_writer *w = store->ops->writer(store->impl);
    return store->ops->save_records(w, feed, &ref, &r, 1);
}

/* *told is what is promised, once it is. */
static int commit_some(const sg_store *store, int64_t *told)
{
    sg_commit newest;
    sg_writer *w = store->ops->writer(store->impl);
    int err = store->ops->begin(w, &newest);
    for (int i = 0; i < RECORDS && err == SG_OK; i++)
        err = put(store, &newest);
    if (err == SG_OK) err = store->ops->commit(w, &newest);
    if (err == SG_OK)
        *told = newest.seq;
    else
        store->ops->rollback(w);
    return err;
}

/* Closing the last connection moves the log home, and deletes it. */
static void work(int64_t *told)
{
    sg_store store;
    int err = sg_store_sqlite_open(PATH, &store);
    if (err != SG_OK) return;
    for (int i = 0; i < COMMITS && err == SG_OK; i++)
        err = commit_some(&store, told);
    sg_store_close(&store);
}

/* ---- what must hold ---- */

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    return value;
}

/* The newest seq that is there. */
static int64_t expect_whole(void)
{
    sg_store store;
    sqlite3 *db;
    assert_int_equal(sg_store_sqlite_open(PATH, &store), SG_OK);
    sg_store_close(&store);
    assert_int_equal(sqlite3_open(PATH, &db), SQLITE_OK);
    assert_int_equal(ask(db, "SELECT integrity_check='ok' FROM pragma_integrity_check"), 1);
    int64_t newest = ask(db, "SELECT seq FROM newest");
    assert_int_equal(ask(db, "SELECT count(*) FROM record"), newest);
    assert_int_equal(newest % RECORDS, 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return newest;
}

/* Operation n of the disk is its last; false if it never came to that. */
static bool round_struck(uint64_t n, int64_t *there, prng *random)
{
    int64_t told = *there;
    disk_fail(DISK, DISK_DIES, n);
    work(&told);
    bool struck = disk_failed(DISK);
    disk_power_loss(DISK, random);
    *there = expect_whole();
    assert_true(*there >= told);
    return struck;
}

static void strike_each(bool is_new)
{
    for (uint64_t pass = 1; pass <= PASSES; pass++) {
        prng random = {pass};
        uint64_t n = 1;
        int64_t there = 0;
        disk_register();
        disk_reset_all(pass, &now_us);
        while (round_struck(n, &there, &random)) {
            n++;
            if (!is_new) continue;
            disk_wipe(DISK);
            there = 0;
        }
        assert_true(n > 50);
    }
}

static void L1_what_commit_said_is_there_survives_a_power_loss(void **state)
{
    (void)state;
    strike_each(false);
}

static void L1_a_store_whose_power_goes_while_it_is_made_can_be_made(void **state)
{
    (void)state;
    strike_each(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L1_what_commit_said_is_there_survives_a_power_loss),
        cmocka_unit_test(L1_a_store_whose_power_goes_while_it_is_made_can_be_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
