/* What a session gives: an access token, a refresh token, and whose they are, as JSON. */
#ifndef SG_GRANT_H
#define SG_GRANT_H

#include "server/call.h"

/* {"accessToken", "tokenType", "expiresIn", "refreshToken", "sessionId", "user"} onto c->json. */
int sg_grant_write(sg_call *c, const sg_person *p, sg_slice session, sg_slice refresh);
/* Begin a session, and write what it gives. */
int sg_grant_begin(sg_call *c, sg_directory *d, const sg_person *p, sg_slice device);
/* "user": {"id", "login", "email", "name", "createdAt"} */
void sg_grant_user(sg_call *c, const sg_person *p);

#endif
