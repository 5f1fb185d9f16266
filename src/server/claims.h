/* What a token says about its bearer, once it has been verified. */
#ifndef SG_CLAIMS_H
#define SG_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SG_USER_MAX 200  /* bytes of a user's name */
#define SG_AGENT_MAX 200 /* bytes of an agent's id or name */

typedef struct sg_claims {
    sg_slice user;       /* without a leading "u:" */
    sg_slice name;       /* how a person is shown; may be empty */
    sg_slice session;    /* that the token was given in; empty: in none */
    sg_slice agent;      /* id; empty: a person's token */
    sg_slice agent_name; /* may be empty */
    int64_t issued_s;    /* seconds since 1970 */
    int64_t expires_s;
    bool dev; /* made by `sigla token`: only a server in development takes it */
} sg_claims;

/* A user's name as principals spell it, with "u:" or without: the same without. */
static inline sg_slice sg_user_name(sg_slice principal)
{
    bool prefixed = principal.n > 2 && memcmp(principal.p, "u:", 2) == 0;
    return prefixed ? sg_slice_of(principal.p + 2, principal.n - 2) : principal;
}

#endif
