/* Requests and answers: what goes through, in which order, and who may answer when. */
#include "../lib/http_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define BIG_SIZE (300u * 1024u)

/* ---- routes ---- */

/* Ids of requests whose handlers have not answered. */
static struct {
    uv_mutex_t mutex;
    uv_cond_t cond;
    uint64_t ids[64];
    size_t n;
} later;

static uint64_t take_later(void)
{
    uv_mutex_lock(&later.mutex);
    while (later.n == 0) {
        int rc = uv_cond_timedwait(&later.cond, &later.mutex, HTTP_WAIT_MS * (uint64_t)1000000);
        assert_int_equal(rc, 0);
    }
    uint64_t id = later.ids[0];
    later.n--;
    memmove(later.ids, later.ids + 1, later.n * sizeof *later.ids);
    uv_mutex_unlock(&later.mutex);
    return id;
}

static void get_later(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    (void)http;
    uv_mutex_lock(&later.mutex);
    later.ids[later.n++] = req->id;
    uv_cond_signal(&later.cond);
    uv_mutex_unlock(&later.mutex);
}

static void answer_text(const sg_http *http, uint64_t id, const char *text)
{
    sg_answer answer = {.status = 200, .content_type = "text/plain", .body_len = strlen(text)};
    answer.body = sg_strndup(text, answer.body_len);
    sg_http_answer(http, id, &answer);
}

static void get_hello(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_http_answer(http, req->id,
                   &(sg_answer){.status = 200,
                                .content_type = "text/plain",
                                .body = (char *)(uintptr_t) "hello",
                                .body_len = 5,
                                .body_static = true});
}

static void post_echo(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_answer answer = {.status = 200, .content_type = "text/plain"};
    answer.body = sg_http_take_body(http, req, &answer.body_len);
    sg_http_answer(http, req->id, &answer);
}

static void get_big(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_answer answer = {.status = 200, .content_type = "text/plain", .body_len = BIG_SIZE};
    answer.body = sg_alloc(BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        answer.body[i] = (char)('a' + i / 7 % 26);
    sg_http_answer(http, req->id, &answer);
}

/* "METHOD pattern a|b|name|peer|request id" with the captures, and ?name= */
static void get_view(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    sg_buf out, scratch;
    sg_slice value;
    sg_buf_init(&out, 4096);
    sg_buf_init(&scratch, 4096);
    sg_buf_str(&out, sg_http_method_name(req->method));
    sg_buf_byte(&out, ' ');
    sg_buf_str(&out, req->pattern);
    sg_buf_byte(&out, ' ');
    for (size_t i = 0; i < 2; i++) {
        if (sg_http_param(req, i, &scratch, &value)) sg_buf_slice(&out, value);
        sg_buf_byte(&out, '|');
    }
    if (sg_http_query_get(req, "name", &scratch, &value)) sg_buf_slice(&out, value);
    sg_buf_byte(&out, '|');
    sg_buf_slice(&out, req->peer);
    sg_buf_byte(&out, '|');
    sg_buf_slice(&out, req->request_id);
    sg_buf_deinit(&scratch);
    sg_http_answer_json(http, req->id, 200, &out);
}

static void get_unanswerable(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    static const sg_http_header split = {{"X-A", 3}, {"b\r\nSet-Cookie: c", 16}};
    sg_http_answer(http, req->id,
                   &(sg_answer){.status = 200, .headers = &split, .header_count = 1});
}

static void get_twice(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    answer_text(http, req->id, "first");
    answer_text(http, req->id, "second");
}

static const sg_http_route routes[] = {
    {SG_HTTP_GET, "/hello", get_hello, NULL, NULL, 0},
    {SG_HTTP_POST, "/echo", post_echo, NULL, NULL, 0},
    {SG_HTTP_GET, "/later", get_later, NULL, NULL, 0},
    {SG_HTTP_POST, "/later", get_later, NULL, NULL, 0},
    {SG_HTTP_GET, "/big", get_big, NULL, NULL, 0},
    {SG_HTTP_GET, "/view/{a}/of/{b}", get_view, NULL, NULL, 0},
    {SG_HTTP_GET, "/files/{path*}", get_view, NULL, NULL, 0},
    {SG_HTTP_PUT, "/files/{path*}", get_view, NULL, NULL, 0},
    {SG_HTTP_GET, "/unanswerable", get_unanswerable, NULL, NULL, 0},
    {SG_HTTP_GET, "/twice", get_twice, NULL, NULL, 0},
};

#define ROUTES routes, sizeof routes / sizeof *routes
#define GET(path) "GET " path " HTTP/1.1\r\nHost: test\r\n\r\n"

static void start(http_fixture *f)
{
    http_start(f, NULL, ROUTES);
}

static void expect_body(http_client *c, const char *text)
{
    http_reply r = http_read(c);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, text);
    http_reply_free(&r);
}

