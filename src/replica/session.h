/*
 * The sync session's insides (the interface is include/sigla.h).
 *
 *             +--------------------------- wake ---------------------------+
 *             v                                                            |
 *   START -> PUSH --answer--> PUSH … -> PULL --answer, hasMore--> PULL … -> CHECK -> next app … -> DONE
 *             |  \                        |                                  |
 *             |   \                       |           PUSH <-- repair -------+
 *             |   +--lost, 408, 429, 5xx--+--> WAIT --(time passes)--> where it was
 *             +--401, 402, 403, 426, damage--> STOP
 *
 * Invariants: a session has one request out at a time, but is not alone: other programs may sync
 * the same database; what a request will say was sent is on disk before it
 * is made; pages are applied only when the last one is there (L1), except in a first hydration.
 */
#ifndef SG_SESSION_H
#define SG_SESSION_H

#include "replica/agree.h"
#include "replica/apply.h"
#include "replica/scan.h"
#include "sigla.h"

/* Limits (L20). */
#define SG_PUSH_CHANGES 200                    /* in one batch; a transaction may pass it */
#define SG_PUSH_TX_CHANGES 5000                /* a longer transaction is sent in parts */
#define SG_PUSH_BYTES ((size_t)6 << 20)        /* of one body */
#define SG_ANSWER_BYTES_MAX ((size_t)64 << 20) /* of one answer, unpacked */
/* Of pages held for one apply; beyond it, as in a hydration, they are applied as they come. */
#define SG_CATCHUP_BYTES_MAX ((size_t)256 << 20)
/* A first hydration shows its progress after so much. */
#define SG_HYDRATE_BYTES ((size_t)4 << 20)
/* Reading what tables really hold: records a call, tables that are read at each sync, how often others
 * are, and how often a slice is doubled for a table that does not stand still. */
#define SG_SCAN_ROWS 1000
#define SG_SCAN_SMALL 256
#define SG_SCAN_EVERY_US (INT64_C(86400) * 1000000)
#define SG_SCAN_DOUBLINGS 6
#define SG_RETRY_MIN_MS 500
#define SG_RETRY_MAX_MS 8000
/* Who writes faster than it pushes sees what others wrote all the same: so many pushes ask for
 * nothing, the next one does. */
#define SG_PUSHES_MAX 8
#define SG_STREAM_EVENT_MAX ((size_t)64 << 20)

enum sg_phase {
    SG_PHASE_START,
    SG_PHASE_PUSH,
    SG_PHASE_PULL,
    SG_PHASE_CHECK,
    SG_PHASE_DONE,
    SG_PHASE_STOP
};

/* Where the reading of an app's tables stands (check.c). */
typedef struct sg_check {
    uint32_t table; /* tables up to this id have been read, or passed over */
    bool on;        /* one is being read: */
    sg_scan scan;
    int64_t changes; /* it had seen so many when that began */
    int restarts;
} sg_check;

/* Pages that one pull, or a stream, has brought and that belong together. */
typedef struct sg_held {
    sg_buf pages;     /* length-prefixed bodies waiting for the last one */
    int64_t from_seq; /* where the database stood when they were asked for (sg_app_stands) */
    bool resync;      /* … and they are part of a resync that was begun here */
    bool passed;      /* it does not stand there any more: nothing was taken */
} sg_held;

typedef struct sg_stream {
    uint32_t app;
    sg_buf line; /* what has come of the line being read */
    sg_buf data; /* of the event being read */
    sg_buf event;
    sg_held held; /* of a catch-up that goes on */
} sg_stream;

struct sigla_session {
    sg_replica *r;
    int64_t batch; /* changes a push, adapted to what the server takes */
    int64_t batch_max;
    bool encode; /* compress bodies */

    enum sg_phase phase;
    uint32_t app;
    sg_app place; /* of the app, as last loaded */
    bool resync;  /* a resync of it was begun here: what it has seen is known */
    bool woken;   /* begin anew when done */
    bool hurry;   /* cut the wait short, once */

    bool out; /* a request is out */
    bool out_pulls;
    int64_t asked_us;           /* by our clock, when it went out */
    int64_t sent_from, sent_to; /* changes of the request that is out; 0: none */
    int64_t sent_count;
    uint32_t said_client; /* under which id the request that is out was made … */
    int64_t said_n;       /* … and the greatest number it says was sent under it */
    int64_t staged_to;    /* the server holds the transaction up to this number */
    bool more;            /* that push has left changes for another one */
    int pushes;           /* in a row that asked for nothing */

    int attempts; /* failures in a row */
    int64_t wait_ms;
    bool waiting;
    int wait_error;
    uint64_t random;

    int stop_error;
    char message[512];

    sg_buf url, body, auth, packed;
    const char *headers[8];
    sg_held held;
    char pull_cursor[SG_CURSOR_MAX + 1]; /* where the held pages end; empty: none are held */
    sigla_progress progress;
    sg_check check;
    sg_stream *streams;
    int stream_count;
};

/* Go on with the app after the present one, or be done. */
void sg_session_next_app(sigla_session *s, int *err);
/* End for good; returns err. */
int sg_session_stop(sigla_session *s, int err, const char *message);
/* answer.c: wait, then go on from where the session was. */
void sg_session_retry(sigla_session *s, int err, int64_t retry_after_ms, const char *message);
/* check.c: read what the app's tables hold, a slice a step; true when there is no more to read. */
void sg_check_start(sigla_session *s);
bool sg_check_step(sigla_session *s, int *err);
void sg_check_stop(sigla_session *s);
/* push.c: make the next push of s->place, if anything is pending. */
bool sg_session_push(sigla_session *s, int *err);
/* Write "Authorization", "X-Client-Id" … into s->headers. */
void sg_session_headers(sigla_session *s, bool post, int *err);
/* Begin the URL with the server's, and "/sync/{app}". */
void sg_session_url(sigla_session *s, const char *rest, int *err);
/* answer.c: the server's clock as a page tells it, and what is old by it (L6): ours may be wrong by years. */
void sg_session_learn_time(sigla_session *s, const sg_page *page, int64_t asked_us, int *err);
/* pages.c: what is asked for now comes on top of where s->place stands. */
void sg_session_hold_from(sigla_session *s);
/* Take one page, of that JSON; apply when it is the last, or while hydrating. When it was asked for, by
 * our clock; 0: what it says of the time is known already. */
void sg_session_page(sigla_session *s, sg_held *held, uint32_t app, const sg_page *page,
                     sg_slice json, int64_t asked_us, int *err);
void sg_session_resync(sigla_session *s, uint32_t app, bool restored, int *err);
/* The same, to mend the tables that differ from the server's. */
void sg_session_repair(sigla_session *s, uint32_t app, int *err);

#endif
