#include "replica/identity.h"

#include "replica/intern.h"
#include "replica/state.h"
#include "wire/json.h"

#define URL_MAX 2000
#define TOKEN_MAX 8192
#define USER_MAX 200

typedef struct init_args {
    sg_buf server, token, user, display;
} init_args;

static void args_init(init_args *a)
{
    sg_buf_init(&a->server, URL_MAX);
    sg_buf_init(&a->token, TOKEN_MAX);
    sg_buf_init(&a->user, USER_MAX);
    sg_buf_init(&a->display, USER_MAX);
}

static void args_deinit(init_args *a)
{
    sg_buf_deinit(&a->server);
    sg_buf_deinit(&a->token);
    sg_buf_deinit(&a->user);
    sg_buf_deinit(&a->display);
}

static int read_args(sg_replica *r, sg_slice json, init_args *a)
{
    const struct {
        const char *name;
        sg_buf *to;
    } members[] = {{"server", &a->server},
                   {"token", &a->token},
                   {"user", &a->user},
                   {"displayName", &a->display}};
    sg_json j;
    sg_json_init(&j, json);
    sg_slice key;
    bool ok = sg_json_object(&j);
    while (ok && sg_json_next_key(&j, &key)) {
        sg_buf *to = NULL;
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            if (sg_slice_eq(key, sg_slice_str(members[i].name))) to = members[i].to;
        ok = to != NULL && sg_json_peek(&j) == SG_JSON_STRING;
        if (!ok) break;
        sg_json_unescape(sg_json_raw_string(&j), to);
        ok = to->err == SG_OK;
    }
    if (ok && sg_json_end(&j)) return SG_OK;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].to->err == SG_NOMEM) return SG_NOMEM;
    return sg_replica_fail(r, SG_BADREQUEST,
                           "sigla_init() takes JSON: {\"server\":URL, \"token\":JWT, \"user\":NAME"
                           "[, \"displayName\":…]}");
}

static int check_url(sg_replica *r, sg_slice url)
{
    bool http = url.n > 7 && memcmp(url.p, "http://", 7) == 0;
    bool https = url.n > 8 && memcmp(url.p, "https://", 8) == 0;
    if (url.n == 0 || http || https) return SG_OK;
    return sg_replica_fail(r, SG_BADREQUEST,
                           "the server's address is a URL such as https://sync.example.org, not "
                           "\"%.*s\"",
                           (int)(url.n < 80 ? url.n : 80), url.p);
}

/* The database's user is actor 1, in every mark made so far and from now on. */
static void name_actor(sg_replica *r, sg_slice user, sg_slice display, int *err)
{
    sg_buf json;
    sg_buf_init(&json, SG_ACTOR_TEXT_MAX);
    sg_jsonw w;
    sg_jsonw_init(&w, &json);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "kind", SG_LIT("user"));
    sg_jsonw_kstr(&w, "principalId", user);
    sg_jsonw_kstr(&w, "displayName", display.n != 0 ? display : user);
    sg_jsonw_object_end(&w);
    if (*err == SG_OK) *err = json.err;
    sqlite3_stmt *s = NULL;
    /* If the same actor came from the server under another id, that one keeps its marks under a
     * text that reads the same. */
    sg_sql_prepare(r->db, &s, "UPDATE OR IGNORE sigla_actor SET actor=?1 WHERE id=1", err);
    if (s != NULL) sg_sql_bind_text(s, 1, sg_buf_view(&json));
    sg_sql_done(s, err);
    sqlite3_finalize(s);
    sg_buf_deinit(&json);
    sg_intern_cache_clear(&r->actors);
}

