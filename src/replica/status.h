/* sigla_status(): the replica at a glance, as JSON. */
#ifndef SG_STATUS_H
#define SG_STATUS_H

#include "replica/replica.h"

int sg_status(sg_replica *r, sg_buf *out);

#endif
