#include "server/token.h"

#include "wire/json.h"
#include "wire/value.h"

/* ---- making ---- */

static void put_claims(sg_jsonw *w, const sg_claims *c, int64_t now_s)
{
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "iss", SG_LIT(SG_TOKEN_ISSUER));
    sg_jsonw_kstr(w, "aud", SG_LIT(SG_TOKEN_AUDIENCE));
    sg_jsonw_kstr(w, "sub", c->user);
    sg_jsonw_kint(w, "iat", now_s);
    sg_jsonw_kint(w, "nbf", now_s);
    sg_jsonw_kint(w, "exp", c->expires_s);
    if (c->name.n != 0) sg_jsonw_kstr(w, "name", c->name);
    if (c->session.n != 0) sg_jsonw_kstr(w, "sid", c->session);
    if (c->agent.n != 0) sg_jsonw_kstr(w, "agent", c->agent);
    if (c->agent_name.n != 0) sg_jsonw_kstr(w, "agentName", c->agent_name);
    if (c->dev) sg_jsonw_kbool(w, "dev", true);
    sg_jsonw_object_end(w);
}

static void put_header(sg_jsonw *w, const sg_key *key)
{
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "alg", SG_LIT("EdDSA"));
    sg_jsonw_kstr(w, "typ", SG_LIT("JWT"));
    sg_jsonw_kstr(w, "kid", sg_key_id(key));
    sg_jsonw_object_end(w);
}

int sg_token_make(const sg_key *key, const sg_claims *claims, int64_t now_s, sg_buf *out)
{
    if (claims->user.n == 0 || claims->user.n > SG_USER_MAX) return SG_LIMIT;
    if (claims->agent.n > SG_AGENT_MAX || claims->agent_name.n > SG_AGENT_MAX) return SG_LIMIT;
    if (claims->name.n > SG_USER_MAX || claims->session.n > SG_USER_MAX) return SG_LIMIT;
    sg_buf json;
    sg_jsonw w;
    size_t from = out->n;
    sg_buf_init(&json, SG_TOKEN_MAX);
    sg_jsonw_init(&w, &json);
    put_header(&w, key);
    sg_base64url_encode(out, sg_buf_view(&json));
    sg_buf_byte(out, '.');
    int err = json.err;
    sg_buf_clear(&json);
    sg_jsonw_init(&w, &json);
    put_claims(&w, claims, now_s);
    sg_base64url_encode(out, sg_buf_view(&json));
    if (err == SG_OK) err = json.err;
    if (err == SG_OK) err = out->err;
    sg_buf_deinit(&json);
    unsigned char signature[SG_SIGNATURE_BYTES];
    if (err == SG_OK) err = sg_key_sign(key, sg_slice_of(out->p + from, out->n - from), signature);
    if (err != SG_OK) return err;
    sg_buf_byte(out, '.');
    sg_base64url_encode(out, sg_slice_of((const char *)signature, sizeof signature));
    return out->err;
}

/* ---- reading ---- */

/* Everything up to the next dot; the rest stays in *text. */
static sg_slice part(sg_slice *text)
{
    const char *dot = text->n != 0 ? memchr(text->p, '.', text->n) : NULL;
    size_t n = dot != NULL ? (size_t)(dot - text->p) : text->n;
    sg_slice s = sg_slice_of(text->p, n);
    size_t gone = dot != NULL ? n + 1 : n;
    *text = sg_slice_of(text->p + gone, text->n - gone);
    return s;
}

/* Decoded into the arena; empty if it is not base64url. */
static sg_slice decode(sg_slice text, sg_arena *arena, int *err)
{
    sg_buf bytes;
    sg_buf_init(&bytes, SG_TOKEN_MAX);
    sg_slice out = {NULL, 0};
    int bad = sg_base64url_decode(&bytes, text);
    if (bad == SG_NOMEM || bytes.err == SG_NOMEM) *err = SG_NOMEM;
    if (bad == SG_OK) out = sg_arena_copy(arena, sg_buf_view(&bytes), err);
    sg_buf_deinit(&bytes);
    return out;
}

static sg_slice text_member(sg_json *j, sg_arena *arena, int *err)
{
    sg_buf scratch;
    sg_buf_init(&scratch, SG_TOKEN_MAX);
    sg_slice text = sg_arena_copy(arena, sg_json_string(j, &scratch), err);
    sg_buf_deinit(&scratch);
    return text;
}

static bool header_good(const sg_key *key, sg_slice header)
{
    bool alg = false, kid = false, crit = false;
    sg_json j;
    sg_json_init(&j, header);
    (void)sg_json_object(&j);
    for (sg_slice name; sg_json_next_key(&j, &name);) {
        if (sg_slice_eq(name, SG_LIT("alg")))
            alg = sg_slice_eq(sg_json_raw_string(&j), SG_LIT("EdDSA"));
        else if (sg_slice_eq(name, SG_LIT("kid")))
            kid = sg_slice_eq(sg_json_raw_string(&j), sg_key_id(key));
        else {
            /* Extensions one must understand: none is. */
            if (sg_slice_eq(name, SG_LIT("crit"))) crit = true;
            (void)sg_json_skip(&j);
        }
    }
    return sg_json_end(&j) && alg && kid && !crit;
}

