/*
 * Parked rows that wait for one another: two that exchange a UNIQUE value, a list moved up by one.
 *
 * SQLite checks each row as it is written, so no order of writing them works; whoever made the
 * change went over some third value. So do we: the waiting rows first give up what they are to
 * lose, then all of them are written.
 */
#ifndef SG_SWAP_H
#define SG_SWAP_H

#include "replica/apply.h"

/* Free what can be freed in that way. */
int sg_swap(sg_apply *a);

#endif
