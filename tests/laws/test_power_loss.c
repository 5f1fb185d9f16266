/* timeout: 200
 * A device's power goes at write N, for every N, while its program writes and syncs: of what was not
 * synced to its disk each sector is there, is not, or is torn. The database is whole (L1) and has
 * what its settings promise; it syncs on, and ends equal to the other device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/world.h"
#include "sim/disk.h"

#define DISK_A 1
#define DISK_B 2
/* Under the address sanitizer, which is slow, what the disk does with other seeds is no news. */
#ifdef __SANITIZE_ADDRESS__
#define PASSES 1
#else
#define PASSES 2 /* with other luck each */
#endif
#define WRITES 4 /* transactions of a round */

/* What a commit that has returned may be worth. */
enum keeps { KEEPS_ALL, KEEPS_ALL_BUT_ONE, KEEPS_SOME };

typedef struct settings {
    const char *sql;
    enum keeps keeps;
} settings;

typedef struct story {
    world w;
    device a, b;
    const settings *how;
    prng random;
    int64_t told;   /* the last value whose COMMIT has returned */
    int64_t before; /* and the one before it */
    int64_t next;   /* the next one */
} story;

/* The server keeps its power: its disk need not be waited for. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    return fsync(fd);
}

static int64_t time_of(void *ctx)
{
    return ((device *)ctx)->w->now_us;
}

/* The code of SQLite or 0; a disk may have died. */
static int open_device(const story *s, device *d)
{
    int rc = sqlite3_open(d->path, &d->db);
    if (rc == SQLITE_OK) rc = sqlite3_exec(d->db, s->how->sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK) return rc;
    if (sigla_register(d->db) != SIGLA_OK) return SQLITE_ERROR;
    return sigla_set_clock(d->db, time_of, d) == SIGLA_OK ? SQLITE_OK : SQLITE_ERROR;
}

static void close_device(device *d)
{
    sigla_session_close(d->session);
    d->session = NULL;
    assert_int_equal(sqlite3_close(d->db), SQLITE_OK);
    d->db = NULL;
}

static void begin_device(story *s, device *d, int disk)
{
    *d = (device){.w = &s->w, .index = disk, .user = "ann"};
    snprintf(d->path, sizeof d->path, "/%d/app.db", disk);
    disk_wipe(disk);
    assert_int_equal(open_device(s, d), SQLITE_OK);
    device_exec(d, "SELECT sigla_init('{\"server\":\"http://sim\",\"token\":\"t\","
                   "\"user\":\"ann\"}');"
                   "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
                   "CREATE TABLE copy(id INTEGER PRIMARY KEY, a, b);"
                   "SELECT sigla_track('t'); SELECT sigla_track('copy')");
}

/* ---- what is struck ---- */

static bool write_one(story *s)
{
    char sql[500];
    long long v = s->next++;
    snprintf(sql, sizeof sql,
             "BEGIN; INSERT INTO t VALUES(%lld,0,zeroblob(%lld));"
             "INSERT INTO copy VALUES(%lld,0,zeroblob(%lld));"
             "DELETE FROM t WHERE id BETWEEN 2 AND %lld; DELETE FROM copy WHERE id BETWEEN 2 AND "
             "%lld; UPDATE t SET a=%lld WHERE id=1; UPDATE copy SET a=%lld WHERE id=1; COMMIT",
             v, v * 37 % 1500, v, v * 37 % 1500, v - 9, v - 9, v, v);
    if (device_try(&s->a, sql) != SQLITE_OK) return false;
    s->before = s->told;
    s->told = v;
    return true;
}

/* One step of A's session; false when there is no more to do, or it cannot be done any more. */
static bool step(story *s)
{
    device *d = &s->a;
    sigla_action a;
    if (d->session == NULL && sigla_session_open(d->db, "{\"encoding\":\"identity\",\"seed\":1}",
                                                 &d->session) != SIGLA_OK)
        return false;
    if (sigla_session_next(d->session, &a) != SIGLA_OK || a.kind == SIGLA_STOP) return false;
    if (a.kind == SIGLA_WAIT) s->w.now_us += a.wait_ms * 1000;
    if (a.kind == SIGLA_DONE) sigla_session_wake(d->session);
    if (a.kind != SIGLA_REQUEST) return a.kind != SIGLA_DONE;
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 30);
    sg_slice body = sg_slice_of(a.body, a.body_bytes);
    int status = world_request(&s->w, a.method, a.url, body, &out);
    int err = sigla_session_answer(d->session, status, 0, out.p, out.n);
    sg_buf_deinit(&out);
    return err == SIGLA_OK;
}

