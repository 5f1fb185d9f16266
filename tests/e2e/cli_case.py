"""What the tests of the command line share: servers, devices, terminals, and servers that misbehave."""

import fcntl
import http.server
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from sigla_e2e import PATIENCE_S, SIGLA, Device, Server, new_path, read_line

TASKS = "CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT, note TEXT)"


def on_terminal(*args, width=80, env=None):
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
