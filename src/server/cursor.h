/*
 * Cursors: positions in the server's commit order, opaque on the wire (spec/protocol.md, L7).
 *
 *   c<seq, 16 lower-case hex digits>-<epoch, 16 hex digits>
 *
 * They sort as text by seq, and behind "1970-01-01T00:00:00.000Z", which means: from the start.
 */
#ifndef SG_CURSOR_H
#define SG_CURSOR_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

#define SG_EPOCH_TEXT 16
#define SG_CURSOR_TEXT (1 + 16 + 1 + SG_EPOCH_TEXT)

typedef struct sg_epoch {
    uint64_t id;
} sg_epoch;

void sg_epoch_format(sg_epoch epoch, char out[SG_EPOCH_TEXT]);
/* SG_BADREQUEST if it is not 16 hex digits. */
int sg_epoch_parse(sg_slice text, sg_epoch *epoch);
void sg_cursor_format(int64_t seq, sg_epoch epoch, char out[SG_CURSOR_TEXT]);
/* SG_BADCURSOR: not one of ours; SG_RESYNC: of another epoch. Empty and the start of time: 0. */
int sg_cursor_parse(sg_slice text, sg_epoch epoch, int64_t *seq);

#endif
