/*
 * The index holds what is folded; changes still in the outbox lie over it. Both are walked at once
 * from the newest on, so that the first rows cost no more than themselves.
 */
#include "replica/updated.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/time.h"
#include "replica/listing.h"
#include "replica/outbox.h"
#include "replica/table.h"

/* A record that has changes in the outbox which the index does not know. */
typedef struct fresh {
    sg_slice key; /* in the cursor's arena */
    int64_t at_us;
    size_t order; /* of its last change in the outbox */
    bool deleted;
} fresh;

typedef struct updated_vtab {
    sqlite3_vtab base;
    sg_replica *r;
} updated_vtab;

typedef struct updated_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_stmt *index; /* rows of the index; NULL at its end */
    fresh *by_key;       /* sorted, each key once */
    fresh *newest;       /* the same, newest first */
    size_t count, cap, next;
    sg_arena arena;
    bool at_fresh; /* the present row is newest[next] */
    bool eof;
    int64_t rowid;
} updated_cursor;

/* ---- what is not folded ---- */

static int take_op(updated_cursor *c, const sg_packed_op *op, int64_t at_us)
{
    int err = SG_OK;
    if (c->count == c->cap) {
        size_t cap = c->cap != 0 ? c->cap * 2 : 32;
        fresh *grown = sg_realloc(c->by_key, cap * sizeof *grown);
        if (grown == NULL) return SG_NOMEM;
        c->by_key = grown;
        c->cap = cap;
    }
    sg_slice key = sg_arena_copy(&c->arena, op->key, &err);
    c->by_key[c->count] = (fresh){key, at_us, c->count, op->op == SG_OP_DELETE};
    c->count++;
    return err;
}

static int key_order(const void *pa, const void *pb)
{
    const fresh *a = pa, *b = pb;
    return sg_slice_cmp(a->key, b->key);
}

static int last_first(const void *pa, const void *pb)
{
    const fresh *a = pa, *b = pb;
    int c = key_order(a, b);
    return c != 0 ? c : (a->order < b->order) - (a->order > b->order);
}

static int newest_first(const void *pa, const void *pb)
{
    const fresh *a = pa, *b = pb;
    if (a->at_us != b->at_us) return a->at_us > b->at_us ? -1 : 1;
    return -sg_slice_cmp(a->key, b->key);
}

/* Keep the last change of each key, and sort. */
static int settle(updated_cursor *c)
{
    if (c->count == 0) return SG_OK;
    qsort(c->by_key, c->count, sizeof *c->by_key, last_first);
    size_t kept = 1;
    for (size_t i = 1; i < c->count; i++)
        if (!sg_slice_eq(c->by_key[i].key, c->by_key[kept - 1].key))
            c->by_key[kept++] = c->by_key[i];
    c->count = kept;
    c->newest = sg_alloc(kept * sizeof *c->newest);
    if (c->newest == NULL) return SG_NOMEM;
    memcpy(c->newest, c->by_key, kept * sizeof *c->newest);
    qsort(c->newest, kept, sizeof *c->newest, newest_first);
    return SG_OK;
}

static void forget_fresh(updated_cursor *c)
{
    sg_free(c->newest);
    c->newest = NULL;
    c->count = c->next = 0;
    sg_arena_reset(&c->arena);
}

static int load_fresh(sg_replica *r, updated_cursor *c, const sg_table *t)
{
    int err = SG_OK;
    int64_t folded = sg_state_int(r, "folded_n", 0, &err);
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_OUTBOX_UNFOLDED, &err);
    if (s != NULL) sqlite3_bind_int64(s, 1, folded);
    while (s != NULL && sg_sql_row(s, &err)) {
        sg_outbox_row row = sg_outbox_read(s, &err);
        sg_ops ops = sg_ops_of(row.ops);
        sg_packed_op op;
        while (sg_ops_next(&ops, &op) && err == SG_OK)
            if (op.table == t->id) err = take_op(c, &op, row.at_us);
        if (ops.in.err != SG_OK) err = ops.in.err;
    }
    if (s != NULL) sqlite3_reset(s);
    return err == SG_OK ? settle(c) : err;
}

static bool is_fresh(const updated_cursor *c, sg_slice key)
{
    fresh wanted = {.key = key};
    return c->count != 0 &&
           bsearch(&wanted, c->by_key, c->count, sizeof *c->by_key, key_order) != NULL;
}

/* ---- the walk ---- */

static void end_index(updated_cursor *c)
{
    sqlite3_finalize(c->index);
    c->index = NULL;
}

/* Step the index past records that have fresher changes. */
static int step_index(updated_cursor *c)
{
    int err = SG_OK;
    while (c->index != NULL) {
        if (!sg_sql_row(c->index, &err))
            end_index(c);
        else if (!is_fresh(c, sg_sql_blob(c->index, 1)))
            break;
    }
    return err;
}

/* Which of the two comes next? */
static void choose(updated_cursor *c)
{
    while (c->next < c->count && c->newest[c->next].deleted)
        c->next++;
    bool have_fresh = c->next < c->count;
    c->eof = !have_fresh && c->index == NULL;
    c->at_fresh = have_fresh && (c->index == NULL ||
                                 c->newest[c->next].at_us >= sqlite3_column_int64(c->index, 0));
}

