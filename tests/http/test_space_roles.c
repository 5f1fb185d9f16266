/* timeout: 240
 * Spaces over HTTP: who may do what in one (spec/spaces.md, section 4), cell by cell.
 */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>

#define SPACES "/api/v1/spaces"

enum { VIEWER, MEMBER, ADMIN, OWNER, STRANGER, BEARERS };
static const char *const roles[] = {"viewer", "member", "admin", "owner", "stranger"};

static void ok(json_t *answer)
{
    json_decref(answer);
}

static char *path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *path_of(const char *format, ...)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof paths[0], format, args);
    va_end(args);
    return path;
}

/* ---- a space with one of each ---- */

typedef struct stage {
    sync_world *w;
    sync_person who[BEARERS];
    sync_person target; /* on whom things are done */
    sync_person second; /* another owner, in none until asked for */
    char space[40];
} stage;

static void new_space(stage *s)
{
    json_t *r =
        sync_ask(s->w, "POST", s->who[OWNER].token, 201, SPACES, "{'type':'team','name':'Us'}");
    snprintf(s->space, sizeof s->space, "%s", sync_text(r, "id"));
    ok(r);
}

static void invite(const stage *s, const char *token, const sync_person *p, const char *role)
{
    json_t *r = sync_ask(s->w, "POST", token, 201, path_of(SPACES "/%s/invites", s->space),
                         "{'role':'%s'}", role);
    ok(sync_ask(s->w, "POST", p->token, 200, "/api/v1/invites/accept", "{'token':'%s'}",
                sync_text(r, "token")));
    ok(r);
}

static void set_role(const stage *s, const sync_person *p, const char *role)
{
    ok(sync_ask(s->w, "PATCH", s->who[OWNER].token, 200,
                path_of(SPACES "/%s/members/%s", s->space, p->id), "{'role':'%s'}", role));
}

/* The target joins anew, with that role. */
static void put_target(const stage *s, const char *role)
{
    const char *given = strcmp(role, "owner") == 0 ? "admin" : role;
    invite(s, s->who[OWNER].token, &s->target, given);
    if (given != role) set_role(s, &s->target, role);
}

static void open_stage(stage *s, sync_world *w)
{
    *s = (stage){.w = w};
    for (int i = 0; i < BEARERS; i++)
        s->who[i] = sync_sign_up(w, roles[i]);
    s->target = sync_sign_up(w, "target");
    s->second = sync_sign_up(w, "second");
    new_space(s);
    for (int i = VIEWER; i < OWNER; i++)
        invite(s, s->who[OWNER].token, &s->who[i], roles[i]);
}

static void close_stage(stage *s)
{
    for (int i = 0; i < BEARERS; i++)
        sync_person_free(&s->who[i]);
    sync_person_free(&s->target);
    sync_person_free(&s->second);
}

/* ---- the table ---- */

/* What the bearers get, in the order of roles: viewer, member, admin, owner, stranger. A stranger is
 * told that there is no such space. */
static void L11_reading_and_renaming(void **state)
{
    stage s;
    open_stage(&s, *state);
    static const int reads[BEARERS] = {200, 200, 200, 200, 404};
    static const int renames[BEARERS] = {403, 403, 200, 200, 404};
    for (int i = 0; i < BEARERS; i++) {
        json_t *r = sync_get(s.w, s.who[i].token, reads[i], SPACES "/%s/members", s.space);
        if (reads[i] == 200) sync_assert_count(r, "members", 4);
        ok(r);
        r = sync_get(s.w, s.who[i].token, 200, SPACES);
        sync_assert_count(r, "spaces", i == STRANGER ? 1 : 2);
        if (i != STRANGER) {
            size_t at = strcmp(sync_text(r, "spaces.0.id"), s.space) == 0 ? 0 : 1;
            sync_assert_text(r, at == 0 ? "spaces.0.role" : "spaces.1.role", roles[i]);
        }
        ok(r);
        r = sync_ask(s.w, "PATCH", s.who[i].token, renames[i], path_of(SPACES "/%s", s.space),
                     "{'name':'by %s'}", roles[i]);
        if (renames[i] == 200) sync_assert_json(r, "name", path_of("'by %s'", roles[i]));
        ok(r);
        ok(sync_ask(s.w, "PATCH", s.who[i].token, renames[i], path_of(SPACES "/%s", s.space),
                    "{'type':'club'}"));
    }
    close_stage(&s);
}

