/* WebSockets: handshake, messages, control frames, and all the ways to close. */
#include "../lib/http_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="        /* of RFC 6455, section 1.3 */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" /* and its answer */
#define HANDSHAKE                                                                                  \
    "GET /ws/chat HTTP/1.1\r\nHost: t\r\nUpgrade: WebSocket\r\n"                                   \
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"                            \
    "Sec-WebSocket-Version: 13\r\n"

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

/* ---- the server's side ---- */

static struct {
    uv_mutex_t mutex;
    uint64_t id; /* of the last one opened */
    int opened;
    int closed;
    int code; /* of the last one closed */
} seen;

static int count_of(const int *counter)
{
    uv_mutex_lock(&seen.mutex);
    int n = *counter;
    uv_mutex_unlock(&seen.mutex);
    return n;
}

static uint64_t last_id(void)
{
    uv_mutex_lock(&seen.mutex);
    uint64_t id = seen.id;
    uv_mutex_unlock(&seen.mutex);
    return id;
}

/* Refuses "/ws/refused", greets on "/ws/greeted", gives "/ws/short" 300 ms. */
static int on_open(void *ctx, const sg_http *http, const sg_http_req *req, void **user)
{
    assert_ptr_equal(ctx, &seen);
    if (sg_slice_eq(req->params[0], SG_LIT("refused"))) return SG_UNAUTHORIZED;
    if (sg_slice_eq(req->params[0], SG_LIT("short"))) sg_http_ws_deadline(http, req->id, 300);
    if (sg_slice_eq(req->params[0], SG_LIT("greeted"))) {
        sg_block *b = sg_block_new(SG_LIT("welcome"));
        sg_http_send(http, req->id, b);
        sg_block_unref(b);
    }
    uv_mutex_lock(&seen.mutex);
    seen.id = req->id;
    seen.opened++;
    uv_mutex_unlock(&seen.mutex);
    *user = &seen.closed;
    return SG_OK;
}

/* "bye" closes with 4001, "stay" takes the deadline back, all else is echoed. */
static void on_text(void *user, const sg_http *http, uint64_t id, sg_slice text)
{
    assert_ptr_equal(user, &seen.closed);
    if (sg_slice_eq(text, SG_LIT("bye"))) {
        sg_http_close(http, id, 4001);
        return;
    }
    if (sg_slice_eq(text, SG_LIT("stay"))) sg_http_ws_deadline(http, id, 0);
    sg_block *b = sg_block_new(text);
    if (b != NULL) sg_http_send(http, id, b);
    sg_block_unref(b);
}

static void on_closed(void *user, const sg_http *http, uint64_t id, int code)
{
    (void)http;
    (void)id;
    assert_ptr_equal(user, &seen.closed);
    uv_mutex_lock(&seen.mutex);
    seen.closed++;
    seen.code = code;
    uv_mutex_unlock(&seen.mutex);
}

static const sg_ws_handler handler = {on_open, on_text, on_closed};
static const sg_http_route routes[] = {
    {SG_HTTP_GET, "/ws/{app}", NULL, &handler, &seen, 0},
};

static void start(http_fixture *f, const sg_http_config *config)
{
    uv_mutex_lock(&seen.mutex);
    seen.opened = seen.closed = seen.code = 0;
    uv_mutex_unlock(&seen.mutex);
    http_start(f, config, routes, 1);
}

/* ---- the client's side ---- */

static http_client shake_hands(const http_fixture *f, const char *app)
{
    char path[64];
    http_client c = http_connect(f);
    snprintf(path, sizeof path, "GET /ws/%s", app);
    http_say(&c, path);
    http_say(&c, &HANDSHAKE[strlen("GET /ws/chat")]);
    http_say(&c, "\r\n");
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 101);
    http_reply_free(&r);
    return c;
}

static void send_raw(http_client *c, unsigned first, bool masked, const void *payload, size_t n)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    unsigned char head[14] = {(unsigned char)first};
    size_t at = 2;
    unsigned char *copy = malloc(n + 1);
    assert_non_null(copy);
    if (n < 126) {
        head[1] = (unsigned char)n;
    } else {
        int bytes = n < 65536 ? 2 : 8;
        head[1] = bytes == 2 ? 126 : 127;
        for (int i = bytes - 1; i >= 0; i--)
            head[at++] = (unsigned char)((uint64_t)n >> (8 * i));
    }
    if (masked) {
        head[1] |= 0x80;
        memcpy(head + at, mask, 4);
        at += 4;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char m = masked ? mask[i % 4] : 0;
        copy[i] = ((const unsigned char *)payload)[i] ^ m;
    }
    http_send(c, head, at);
    http_send(c, copy, n);
    free(copy);
}

