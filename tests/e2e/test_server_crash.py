#!/usr/bin/python3
"""The server's process: started, stopped, killed at any moment (timeout: 180).

Nothing that was acknowledged is lost, nothing is done twice, no transaction is seen in part (L1, L8).
"""

import os
import random
import threading
import unittest

from server_load import PARTS, Link, Writer, values_by_record
from sigla_e2e import SIGLA, Server, new_path, sigla

ROUNDS = int(os.environ.get("KILLS", 8))  # KILLS=50 for a longer run by hand
WRITERS = 3
PUSHES_A_ROUND = 25


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
