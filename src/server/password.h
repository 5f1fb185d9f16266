/*
 * Passwords: Argon2id, by libsodium. One hash takes SG_PASSWORD_BYTES of memory and some fifty
 * milliseconds, so it is done on a thread that has time for it, and only few at once.
 */
#ifndef SG_PASSWORD_H
#define SG_PASSWORD_H

#include <stdbool.h>

#include "base/slice.h"

#define SG_PASSWORD_BYTES ((size_t)19 << 20)
#define SG_PASSWORD_PASSES 2u
#define SG_PASSWORD_TEXT 128 /* bytes of a hash's text, at most, with its NUL */
#define SG_PASSWORD_MIN 8u   /* bytes of a password */
#define SG_PASSWORD_MAX 1024u

/* The text to keep: it names algorithm, costs and salt. SG_NOMEM. */
int sg_password_hash(sg_slice password, char text[SG_PASSWORD_TEXT]);
/* Is this the password of that text? An empty text is nobody's: false, after as long. SG_NOMEM. */
int sg_password_check(sg_slice text, sg_slice password, bool *good);

#endif