/* ---- requests ---- */

static void keeps_the_connection_for_the_next_request(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    for (int i = 0; i < 3; i++) {
        http_say(&c, GET("/hello"));
        http_reply r = http_read(&c);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "hello");
        assert_string_equal(http_header(&r, "content-type"), "text/plain");
        assert_non_null(http_header(&r, "date"));
        assert_null(http_header(&r, "connection"));
        http_reply_free(&r);
    }
    assert_int_equal(http_stats(&f).accepted, 1);
    http_close(&c);
    http_stop(&f);
}

static void takes_a_request_byte_by_byte(void **state)
{
    (void)state;
    static const char request[] =
        "\r\nPOST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\n"
        "hello world" GET("/hello");
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    for (size_t i = 0; i < sizeof request - 1; i++)
        http_send(&c, request + i, 1);
    expect_body(&c, "hello world");
    expect_body(&c, "hello");
    http_close(&c);
    http_stop(&f);
}

static void answers_pipelined_requests_in_order(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(
        &c,
        GET("/hello")
            GET("/later") "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc" GET(
                "/hello"));
    expect_body(&c, "hello");
    uint64_t id = take_later();
    answer_text(f.http, id, "slow");
    expect_body(&c, "slow");
    expect_body(&c, "abc");
    expect_body(&c, "hello");
    http_close(&c);
    http_stop(&f);
}

static void pipelines_more_than_the_client_reads(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    http_fixture f;
    start(&f);
    http_client c = http_connect_small(&f);
    for (int i = 0; i < COUNT; i++)
        http_say(&c, GET("/big"));
    shutdown(c.fd, SHUT_WR);
    for (int i = 0; i < COUNT; i++) {
        http_reply r = http_read(&c);
        assert_int_equal(r.body_len, BIG_SIZE);
        assert_int_equal(r.body[BIG_SIZE - 1], 'a' + (BIG_SIZE - 1) / 7 % 26);
        http_reply_free(&r);
    }
    assert_true(http_at_end(&c));
    http_close(&c);
    http_stop(&f);
}

static void answers_a_client_that_has_closed_its_side(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, GET("/later"));
    uint64_t id = take_later();
    shutdown(c.fd, SHUT_WR);
    answer_text(f.http, id, "still here");
    expect_body(&c, "still here");
    assert_true(http_at_end(&c));
    http_close(&c);
    http_stop(&f);
}

static void closes_when_http_1_0_or_the_client_wants_it(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool closes;
    } cases[] = {
        {"GET /hello HTTP/1.0\r\n\r\n", true},
        {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
        {"GET /hello HTTP/1.1\r\nHost: t\r\nConnection: foo, Close\r\n\r\n", true},
        {"GET /hello HTTP/1.1\r\nHost: t\r\nConnection: closed\r\n\r\n", false},
    };
    http_fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_client c = http_connect(&f);
        http_say(&c, cases[i].request);
        expect_body(&c, "hello");
        if (cases[i].closes) {
            assert_true(http_at_end(&c));
        } else {
            http_say(&c, GET("/hello"));
            expect_body(&c, "hello");
        }
        http_close(&c);
    }
    http_stop(&f);
}

