/* timeout: 200
 * A store that cannot be opened whole, a purge that fails half way, and a server's database whose
 * contents are not what the server wrote: an error, never a crash, and nothing that was committed
 * is lost.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/faults.h"
#include "lib/world.h"
#include "server/datadir.h"
#include "server/server.h"

#define SCHEMA                                                                                     \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); SELECT sigla_track('t');"                       \
    "INSERT INTO t VALUES(1,1,1),(2,2,2),(3,3,3)"

static world *new_world(device **a, device **b)
{
    world *w = calloc(1, sizeof *w);
    world_open(w);
    *a = world_device(w, SCHEMA);
    *b = world_device(w, SCHEMA);
    device_sync(*a);
    device_sync(*b);
    device_sync(*a);
    return w;
}

static void end_world(world *w)
{
    world_close(w);
    free(w);
}

static void assert_level(device *a, device *b)
{
    char *x = device_rows(a, "SELECT * FROM t"), *y = device_rows(b, "SELECT * FROM t");
    assert_string_equal(x, y);
    sqlite3_free(x);
    sqlite3_free(y);
}

/* ---- opening ---- */

static void test_L1_a_store_is_opened_whole_or_not_at_all(void **state)
{
    (void)state;
    for (int way = 0; way < FAULT_KINDS * 2; way++) {
        device *a, *b;
        world *w = new_world(&a, &b);
        bool struck = true;
        for (size_t n = 1; struck; n += n < 40 ? 1 : 1 + n / 8) {
            world_halt(w);
            if (n % 2 == 0) {
                char path[300];
                snprintf(path, sizeof path, "%s/new%zu", w->dir, n);
                sg_store fresh = {0};
                fault_arm((enum fault)(way / 2), n, way & 1);
                int err = sg_store_sqlite_open(path, &fresh);
                struck = fault_disarm();
                if (err == SG_OK) sg_store_close(&fresh);
                assert_int_equal(sg_store_sqlite_open(path, &fresh), SG_OK);
                sg_store_close(&fresh);
            }
            fault_arm((enum fault)(way / 2), n, way & 1);
            int err = world_serve(w);
            struck = fault_disarm() || struck;
            if (err != SG_OK) assert_int_equal(world_serve(w), SG_OK);
            device_exec(a, "UPDATE t SET a=a+1 WHERE id=1");
            device_sync(a);
            device_sync(b);
            assert_level(a, b);
        }
        end_world(w);
    }
}

/* ---- purging ---- */

static void test_L12_a_purge_that_fails_leaves_everything(void **state)
{
    (void)state;
    for (int way = 0; way < FAULT_KINDS * 2; way++) {
        device *a, *b;
        world *w = new_world(&a, &b);
        bool struck = true;
        for (size_t n = 1; struck; n++) {
            device_exec(a, "DELETE FROM t WHERE id=3; UPDATE t SET a=a+1; INSERT INTO t "
                           "VALUES(3,'again',0); DELETE FROM t WHERE id=2; INSERT INTO t "
                           "VALUES(2,'again',0)");
            device_sync(a);
            device_sync(b);
            if (n % 3 == 0) {
                world_halt(w);
                assert_int_equal(world_serve(w), SG_OK);
            }
            device_exec(a, "DELETE FROM t WHERE id=3");
            device_sync(a);
            fault_arm((enum fault)(way / 2), n, way & 1);
            int err = world_try_purge(w);
            struck = fault_disarm();
            if (err == SG_OK) assert_true(!struck || way / 2 != FAULT_OURS);
            device_sync(b);
            assert_level(a, b);
            world_purge(w);
            device_exec(b, "INSERT INTO t VALUES(3,3,3)");
            device_sync(b);
            device_sync(a);
            assert_level(a, b);
        }
        end_world(w);
    }
}

/* ---- damage ---- */

static const char *const values[] = {
    "x''",
    "x'ff'",
    "x'80808080808080808000ffffffff7f01020304'",
    "CAST('garbage' AS BLOB)",
    "-1",
    "0",
    "4294967297",
    "9223372036854775807",
    "'garbage'",
    "CAST(substr(%s,1,length(%s)/2) AS BLOB)",
    "CAST(substr(%s,1,length(%s)-1) AS BLOB)",
    "CAST(x'7f'||substr(%s,2) AS BLOB)",
};

