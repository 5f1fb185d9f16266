/*
 * What a replica says it has been told: its newest acknowledgement. A server that was put back from
 * a copy may never have given it (spec/protocol.md, "Servers put back").
 */
#ifndef SG_KNOWN_H
#define SG_KNOWN_H

#include "store/store.h"

typedef struct sg_known {
    sg_slice client;
    int64_t n; /* the number acknowledged; 0: nothing is said */
    int64_t seq;
} sg_known;

/* SG_RESTORED: another change has that seq here, or none has got it yet. A purged entry proves
 * nothing, and is believed. Inside the view. */
int sg_known_check(const sg_store *store, sg_view *view, int64_t newest, const sg_known *known);

#endif
