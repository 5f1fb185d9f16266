/* The hash of a value: blind to what SQLite's columns may rightly make of it, and to nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "lib/prng.h"
#include "wire/value_hash.h"

#define SEEDS 20000
#define TEXT_MAX ((size_t)1 << 20)

static uint64_t of_json(const char *json)
{
    sg_buf scratch;
    sg_buf_init(&scratch, TEXT_MAX);
    uint64_t h = sg_value_hash_json(sg_slice_str(json), &scratch);
    assert_int_equal(scratch.err, SG_OK);
    assert_int_equal(scratch.n, 0);
    sg_buf_deinit(&scratch);
    return h;
}

static void check(const char *a, const char *b, bool same)
{
    if ((of_json(a) == of_json(b)) != same)
        fail_msg("%s and %s have %s hash", a, b, same ? "not one" : "one");
}

static void one_value_in_other_spellings_has_one_hash(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"1", "1.0"},
        {"1", "true"},
        {"false", "0"},
        {"-0.0", "0"},
        {"1", "\"1\""},
        {"100", "\" +1e2\\n\""},
        {"0.5", "\".5\""},
        {"7", "\"007\""},
        {"7", "\"7.\""},
        {"9223372036854775807", "\"9223372036854775807\""},
        {"18446744073709551616", "\"18446744073709551616\""},
        {"0.30000000000000004", "0.3"},
        {"123456789012345.6", "\"123456789012346.0\""},
        {"\"\\u0041/\"", "\"A\\/\""},
        {"[1,{\"a\":2,\"b\":null}]", "\"[1, {\\\"b\\\": null, \\\"a\\\": 2.0}]\""},
        {"{\"\\u0061\":[]}", "{ \"a\" : [ ] }"},
        {"{\"$json\":{\"$a\":1}}", "\"{\\\"$a\\\":1}\""},
        {"{\"$json\":null}", "\"null\""},
        {"{\"$text\":\"YWI=\"}", "\"ab\""},
        {"{\"$blob\":\"\\/w==\"}", "{\"$blob\":\"/w==\"}"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        check(same[i][0], same[i][1], true);
}

static void different_values_have_different_hashes(void **state)
{
    (void)state;
    static const char *const all[] = {"null",
                                      "0",
                                      "1",
                                      "-1",
                                      "9007199254740993",
                                      "9007199254740992",
                                      "1700000000000001",
                                      "1700000000000002",
                                      "0.1",
                                      "0.100000000000001",
                                      "{\"$real\":\"Infinity\"}",
                                      "{\"$real\":\"-Infinity\"}",
                                      "\"\"",
                                      "\"a\"",
                                      "\"aaaaaaaa\"",
                                      "\"aaaaaaaaa\"",
                                      "\"aaaaaaab\"",
                                      "\"baaaaaaa\"",
                                      "\"\\u0000\"",
                                      "\"\\u0000\\u0000\"",
                                      "\"null\"",
                                      "\"1e\"",
                                      "\"1 1\"",
                                      "\".\"",
                                      "\"0x10\"",
                                      "\"2026-01-02\"",
                                      "[]",
                                      "{}",
                                      "[[]]",
                                      "[1,2]",
                                      "[2,1]",
                                      "[\"1\",2]",
                                      "[12]",
                                      "[true]",
                                      "[null]",
                                      "{\"a\":1}",
                                      "{\"b\":1}",
                                      "{\"a\":2}",
                                      "{\"a\":1,\"b\":2}",
                                      "{\"a\":2,\"b\":1}",
                                      "\"[1,2\"",
                                      "\"[1,2] x\"",
                                      "{\"$blob\":\"\"}",
                                      "{\"$blob\":\"MQ==\"}",
                                      "{\"$blob\":\"!\"}"};
    size_t n = sizeof all / sizeof *all;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            check(all[i], all[k], i == k);
}

/* ---- what columns make of values ---- */

static void put_random_number(prng *g, sqlite3_str *out)
{
    static const char *const forms[] = {"%lld", "%lld.0", "%lld.5", "%llde3", "%lld.25e-2"};
    /* What a column rounds off is a difference: of integers what a double does not keep, of doubles
     * the 16th digit of an integer, which a TEXT column does not. */
    uint64_t form = prng_below(g, 5);
    int64_t most = form == 0 ? INT64_C(1) << 53 : INT64_C(1000000000000);
    if (prng_below(g, 2) == 0) most = 1000;
    int64_t i = (int64_t)(prng_next(g) >> (1 + prng_below(g, 63))) % most;
    sqlite3_str_appendf(out, forms[form], i);
}

