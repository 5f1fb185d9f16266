/*
 * Random tables and random statements against a model: after each commit, what is new in the outbox
 * is replayed onto a copy, which must then be the table, bit for bit; every change bears the actor
 * of its transaction; one statement queues no field that it did not change; and sigla_marks names
 * for every field the change that wrote it last.
 *
 * SIGLA_SEED=n runs the one round of that seed, SIGLA_ROUNDS=n so many of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/db.h"
#include "lib/prng.h"
#include "replica/fold.h"
#include "replica/replica.h"
#include "wire/json.h"
#include "wire/value.h"

#define STEPS 120

typedef struct round {
    db_fixture *f;
    sqlite3 *db;
    sqlite3 *copy; /* in memory: t as of the last commit, marks(key, field, n) */
    prng random;
    sqlite3_str *log;
    int keys;    /* columns of the key: k0… */
    int columns; /* others: c0… */
    const char *key_type;
    int64_t seen;   /* changes replayed so far */
    int actor;      /* of the transaction that is open */
    int statements; /* in it */
    bool schema;    /* changed in it */
    bool moved;     /* a key was, so that a record may get what another had */
    bool triggers;
} round;

static uint64_t below(round *r, uint64_t n)
{
    return prng_below(&r->random, n);
}

static bool one_in(round *r, uint64_t n)
{
    return below(r, n) == 0;
}

/* ---- running SQL, remembering it ---- */

static void give_up(round *r, const char *what)
{
    fprintf(stderr, "%s%s\n", sqlite3_str_value(r->log), what);
    fail();
}

static int run(round *r, const char *sql)
{
    int rc = db_try(r->db, sql);
    sqlite3_str_appendf(r->log, "%s; -- %d\n", sql, rc);
    bool expected = rc == SQLITE_OK || (rc & 0xff) == SQLITE_CONSTRAINT;
    if (!expected && rc != SQLITE_ERROR) give_up(r, sqlite3_errmsg(r->db));
    return rc;
}

static int runf(round *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    int rc = run(r, sql);
    sqlite3_free(sql);
    return rc;
}

static int take_str(round *r, sqlite3_str *s)
{
    char *sql = sqlite3_str_finish(s);
    int rc = run(r, sql);
    sqlite3_free(sql);
    return rc;
}

/* A value's type and bits as text. */
static void bits(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    static const char letters[] = "?irtbn";
    int type = sqlite3_value_type(argv[0]);
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendf(s, "%c:", letters[type]);
    double real = sqlite3_value_double(argv[0]);
    const unsigned char *p = (const unsigned char *)&real;
    int n = sizeof real;
    if (type == SQLITE_INTEGER) sqlite3_str_appendf(s, "%lld", sqlite3_value_int64(argv[0]));
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        p = sqlite3_value_blob(argv[0]);
        n = sqlite3_value_bytes(argv[0]);
    }
    for (int i = 0; type != SQLITE_INTEGER && type != SQLITE_NULL && i < n; i++) {
        sqlite3_str_appendf(s, "%02x", p[i]);
        if (i == 40) sqlite3_str_appendf(s, "+%d", n);
        if (i == 40) i = n - 2;
    }
    sqlite3_result_text(ctx, sqlite3_str_finish(s), -1, sqlite3_free);
}

/* ---- the copy ---- */

static void bind(sqlite3_stmt *s, int at, const sg_value *v)
{
    switch (v->type) {
    case SG_NULL:
        sqlite3_bind_null(s, at);
        break;
    case SG_INT:
        sqlite3_bind_int64(s, at, v->i);
        break;
    case SG_REAL:
        sqlite3_bind_double(s, at, v->r);
        break;
    case SG_TEXT:
        sqlite3_bind_text64(s, at, v->bytes.p, v->bytes.n, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case SG_BLOB:
        sqlite3_bind_blob64(s, at, v->bytes.n != 0 ? v->bytes.p : "", v->bytes.n, SQLITE_TRANSIENT);
        break;
    }
}

static sg_value decode(sg_slice json, sg_buf *scratch)
{
    sg_value v;
    sg_buf_clear(scratch);
    assert_int_equal(sg_value_from_json(&v, json, false, scratch), SG_OK);
    return v;
}

/* The key's columns: of a JSON array, or the value itself. */
static void bind_key(round *r, sqlite3_stmt *s, int first, sqlite3_value *key)
{
    if (r->keys == 1) {
        sqlite3_bind_value(s, first, key);
        return;
    }
    sg_buf scratch;
    sg_buf_init(&scratch, 1 << 20);
    sg_json j;
    sg_json_init(
        &j, sg_slice_of((const char *)sqlite3_value_text(key), (size_t)sqlite3_value_bytes(key)));
    assert_true(sg_json_array(&j));
    for (int i = 0; sg_json_next(&j); i++) {
        sg_value v = decode(sg_json_skip(&j), &scratch);
        bind(s, first + i, &v);
    }
    assert_true(sg_json_end(&j));
    sg_buf_deinit(&scratch);
}

static sqlite3_stmt *on_copy(round *r, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(r->copy, sql, -1, &s, NULL) != SQLITE_OK)
        give_up(r, sqlite3_errmsg(r->copy));
    return s;
}

