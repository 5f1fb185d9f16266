/* GET, POST /api/v1/spaces; PATCH, DELETE /api/v1/spaces/{id}; POST /api/v1/invites/accept. */
#include "server/directory_text.h"
#include "server/routes.h"
#include "server/secret.h"

static const char no_such_type[] =
    "a space's type is one of brand, club, family, team, practice; personal comes with the account";
static const char stays_personal[] =
    "a personal space can be neither deleted nor given another type, and no other becomes one";

static void put_space(sg_call *c, const sg_space *s)
{
    sg_jsonw *w = &c->json;
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "id", s->id);
    sg_jsonw_kstr(w, "type", s->type);
    sg_jsonw_kstr(w, "name", s->name);
    sg_jsonw_kstr(w, "role", sg_role_name(s->role));
    sg_call_time(c, "createdAt", s->made_us);
    sg_jsonw_object_end(w);
}

static int check_type(sg_call *c, sg_slice type)
{
    if (type.n == 0 || sg_space_type_good(type)) return SG_OK;
    return sg_call_refuse(c, SG_BADREQUEST, no_such_type);
}

/* ---- all of mine ---- */

static int run_list(sg_call *c, sg_directory *d)
{
    sg_space *spaces;
    size_t n;
    int err = sg_space_list(d, c->claims.user, &spaces, &n);
    if (err != SG_OK) return err;
    sg_jsonw_object(&c->json);
    sg_jsonw_k(&c->json, "spaces");
    sg_jsonw_array(&c->json);
    for (size_t i = 0; i < n; i++)
        put_space(c, &spaces[i]);
    sg_jsonw_array_end(&c->json);
    sg_jsonw_object_end(&c->json);
    return SG_OK;
}

static const sg_call_spec list = {.agents = true, .run = run_list};

void sg_route_spaces(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &list);
}

/* ---- a new one ---- */

enum { SPACE_TYPE, SPACE_NAME };
static const sg_call_field new_fields[] = {
    [SPACE_TYPE] = {.name = "type", .max = SG_TITLE_MAX, .needed = true},
    [SPACE_NAME] = {.name = "name", .max = SG_TITLE_MAX, .needed = true},
    {0}};

static int check_new(sg_call *c)
{
    return check_type(c, c->texts[SPACE_TYPE]);
}

static int run_new(sg_call *c, sg_directory *d)
{
    sg_space s;
    int err = sg_space_add(d, c->claims.user, c->texts[SPACE_TYPE], c->texts[SPACE_NAME], &s);
    if (err == SG_CONFLICT) c->detail = no_such_type;
    if (err == SG_NOTFOUND) c->detail = "the token's user has no account here";
    if (err == SG_LIMIT) c->detail = "one belongs, or has belonged, to at most 1000 spaces";
    if (err == SG_OK) put_space(c, &s);
    sg_call_moved(c, "u:", c->claims.user);
    return err;
}

static const sg_call_spec new_space = {
    .fields = new_fields, .writes = true, .status = 201, .check = check_new, .run = run_new};

void sg_route_space_new(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &new_space);
}

/* ---- changing one ---- */

static const sg_call_field change_fields[] = {[SPACE_TYPE] = {.name = "type", .max = SG_TITLE_MAX},
                                              [SPACE_NAME] = {.name = "name", .max = SG_TITLE_MAX},
                                              {0}};

static int check_change(sg_call *c)
{
    if (c->texts[SPACE_TYPE].n == 0 && c->texts[SPACE_NAME].n == 0)
        return sg_call_refuse(c, SG_BADREQUEST, "give a name, a type, or both");
    return check_type(c, c->texts[SPACE_TYPE]);
}

static int run_change(sg_call *c, sg_directory *d)
{
    sg_space s;
    int err = sg_space_change(d, c->claims.user, c->params[0], c->texts[SPACE_TYPE],
                              c->texts[SPACE_NAME]);
    if (err == SG_CONFLICT) c->detail = stays_personal;
    if (err == SG_OK) err = sg_space_get(d, c->claims.user, c->params[0], &s);
    if (err == SG_OK) put_space(c, &s);
    return err;
}

static const sg_call_spec change = {
    .fields = change_fields, .writes = true, .check = check_change, .run = run_change};

void sg_route_space_change(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &change);
}

/* ---- deleting one ---- */

static int run_delete(sg_call *c, sg_directory *d)
{
    int64_t age_us = c->server->config.tombstone_age_us;
    int err = sg_space_delete(d, c->claims.user, c->params[0]);
    sg_call_moved(c, "s:", c->params[0]);
    if (err == SG_CONFLICT) c->detail = stays_personal;
    /* Nobody reads its records from here on; until then they are kept, null: without end. */
    sg_jsonw_object(&c->json);
    sg_jsonw_kbool(&c->json, "deleted", true);
    sg_call_time(c, "recordsKeptUntil", age_us != 0 ? d->now_us + age_us : 0);
    sg_jsonw_object_end(&c->json);
    return err;
}

static const sg_call_spec delete_space = {.writes = true, .run = run_delete};

void sg_route_space_delete(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &delete_space);
}

/* ---- coming into one by a link ---- */

static const sg_call_field accept_fields[] = {
    {.name = "token", .max = SG_SECRET_TEXT_MAX, .needed = true, .secret = true}, {0}};

static int run_accept(sg_call *c, sg_directory *d)
{
    uint8_t digest[SG_DIGEST_BYTES];
    sg_space s;
    int err = sg_invite_secret_read(c->texts[0], digest);
    if (err == SG_OK) err = sg_invite_accept(d, c->claims.user, digest, &s);
    if (err == SG_NOTFOUND) c->detail = "the invitation is used up, expired, withdrawn, or none";
    if (err == SG_LIMIT) c->detail = "the space, or your list of spaces, is full";
    if (err == SG_OK) put_space(c, &s);
    sg_call_moved(c, "u:", c->claims.user);
    return err;
}

static const sg_call_spec accept_invite = {
    .fields = accept_fields, .writes = true, .run = run_accept};

void sg_route_invite_accept(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_call_start(ctx, http, req, &accept_invite);
}
