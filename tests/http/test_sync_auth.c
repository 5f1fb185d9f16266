/* Who may write what (L11): tokens, actors, origins. */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/datadir.h"
#include "server/now.h"
#include "wire/json.h"
#include "wire/value.h"

/* ---- tokens ---- */

/* header.payload signed with the server's key, whatever they say. */
static char *sign(const sg_key *key, const char *header, const char *payload)
{
    sg_buf b;
    unsigned char signature[SG_SIGNATURE_BYTES];
    char *h = sync_quotes(header), *p = sync_quotes(payload);
    sg_buf_init(&b, 16384);
    sg_base64url_encode(&b, sg_slice_str(h));
    sg_buf_byte(&b, '.');
    sg_base64url_encode(&b, sg_slice_str(p));
    assert_int_equal(sg_key_sign(key, sg_buf_view(&b), signature), SG_OK);
    sg_buf_byte(&b, '.');
    sg_base64url_encode(&b, sg_slice_of((const char *)signature, sizeof signature));
    char *token = strdup(sg_buf_cstr(&b));
    sg_buf_deinit(&b);
    free(h);
    free(p);
    return token;
}

static void assert_refused(const sync_world *w, const char *token, const char *why)
{
    json_t *r = sync_get(w, token, 401, "/sync/todo/pull");
    sync_assert_text(r, "error.code", "unauthorized");
    if (strstr(sync_text(r, "error.detail"), why) == NULL)
        fail_msg("'%s' does not say '%s'", sync_text(r, "error.detail"), why);
    json_decref(r);
}

#define CLAIMS(rest) "{'iss':'sigla','aud':'sigla','sub':'ann','dev':true" rest "}"
#define FAR ",'exp':9999999999"

