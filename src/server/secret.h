/*
 * Secrets that are shown once and kept as digests only: refresh tokens, and what invitations' links
 * hold. As text they are a prefix, by which scanners for leaked secrets know them, and base64url.
 */
#ifndef SG_SECRET_H
#define SG_SECRET_H

#include "base/buf.h"
#include "server/directory.h"

#define SG_FAMILY_BYTES 16
#define SG_SECRET_BYTES 32
#define SG_SECRET_TEXT_MAX 80u /* characters of either text */

/* The first refresh token of a session: its text, and the digests to keep. */
int sg_refresh_make(sg_buf *text, sg_refresh *digests);
/* What a text that was shown has for digests. SG_UNAUTHORIZED: it is no refresh token. */
int sg_refresh_read(sg_slice text, sg_refresh *digests);
/* The next one of the family that the shown text is of. */
int sg_refresh_next(sg_slice shown, sg_buf *text, uint8_t digest[SG_DIGEST_BYTES]);

int sg_invite_secret_make(sg_buf *text, uint8_t digest[SG_DIGEST_BYTES]);
/* SG_NOTFOUND: it is no invitation. */
int sg_invite_secret_read(sg_slice text, uint8_t digest[SG_DIGEST_BYTES]);

#endif
