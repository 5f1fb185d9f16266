/*
 * A stamp says when a change was made and by which replica; it orders all writes (L3).
 *
 * Order: at, then client (byte order of its text; for lower-case UUIDs that is the order of the
 * ids), then number. Two different writes of well-behaved clients never compare equal; writes of
 * clients that send no numbers may, and sg_stamp_cmp_value then decides by the value's bytes, so
 * that equal stamps cannot diverge either.
 */
#ifndef SG_STAMP_H
#define SG_STAMP_H

#include <stdint.h>

#include "base/slice.h"

typedef struct sg_stamp {
    int64_t at_us;   /* hybrid logical clock, microseconds since 1970 */
    sg_slice client; /* the replica's id, as text; borrowed */
    int64_t n;       /* the client's change number; 0 if it sends none */
} sg_stamp;

/* < 0, 0, > 0 */
int sg_stamp_cmp(const sg_stamp *a, const sg_stamp *b);
/* The same, with the value's bytes as the last word. */
int sg_stamp_cmp_value(const sg_stamp *a, sg_slice a_value, const sg_stamp *b, sg_slice b_value);

#endif
