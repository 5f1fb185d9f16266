#include "replica/capture.h"

#include "base/mem.h"
#include "replica/actor_stack.h"
#include "replica/functions.h"
#include "replica/key.h"
#include "replica/ops.h"
#include "replica/transaction.h"

/* A transaction's buffers are kept for the next one up to this size. */
#define KEEP_BYTES ((size_t)1 << 20)

/* ---- the buffer ---- */

void sg_capture_init(sg_capture *c)
{
    *c = (sg_capture){0};
    sg_buf_init(&c->bytes, SG_TX_BYTES_MAX);
}

void sg_capture_deinit(sg_capture *c)
{
    sg_free(c->items);
    sg_free(c->savepoints);
    sg_buf_deinit(&c->bytes);
    *c = (sg_capture){0};
}

void sg_capture_clear(sg_capture *c)
{
    c->count = c->flushed = 0;
    c->first_n = 0;
    c->savepoint_count = 0;
    c->enlisted = c->loaded = false;
    sg_buf_clear(&c->bytes);
    if (c->bytes.cap > KEEP_BYTES) sg_buf_deinit(&c->bytes);
    if (c->cap * sizeof *c->items > KEEP_BYTES) {
        sg_free(c->items);
        c->items = NULL;
        c->cap = 0;
    }
}

static sg_captured *item_new(sg_replica *r, const sg_table *t, int kind, int *err)
{
    sg_capture *c = &r->capture;
    if (*err == SG_OK) *err = sg_transaction_enlist(r);
    if (*err == SG_OK && c->count == c->cap) {
        size_t cap = c->cap != 0 ? c->cap * 2 : 64;
        sg_captured *items = sg_realloc(c->items, cap * sizeof *items);
        if (items != NULL)
            c->items = items, c->cap = cap;
        else
            *err = SG_NOMEM;
    }
    if (*err != SG_OK) return NULL;
    sg_captured *item = &c->items[c->count];
    *item = (sg_captured){
        .table = t->id, .key_at = (uint32_t)c->bytes.n, .kind = (uint8_t)kind, .column = -1};
    return item;
}

/* The record a server change is being applied to: what triggers write there is overruled by what
 * was merged (apply.c), everything else they write is a local write like any other (L10). */
static bool is_applied_record(const sg_replica *r, const sg_table *t, const sg_captured *item)
{
    if (!r->applying || t != r->applying_table) return false;
    sg_slice key = sg_slice_of(r->capture.bytes.p + item->key_at, item->key_n);
    return sg_slice_eq(key, r->applying_key);
}

static int item_close(sg_replica *r, const sg_table *t, sg_captured *item, int err)
{
    sg_buf *bytes = &r->capture.bytes;
    if (err == SG_OK) err = bytes->err;
    if (err == SG_LIMIT)
        sg_replica_fail(r, err,
                        "one transaction may write at most %zu MiB of tracked data: commit in "
                        "smaller parts",
                        SG_TX_BYTES_MAX >> 20);
    bool applied = err == SG_OK && is_applied_record(r, t, item);
    if (applied) r->applying_touched = true;
    if (applied || err != SG_OK) {
        bytes->err = SG_OK;
        sg_buf_truncate(bytes, item->key_at);
        return err;
    }
    item->value_n = (uint32_t)(bytes->n - item->value_at);
    r->capture.count++;
    return SG_OK;
}

/* ---- what triggers saw ---- */

/* Start an item with its key: the values key[parts[0]], key[parts[1]]…; parts NULL: key[0], key[1]…
 * The caller appends the value and closes it. */
static sg_captured *item_open(sg_replica *r, const sg_table *t, int kind, sqlite3_value **key,
                              const int *parts, int *err)
{
    *err = SG_OK;
    sg_captured *item = item_new(r, t, kind, err);
    if (item == NULL) return NULL;
    item->actor = sg_actor_current(r, err);
    sg_buf *bytes = &r->capture.bytes;
    for (size_t i = 0; i < t->key_count && *err == SG_OK; i++) {
        sg_value v = sg_sql_value(key[parts != NULL ? parts[i] : (int)i]);
        *err = sg_key_put(bytes, &v);
        if (*err == SG_BADVALUE)
            sg_replica_fail(r, SG_BADVALUE,
                            "a row of \"%s\" has NULL in its key column \"%s\": it cannot be "
                            "synced; give it a value",
                            t->name, t->columns[t->key[i]].name);
    }
    item->key_n = (uint32_t)(bytes->n - item->key_at);
    item->value_at = (uint32_t)bytes->n;
    return item;
}

