/* Event streams and WebSockets: nothing skipped, nothing twice, nothing of one's own. */
#include "../lib/sync_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define T1 "2026-01-02T03:04:05.000Z"

static json_t *push_record(const sync_world *w, const char *client, const char *table, int n)
{
    return sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'%s','schemaVersion':2,'pull':false,'changes':[{'n':%d,'base':0,'table':'%s',"
        "'id':'r%04d','op':'insert','at':'" T1 "','fields':{'x':{'value':%d}}}]}",
        client, n, table, n, n);
}

static void assert_event(http_client *c, const char *name, const char *member, const char *expected)
{
    char *got, *id;
    json_t *data = sync_event(c, &got, &id);
    assert_string_equal(got, name);
    if (member != NULL) sync_assert_text(data, member, expected);
    free(got);
    free(id);
    json_decref(data);
}

static void a_stream_begins_with_what_came_after_since_and_goes_on(void **state)
{
    const sync_world *w = *state;
    json_decref(push_record(w, "c1", "tasks", 1));
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2");
    assert_event(&c, "changes", "serverChanges.0.id", "r0001");
    json_decref(push_record(w, "c1", "tasks", 2));
    assert_event(&c, "changes", "serverChanges.0.id", "r0002");
    json_decref(push_record(w, "c1", "tasks", 3));
    assert_event(&c, "changes", "serverChanges.0.id", "r0003");
    http_close(&c);
}

static void a_stream_resumes_behind_its_last_event(void **state)
{
    const sync_world *w = *state;
    char *name, *id;
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2");
    json_decref(push_record(w, "c1", "tasks", 1));
    json_decref(sync_event(&c, &name, &id));
    http_close(&c);
    json_decref(push_record(w, "c1", "tasks", 2));
    c = sync_stream(w, w->ann, "/sync/todo/stream?v=2&since=%s", id);
    assert_event(&c, "changes", "serverChanges.0.id", "r0002");
    http_close(&c);
    free(name);
    free(id);
}

static void others_and_other_apps_are_not_heard(void **state)
{
    const sync_world *w = *state;
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2");
    json_decref(sync_post(
        w, w->bob, 200, "/sync/todo",
        "{'clientId':'b','schemaVersion':2,'changes':[{'n':1,'table':'tasks','id':'bob','op':'insert'}]}"));
    json_decref(sync_post(
        w, w->ann, 200, "/sync/notes",
        "{'clientId':'a','schemaVersion':2,'changes':[{'n':1,'table':'tasks','id':'note','op':'insert'}]}"));
    json_decref(push_record(w, "c1", "tasks", 7));
    assert_event(&c, "changes", "serverChanges.0.id", "r0007");
    http_close(&c);
}

static void ones_own_writes_are_not_echoed(void **state)
{
    const sync_world *w = *state;
    http_client own = sync_stream(w, w->ann, "/sync/todo/stream?v=2&client=c1");
    http_client other = sync_stream(w, w->ann, "/sync/todo/stream?v=2&client=c2");
    json_decref(push_record(w, "c1", "tasks", 1));
    assert_event(&other, "changes", "serverChanges.0.id", "r0001");
    json_decref(push_record(w, "c2", "tasks", 2));
    assert_event(&own, "changes", "serverChanges.0.id", "r0002");
    http_close(&own);
    http_close(&other);
}

static void version_1_gets_one_event_for_each_table(void **state)
{
    const sync_world *w = *state;
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?collections=tasks,lists");
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c1','changes':[{'table':'tasks','id':'t','op':'insert','fields':{'x':{'value':1}}},"
        "{'table':'lists','id':'l','op':'insert','fields':{'x':{'value':1}}},"
        "{'table':'hidden','id':'h','op':'insert','fields':{'x':{'value':1}}}]}"));
    char *name, *first_id, *last_id;
    json_t *first = sync_event(&c, &name, &first_id);
    free(name);
    json_t *last = sync_event(&c, &name, &last_id);
    sync_assert_text(first, "table", "tasks");
    sync_assert_json(first, "hasMore", "true");
    sync_assert_text(last, "table", "lists");
    sync_assert_json(last, "hasMore", "false");
    assert_null(first_id);
    sync_assert_text(last, "syncedUntil", last_id);
    assert_true(strcmp(sync_text(first, "syncedUntil"), last_id) < 0);
    json_decref(first);
    json_decref(last);
    free(name);
    free(last_id);
    http_close(&c);
}

static void a_cursor_that_is_gone_is_told_to_resync(void **state)
{
    const sync_world *w = *state;
    char cursor[64];
    json_t *r = push_record(w, "c1", "tasks", 1);
    snprintf(cursor, sizeof cursor, "c00000000000000ff-%s-00000001", sync_text(r, "epoch"));
    json_decref(r);
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2&since=%s", cursor);
    assert_event(&c, "resync", NULL, NULL);
    assert_true(http_at_end(&c));
    http_close(&c);
    json_decref(sync_get(w, w->ann, 400, "/sync/todo/stream?v=2&since=yesterday"));
    json_decref(sync_get(w, w->ann, 426, "/sync/todo/stream?v=3"));
}

