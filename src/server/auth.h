/*
 * Who asks: the bearer token of a request, verified once and remembered until it expires, or until
 * the session that it was given in ends.
 *
 * Threads: the loop's thread only, but for sg_auth_end: any.
 */
#ifndef SG_AUTH_H
#define SG_AUTH_H

#include "server/http.h"
#include "server/token.h"

#define SG_AUTH_BUCKETS 1024u /* remembered tokens: this many times SG_AUTH_WAYS */
#define SG_AUTH_WAYS 4u

typedef struct sg_auth sg_auth;

/* dev: take tokens made by `sigla token`. The key is borrowed. NULL: out of memory. */
sg_auth *sg_auth_new(const sg_key *key, bool dev);
void sg_auth_free(sg_auth *a);
/* The claims of a token, borrowed until the next call; NULL with *err = SG_UNAUTHORIZED and *why a
 * literal, or SG_NOMEM. */
const sg_claims *sg_auth_token(sg_auth *a, sg_slice token, int *err, const char **why);
/* The same for a request's Authorization header. On an error the request has been answered. */
const sg_claims *sg_auth_request(sg_auth *a, const sg_http *http, const sg_http_req *req);
/* From now on no token of that session is taken. */
void sg_auth_end(sg_auth *a, sg_slice session, int64_t now_s);

#endif
