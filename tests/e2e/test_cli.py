#!/usr/bin/python3
"""The command line: help, wrong command lines, preparing databases."""

import re
import sqlite3
import subprocess
import unittest

from cli_case import TASKS, WithServer
from sigla_e2e import PATIENCE_S, SIGLA, Device, Server, new_path, sigla, sigla_json

VERBS = ("init track untrack sync sql status pending marks log conflicts restore dismiss refused "
         "retry parked doctor serve token").split()
READING = "status pending conflicts refused parked doctor".split()


class Help(unittest.TestCase):
    def test_without_arguments_it_says_what_to_do_first(self):
        said = sigla().stdout
        for verb in ("serve", "token", "init", "track", "sync"):
            self.assertIn(f"sigla {verb}", said)

    def test_help_lists_every_verb_and_every_exit_code(self):
        said = sigla("--help").stdout
        self.assertEqual(said, sigla("help").stdout)
        for verb in VERBS:
            self.assertRegex(said, rf"(?m)^  {verb} ")
        for code in range(6):
            self.assertRegex(said, rf"(?m)^  {code}  ")

    def test_every_verb_has_help_with_an_example(self):
        for verb in VERBS:
            with self.subTest(verb):
                said = sigla(verb, "--help").stdout
                self.assertRegex(said, rf"Usage: sigla {verb}\b")
                self.assertRegex(said, rf"(?m)^  .*sigla {verb}\b")
                self.assertEqual(said, sigla("help", verb).stdout)

    def test_every_reading_verb_knows_json(self):
        for verb in READING + ["marks", "log", "sync", "sql"]:
            self.assertIn("--json", sigla(verb, "--help").stdout, verb)

    def test_the_steps_it_proposes_first_work(self):
        lines = re.sub(r"\\\n", " ", sigla().stdout).splitlines()
        steps = [line.strip() for line in lines if line.startswith("  sigla ")]
        folder = new_path("steps")
        folder.mkdir()
        server = Server(data=folder / "srv").start()
        try:
            for step in steps:
                if " serve " in step:
                    continue
                step = step.replace("http://127.0.0.1:3050", server.url)
                step = re.sub(r"\bsigla ", f"{SIGLA} ", step)
                subprocess.run(step, shell=True, cwd=folder, check=True, timeout=PATIENCE_S,
                               stdout=subprocess.DEVNULL)
            marks = sigla_json("marks", folder / "notes.db", "tasks", "t1")
            self.assertEqual({m["field"]: m["value"] for m in marks}["title"], "Buy tea")
            self.assertTrue(all(m["seq"] > 0 for m in marks), marks)
        finally:
            server.stop()

    def test_version(self):
        self.assertRegex(sigla("--version").stdout, r"^sigla \d+\.\d+\.\d+\n$")


class Usage(unittest.TestCase):
    def assert_usage(self, *args, says):
        result = sigla(*args, expect=2)
        self.assertEqual(result.stdout, "")
        self.assertIn(says, result.stderr)

    def test_wrong_command_lines_exit_with_2_and_say_what_was_meant(self):
        self.assert_usage("snyc", "a.db", says="sigla sync")
        self.assert_usage("blame", "a.db", says="sigla marks")
        self.assert_usage("frobnicate", says="there is no verb frobnicate")
        self.assert_usage("sync", says="FILE is missing")
        self.assert_usage("sync", "a.db", "b.db", says="one word too many: b.db")
        self.assert_usage("sync", "a.db", "--wacth", says="did you mean --watch?")
        self.assert_usage("sync", "a.db", "--timeout", says="--timeout needs a value")
        self.assert_usage("sync", "a.db", "--timeout", "soon", says="--timeout soon")
        self.assert_usage("marks", "a.db", "tasks", says="KEY is missing")
        self.assert_usage("status", "", says="name is empty")
        self.assert_usage("help", "nothing", says="there is no verb nothing")

    def test_a_missing_file_exits_with_5_and_is_not_created(self):
        path = new_path("none.db")
        for verb in READING + ["sync"]:
            result = sigla(verb, path, expect=5)
            self.assertIn("there is no file", result.stderr)
            self.assertIn("sigla init", result.stderr)
        self.assertFalse(path.exists())

    def test_a_file_that_is_no_database_exits_with_5(self):
        path = new_path("text.db")
        path.write_text("hello, world\n" * 200)
        for verb in READING + ["sync"]:
            result = sigla(verb, path, expect=5)
            self.assertIn(str(path), result.stderr)
        self.assertTrue(path.read_text().startswith("hello"))
        sigla("status", path.parent, expect=5)

    def test_a_database_that_was_not_prepared_exits_with_1(self):
        path = new_path("plain.db")
        path.touch()
        sigla("sql", path, "CREATE TABLE tasks(id TEXT PRIMARY KEY)")
        for args in ([verb, path] for verb in ("sync", "status", "pending", "conflicts")):
            result = sigla(*args, expect=1)
            self.assertIn("is not prepared for sync", result.stderr)
            self.assertIn("sigla init", result.stderr)

    def test_a_data_directory_that_cannot_be_says_why(self):
        path = new_path("file")
        path.touch()
        for args in (["serve", "--data", path, "--listen", "127.0.0.1:0"],
                     ["token", "--data", path, "--user", "ann"]):
            result = sigla(*args, expect=5)
            self.assertIn(f"in {path}: it is not a directory", result.stderr)
            self.assertIn("--data DIR", result.stderr)

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            code = subprocess.run([str(SIGLA), "--help"], stdout=full, stderr=subprocess.DEVNULL,
                                  timeout=PATIENCE_S).returncode
        self.assertEqual(code, 1)


