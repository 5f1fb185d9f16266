#include "fetch.h"

#include <curl/curl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "meter.h"
#include "text.h"

#define REQUEST (-1)
#define HEADERS_MAX 32
#define IDLE_REUSE_S                                                                               \
    15L /* a connection idle for longer may be dead: a POST would be sent twice                    \
         */

typedef struct transfer {
    sg_fetch *owner;
    CURL *easy; /* NULL: unused */
    struct curl_slist *headers;
    int index; /* REQUEST, or the stream's */
    int64_t silence_ms;
    int64_t moved_ms; /* when the last byte moved */
    curl_off_t moved; /* bytes, both ways */
    bool silent;      /* given up for silence */
    bool too_big;
    char error[CURL_ERROR_SIZE];
} transfer;

struct sg_fetch {
    CURLM *multi;
    sg_fetch_events events;
    transfer request;
    transfer streams[SG_FETCH_STREAMS];
    sg_buf body;
    sg_fetched fetched;
    bool ended; /* the request has, and nobody has taken it yet */
    bool fresh; /* the last request was lost: do not trust old connections */
    char why[CURL_ERROR_SIZE];
};

/* ---- what curl calls ---- */

static size_t on_bytes(char *p, size_t size, size_t n, void *ctx)
{
    transfer *t = ctx;
    long status = 0;
    size_t bytes = size * n;
    if (t->index == REQUEST) {
        sg_buf_put(&t->owner->body, p, bytes);
        t->too_big = t->owner->body.err != SG_OK;
        return t->too_big ? 0 : bytes;
    }
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        t->owner->events.bytes(t->owner->events.ctx, t->index, sg_slice_of(p, bytes));
    return bytes;
}

/* Called now and then whether bytes move or not: the place to notice that none do. */
static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    transfer *t = ctx;
    (void)down_total;
    (void)up_total;
    int64_t now = sg_meter_now_ms();
    if (down + up != t->moved) {
        t->moved = down + up;
        t->moved_ms = now;
    }
    t->silent = now - t->moved_ms > t->silence_ms;
    return t->silent ? 1 : 0;
}

/* ---- one transfer ---- */

static bool is_loopback(const char *url)
{
    CURLU *parts = curl_url();
    char *host = NULL;
    bool loopback = false;
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        loopback = strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                   strcmp(host, "[::1]") == 0;
    curl_free(host);
    curl_url_cleanup(parts);
    return loopback;
}

static bool add_header(transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more == NULL) return false;
    t->headers = more;
    return true;
}

static bool set_headers(transfer *t, const sigla_action *request)
{
    bool encoding = false;
    /* An empty value takes a header of curl's own away. */
    bool ok = add_header(t, "Expect:");
    for (int i = 0; ok && request->headers != NULL && request->headers[i] != NULL; i++) {
        if (i == HEADERS_MAX) return false;
        encoding = encoding || strncasecmp(request->headers[i], "Accept-Encoding:", 16) == 0;
        ok = add_header(t, request->headers[i]);
    }
    /* Events of a stream are small and must not wait in a compressor. */
    if (ok && !encoding && t->index == REQUEST) ok = add_header(t, "Accept-Encoding: zstd, gzip");
    return ok && curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

static bool set_body(transfer *t, const sigla_action *request)
{
    if (strcmp(request->method, "GET") == 0) return true;
    return curl_easy_setopt(t->easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)request->body_bytes) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS,
                            request->body_bytes != 0 ? request->body : "") == CURLE_OK;
}

static void set_behaviour(transfer *t)
{
    CURL *e = t->easy;
    int64_t connect_ms = t->silence_ms < SG_FETCH_CONNECT_MS ? t->silence_ms : SG_FETCH_CONNECT_MS;
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    (void)curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, IDLE_REUSE_S);
    (void)curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(e, CURLOPT_USERAGENT, "sigla/" SIGLA_VERSION);
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(e, CURLOPT_XFERINFODATA, t);
    (void)curl_easy_setopt(e, CURLOPT_PRIVATE, t);
}

