/* Which tables can be tracked, and why others cannot. */
#ifndef SG_TRACKABLE_H
#define SG_TRACKABLE_H

#include "replica/table.h"

/* SG_OK if the name is an ordinary table's of the main database; else an error with its reason. */
int sg_trackable_name(sg_replica *r, sg_slice name);
/* SG_OK if the table as it is loaded (NULL: it is not) has an identity and is within the bounds. */
int sg_trackable_table(sg_replica *r, const sg_table *t);

#endif
