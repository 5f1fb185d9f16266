#!/usr/bin/python3
"""A real server and real devices under load, and kill -9 on both sides, again and again.

    tests/e2e/crash_rig.py [--kills N] [--seed S] [--devices N] [--keep]

Each device is a database file, a program that writes into it (crash_writer.py), and `sigla sync`,
with --watch or one after another; half of the files have a WAL. Beside them plain HTTP clients push.
A kill takes the server, a sync, a writer, a whole device, or the server and a device together, after
so many commits and syncs and a little later, by the dice of the seed; what was killed is started
again, and is now and then killed while it starts. What everybody was promised is noted as it comes;
crash_judge.py compares in the end.

A seed repeats the choices, not the moments: those are the machine's. On a failure the files are kept.
"""

import argparse
import json
import os
import random
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import crash_judge
import server_state
from crash_writer import APP, DEVICES_MAX, LEDGER, SCHEMA, TABLES, USER, begin_notes
from server_load import PARTS, Link, Writer
from sigla_e2e import PATIENCE_S, SIGLA, Device, Server, connect, sync_all

PUSHERS = 2
PUSH_PAUSE_S = 0.02
KINDS = {"server": 40, "sync": 25, "writer": 15, "device": 15, "both": 5}  # how often, in percent
PROGRESS_MOST = 12  # commits and syncs between two kills
LATER_S = 0.03  # a kill comes up to so much after the last of them
EARLY = 0.15  # how often what was killed is killed once more while it starts
EARLY_S = 0.03
ONCE = 0.3  # how often a device syncs once and again rather than follow
ONCE_CODES = 0, 3  # the server may be away
LOCKED_CODE = 5  # on a busy machine a writer may hold its file for longer than a sync waits
LOCKED = "database is locked", "database is busy"


class Broken(AssertionError):
    pass


class Child:
    """A process whose lines are heard, until it is killed or ends."""

    def __init__(self, rig, command, heard):
        self.rig, self.heard, self.rest = rig, heard, b""
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.errors, bufsize=0)
        rig.children.append(self)
        rig.selector.register(self.process.stdout, selectors.EVENT_READ, self)

    def read(self):
        """Hear what has been said; False when that was all there will ever be."""
        got = os.read(self.process.stdout.fileno(), 65536)
        *lines, self.rest = (self.rest + got).split(b"\n")
        for line in lines:
            self.heard(line.decode())
        return got != b""

    def kill(self):
        """Hear also what it said before it died."""
        self.process.send_signal(signal.SIGKILL)
        while self.read():
            pass
        self.forget()

    def forget(self):
        self.rig.selector.unregister(self.process.stdout)
        self.rig.children.remove(self)
        self.process.stdout.close()
        code = self.process.wait(PATIENCE_S)
        self.errors.seek(0)
        text = self.errors.read().decode("utf-8", "replace")
        self.errors.close()
        return code, text


class Machine:
    """A device: its file, its two programs, and what it was promised."""

    def __init__(self, rig, index):
        self.rig, self.index = rig, index
        self.device = Device(rig.server, USER, path=rig.folder / f"device{index}.db",
                             token=rig.token)
        self.path = self.device.path
        self.told = 0  # the last transaction whose COMMIT has returned
        self.acked = {}  # number -> seq, as read while nothing ran
        self.sync = self.writer = None
        with self.device.connect(isolation_level=None) as db:
            db.execute(f"PRAGMA journal_mode = {('WAL', 'DELETE')[index % 2]}")
            for statement in (*SCHEMA, *LEDGER):
                db.execute(statement)
        for table in TABLES:
            self.device.track(table, "--app", APP)
        self.client = self.device.json("status")["client"]

    def start_writer(self):
        script = Path(__file__).with_name("crash_writer.py")
        self.writer = Child(self.rig, [sys.executable, script, self.path, self.index,
                                       self.rig.seed], self.hear_commit)

    def hear_commit(self, line):
        # One that was killed between COMMIT and its line has said nothing of its last.
        if int(line) <= self.told:
            raise Broken(f"device {self.index}: {self.told} was committed, and now {line} is new")
        self.told = int(line)
        self.rig.heard += 1

    def start_sync(self):
        self.watches = self.rig.dice.random() >= ONCE
        how = ["--watch"] if self.watches else ["--timeout", "2s"]
        self.sync = Child(self.rig, [SIGLA, "sync", self.path, "--json", *how], self.hear_sync)

    def hear_sync(self, line):
        self.rig.heard += "pulled" in line

    def start(self):
        self.start_writer()
        self.start_sync()

    def kill(self, which):
        child = getattr(self, which)
        setattr(self, which, None)
        child.kill()

    def ended(self, child):
        """A program has ended without being killed: a sync may, that is made once or found no way in."""
        code, text = child.forget()
        locked_out = code == LOCKED_CODE and any(words in text for words in LOCKED)
        done = not self.watches and code in ONCE_CODES
        if child is not self.sync or not (done or locked_out):
            raise Broken(f"a program of device {self.index} ended with {code}: {text}")
        self.start_sync()

    def note_acks(self):
        """What the server has acknowledged so far must never change."""
        with closing(connect(self.path, timeout=PATIENCE_S)) as db:
            now = crash_judge.acks_of(db, self.client)
        for n, seq in self.acked.items():
            if now.get(n) != seq:
                raise Broken(f"device {self.index}: number {n} had seq {seq}, now {now.get(n)}")
        self.acked = now


