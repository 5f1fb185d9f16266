/* Event streams: order, sharing, slow readers, heartbeats, ends. */
#include "../lib/http_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

#define GET_STREAM "GET /stream HTTP/1.1\r\nHost: t\r\n\r\n"
#define MAX_STREAMS 64

/* What became of the streams, as their owner was told. */
static struct {
    uv_mutex_t mutex;
    uint64_t ids[MAX_STREAMS];
    size_t opened;
    size_t closed;
    int why; /* of the last one closed */
    size_t drained;
    size_t backlog_max;
} seen;

static void on_drained(void *user, uint64_t id)
{
    assert_ptr_equal(user, &seen);
    (void)id;
    uv_mutex_lock(&seen.mutex);
    seen.drained++;
    uv_mutex_unlock(&seen.mutex);
}

static void on_closed(void *user, uint64_t id, int why)
{
    assert_ptr_equal(user, &seen);
    (void)id;
    uv_mutex_lock(&seen.mutex);
    seen.closed++;
    seen.why = why;
    uv_mutex_unlock(&seen.mutex);
}

static size_t count_of(const size_t *counter)
{
    uv_mutex_lock(&seen.mutex);
    size_t n = *counter;
    uv_mutex_unlock(&seen.mutex);
    return n;
}

static uint64_t id_of(size_t i)
{
    uv_mutex_lock(&seen.mutex);
    uint64_t id = seen.ids[i];
    uv_mutex_unlock(&seen.mutex);
    return id;
}

static void reset(void)
{
    uv_mutex_lock(&seen.mutex);
    seen.opened = seen.closed = seen.drained = seen.backlog_max = 0;
    seen.why = -1;
    uv_mutex_unlock(&seen.mutex);
}

static int open_stream(const sg_http *http, uint64_t id)
{
    static const sg_http_header extra = {{"X-Extra", 7}, {"yes", 3}};
    size_t backlog_max = count_of(&seen.backlog_max);
    return sg_http_open_stream(http, id,
                               &(sg_stream_spec){.headers = &extra,
                                                 .header_count = 1,
                                                 .backlog_max = backlog_max,
                                                 .user = &seen,
                                                 .drained = on_drained,
                                                 .closed = on_closed});
}

static void remember(uint64_t id)
{
    uv_mutex_lock(&seen.mutex);
    seen.ids[seen.opened++] = id;
    uv_mutex_unlock(&seen.mutex);
}

static void get_stream(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    assert_int_equal(open_stream(http, req->id), SG_OK);
    remember(req->id);
}

/* Left to the test to open. */
static void get_later(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    (void)http;
    remember(req->id);
}

/* More events at once than the inbox holds, to the stream that was opened first. */
static void get_flood(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_block *b = sg_block_event("flood", SG_LIT(""), SG_LIT("x"));
    for (unsigned i = 0; i <= SG_HTTP_MAX_QUEUED; i++)
        sg_http_send(http, id_of(0), b);
    sg_block_unref(b);
    sg_http_answer(http, req->id, &(sg_answer){.status = 204});
}

static void get_bad_headers(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    static const sg_http_header bad = {{"X-Extra", 7}, {"a\nb", 3}};
    sg_stream_spec spec = {.headers = &bad, .header_count = 1, .user = &seen, .closed = on_closed};
    int err = sg_http_open_stream(http, req->id, &spec);
    sg_http_answer_error(http, req->id, err, SG_LIT("headers"));
}

static const sg_http_route routes[] = {
    {SG_HTTP_GET, "/stream", get_stream, NULL, NULL, 0},
    {SG_HTTP_GET, "/later", get_later, NULL, NULL, 0},
    {SG_HTTP_GET, "/flood", get_flood, NULL, NULL, 0},
    {SG_HTTP_GET, "/bad-headers", get_bad_headers, NULL, NULL, 0},
};

static void start(http_fixture *f, const sg_http_config *config)
{
    reset();
    http_start(f, config, routes, sizeof routes / sizeof *routes);
}