/* sigla_capture(0 insert | 4 before, tag, column values…) */
static int capture_row(sg_replica *r, const sg_table *t, int kind, int argc, sqlite3_value **argv)
{
    if ((size_t)argc != t->captured_count || (size_t)argc > t->column_count) return SG_MISUSE;
    int err;
    sg_captured *item = item_open(r, t, kind, argv, t->key, &err);
    if (item == NULL) return err;
    /* What an applied change brings need not be packed to be dropped. */
    if (err == SG_OK && is_applied_record(r, t, item)) argc = 0;
    for (int i = 0; i < argc && err == SG_OK; i++) {
        if (t->columns[i].key_part != 0) continue;
        sg_value v = sg_sql_value(argv[i]);
        sg_ops_put_value(&r->capture.bytes, &v, t->columns[i].json);
    }
    return item_close(r, t, item, err);
}

/* sigla_capture(1, tag, column, old, new, key values…) */
static int capture_update(sg_replica *r, const sg_table *t, int argc, sqlite3_value **argv)
{
    int column = argc > 0 ? sqlite3_value_int(argv[0]) : -1;
    if (argc != 3 + (int)t->key_count || column < 0 || (size_t)column >= t->column_count)
        return SG_MISUSE;
    sg_value before = sg_sql_value(argv[1]), now = sg_sql_value(argv[2]);
    if (sg_value_same(&before, &now)) return SG_OK;
    if (t->columns[column].space && !r->applying)
        return sg_replica_fail(r, SG_SPACE,
                               "a record keeps the space it was made in: \"%s\" of \"%s\" cannot "
                               "be changed; insert it again under another key",
                               t->columns[column].name, t->name);
    int err;
    sg_captured *item = item_open(r, t, SG_CAP_UPDATE, argv + 3, NULL, &err);
    if (item == NULL) return err;
    item->column = (int16_t)column;
    if (err == SG_OK) sg_ops_put_value(&r->capture.bytes, &now, t->columns[column].json);
    return item_close(r, t, item, err);
}

static int capture_key(sg_replica *r, const sg_table *t, int kind, sqlite3_value **key)
{
    int err;
    sg_captured *item = item_open(r, t, kind, key, NULL, &err);
    return item != NULL ? item_close(r, t, item, err) : err;
}

/* sigla_capture(2, tag, old key…, new key…): after any update. A changed key is a delete and an
 * insert; otherwise the row is only looked at if there are columns the triggers do not know. */
static int capture_touch(sg_replica *r, const sg_table *t, int argc, sqlite3_value **argv)
{
    size_t parts = t->key_count;
    if ((size_t)argc != 2 * parts) return SG_MISUSE;
    bool moved = false;
    for (size_t i = 0; i < parts && !moved; i++) {
        sg_value a = sg_sql_value(argv[i]), b = sg_sql_value(argv[parts + i]);
        moved = !sg_value_same(&a, &b);
    }
    if (!moved)
        return t->captured_count < t->column_count ? capture_key(r, t, SG_CAP_TOUCH, argv + parts)
                                                   : SG_OK;
    int err = capture_key(r, t, SG_CAP_DELETE, argv);
    return err == SG_OK ? capture_key(r, t, SG_CAP_INSERT, argv + parts) : err;
}

/* sigla_capture(3, tag, old key…) */
static int capture_delete(sg_replica *r, const sg_table *t, int argc, sqlite3_value **argv)
{
    return (size_t)argc == t->key_count ? capture_key(r, t, SG_CAP_DELETE, argv) : SG_MISUSE;
}

/* Asking SQLite by a statement costs more than a small transaction: ask so only if need be. */
static bool any_attached(sg_replica *r)
{
    return sqlite3_libversion_number() < 3039000 || sqlite3_db_name(r->db, 2) != NULL;
}