static void head_has_the_length_but_no_body(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, "HEAD /hello HTTP/1.1\r\nHost: t\r\n\r\n" GET("/hello"));
    http_reply r = http_read_head(&c);
    assert_int_equal(r.status, 200);
    assert_string_equal(http_header(&r, "content-length"), "5");
    http_reply_free(&r);
    expect_body(&c, "hello");
    http_close(&c);
    http_stop(&f);
}

static void gives_the_handler_path_query_and_peer(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *body;
    } cases[] = {
        {"GET /view/x%20y/of/a+b?name=c%2Bd+e&name=2 HTTP/1.1\r\nHost: t\r\nX-Request-Id: r1\r\n\r\n",
         "GET /view/{a}/of/{b} x y|a+b|c+d e|127.0.0.1|r1"},
        {"HEAD /view/1/of/2 HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n\r\n", NULL},
        {"GET http://t/view/1/of/%C3%A9?other=1&n%61me HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n\r\n",
         "GET /view/{a}/of/{b} 1|\xc3\xa9||127.0.0.1|r"},
        {"GET /files/a/b%2Fc/ HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n\r\n",
         "GET /files/{path*} a/b/c/|||127.0.0.1|r"},
        {"PUT /files/ HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n\r\n",
         "PUT /files/{path*} |||127.0.0.1|r"},
    };
    http_fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        http_client c = http_connect(&f);
        http_say(&c, cases[i].request);
        if (cases[i].body != NULL) {
            expect_body(&c, cases[i].body);
        } else {
            http_reply r = http_read_head(&c);
            assert_int_equal(r.status, 200);
            http_reply_free(&r);
        }
        http_close(&c);
    }
    http_stop(&f);
}

static void trusts_a_forwarded_address_only_when_told_to(void **state)
{
    (void)state;
    static const char request[] = "GET /files/ HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n"
                                  "X-Forwarded-For: 203.0.113.9, 2001:db8::7\r\n\r\n";
    static const char forged[] = "GET /files/ HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n"
                                 "X-Forwarded-For: no address\r\n\r\n";
    http_fixture f;
    sg_http_config config;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, request);
    expect_body(&c, "GET /files/{path*} |||127.0.0.1|r");
    http_close(&c);
    http_stop(&f);

    http_config(&config);
    config.trust_forwarded = true;
    http_start(&f, &config, ROUTES);
    c = http_connect(&f);
    http_say(&c, request);
    expect_body(&c, "GET /files/{path*} |||2001:db8::7|r");
    http_say(&c, forged);
    expect_body(&c, "GET /files/{path*} |||127.0.0.1|r");
    http_close(&c);
    http_stop(&f);
}

static void echoes_a_request_id_or_makes_one(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    char first[32];
    http_say(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nX-Request-Id: my-id.1\r\n\r\n");
    http_reply r = http_read(&c);
    assert_string_equal(http_header(&r, "x-request-id"), "my-id.1");
    http_reply_free(&r);
    for (int i = 0; i < 2; i++) {
        http_say(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nX-Request-Id: not one id\r\n\r\n");
        r = http_read(&c);
        const char *id = http_header(&r, "x-request-id");
        assert_int_equal(strlen(id), 16);
        assert_int_equal(strspn(id, "0123456789abcdef"), 16);
        if (i == 0)
            memcpy(first, id, 17);
        else
            assert_string_not_equal(first, id);
        http_reply_free(&r);
    }
    http_close(&c);
    http_stop(&f);
}

static void unknown_paths_and_methods_are_json_errors(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, GET("/nothing"));
    http_assert_refused(&c, 404, "not_found");
    http_say(&c, GET("/view/1/of"));
    http_assert_refused(&c, 404, "not_found");
    http_say(&c, GET("/view//of/2"));
    http_assert_refused(&c, 404, "not_found");
    http_say(&c, GET("/hello/"));
    http_assert_refused(&c, 404, "not_found");
    http_say(&c, "DELETE /later HTTP/1.1\r\nHost: t\r\n\r\n");
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 405);
    assert_string_equal(http_header(&r, "allow"), "GET, HEAD, POST, OPTIONS");
    assert_string_equal(http_header(&r, "content-type"), "application/json");
    assert_memory_equal(r.body, "{\"error\":{\"code\":\"method_not_allowed\"", 37);
    http_reply_free(&r);
    http_close(&c);
    assert_int_equal(http_status_of(&f, "BREW /hello HTTP/1.1\r\nHost: t\r\n\r\n"), 501);
    assert_int_equal(http_status_of(&f, "TRACE /hello HTTP/1.1\r\nHost: t\r\n\r\n"), 501);
    http_stop(&f);
}