static void streams_are_told_when_the_server_stops(void **state)
{
    sync_world *w = *state;
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2");
    sync_halt(w);
    assert_event(&c, "shutdown", NULL, NULL);
    http_close(&c);
}

/* ---- L7: joining while others write ---- */

#define RECORDS 400
#define WRITERS 2
#define READERS 4

typedef struct writer {
    const sync_world *world;
    int index;
} writer;

static void *write_records(void *arg)
{
    const writer *me = arg;
    char client[16], table[16];
    snprintf(client, sizeof client, "w%d", me->index);
    snprintf(table, sizeof table, "t%d", me->index);
    for (int n = 1; n <= RECORDS; n++)
        json_decref(push_record(me->world, client, table, n));
    return NULL;
}

/* Counts each record of an event; gives how many were new. */
static int note_records(const json_t *data, int seen[WRITERS][RECORDS + 1])
{
    int fresh = 0;
    for (size_t i = 0; i < sync_count(data, "serverChanges"); i++) {
        char path[64];
        snprintf(path, sizeof path, "serverChanges.%zu.table", i);
        int table = atoi(sync_text(data, path) + 1);
        snprintf(path, sizeof path, "serverChanges.%zu.id", i);
        int n = atoi(sync_text(data, path) + 1);
        fresh += seen[table][n]++ == 0;
    }
    return fresh;
}

/* Reads to the end, hanging up and resuming every few events. */
static void read_all(const sync_world *w, int hang_up_after)
{
    static int seen[WRITERS][RECORDS + 1];
    char *cursor = strdup("");
    int got = 0;
    memset(seen, 0, sizeof seen);
    while (got < WRITERS * RECORDS) {
        http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2&since=%s", cursor);
        for (int i = 0; i < hang_up_after && got < WRITERS * RECORDS; i++) {
            char *name, *id;
            json_t *data = sync_event(&c, &name, &id);
            assert_string_equal(name, "changes");
            assert_true(strcmp(id, cursor) > 0);
            got += note_records(data, seen);
            free(cursor);
            cursor = id;
            free(name);
            json_decref(data);
        }
        http_close(&c);
    }
    free(cursor);
    for (int t = 0; t < WRITERS; t++)
        for (int n = 1; n <= RECORDS; n++)
            if (seen[t][n] != 1) fail_msg("record %d of writer %d came %d times", n, t, seen[t][n]);
}

static void L7_streams_that_come_and_go_miss_nothing_and_see_nothing_twice(void **state)
{
    const sync_world *w = *state;
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){w, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_records, &writers[i]), 0);
    }
    for (int i = 0; i < READERS; i++)
        read_all(w, 1 + i * 7);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    read_all(w, 1000);
}

/* ---- catching up ---- */

static void push_large(const sync_world *w, int first, int count)
{
    enum { EACH = 60000 };
    char *value = malloc(EACH + 1);
    memset(value, 'v', EACH);
    value[EACH] = '\0';
    for (int n = first; n < first + count; n++)
        json_decref(sync_post(
            w, w->ann, 200, "/sync/todo",
            "{'clientId':'big','schemaVersion':2,'pull':false,'changes':[{'n':%d,'base':0,'table':'tasks',"
            "'id':'b%d','op':'insert','at':'" T1 "','fields':{'x':{'value':'%s'}}}]}",
            n, n, value));
    free(value);
}

static void a_long_catch_up_comes_in_pages_and_ends_live(void **state)
{
    const sync_world *w = *state;
    enum { COUNT = 60 };
    push_large(w, 1, COUNT);
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2");
    int events = 0, records = 0;
    for (bool more = true; more; events++) {
        char *name, *id;
        json_t *data = sync_event(&c, &name, &id);
        assert_string_equal(name, "changes");
        records += (int)sync_count(data, "serverChanges");
        more = json_is_true(sync_at(data, "hasMore"));
        free(name);
        free(id);
        json_decref(data);
    }
    assert_int_equal(records, COUNT);
    assert_true(events > 2);
    json_decref(push_record(w, "c1", "tasks", 5));
    assert_event(&c, "changes", "serverChanges.0.id", "r0005");
    http_close(&c);
}

static void L7_a_reader_that_is_too_slow_is_told_to_resync(void **state)
{
    const sync_world *w = *state;
    http_client c = http_connect_small(&w->http);
    char *request = NULL;
    assert_true(
        asprintf(
            &request,
            "GET /sync/todo/stream?v=2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
            w->ann) > 0);
    http_say(&c, request);
    free(request);
    http_wait_for(http_stats(&w->http).streams == 1);
    for (int n = 1; http_stats(&w->http).resyncs == 0; n += 10) {
        assert_true(n < 1000);
        push_large(w, n, 10);
    }
    char *name = strdup(""), *id = NULL;
    while (strcmp(name, "resync") != 0) {
        free(name);
        free(id);
        json_t *data = sync_event(&c, &name, &id);
        assert_string_not_equal(name, "end");
        json_decref(data);
    }
    free(name);
    free(id);
    assert_true(http_at_end(&c));
    http_close(&c);
}

