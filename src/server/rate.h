/*
 * Token buckets: at most `per_second` lasting, `burst` at once, for each key.
 *
 * A key is a hash of whatever is limited: an address, a token, an account. The table has a fixed
 * size; when a set of it is full, the key that was quiet longest is forgotten, that is, forgiven.
 * Threads: one owner at a time.
 */
#ifndef SG_RATE_H
#define SG_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SG_RATE_SETS 2048u
#define SG_RATE_WAYS 4u

typedef struct sg_rate sg_rate;

/* NULL when memory ran out. burst 0 stands for per_second; per_second is at least 1. */
sg_rate *sg_rate_new(uint32_t per_second, uint32_t burst);
void sg_rate_free(sg_rate *r);
/* Take one token of the key at now_ms (any monotonic clock); false when there is none. */
bool sg_rate_take(sg_rate *r, uint64_t key, uint64_t now_ms);
/* Give one back. */
void sg_rate_give(sg_rate *r, uint64_t key, uint64_t now_ms);
/* A key for some bytes (FNV-1a, finished to spread well). */
uint64_t sg_rate_key(sg_slice bytes);

#endif
