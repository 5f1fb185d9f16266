/*
 * Any bytes as a token, and any JSON as the header and the claims of a token that is well signed.
 *
 * Any bytes as the secret of a refresh token or an invitation.
 *
 * Checked: bytes are taken only if the server's key has signed them; claims that are taken name a
 * user and are within their bounds; who is refused hears why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/secret.h"
#include "server/token.h"
#include "wire/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S INT64_C(1767225600)

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static sg_key *key(void)
{
    static sg_key *made;
    char path[] = "/tmp/fuzz-token-XXXXXX";
    if (made != NULL) return made;
    int fd = mkstemp(path);
    require(fd >= 0 && close(fd) == 0 && unlink(path) == 0, "there is a folder");
    require(sg_key_open(path, &made) == SG_OK && unlink(path) == 0, "a key can be made");
    return made;
}

static bool taken(sg_slice token)
{
    sg_arena arena;
    sg_claims claims = {.dev = false};
    const char *why = NULL;
    sg_arena_init(&arena);
    int err = sg_token_read(key(), token, NOW_S, &arena, &claims, &why);
    require(err == SG_OK || err == SG_UNAUTHORIZED, "a token is taken or not");
    if (err == SG_OK)
        require(claims.user.n != 0 && claims.user.n <= SG_USER_MAX &&
                    claims.agent.n <= SG_AGENT_MAX && claims.agent_name.n <= SG_AGENT_MAX &&
                    claims.expires_s > NOW_S - SG_TOKEN_LEEWAY_S - 1,
                "claims are within their bounds");
    else
        require(why != NULL && *why != '\0', "a refusal says why");
    sg_arena_deinit(&arena);
    return err == SG_OK;
}

/* Header and claims, with a signature that holds. */
static void sign(sg_slice header, sg_slice claims)
{
    sg_buf b;
    unsigned char signature[SG_SIGNATURE_BYTES];
    sg_buf_init(&b, (size_t)1 << 20);
    sg_base64url_encode(&b, header);
    sg_buf_byte(&b, '.');
    sg_base64url_encode(&b, claims);
    require(sg_key_sign(key(), sg_buf_view(&b), signature) == SG_OK, "a key signs");
    sg_buf_byte(&b, '.');
    sg_base64url_encode(&b, sg_slice_of((const char *)signature, sizeof signature));
    if (b.err == SG_OK && taken(sg_buf_view(&b))) {
        b.p[0] ^= 1;
        require(!taken(sg_buf_view(&b)), "a changed header is not signed");
    }
    sg_buf_deinit(&b);
}

/* What is taken for a refresh token has a next one, of the same family. */
static void read_secrets(sg_slice text)
{
    sg_refresh shown, again;
    uint8_t digest[SG_DIGEST_BYTES];
    sg_buf next;
    (void)sg_invite_secret_read(text, digest);
    if (sg_refresh_read(text, &shown) != SG_OK) return;
    sg_buf_init(&next, SG_SECRET_TEXT_MAX);
    require(sg_refresh_next(text, &next, digest) == SG_OK, "a token has a next one");
    require(sg_refresh_read(sg_buf_view(&next), &again) == SG_OK, "which is a token");
    require(memcmp(again.family, shown.family, SG_DIGEST_BYTES) == 0, "of the same family");
    require(memcmp(again.secret, digest, SG_DIGEST_BYTES) == 0, "under the digest it was given");
    require(memcmp(again.secret, shown.secret, SG_DIGEST_BYTES) != 0, "with a new secret");
    sg_buf_deinit(&next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice text = sg_slice_of((const char *)data, size);
    require(!taken(text), "who has no key makes no token");
    read_secrets(text);
    sg_buf header;
    sg_buf_init(&header, 4096);
    sg_buf_str(&header, "{\"alg\":\"EdDSA\",\"kid\":\"");
    sg_buf_slice(&header, sg_key_id(key()));
    sg_buf_str(&header, "\"}");
    sign(sg_buf_view(&header), text);
    const char *cut = size != 0 ? memchr(text.p, '\n', size) : NULL;
    if (cut != NULL) {
        size_t n = (size_t)(cut - text.p);
        sign(sg_slice_of(text.p, n), sg_slice_of(cut + 1, size - n - 1));
        /* A header of any form that names the right key. */
        sg_buf_truncate(&header, header.n - 1);
        sg_buf_slice(&header, sg_slice_of(text.p, n));
        sign(sg_buf_view(&header), sg_slice_of(cut + 1, size - n - 1));
    }
    sg_buf_deinit(&header);
    return 0;
}
