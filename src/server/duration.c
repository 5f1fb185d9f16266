#include "server/duration.h"

#include <stddef.h>
#include <string.h>

bool sg_duration_parse(const char *text, int64_t *us)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {{"ms", 1000},
                 {"s", 1000000},
                 {"m", 60 * INT64_C(1000000)},
                 {"h", 3600 * INT64_C(1000000)},
                 {"d", 86400 * INT64_C(1000000)}};
    const int64_t max_us = SG_DURATION_MAX_DAYS * (86400 * INT64_C(1000000));
    int64_t n = 0;
    size_t i = 0;
    for (; text[i] >= '0' && text[i] <= '9'; i++) {
        n = n * 10 + (text[i] - '0');
        if (n > max_us) return false;
    }
    if (i == 0) return false;
    *us = 0;
    if (text[i] == '\0') return n == 0;
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        if (strcmp(text + i, units[k].unit) != 0) continue;
        if (n > max_us / units[k].us) return false;
        *us = n * units[k].us;
        return true;
    }
    return false;
}
