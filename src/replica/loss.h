/* What an applied page replaces or deletes of what people wrote here goes to the journal first. */
#ifndef SG_LOSS_H
#define SG_LOSS_H

#include "replica/apply.h"

/* A mark of a person's write made on this replica? */
bool sg_loss_is_own(sg_apply *a, const sg_mark *m, int *err);
/* A person's field of ours is replaced: look at the value before it goes. */
void sg_loss_field(sg_apply *a, sg_table *t, const sg_field *own, int column,
                   const sg_page_field *in, const sg_mark *winner, int *err);
/* The whole record goes: every field a person wrote here is looked at. `in` says what the server
 * knows of them; NULL: it no longer knows the record (resync.h), and winner is all zero. */
void sg_loss_record(sg_apply *a, sg_table *t, const sg_page_record *in, const sg_mark *winner,
                    int *err);

#endif
