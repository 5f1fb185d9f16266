/* Every limit of the HTTP layer, each at its bound and past it, and what smugglers send. */
#include "../lib/http_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "net/chunked.h"
#include "net/server.h"

#define GET_OK "GET /ok HTTP/1.1\r\nHost: t\r\n\r\n"
#define BODY_MAX 20000u

static atomic_uint_fast64_t pending_id;

static void get_ok(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_answer answer = {.status = 200, .body = (char *)(uintptr_t) "{}", .body_len = 2};
    answer.body_static = true;
    sg_http_answer(http, req->id, &answer);
}

/* Answers with the length of the body. */
static void post_size(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_buf out;
    sg_buf_init(&out, 64);
    sg_buf_int(&out, (int64_t)req->body.n);
    sg_http_answer_json(http, req->id, 200, &out);
}

static void get_never(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    (void)http;
    atomic_store(&pending_id, req->id);
}

static void get_huge(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_answer answer = {.status = 200, .body_len = 32u << 20};
    answer.body = sg_zalloc(answer.body_len);
    sg_http_answer(http, req->id, &answer);
}

static const sg_http_route routes[] = {
    {SG_HTTP_GET, "/ok", get_ok, NULL, NULL, 0},
    {SG_HTTP_POST, "/size", post_size, NULL, NULL, 0},
    {SG_HTTP_POST, "/small", post_size, NULL, NULL, 100},
    {SG_HTTP_GET, "/never", get_never, NULL, NULL, 0},
    {SG_HTTP_GET, "/huge", get_huge, NULL, NULL, 0},
};

static void start(http_fixture *f, const sg_http_config *config)
{
    sg_http_config own;
    http_config(&own);
    own.max_body = BODY_MAX;
    http_start(f, config != NULL ? config : &own, routes, sizeof routes / sizeof *routes);
}

