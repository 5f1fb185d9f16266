/* What a token says about itself. Nothing is verified: that is the server's business. */
#ifndef SG_JWT_H
#define SG_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The token's claims, a JSON object, appended; false if it is no JWT. */
bool sg_jwt_claims(sg_slice token, sg_buf *claims);
/* Seconds until the token expires, negative when it has; INT64_MAX if it never does. */
int64_t sg_jwt_seconds_left(sg_slice claims);

#endif
