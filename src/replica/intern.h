/*
 * Interned texts: field names, clients and actors get small ids, which packed records hold.
 *
 * Ids never change and are never given again, so they may be cached; what was interned in a
 * transaction that was rolled back is dropped from the cache by sg_replica_forget.
 */
#ifndef SG_INTERN_H
#define SG_INTERN_H

#include "replica/replica.h"

/* The id of a text, made if it is new. 0 after an error. */
uint32_t sg_intern_name(sg_replica *r, sg_slice name, int *err);
uint32_t sg_intern_client(sg_replica *r, sg_slice client, int *err);
uint32_t sg_intern_actor(sg_replica *r, sg_slice json, enum sg_origin origin, int *err);
/* The text of an id; empty and SG_CORRUPT if there is none. Valid until sg_replica_forget. */
sg_slice sg_name_text(sg_replica *r, uint32_t id, int *err);
sg_slice sg_client_text(sg_replica *r, uint32_t id, int *err);
sg_slice sg_actor_text(sg_replica *r, uint32_t id, int *err);
enum sg_origin sg_actor_origin(sg_replica *r, uint32_t id, int *err);
/* One's own client id, interned. */
uint32_t sg_self_client(sg_replica *r, int *err);
void sg_intern_cache_clear(sg_intern_cache *t);

#endif
