/*
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014), folded into one int64 of
 * microseconds since 1970 as CockroachDB and the reference system do: the logical part is carried
 * by adding microseconds. Pure: the caller brings physical time.
 *
 * Laws: L3 (own writes strictly increase), L14 (bound, server correction).
 */
#ifndef SG_CLOCK_H
#define SG_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* No stamp further ahead of the server's time than this is followed or kept (L14). */
#define SG_CLOCK_BOUND_US INT64_C(300000000)
/* Stamps are in [0, this]: year 9999, so that every stamp has an ISO-8601 text. */
#define SG_AT_MAX_US INT64_C(253402300799999999)
/* The bottom stamp of defaults: every person's write wins over it (L4). */
#define SG_AT_BOTTOM_US INT64_C(0)

typedef struct sg_clock {
    int64_t last_us;   /* greatest stamp given out or followed */
    int64_t offset_us; /* server time minus local time, as last seen */
    int64_t seen_us;   /* greatest stamp followed: what was written after it must be greater */
} sg_clock;

/* What an answer tells of the server's clock: it showed server_us at some moment while ours went from
 * asked_us to answered_us. An event that nobody asked for has SG_AT_MAX_US as asked_us. */
typedef struct sg_clock_answer {
    int64_t server_us;
    int64_t asked_us;
    int64_t answered_us;
} sg_clock_answer;

/* Physical time corrected by the server's, clamped to the range of stamps above the bottom. */
int64_t sg_clock_now(const sg_clock *c, int64_t physical_us);
/* A stamp for a write made now: greater than every stamp given before. At SG_AT_MAX_US it stands
 * still, and the number of the change goes on (core/stamp.h). */
int64_t sg_clock_tick(sg_clock *c, int64_t physical_us);
/* Follow a stamp seen from elsewhere, unless it lies beyond the bound. */
void sg_clock_follow(sg_clock *c, int64_t at_us, int64_t physical_us);
/* Learn from an answer. The offset lies between server - answered and server - asked (Cristian,
 * "Probabilistic clock synchronization", 1989): if ours does, nothing is learned, or else it moves to
 * the nearer end. So an answer that lay waiting while the machine slept does no harm. If our clock was
 * set back meanwhile, the upper end is not known. True if stamps already given out lie beyond the bound: then `last` has been brought back to now, or to the greatest stamp that was followed
 * if that is later, and unsent stamps beyond the bound must be renewed with sg_clock_tick in their
 * order. */
bool sg_clock_correct(sg_clock *c, const sg_clock_answer *a);
/* True if a stamp lies beyond the bound as seen at now_us. */
bool sg_clock_beyond(int64_t at_us, int64_t now_us);

#endif
