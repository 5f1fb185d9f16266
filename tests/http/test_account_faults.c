/* timeout: 300
 * A whole server in which an allocation, a write or a statement fails while it makes an account or
 * changes the directory: all of it is done or nothing, and the next request is answered as if
 * nothing had been.
 */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/faults.h"

#define TIMES_MAX 400

static void ok(json_t *answer)
{
    json_decref(answer);
}

static char *request(const char *line, const char *token, const char *body)
{
    char *text = NULL, *quoted = sync_quotes(body);
    int n = asprintf(&text, "%s HTTP/1.1\r\nHost: t\r\n%s%s%sContent-Length: %zu\r\n\r\n%s", line,
                     token != NULL ? "Authorization: Bearer " : "", token != NULL ? token : "",
                     token != NULL ? "\r\n" : "", strlen(quoted), quoted);
    assert_true(n > 0);
    free(quoted);
    return text;
}

/* The status of the answer; 0 if the connection ended without one. */
static int status_of(const sync_world *w, const char *text)
{
    http_client c = http_connect(&w->http);
    http_send(&c, text, strlen(text));
    char *head = http_until(&c, "\r\n\r\n");
    int status = head != NULL ? atoi(head + strlen("HTTP/1.1 ")) : 0;
    free(head);
    http_close(&c);
    return status;
}

static size_t strikes;

static size_t next_fault(size_t n)
{
    return n + (n < 30 ? 1 : 1 + n / 5);
}

/* ---- accounts ---- */

/* A sign-up that failed is tried again, and comes to exactly one account with one personal space. */
static void L1_an_account_is_made_whole_or_not_at_all(void **state)
{
    const sync_world *w = *state;
    for (int way = 0; way < FAULT_KINDS; way++) {
        bool struck = true;
        for (size_t n = 1; struck && n < TIMES_MAX; n = next_fault(n)) {
            char body[128];
            snprintf(body, sizeof body, "{'login':'p%d-%zu','password':'correct horse'}", way, n);
            char *text = request("POST /api/v1/auth/sign-up", NULL, body);
            fault_arm((enum fault)way, n, false);
            int status = status_of(w, text);
            struck = fault_disarm();
            strikes += struck;
            if (status != 201 && status != 0 && status < 500)
                fail_msg("%s %zu: status %d", fault_name((enum fault)way), n, status);
            json_t *r = sync_ask(w, "POST", NULL, 201, "/api/v1/auth/sign-up", "%s", body);
            json_t *spaces = sync_get(w, sync_text(r, "accessToken"), 200, "/api/v1/spaces");
            sync_assert_count(spaces, "spaces", 1);
            sync_assert_text(spaces, "spaces.0.type", "personal");
            ok(spaces);
            ok(r);
            free(text);
        }
    }
}

/* ---- what is asked again and again ---- */

static void strike_each(const sync_world *w, const char *text, int expected)
{
    for (int way = 0; way < FAULT_KINDS; way++) {
        bool struck = true;
        for (size_t n = 1; struck && n < TIMES_MAX; n = next_fault(n)) {
            fault_arm((enum fault)way, n, false);
            int status = status_of(w, text);
            struck = fault_disarm();
            strikes += struck;
            if (status != expected && status != 0 && status < 500)
                fail_msg("%s %zu: status %d to %s", fault_name((enum fault)way), n, status, text);
        }
    }
    assert_int_equal(status_of(w, text), expected);
}

static void requests_are_answered_or_fail_as_what_they_are(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    char path[128];
    json_t *r = sync_ask(w, "POST", p.token, 201, "/api/v1/spaces", "{'type':'team','name':'Us'}");
    const char *space = sync_text(r, "id");
    const char *const reads[] = {"GET /api/v1/me", "GET /api/v1/sessions", "GET /api/v1/spaces",
                                 "GET /api/v1/invites"};
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        char *text = request(reads[i], p.token, "");
        strike_each(w, text, 200);
        free(text);
    }
    snprintf(path, sizeof path, "GET /api/v1/spaces/%s/members", space);
    char *text = request(path, p.token, "");
    strike_each(w, text, 200);
    free(text);
    snprintf(path, sizeof path, "PATCH /api/v1/spaces/%s", space);
    text = request(path, p.token, "{'name':'Them','type':'club'}");
    strike_each(w, text, 200);
    free(text);
    text = request("POST /api/v1/auth/sign-in", NULL,
                   "{'login':'dora','password':'correct horse','device':'phone'}");
    strike_each(w, text, 200);
    free(text);
    ok(r);
    sync_person_free(&p);
}

