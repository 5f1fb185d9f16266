#include "core/conflict.h"

#include "core/actor.h"

bool sg_conflict_unseen(const sg_mark *loser, uint32_t writer, int64_t base)
{
    /* A writer without numbers could not be told: nobody would ask for it. */
    return loser->n != 0 && loser->origin == SG_ORIGIN_USER && loser->client != writer &&
           base < loser->seq;
}

enum sg_judgement sg_conflict_judge(int64_t own_seq, int64_t winner_seq, const sg_lost *lost)
{
    if (own_seq == 0) return SG_JUDGE_DOUBT;
    if (own_seq > winner_seq) return SG_JUDGE_LOST;
    return sg_lost_has(lost, own_seq) ? SG_JUDGE_LOST : SG_JUDGE_SEEN;
}
