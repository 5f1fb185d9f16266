#!/usr/bin/env python3
"""Break one line of Sigla at a time, and see that the simulator or a test notices.

    /usr/bin/python3 tests/sim/mutants.py [--seeds N] [--jobs J] [--list] [NAME…]

Each mutant (mutant_list.py) replaces one piece of source in a copy of the tree under build/mutants.
What must find it is built from that copy and run: the simulator with a rising number of seeds, until
seeds fail in the name of a law that the mutant breaks; and the tests that the mutant names. What was
found is kept in mutants.md, mutant by mutant. Ends with `N passed, N failed`; a mutant that survives
one of them, or is found in the name of another law, is a failure.
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

from mutant_list import FAILURES, MUTANTS

ROOT = Path(__file__).resolve().parents[2]
TREES = ROOT / "build" / "mutants"
TABLE = Path(__file__).with_name("mutants.md")
COPIED = ("src", "include", "tests", "apps/sigla", "apps/wasm/wasm.mk", "Makefile", "VERSION")
SKIPPED = {"node_modules", "corpus", "__pycache__"}
LADDER = (30, 300, 3000, 30000)  # seeds tried before it is given up, rung by rung
FOUND_MOST = 3  # seeds listed of those that find a mutant
SIM_S, TEST_S = 1200, 120

HEAD = """# Mutants

Written by `./dev mutants`. Each is one piece of the product's source that was broken on purpose
(`mutant_list.py`), in a copy of the tree; beside it stand the laws that this breaks (`spec/merge.md`) and what
found it: the first seeds of the simulator that failed in the name of one of these laws, and tests
under `tests/`, each as program and test.
"""
FAILURES_HEAD = """## Failures of systems before this one