static void step(round *r, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE) give_up(r, sqlite3_errmsg(r->copy));
    sqlite3_reset(s);
}

static const char *where_key(const round *r)
{
    return r->keys == 1 ? "k0 IS ?1" : "k0 IS ?1 AND k1 IS ?2";
}

static void copy_run(round *r, sqlite3_value *key, const char *format)
{
    char *sql = sqlite3_mprintf(format, where_key(r));
    sqlite3_stmt *s = on_copy(r, sql);
    bind_key(r, s, 1, key);
    step(r, s);
    sqlite3_finalize(s);
    sqlite3_free(sql);
}

static void copy_insert(round *r, sqlite3_value *key)
{
    sqlite3_stmt *s = on_copy(r, r->keys == 1 ? "INSERT INTO t(k0) VALUES(?1)"
                                              : "INSERT INTO t(k0,k1) VALUES(?1,?2)");
    bind_key(r, s, 1, key);
    step(r, s);
    sqlite3_finalize(s);
}

/* One field of a change; true if it was something else before. */
static bool copy_field(round *r, sqlite3_value *key, sg_slice name, const sg_value *v)
{
    char *sql = sqlite3_mprintf(
        "UPDATE t SET \"%.*s\"=?3 WHERE %s RETURNING bits((SELECT \"%.*s\" FROM t "
        "WHERE %s)),bits(\"%.*s\")",
        (int)name.n, name.p, where_key(r), (int)name.n, name.p, where_key(r), (int)name.n, name.p);
    char *before =
        sqlite3_mprintf("SELECT bits(\"%.*s\") FROM t WHERE %s", (int)name.n, name.p, where_key(r));
    sqlite3_stmt *was = on_copy(r, before), *s = on_copy(r, sql);
    bind_key(r, was, 1, key);
    bind_key(r, s, 1, key);
    bind(s, 3, v);
    if (sqlite3_step(was) != SQLITE_ROW || sqlite3_step(s) != SQLITE_ROW)
        give_up(r, "a change of a row that is not there");
    bool differs = strcmp((const char *)sqlite3_column_text(was, 0),
                          (const char *)sqlite3_column_text(s, 1)) != 0;
    sqlite3_finalize(was);
    sqlite3_finalize(s);
    sqlite3_free(sql);
    sqlite3_free(before);
    return differs;
}

static void copy_mark(round *r, sqlite3_value *key, sg_slice name, int64_t n)
{
    sqlite3_stmt *s = on_copy(r, "REPLACE INTO marks VALUES(bits(?1),?2,?3)");
    sqlite3_bind_value(s, 1, key);
    sqlite3_bind_text(s, 2, name.p, (int)name.n, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 3, n);
    step(r, s);
    sqlite3_finalize(s);
}

static void copy_forget(round *r, sqlite3_value *key)
{
    sqlite3_stmt *s = on_copy(r, "DELETE FROM marks WHERE key=bits(?1)");
    sqlite3_bind_value(s, 1, key);
    step(r, s);
    sqlite3_finalize(s);
}