/* All that a device asks of a server; whatever comes back. */
static void ask_everything(world *w)
{
    static const char *const bodies[] = {
        "{\"clientId\":\"c\",\"schemaVersion\":2,\"since\":\"\",\"changes\":[{\"n\":1,\"table\":\"t\","
        "\"id\":\"1\",\"op\":\"update\",\"at\":\"2030-01-01T00:00:00.000Z\",\"fields\":{\"a\":{"
        "\"value\":5}}},{\"n\":2,\"table\":\"t\",\"id\":\"2\",\"op\":\"delete\",\"at\":"
        "\"2026-01-01T00:00:00.000Z\"}]}",
        "{\"clientId\":\"d\",\"since\":\"\",\"changes\":[{\"table\":\"t\",\"id\":\"1\",\"op\":"
        "\"insert\",\"fields\":{\"a\":{\"value\":1,\"at\":\"2000-01-01T00:00:00.000Z\"}}}]}",
        "{\"clientId\":\"c\",\"schemaVersion\":2,\"since\":\"\",\"changes\":[{\"n\":1,\"table\":\"t\","
        "\"id\":\"1\",\"op\":\"update\",\"at\":\"2030-01-01T00:00:00.000Z\",\"fields\":{\"a\":{"
        "\"value\":5}}},{\"n\":3,\"tx\":5,\"table\":\"t\",\"id\":\"3\",\"op\":\"update\",\"fields\":{"
        "\"b\":{\"value\":5}}}]}",
        "{\"clientId\":\"c\",\"schemaVersion\":2,\"since\":\"\",\"changes\":[{\"n\":4,\"tx\":5,"
        "\"table\":\"t\",\"id\":\"3\",\"op\":\"update\",\"fields\":{\"b\":{\"value\":6}}},{\"n\":5,"
        "\"table\":\"t\",\"id\":\"9\",\"op\":\"insert\"}]}",
    };
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 30);
    for (size_t i = 0; i < 4; i++) {
        sg_slice body = sg_slice_str(bodies[i]);
        (void)world_request(w, "POST", "http://s/sync/main", body, &out);
        (void)world_request(w, "GET", "http://s/sync/main/pull?since=", SG_LIT(""), &out);
        assert_true(out.n != 0);
    }
    sg_buf_deinit(&out);
    (void)world_try_purge(w);
}

static void write_damage(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* What the schema does not take is no damage. */
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void copy_store(world *w, const char *from, const char *to)
{
    static char bytes[1 << 16];
    char path[320];
    snprintf(path, sizeof path, "%s/%s-wal", w->dir, to);
    (void)remove(path);
    snprintf(path, sizeof path, "%s/%s-shm", w->dir, to);
    (void)remove(path);
    snprintf(path, sizeof path, "%s/%s", w->dir, from);
    FILE *in = fopen(path, "rb");
    snprintf(path, sizeof path, "%s/%s", w->dir, to);
    FILE *out = fopen(path, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) != 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* While it runs, and at its start. */
static void serve_damaged(world *w, const char *path, const char *sql)
{
    copy_store(w, "good.db", "server.db");
    assert_int_equal(world_serve(w), SG_OK);
    write_damage(path, sql);
    ask_everything(w);
    world_halt(w);
    if (world_serve(w) != SG_OK) return;
    ask_everything(w);
    world_halt(w);
}

static sqlite3_stmt *columns_of(sqlite3 *db)
{
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT m.name,c.name FROM sqlite_schema m, "
                                        "pragma_table_info(m.name) c WHERE m.type='table'",
                                        -1, &s, NULL),
                     SQLITE_OK);
    return s;
}

static void test_anything_in_any_column_of_the_server(void **state)
{
    (void)state;
    device *a, *b;
    world *w = new_world(&a, &b);
    char path[300], good[300];
    device_exec(a, "UPDATE t SET a='lost' WHERE id=1; DELETE FROM t WHERE id=3");
    device_exec(b, "UPDATE t SET a='won' WHERE id=1");
    device_sync(a);
    device_sync(b);
    ask_everything(w);
    world_halt(w);
    copy_store(w, "server.db", "good.db");
    snprintf(path, sizeof path, "%s/server.db", w->dir);
    snprintf(good, sizeof good, "%s/good.db", w->dir);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(good, &db), SQLITE_OK);
    sqlite3_stmt *s = columns_of(db);
    int columns = 0;
    for (; sqlite3_step(s) == SQLITE_ROW; columns++) {
        const char *table = (const char *)sqlite3_column_text(s, 0);
        const char *column = (const char *)sqlite3_column_text(s, 1);
        for (size_t i = (size_t)columns % 2; i < sizeof values / sizeof *values; i += 2) {
            char value[300], sql[500];
            snprintf(value, sizeof value, values[i], column, column);
            snprintf(sql, sizeof sql, "UPDATE OR IGNORE \"%s\" SET \"%s\"=%s", table, column,
                     value);
            serve_damaged(w, path, sql);
        }
    }
    assert_true(columns > 40);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    copy_store(w, "good.db", "server.db");
    assert_int_equal(world_serve(w), SG_OK);
    end_world(w);
}

