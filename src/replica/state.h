/* Named values of the database: identity, clock, counters (table sigla_state). */
#ifndef SG_STATE_H
#define SG_STATE_H

#include "replica/replica.h"

int64_t sg_state_int(sg_replica *r, const char *key, int64_t otherwise, int *err);
void sg_state_set_int(sg_replica *r, const char *key, int64_t v, int *err);
/* Unless it is greater already: another program may have moved it since it was read. */
void sg_state_raise_int(sg_replica *r, const char *key, int64_t v, int *err);
/* Appends the text to out; false if there is none. */
bool sg_state_text(sg_replica *r, const char *key, sg_buf *out, int *err);
void sg_state_set_text(sg_replica *r, const char *key, sg_slice v, int *err);

#define SG_COUNTER_MAX (INT64_MAX / 2) /* of a change, and of a seq: nobody counts that far */

/* The clock and the next change number, together with what the outbox's last row says. */
typedef struct sg_counters {
    sg_clock clock;
    int64_t next_n;
} sg_counters;
/* SG_CORRUPT: a counter cannot be. */
/* 1 once a record of a space has come. */
#define SG_STATE_SPACES "spaces"

sg_counters sg_counters_load(sg_replica *r, int *err);
/* Must be called before outbox rows that the counters derive from are deleted. */
void sg_counters_store(sg_replica *r, const sg_counters *c, int *err);

/* A random UUIDv7 (RFC 9562) as text. */
void sg_uuid7(int64_t now_us, char out[37]);

#endif
