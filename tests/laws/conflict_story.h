/*
 * Stories: arrivals at a server in commit order, and what L5 says of each write in them. The law is
 * written down here from its own text, over the whole story, without any of the code it judges.
 */
#ifndef SG_TESTS_CONFLICT_STORY_H
#define SG_TESTS_CONFLICT_STORY_H

#include "merge_fixture.h"

#include "../lib/prng.h"
#include "merge_oracle.h"

#define ARRIVALS_MAX 40u

#define X 1u /* masks of fields */
#define Y 2u

enum { A, B, C, D };

/* Arrivals in commit order: the seq of the first is 1. */
typedef struct story {
    act acts[ARRIVALS_MAX];
    const act *all[ARRIVALS_MAX];
    size_t count;
} story;

static inline void tell(story *s, act a)
{
    for (unsigned f = 0; f < ACT_FIELDS; f++)
        if (a.value[f].p == NULL)
            a.value[f] = sg_slice_of(&"abcdefghijklmnopqrstuvwxyz"[s->count % 26], 1);
    s->acts[s->count] = a;
    s->all[s->count] = &s->acts[s->count];
    s->count++;
}

/* ---- the law ---- */

static inline bool is_dead(const story *s, size_t after)
{
    const act *life = life_of(s->all, after);
    return life != NULL && life->op == SG_OP_DELETE;
}

/* "A person's write u to a field is in conflict if and only if it was overwritten unseen: it lost
 * on arrival at the server, or the first write that won over it there was made by a writer who had
 * not seen it (base < seq(u))." A delete wins over what it removes. Origin user only; a writer
 * without numbers cannot be told; nobody overwrites himself unseen. */
static inline bool law_says_lost(const story *s, size_t u, unsigned f)
{
    const act *mine = s->all[u];
    if (mine->origin != SG_ORIGIN_USER || mine->n == 0 || !(mine->mask & 1u << f)) return false;
    const act *there = winner_of(s->all, u + 1, f), *life = life_of(s->all, u + 1);
    if (there != mine && there->client != mine->client) return true;
    if (is_dead(s, u + 1)) return mine->op != SG_OP_DELETE && life->client != mine->client;
    if (there != mine) return false;
    for (size_t k = u + 1; k < s->count; k++) {
        bool deleted = is_dead(s, k + 1), overwritten = winner_of(s->all, k + 1, f) != mine;
        if (!deleted && !overwritten) continue;
        return s->all[k]->client != mine->client && s->all[k]->base < (int64_t)u + 1;
    }
    return false;
}

/* ---- telling ---- */

static inline void put_story(sg_buf *out, const story *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const act *a = s->all[i];
        sg_buf_str(out, "\n  ");
        sg_buf_int(out, (int64_t)i + 1);
        sg_buf_str(out, ": ");
        sg_buf_str(out, sg_op_name(a->op));
        put_mark_text(out, a->at_us, client_text(a->client), a->n, a->client, a->origin);
        sg_buf_str(out, " base ");
        sg_buf_int(out, a->base);
        sg_buf_str(out, " fields ");
        sg_buf_int(out, a->mask);
    }
}

static inline void fail_story(const story *s, size_t u, unsigned f, bool got)
{
    sg_buf text;
    sg_buf_init(&text, ACT_TEXT_MAX);
    put_story(&text, s);
    fail_msg("seq %zu, field %u: %s, but the law says %s, in%s", u + 1, f,
             got ? "lost" : "not lost", got ? "not" : "lost", sg_buf_cstr(&text));
}

/* Each client pulls now and then, and stamps above all it has seen; client c sends no numbers. */
static inline void tell_at_random(story *s, prng *g, int64_t base[ACT_CLIENTS])
{
    static const enum sg_op ops[] = {SG_OP_UPDATE, SG_OP_UPDATE, SG_OP_INSERT, SG_OP_DELETE};
    static const enum sg_origin origins[] = {SG_ORIGIN_USER, SG_ORIGIN_USER, SG_ORIGIN_USER,
                                             SG_ORIGIN_AGENT};
    unsigned client = (unsigned)prng_below(g, ACT_CLIENTS);
    if (prng_below(g, 2) == 0)
        base[client] += (int64_t)prng_below(g, s->count - (size_t)base[client] + 1);
    act a = {.client = client, .base = base[client], .n = client == C ? 0 : (int64_t)s->count + 1};
    a.op = ops[prng_below(g, 4)];
    a.origin = origins[prng_below(g, 4)];
    if (a.op != SG_OP_DELETE) a.mask = (unsigned)prng_below(g, 3) + 1;
    for (size_t k = 0; k < s->count; k++)
        if ((s->acts[k].client == client || (int64_t)k < a.base) && s->acts[k].at_us > a.at_us)
            a.at_us = s->acts[k].at_us;
    a.at_us += (int64_t)prng_below(g, 4) + 1;
    tell(s, a);
}

#endif