static void work(story *s)
{
    for (int i = 0; i < WRITES && write_one(s); i++)
        if (i % 2 != 0)
            for (int steps = 0; steps < 20 && step(s); steps++)
                continue;
}

/* ---- what must hold ---- */

static void expect_whole(device *d)
{
    assert_rows(d, "PRAGMA integrity_check", "ok\n");
    assert_rows(d, "SELECT * FROM t EXCEPT SELECT * FROM copy", "");
    assert_rows(d, "SELECT * FROM copy EXCEPT SELECT * FROM t", "");
}

static void expect_kept(story *s)
{
    int64_t least[] = {[KEEPS_ALL] = s->told, [KEEPS_ALL_BUT_ONE] = s->before, [KEEPS_SOME] = 0};
    int64_t v = device_int(&s->a, "SELECT a FROM t WHERE id=1");
    if (v < least[s->how->keeps] || v >= s->next)
        fail_msg("%s: %d was committed, %d is there", s->how->sql, (int)s->told, (int)v);
}

static void expect_level(story *s)
{
    device_sync(&s->a);
    device_sync(&s->b);
    device_sync(&s->a);
    assert_same(&s->a, &s->b, "SELECT * FROM t");
    assert_same(&s->a, &s->b,
                "SELECT id,field,value,m.at,client,m.n,seq FROM t, "
                "sigla_marks('t',t.id) m");
    expect_whole(&s->b);
    assert_rows(&s->a, "SELECT count(*) FROM sigla_pending()", "0\n");
    assert_rows(&s->a, "SELECT count(*) FROM sigla_refused()", "0\n");
}

/* Operation n of A's disk is its last; false if it never came to that. */
static bool round_struck(story *s, uint64_t n)
{
    device_exec(&s->b, "BEGIN; UPDATE t SET b=hex(randomblob(4)) WHERE id=1;"
                       "UPDATE copy SET b=(SELECT b FROM t WHERE id=1) WHERE id=1; COMMIT");
    device_sync(&s->b);
    disk_fail(DISK_A, DISK_DIES, n);
    work(s);
    close_device(&s->a);
    bool struck = disk_failed(DISK_A);
    disk_power_loss(DISK_A, &s->random);
    assert_int_equal(open_device(s, &s->a), SQLITE_OK);
    expect_whole(&s->a);
    expect_kept(s);
    expect_level(s);
    /* What was lost and has come back from the server counts again. */
    s->before = s->told = device_int(&s->a, "SELECT a FROM t WHERE id=1");
    return struck;
}

/* ---- all of them ---- */

static void begin_story(story *s, const settings *how, uint64_t seed)
{
    *s = (story){.how = how, .random = {seed}, .next = 2};
    sqlite3_vfs_register(sqlite3_vfs_find("unix"), 1); /* the server's disk is well */
    world_open(&s->w);
    disk_register();
    disk_reset_all(seed, &s->w.now_us);
    begin_device(s, &s->a, DISK_A);
    begin_device(s, &s->b, DISK_B);
    device_exec(&s->a, "INSERT INTO t VALUES(1,1,1); INSERT INTO copy VALUES(1,1,1)");
    s->before = s->told = 1;
    expect_level(s);
    if (how->keeps == KEEPS_SOME) device_exec(&s->a, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void strike_each(const settings *how)
{
    for (uint64_t pass = 1; pass <= PASSES; pass++) {
        story s;
        uint64_t n = 1;
        begin_story(&s, how, pass);
        while (round_struck(&s, n))
            n++;
        assert_true(n > 50);
        close_device(&s.a);
        close_device(&s.b);
        world_close(&s.w);
    }
}

#define TEST(name, pragmas, promise)                                                               \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        strike_each(&(const settings){pragmas, promise});                                          \
    }

TEST(L1_a_wal_that_is_synced_keeps_all, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
     KEEPS_ALL)
TEST(L1_a_wal_that_is_not_synced_stays_whole, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
     KEEPS_SOME)
/* SQLite syncs the folder of a journal it has deleted with EXTRA only. */
TEST(L1_a_deleted_journal_may_be_back, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL",
     KEEPS_ALL_BUT_ONE)
TEST(L1_a_journal_deleted_for_good_keeps_all,
     "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA", KEEPS_ALL)
TEST(L1_a_truncated_journal_keeps_all, "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL",
     KEEPS_ALL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L1_a_wal_that_is_synced_keeps_all),
        cmocka_unit_test(L1_a_wal_that_is_not_synced_stays_whole),
        cmocka_unit_test(L1_a_deleted_journal_may_be_back),
        cmocka_unit_test(L1_a_journal_deleted_for_good_keeps_all),
        cmocka_unit_test(L1_a_truncated_journal_keeps_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
