/* GET /api/v1/spaces/{id}/members; PATCH, DELETE …/members/{person}; POST /api/v1/spaces/{id}/leave. */
#include "server/directory_text.h"
#include "server/routes.h"

enum { SPACE, PERSON }; /* in the path */

static const char owner_stays[] = "a space keeps an owner, and a personal one its own";

/* ---- who is there ---- */

static int run_list(sg_call *c, sg_directory *d)
{
    sg_member *members;
    size_t n;
    sg_jsonw *w = &c->json;
    int err = sg_member_list(d, c->claims.user, c->params[SPACE], &members, &n);
    if (err != SG_OK) return err;
    sg_jsonw_object(w);
    sg_jsonw_k(w, "members");
    sg_jsonw_array(w);
    for (size_t i = 0; i < n; i++) {
        sg_jsonw_object(w);
        sg_jsonw_kstr(w, "userId", members[i].person);
        sg_jsonw_kstr(w, "name", members[i].name);
        sg_jsonw_kstr(w, "role", sg_role_name(members[i].role));
        sg_jsonw_object_end(w);
    }
    sg_jsonw_array_end(w);
    sg_jsonw_object_end(w);
    return SG_OK;
}

static const sg_call_spec list = {.agents = true, .run = run_list};

void sg_route_members(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &list);
}

/* ---- another role ---- */

static const sg_call_field role_fields[] = {{.name = "role", .max = SG_TITLE_MAX, .needed = true},
                                            {0}};

static int check_role(sg_call *c)
{
    if (sg_role_of(c->texts[0]) != SG_ROLE_NONE) return SG_OK;
    return sg_call_refuse(c, SG_BADREQUEST, "a role is one of viewer, member, admin, owner");
}

static int run_role(sg_call *c, sg_directory *d)
{
    int err = sg_member_set_role(d, c->claims.user, c->params[SPACE], c->params[PERSON],
                                 sg_role_of(c->texts[0]));
    if (err == SG_CONFLICT) c->detail = owner_stays;
    sg_jsonw_object(&c->json);
    sg_jsonw_kstr(&c->json, "userId", c->params[PERSON]);
    sg_jsonw_kstr(&c->json, "role", c->texts[0]);
    sg_jsonw_object_end(&c->json);
    return err;
}

static const sg_call_spec set_role = {
    .fields = role_fields, .writes = true, .check = check_role, .run = run_role};

void sg_route_member_role(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &set_role);
}

/* ---- going ---- */

static int remove_one(sg_call *c, sg_directory *d, sg_slice who)
{
    int err = sg_member_remove(d, c->claims.user, c->params[SPACE], who);
    sg_call_moved(c, "s:", c->params[SPACE]);
    if (err == SG_CONFLICT) c->detail = owner_stays;
    sg_jsonw_object(&c->json);
    sg_jsonw_kbool(&c->json, "left", true);
    sg_jsonw_object_end(&c->json);
    return err;
}

static int run_remove(sg_call *c, sg_directory *d)
{
    return remove_one(c, d, c->params[PERSON]);
}

static const sg_call_spec remove_member = {.writes = true, .run = run_remove};

void sg_route_member_delete(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &remove_member);
}

static int run_leave(sg_call *c, sg_directory *d)
{
    return remove_one(c, d, c->claims.user);
}

static const sg_call_spec leave = {.writes = true, .run = run_leave};

void sg_route_leave(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &leave);
}
