/* Reproducible random numbers for property tests (SplitMix64): the same seed, the same test. */
#ifndef SG_TESTS_PRNG_H
#define SG_TESTS_PRNG_H

#include <stdint.h>

typedef struct prng {
    uint64_t state;
} prng;

static inline uint64_t prng_next(prng *g)
{
    uint64_t z = g->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 .. n-1, n > 0 */
static inline uint64_t prng_below(prng *g, uint64_t n)
{
    return prng_next(g) % n;
}

#endif
