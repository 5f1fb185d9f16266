"""What must come out of a replay, computed from the laws alone (spec/merge.md L3, L5, L12).

A plain model: a server that takes changes one after another, devices that see it as it was at their
last sync, and for each write the first thing that took it away.
"""

import collections
import json
from bisect import bisect_right

LIFE = None  # the "field" that says whether a record is there


class Write:
    """One field of one change, or its life."""

    def __init__(self, device, at, n, base, value, person):
        self.device, self.at, self.n, self.base = device, at, n, base
        self.value, self.person = value, person
        self.seq = 0
        self.taken = False  # something has replaced it …
        self.unseen = False  # … that was made without having seen it
        self.heir = None  # what its own device wrote over it
        self.settled = False  # its own device has seen that value there, and went on from it

    def stamp(self):
        return self.at, self.device.client, self.n

    def take(self, by, arrived_late=False):
        """Only the first to replace it counts, and nobody overwrites himself unseen."""
        if not self.taken:
            self.unseen = by.device is not self.device and (arrived_late or by.base < self.seq)
        self.taken = True


class Record:
    def __init__(self):
        self.won = collections.defaultdict(list)  # field -> the writes that won, in commit order
        self.changed = 0  # seq of the last change made to it

    def shown(self, field, seq):
        """The write of the field as of seq; nothing shows of a deleted record but its death."""
        won = self.won.get(field, ())
        i = bisect_right(won, seq, key=lambda w: w.seq)
        return won[i - 1] if i and (field is LIFE or self.alive(seq)) else None

    def alive(self, seq):
        life = self.shown(LIFE, seq)
        return life is not None and life.value

    def put(self, field, write):
        """Last writer wins by the order of stamps."""
        won = self.won[field]
        if won and won[-1].stamp() > write.stamp():
            write.take(won[-1], arrived_late=True)
            return
        if won and field is not LIFE:
            won[-1].take(write)
        if field is LIFE and not write.value and self.alive(write.seq):
            for other, writes in self.won.items():
                if other is not LIFE:
                    writes[-1].take(write)
        won.append(write)

    def commit(self, writes, seq):
        self.changed = seq
        for write in writes.values():
            write.seq = seq
        if LIFE in writes:
            self.put(LIFE, writes[LIFE])
        for field, write in writes.items():
            if field is not LIFE:
                self.put(field, write)
        if not self.alive(seq):
            for field, write in writes.items():
                if field is not LIFE:
                    write.take(self.won[LIFE][-1], arrived_late=True)


class Device:
    def __init__(self, client, agent):
        self.client, self.person = client, not agent
        self.clock = self.n = 0
        self.cursor = 0
        self.hydrated = None
        self.pending = []  # (number, record key, {field: write})
        self.fresh = {}  # record key -> {field: write}, since the last sync that was completed
        self.latest = collections.defaultdict(dict)  # record key -> {field: its own last write}
        self.mine = collections.defaultdict(dict)  # record key -> {field: all its own writes}


