/*
 * Tokens: JWT (RFC 7519) signed with EdDSA by the server's own key.
 *
 * A token is taken if its algorithm is EdDSA, its key is ours, the signature holds, issuer and
 * audience are `sigla`, it is neither expired nor before its time, and it names a user.
 */
#ifndef SG_TOKEN_H
#define SG_TOKEN_H

#include "base/arena.h"
#include "server/claims.h"
#include "server/keys.h"

#define SG_TOKEN_MAX ((size_t)4096) /* bytes of a token */
#define SG_TOKEN_ISSUER "sigla"
#define SG_TOKEN_AUDIENCE "sigla"
#define SG_TOKEN_TTL_S INT64_C(900)   /* of one that is given in a session */
#define SG_TOKEN_LEEWAY_S INT64_C(30) /* how far clocks may differ */

/* Append a token. SG_LIMIT: a name is too long or empty; SG_BADVALUE: not UTF-8. */
int sg_token_make(const sg_key *key, const sg_claims *claims, int64_t now_s, sg_buf *out);
/* Verify a token; the claims live in the arena. SG_UNAUTHORIZED: *why is a literal that tells what
 * is wrong with it; SG_NOMEM. */
int sg_token_read(const sg_key *key, sg_slice token, int64_t now_s, sg_arena *arena,
                  sg_claims *claims, const char **why);

#endif
