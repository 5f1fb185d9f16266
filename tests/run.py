#!/usr/bin/env python3
"""Run the tests: C programs of the build, and the scripts under tests/.

    python3 tests/run.py [--build build] [--mode release]... [--jobs 2] [NAME...]

Found are build/MODE/tests/**/test_* (as long as their source is there), tests/**/test_*.py,
tests/**/test_*.mjs and tests/check_*.{py,sh}. With NAMEs, only those whose label contains one.

Each runs in a process group of its own, from the root of the tree, with standard input closed,
TMPDIR and HOME in a folder that is deleted afterwards, SIGLA_BUILD the build folder and SIGLA_MODE
the mode. `timeout: N` in a comment among a source's first 30 lines sets its limit in seconds;
without one it is 120. Sanitizer builds get three times as long.

What counts as a test: each cmocka test, each unittest test, and what a script's last line
`N passed, N failed[, N skipped]` says. A program that crashes, runs out of time, fails without
saying so or runs no test at all counts as one failure more. The last line printed has the same
form; the exit status is 0 only if something ran and nothing failed.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_TIMEOUT_S = 120
SANITIZER_FACTOR = 3
MAX_SHOWN_BYTES = 64 * 1024  # of the output of one failed program, its end

CMOCKA = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.M),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test\(s\)", re.M),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test\(s\)", re.M),
}
UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in ", re.M)
UNITTEST_END = re.compile(r"^(?:OK|FAILED)(?: \((.*)\))?$", re.M)
PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


class Counts:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def total(self):
        return self.passed + self.failed + self.skipped

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def count_unittest(text):
    counts = Counts()
    for ran in UNITTEST_RAN.finditer(text):
        end = UNITTEST_END.search(text, ran.end())
        parts = dict(re.findall(r"([a-z ]+)=(\d+)", end.group(1) or "")) if end else {}
        parts = {key.strip(): int(value) for key, value in parts.items()}
        failed = sum(parts.get(k, 0) for k in ("failures", "errors", "unexpected successes"))
        skipped = parts.get("skipped", 0)
        counts.add(Counts(max(0, int(ran.group(1)) - failed - skipped), failed, skipped))
    return counts


def count(text):
    """The tests that the output of one program tells of."""
    cmocka = Counts(*(sum(int(m) for m in CMOCKA[k].findall(text))
                      for k in ("passed", "failed", "skipped")))
    if cmocka.total():
        return cmocka
    plain = PLAIN.findall(text)
    if plain:
        return Counts(*(int(n or 0) for n in plain[-1]))
    return count_unittest(text)


class Test:
    def __init__(self, label, command, source, mode):
        self.label, self.command, self.source, self.mode = label, command, source, mode
        self.counts, self.output, self.trouble, self.seconds = Counts(), "", "", 0.0

    def timeout_s(self):
        with open(self.source, encoding="utf-8", errors="replace") as f:
            head = "".join(next(f, "") for _ in range(30))
        stated = re.search(r"\btimeout: (\d+)\b", head)
        limit = int(stated.group(1)) if stated else DEFAULT_TIMEOUT_S
        return limit * (SANITIZER_FACTOR if self.mode in ("asan", "tsan") else 1)

    def judge(self, status, timed_out, text):
        """Set the counts and say what is wrong beyond failed tests."""
        self.output, self.counts = text, count(text)
        if timed_out:
            self.trouble = f"did not end within {self.timeout_s()} s"
        elif status < 0:
            self.trouble = f"was ended by signal {-status} ({signal.strsignal(-status)})"
        elif status != 0 and self.counts.failed == 0:
            self.trouble = f"exited with {status} without naming a failed test"
        elif self.counts.total() == 0:
            self.trouble = "ran no test"
        if self.trouble:
            self.counts.failed += 1


class Runner:
    def __init__(self, build):
        self.build = build
        self.groups = set()  # process groups alive now
        self.lock = threading.Lock()
        self.stopping = False

    def environment(self, test, folder):
        env = {k: v for k, v in os.environ.items() if not k.startswith("SIGLA_")}
        env.update(TMPDIR=folder, HOME=folder, LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1",
                   SIGLA_BUILD=str(self.build), SIGLA_MODE=test.mode,
                   ASAN_OPTIONS="abort_on_error=0:detect_stack_use_after_return=1",
                   UBSAN_OPTIONS="print_stacktrace=1")
        return env

    def run(self, test):
        if self.stopping:
            return test
        folder = tempfile.mkdtemp(prefix="sigla-test-")
        began = time.monotonic()
        try:
            with tempfile.TemporaryFile() as out:
                status, timed_out = self.run_in(test, folder, out)
                out.seek(0)
                text = out.read().decode("utf-8", "replace")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        test.seconds = time.monotonic() - began
        test.judge(status, timed_out, text)
        return test

    def run_in(self, test, folder, out):
        # Output goes to a file: a child that outlives its parent cannot keep us waiting on a pipe.
        process = subprocess.Popen(test.command, cwd=ROOT, env=self.environment(test, folder),
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        with self.lock:
            self.groups.add(process.pid)
        timed_out = False
        try:
            process.wait(test.timeout_s())
        except subprocess.TimeoutExpired:
            timed_out = True
        kill_group(process.pid)
        with self.lock:
            self.groups.discard(process.pid)
        return process.wait(), timed_out

    def stop(self):
        self.stopping = True
        with self.lock:
            for group in self.groups:
                kill_group(group)


def kill_group(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def find_programs(build, mode):
    for source in sorted((ROOT / "tests").glob("*/test_*.c")):
        name = source.relative_to(ROOT / "tests").with_suffix("")
        program = build / mode / "tests" / name
        if program.exists():
            yield Test(f"{mode} {name}", [str(program)], source, mode)


def find_scripts():
    tests = ROOT / "tests"
    found = [*tests.glob("check_*.py"), *tests.glob("check_*.sh"),
             *tests.glob("*/**/test_*.py"), *tests.glob("*/**/test_*.mjs")]
    interpreter = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}
    for path in sorted(found):
        if "node_modules" in path.parts:
            continue
        label = str(path.relative_to(tests))
        yield Test(label, [interpreter[path.suffix], str(path)], path, "release")


class Screen:
    """One line that is rewritten on a terminal; nothing of the sort elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()

    def progress(self, text):
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + text[:width], end="", flush=True)

    def line(self, text):
        print(("\r\033[K" if self.live else "") + text, flush=True)


