/* The table-valued functions of Sigla (include/sigla.h lists them). */
#ifndef SG_LISTS_H
#define SG_LISTS_H

#include "replica/replica.h"

int sg_lists_register(sg_replica *r);

#endif