static void send_text(http_client *c, const char *text)
{
    send_raw(c, FIN | TEXT, true, text, strlen(text));
}

/* The next frame, which must have this opcode; its payload, NUL-terminated. */
static char *read_frame(http_client *c, unsigned opcode, size_t *n)
{
    char *head = http_take(c, 2);
    assert_int_equal((unsigned char)head[0], FIN | opcode);
    assert_int_equal(head[1] & 0x80, 0); /* a server does not mask */
    *n = (unsigned char)head[1];
    free(head);
    if (*n >= 126) {
        size_t bytes = *n == 126 ? 2 : 8;
        char *length = http_take(c, bytes);
        *n = 0;
        for (size_t i = 0; i < bytes; i++)
            *n = *n << 8 | (unsigned char)length[i];
        free(length);
    }
    return http_take(c, *n);
}

static void expect_text(http_client *c, const char *text)
{
    size_t n;
    char *got = read_frame(c, TEXT, &n);
    assert_string_equal(got, text);
    free(got);
}

static void expect_close(http_client *c, int code)
{
    size_t n;
    char *got = read_frame(c, CLOSE, &n);
    assert_true(n >= 2);
    assert_int_equal((unsigned char)got[0] << 8 | (unsigned char)got[1], code);
    free(got);
}

static void send_close(http_client *c, int code)
{
    unsigned char payload[2] = {(unsigned char)(code >> 8), (unsigned char)code};
    send_raw(c, FIN | CLOSE, true, payload, 2);
}

static void expect_closed(int code)
{
    http_wait_for(count_of(&seen.closed) == 1);
    assert_int_equal(count_of(&seen.code), code);
}

/* ---- handshake ---- */

static void answers_the_handshake_of_the_rfc(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = http_connect(&f);
    http_say(&c, HANDSHAKE "\r\n");
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 101);
    assert_string_equal(http_header(&r, "sec-websocket-accept"), ACCEPT);
    assert_string_equal(http_header(&r, "upgrade"), "websocket");
    assert_string_equal(http_header(&r, "connection"), "Upgrade");
    assert_null(http_header(&r, "content-length"));
    http_reply_free(&r);
    assert_int_equal(http_stats(&f).websockets, 1);
    http_close(&c);
    expect_closed(1006);
    assert_int_equal(http_stats(&f).websockets, 0);
    http_stop(&f);
}

static void refuses_what_is_no_handshake(void **state)
{
    (void)state;
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        {426, "GET /ws/a HTTP/1.1\r\nHost: t\r\n\r\n"},
        {426, "GET /ws/a HTTP/1.1\r\nHost: t\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"},
        {426, "GET /ws/a HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " KEY
              "\r\n" VERSION "\r\n"},
        {426, "GET /ws/a HTTP/1.0\r\nHost: t\r\n" UPGRADE "Sec-WebSocket-Key: " KEY "\r\n" VERSION
              "\r\n"},
        {426, "GET /ws/a HTTP/1.1\r\nHost: t\r\n" UPGRADE "Sec-WebSocket-Key: " KEY "\r\n\r\n"},
        {426, "GET /ws/a HTTP/1.1\r\nHost: t\r\n" UPGRADE "Sec-WebSocket-Key: " KEY
              "\r\nSec-WebSocket-Version: 8\r\n\r\n"},
        {400, "GET /ws/a HTTP/1.1\r\nHost: t\r\n" UPGRADE VERSION "\r\n"},
        {400,
         "GET /ws/a HTTP/1.1\r\nHost: t\r\n" UPGRADE VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n"},
        {400, "GET /ws/a HTTP/1.1\r\nHost: t\r\n" UPGRADE VERSION
              "Sec-WebSocket-Key: ??hlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
        {401, "GET /ws/refused HTTP/1.1\r\nHost: t\r\n" UPGRADE VERSION "Sec-WebSocket-Key: " KEY
              "\r\n\r\n"},
        {405,
         "POST /ws/a HTTP/1.1\r\nHost: t\r\n" UPGRADE VERSION "Sec-WebSocket-Key: " KEY "\r\n\r\n"},
    };
    http_fixture f;
    start(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = http_status_of(&f, cases[i].request);
        if (status != cases[i].status)
            fail_msg("%d instead of %d for %s", status, cases[i].status, cases[i].request);
    }
    assert_int_equal(count_of(&seen.opened), 0);
    assert_int_equal(count_of(&seen.closed), 0);
    http_stop(&f);
}

static void only_configured_origins_may_connect(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://app.example"};
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.origins = origins;
    config.origin_count = 1;
    start(&f, &config);
    assert_int_equal(http_status_of(&f, HANDSHAKE "Origin: https://evil.example\r\n\r\n"), 403);
    assert_int_equal(http_status_of(&f, HANDSHAKE "Origin: https://app.example\r\n\r\n"), 101);
    assert_int_equal(http_status_of(&f, HANDSHAKE "\r\n"), 101); /* not a browser */
    http_stop(&f);
}

/* ---- messages ---- */

static void carries_texts_both_ways(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = shake_hands(&f, "greeted");
    expect_text(&c, "welcome");
    send_text(&c, "one");
    send_text(&c, "");
    send_text(&c, "caf\xc3\xa9");
    expect_text(&c, "one");
    expect_text(&c, "");
    expect_text(&c, "caf\xc3\xa9");
    /* And without being asked, from another thread. */
    sg_block *b = sg_block_new(SG_LIT("news"));
    sg_http_send(f.http, last_id(), b);
    sg_block_unref(b);
    expect_text(&c, "news");
    http_close(&c);
    http_stop(&f);
}

static void takes_messages_that_follow_the_handshake_at_once(void **state)
{
    (void)state;
    static const unsigned char both[] = HANDSHAKE "\r\n"
                                                  "\x81\x82\x00\x00\x00\x00hi";
    http_fixture f;
    start(&f, NULL);
    http_client c = http_connect(&f);
    http_send(&c, both, sizeof both - 1);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 101);
    http_reply_free(&r);
    expect_text(&c, "hi");
    http_close(&c);
    http_stop(&f);
}

