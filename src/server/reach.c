#include "server/reach.h"

#include <string.h>

#include "server/claims.h"

static const char scope_prefix[] = "s:";
#define PREFIX (sizeof scope_prefix - 1)

sg_reach_scope *sg_reach_find(const sg_reach *r, sg_slice space)
{
    for (size_t i = 1; i < r->count; i++) {
        sg_slice text = r->in[i].text;
        if (sg_slice_eq(sg_slice_of(text.p + PREFIX, text.n - PREFIX), space)) return &r->in[i];
    }
    return NULL;
}

sg_slice sg_reach_space(const sg_reach *r, uint32_t scope)
{
    for (size_t i = 1; i < r->count; i++)
        if (r->in[i].scope == scope)
            return sg_slice_of(r->in[i].text.p + PREFIX, r->in[i].text.n - PREFIX);
    return sg_slice_of(NULL, 0);
}

/* ---- reading ---- */

typedef struct reading {
    sg_arena *arena;
    sg_reach *out;
    size_t cap, left_cap;
    int err;
} reading;

/* Room for one more element; the array may move. */
static void *grow(reading *r, void *old, size_t count, size_t *cap, size_t size)
{
    if (count < *cap || r->err != SG_OK) return old;
    size_t more = *cap != 0 ? 4 * *cap : 8;
    void *all = more * size < ((size_t)1 << 24) ? sg_arena_alloc(r->arena, more * size) : NULL;
    if (all == NULL) {
        r->err = SG_NOMEM;
        return old;
    }
    if (count != 0) memcpy(all, old, count * size);
    *cap = more;
    return all;
}

static sg_slice scope_text(reading *r, sg_slice space)
{
    char *text = sg_arena_alloc(r->arena, PREFIX + space.n);
    if (text == NULL) {
        r->err = SG_NOMEM;
        return sg_slice_of(NULL, 0);
    }
    memcpy(text, scope_prefix, PREFIX);
    if (space.n != 0) memcpy(text + PREFIX, space.p, space.n);
    return sg_slice_of(text, PREFIX + space.n);
}

/* space, role, joined_seq, left_seq */
static bool add_member(void *ctx, const sg_cell *cells, size_t n)
{
    reading *r = ctx;
    sg_reach *out = r->out;
    if (n != 4) r->err = SG_CORRUPT;
    if (out->count > SG_REACH_MAX || out->left_count > SG_REACH_MAX) r->err = SG_LIMIT;
    if (r->err != SG_OK) return false;
    int64_t joined = cells[2].i, left = cells[3].i;
    if (joined > left) {
        out->in = grow(r, out->in, out->count, &r->cap, sizeof *out->in);
        const sg_reach_scope in = {.text = scope_text(r, cells[0].s),
                                   .joined_seq = joined,
                                   .writes = !sg_slice_eq(cells[1].s, SG_LIT("viewer"))};
        if (r->err == SG_OK) out->in[out->count++] = in;
    }
    /* Who has joined again may hold records of the first time: those are left first. */
    if (left != 0) {
        out->left = grow(r, out->left, out->left_count, &r->left_cap, sizeof *out->left);
        const sg_reach_left gone = {sg_arena_copy(r->arena, cells[0].s, &r->err), left};
        if (r->err == SG_OK) out->left[out->left_count++] = gone;
    }
    return r->err == SG_OK;
}

int sg_reach_read(const sg_store *store, sg_view *view, sg_slice own, sg_arena *arena,
                  sg_reach *out)
{
    static const char sql[] =
        "SELECT space, role, joined_seq, left_seq FROM member WHERE person = $1 ORDER BY space";
    reading r = {.arena = arena, .out = out};
    *out = (sg_reach){0};
    out->in = grow(&r, NULL, 0, &r.cap, sizeof *out->in);
    if (r.err == SG_OK) out->in[out->count++] = (sg_reach_scope){.text = own, .writes = true};
    const sg_cell person = sg_cell_text(sg_user_name(own));
    const sg_sql members = {sql, &person, 1};
    int err = r.err == SG_OK ? store->ops->query(view, &members, add_member, &r) : r.err;
    if (err == SG_OK) err = r.err;
    for (size_t i = 0; i < out->count && err == SG_OK; i++)
        err = store->ops->find_text(view, SG_TEXT_OF_SCOPE, out->in[i].text, &out->in[i].scope);
    return err;
}
