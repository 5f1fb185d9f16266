/*
 * Cursors: positions in the server's commit order, opaque on the wire (spec/protocol.md, L7).
 *
 *   c<seq, 16 lower-case hex digits>-<epoch, 16 hex digits>
 *   c<seq>-<epoch>-<from, 16 hex digits>
 *
 * They sort as text by seq, and behind "1970-01-01T00:00:00.000Z", which means: from the start. The
 * second form stands between the pages of one pull: it remembers where that began. A page shows
 * records that last changed behind `seq`; of such a record the reader has nothing that changed
 * since `from`, because it was not on an earlier page.
 */
#ifndef SG_CURSOR_H
#define SG_CURSOR_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

#define SG_EPOCH_TEXT 16
#define SG_CURSOR_PLAIN (1 + 16 + 1 + SG_EPOCH_TEXT) /* bytes of the first form */
#define SG_CURSOR_TEXT (SG_CURSOR_PLAIN + 1 + 16)    /* of the second */

typedef struct sg_epoch {
    uint64_t id;
} sg_epoch;

typedef struct sg_cursor {
    int64_t seq;  /* 0: the start */
    int64_t from; /* seq up to which the reader has everything; seq itself unless between pages */
} sg_cursor;

static inline sg_cursor sg_cursor_at(int64_t seq)
{
    return (sg_cursor){seq, seq};
}

void sg_epoch_format(sg_epoch epoch, char out[SG_EPOCH_TEXT]);
/* SG_BADREQUEST if it is not 16 hex digits. */
int sg_epoch_parse(sg_slice text, sg_epoch *epoch);
/* Its length; there is no NUL behind it. */
size_t sg_cursor_format(sg_cursor cursor, sg_epoch epoch, char out[SG_CURSOR_TEXT]);
/* SG_BADCURSOR: not one of ours; SG_RESYNC: of another epoch. Empty and the start of time: 0. */
int sg_cursor_parse(sg_slice text, sg_epoch epoch, sg_cursor *cursor);

#endif
