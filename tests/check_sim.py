#!/usr/bin/env python3
"""Short runs of the simulator: two thousand seeds, always the same ones, and tests/sim/cases.

timeout: 400

A case is the history of a seed that failed once, as short as `sim --seed S --shrink FILE` could make
it. `./dev sim --seeds N` runs as many seeds as wanted. Ends with `N passed, N failed`; all the seeds
together count as one.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("SIGLA_BUILD", ROOT / "build")).resolve()
SIM = BUILD / "release" / "tests" / "sim"
SEEDS = "3000"


def passes(name, arguments):
    """Run the simulator; show what it says if it fails."""
    done = subprocess.run([SIM, *arguments], capture_output=True, text=True, errors="replace")
    if done.returncode != 0 or name == "seeds":
        print(f"{name}:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def main():
    cases = sorted((ROOT / "tests" / "sim" / "cases").glob("*.case"))
    results = [passes(case.stem, ["--case", case]) for case in cases]
    results.append(passes("seeds", ["--seeds", SEEDS, "--jobs", "1"]))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) and cases else 1


sys.exit(main())
