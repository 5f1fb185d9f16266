/* timeout: 200
 * A database whose owner, or somebody else, has written into Sigla's own tables: whatever stands in
 * any column of them, every function gives an answer or an error, and so does a sync.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/damage.h"
#include "lib/prng.h"

#define ROWS_MAX 3

static const char *const values[] = {
    "x''",
    "x'00'",
    "x'ff'",
    "x'ffffffffffffffffffff01'",
    "x'80808080808080808000ffffffff7f01020304'",
    "zeroblob(300)",
    "'garbage'",
    "'{\"a\":'",
    "-1",
    "0",
    "4294967297",
    "9223372036854775807",
    "(-9223372036854775807-1)",
    "1e300",
    "substr(CAST(%c AS BLOB),1,length(CAST(%c AS BLOB))/2)",
    "substr(CAST(%c AS BLOB),1,length(CAST(%c AS BLOB))-1)",
    "CAST(%c AS BLOB)||x'01'",
    "CAST(x'7f'||substr(CAST(%c AS BLOB),2) AS BLOB)",
};

/* The expression for a column: %c is its name. */
static char *expression(const char *format, const char *column)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    for (const char *p = format; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 'c') {
            sqlite3_str_appendf(out, "\"%w\"", column);
            p++;
        } else {
            sqlite3_str_appendchar(out, 1, *p);
        }
    }
    return sqlite3_str_finish(out);
}

static void damaged(const char *sql)
{
    int64_t now_us;
    sqlite3 *db = image_open(&now_us);
    /* What the table's own rules do not take is no damage. */
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_changes(db) != 0)
        damage_use(db);
    image_close(db);
}

/* A third of the values for each column, another third for its neighbour. */
static void damage_column(const char *table, const char *column, int number)
{
    for (size_t i = (size_t)number % 3; i < sizeof values / sizeof *values; i += 3) {
        char *value = expression(values[i], column);
        char *sql = sqlite3_mprintf(
            "UPDATE \"%w\" SET \"%w\"=%s WHERE \"%w\" IS (SELECT \"%w\" FROM \"%w\" LIMIT 1 OFFSET "
            "min(%d,(SELECT count(*) FROM \"%w\")-1))",
            table, column, value, column, column, table, (int)i % ROWS_MAX, table);
        damaged(sql);
        sqlite3_free(sql);
        sqlite3_free(value);
    }
}

static void test_anything_in_any_column(void **state)
{
    (void)state;
    int64_t now_us;
    sqlite3 *db = image_open(&now_us);
    sqlite3_stmt *s;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT m.name,c.name FROM sqlite_schema m, "
                           "pragma_table_info(m.name) c WHERE m.type='table' AND m.name LIKE "
                           "'sigla\\_%' ESCAPE '\\'",
                           -1, &s, NULL),
        SQLITE_OK);
    int columns = 0;
    for (; sqlite3_step(s) == SQLITE_ROW; columns++)
        damage_column((const char *)sqlite3_column_text(s, 0),
                      (const char *)sqlite3_column_text(s, 1), columns);
    assert_true(columns > 50);
    sqlite3_finalize(s);
    image_close(db);
}

static void test_rows_and_tables_that_are_gone(void **state)
{
    (void)state;
    static const char *const tables[] = {"state",     "app",     "table",        "name", "client",
                                         "actor",     "rec",     "outbox",       "ack",  "journal",
                                         "set_aside", "parking", "updated_index"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char *sql = sqlite3_mprintf("DELETE FROM sigla_%s", tables[i]);
        damaged(sql);
        sqlite3_free(sql);
        int64_t now_us;
        sqlite3 *db = image_open(&now_us);
        sql = sqlite3_mprintf("DROP TABLE sigla_%s", tables[i]);
        image_exec(db, sql);
        damage_use(db);
        sqlite3_free(sql);
        image_close(db);
    }
}

/* Other bytes on a page: SQLite may find out, or not. */
static void test_bytes_of_the_file_that_are_others(void **state)
{
    (void)state;
    prng random = {11};
    for (int i = 0; i < 100; i++) {
        int64_t now_us;
        sqlite3_int64 size;
        sqlite3 *db = image_open(&now_us);
        unsigned char *bytes = sqlite3_serialize(db, "main", &size, SQLITE_SERIALIZE_NOCOPY);
        assert_non_null(bytes);
        for (uint64_t k = prng_below(&random, 20) + 1; k-- > 0;)
            bytes[100 + prng_below(&random, (uint64_t)size - 100)] =
                (unsigned char)prng_next(&random);
        damage_use(db);
        image_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anything_in_any_column),
        cmocka_unit_test(test_rows_and_tables_that_are_gone),
        cmocka_unit_test(test_bytes_of_the_file_that_are_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