class Pusher(Writer):
    """A plain HTTP client that takes its time."""

    def push(self, value):
        super().push(value)
        time.sleep(PUSH_PAUSE_S)


class Observer:
    """Follows the server page by page from where it was, across all its lives."""

    def __init__(self, rig):
        self.rig, self.cursor, self.newest = rig, "", 0
        self.records = {}  # (table, id) -> {"dead", "life", "fields"}
        self.seqs = {}  # (client, number) -> seq

    def look(self):
        for page in server_state.pages(self.rig.server.url, APP, self.rig.token, self.cursor):
            for change in page["serverChanges"]:
                self.take(change, page)
            self.cursor, self.newest = page["syncedUntil"], page["syncedSeq"]
        self.check()

    def take(self, change, page):
        key, new = (change["table"], change["id"]), server_state.record_of(change, page)
        if new["life"] is None:
            new["life"] = self.records[key]["life"]
            new["fields"] = {**self.records[key]["fields"], **new["fields"]}
        self.records[key] = new
        for mark in [new["life"], *(mark for _, mark in new["fields"].values())]:
            if self.seqs.setdefault((mark.client, mark.n), mark.seq) != mark.seq:
                raise Broken(f"{mark} had seq {self.seqs[mark.client, mark.n]} before")

    def value(self, key, field):
        return self.records[key]["fields"][field][0]

    def check(self):
        """What the server shows is whole (L1), and all it has acknowledged is there."""
        there, whole = {}, {}
        for (table, key), record in self.records.items():
            if table == "entry" and not record["dead"]:
                dev, tx, _ = key.split("-")
                there[dev, tx] = there.get((dev, tx), 0) + 1
                whole[dev, tx] = self.value((table, key), "parts")
        if there != whole:
            raise Broken(f"a transaction was torn: {set(there.items()) ^ set(whole.items())}")
        for pusher in self.rig.pushers:
            values = {self.value(("tasks", f"{pusher.index}-{part}"), "value")
                      for part in range(PARTS) if ("tasks", f"{pusher.index}-{part}") in self.records}
            if len(values) > 1:
                raise Broken(f"a transaction was torn: {values}")

    def check_promises(self, promised):
        """`promised`: (client, number) -> seq, from before the server was killed."""
        most = max(promised.values(), default=0)
        if self.newest < most:
            raise Broken(f"seq {most} was acknowledged and is gone: {self.newest}")
        for key, seq in promised.items():
            if self.seqs.get(key, seq) != seq:
                raise Broken(f"{key} was acknowledged with seq {seq}, has {self.seqs[key]}")