static void L11_inviting(void **state)
{
    stage s;
    open_stage(&s, *state);
    static const int expected[3][BEARERS] = {[VIEWER] = {403, 403, 201, 201, 404},
                                             [MEMBER] = {403, 403, 201, 201, 404},
                                             [ADMIN] = {403, 403, 403, 201, 404}};
    for (int role = VIEWER; role <= ADMIN; role++) {
        for (int i = 0; i < BEARERS; i++) {
            json_t *r =
                sync_ask(s.w, "POST", s.who[i].token, expected[role][i],
                         path_of(SPACES "/%s/invites", s.space), "{'role':'%s'}", roles[role]);
            if (expected[role][i] == 201) sync_assert_text(r, "role", roles[role]);
            ok(r);
        }
    }
    for (int i = 0; i < BEARERS; i++)
        ok(sync_ask(s.w, "POST", s.who[i].token, 400, path_of(SPACES "/%s/invites", s.space),
                    "{'role':'owner'}"));
    close_stage(&s);
}

/* whom[role of the target][bearer] */
static void L11_removing(void **state)
{
    stage s;
    open_stage(&s, *state);
    static const int expected[4][BEARERS] = {[VIEWER] = {403, 403, 200, 200, 404},
                                             [MEMBER] = {403, 403, 200, 200, 404},
                                             [ADMIN] = {403, 403, 403, 200, 404},
                                             [OWNER] = {403, 403, 403, 200, 404}};
    for (int role = VIEWER; role <= OWNER; role++) {
        for (int i = 0; i < BEARERS; i++) {
            put_target(&s, roles[role]);
            char *path = path_of(SPACES "/%s/members/%s", s.space, s.target.id);
            ok(sync_ask(s.w, "DELETE", s.who[i].token, expected[role][i], path, NULL));
            bool gone = expected[role][i] == 200;
            ok(sync_get(s.w, s.target.token, gone ? 404 : 200, SPACES "/%s/members", s.space));
            if (!gone) ok(sync_ask(s.w, "DELETE", s.target.token, 200, path, NULL));
        }
    }
    close_stage(&s);
}

/* May a bearer give someone of one role another one? */
static int giving(int bearer, int from, int to)
{
    if (bearer == STRANGER) return 404;
    if (bearer == OWNER) return 200;
    return bearer == ADMIN && from < ADMIN && to < ADMIN ? 200 : 403;
}

static void L11_giving_roles(void **state)
{
    stage s;
    open_stage(&s, *state);
    put_target(&s, "viewer");
    for (int from = VIEWER; from <= OWNER; from++) {
        for (int to = VIEWER; to <= OWNER; to++) {
            for (int i = 0; i < BEARERS; i++) {
                set_role(&s, &s.target, roles[from]);
                int status = giving(i, from, to);
                ok(sync_ask(s.w, "PATCH", s.who[i].token, status,
                            path_of(SPACES "/%s/members/%s", s.space, s.target.id), "{'role':'%s'}",
                            roles[to]));
                json_t *r = sync_get(s.w, s.target.token, 200, SPACES);
                size_t at = strcmp(sync_text(r, "spaces.0.id"), s.space) == 0 ? 0 : 1;
                sync_assert_text(r, at == 0 ? "spaces.0.role" : "spaces.1.role",
                                 roles[status == 200 ? to : from]);
                ok(r);
            }
        }
    }
    close_stage(&s);
}