class Oracle:
    """Feed it the steps; then ask for rows, marks and conflicts."""

    def __init__(self, tables, clients):
        self.tables = tables
        self.devices = {d: Device(client, d.agent) for d, client in clients.items()}
        self.records = collections.OrderedDict()  # least recently changed first
        self.seq = 0
        self.writes = []
        self.ignored = collections.Counter()

    def run(self, steps, cut=()):
        """`cut`: for each sync that was to end early, what had been sent by then (replay.c)."""
        cut = iter(cut)
        for step in steps:
            device = self.devices[step[1]]
            if step[0] == "write":
                self.write(device, *step[2:])
                continue
            sent = next(cut) if step[2] < 0 else -1
            self.push(device, sent if sent >= 0 else device.n)
            if sent < 0:
                self.pull(device)

    # ---- writing -------------------------------------------------------------------------------

    def seen(self, device, key, field):
        """The value a device shows; for LIFE whether the record is there."""
        fresh = device.fresh.get(key, {})
        if field is not LIFE and not self.seen(device, key, LIFE):
            return None
        if field in fresh:
            return fresh[field].value
        record = self.records.get(key)
        write = record.shown(field, device.cursor) if record else None
        return write.value if write else None

    def write(self, device, at, line):
        key, there = (line.table, line.id), self.seen(device, (line.table, line.id), LIFE)
        values = {f: line.fields[f] for f in self.tables[line.table] if f in line.fields}
        if line.op == "insert":
            values = {f: line.fields.get(f) for f in self.tables[line.table]}
        if line.op != "insert" and not there:
            self.ignored["of a record that was not there"] += 1
            return
        if line.op == "delete":
            values = {LIFE: False}
        elif there:
            values = {f: v for f, v in values.items() if v != self.seen(device, key, f)}
        else:
            values = {LIFE: True, **values}
        if not values:
            self.ignored["that changed nothing"] += 1
            return
        self.change(device, at, key, values)

    def change(self, device, at, key, values):
        device.clock = at = max(at, device.clock + 1)
        device.n += 1
        writes = {f: Write(device, at, device.n, device.cursor, value, device.person)
                  for f, value in values.items()}
        self.settle(device, key, [LIFE] if LIFE in writes else writes)
        before = device.latest[key]
        gone = before if writes.get(LIFE) and not writes[LIFE].value else writes
        for field in gone:
            if field in before and before[field].heir is None:
                before[field].heir = writes.get(field, writes.get(LIFE))
        for field, write in writes.items():
            if field is not LIFE:
                device.mine[key].setdefault(field, []).append(write)
        before.update(writes)
        device.fresh.setdefault(key, {}).update(writes)
        device.pending.append((device.n, key, writes))
        self.writes += [(key, field, write) for field, write in writes.items()]

    def settle(self, device, key, fields):
        """A value that is written over here was lost to nobody, whoever put it there."""
        if not self.seen(device, key, LIFE):
            return
        for field, mine in device.mine[key].items():
            if LIFE not in fields and field not in fields:
                continue
            shown = json.loads(self.seen(device, key, field) or "null")
            for write in mine:
                if write.value is not None and same(json.loads(write.value), shown):
                    write.settled = True

    # ---- syncing -------------------------------------------------------------------------------

    def push(self, device, sent):
        """Changes up to that number; the device may not get to know that they were taken."""
        while device.pending and device.pending[0][0] <= sent:
            _, key, writes = device.pending.pop(0)
            self.seq += 1
            self.records.setdefault(key, Record()).commit(writes, self.seq)
            self.records.move_to_end(key)

    def pull(self, device):
        device.fresh = {}
        for record in reversed(self.records.values()):
            if record.changed <= device.cursor:
                break
            # The clock never stays behind a stamp it has seen.
            shown = record.won if record.alive(self.seq) else [LIFE]
            device.clock = max(device.clock, *(record.won[f][-1].at for f in shown))
        device.cursor = self.seq
        if device.hydrated is None:
            device.hydrated = self.seq

    # ---- what must be there in the end -----------------------------------------------------------

    def rows(self):
        """{table: {id: {field: value}}}"""
        tables = {table: {} for table in self.tables}
        for (table, key), record in self.records.items():
            if record.alive(self.seq):
                tables[table][key] = {f: writes[-1].value for f, writes in record.won.items()
                                      if f is not LIFE}
        return tables

    def marks(self):
        """{(table, id): {field: (at, client, n, seq)}}; of a deleted record only its death."""
        marks = {}
        for key, record in self.records.items():
            shown = [f for f in record.won if f is not LIFE] if record.alive(self.seq) else [LIFE]
            last = {f: record.won[f][-1] for f in shown}
            marks[key] = {f: (w.at, w.device.client, w.n, w.seq) for f, w in last.items()}
        return marks

    def conflicts(self):
        """[(client, table, id, field, value)]: people's writes overwritten unseen (L5)."""
        return [(w.device.client, *key, field, w.value) for key, field, w in self.writes
                if field is not LIFE and w.person and w.value is not None and w.unseen
                and not w.settled and self.stood(key, field, w) and not self.came_back(key, field, w)]

    def shows(self, key, field, write, seq):
        return self.records[key].shown(field, seq) is write

    def stood(self, key, field, w):
        """What its own device wrote over before it saw anything else there is not asked about: the
        later write stands for it. What was lost in the first hydration is not announced."""
        if w.heir is not None and (w.seq > w.heir.base or self.shows(key, field, w, w.heir.base)):
            return False
        first = w.device.hydrated
        return w.seq > first or self.shows(key, field, w, first)

    def came_back(self, key, field, w):
        now = self.records[key].shown(field, self.seq)
        return same(json.loads(w.value), json.loads(now.value or "null") if now else None)


def same(a, b):
    """Equality of JSON values: true is not 1, but 1.0 is."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def line_by_line(lines, tables):
    """The trace's own last state: each line done after the one before it."""
    rows = {table: {} for table in tables}
    for line in lines:
        if line.op == "insert":
            rows[line.table][line.id] = {}
        if line.op == "delete":
            rows[line.table].pop(line.id, None)
        elif line.id in rows[line.table]:
            rows[line.table][line.id].update(
                {f: v for f, v in line.fields.items() if f in tables[line.table]})
    return rows
