/*
 * Pulling everything anew, because the server does not take the cursor any more.
 *
 * If it lies below the purge floor, records that do not come were deleted and purged meanwhile:
 * they go here too, unless there are changes of theirs still to push (L12). If the server is of
 * another epoch, or has not got as far as it once had, it was put back from a backup or started
 * empty: then nothing goes, and what it lacks is queued again: one's own fields as they are, other
 * people's records under the bottom stamp, which their writers' own copies win over.
 */
#ifndef SG_RESYNC_H
#define SG_RESYNC_H

#include "replica/apply.h"

/* Begin: forget the cursor. */
void sg_resync_begin(sg_replica *r, sg_app *app, int *err);
/* This record has come. */
void sg_resync_seen(sg_replica *r, const sg_table *t, sg_slice key, int *err);
/* All have come. */
int sg_resync_finish(sg_apply *a);

#endif
