#!/usr/bin/python3
"""The verbs that look and those that put right, as JSON and as text; sigla sql."""

import json
import unittest

from cli_case import WithServer
from sigla_e2e import Device, sync_all


class Reading(WithServer):
    def conflict(self):
        """Ann's edit is overwritten on the server by one that had not seen it."""
        ann, phone = self.pair()
        ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        sync_all(ann, phone)
        ann.execute("UPDATE tasks SET title = 'Green tea'")
        phone.execute("UPDATE tasks SET title = 'Black tea'")
        sync_all(phone, ann)
        return ann, phone

    def test_marks(self):
        ann, phone = self.pair()
        ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 1, NULL)")
        fresh = ann.marks("tasks", "t1")
        self.assertEqual(set(fresh), {"title", "done", "note"})
        title = fresh["title"]
        self.assertEqual(set(title),
                         {"field", "value", "at", "actor", "origin", "seq", "client", "n"})
        self.assertEqual((title["value"], title["origin"], title["seq"]), ("Tea", "user", 0))
        self.assertEqual(title["actor"]["kind"], "user")
        self.assertRegex(title["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$")
        self.assertEqual(fresh["done"]["value"], 1)
        self.assertIsNone(fresh["note"]["value"])
        sync_all(ann, phone)
        here, there = ann.marks("tasks", "t1")["title"], phone.marks("tasks", "t1")["title"]
        self.assertGreater(here["seq"], 0)
        self.assertEqual(there["origin"], "server-replay")
        for member in ("value", "at", "actor", "seq", "client", "n"):
            self.assertEqual(here[member], there[member], member)

    def test_marks_of_integer_and_composite_keys(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE n(id INTEGER PRIMARY KEY, a)",
                       "CREATE TABLE seats(row TEXT, no INT, who TEXT, PRIMARY KEY(row, no))")
        device.track("n")
        device.track("seats")
        device.execute("INSERT INTO n VALUES (-7, 'x')", "INSERT INTO seats VALUES ('A', 12, 'Ann')")
        self.assertEqual(device.marks("n", "-7")["a"]["value"], "x")
        self.assertEqual(device.marks("seats", '["A",12]')["who"]["value"], "Ann")

    def test_marks_and_log_of_keys_of_every_type(self):
        device = Device(self.server, self.user())
        keys = {"i INTEGER": "7", "r REAL": "1.5", "n NUMERIC": "2.25", "x TEXT": "007",
                "b BLOB": "7", "untyped": "-1.5"}
        for column, key in keys.items():
            table = column.split(" ", maxsplit=1)[0]
            device.execute(f"CREATE TABLE {table}({column} PRIMARY KEY, v)")
            device.track(table)
            quoted = f"'{key}'" if table == "x" else key
            device.execute(f"INSERT INTO {table} VALUES ({quoted}, 'it')")
            self.assertEqual(device.json("log", table, key)[0]["pending"], True, column)
        device.sync()
        for column, key in keys.items():
            table = column.split(" ", maxsplit=1)[0]
            with self.subTest(column):
                self.assertEqual(device.marks(table, key)["v"]["value"], "it")
                entry, = device.json("log", table, key)
                self.assertEqual(entry["fields"]["v"]["value"], "it")
                self.assertFalse(entry["pending"])

    def test_marks_of_a_deleted_record_say_who_deleted_it(self):
        device = self.device()
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        device.execute("DELETE FROM tasks WHERE id = 't1'")
        self.assertIn("(deleted)", device("marks", "tasks", "t1").stdout)
        mark, = device.json("marks", "tasks", "t1")
        self.assertEqual((mark["field"], mark["value"]), (None, None))

    def test_marks_of_nothing(self):
        device = self.device()
        self.assertEqual(device.json("marks", "tasks", "none"), [])
        self.assertIn("no such record", device("marks", "tasks", "none").stdout)
        said = device("marks", "nowhere", "t1", expect=1).stderr
        self.assertIn('"nowhere" is not tracked\n', said)
        self.assertIn(f"sigla status {device.path}", said)

    def test_pending(self):
        device = self.device()
        self.assertEqual(device.json("pending"), [])
        self.assertIn("Nothing is pending", device("pending").stdout)
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        device.execute("UPDATE tasks SET done = 1")
        device.execute("DELETE FROM tasks")
        changes = device.json("pending")
        self.assertEqual([c["op"] for c in changes], ["insert", "update", "delete"])
        self.assertEqual(set(changes[0]), {"n", "app", "table", "key", "op", "fields", "at",
                                           "actor", "origin", "sent"})
        self.assertEqual((changes[0]["table"], changes[0]["key"]), ("tasks", "t1"))
        self.assertEqual(changes[1]["fields"], {"done": 1})
        self.assertIs(changes[0]["sent"], False)
        self.assertLess(changes[0]["n"], changes[1]["n"])

    def test_conflicts_restore_and_dismiss(self):
        ann, phone = self.conflict()
        self.assertEqual(phone.json("conflicts"), [])
        conflict, = ann.json("conflicts")
        self.assertEqual(set(conflict),
                         {"id", "table", "key", "field", "kind", "wasLocal", "nowServer", "localAt",
                          "serverAt", "localActor", "serverActor", "serverOrigin", "raisedAt"})
        self.assertEqual((conflict["table"], conflict["key"], conflict["field"]),
                         ("tasks", "t1", "title"))
        self.assertEqual((conflict["wasLocal"], conflict["nowServer"]), ("Green tea", "Black tea"))
        self.assertEqual(conflict["serverActor"]["kind"], "user")
        ann("restore", conflict["id"])
        self.assertEqual(ann.json("conflicts"), [])
        self.assertEqual(ann.rows("tasks")[0][1], "Green tea")
        sync_all(ann, phone)
        self.assertEqual(phone.rows("tasks")[0][1], "Green tea")

    def test_dismissed_conflicts_are_not_listed(self):
        ann, _ = self.conflict()
        conflict, = ann.json("conflicts")
        ann("dismiss", conflict["id"])
        self.assertEqual(ann.json("conflicts"), [])
        self.assertEqual(ann.rows("tasks")[0][1], "Black tea")
        self.assertIn("No conflicts", ann("conflicts").stdout)

    def test_ids_that_are_none(self):
        device = self.device()
        for verb in ("restore", "dismiss"):
            self.assertIn(f"sigla conflicts {device.path}", device(verb, "99", expect=1).stderr)
            device(verb, "first", expect=2)

    def test_log_tells_who_won_and_who_lost(self):
        ann, phone = self.conflict()
        entries = ann.json("log", "tasks", "t1")
        self.assertEqual([e["op"] for e in entries], ["update", "update", "insert"])
        self.assertEqual(set(entries[0]), {"seq", "at", "op", "actor", "origin", "client", "n",
                                           "fields", "pending"})
        self.assertEqual({(e["fields"]["title"]["value"], e["fields"]["title"]["outcome"])
                          for e in entries[:2]}, {("Green tea", "lost"), ("Black tea", "won")})
        self.assertTrue(all(not e["pending"] for e in entries))
        ann.execute("UPDATE tasks SET done = 1")
        newest = ann.json("log", "tasks", "t1")[0]
        self.assertTrue(newest["pending"])
        self.assertEqual(newest["fields"]["done"]["value"], 1)
        self.assertIn("Black tea", ann("log", "tasks", "t1").stdout)

    def test_log_of_a_renamed_table_and_of_composite_keys(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE seats(row TEXT, no INT, who TEXT, PRIMARY KEY(row, no))")
        device.track("seats", "--app", "hall", "--as", "seat")
        device.execute("INSERT INTO seats VALUES ('A', 12, 'Ann')")
        device.sync()
        entry, = device.json("log", "seats", '[ "A", 12 ]')
        self.assertEqual(entry["fields"]["who"]["value"], "Ann")

    def test_log_without_the_server_shows_what_is_here(self):
        device = self.device()
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        device("init", "--server", "http://127.0.0.1:9")
        result = device("log", "tasks", "t1", "--json")
        self.assertIn("cannot be reached", result.stderr)
        self.assertTrue(json.loads(result.stdout)[0]["pending"])

    def test_log_of_a_record_the_server_never_heard_of(self):
        device = self.device()
        result = device("log", "tasks", "nobody")
        self.assertEqual((result.stdout, result.stderr), ("Nothing is known of it.\n", ""))
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        result = device("log", "tasks", "t1")
        self.assertIn("pending", result.stdout)
        self.assertEqual(result.stderr, "")

    def test_refused_and_retry(self):
        device = self.device()
        device.execute("SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"u:mallory\"}')",
                       "INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)", "SELECT sigla_as_end()")
        device.execute("INSERT INTO tasks VALUES ('t2', 'Milk', 0, NULL)")
        did = device.sync()
        self.assertEqual((did["pushed"], did["refused"]), (1, 1))
        refused, = device.json("refused")
        self.assertEqual((refused["key"], refused["code"]), ("t1", "actor_refused"))
        self.assertIn("sigla refused", device("doctor", expect=1).stdout)
        device("retry", refused["n"])
        self.assertEqual(device.json("refused"), [])
        self.assertEqual(len(device.json("pending")), 1)
        device("retry", "soon", expect=2)

    def test_parked_records_say_why_and_come_when_they_can(self):
        ann, phone = self.pair()
        phone.execute("CREATE UNIQUE INDEX one_title ON tasks(title)")
        ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL), ('t2', 'Tea', 1, NULL)")
        ann.sync()
        phone.sync()
        parked, = phone.json("parked")
        self.assertEqual(parked["table"], "tasks")
        self.assertIn("UNIQUE", parked["reason"])
        self.assertIn("sigla parked", phone("doctor", expect=1).stdout)
        ann.execute("UPDATE tasks SET title = 'Milk' WHERE id = 't2'")
        sync_all(ann, phone)
        self.assertEqual(phone.json("parked"), [])
        self.assertEqual(phone.rows("tasks"), ann.rows("tasks"))

    def test_status_counts_what_waits(self):
        ann, _ = self.conflict()
        ann.execute("UPDATE tasks SET done = 1")
        said = ann("status").stdout
        self.assertIn(self.server.url, said)
        self.assertIn("tasks", said)
        self.assertRegex(said, r"1 change")
        self.assertRegex(said, r"sigla conflicts")
        self.assertIsInstance(ann.json("status"), dict)


class Sql(WithServer):
    def test_rows_as_a_table_and_as_json(self):
        device = self.device()
        sql = ("SELECT 1 AS i, 1.0 AS r, 'Tea' AS t, NULL AS n, x'00ff' AS b,"
               " 9007199254740993 AS big")
        self.assertEqual(device.json("sql", sql),
                         [{"i": 1, "r": 1.0, "t": "Tea", "n": None, "b": {"$blob": "AP8="},
                           "big": 9007199254740993}])
        lines = device("sql", sql).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["i", "r", "t", "n", "b", "big"])
        self.assertIn("x'00ff'", lines[1])

    def test_writes_are_marked(self):
        device = self.device()
        device("sql", "INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        self.assertEqual(len(device.json("pending")), 1)

    def test_several_statements_and_standard_input(self):
        device = self.device()
        device("sql", input="BEGIN; INSERT INTO tasks VALUES ('a', '1', 0, NULL);\n-- a note\n"
                            "INSERT INTO tasks VALUES ('b', '2', 0, NULL); COMMIT;\n")
        self.assertEqual(len(device.rows("tasks")), 2)

    def test_an_error_ends_it_with_1_and_undoes_an_open_transaction(self):
        device = self.device()
        result = device("sql", "BEGIN; INSERT INTO tasks VALUES ('a','1',0,''); SELECT nonsense",
                        expect=1)
        self.assertIn("nonsense", result.stderr)
        self.assertIn("not committed", result.stderr)
        self.assertEqual(device.rows("tasks"), [])
        device("sql", "BEGIN; INSERT INTO tasks VALUES ('a','1',0,'')", expect=1)
        self.assertEqual(device.json("pending"), [])

    def test_a_locked_database_exits_with_5(self):
        device = self.device()
        db = device.connect(isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        result = device("sql", "DELETE FROM tasks WHERE id = 'x'; INSERT INTO tasks VALUES"
                               " ('a','1',0,'')", expect=5)
        self.assertIn("lock", result.stderr)
        db.execute("ROLLBACK")
        db.close()


if __name__ == "__main__":
    unittest.main()