static char *random_json(prng *g)
{
    static const char *const others[] = {"null",
                                         "true",
                                         "false",
                                         "\"\"",
                                         "\"tea\"",
                                         "\" 12 \"",
                                         "[1,2]",
                                         "{\"a\":[1]}",
                                         "\"[ 1 , 2]\"",
                                         "\"1e5\"",
                                         "\"-.5\"",
                                         "\"0x1\"",
                                         "{\"$blob\":\"MQ==\"}",
                                         "{\"$text\":\"/w==\"}"};
    sqlite3_str *out = sqlite3_str_new(NULL);
    uint64_t kind = prng_below(g, 3);
    if (kind == 0) {
        sqlite3_str_appendall(out, others[prng_below(g, sizeof others / sizeof *others)]);
        return sqlite3_str_finish(out);
    }
    if (kind == 1) sqlite3_str_appendall(out, "\"");
    if (prng_below(g, 2) == 0) sqlite3_str_appendall(out, "-");
    put_random_number(g, out);
    if (kind == 1) sqlite3_str_appendall(out, "\"");
    return sqlite3_str_finish(out);
}

static sg_value read_back(sqlite3_stmt *s, int column)
{
    sg_value v = {.type = SG_NULL};
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        return (sg_value){.type = SG_INT, .i = sqlite3_column_int64(s, column)};
    case SQLITE_FLOAT:
        return (sg_value){.type = SG_REAL, .r = sqlite3_column_double(s, column)};
    case SQLITE_NULL:
        return v;
    default:
        v.type = sqlite3_column_type(s, column) == SQLITE_TEXT ? SG_TEXT : SG_BLOB;
        v.bytes.p = sqlite3_column_blob(s, column);
        v.bytes.n = (size_t)sqlite3_column_bytes(s, column);
        return v;
    }
}

static void bind(sqlite3_stmt *s, int i, const sg_value *v)
{
    if (v->type == SG_INT) sqlite3_bind_int64(s, i, v->i);
    if (v->type == SG_REAL) sqlite3_bind_double(s, i, v->r);
    if (v->type == SG_TEXT) sqlite3_bind_text(s, i, v->bytes.p, (int)v->bytes.n, SQLITE_TRANSIENT);
    if (v->type == SG_BLOB) sqlite3_bind_blob(s, i, v->bytes.p, (int)v->bytes.n, SQLITE_TRANSIENT);
}

/* Put in as the column takes it, and read as the column gives it to a push. */
static uint64_t through(sqlite3_stmt *put, sqlite3_stmt *get, int column, bool json, sg_slice text)
{
    sg_buf scratch, out;
    sg_buf_init(&scratch, TEXT_MAX);
    sg_buf_init(&out, TEXT_MAX);
    sg_value v;
    assert_int_equal(sg_value_from_json(&v, text, json, &scratch), SG_OK);
    sqlite3_clear_bindings(put);
    bind(put, column + 1, &v);
    assert_int_equal(sqlite3_step(put), SQLITE_DONE);
    sqlite3_reset(put);
    assert_int_equal(sqlite3_step(get), SQLITE_ROW);
    v = read_back(get, column);
    sg_value_to_json(&out, &v, json);
    uint64_t h = sg_value_hash_json(sg_buf_view(&out), &scratch);
    if (!json) assert_true(h == sg_value_hash(&v, &scratch));
    sqlite3_reset(get);
    sg_buf_deinit(&scratch);
    sg_buf_deinit(&out);
    return h;
}

static void no_type_of_column_changes_the_hash(void **state)
{
    (void)state;
    sqlite3 *db;
    sqlite3_stmt *put, *get;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE t(i INTEGER, r REAL, n NUMERIC, x TEXT, b BLOB, j JSON)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "INSERT OR REPLACE INTO t(rowid,i,r,n,x,b,j) "
                                        "VALUES(1,?1,?2,?3,?4,?5,?6)",
                                        -1, &put, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM t", -1, &get, NULL), SQLITE_OK);
    prng g = {1};
    for (int seed = 0; seed < SEEDS; seed++) {
        char *json = random_json(&g);
        for (int column = 0; column < 6; column++)
            if (through(put, get, column, column == 5, sg_slice_str(json)) != of_json(json))
                fail_msg("%s has another hash in column %d", json, column);
        sqlite3_free(json);
    }
    sqlite3_finalize(put);
    sqlite3_finalize(get);
    sqlite3_close(db);
}

static void a_hash_that_finds_no_memory_says_so(void **state)
{
    (void)state;
    sg_buf scratch;
    sg_buf_init(&scratch, 4);
    (void)sg_value_hash_json(SG_LIT("\"a\\nb and more\""), &scratch);
    assert_int_equal(scratch.err, SG_LIMIT);
    sg_buf_deinit(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_in_other_spellings_has_one_hash),
        cmocka_unit_test(different_values_have_different_hashes),
        cmocka_unit_test(no_type_of_column_changes_the_hash),
        cmocka_unit_test(a_hash_that_finds_no_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
