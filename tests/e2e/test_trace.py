#!/usr/bin/python3
"""Real edit histories, replayed: in the end all replicas and the server equal the oracle's end
state, data and marks, and the conflicts raised are the oracle's, field by field (L2, L3, L5, L8).

timeout: 600

    tests/e2e/test_trace.py [--lines N | --all] [--seed N] [--histories N] [FILE...]

Without arguments a slice of each trace in ../shared/data is played, and some made-up histories.
"""

import argparse
import base64
import collections
import json
import random
import subprocess
import sys
import time
import unittest
from pathlib import Path

import server_state
import trace_file
import trace_plan
import trace_random
from sigla_e2e import Server, connect, new_path
from sync_case import REPLAY
from trace_oracle import LIFE, Oracle, line_by_line

APP, USER = "trace", "trace"
AGENT = {"kind": "ai", "principalId": "bot", "displayName": "Bot"}
FRESH = trace_file.Device("", False)  # sees the server only when all is over
CHOICE = argparse.Namespace(lines=5000, seed=1, histories=6, files=[])


def iso(us):
    digits = "microseconds" if us % 1000 else "milliseconds"
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 10**6))
    fraction = f"{us % 10**6:06}" if digits == "microseconds" else f"{us % 10**6 // 1000:03}"
    return f"{seconds}.{fraction}Z"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


class Replay:
    """One trace on one server, each of its writers a database file."""

    def __init__(self, lines, steps, server):
        self.lines, self.server = lines, server
        self.steps = steps + [("sync", FRESH, 0)]
        self.tables, self.key = trace_file.columns_of(lines)
        self.devices = sorted({step[1] for step in self.steps})
        self.folder = new_path("devices")
        self.folder.mkdir()
        self.did = self._run()
        self.clients = {d: self.ask(d, "SELECT sigla_status() ->> '$.client'")[0][0]
                        for d in self.devices}
        self.oracle = Oracle(self.tables, self.clients)
        self.oracle.run(self.steps, self.did["cut"])

    def path(self, device):
        return self.folder / f"d{self.devices.index(device)}.db"

    def ask(self, device, *query):
        db = connect(self.path(device))
        try:
            return db.execute(*query).fetchall()
        finally:
            db.close()

    def _run(self):
        script = self.folder / "script"
        with open(script, "w", encoding="utf-8") as out:
            for line in self._script():
                out.write(line + "\n")
        done = subprocess.run([REPLAY, script, self.folder], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise AssertionError(f"{done.stderr}\nthe server said:\n{self.server.logged()}")
        return json.loads(done.stdout)

    def _script(self):
        columns = {table: list(names.values()) for table, names in self.tables.items()}
        yield json.dumps(["server", self.server.url, USER, APP, self.key, columns])
        tokens = {agent: self.server.token(USER, agent, ttl="24h") for agent in (None, "bot")}
        number = {device: i for i, device in enumerate(self.devices)}
        for device, i in number.items():
            agent = "bot" if device.agent else None
            actor = json.dumps(AGENT) if agent else None
            yield json.dumps(["device", f"d{i}", tokens[agent], actor])
        for step in self.steps:
            if step[0] == "sync":
                yield json.dumps(["sync", number[step[1]], step[2]])
            else:
                yield self._write(number[step[1]], *step[2:])

    def _write(self, number, at, line):
        columns = self.tables[line.table]
        fields = {f: line.fields.get(f) for f in columns
                  if line.op == "insert" or f in line.fields}
        if line.op == "delete":
            fields = {}
        head = json.dumps(["write", number, at, line.op, line.table, line.id])
        # The values' own bytes, not as Python would write them.
        values = ",".join(f"{json.dumps(columns[f])}:{v or 'null'}" for f, v in fields.items())
        return f"{head[:-1]},{{{values}}}]"

    # ---- what came out -------------------------------------------------------------------------

    def rows_of(self, db):
        rows = {}
        for table, columns in self.tables.items():
            names = ",".join(map(quoted, [self.key, *columns.values()]))
            found = db.execute(f"SELECT {names} FROM {quoted(table)}").fetchall()
            rows[table] = {row[0]: dict(zip(columns, row[1:])) for row in found}
        return rows

    def fields_by_column(self):
        return {table: {column: field for field, column in columns.items()}
                for table, columns in self.tables.items()}

    def marks_of(self, db):
        fields = self.fields_by_column()
        marks = collections.defaultdict(dict)
        for table, key in self.oracle.records:
            for column, *mark in db.execute(
                    "SELECT field, at, client, n, seq FROM sigla_marks(?, ?)", (table, key)):
                marks[table, key][fields[table].get(column, LIFE)] = tuple(mark)
        return dict(marks)

    def conflicts_of(self, device, db):
        """As the oracle lists them."""
        fields = self.fields_by_column()
        return [(self.clients[device], table, key, fields[table][column],
                 json.dumps(unwrapped(json.loads(value))))
                for table, key, column, value in db.execute(
                    'SELECT "table", key, field, wasLocal FROM sigla_conflicts()')]

    def server_state(self):
        """(rows, marks) in the oracle's form."""
        rows, marks = {table: {} for table in self.tables}, {}
        fields = self.fields_by_column()
        for key, record in server_state.records(self.server, APP, self.server.token(USER)).items():
            if record["dead"]:
                marks[key] = {LIFE: self._mark(record["life"])}
                continue
            named = {fields[key[0]][c]: f for c, f in record["fields"].items()}
            rows[key[0]][key[1]] = {f: unwrapped(value) for f, (value, _) in named.items()}
            marks[key] = {f: self._mark(mark) for f, (_, mark) in named.items()}
        return rows, marks

    @staticmethod
    def _mark(mark):
        return mark.at, mark.client, mark.n, mark.seq


def unwrapped(value):
    """What a tagged value of the wire stands for (spec/protocol.md, Values)."""
    if isinstance(value, dict) and list(value) == ["$json"]:
        return value["$json"]
    if isinstance(value, dict) and list(value) == ["$text"]:
        return json.loads(base64.b64decode(value["$text"]))
    return value


def decoded(rows):
    """Rows with their values as Python's, which is how the server's come."""
    return {table: {key: {f: json.loads(v) if v is not None else None for f, v in row.items()}
                    for key, row in records.items()} for table, records in rows.items()}


def dense(rows, tables):
    """A null and an absent field are the same."""
    return {table: {key: {f: row.get(f) for f in tables[table]} for key, row in records.items()}
            for table, records in rows.items()}


def first_difference(a, b, path=()):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys(), key=str):
            if a.get(key) != b.get(key):
                return first_difference(a.get(key), b.get(key), (*path, key))
    return f"at {path}: {repr(a)[:200]} is not {repr(b)[:200]}"


