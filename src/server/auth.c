#include "server/auth.h"

#include <openssl/sha.h>
#include <strings.h>

#include "base/mem.h"
#include "server/now.h"
#include "server/revoked.h"

/* A verified token, known by its digest: the token itself is not kept. */
typedef struct remembered {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    sg_arena arena; /* holds the claims */
    sg_claims claims;
    bool used;
} remembered;

struct sg_auth {
    const sg_key *key;
    bool dev;
    sg_revoked *revoked;
    unsigned next; /* which way of a full bucket goes first */
    remembered slots[SG_AUTH_BUCKETS][SG_AUTH_WAYS];
};

sg_auth *sg_auth_new(const sg_key *key, bool dev)
{
    sg_auth *a = sg_zalloc(sizeof *a);
    if (a == NULL) return NULL;
    a->key = key;
    a->dev = dev;
    a->revoked = sg_revoked_new();
    if (a->revoked != NULL) return a;
    sg_auth_free(a);
    return NULL;
}

void sg_auth_free(sg_auth *a)
{
    if (a == NULL) return;
    for (size_t i = 0; i < SG_AUTH_BUCKETS; i++)
        for (size_t k = 0; k < SG_AUTH_WAYS; k++)
            sg_arena_deinit(&a->slots[i][k].arena);
    sg_revoked_free(a->revoked);
    sg_free(a);
}

static const sg_claims *verify(sg_auth *a, sg_slice token, int64_t now_s, remembered *slot,
                               int *err, const char **why)
{
    slot->used = false;
    sg_arena_reset(&slot->arena);
    *err = sg_token_read(a->key, token, now_s, &slot->arena, &slot->claims, why);
    if (*err != SG_OK) return NULL;
    if (slot->claims.dev && !a->dev) {
        *err = SG_UNAUTHORIZED;
        *why = "a token made by `sigla token` is only taken by a server started with --dev";
        return NULL;
    }
    slot->used = true;
    return &slot->claims;
}

static const sg_claims *find(sg_auth *a, sg_slice token, int64_t now_s, int *err, const char **why)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    *err = SG_OK;
    (void)SHA256((const unsigned char *)token.p, token.n, digest);
    size_t bucket = (digest[0] | (size_t)digest[1] << 8) % SG_AUTH_BUCKETS;
    remembered *free_slot = NULL;
    for (size_t k = 0; k < SG_AUTH_WAYS; k++) {
        remembered *r = &a->slots[bucket][k];
        bool live = r->used && r->claims.expires_s > now_s - SG_TOKEN_LEEWAY_S;
        if (live && memcmp(r->digest, digest, sizeof digest) == 0) return &r->claims;
        if (!live) free_slot = r;
    }
    if (free_slot == NULL) free_slot = &a->slots[bucket][a->next++ % SG_AUTH_WAYS];
    memcpy(free_slot->digest, digest, sizeof digest);
    return verify(a, token, now_s, free_slot, err, why);
}

const sg_claims *sg_auth_token(sg_auth *a, sg_slice token, int *err, const char **why)
{
    int64_t now_s = sg_now_us() / 1000000;
    const sg_claims *c = find(a, token, now_s, err, why);
    if (c == NULL || c->session.n == 0) return c;
    if (!sg_revoked_has(a->revoked, c->session, c->issued_s, now_s)) return c;
    *err = SG_UNAUTHORIZED;
    *why = "the token's session has ended";
    return NULL;
}

void sg_auth_end(sg_auth *a, sg_slice session, int64_t now_s)
{
    sg_revoked_add(a->revoked, session, now_s, now_s + SG_TOKEN_TTL_S + 2 * SG_TOKEN_LEEWAY_S);
}

const sg_claims *sg_auth_request(sg_auth *a, const sg_http *http, const sg_http_req *req)
{
    sg_slice header = sg_http_header_get(req, "Authorization");
    const char *why = "send the header Authorization: Bearer TOKEN";
    int err = SG_UNAUTHORIZED;
    const sg_claims *claims = NULL;
    if (header.n > 7 && strncasecmp(header.p, "Bearer ", 7) == 0) {
        sg_slice token = sg_slice_of(header.p + 7, header.n - 7);
        claims = sg_auth_token(a, token, &err, &why);
    }
    if (claims == NULL)
        sg_http_answer_error(http, req->id, err, sg_slice_str(err == SG_NOMEM ? NULL : why));
    return claims;
}
