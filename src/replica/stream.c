/* Reading server-sent events (WHATWG HTML, "Server-sent events") and applying what they bring. */
#include "replica/stream.h"

#include "base/mem.h"
#include "replica/intern.h"
#include "wire/json.h"

static void stream_init(sg_stream *st, uint32_t app)
{
    *st = (sg_stream){.app = app};
    sg_buf_init(&st->line, SG_STREAM_EVENT_MAX);
    sg_buf_init(&st->data, SG_STREAM_EVENT_MAX);
    sg_buf_init(&st->event, 64);
    sg_buf_init(&st->held.pages, SG_CATCHUP_BYTES_MAX + SG_STREAM_EVENT_MAX + 16);
}

void sg_stream_deinit(sg_stream *st)
{
    sg_buf_deinit(&st->line);
    sg_buf_deinit(&st->data);
    sg_buf_deinit(&st->event);
    sg_buf_deinit(&st->held.pages);
}

static void clear(sg_stream *st)
{
    sg_buf_clear(&st->line);
    sg_buf_clear(&st->data);
    sg_buf_clear(&st->event);
    sg_buf_clear(&st->held.pages);
}

/* Find or make the stream for the index-th app. */
static int open_stream(sigla_session *s, int index)
{
    int err = SG_OK;
    uint32_t app = 0;
    for (int i = 0; i <= index && err == SG_OK; i++) {
        app = sg_app_after(s->r, app, &err);
        if (app == 0 && err == SG_OK) return SG_NOTFOUND;
    }
    if (err != SG_OK) return err;
    if (index >= s->stream_count) {
        sg_stream *streams = sg_realloc(s->streams, (size_t)(index + 1) * sizeof *streams);
        if (streams == NULL) return SG_NOMEM;
        s->streams = streams;
        while (s->stream_count <= index)
            stream_init(&s->streams[s->stream_count++], app);
    }
    clear(&s->streams[index]);
    s->streams[index].app = app;
    return SG_OK;
}

int sigla_session_stream_request(sigla_session *s, int index, sigla_action *out)
{
    if (s->out || index < 0) return SIGLA_MISUSE;
    s->r->message[0] = '\0';
    int err = open_stream(s, index);
    if (err != SG_OK) return err;
    sg_app_load(s->r, s->streams[index].app, &s->place, &err);
    s->streams[index].held.from_seq = sg_app_stands(&s->place);
    sg_session_url(s, "/stream?v=2&since=", &err);
    sg_buf_str(&s->url, s->place.cursor);
    sg_buf_str(&s->url, "&client=");
    sg_buf_slice(&s->url, sg_client_text(s->r, sg_self_client(s->r, &err), &err));
    sg_session_headers(s, false, &err);
    s->headers[2] = "Accept-Encoding: identity";
    s->headers[3] = "Accept: text/event-stream";
    if (err == SG_OK && sg_buf_cstr(&s->url) == NULL) err = s->url.err;
    if (err != SG_OK) return err;
    *out = (sigla_action){.kind = SIGLA_REQUEST,
                          .method = "GET",
                          .url = sg_buf_cstr(&s->url),
                          .headers = s->headers,
                          .message = ""};
    return SIGLA_OK;
}

static void take_changes(sigla_session *s, sg_stream *st, int *err)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_page page;
    sg_slice json = sg_buf_view(&st->data);
    *err = sg_page_open(&page, json, &arena);
    sg_session_page(s, &st->held, st->app, &page, json, SG_AT_MAX_US, err);
    /* The stream begins again where the database has got to. */
    if (*err == SG_OK && st->held.passed)
        *err = sg_replica_fail(s->r, SG_BUSY, "everything is being pulled anew");
    if (*err == SG_OK && st->held.pages.n == 0) st->held.from_seq = page.synced_seq;
    sg_arena_deinit(&arena);
}

static void take_event(sigla_session *s, sg_stream *st, int *err)
{
    sg_slice event = sg_buf_view(&st->event);
    if (sg_slice_eq(event, SG_LIT("changes")) && st->data.n != 0)
        take_changes(s, st, err);
    else if (sg_slice_eq(event, SG_LIT("resync")))
        sigla_session_wake(s);
    sg_buf_clear(&st->event);
    sg_buf_clear(&st->data);
}

static void take_line(sigla_session *s, sg_stream *st, int *err)
{
    sg_slice line = sg_buf_view(&st->line);
    if (line.n != 0 && line.p[line.n - 1] == '\r') line.n--;
    if (line.n == 0) {
        take_event(s, st, err);
        return;
    }
    const char *colon = memchr(line.p, ':', line.n);
    size_t name_n = colon != NULL ? (size_t)(colon - line.p) : line.n;
    sg_slice name = sg_slice_of(line.p, name_n);
    sg_slice value = sg_slice_of(line.p + name_n, line.n - name_n);
    if (value.n != 0) value = sg_slice_of(value.p + 1, value.n - 1);
    if (value.n != 0 && value.p[0] == ' ') value = sg_slice_of(value.p + 1, value.n - 1);
    if (sg_slice_eq(name, SG_LIT("event"))) {
        sg_buf_clear(&st->event);
        sg_buf_slice(&st->event, value);
    } else if (sg_slice_eq(name, SG_LIT("data"))) {
        if (st->data.n != 0) sg_buf_byte(&st->data, '\n');
        sg_buf_slice(&st->data, value);
    }
    *err = st->event.err == SG_NOMEM ? SG_NOMEM : st->data.err;
    if (st->event.err != SG_OK) sg_buf_clear(&st->event); /* a name we do not know anyway */
}

int sigla_session_stream(sigla_session *s, int index, const void *bytes, size_t n)
{
    if (index < 0 || index >= s->stream_count) return SIGLA_MISUSE;
    s->r->message[0] = '\0';
    sg_stream *st = &s->streams[index];
    const char *p = bytes;
    int err = SG_OK;
    while (n != 0 && err == SG_OK) {
        const char *end = memchr(p, '\n', n);
        size_t part = end != NULL ? (size_t)(end - p) : n;
        sg_buf_put(&st->line, p, part);
        err = st->line.err;
        if (end != NULL && err == SG_OK) {
            take_line(s, st, &err);
            sg_buf_clear(&st->line);
            part++;
        }
        p += part;
        n -= part;
    }
    /* What was not taken must not be skipped: the caller ends the stream and opens it anew, from
     * the cursor as it stands. */
    if (err != SG_OK) clear(st);
    return err;
}

void sigla_session_stream_end(sigla_session *s, int index)
{
    if (index >= 0 && index < s->stream_count) clear(&s->streams[index]);
}
