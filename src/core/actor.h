/*
 * Who wrote, and through which pipeline. Actors travel as JSON text; this header holds what the
 * rest needs to know of one (design: Words).
 */
#ifndef SG_ACTOR_H
#define SG_ACTOR_H

#include <stdbool.h>

#include "base/slice.h"

enum sg_origin {
    SG_ORIGIN_USER,
    SG_ORIGIN_AGENT,
    SG_ORIGIN_SYSTEM,
    SG_ORIGIN_MIGRATION,
    SG_ORIGIN_SERVER_REPLAY /* only ever shown: what was applied from the server, seen from here */
};

enum sg_actor_kind { SG_ACTOR_USER, SG_ACTOR_AI, SG_ACTOR_SYSTEM };

#define SG_ACTOR_TEXT_MAX 4096 /* bytes of an actor's JSON */

/* Default and well-known actors. */
#define SG_PRINCIPAL_MIGRATION "system:migration"
#define SG_PRINCIPAL_RULE "system:rule"
#define SG_PRINCIPAL_BOOTSTRAP "system:bootstrap"

const char *sg_origin_name(enum sg_origin o);
bool sg_origin_parse(sg_slice text, enum sg_origin *o);
bool sg_actor_kind_parse(sg_slice text, enum sg_actor_kind *kind);
/* user -> user; ai -> agent; system with principal system:migration -> migration; other system ->
 * system. */
enum sg_origin sg_origin_of(enum sg_actor_kind kind, sg_slice principal);

#endif
