/* What the server says about pushed changes: acknowledged, refused, given another time. */
#ifndef SG_ACK_H
#define SG_ACK_H

#include "replica/apply.h"

typedef struct sg_ack_count {
    int64_t acknowledged;
    int64_t refused;
    int64_t conflicts; /* raised now that doubts are settled */
} sg_ack_count;

/* Take the acks, rejections and restamps of a push's answer for changes of `app` up to `sent_to`,
 * and drop what is settled from the outbox. Inside a transaction, everything folded. */
void sg_ack_take(sg_replica *r, sg_app *app, const sg_page *page, int64_t sent_to,
                 sg_ack_count *count, int *err);
/* Set aside one change that cannot be sent at all. */
void sg_ack_refuse(sg_replica *r, sg_app *app, int64_t n, int code, sg_slice message, int *err);
/* Queue refused changes again (n, or all if 0): what they wrote, as it is now. */
int sg_ack_retry(sg_replica *r, int64_t n);
/* Somebody else pushes under our client id: take a new one, and keep all that is pending (L13). */
int sg_ack_new_client(sg_replica *r);
/* The server's time: correct the clock, renew stamps of pending changes beyond the bound (L14), above
 * given_us, the greatest time that the same answer gives to changes sent before them; 0: none (L3). */
void sg_ack_server_time(sg_replica *r, const sg_clock_answer *a, int64_t given_us, int *err);

#endif
