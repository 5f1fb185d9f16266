"""What is broken on purpose: one piece of source each, which must stand in its file exactly once.

A mutant breaks the laws it names (spec/merge.md), and whatever finds it has to name one of them.
`by` is what must find it: the simulator, or a test of a program under tests/, `program:test`.
mutants.py runs them; mutants.md says what it found.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    name: str
    laws: str  # separated by spaces
    path: str
    old: str
    new: str
    by: str = "sim"


MUTANTS = [
    Mutant("tie-by-number", "L3", "src/core/stamp.c",
           "    if (c != 0) return c;\n"
           "    return (a->n",
           "    return (a->n"),
    Mutant("older-wins", "L2", "src/core/merge.c",
           "return c > 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;",
           "return c < 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;"),
    Mutant("arrival-order-wins", "L3", "src/core/merge.c",
           "return c > 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;",
           "return SG_MERGE_TAKE;"),
    Mutant("own-overwrite-unseen", "L5", "src/core/conflict.c",
           " && loser->client != writer",
           ""),
    Mutant("agents-have-conflicts", "L5", "src/core/conflict.c",
           " && loser->origin == SG_ORIGIN_USER",
           ""),
    Mutant("base-forgotten", "L5", "src/core/conflict.c",
           "base < loser->seq",
           "base <= loser->seq"),
    Mutant("base-ignored", "L5", "src/core/conflict.c",
           "base < loser->seq",
           "loser->seq != 0"),
    Mutant("lost-on-arrival-not-noted", "L5", "src/core/conflict.c",
           "if (own_seq > winner_seq) return SG_JUDGE_LOST;",
           ""),
    Mutant("judged-before-the-ack", "L5", "src/core/conflict.c",
           "if (own_seq == 0) return SG_JUDGE_DOUBT;",
           "if (own_seq == 0) return SG_JUDGE_LOST;"),
    Mutant("list-ignored", "L5", "src/core/conflict.c",
           "return sg_lost_has(lost, own_seq) ? SG_JUDGE_LOST : SG_JUDGE_SEEN;",
           "return lost != NULL ? SG_JUDGE_SEEN : SG_JUDGE_LOST;"),
    Mutant("second-winner-judges-too", "L5", "src/core/merge.c",
           "return f->mark.seq >= r->revived_seq;",
           "return f->mark.seq >= 0 && r != NULL;"),
    Mutant("delete-loses-nothing", "L5", "src/core/merge.c",
           "    if (c->op == SG_OP_DELETE && !r->dead) err = note_deleted(r, in, m->arena);\n",
           ""),
    Mutant("update-revives", "L12", "src/core/merge.c",
           "    if (c->op == SG_OP_UPDATE) return SG_OK;\n"
           "    sg_stamp cur",
           "    if (c->op == SG_OP_UPDATE) {\n"
           "        r->dead = false;\n"
           "        return SG_OK;\n"
           "    }\n"
           "    sg_stamp cur"),
    Mutant("writer-not-told-of-a-lesser", "L2", "src/core/merge.c",
           "    if (verdict == SG_MERGE_KEEP && differs && shows_its_own(&f->mark, "
           "in)) r->again_seq = in->seq;\n",
           ""),
    Mutant("fresh-fields-of-the-revived-not-told", "L2", "src/core/merge.c",
           "    if (m->revived_seq > in->base) r->again_seq = in->seq;\n",
           ""),
    Mutant("clock-follows-nothing", "L14", "src/core/clock.c",
           "    if (at_us > c->last_us) c->last_us = at_us;\n",
           ""),
    Mutant("clock-does-not-tick", "L3", "src/core/clock.c",
           "c->last_us = now > c->last_us ? now : clamp(c->last_us, 0, SG_AT_MAX_US - 1) + 1;",
           "c->last_us = now;"),
    Mutant("late-answer-sets-the-clock", "L14", "src/core/clock.c",
           "c->offset_us = clamp(c->offset_us, low, high);",
           "c->offset_us = low + 0 * high;"),
    Mutant("any-stamp-is-taken", "L14", "src/core/clock.c",
           "return at_us > now_us && (uint64_t)at_us - (uint64_t)now_us > "
           "(uint64_t)SG_CLOCK_BOUND_US;",
           "return at_us < 0 && now_us > at_us;"),
    Mutant("restamp-turns-own-order", "L3", "src/server/chunk_merge.c",
           "    if (above_us > a->clock.last_us) a->clock.last_us = above_us;\n",
           ""),
    Mutant("numbers-forgotten", "L8", "src/server/apply.c",
           "if (c->n == 0 || c->n > a->state.max_n) return SG_OK;",
           "if (c->n >= 0) return SG_OK;"),
    Mutant("copies-not-noticed", "L13", "src/server/apply.c",
           "    bool same = h.n == c->n &&",
           "    bool same = true || h.n == c->n &&"),
    Mutant("silent-copies-not-noticed", "L13", "src/server/known.c",
           "return err == SG_OK && n > known->sent ? SG_CLIENTCOPIED : err;",
           "return err;"),
    Mutant("restored-server-not-noticed", "L7", "src/server/known.c",
           "if (known->seq > newest) return SG_RESTORED;",
           "if (known->seq > newest) return SG_OK;"),
    Mutant("transactions-torn", "L1", "src/server/apply.c",
           "return in->c.n != 0 && in->c.tx_last > p->last_n;",
           "return in->c.n < 0 && p != NULL;"),
    Mutant("half-a-page-of-a-pull", "L1", "src/replica/pages.c",
           "if (!has_more || pages->n > most)",
           "if (true || pages->n > most + has_more)"),
    Mutant("cursor-one-too-far", "L7", "src/replica/apply.c",
           "a->app.seq = page->synced_seq;",
           "a->app.seq = page->synced_seq + 1;"),
    Mutant("cursor-goes-back", "L7", "src/replica/apply.c",
           "    if (page->synced_seq < a->app.seq) return SG_OK;\n",
           ""),
    Mutant("stale-place", "L7", "src/replica/answer.c",
           "    sg_app_load(s->r, s->app, &s->place, &err);\n"
           "    sg_fold",
           "    sg_fold"),
    Mutant("echo", "L10", "src/replica/apply.c",
           "    a->r->applying = true;\n"
           "    bool got",
           "    a->r->applying = false;\n"
           "    bool got"),
    Mutant("values-of-the-dead", "L2", "src/replica/apply.c",
           "!dead && !in->dead && err",
           "!dead && err"),
    Mutant("own-marks-by-time-alone", "L14", "src/replica/apply.c",
           "    return cur->n != 0 && cur->n == in->n && cur->client == in->client;",
           "    return cur->n != 0 && cur->n < 0 && in != NULL;"),
    Mutant("tombstones-kept", "L12", "src/replica/tombstone.c",
           "    if (floor == 0) return SG_OK;\n",
           "    if (floor >= 0) return SG_OK;\n"),
    Mutant("unsent-lost-on-resync", "L12", "src/replica/resync.c",
           "        if (err != SG_OK || has_pending(a, &err)) continue;\n",
           "        if (err != SG_OK) continue;\n"
           "        (void)has_pending;\n"),
    Mutant("nothing-sent-again", "L6", "src/replica/resync.c",
           "err = sg_app_restored(&a->app) ? sg_resend(a) : remove_all_unseen(a);",
           "err = remove_all_unseen(a);"),
    Mutant("expiry-by-own-clock", "L6", "src/replica/answer.c",
           "sg_journal_expire(s->r, page->server_us, err);",
           "sg_journal_expire(s->r, sg_replica_now(s->r), err);"),
    Mutant("raised-again", "L5", "src/replica/journal.c",
           "    if (*err != SG_OK || verdict == SG_JUDGE_SEEN || is_known(r, l, err)) return;",
           "    if (*err != SG_OK || verdict == SG_JUDGE_SEEN) return;"),
    Mutant("overwritten-by-own-hand-raised", "L5", "src/replica/fold.c",
           "        settle_own(f, t, item, slot, err);\n",
           ""),
    Mutant("outbox-after-the-commit", "L1", "src/replica/transaction.c",
           "    if (r->capture.count == r->capture.flushed) return SQLITE_OK;\n",
           "    if (r->capture.count < 4) return SQLITE_OK;\n"),
    Mutant("savepoints-forgotten", "L1", "src/replica/transaction.c",
           "    c->count = then.count;\n",
           ""),
    Mutant("dirty-cleared-too-far", "L8", "src/replica/ack.c",
           "        if (last > settled) settled = last;\n",
           "        if (last > settled) settled = last + 1;\n"),
    Mutant("commit-not-synced", "L1", "src/store/sqlite_conn.c",
           "PRAGMA synchronous = FULL;",
           "PRAGMA synchronous = OFF;"),
]