/* Columns of a row of sigla_pending: n, op, key, fields, principal, origin. */
static void replay(round *r, sqlite3_stmt *change)
{
    int64_t n = sqlite3_column_int64(change, 0);
    char op = (char)sqlite3_column_text(change, 1)[0];
    sqlite3_value *key = sqlite3_column_value(change, 2);
    if (op != 'u') {
        copy_run(r, key, "DELETE FROM t WHERE %s");
        copy_forget(r, key);
    }
    if (op == 'i') copy_insert(r, key);
    sg_buf scratch;
    sg_buf_init(&scratch, 1 << 20);
    sg_json j;
    sg_json_init(&j, sg_slice_of((const char *)sqlite3_column_text(change, 3),
                                 (size_t)sqlite3_column_bytes(change, 3)));
    sg_slice name;
    assert_true(sg_json_object(&j));
    while (sg_json_next_key(&j, &name)) {
        sg_value v = decode(sg_json_skip(&j), &scratch);
        bool differs = copy_field(r, key, name, &v);
        copy_mark(r, key, name, n);
        if (op == 'u' && !differs && r->statements == 1 && !r->schema && !r->moved && !r->triggers)
            give_up(r, "a field is queued that the statement did not change");
    }
    assert_true(sg_json_end(&j));
    sg_buf_deinit(&scratch);
}

static void check_writer(round *r, sqlite3_stmt *change)
{
    char want[20];
    sqlite3_snprintf(sizeof want, want, "u%d", r->actor);
    const char *principal = (const char *)sqlite3_column_text(change, 4);
    const char *origin = (const char *)sqlite3_column_text(change, 5);
    if (r->schema && strcmp(origin, "migration") == 0) return;
    if (strcmp(principal, want) != 0 || strcmp(origin, "user") != 0) give_up(r, "another's change");
}

static char *dump(round *r, sqlite3 *db)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendall(s, "SELECT bits(k0)");
    for (int i = 1; i < r->keys; i++)
        sqlite3_str_appendf(s, ",bits(k%d)", i);
    for (int i = 0; i < r->columns; i++)
        sqlite3_str_appendf(s, ",bits(c%d)", i);
    sqlite3_str_appendall(s, " FROM t ORDER BY 1,2");
    char *sql = sqlite3_str_finish(s);
    char *rows = db_rows(db, "%s", sql);
    sqlite3_free(sql);
    return rows;
}

static void compare(round *r, char *have, char *want, const char *what)
{
    if (strcmp(have, want) != 0) {
        fprintf(stderr, "have:\n%s\nnot:\n%s\n", have, want);
        give_up(r, what);
    }
    sqlite3_free(have);
    sqlite3_free(want);
}

static void check_marks(round *r)
{
    char *have =
        db_rows(r->db, "SELECT m.field||' '||m.n FROM (SELECT DISTINCT key FROM "
                       "sigla_pending()) p, sigla_marks('t',p.key) m WHERE m.field IS NOT NULL "
                       "ORDER BY bits(p.key),m.field");
    char *want = db_rows(r->copy, "SELECT field||' '||n FROM marks ORDER BY key,field");
    compare(r, have, want, "marks differ");
}

/* Columns that were added and committed. */
static void copy_columns(round *r)
{
    int have = (int)db_int(r->copy, "SELECT count(*) FROM pragma_table_info('t')") - r->keys;
    for (; have < r->columns; have++) {
        char *column =
            db_rows(r->db,
                    "SELECT name||' '||type||iif(dflt_value IS NULL,'',' DEFAULT '||dflt_value)"
                    " FROM pragma_table_info('t') WHERE name='c%d'",
                    have);
        db_exec(r->copy, "ALTER TABLE t ADD COLUMN %s", column);
        sqlite3_free(column);
    }
}

/* Something was committed, or nothing is open. */
static void check(round *r)
{
    sqlite3_stmt *s = NULL;
    const char *sql =
        "SELECT n,op,key,fields,actor->>'principalId',origin FROM sigla_pending() WHERE "
        "n>?1 ORDER BY n";
    assert_int_equal(sqlite3_prepare_v2(r->db, sql, -1, &s, NULL), SQLITE_OK);
    sqlite3_bind_int64(s, 1, r->seen);
    while (sqlite3_step(s) == SQLITE_ROW) {
        r->seen = sqlite3_column_int64(s, 0);
        check_writer(r, s);
        replay(r, s);
    }
    if (sqlite3_finalize(s) != SQLITE_OK) give_up(r, sqlite3_errmsg(r->db));
    compare(r, dump(r, r->db), dump(r, r->copy), "the replayed outbox is not the table");
    if (one_in(r, 4)) check_marks(r);
}

/* ---- random SQL ---- */

