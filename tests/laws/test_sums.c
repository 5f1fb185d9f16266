/* Server and replicas keep sums of what they hold: the same ones for the same records, at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/prng.h"
#include "lib/world.h"
#include "server/audit.h"
#include "wire/page_json.h"

#define SCHEMA                                                                                         \
    "CREATE TABLE t(id TEXT PRIMARY KEY, a, b INTEGER); CREATE TABLE u(k INTEGER, l, v REAL, PRIMARY " \
    "KEY(k,l)) WITHOUT ROWID; SELECT sigla_track('t'); SELECT sigla_track('u')"
#define ROUNDS 120
#define VERSION_1_MAX 2000

static void run(device *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    device_exec(d, sql);
    sqlite3_free(sql);
}

static void write_something(device *d, prng *g)
{
    int key = (int)prng_below(g, 6), v = (int)prng_below(g, 100);
    switch (prng_below(g, 6)) {
    case 0:
        run(d, "INSERT OR REPLACE INTO t VALUES('k%d','v%d',%d)", key, v, v);
        break;
    case 1:
        run(d, "DELETE FROM t WHERE id='k%d'", key);
        break;
    case 2:
        run(d, "BEGIN; INSERT OR IGNORE INTO u VALUES(%d,'x',%d); UPDATE u SET v=v+0.5; COMMIT",
            key, v);
        break;
    case 3:
        run(d, "DELETE FROM u WHERE k=%d", key);
        break;
    default:
        run(d, "UPDATE t SET a='w%d', b=b+1 WHERE id='k%d'", v, key);
        break;
    }
}

/* A client of another make: whole rows, no numbers, with its key among the fields. */
static void push_version_1(world *w, prng *g)
{
    char body[VERSION_1_MAX];
    int key = (int)prng_below(g, 6), v = (int)prng_below(g, 100);
    int n = snprintf(body, sizeof body,
                     "{\"clientId\":\"old\",\"changes\":[{\"table\":\"t\",\"id\":\"k%d\",\"op\":"
                     "\"%s\",\"data\":{\"id\":\"k%d\",\"a\":\"v%d\",\"b\":true}}]}",
                     key, prng_below(g, 4) == 0 ? "delete" : "update", key, v);
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 24);
    assert_int_equal(
        world_request(w, "POST", "http://sim/sync/default", sg_slice_of(body, (size_t)n), &out),
        200);
    assert_null(strstr(sg_buf_cstr(&out), "\"sums\""));
    sg_buf_deinit(&out);
}

static void assert_sound(void *ctx, const sg_audited *t)
{
    if (!sg_audited_sound(t)) fail_msg("table %.*s", (int)t->table.n, t->table.p);
    ++*(int *)ctx;
}

static void audit(world *w)
{
    int tables = 0;
    assert_int_equal(sg_audit(&w->store, w->view, assert_sound, &tables), SG_OK);
    assert_int_equal(tables, 2);
}

static void the_servers_sums_are_those_of_its_records(void **state)
{
    world *w = *state;
    prng g = {11};
    device *a = world_device(w, SCHEMA), *b = world_device(w, SCHEMA);
    run(a, "INSERT INTO t VALUES('k0','x',1); INSERT INTO u VALUES(1,'x',1)");
    device_sync(a);
    for (int round = 0; round < ROUNDS; round++) {
        write_something(a, &g);
        write_something(b, &g);
        if (prng_below(&g, 3) == 0) push_version_1(w, &g);
        device_sync(prng_below(&g, 2) == 0 ? a : b);
        audit(w);
    }
}

/* ---- pages ---- */

static void get(world *w, const char *url, sg_buf *out)
{
    assert_int_equal(world_request(w, "GET", url, SG_LIT(""), out), 200);
}

static void only_the_last_page_carries_sums(void **state)
{
    world *w = *state;
    device *a = world_device(w, SCHEMA);
    sg_buf out;
    char url[300];
    sg_buf_init(&out, (size_t)1 << 26);
    get(w, "http://sim/sync/default/pull?v=2&since=&client=x&", &out);
    assert_non_null(strstr(sg_buf_cstr(&out), "\"sums\":[]"));
    run(a,
        "INSERT INTO t SELECT 'k'||value,'x',1 FROM json_each('[1,2]');"
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<1500) INSERT INTO t "
        "SELECT 'n'||i,i,i FROM c");
    device_sync(a);
    get(w, "http://sim/sync/default/pull?v=2&since=&client=x&", &out);
    assert_null(strstr(sg_buf_cstr(&out), "\"sums\""));
    sg_arena arena;
    sg_arena_init(&arena);
    sg_page page;
    assert_int_equal(sg_page_open(&page, sg_buf_view(&out), &arena), SG_OK);
    assert_true(page.has_more);
    assert_false(page.summed);
    snprintf(url, sizeof url, "http://sim/sync/default/pull?v=2&since=%.*s&client=x&",
             (int)page.synced_until.n, page.synced_until.p);
    get(w, url, &out);
    assert_int_equal(sg_page_open(&page, sg_buf_view(&out), &arena), SG_OK);
    assert_false(page.has_more);
    assert_true(page.summed);
    assert_int_equal(page.sum_count, 1);
    assert_true(sg_slice_eq(page.sums[0].table, SG_LIT("t")));
    assert_int_equal(page.sums[0].sum.records, 1502);
    sg_arena_deinit(&arena);
    sg_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_servers_sums_are_those_of_its_records, world_setup,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(only_the_last_page_carries_sums, world_setup,
                                        world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
