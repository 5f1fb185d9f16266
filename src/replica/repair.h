/*
 * Repairing tables that differ from the server's: the app is pulled anew (resync.h), and in those tables
 * the server's word stands, under equal stamps too.
 *
 * What the person has not pushed yet stays. A value that is replaced here and now goes to the journal,
 * unannounced (L6): under the mark it stood under it was never sent, so it may have been typed where
 * nothing was captured.
 */
#ifndef SG_REPAIR_H
#define SG_REPAIR_H

#include "replica/apply.h"

/* Begin to pull the app anew, for its tables that differ. */
void sg_repair_begin(sg_replica *r, uint32_t app, int *err);
/* Have the next sync repair a table, or all if none is named. */
int sg_repair_ask(sg_replica *r, sg_slice table);
/* An apply begins: note which tables are being repaired (sg_table.repairing). */
void sg_repair_open(sg_apply *a, int *err);
/* It ends. `whole`: with the resync; the tables' sums are to be counted anew. */
void sg_repair_close(sg_apply *a, bool whole, int *err);
/* What the row at hand shows, before it is written to. */
void sg_repair_look(sg_apply *a, sg_table *t, int *err);
/* Is the mark one that the server has not got yet? That stays. */
bool sg_repair_pending(sg_apply *a, const sg_mark *m, int *err);
/* The server's field takes the place of f, which is one of a->rec, found or new. */
void sg_repair_field(sg_apply *a, sg_table *t, sg_field *f, int column, const sg_page_field *in,
                     const sg_mark *mark, int *err);
/* Drop the fields that the server's whole record does not have: it was purged, and made anew, or they
 * never were its. */
void sg_repair_rest(sg_apply *a, sg_table *t, const sg_page_record *in, int *err);

#endif
