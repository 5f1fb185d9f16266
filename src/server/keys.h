/*
 * The server's own Ed25519 key: kept in its data directory, made at first start.
 *
 * Threads: a loaded key may be used from any thread.
 */
#ifndef SG_KEYS_H
#define SG_KEYS_H

#include "base/buf.h"
#include "base/slice.h"

#define SG_SIGNATURE_BYTES 64
#define SG_KEY_ID_TEXT 43 /* base64url of 32 bytes */

typedef struct sg_key sg_key;

/* Read the key in a file, or make one there that only its owner may read. Two processes may do so
 * at once: both get the same key. SG_CORRUPT: the file holds no Ed25519 key; SG_IO, SG_NOMEM. */
int sg_key_open(const char *path, sg_key **key);
void sg_key_free(sg_key *key);
/* RFC 7638 thumbprint of the public key; lives as long as the key. */
sg_slice sg_key_id(const sg_key *key);
int sg_key_sign(const sg_key *key, sg_slice bytes, unsigned char out[SG_SIGNATURE_BYTES]);
bool sg_key_verify(const sg_key *key, sg_slice bytes, sg_slice signature);
/* {"keys":[{"kty":"OKP",…}]} */
void sg_key_jwks(const sg_key *key, sg_buf *out);
/* Bytes nobody can guess. SG_INTERNAL if there are none. */
int sg_random(void *out, size_t n);

#endif
