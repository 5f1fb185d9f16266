/*
 * One push: from its body to its answer.
 *
 * A push is read and checked on any thread, applied by the writer, and answered on any thread. It
 * belongs to one of them at a time.
 *
 * Ownership: sg_push_free gives back the body, the arena and everything in it.
 */
#ifndef SG_PUSH_H
#define SG_PUSH_H

#include "server/claims.h"
#include "server/cursor.h"
#include "server/pool.h"
#include "wire/change_json.h"

#define SG_PUSH_CHANGES_MAX 50000u /* changes of one body; over it 413 limit */
#define SG_APP_MAX 64u             /* bytes of an app's name */
#define SG_TABLES_MAX 64u          /* tables named in one notice */
#define SG_VERSION_MAX 2           /* newest dialect this server speaks */

/* Numbers n … n + count - 1 got seqs from seq on. */
typedef struct sg_push_ack {
    int64_t n;
    int64_t seq;
    int64_t count;
} sg_push_ack;

/* A change refused alone; n = 0: it had no number, and table and id say which. */
typedef struct sg_push_refusal {
    int64_t n;
    int64_t count;
    int code;
    sg_slice message;
    sg_slice table;
    sg_slice id;
} sg_push_refusal;

typedef struct sg_push_restamp {
    int64_t n;
    int64_t at_us;
    sg_slice table;
    sg_slice id;
} sg_push_restamp;

typedef struct sg_push_result {
    sg_push_ack *acks;
    size_t ack_count, ack_cap;
    sg_push_refusal *refusals;
    size_t refusal_count, refusal_cap;
    sg_push_restamp *restamps;
    size_t restamp_count, restamp_cap;
    int64_t staged;   /* numbers up to here are kept until their transaction is complete; 0: none */
    size_t committed; /* changes that got a seq */
    int64_t last_seq; /* of them; 0: none */
    int err;          /* the whole push is refused, nothing of it was done */
    const char *detail; /* a literal, or NULL */
} sg_push_result;

/* A scope in which something became visible, and in which tables. */
typedef struct sg_push_touched {
    struct sg_push_touched *next;
    sg_slice scope;
    sg_slice tables[SG_TABLES_MAX]; /* not all of them, if there are more */
    size_t count;
} sg_push_touched;

typedef struct sg_push {
    sg_job job;           /* while the pool has it */
    struct sg_push *next; /* while it waits for the writer */
    struct sg_server *server;
    uint64_t id;      /* of the request */
    int64_t began_us; /* monotonic */
    char *body;
    size_t body_len;
    sg_arena arena; /* what follows points into it and the body */

    sg_claims claims;
    sg_slice scope; /* "u:ann" */
    sg_slice app;
    sg_slice client;
    sg_slice header_client; /* X-Client-Id: wins over the body's */
    int version;            /* 1 or 2 */
    sg_cursor since;
    int64_t sent;    /* -1: the client doesn't say */
    int64_t staged;  /* numbers up to here were said to be staged; 0: it does not rely on any */
    int64_t acked_n; /* newest acknowledgement it has had; 0: it doesn't say */
    int64_t acked_seq;
    bool pull; /* a page is wanted with the answer */
    sg_change_in *changes;
    size_t count;
    sg_push_result result;
    sg_push_touched *touched;
} sg_push;

sg_push *sg_push_new(void);
void sg_push_free(sg_push *p);

/* Read the body (push_read.c): every change checked against the token (L11, L16), refused ones with
 * err and message set. False: the whole push is refused, p->result says why. */
bool sg_push_read(sg_push *p, sg_epoch epoch, int64_t now_us);

/* Results, in the push's memory. SG_NOMEM. */
int sg_push_ack_add(sg_push_result *r, int64_t n, int64_t seq);
int sg_push_refuse(sg_push_result *r, const sg_push_refusal *refusal);
int sg_push_restamp_add(sg_push_result *r, const sg_push_restamp *restamp);
/* Forget results of an attempt that was rolled back. */
void sg_push_result_clear(sg_push_result *r);
void sg_push_result_deinit(sg_push_result *r);

/* May the token's bearer write this as this actor (actor_check.c, L11)? Fills in the actor and
 * origin of a change that names none. NULL, or a literal that says what is refused. */
const char *sg_actor_check(const sg_claims *claims, sg_slice own_actor, sg_change_in *in);
/* The actor of a bearer who names none, as JSON. */
int sg_actor_own(const sg_claims *claims, sg_arena *arena, sg_slice *json);

bool sg_client_good(sg_slice client);
bool sg_app_good(sg_slice app);

#endif