/* A string of n times c. */
static char *many(char c, size_t n)
{
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

static int status_after(const http_fixture *f, const char *before, const char *middle,
                        const char *after)
{
    http_client c = http_connect(f);
    http_say(&c, before);
    http_say(&c, middle);
    http_say(&c, after);
    http_reply r = http_read(&c);
    int status = r.status;
    http_reply_free(&r);
    if (status >= 400) assert_true(http_at_end(&c));
    http_close(&c);
    return status;
}

/* ---- head ---- */

static void a_head_may_have_16_kib(void **state)
{
    (void)state;
    static const char before[] = "GET /ok HTTP/1.1\r\nHost: t\r\nX: ";
    static const char after[] = "\r\n\r\n";
    size_t frame = sizeof before + sizeof after - 2;
    http_fixture f;
    start(&f, NULL);
    char *fits = many('x', SG_HTTP_MAX_HEAD - frame);
    char *large = many('x', SG_HTTP_MAX_HEAD - frame + 1);
    assert_int_equal(status_after(&f, before, fits, after), 200);
    assert_int_equal(status_after(&f, before, large, after), 431);
    free(fits);
    free(large);
    http_stop(&f);
}

static void a_head_may_have_100_fields(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    for (unsigned extra = 99; extra <= 100; extra++) {
        http_client c = http_connect(&f);
        http_say(&c, "GET /ok HTTP/1.1\r\nHost: t\r\n");
        for (unsigned i = 0; i < extra; i++)
            http_say(&c, "A: b\r\n");
        http_say(&c, "\r\n");
        if (extra == 99) {
            http_reply r = http_read(&c);
            assert_int_equal(r.status, 200);
            http_reply_free(&r);
        } else {
            http_assert_refused(&c, 431, "headers_too_large");
            assert_true(http_at_end(&c));
        }
        http_close(&c);
    }
    http_stop(&f);
}

static void a_target_may_have_8_kib(void **state)
{
    (void)state;
    http_fixture f;
    start(&f, NULL);
    char *fits = many('x', SG_HTTP_MAX_URL - 4);
    char *large = many('x', SG_HTTP_MAX_URL - 3);
    char *endless = many('x', 2 * SG_HTTP_MAX_URL);
    assert_int_equal(status_after(&f, "GET /ok?", fits, " HTTP/1.1\r\nHost: t\r\n\r\n"), 200);
    assert_int_equal(status_after(&f, "GET /ok?", large, " HTTP/1.1\r\nHost: t\r\n\r\n"), 414);
    assert_int_equal(status_after(&f, "GET /ok?", endless, ""), 414);
    free(fits);
    free(large);
    free(endless);
    http_stop(&f);
}

/* ---- body ---- */

static void a_body_may_have_its_cap(void **state)
{
    (void)state;
    char head[128];
    http_fixture f;
    start(&f, NULL);
    char *body = many('b', BODY_MAX);
    snprintf(head, sizeof head, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: %u\r\n\r\n",
             BODY_MAX);
    assert_int_equal(status_after(&f, head, body, ""), 200);
    /* Refused before any of it has come. */
    snprintf(head, sizeof head, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: %u\r\n\r\n",
             BODY_MAX + 1);
    assert_int_equal(status_after(&f, head, "", ""), 413);
    assert_int_equal(
        status_after(&f,
                     "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 999999999999999999\r\n\r\n",
                     "", ""),
        413);
    /* A route may allow less. */
    assert_int_equal(
        http_status_of(&f, "POST /small HTTP/1.1\r\nHost: t\r\nContent-Length: 101\r\n\r\n"), 413);
    free(body);
    http_stop(&f);
}

static void a_chunked_body_may_have_its_cap(void **state)
{
    (void)state;
    static const char head[] =
        "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    char size[32];
    http_fixture f;
    start(&f, NULL);
    char *body = many('b', BODY_MAX);
    for (unsigned extra = 0; extra < 2; extra++) {
        http_client c = http_connect(&f);
        http_say(&c, head);
        snprintf(size, sizeof size, "%x\r\n", BODY_MAX);
        http_say(&c, size);
        http_say(&c, body);
        http_say(&c, extra != 0 ? "\r\n1\r\nb\r\n0\r\n\r\n" : "\r\n0\r\n\r\n");
        http_reply r = http_read(&c);
        assert_int_equal(r.status, extra != 0 ? 413 : 200);
        http_reply_free(&r);
        http_close(&c);
    }
    free(body);
    http_stop(&f);
}

static void chunk_framing_is_bounded(void **state)
{
    (void)state;
    static const char head[] =
        "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    char chunk[SG_CHUNK_LINE_MAX + 8];
    http_fixture f;
    start(&f, NULL);
    /* One byte of body for 250 of framing, over and over. */
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "1;", 2);
    memcpy(chunk + 245, "\r\nb\r\n", 5);
    http_client c = http_connect(&f);
    http_say(&c, head);
    for (size_t sent = 0; sent < 2 * SG_CHUNK_OVERHEAD; sent += 250)
        http_send(&c, chunk, 250);
    http_assert_refused(&c, 413, "limit");
    http_close(&c);
    /* A line that never ends, and trailers that never do. */
    memset(chunk + 2, 'x', sizeof chunk - 2);
    c = http_connect(&f);
    http_say(&c, head);
    http_send(&c, chunk, SG_CHUNK_LINE_MAX + 1);
    http_assert_refused(&c, 400, "bad_request");
    http_close(&c);
    c = http_connect(&f);
    http_say(&c, head);
    http_say(&c, "0\r\n");
    for (unsigned sent = 0; sent <= SG_CHUNK_TRAILER_MAX; sent += 8)
        http_say(&c, "A: bcd\r\n");
    http_assert_refused(&c, 400, "bad_request");
    http_close(&c);
    http_stop(&f);
}

static void post_coded(const http_fixture *f, const char *coding, const void *body, size_t n,
                       int status)
{
    char head[160];
    snprintf(
        head, sizeof head,
        "POST /size HTTP/1.1\r\nHost: t\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
        coding, n);
    http_client c = http_connect(f);
    http_say(&c, head);
    http_send(&c, body, n);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, status);
    http_reply_free(&r);
    http_close(&c);
}

