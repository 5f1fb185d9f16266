/* Every value SQLite can hold is queued as it is, bit for bit. */
#include <math.h>
#include <string.h>

#include "lib/db.h"

typedef struct sample {
    int type;
    int64_t i;
    double r;
    const char *bytes;
    int n;
    const char *json;
} sample;

#define INT(v, text)                                                                               \
    {                                                                                              \
        .type = SQLITE_INTEGER, .i = (v), .json = (text)                                           \
    }
#define REAL(v, text)                                                                              \
    {                                                                                              \
        .type = SQLITE_FLOAT, .r = (v), .json = (text)                                             \
    }
#define TEXT(s, text)                                                                              \
    {                                                                                              \
        .type = SQLITE_TEXT, .bytes = (s), .n = sizeof(s) - 1, .json = (text)                      \
    }
#define BLOB(s, text)                                                                              \
    {                                                                                              \
        .type = SQLITE_BLOB, .bytes = (s), .n = sizeof(s) - 1, .json = (text)                      \
    }

static const sample samples[] = {
    {.type = SQLITE_NULL, .json = "null"},
    INT(0, "0"),
    INT(-1, "-1"),
    INT(9007199254740993, "9007199254740993"),
    INT(INT64_MAX, "9223372036854775807"),
    INT(INT64_MIN, "-9223372036854775808"),
    REAL(1.0, "1.0"),
    REAL(-0.0, "-0.0"),
    REAL(0.1, "0.1"),
    REAL(5e-324, "5e-324"),
    REAL(-2.225073858507201e-308, "-2.225073858507201e-308"),
    REAL(1.7976931348623157e308, "1.7976931348623157e308"),
    REAL(INFINITY, "{\"$real\":\"Infinity\"}"),
    REAL(-INFINITY, "{\"$real\":\"-Infinity\"}"),
    TEXT("", "\"\""),
    TEXT("Tee \xe2\x98\x95 \xf0\x9f\x8d\xb5", "\"Tee \xe2\x98\x95 \xf0\x9f\x8d\xb5\""),
    TEXT("a\0b", "\"a\\u0000b\""),
    TEXT("\"\\\n\x01", "\"\\\"\\\\\\n\\u0001\""),
    TEXT("\xff\xfe", "{\"$text\":\"//4=\"}"),
    TEXT("\xed\xa0\x80", "{\"$text\":\"7aCA\"}"),
    TEXT("{\"a\":1}", "\"{\\\"a\\\":1}\""),
    TEXT("1", "\"1\""),
    BLOB("", "{\"$blob\":\"\"}"),
    BLOB("\0\xff", "{\"$blob\":\"AP8=\"}"),
    BLOB("text", "{\"$blob\":\"dGV4dA==\"}"),
};
#define SAMPLES (sizeof samples / sizeof *samples)

static void bind(sqlite3_stmt *s, int at, const sample *v)
{
    switch (v->type) {
    case SQLITE_INTEGER:
        sqlite3_bind_int64(s, at, v->i);
        break;
    case SQLITE_FLOAT:
        sqlite3_bind_double(s, at, v->r);
        break;
    case SQLITE_TEXT:
        sqlite3_bind_text(s, at, v->bytes, v->n, SQLITE_STATIC);
        break;
    case SQLITE_BLOB:
        sqlite3_bind_blob(s, at, v->bytes, v->n, SQLITE_STATIC);
        break;
    default:
        sqlite3_bind_null(s, at);
    }
}

static void run(sqlite3 *db, const char *sql, const sample *v)
{
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    bind(s, 1, v);
    assert_int_equal(sqlite3_step(s), SQLITE_DONE);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
}

static void expect_last(sqlite3 *db, const char *op, const char *json)
{
    char *rows = sqlite3_mprintf("%s|{\"v\":%s}", op, json);
    db_expect(db, rows, "SELECT op,fields FROM sigla_pending() ORDER BY n DESC LIMIT 1");
    sqlite3_free(rows);
}

static void test_every_value_by_insert(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t')");
    for (size_t i = 0; i < SAMPLES; i++) {
        run(f->db, "INSERT INTO t(v) VALUES(?1)", &samples[i]);
        expect_last(f->db, "insert", samples[i].json);
    }
}

static void test_every_value_by_update_to_every_other(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,'start')");
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t k = 0; k < SAMPLES; k++) {
            run(f->db, "UPDATE t SET v=?1", &samples[i]);
            db_taken(f->db);
            run(f->db, "UPDATE t SET v=?1", &samples[k]);
            if (i == k)
                db_pending(f->db, "");
            else
                expect_last(f->db, "update", samples[k].json);
        }
    }
}

/* The other way into the outbox: the row is read at the commit. */
static void test_every_value_by_two_updates_in_one_transaction(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,'start')");
    for (size_t i = 0; i < SAMPLES; i++) {
        db_exec(f->db, "BEGIN; UPDATE t SET v='between'");
        run(f->db, "UPDATE t SET v=?1", &samples[i]);
        db_exec(f->db, "COMMIT");
        expect_last(f->db, "update", samples[i].json);
    }
}

