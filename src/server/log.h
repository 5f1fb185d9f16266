/*
 * Log lines on stderr: time=… level=… event=… key=value …
 *
 *     sg_log line;
 *     sg_log_begin(&line, SG_LOG_WARN, "commit_failed");
 *     sg_log_text(&line, "code", sg_slice_str(sg_err_code(err)));
 *     sg_log_int(&line, "pushes", n);
 *     sg_log_end(&line);
 *
 * Never a token, a key or a field's value. Threads: lines from different threads don't mix.
 */
#ifndef SG_LOG_H
#define SG_LOG_H

#include "base/buf.h"

enum sg_log_level { SG_LOG_INFO, SG_LOG_WARN, SG_LOG_ERROR };

typedef struct sg_log {
    sg_buf line;
} sg_log;

void sg_log_begin(sg_log *l, enum sg_log_level level, const char *event);
void sg_log_text(sg_log *l, const char *key, sg_slice text); /* quoted if it has to be */
void sg_log_int(sg_log *l, const char *key, int64_t v);
void sg_log_end(sg_log *l);
/* A line with an error code alone. */
void sg_log_error(const char *event, int err);

#endif
