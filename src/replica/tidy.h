/*
 * What time makes superfluous in a replica's own tables: acknowledgements that marks can say
 * themselves, and actors that nobody's mark names any more (an agent that gives its reasons is another
 * actor with each write).
 *
 * One walk over all shadows finds both. It is made when there is half as much new of one of them as the
 * walk before has left, and SG_TIDY_MIN at least, more in a large database: so its cost is spread over
 * what has come since, and neither table holds much that is not in use.
 */
#ifndef SG_TIDY_H
#define SG_TIDY_H

#include "replica/replica.h"

#define SG_TIDY_MIN 256

/* Inside a transaction, when all that is queued is folded. Does nothing most of the time. */
void sg_tidy(sg_replica *r, int *err);
/* Has another connection tidied up since this one has read actors? Its ids are read anew then. */
void sg_tidy_notice(sg_replica *r, int *err);

#endif