/* ---- WebSockets ---- */

static http_client ws_connect(const sync_world *w, const char *path)
{
    http_client c = http_connect(&w->http);
    char *request = NULL;
    assert_true(
        asprintf(&request,
                 "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                 path) > 0);
    http_say(&c, request);
    free(request);
    char *head = http_until(&c, "\r\n\r\n");
    assert_non_null(strstr(head, " 101 "));
    free(head);
    return c;
}

/* A masked text frame, as clients send them. */
static void ws_say(http_client *c, const char *text)
{
    char *quoted = sync_quotes(text);
    size_t n = strlen(quoted);
    unsigned char head[8] = {0x81, (unsigned char)(0x80 | n)};
    size_t head_len = 2;
    if (n > 125) {
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(n >> 8);
        head[3] = (unsigned char)n;
        head_len = 4;
    }
    memset(head + head_len, 0, 4); /* a mask of zeroes changes nothing */
    http_send(c, head, head_len + 4);
    http_send(c, quoted, n);
    free(quoted);
}

/* The next text frame; NULL and the close code if it is a close frame. */
static char *ws_hear(http_client *c, int *code)
{
    unsigned char *head = (unsigned char *)http_take(c, 2);
    int opcode = head[0] & 15;
    size_t n = head[1];
    free(head);
    if (n == 126) {
        unsigned char *more = (unsigned char *)http_take(c, 2);
        n = (size_t)more[0] << 8 | more[1];
        free(more);
    }
    char *body = http_take(c, n);
    if (opcode == 1) return body;
    assert_int_equal(opcode, 8);
    *code = (unsigned char)body[0] << 8 | (unsigned char)body[1];
    free(body);
    return NULL;
}

static void ws_expect(http_client *c, const char *expected)
{
    int code = 0;
    char *text = ws_hear(c, &code), *quoted = sync_quotes(expected);
    if (text == NULL) fail_msg("closed with %d", code);
    assert_string_equal(text, quoted);
    free(text);
    free(quoted);
}

static void ws_sign_in(http_client *c, const char *token, const char *client)
{
    char *message = NULL;
    assert_true(asprintf(&message, "{'type':'auth','token':'%s','clientId':'%s'}", token, client) >
                0);
    ws_say(c, message);
    free(message);
    ws_expect(c, "{'type':'auth-ok'}");
}

static void a_websocket_is_told_of_the_commits_of_others(void **state)
{
    const sync_world *w = *state;
    http_client one = ws_connect(w, "/ws/todo"), all = ws_connect(w, "/ws");
    ws_sign_in(&one, w->ann, "c1");
    ws_sign_in(&all, w->ann, "");
    ws_say(&one, "{'type':'ping'}");
    ws_expect(&one, "{'type':'pong'}");
    json_decref(push_record(w, "c1", "tasks", 1));
    ws_expect(&all, "{'type':'sync-available','appId':'todo','tables':['tasks']}");
    json_decref(sync_post(w, w->bob, 200, "/sync/todo",
                          "{'clientId':'b','changes':[{'table':'tasks','id':'x','op':'insert'}]}"));
    json_decref(sync_post(w, w->ann, 200, "/sync/notes",
                          "{'clientId':'a','changes':[{'table':'pages','id':'x','op':'insert'}]}"));
    ws_expect(&all, "{'type':'sync-available','appId':'notes','tables':['pages']}");
    json_decref(push_record(w, "c2", "lists", 1));
    ws_expect(&one, "{'type':'sync-available','appId':'todo','tables':['lists']}");
    http_close(&one);
    http_close(&all);
}

static void a_websocket_without_a_good_token_is_closed(void **state)
{
    const sync_world *w = *state;
    const char *messages[] = {"{'type':'auth','token':'x'}", "{'type':'auth'}", "{'type':'hello'}",
                              "[]"};
    const int codes[] = {4401, 4401, 4401, 1008};
    for (int i = 0; i < 4; i++) {
        http_client c = ws_connect(w, "/ws/todo");
        int code = 0;
        ws_say(&c, messages[i]);
        assert_null(ws_hear(&c, &code));
        assert_int_equal(code, codes[i]);
        http_close(&c);
    }
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, sync_setup, sync_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_stream_begins_with_what_came_after_since_and_goes_on),
        WITH_WORLD(a_stream_resumes_behind_its_last_event),
        WITH_WORLD(others_and_other_apps_are_not_heard),
        WITH_WORLD(ones_own_writes_are_not_echoed),
        WITH_WORLD(version_1_gets_one_event_for_each_table),
        WITH_WORLD(a_cursor_that_is_gone_is_told_to_resync),
        WITH_WORLD(streams_are_told_when_the_server_stops),
        WITH_WORLD(L7_streams_that_come_and_go_miss_nothing_and_see_nothing_twice),
        WITH_WORLD(a_long_catch_up_comes_in_pages_and_ends_live),
        WITH_WORLD(L7_a_reader_that_is_too_slow_is_told_to_resync),
        WITH_WORLD(a_websocket_is_told_of_the_commits_of_others),
        WITH_WORLD(a_websocket_without_a_good_token_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
