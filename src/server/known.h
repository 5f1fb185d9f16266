/*
 * What a replica says of itself with a question: the greatest number it has sent, and the newest
 * acknowledgement it was given. Another one may push under the same id (L13); and a server that was put
 * back from a copy may never have given that acknowledgement (spec/protocol.md, "Servers put back").
 */
#ifndef SG_KNOWN_H
#define SG_KNOWN_H

#include "store/store.h"

typedef struct sg_known {
    sg_slice scope, app, client;
    int64_t sent; /* -1: it does not say */
    int64_t n;    /* the number acknowledged; 0: nothing is said */
    int64_t seq;
} sg_known;

/* SG_CLIENTCOPIED: a greater number was sent under this id. SG_RESTORED: another change has that seq
 * here, or none has got it yet; a purged entry proves nothing, and is believed. Inside the view. */
int sg_known_check(const sg_store *store, sg_view *view, int64_t newest, const sg_known *known);

#endif