static void end_transfer(transfer *t)
{
    if (t->easy != NULL) {
        (void)curl_multi_remove_handle(t->owner->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    t->easy = NULL;
    t->headers = NULL;
}

static int begin(sg_fetch *f, transfer *t, int index, const sigla_action *request,
                 int64_t silence_ms)
{
    *t = (transfer){.owner = f,
                    .index = index,
                    .silence_ms = silence_ms,
                    .moved_ms = sg_meter_now_ms(),
                    .easy = curl_easy_init()};
    if (t->easy == NULL) return SG_NOMEM;
    set_behaviour(t);
    bool fresh = f->fresh && index == REQUEST;
    (void)curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    if (is_loopback(request->url)) (void)curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
    int err = curl_easy_setopt(t->easy, CURLOPT_URL, request->url) == CURLE_OK &&
                      set_headers(t, request) && set_body(t, request) &&
                      curl_multi_add_handle(f->multi, t->easy) == CURLM_OK
                  ? SG_OK
                  : SG_NOMEM;
    if (err != SG_OK) end_transfer(t);
    return err;
}

static const char *why_of(const transfer *t, CURLcode code)
{
    if (t->silent) return "the server has stopped answering";
    if (t->too_big) return "the answer is larger than sigla takes";
    return t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
}

/* ---- all of them ---- */

sg_fetch *sg_fetch_new(const sg_fetch_events *events)
{
    sg_fetch *f = sg_zalloc(sizeof *f);
    if (f == NULL) return NULL;
    if (events != NULL) f->events = *events;
    sg_buf_init(&f->body, SG_FETCH_BODY_MAX);
    f->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
    if (f->multi != NULL) return f;
    sg_free(f);
    return NULL;
}

void sg_fetch_free(sg_fetch *f)
{
    if (f == NULL) return;
    end_transfer(&f->request);
    for (int i = 0; i < SG_FETCH_STREAMS; i++)
        end_transfer(&f->streams[i]);
    (void)curl_multi_cleanup(f->multi);
    sg_buf_deinit(&f->body);
    sg_free(f);
}

int sg_fetch_start(sg_fetch *f, const sigla_action *request, int64_t silence_ms)
{
    sg_buf_clear(&f->body);
    f->ended = false;
    return begin(f, &f->request, REQUEST, request, silence_ms);
}

static void request_ended(sg_fetch *f, transfer *t, CURLcode code)
{
    long status = 0;
    curl_off_t after_s = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after_s);
    sg_text_copy(f->why, sizeof f->why, why_of(t, code));
    f->fetched = (sg_fetched){.arrived = code == CURLE_OK,
                              .status = (int)status,
                              .retry_after_ms = (int64_t)after_s * 1000,
                              .body = sg_buf_view(&f->body),
                              .why = f->why};
    f->fresh = code != CURLE_OK;
    f->ended = true;
    end_transfer(t);
}

static void stream_ended(sg_fetch *f, transfer *t, CURLcode code)
{
    long status = 0;
    int index = t->index;
    char why[CURL_ERROR_SIZE];
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    sg_text_copy(why, sizeof why, code == CURLE_OK ? "the server ended it" : why_of(t, code));
    /* First, so that the event may open it again. */
    end_transfer(t);
    f->events.ended(f->events.ctx, index, (int)status, why);
}

static void handle_ended(sg_fetch *f)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left)) != NULL;) {
        transfer *t = NULL;
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        if (t->index == REQUEST)
            request_ended(f, t, code);
        else
            stream_ended(f, t, code);
    }
}

void sg_fetch_poll(sg_fetch *f, int64_t wait_ms)
{
    int running;
    (void)curl_multi_perform(f->multi, &running);
    handle_ended(f);
    if (f->ended || wait_ms <= 0) return;
    (void)curl_multi_poll(f->multi, NULL, 0, (int)wait_ms, NULL);
    (void)curl_multi_perform(f->multi, &running);
    handle_ended(f);
}

bool sg_fetch_take(sg_fetch *f, sg_fetched *out)
{
    if (!f->ended) return false;
    f->ended = false;
    *out = f->fetched;
    return true;
}

int64_t sg_fetch_moved_ms(const sg_fetch *f)
{
    return f->request.moved_ms;
}

int sg_fetch_open_stream(sg_fetch *f, int index, const sigla_action *request)
{
    if (index < 0 || index >= SG_FETCH_STREAMS) return SG_LIMIT;
    end_transfer(&f->streams[index]);
    return begin(f, &f->streams[index], index, request, SG_FETCH_STREAM_SILENCE_MS);
}

void sg_fetch_close_stream(sg_fetch *f, int index)
{
    if (index >= 0 && index < SG_FETCH_STREAMS) end_transfer(&f->streams[index]);
}
