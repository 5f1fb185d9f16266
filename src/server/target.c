/* Which scope a change is written to, and whether its writer may (L11, L17; spec/spaces.md). */
#include "server/apply.h"

static bool same_feed(sg_feed a, sg_feed b)
{
    return a.scope == b.scope && a.app == b.app;
}

/* The scope at hand keeps its floor; another one's is asked for. */
static int target_at(sg_applier *a, uint32_t scope, int64_t joined_seq, sg_target *out)
{
    sg_feed feed = {scope, a->feed.app};
    if (a->item_count != 0 && same_feed(feed, a->target.feed)) {
        *out = a->target;
        return SG_OK;
    }
    *out = (sg_target){.feed = feed, .joined_seq = joined_seq};
    return a->store->ops->floor(a->store->ops->writer_view(a->writer), feed, &out->floor);
}

/* NULL, or why the bearer may not write there. */
static const char *refusal(const sg_reach_scope *in)
{
    if (in == NULL) return "the token's user is not a member of this space";
    return in->writes ? NULL : "viewers of a space do not write to it";
}

static int in_space(sg_applier *a, sg_reach_scope *in, sg_target *out, const char **problem)
{
    int err = SG_OK;
    *problem = refusal(in);
    if (*problem != NULL) return SG_OK;
    if (in->scope == 0)
        err = a->store->ops->intern(a->writer, SG_TEXT_OF_SCOPE, &in->text, 1, &in->scope);
    return err == SG_OK ? target_at(a, in->scope, in->joined_seq, out) : err;
}

/* ---- changes that name no space ---- */

static bool in_chunk(const sg_applier *a, const sg_change *c)
{
    if (!same_feed(a->target.feed, a->feed)) return false;
    for (size_t i = a->item_count; i-- > 0;) {
        const sg_change *other = &a->items[i].change;
        if (sg_slice_eq(other->id, c->id) && sg_slice_eq(other->table, c->table)) return true;
    }
    return false;
}

static bool is_there(sg_applier *a, uint32_t scope, const sg_change *c, uint32_t table, int *err)
{
    const sg_ref ref = {table, c->id};
    sg_stored stored = {0};
    sg_feed feed = {scope, a->feed.app};
    if (scope == 0 || *err != SG_OK) return false;
    *err = a->store->ops->load_records(a->writer, feed, &ref, 1, &a->push->arena, &stored);
    return stored.row != 0;
}

/* An update or delete goes to where its record is: a client of version 1 does not say where. */
static sg_reach_scope *home_of(sg_applier *a, const sg_change *c, int *err)
{
    const sg_store_ops *ops = a->store->ops;
    uint32_t table = 0;
    if (a->reach.count == 1 || c->op == SG_OP_INSERT || in_chunk(a, c)) return NULL;
    *err = ops->find_text(ops->writer_view(a->writer), SG_TEXT_OF_TABLE, c->table, &table);
    if (*err != SG_OK || table == 0 || is_there(a, a->feed.scope, c, table, err)) return NULL;
    for (size_t i = 1; i < a->reach.count; i++)
        if (is_there(a, a->reach.in[i].scope, c, table, err)) return &a->reach.in[i];
    return NULL;
}

int sg_target_of(sg_applier *a, const sg_change *c, sg_target *out, const char **problem)
{
    int err = SG_OK;
    *problem = NULL;
    if (c->space.n != 0) return in_space(a, sg_reach_find(&a->reach, c->space), out, problem);
    sg_reach_scope *home = home_of(a, c, &err);
    if (err != SG_OK) return err;
    if (home != NULL) return in_space(a, home, out, problem);
    return target_at(a, a->feed.scope, 0, out);
}

/* ---- floors ---- */

int sg_target_check_floors(const sg_applier *a, int64_t since)
{
    const sg_store_ops *ops = a->store->ops;
    int err = SG_OK;
    for (size_t i = 0; i < a->reach.count && err == SG_OK && since != 0; i++) {
        const sg_reach_scope *in = &a->reach.in[i];
        sg_floor floor = {0};
        if (in->scope == 0 || in->joined_seq > since) continue;
        err = ops->floor(ops->writer_view(a->writer), (sg_feed){in->scope, a->feed.app}, &floor);
        if (err == SG_OK && since < floor.seq) err = SG_RESYNC;
    }
    return err;
}