class ReplayCase(unittest.TestCase):
    maxDiff = None

    def replay(self, lines, steps):
        with Server() as server:
            replay = Replay(lines, steps, server)
            self.assert_converged(replay)
        return replay

    def assert_equal(self, name, a, b):
        if a != b:
            self.fail(f"{name}: {first_difference(a, b)}")

    def assert_converged(self, replay):
        rows = dense(replay.oracle.rows(), replay.tables)
        marks = {key: {f: (iso(at), *rest) for f, (at, *rest) in fields.items()}
                 for key, fields in replay.oracle.marks().items()}
        server_rows, server_marks = replay.server_state()
        self.assert_equal("the server's data", dense(server_rows, replay.tables), decoded(rows))
        self.assert_equal("the server's marks", server_marks, marks)
        raised = []
        for device in replay.devices:
            db = connect(replay.path(device))
            self.assert_equal(f"{device}: data", replay.rows_of(db), rows)
            self.assert_equal(f"{device}: marks", replay.marks_of(db), marks)
            raised += replay.conflicts_of(device, db)
            status = json.loads(db.execute("SELECT sigla_status()").fetchone()[0])
            self.assertEqual([status[k] for k in ("pending", "refused", "parked")], [0, 0, 0])
            db.close()
        replay.raised = collections.Counter(raised)

    def assert_calm(self, lines):
        replay = self.replay(lines, trace_plan.steps(lines, trace_plan.calm(lines)))
        ends = dense(line_by_line(replay.lines, replay.tables), replay.tables)
        self.assert_equal("end state", dense(replay.oracle.rows(), replay.tables), ends)
        self.assertEqual(replay.raised, collections.Counter())

    def assert_contended(self, name, lines, rng):
        spells = trace_plan.Contention(lines, rng).spells()
        replay = self.replay(lines, trace_plan.steps(lines, spells, rng))
        due = collections.Counter((*where, json.dumps(json.loads(value)))
                                  for *where, value in replay.oracle.conflicts())
        self.assertEqual([list((replay.raised - due).items()), list((due - replay.raised).items())],
                         [[], []], "raised but not due, and due but not raised")
        did, ended = replay.did, sum(sent >= 0 for sent in replay.did["cut"])
        print(f"{name}: {len(replay.devices)} devices, {did['writes']} writes, {did['syncs']} "
              f"syncs, {did['requests']} requests ({did['lost']} answers lost, {ended} times for "
              f"good), {sum(due.values())} conflicts", file=sys.stderr)


class Traces(ReplayCase):
    @classmethod
    def setUpClass(cls):
        cls.files = CHOICE.files or sorted(trace_file.FOLDER.glob("*.ndjson.zst"))
        if not cls.files:
            raise unittest.SkipTest(f"there are no traces in {trace_file.FOLDER}")

    def slices(self):
        for path in self.files:
            rng = random.Random(CHOICE.seed)
            yield path, trace_file.slice_of(trace_file.read(path), CHOICE.lines, rng), rng

    def test_line_by_line_it_ends_as_the_trace_does_without_a_conflict(self):
        for path, lines, _ in self.slices():
            with self.subTest(path.name):
                self.assert_calm(lines)

    def test_with_offline_spells_conflicts_are_exactly_the_oracles(self):
        for path, lines, rng in self.slices():
            with self.subTest(path.name):
                self.assert_contended(path.name, lines, rng)


class MadeUp(ReplayCase):
    def test_histories_in_which_everything_happens_at_once(self):
        for seed in range(CHOICE.seed, CHOICE.seed + CHOICE.histories):
            rng = random.Random(seed)
            lines = trace_random.history(rng, 300)
            with self.subTest(seed=seed):
                self.assert_calm(lines)
                self.assert_contended(f"seed {seed}", lines, rng)


def main():
    parser = argparse.ArgumentParser(description="Replay traces of real edits.")
    parser.add_argument("--lines", type=int, default=CHOICE.lines, help="about so many of a trace")
    parser.add_argument("--all", action="store_true", help="whole traces")
    parser.add_argument("--seed", type=int, default=CHOICE.seed)
    parser.add_argument("--histories", type=int, default=CHOICE.histories,
                        help="so many made-up ones")
    parser.add_argument("files", nargs="*", type=Path)
    parser.parse_args(namespace=CHOICE)
    CHOICE.lines = 0 if CHOICE.all else CHOICE.lines
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    main()
