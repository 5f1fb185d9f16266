/*
 * Sessions that have ended while access tokens of theirs are still good: a bounded set.
 *
 * A session is forgotten here once its last access token has expired. Where there is no room for
 * one, all access tokens given until then to sessions of the same bucket are refused: their bearers
 * refresh them, and nobody whose session has ended gets through.
 *
 * Threads: any.
 */
#ifndef SG_REVOKED_H
#define SG_REVOKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SG_REVOKED_BUCKETS 1024u
#define SG_REVOKED_WAYS 8u /* sessions of a bucket */

typedef struct sg_revoked sg_revoked;

/* NULL: out of memory. */
sg_revoked *sg_revoked_new(void);
void sg_revoked_free(sg_revoked *r);
/* Its access tokens are good until until_s at most. */
void sg_revoked_add(sg_revoked *r, sg_slice session, int64_t now_s, int64_t until_s);
/* issued_s: when the token was. */
bool sg_revoked_has(sg_revoked *r, sg_slice session, int64_t issued_s, int64_t now_s);

#endif