static void joins_fragments_with_pings_between(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = shake_hands(&f, "chat");
    send_raw(&c, TEXT, true, "caf\xc3", 4);
    send_raw(&c, FIN | PING, true, "are you there", 13);
    send_raw(&c, 0, true, "\xa9 au", 4);
    send_raw(&c, FIN, true, " lait", 5);
    size_t n;
    char *pong = read_frame(&c, PONG, &n);
    assert_string_equal(pong, "are you there");
    free(pong);
    expect_text(&c, "caf\xc3\xa9 au lait");
    http_close(&c);
    http_stop(&f);
}

static void takes_messages_of_64_kib_and_no_more(void **state)
{
    (void)state;
    static char text[SG_WS_MAX_MESSAGE + 2];
    http_fixture f;
    start(&f, NULL);
    memset(text, 'x', SG_WS_MAX_MESSAGE);
    http_client c = shake_hands(&f, "chat");
    send_text(&c, text);
    expect_text(&c, text);
    text[SG_WS_MAX_MESSAGE] = 'x';
    send_text(&c, text);
    expect_close(&c, 1009);
    expect_closed(1009);
    http_close(&c);
    http_stop(&f);
}

static void pings_a_silent_client_and_then_gives_it_up(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.heartbeat_ms = 200;
    start(&f, &config);
    http_client c = shake_hands(&f, "chat");
    size_t n;
    for (int i = 0; i < 3; i++) {
        free(read_frame(&c, PING, &n));
        send_raw(&c, FIN | PONG, true, "", 0);
    }
    free(read_frame(&c, PING, &n));
    assert_true(http_at_end(&c));
    expect_closed(1006);
    http_close(&c);
    http_stop(&f);
}

/* ---- closing ---- */

static void breaking_the_protocol_closes(void **state)
{
    (void)state;
    static const struct {
        int code;
        unsigned first;
        bool masked;
        const char *payload;
    } cases[] = {
        {1002, FIN | TEXT, false, "no mask"},     {1002, FIN | TEXT | 0x40, true, "reserved bit"},
        {1002, FIN | 3, true, "reserved opcode"}, {1002, FIN, true, "continues nothing"},
        {1002, PING, true, "a ping in parts"},    {1003, FIN | BINARY, true, "binary"},
        {1007, FIN | TEXT, true, "\xc3\x28"},     {1007, FIN | TEXT, true, "\xed\xa0\x80"},
        {1002, FIN | CLOSE, true, "\x03\xed"}, /* 1005 must not travel */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_fixture f;
        start(&f, NULL);
        http_client c = shake_hands(&f, "chat");
        send_raw(&c, cases[i].first, cases[i].masked, cases[i].payload, strlen(cases[i].payload));
        expect_close(&c, cases[i].code);
        http_close(&c);
        http_wait_for(count_of(&seen.closed) == 1);
        http_stop(&f);
    }
}

