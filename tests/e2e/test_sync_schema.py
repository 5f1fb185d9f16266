#!/usr/bin/python3
"""Databases that differ: columns of another version, rows that break a local rule, tables and
columns that stay at home (L9, L16, L19), through the real binary and the extension.

timeout: 300
"""

import json
import sqlite3
import subprocess
import unittest

from sigla_e2e import PATIENCE_S, Device, new_path, sync_all
from sync_case import REPLAY, TASKS, SyncCase

WIDER = TASKS.replace("note TEXT", "note TEXT, place TEXT")
PEOPLE = "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE)"
FAMILY = ("CREATE TABLE parent(id TEXT PRIMARY KEY, name TEXT)",
          "CREATE TABLE child(id TEXT PRIMARY KEY, name TEXT,"
          " parent TEXT NOT NULL REFERENCES parent(id))")


class Versions(SyncCase):
    def test_a_field_unknown_here_is_kept_and_appears_with_its_column(self):
        new, old = self.device(schema=WIDER), self.device()
        new.execute("INSERT INTO tasks VALUES('t1', 'tea', 0, NULL, 'kitchen')")
        sync_all(new, old)
        self.assertEqual(old.rows("tasks"), [("t1", "tea", 0, None)])
        self.put(old, "title", "coffee")
        sync_all(old, new)
        self.assertEqual(new.rows("tasks"), [("t1", "coffee", 0, None, "kitchen")])
        old.execute("ALTER TABLE tasks ADD COLUMN place TEXT")
        self.assert_equal_everywhere(old, new)
        self.assertEqual(old.rows("tasks"), [("t1", "coffee", 0, None, "kitchen")])
        self.put(old, "place", "garden")
        self.assert_equal_everywhere(old, new)
        self.assertEqual(self.get(new, "place"), "garden")
        self.assert_no_conflicts(old, new)

    def test_an_old_client_cannot_blank_a_newer_column(self):
        new, old = self.device(schema=WIDER), self.device()
        new.execute("INSERT INTO tasks VALUES('t1', 'tea', 0, NULL, 'kitchen')")
        sync_all(new, old)
        old.execute("INSERT OR REPLACE INTO tasks VALUES('t1', 'replaced', 1, 'n')")
        sync_all(old, new)
        self.assertEqual(new.rows("tasks"), [("t1", "replaced", 1, "n", "kitchen")])

    def test_a_column_added_by_another_program_syncs_without_ceremony(self):
        a, b = self.device(), self.device()
        for device in a, b:
            plain = sqlite3.connect(device.path)
            plain.execute("ALTER TABLE tasks ADD COLUMN place TEXT")
            plain.close()
        a.execute("INSERT INTO tasks VALUES('t1', 'tea', 0, NULL, 'kitchen')")
        self.put(a, "place", "garden")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(b.rows("tasks"), [("t1", "tea", 0, None, "garden")])

    def test_two_schemas_that_went_apart_lose_nothing(self):
        a = self.device(schema=TASKS.replace("note TEXT", "note TEXT, red TEXT"))
        b = self.device(schema=TASKS.replace("note TEXT", "note TEXT, blue TEXT"))
        self.with_task(a, b, title="old")
        self.put(a, "red", "r")
        self.put(b, "blue", "b")
        sync_all(a, b)
        a.execute("ALTER TABLE tasks ADD COLUMN blue TEXT")
        b.execute("ALTER TABLE tasks ADD COLUMN red TEXT")
        self.assert_equal_everywhere(a, b)
        self.assertEqual((self.get(a, "red"), self.get(a, "blue")), ("r", "b"))
        self.assertEqual((self.get(b, "red"), self.get(b, "blue")), ("r", "b"))


