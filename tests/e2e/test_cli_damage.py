#!/usr/bin/python3
"""Files that are not what they should be: the verbs that look say what is wrong, with an exit code
that is meant, and leave the file as it is."""

import os
import random
import sqlite3
import unittest

from cli_case import TASKS
from sigla_e2e import Device, Server, new_path, sigla

LOOKING = (("doctor",), ("status",), ("log", "tasks", "t1"), ("conflicts",),
           ("pending",), ("marks", "tasks", "t1"))
PAGE_BYTES = 4096


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Server() as server:
            cls.whole = Device(server, "ann")
            cls.whole.execute(TASKS)
            cls.whole.track("tasks")
            cls.whole.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            cls.whole.sync()
            cls.whole.execute("UPDATE tasks SET title = 'Green tea'")
        cls.bytes = cls.whole.path.read_bytes()

    def copy(self, data=None):
        path = new_path("copy.db")
        path.write_bytes(self.bytes if data is None else data)
        return path

    def look(self, path, *codes, doctor=(1, 5)):
        """What all the verbs say. Each ends with one of these codes, sigla doctor with one of its
        own, and changes nothing; who fails says why."""
        before = path.read_bytes()
        told = ""
        for verb, *words in LOOKING:
            result = sigla(verb, path, *words, expect=None)
            told += result.stdout + result.stderr
            with self.subTest(verb=verb):
                allowed = doctor if verb == "doctor" else codes
                self.assertIn(result.returncode, allowed, result.stdout + result.stderr)
                if result.returncode != 0:
                    self.assertTrue(result.stdout + result.stderr)
                self.assertEqual(path.read_bytes(), before, "the file has changed")
        return told

    def changed(self, *statements):
        """A copy on which that was done without Sigla's knowledge."""
        path = self.copy()
        db = sqlite3.connect(path)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()
        return path

    def test_a_whole_file(self):
        self.assertNotIn("damaged", self.look(self.copy(), 0, doctor=(0,)))

    def test_a_truncated_file(self):
        for size in (1, 50, 99, 100, PAGE_BYTES - 1, PAGE_BYTES, len(self.bytes) // 2,
                     len(self.bytes) - PAGE_BYTES, len(self.bytes) - 1):
            with self.subTest(size=size):
                self.look(self.copy(self.bytes[:size]), 0, 1, 5)

    def test_a_page_of_garbage(self):
        garbage = random.Random(7).randbytes(PAGE_BYTES)
        for page in range(len(self.bytes) // PAGE_BYTES):
            with self.subTest(page=page):
                at = page * PAGE_BYTES
                self.look(self.copy(self.bytes[:at] + garbage + self.bytes[at + PAGE_BYTES:]),
                          0, 1, 5)

    def test_a_table_of_siglas_that_is_gone(self):
        names = [row[0] for row in self.whole.execute(
            "SELECT name FROM sqlite_schema WHERE type='table' AND name GLOB 'sigla_*'")]
        self.assertGreater(len(names), 5)
        for name in names:
            with self.subTest(table=name):
                self.look(self.changed(f"DROP TABLE {name}"), 0, 1, 5)

    def test_marks_that_were_altered(self):
        for value in ("x'ff'", "x''", "'text'", "7", "substr(m, 1, length(m) - 1)"):
            with self.subTest(value=value):
                path = self.changed(f"UPDATE sigla_rec SET m={value}")
                self.look(path, 0, 1, 5)

    def test_changes_that_were_altered(self):
        for value in ("x'ff'", "x''", "'text'", "substr(ops, 1, length(ops) - 1)"):
            with self.subTest(value=value):
                self.look(self.changed(f"UPDATE sigla_outbox SET ops={value}"), 0, 1, 5)

    def test_a_newer_format(self):
        path = self.changed("UPDATE sigla_state SET v=1000 WHERE k='format'")
        self.assertIn("newer sigla", self.look(path, 5))

    def test_an_empty_file(self):
        self.look(self.copy(b""), 0, 1, 5)

    def test_what_is_no_file_of_ours(self):
        told = self.look(self.copy(b"Dear Ann,\n" * 1000), 5)
        self.assertIn("not a database", told)
        folder = new_path("folder")
        folder.mkdir()
        for verb, *words in LOOKING:
            if verb != "doctor":
                self.assertIn("is a directory", sigla(verb, folder, *words, expect=5).stderr)
        self.assertIn("no server has kept its data there",
                      sigla("doctor", folder, expect=1).stdout)

    @unittest.skipIf(os.geteuid() == 0, "nothing is forbidden to root")
    def test_a_file_that_may_not_be_read(self):
        path = self.copy()
        path.chmod(0)
        for verb, *words in LOOKING:
            self.assertTrue(sigla(verb, path, *words, expect=5).stderr)


if __name__ == "__main__":
    unittest.main()
