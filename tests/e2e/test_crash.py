#!/usr/bin/python3
"""kill -9 of a server and of devices that are all at work (L1, L3, L5, L7, L8, L13).

timeout: 300

crash_rig.py is what kills, and says what it does; `./dev crash` has it do that for longer.
"""

import unittest

import crash_judge
import crash_rig
from sigla_e2e import new_path

KILLS = 30


class Crash(unittest.TestCase):
    def test_whatever_is_killed_all_that_was_committed_is_everywhere_once_and_whole(self):
        folder = new_path("crash")
        folder.mkdir()
        said = crash_rig.run_rig(KILLS, seed=1, devices=3, folder=folder)
        self.assertIn(f"{KILLS} kills", said)

    def test_what_differs_is_said(self):
        with self.assertRaisesRegex(AssertionError, r"marks: got\n\{'b': 2\}\nwant\n\{'b': 3\}"):
            crash_judge.expect_equal("marks", {"a": 1, "b": 2}, {"a": 1, "b": 3})


if __name__ == "__main__":
    unittest.main()
