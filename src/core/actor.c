#include "core/actor.h"

static const char *const origin_names[] = {"user", "agent", "system", "migration", "server-replay"};
static const char *const kind_names[] = {"user", "ai", "system"};

static bool find(const char *const *names, size_t count, sg_slice text, unsigned *index)
{
    for (unsigned i = 0; i < count; i++) {
        if (!sg_slice_eq(text, sg_slice_str(names[i]))) continue;
        *index = i;
        return true;
    }
    return false;
}

const char *sg_origin_name(enum sg_origin o)
{
    return origin_names[o];
}

bool sg_origin_parse(sg_slice text, enum sg_origin *o)
{
    unsigned i;
    if (!find(origin_names, sizeof origin_names / sizeof *origin_names, text, &i)) return false;
    *o = (enum sg_origin)i;
    return true;
}

bool sg_actor_kind_parse(sg_slice text, enum sg_actor_kind *kind)
{
    unsigned i;
    if (!find(kind_names, sizeof kind_names / sizeof *kind_names, text, &i)) return false;
    *kind = (enum sg_actor_kind)i;
    return true;
}

enum sg_origin sg_origin_of(enum sg_actor_kind kind, sg_slice principal)
{
    if (kind == SG_ACTOR_USER) return SG_ORIGIN_USER;
    if (kind == SG_ACTOR_AI) return SG_ORIGIN_AGENT;
    bool migration = sg_slice_eq(principal, SG_LIT(SG_PRINCIPAL_MIGRATION));
    return migration ? SG_ORIGIN_MIGRATION : SG_ORIGIN_SYSTEM;
}
