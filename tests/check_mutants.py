#!/usr/bin/env python3
"""Fails if a mutant cannot be made any more, or names a test that is not there.

Running the mutants takes an hour (`./dev mutants`); that each of them still stands for something is
seen at once: what it replaces is in its file exactly once, its name is its own, the tests that are
to find it exist, and each law is broken by one. Ends with `N passed, N failed`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "sim"))
sys.dont_write_bytecode = True

from mutant_list import FAILURES, MUTANTS, Mutant  # noqa: E402

# Singletons are provisioned by nobody yet (L18).
LAWS = {f"L{n}" for n in range(1, 21)} - {"L18"}


def problems(mutant):
    source = ROOT / mutant.path
    count = source.read_text().count(mutant.old) if source.exists() else 0
    if count != 1:
        yield f"what it replaces stands {count} times in {mutant.path}"
    if mutant.old == mutant.new:
        yield "it changes nothing"
    for by in mutant.by.split():
        program, _, test = by.partition(":")
        path = ROOT / "tests" / f"{program}.c"
        if program != "sim" and not (path.exists() and
                                     re.search(rf"\bvoid {test}\(", path.read_text())):
            yield f"there is no test {by}"


def check_all(mutants, failures):
    found = [f"{m.name}: {p}" for m in mutants for p in problems(m)]
    names = [m.name for m in mutants]
    found += [f"{name}: there are two" for name in set(names) if names.count(name) > 1]
    broken = {law for m in mutants for law in m.laws.split()}
    found += [f"no mutant breaks {law}" for law in sorted(LAWS - broken)]
    by_name = {m.name: m for m in mutants}
    for what, name in failures:
        if name not in by_name or not [b for b in by_name[name].by.split() if b != "sim"]:
            found.append(f"{what}: no test is its scenario")
    return found


def main():
    found = check_all(MUTANTS, FAILURES)
    gone = Mutant("gone", "L1", "src/core/stamp.c", "what was there once", "", "laws/test_none:x")
    refused = len(list(problems(gone))) == 2
    for problem in found:
        print(problem)
    if not refused:
        print("a mutant that cannot be made, with a test that is not there, passes")
    failed = len(found) + (not refused)
    print(f"{len(MUTANTS) + 1 - failed if failed <= len(MUTANTS) else 0} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