static void put_value(round *r, sqlite3_str *s)
{
    static const char *const values[] = {"NULL",
                                         "0",
                                         "1",
                                         "-1",
                                         "1.0",
                                         "0.5",
                                         "0.0*-1",
                                         "''",
                                         "'a'",
                                         "'A'",
                                         "'b'",
                                         "'1'",
                                         "x''",
                                         "x'61'",
                                         "9223372036854775807",
                                         "-9223372036854775807-1",
                                         "9e999",
                                         "5e-324",
                                         "'{\"a\":1}'",
                                         "char(0,97)",
                                         "CAST(x'ff' AS TEXT)",
                                         "zeroblob(3000)"};
    sqlite3_str_appendall(s, values[below(r, sizeof values / sizeof *values)]);
}

static void put_key(round *r, sqlite3_str *s, int part)
{
    static const char uuid[] = "'019b0a3e-7c1d-7aaa-8bbb-0123456789ab'";
    static const char *const texts[] = {"'a'", "'A'", "'b'", "''", uuid, "'~x'"};
    static const char *const any[] = {"1", "'1'", "1.5", "x'31'", "'a'", "0x4000000000000000"};
    if (part == 1 || strncmp(r->key_type, "INT", 3) == 0)
        sqlite3_str_appendf(s, "%d", 1 + (int)below(r, 6));
    else if (strncmp(r->key_type, "TEXT", 4) == 0)
        sqlite3_str_appendall(s, texts[below(r, sizeof texts / sizeof *texts)]);
    else
        sqlite3_str_appendall(s, any[below(r, sizeof any / sizeof *any)]);
}

static void put_row(round *r, sqlite3_str *s)
{
    sqlite3_str_appendall(s, "(");
    for (int i = 0; i < r->keys; i++) {
        if (i != 0) sqlite3_str_appendall(s, ",");
        put_key(r, s, i);
    }
    for (int i = 0; i < r->columns; i++) {
        sqlite3_str_appendall(s, ",");
        put_value(r, s);
    }
    sqlite3_str_appendall(s, ")");
}

static const char *conflict(round *r)
{
    static const char *const clauses[] = {"",        "",         "OR REPLACE", "OR IGNORE",
                                          "OR FAIL", "OR ABORT", "OR ROLLBACK"};
    return clauses[below(r, one_in(r, 5) ? 7 : 5)];
}

static void put_names(round *r, sqlite3_str *s)
{
    sqlite3_str_appendall(s, r->keys == 1 ? "(k0" : "(k0,k1");
    for (int i = 0; i < r->columns; i++)
        sqlite3_str_appendf(s, ",c%d", i);
    sqlite3_str_appendall(s, ")");
}

static int do_insert(round *r)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    bool upsert = one_in(r, 4);
    sqlite3_str_appendf(s, "INSERT %s INTO t", upsert ? "" : conflict(r));
    put_names(r, s);
    sqlite3_str_appendall(s, " VALUES");
    uint64_t rows = 1 + below(r, 3);
    r->moved = r->moved || (upsert && rows > 1);
    for (; rows > 0; rows--) {
        put_row(r, s);
        if (rows > 1) sqlite3_str_appendall(s, ",");
    }
    if (upsert) {
        int c = (int)below(r, (uint64_t)r->columns);
        sqlite3_str_appendf(s, " ON CONFLICT DO UPDATE SET c%d=excluded.c%d", c, c);
    }
    return take_str(r, s);
}

static void put_where(round *r, sqlite3_str *s)
{
    if (one_in(r, 6)) return;
    sqlite3_str_appendall(s, " WHERE ");
    if (one_in(r, 4)) {
        sqlite3_str_appendf(s, "c%d IS ", (int)below(r, (uint64_t)r->columns));
        put_value(r, s);
    } else {
        sqlite3_str_appendall(s, one_in(r, 3) ? "k0<=" : "k0=");
        put_key(r, s, 0);
    }
}

static int do_update(round *r)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendf(s, "UPDATE %s t SET ", conflict(r));
    int c = (int)below(r, (uint64_t)r->columns);
    sqlite3_str_appendf(s, "c%d=", c);
    put_value(r, s);
    if (r->columns > 1 && one_in(r, 2)) sqlite3_str_appendf(s, ",c%d=c%d", (c + 1) % r->columns, c);
    if (one_in(r, 5)) {
        r->moved = true;
        int part = (int)below(r, (uint64_t)r->keys);
        sqlite3_str_appendf(s, ",k%d=", part);
        put_key(r, s, part);
    }
    put_where(r, s);
    return take_str(r, s);
}