static void L11_leaving_and_deleting(void **state)
{
    stage s;
    open_stage(&s, *state);
    static const int deletes[BEARERS] = {403, 403, 403, 200, 404};
    static const int leaves[BEARERS] = {200, 200, 200, 409, 404};
    char leave[80];
    snprintf(leave, sizeof leave, SPACES "/%s/leave", s.space);
    for (int i = 0; i < BEARERS; i++) {
        ok(sync_ask(s.w, "POST", s.who[i].token, leaves[i], leave, NULL));
        if (leaves[i] == 200) invite(&s, s.who[OWNER].token, &s.who[i], roles[i]);
    }
    /* With another owner an owner may. */
    invite(&s, s.who[OWNER].token, &s.second, "admin");
    set_role(&s, &s.second, "owner");
    ok(sync_ask(s.w, "POST", s.who[OWNER].token, 200, leave, NULL));
    invite(&s, s.second.token, &s.who[OWNER], "admin");
    ok(sync_ask(s.w, "PATCH", s.second.token, 200,
                path_of(SPACES "/%s/members/%s", s.space, s.who[OWNER].id), "{'role':'owner'}"));
    for (int i = BEARERS - 1; i >= 0; i--) {
        if (i == OWNER) continue;
        ok(sync_ask(s.w, "DELETE", s.who[i].token, deletes[i], path_of(SPACES "/%s", s.space),
                    NULL));
    }
    json_t *r =
        sync_ask(s.w, "DELETE", s.who[OWNER].token, 200, path_of(SPACES "/%s", s.space), NULL);
    sync_assert_json(r, "recordsKeptUntil", "null"); /* this server never forgets */
    ok(r);
    for (int i = 0; i < BEARERS; i++) {
        r = sync_get(s.w, s.who[i].token, 200, SPACES);
        sync_assert_count(r, "spaces", 1);
        ok(r);
    }
    close_stage(&s);
}

/* Records of the space: who may write them, and whose they are (L17). */
static void L11_reading_and_writing_records(void **state)
{
    stage s;
    open_stage(&s, *state);
    static const bool writes[BEARERS] = {false, true, true, true, false};
    for (int i = 0; i < BEARERS; i++) {
        json_t *r =
            sync_post(s.w, s.who[i].token, 200, "/sync/todo",
                      "{'clientId':'c%d','schemaVersion':2,'changes':[{'n':1,'table':'t',"
                      "'id':'%s','op':'insert','spaceId':'%s','fields':{'x':{'value':1}}}]}",
                      i, roles[i], s.space);
        sync_assert_count(r, "acks", writes[i] ? 1 : 0);
        if (!writes[i]) sync_assert_text(r, "rejected.0.code", "space_refused");
        ok(r);
    }
    for (int i = 0; i < BEARERS; i++) {
        json_t *r = sync_get(s.w, s.who[i].token, 200, "/sync/todo/pull?v=2");
        sync_assert_count(r, "serverChanges", i == STRANGER ? 0 : 3);
        ok(r);
    }
    /* Who is removed reads no more; who deletes the space leaves nobody who does. */
    ok(sync_ask(s.w, "POST", s.who[VIEWER].token, 200, path_of(SPACES "/%s/leave", s.space), NULL));
    ok(sync_ask(s.w, "DELETE", s.who[OWNER].token, 200, path_of(SPACES "/%s", s.space), NULL));
    for (int i = 0; i < BEARERS; i++) {
        json_t *r = sync_get(s.w, s.who[i].token, 200, "/sync/todo/pull?v=2");
        sync_assert_count(r, "serverChanges", 0);
        ok(r);
    }
    close_stage(&s);
}

/* ---- the rest ---- */

static void a_personal_space_stays_ones_own(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    json_t *r = sync_get(w, p.token, 200, SPACES);
    char id[40];
    snprintf(id, sizeof id, "%s", sync_text(r, "spaces.0.id"));
    ok(r);
    ok(sync_ask(w, "DELETE", p.token, 409, path_of(SPACES "/%s", id), NULL));
    ok(sync_ask(w, "POST", p.token, 409, path_of(SPACES "/%s/leave", id), NULL));
    ok(sync_ask(w, "PATCH", p.token, 409, path_of(SPACES "/%s", id), "{'type':'team'}"));
    ok(sync_ask(w, "POST", p.token, 409, path_of(SPACES "/%s/invites", id), "{'role':'viewer'}"));
    ok(sync_ask(w, "PATCH", p.token, 409, path_of(SPACES "/%s/members/%s", id, p.id),
                "{'role':'viewer'}"));
    ok(sync_ask(w, "POST", p.token, 409, SPACES, "{'type':'personal','name':'Two'}"));
    r = sync_ask(w, "PATCH", p.token, 200, path_of(SPACES "/%s", id), "{'name':'Mine'}");
    sync_assert_text(r, "type", "personal");
    ok(r);
    sync_person_free(&p);
}