static void a_header_that_would_split_the_answer_is_not_sent(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, GET("/unanswerable"));
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 500);
    assert_null(http_header(&r, "set-cookie"));
    http_reply_free(&r);
    http_close(&c);
    http_stop(&f);
}

/* ---- bodies ---- */

static void takes_chunked_bodies_with_trailers(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: Chunked\r\n\r\n"
                 "5;ext=\"1\"\r\nhello\r\n00001\r\n \r\nA\r\n0123456789\r\n"
                 "0\r\nX-Trailer: 1\r\nContent-Length: 99\r\n\r\n" GET("/hello"));
    expect_body(&c, "hello 0123456789");
    expect_body(&c, "hello");
    http_close(&c);
    http_stop(&f);
}

static void says_continue_before_a_body_it_will_take(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.max_body = 10;
    http_start(&f, &config, ROUTES);
    http_client c = http_connect(&f);
    http_say(&c,
             "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 100);
    http_reply_free(&r);
    http_say(&c, "body");
    expect_body(&c, "body");
    http_say(
        &c, "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    http_assert_refused(&c, 413, "limit");
    http_close(&c);
    http_stop(&f);
}

static void post_coded(http_client *c, const char *coding, const void *body, size_t n)
{
    char head[256];
    snprintf(
        head, sizeof head,
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
        coding, n);
    http_say(c, head);
    http_send(c, body, n);
}

static void decompresses_request_bodies(void **state)
{
    (void)state;
    char text[5000];
    char zstd[5000];
    unsigned char gz[5000];
    http_fixture f;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    text[sizeof text - 1] = '\0';
    size_t zstd_len = ZSTD_compress(zstd, sizeof zstd, text, sizeof text - 1, 1);
    z_stream z = {.next_in = (unsigned char *)text,
                  .avail_in = sizeof text - 1,
                  .next_out = gz,
                  .avail_out = sizeof gz};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t gz_len = z.total_out;
    deflateEnd(&z);
    start(&f);
    http_client c = http_connect(&f);
    post_coded(&c, "zstd", zstd, zstd_len);
    expect_body(&c, text);
    post_coded(&c, "GZIP", gz, gz_len);
    expect_body(&c, text);
    post_coded(&c, "identity", "plain", 5);
    expect_body(&c, "plain");
    /* Damaged: cut short, and followed by something else. */
    post_coded(&c, "zstd", zstd, zstd_len - 1);
    http_assert_refused(&c, 400, "bad_request");
    post_coded(&c, "gzip", gz, gz_len - 1);
    http_assert_refused(&c, 400, "bad_request");
    zstd[zstd_len] = 'x';
    post_coded(&c, "zstd", zstd, zstd_len + 1);
    http_assert_refused(&c, 400, "bad_request");
    post_coded(&c, "br", "x", 1);
    http_assert_refused(&c, 415, "unsupported_media");
    http_close(&c);
    http_stop(&f);
}

static void compresses_what_the_client_takes(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        const char *coding;
    } cases[] = {
        {"gzip, deflate, br", "gzip"},
        {"gzip, zstd", "zstd"},
        {"zstd;q=0, gzip;q=0.5", "gzip"},
        {"zstd;q=0.0,gzip; q=0", "absent"},
        {"identity", "absent"},
        {"", "absent"},
        {"sigla-columns, zstd", "sigla-columns"},
    };
    http_fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[256];
        http_client c = http_connect(&f);
        snprintf(request, sizeof request,
                 "GET /big HTTP/1.1\r\nHost: t\r\nAccept-Encoding: %s\r\n\r\n", cases[i].accept);
        http_say(&c, request);
        http_reply r = http_read(&c);
        const char *coding = http_header(&r, "content-encoding");
        assert_string_equal(coding != NULL ? coding : "absent", cases[i].coding);
        assert_string_equal(http_header(&r, "vary"), "Accept-Encoding");
        if (strcmp(cases[i].coding, "zstd") == 0)
            assert_int_equal(ZSTD_getFrameContentSize(r.body, r.body_len), BIG_SIZE);
        assert_true((r.body_len == BIG_SIZE) == (strcmp(cases[i].coding, "absent") == 0));
        http_reply_free(&r);
        /* Not worth it. */
        snprintf(request, sizeof request,
                 "GET /hello HTTP/1.1\r\nHost: t\r\nAccept-Encoding: %s\r\n\r\n", cases[i].accept);
        http_say(&c, request);
        r = http_read(&c);
        assert_null(http_header(&r, "content-encoding"));
        http_reply_free(&r);
        http_close(&c);
    }
    http_stop(&f);
}

