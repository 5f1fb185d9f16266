#!/usr/bin/env python3
"""Search the model of the sync protocol (spec/model) through, and every way of breaking it.

timeout: 900

    /usr/bin/python3 tests/check_model.py [--large] [NAME…]

The model must keep what it promises in every state there is, within its bounds; each mutant has to
violate the property named here. --large searches wider bounds instead: minutes, and gigabytes. With
NAMEs, only those whose name contains one. Needs spin and a C compiler. Ends with
`N passed, N failed`.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "spec" / "model" / "sync.pml"
MEMORY_MB = 2000
LARGE_MEMORY_MB = 12000
DEPTH = 10000
SHALLOW = 100  # the search has to notice that it goes deeper than that
HASH_BITS, SMALL_HASH_BITS = 22, 16  # of the table of states
BOUNDS = {"CLIENTS", "CHANGES", "BAD", "TWO_PROGRAMS"}

# name, macros
KEPT = [
    ("all goes well", {}),
    ("one change is refused", {"BAD": 1}),
    ("two programs, one client", {"TWO_PROGRAMS": 1, "CLIENTS": 1}),
    ("two programs, two clients", {"TWO_PROGRAMS": 1, "CHANGES": 1}),
]
LARGE = [
    ("three clients", {"CLIENTS": 3, "CHANGES": 1}),
    ("the last change is refused", {"BAD": 2}),
]

# the macro that breaks it, the property violated, other macros
BROKEN = [
    ("ACK_MOVES_CURSOR", "no_skipped_change", {}),
    ("CURSOR_OF_A_PART", "no_skipped_change", {}),
    ("CUT_PAGE", "no_skipped_change", {}),
    ("EAGER_SETTLE", "no_lost_change", {}),
    ("EARLY_ACK", "no_early_ack", {}),
    ("EARLY_CHECK", "no_double_effect", {}),
    ("EARLY_CURSOR", "no_skipped_change", {}),
    ("EARLY_SEQ", "no_skipped_change", {}),
    ("FIELDS_SINCE", "no_skipped_change", {}),
    ("FORGET_NUMBERS", "no_double_effect", {}),
    ("KEEP_POSITION", "no_skipped_change", {}),
    ("LATE_SENT", "no_false_alarm", {}),
    ("NO_RECHECK", "no_false_alarm", {"TWO_PROGRAMS": 1, "CLIENTS": 1}),
    ("REFUSAL_BLOCKS", "no_lost_change", {"BAD": 1}),
    ("STALE_ANSWER", "no_skipped_change", {}),
    ("TORN_VIEW", "no_skipped_change", {}),
]

INCOMPLETE = re.compile(r"max search depth too small|Search not completed|out of memory"
                        r"|VECTORSZ|reached -DMEMLIM bound")
VIOLATED = re.compile(r"^pan:\d+: (?:assertion violated (\w+)|(acceptance cycle)) \(at", re.M)
COUNTED = re.compile(r"depth reached (\d+), errors: (\d+)\s+(\d+) states, stored")


class Search:
    """One search through the model under some macros; a small one is compiled sooner than run."""

    def __init__(self, macros, depth=DEPTH, memory_mb=MEMORY_MB, claim=True, small=False):
        self.defines = [f"-D{name}={value}" for name, value in macros.items()]
        self.depth, self.memory_mb, self.claim, self.small = depth, memory_mb, claim, small
        self.output = self.trace = self.violated = ""
        self.states = self.errors = 0

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(MODEL, folder)  # spin writes what it makes, and a trace, into its folder
            done = self.call(folder, ["spin", "-a", *self.defines, MODEL.name])
            if done.returncode == 0:
                done = self.call(folder, self.compiler())
            if done.returncode == 0:
                bits = SMALL_HASH_BITS if self.small else HASH_BITS
                done = self.call(folder, ["./pan", f"-m{self.depth}", f"-w{bits}", "-n",
                                          "-a" if self.claim else "-E"])
            self.output = done.stdout
            if list(Path(folder).glob("*.trail")):
                self.trace = self.replay(folder)
        self.judge()
        return self

    def compiler(self):
        mode = ["-O0" if self.small else "-O2"]
        if not self.claim:
            mode += ["-DNOCLAIM", "-DSAFETY"]
        if self.memory_mb > MEMORY_MB:
            mode += ["-DCOLLAPSE"]
        return ["cc", "-w", *mode, f"-DMEMLIM={self.memory_mb}", "-o", "pan", "pan.c"]

    @staticmethod
    def call(folder, command):
        return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def replay(self, folder):
        """What the steps of a trace print."""
        text = self.call(folder, ["spin", "-t", *self.defines, MODEL.name]).stdout
        steps = text.split("spin: ")[0].splitlines()
        return "\n".join(f"    {line.strip()}" for line in steps if not line.startswith("ltl"))

    def judge(self):
        found = VIOLATED.search(self.output)
        if found:
            self.violated = found.group(1) or "no_lost_change"
        counted = COUNTED.search(self.output)
        if counted:
            self.errors, self.states = int(counted.group(2)), int(counted.group(3))

    def is_complete(self):
        return self.states > 0 and not INCOMPLETE.search(self.output)


def check_kept(search):
    """The trouble with a search that has to find nothing."""
    if search.violated:
        return f"{search.violated} does not hold"
    if not search.is_complete() or search.errors != 0:
        return "the search did not come to its end"
    return ""


def check_broken(search, violates):
    if search.violated == violates:
        return ""
    return f"violates {search.violated or 'nothing'} instead of {violates}"


def check_shallow(search):
    return "" if not search.violated and not search.is_complete() else "a cut search looks complete"


def check_names():
    """Every macro of the model is a bound or is known here as a mutant."""
    names = re.findall(r"^#ifn?def (\w+)|defined\((\w+)\)", MODEL.read_text(), re.M)
    in_model = {a or b for a, b in names} - BOUNDS
    known = {name for name, _, _ in BROKEN}
    strange = sorted(in_model ^ known)
    return f"not in both the model and this file: {' '.join(strange)}" if strange else ""


def cases(large):
    """(name, what tells its trouble, the search)"""
    if large:
        for name, macros in LARGE:
            yield name, check_kept, Search(macros, memory_mb=LARGE_MEMORY_MB)
        return
    for name, macros in KEPT:
        yield name, check_kept, Search(macros)
    for name, violates, macros in BROKEN:
        # A violated assertion is looked for alone: some mutants do not end either.
        search = Search({name: 1, **macros}, claim=violates == "no_lost_change", small=True)
        yield name, lambda s, violates=violates: check_broken(s, violates), search
    yield ("a search cut short is noticed", check_shallow,
           Search({"TWO_PROGRAMS": 1, "CLIENTS": 1}, depth=SHALLOW, small=True))


def report(name, trouble, search):
    violated = f", {search.violated} violated" if search.violated else ""
    print(f"{'FAILED' if trouble else 'ok'} {name}: {search.states} states{violated}", flush=True)
    if trouble:
        print(f"    {trouble}\n{search.trace or search.output}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Search the model of the sync protocol through.")
    parser.add_argument("--large", action="store_true", help="search wider bounds")
    parser.add_argument("names", nargs="*", metavar="NAME", help="search those that contain it")
    args = parser.parse_args()
    failed = passed = 0
    if check_names():
        print(f"FAILED {check_names()}")
        failed += 1
    for name, check, search in cases(args.large):
        if args.names and not any(part in name for part in args.names):
            continue
        trouble = check(search.run())
        report(name, trouble, search)
        failed += trouble != ""
        passed += trouble == ""
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
