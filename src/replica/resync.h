/*
 * Pulling everything anew, because the server does not take the cursor any more.
 *
 * If it lies below the purge floor, records that do not come were deleted and purged meanwhile:
 * they go here too, unless there are changes of theirs still to push (L12), and what people wrote
 * here of them is kept in the journal (L6).
 *
 * If the server was put back from a copy, or is an empty one, nothing goes. While everything is
 * pulled, marks forget their seqs and get them again from what comes; those that have none at the
 * end are what the server lacks, and resend.c queues it.
 */
#ifndef SG_RESYNC_H
#define SG_RESYNC_H

#include "replica/apply.h"

/* Pull everything of the app once more, without a resync: what lies behind its cursor was not taken. */
void sg_resync_restart(sg_replica *r, uint32_t app, int *err);
/* It has to be one after all: deletes that this database had not got to were purged, up to `floor`. */
bool sg_resync_is_due(sg_apply *a, int64_t floor, int *err);
/* Begin: forget the cursor. `restored`: the server has lost something; once that is known a resync
 * stays one of that kind. */
void sg_resync_begin(sg_replica *r, sg_app *app, bool restored, int *err);
/* This record has come. */
void sg_resync_seen(sg_replica *r, const sg_table *t, sg_slice key, int *err);
/* All have come. The app leaves its resync, unless it turns out that the server has lost something:
 * then it begins again as one of that kind. */
int sg_resync_finish(sg_apply *a);
/* A space is not read any more: its records go. What waits to be sent of them is refused by the server,
 * and set aside. */
int sg_resync_leave(sg_apply *a, sg_slice space);

/* The table's shadows one after another: the first key above *key, which it replaces. */
bool sg_resync_next(sg_replica *r, const sg_table *t, enum sg_stmt which, sg_buf *key, int *err);

#endif
