/* ISO-8601 UTC text of a stamp and back. Pure arithmetic (Howard Hinnant's civil-days algorithm).
 */
#ifndef SG_TIME_H
#define SG_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SG_TIME_TEXT_MAX 28 /* "9999-12-31T23:59:59.999999Z" and a NUL */

/* "2026-01-02T03:04:05.678Z", or with six digits when the microseconds ask for them, so that a
 * stamp sent with three comes back as it was sent. Returns the length, out is NUL-terminated. */
size_t sg_time_format(int64_t at_us, char out[SG_TIME_TEXT_MAX]);
/* Accepts YYYY-MM-DDTHH:MM:SS[.1-9 digits](Z|+HH:MM|-HH:MM), years 1970..9999. */
bool sg_time_parse(sg_slice text, int64_t *at_us);

#endif