def report_failure(screen, test):
    why = f": {test.trouble}" if test.trouble else ""
    screen.line(f"--- FAILED {test.label}{why} ({test.counts})")
    shown = test.output.encode()[-MAX_SHOWN_BYTES:].decode("utf-8", "replace")
    screen.line(shown.rstrip() or "(it printed nothing)")
    screen.line(f"--- end of {test.label}; alone: ./dev test '{test.label.split()[-1]}'")


def run_all(tests, runner, jobs):
    screen, total, done = Screen(), Counts(), 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            for future in concurrent.futures.as_completed([pool.submit(runner.run, t)
                                                           for t in tests]):
                test = future.result()
                done += 1
                total.add(test.counts)
                if test.counts.failed:
                    report_failure(screen, test)
                elif not screen.live:
                    screen.line(f"ok {test.label} ({test.counts}, {test.seconds:.1f} s)")
                screen.progress(f"{done}/{len(tests)} programs, {total}: {test.label}")
        except KeyboardInterrupt:
            runner.stop()
            screen.line("interrupted")
            raise SystemExit(130)
    screen.progress("")
    return total, screen


def main():
    parser = argparse.ArgumentParser(description="Run Sigla's tests.")
    parser.add_argument("--build", default="build", help="the build folder")
    parser.add_argument("--mode", action="append", help="a build mode whose programs are run")
    parser.add_argument("--jobs", type=int, default=2, help="programs at a time")
    parser.add_argument("names", nargs="*", metavar="NAME", help="run labels that contain it")
    args = parser.parse_args()

    build = (ROOT / args.build).resolve()
    tests = [t for mode in args.mode or ["release"] for t in find_programs(build, mode)]
    tests += find_scripts()
    if args.names:
        tests = [t for t in tests if any(name in t.label for name in args.names)]
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

    total, screen = run_all(tests, Runner(build), args.jobs)
    for test in sorted(tests, key=lambda t: -t.seconds)[:5]:
        screen.line(f"{test.seconds:7.1f} s  {test.label}")
    if not tests:
        screen.line(f"No test is named {' or '.join(args.names)}." if args.names
                    else "There is no test to run: build them with ./dev test.")
    screen.line(str(total))
    return 0 if total.total() and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
