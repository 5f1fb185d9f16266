#!/usr/bin/env python3
"""Break one line of Sigla at a time, and see that the simulator notices.

    /usr/bin/python3 tests/sim/mutants.py [--seeds 3000] [NAME…]

Each mutant replaces one piece of source, which must stand in its file exactly once, in a copy of the
tree under build/mutants; the simulator built from it has to fail. Prints a table of the law that is
broken, the first seed that found it and what it said. Ends with `N passed, N failed`, a mutant that
survives being a failure.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TREE = ROOT / "build" / "mutants"

# name, law, file, what stands there, what stands there instead
MUTANTS = [
    ("tie-by-number", "L3", "src/core/stamp.c", "    if (c != 0) return c;\n    return (a->n",
     "    return (a->n"),
    ("older-wins", "L2", "src/core/merge.c", "return c > 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;",
     "return c < 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;"),
    ("arrival-order-wins", "L3", "src/core/merge.c",
     "return c > 0 ? SG_MERGE_TAKE : SG_MERGE_KEEP;", "return SG_MERGE_TAKE;"),
    ("own-overwrite-unseen", "L5", "src/core/conflict.c", " && loser->client != writer", ""),
    ("agents-have-conflicts", "L5", "src/core/conflict.c",
     " && loser->origin == SG_ORIGIN_USER", ""),
    ("base-forgotten", "L5", "src/core/conflict.c", "base < loser->seq", "base <= loser->seq"),
    ("base-ignored", "L5", "src/core/conflict.c", "base < loser->seq", "loser->seq != 0"),
    ("lost-on-arrival-not-noted", "L5", "src/core/conflict.c",
     "if (own_seq > winner_seq) return SG_JUDGE_LOST;", ""),
    ("judged-before-the-ack", "L5", "src/core/conflict.c",
     "if (own_seq == 0) return SG_JUDGE_DOUBT;", "if (own_seq == 0) return SG_JUDGE_LOST;"),
    ("list-ignored", "L5", "src/core/conflict.c",
     "return sg_lost_has(lost, own_seq) ? SG_JUDGE_LOST : SG_JUDGE_SEEN;",
     "return lost != NULL ? SG_JUDGE_SEEN : SG_JUDGE_LOST;"),
    ("second-winner-judges-too", "L5", "src/core/merge.c",
     "return f->mark.seq >= r->revived_seq;", "return f->mark.seq >= 0 && r != NULL;"),
    ("delete-loses-nothing", "L5", "src/core/merge.c",
     "    if (c->op == SG_OP_DELETE && !r->dead) err = note_deleted(r, in, m->arena);\n", ""),
    ("update-revives", "L12", "src/core/merge.c",
     "    if (c->op == SG_OP_UPDATE) return SG_OK;\n    sg_stamp cur",
     "    if (c->op == SG_OP_UPDATE) {\n        r->dead = false;\n        return SG_OK;\n    }\n"
     "    sg_stamp cur"),
    ("writer-not-told-of-a-lesser", "L2", "src/core/merge.c",
     "    if (verdict == SG_MERGE_KEEP && differs && had_applied(&f->mark, in)) "
     "r->again_seq = in->seq;\n", ""),
    ("fresh-fields-of-the-revived-not-told", "L2", "src/core/merge.c",
     "    if (m->revived_seq > in->base) r->again_seq = in->seq;\n", ""),
    ("clock-follows-nothing", "L14", "src/core/clock.c",
     "    if (at_us > c->last_us) c->last_us = at_us;\n", ""),
    ("clock-does-not-tick", "L3", "src/core/clock.c",
     "c->last_us = now > c->last_us ? now : clamp(c->last_us, 0, SG_AT_MAX_US - 1) + 1;",
     "c->last_us = now;"),
    ("late-answer-sets-the-clock", "L14", "src/core/clock.c",
     "c->offset_us = clamp(c->offset_us, low, high);", "c->offset_us = low + 0 * high;"),
    ("any-stamp-is-taken", "L14", "src/core/clock.c",
     "return at_us > now_us && (uint64_t)at_us - (uint64_t)now_us > (uint64_t)SG_CLOCK_BOUND_US;",
     "return at_us < 0 && now_us > at_us;"),
    ("restamp-turns-own-order", "L3", "src/server/chunk_merge.c",
     "    if (above_us > a->clock.last_us) a->clock.last_us = above_us;\n", ""),
    ("numbers-forgotten", "L8", "src/server/apply.c",
     "if (c->n == 0 || c->n > a->state.max_n) return SG_OK;", "if (c->n >= 0) return SG_OK;"),
    ("copies-not-noticed", "L13", "src/server/apply.c",
     "    bool same = h.n == c->n &&", "    bool same = true || h.n == c->n &&"),
    ("silent-copies-not-noticed", "L13", "src/server/known.c",
     "return err == SG_OK && n > known->sent ? SG_CLIENTCOPIED : err;", "return err;"),
    ("restored-server-not-noticed", "L7", "src/server/known.c",
     "if (known->seq > newest) return SG_RESTORED;", "if (known->seq > newest) return SG_OK;"),
    ("transactions-torn", "L1", "src/server/apply.c",
     "return in->c.n != 0 && in->c.tx_last > p->last_n;", "return in->c.n < 0 && p != NULL;"),
    ("half-a-page-of-a-pull", "L1", "src/replica/pages.c",
     "if (!has_more || pages->n > most)", "if (true || pages->n > most + has_more)"),
    ("cursor-one-too-far", "L7", "src/replica/apply.c",
     "a->app.seq = page->synced_seq;", "a->app.seq = page->synced_seq + 1;"),
    ("cursor-goes-back", "L7", "src/replica/apply.c",
     "    if (page->synced_seq < a->app.seq) return SG_OK;\n", ""),
    ("stale-place", "L7", "src/replica/answer.c",
     "    sg_app_load(s->r, s->app, &s->place, &err);\n    sg_fold", "    sg_fold"),
    ("echo", "L10", "src/replica/apply.c", "    a->r->applying = true;\n    bool got",
     "    a->r->applying = false;\n    bool got"),
    ("values-of-the-dead", "L2", "src/replica/apply.c", "!dead && !in->dead && err", "!dead && err"),
    ("own-marks-by-time-alone", "L14", "src/replica/apply.c",
     "    return cur->n != 0 && cur->n == in->n && cur->client == in->client;",
     "    return cur->n != 0 && cur->n < 0 && in != NULL;"),
    ("tombstones-kept", "L12", "src/replica/tombstone.c",
     "    if (floor == 0) return SG_OK;\n", "    if (floor >= 0) return SG_OK;\n"),
    ("unsent-lost-on-resync", "L12", "src/replica/resync.c",
     "        if (err != SG_OK || has_pending(a, &err)) continue;\n",
     "        if (err != SG_OK) continue;\n        (void)has_pending;\n"),
    ("nothing-sent-again", "L6", "src/replica/resync.c",
     "err = sg_app_restored(&a->app) ? sg_resend(a) : remove_all_unseen(a);",
     "err = remove_all_unseen(a);"),
    ("expiry-by-own-clock", "L6", "src/replica/answer.c",
     "sg_journal_expire(s->r, page->server_us, err);",
     "sg_journal_expire(s->r, sg_replica_now(s->r), err);"),
    ("raised-again", "L5", "src/replica/journal.c",
     "    if (*err != SG_OK || verdict == SG_JUDGE_SEEN || is_known(r, l, err)) return;",
     "    if (*err != SG_OK || verdict == SG_JUDGE_SEEN) return;"),
    ("overwritten-by-own-hand-raised", "L5", "src/replica/fold.c",
     "        settle_own(f, t, item, slot, err);\n", ""),
    ("outbox-after-the-commit", "L1", "src/replica/transaction.c",
     "    if (r->capture.count == r->capture.flushed) return SQLITE_OK;\n",
     "    if (r->capture.count < 4) return SQLITE_OK;\n"),
    ("savepoints-forgotten", "L1", "src/replica/transaction.c", "    c->count = then.count;\n", ""),
    ("dirty-cleared-too-far", "L8", "src/replica/ack.c",
     "        if (last > settled) settled = last;\n",
     "        if (last > settled) settled = last + 1;\n"),
    ("commit-not-synced", "L1", "src/store/sqlite_conn.c", "PRAGMA synchronous = FULL;",
     "PRAGMA synchronous = OFF;"),
]


def copy_tree():
    for name in ("src", "include", "tests", "apps"):
        shutil.copytree(ROOT / name, TREE / name, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("node_modules", "corpus"))
    for name in ("Makefile", "VERSION"):
        shutil.copy2(ROOT / name, TREE / name)


def make():
    return subprocess.run(["make", "-s", "-j2", "build/release/tests/sim",
                           "CFLAGS=-Wno-error -Wno-unused-function -Wno-unused-parameter"],
                          cwd=TREE, capture_output=True, text=True)


def run(seeds):
    done = subprocess.run([TREE / "build/release/tests/sim", "--seeds", str(seeds), "--most", "1"],
                          capture_output=True, text=True)
    found = re.search(r"seed (\d+): (.*)", done.stdout)
    return (found.group(1), found.group(2)) if found else (None, "")


def try_mutant(mutant, seeds):
    name, law, path, old, new = mutant
    source = TREE / path
    text = (ROOT / path).read_text()
    if text.count(old) != 1:
        return None, f"{path}: what is to be replaced stands there {text.count(old)} times"
    source.write_text(text.replace(old, new))
    try:
        built = make()
        if built.returncode != 0:
            return None, "does not compile: " + built.stderr.strip().splitlines()[0]
        return run(seeds)
    finally:
        source.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3000)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    chosen = [m for m in MUTANTS if not args.names or m[0] in args.names]
    copy_tree()
    built = make()
    if built.returncode != 0:
        sys.exit(built.stderr)
    caught = 0
    for mutant in chosen:
        seed, message = try_mutant(mutant, args.seeds)
        caught += seed is not None
        verdict = f"seed {seed}" if seed else "SURVIVES"
        print(f"{mutant[0]:38} {mutant[1]:4} {verdict:12} {message[:70]}", flush=True)
    print(f"{caught} passed, {len(chosen) - caught} failed")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
