#!/usr/bin/python3
"""sigla sync: what it does, and how it ends when it cannot."""

import signal
import socket
import subprocess
import time
import unittest

from cli_case import TASKS, Answering, WithServer
from sigla_e2e import PATIENCE_S, SIGLA, Device, Server, sync_all


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

    def test_a_server_of_another_kind_is_told_from_one_of_ours(self):
        html = b"<html><body>It works!</body></html>"
        for status, path in ((404, ""), (200, ""), (405, ""), (None, "/elsewhere")):
            with self.subTest(status=status), Answering(status or 404, html) as other:
                address = other.url if status else self.server.url + path
                device = self.device()
                device("init", "--server", address)
                result = device("sync", expect=1)
                self.assertIn(f"a Sigla server at {address}?", result.stderr)
                self.assertIn(f"sigla init {device.path} --server URL", result.stderr)
                self.assertIn("sigla init", device("doctor", "--online", expect=1).stdout)

    def test_why_a_token_is_not_taken_is_said(self):
        with Server() as stranger:
            device = self.device(token=stranger.token("ann"), user="ann")
        self.assertIn("not signed", device("sync", expect=4).stderr)

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
        self.assertEqual(headers["Accept-Encoding"], "sigla-columns, zstd, gzip")
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


if __name__ == "__main__":
    unittest.main()
