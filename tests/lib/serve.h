/*
 * The server's half of a sync without HTTP and threads: what its routes make of one request, by the
 * same code, step by step. Who calls it commits pushes, and says what time it is.
 */
#ifndef SG_TESTS_SERVE_H
#define SG_TESTS_SERVE_H

#include "server/apply.h"
#include "server/delta.h"

typedef struct serve {
    sg_store *store;
    sg_view *view;
    sg_epoch epoch;
    int64_t now_us;
    sg_claims claims;
    sg_slice scope;
    size_t limit; /* records of a page */
    /* Commit it, or nothing of it; what is then to be answered. */
    int (*commit)(void *ctx, sg_push *p);
    void *ctx;
} serve;

/* The HTTP status and the body of the answer. A negative status of commit()'s is handed on: there is
 * no answer then. */
int serve_request(const serve *v, const char *method, const char *url, sg_slice body, sg_buf *out);
/* One page of what a client that speaks version 2 has not got. */
int serve_page(const serve *v, sg_slice app, sg_slice client, sg_cursor since, sg_arena *arena,
               sg_delta_page *page);

#endif
