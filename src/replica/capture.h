/*
 * Capture: triggers call sigla_capture(), which appends to a buffer of the connection; at commit
 * the buffer becomes changes in the outbox (flush.c), in the same transaction (L1).
 */
#ifndef SG_CAPTURE_H
#define SG_CAPTURE_H

#include "replica/table.h"

void sg_capture_init(sg_capture *c);
void sg_capture_deinit(sg_capture *c);
/* A transaction begins or has ended: nothing is captured. */
void sg_capture_clear(sg_capture *c);
int sg_capture_register(sg_replica *r);
/* Queue a write that no trigger sees: all columns of an existing row (as insert). */
int sg_capture_row(sg_replica *r, const sg_table *t, sg_slice key, uint32_t actor);
/* Queue one column's present value of an existing row. */
int sg_capture_column(sg_replica *r, const sg_table *t, sg_slice key, size_t column,
                      uint32_t actor);
/* Queue the deletion of a row that is gone. */
int sg_capture_gone(sg_replica *r, const sg_table *t, sg_slice key, uint32_t actor);

/* Flush what was captured since the last flush into the outbox (flush.c). What comes after is
 * another set of changes of the same transaction. */
int sg_capture_flush(sg_replica *r);
/* The same, under the bottom stamp (L4). */
int sg_capture_flush_bottom(sg_replica *r);

#endif
