/*
 * Counters for /metrics, in Prometheus' text format.
 *
 * Threads: any.
 */
#ifndef SG_METRICS_H
#define SG_METRICS_H

#include "base/buf.h"
#include "server/http.h"

/* Pairs of route and status; what is beyond counts as "other". */
#define SG_METRICS_SERIES_MAX 256u

typedef struct sg_metrics sg_metrics;

/* A gauge or counter that others keep. */
typedef struct sg_metric {
    const char *name;
    const char *type; /* "counter" or "gauge" */
    const char *help;
    uint64_t value;
} sg_metric;

sg_metrics *sg_metrics_new(void);
void sg_metrics_free(sg_metrics *m);
/* pattern: of the route, NULL if none matched; it must live as long as the metrics. */
void sg_metrics_request(sg_metrics *m, enum sg_http_method method, const char *pattern, int status,
                        uint64_t micros);
/* From the arrival of a push to its answer. */
void sg_metrics_push(sg_metrics *m, uint64_t micros);
/* All of it, and what others keep. */
void sg_metrics_write(sg_metrics *m, const sg_metric *more, size_t n, sg_buf *out);

#endif
