/* GET /health: the process is up and takes requests. */
#include "server/routes.h"

void sg_route_health(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    static char body[] = "{\"status\":\"ok\"}";
    const sg_answer answer = {
        .status = 200, .body = body, .body_len = sizeof body - 1, .body_static = true};
    sg_http_answer(http, req->id, &answer);
}
