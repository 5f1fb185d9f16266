#include "server/rate.h"

#include "base/mem.h"

/* Tokens are counted in thousandths, so that a millisecond earns per_second of them. */
#define MILLI 1000u

struct bucket {
    uint64_t key;
    uint64_t at_ms; /* of the last take; 0: unused */
    uint64_t milli; /* thousandths of a token left at at_ms */
};

struct sg_rate {
    uint64_t per_second;
    uint64_t full; /* thousandths of a token a bucket holds at most */
    struct bucket sets[SG_RATE_SETS][SG_RATE_WAYS];
};

sg_rate *sg_rate_new(uint32_t per_second, uint32_t burst)
{
    sg_rate *r = sg_zalloc(sizeof *r);
    if (r == NULL) return NULL;
    r->per_second = per_second != 0 ? per_second : 1;
    r->full = (burst != 0 ? (uint64_t)burst : r->per_second) * MILLI;
    return r;
}

void sg_rate_free(sg_rate *r)
{
    sg_free(r);
}

uint64_t sg_rate_key(sg_slice bytes)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.n; i++)
        h = (h ^ (uint8_t)bytes.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

/* The key's bucket, or the one that was quiet longest, made new and full. */
static struct bucket *find(sg_rate *r, uint64_t key, uint64_t now_ms)
{
    struct bucket *set = r->sets[key % SG_RATE_SETS];
    struct bucket *oldest = &set[0];
    for (unsigned i = 0; i < SG_RATE_WAYS; i++) {
        if (set[i].at_ms != 0 && set[i].key == key) return &set[i];
        if (set[i].at_ms < oldest->at_ms) oldest = &set[i];
    }
    *oldest = (struct bucket){.key = key, .at_ms = now_ms, .milli = r->full};
    return oldest;
}

/* The key's bucket with what it has earned until now_ms. */
static struct bucket *earned(sg_rate *r, uint64_t key, uint64_t now_ms)
{
    now_ms++; /* 0 marks an unused bucket */
    struct bucket *b = find(r, key, now_ms);
    uint64_t waited = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    uint64_t missing = r->full - b->milli;
    /* Divide rather than multiply: a bucket may have been quiet for years. */
    if (waited > missing / r->per_second)
        b->milli = r->full;
    else
        b->milli += waited * r->per_second;
    if (waited != 0) b->at_ms = now_ms;
    return b;
}

bool sg_rate_take(sg_rate *r, uint64_t key, uint64_t now_ms)
{
    struct bucket *b = earned(r, key, now_ms);
    if (b->milli < MILLI) return false;
    b->milli -= MILLI;
    return true;
}

void sg_rate_give(sg_rate *r, uint64_t key, uint64_t now_ms)
{
    struct bucket *b = earned(r, key, now_ms);
    b->milli = b->milli < r->full - MILLI ? b->milli + MILLI : r->full;
}
