#include "server/push.h"

#include "base/mem.h"

sg_push *sg_push_new(void)
{
    sg_push *p = sg_zalloc(sizeof *p);
    if (p == NULL) return NULL;
    sg_arena_init(&p->arena);
    p->version = 1;
    p->sent = -1;
    p->pull = true;
    return p;
}

void sg_push_free(sg_push *p)
{
    if (p == NULL) return;
    sg_push_result_deinit(&p->result);
    sg_arena_deinit(&p->arena);
    sg_free(p->changes);
    sg_free(p->body);
    sg_free(p);
}

/* One more item in an array that grows by doubling; NULL when memory ran out. */
static void *grow(void *items, size_t count, size_t *cap, size_t item)
{
    if (count < *cap) return items;
    size_t more = *cap != 0 ? *cap * 2 : 16;
    void *grown = sg_realloc(items, more * item);
    if (grown != NULL) *cap = more;
    return grown;
}

int sg_push_ack_add(sg_push_result *r, int64_t n, int64_t seq)
{
    sg_push_ack *last = r->ack_count != 0 ? &r->acks[r->ack_count - 1] : NULL;
    if (last != NULL && n == last->n + last->count && seq == last->seq + last->count) {
        last->count++;
        return SG_OK;
    }
    sg_push_ack *acks = grow(r->acks, r->ack_count, &r->ack_cap, sizeof *acks);
    if (acks == NULL) return SG_NOMEM;
    r->acks = acks;
    acks[r->ack_count++] = (sg_push_ack){n, seq, 1};
    return SG_OK;
}

int sg_push_refuse(sg_push_result *r, const sg_push_refusal *refusal)
{
    sg_push_refusal *refusals =
        grow(r->refusals, r->refusal_count, &r->refusal_cap, sizeof *refusals);
    if (refusals == NULL) return SG_NOMEM;
    r->refusals = refusals;
    refusals[r->refusal_count++] = *refusal;
    return SG_OK;
}

int sg_push_restamp_add(sg_push_result *r, const sg_push_restamp *restamp)
{
    sg_push_restamp *restamps =
        grow(r->restamps, r->restamp_count, &r->restamp_cap, sizeof *restamps);
    if (restamps == NULL) return SG_NOMEM;
    r->restamps = restamps;
    restamps[r->restamp_count++] = *restamp;
    return SG_OK;
}

void sg_push_result_clear(sg_push_result *r)
{
    r->ack_count = 0;
    r->refusal_count = 0;
    r->restamp_count = 0;
    r->staged = 0;
    r->committed = 0;
    r->last_seq = 0;
    r->err = SG_OK;
    r->detail = NULL;
}

void sg_push_result_deinit(sg_push_result *r)
{
    sg_free(r->acks);
    sg_free(r->refusals);
    sg_free(r->restamps);
    *r = (sg_push_result){0};
}