static void L11_only_good_tokens_are_taken(void **state)
{
    const sync_world *w = *state;
    const sg_key *key = w->server->key;
    char header[256];
    snprintf(header, sizeof header, "{'alg':'EdDSA','kid':'%.*s'}", SG_KEY_ID_TEXT,
             sg_key_id(key).p);
    const struct {
        const char *header, *payload, *why;
    } cases[] = {
        {"{'alg':'EdDSA','kid':'other'}", CLAIMS(FAR), "by a key of this server"},
        {"{'alg':'none','kid':'x'}", CLAIMS(FAR), "EdDSA"},
        {"{'alg':'EdDSA'}", CLAIMS(FAR), "by a key of this server"},
        {"[]", CLAIMS(FAR), "EdDSA"},
        {NULL, CLAIMS(",'exp':1000"), "expired"},
        {NULL, CLAIMS(""), "expired"},
        {NULL, CLAIMS(FAR ",'nbf':9999999998"), "not valid yet"},
        {NULL, "{'iss':'sigla','aud':'sigla','exp':9999999999}", "no user"},
        {NULL, "{'iss':'other','aud':'sigla','sub':'ann','exp':9999999999}", "issuer"},
        {NULL, "{'iss':'sigla','aud':['x','y'],'sub':'ann','exp':9999999999}", "audience"},
        {NULL, "{'iss':'sigla','aud':'sigla','sub':7,'exp':9999999999}", "malformed"},
        {NULL, "nothing", "malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token =
            sign(key, cases[i].header != NULL ? cases[i].header : header, cases[i].payload);
        assert_refused(w, token, cases[i].why);
        free(token);
    }
    const char *algorithms[] = {"none", "HS256", "ES256"};
    for (int i = 0; i < 3; i++) {
        char other[256];
        snprintf(other, sizeof other, "{'alg':'%s','kid':'%.*s'}", algorithms[i], SG_KEY_ID_TEXT,
                 sg_key_id(key).p);
        char *token = sign(key, other, CLAIMS(FAR));
        assert_refused(w, token, "EdDSA");
        free(token);
    }
    char *good =
        sign(key, header,
             "{'iss':'sigla','aud':['x','sigla'],'sub':'u:ann','exp':9999999999,'dev':true}");
    json_decref(sync_get(w, good, 200, "/sync/todo/pull"));
    json_decref(sync_get(w, good, 200, "/sync/todo/pull"));
    good[strlen(good) - 5] = good[strlen(good) - 5] == 'A' ? 'B' : 'A';
    assert_refused(w, good, "signature");
    free(good);
    assert_refused(w, "a.b", "not a JWT");
    assert_refused(w, "a..c", "not a JWT");
    assert_refused(w, NULL, "Bearer");
    char long_token[SG_TOKEN_MAX + 10];
    memset(long_token, 'x', sizeof long_token - 1);
    long_token[sizeof long_token - 1] = '\0';
    assert_refused(w, long_token, "not a JWT");
}

static void L11_a_token_that_is_remembered_still_expires(void **state)
{
    const sync_world *w = *state;
    char header[256], payload[256];
    int64_t now_s = sg_now_us() / 1000000;
    snprintf(header, sizeof header, "{'alg':'EdDSA','kid':'%.*s'}", SG_KEY_ID_TEXT,
             sg_key_id(w->server->key).p);
    /* Its leeway ends two seconds from now. */
    snprintf(payload, sizeof payload, CLAIMS(",'exp':%lld"),
             (long long)(now_s - SG_TOKEN_LEEWAY_S + 2));
    char *token = sign(w->server->key, header, payload);
    json_decref(sync_get(w, token, 200, "/sync/todo/pull"));
    http_wait_for(sg_now_us() / 1000000 >= now_s + 3);
    assert_refused(w, token, "expired");
    free(token);
}

static void tokens_for_development_need_a_server_in_development(void **state)
{
    sync_world *w = *state;
    sync_halt(w);
    w->config.dev = false;
    sync_resume(w);
    assert_refused(w, w->ann, "--dev");
    char header[256];
    snprintf(header, sizeof header, "{'alg':'EdDSA','kid':'%.*s'}", SG_KEY_ID_TEXT,
             sg_key_id(w->server->key).p);
    char *real =
        sign(w->server->key, header, "{'iss':'sigla','aud':'sigla','sub':'ann','exp':9999999999}");
    json_decref(sync_get(w, real, 200, "/sync/todo/pull"));
    free(real);
}

static void the_key_is_kept_and_is_its_owners_alone(void **state)
{
    sync_world *w = *state;
    json_t *before = sync_get(w, NULL, 200, "/.well-known/jwks.json");
    sync_assert_text(before, "keys.0.crv", "Ed25519");
    sync_restart(w);
    json_t *after = sync_get(w, NULL, 200, "/.well-known/jwks.json");
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    json_decref(sync_get(w, w->ann, 200, "/sync/todo/pull"));
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/" SG_KEY_FILE, w->listen_dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(w->listen_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void one_server_at_a_time_has_a_directory(void **state)
{
    const sync_world *w = *state;
    sg_server *second = NULL;
    const char *problem;
    assert_int_equal(sg_server_new(&w->config, &second, &problem), SG_BUSY);
    assert_non_null(strstr(problem, "lock the data directory"));
}

static void a_damaged_directory_is_refused_clearly(void **state)
{
    sync_world *w = *state;
    char path[256];
    sync_halt(w);
    const char *files[] = {SG_KEY_FILE, SG_STORE_FILE};
    for (int i = 0; i < 2; i++) {
        const char *problem;
        sg_server *server = NULL;
        snprintf(path, sizeof path, "%s/%s", w->listen_dir, files[i]);
        FILE *f = fopen(path, "r+");
        char first[16];
        assert_int_equal(fread(first, 1, sizeof first, f), sizeof first);
        rewind(f);
        assert_int_equal(fwrite("not what it was.", 1, 16, f), 16);
        fclose(f);
        assert_int_equal(sg_server_new(&w->config, &server, &problem), SG_CORRUPT);
        f = fopen(path, "r+");
        assert_int_equal(fwrite(first, 1, sizeof first, f), sizeof first);
        fclose(f);
    }
    sync_resume(w);
}

/* ---- actors ---- */

#define ACTOR(kind, principal) "{'kind':'" kind "','principalId':'" principal "'}"

static void L11_actors_and_origins_follow_from_the_token(void **state)
{
    const sync_world *w = *state;
    const struct {
        bool agent;
        const char *actor, *origin;
        const char *code;   /* NULL: taken */
        const char *stored; /* origin */
    } cases[] = {
        {false, NULL, NULL, NULL, "user"},
        {false, ACTOR("user", "ann"), NULL, NULL, "user"},
        {false, ACTOR("user", "u:ann"), "'user'", NULL, "user"},
        {false, ACTOR("user", "bob"), "'user'", "actor_refused", NULL},
        {false, ACTOR("ai", "planner"), "'agent'", NULL, "agent"},
        {false, ACTOR("ai", "planner"), "'user'", "actor_refused", NULL},
        {false, ACTOR("system", "system:rule"), "'system'", NULL, "system"},
        {false, ACTOR("system", "system:migration"), NULL, NULL, "migration"},
        {false, ACTOR("system", "system:migration"), "'user'", "actor_refused", NULL},
        {false, ACTOR("system", "ann"), "'system'", "actor_refused", NULL},
        {false, ACTOR("user", "ann"), "'migration'", "actor_refused", NULL},
        {false, ACTOR("user", "ann"), "'server-replay'", "actor_refused", NULL},
        {false, NULL, "'server-replay'", "actor_refused", NULL},
        {false, NULL, "'system'", "actor_refused", NULL},
        {true, NULL, NULL, NULL, "agent"},
        {true, NULL, "'agent'", NULL, "agent"},
        {true, NULL, "'user'", "actor_refused", NULL},
        {true, ACTOR("ai", "planner"), "'agent'", NULL, "agent"},
        {true, ACTOR("ai", "other"), "'agent'", "actor_refused", NULL},
        {true, ACTOR("user", "ann"), "'user'", "actor_refused", NULL},
        {true, ACTOR("system", "system:rule"), "'system'", "actor_refused", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *r = sync_post(
            w, cases[i].agent ? w->robot : w->ann, 200, "/sync/todo",
            "{'clientId':'c%zu','schemaVersion':2,'changes':[{'n':1,'table':'t','id':'r%zu','op':'insert',"
            "'actor':%s,'origin':%s,'fields':{'x':{'value':1}}}]}",
            i, i, cases[i].actor != NULL ? cases[i].actor : "null",
            cases[i].origin != NULL ? cases[i].origin : "null");
        if (cases[i].code != NULL) {
            sync_assert_text(r, "rejected.0.code", cases[i].code);
        } else {
            sync_assert_count(r, "acks", 1);
            json_t *h = sync_get(w, w->ann, 200, "/api/v1/apps/todo/history?table=t&id=r%zu", i);
            sync_assert_text(h, "history.0.origin", cases[i].stored);
            json_decref(h);
        }
        json_decref(r);
    }
}

static void an_actor_travels_unchanged_and_is_named_if_it_was_not(void **state)
{
    const sync_world *w = *state;
    json_decref(sync_post(
        w, w->robot, 200, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'changes':["
        "{'n':1,'table':'t','id':'a','op':'insert','actor':{'kind':'ai', 'principalId':'planner','missionId':'m1'}},"
        "{'n':2,'table':'t','id':'b','op':'insert'}]}"));
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2");
    sync_assert_json(r, "actors.0", "{'kind':'ai','principalId':'planner','missionId':'m1'}");
    sync_assert_json(r, "actors.1",
                     "{'kind':'ai','principalId':'planner','displayName':'planner'}");
    json_decref(r);
}

static void L16_tables_of_the_databases_own_are_refused(void **state)
{
    const sync_world *w = *state;
    const char *tables[] = {"sigla_meta", "SIGLA_x", "sqlite_master",
                            "SQLite_x",   "sigla_",  "sqlite_"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        json_t *r = sync_post(w, w->ann, 200, "/sync/todo",
                              "{'clientId':'c','changes':[{'table':'%s','id':'a','op':'insert'}]}",
                              tables[i]);
        sync_assert_text(r, "rejected.0.code", "table_refused");
        json_decref(r);
    }
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, sync_setup, sync_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(L11_only_good_tokens_are_taken),
        WITH_WORLD(L11_a_token_that_is_remembered_still_expires),
        WITH_WORLD(tokens_for_development_need_a_server_in_development),
        WITH_WORLD(the_key_is_kept_and_is_its_owners_alone),
        WITH_WORLD(one_server_at_a_time_has_a_directory),
        WITH_WORLD(a_damaged_directory_is_refused_clearly),
        WITH_WORLD(L11_actors_and_origins_follow_from_the_token),
        WITH_WORLD(an_actor_travels_unchanged_and_is_named_if_it_was_not),
        WITH_WORLD(L16_tables_of_the_databases_own_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
