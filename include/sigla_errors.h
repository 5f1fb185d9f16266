/*
 * The one list of Sigla's errors. Every other table of errors in the project is made from it.
 *
 * X(NAME, code text, HTTP status, retryable, sentence)
 *   code text   what travels in JSON answers and is printed by the CLI; never changes once released
 *               (server_restored travels as the detail of resync_required)
 *   HTTP status what a server answers with; 0 where the error never leaves a device
 *   retryable   1 if the same request may succeed later without a change by the caller
 */
#ifndef SIGLA_ERRORS_H
#define SIGLA_ERRORS_H

#define SIGLA_ERRORS(X)                                                                            \
    X(OK, "ok", 200, 0, "no error")                                                                \
    X(NOMEM, "out_of_memory", 503, 1, "memory ran out")                                            \
    X(LIMIT, "limit", 413, 0, "a documented limit was exceeded")                                   \
    X(BADJSON, "bad_json", 400, 0, "the text is not valid JSON")                                   \
    X(BADREQUEST, "bad_request", 400, 0, "the request is not understood")                          \
    X(BADCHANGE, "bad_change", 400, 0, "a change is malformed")                                    \
    X(BADCURSOR, "bad_cursor", 400, 0, "the cursor was not issued by this server")                 \
    X(BADVALUE, "bad_value", 400, 0, "a value cannot be represented")                              \
    X(CORRUPT, "corrupt", 500, 0, "stored bytes are damaged")                                      \
    X(IO, "io", 503, 1, "reading or writing storage failed")                                       \
    X(FULL, "full", 507, 1, "the disk is full")                                                    \
    X(BUSY, "busy", 503, 1, "somebody else holds the lock")                                        \
    X(INTERNAL, "internal", 500, 0, "an internal invariant does not hold")                         \
    X(NETWORK, "network", 0, 1, "the server cannot be reached")                                    \
    X(TIMEOUT, "timeout", 408, 1, "no answer in time")                                             \
    X(UNAUTHORIZED, "unauthorized", 401, 0, "no valid token")                                      \
    X(PAYMENT, "payment_required", 402, 0, "the account may not sync at present")                  \
    X(FORBIDDEN, "forbidden", 403, 0, "the token does not allow this")                             \
    X(NOTFOUND, "not_found", 404, 0, "there is no such thing")                                     \
    X(METHOD, "method_not_allowed", 405, 0, "this path does not take this method")                 \
    X(CONFLICT, "conflict", 409, 0, "the state does not allow this")                               \
    X(CLIENTCOPIED, "client_copied", 409, 0, "another database pushes under this client id")       \
    X(RESYNC, "resync_required", 410, 0, "the cursor is older than what the server still keeps")   \
    X(RESTORED, "server_restored", 410, 0, "the server lacks what this client has seen of it")     \
    X(TOONEW, "client_too_new", 426, 0, "this server is older than the client")                    \
    X(RATE, "rate_limited", 429, 1, "too many requests")                                           \
    X(HEADERS, "headers_too_large", 431, 0, "the request's headers are too large")                 \
    X(UNSUPPORTED, "unsupported_media", 415, 0, "this content type or encoding is not taken")      \
    X(SHUTDOWN, "shutting_down", 503, 1, "the server is stopping")                                 \
    X(ACTOR, "actor_refused", 403, 0, "the token may not claim this actor or origin")              \
    X(SPACE, "space_refused", 403, 0, "the record's space is not one of yours")                    \
    X(TABLE, "table_refused", 403, 0, "this table is not synced")                                  \
    X(SCHEMA, "schema", 0, 0, "the table cannot be tracked as it is")                              \
    X(NOTTRACKED, "not_tracked", 0, 0, "the table is not tracked")                                 \
    X(OTHERUSER, "other_user", 0, 0, "the database belongs to another user")                       \
    X(NOTINIT, "not_initialised", 0, 0, "the database is not prepared for sync")                   \
    X(MISUSE, "misuse", 0, 0, "the call is not allowed here")                                      \
    X(INTERRUPTED, "interrupted", 503, 1, "it was interrupted before it was done")

#endif
