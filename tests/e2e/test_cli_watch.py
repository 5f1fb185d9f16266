#!/usr/bin/python3
"""sigla sync --watch: both sides are followed until it is ended."""

import json
import signal
import unittest

from cli_case import TASKS, Watching, WithServer
from sigla_e2e import PATIENCE_S, Device, Server


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

    def test_a_token_that_is_not_accepted_any_more_ends_it_with_4(self):
        phone = self.device()
        with Server() as stranger:
            refused = stranger.token(phone.user)
        with Watching(phone) as watching:
            watching.until("^watching ")
            phone("init", "--token", refused)
            self.assertEqual(watching.process.wait(PATIENCE_S), 4)
            self.assertIn("sigla", watching.errors.read_text())
            watching.process.stdout.close()


if __name__ == "__main__":
    unittest.main()
