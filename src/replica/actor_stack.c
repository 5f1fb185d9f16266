#include "replica/actor_stack.h"

#include "base/mem.h"
#include "replica/intern.h"
#include "replica/transaction.h"

uint32_t sg_actor_current(sg_replica *r, int *err)
{
    if (r->applying) return SG_ACTOR_RULE;
    if (r->actor_depth == 0) return SG_ACTOR_SELF;
    sg_actor_frame *top = &r->actor_stack[r->actor_depth - 1];
    if (top->actor == 0) top->actor = sg_intern_actor(r, sg_slice_str(top->json), top->origin, err);
    return top->actor;
}

static int push(sg_replica *r, sg_actor_frame frame)
{
    if (r->actor_depth == SG_ACTOR_DEPTH_MAX)
        return sg_replica_fail(r, SG_LIMIT, "sigla_as() is nested more than %d deep",
                               SG_ACTOR_DEPTH_MAX);
    frame.in_transaction = sqlite3_get_autocommit(r->db) == 0;
    int err = frame.in_transaction ? sg_transaction_enlist(r) : SG_OK;
    if (err == SG_OK) r->actor_stack[r->actor_depth++] = frame;
    return err;
}

int sg_actor_push(sg_replica *r, sg_slice json, enum sg_origin origin)
{
    int err = SG_OK;
    sg_actor_frame frame = {.origin = origin, .json = sg_strndup(json.p, json.n)};
    if (frame.json == NULL) return SG_NOMEM;
    frame.actor = sg_intern_actor(r, json, origin, &err);
    if (err == SG_OK) err = push(r, frame);
    if (err != SG_OK) sg_free(frame.json);
    return err;
}

int sg_actor_push_fixed(sg_replica *r, uint32_t actor)
{
    return push(r, (sg_actor_frame){.actor = actor});
}

bool sg_actor_pop(sg_replica *r)
{
    if (r->actor_depth == 0) return false;
    sg_free(r->actor_stack[--r->actor_depth].json);
    return true;
}

void sg_actor_stack_end(sg_replica *r)
{
    while (r->actor_depth != 0 && r->actor_stack[r->actor_depth - 1].in_transaction)
        (void)sg_actor_pop(r);
}

void sg_actor_stack_forget(sg_replica *r)
{
    for (size_t i = 0; i < r->actor_depth; i++)
        if (r->actor_stack[i].json != NULL) r->actor_stack[i].actor = 0;
}

void sg_actor_stack_deinit(sg_replica *r)
{
    while (sg_actor_pop(r))
        continue;
}