static int check_user(sg_replica *r, sg_slice user)
{
    int err = SG_OK;
    sg_buf have;
    sg_buf_init(&have, USER_MAX);
    bool owned = sg_state_text(r, "user", &have, &err);
    if (user.n == 0 && !owned && err == SG_OK)
        err =
            sg_replica_fail(r, SG_BADREQUEST, "sigla_init() needs \"user\": whose database is it?");
    if (err == SG_OK && owned && user.n != 0 && !sg_slice_eq(sg_buf_view(&have), user))
        err =
            sg_replica_fail(r, SG_OTHERUSER,
                            "this database belongs to \"%.*s\" and may hold changes of theirs: use "
                            "another file for \"%.*s\"",
                            (int)have.n, have.p, (int)user.n, user.p);
    sg_buf_deinit(&have);
    return err;
}

int sg_identity_init(sg_replica *r, sg_slice json)
{
    init_args a;
    args_init(&a);
    int err = read_args(r, json, &a);
    if (err == SG_OK) err = check_url(r, sg_buf_view(&a.server));
    if (err == SG_OK) err = sg_replica_begin(r);
    if (err == SG_OK) {
        err = sg_replica_install(r);
        if (err == SG_OK) err = check_user(r, sg_buf_view(&a.user));
        if (a.server.n != 0) sg_state_set_text(r, "server", sg_buf_view(&a.server), &err);
        if (a.token.n != 0) sg_state_set_text(r, "token", sg_buf_view(&a.token), &err);
        if (a.user.n != 0) sg_state_set_text(r, "user", sg_buf_view(&a.user), &err);
        if (a.user.n != 0) name_actor(r, sg_buf_view(&a.user), sg_buf_view(&a.display), &err);
        err = sg_replica_end(r, err);
    }
    args_deinit(&a);
    return err;
}

static int unknown(sg_replica *r, sg_slice key)
{
    return sg_replica_fail(r, SG_BADREQUEST,
                           "\"%.*s\" is not a setting: server, token, user, client, journal_age_us",
                           (int)(key.n < 80 ? key.n : 80), key.p);
}

int sg_identity_read(sg_replica *r, sg_slice key, sg_buf *out)
{
    static const char *const texts[] = {"server", "token", "user"};
    int err = SG_OK;
    if (!sg_replica_installed(r, &err)) return err;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!sg_slice_eq(key, sg_slice_str(texts[i]))) continue;
        (void)sg_state_text(r, texts[i], out, &err);
        return err;
    }
    if (sg_slice_eq(key, SG_LIT("client"))) {
        sg_buf_slice(out, sg_client_text(r, sg_self_client(r, &err), &err));
        return err;
    }
    if (sg_slice_eq(key, SG_LIT("journal_age_us"))) {
        (void)sg_state_text(r, "journal_age_us", out, &err);
        return err;
    }
    return unknown(r, key);
}

static int set(sg_replica *r, const char *key, const sg_value *v)
{
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    err = sg_replica_install(r);
    if (v->type == SG_INT)
        sg_state_set_int(r, key, v->i, &err);
    else
        sg_state_set_text(r, key, v->bytes, &err);
    return sg_replica_end(r, err);
}

int sg_identity_config(sg_replica *r, sg_slice key, sqlite3_value *value)
{
    sg_value v = sg_sql_value(value);
    bool server = sg_slice_eq(key, SG_LIT("server"));
    if (sg_slice_eq(key, SG_LIT("journal_age_us"))) {
        if (v.type == SG_INT && v.i > 0) return set(r, "journal_age_us", &v);
        return sg_replica_fail(r, SG_BADREQUEST, "journal_age_us is an integer above 0");
    }
    if (!server && !sg_slice_eq(key, SG_LIT("token")))
        return sg_replica_fail(r, SG_BADREQUEST,
                               "\"%.*s\" cannot be set here: server, token, journal_age_us can",
                               (int)(key.n < 80 ? key.n : 80), key.p);
    if (v.type != SG_TEXT)
        return sg_replica_fail(r, SG_BADREQUEST, "%s is a text", server ? "server" : "token");
    int err = server ? check_url(r, v.bytes) : SG_OK;
    return err == SG_OK ? set(r, server ? "server" : "token", &v) : err;
}