static int do_delete(round *r)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendall(s, "DELETE FROM t");
    put_where(r, s);
    return take_str(r, s);
}

static int do_alter(round *r)
{
    static const char *const defaults[] = {"", "DEFAULT 'a' COLLATE NOCASE", "DEFAULT 1",
                                           "REAL DEFAULT 0.5"};
    if (r->columns >= 7) return SQLITE_OK;
    r->schema = true;
    return runf(r, "ALTER TABLE t ADD COLUMN c%d %s", r->columns, defaults[below(r, 4)]);
}

static int do_index(round *r)
{
    static const char *const terms[] = {"c%d", "c%d COLLATE NOCASE", "lower(c%d),k0",
                                        "c%d) WHERE (k0>1"};
    char *term = sqlite3_mprintf(terms[below(r, 4)], (int)below(r, (uint64_t)r->columns));
    r->schema = true;
    int rc = runf(r, "CREATE UNIQUE INDEX IF NOT EXISTS u%d ON t(%s)", (int)below(r, 3), term);
    sqlite3_free(term);
    return rc;
}

/* ---- a round ---- */

static void fold(round *r)
{
    sg_replica *replica = sg_replica_of(r->db);
    int err = sg_replica_begin(replica);
    assert_int_equal(err, SG_OK);
    sg_fold(replica, &err);
    assert_int_equal(sg_replica_end(replica, err), SG_OK);
    sqlite3_str_appendall(r->log, "-- folded\n");
}

static void open_db(round *r)
{
    r->db = db_open(r->f);
    sqlite3_create_function(r->db, "bits", 1, SQLITE_UTF8, NULL, bits, NULL, NULL);
    run(r, "PRAGMA synchronous=OFF");
    run(r, "PRAGMA journal_mode=MEMORY");
    runf(r, "PRAGMA recursive_triggers=%d", (int)below(r, 2));
}

/* Outside a transaction: things that must make no difference. */
static void between(round *r)
{
    switch (below(r, 12)) {
    case 0:
        fold(r);
        break;
    case 1:
        db_close(r->db);
        open_db(r);
        break;
    case 2:
        run(r, "SELECT sigla_refresh()");
        break;
    case 3:
        run(r, "VACUUM");
        break;
    case 4:
        run(r, "SELECT sigla_track('t')");
        break;
    default:
        break;
    }
}

static void set_actor(round *r)
{
    r->actor = (int)below(r, 3);
    r->statements = 0;
    r->schema = r->moved = false;
    runf(r, "SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"u%d\"}')", r->actor);
}

static void random_statement(round *r)
{
    r->statements++;
    uint64_t what = below(r, 40);
    if (what < 16)
        do_insert(r);
    else if (what < 30)
        do_update(r);
    else if (what < 36)
        do_delete(r);
    else if (what == 36)
        do_alter(r);
    else if (what == 37)
        do_index(r);
}

static void random_step(round *r)
{
    bool open = sqlite3_get_autocommit(r->db) == 0;
    if (!open) {
        between(r);
        set_actor(r);
        if (one_in(r, 2))
            run(r, one_in(r, 3) ? "SAVEPOINT s0" : "BEGIN");
        else
            random_statement(r);
    } else if (one_in(r, 6)) {
        run(r, one_in(r, 4) ? "ROLLBACK" : "COMMIT");
    } else if (one_in(r, 3)) {
        static const char *const verbs[] = {"SAVEPOINT", "SAVEPOINT", "RELEASE", "ROLLBACK TO"};
        runf(r, "%s s%d", verbs[below(r, 4)], (int)below(r, 3));
    } else {
        random_statement(r);
    }
    r->columns = (int)db_int(r->db, "SELECT count(*) FROM pragma_table_info('t')") - r->keys;
    if (sqlite3_get_autocommit(r->db) == 0) return;
    copy_columns(r);
    check(r);
    run(r, "SELECT sigla_as_end()");
}

