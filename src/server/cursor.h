/*
 * Cursors: positions in the server's commit order, opaque on the wire (spec/protocol.md, L7).
 *
 *   c<seq, 16 lower-case hex digits>-<epoch, 16 hex digits>-<proof, 8 hex digits>
 *   c<seq>-<epoch>-<proof>-<from, 16 hex digits>
 *   c<seq>-<epoch>-<proof>-<from>-<joins, 16 hex digits>-<at, 16 hex digits>
 *
 * They sort as text by seq, and behind "1970-01-01T00:00:00.000Z", which means: from the start. The
 * second form stands between the pages of one pull: it remembers where that began. A page shows
 * records that last changed behind `seq`; of such a record the reader has nothing that changed
 * since `from`, because it was not on an earlier page.
 *
 * The third form stands where spaces have been joined behind `seq` (spec/spaces.md, section 3): what
 * they held up to `seq` has been sent for the joins before `joins`, and for that one up to `at`.
 *
 * The proof is a digest of the history entry that got `seq`. A server that was put back from a copy
 * gives the same seqs again to other changes: there the proof does not hold.
 */
#ifndef SG_CURSOR_H
#define SG_CURSOR_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "store/store.h"

#define SG_EPOCH_TEXT 16
#define SG_CURSOR_PLAIN (1 + 16 + 1 + SG_EPOCH_TEXT + 1 + 8) /* bytes of the first form */
#define SG_CURSOR_BETWEEN (SG_CURSOR_PLAIN + 1 + 16)         /* of the second */
#define SG_CURSOR_TEXT (SG_CURSOR_BETWEEN + 2 * (1 + 16))    /* of the third, the longest */

/* All that a joined space held has been sent. */
#define SG_CURSOR_SENT INT64_MAX

/* A proof that was not made: a position of the server's own. */
#define SG_PROOF_NONE INT64_C(-1)

typedef struct sg_epoch {
    uint64_t id;
} sg_epoch;

typedef struct sg_cursor {
    int64_t seq;   /* 0: the start */
    int64_t from;  /* seq up to which the reader has everything; seq itself unless between pages */
    int64_t proof; /* 0 … UINT32_MAX, or SG_PROOF_NONE */
    int64_t joins; /* joined_seq of the space being sent, or sent last; 0: none above seq */
    int64_t at;    /* seq of the last record of it that was sent, or SG_CURSOR_SENT */
} sg_cursor;

static inline sg_cursor sg_cursor_at(int64_t seq)
{
    return (sg_cursor){.seq = seq, .from = seq, .proof = SG_PROOF_NONE};
}

void sg_epoch_format(sg_epoch epoch, char out[SG_EPOCH_TEXT]);
/* SG_BADREQUEST if it is not 16 hex digits. */
int sg_epoch_parse(sg_slice text, sg_epoch *epoch);
/* Its length; there is no NUL behind it. */
size_t sg_cursor_format(sg_cursor cursor, sg_epoch epoch, char out[SG_CURSOR_TEXT]);
/* SG_BADCURSOR: not one of ours; SG_RESTORED: of another epoch. Empty and the start of time: 0. */
int sg_cursor_parse(sg_slice text, sg_epoch epoch, sg_cursor *cursor);

/* Give a position its proof; 0 where the history of it has been purged. Inside the view. */
int sg_cursor_prove(const sg_store *store, sg_view *view, sg_cursor *cursor);
/* SG_RESTORED: the history that ends at newest is not the one the cursor was issued in. A purged
 * entry proves nothing, and is believed. */
int sg_cursor_check(const sg_store *store, sg_view *view, int64_t newest, const sg_cursor *cursor);

#endif