/* ---- the folder ---- */

static void write_file(const char *dir, const char *name, const char *bytes, size_t n)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_a_folder_with_other_things_in_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t n;
        int err;
    } cases[] = {
        {SG_KEY_FILE, "", 0, SG_CORRUPT},
        {SG_KEY_FILE, "no key at all\n", 14, SG_CORRUPT},
        {SG_STORE_FILE, "this is not a database, but it is long enough to look at", 56, SG_CORRUPT},
        {SG_STORE_FILE, "SQLite format 3\0\x10\0\1\1\0@  \0\0\0\0\377\377\377\377", 32, SG_CORRUPT},
    };
    const char *tmp = getenv("TMPDIR");
    char dir[200];
    snprintf(dir, sizeof dir, "%s/folderXXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(dir, cases[i].name, cases[i].bytes, cases[i].n);
        sg_server_config config;
        sg_server_config_init(&config);
        config.dir = dir;
        sg_server *server = NULL;
        const char *problem = "";
        int err = sg_server_new(&config, &server, &problem);
        if (err != cases[i].err)
            fail_msg("case %zu: %s, not %s", i, sg_err_code(err), sg_err_code(cases[i].err));
        assert_true(problem[0] != '\0');
        char path[300];
        snprintf(path, sizeof path, "%s/%s", dir, cases[i].name);
        assert_int_equal(remove(path), 0);
    }
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* ---- a server's start ---- */

static int open_files(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    (void)closedir(d);
    return count;
}

static int start_and_stop(const char *dir)
{
    sg_server_config config;
    sg_server_config_init(&config);
    config.dir = dir;
    sg_server *server = NULL;
    const char *problem = "";
    int err = sg_server_new(&config, &server, &problem);
    if (err == SG_OK) sg_server_free(server);
    if (err != SG_OK) assert_true(problem[0] != '\0');
    return err;
}

enum folder { FOLDER_NEW, FOLDER_USED, FOLDER_NEWER };

static void make_folder(const char *dir, enum folder kind)
{
    char path[300];
    snprintf(path, sizeof path, "rm -rf '%s'", dir);
    assert_int_equal(system(path), 0);
    if (kind == FOLDER_NEW) return;
    assert_int_equal(start_and_stop(dir), SG_OK);
    snprintf(path, sizeof path, "%s/" SG_STORE_FILE, dir);
    if (kind == FOLDER_NEWER)
        write_damage(path, "UPDATE kv SET value=CAST('1000' AS BLOB) WHERE key='schema'");
}

/* Whatever fails, it is told, nothing of the try is left, and the next one goes on from there. */
static void start_struck(const char *dir, enum folder kind)
{
    const int want = kind == FOLDER_NEWER ? SG_TOONEW : SG_OK;
    make_folder(dir, kind);
    for (int way = 0; way < FAULT_KINDS * 2; way++) {
        bool struck = true;
        for (size_t n = 1; struck; n += n < 20 ? 1 : 1 + n / 5) {
            if (kind == FOLDER_NEW) make_folder(dir, kind);
            int files = open_files();
            sqlite3_int64 memory = sqlite3_memory_used();
            fault_arm((enum fault)(way / 2), n, way & 1);
            int err = start_and_stop(dir);
            struck = fault_disarm();
            if (err != want && !struck) fail_msg("%s, but nothing was struck", sg_err_code(err));
            if (open_files() != files || sqlite3_memory_used() != memory)
                fail_msg("%s %zu leaves %d files and %lld bytes behind",
                         fault_name((enum fault)(way / 2)), n, open_files() - files,
                         (long long)(sqlite3_memory_used() - memory));
            assert_int_equal(start_and_stop(dir), want);
        }
    }
}

static void test_a_server_starts_whole_or_not_at_all(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    char dir[200];
    snprintf(dir, sizeof dir, "%s/startXXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    for (int kind = FOLDER_NEW; kind <= FOLDER_NEWER; kind++)
        start_struck(dir, (enum folder)kind);
    make_folder(dir, FOLDER_NEW);
}

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_L1_a_store_is_opened_whole_or_not_at_all),
        cmocka_unit_test(test_a_server_starts_whole_or_not_at_all),
        cmocka_unit_test(test_L12_a_purge_that_fails_leaves_everything),
        cmocka_unit_test(test_anything_in_any_column_of_the_server),
        cmocka_unit_test(test_a_folder_with_other_things_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
