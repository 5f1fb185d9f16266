#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_STEP 65536

/* ---- server ---- */

void http_config(sg_http_config *config)
{
    sg_http_config_init(config);
    config->max_connections = 256;
    config->idle_timeout_ms = HTTP_WAIT_MS;
    config->heartbeat_ms = HTTP_WAIT_MS;
    config->answer_timeout_ms = HTTP_WAIT_MS;
    config->write_timeout_ms = HTTP_WAIT_MS;
}

static void run(void *arg)
{
    http_fixture *f = arg;
    f->run_result = sg_http_server_run(f->server);
}

void http_start(http_fixture *f, const sg_http_config *config, const sg_http_route *routes,
                size_t n)
{
    sg_http_config defaults;
    http_config(&defaults);
    *f = (http_fixture){0};
    int err = sg_http_server_new(config != NULL ? config : &defaults, routes, n, &f->server);
    assert_string_equal(sg_err_code(err), "ok");
    f->http = sg_http_server_http(f->server);
    assert_int_equal(uv_thread_create(&f->thread, run, f), 0);
    f->is_running = true;
}

void http_join(http_fixture *f)
{
    if (f->is_running) uv_thread_join(&f->thread);
    f->is_running = false;
    assert_int_equal(f->run_result, SG_OK);
}

void http_stop(http_fixture *f)
{
    sg_http_server_stop(f->server);
    http_join(f);
    sg_http_server_free(f->server);
    f->server = NULL;
}

sg_http_stats http_stats(const http_fixture *f)
{
    sg_http_stats stats;
    sg_http_server_stats(f->server, &stats);
    return stats;
}

/* ---- client ---- */

static http_client connect_with(const http_fixture *f, int receive_buffer)
{
    http_client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(sg_http_server_port(f->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = HTTP_WAIT_MS / 1000};
    assert_true(c.fd >= 0);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (receive_buffer != 0)
        setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof to), 0);
    return c;
}

http_client http_connect(const http_fixture *f)
{
    return connect_with(f, 0);
}

http_client http_connect_small(const http_fixture *f)
{
    return connect_with(f, 4096);
}

void http_close(http_client *c)
{
    close(c->fd);
    free(c->in);
    *c = (http_client){.fd = -1};
}

void http_send(http_client *c, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n != 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            assert_true(sent < 0 && (errno == EPIPE || errno == ECONNRESET));
            return;
        }
        p += sent;
        n -= (size_t)sent;
    }
}

void http_say(http_client *c, const char *text)
{
    http_send(c, text, strlen(text));
}

/* More input; false at the end of the connection. Waiting too long fails the test. */
static bool more(http_client *c)
{
    if (c->in_cap - c->in_len <= READ_STEP) {
        c->in_cap = 2 * (c->in_cap + READ_STEP);
        c->in = realloc(c->in, c->in_cap);
        assert_non_null(c->in);
    }
    ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len - 1, 0);
    if (n < 0 && errno == EAGAIN) fail_msg("nothing came from the server in time");
    if (n <= 0) return false;
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    return true;
}

static char *cut(http_client *c, size_t n)
{
    char *out = malloc(n + 1);
    assert_non_null(out);
    if (n != 0) memcpy(out, c->in, n);
    out[n] = '\0';
    c->in_len -= n;
    if (c->in != NULL) memmove(c->in, c->in + n, c->in_len);
    return out;
}

char *http_take(http_client *c, size_t n)
{
    while (c->in_len < n) {
        if (!more(c)) fail_msg("the connection ended after %zu of %zu bytes", c->in_len, n);
    }
    return cut(c, n);
}

char *http_until(http_client *c, const char *text)
{
    for (;;) {
        const char *at = c->in_len != 0 ? memmem(c->in, c->in_len, text, strlen(text)) : NULL;
        if (at != NULL) return cut(c, (size_t)(at - c->in) + strlen(text));
        if (!more(c)) return NULL;
    }
}

static http_reply read_reply(http_client *c, bool with_body)
{
    http_reply r = {.head = http_until(c, "\r\n\r\n")};
    if (r.head == NULL) return r;
    assert_memory_equal(r.head, "HTTP/1.1 ", 9);
    r.status = atoi(r.head + 9);
    const char *length = http_header(&r, "content-length");
    if (length != NULL && with_body) r.body_len = (size_t)atol(length);
    r.body = http_take(c, r.body_len);
    return r;
}

http_reply http_read(http_client *c)
{
    return read_reply(c, true);
}

http_reply http_read_head(http_client *c)
{
    return read_reply(c, false);
}

void http_reply_free(http_reply *r)
{
    free(r->head);
    free(r->body);
    *r = (http_reply){0};
}

const char *http_header(const http_reply *r, const char *name)
{
    static _Thread_local char value[1024];
    size_t n = strlen(name);
    for (const char *line = strstr(r->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) != 0 || line[n] != ':') continue;
        size_t len = strcspn(line + n + 2, "\r");
        assert_true(len < sizeof value);
        memcpy(value, line + n + 2, len);
        value[len] = '\0';
        return value;
    }
    return NULL;
}

bool http_at_end(http_client *c)
{
    return c->in_len == 0 && !more(c);
}

int http_status_of(const http_fixture *f, const char *request)
{
    http_client c = http_connect(f);
    http_say(&c, request);
    http_reply r = http_read(&c);
    int status = r.status;
    http_reply_free(&r);
    http_close(&c);
    return status;
}

void http_assert_refused(http_client *c, int status, const char *code)
{
    char expected[128];
    snprintf(expected, sizeof expected, "{\"error\":{\"code\":\"%s\",", code);
    http_reply r = http_read(c);
    assert_int_equal(r.status, status);
    if (strncmp(r.body, expected, strlen(expected)) != 0)
        fail_msg("the body is %s, expected %s...", r.body, expected);
    http_reply_free(&r);
}
