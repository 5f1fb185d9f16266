/*
 * HTTP with libcurl: one request at a time, and beside it any number of event streams.
 *
 * Nothing here blocks but sg_fetch_poll, for as long as it is told. The answer's body is handed
 * over as it came: a sigla_session decompresses it itself. Redirects are not followed: the token
 * would travel to a host nobody named. A proxy from the environment is not used for this machine.
 * Threads: one owner.
 */
#ifndef SG_FETCH_H
#define SG_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "sigla.h"

#define SG_FETCH_BODY_MAX ((size_t)64 << 20) /* bytes of an answer */
#define SG_FETCH_STREAMS 64
#define SG_FETCH_STREAM_SILENCE_MS 75000 /* servers send a heartbeat every 30 s */
#define SG_FETCH_CONNECT_MS 10000

typedef struct sg_fetch sg_fetch;

/* What comes of the streams; called inside sg_fetch_poll. */
typedef struct sg_fetch_events {
    void *ctx;
    void (*bytes)(void *ctx, int index, sg_slice bytes); /* of an answer with status 200 */
    /* The stream is over. status: of its answer, 0 if none came; why: never NULL. */
    void (*ended)(void *ctx, int index, int status, const char *why);
} sg_fetch_events;

typedef struct sg_fetched {
    bool arrived; /* an answer came; otherwise `why` says what went wrong */
    int status;
    int64_t retry_after_ms;
    sg_slice body;   /* valid until the next sg_fetch_start */
    const char *why; /* never NULL */
} sg_fetched;

/* events may be NULL where no stream is opened. NULL when memory ran out. */
sg_fetch *sg_fetch_new(const sg_fetch_events *events);
void sg_fetch_free(sg_fetch *f);

/* Begin the request; what it points to is copied. It is given up after silence_ms without a byte in
 * either direction. SG_OK, SG_NOMEM, or SG_BADREQUEST for a URL that is none. */
int sg_fetch_start(sg_fetch *f, const sigla_action *request, int64_t silence_ms);
/* Wait up to wait_ms for something to happen (a signal ends it too) and handle it. */
void sg_fetch_poll(sg_fetch *f, int64_t wait_ms);
/* True once, when the request has ended. */
bool sg_fetch_take(sg_fetch *f, sg_fetched *out);
/* When the last byte of the request moved (sg_meter_now_ms). */
int64_t sg_fetch_moved_ms(const sg_fetch *f);

int sg_fetch_open_stream(sg_fetch *f, int index, const sigla_action *request);
/* Without an `ended` for it. Not to be called from the events: they may return instead. */
void sg_fetch_close_stream(sg_fetch *f, int index);

#endif
