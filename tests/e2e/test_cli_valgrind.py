#!/usr/bin/python3
# timeout: 300
"""The command line under valgrind: no verb, and none of its errors, reads what is not there or
leaves memory behind that nobody points to."""

import shutil
import subprocess
import unittest

from cli_case import TASKS, Answering
from sigla_e2e import SIGLA, Device, Server, new_path, sync_all

FOUND = 99  # valgrind's exit code where it has found something; none of ours
VALGRIND = ["valgrind", "-q", f"--error-exitcode={FOUND}", "--leak-check=full",
            "--errors-for-leak-kinds=definite,possible", "--show-leak-kinds=definite,possible"]
UNSEEN = 300  # of valgrind's patience with one command, in seconds


class UnderValgrind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which(VALGRIND[0]) is None:
            raise AssertionError("valgrind is not installed; ./dev test installs it")
        cls.server = Server().start()
        cls.ann, cls.phone = Device(cls.server, "ann"), Device(cls.server, "ann")
        for device in (cls.ann, cls.phone):
            device.execute(TASKS)
            device.track("tasks")
        cls.ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        sync_all(cls.ann, cls.phone)
        cls.ann.execute("UPDATE tasks SET title = 'Green tea'")
        cls.phone.execute("UPDATE tasks SET title = 'Black tea'")
        sync_all(cls.phone, cls.ann)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def clean(self, expect, *args):
        """Exits with that code, and valgrind says nothing."""
        command = [*VALGRIND, str(SIGLA), *map(str, args)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=UNSEEN,
                                stdin=subprocess.DEVNULL, check=False)
        if result.returncode != expect or "==" in result.stderr:
            self.fail(f"sigla {' '.join(map(str, args))} exited with {result.returncode}, not "
                      f"{expect}\n{result.stdout}{result.stderr}")
        return result.stdout

    def test_a_database_from_its_beginning(self):
        path = new_path("new.db")
        token = self.clean(0, "token", "--data", self.server.data, "--user", "new").strip()
        self.clean(0, "init", path, "--server", self.server.url, "--user", "new", "--token", token)
        self.clean(0, "sql", path, TASKS)
        self.clean(0, "track", path, "tasks")
        self.clean(0, "sql", path, "INSERT INTO tasks VALUES ('n', 'New', 0, NULL)")
        self.assertIn("tasks", self.clean(0, "pending", path))
        self.clean(0, "sync", path)
        self.clean(0, "untrack", path, "tasks")

    def test_verbs_that_look(self):
        for verb, *words in (("status",), ("pending", "--json"), ("marks", "tasks", "t1"),
                             ("log", "tasks", "t1"), ("refused",), ("parked",), ("doctor",)):
            self.clean(0, verb, self.ann.path, *words)

    def test_conflicts_and_restoring(self):
        self.assertIn("Green tea", self.clean(0, "conflicts", self.ann.path))
        conflict = self.ann.json("conflicts")[0]["id"]
        self.clean(0, "restore", self.ann.path, conflict)
        self.clean(0, "sync", self.ann.path)
        self.clean(1, "dismiss", self.ann.path, conflict + 1000)

    def test_wrong_words_and_wrong_files(self):
        other = new_path("other.txt")
        other.write_text("This is a text, and long enough for SQLite to see it. " * 20)
        for code, *args in ((0,), (2, "status"), (2, "nonsense"), (2, "sync", "--nonsense"),
                            (0, "help", "sync"), (5, "status", other.with_name("none.db")),
                            (5, "status", other), (5, "status", other.parent),
                            (1, "marks", self.ann.path, "none", "1")):
            self.clean(code, *args)

    def test_servers_that_are_no_help(self):
        device = Device(self.server, "bob")
        with Answering(401, b'{"error":"unauthorized"}') as refusing:
            device("sql", f"SELECT sigla_config('server', '{refusing.url}')")
            device.execute(TASKS)
            device.track("tasks")
            self.clean(4, "sync", device.path)
        with Answering(200, b"no JSON at all") as babbling:
            device("sql", f"SELECT sigla_config('server', '{babbling.url}')")
            self.clean(1, "sync", device.path)


if __name__ == "__main__":
    unittest.main()