/* An open stream whose head has been read. */
static http_client open_client(const http_fixture *f, bool small)
{
    http_client c = small ? http_connect_small(f) : http_connect(f);
    http_say(&c, GET_STREAM);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 200);
    assert_string_equal(http_header(&r, "content-type"), "text/event-stream");
    assert_string_equal(http_header(&r, "cache-control"), "no-store");
    assert_string_equal(http_header(&r, "x-extra"), "yes");
    http_reply_free(&r);
    return c;
}

static void expect_text(http_client *c, const char *text)
{
    char *got = http_take(c, strlen(text));
    assert_string_equal(got, text);
    free(got);
}

/* To the stream that was opened first. */
static void send_number(const http_fixture *f, unsigned number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    sg_block *b = sg_block_event("n", sg_slice_str(text), sg_slice_str(text));
    sg_http_send(f->http, id_of(0), b);
    sg_block_unref(b);
}

/* ---- tests ---- */

static void sends_events_in_order(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = open_client(&f, false);
    for (unsigned i = 0; i < 200; i++)
        send_number(&f, i);
    for (unsigned i = 0; i < 200; i++) {
        char text[64];
        snprintf(text, sizeof text, "event: n\nid: %u\ndata: %u\n\n", i, i);
        expect_text(&c, text);
    }
    http_close(&c);
    http_wait_for(count_of(&seen.closed) == 1);
    assert_int_equal(seen.why, SG_OK);
    assert_true(count_of(&seen.drained) >= 1);
    assert_int_equal(http_stats(&f).streams, 0);
    http_stop(&f);
}

static void one_block_reaches_all_subscribers(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    http_fixture f;
    http_client c[COUNT];
    start(&f, NULL);
    for (int i = 0; i < COUNT; i++)
        c[i] = open_client(&f, false);
    assert_int_equal(http_stats(&f).streams, COUNT);
    uint64_t ids[COUNT + 1] = {0}; /* the last one names nothing */
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = id_of(i);
    sg_block *b = sg_block_event("all", SG_LIT(""), SG_LIT("line 1\nline 2\r\n"));
    sg_http_send_all(f.http, ids, COUNT + 1, b);
    for (int i = 0; i < COUNT; i++)
        expect_text(&c[i], "event: all\ndata: line 1\ndata: line 2\ndata: \n\n");
    http_wait_for(atomic_load(&b->refs) == 1); /* nobody holds it any longer */
    sg_block_unref(b);
    for (int i = 0; i < COUNT; i++)
        http_close(&c[i]);
    http_stop(&f);
}

static void what_the_client_says_is_read_over(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = open_client(&f, false);
    for (int i = 0; i < 1000; i++)
        http_say(&c, "GET /stream HTTP/1.1\r\nHost: t\r\n\r\nrubbish\r\n\r\n");
    send_number(&f, 7);
    expect_text(&c, "event: n\nid: 7\ndata: 7\n\n");
    assert_int_equal(count_of(&seen.opened), 1);
    http_close(&c);
    http_stop(&f);
}

static void silence_is_filled_with_comments(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.heartbeat_ms = 20;
    start(&f, &config);
    http_client c = open_client(&f, false);
    expect_text(&c, ":\n\n:\n\n:\n\n");
    http_close(&c);
    http_wait_for(count_of(&seen.closed) == 1);
    http_stop(&f);
}

