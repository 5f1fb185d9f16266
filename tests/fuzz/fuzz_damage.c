/*
 * A replica whose own tables somebody has written into: values of any kind where Sigla put others,
 * rows that are gone, and pages of the file with other bytes in them.
 *
 * The input is cut at each 0xFF; a piece is one damage. Checked: every function, and a session,
 * gives an answer or an error with a text; no transaction stays open; everything is freed.
 */
#include "../lib/damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const columns[][2] = {{"sigla_state", "v"},
                                         {"sigla_state", "k"},
                                         {"sigla_app", "cursor"},
                                         {"sigla_app", "seq"},
                                         {"sigla_app", "epoch"},
                                         {"sigla_app", "settled"},
                                         {"sigla_app", "name"},
                                         {"sigla_app", "resync"},
                                         {"sigla_table", "name"},
                                         {"sigla_table", "wire"},
                                         {"sigla_table", "options"},
                                         {"sigla_table", "active"},
                                         {"sigla_table", "app"},
                                         {"sigla_table", "id"},
                                         {"sigla_name", "name"},
                                         {"sigla_name", "id"},
                                         {"sigla_client", "client"},
                                         {"sigla_client", "id"},
                                         {"sigla_actor", "actor"},
                                         {"sigla_actor", "origin"},
                                         {"sigla_actor", "id"},
                                         {"sigla_rec", "m"},
                                         {"sigla_rec", "key"},
                                         {"sigla_rec", "tbl"},
                                         {"sigla_outbox", "ops"},
                                         {"sigla_outbox", "n"},
                                         {"sigla_outbox", "cnt"},
                                         {"sigla_outbox", "at"},
                                         {"sigla_outbox", "tx_last"},
                                         {"sigla_outbox", "base"},
                                         {"sigla_outbox", "app"},
                                         {"sigla_ack", "n"},
                                         {"sigla_ack", "cnt"},
                                         {"sigla_ack", "seq"},
                                         {"sigla_ack", "client"},
                                         {"sigla_journal", "key"},
                                         {"sigla_journal", "field"},
                                         {"sigla_journal", "state"},
                                         {"sigla_journal", "value"},
                                         {"sigla_journal", "n"},
                                         {"sigla_journal", "lost"},
                                         {"sigla_journal", "snapshot"},
                                         {"sigla_journal", "actor"},
                                         {"sigla_journal", "at"},
                                         {"sigla_journal", "now_origin"},
                                         {"sigla_journal", "tbl"},
                                         {"sigla_set_aside", "ops"},
                                         {"sigla_set_aside", "code"},
                                         {"sigla_set_aside", "n"},
                                         {"sigla_set_aside", "at"},
                                         {"sigla_parking", "key"},
                                         {"sigla_parking", "tbl"},
                                         {"sigla_updated_index", "at"},
                                         {"sigla_updated_index", "key"},
                                         {"sigla_set_aside", "app"},
                                         {"sigla_journal", "now_value"}};

static void bind(sqlite3_stmt *s, const uint8_t *p, size_t n)
{
    int64_t number = 0;
    uint8_t kind = n != 0 ? *p : 'n';
    if (n != 0) p++, n--;
    if (kind == 't') sqlite3_bind_text64(s, 1, (const char *)p, n, SQLITE_TRANSIENT, SQLITE_UTF8);
    if (kind == 'b') sqlite3_bind_blob64(s, 1, p, n, SQLITE_TRANSIENT);
    if (kind != 'i') return;
    memcpy(&number, p, n < sizeof number ? n : sizeof number);
    sqlite3_bind_int64(s, 1, number);
}

/* Column, row, then: 'x' and bytes to change a value's bytes from a place on; 'c' to cut it; 'd' to
 * delete the row; anything else is a value. */
static void damage(sqlite3 *db, const uint8_t *p, size_t n)
{
    if (n < 3) return;
    const char *const *what = columns[p[0] % (sizeof columns / sizeof *columns)];
    const char *table = what[0], *column = what[1];
    static const char set[] =
        "UPDATE OR IGNORE \"%w\" SET \"%w\"=%s WHERE \"%w\" IS (SELECT \"%w\" "
        "FROM \"%w\" LIMIT 1 OFFSET %d)";
    static const char splice[] = "CAST(substr(CAST(\"%w\" AS BLOB),1,%d)||?1||"
                                 "substr(CAST(\"%w\" AS BLOB),%d) AS BLOB)";
    int row = p[1] % 8, at = n > 3 ? p[3] : 0;
    char *value = NULL, *sql;
    if (p[2] == 'x')
        value = sqlite3_mprintf(splice, column, at, column, at + (n > 4 ? (int)n - 4 : 0) + 1);
    else if (p[2] == 'c')
        value = sqlite3_mprintf("substr(CAST(\"%w\" AS BLOB),1,%d)", column, at);
    sql =
        p[2] == 'd'
            ? sqlite3_mprintf("DELETE FROM \"%w\" WHERE \"%w\" IS (SELECT \"%w\" FROM \"%w\" LIMIT "
                              "1 OFFSET %d)",
                              table, column, column, table, row)
            : sqlite3_mprintf(set, table, column, value != NULL ? value : "?1", column, column,
                              table, row);
    sqlite3_stmt *s;
    image_require(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK, sql);
    if (p[2] == 'x' && n > 4)
        sqlite3_bind_blob64(s, 1, p + 4, n - 4, SQLITE_TRANSIENT);
    else
        bind(s, p + 2, n - 2);
    (void)sqlite3_step(s); /* NOT NULL may stand against it */
    sqlite3_finalize(s);
    sqlite3_free(sql);
    sqlite3_free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t now_us;
    sqlite3 *db = image_open(&now_us);
    while (size != 0) {
        const uint8_t *end = memchr(data, 0xff, size);
        size_t n = end != NULL ? (size_t)(end - data) : size;
        damage(db, data, n);
        n += end != NULL;
        data += n;
        size -= n;
    }
    damage_use(db);
    image_close(db);
    return 0;
}