static void a_decompression_bomb_is_too_large(void **state)
{
    (void)state;
    static unsigned char coded[BODY_MAX];
    http_fixture f;
    start(&f, NULL);
    char *text = many('b', 64u << 20);
    for (unsigned extra = 0; extra < 2; extra++) {
        int status = extra != 0 ? 413 : 200;
        size_t n = ZSTD_compress(coded, sizeof coded, text, BODY_MAX + extra, 1);
        post_coded(&f, "zstd", coded, n, status);
        z_stream z = {.next_in = (unsigned char *)text,
                      .avail_in = BODY_MAX + extra,
                      .next_out = coded,
                      .avail_out = sizeof coded};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        post_coded(&f, "gzip", coded, z.total_out, status);
        deflateEnd(&z);
    }
    size_t n = ZSTD_compress(coded, sizeof coded, text, 64u << 20, 1);
    assert_false(ZSTD_isError(n));
    post_coded(&f, "zstd", coded, n, 413);
    free(text);
    http_stop(&f);
}

/* ---- time ---- */

static void a_slow_head_times_out(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.head_timeout_ms = 300;
    start(&f, &config);
    http_client silent = http_connect(&f);
    http_client slow = http_connect(&f);
    http_say(&slow, "GET /ok HT");
    http_assert_refused(&slow, 408, "timeout");
    assert_true(http_at_end(&slow));
    assert_true(http_at_end(&silent));
    http_close(&slow);
    http_close(&silent);
    http_stop(&f);
}

static void a_slow_body_times_out(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.body_timeout_ms = 40;
    start(&f, &config);
    http_client c = http_connect(&f);
    http_say(&c, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nabc");
    http_assert_refused(&c, 408, "timeout");
    assert_true(http_at_end(&c));
    http_close(&c);
    http_stop(&f);
}

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.idle_timeout_ms = 40;
    start(&f, &config);
    http_client c = http_connect(&f);
    http_say(&c, GET_OK);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 200);
    assert_true(http_at_end(&c));
    http_reply_free(&r);
    http_close(&c);
    http_stop(&f);
}

static void a_handler_must_answer_in_time(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.answer_timeout_ms = 40;
    start(&f, &config);
    http_client c = http_connect(&f);
    http_say(&c, "GET /never HTTP/1.1\r\nHost: t\r\n\r\n");
    http_assert_refused(&c, 503, "timeout");
    http_close(&c);
    /* Its answer is awaited all the same, and dropped. */
    assert_int_equal(http_stats(&f).in_flight, 1);
    sg_http_answer(f.http, atomic_load(&pending_id), &(sg_answer){.status = 200});
    http_wait_for(http_stats(&f).in_flight == 0);
    assert_int_equal(http_stats(&f).late_answers, 1);
    http_stop(&f);
}

static void a_client_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.write_timeout_ms = 40;
    start(&f, &config);
    http_client c = http_connect_small(&f);
    http_say(&c, "GET /huge HTTP/1.1\r\nHost: t\r\n\r\n");
    http_wait_for(http_stats(&f).requests == 1);
    http_wait_for(http_stats(&f).connections == 0);
    http_close(&c);
    http_stop(&f);
}

/* ---- numbers ---- */

static void connections_over_the_limit_are_told_so(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.max_connections = 2;
    start(&f, &config);
    http_client a = http_connect(&f);
    http_client b = http_connect(&f);
    http_wait_for(http_stats(&f).connections == 2);
    http_client c = http_connect(&f);
    http_say(&c, GET_OK);
    http_assert_refused(&c, 503, "busy");
    assert_true(http_at_end(&c));
    http_close(&c);
    http_close(&b);
    http_wait_for(http_stats(&f).connections == 1);
    assert_int_equal(http_status_of(&f, GET_OK), 200);
    assert_int_equal(http_stats(&f).refused, 1);
    http_close(&a);
    http_stop(&f);
}

