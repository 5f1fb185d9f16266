/* Spans of time as people write them. */
#ifndef SG_DURATION_H
#define SG_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#define SG_DURATION_MAX_DAYS 36500

/* "500ms", "30s", "15m", "12h", "90d", "0"; at most SG_DURATION_MAX_DAYS. */
bool sg_duration_parse(const char *text, int64_t *us);

#endif