static void make_table(round *r)
{
    static const char *const keys[] = {"INTEGER", "TEXT", "", "TEXT COLLATE NOCASE", "INT"};
    static const char *const types[] = {
        "", "TEXT", "INT", "REAL", "NUMERIC", "BLOB", "TEXT COLLATE NOCASE"};
    r->key_type = keys[below(r, 5)];
    r->keys = 1 + one_in(r, 3);
    r->columns = 1 + (int)below(r, 4);
    sqlite3_str *s = sqlite3_str_new(NULL), *plain = sqlite3_str_new(NULL);
    sqlite3_str_appendf(s, "CREATE TABLE t(k0 %s NOT NULL", r->key_type);
    sqlite3_str_appendf(plain, "CREATE TABLE t(k0 %.4s",
                        strncmp(r->key_type, "INT", 3) == 0 ? "INT" : r->key_type);
    if (r->keys == 2) sqlite3_str_appendall(s, ",k1 INT NOT NULL");
    if (r->keys == 2) sqlite3_str_appendall(plain, ",k1 INT");
    for (int i = 0; i < r->columns; i++) {
        const char *type = types[below(r, 7)];
        sqlite3_str_appendf(s, ",c%d %s%s", i, type, one_in(r, 4) ? " UNIQUE" : "");
        sqlite3_str_appendf(plain, ",c%d %s", i, type);
    }
    if (one_in(r, 3)) sqlite3_str_appendall(s, ",g AS (c0||'x')");
    sqlite3_str_appendf(s, ",PRIMARY KEY(%s))%s", r->keys == 1 ? "k0" : "k0,k1",
                        one_in(r, 3) ? " WITHOUT ROWID" : "");
    sqlite3_str_appendall(plain, ")");
    assert_int_equal(take_str(r, s), SQLITE_OK);
    char *sql = sqlite3_str_finish(plain);
    db_exec(r->copy, "%s; CREATE TABLE marks(key, field, n, PRIMARY KEY(key,field))", sql);
    sqlite3_free(sql);
}

static void make_trigger(round *r)
{
    r->triggers = one_in(r, 4);
    if (!r->triggers) return;
    static const char *const triggers[] = {
        "CREATE TRIGGER mine AFTER UPDATE OF c0 ON t BEGIN UPDATE t SET c0=NEW.c0||'+' WHERE "
        "k0 IS NEW.k0 AND typeof(NEW.c0)='text' AND length(NEW.c0)<3; END",
        "CREATE TRIGGER mine AFTER INSERT ON t BEGIN UPDATE t SET c0='made' WHERE k0 IS NEW.k0; END",
        "CREATE TRIGGER mine AFTER DELETE ON t BEGIN DELETE FROM t WHERE k0<OLD.k0 AND c0 IS OLD.c0; "
        "END",
        "CREATE TRIGGER mine BEFORE INSERT ON t BEGIN DELETE FROM t WHERE c0 IS NEW.c0; END",
    };
    run(r, triggers[below(r, 4)]);
}

static void play(db_fixture *f, uint64_t seed)
{
    round r = {.f = f, .random = {seed}, .log = sqlite3_str_new(NULL)};
    sqlite3_str_appendf(r.log, "-- SIGLA_SEED=%llu\n", seed);
    assert_int_equal(sqlite3_open(":memory:", &r.copy), SQLITE_OK);
    sqlite3_create_function(r.copy, "bits", 1, SQLITE_UTF8, NULL, bits, NULL, NULL);
    open_db(&r);
    make_table(&r);
    bool trigger_first = one_in(&r, 2);
    if (trigger_first) make_trigger(&r);
    run(&r, "SELECT sigla_track('t')");
    if (!trigger_first) make_trigger(&r);
    run(&r, "SELECT sigla_refresh()");
    for (int i = 0; i < STEPS; i++)
        random_step(&r);
    if (sqlite3_get_autocommit(r.db) == 0) run(&r, "ROLLBACK");
    check_marks(&r);
    db_close(r.db);
    db_close(r.copy);
    sqlite3_free(sqlite3_str_finish(r.log));
    (void)remove(f->path);
}

static void test_the_outbox_replayed_is_the_table(void **state)
{
    db_fixture *f = *state;
    db_close(f->db);
    f->db = NULL;
    (void)remove(f->path);
    const char *seed = getenv("SIGLA_SEED"), *rounds = getenv("SIGLA_ROUNDS");
    if (seed != NULL) {
        play(f, strtoull(seed, NULL, 10));
        return;
    }
    uint64_t n = rounds != NULL ? strtoull(rounds, NULL, 10) : 60;
    for (uint64_t i = 1; i <= n; i++)
        play(f, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_outbox_replayed_is_the_table, db_setup,
                                        db_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