static void requests_in_flight_are_limited(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.max_in_flight = 1;
    start(&f, &config);
    http_client a = http_connect(&f);
    http_say(&a, "GET /never HTTP/1.1\r\nHost: t\r\n\r\n");
    http_wait_for(http_stats(&f).in_flight == 1);
    http_client b = http_connect(&f);
    http_say(&b, GET_OK);
    http_assert_refused(&b, 503, "busy");
    sg_http_answer(f.http, atomic_load(&pending_id), &(sg_answer){.status = 204});
    http_reply r = http_read(&a);
    assert_int_equal(r.status, 204);
    http_reply_free(&r);
    http_say(&b, GET_OK); /* the connection was kept */
    r = http_read(&b);
    assert_int_equal(r.status, 200);
    http_reply_free(&r);
    http_close(&a);
    http_close(&b);
    http_stop(&f);
}

static void requests_of_one_address_are_limited(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.rate_per_s = 1;
    config.rate_burst = 3;
    config.trust_forwarded = true;
    start(&f, &config);
    http_client c = http_connect(&f);
    for (int i = 0; i < 3; i++) {
        http_say(&c, GET_OK);
        http_reply r = http_read(&c);
        assert_int_equal(r.status, 200);
        http_reply_free(&r);
    }
    http_say(&c, GET_OK);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 429);
    assert_string_equal(http_header(&r, "retry-after"), "1");
    http_reply_free(&r);
    /* Another address is not concerned, an address in the same IPv6 /64 is. */
    static const char *const asks[] = {
        "GET /ok HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 2001:db8:1:2:3::1\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 2001:db8:1:2:4::1\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 2001:db8:1:2:5::1\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 2001:db8:1:2:6::1\r\n\r\n",
    };
    for (size_t i = 0; i < 5; i++) {
        http_say(&c, asks[i]);
        r = http_read(&c);
        assert_int_equal(r.status, i == 4 ? 429 : 200);
        http_reply_free(&r);
    }
    http_close(&c);
    http_stop(&f);
}

static void accepting_pauses_when_descriptors_run_out(void **state)
{
    (void)state;
    struct rlimit before, tight;
    http_fixture f;
    start(&f, NULL);
    assert_int_equal(http_status_of(&f, GET_OK), 200);
    http_wait_for(http_stats(&f).connections == 0);
    int next = dup(0); /* the lowest free descriptor: the client's; none is left for the server */
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)next + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    http_client c = http_connect(&f);
    http_say(&c, GET_OK);
    http_wait_for(http_stats(&f).accept_errors >= 2);
    /* Twice in at least one pause, not as often as a loop can spin. */
    assert_true(http_stats(&f).accept_errors < 10);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    http_reply r = http_read(&c); /* it has waited in the kernel's queue */
    assert_int_equal(r.status, 200);
    http_reply_free(&r);
    http_close(&c);
    http_stop(&f);
}

