/* GET /.well-known/jwks.json: the keys tokens are signed with. */
#include "server/routes.h"

#define JWKS_MAX 1024u

void sg_route_jwks(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_server *s = ctx;
    sg_buf body;
    sg_buf_init(&body, JWKS_MAX);
    sg_key_jwks(s->key, &body);
    sg_http_answer_json(http, req->id, 200, &body);
}
