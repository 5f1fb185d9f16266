/* Whose database this is and where it syncs (L13): sigla_init, sigla_config. */
#ifndef SG_IDENTITY_H
#define SG_IDENTITY_H

#include "replica/replica.h"

/* {"server","token","user","displayName"} */
int sg_identity_init(sg_replica *r, sg_slice json);
/* server, token, user, client, journal_age_us */
int sg_identity_read(sg_replica *r, sg_slice key, sg_buf *out);
/* server, token, journal_age_us */
int sg_identity_config(sg_replica *r, sg_slice key, sqlite3_value *value);

#endif
