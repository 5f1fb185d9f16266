#!/usr/bin/python3
"""A program that writes into a tracked database until it is killed (crash_rig.py runs several).

    crash_writer.py FILE DEVICE SEED

Each transaction adds entries, all of which say how many they are, sets this device's own field of a
note, and may fight over a shared value, delete old entries, roll a savepoint back, or be large. The
same commit writes into the table `ledger`, which is not tracked, what the transaction has changed
and on top of what; a line on standard output says that COMMIT has returned. Before it writes, it
looks at what others have written: never part of a transaction, never less than before (L1, L7).
"""

import json
import random
import sys
import time

from sigla_e2e import PATIENCE_S, connect

APP = "todo"  # that of server_load.Writer, whose records devices get as well
USER = "ann"
DEVICES_MAX = 6
KEPT = 12  # transactions whose entries are kept
LARGE = 7, 1 << 20  # entries of a large transaction, bytes of each: too much for one request
LARGE_EVERY = 500  # transactions
SLOT_S = 0.5  # so long devices fight over one shared value
PAUSE_S = 0.03  # between two transactions, at most

OWN = [f"d{i}" for i in range(DEVICES_MAX)]
TABLES = {"entry": ["dev", "tx", "part", "parts", "body"], "note": OWN, "shared": ["value"],
          "tasks": ["value"]}
SCHEMA = [f"CREATE TABLE {table}(id TEXT PRIMARY KEY, {', '.join(columns)})"
          for table, columns in TABLES.items()]
LEDGER = ("CREATE TABLE ledger(tx INTEGER PRIMARY KEY, n INT, base INT, changes TEXT)",
          "CREATE TABLE seen(dev INTEGER PRIMARY KEY, tx INT)")


class Broken(Exception):
    """What must hold does not."""


class Transaction:
    """What one transaction changes, in the order of its numbers."""

    def __init__(self, db, tx):
        self.db, self.tx, self.changes = db, tx, []
        db.execute("BEGIN IMMEDIATE")
        self.n, = db.execute("SELECT max((SELECT coalesce(max(v), 1) FROM sigla_state"
                             " WHERE k = 'next_n'),"
                             " (SELECT coalesce(max(n + cnt), 1) FROM sigla_outbox))").fetchone()
        self.base, = db.execute("SELECT seq FROM sigla_app WHERE name = ?", (APP,)).fetchone()

    def insert(self, table, key, **values):
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table}(id, {names}) VALUES(?, {marks})",
                        (key, *values.values()))
        self.changes.append(["insert", table, key, values])

    def update(self, table, key, field, value):
        self.db.execute(f"UPDATE {table} SET {field} = ? WHERE id = ?", (value, key))
        self.changes.append(["update", table, key, {field: value}])

    def delete_before(self, dev, tx):
        gone = self.db.execute("DELETE FROM entry WHERE dev = ? AND tx < ? RETURNING id", (dev, tx))
        self.changes += [["delete", "entry", key, {}] for key, in gone.fetchall()]

    def commit(self):
        self.db.execute("INSERT INTO ledger VALUES(?, ?, ?, ?)",
                        (self.tx, self.n, self.base, json.dumps(self.changes)))
        self.db.execute("COMMIT")


def look(db):
    """What others' transactions have brought here is whole, and nothing is taken back."""
    torn = db.execute("SELECT dev, tx, count(*), max(parts) FROM entry GROUP BY dev, tx"
                      " HAVING count(*) <> max(parts)").fetchall()
    if torn:
        raise Broken(f"parts of transactions are seen: {torn}")
    if db.execute("SELECT 1 FROM tasks GROUP BY substr(id, 1, instr(id, '-'))"
                  " HAVING min(value) <> max(value)").fetchall():
        raise Broken(f"part of a transaction is seen: {db.execute('SELECT * FROM tasks').fetchall()}")
    entries = dict(db.execute("SELECT dev, max(tx) FROM entry GROUP BY dev"))
    newest = db.execute(f"SELECT {', '.join(f'coalesce(max({d}), 0)' for d in OWN)} FROM note")
    notes = {dev: tx for dev, tx in enumerate(newest.fetchone()) if tx}
    if entries != notes:
        raise Broken(f"of one transaction the entries are seen and the note is not: "
                     f"{entries} {notes}")
    for dev, before in db.execute("SELECT dev, tx FROM seen"):
        if entries.get(dev, 0) < before:
            raise Broken(f"of device {dev} transaction {before} was seen, now {entries.get(dev)}")
    db.executemany("INSERT OR REPLACE INTO seen VALUES(?, ?)", entries.items())


def begin_notes(db, count):
    """Transaction 0: the notes that all devices share."""
    t = Transaction(db, 0)
    for i in range(count):
        t.insert("note", f"n{i}", **dict.fromkeys(OWN))
    t.commit()


def write(t, dev, dice):
    is_large = t.tx % LARGE_EVERY == 10 + 5 * dev
    parts, size = LARGE if is_large else (dice.randint(1, 4), dice.randint(1, 500))
    for part in range(parts):
        t.insert("entry", f"{dev}-{t.tx}-{part}", dev=dev, tx=t.tx, part=part, parts=parts,
                 body=f"{dice.getrandbits(64):x}" * (size // 16 + 1))
    notes, = t.db.execute("SELECT count(*) FROM note").fetchone()
    t.update("note", f"n{dice.randrange(notes)}", OWN[dev], t.tx)
    if dice.random() < 0.4:
        fight(t, dev)
    if dice.random() < 0.3:
        t.delete_before(dev, t.tx - KEPT)


def fight(t, dev):
    key, value = f"s{int(time.time() / SLOT_S)}", f"{dev}:{t.tx}"
    if t.db.execute("SELECT 1 FROM shared WHERE id = ?", (key,)).fetchone():
        t.update("shared", key, "value", value)
    else:
        t.insert("shared", key, value=value)


def undo_some(db):
    """Nothing of this may be seen anywhere."""
    db.execute("SAVEPOINT s")
    db.execute("INSERT INTO entry(id, dev, tx, part, parts) VALUES('undone', 99, 1, 0, 2)")
    db.execute("UPDATE note SET d0 = -1, d1 = -1")
    db.execute("ROLLBACK TO s")
    db.execute("RELEASE s")


def run(path, dev, seed):
    db = connect(path, isolation_level=None, timeout=PATIENCE_S)
    tx, = db.execute("SELECT coalesce(max(tx), 0) FROM ledger").fetchone()
    dice = random.Random(f"{seed}/{dev}/{tx}")
    while True:
        t = Transaction(db, tx + 1)
        look(db)
        if dice.random() < 0.1:
            undo_some(db)
        write(t, dev, dice)
        if dice.random() < 0.05:
            db.execute("ROLLBACK")
        else:
            t.commit()
            tx += 1
            print(tx, flush=True)
        time.sleep(dice.random() * PAUSE_S)  # what a user does between two edits


if __name__ == "__main__":
    try:
        run(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    except Broken as problem:
        sys.exit(f"device {sys.argv[2]}: {problem}")
