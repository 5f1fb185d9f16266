/*
 * What a person reads and writes in one app: one's own records, and those of the spaces one is a
 * member of, as one moment of the store has it (spec/spaces.md, L17).
 *
 * Threads: whoever owns the view. What is read lives in the arena.
 */
#ifndef SG_REACH_H
#define SG_REACH_H

#include "base/arena.h"
#include "store/store.h"

#define SG_REACH_MAX 1000u /* spaces of one person; over it SG_LIMIT */

typedef struct sg_reach_scope {
    sg_slice text;  /* "u:<person>" or "s:<space>" */
    uint32_t scope; /* its number; 0: there is no record in it yet */
    int64_t joined_seq;
    bool writes;
} sg_reach_scope;

/* A space that was left, even if it has been joined again since. */
typedef struct sg_reach_left {
    sg_slice space;
    int64_t left_seq;
} sg_reach_left;

typedef struct sg_reach {
    sg_reach_scope *in; /* one's own first */
    size_t count;
    sg_reach_left *left;
    size_t left_count;
} sg_reach;

/* `own`: the person's own scope. */
int sg_reach_read(const sg_store *store, sg_view *view, sg_slice own, sg_arena *arena,
                  sg_reach *out);
/* The scope of a space, or NULL: the person is no member. */
sg_reach_scope *sg_reach_find(const sg_reach *r, sg_slice space);
/* The space of a scope; empty for one's own. */
sg_slice sg_reach_space(const sg_reach *r, uint32_t scope);

#endif
