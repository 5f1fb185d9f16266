#!/usr/bin/env python3
"""The test runner must notice whatever can go wrong: tests/run.py, run in a tree made for it."""

import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

RUNNER = Path(__file__).resolve().parent / "run.py"

CMOCKA_OUTPUT = """echo '[==========] Running 4 test(s).'
echo '[  PASSED  ] 2 test(s).' >&2
echo '[  SKIPPED ] 1 test(s), listed below:' >&2
echo '[  SKIPPED ] c' >&2
"""


class RunnerTest(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / "tests/unit").mkdir(parents=True)
        shutil.copy(RUNNER, self.root / "tests/run.py")

    def script(self, body, name="unit/test_a.py"):
        (self.root / "tests" / name).write_text(body)

    def program(self, body, name="test_p", source="/* a test */\n"):
        """A C test as the runner sees it: a source, and an executable in the build folder."""
        (self.root / f"tests/unit/{name}.c").write_text(source)
        path = self.root / f"build/release/tests/unit/{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run_it(self, *names):
        done = subprocess.run([sys.executable, self.root / "tests/run.py", *names],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stdout.splitlines()[-1]

    def expect(self, status, closing, *names):
        got_status, output, got_closing = self.run_it(*names)
        self.assertEqual((got_status, got_closing), (status, closing), output)
        return output

    def test_plain_counts_are_added_up(self):
        self.script("print('3 passed, 0 failed')")
        self.script("print('2 passed, 0 failed, 1 skipped')", "check_b.py")
        self.expect(0, "5 passed, 0 failed, 1 skipped")

    def test_unittest_counts_are_read(self):
        self.script("import unittest\nclass T(unittest.TestCase):\n"
                    " def test_a(self): pass\n def test_b(self): self.fail()\n"
                    " @unittest.skip('no')\n def test_c(self): pass\nunittest.main()")
        self.expect(1, "1 passed, 1 failed, 1 skipped")

    def test_cmocka_counts_are_read(self):
        self.program(CMOCKA_OUTPUT)
        self.expect(0, "2 passed, 0 failed, 1 skipped")

    def test_cmocka_failures_fail(self):
        self.program(CMOCKA_OUTPUT + "echo '[  FAILED  ] 1 test(s), listed below:' >&2; exit 1")
        self.expect(1, "2 passed, 1 failed, 1 skipped")

    def test_a_reported_failure_fails_whatever_the_status(self):
        self.script("print('3 passed, 1 failed')")
        self.expect(1, "3 passed, 1 failed")

    def test_a_failing_status_without_a_failed_test_is_a_failure(self):
        self.script("print('3 passed, 0 failed')\nraise SystemExit(3)")
        output = self.expect(1, "3 passed, 1 failed")
        self.assertIn("exited with 3", output)

    def test_a_crash_is_a_failure(self):
        self.program(CMOCKA_OUTPUT + "kill -SEGV $$")
        output = self.expect(1, "2 passed, 1 failed, 1 skipped")
        self.assertIn("Segmentation fault", output)

    def test_a_program_without_tests_is_a_failure(self):
        self.program("echo well")
        output = self.expect(1, "0 passed, 1 failed")
        self.assertIn("ran no test", output)

    def test_nothing_to_run_is_a_failure(self):
        self.expect(1, "0 passed, 0 failed")
        self.script("print('3 passed, 0 failed')")
        self.expect(1, "0 passed, 0 failed", "no-such-name")

    def test_a_program_that_hangs_is_ended_at_its_own_limit(self):
        self.program("echo '[  PASSED  ] 1 test(s).'; exec sleep 50",
                     source="/* timeout: 1 */\n")
        began = time.monotonic()
        output = self.expect(1, "1 passed, 1 failed")
        self.assertIn("did not end within 1 s", output)
        self.assertLess(time.monotonic() - began, 20)

    def test_a_child_left_behind_is_ended_and_not_waited_for(self):
        mark = self.root / "mark"
        self.program(f"(sleep 3; echo alive >{mark}) & echo '[  PASSED  ] 1 test(s).'")
        began = time.monotonic()
        self.expect(0, "1 passed, 0 failed")
        self.assertLess(time.monotonic() - began, 2.9)
        # It would have written by then had it lived.
        time.sleep(max(0.0, began + 4 - time.monotonic()))
        self.assertFalse(mark.exists())

    def test_each_has_its_own_folder_that_is_deleted_and_no_input(self):
        seen = self.root / "seen"
        body = (f"import os, sys\nopen('{seen}', 'a').write(os.environ['TMPDIR'] + '\\n')\n"
                "open(os.environ['TMPDIR'] + '/left', 'w').close()\n"
                "assert os.environ['HOME'] == os.environ['TMPDIR']\n"
                "assert sys.stdin.read() == ''\nprint('1 passed, 0 failed')")
        self.script(body)
        self.script(body, "unit/test_b.py")
        self.expect(0, "2 passed, 0 failed")
        folders = seen.read_text().split()
        self.assertEqual(len(set(folders)), 2)
        for folder in folders:
            self.assertFalse(Path(folder).exists())

    def test_a_program_whose_source_is_gone_is_not_run(self):
        self.program("exit 1", name="test_old")
        (self.root / "tests/unit/test_old.c").unlink()
        self.script("print('1 passed, 0 failed')")
        self.expect(0, "1 passed, 0 failed")

    def test_names_choose(self):
        self.script("print('1 passed, 0 failed')")
        self.script("print('0 passed, 1 failed')", "unit/test_b.py")
        self.expect(0, "1 passed, 0 failed", "test_a")

    def test_output_of_what_failed_is_shown_and_of_what_passed_is_not(self):
        self.script("print('good words\\n1 passed, 0 failed')")
        self.script("print('bad words\\n0 passed, 1 failed')", "unit/test_b.py")
        output = self.expect(1, "1 passed, 1 failed")
        self.assertIn("bad words", output)
        self.assertNotIn("good words", output)


if __name__ == "__main__":
    unittest.main()
