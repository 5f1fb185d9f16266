/*
 * Sums over the records of a table, by which a server and a replica tell whether they hold the same
 * (spec/storage.md, "Sums").
 *
 * A sum adds up, modulo 2^64, one hash of each field of each live record: so its order does not
 * matter, and a change costs the hashes of what it took away and of what it brought (Bellare and
 * Micciancio, "A New Paradigm for Collision-Free Hashing", 1997; Clarke and others, "Incremental
 * Multiset Hash Functions", 2003). The hash is for accidents: who may write records can make two sets
 * of them with one sum, and gains nothing by it.
 */
#ifndef SG_SUM_H
#define SG_SUM_H

#include "core/record.h"

typedef struct sg_sum {
    uint64_t marks;  /* of (table, id, field, at, client, n), and of lives in the same way */
    uint64_t values; /* of (table, id, field, value) */
    int64_t records; /* live ones */
} sg_sum;

/* How to get what stands for interned ids, and the hash of a value. */
typedef struct sg_summer {
    void *ctx;
    sg_slice (*name)(void *ctx, uint32_t id);
    sg_slice (*client)(void *ctx, uint32_t id);
    uint64_t (*value)(void *ctx, sg_slice json); /* NULL: marks alone are summed */
} sg_summer;

/* One more word into a hash. */
uint64_t sg_hash_word(uint64_t h, uint64_t word);
/* Bytes, with their number, into a hash. */
uint64_t sg_hash_bytes(uint64_t h, sg_slice bytes);

/* What all hashes of one record begin with. */
uint64_t sg_sum_start(sg_slice table, sg_slice id);
/* The hash of one field's value, where that has the hash `value`. */
uint64_t sg_sum_value(uint64_t start, sg_slice field, uint64_t value);
/* Take out what `before` has put into the sum, and put in `after`; NULL: there is none. What both hold
 * alike is not looked at. */
void sg_sum_change(sg_sum *sum, const sg_summer *s, uint64_t start, const sg_record *before,
                   const sg_record *after);

static inline void sg_sum_add(sg_sum *sum, const sg_sum *more)
{
    sum->marks += more->marks;
    sum->values += more->values;
    sum->records += more->records;
}

#endif
