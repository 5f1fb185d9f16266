/*
 * The server without its sockets: store, writer, readers, streams and routes, put together.
 *
 *     sg_server_config config;
 *     sg_server_config_init(&config);
 *     config.dir = "/var/lib/sigla";
 *     err = sg_server_new(&config, &server, &problem);
 *     ... hand sg_server_routes(server) to an HTTP server, then:
 *     sg_server_attach(server, sg_http_server_http(http));
 *     ... run it ...
 *     sg_server_free(server);          // answers what is still waiting
 *     sg_http_server_free(http);
 *
 * Threads: new, attach and free from one thread; everything else is done by the routes.
 */
#ifndef SG_SERVER_H
#define SG_SERVER_H

#include <stdatomic.h>

#include "server/attempts.h"
#include "server/auth.h"
#include "server/cursor.h"
#include "server/hub.h"
#include "server/ingest.h"
#include "server/metrics.h"
#include "server/pool.h"

typedef struct sg_server_config {
    const char *dir;            /* the data directory; made if it is missing */
    bool dev;                   /* take tokens made by `sigla token` */
    int64_t tombstone_age_us;   /* 0: deletes are kept forever */
    int64_t history_age_us;     /* 0: history is kept forever */
    size_t threads;             /* readers */
    bool no_sign_up;            /* accounts are made by the operator alone */
    uint32_t sign_ups;          /* accounts made from one address a minute; 0: no limit */
    int64_t staged_changes_max; /* of a client's incomplete transaction */
    int64_t staged_bytes_max;
} sg_server_config;

typedef struct sg_server {
    sg_server_config config;
    int lock_fd;
    sg_store store;
    sg_key *key;
    sg_auth *auth;
    sg_attempts *attempts;
    bool has_persons; /* when it started */
    sg_epoch epoch;
    sg_pool *pool;
    sg_pool *hashers;   /* of passwords */
    atomic_uint hashes; /* waiting for them */
    sg_ingest *ingest;
    sg_hub *hub;
    sg_metrics *metrics;
    atomic_size_t body_bytes; /* of all pushes at work */
    const sg_http *http;
    sg_http_route *routes;
    size_t route_count;
} sg_server;

void sg_server_config_init(sg_server_config *config);
/* SG_BUSY: another server has the directory; SG_TOONEW: a newer one has written it; SG_IO,
 * SG_CORRUPT, SG_NOMEM. *problem is a sentence's end in any case: what could not be done. */
int sg_server_new(const sg_server_config *config, sg_server **out, const char **problem);
const sg_http_route *sg_server_routes(const sg_server *s, size_t *count);
/* Before the HTTP server runs. */
void sg_server_attach(sg_server *s, const sg_http *http);
void sg_server_free(sg_server *s);

#endif
