/*
 * The outbox: changes that the server has not acknowledged, one row per transaction and app, cut
 * where it grows past SG_OUTBOX_ROW_BYTES. Stamp and base are kept once a row; numbers run on.
 */
#ifndef SG_OUTBOX_H
#define SG_OUTBOX_H

#include "replica/ops.h"
#include "replica/state.h"

#define SG_OUTBOX_APPS_MAX 32 /* apps that one transaction may write */

typedef struct sg_outbox_row {
    int64_t n; /* number of the first change */
    int64_t count;
    int64_t tx_last; /* number of the transaction's last change */
    uint32_t app;
    int64_t at_us;
    int64_t base;
    sg_slice ops; /* borrowed until the statement moves on */
} sg_outbox_row;

typedef struct sg_outbox_part {
    uint32_t app;
    int64_t count;
    sg_buf ops;
    struct {
        size_t end;
        int64_t count;
    } * cuts; /* where rows end */
    size_t cut_count;
} sg_outbox_part;

typedef struct sg_outbox_writer {
    sg_replica *r;
    sg_outbox_part parts[SG_OUTBOX_APPS_MAX];
    size_t part_count;
    int err;
} sg_outbox_writer;

int sg_outbox_open(sg_outbox_writer *w, sg_replica *r);
/* Begin a change; append its fields to what comes back (never NULL, its error is checked at the
 * end). */
sg_buf *sg_outbox_op(sg_outbox_writer *w, uint32_t app, const sg_packed_op *op);
/* Stamp and store everything if err is SG_OK; free in any case. */
int sg_outbox_close(sg_outbox_writer *w, int err);

/* Read the row a statement of OUTBOX_* stands on. app is 0, which is none, if it is damaged. */
sg_outbox_row sg_outbox_read(sqlite3_stmt *s);

#endif