static int updated_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                           sqlite3_vtab **out, char **message)
{
    (void)argc, (void)argv, (void)message;
    int rc = sqlite3_declare_vtab(db, "CREATE TABLE x(key,updated_at,tbl HIDDEN)");
    if (rc != SQLITE_OK) return rc;
    updated_vtab *v = sqlite3_malloc(sizeof *v);
    if (v == NULL) return SQLITE_NOMEM;
    *v = (updated_vtab){.r = aux};
    *out = &v->base;
    return SQLITE_OK;
}

static int updated_disconnect(sqlite3_vtab *v)
{
    sqlite3_free(v);
    return SQLITE_OK;
}

static int updated_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    (void)v;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != 2) continue;
        if (info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->idxNum = 1;
    }
    bool newest = info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 1 && info->aOrderBy[0].desc;
    info->orderByConsumed = newest;
    /* Cheap to begin: so that it is the outer loop of a join with the table. */
    info->estimatedCost = 10;
    return SQLITE_OK;
}

static int updated_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
    (void)v;
    updated_cursor *c = sqlite3_malloc(sizeof *c);
    if (c == NULL) return SQLITE_NOMEM;
    *c = (updated_cursor){.eof = true};
    sg_arena_init(&c->arena);
    *out = &c->base;
    return SQLITE_OK;
}

static int updated_close(sqlite3_vtab_cursor *base)
{
    updated_cursor *c = (updated_cursor *)base;
    end_index(c);
    forget_fresh(c);
    sg_free(c->by_key);
    sg_arena_deinit(&c->arena);
    sqlite3_free(c);
    return SQLITE_OK;
}

static int begin_walk(sg_replica *r, updated_cursor *c, int argc, sqlite3_value **argv)
{
    if (argc != 1) return sg_replica_fail(r, SG_MISUSE, "sigla_updated(table)");
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    int err = SG_OK;
    sg_table *t = sg_table_need(r, sg_slice_str(name != NULL ? name : ""), &err);
    if (t == NULL) return err;
    if (!t->indexed)
        return sg_replica_fail(r, SG_MISUSE,
                               "\"%s\" has no such index yet: SELECT sigla_index_updated('%s')",
                               t->name, t->name);
    err = load_fresh(r, c, t);
    sg_sql_prepare(r->db, &c->index,
                   "SELECT at,key FROM sigla_updated_index WHERE tbl=?1 ORDER BY at DESC, key DESC",
                   &err);
    if (c->index != NULL) sqlite3_bind_int64(c->index, 1, t->id);
    return err == SG_OK ? step_index(c) : err;
}

static int result(updated_cursor *c, int err)
{
    sg_replica *r = ((updated_vtab *)c->base.pVtab)->r;
    if (err == SG_OK) {
        choose(c);
        return SQLITE_OK;
    }
    return sg_listing_error(c->base.pVtab, r, err);
}

static int updated_filter(sqlite3_vtab_cursor *base, int idx_num, const char *idx_str, int argc,
                          sqlite3_value **argv)
{
    (void)idx_num, (void)idx_str;
    updated_cursor *c = (updated_cursor *)base;
    sg_replica *r = ((updated_vtab *)base->pVtab)->r;
    r->message[0] = '\0';
    end_index(c);
    forget_fresh(c);
    c->rowid = 0;
    return result(c, begin_walk(r, c, argc, argv));
}

static int updated_next(sqlite3_vtab_cursor *base)
{
    updated_cursor *c = (updated_cursor *)base;
    c->rowid++;
    int err = SG_OK;
    if (c->at_fresh)
        c->next++;
    else
        err = step_index(c);
    return result(c, err);
}

static int updated_eof(sqlite3_vtab_cursor *base)
{
    return ((updated_cursor *)base)->eof;
}

static int updated_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
    updated_cursor *c = (updated_cursor *)base;
    sg_slice key = c->at_fresh ? c->newest[c->next].key : sg_sql_blob(c->index, 1);
    int64_t at_us = c->at_fresh ? c->newest[c->next].at_us : sqlite3_column_int64(c->index, 0);
    if (i == 1) {
        char text[SG_TIME_TEXT_MAX];
        size_t n = sg_time_format(at_us, text);
        sqlite3_result_text(ctx, text, (int)n, SQLITE_TRANSIENT);
        return SQLITE_OK;
    }
    if (i != 0) return SQLITE_OK;
    sg_listing_key(ctx, key);
    return SQLITE_OK;
}

static int updated_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((updated_cursor *)base)->rowid;
    return SQLITE_OK;
}

static const sqlite3_module updated_module = {
    .xConnect = updated_connect,
    .xBestIndex = updated_best_index,
    .xDisconnect = updated_disconnect,
    .xOpen = updated_open,
    .xClose = updated_close,
    .xFilter = updated_filter,
    .xNext = updated_next,
    .xEof = updated_eof,
    .xColumn = updated_column,
    .xRowid = updated_rowid,
};

int sg_updated_register(sg_replica *r)
{
    return sg_sql_error(sqlite3_create_module_v2(r->db, "sigla_updated", &updated_module, r, NULL));
}
