/*
 * Hydrating: the pages of a first pull, many records at a time.
 *
 * Nearly all of them are rows that this database has never heard of. Those are written in the order
 * of their keys, so that each page of the trees they go into is come to once, and without the
 * capture triggers, which have nothing to say of an applied row (L10) but cost more than the row.
 * Whatever else comes (records that are here already in some form, tombstones, tables with triggers
 * of the user's, rows that a constraint does not take) goes the usual way of apply.c, after them and
 * in commit order. Merging gives the same in any order (L2).
 */
#ifndef SG_HYDRATE_H
#define SG_HYDRATE_H

#include "replica/apply.h"

/* Apply all records of the pages, each with its length before it, and take their cursors. */
int sg_hydrate(sg_apply *a, sg_slice pages);

#endif