static void spaces_have_one_of_six_types(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    static const char *const types[] = {"brand", "club", "family", "team", "practice"};
    for (size_t i = 0; i < 5; i++) {
        json_t *r = sync_ask(w, "POST", p.token, 201, SPACES, "{'type':'%s','name':'x'}", types[i]);
        sync_assert_text(r, "type", types[i]);
        sync_assert_text(r, "role", "owner");
        ok(sync_ask(w, "PATCH", p.token, 409, path_of(SPACES "/%s", sync_text(r, "id")),
                    "{'type':'personal'}"));
        ok(r);
    }
    static const char *const bad[] = {
        "{'type':'gang','name':'x'}", "{'type':'team'}",          "{'name':'x'}",
        "{'type':'team','name':''}",  "{'type':'team','name':7}", "{'type':'team','name':'a\\tb'}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(sync_ask(w, "POST", p.token, 400, SPACES, "%s", bad[i]));
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ok(sync_ask(w, "POST", p.token, 413, SPACES, "{'type':'team','name':'%s'}", name));
    /* An account is needed, and a person. */
    ok(sync_ask(w, "POST", w->ann, 404, SPACES, "{'type':'team','name':'x'}"));
    ok(sync_ask(w, "POST", w->robot, 403, SPACES, "{'type':'team','name':'x'}"));
    ok(sync_ask(w, "POST", NULL, 401, SPACES, "{'type':'team','name':'x'}"));
    json_t *r = sync_get(w, w->ann, 200, SPACES);
    sync_assert_count(r, "spaces", 0);
    ok(r);
    sync_person_free(&p);
}

static void an_invitation_is_good_as_often_as_it_says(void **state)
{
    stage s;
    open_stage(&s, *state);
    json_t *r =
        sync_ask(s.w, "POST", s.who[OWNER].token, 201, path_of(SPACES "/%s/invites", s.space),
                 "{'role':'viewer','uses':2,'days':3}");
    char *token = strdup(sync_text(r, "token")), id[40];
    snprintf(id, sizeof id, "%s", sync_text(r, "id"));
    sync_assert_int(r, "usesLeft", 2);
    ok(r);
    /* Who is in already uses nothing up; a lost answer does not either. */
    ok(sync_ask(s.w, "POST", s.who[ADMIN].token, 200, "/api/v1/invites/accept", "{'token':'%s'}",
                token));
    for (int i = 0; i < 2; i++) {
        r = sync_ask(s.w, "POST", s.target.token, 200, "/api/v1/invites/accept", "{'token':'%s'}",
                     token);
        sync_assert_text(r, "role", "viewer");
        ok(r);
    }
    r = sync_get(s.w, s.who[ADMIN].token, 200, "/api/v1/invites");
    sync_assert_count(r, "invites", 1);
    sync_assert_text(r, "invites.0.id", id);
    sync_assert_int(r, "invites.0.usesLeft", 1);
    assert_null(json_object_get(sync_at(r, "invites.0"), "token")); /* shown once */
    ok(r);
    r = sync_get(s.w, s.who[MEMBER].token, 200, "/api/v1/invites");
    sync_assert_count(r, "invites", 0);
    ok(r);
    ok(sync_ask(s.w, "POST", s.second.token, 200, "/api/v1/invites/accept", "{'token':'%s'}",
                token));
    r = sync_ask(s.w, "POST", s.who[STRANGER].token, 404, "/api/v1/invites/accept",
                 "{'token':'%s'}", token);
    assert_non_null(strstr(sync_text(r, "error.detail"), "used up"));
    ok(r);
    free(token);
    /* Withdrawn by whoever could have made it. */
    r = sync_ask(s.w, "POST", s.who[ADMIN].token, 201, path_of(SPACES "/%s/invites", s.space),
                 "{'role':'member'}");
    char *path = path_of("/api/v1/invites/%s", sync_text(r, "id"));
    ok(sync_ask(s.w, "DELETE", s.who[MEMBER].token, 403, path, NULL));
    ok(sync_ask(s.w, "DELETE", s.who[STRANGER].token, 404, path, NULL));
    ok(sync_ask(s.w, "DELETE", s.who[OWNER].token, 200, path, NULL));
    ok(sync_ask(s.w, "POST", s.who[STRANGER].token, 404, "/api/v1/invites/accept", "{'token':'%s'}",
                sync_text(r, "token")));
    ok(r);
    static const char *const bad[] = {"{'role':'viewer','uses':0}",
                                      "{'role':'viewer','uses':1001}",
                                      "{'role':'viewer','days':91}",
                                      "{'role':'viewer','days':'7'}",
                                      "{'role':'boss'}",
                                      "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(sync_ask(s.w, "POST", s.who[OWNER].token, 400, path_of(SPACES "/%s/invites", s.space),
                    "%s", bad[i]));
    close_stage(&s);
}