class Init(WithServer):
    def init(self, path, user, expect=0, **options):
        args = ["init", path, "--server", self.server.url, "--user", user]
        return sigla(*args, "--token", options.get("token") or self.server.token(user),
                     expect=expect)

    def test_creates_the_file_and_says_what_comes_next(self):
        path = new_path("new.db")
        said = self.init(path, "ann").stdout
        self.assertTrue(path.exists())
        self.assertIn(f"sigla track {path}", said)
        status = sigla_json("status", path)
        self.assertEqual(status["user"], "ann")
        self.assertEqual(status["server"], self.server.url)

    def test_keeps_what_a_database_has(self):
        path = new_path("old.db")
        path.touch()
        sigla("sql", path, "CREATE TABLE t(a); INSERT INTO t VALUES (1)")
        self.init(path, "ann")
        self.assertEqual(sigla_json("sql", path, "SELECT a FROM t"), [{"a": 1}])

    def test_an_incomplete_one_creates_nothing(self):
        path = new_path("none.db")
        token = self.server.token("ann")
        for args in (["--token", token, "--user", "ann"], ["--server", "http://x", "--user", "a"],
                     ["--server", "http://x", "--token", token]):
            self.assertIn("is missing", sigla("init", path, *args, expect=2,
                                              env={"SIGLA_TOKEN": ""}).stderr)
        self.assertFalse(path.exists())

    def test_a_token_of_somebody_else_or_none_is_refused(self):
        path = new_path("none.db")
        self.assertIn("is for bob", self.init(path, "ann", 1, token=self.server.token("bob")).stderr)
        self.assertIn("not a JWT", self.init(path, "ann", 1, token="secret").stderr)
        self.assertFalse(path.exists())

    def test_the_token_may_come_by_standard_input_or_environment(self):
        token = self.server.token("ann")
        args = ["--server", self.server.url, "--user", "ann"]
        sigla("init", new_path("a.db"), *args, "--token", "-", input=token + "\n")
        sigla("init", new_path("b.db"), *args, env={"SIGLA_TOKEN": token})

    def test_again_with_a_new_token_keeps_the_rest(self):
        device = Device(self.server, "ann")
        device("init", "--token", self.server.token("ann", ttl="1h"))
        self.assertEqual(device.json("status")["server"], self.server.url)
        device.sync()

    def test_a_database_stays_with_its_user(self):
        device = Device(self.server, "ann")
        device("init", "--token", self.server.token("bob"), "--user", "bob", expect=1)
        self.assertEqual(device.json("status")["user"], "ann")


class Track(WithServer):
    def test_options_reach_the_wire(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE places(id TEXT PRIMARY KEY, lat REAL, lon REAL, tags TEXT,"
                       " cached TEXT)")
        device.track("places", "--app", "atlas", "--as", "place", "--json", "tags", "--local",
                     "cached", "--group", "lat,lon")
        device.execute("INSERT INTO places VALUES ('p', 1.5, 2.5, '[1,{\"a\":null}]', 'x')")
        change, = device.json("pending")
        self.assertEqual((change["app"], change["op"]), ("atlas", "insert"))
        device.sync()
        other = Device(self.server, device.user)
        other.execute("CREATE TABLE place(id TEXT PRIMARY KEY, lat REAL, lon REAL, tags TEXT,"
                      " cached TEXT)")
        other.track("place", "--app", "atlas", "--json", "tags")
        other.sync()
        self.assertEqual(other.rows("place"), [("p", 1.5, 2.5, '[1,{"a":null}]', None)])
        self.assertEqual(other.marks("place", "p")["tags"]["value"], [1, {"a": None}])

    def test_a_column_says_whose_a_record_is(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE games(id TEXT PRIMARY KEY, title, club TEXT)")
        device.track("games", "--space", "club")
        device.execute("INSERT INTO games VALUES ('g', 'Ann - Bob', 'chess')")
        with self.assertRaisesRegex(sqlite3.Error, "keeps the space it was made in"):
            device.execute("UPDATE games SET club = NULL")
        self.assertIn("no such column", device("track", "games", "--space", "clubs", expect=1).stderr)
        # Nobody has made a space of that name: the server takes no such record.
        device.sync(expect=None)
        refused, = device.json("refused")
        self.assertEqual(refused["code"], "space_refused")

    def test_twice_is_harmless(self):
        device = self.device()
        device.track("tasks")
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        self.assertEqual(len(device.json("pending")), 1)

    def test_rows_that_are_there_are_queued_as_a_migration(self):
        device = Device(self.server, self.user())
        device.execute(TASKS, "INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        self.assertIn("1 change", device.track("tasks").stdout)
        change, = device.json("pending")
        self.assertEqual(change["origin"], "migration")

    def test_a_table_that_cannot_be_tracked_says_why(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE nokey(a)")
        self.assertIn("nokey", device("track", "nokey", expect=1).stderr)
        self.assertIn("absent", device("track", "absent", expect=1).stderr)

    def test_untrack_stops_marking_and_keeps_what_is_pending(self):
        device = self.device()
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        device("untrack", "tasks")
        device.execute("INSERT INTO tasks VALUES ('t2', 'Milk', 0, NULL)")
        self.assertEqual([c["key"] for c in device.json("pending")], ["t1"])

    def test_another_app_or_name_needs_an_untrack_before(self):
        device = self.device()
        device.sync()
        self.assertIn("synced up to 0", device("status").stdout)
        said = device("track", "tasks", "--as", "task", expect=1).stderr
        self.assertIn(f"sigla untrack {device.path} TABLE", said)
        self.assertNotIn("sigla_untrack()", said)
        device("untrack", "tasks")
        device("track", "tasks", "--as", "task")
        self.assertIn("to be pulled anew", device("status").stdout)
        device.sync()
        self.assertIn("synced up to 0", device("status").stdout)


if __name__ == "__main__":
    unittest.main()
