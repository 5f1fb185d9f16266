/*
 * Any bytes as the frames of a client whose WebSocket is open.
 *
 * Checked: messages are valid UTF-8 and within their bound, and the same however the bytes are cut;
 * an end is told once, with a code.
 */
#include "../lib/http_feed.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static http_feed feeds[2];

static int on_open(void *ctx, const sg_http *http, const sg_http_req *req, void **user)
{
    (void)ctx;
    (void)req;
    feed_of(http->impl)->has_ws = true;
    *user = feed_of(http->impl);
    return SG_OK;
}

static void on_text(void *user, const sg_http *http, uint64_t id, sg_slice text)
{
    http_feed *f = user;
    (void)http;
    (void)id;
    feed_require(text.n <= SG_WS_MAX_MESSAGE, "a message is bounded");
    feed_require(sg_utf8_valid(text), "a message is UTF-8");
    sg_buf_lenslice(&f->heard, text);
}

/* When, and of two broken rules which one, depends on how the bytes are cut: not compared. */
static void on_closed(void *user, const sg_http *http, uint64_t id, int code)
{
    http_feed *f = user;
    (void)http;
    (void)id;
    feed_require(code >= 1000 && code < 5000, "a close code is one");
    feed_require(f->has_ws, "an end is told once");
    f->has_ws = false;
}

static const sg_ws_handler ws = {on_open, on_text, on_closed};
static const sg_http_route routes[] = {{SG_HTTP_GET, "/ws", NULL, &ws, NULL, 0}};

static void play(http_feed *f, sg_slice frames, uint32_t piece)
{
    static const char handshake[] = "GET /ws HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    feed_require(feed_init(f, routes, 1, (uint32_t)frames.n), "there is memory");
    feed_piece(f, SG_LIT(handshake));
    feed_require(f->conn.state == SG_CONN_WS, "the handshake is taken");
    feed_all(f, frames, piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice frames = sg_slice_of((const char *)data, size);
    play(&feeds[0], frames, UINT32_MAX);
    play(&feeds[1], frames, 5);
    feed_require(sg_slice_eq(sg_buf_view(&feeds[0].heard), sg_buf_view(&feeds[1].heard)),
                 "messages are the same however the bytes are cut");
    for (int i = 0; i < 2; i++) {
        feed_deinit(&feeds[i]);
        feed_require(!feeds[i].has_ws, "an end is told");
    }
    return 0;
}
