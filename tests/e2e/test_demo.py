#!/usr/bin/python3
"""The demo tells its story, cleans up behind it, and fails when a proof does.

timeout: 180
"""

import os
import subprocess
import sys
import unittest

from sigla_e2e import BUILD, PATIENCE_S, ROOT, new_path

DEMO = ROOT / "demo" / "demo.py"


def run(*command, folder):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                          env={**os.environ, "TMPDIR": str(folder)})


@unittest.skipUnless(os.path.exists("/var/lib/dpkg/status"), "this is not Debian")
class Demo(unittest.TestCase):
    def setUp(self):
        self.folder = new_path("tmp")
        self.folder.mkdir()

    def test_every_proof_holds_and_nothing_is_left_behind(self):
        done = run(DEMO, "--build", BUILD, folder=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("NOT TRUE", done.stdout)
        self.assertNotIn("\033", done.stdout, "colours are for terminals")
        self.assertIn("Every replica and the server are equal, data and marks.", done.stdout)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_one_replica_that_differs_makes_it_fail(self):
        broken = (f"import sys; sys.path.insert(0, {str(DEMO.parent)!r}); import demo\n"
                  "state = demo.Actor.state\n"
                  "def other(actor):\n"
                  "    found = state(actor)\n"
                  "    if actor.name == 'phone': found.popitem()\n"
                  "    return found\n"
                  f"demo.Actor.state = other; sys.argv[1:] = ['--build', {str(BUILD)!r}]\n"
                  "sys.exit(demo.main())")
        done = run("-c", broken, folder=self.folder)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("NOT TRUE: phone", done.stdout)

    def test_without_a_build_it_says_what_to_do(self):
        done = run(DEMO, "--build", self.folder, folder=self.folder)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("./dev demo", done.stderr)


if __name__ == "__main__":
    unittest.main()
