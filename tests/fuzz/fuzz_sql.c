/*
 * Any values as arguments of Sigla's SQL functions: options, actors, keys, names, ids.
 *
 * The input is a list of calls: a byte that chooses the function, a byte with the number of
 * arguments, the arguments; an argument is a byte that gives its type, and text and blobs have
 * their length in a byte in front (0xFF: all that is left). Tables of the image can be named by a
 * single byte.
 *
 * Checked: a call gives rows or an error with a text; no transaction stays open; afterwards the
 * database is whole, can be read, and tracked tables can be written.
 */
#include "../lib/replica_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX 16

typedef struct input {
    const uint8_t *p;
    size_t left;
} input;

static const char *const calls[] = {
    "SELECT sigla_track(?1,?2)",
    "SELECT sigla_track(?1)",
    "SELECT sigla_as(?1)",
    "SELECT sigla_init(?1)",
    "SELECT sigla_config(?1,?2)",
    "SELECT sigla_config(?1)",
    "SELECT sigla_updated_at(?1,?2)",
    "SELECT sigla_updated_at(?1,?2,?3)",
    "SELECT * FROM sigla_marks(?1,?2)",
    "SELECT * FROM sigla_marks(?1,?2,?3,?4)",
    "SELECT * FROM sigla_updated(?1) LIMIT 9",
    "SELECT * FROM sigla_conflicts(?1)",
    "SELECT sigla_restore(?1)",
    "SELECT sigla_dismiss(?1)",
    "SELECT sigla_retry(?1)",
    "SELECT sigla_sweep(?1)",
    "SELECT sigla_untrack(?1)",
    "SELECT sigla_index_updated(?1)",
    "SELECT sigla_as_end()",
    "SELECT sigla_refresh()",
    "INSERT INTO t(id,a,b,c) VALUES(?1,?2,?3,?4)",
    "REPLACE INTO v VALUES(?1,?2,?3)",
    "UPDATE t SET id=?1,b=?2 WHERE id=?3",
    "UPDATE \"o'd d\" SET \"a\"\"b\"=?1,y=?2",
    "SELECT sigla_capture(?1,?2,?3)",
    "INSERT INTO sigla_tx(x) VALUES(?1)",
    "DELETE FROM sigla_tx WHERE x=?1",
    "ALTER TABLE t ADD COLUMN later",
};

static uint8_t take(input *in)
{
    if (in->left == 0) return 0;
    in->left--;
    return *in->p++;
}

static const void *take_bytes(input *in, size_t n, size_t *got)
{
    const void *p = in->p;
    *got = n == 0xff || n > in->left ? in->left : n;
    in->p += *got;
    in->left -= *got;
    return p;
}

static void bind(input *in, sqlite3_stmt *s, int i)
{
    static const char *const names[] = {"t", "v", "w", "plain", "o'd d", "view", "nothing", ""};
    uint8_t kind = take(in);
    int64_t number = 0;
    size_t n;
    const void *bytes;
    switch (kind) {
    case 't':
    case 'b':
        bytes = take_bytes(in, take(in), &n);
        if (kind == 't')
            sqlite3_bind_text64(s, i, n != 0 ? bytes : "", n, SQLITE_TRANSIENT, SQLITE_UTF8);
        else
            sqlite3_bind_blob64(s, i, n != 0 ? bytes : "", n, SQLITE_TRANSIENT);
        break;
    case 'i':
    case 'r':
        bytes = take_bytes(in, sizeof number, &n);
        memcpy(&number, bytes, n);
        if (kind == 'i') {
            sqlite3_bind_int64(s, i, number);
        } else {
            double real;
            memcpy(&real, &number, sizeof real);
            sqlite3_bind_double(s, i, real);
        }
        break;
    case 'n':
        break;
    default:
        if (kind >= '0' && kind <= '7')
            sqlite3_bind_text(s, i, names[kind - '0'], -1, SQLITE_STATIC);
        else
            sqlite3_bind_int64(s, i, kind);
    }
}

static void call(sqlite3 *db, input *in)
{
    const char *sql = calls[take(in) % (sizeof calls / sizeof *calls)];
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK) {
        image_require(sqlite3_errmsg(db)[0] != '\0', "an error has a text");
        return;
    }
    for (int i = 1; i <= sqlite3_bind_parameter_count(s); i++)
        bind(in, s, i);
    int rc, rows = 0;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && rows++ < 1000)
        for (int i = 0; i < sqlite3_column_count(s); i++)
            (void)sqlite3_column_bytes(s, i);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        image_require(sqlite3_errmsg(db)[0] != '\0', "an error has a text");
        image_require(rc != SQLITE_INTERNAL && rc != SQLITE_CORRUPT && rc != SQLITE_MISUSE,
                      "an argument is no damage");
    }
    sqlite3_finalize(s);
    image_require(sqlite3_get_autocommit(db) != 0, "no transaction stays open");
}

static void check(sqlite3 *db)
{
    image_exec(db, "SELECT sigla_status(); SELECT * FROM sigla_pending();"
                   "SELECT * FROM sigla_conflicts(1); SELECT * FROM sigla_refused();"
                   "SELECT * FROM sigla_parked(); UPDATE v SET x='last';"
                   "INSERT INTO w(\"a b\") VALUES('last')");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t now_us;
    sqlite3 *db = image_open(&now_us);
    image_exec(db,
               "CREATE TABLE plain(id INTEGER PRIMARY KEY, updatedAt, j, x, y);"
               "INSERT INTO plain VALUES(1,'then','{}',1,2);"
               "CREATE TABLE \"o'd d\"(\"a\"\"b\" PRIMARY KEY, y); CREATE VIEW view AS SELECT 1;"
               "INSERT INTO \"o'd d\" VALUES('k',1)");
    input in = {data, size};
    for (int i = 0; in.left != 0 && i < CALLS_MAX; i++)
        call(db, &in);
    check(db);
    image_close(db);
    return 0;
}