/* ---- what can be done once ---- */

/* A refresh that fails is tried again with the same token, whatever became of the first. */
static void a_refresh_that_failed_is_tried_again(void **state)
{
    const sync_world *w = *state;
    sync_person p = sync_sign_up(w, "dora");
    for (int way = 0; way < FAULT_KINDS; way++) {
        bool struck = true;
        for (size_t n = 1; struck && n < TIMES_MAX; n = next_fault(n)) {
            char body[128];
            snprintf(body, sizeof body, "{'refreshToken':'%s'}", p.refresh);
            char *text = request("POST /api/v1/auth/refresh", NULL, body);
            fault_arm((enum fault)way, n, false);
            int status = status_of(w, text);
            struck = fault_disarm();
            strikes += struck;
            if (status != 200 && status != 0 && status < 500)
                fail_msg("%s %zu: status %d", fault_name((enum fault)way), n, status);
            json_t *r = sync_ask(w, "POST", NULL, 200, "/api/v1/auth/refresh", "%s", body);
            sync_person_take(&p, r);
            ok(r);
            free(text);
        }
    }
    sync_person_free(&p);
}

/* One use is used up by one joining, however often it had to be tried. */
static void an_invitation_counts_who_came(void **state)
{
    const sync_world *w = *state;
    sync_person owner = sync_sign_up(w, "owner"), guest = sync_sign_up(w, "guest");
    json_t *space =
        sync_ask(w, "POST", owner.token, 201, "/api/v1/spaces", "{'type':'team','name':'Us'}");
    char invites[128], member[128], body[128];
    snprintf(invites, sizeof invites, "/api/v1/spaces/%s/invites", sync_text(space, "id"));
    snprintf(member, sizeof member, "/api/v1/spaces/%s/members/%s", sync_text(space, "id"),
             guest.id);
    for (int way = 0; way < FAULT_KINDS; way++) {
        json_t *made =
            sync_ask(w, "POST", owner.token, 201, invites, "{'role':'member','uses':500}");
        snprintf(body, sizeof body, "{'token':'%s'}", sync_text(made, "token"));
        char *text = request("POST /api/v1/invites/accept", guest.token, body);
        bool struck = true;
        int joined = 0;
        for (size_t n = 1; struck && n < TIMES_MAX; n = next_fault(n)) {
            fault_arm((enum fault)way, n, false);
            int status = status_of(w, text);
            struck = fault_disarm();
            strikes += struck;
            if (status != 200 && status != 0 && status < 500)
                fail_msg("%s %zu: status %d", fault_name((enum fault)way), n, status);
            ok(sync_ask(w, "POST", guest.token, 200, "/api/v1/invites/accept", "%s", body));
            joined++;
            ok(sync_ask(w, "DELETE", owner.token, 200, member, NULL));
        }
        json_t *list = sync_get(w, owner.token, 200, "/api/v1/invites");
        sync_assert_int(list, "invites.0.usesLeft", 500 - joined);
        char path[128];
        snprintf(path, sizeof path, "/api/v1/invites/%s", sync_text(made, "id"));
        ok(sync_ask(w, "DELETE", owner.token, 200, path, NULL));
        ok(list);
        ok(made);
        free(text);
    }
    ok(space);
    sync_person_free(&owner);
    sync_person_free(&guest);
}

static void enough_has_failed(void **state)
{
    (void)state;
    print_message("%zu faults\n", strikes);
    assert_true(strikes > 300);
}

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(L1_an_account_is_made_whole_or_not_at_all, sync_setup,
                                        sync_teardown),
        cmocka_unit_test_setup_teardown(requests_are_answered_or_fail_as_what_they_are, sync_setup,
                                        sync_teardown),
        cmocka_unit_test_setup_teardown(a_refresh_that_failed_is_tried_again, sync_setup,
                                        sync_teardown),
        cmocka_unit_test_setup_teardown(an_invitation_counts_who_came, sync_setup, sync_teardown),
        cmocka_unit_test(enough_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
