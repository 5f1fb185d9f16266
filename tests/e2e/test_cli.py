#!/usr/bin/python3
"""The command line as scripts and people use it: verbs, exit codes, JSON, tables, errors.

timeout: 300
"""

import fcntl
import http.server
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

from sigla_e2e import (PATIENCE_S, SIGLA, Device, Server, new_path, read_line, sigla, sigla_json,
                       sync_all)

VERBS = ("init track untrack sync sql status pending marks log conflicts restore dismiss refused "
         "retry parked doctor serve token").split()
READING = "status pending conflicts refused parked doctor".split()
TASKS = "CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT, note TEXT)"


def on_terminal(*args, width=80, env=None, keys=None):
    """Run the CLI on a terminal of that width; its exit code and what it drew."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment.update({"TERM": "xterm-256color", **(env or {})})
    process = subprocess.Popen([str(SIGLA), *map(str, args)], stdin=child, stdout=child,
                               stderr=child, env=environment, start_new_session=True)
    os.close(child)
    drawn = b""
    while True:
        try:
            some = os.read(parent, 65536)
        except OSError:
            break
        if not some:
            break
        drawn += some
    os.close(parent)
    return process.wait(PATIENCE_S), drawn.decode("utf-8", "replace").replace("\r\n", "\n")


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    _users = 0

    def user(self):
        """A user nobody else has: tests do not see each other's records."""
        WithServer._users += 1
        return f"user{WithServer._users}"

    def device(self, user=None, table=TASKS, **options):
        device = Device(self.server, user or self.user(), **options)
        device.execute(table)
        device.track("tasks")
        return device

    def pair(self):
        user = self.user()
        return self.device(user), self.device(user)


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


