#!/usr/bin/python3
"""The two examples for developers do what they say, and what they write syncs."""

import os
import re
import shlex
import subprocess
import sys
import unittest

from sigla_e2e import BUILD, PATIENCE_S, ROOT, Device, Server, new_path

NOTES = "CREATE TABLE notes(id TEXT PRIMARY KEY, text TEXT)"


def run(command, **keywords):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                          **keywords)
    if done.returncode != 0:
        raise AssertionError(f"{command} exited with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def tree():
    """A folder whose build/ is the one under test, as the tree's is for its reader."""
    folder = new_path("tree")
    folder.mkdir()
    (folder / "build").symlink_to(BUILD)
    return folder


def python_example(path):
    return run([sys.executable, ROOT / "examples" / "hello.py", path], cwd=tree())


def c_example(path):
    """Compiled the way its first line says, with the library where `make install` puts it: under
    another prefix than the one the build was made for."""
    installed, program = new_path("installed"), new_path("hello")
    run(["make", "-s", "install", f"DESTDIR={installed}", "PREFIX=/usr",
         f"BUILD={os.path.relpath(BUILD, ROOT)}"], cwd=ROOT)
    lib = installed / "usr" / "lib"
    flags = run(["pkg-config", "--cflags", "--libs", "sigla"],
                env={**os.environ, "PKG_CONFIG_PATH": str(lib / "pkgconfig"),
                     "PKG_CONFIG_SYSROOT_DIR": str(installed)})
    run(["cc", "-Wall", "-Wextra", "-Werror", ROOT / "examples" / "hello.c", "-o", program,
         *shlex.split(flags)])
    return run([program, path], env={**os.environ, "LD_LIBRARY_PATH": str(lib)})


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def check(self, example, greeting, says):
        writer, reader = Device(self.server, greeting[-1]), Device(self.server, greeting[-1])
        said = example(writer.path)
        self.assertIn(says, said)
        pending = writer.json("pending")
        self.assertEqual(len(pending), 1)
        self.assertEqual(example(writer.path), said)
        self.assertEqual(writer.json("pending"), pending, "the same again is no new write")
        reader.execute(NOTES)
        reader.track("notes")
        writer.sync()
        reader.sync()
        self.assertEqual(reader.rows("notes"), [("hello", greeting)])

    def test_python(self):
        greeting = "Hello from Python"
        self.check(python_example, greeting, f'text = "{greeting}", written by n at ')

    def test_c(self):
        self.check(c_example, "Hello from C", "written, and queued for sync")

    def readme(self, language, beginning):
        """The block of README's code that begins with it."""
        blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        block, = [b for b in blocks if b.startswith(beginning)]
        return block

    def test_what_readme_writes_in_python_is_taken_by_the_server(self):
        folder = tree()
        phone = Device(self.server, "ann", path=folder / "phone.db")
        phone.execute("CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT)")
        phone.track("tasks", "--app", "readme")
        phone.execute("INSERT INTO tasks VALUES('t1', 'Tea', 0)")
        said = run([sys.executable, "-c", self.readme("python", "import sqlite3")], cwd=folder)
        self.assertIn("agent:helper", said)
        self.assertEqual(phone.sync()["refused"], 0)
        self.assertEqual(phone.rows("tasks"), [("t1", "Green tea", 1)])

    def test_what_readme_lets_an_agent_write_is_taken_by_the_server(self):
        folder = tree()
        ann = Device(self.server, "ann")
        ann.execute("CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT)")
        ann.track("tasks", "--app", "todo")
        ann.execute("INSERT INTO tasks VALUES('t9', 'Tea', 0)")
        ann.sync()
        script = self.readme("sh", "A=$(").replace("http://127.0.0.1:3050", self.server.url)
        said = run(["sh", "-ec", script.replace("build/data", str(self.server.data))], cwd=folder)
        self.assertIn('sigla_as(\'{"kind":"ai","principalId":"helper"}\')', said)
        ann.sync()
        self.assertEqual(ann.rows("tasks"), [("t9", "TEA", 0)])
        self.assertEqual(ann.marks("tasks", "t9")["title"]["actor"]["principalId"], "helper")

    def test_they_are_short(self):
        for name in "hello.py", "hello.c":
            lines = (ROOT / "examples" / name).read_text().splitlines()
            code = [line for line in lines if line.strip() and line[:2] not in ("#!", "/*", " *")]
            self.assertLessEqual(len(code), 15, name)


if __name__ == "__main__":
    unittest.main()
