"""Devices that keep a server busy: writers, readers, listeners, each a thread of its own.

They speak plain HTTP, go on through a server's end and its next start, and tell what they were
promised. Tests add what must hold.
"""

import base64
import contextlib
import http.client
import json
import os
import socket
import struct
import threading
from urllib.parse import urlsplit

PARTS = 3  # changes of a transaction
PATIENCE_S = 60
READ_BYTES = 65536


class Link:
    """How one device speaks to the server. No answer is None."""

    def __init__(self, server, token):
        self.server, self.token = server, token

    def fetch(self, method, path, body=None):
        connection = http.client.HTTPConnection(urlsplit(self.server.url).netloc, timeout=30)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, json.dumps(body) if body else None,
                                   {"Authorization": f"Bearer {self.token}"})
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                return None
        if answer.status == 503:
            return None
        assert answer.status == 200, text
        return text

    def request(self, method, path, body=None):
        text = self.fetch(method, path, body)
        return None if text is None else json.loads(text)


class Writer(threading.Thread):
    """Writes the same new value into its three records, one transaction a push, until told to end."""

    def __init__(self, link, index, progress):
        super().__init__()
        self.link, self.index, self.progress = link, index, progress
        self.client, self.acked, self.end, self.failure = f"writer-{index}", 0, False, None
        self.seqs = {}  # number -> seq, of all that was acknowledged

    def change(self, value, part):
        n = (value - 1) * PARTS + part + 1
        return {"n": n, "tx": value * PARTS, "base": 0, "table": "tasks",
                "id": f"{self.index}-{part}", "op": "insert" if value == 1 else "update",
                "at": f"2026-01-02T{value // 3600:02}:{value // 60 % 60:02}:{value % 60:02}.000Z",
                "fields": {"value": {"value": value}}}

    def run(self):
        try:
            while not self.end:
                self.push(self.acked + 1)
        except Exception as problem:  # told to the test, which ends the others
            self.failure = problem
            self.progress.release()

    def push(self, value):
        first = (value - 1) * PARTS + 1
        body = {"clientId": self.client, "schemaVersion": 2, "sent": first - 1, "pull": False,
                "changes": [self.change(value, part) for part in range(PARTS)]}
        answer = self.link.request("POST", "/sync/todo", body)
        if answer is None:
            return  # the same again: its number stays
        acks = {a["n"] + i: a["seq"] + i for a in answer["acks"] for i in range(a.get("count", 1))}
        assert list(acks) == list(range(first, first + PARTS)), answer
        assert answer["rejected"] == [], answer
        self.seqs |= acks
        self.acked = value
        self.progress.release()


def values_by_record(link):
    page = link.request("GET", "/sync/todo/pull")
    return {r["id"]: r["fields"]["value"]["value"] for r in page["serverChanges"]}


class Worker(threading.Thread):
    """Does one thing again and again until told to end; a failure is kept for the test."""

    def __init__(self, link, progress):
        super().__init__()
        self.link, self.progress, self.end, self.failure = link, progress, False, None

    def run(self):
        try:
            while not self.end:
                self.step()
        except Exception as problem:  # told to the test, which ends the others
            self.failure = problem
            self.progress.release()


class Reader(Worker):
    """Pulls everything, page by page, as a device that begins; looks at the metrics in between."""

    def step(self):
        cursor, more = "", True
        while more and not self.end:
            page = self.link.request("GET", f"/sync/todo/pull?v=2&limit=2&since={cursor}")
            self.link.fetch("GET", "/metrics")
            if page is None:
                return
            cursor, more = page["syncedUntil"], page["hasMore"]
        self.progress.release()


class Listener(Worker):
    """Keeps a connection open and reads what comes; `open_now` says that it has been accepted."""

    def __init__(self, link, progress):
        super().__init__(link, progress)
        self.open_now, self.last = False, b""

    def step(self):
        where = urlsplit(self.link.server.url)
        try:
            with socket.create_connection((where.hostname, where.port), PATIENCE_S) as s:
                self.listen(s)
        except OSError:
            pass  # the server has gone, or is not there yet
        self.open_now = False

    def listen(self, s):
        s.sendall(self.request().encode())
        while not self.end:
            got = s.recv(READ_BYTES)
            if not got:
                return
            self.last = (self.last + got)[-READ_BYTES:]
            self.take(s, got)


class Stream(Listener):
    """An event stream, from the start of everything."""

    def request(self):
        return ("GET /sync/todo/stream?v=2&since= HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {self.link.token}\r\n\r\n")

    def take(self, s, got):
        self.open_now = True
        if b"event: changes" in got:
            self.progress.release()


class Socket(Listener):
    """A WebSocket that signs in and is told of commits."""

    def request(self):
        key = base64.b64encode(os.urandom(16)).decode()
        return ("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n")

    def take(self, s, got):
        if got.startswith(b"HTTP/1.1 101"):
            s.sendall(masked(json.dumps({"type": "auth", "token": self.link.token}).encode()))
        if b"auth-ok" in got:
            self.open_now = True
        if b"sync-available" in got:
            self.progress.release()


def masked(text):
    """A text frame as clients send it; a mask of zeros leaves the bytes as they are."""
    if len(text) < 126:
        return struct.pack("!BB", 0x81, 0x80 | len(text)) + bytes(4) + text
    return struct.pack("!BBH", 0x81, 0x80 | 126, len(text)) + bytes(4) + text