static void a_slow_reader_is_told_to_resync(void **state)
{
    (void)state;
    enum { SIZE = 100000, COUNT = 200 };
    static char text[SIZE];
    http_fixture f;
    memset(text, 'x', sizeof text);
    start(&f, NULL);
    http_client c = open_client(&f, true);
    sg_block *b = sg_block_event("big", SG_LIT(""), sg_slice_of(text, sizeof text));
    for (int i = 0; i < COUNT; i++)
        sg_http_send(f.http, id_of(0), b);
    http_wait_for(http_stats(&f).resyncs == 1);
    /* Whole events, fewer than were sent, then the last one and the end. */
    char *got = http_until(&c, "event: resync\ndata: {}\n\n");
    assert_non_null(got);
    size_t events = (strlen(got) - strlen("event: resync\ndata: {}\n\n")) / b->n;
    assert_int_equal(strlen(got), events * b->n + strlen("event: resync\ndata: {}\n\n"));
    assert_true(events < COUNT);
    assert_true(http_at_end(&c));
    free(got);
    http_wait_for(count_of(&seen.closed) == 1);
    assert_int_equal(seen.why, SG_LIMIT);
    sg_http_send(f.http, id_of(0), b);
    http_wait_for(atomic_load(&b->refs) == 1);
    sg_block_unref(b);
    http_close(&c);
    http_stop(&f);
}

static void one_event_of_any_size_may_be_sent(void **state)
{
    (void)state;
    enum { SIZE = 32 << 20 };
    http_fixture f;
    start(&f, NULL);
    uv_mutex_lock(&seen.mutex);
    seen.backlog_max = 1000;
    uv_mutex_unlock(&seen.mutex);
    http_client c = open_client(&f, false);
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    sg_block *b = sg_block_event("page", SG_LIT(""), sg_slice_of(text, SIZE));
    sg_http_send(f.http, id_of(0), b);
    char *got = http_take(&c, b->n);
    assert_memory_equal(got, b->bytes, b->n);
    /* This is how a catch-up knows when to send the next page. */
    http_wait_for(count_of(&seen.drained) == 1);
    free(got);
    free(text);
    sg_block_unref(b);
    http_close(&c);
    http_wait_for(count_of(&seen.closed) == 1);
    assert_int_equal(http_stats(&f).resyncs, 0);
    http_stop(&f);
}

static void when_events_had_to_be_dropped_all_resync(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client flooded = open_client(&f, false);
    http_client other = open_client(&f, false);
    http_client asker = http_connect(&f);
    http_say(&asker, "GET /flood HTTP/1.1\r\nHost: t\r\n\r\n");
    char *got = http_until(&other, "\n\n");
    assert_string_equal(got, "event: resync\ndata: {}\n\n");
    assert_true(http_at_end(&other));
    free(got);
    got = http_until(&flooded, "event: resync\ndata: {}\n\n");
    assert_non_null(got);
    assert_true(http_at_end(&flooded));
    free(got);
    http_wait_for(count_of(&seen.closed) == 2);
    assert_int_equal(http_stats(&f).resyncs, 2);
    http_close(&flooded);
    http_close(&other);
    http_close(&asker);
    http_stop(&f);
}

static void the_owner_may_close_it(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = open_client(&f, false);
    send_number(&f, 1);
    sg_http_close(f.http, id_of(0), 0);
    send_number(&f, 2);
    expect_text(&c, "event: n\nid: 1\ndata: 1\n\n");
    assert_true(http_at_end(&c));
    http_wait_for(count_of(&seen.closed) == 1);
    assert_int_equal(seen.why, SG_OK);
    http_close(&c);
    http_stop(&f);
}

static void the_owner_hears_of_a_client_that_left_before(void **state)
{
    (void)state;
    struct linger reset_at_close = {.l_onoff = 1};
    http_fixture f;
    start(&f, NULL);
    http_client c = http_connect(&f);
    http_say(&c, "GET /later HTTP/1.1\r\nHost: t\r\n\r\n");
    http_wait_for(count_of(&seen.opened) == 1);
    setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset_at_close, sizeof reset_at_close);
    http_close(&c);
    http_wait_for(http_stats(&f).connections == 0);
    assert_int_equal(open_stream(f.http, id_of(0)), SG_OK);
    http_wait_for(count_of(&seen.closed) == 1);
    assert_int_equal(seen.why, SG_OK);
    http_stop(&f);
}

