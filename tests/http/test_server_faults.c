/* timeout: 200
 * A whole server in which an allocation or a write fails while it answers a request of each kind:
 * it answers with an error or closes the connection, and answers the next one as if nothing had
 * been.
 */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/faults.h"

#define TIMES_MAX 400

static char *request(const sync_world *w, const char *line, const char *more, const char *body)
{
    char *text = NULL;
    int n = asprintf(&text,
                     "%s HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n"
                     "%s\r\n%s",
                     line, w->ann, strlen(body), more, body);
    assert_true(n > 0);
    return text;
}

/* The status of the answer's head; 0 if the connection ended without one. */
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

static int strikes; /* faults that struck */

static void strike_each(const sync_world *w, const char *text, int expected)
{
    for (int way = 0; way < FAULT_KINDS; way++) {
        bool struck = true;
        for (size_t n = 1; struck && n < TIMES_MAX; n += n < 50 ? 1 : n / 10) {
            fault_arm((enum fault)way, n, false);
            int status = status_of(w, text);
            struck = fault_disarm();
            if (status != expected && status != 0 && status < 500)
                fail_msg("%s %zu: status %d to %s", fault_name((enum fault)way), n, status, text);
            strikes += struck;
            assert_int_equal(status_of(w, text), expected);
        }
    }
}

static void test_requests_that_read(void **state)
{
    const sync_world *w = *state;
    static const char *const lines[] = {
        "GET /sync/a/pull?v=2&since=",
        "GET /sync/a/pull?collection=t,u",
        "GET /sync/a/stream?v=2&client=x",
        "GET /sync/a/stream?collections=t",
        "GET /api/v1/apps/a/history?table=t&id=1",
        "GET /metrics",
        "GET /health",
        "GET /.well-known/jwks.json",
    };
    json_decref(
        sync_post(w, w->ann, 200, "/sync/a",
                  "{'clientId':'c','changes':[{'table':'t','id':'1','op':'insert','data':{"
                  "'x':1,'y':'two'}},{'table':'u','id':'2','op':'insert','data':{'z':[]}}]}"));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *text = request(w, lines[i], "", "");
        strike_each(w, text, 200);
        free(text);
    }
    char *text =
        request(w, "GET /ws/a",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                "");
    strike_each(w, text, 101);
    free(text);
}

/* The same push again and again: once it is in, it is answered as before (L8). */
static void test_L8_requests_that_write(void **state)
{
    const sync_world *w = *state;
    static const char body[] =
        "{\"clientId\":\"w\",\"schemaVersion\":2,\"since\":\"\",\"changes\":[{\"n\":1,\"table\":\"t\","
        "\"id\":\"1\",\"op\":\"insert\",\"at\":\"2026-01-01T00:00:00.000Z\",\"fields\":{\"a\":{"
        "\"value\":1}}},{\"n\":2,\"table\":\"t\",\"id\":\"9\",\"op\":\"update\",\"fields\":{\"a\":{"
        "\"value\":2}}}]}";
    char *text = request(w, "POST /sync/b", "", body);
    strike_each(w, text, 200);
    free(text);
    json_t *page = sync_get(w, w->ann, 200, "/sync/b/pull?v=2");
    sync_assert_count(page, "serverChanges", 1);
    json_decref(page);
    /* And one that is new each time. */
    static const char fresh[] =
        "{\"clientId\":\"f\",\"changes\":[{\"table\":\"t\",\"id\":\"1\",\"op\":"
        "\"insert\",\"data\":{\"a\":1}}]}";
    text = request(w, "POST /sync/c", "", fresh);
    strike_each(w, text, 200);
    free(text);
}

static void test_enough_has_failed(void **state)
{
    (void)state;
    print_message("%d faults\n", strikes);
    assert_true(strikes > 100);
}

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests_that_read, sync_setup, sync_teardown),
        cmocka_unit_test_setup_teardown(test_L8_requests_that_write, sync_setup, sync_teardown),
        cmocka_unit_test(test_enough_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