/* ---- CORS ---- */

#define PREFLIGHT                                                                                  \
    "OPTIONS /later HTTP/1.1\r\nHost: t\r\nOrigin: https://app.example\r\n"                        \
    "Access-Control-Request-Method: POST\r\n\r\n"

static void any_origin_may_read_by_default(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, PREFLIGHT);
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 204);
    assert_string_equal(http_header(&r, "access-control-allow-origin"), "*");
    assert_string_equal(http_header(&r, "access-control-allow-methods"),
                        "GET, HEAD, POST, OPTIONS");
    assert_non_null(strstr(http_header(&r, "access-control-allow-headers"), "Authorization"));
    assert_non_null(strstr(http_header(&r, "access-control-allow-headers"), "X-Client-Id"));
    assert_null(http_header(&r, "access-control-allow-credentials"));
    http_reply_free(&r);
    http_say(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nOrigin: null\r\n\r\n");
    r = http_read(&c);
    assert_string_equal(http_header(&r, "access-control-allow-origin"), "*");
    assert_non_null(http_header(&r, "access-control-expose-headers"));
    http_reply_free(&r);
    http_say(&c, "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n");
    r = http_read(&c);
    assert_int_equal(r.status, 204);
    assert_null(http_header(&r, "access-control-allow-origin"));
    http_reply_free(&r);
    http_say(&c, "OPTIONS /nothing HTTP/1.1\r\nHost: t\r\n\r\n");
    http_assert_refused(&c, 404, "not_found");
    http_close(&c);
    http_stop(&f);
}

static void only_configured_origins_may_read_when_there_are_some(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://one.example", "https://app.example"};
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.origins = origins;
    config.origin_count = 2;
    http_start(&f, &config, ROUTES);
    http_client c = http_connect(&f);
    http_say(&c, PREFLIGHT);
    http_reply r = http_read(&c);
    assert_string_equal(http_header(&r, "access-control-allow-origin"), "https://app.example");
    assert_string_equal(http_header(&r, "vary"), "Origin");
    http_reply_free(&r);
    http_say(&c, "GET /hello HTTP/1.1\r\nHost: t\r\nOrigin: https://app.example.evil\r\n\r\n");
    r = http_read(&c);
    assert_null(http_header(&r, "access-control-allow-origin"));
    assert_string_equal(http_header(&r, "vary"), "Origin");
    http_reply_free(&r);
    http_close(&c);
    http_stop(&f);
}

/* ---- answering later ---- */

struct answerer {
    const sg_http *http;
    uint64_t id;
};

