/*
 * Pulling everything anew, because the cursor lies below the server's purge floor or belongs to
 * another epoch. Records that do not come any more were deleted and purged meanwhile: they go
 * here too, unless there are changes of theirs still to push (L12).
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
