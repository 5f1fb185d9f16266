/*
 * When is a person's write lost (L5)? Two halves of one answer:
 *
 * The server, which sees commit order, notes for each field the seqs of people's writes that were
 * overwritten unseen: those that lost on arrival, and those whose first winner was made by a writer
 * who had not applied them. The replica that made the write, when it sees its own visible value
 * replaced, looks the write's seq up in that list.
 */
#ifndef SG_CONFLICT_H
#define SG_CONFLICT_H

#include "core/record.h"

/* A winner made by `writer` after it had applied `base` replaces `loser`: was the loser unseen?
 * Only a person's write counts, and nobody overwrites himself unseen. */
bool sg_conflict_unseen(const sg_mark *loser, uint32_t writer, int64_t base);

enum sg_judgement {
    SG_JUDGE_DOUBT, /* the write is not acknowledged yet: ask again when it is */
    SG_JUDGE_SEEN,  /* its overwriter knew it: no conflict */
    SG_JUDGE_LOST   /* overwritten unseen */
};

/* own_seq: seq of one's own overwritten write, 0 while unknown; winner_seq: of what is there now;
 * lost: the list that came with the winner. A write committed after what is there now had been
 * there before it, so it lost on arrival. */
enum sg_judgement sg_conflict_judge(int64_t own_seq, int64_t winner_seq, const sg_lost *lost);

#endif