/* A copy of this database, attached: its triggers cannot be told from ours. */
static int refuse_attached_copy(sg_replica *r)
{
    if (!any_attached(r)) return SG_OK;
    int err = SG_OK;
    sqlite3_stmt *all = sg_replica_stmt(r, SG_STMT_ATTACHED, &err);
    bool copy = false;
    while (!copy && sg_sql_row(all, &err)) {
        sg_buf sql;
        sg_buf_init(&sql, 1 << 16);
        sg_buf_str(&sql, "SELECT 1 FROM ");
        sg_sql_ident(&sql, (const char *)sqlite3_column_text(all, 0));
        sg_buf_str(&sql, ".sigla_state JOIN main.sigla_state m USING(k,v) WHERE k='tag'");
        sqlite3_stmt *s = NULL;
        const char *text = sg_buf_cstr(&sql);
        if (text == NULL) err = sql.err;
        /* What cannot be prepared has no such table. */
        else if (sqlite3_prepare_v2(r->db, text, -1, &s, NULL) == SQLITE_OK)
            copy = sg_sql_row(s, &err);
        sqlite3_finalize(s);
        sg_buf_deinit(&sql);
        if (copy)
            err = sg_replica_fail(r, SG_CONFLICT,
                                  "the attached database \"%s\" is a copy of this one: detach it "
                                  "before writing to a tracked table",
                                  sqlite3_column_text(all, 0));
    }
    if (all != NULL) sqlite3_reset(all);
    return err;
}

/* The first capture of a transaction looks at the schema, which others may have changed. Reloading
 * in the middle of applying would pull statements away from under it. */
static int look(sg_replica *r)
{
    if (r->half_done) return SG_NOMEM;
    if ((r->capture.loaded && r->schema_version >= 0) || r->applying) return SG_OK;
    int err = sg_transaction_enlist(r);
    if (err == SG_OK) err = sg_tables_load(r);
    if (err == SG_OK && !r->capture.loaded) err = refuse_attached_copy(r);
    r->capture.loaded = err == SG_OK;
    return err;
}

static int capture(sg_replica *r, int argc, sqlite3_value **argv)
{
    if (argc < 3) return SG_MISUSE;
    int err = look(r);
    if (err != SG_OK) return err;
    const sg_table *t = sg_table_tagged(r, sqlite3_value_int64(argv[1]));
    if (t == NULL)
        return sg_replica_fail(r, SG_NOTTRACKED,
                               "this table is tracked in another database file: open that file by "
                               "itself, not attached, to write to it");
    argc -= 2;
    argv += 2;
    switch (sqlite3_value_int(argv[-2])) {
    case SG_CAP_INSERT:
        return capture_row(r, t, SG_CAP_INSERT, argc, argv);
    case SG_CAP_BEFORE:
        return capture_row(r, t, SG_CAP_BEFORE, argc, argv);
    case SG_CAP_UPDATE:
        return capture_update(r, t, argc, argv);
    case SG_CAP_TOUCH:
        return capture_touch(r, t, argc, argv);
    case SG_CAP_DELETE:
        return capture_delete(r, t, argc, argv);
    default:
        return SG_MISUSE;
    }
}

static void sql_capture(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = sqlite3_user_data(ctx);
    r->message[0] = '\0';
    int err = capture(r, argc, argv);
    if (err != SG_OK) sg_result_error(ctx, r, err);
}

int sg_capture_register(sg_replica *r)
{
    return sg_sql_error(sqlite3_create_function_v2(r->db, "sigla_capture", -1,
                                                   SQLITE_UTF8 | SQLITE_INNOCUOUS, r, sql_capture,
                                                   NULL, NULL, NULL));
}

/* ---- what was found without them ---- */

/* An item without a value: flush reads the row. */
static int capture_found(sg_replica *r, const sg_table *t, int kind, size_t column, sg_slice key,
                         uint32_t actor)
{
    int err = SG_OK;
    sg_captured *item = item_new(r, t, kind, &err);
    if (item == NULL) return err;
    item->actor = actor;
    if (kind == SG_CAP_UPDATE) item->column = (int16_t)column;
    sg_buf *bytes = &r->capture.bytes;
    sg_buf_slice(bytes, key);
    item->key_n = (uint32_t)key.n;
    item->value_at = (uint32_t)bytes->n;
    return item_close(r, t, item, SG_OK);
}

int sg_capture_row(sg_replica *r, const sg_table *t, sg_slice key, uint32_t actor)
{
    return capture_found(r, t, SG_CAP_INSERT, 0, key, actor);
}

int sg_capture_column(sg_replica *r, const sg_table *t, sg_slice key, size_t column, uint32_t actor)
{
    return capture_found(r, t, SG_CAP_UPDATE, column, key, actor);
}

int sg_capture_gone(sg_replica *r, const sg_table *t, sg_slice key, uint32_t actor)
{
    return capture_found(r, t, SG_CAP_DELETE, 0, key, actor);
}