static void test_every_value_by_replace(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,'start')");
    for (size_t i = 0; i < SAMPLES; i++) {
        run(f->db, "REPLACE INTO t VALUES(1,?1)", &samples[i]);
        expect_last(f->db, "update", samples[i].json);
        db_taken(f->db);
        run(f->db, "REPLACE INTO t VALUES(1,?1)", &samples[i]);
        db_pending(f->db, "");
    }
}

static void test_values_are_queued_as_the_columns_affinity_makes_them(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, r REAL, n NUMERIC, t TEXT, b BLOB);"
            "SELECT sigla_track('t'); INSERT INTO t VALUES(1,'7',7,7.0,7,7)");
    db_pending(f->db, "insert|t|1|{\"i\":7,\"r\":7.0,\"n\":7,\"t\":\"7\",\"b\":7}");
    db_taken(f->db);
    db_exec(f->db, "UPDATE t SET i=7.0, r=7, n='7', t='7', b='7'");
    db_pending(f->db, "update|t|1|{\"b\":\"7\"}");
    db_taken(f->db);
    /* A REAL column keeps no sign of zero. */
    db_exec(f->db, "UPDATE t SET r=0.0*-1; UPDATE t SET r=0");
    db_pending(f->db, "update|t|1|{\"r\":0.0}");
}

static void test_an_integer_that_becomes_a_real_is_an_edit(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,1); UPDATE t SET v=1.0; UPDATE t SET v=1");
    db_pending(f->db, "insert|t|1|{\"v\":1}\nupdate|t|1|{\"v\":1.0}\nupdate|t|1|{\"v\":1}");
}

static void test_a_change_of_case_is_an_edit_whatever_the_collation(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT COLLATE NOCASE, r TEXT COLLATE "
                   "RTRIM UNIQUE); SELECT sigla_track('t'); INSERT INTO t VALUES(1,'tea','x')");
    db_taken(f->db);
    db_exec(f->db, "UPDATE t SET n='Tea'; UPDATE t SET r='x '; REPLACE INTO t VALUES(1,'TEA','x')");
    db_pending(f->db, "update|t|1|{\"n\":\"Tea\"}\nupdate|t|1|{\"r\":\"x \"}\n"
                      "update|t|1|{\"n\":\"TEA\",\"r\":\"x\"}");
}

static void test_values_in_a_utf16_database(void **state)
{
    db_fixture *f = *state;
    char *path = db_path(f, "utf16.db");
    sqlite3 *db = db_open_file(f, path);
    db_exec(db, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(id TEXT PRIMARY KEY, v);"
                "SELECT sigla_track('t'); INSERT INTO t VALUES('\xc3\xa9','\xe2\x98\x95');"
                "UPDATE t SET v='\xf0\x9f\x8d\xb5' WHERE id='\xc3\xa9'");
    db_pending(db, "insert|t|\xc3\xa9|{\"v\":\"\xe2\x98\x95\"}\n"
                   "update|t|\xc3\xa9|{\"v\":\"\xf0\x9f\x8d\xb5\"}");
    db_close(db);
    sqlite3_free(path);
}

static void test_json_columns_travel_as_json(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, j, k); "
                   "SELECT sigla_track('t','{\"json\":[\"j\"]}');"
                   "INSERT INTO t VALUES(1,'{\"a\": [1,2.50]}','{\"a\":1}'),(2,'not json','x'),"
                   "(3,NULL,NULL); UPDATE t SET j='[true]' WHERE id=3");
    db_pending(f->db, "insert|t|1|{\"j\":{\"a\": [1,2.50]},\"k\":\"{\\\"a\\\":1}\"}\n"
                      "insert|t|2|{\"j\":{\"$text\":\"bm90IGpzb24=\"},\"k\":\"x\"}\n"
                      "insert|t|3|{\"j\":null,\"k\":null}\nupdate|t|3|{\"j\":[true]}");
}

static void test_a_value_of_many_megabytes(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); SELECT sigla_track('t');"
                   "INSERT INTO t VALUES(1,zeroblob(20000000)); UPDATE t SET v=zeroblob(20000001)");
    db_expect(f->db, "2|1", "SELECT count(*),min(length(fields)>26000000) FROM sigla_pending()");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_value_by_insert),
        TEST(test_every_value_by_update_to_every_other),
        TEST(test_every_value_by_two_updates_in_one_transaction),
        TEST(test_every_value_by_replace),
        TEST(test_values_are_queued_as_the_columns_affinity_makes_them),
        TEST(test_an_integer_that_becomes_a_real_is_an_edit),
        TEST(test_a_change_of_case_is_an_edit_whatever_the_collation),
        TEST(test_values_in_a_utf16_database),
        TEST(test_json_columns_travel_as_json),
        TEST(test_a_value_of_many_megabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
