#!/usr/bin/env python3
"""Break one line of Sigla at a time, and see that the simulator or a test notices.

    /usr/bin/python3 tests/sim/mutants.py [--seeds N] [--jobs J] [--list] [NAME…]

Each mutant (mutant_list.py) replaces one piece of source in a copy of the tree under build/mutants.
What must find it is built from that copy and run: the simulator with a rising number of seeds, until
seeds fail in the name of a law that the mutant breaks; or the test the mutant names. What all of
them together gave is kept in mutants.md. Ends with `N passed, N failed`; a mutant that survives, or
is found in the name of another law, is a failure.
"""

import argparse
import concurrent.futures
import os
import queue
import re
import shutil
import subprocess
import sys
from pathlib import Path

from mutant_list import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
TREES = ROOT / "build" / "mutants"
TABLE = Path(__file__).with_name("mutants.md")
COPIED = ("src", "include", "tests", "apps/sigla", "apps/wasm/wasm.mk", "Makefile", "VERSION")
SKIPPED = {"node_modules", "corpus", "__pycache__"}
LADDER = (300, 3000, 30000)  # seeds tried before it is given up, rung by rung
FOUND_MOST = 3  # seeds listed of those that find a mutant
SIM_S, TEST_S = 1200, 120

# ---- a copy of the tree for each worker ----


def files_of(top):
    for name in COPIED:
        path = top / name
        if path.is_file():
            yield path
        for folder, folders, names in os.walk(path):
            folders[:] = [f for f in folders if f not in SKIPPED]
            yield from (Path(folder) / n for n in names)


def refresh(tree):
    """Only what differs is written, so that only that is built again."""
    wanted = {p.relative_to(ROOT) for p in files_of(ROOT)}
    for path in list(files_of(tree)):
        if path.relative_to(tree) not in wanted:
            path.unlink()
    for name in wanted:
        to, text = tree / name, (ROOT / name).read_bytes()
        if not to.exists() or to.read_bytes() != text:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(text)


def program_of(mutant):
    return "build/release/tests/" + mutant.by.partition(":")[0]


def make(tree, targets):
    env = dict(os.environ)
    if "CC" not in env and shutil.which("ccache"):
        env.update(CC="ccache gcc", CCACHE_BASEDIR=str(tree), CCACHE_NOHASHDIR="1")
    # A mutant may leave a function or a parameter unused.
    return subprocess.run(["nice", "make", "-s", *targets,
                           "CFLAGS=-Wno-error -Wno-unused-function -Wno-unused-parameter"],
                          cwd=tree, env=env, capture_output=True, text=True)


# ---- one mutant ----


class Verdict:
    """What became of a mutant: `found` says where (seeds, or a test), `message` what was said."""

    def __init__(self, mutant):
        self.mutant, self.found, self.message = mutant, [], ""

    def caught(self):
        return bool(self.found)


def laws_of(message):
    named = re.match(r"((?:L\d+ ?)+)", message)
    return set(named.group(1).split()) if named else set()


def run_seeds(verdict, program, first, last):
    """Seeds that fail in the name of a law the mutant breaks; others are only told of."""
    wrong, laws = "", set(verdict.mutant.laws.split())
    try:
        done = subprocess.run(["nice", program, "--from", str(first), "--seeds",
                               str(last - first + 1), "--jobs", "1", "--most", "20"],
                              capture_output=True, text=True, errors="replace", timeout=SIM_S)
        output = done.stdout
    except subprocess.TimeoutExpired as e:
        output, wrong = (e.stdout or b"").decode("utf-8", "replace"), "it did not end"
    for seed, message in re.findall(r"seed (\d+): (.*)", output):
        if laws_of(message) & laws and len(verdict.found) < FOUND_MOST:
            verdict.found.append(seed)
            verdict.message = verdict.message or message
        elif not laws_of(message) & laws:
            wrong = wrong or f"seed {seed}: {message}"
    if not verdict.caught():
        verdict.message = wrong


def try_simulator(verdict, program, seeds):
    first = 1
    for last in (*(n for n in LADDER if n < seeds), seeds):
        run_seeds(verdict, program, first, last)
        if verdict.caught():
            return
        first = last + 1