/* `aud` is a text or an array of them. */
static bool audience_good(sg_json *j)
{
    if (sg_json_peek(j) != SG_JSON_ARRAY)
        return sg_slice_eq(sg_json_raw_string(j), SG_LIT(SG_TOKEN_AUDIENCE));
    bool good = false;
    for ((void)sg_json_array(j); sg_json_next(j);)
        if (sg_slice_eq(sg_json_raw_string(j), SG_LIT(SG_TOKEN_AUDIENCE))) good = true;
    return good;
}

typedef struct payload {
    sg_claims claims;
    int64_t not_before_s;
    bool issuer;
    bool audience;
    int err;
} payload;

static void read_claim(sg_json *j, sg_slice name, sg_arena *arena, payload *p)
{
    sg_claims *c = &p->claims;
    if (sg_slice_eq(name, SG_LIT("iss")))
        p->issuer = sg_slice_eq(sg_json_raw_string(j), SG_LIT(SG_TOKEN_ISSUER));
    else if (sg_slice_eq(name, SG_LIT("aud")))
        p->audience = audience_good(j);
    else if (sg_slice_eq(name, SG_LIT("exp")))
        c->expires_s = sg_json_int(j);
    else if (sg_slice_eq(name, SG_LIT("iat")))
        c->issued_s = sg_json_int(j);
    else if (sg_slice_eq(name, SG_LIT("nbf")))
        p->not_before_s = sg_json_int(j);
    else if (sg_slice_eq(name, SG_LIT("dev")))
        c->dev = sg_json_bool(j);
    else if (sg_slice_eq(name, SG_LIT("sub")))
        c->user = text_member(j, arena, &p->err);
    else if (sg_slice_eq(name, SG_LIT("name")))
        c->name = text_member(j, arena, &p->err);
    else if (sg_slice_eq(name, SG_LIT("sid")))
        c->session = text_member(j, arena, &p->err);
    else if (sg_slice_eq(name, SG_LIT("agent")))
        c->agent = text_member(j, arena, &p->err);
    else if (sg_slice_eq(name, SG_LIT("agentName")))
        c->agent_name = text_member(j, arena, &p->err);
    else
        (void)sg_json_skip(j);
}

static const char *judge(const payload *p, int64_t now_s)
{
    const sg_claims *c = &p->claims;
    if (!p->issuer) return "the token is of another issuer";
    if (!p->audience) return "the token is for another audience";
    if (c->expires_s <= now_s - SG_TOKEN_LEEWAY_S) return "the token has expired";
    if (p->not_before_s > now_s + SG_TOKEN_LEEWAY_S) return "the token is not valid yet";
    if (c->user.n == 0 || c->user.n > SG_USER_MAX) return "the token names no user";
    if (c->agent.n > SG_AGENT_MAX || c->agent_name.n > SG_AGENT_MAX)
        return "the token's agent has too long a name";
    if (c->name.n > SG_USER_MAX || c->session.n > SG_USER_MAX)
        return "the token's user has too long a name";
    return NULL;
}

int sg_token_read(const sg_key *key, sg_slice token, int64_t now_s, sg_arena *arena,
                  sg_claims *claims, const char **why)
{
    payload p = {0};
    sg_slice rest = token;
    *why = "the token is not a JWT";
    if (token.n > SG_TOKEN_MAX) return SG_UNAUTHORIZED;
    sg_slice header = part(&rest), body = part(&rest);
    sg_slice is_signed = sg_slice_of(token.p, header.n + 1 + body.n);
    if (header.n == 0 || body.n == 0 || rest.n == 0) return SG_UNAUTHORIZED;
    header = decode(header, arena, &p.err);
    body = decode(body, arena, &p.err);
    sg_slice signature = decode(rest, arena, &p.err);
    if (p.err != SG_OK) return p.err;
    *why = "the token is not signed with EdDSA by a key of this server";
    if (!header_good(key, header)) return SG_UNAUTHORIZED;
    *why = "the token's signature is wrong";
    if (!sg_key_verify(key, is_signed, signature)) return SG_UNAUTHORIZED;
    sg_json j;
    sg_json_init(&j, body);
    (void)sg_json_object(&j);
    for (sg_slice name; sg_json_next_key(&j, &name);)
        read_claim(&j, name, arena, &p);
    if (p.err != SG_OK) return p.err;
    *why = "the token's claims are malformed";
    if (!sg_json_end(&j)) return j.err == SG_NOMEM ? SG_NOMEM : SG_UNAUTHORIZED;
    p.claims.user = sg_user_name(p.claims.user);
    *why = judge(&p, now_s);
    *claims = p.claims;
    return *why == NULL ? SG_OK : SG_UNAUTHORIZED;
}
