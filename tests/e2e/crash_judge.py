"""What must hold after a run of crash_rig.py, when everybody has synced.

The ledgers say what was committed, the acknowledgements in which order: trace_oracle.py makes of
that, by the laws alone, what rows, marks and conflicts must be there.
"""

import collections
import json
import sqlite3
import urllib.parse
from contextlib import closing
from datetime import UTC, datetime, timedelta

import server_state
from crash_writer import APP, SCHEMA, TABLES, USER
from server_load import PARTS
from sigla_e2e import Device, connect
from sync_case import SyncCase
from trace_oracle import LIFE, Oracle
from trace_oracle import Device as Writer

HISTORY_MOST = 1000
SYNC_S = 600  # a device may have most of the run still before it

Change = collections.namedtuple("Change", "tx n seq base table key values")


def us(at):
    """Microseconds since 1970 of a time on the wire."""
    since = datetime.fromisoformat(at.replace("Z", "+00:00")) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def expect_equal(what, got, want):
    """Say where they differ, not all of what they are."""
    if got == want:
        return
    if isinstance(got, dict):
        got, want = ({k: v for k, v in x.items() if k not in y or y[k] != v}
                     for x, y in ((got, want), (want, got)))
    raise AssertionError(f"{what}: got\n{str(got)[:2000]}\nwant\n{str(want)[:2000]}")


# ---- what was committed and acknowledged --------------------------------------------------------

def acks_of(db, client):
    runs = db.execute("SELECT n, cnt, seq FROM sigla_ack WHERE client ="
                      " (SELECT id FROM sigla_client WHERE client = ?)", (client,))
    return {n + i: seq + i for n, count, seq in runs for i in range(count)}


def values_of(op, fields):
    values = {f: None if v is None else json.dumps(v) for f, v in fields.items()}
    return {"insert": {LIFE: True, **values}, "update": values, "delete": {LIFE: False}}[op]


def changes_of(machine):
    """What the ledger says, numbered without a gap, each number acknowledged once."""
    with closing(connect(machine.path)) as db:
        rows = db.execute("SELECT tx, n, base, changes FROM ledger ORDER BY tx").fetchall()
        acks = acks_of(db, machine.client)
    first = 0 if machine.index == 0 else 1
    expect_equal("transactions", [row[0] for row in rows], list(range(first, first + len(rows))))
    assert rows[-1][0] >= machine.told, f"COMMIT of {machine.told} has returned, and it is lost"
    changes, n = [], 1
    for tx, first_n, base, text in rows:
        assert first_n == n, f"transaction {tx} has number {first_n}, not {n}: a phantom or a loss"
        for op, table, key, fields in json.loads(text):
            changes.append(Change(tx, n, acks.get(n), base, table, key, values_of(op, fields)))
            n += 1
    expect_equal("acknowledged numbers", sorted(acks), list(range(1, n)))
    return changes


def pushes_of(pusher):
    """The same of a plain client."""
    changes = []
    for value in range(1, pusher.acked + 1):
        for change in (pusher.change(value, part) for part in range(PARTS)):
            n, values = change["n"], {"value": value}
            changes.append(Change(value, n, pusher.seqs[n], 0, "tasks", change["id"],
                                  values_of(change["op"], values)))
    return changes


def times_of_machines(rig):
    """{(client, transaction's number): at}, from the history of the notes: each writes one."""
    times = {}
    for key in sorted(key for table, key in rig.observer.records if table == "note"):
        query = urllib.parse.urlencode({"table": "note", "id": key, "limit": HISTORY_MOST})
        history = server_state.get(f"{rig.server.url}/api/v1/apps/{APP}/history?{query}",
                                   rig.token)["history"]
        assert len(history) < HISTORY_MOST, f"{key} has more history than can be asked for"
        times |= {(h["clientId"], h["n"]): us(h["at"]) for h in history}
    return times


def with_times(client, changes, times):
    """[(change, at)]: all changes of a transaction have the time of its note (L1)."""
    of_tx = {c.tx: times[client, c.n] for c in changes if c.table == "note"}
    ordered = [of_tx[tx] for tx in sorted(of_tx)]
    assert all(a < b for a, b in zip(ordered, ordered[1:])), f"{client}: time went back (L3)"
    return [(c, of_tx[c.tx]) for c in changes]


# ---- what must be there -------------------------------------------------------------------------

