#!/usr/bin/python3
"""The server's process: started, stopped, killed at any moment (timeout: 180).

Nothing that was acknowledged is lost, nothing is done twice, no transaction is seen in part (L1, L8).
"""

import contextlib
import http.client
import json
import random
import threading
import unittest
from urllib.parse import urlsplit

from sigla_e2e import SIGLA, Server, new_path, sigla

ROUNDS = 8
WRITERS = 3
PARTS = 3  # changes of a transaction
PUSHES_A_ROUND = 25


class Link:
    """How one device speaks to the server. No answer is None."""

    def __init__(self, server, token):
        self.server, self.token = server, token

    def request(self, method, path, body=None):
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
        return json.loads(text)


class Writer(threading.Thread):
    """Writes the same new value into its three records, one transaction a push, until told to end."""

    def __init__(self, link, index, progress):
        super().__init__()
        self.link, self.index, self.progress = link, index, progress
        self.client, self.acked, self.end, self.failure = f"writer-{index}", 0, False, None

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
        numbers = [a["n"] + i for a in answer["acks"] for i in range(a.get("count", 1))]
        assert numbers == list(range(first, first + PARTS)), answer
        assert answer["rejected"] == [], answer
        self.acked = value
        self.progress.release()


def values_by_record(link):
    page = link.request("GET", "/sync/todo/pull")
    return {r["id"]: r["fields"]["value"]["value"] for r in page["serverChanges"]}


class ServerProcess(unittest.TestCase):
    def test_L1_kill_9_loses_nothing_acknowledged_and_tears_no_transaction(self):
        server = Server().start()
        token = sigla("token", "--data", server.data, "--user", "ann", "--ttl", "1h").stdout.strip()
        progress = threading.Semaphore(0)
        writers = [Writer(Link(server, token), i, progress) for i in range(WRITERS)]
        dice = random.Random(7)
        for writer in writers:
            writer.start()
        try:
            for _ in range(ROUNDS):
                for _ in range(dice.randrange(1, PUSHES_A_ROUND)):
                    self.assertTrue(progress.acquire(timeout=60))
                server.kill()
                promised = [w.acked for w in writers]
                server.start()
                seen = values_by_record(Link(server, token))
                for writer, least in zip(writers, promised):
                    values = {seen.get(f"{writer.index}-{part}", 0) for part in range(PARTS)}
                    self.assertEqual(len(values), 1, "a transaction was torn")
                    self.assertGreaterEqual(values.pop(), least, "an acknowledged write was lost")
        finally:
            for writer in writers:
                writer.end = True
            for writer in writers:
                writer.join()
        self.assertEqual([w.failure for w in writers], [None] * WRITERS)
        link = Link(server, token)
        for writer in writers:
            history = link.request("GET", "/api/v1/apps/todo/history?table=tasks&limit=1000"
                                          f"&id={writer.index}-0")["history"]
            written = [h["fields"]["value"]["value"] for h in history]
            self.assertEqual(written, list(range(writer.acked, 0, -1)), "a push was done twice")
        server.stop()

    def test_one_server_has_a_directory_and_the_second_says_so(self):
        with Server() as server:
            second = sigla("serve", "--data", server.data, "--listen", "127.0.0.1:0", expect=1)
            self.assertEqual(second.stdout, "")
            self.assertIn("another server has the data directory", second.stderr)

    def test_a_taken_address_is_named(self):
        with Server() as server:
            second = sigla("serve", "--data", new_path("other"), "--listen",
                           server.url.removeprefix("http://"), expect=1)
            self.assertIn("the address is in use", second.stderr)

    def test_a_token_can_be_made_before_the_server_has_run(self):
        data = new_path("server")
        token = sigla("token", "--data", data, "--user", "ann").stdout.strip()
        with Server(data) as server:
            page = Link(server, token).request("GET", "/sync/todo/pull")
            self.assertEqual(page["serverChanges"], [])

    def test_the_log_has_neither_tokens_nor_values(self):
        server = Server().start()
        token = sigla("token", "--data", server.data, "--user", "ann").stdout.strip()
        change = {"table": "tasks", "id": "a", "op": "insert", "fields": {"x": {"value": "secret"}}}
        Link(server, token).request("POST", "/sync/todo", {"clientId": "c", "changes": [change]})
        server.stop()
        log = server.logged()
        self.assertIn("event=started", log)
        self.assertIn("event=stopped", log)
        self.assertNotIn("secret", log)
        self.assertNotIn(token, log)

    def test_wrong_command_lines_say_what_is_meant(self):
        for arguments, hint in [(["serve"], "--data"), (["serve", "--data", "x", "--listen", "nowhere"],
                                                        "HOST:PORT"),
                                (["serve", "--data", "x", "--tombstone-age", "soon"], "90d"),
                                (["token", "--data", "x"], "--user"),
                                (["token", "--data", "x", "--user", "a", "--ttl", "-1"], "15m")]:
            with self.subTest(arguments=arguments):
                self.assertIn(hint, sigla(*arguments, expect=2).stderr)
        self.assertTrue(SIGLA.exists())


if __name__ == "__main__":
    unittest.main()
