#include "replica/sums.h"

#include "base/mem.h"
#include "replica/intern.h"

static sg_slice name_text(void *ctx, uint32_t id)
{
    sg_sums_ctx *c = ctx;
    return sg_name_text(c->r, id, &c->err);
}

static sg_slice client_text(void *ctx, uint32_t id)
{
    sg_sums_ctx *c = ctx;
    return sg_client_text(c->r, id, &c->err);
}

sg_summer sg_sums_of_marks(sg_sums_ctx *ctx)
{
    return (sg_summer){ctx, name_text, client_text, NULL};
}

static sg_rolled *rolled_of(sg_replica *r, uint32_t table, int *err)
{
    /* Mostly the table of the record before. */
    for (size_t i = r->rolled_count; i-- > 0;)
        if (r->rolled[i].table == table) return &r->rolled[i];
    sg_rolled *more = sg_realloc(r->rolled, (r->rolled_count + 1) * sizeof *more);
    if (more == NULL) {
        *err = SG_NOMEM;
        return NULL;
    }
    r->rolled = more;
    r->rolled[r->rolled_count] = (sg_rolled){.table = table};
    return &r->rolled[r->rolled_count++];
}

void sg_sums_add(sg_replica *r, uint32_t table, const sg_sum *more, int *err)
{
    if (*err != SG_OK) return;
    sg_rolled *to = rolled_of(r, table, err);
    if (to == NULL) return;
    sg_sum_add(&to->sum, more);
    to->changes++;
    if (r->depth == 0) sg_sums_keep(r, err);
}

void sg_sums_recount(sg_replica *r, uint32_t table, int *err)
{
    sg_rolled *to = *err == SG_OK ? rolled_of(r, table, err) : NULL;
    if (to == NULL) return;
    to->recount = true;
    to->changes++;
    if (r->depth == 0) sg_sums_keep(r, err);
}

/* What is stored may be damaged, and any number. */
static int64_t wrap(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void keep_one(sg_replica *r, const sg_rolled *added, int *err)
{
    sg_sum sum = added->sum;
    int64_t changes = added->changes;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_SUM_ROLLED, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, added->table);
    if (sg_sql_row(s, err)) {
        sum.marks += (uint64_t)sqlite3_column_int64(s, 0);
        sum.records = wrap(sum.records, sqlite3_column_int64(s, 1));
        changes = wrap(changes, sqlite3_column_int64(s, 2));
        sqlite3_reset(s);
    }
    s = sg_replica_stmt(r, SG_STMT_SUM_ROLL, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, added->table);
    sqlite3_bind_int64(s, 2, (int64_t)sum.marks);
    sqlite3_bind_int64(s, 3, sum.records);
    sqlite3_bind_int64(s, 4, changes);
    sqlite3_bind_int(s, 5, added->recount);
    sg_sql_done(s, err);
}

void sg_sums_keep(sg_replica *r, int *err)
{
    for (size_t i = 0; i < r->rolled_count && *err == SG_OK; i++)
        keep_one(r, &r->rolled[i], err);
    if (*err == SG_OK) r->rolled_count = 0;
}

void sg_sums_forget(sg_replica *r)
{
    r->rolled_count = 0;
}

void sg_sums_deinit(sg_replica *r)
{
    sg_free(r->rolled);
    r->rolled = NULL;
    r->rolled_count = 0;
}
