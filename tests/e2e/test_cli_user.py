#!/usr/bin/python3
"""Accounts from the command line, and what a server says while there are none (timeout: 180)."""

import json
import time
import unittest
import urllib.error
import urllib.request

from sigla_e2e import PATIENCE_S, Device, Server, new_path, read_line, sigla


def post(server, path, body, token=None):
    """The status and the answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{server.url}/api/v1/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def sign_in(server, login, password):
    return post(server, "auth/sign-in", {"login": login, "password": password})


class User(unittest.TestCase):
    def test_an_account_made_before_the_first_start_signs_in_and_syncs(self):
        data = new_path("server")
        said = sigla("user", "add", "Ann", "--email", "ann@example.org", "--data", data).stdout
        password = said.split("password: ")[1].strip()
        with Server(data, options=["--no-sign-up"]) as server:
            status, answer = sign_in(server, "ann@EXAMPLE.org", password)
            self.assertEqual(status, 200)
            self.assertEqual(answer["user"]["login"], "ann")
            self.assertIn(answer["user"]["id"], said)
            self.assertEqual(post(server, "auth/sign-up", {"login": "bob", "password": "correct horse"})[0],
                             403)
            devices = [Device(server, answer["user"]["id"], token=answer["accessToken"]) for _ in "ab"]
            for device in devices:
                device.execute("CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT)")
                device.track("tasks")
            devices[0].execute("INSERT INTO tasks VALUES('t1', 'Tea')")
            devices[0].sync()
            devices[1].sync()
            self.assertEqual(devices[1].rows("tasks"), [("t1", "Tea")])

    def test_a_password_is_read_reset_and_taken_away(self):
        data = new_path("server")
        sigla("user", "add", "ann", "--data", data, "--password-stdin", input="correct horse\n")
        with Server(data) as server:
            status, answer = sign_in(server, "ann", "correct horse")
            self.assertEqual(status, 200)
        sigla("user", "password", "ann", "--data", data, "--password-stdin", input="another horse")
        with Server(data) as server:
            self.assertEqual(sign_in(server, "ann", "correct horse")[0], 401)
            self.assertEqual(sign_in(server, "ann", "another horse")[0], 200)
            refreshed = post(server, "auth/refresh", {"refreshToken": answer["refreshToken"]})
            self.assertEqual(refreshed[0], 401)
        sigla("user", "disable", "ann", "--data", data)
        self.assertIn("disabled", sigla("user", "list", "--data", data).stdout)
        with Server(data) as server:
            self.assertEqual(sign_in(server, "ann", "another horse")[0], 401)
        sigla("user", "enable", "ann", "--data", data)
        with Server(data) as server:
            self.assertEqual(sign_in(server, "ann", "another horse")[0], 200)

    def test_a_running_server_is_named_and_nothing_is_done(self):
        with Server() as server:
            refused = sigla("user", "add", "ann", "--data", server.data, expect=1)
            self.assertEqual(refused.stdout, "")
            self.assertIn("a server has the data directory", refused.stderr)
            self.assertIn("sign-up", refused.stderr)

    def test_what_is_wrong_is_said(self):
        data = new_path("server")
        sigla("user", "add", "ann", "--data", data)
        for arguments, code, hint in [
                (["add", "ann"], 1, "has an account already"), (["add", "a b"], 2, "NAME is"),
                (["add", "bob", "--email", "x"], 2, "--email"), (["add"], 2, "name the person"),
                (["add", "bob", "--name", "a\x07b"], 2, "NAME is"), (["remove", "ann"], 2, "disable"),
                (["password", "bob"], 1, "nobody is called bob"),
                (["disable", "' OR 1=1"], 1, "nobody is called")]:
            with self.subTest(arguments=arguments):
                self.assertIn(hint, sigla("user", *arguments, "--data", data, expect=code).stderr)
        self.assertIn("--data", sigla("user", "list", expect=2).stderr)
        short = sigla("user", "add", "bob", "--data", data, "--password-stdin", input="short\n", expect=2)
        self.assertIn("8 to 1024", short.stderr)
        self.assertEqual(len(sigla("user", "list", "--data", data).stdout.splitlines()), 1)

    def test_the_first_start_says_how_an_account_is_made(self):
        server = Server().start()
        lines = [read_line(server.process.stdout, time.monotonic() + PATIENCE_S) for _ in range(2)]
        self.assertIn("account", lines[0])
        self.assertIn(f"curl {server.url}/api/v1/auth/sign-up", lines[1])
        self.assertEqual(post(server, "auth/sign-up", {"login": "ann", "password": "correct horse"})[0], 201)
        server.stop()
        server.start()
        server.process.terminate()
        self.assertIsNone(read_line(server.process.stdout, time.monotonic() + PATIENCE_S))
        server.stop(expect=None)


if __name__ == "__main__":
    unittest.main()
