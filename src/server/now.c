#include "server/now.h"

#include <time.h>

static int64_t read_clock(clockid_t which)
{
    struct timespec t = {0};
    (void)clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t sg_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t sg_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}
