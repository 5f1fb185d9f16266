/* Provenance is enforced (L11): what a token may claim. */
#include "server/push.h"

static bool is_person(const sg_claims *c, const sg_actor_info *who)
{
    return sg_slice_eq(sg_user_name(who->principal), c->user);
}

static bool is_system(const sg_actor_info *who)
{
    const sg_slice prefix = SG_LIT("system:");
    return who->principal.n > prefix.n && memcmp(who->principal.p, prefix.p, prefix.n) == 0;
}

static const char *check_kind(const sg_claims *c, const sg_actor_info *who)
{
    if (c->agent.n != 0) {
        if (who->kind != SG_ACTOR_AI) return "an agent's token writes as an actor of kind ai only";
        bool same = sg_slice_eq(who->principal, c->agent);
        return same ? NULL : "the actor's principalId is not the token's agent";
    }
    /* An agent that runs in its person's app: the person answers for it, and claims less by it. */
    if (who->kind == SG_ACTOR_AI) return NULL;
    if (who->kind == SG_ACTOR_USER)
        return is_person(c, who) ? NULL : "the actor's principalId is not the token's user";
    return is_system(who) ? NULL : "a system actor's principalId begins with system:";
}

const char *sg_actor_check(const sg_claims *claims, sg_slice own_actor, sg_change_in *in)
{
    if (in->has_origin && in->c.origin == SG_ORIGIN_SERVER_REPLAY)
        return "origin server-replay is seen, never written";
    enum sg_origin own = claims->agent.n != 0 ? SG_ORIGIN_AGENT : SG_ORIGIN_USER;
    if (in->who == NULL) {
        if (in->has_origin && in->c.origin != own)
            return "an origin other than the token's own needs an actor";
        in->c.actor = own_actor;
        in->c.origin = own;
        return NULL;
    }
    const char *problem = check_kind(claims, in->who);
    if (problem != NULL) return problem;
    enum sg_origin due = sg_origin_of(in->who->kind, in->who->principal);
    return in->c.origin == due ? NULL : "the origin does not follow from the actor";
}

int sg_actor_own(const sg_claims *c, sg_arena *arena, sg_slice *json)
{
    sg_buf text;
    sg_jsonw w;
    sg_buf_init(&text, SG_ACTOR_TEXT_MAX);
    sg_jsonw_init(&w, &text);
    sg_jsonw_object(&w);
    if (c->agent.n != 0) {
        sg_jsonw_kstr(&w, "kind", SG_LIT("ai"));
        sg_jsonw_kstr(&w, "principalId", c->agent);
        sg_jsonw_kstr(&w, "displayName", c->agent_name.n != 0 ? c->agent_name : c->agent);
    } else {
        sg_buf principal;
        sg_buf_init(&principal, SG_USER_MAX + 2);
        sg_buf_str(&principal, "u:");
        sg_buf_slice(&principal, c->user);
        sg_jsonw_kstr(&w, "kind", SG_LIT("user"));
        sg_jsonw_kstr(&w, "principalId", sg_buf_view(&principal));
        sg_jsonw_kstr(&w, "displayName", c->name.n != 0 ? c->name : c->user);
        if (text.err == SG_OK) text.err = principal.err;
        sg_buf_deinit(&principal);
    }
    sg_jsonw_object_end(&w);
    int err = text.err;
    *json = sg_arena_copy(arena, sg_buf_view(&text), &err);
    sg_buf_deinit(&text);
    return err;
}