static void answers_a_close_and_reports_its_code(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = shake_hands(&f, "chat");
    send_close(&c, 4321);
    expect_close(&c, 4321);
    assert_true(http_at_end(&c));
    expect_closed(4321);
    http_close(&c);
    http_stop(&f);
}

static void the_owner_may_close_with_a_code(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = shake_hands(&f, "chat");
    send_text(&c, "last");
    send_text(&c, "bye");
    expect_text(&c, "last");
    expect_close(&c, 4001);
    send_close(&c, 4001);
    assert_true(http_at_end(&c));
    expect_closed(4001);
    http_close(&c);
    http_stop(&f);
}

static void a_deadline_closes_unless_taken_back(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.heartbeat_ms = 400; /* for the clock to tick often */
    start(&f, &config);
    http_client c = shake_hands(&f, "short");
    expect_close(&c, 1008);
    send_close(&c, 1008);
    assert_true(http_at_end(&c));
    expect_closed(1008);
    http_close(&c);
    c = shake_hands(&f, "short");
    send_text(&c, "stay");
    expect_text(&c, "stay");
    size_t n;
    free(read_frame(&c, PING, &n)); /* later than the deadline, and it is still there */
    send_text(&c, "here");
    expect_text(&c, "here");
    http_close(&c);
    http_stop(&f);
}

static void a_client_that_reads_nothing_is_dropped(void **state)
{
    (void)state;
    enum { SIZE = 60000 };
    static char text[SIZE];
    http_fixture f;
    start(&f, NULL);
    memset(text, 'x', sizeof text);
    http_client c = shake_hands(&f, "chat");
    sg_block *b = sg_block_new(sg_slice_of(text, sizeof text));
    /* 60 MB: more than the system's buffers and our backlog together. */
    for (int i = 0; i < 1000; i++)
        sg_http_send(f.http, last_id(), b);
    sg_block_unref(b);
    expect_closed(1006);
    http_close(&c);
    http_stop(&f);
}

static void stopping_closes_with_1001(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    http_client c = shake_hands(&f, "chat");
    sg_http_server_stop(f.server);
    expect_close(&c, 1001);
    send_close(&c, 1001);
    assert_true(http_at_end(&c));
    http_join(&f);
    assert_int_equal(count_of(&seen.code), 1001);
    sg_http_server_free(f.server);
    http_close(&c);
}

static void stopping_does_not_wait_for_a_client_that_does_not_answer(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.stop_timeout_ms = 50;
    start(&f, &config);
    http_client c = shake_hands(&f, "chat");
    http_stop(&f);
    assert_int_equal(count_of(&seen.closed), 1);
    http_close(&c);
}

static void running_without_memory_loses_single_connections_only(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    for (size_t fail = 1; fail < 30; fail++) {
        sg_mem_fail_at(fail, 0);
        http_client c = http_connect(&f);
        http_say(&c, HANDSHAKE "\r\n");
        send_text(&c, "hello");
        shutdown(c.fd, SHUT_WR);
        char *all = http_until(&c, "never said");
        assert_null(all);
        http_close(&c);
        sg_mem_fail_at(0, 0);
    }
    http_wait_for(http_stats(&f).connections == 0);
    assert_int_equal(count_of(&seen.opened), count_of(&seen.closed));
    http_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_the_handshake_of_the_rfc),
        cmocka_unit_test(refuses_what_is_no_handshake),
        cmocka_unit_test(only_configured_origins_may_connect),
        cmocka_unit_test(carries_texts_both_ways),
        cmocka_unit_test(takes_messages_that_follow_the_handshake_at_once),
        cmocka_unit_test(joins_fragments_with_pings_between),
        cmocka_unit_test(takes_messages_of_64_kib_and_no_more),
        cmocka_unit_test(pings_a_silent_client_and_then_gives_it_up),
        cmocka_unit_test(breaking_the_protocol_closes),
        cmocka_unit_test(answers_a_close_and_reports_its_code),
        cmocka_unit_test(the_owner_may_close_with_a_code),
        cmocka_unit_test(a_deadline_closes_unless_taken_back),
        cmocka_unit_test(a_client_that_reads_nothing_is_dropped),
        cmocka_unit_test(stopping_closes_with_1001),
        cmocka_unit_test(stopping_does_not_wait_for_a_client_that_does_not_answer),
        cmocka_unit_test(running_without_memory_loses_single_connections_only),
    };
    uv_mutex_init(&seen.mutex);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
