/* The one place where the server reads clocks. */
#ifndef SG_NOW_H
#define SG_NOW_H

#include <stdint.h>

/* Wall clock: microseconds since 1970. */
int64_t sg_now_us(void);
/* A clock that only runs forward, for durations and deadlines; microseconds. */
int64_t sg_monotonic_us(void);

#endif
