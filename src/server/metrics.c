#include "server/metrics.h"

#include <pthread.h>

#include "base/mem.h"

/* Upper bounds of the latency buckets. */
static const struct bound {
    uint64_t micros;
    const char *seconds;
} bounds[] = {{500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
              {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
              {250000, "0.25"}, {1000000, "1"},   {5000000, "5"}};
#define BOUNDS (sizeof bounds / sizeof *bounds)

typedef struct histogram {
    uint64_t below[BOUNDS + 1]; /* not cumulated; the last is beyond all bounds */
    uint64_t count;
    uint64_t sum_us;
} histogram;

typedef struct series {
    enum sg_http_method method;
    const char *pattern;
    int status;
    uint64_t count;
} series;

struct sg_metrics {
    pthread_mutex_t lock;
    series requests[SG_METRICS_SERIES_MAX];
    size_t request_count;
    histogram latency;
    histogram push;
};

sg_metrics *sg_metrics_new(void)
{
    sg_metrics *m = sg_zalloc(sizeof *m);
    if (m != NULL) (void)pthread_mutex_init(&m->lock, NULL);
    return m;
}

void sg_metrics_free(sg_metrics *m)
{
    if (m == NULL) return;
    (void)pthread_mutex_destroy(&m->lock);
    sg_free(m);
}

static void observe(histogram *h, uint64_t micros)
{
    size_t i = 0;
    while (i < BOUNDS && micros > bounds[i].micros)
        i++;
    h->below[i]++;
    h->count++;
    h->sum_us += micros;
}

static series *series_of(sg_metrics *m, enum sg_http_method method, const char *pattern, int status)
{
    for (size_t i = 0; i < m->request_count; i++) {
        series *s = &m->requests[i];
        if (s->pattern == pattern && s->method == method && s->status == status) return s;
    }
    bool last = m->request_count + 1 == SG_METRICS_SERIES_MAX;
    if (m->request_count == SG_METRICS_SERIES_MAX) return &m->requests[m->request_count - 1];
    series *s = &m->requests[m->request_count++];
    *s = (series){
        .method = method, .pattern = last ? "other" : pattern, .status = last ? 0 : status};
    return s;
}

void sg_metrics_request(sg_metrics *m, enum sg_http_method method, const char *pattern, int status,
                        uint64_t micros)
{
    (void)pthread_mutex_lock(&m->lock);
    series_of(m, method, pattern != NULL ? pattern : "none", status)->count++;
    observe(&m->latency, micros);
    (void)pthread_mutex_unlock(&m->lock);
}

void sg_metrics_push(sg_metrics *m, uint64_t micros)
{
    (void)pthread_mutex_lock(&m->lock);
    observe(&m->push, micros);
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- writing ---- */

static void put_head(sg_buf *out, const char *name, const char *type, const char *help)
{
    const char *parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sg_buf_str(out, parts[i]);
}

static void put_line(sg_buf *out, uint64_t value)
{
    sg_buf_byte(out, ' ');
    sg_buf_int(out, (int64_t)value);
    sg_buf_byte(out, '\n');
}

/* Microseconds as seconds with six digits. */
static void put_seconds(sg_buf *out, uint64_t micros)
{
    sg_buf_byte(out, ' ');
    sg_buf_int(out, (int64_t)(micros / 1000000));
    sg_buf_byte(out, '.');
    for (uint64_t unit = 100000; unit != 0; unit /= 10)
        sg_buf_byte(out, (uint8_t)('0' + micros / unit % 10));
    sg_buf_byte(out, '\n');
}

static void put_histogram(sg_buf *out, const char *name, const char *help, const histogram *h)
{
    uint64_t sum = 0;
    put_head(out, name, "histogram", help);
    for (size_t i = 0; i <= BOUNDS; i++) {
        sum += h->below[i];
        sg_buf_str(out, name);
        sg_buf_str(out, "_bucket{le=\"");
        sg_buf_str(out, i < BOUNDS ? bounds[i].seconds : "+Inf");
        sg_buf_str(out, "\"}");
        put_line(out, sum);
    }
    sg_buf_str(out, name);
    sg_buf_str(out, "_sum");
    put_seconds(out, h->sum_us);
    sg_buf_str(out, name);
    sg_buf_str(out, "_count");
    put_line(out, h->count);
}

static void put_requests(sg_buf *out, const sg_metrics *m)
{
    put_head(out, "sigla_http_requests_total", "counter", "Requests answered.");
    for (size_t i = 0; i < m->request_count; i++) {
        const series *s = &m->requests[i];
        sg_buf_str(out, "sigla_http_requests_total{method=\"");
        sg_buf_str(out, sg_http_method_name(s->method));
        sg_buf_str(out, "\",route=\"");
        sg_buf_str(out, s->pattern);
        sg_buf_str(out, "\",status=\"");
        sg_buf_int(out, s->status);
        sg_buf_str(out, "\"}");
        put_line(out, s->count);
    }
}

void sg_metrics_write(sg_metrics *m, const sg_metric *more, size_t n, sg_buf *out)
{
    (void)pthread_mutex_lock(&m->lock);
    put_requests(out, m);
    put_histogram(out, "sigla_http_request_seconds", "From a request's first byte to its answer.",
                  &m->latency);
    put_histogram(out, "sigla_push_seconds", "From a push's arrival to its answer.", &m->push);
    (void)pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        put_head(out, more[i].name, more[i].type, more[i].help);
        sg_buf_str(out, more[i].name);
        put_line(out, more[i].value);
    }
}
