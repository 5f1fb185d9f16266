#!/usr/bin/env python3
"""The front door in a tree made for it: ./dev, with small stand-ins for the programs it calls.

timeout: 400
"""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# dpkg-query: what is installed is listed in a file.
DPKG_QUERY = """#!/bin/sh
echo x >>"$HOME/dpkg-calls"
sed 's/^/installed /' "$HOME/installed"
"""
# apt-get: writes down its arguments; fails with what the file `apt-says` holds, else installs.
APT_GET = """#!/bin/sh
echo "$*" >>"$HOME/apt-calls"
case "$*" in *update*) exit 0 ;; esac
if [ -e "$HOME/apt-says" ]; then cat "$HOME/apt-says"; exit 100; fi
for word in "$@"; do echo "$word" >>"$HOME/installed"; done
"""
SERVER = """#!/bin/sh
echo "$*" >"$HOME/server-args"
[ ! -e "$HOME/taken" ] || { echo 'sigla: 127.0.0.1:3050: address already in use' >&2; exit 1; }
trap 'echo closing the store; exit 0' TERM
echo 'listening on http://127.0.0.1:45678'
while :; do sleep 0.05; done
"""
MAKEFILE = "%:\n\t@echo make $@ >>$(HOME)/make-calls\nall:\n\t@:\n"