class Rig:
    def __init__(self, folder, kills, seed, devices, show):
        self.folder, self.kills, self.seed, self.show = Path(folder), kills, seed, show
        self.dice = random.Random(seed)
        self.selector, self.children, self.heard = selectors.DefaultSelector(), [], 0
        self.killed = dict.fromkeys(KINDS, 0)
        self.early = 0  # killed while they started, beside those
        self.server = Server(self.folder / "server").start()
        self.token = self.server.token(USER, ttl="24h")
        self.machines = [Machine(self, i) for i in range(devices)]
        self.pushers = [Pusher(Link(self.server, self.token), i, threading.Semaphore(0))
                        for i in range(PUSHERS)]
        self.observer = Observer(self)

    def run(self):
        with self.machines[0].device.connect(isolation_level=None) as db:
            begin_notes(db, max(8, self.kills // 4))
        sync_all(*(m.device for m in self.machines))
        self.hydrated = self.observer_now()
        for pusher in self.pushers:
            pusher.start()
        try:
            self.load()
        finally:
            for pusher in self.pushers:
                pusher.end = True
            for child in list(self.children):
                child.kill()
            for pusher in self.pushers:
                pusher.join()
        for pusher in self.pushers:
            if pusher.failure:
                raise pusher.failure
            pusher.push(pusher.acked + 1)  # once more, if the answer to the last one was lost

    def observer_now(self):
        self.observer.look()
        return self.observer.newest

    def load(self):
        for machine in self.machines:
            machine.start()
        while sum(self.killed.values()) < self.kills:
            self.wait_for_progress(self.dice.randint(1, PROGRESS_MOST))
            self.listen_for(self.dice.random() * LATER_S)
            kind = self.dice.choices(list(KINDS), list(KINDS.values()))[0]
            self.strike(kind, self.dice.choice(self.machines))
            self.killed[kind] += 1
            self.show(self)
        self.wait_for_progress(PROGRESS_MOST)

    # ---- hearing -------------------------------------------------------------------------------

    def listen(self, timeout_s):
        for key, _ in self.selector.select(timeout_s):
            child = key.data
            if child in self.children and not child.read():
                self.machine_of(child).ended(child)

    def listen_for(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.listen(left)

    def wait_for_progress(self, count):
        end, goal = time.monotonic() + PATIENCE_S, self.heard + count
        while self.heard < goal:
            self.listen(1)
            if time.monotonic() > end:
                raise Broken("nothing happens any more")

    def machine_of(self, child):
        return next(m for m in self.machines if child in (m.sync, m.writer))

    # ---- killing -------------------------------------------------------------------------------

    def strike(self, kind, machine):
        which = {"server": [], "sync": ["sync"], "writer": ["writer"]}.get(kind, ["sync", "writer"])
        for name in which:
            machine.kill(name)
        if kind in ("server", "both"):
            self.restart_server()
        if len(which) == 2:
            machine.note_acks()
        for name in which:
            self.start_again(machine, name)

    def start_again(self, machine, name):
        start = machine.start_sync if name == "sync" else machine.start_writer
        start()
        if self.dice.random() < EARLY:
            self.early += 1
            self.listen_for(self.dice.random() * EARLY_S)
            machine.kill(name)
            start()

    def restart_server(self):
        promised = {(p.client, n): seq for p in self.pushers for n, seq in list(p.seqs.items())}
        promised |= {(m.client, n): seq for m in self.machines for n, seq in m.acked.items()}
        self.server.kill()
        if self.dice.random() < EARLY:
            self.early += 1
            self.kill_while_it_starts()
        self.server.start()
        self.observer.look()
        self.observer.check_promises(promised)

    def kill_while_it_starts(self):
        process = subprocess.Popen([SIGLA, "serve", "--data", self.server.data, "--listen",
                                    self.server.listen, "--dev"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.dice.random() * EARLY_S)  # a moment of its start, any
        process.kill()
        process.wait(PATIENCE_S)


def report(rig, seconds):
    kinds = ", ".join(f"{n} of {what}" for n, what in (
        (rig.killed["server"] + rig.killed["both"], "the server"),
        (rig.killed["sync"], "a sync"), (rig.killed["writer"], "a writer"),
        (rig.killed["device"] + rig.killed["both"], "a whole device")))
    return (f"{sum(rig.killed.values())} kills ({kinds}; {rig.early} more while they started), "
            f"{sum(m.told for m in rig.machines)} transactions on {len(rig.machines)} devices, "
            f"{sum(p.acked for p in rig.pushers)} plain pushes; {seconds:.0f} s")


def run_rig(kills, seed, devices, folder, show=lambda rig: None):
    """What was done, as a line. Raises AssertionError where something does not hold."""
    began = time.monotonic()
    rig = Rig(folder, kills, seed, devices, show)
    try:
        rig.run()
        compared = crash_judge.judge(rig)
    finally:
        rig.server.kill()
    return f"{report(rig, time.monotonic() - began)}\n{compared}"


def show_progress(rig):
    done = sum(rig.killed.values())
    if sys.stdout.isatty():
        print(f"\r\033[K{done}/{rig.kills} kills, "
              f"{sum(m.told for m in rig.machines)} transactions", end="", flush=True)
    elif done % 50 == 0:
        print(f"{done}/{rig.kills} kills", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Kill a server and its devices under load.")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--devices", type=int, default=4, choices=range(2, DEVICES_MAX + 1))
    parser.add_argument("--keep", action="store_true", help="keep the files also if all is well")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sigla-crash-")
    try:
        text = run_rig(args.kills, args.seed, args.devices, folder, show_progress)
    except BaseException:
        print(f"\nseed {args.seed}; the files are kept in {folder}", flush=True)
        raise
    print(("\r\033[K" if sys.stdout.isatty() else "") + text)
    if args.keep:
        print(f"the files are in {folder}")
    else:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