def try_test(verdict, program, test):
    try:
        done = subprocess.run(["nice", program], capture_output=True, text=True, errors="replace",
                              timeout=TEST_S)
    except subprocess.TimeoutExpired:
        verdict.message = "it did not end"
        return
    failed = re.findall(r"^\[  FAILED  \] (\w+)$", done.stdout + done.stderr, re.M)
    if test in failed:
        verdict.found = [test]
    verdict.message = "" if test in failed else f"failed instead: {' '.join(failed) or 'nothing'}"


def try_mutant(mutant, tree, seeds):
    verdict = Verdict(mutant)
    source, text = tree / mutant.path, (ROOT / mutant.path).read_text()
    if text.count(mutant.old) != 1:
        verdict.message = f"what is to be replaced stands there {text.count(mutant.old)} times"
        return verdict
    source.write_text(text.replace(mutant.old, mutant.new))
    try:
        built = make(tree, [program_of(mutant)])
        if built.returncode != 0:
            verdict.message = "does not compile: " + built.stderr.strip().partition("\n")[0]
            return verdict
        program = tree / program_of(mutant)
        if mutant.by == "sim":
            try_simulator(verdict, program, seeds)
        else:
            try_test(verdict, program, mutant.by.partition(":")[2])
        return verdict
    finally:
        source.write_text(text)


# ---- all of them ----


def prepare(count, mutants):
    """The first tree is built, the others are copies of it."""
    trees = [TREES / str(i) for i in range(count)]
    targets = sorted({program_of(m) for m in mutants})
    for tree in trees:
        if tree != trees[0] and not tree.exists():
            shutil.copytree(trees[0], tree)
        refresh(tree)
        built = make(tree, [f"-j{count}", *targets])
        if built.returncode != 0:
            sys.exit(built.stderr)
    return trees


def run_all(mutants, trees, seeds):
    free = queue.Queue()
    for tree in trees:
        free.put(tree)

    def work(mutant):
        tree = free.get()
        try:
            return try_mutant(mutant, tree, seeds)
        finally:
            free.put(tree)

    with concurrent.futures.ThreadPoolExecutor(len(trees)) as pool:
        futures = [pool.submit(work, m) for m in mutants]
        for future in concurrent.futures.as_completed(futures):
            show(future.result())
    return [f.result() for f in futures]


def show(verdict):
    where = " ".join(verdict.found) if verdict.caught() else "SURVIVES"
    print(f"{verdict.mutant.name:38} {verdict.mutant.laws:8} {where:20} {verdict.message[:90]}",
          flush=True)


def write_table(verdicts):
    lines = ["# Mutants", "",
             "Written by `./dev mutants`: each line of the product that was broken on purpose "
             "(`mutant_list.py`), the law that this", "breaks, what found it (the first seeds of "
             "the simulator, or a test), and what the first seed said.", "",
             "| mutant | law | found by | it said |", "|---|---|---|---|"]
    for v in verdicts:
        kind, _, test = v.mutant.by.partition(":")
        found = "survives" if not v.caught() else (
            "seed " + ", ".join(v.found) if kind == "sim" else f"`tests/{kind}`: `{test}`")
        said = v.message.replace("|", "\\|")
        lines.append(f"| {v.mutant.name} | {v.mutant.laws} | {found} | {said} |")
    TABLE.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=LADDER[-1], help="after which it is given up")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    unknown = set(args.names) - {m.name for m in MUTANTS}
    if unknown:
        sys.exit(f"there is no mutant {', '.join(sorted(unknown))}; --list tells which there are")
    chosen = [m for m in MUTANTS if not args.names or m.name in args.names]
    if args.list:
        print("\n".join(f"{m.name:38} {m.laws:8} {m.by}" for m in chosen))
        return 0
    verdicts = run_all(chosen, prepare(args.jobs, chosen), args.seeds)
    if len(chosen) == len(MUTANTS):
        write_table(verdicts)
    caught = sum(v.caught() for v in verdicts)
    print(f"{caught} passed, {len(verdicts) - caught} failed")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
