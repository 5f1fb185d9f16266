/* GET /sync/{app}/stream: server-sent events of what comes after a cursor. */
#include "server/routes.h"

static bool fill(const sg_ask *r, const sg_claims *claims, sg_delta_spec *spec)
{
    sg_claims own;
    sg_slice since, *tables;
    int64_t version = 1;
    sg_slice last = sg_http_header_get(r->req, "Last-Event-ID");
    if (!sg_ask_claims(r, claims, &own, &spec->scope) || !sg_ask_app(r, 0, &spec->app) ||
        !sg_ask_query(r, "since", SG_SINCE_MAX, &since) ||
        !sg_ask_cursor(r, last.n != 0 ? last : since, &spec->since) ||
        !sg_ask_tables(r, "collections", &tables, &spec->table_count) ||
        !sg_ask_int(r, "v", 1, INT32_MAX, &version) || !sg_ask_client(r, &spec->self))
        return false;
    if (version > SG_VERSION_MAX) {
        sg_ask_refuse(r, SG_TOONEW, "this server speaks versions 1 and 2");
        return false;
    }
    spec->tables = tables;
    spec->version = (int)version;
    return true;
}

void sg_route_stream(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_server *s = ctx;
    const sg_claims *claims = sg_auth_request(s->auth, http, req);
    if (claims == NULL) return;
    sg_arena arena;
    sg_delta_spec spec = {0};
    sg_arena_init(&arena);
    const sg_ask r = {s, http, req, &arena};
    if (fill(&r, claims, &spec)) {
        int err = sg_hub_stream(s->hub, http, req->id, &spec);
        if (err != SG_OK) sg_ask_refuse(&r, err, NULL);
    }
    sg_arena_deinit(&arena);
}
