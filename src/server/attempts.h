/*
 * How often a password may be guessed, and accounts made.
 *
 * Only failures count: an attempt takes its chance when it begins, and gives it back when it was
 * good. So nobody is kept from signing in often. A guesser gets SG_ATTEMPTS_PAIR tries at one login
 * from one address, and then one a minute; SG_ATTEMPTS_LOGIN at one login, from wherever they come;
 * and SG_ATTEMPTS_PEER from one address at whatever logins. The first is much less than the second, so
 * that one address cannot keep a person from signing in from another.
 *
 * Threads: any.
 */
#ifndef SG_ATTEMPTS_H
#define SG_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define SG_ATTEMPTS_PAIR 10u
#define SG_ATTEMPTS_LOGIN 100u
#define SG_ATTEMPTS_LOGIN_A_MINUTE 10u
#define SG_ATTEMPTS_PEER 100u
#define SG_ATTEMPTS_PEER_A_MINUTE 30u

typedef struct sg_attempts sg_attempts;

/* sign_ups: accounts made from one address a minute; 0: no limit. NULL: out of memory. */
sg_attempts *sg_attempts_new(uint32_t sign_ups);
void sg_attempts_free(sg_attempts *a);
/* False: too many have failed. now_ms: a clock that only runs forward. */
bool sg_attempts_begin(sg_attempts *a, sg_slice login, sg_slice peer, int64_t now_ms);
void sg_attempts_good(sg_attempts *a, sg_slice login, sg_slice peer, int64_t now_ms);
/* May this address make one more account? */
bool sg_attempts_sign_up(sg_attempts *a, sg_slice peer, int64_t now_ms);

#endif