static void answer_on_thread(void *arg)
{
    const struct answerer *a = arg;
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)a->id);
    answer_text(a->http, a->id, text);
}

static void any_thread_may_answer(void **state)
{
    (void)state;
    enum { COUNT = 16 };
    http_fixture f;
    http_client c[COUNT];
    uv_thread_t threads[COUNT];
    struct answerer answerers[COUNT];
    start(&f);
    for (int i = 0; i < COUNT; i++) {
        c[i] = http_connect(&f);
        http_say(&c[i], GET("/later"));
        answerers[i] = (struct answerer){f.http, take_later()};
    }
    assert_int_equal(http_stats(&f).in_flight, COUNT);
    for (int i = 0; i < COUNT; i++)
        uv_thread_create(&threads[i], answer_on_thread, &answerers[i]);
    for (int i = 0; i < COUNT; i++) {
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)answerers[i].id);
        expect_body(&c[i], text);
        uv_thread_join(&threads[i]);
        http_close(&c[i]);
    }
    http_wait_for(http_stats(&f).in_flight == 0);
    http_stop(&f);
}

static void an_answer_after_the_client_has_gone_is_dropped(void **state)
{
    (void)state;
    struct linger reset = {.l_onoff = 1};
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, GET("/later"));
    uint64_t id = take_later();
    setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    http_close(&c);
    http_wait_for(http_stats(&f).connections == 0);
    /* The next connection gets the same slot, but not the answer. */
    c = http_connect(&f);
    http_say(&c, GET("/later"));
    uint64_t second = take_later();
    assert_int_not_equal(id, second);
    answer_text(f.http, id, "not yours");
    http_wait_for(http_stats(&f).late_answers == 1);
    answer_text(f.http, second, "yours");
    expect_body(&c, "yours");
    http_close(&c);
    http_stop(&f);
}

static void a_second_answer_is_dropped(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client c = http_connect(&f);
    http_say(&c, GET("/twice") GET("/hello"));
    expect_body(&c, "first");
    expect_body(&c, "hello");
    http_wait_for(http_stats(&f).late_answers == 1);
    http_close(&c);
    http_stop(&f);
}

/* ---- addresses ---- */

static void listens_on_ipv6(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.host = "::1";
    sg_http_server *probe;
    if (sg_http_server_new(&config, ROUTES, &probe) != SG_OK) skip(); /* no IPv6 here */
    sg_http_server_free(probe);
    http_start(&f, &config, ROUTES);
    http_client c = {.fd = socket(AF_INET6, SOCK_STREAM, 0)};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons(sg_http_server_port(f.server)),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof to), 0);
    http_say(&c, "GET /files/ HTTP/1.1\r\nHost: t\r\nX-Request-Id: r\r\n\r\n");
    expect_body(&c, "GET /files/{path*} |||::1|r");
    http_close(&c);
    http_stop(&f);
}

static void serves_every_address_of_a_name_on_one_port(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.host = "localhost";
    http_start(&f, &config, ROUTES);
    assert_int_equal(http_status_of(&f, GET("/hello")), 200); /* over 127.0.0.1 */
    http_stop(&f);
}

static void says_why_it_cannot_listen(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    sg_http_server *server;
    start(&f);
    http_config(&config);
    config.port = sg_http_server_port(f.server);
    assert_int_equal(sg_http_server_new(&config, ROUTES, &server), SG_BUSY);
    assert_null(server);
    http_config(&config);
    config.host = "192.0.2.1"; /* not ours */
    assert_int_equal(sg_http_server_new(&config, ROUTES, &server), SG_BADREQUEST);
    config.host = "no.such.host.invalid";
    assert_int_equal(sg_http_server_new(&config, ROUTES, &server), SG_BADREQUEST);
    http_config(&config);
    config.max_connections = SG_HTTP_MAX_CONNECTIONS + 1;
    assert_int_equal(sg_http_server_new(&config, ROUTES, &server), SG_BADREQUEST);
    http_stop(&f);
}

