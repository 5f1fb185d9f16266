#!/usr/bin/env python3
"""A thousand short runs of the simulator, always the same ones.

timeout: 300

`./dev sim --seeds N` runs as many as wanted; a seed that failed there is best kept as a test of what
it showed. Ends with `N passed, N failed`.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = "1000"

sim = Path(os.environ.get("SIGLA_BUILD", ROOT / "build")).resolve() / "release" / "tests" / "sim"
sys.stdout.flush()
os.execv(sim, [str(sim), "--seeds", SEEDS, "--jobs", "1"])
