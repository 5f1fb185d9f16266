#include "server/reach.h"

static const char scope_prefix[] = "s:";

const sg_reach_scope *sg_reach_find(const sg_reach *r, sg_slice space)
{
    size_t skip = sizeof scope_prefix - 1;
    for (size_t i = 1; i < r->count; i++) {
        sg_slice text = r->in[i].text;
        if (sg_slice_eq(sg_slice_of(text.p + skip, text.n - skip), space)) return &r->in[i];
    }
    return NULL;
}

sg_slice sg_reach_space(const sg_reach *r, uint32_t scope)
{
    size_t skip = sizeof scope_prefix - 1;
    for (size_t i = 1; i < r->count; i++)
        if (r->in[i].scope == scope)
            return sg_slice_of(r->in[i].text.p + skip, r->in[i].text.n - skip);
    return sg_slice_of(NULL, 0);
}

static int add_own(const sg_store *store, sg_view *view, sg_slice own, sg_reach *out)
{
    out->in[0] = (sg_reach_scope){.text = own, .writes = true};
    out->count = 1;
    return store->ops->find_text(view, SG_TEXT_OF_SCOPE, own, &out->in[0].scope);
}

int sg_reach_read(const sg_store *store, sg_view *view, sg_slice own, sg_arena *arena,
                  sg_reach *out)
{
    *out = (sg_reach){.in = sg_arena_alloc(arena, sizeof *out->in)};
    if (out->in == NULL) return SG_NOMEM;
    return add_own(store, view, own, out);
}