class Rules(SyncCase):
    def test_a_unique_clash_is_parked_alone_and_taken_when_it_is_freed(self):
        a, b = self.devices(2, schema=PEOPLE, tables=("people",))
        a.execute("INSERT INTO people VALUES(1, 'Ann', 'x@example.org')")
        b.execute("INSERT INTO people VALUES(2, 'Bob', 'x@example.org')",
                  "INSERT INTO people VALUES(3, 'Cy', 'cy@example.org')")
        sync_all(a, b)
        self.assertEqual([row[0] for row in a.rows("people")], [1, 3], "the others are not held up")
        self.assertEqual([row[0] for row in b.rows("people")], [2, 3])
        parked = a.json("parked")
        self.assertEqual([(p["table"], str(p["key"])) for p in parked], [("people", "2")])
        self.assertIn("UNIQUE", parked[0]["reason"])
        self.assertEqual(a.json("status")["parked"], 1)
        a.execute("UPDATE people SET mail = 'ann@example.org' WHERE id = 1")
        self.assert_equal_everywhere(a, b, table="people")
        self.assertEqual([row[2] for row in a.rows("people")],
                         ["ann@example.org", "x@example.org", "cy@example.org"])
        self.assertEqual(a.rows("people"), b.rows("people"))
        self.assert_no_conflicts(a, b)

    def test_two_rows_that_swap_a_unique_value_arrive(self):
        a, b = self.devices(2, schema=PEOPLE, tables=("people",))
        a.execute("INSERT INTO people VALUES(1, 'Ann', 'a'), (2, 'Bob', 'b')")
        sync_all(a, b)
        a.execute("UPDATE people SET mail = 'c' WHERE id = 1",
                  "UPDATE people SET mail = 'a' WHERE id = 2",
                  "UPDATE people SET mail = 'b' WHERE id = 1")
        self.assert_equal_everywhere(a, b, table="people")
        self.assertEqual(b.rows("people"), [(1, "Ann", "b"), (2, "Bob", "a")])

    def test_a_check_that_only_this_database_has_parks_the_row(self):
        a = self.device()
        strict = self.device(schema=TASKS.replace("done INT", "done INT CHECK(done IN (0, 1))"))
        a.execute("INSERT INTO tasks VALUES('t1', 'odd', 7, NULL), ('t2', 'fine', 1, NULL)")
        sync_all(a, strict)
        self.assertEqual(strict.rows("tasks"), [("t2", "fine", 1, None)])
        self.assertEqual(len(strict.json("parked")), 1)
        self.put(a, "done", 0)
        self.assert_equal_everywhere(a, strict)
        self.assertEqual(strict.rows("tasks"), [("t1", "odd", 0, None), ("t2", "fine", 1, None)])

    def test_an_orphan_waits_for_its_parent_where_foreign_keys_count(self):
        a, strict = self.devices(2, schema=FAMILY, tables=("child", "parent"))
        a.execute("INSERT INTO child VALUES('c', 'Chris', 'p'), ('d', 'Dan', 'q')")
        a.sync()
        self.sync_enforcing(strict)
        self.assertEqual(strict.rows("child"), [])
        self.assertEqual({p["key"]: p["table"] for p in strict.json("parked")},
                         {"c": "child", "d": "child"})
        a.execute("INSERT INTO parent VALUES('p', 'Pat')")
        a.sync()
        self.sync_enforcing(strict)
        self.assertEqual(strict.rows("child"), [("c", "Chris", "p")])
        self.assertEqual([p["key"] for p in strict.json("parked")], ["d"])
        # A parent made here frees its child as well, at the next sync.
        strict.execute("INSERT INTO parent VALUES('q', 'Quinn')")
        self.sync_enforcing(strict)
        self.assert_equal_everywhere(strict, a, table="child")
        self.assert_equal_everywhere(strict, a, table="parent")

    def test_an_orphan_without_rowid_waits_as_well_and_holds_up_nobody(self):
        family = (FAMILY[0], FAMILY[1] + " WITHOUT ROWID")
        a, strict = self.devices(2, schema=family, tables=("child", "parent"))
        a.execute("INSERT INTO child VALUES('c', 'Chris', 'p')",
                  "INSERT INTO parent VALUES('q', 'Quinn')")
        a.sync()
        self.sync_enforcing(strict)
        self.assertEqual(strict.rows("parent"), [("q", "Quinn")])
        self.assertEqual([p["key"] for p in strict.json("parked")], ["c"])
        a.execute("INSERT INTO parent VALUES('p', 'Pat')")
        a.sync()
        self.sync_enforcing(strict)
        self.assert_equal_everywhere(strict, a, table="child")

    def test_a_child_may_come_before_its_parent_in_one_pull(self):
        a, strict = self.devices(2, schema=FAMILY, tables=("child", "parent"))
        a.execute("INSERT INTO child VALUES('c', 'Chris', 'p')")
        a.execute("INSERT INTO parent VALUES('p', 'Pat')")
        a.sync()
        self.sync_enforcing(strict)
        self.assert_equal_everywhere(strict, a, table="child")
        self.assert_equal_everywhere(strict, a, table="parent")

    def test_a_parent_that_goes_takes_no_child_of_another_device_along_silently(self):
        a, strict = self.devices(2, schema=FAMILY, tables=("child", "parent"))
        a.execute("INSERT INTO parent VALUES('p', 'Pat')")
        sync_all(a, strict)
        strict.execute("INSERT INTO child VALUES('c', 'Chris', 'p')")
        a.execute("DELETE FROM parent")
        a.sync()
        self.sync_enforcing(strict)
        a.sync()
        self.assertEqual(a.rows("child"), [("c", "Chris", "p")])
        self.assertEqual(strict.rows("child"), [])
        self.assertEqual([p["key"] for p in strict.json("parked")], ["c"])
        a.execute("INSERT INTO parent VALUES('p', 'Pat again')")
        a.sync()
        self.sync_enforcing(strict)
        self.assert_equal_everywhere(strict, a, table="child")

    def sync_enforcing(self, device):
        """Sync over a connection that enforces foreign keys, which the CLI's does not."""
        script = new_path("script")
        steps = [["server", self.server.url, self.user, "default", "id", {}],
                 ["device", device.path.stem, self.server.token(self.user), None],
                 ["sql", 0, "PRAGMA foreign_keys = ON"], ["sync", 0, 0]]
        script.write_text("".join(json.dumps(step) + "\n" for step in steps))
        subprocess.run([REPLAY, script, device.path.parent], check=True, timeout=PATIENCE_S,
                       stdout=subprocess.DEVNULL)


