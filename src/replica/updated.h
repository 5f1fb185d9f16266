/* sigla_updated(table): keys by time of last change, newest first, out of an index (L15). */
#ifndef SG_UPDATED_H
#define SG_UPDATED_H

#include "replica/replica.h"

int sg_updated_register(sg_replica *r);

#endif
