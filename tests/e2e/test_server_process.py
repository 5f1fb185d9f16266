#!/usr/bin/python3
"""The server's process: how it is started, what it needs, and what it says (timeout: 180)."""

import unittest

from server_load import Link
from sigla_e2e import SIGLA, Server, new_path, sigla


class ServerProcess(unittest.TestCase):
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