class FrontDoor(unittest.TestCase):
    def setUp(self):
        self.tree = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tree)
        self.home = self.tree / "home"
        (self.home / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "dev", self.tree)
        shutil.copytree(ROOT / "scripts", self.tree / "scripts")
        (self.tree / "Makefile").write_text(MAKEFILE)
        self.put("home/bin/dpkg-query", DPKG_QUERY)
        self.put("home/bin/apt-get", APT_GET)
        self.put("home/bin/id", "#!/bin/sh\necho 0\n")
        self.put("build/sigla", SERVER)
        self.lack()

    def put(self, name, text):
        path = self.tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def packages(self, *groups):
        script = ". scripts/say.sh; . scripts/packages.sh; for g in %s; do packages_of $g; done"
        return subprocess.check_output(["sh", "-c", script % " ".join(groups)], cwd=ROOT,
                                       text=True).split()

    def environment(self, path=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("SIGLA_")}
        env.update(HOME=str(self.home), PATH=path or f"{self.home}/bin:{os.environ['PATH']}")
        return env

    def dev(self, *args, **more):
        return subprocess.run([self.tree / "dev", *args], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60,
                              env=self.environment(**more), check=False)

    def lack(self, *packages):
        left = [p for p in self.packages("build", "test", "fmt") if p not in packages]
        (self.home / "installed").write_text("\n".join(left) + "\n")

    def calls(self, name):
        path = self.home / name
        return path.read_text().splitlines() if path.exists() else []

    def test_help_says_what_to_do_first(self):
        for args in [], ["help"], ["--help"]:
            done = self.dev(*args)
            self.assertEqual(done.returncode, 0)
            self.assertIn("Start here:", done.stdout)
            self.assertNotIn("\033", done.stdout)

    def test_an_unknown_verb_is_refused(self):
        done = self.dev("rum")
        self.assertEqual(done.returncode, 1)
        self.assertIn("There is no './dev rum'", done.stderr)

    def test_a_prepared_machine_starts_at_once(self):
        self.dev("fmt", "--check")
        self.assertEqual(len(self.calls("dpkg-calls")), 1)
        self.assertEqual(self.calls("apt-calls"), [])

    def test_what_is_missing_is_said_with_its_purpose_and_installed(self):
        self.lack("clang-format-14")
        done = self.dev("fmt", "--check")
        self.assertIn("to format the sources: clang-format-14", done.stdout)
        self.assertIn("Installed.", done.stdout)
        last = self.calls("apt-calls")[-1]
        self.assertTrue(last.endswith("install -y --no-install-recommends clang-format-14"), last)

    def test_an_installation_that_fails_is_explained(self):
        self.lack("clang-format-14")
        for says, told in [
            ("E: You don't have enough free space in /var.", "The disk is full."),
            ("E: Could not get lock /var/lib/dpkg/lock-frontend.", "holds the lock."),
            ("E: dpkg was interrupted, you must run", "was interrupted."),
            ("E: Failed to fetch http://x Temporary failure resolving 'x'", "be reached."),
            ("E: Unable to locate package clang-format-14", "built on Debian 12."),
            ("E: something else", "E: something else"),
        ]:
            (self.home / "apt-says").write_text(says + "\n")
            done = self.dev("fmt")
            self.assertEqual(done.returncode, 1)
            self.assertIn(told, done.stderr)

    def test_old_package_lists_are_fetched_anew_once(self):
        self.lack("clang-format-14")
        (self.home / "apt-says").write_text("E: Unable to locate package clang-format-14\n")
        self.dev("fmt")
        kinds = ["update" if " update" in c else "install" for c in self.calls("apt-calls")]
        self.assertIn(kinds, [["install", "update", "install"], ["update", "install"]])

    def test_without_root_and_sudo_it_says_what_root_has_to_run(self):
        self.lack("clang-format-14")
        self.put("home/bin/id", "#!/bin/sh\necho 1000\n")
        for tool in "sh sed tr dirname grep".split():
            (self.home / "bin" / tool).symlink_to(shutil.which(tool))
        done = self.dev("fmt", path=f"{self.home}/bin")
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install -y clang-format-14", done.stderr)
        self.assertEqual(self.calls("apt-calls"), [])

    def test_without_root_it_goes_through_sudo(self):
        self.lack("clang-format-14")
        self.put("home/bin/id", "#!/bin/sh\necho 1000\n")
        self.put("home/bin/sudo",
                 '#!/bin/sh\n[ "$1" = -v ] || { echo s >>"$HOME/sudo-calls"; "$@"; }\n')
        done = self.dev("fmt", "--check")
        self.assertIn("Installed.", done.stdout)
        self.assertEqual(len(self.calls("sudo-calls")), len(self.calls("apt-calls")))

    def test_a_build_that_fails_shows_its_output(self):
        (self.tree / "Makefile").write_text("all:\n\t@echo the compiler complains; exit 1\n")
        done = self.dev("run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the compiler complains", done.stderr)

    def start_run(self, *args):
        process = subprocess.Popen([self.tree / "dev", "run", *args], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                                   env=self.environment(), start_new_session=True)
        self.addCleanup(process.stdout.close)
        return process

    def read_until(self, process, text):
        seen = ""
        for line in process.stdout:
            seen += line
            if text in line:
                return seen
        self.fail(f"{text!r} was not said: {seen}")

    def test_run_says_what_to_do_next_once_it_listens_and_stops_cleanly(self):
        for send in (lambda p: os.killpg(p.pid, signal.SIGINT), lambda p: p.terminate()):
            process = self.start_run("--listen", "127.0.0.1:0")
            seen = self.read_until(process, "Ctrl-C stops it")
            self.assertIn("curl http://127.0.0.1:45678/health", seen)
            self.assertLess(seen.index("listening on"), seen.index("The server is up"))
            send(process)
            rest = process.stdout.read()
            self.assertEqual(process.wait(30), 0, rest)
            self.assertIn("closing the store", rest)
            self.assertIn("Stopped; the data is in ./build/data.", rest)
            self.assertEqual(self.calls("server-args"),
                             ["serve --data ./build/data --dev --listen 127.0.0.1:0"])

    def test_run_explains_a_port_that_is_taken(self):
        (self.home / "taken").touch()
        done = self.dev("run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("already in use", done.stdout)
        self.assertIn("./dev run --listen 127.0.0.1:0", done.stderr)

    def test_clean_keeps_the_servers_data_unless_told(self):
        self.put("build/data/store", "")
        self.put("build/release/x", "")
        self.assertEqual(self.dev("clean").returncode, 0)
        self.assertEqual([p.name for p in (self.tree / "build").iterdir()], ["data"])
        self.assertEqual(self.dev("clean", "--all").returncode, 0)
        self.assertFalse((self.tree / "build").exists())


if __name__ == "__main__":
    unittest.main()