class Sync(WithServer):
    def test_pushes_what_is_pending_and_pulls_to_the_end(self):
        ann, phone = self.pair()
        ann.execute("INSERT INTO tasks VALUES ('t0', 'Bread', 0, NULL)")
        sync_all(ann, phone)
        ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        phone.execute("UPDATE tasks SET done = 1 WHERE id = 't0'")
        self.assertEqual(ann.sync()["pushed"], 1)
        did = phone.sync()
        self.assertEqual((did["pushed"], did["pulled"], did["pending"]), (1, 1, 0))
        ann.sync()
        self.assertEqual(ann.rows("tasks"), phone.rows("tasks"))
        self.assertEqual(len(ann.rows("tasks")), 2)
        self.assertEqual(ann.json("pending"), [])

    def test_a_second_one_has_nothing_to_do(self):
        ann, phone = self.pair()
        ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        sync_all(ann, phone)
        for device in (ann, phone):
            self.assertEqual(device("sync").stdout, "nothing new\n")

    def test_many_changes_go_in_several_batches(self):
        ann, phone = self.pair()
        ann.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2500)"
                    " INSERT INTO tasks SELECT 't'||i, 'Task '||i, i%2, NULL FROM n")
        self.assertEqual(ann.sync()["pushed"], 2500)
        self.assertEqual(phone.sync()["pulled"], 2500)
        self.assertEqual(ann.rows("tasks"), phone.rows("tasks"))

    def test_an_unreachable_server_exits_with_3_and_everything_stays_pending(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            device = Device(self.server, self.user())
            device.execute(TASKS)
            device.track("tasks")
            device("init", "--server", url)
            device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            began = time.monotonic()
            result = device("sync", "--timeout", "1s", expect=3)
            self.assertLess(time.monotonic() - began, 15)
            self.assertIn("cannot be reached", result.stderr)
            self.assertIn("1 change is kept", result.stderr)
        device("init", "--server", self.server.url)
        self.assertEqual(device.sync()["pushed"], 1)

    def test_a_server_that_says_nothing_exits_with_3(self):
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            device = self.device()
            device("init", "--server", f"http://127.0.0.1:{mute.getsockname()[1]}")
            device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            device("sync", "--timeout", "1s", expect=3)

    def test_a_server_that_comes_back_in_time_is_waited_for(self):
        with Server() as server:
            device = Device(server, "ann")
            device.execute(TASKS)
            device.track("tasks")
            device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            server.stop()
            sync = subprocess.Popen([str(SIGLA), "sync", str(device.path), "--timeout", "60s"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            server.start()
            out, err = sync.communicate(timeout=PATIENCE_S)
            self.assertEqual((sync.returncode, err), (0, ""), out)
            self.assertIn("pushed 1 change", out)

    def test_a_token_that_is_not_accepted_exits_with_4(self):
        with Server() as stranger:
            device = self.device(token=stranger.token("ann"), user="ann")
        device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
        result = device("sync", expect=4)
        self.assertIn("sigla init", result.stderr)
        self.assertEqual(len(device.json("pending")), 1)

    def test_a_refused_account_exits_with_4(self):
        for status in (402, 403, 426):
            with self.subTest(status), Answering(status, b"{}") as server:
                device = self.device()
                device("init", "--server", server.url)
                device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
                device("sync", expect=4)
                self.assertEqual(len(device.json("pending")), 1)

    def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(self):
        with Answering(200, b"{}") as elsewhere:
            with Answering(307, b"", location=elsewhere.url + "/sync/default") as server:
                device = self.device()
                device("init", "--server", server.url)
                device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
                self.assertNotEqual(device("sync", "--timeout", "1s", expect=None).returncode, 0)
            self.assertEqual(elsewhere.requests, [])
        self.assertEqual(len(device.json("pending")), 1)

    def test_requests_ask_for_compression_and_never_wait_to_be_told_to_go_on(self):
        with Answering(503, b"{}") as server:
            device = self.device()
            device("init", "--server", server.url)
            device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            device("sync", "--timeout", "500ms", expect=3)
            headers = server.requests[0]
        self.assertEqual(headers["Accept-Encoding"], "zstd, gzip")
        self.assertNotIn("Expect", headers)
        self.assertRegex(headers["Authorization"], "^Bearer ")

    def test_a_proxy_is_not_asked_for_this_machine(self):
        device = self.device()
        device("sync", env={"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""})

    def test_ctrl_c_ends_it_and_loses_nothing(self):
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            device = self.device()
            device("init", "--server", f"http://127.0.0.1:{mute.getsockname()[1]}")
            device.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            sync = subprocess.Popen([str(SIGLA), "sync", str(device.path)],
                                    stderr=subprocess.PIPE, text=True)
            mute.settimeout(PATIENCE_S)
            connection, _ = mute.accept()  # so the request is on its way
            sync.send_signal(signal.SIGINT)
            _, err = sync.communicate(timeout=PATIENCE_S)
            connection.close()
        self.assertEqual(sync.returncode, -signal.SIGINT)
        self.assertIn("stays pending", err)
        self.assertEqual(len(device.json("pending")), 1)


class Answering:
    """A server that gives every request the same answer and remembers the headers."""

    def __init__(self, status, body, location=None):
        outer = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.requests.append(self.headers)
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


class Watching:
    """`sigla sync FILE --watch`, its lines one by one."""

    def __init__(self, device, *options):
        self.errors = new_path("watch.log")
        with open(self.errors, "wb") as log:
            self.process = subprocess.Popen(
                [str(SIGLA), "sync", str(device.path), "--watch", *options], bufsize=0,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        self.lines = []

    def until(self, pattern):
        """Read lines until one matches."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            line = read_line(self.process.stdout, deadline)
            if line is None:
                raise AssertionError(f"no line matched {pattern!r}: {self.lines}\n"
                                     f"{self.errors.read_text()}")
            self.lines.append(line)
            if re.search(pattern, line):
                return line

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


class Watch(WithServer):
    def test_follows_both_sides_until_it_is_ended(self):
        ann, phone = self.pair()
        with Watching(phone) as watching:
            watching.until("^watching ")
            ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            ann.sync()
            watching.until("received 1 record")
            self.assertEqual(phone.rows("tasks"), ann.rows("tasks"))
            phone.execute("UPDATE tasks SET done = 1")
            watching.until("pushed 1 change")
            ann.sync()
            self.assertEqual(ann.rows("tasks"), [("t1", "Tea", 1, None)])
            self.assertEqual(watching.end(), 0)

    def test_ends_with_0_on_ctrl_c(self):
        phone = self.device()
        with Watching(phone) as watching:
            watching.until("^watching ")
            self.assertEqual(watching.end(signal.SIGINT), 0)

    def test_comes_back_when_the_server_does(self):
        with Server() as server:
            ann, phone = (Device(server, "ann") for _ in range(2))
            for device in (ann, phone):
                device.execute(TASKS)
                device.track("tasks")
            with Watching(phone) as watching:
                watching.until("^watching ")
                ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
                ann.sync()
                watching.until("received 1 record")
                server.kill()
                phone.execute("UPDATE tasks SET done = 1")
                watching.until("^offline")
                server.start()
                watching.until("pushed 1 change")
                ann.execute("UPDATE tasks SET note = 'hot'")
                ann.sync()
                watching.until("received 1 record")
                self.assertEqual(watching.end(), 0)
            self.assertEqual(phone.rows("tasks"), [("t1", "Tea", 1, "hot")])

    def test_a_table_tracked_meanwhile_is_followed_too(self):
        ann, phone = self.pair()
        with Watching(phone) as watching:
            watching.until("^watching ")
            for device in (ann, phone):
                device.execute("CREATE TABLE more(id TEXT PRIMARY KEY, a)")
                device.track("more", "--app", "second")
            ann.execute("INSERT INTO more VALUES ('m', 1)")
            ann.sync()
            watching.until("received 1 record")
            ann.execute("UPDATE more SET a = 2")
            ann.sync()
            watching.until("received 1 record")
            self.assertEqual(phone.rows("more"), [("m", 2)])
            watching.end()

    def test_json_lines(self):
        ann, phone = self.pair()
        with Watching(phone, "--json") as watching:
            ann.execute("INSERT INTO tasks VALUES ('t1', 'Tea', 0, NULL)")
            ann.sync()
            event = json.loads(watching.until("synced"))
            self.assertEqual(event["did"]["pulled"], 1)
            watching.end()

    def test_a_token_that_stops_being_valid_ends_it_with_4(self):
        phone = self.device()
        ttl_s = 2
        phone("init", "--token", self.server.token(phone.user, ttl=f"{ttl_s}s"))
        with Watching(phone) as watching:
            watching.until("^watching ")
            deadline = time.monotonic() + PATIENCE_S
            # Each local change makes it ask the server, until that says no.
            while watching.process.poll() is None and time.monotonic() < deadline:
                phone.execute("INSERT OR REPLACE INTO tasks VALUES ('t1', hex(randomblob(4)), 0, '')")
                try:
                    watching.process.wait(0.3)
                except subprocess.TimeoutExpired:
                    pass
            self.assertEqual(watching.process.wait(PATIENCE_S), 4)
            watching.process.stdout.close()


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

    def test_marks_of_nothing(self):
        device = self.device()
        self.assertEqual(device.json("marks", "tasks", "none"), [])
        self.assertIn("no such record", device("marks", "tasks", "none").stdout)
        self.assertIn("nowhere", device("marks", "nowhere", "t1", expect=1).stderr)

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
            device(verb, "99", expect=1)
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
        self.assertIn("of 60,000", drawn)
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
        device("init", "--token", self.server.token(device.user, ttl="1s"))
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

    def test_damage_is_a_problem(self):
        device = self.device()
        device.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)"
                       " INSERT INTO tasks SELECT 't'||i, 'Task '||i, i, NULL FROM n")
        device.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = device.path.stat().st_size
        with open(device.path, "r+b") as f:
            f.seek(size // 2 // 4096 * 4096)
            f.write(b"\xff" * 4096)
        self.assertNotEqual(device("doctor", expect=None).returncode, 0)

    def test_integer_keys_that_devices_hand_out_themselves_are_warned_of(self):
        device = Device(self.server, self.user())
        device.execute("CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a)")
        device.track("n")
        notes = [c for c in device.json("doctor") if c["state"] == "note" and c["check"] == "keys"]
        self.assertEqual(len(notes), 1)
        self.assertIn("n", notes[0]["detail"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
