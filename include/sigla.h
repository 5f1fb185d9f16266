/*
 * Sigla: local-first sync of ordinary SQLite databases, field by field.
 *
 * A program that links libsigla calls sigla_register() on each connection it opens; a program that
 * loads build/sigla.so with load_extension() gets the same. From then on everything is SQL:
 *
 *     SELECT sigla_track('tasks');                 every write to tasks is marked and queued
 *     UPDATE tasks SET title = 'Tea' WHERE id = 1;
 *     SELECT * FROM sigla_marks('tasks', 1);       who wrote each field, when, through what
 *
 * The connection on which a tracked table is written must have Sigla registered; on others such a
 * write fails with "no such function: sigla_capture" and changes nothing.
 *
 * Sync itself is a sigla_session: a state machine that does no I/O but SQLite's. It says which HTTP
 * request to make and takes the answer; sockets, TLS and waiting are the caller's (the CLI drives
 * it with libcurl, a browser with fetch).
 *
 *     sigla_session *s;
 *     sigla_action a;
 *     if (sigla_session_open(db, NULL, &s) != SIGLA_OK) ...;
 *     while (sigla_session_next(s, &a) == SIGLA_OK) {
 *         if (a.kind == SIGLA_DONE || a.kind == SIGLA_STOP) break;
 *         if (a.kind == SIGLA_WAIT) sleep_ms(a.wait_ms);
 *         else if (http(&a, &status, &body, &bytes)) sigla_session_answer(s, status, 0, body, bytes);
 *         else sigla_session_lost(s);
 *     }
 *     sigla_session_close(s);
 *
 * SQL functions (an error's text says what, where, and what to do)
 *
 *   sigla_init(json)               {"server":URL, "token":JWT, "user":NAME, "displayName":TEXT}:
 *                                  whose database this is and where it syncs. May be called again
 *                                  with a new token or server; another user is refused.
 *   sigla_track(table [, json])    {"app":NAME, "as":WIRE NAME, "local":[columns],
 *                                  "groups":[[columns]], "json":[columns], "space":COLUMN}.
 *                                  Idempotent. Rows that are there already are queued under origin
 *                                  migration. The space's column has the id of the space that a
 *                                  row is made in, NULL for one's own; it cannot be changed.
 *   sigla_untrack(table)           stop; data, marks and what is queued stay
 *   sigla_as(actor json)           from here on this connection writes as that actor; nested. A
 *                                  server takes only actors that the token may claim: a person's
 *                                  the person, agents and system:…, an agent's that agent
 *   sigla_as_end()                 back to the one before
 *   sigla_updated_at(table, key…)  greatest `at` of the record's fields, ISO-8601, or NULL
 *   sigla_index_updated(table)     build and keep an index for sigla_updated()
 *   sigla_id(table, key…)          the record's id on the wire
 *   sigla_restore(id)              a conflict: write the lost value again, as an edit of one's own
 *   sigla_dismiss(id)              a conflict: leave things as they are
 *   sigla_retry([n])               queue refused changes again
 *   sigla_sweep(column)            empty that column in every tracked table under origin
 *                                  migration, and keep it local from then on
 *   sigla_refresh()                look for columns added since; done by itself at load, track, sync
 *   sigla_status()                 JSON
 *   sigla_check([table])           read what the tables hold and compare it with what the server said
 *                                  at the last sync: a JSON array, an object for each table
 *   sigla_repair([table])          have the next sync put the tables right by what the server holds;
 *                                  what is not pushed yet stays. Done by itself where they differ
 *   sigla_config(name [, value])   read "server", "token", "user", "client", "journal_age_us"; set
 *                                  "server", "token", "journal_age_us" (how long a lost value is
 *                                  kept, a year if not set)
 *   sigla_applying()               1 inside a trigger fired by an applied server change, for WHEN
 *   sigla_version()                "0.1.0"
 *
 * Table-valued functions (values and actors as JSON)
 *
 *   sigla_marks(table, key…)       field, value, at, actor, origin, seq, client, n; of a deleted
 *                                  record one row, its field NULL: who deleted it
 *   sigla_updated(table)           key, updated_at; newest first
 *   sigla_pending()                n, app, "table", key, op, fields, at, actor, origin, sent
 *   sigla_conflicts([all])         id, "table", key, field, kind, wasLocal, nowServer, localAt,
 *                                  serverAt, localActor, serverActor, serverOrigin, raisedAt, state;
 *                                  all=1 adds what was lost during the first hydration, restored or
 *                                  dismissed
 *   sigla_refused()                n, app, "table", key, op, fields, at, code, message
 *   sigla_parked()                 "table", key, fields, reason, since
 *
 * A key of one column is given as its value; of several, as several arguments or as a JSON array.
 * Other names that begin with sigla_ (sigla_capture, sigla_life, sigla_replica, sigla_tx) are its own.
 */
#ifndef SIGLA_H
#define SIGLA_H

#include <stddef.h>
#include <stdint.h>

