/* POST /api/v1/spaces/{id}/invites; GET /api/v1/invites; DELETE /api/v1/invites/{id}. */
#include "server/directory_text.h"
#include "server/routes.h"
#include "server/secret.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define DAYS_DEFAULT 7
#define DAYS_MAX 90
#define USES_MAX 1000

static void put_invite(sg_call *c, const sg_invite *v, sg_slice secret)
{
    sg_jsonw *w = &c->json;
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "id", v->id);
    sg_jsonw_kstr(w, "spaceId", v->space);
    sg_jsonw_kstr(w, "role", sg_role_name(v->role));
    sg_jsonw_kstr(w, "createdBy", v->maker);
    sg_call_time(c, "createdAt", v->made_us);
    sg_call_time(c, "expiresAt", v->until_us);
    sg_jsonw_kint(w, "usesLeft", v->uses_left);
    if (secret.n != 0) sg_jsonw_kstr(w, "token", secret);
    sg_jsonw_object_end(w);
}

/* ---- inviting ---- */

enum { INVITE_ROLE, INVITE_USES, INVITE_DAYS };
static const sg_call_field fields[] = {
    [INVITE_ROLE] = {.name = "role", .max = SG_TITLE_MAX, .needed = true},
    [INVITE_USES] = {.name = "uses", .low = 1, .high = USES_MAX},
    [INVITE_DAYS] = {.name = "days", .low = 1, .high = DAYS_MAX},
    {0}};

static int check(sg_call *c)
{
    enum sg_role role = sg_role_of(c->texts[INVITE_ROLE]);
    if (role != SG_ROLE_NONE && role != SG_ROLE_OWNER) return SG_OK;
    return sg_call_refuse(c, SG_BADREQUEST, "a link gives one of viewer, member, admin");
}

static int run(sg_call *c, sg_directory *d)
{
    int64_t uses = c->numbers[INVITE_USES], days = c->numbers[INVITE_DAYS];
    sg_invite v = {.space = c->params[0],
                   .role = sg_role_of(c->texts[INVITE_ROLE]),
                   .until_us = d->now_us + (days != 0 ? days : DAYS_DEFAULT) * DAY_US,
                   .uses_left = uses != 0 ? uses : 1};
    uint8_t digest[SG_DIGEST_BYTES];
    sg_buf secret;
    sg_buf_init(&secret, SG_SECRET_TEXT_MAX);
    int err = sg_invite_secret_make(&secret, digest);
    if (err == SG_OK) err = sg_invite_add(d, c->claims.user, digest, &v);
    if (err == SG_CONFLICT) c->detail = "a personal space is shared with nobody";
    if (err == SG_LIMIT) c->detail = "a space has at most 100 open invitations";
    if (err == SG_OK) put_invite(c, &v, sg_buf_view(&secret));
    sg_buf_deinit(&secret);
    return err;
}

static const sg_call_spec invite = {
    .fields = fields, .writes = true, .secret = true, .status = 201, .check = check, .run = run};

void sg_route_invite(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &invite);
}

/* ---- those that are open ---- */

static int run_list(sg_call *c, sg_directory *d)
{
    sg_invite *invites;
    size_t n;
    int err = sg_invite_list(d, c->claims.user, &invites, &n);
    if (err != SG_OK) return err;
    sg_jsonw_object(&c->json);
    sg_jsonw_k(&c->json, "invites");
    sg_jsonw_array(&c->json);
    for (size_t i = 0; i < n; i++)
        put_invite(c, &invites[i], SG_LIT(""));
    sg_jsonw_array_end(&c->json);
    sg_jsonw_object_end(&c->json);
    return SG_OK;
}

static const sg_call_spec list = {.run = run_list};

void sg_route_invites(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &list);
}

static int run_delete(sg_call *c, sg_directory *d)
{
    int err = sg_invite_delete(d, c->claims.user, c->params[0]);
    sg_jsonw_object(&c->json);
    sg_jsonw_kbool(&c->json, "deleted", true);
    sg_jsonw_object_end(&c->json);
    return err;
}

static const sg_call_spec withdraw = {.writes = true, .run = run_delete};

void sg_route_invite_delete(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &withdraw);
}
