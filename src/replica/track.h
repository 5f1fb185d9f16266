/* SQL: sigla_track, sigla_untrack, sigla_index_updated. Messages in r->message. */
#ifndef SG_TRACK_H
#define SG_TRACK_H

#include "replica/table.h"

int sg_track(sg_replica *r, sg_slice table, sg_slice options);
int sg_untrack(sg_replica *r, sg_slice table);
int sg_track_index(sg_replica *r, sg_slice table);
/* Other options for a tracked table, as they are stored. */
void sg_track_set_options(sg_replica *r, uint32_t table, sg_slice options, int *err);

#endif
