/*
 * The route table; one file for each route, or for the few about one noun: route_<name>.c.
 *
 * A handler's context is the sg_server. Handlers answer on the loop's thread only what needs no
 * store; the rest becomes a push or a job.
 */
#ifndef SG_ROUTES_H
#define SG_ROUTES_H

#include "server/call.h"
#include "server/server.h"

#define SG_BODY_MAX ((size_t)10 << 20)    /* bytes of a push, decompressed; over it 413 */
#define SG_BODIES_MAX ((size_t)512 << 20) /* bytes of all pushes at work; over it 503 busy */
#define SG_SINCE_MAX 128u                 /* bytes of a cursor in a query */

sg_http_handler sg_route_push;
sg_http_handler sg_route_pull;
sg_http_handler sg_route_stream;
sg_http_handler sg_route_history;
sg_http_handler sg_route_health;
sg_http_handler sg_route_metrics;
sg_http_handler sg_route_jwks;
sg_http_handler sg_route_sign_up, sg_route_sign_in, sg_route_password;
sg_http_handler sg_route_refresh, sg_route_sign_out, sg_route_me;
sg_http_handler sg_route_sessions, sg_route_session_delete, sg_route_sessions_delete;
sg_http_handler sg_route_spaces, sg_route_space_new, sg_route_space_change, sg_route_space_delete;
sg_http_handler sg_route_members, sg_route_member_role, sg_route_member_delete, sg_route_leave;
sg_http_handler sg_route_invite, sg_route_invites, sg_route_invite_delete, sg_route_invite_accept;
extern const sg_ws_handler sg_route_ws;

/* The ends of pushes that the writer has finished (route_push.c). */
void sg_route_push_done(void *ctx, sg_push *p);

/* ask.c: what several routes read from a request. Each copies into the arena; on an error the
 * request has been answered. */
typedef struct sg_ask {
    sg_server *server;
    const sg_http *http;
    const sg_http_req *req;
    sg_arena *arena;
} sg_ask;

/* Copies the claims and gives "u:<user>". */
bool sg_ask_claims(const sg_ask *r, const sg_claims *from, sg_claims *claims, sg_slice *scope);
bool sg_ask_app(const sg_ask *r, size_t param, sg_slice *app);
/* A query's value; empty if there is none. SG_BADREQUEST beyond max bytes. */
bool sg_ask_query(const sg_ask *r, const char *name, size_t max, sg_slice *value);
/* A number from low to high; *v stays as it is if there is none. */
bool sg_ask_int(const sg_ask *r, const char *name, int64_t low, int64_t high, int64_t *v);
/* `since`, or another text that stands for it. */
bool sg_ask_cursor(const sg_ask *r, sg_slice text, sg_cursor *cursor);
/* X-Client-Id, else the query's `client`; empty if there is neither. */
bool sg_ask_client(const sg_ask *r, sg_slice *client);
/* A list of tables, split at commas. */
bool sg_ask_tables(const sg_ask *r, const char *name, sg_slice **tables, size_t *count);
void sg_ask_refuse(const sg_ask *r, int err, const char *detail);

#endif
