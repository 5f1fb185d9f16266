#!/usr/bin/python3
"""A server that is away, readers at the wrong moment and a floor that has passed a device by (L1, L6,
L12), through the real binary and the extension.

timeout: 400
"""

import os
import random
import signal
import subprocess
import threading
import time
import unittest

import server_state
from sigla_e2e import PATIENCE_S, SIGLA, Device, Server, sync_all
from sync_case import APP, TASKS, SyncCase


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.01)


class Background(threading.Thread):
    """Does something again and again until told to stop; its failure fails the test."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.done, self.rounds, self.failure = work, threading.Event(), 0, None
        self.start()

    def run(self):
        try:
            while not self.done.is_set():
                self.work()
                self.rounds += 1
        except BaseException as failure:  # handed over by stop()
            self.failure = failure

    def stop(self):
        self.done.set()
        self.join(PATIENCE_S)
        if self.failure is not None:
            raise self.failure


class Away(SyncCase):
    def device_of(self, server, user="ann"):
        device = Device(server, user)
        device.execute(TASKS)
        device.track("tasks")
        return device

    def test_a_server_that_is_away_costs_nothing_but_time(self):
        server = Server().start()
        a = self.device_of(server)
        a.execute("INSERT INTO tasks VALUES('t1', 'before', 0, NULL)")
        a.sync()
        server.stop()
        self.put(a, "title", "while it was away")
        result = a("sync", "--timeout", "1s", expect=None)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(len(a.json("pending")), 1)
        server.start()
        self.assertEqual(a.sync()["pushed"], 1)
        fresh = self.device_of(server)
        fresh.sync()
        self.assertEqual(self.state(fresh), self.state(a))
        server.stop()


class Transactions(SyncCase):
    ACCOUNTS = "CREATE TABLE accounts(id INTEGER PRIMARY KEY, gen INT, balance INT)"

    def accounts(self, count):
        """Two devices that share accounts of balance 100."""
        a, b = self.devices(2, schema=self.ACCOUNTS, tables=("accounts",))
        with a.connect() as db:
            db.executemany("INSERT INTO accounts VALUES(?, 0, 100)", [(i,) for i in range(count)])
        sync_all(a, b)
        return a, b

    def watch(self, device, query):
        """Ask again and again over a connection of its own; gives the answers seen."""
        db = device.connect(check_same_thread=False, timeout=PATIENCE_S)
        seen = set()
        watcher = Background(lambda: seen.add(db.execute(query).fetchone()))

        def stop():
            watcher.stop()
            db.close()
            return seen
        return stop

    def test_no_reader_ever_sees_part_of_a_transaction(self):
        """Money moves between accounts; at every moment there is as much of it as before."""
        a, b = self.accounts(20)
        stop = self.watch(b, "SELECT sum(balance) FROM accounts")
        syncing = Background(b.sync)
        db = a.connect(isolation_level=None)
        db.execute("PRAGMA synchronous = OFF")
        rng = random.Random(3)
        for i in range(400):
            giver, taker = rng.sample(range(20), 2)
            db.execute("BEGIN")
            db.execute("UPDATE accounts SET balance = balance - 7 WHERE id = ?", (giver,))
            db.execute("UPDATE accounts SET balance = balance + 7 WHERE id = ?", (taker,))
            db.execute("COMMIT")
            if i % 20 == 19:
                a.sync()
        syncing.stop()
        b.sync()
        self.assertEqual(stop(), {(2000,)})
        self.assert_equal_everywhere(a, b, table="accounts")
        db.close()

    def test_a_transaction_over_many_batches_and_pages_is_seen_whole(self):
        """20,000 rows: pushed in parts, pulled in pages, shown at once."""
        rows = 20000
        a, b = self.accounts(rows)
        stop = self.watch(b, "SELECT count(*), min(gen), max(gen) FROM accounts")
        watching = self.watch(b, "SELECT min(gen) = max(gen) FROM accounts WHERE id % 997 = 0")
        syncing = Background(b.sync)
        for gen in 1, 2:
            a.execute(("UPDATE accounts SET gen = ?", gen))
            a.sync()
        syncing.stop()
        b.sync()
        seen = stop()
        self.assertTrue({s[1] for s in seen} <= {0, 1, 2} and seen, seen)
        self.assertEqual([s for s in seen if s[0] != rows or s[1] != s[2]], [])
        self.assertEqual(watching(), {(1,)})
        self.assertEqual(b.execute("SELECT min(gen), max(gen) FROM accounts"), [(2, 2)])
        self.assertEqual(self.state(b, "accounts"), self.server_state("accounts"))

    def test_half_a_transaction_at_the_server_is_shown_to_nobody(self):
        """Its writer is killed between two parts of a large push."""
        a, b = self.accounts(20000)
        stop = self.watch(b, "SELECT min(gen), max(gen) FROM accounts")
        for gen in range(1, 5):
            a.execute(("UPDATE accounts SET gen = ?", gen))
            process = subprocess.Popen([SIGLA, "sync", a.path], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            try:
                process.wait(0.04 * gen)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(PATIENCE_S)
            b.sync()
            parts = {gen for _, gen in self.server_gens()}
            self.assertEqual(len(parts), 1, "the server shows one state")
        sync_all(a, b)
        self.assertEqual([s for s in stop() if s[0] != s[1]], [])
        self.assertEqual(b.execute("SELECT min(gen), max(gen) FROM accounts"), [(4, 4)])

    def server_gens(self):
        return {(key, fields["gen"][0]) for key, fields in self.server_state("accounts").items()}


class Purge(SyncCase):
    def test_a_device_from_below_the_purge_floor_resyncs_and_keeps_what_it_has_not_pushed(self):
        server = Server(options=("--dev", "--tombstone-age", "1s")).start()
        devices = []
        for _ in range(2):
            device = Device(server, "ann")
            device.execute(TASKS)
            device.track("tasks")
            devices.append(device)
        a, old = devices
        a.execute("INSERT INTO tasks VALUES('dead', 'x', 0, NULL), ('kept', 'x', 0, NULL)")
        sync_all(a, old)
        a.execute("DELETE FROM tasks WHERE id = 'dead'")
        a.execute("INSERT INTO tasks VALUES('new', 'x', 0, NULL)")
        a.sync()
        old.execute("INSERT INTO tasks VALUES('offline', 'mine', 0, NULL)")
        self.put(old, "note", "mine", "kept")
        self.put(old, "note", "typed after it was deleted", "dead")
        self.wait_for_purge(server)
        old.sync()
        sync_all(old, a)
        for device in a, old:
            self.assertEqual([row[0] for row in device.rows("tasks")], ["kept", "new", "offline"])
            self.assertEqual(self.get(device, "note", "kept"), "mine")
        # What was typed into the dead record is not lost without trace (L6).
        refused = [r["key"] for r in old.json("refused")]
        raised = [c[0] for c in self.conflicts(old)]
        self.assertIn("dead", refused + raised)
        server.stop()

    @staticmethod
    def wait_for_purge(server):
        token = server.token("ann")
        wait_until(lambda: ("tasks", "dead") not in server_state.records(server, APP, token),
                   "the tombstone was purged")


if __name__ == "__main__":
    unittest.main()