static void more_connections_than_descriptors_are_not_promised(void **state)
{
    (void)state;
    struct rlimit before, tight;
    sg_http_config config;
    sg_http_server *server;
    http_config(&config);
    config.max_connections = 60000;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = 256;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(sg_http_server_new(&config, routes, 1, &server), SG_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(server->net.config.max_connections, 192);
    sg_http_server_free(server);
}

/* ---- smuggling ---- */

#define CHUNKED "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"

static void what_a_proxy_may_read_otherwise_is_refused(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        /* length and coding */
        {400,
         "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n"},
        {400,
         "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
         "0\r\n\r\n"},
        {400,
         "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"},
        {400,
         "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 3, 3\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: +3\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 0x3\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 3 3\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length:\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 18446744073709551619\r\n\r\nabc"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        {400,
         "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {400,
         "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: identity\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
              "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nTransfer-Encoding:\x0b"
              "chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST /size HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        /* lines and names */
        {400, "GET /ok HTTP/1.1\nHost: t\n\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA: b\r\n c\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA: b\r\n\tTransfer-Encoding: chunked\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\n Host: t\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA: b\rC: d\r\n\r\n"},
        {400, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length : 3\r\n\r\nabc"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA b: c\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\n: b\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA: b\x01\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: t\r\nA\x80: b\r\n\r\n"},
        /* host */
        {400, "GET /ok HTTP/1.1\r\n\r\n"},
        {400, "GET /ok HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
        /* request line */
        {505, "GET /ok\r\n\r\n"},
        {400, "GET  HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /o k HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /ok\x80 HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /ok#x HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /ok?a=%0 HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /ok?a=%00 HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET /ok?a=%zz HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET http://t HTTP/1.1\r\nHost: t\r\n\r\n"},
        {400, "GET ok HTTP/1.1\r\nHost: t\r\n\r\n"},
        {505, "GET /ok HTTP/2.0\r\nHost: t\r\n\r\n"},
        {505, "GET /ok HTTP/1.2\r\nHost: t\r\n\r\n"},
        {400, "GET /ok HTTQ/1.1\r\nHost: t\r\n\r\n"},
        {501, "get /ok HTTP/1.1\r\nHost: t\r\n\r\n"},
        {501, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {501, "\x16\x03\x01\x02\r\n\r\n"},
        /* chunks */
        {400, CHUNKED "x\r\n"},
        {400, CHUNKED "\r\n0\r\n\r\n"},
        {400, CHUNKED "0x1\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "-1\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED " 1\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1\rXa\r\n0\r\n\r\n"},
        {400, CHUNKED "1\r\naXX0\r\n\r\n"},
        {400, CHUNKED "1\r\na\n0\r\n\r\n"},
        {400, CHUNKED "1\r\nab\r\n0\r\n\r\n"},
        {400, CHUNKED "1;a\nb\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "0\r\n\n"},
        {400, CHUNKED "0\r\nA: b\n\r\n"},
        {400, CHUNKED "0\r\nA: b\r\n folded\r\n\r\n"},
        {400, CHUNKED "1000000000000000\r\n"},
        /* and what must go through */
        {200, "GET /ok HTTP/1.1\r\nHost: t\r\nEmpty:\r\n\r\n"},
        {200, "GET /ok HTTP/1.1\r\nHost:\r\nA: \x80\xff\t b\r\n\r\n"},
        {200, "POST /size HTTP/1.1\r\nHost: t\r\nContent-Length: 003\r\n\r\nabc"},
        {200, CHUNKED "0\r\n\r\n"},
        {200, CHUNKED "000000000000001\r\na\r\n0\r\n\r\n"},
    };
    http_fixture f;
    start(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_client c = http_connect(&f);
        http_say(&c, cases[i].request);
        http_reply r = http_read(&c);
        if (r.status != cases[i].status)
            fail_msg("%d instead of %d for %s", r.status, cases[i].status, cases[i].request);
        http_reply_free(&r);
        /* Nothing after a refused request is read as another one. */
        http_say(&c, GET_OK);
        r = http_read(&c);
        assert_int_equal(r.status, cases[i].status == 200 ? 200 : 0);
        http_reply_free(&r);
        http_close(&c);
    }
    assert_int_equal(http_stats(&f).connections <= 1, 1);
    http_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_may_have_16_kib),
        cmocka_unit_test(a_head_may_have_100_fields),
        cmocka_unit_test(a_target_may_have_8_kib),
        cmocka_unit_test(a_body_may_have_its_cap),
        cmocka_unit_test(a_chunked_body_may_have_its_cap),
        cmocka_unit_test(chunk_framing_is_bounded),
        cmocka_unit_test(a_decompression_bomb_is_too_large),
        cmocka_unit_test(a_slow_head_times_out),
        cmocka_unit_test(a_slow_body_times_out),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_handler_must_answer_in_time),
        cmocka_unit_test(a_client_that_takes_nothing_is_given_up),
        cmocka_unit_test(connections_over_the_limit_are_told_so),
        cmocka_unit_test(requests_in_flight_are_limited),
        cmocka_unit_test(requests_of_one_address_are_limited),
        cmocka_unit_test(accepting_pauses_when_descriptors_run_out),
        cmocka_unit_test(more_connections_than_descriptors_are_not_promised),
        cmocka_unit_test(what_a_proxy_may_read_otherwise_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
