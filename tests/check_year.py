#!/usr/bin/env python3
"""Three years of a household, at a low rate of writes: spec/simulation.md, section "Years".

timeout: 300

`./dev year` runs it at the rate and for the seed that is wanted. Ends with `N passed, N failed`.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

year = Path(os.environ.get("SIGLA_BUILD", ROOT / "build")).resolve() / "release" / "tests" / "year"
sys.stdout.flush()
os.execv(year, [str(year), "--years", "3", "--writes", "200"])