def oracle_of(rig):
    oracle, order, times = Oracle(TABLES, {}), [], times_of_machines(rig)
    told = {m.client: with_times(m.client, changes_of(m), times) for m in rig.machines}
    told |= {p.client: [(c, us(p.change(c.tx, 0)["at"])) for c in pushes_of(p)]
             for p in rig.pushers}
    for client, changes in told.items():
        writer = oracle.devices[client] = Writer(client, agent=False)
        writer.hydrated = rig.hydrated
        for c, at in changes:
            writer.cursor, writer.clock = c.base, at - 1
            oracle.change(writer, at, (c.table, c.key), c.values)
            order.append((c.seq, client, c.n))
    order.sort()
    expect_equal("each change has one seq and each seq one change (L8)",
                 [seq for seq, *_ in order], list(range(1, len(order) + 1)))
    for _, client, n in order:
        oracle.push(oracle.devices[client], n)
    expect_equal("the server's newest seq", rig.observer.newest, oracle.seq)
    return oracle


def loaded(values):
    return {f: json.loads(v or "null") for f, v in values.items()}


def marks_by_record(records):
    """Of what server_state has read: as Oracle.marks says it, with the values."""
    found = {}
    for key, record in records.items():
        shown = {LIFE: (None, record["life"])} if record["dead"] else record["fields"]
        found[key] = {f: (value, us(m.at), m.client, m.n, m.seq) for f, (value, m) in shown.items()}
    return found


def wanted(oracle):
    rows = oracle.rows()
    return {(table, key): {f: (None if f is LIFE else json.loads(rows[table][key][f] or "null"),
                               *mark) for f, mark in fields.items()}
            for (table, key), fields in oracle.marks().items()}


def marks_of_device(device):
    found = {}
    for table in TABLES:
        for key, fields in SyncCase.state(device, table).items():
            found[table, key] = {f: (v, us(at), *mark) for f, (v, at, *mark) in fields.items()}
    return found


def check_device(device, alive, rows):
    name = device.path.name
    expect_equal(f"{name}: marks", marks_of_device(device), alive)
    for table, columns in TABLES.items():
        got = {key: dict(zip(columns, values)) for key, *values in device.rows(table)}
        expect_equal(f"{name}: {table}", got, {k: loaded(v) for k, v in rows[table].items()})
    status = device.json("status")
    expect_equal(f"{name}: status", {k: status[k] for k in ("pending", "refused", "parked")},
                 {"pending": 0, "refused": 0, "parked": 0})
    device("doctor")


def check_conflicts(machine, due):
    got = collections.Counter((c["table"], c["key"], c["field"], c["wasLocal"])
                              for c in machine.device.json("conflicts"))
    want = collections.Counter((table, key, field, json.loads(value))
                               for client, table, key, field, value in due
                               if client == machine.client)
    expect_equal(f"{machine.path.name}: conflicts (L5)", got, want)


def check_file(path):
    with closing(sqlite3.connect(path)) as db:
        expect_equal(f"{path}: integrity", db.execute("PRAGMA integrity_check").fetchall(),
                     [("ok",)])


def judge(rig):
    """A line that says what was compared; AssertionError where something does not hold."""
    fresh = Device(rig.server, USER, path=rig.folder / "fresh.db", token=rig.token)
    fresh.execute(*SCHEMA)
    for table in TABLES:
        fresh.track(table, "--app", APP)
    for device in [*(m.device for m in rig.machines), fresh] * 2:
        device.sync(timeout=SYNC_S)
    rig.observer.look()
    for machine in rig.machines:
        machine.note_acks()
        expect_equal("client", machine.device.json("status")["client"], machine.client)
    oracle = oracle_of(rig)
    want, rows, due = wanted(oracle), oracle.rows(), oracle.conflicts()
    there = server_state.records(rig.server, APP, rig.token)
    expect_equal("the server", marks_by_record(there), want)
    expect_equal("page by page", marks_by_record(rig.observer.records), want)
    alive = {key: fields for key, fields in want.items() if LIFE not in fields}
    for device in (*(m.device for m in rig.machines), fresh):
        check_device(device, alive, rows)
    for machine in rig.machines:
        check_conflicts(machine, due)
    expect_equal("a new device's conflicts", fresh.json("conflicts"), [])
    rig.server.stop()
    for path in rig.folder.rglob("*.db"):
        check_file(path)
    return (f"{oracle.seq} changes, {len(want)} records, {len(due)} conflicts: as they must be, "
            f"on the server, on {len(rig.machines)} devices and on a new one")