class AtHome(SyncCase):
    def test_untracked_tables_and_local_columns_never_leave(self):
        schema = (TASKS.replace("note TEXT", "note TEXT, draft TEXT"),
                  "CREATE TABLE secrets(id TEXT PRIMARY KEY, word TEXT)")
        a, b = (Device(self.server, self.user) for _ in range(2))
        for device in a, b:
            device.execute(*schema)
            device.track("tasks", "--local", "draft")
        a.execute("INSERT INTO tasks VALUES('t1', 'tea', 0, NULL, 'only here')",
                  "INSERT INTO secrets VALUES('s', 'xyzzy')")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(b.rows("tasks"), [("t1", "tea", 0, None, None)])
        self.assertEqual(b.rows("secrets"), [])
        self.assertEqual(a.rows("secrets"), [("s", "xyzzy")])
        self.put(b, "title", "coffee")
        self.assert_equal_everywhere(b, a)
        self.assertEqual(a.rows("tasks"), [("t1", "coffee", 0, None, "only here")])
        stored = b"".join(p.read_bytes() for p in self.server.data.rglob("*") if p.is_file())
        self.assertIn(b"coffee", stored, "this looks where data is kept")
        self.assertNotIn(b"xyzzy", stored)
        self.assertNotIn(b"only here", stored)

    def test_rows_from_before_tracking_are_everybodys_to_overwrite(self):
        """Under the bottom stamp they never win over what a person wrote, however late (L4)."""
        a = self.device()
        a.execute("INSERT INTO tasks VALUES('t1', 'typed', NULL, 'typed')")
        a.sync()
        b = Device(self.server, self.user)
        b.execute(TASKS, "INSERT INTO tasks VALUES('t1', 'default', 5, 'default')",
                  "INSERT INTO tasks VALUES('t2', 'd', 1, 'd')")
        b.track("tasks")
        self.assert_equal_everywhere(b, a)
        self.assertEqual(a.rows("tasks"), [("t1", "typed", None, "typed"), ("t2", "d", 1, "d")])
        self.assert_no_conflicts(a, b)

    def test_every_kind_of_value_arrives_bit_for_bit(self):
        values = [None, 0, -1, 2**63 - 1, -2**63, 0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1,
                  1.0, 10**15 + 0.5, float("inf"), float("-inf"), "", "text", "with\0nul",
                  "\U0001F600\u2028\ufeff", '{"json": [1, 2.50]}', b"", b"\0\xff"]
        a, b = self.devices(2, schema="CREATE TABLE v(id INTEGER PRIMARY KEY, x)", tables=("v",))
        with a.connect() as db:
            db.executemany("INSERT INTO v VALUES(?, ?)", enumerate(values))
        sync_all(a, b)
        bits = "SELECT id, typeof(x), hex(CAST(x AS BLOB)), printf('%!.20g', x) FROM v ORDER BY id"
        self.assertEqual(b.execute(bits), a.execute(bits))
        self.assertEqual([row[1] for row in b.rows("v")], [row[1] for row in a.rows("v")])
        self.assertEqual(json.dumps([row[1] for row in b.rows("v")], default=repr),
                         json.dumps(values, default=repr))


if __name__ == "__main__":
    unittest.main()