static void what_is_no_id_is_not_there(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    static const char *const ids[] = {"x", "'%20OR%201=1", "..%2f..%2fme",
                                      "00000000-0000-7000-8000-000000000000",
                                      "00000000-0000-7000-8000-00000000000%27"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        ok(sync_get(w, p.token, 404, SPACES "/%s/members", ids[i]));
        ok(sync_ask(w, "PATCH", p.token, 404, path_of(SPACES "/%s", ids[i]), "{'name':'x'}"));
        ok(sync_ask(w, "DELETE", p.token, 404, path_of(SPACES "/%s", ids[i]), NULL));
        ok(sync_ask(w, "DELETE", p.token, 404, path_of("/api/v1/sessions/%s", ids[i]), NULL));
        ok(sync_ask(w, "DELETE", p.token, 404, path_of("/api/v1/invites/%s", ids[i]), NULL));
    }
    sync_person_free(&p);
}

static void the_records_of_a_deleted_space_are_kept_for_a_while(void **state)
{
    sync_world *w = *state;
    w->config.tombstone_age_us = INT64_C(86400) * 1000000;
    sync_restart(w);
    sync_person p = sync_sign_up(w, "dora");
    json_t *r = sync_ask(w, "POST", p.token, 201, SPACES, "{'type':'team','name':'x'}");
    json_t *gone =
        sync_ask(w, "DELETE", p.token, 200, path_of(SPACES "/%s", sync_text(r, "id")), NULL);
    /* A day after it was made. */
    assert_true(strcmp(sync_text(gone, "recordsKeptUntil"), sync_text(r, "createdAt")) > 0);
    ok(gone);
    ok(r);
    sync_person_free(&p);
}

/* A membership is a commit: it has a seq, and cursors go on across it. */
static void L7_a_cursor_goes_on_across_changes_of_the_directory(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    json_t *first = sync_get(w, p.token, 200, "/sync/todo/pull?v=2");
    ok(sync_ask(w, "POST", p.token, 201, SPACES, "{'type':'team','name':'x'}"));
    json_t *second =
        sync_get(w, p.token, 200, "/sync/todo/pull?v=2&since=%s", sync_text(first, "syncedUntil"));
    assert_int_equal(sync_int(second, "syncedSeq"), sync_int(first, "syncedSeq") + 1);
    ok(sync_post(
        w, p.token, 200, "/sync/todo",
        "{'clientId':'c','changes':[{'table':'t','id':'1','op':'insert','data':{'x':1}}]}"));
    json_t *third =
        sync_get(w, p.token, 200, "/sync/todo/pull?v=2&since=%s", sync_text(second, "syncedUntil"));
    sync_assert_count(third, "serverChanges", 1);
    ok(first);
    ok(second);
    ok(third);
    sync_person_free(&p);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, sync_setup, sync_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(L11_reading_and_renaming),
        WITH_WORLD(L11_inviting),
        WITH_WORLD(L11_removing),
        WITH_WORLD(L11_giving_roles),
        WITH_WORLD(L11_leaving_and_deleting),
        WITH_WORLD(L11_reading_and_writing_records),
        WITH_WORLD(a_personal_space_stays_ones_own),
        WITH_WORLD(spaces_have_one_of_six_types),
        WITH_WORLD(an_invitation_is_good_as_often_as_it_says),
        WITH_WORLD(what_is_no_id_is_not_there),
        WITH_WORLD(the_records_of_a_deleted_space_are_kept_for_a_while),
        WITH_WORLD(L7_a_cursor_goes_on_across_changes_of_the_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