static void a_thread_may_open_it_later(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = http_connect(&f);
    http_say(&c, "GET /later HTTP/1.1\r\nHost: t\r\n\r\n");
    http_wait_for(count_of(&seen.opened) == 1);
    assert_int_equal(open_stream(f.http, id_of(0)), SG_OK);
    send_number(&f, 3);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 200);
    http_reply_free(&r);
    expect_text(&c, "event: n\nid: 3\ndata: 3\n\n");
    http_close(&c);
    http_stop(&f);
}

static void head_gets_the_head_alone(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = http_connect(&f);
    http_say(&c, "HEAD /stream HTTP/1.1\r\nHost: t\r\n\r\n");
    http_reply r = http_read_head(&c);
    assert_int_equal(r.status, 200);
    http_reply_free(&r);
    assert_true(http_at_end(&c));
    http_wait_for(count_of(&seen.closed) == 1);
    http_close(&c);
    http_stop(&f);
}

static void headers_that_are_none_leave_the_request_to_answer(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = http_connect(&f);
    http_say(&c, "GET /bad-headers HTTP/1.1\r\nHost: t\r\n\r\n");
    http_assert_refused(&c, 500, "internal");
    assert_int_equal(count_of(&seen.closed), 0);
    http_close(&c);
    http_stop(&f);
}

static void stopping_says_so_and_closes(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = open_client(&f, false);
    sg_http_server_stop(f.server);
    expect_text(&c, "event: shutdown\ndata: {}\n\n");
    assert_true(http_at_end(&c));
    http_join(&f);
    assert_int_equal(count_of(&seen.closed), 1);
    assert_int_equal(seen.why, SG_SHUTDOWN);
    sg_http_server_free(f.server);
    http_close(&c);
}

/* True if the server has answered or closed. */
static bool has_news(const http_client *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void running_without_memory_closes_single_streams_only(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    for (size_t fail = 1; fail < 30; fail++) {
        reset();
        sg_mem_fail_at(fail, 0);
        http_client c = http_connect(&f);
        http_say(&c, "GET /later HTTP/1.1\r\nHost: t\r\n\r\n");
        http_wait_for(count_of(&seen.opened) == 1 || has_news(&c));
        if (count_of(&seen.opened) == 1) {
            if (open_stream(f.http, id_of(0)) == SG_OK) {
                sg_block *b = sg_block_event("n", SG_LIT(""), SG_LIT("1"));
                if (b != NULL) sg_http_send(f.http, id_of(0), b);
                sg_block_unref(b);
                sg_http_close(f.http, id_of(0), 0);
                http_wait_for(count_of(&seen.closed) == 1);
            } else {
                sg_http_answer_error(f.http, id_of(0), SG_NOMEM, SG_LIT(""));
            }
        }
        http_close(&c);
        sg_mem_fail_at(0, 0);
        http_wait_for(http_stats(&f).connections == 0);
        assert_int_equal(http_stats(&f).in_flight, 0);
    }
    http_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_events_in_order),
        cmocka_unit_test(one_block_reaches_all_subscribers),
        cmocka_unit_test(what_the_client_says_is_read_over),
        cmocka_unit_test(silence_is_filled_with_comments),
        cmocka_unit_test(a_slow_reader_is_told_to_resync),
        cmocka_unit_test(one_event_of_any_size_may_be_sent),
        cmocka_unit_test(when_events_had_to_be_dropped_all_resync),
        cmocka_unit_test(the_owner_may_close_it),
        cmocka_unit_test(the_owner_hears_of_a_client_that_left_before),
        cmocka_unit_test(a_thread_may_open_it_later),
        cmocka_unit_test(head_gets_the_head_alone),
        cmocka_unit_test(headers_that_are_none_leave_the_request_to_answer),
        cmocka_unit_test(stopping_says_so_and_closes),
        cmocka_unit_test(running_without_memory_closes_single_streams_only),
    };
    uv_mutex_init(&seen.mutex);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
