/*
 * Finding the route of a request: a walk over the table, the first match wins.
 * Threads: any, once initialised.
 */
#ifndef SG_NET_ROUTER_H
#define SG_NET_ROUTER_H

#include "net/http_server.h"

typedef struct sg_router {
    const sg_http_route *v;
    size_t n;
    size_t literal[SG_HTTP_MAX_ROUTES]; /* bytes of each pattern before its first capture */
} sg_router;

typedef struct sg_route_match {
    const sg_http_route *route; /* NULL: none for this path and method */
    unsigned methods;           /* bits of enum sg_http_method that the path takes */
    sg_slice params[SG_HTTP_MAX_PARAMS];
    size_t param_count;
} sg_route_match;

/* SG_BADREQUEST when a row makes no sense: no handler, or a pattern that is none. */
int sg_router_init(sg_router *r, const sg_http_route *rows, size_t n);
void sg_router_find(const sg_router *r, enum sg_http_method method, sg_slice path,
                    sg_route_match *out);

#endif