#include "sigla_errors.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && !defined(__wasm__)
#define SIGLA_API __attribute__((visibility("default")))
#else
#define SIGLA_API
#endif

#define SIGLA_ERROR_ENUM(name, text, http, retry, sentence) SIGLA_##name,
enum sigla_error { SIGLA_ERRORS(SIGLA_ERROR_ENUM) SIGLA_ERROR_COUNT };
#undef SIGLA_ERROR_ENUM

struct sqlite3;

/* "0.1.0" */
SIGLA_API const char *sigla_version(void);
/* One sentence for a code; static storage. */
SIGLA_API const char *sigla_error_text(int code);

/*
 * Register Sigla's functions on a connection. Registering twice is harmless. Everything belongs to
 * the connection and goes with sqlite3_close(). Threads: as SQLite's connection itself. Errors:
 * SIGLA_NOMEM, SIGLA_CORRUPT (Sigla's tables are damaged or newer than this library).
 */
SIGLA_API int sigla_register(struct sqlite3 *db);

/* Microseconds since 1970. */
typedef int64_t (*sigla_now_fn)(void *ctx);
/* Replace the connection's clock (default: the system's real-time clock); ctx must outlive it. */
SIGLA_API int sigla_set_clock(struct sqlite3 *db, sigla_now_fn now, void *ctx);

typedef struct sigla_session sigla_session;

enum sigla_action_kind {
    SIGLA_REQUEST, /* make the HTTP request, then call sigla_session_answer or _lost */
    /* Nothing to do for wait_ms, or until sigla_session_wake. wait_ms 0 without an error: there is
     * more to do here, and others may have their turn first. */
    SIGLA_WAIT,
    SIGLA_DONE, /* all pushed and pulled; sigla_session_wake begins anew */
    SIGLA_STOP  /* cannot go on: error and message say why (401, 402, 403, 426, damage …) */
};

typedef struct sigla_action {
    enum sigla_action_kind kind;
    const char *method;         /* "GET", "POST" */
    const char *url;            /* absolute */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; the token is among them */
    const void *body;           /* NULL for GET */
    size_t body_bytes;
    int64_t wait_ms;
    int error; /* SIGLA_STOP: the code; SIGLA_WAIT: why the last try failed, or SIGLA_OK */
    const char *message; /* what goes with error; never NULL */
} sigla_action;          /* pointers are valid until the next call on the session */

typedef struct sigla_progress {
    int64_t pending;   /* changes not yet acknowledged */
    int64_t pushed;    /* changes acknowledged in this session */
    int64_t refused;   /* changes set aside in this session */
    int64_t pulled;    /* records received in this session */
    int64_t applied;   /* fields applied in this session */
    int64_t conflicts; /* raised in this session */
    int64_t parked;    /* records that wait because this database's rules do not take them */
    int64_t staged;    /* of the pending: at the server, until the rest of their transaction is */
} sigla_progress;

/* Options as JSON, or NULL: {"batch":200,"encoding":"zstd"|"identity","seed":N (of retry jitter)}.
 * The session uses db while one of its functions runs and keeps no transaction open in between; db
 * must outlive it. Errors: SIGLA_NOTINIT, SIGLA_NOMEM, SIGLA_BADREQUEST, storage errors. */
SIGLA_API int sigla_session_open(struct sqlite3 *db, const char *options_json, sigla_session **out);
SIGLA_API void sigla_session_close(sigla_session *s);
SIGLA_API int sigla_session_next(sigla_session *s, sigla_action *out);
/* The answer to the last request. retry_after_ms: of the Retry-After header, 0 if none. The body
 * may be compressed with zstd or gzip (recognised by its first bytes) or plain. */
SIGLA_API int sigla_session_answer(sigla_session *s, int http_status, int64_t retry_after_ms,
                                   const void *body, size_t bytes);
/* No answer came (connection refused, reset, timed out). */
SIGLA_API int sigla_session_lost(sigla_session *s);
/* There may be something new here or there: leave WAIT or DONE at the next call. */
SIGLA_API void sigla_session_wake(sigla_session *s);
SIGLA_API void sigla_session_progress(const sigla_session *s, sigla_progress *out);
/* Why a call on this session failed; valid until the next call. */
SIGLA_API const char *sigla_session_message(const sigla_session *s);

/* The live stream of one app: url and headers for a GET whose bytes are handed to
 * sigla_session_stream as they come; SIGLA_NOTFOUND when index is past the last app. */
SIGLA_API int sigla_session_stream_request(sigla_session *s, int index, sigla_action *out);
/* Bytes of stream `index`. Complete events are applied at once. After an error (SIGLA_BUSY: another
 * connection is writing) close the stream and ask for it again: it goes on from where it was. */
SIGLA_API int sigla_session_stream(sigla_session *s, int index, const void *bytes, size_t n);
/* The stream has ended; its half-read event is forgotten. */
SIGLA_API void sigla_session_stream_end(sigla_session *s, int index);

#ifdef __cplusplus
}
#endif
#endif