static void refuses_routes_that_make_no_sense(void **state)
{
    (void)state;
    static const sg_ws_handler ws = {NULL, NULL, NULL};
    static const sg_http_route bad[] = {
        {SG_HTTP_GET, "/a", NULL, NULL, NULL, 0},
        {SG_HTTP_GET, "/a", get_hello, &ws, NULL, 0},
        {SG_HTTP_POST, "/a", NULL, &ws, NULL, 0},
        {SG_HTTP_GET, "a", get_hello, NULL, NULL, 0},
        {SG_HTTP_GET, "/{a*}/b", get_hello, NULL, NULL, 0},
        {SG_HTTP_GET, "/x{a}", get_hello, NULL, NULL, 0},
        {SG_HTTP_GET, "/{a}/{b}/{c}/{d}/{e}", get_hello, NULL, NULL, 0},
    };
    sg_http_config config;
    sg_http_server *server;
    http_config(&config);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sg_http_server_new(&config, &bad[i], 1, &server), SG_BADREQUEST);
}

/* ---- the log ---- */

static struct {
    uv_mutex_t mutex;
    int n;
    int status[4];
    char pattern[4][32];
} done;

static void on_done(void *ctx, const sg_http_done *d)
{
    assert_ptr_equal(ctx, &done);
    uv_mutex_lock(&done.mutex);
    done.status[done.n] = d->status;
    snprintf(done.pattern[done.n], sizeof done.pattern[0], "%s",
             d->pattern != NULL ? d->pattern : "-");
    done.n++;
    uv_mutex_unlock(&done.mutex);
}

static void tells_what_was_answered(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.done = on_done;
    config.ctx = &done;
    http_start(&f, &config, ROUTES);
    http_client c = http_connect(&f);
    http_say(&c, GET("/view/1/of/2") GET("/nothing") "GET rubbish HTTP/1.1\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        http_reply r = http_read(&c);
        http_reply_free(&r);
    }
    http_close(&c);
    http_stop(&f);
    assert_int_equal(done.n, 3);
    assert_int_equal(done.status[0], 200);
    assert_string_equal(done.pattern[0], "/view/{a}/of/{b}");
    assert_int_equal(done.status[1], 404);
    assert_string_equal(done.pattern[1], "-");
    assert_int_equal(done.status[2], 400);
}

/* ---- stopping ---- */

static void stopping_finishes_what_is_in_flight(void **state)
{
    (void)state;
    http_fixture f;
    start(&f);
    http_client idle = http_connect(&f);
    http_say(&idle, GET("/hello"));
    expect_body(&idle, "hello");
    http_client c = http_connect(&f);
    http_say(&c, GET("/later"));
    uint64_t id = take_later();
    sg_http_server_stop(f.server);
    assert_true(http_at_end(&idle)); /* so it has begun to stop */
    answer_text(f.http, id, "last words");
    http_reply r = http_read(&c);
    assert_string_equal(r.body, "last words");
    assert_string_equal(http_header(&r, "connection"), "close");
    http_reply_free(&r);
    http_close(&c);
    http_close(&idle);
    http_join(&f);
    sg_http_server_free(f.server);
}

static void stopping_does_not_wait_for_ever(void **state)
{
    (void)state;
    http_fixture f;
    sg_http_config config;
    http_config(&config);
    config.stop_timeout_ms = 50;
    http_start(&f, &config, ROUTES);
    http_client c = http_connect(&f);
    http_say(&c, GET("/later"));
    uint64_t id = take_later();
    sg_http_server_stop(f.server);
    http_join(&f);
    assert_true(http_at_end(&c));
    answer_text(f.http, id, "too late"); /* still allowed: freed with the server */
    sg_http_server_free(f.server);
    http_close(&c);
}

static void a_server_that_never_ran_can_be_freed(void **state)
{
    (void)state;
    sg_http_config config;
    sg_http_server *server;
    http_config(&config);
    assert_int_equal(sg_http_server_new(&config, ROUTES, &server), SG_OK);
    sg_http_server_free(server);
}