Each has a scenario that passes here and fails with its mutant.
"""

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


def programs_of(mutant):
    return sorted({"build/release/tests/" + by.partition(":")[0] for by in mutant.by.split()})


def make(tree, targets):
    env = dict(os.environ)
    if "CC" not in env and shutil.which("ccache"):
        env.update(CC="ccache gcc", CCACHE_BASEDIR=str(tree), CCACHE_NOHASHDIR="1")
    # A mutant may leave a function or a parameter unused.
    return subprocess.run(["make", "-s", *targets,
                           "CFLAGS=-Wno-error -Wno-unused-function -Wno-unused-parameter"],
                          cwd=tree, env=env, capture_output=True, text=True)


# ---- one mutant ----


class Verdict:
    """What became of a mutant: what missed it, which seeds found it, and what the first one said, or
    what went wrong."""

    def __init__(self, mutant):
        self.mutant, self.missed, self.seeds, self.message = mutant, [], [], ""

    def caught(self):
        return not self.missed


def laws_of(message):
    named = re.match(r"((?:L\d+ ?)+)", message)
    return set(named.group(1).split()) if named else set()


def run_seeds(verdict, program, first, last):
    """Seeds that fail in the name of a law the mutant breaks; others are only told of."""
    wrong, laws = "", set(verdict.mutant.laws.split())
    try:
        done = subprocess.run([program, "--from", str(first), "--seeds",
                               str(last - first + 1), "--jobs", "1", "--most", "20"],
                              capture_output=True, text=True, errors="replace", timeout=SIM_S)
        output = done.stdout
    except subprocess.TimeoutExpired as e:
        output, wrong = (e.stdout or b"").decode("utf-8", "replace"), "it did not end"
    for seed, message in re.findall(r"seed (\d+): (.*)", output):
        if laws_of(message) & laws and len(verdict.seeds) < FOUND_MOST:
            verdict.message = message if not verdict.seeds else verdict.message
            verdict.seeds.append(seed)
        elif not laws_of(message) & laws:
            wrong = wrong or f"seed {seed}: {message}"
    if not verdict.seeds:
        verdict.message = wrong


def try_simulator(verdict, program, seeds):
    first = 1
    for last in (*(n for n in LADDER if n < seeds), seeds):
        run_seeds(verdict, program, first, last)
        if verdict.seeds:
            return
        first = last + 1
    verdict.missed.append("sim")


def failed_tests(program):
    """Those that failed, or the one that does not end."""
    try:
        done = subprocess.run(["stdbuf", "-oL", program], capture_output=True, text=True,
                              errors="replace", timeout=TEST_S)
    except subprocess.TimeoutExpired as e:
        return re.findall(r"\[ RUN      \] (\w+)", (e.stdout or b"").decode())[-1:]
    return re.findall(r"^\[  FAILED  \] (\w+)$", done.stdout + done.stderr, re.M)


def try_tests(verdict, tree, program, tests):
    failed = failed_tests(tree / "build/release/tests" / program)
    for test in tests:
        if test not in failed:
            verdict.missed.append(f"{program}:{test}")
            verdict.message += f"{program} failed in {' '.join(failed) or 'nothing'}"


def try_all(verdict, tree, seeds):
    tests = {}
    for by in verdict.mutant.by.split():
        program, _, test = by.partition(":")
        tests.setdefault(program, []).append(test)
    for program, names in tests.items():
        if program == "sim":
            try_simulator(verdict, tree / "build/release/tests/sim", seeds)
        else:
            try_tests(verdict, tree, program, names)


def try_mutant(mutant, tree, seeds):
    verdict, source = Verdict(mutant), tree / mutant.path
    text = source.read_text()
    if text.count(mutant.old) != 1:
        verdict.missed.append("all")
        verdict.message = f"what is to be replaced stands there {text.count(mutant.old)} times"
        return verdict
    source.write_text(text.replace(mutant.old, mutant.new))
    try:
        built = make(tree, programs_of(mutant))
        if built.returncode == 0:
            try_all(verdict, tree, seeds)
        else:
            verdict.missed.append("all")
            verdict.message = "does not compile: " + built.stderr.strip().partition("\n")[0]
        return verdict
    finally:
        source.write_text(text)


# ---- all of them ----


def prepare(count, mutants):
    """The first tree is built, the others are copies of it."""
    trees = [TREES / str(i) for i in range(count)]
    targets = sorted({program for m in mutants for program in programs_of(m)})
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
            write_table(future.result())
    return [f.result() for f in futures]


def show(verdict):
    where = "SURVIVES " + " ".join(verdict.missed)
    if verdict.caught():
        where = "seeds " + " ".join(verdict.seeds) if verdict.seeds else "its test"
    print(f"{verdict.mutant.name:38} {verdict.mutant.laws:8} {where:20} {verdict.message[:90]}",
          flush=True)


def tests_of(mutant):
    return [by for by in mutant.by.split() if by != "sim"]


def found_by(verdict):
    how = ["seeds " + ", ".join(verdict.seeds)] if verdict.seeds else []
    how += [f"`{by}`" for by in tests_of(verdict.mutant)]
    return "; ".join(how) if verdict.caught() else "survives " + ", ".join(verdict.missed)


def cell(text):
    return text.replace("|", "\\|")


def row_of(verdict):
    m = verdict.mutant
    return f"| {m.name} | {m.laws} | {found_by(verdict)} | {cell(verdict.message)} |"


def rows_before():
    text = TABLE.read_text() if TABLE.exists() else ""
    return {line.split(" ")[1]: line for line in text.splitlines() if line.startswith("| ")}


def write_table(verdict):
    """The row of this one is written anew, those of the others stay."""
    rows = rows_before()
    rows[verdict.mutant.name] = row_of(verdict)
    lines = [HEAD, "| mutant | law | found by | the first seed said |", "|---|---|---|---|"]
    lines += [rows.get(m.name, f"| {m.name} | {m.laws} | not tried | |") for m in MUTANTS]
    lines += ["", FAILURES_HEAD, "| what happened | scenario | mutant that makes it fail |",
              "|---|---|---|"]
    by_name = {m.name: m for m in MUTANTS}
    for what, name in FAILURES:
        scenario = ", ".join(f"`{by}`" for by in tests_of(by_name[name]))
        lines.append(f"| {what} | {scenario} | {name} |")
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
    caught = sum(v.caught() for v in verdicts)
    print(f"{caught} passed, {len(verdicts) - caught} failed")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
