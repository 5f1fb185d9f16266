/*
 * A sigla_session carried by HTTP: takes what the session wants, asks the server, brings the answer
 * back. sg_drive_step never blocks; sg_fetch_poll is where to wait in between.
 */
#ifndef SG_DRIVE_H
#define SG_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "fetch.h"

#define SG_DRIVE_WHY_BYTES 512

enum sg_drive_state {
    SG_DRIVE_BUSY,   /* a request is on its way */
    SG_DRIVE_PAUSED, /* the last try failed (why says how); the next is at pause_until_ms */
    SG_DRIVE_DONE,   /* all is pushed and pulled */
    SG_DRIVE_FAILED  /* err and why say what is wrong */
};

/* What kept the last try from succeeding. */
enum sg_drive_trouble {
    SG_TROUBLE_NONE,    /* nothing outside this file */
    SG_TROUBLE_NETWORK, /* no answer came */
    SG_TROUBLE_SERVER   /* it answered with 408, 429 or 5xx */
};

typedef struct sg_drive {
    sigla_session *session;
    sg_fetch *fetch;
    int64_t silence_ms; /* how long a server may say nothing before a request is given up */

    enum sg_drive_state state;
    enum sg_drive_trouble trouble;
    bool in_flight;
    bool woken;             /* begin anew once the session is done */
    int64_t pause_until_ms; /* 0: no pause */
    int64_t good_ms;        /* when the server last gave an answer that was no failure of its own */
    int err;                /* enum sg_err */
    char why[SG_DRIVE_WHY_BYTES];
    char last_failure[SG_DRIVE_WHY_BYTES]; /* of HTTP itself: "Connection refused" */
} sg_drive;

void sg_drive_init(sg_drive *d, sigla_session *session, sg_fetch *fetch, int64_t silence_ms);
enum sg_drive_state sg_drive_step(sg_drive *d);
/* How long nothing good has come from the server, in milliseconds. */
int64_t sg_drive_silence_ms(const sg_drive *d);
/* How long a poll may wait, at most `most_ms`. */
int64_t sg_drive_wait_ms(const sg_drive *d, int64_t most_ms);
/* There is something new to push or pull: leave DONE, or do not rest there. A pause is not cut
 * short: whatever is new does not make the server come back. */
void sg_drive_wake(sg_drive *d);

#endif