/* ---- memory ---- */

static void starting_without_memory_fails_cleanly(void **state)
{
    (void)state;
    sg_http_config config;
    sg_http_server *server;
    http_config(&config);
    int err = SG_NOMEM;
    for (size_t n = 1; err != SG_OK; n++) {
        sg_mem_fail_at(n, 0);
        err = sg_http_server_new(&config, ROUTES, &server);
        sg_mem_fail_at(0, 0);
        assert_true(err == SG_OK || err == SG_NOMEM);
    }
    sg_http_server_free(server);
}

static void running_without_memory_loses_single_requests_only(void **state)
{
    (void)state;
    static const char request[] =
        "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Encoding: zstd\r\nConnection: close\r\n"
        "Accept-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    char text[3000];
    char coded[3000];
    char size[16];
    http_fixture f;
    memset(text, 'x', sizeof text);
    size_t n = ZSTD_compress(coded, sizeof coded, text, sizeof text, 1);
    snprintf(size, sizeof size, "%zx\r\n", n);
    start(&f);
    for (size_t fail = 1; fail < 40; fail++) {
        sg_mem_fail_at(fail, 0);
        http_client c = http_connect(&f);
        http_say(&c, request);
        http_say(&c, size);
        http_send(&c, coded, n);
        http_say(&c, "\r\n0\r\n\r\n");
        http_reply r = http_read(&c);
        assert_true(r.status == 0 || r.status == 200 || r.status == 503);
        http_reply_free(&r);
        http_close(&c);
        sg_mem_fail_at(0, 0);
        assert_int_equal(http_status_of(&f, GET("/hello")), 200);
    }
    http_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_connection_for_the_next_request),
        cmocka_unit_test(takes_a_request_byte_by_byte),
        cmocka_unit_test(answers_pipelined_requests_in_order),
        cmocka_unit_test(pipelines_more_than_the_client_reads),
        cmocka_unit_test(answers_a_client_that_has_closed_its_side),
        cmocka_unit_test(closes_when_http_1_0_or_the_client_wants_it),
        cmocka_unit_test(head_has_the_length_but_no_body),
        cmocka_unit_test(gives_the_handler_path_query_and_peer),
        cmocka_unit_test(trusts_a_forwarded_address_only_when_told_to),
        cmocka_unit_test(echoes_a_request_id_or_makes_one),
        cmocka_unit_test(unknown_paths_and_methods_are_json_errors),
        cmocka_unit_test(a_header_that_would_split_the_answer_is_not_sent),
        cmocka_unit_test(takes_chunked_bodies_with_trailers),
        cmocka_unit_test(says_continue_before_a_body_it_will_take),
        cmocka_unit_test(decompresses_request_bodies),
        cmocka_unit_test(compresses_what_the_client_takes),
        cmocka_unit_test(any_origin_may_read_by_default),
        cmocka_unit_test(only_configured_origins_may_read_when_there_are_some),
        cmocka_unit_test(any_thread_may_answer),
        cmocka_unit_test(an_answer_after_the_client_has_gone_is_dropped),
        cmocka_unit_test(a_second_answer_is_dropped),
        cmocka_unit_test(listens_on_ipv6),
        cmocka_unit_test(serves_every_address_of_a_name_on_one_port),
        cmocka_unit_test(says_why_it_cannot_listen),
        cmocka_unit_test(refuses_routes_that_make_no_sense),
        cmocka_unit_test(tells_what_was_answered),
        cmocka_unit_test(stopping_finishes_what_is_in_flight),
        cmocka_unit_test(stopping_does_not_wait_for_ever),
        cmocka_unit_test(a_server_that_never_ran_can_be_freed),
        cmocka_unit_test(starting_without_memory_fails_cleanly),
        cmocka_unit_test(running_without_memory_loses_single_requests_only),
    };
    uv_mutex_init(&later.mutex);
    uv_cond_init(&later.cond);
    uv_mutex_init(&done.mutex);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
