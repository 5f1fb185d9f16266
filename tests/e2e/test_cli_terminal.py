#!/usr/bin/python3
"""Tables, colours and progress on terminals; sigla doctor."""

import json
import time
import unittest

from cli_case import WithServer, on_terminal, plain
from sigla_e2e import PATIENCE_S, Device, sigla


class Terminal(WithServer):
    def filled(self):
        device = self.device()
        device.execute("INSERT INTO tasks VALUES ('t1', 'A title 中文 that is far too long for any"
                       " terminal that people have had since 1978', 0, 'Zoë'),"
                       " ('t2', 'short', 1, NULL)")
        return device

    def test_tables_fit_its_width(self):
        device = self.filled()
        for width in (40, 60, 80, 120):
            for verb in (["sql", device.path, "SELECT * FROM tasks"], ["pending", device.path],
                         ["marks", device.path, "tasks", "t1"]):
                with self.subTest(width=width, verb=verb[0]):
                    code, drawn = on_terminal(*verb, width=width)
                    self.assertEqual(code, 0, drawn)
                    for line in plain(drawn).splitlines():
                        # Wide characters take two columns.
                        taken = len(line) + sum(1 for c in line if "\u4e00" <= c <= "\u9fff")
                        self.assertLessEqual(taken, width, line)
        self.assertIn("…", drawn)

    def test_nothing_is_cut_in_a_pipe(self):
        device = self.filled()
        self.assertIn("since 1978", device("sql", "SELECT * FROM tasks").stdout)

    def test_colours_only_on_a_terminal_that_wants_them(self):
        device = self.filled()
        args = ["pending", device.path]
        self.assertIn("\x1b[", on_terminal(*args)[1])
        self.assertNotIn("\x1b[", on_terminal(*args, env={"NO_COLOR": "1"})[1])
        self.assertNotIn("\x1b[", on_terminal(*args, env={"TERM": "dumb"})[1])
        self.assertNotIn("\x1b[", sigla(*args).stdout)
        self.assertNotIn("\x1b[", on_terminal(*args, "--json")[1])

    def test_what_others_wrote_cannot_steer_it(self):
        device = self.device()
        device.execute(("INSERT INTO tasks VALUES ('t1', ?, 0, NULL)", "\x1b]0;owned\x07\x1b[2J"))
        for args in (["sql", device.path, "SELECT * FROM tasks"], ["pending", device.path],
                     ["marks", device.path, "tasks", "t1"], ["marks", device.path, "x\x1b[2J", "k"]):
            _, drawn = on_terminal(*args, env={"NO_COLOR": "1"})
            self.assertNotIn("\x1b", drawn)
            self.assertNotIn("\x07", drawn)

    def test_a_long_push_shows_progress_and_leaves_no_trace_of_it(self):
        device = self.device()
        device.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<60000)"
                       " INSERT INTO tasks SELECT 't'||i, hex(randomblob(40)), i, NULL FROM n")
        code, drawn = on_terminal("sync", device.path)
        self.assertEqual(code, 0)
        self.assertRegex(drawn, r"pushing  [1-9][0-9,]* of 60,000",
                         "also while the server waits for the rest of the one transaction")
        last = drawn.rstrip().splitlines()[-1]
        self.assertRegex(last.split("\x1b[K")[-1], "^pushed 60,000 changes", drawn[-200:])

    def test_no_progress_without_a_terminal(self):
        device = self.device()
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        self.assertEqual(device("sync").stderr, "")


class Doctor(WithServer):
    def test_a_healthy_database(self):
        device = self.device()
        device.sync()
        said = device("doctor", "--online").stdout
        self.assertIn("integrity", said)
        for check in device.json("doctor", "--online"):
            self.assertIn(check["state"], ("ok", "note"), check)

    def problems(self, device, expect=1, *options):
        return [c["check"] for c in json.loads(device("doctor", "--json", *options,
                                                      expect=expect).stdout)
                if c["state"] == "problem"]

    def test_a_server_that_is_away_is_a_problem_only_if_asked_for(self):
        device = self.device()
        device("init", "--server", "http://127.0.0.1:9")
        self.assertEqual(self.problems(device, 0), [])
        self.assertEqual(self.problems(device, 1, "--online"), ["server"])

    def test_an_expired_token_is_a_problem(self):
        device = self.device()
        token = self.server.token(device.user, ttl="1s")
        device("sql", f"SELECT sigla_config('token', '{token}')")
        deadline = time.monotonic() + PATIENCE_S
        while "token" not in self.problems(device, None) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertIn("sigla init", device("doctor", expect=1).stdout)

    def test_a_dropped_trigger_is_a_problem(self):
        device = self.device()
        names = [r["name"] for r in device.json(
            "sql", "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='tasks'")]
        self.assertGreater(len(names), 5)
        for name in names:
            with self.subTest(name):
                device("sql", f'DROP TRIGGER "{name}"')
                # Opening the file notices by itself that INSERTs are not captured.
                opened = [] if name.startswith("sigla_insert_") else ["triggers"]
                self.assertEqual(self.problems(device, None), opened)
                device.track("tasks")
                self.assertEqual(self.problems(device, 0), [])

    def damaged(self):
        device = self.device()
        device.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)"
                       " INSERT INTO tasks SELECT 't'||i, 'Task '||i, i, NULL FROM n")
        device.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return device, device.path.stat().st_size

    def test_damage_is_a_problem(self):
        device, size = self.damaged()
        with open(device.path, "r+b") as f:
            f.seek(size // 2 // 4096 * 4096)
            f.write(b"\xff" * 4096)
        self.assertEqual(self.problems(device), ["integrity"])

    def test_damage_that_keeps_sigla_out_is_said_too(self):
        device, size = self.damaged()
        with open(device.path, "r+b") as f:
            f.truncate(size // 2)
        result = device("status", expect=5)
        self.assertIn(f"{device.path} is damaged", result.stderr)
        self.assertIn(f"sigla doctor {device.path}", result.stderr)
        self.assertEqual(self.problems(device), ["integrity"])

    def test_marks_that_cannot_be_read_are_a_problem(self):
        device = self.device()
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        device.sync()
        device("sql", "UPDATE sigla_rec SET m = x'ffffffff'")
        self.assertEqual(self.problems(device), ["marks", "data"])
        device.sync()
        self.assertEqual(device("doctor").returncode, 0)

    def test_a_file_of_a_newer_sigla_is_refused(self):
        device = self.device()
        device("sql", "UPDATE sigla_state SET v = 99 WHERE k = 'format'")
        for verb in "status", "doctor":
            self.assertIn("newer sigla", device(verb, expect=5).stderr)

    def test_integer_keys_that_devices_hand_out_themselves_are_warned_of(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a)")
        device.track("n")
        notes = [c for c in device.json("doctor") if c["state"] == "note" and c["check"] == "keys"]
        self.assertEqual(len(notes), 1)
        self.assertIn("n", notes[0]["detail"])


if __name__ == "__main__":
    unittest.main()
