#include "server/secret.h"

#include <openssl/sha.h>

#include "server/keys.h"
#include "wire/value.h"

#define REFRESH_PREFIX "sgr_"
#define INVITE_PREFIX "sgi_"
#define PREFIX_TEXT 4

_Static_assert(SG_DIGEST_BYTES == SHA256_DIGEST_LENGTH, "digests are SHA-256");

static void digest_of(const uint8_t *bytes, size_t n, uint8_t digest[SG_DIGEST_BYTES])
{
    (void)SHA256(bytes, n, digest);
}

static int write_text(const char *prefix, const uint8_t *bytes, size_t n, sg_buf *text)
{
    sg_buf_str(text, prefix);
    sg_base64url_encode(text, sg_slice_of((const char *)bytes, n));
    return text->err;
}

/* SG_BADVALUE: it is something else. */
static int read_text(const char *prefix, sg_slice text, uint8_t *bytes, size_t n)
{
    sg_buf decoded;
    if (text.n > SG_SECRET_TEXT_MAX || text.n < PREFIX_TEXT) return SG_BADVALUE;
    if (memcmp(text.p, prefix, PREFIX_TEXT) != 0) return SG_BADVALUE;
    sg_buf_init(&decoded, SG_SECRET_TEXT_MAX);
    int err =
        sg_base64url_decode(&decoded, sg_slice_of(text.p + PREFIX_TEXT, text.n - PREFIX_TEXT));
    if (err == SG_OK) err = decoded.err;
    if (err == SG_OK && decoded.n != n) err = SG_BADVALUE;
    if (err == SG_OK) memcpy(bytes, decoded.p, n);
    sg_buf_deinit(&decoded);
    return err;
}

static int read_refresh(sg_slice text, uint8_t token[SG_FAMILY_BYTES + SG_SECRET_BYTES])
{
    int err = read_text(REFRESH_PREFIX, text, token, SG_FAMILY_BYTES + SG_SECRET_BYTES);
    return err == SG_BADVALUE ? SG_UNAUTHORIZED : err;
}

/* ---- refresh tokens: family, then secret ---- */

static void digest_both(const uint8_t token[SG_FAMILY_BYTES + SG_SECRET_BYTES], sg_refresh *digests)
{
    digest_of(token, SG_FAMILY_BYTES, digests->family);
    digest_of(token + SG_FAMILY_BYTES, SG_SECRET_BYTES, digests->secret);
}

int sg_refresh_make(sg_buf *text, sg_refresh *digests)
{
    uint8_t token[SG_FAMILY_BYTES + SG_SECRET_BYTES];
    int err = sg_random(token, sizeof token);
    if (err != SG_OK) return err;
    digest_both(token, digests);
    return write_text(REFRESH_PREFIX, token, sizeof token, text);
}

int sg_refresh_read(sg_slice text, sg_refresh *digests)
{
    uint8_t token[SG_FAMILY_BYTES + SG_SECRET_BYTES];
    int err = read_refresh(text, token);
    if (err == SG_OK) digest_both(token, digests);
    return err;
}

int sg_refresh_next(sg_slice shown, sg_buf *text, uint8_t digest[SG_DIGEST_BYTES])
{
    uint8_t token[SG_FAMILY_BYTES + SG_SECRET_BYTES];
    int err = read_refresh(shown, token);
    if (err == SG_OK) err = sg_random(token + SG_FAMILY_BYTES, SG_SECRET_BYTES);
    if (err != SG_OK) return err;
    digest_of(token + SG_FAMILY_BYTES, SG_SECRET_BYTES, digest);
    return write_text(REFRESH_PREFIX, token, sizeof token, text);
}

/* ---- invitations ---- */

int sg_invite_secret_make(sg_buf *text, uint8_t digest[SG_DIGEST_BYTES])
{
    uint8_t secret[SG_SECRET_BYTES];
    int err = sg_random(secret, sizeof secret);
    if (err != SG_OK) return err;
    digest_of(secret, sizeof secret, digest);
    return write_text(INVITE_PREFIX, secret, sizeof secret, text);
}

int sg_invite_secret_read(sg_slice text, uint8_t digest[SG_DIGEST_BYTES])
{
    uint8_t secret[SG_SECRET_BYTES];
    int err = read_text(INVITE_PREFIX, text, secret, sizeof secret);
    if (err == SG_OK) digest_of(secret, sizeof secret, digest);
    return err == SG_BADVALUE ? SG_NOTFOUND : err;
}
