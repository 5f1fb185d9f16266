#!/usr/bin/python3
"""Servers and devices for end-to-end tests, the demo and the replay of traces.

    with Server() as server:
        ann = Device(server, "ann")
        with ann.connect() as db:
            db.execute("CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT)")
        ann.track("tasks")
        ann.sync()

The binary and the extension come from the build folder, SIGLA_BUILD or build/ beside tests/. All
files go to a temporary folder that is deleted at exit, unless a path is given. Servers listen on a
port that was free; nothing here sleeps: it waits for the line or the file it needs.

Python must be able to load SQLite extensions: Debian's /usr/bin/python3 is.
"""

import atexit
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("SIGLA_BUILD", "build")).resolve()
SIGLA = BUILD / "sigla"
EXTENSION = BUILD / "sigla.so"
PATIENCE_S = 60  # for anything that should take no time, on a busy machine

_folder = None


def folder():
    """The temporary folder of this process."""
    global _folder
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="sigla-e2e-"))
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    return _folder


def new_path(name):
    """A path in that folder that nobody has been given before."""
    return Path(tempfile.mkdtemp(dir=folder())) / name


class SiglaError(AssertionError):
    """A command exited with another code than it was expected to."""

    def __init__(self, command, result):
        super().__init__(f"{' '.join(map(str, command))}\nexited with {result.returncode}\n"
                         f"{result.stdout}{result.stderr}")
        self.code, self.stdout, self.stderr = result.returncode, result.stdout, result.stderr


def sigla(*args, expect=0, input=None, env=None, timeout=PATIENCE_S):
    """Run the CLI; `expect` is the exit code it must give, None for any."""
    command = [str(SIGLA), *map(str, args)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, input=input,
                            stdin=subprocess.DEVNULL if input is None else None,
                            env={**os.environ, **(env or {})})
    if expect is not None and result.returncode != expect:
        raise SiglaError(command, result)
    return result


def sigla_json(*args, **options):
    """Run a reading verb with --json and give what it printed."""
    return json.loads(sigla(*args, "--json", **options).stdout)


def read_line(stream, deadline):
    """A line from an unbuffered binary pipe, or None if it does not come in time or the pipe ends."""
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            return None
        byte = os.read(stream.fileno(), 1)
        if not byte:
            return None
        line += byte
    return line.decode().rstrip("\n")


class Server:
    """`sigla serve` on a port of its own. Use it with `with`, or call start and stop."""

    def __init__(self, data=None, options=("--dev",), binary=SIGLA):
        self.binary = binary
        self.data = Path(data) if data else new_path("server")
        self.options = [str(o) for o in options]
        self.log = new_path("server.log")
        self.listen = "127.0.0.1:0"
        self.url = None
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.binary), "serve", "--data", str(self.data), "--listen", self.listen,
                 *self.options],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, bufsize=0)
        atexit.register(self.kill)
        line = read_line(self.process.stdout, time.monotonic() + PATIENCE_S)
        if line is None or not line.startswith("listening on http://"):
            self.kill()
            raise AssertionError(f"the server did not start; it said {line!r} and\n{self.logged()}")
        self.url = line.removeprefix("listening on ")
        # A restart comes back where its clients look for it.
        self.listen = self.url.removeprefix("http://")
        return self

    def logged(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def stop(self, expect=0):
        """SIGTERM, and wait; a clean end is exit code 0."""
        code = self._end(signal.SIGTERM)
        if code is not None and expect is not None and code != expect:
            raise AssertionError(f"the server exited with {code}\n{self.logged()}")

    def kill(self):
        """SIGKILL: what a power cut leaves."""
        self._end(signal.SIGKILL)

    def _end(self, how):
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(how)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        return code

    def restart(self):
        self.stop()
        return self.start()

    def token(self, user, agent=None, ttl=None):
        args = ["token", "--data", self.data, "--user", user]
        args += ["--agent", agent] if agent else []
        args += ["--ttl", ttl] if ttl else []
        return sigla(*args).stdout.strip()

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()


class Device:
    """A database file of a user, prepared to sync with a server."""

    def __init__(self, server, user, path=None, agent=None, token=None, init=True):
        self.server, self.user = server, user
        self.path = Path(path) if path else new_path(f"{user}.db")
        if init:
            sigla("init", self.path, "--server", server.url, "--user", user, "--token",
                  token or server.token(user, agent))

    def __call__(self, verb, *args, **options):
        """device("marks", "tasks", "t1") runs `sigla marks FILE tasks t1`."""
        return sigla(verb, self.path, *args, **options)

    def json(self, verb, *args, **options):
        return sigla_json(verb, self.path, *args, **options)

    def track(self, table, *options):
        return self("track", table, *options)

    def sync(self, *options, **keywords):
        """What was done: {"pushed": …, "pulled": …, …}."""
        return self.json("sync", *options, **keywords)

    def connect(self, **keywords):
        """A connection with the extension loaded."""
        return connect(self.path, **keywords)

    def execute(self, *statements):
        """Statements in one transaction; the rows of the last one."""
        db = self.connect()
        try:
            with db:
                rows = []
                for statement in statements:
                    sql, *values = (statement,) if isinstance(statement, str) else statement
                    rows = db.execute(sql, values).fetchall()
            return rows
        finally:
            db.close()

    def rows(self, table):
        """All rows, in the order of the first column."""
        return self.execute(f'SELECT * FROM "{table}" ORDER BY 1')

    def marks(self, table, key):
        """The marks of a record by field name."""
        return {mark["field"]: mark for mark in self.json("marks", table, key)}


def connect(path, **keywords):
    """Open a database with Sigla loaded."""
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        raise RuntimeError("this Python cannot load SQLite extensions: use /usr/bin/python3")
    db = sqlite3.connect(path, **keywords)
    db.enable_load_extension(True)
    db.load_extension(str(EXTENSION))
    db.enable_load_extension(False)
    return db


def sync_all(*devices, rounds=2):
    """Sync each in turn; after two rounds everybody has what everybody wrote."""
    for _ in range(rounds):
        for device in devices:
            device.sync()

