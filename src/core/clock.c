#include "core/clock.h"

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    if (v < low) return low;
    return v > high ? high : v;
}

int64_t sg_clock_now(const sg_clock *c, int64_t physical_us)
{
    int64_t physical = clamp(physical_us, 0, SG_AT_MAX_US);
    int64_t offset = clamp(c->offset_us, -SG_AT_MAX_US, SG_AT_MAX_US);
    return clamp(physical + offset, SG_AT_BOTTOM_US + 1, SG_AT_MAX_US);
}

int64_t sg_clock_tick(sg_clock *c, int64_t physical_us)
{
    int64_t now = sg_clock_now(c, physical_us);
    c->last_us = now > c->last_us ? now : clamp(c->last_us, 0, SG_AT_MAX_US - 1) + 1;
    return c->last_us;
}

bool sg_clock_beyond(int64_t at_us, int64_t now_us)
{
    /* Unsigned: the two may lie further apart than an int64 holds. */
    return at_us > now_us && (uint64_t)at_us - (uint64_t)now_us > (uint64_t)SG_CLOCK_BOUND_US;
}

void sg_clock_follow(sg_clock *c, int64_t at_us, int64_t physical_us)
{
    if (at_us > SG_AT_MAX_US || sg_clock_beyond(at_us, sg_clock_now(c, physical_us))) return;
    if (at_us > c->seen_us) c->seen_us = at_us;
    if (at_us > c->last_us) c->last_us = at_us;
}

bool sg_clock_correct(sg_clock *c, const sg_clock_answer *a)
{
    int64_t server = clamp(a->server_us, 0, SG_AT_MAX_US);
    int64_t asked = clamp(a->asked_us, 0, SG_AT_MAX_US);
    int64_t answered = clamp(a->answered_us, 0, SG_AT_MAX_US);
    int64_t low = server - answered, high = answered < asked ? SG_AT_MAX_US : server - asked;
    c->offset_us = clamp(c->offset_us, low, high);
    int64_t now = sg_clock_now(c, answered);
    if (!sg_clock_beyond(c->last_us, now)) return false;
    bool seen = c->seen_us > now && !sg_clock_beyond(c->seen_us, now);
    c->last_us = seen ? c->seen_us : now;
    return true;
}
