"""Who syncs when: turns the lines of a trace into steps for the replay and for the oracle.

Steps are ("sync", device, lose) and ("write", device, at_us, line), one after another. `lose` is
the number of the request in that sync whose answer is lost on its way, 0 for none; -lose: the
sync ends when the answer to that push is lost, and what was sent stays in doubt.

A device works in spells: it syncs, goes offline, writes some of its lines at their author's times,
and syncs when it is back. Where spells begin and end decides which edits are concurrent.
"""

import collections
import time

DAY_US = 86400 * 10**6
AHEAD_US = 4 * DAY_US  # room for skewed clocks: no stamp may lie in the server's future

Spell = collections.namedtuple("Spell", "device begins lines ends skew_us")


def shift_us(lines):
    """Added to all times, so that the newest is in the past on this machine too."""
    newest = max(line.t_us for line in lines)
    late = newest + AHEAD_US - time.time_ns() // 1000
    return 0 if late <= 0 else -(late // DAY_US + 1) * DAY_US


def by_device(lines):
    places = collections.defaultdict(list)
    for i, line in enumerate(lines):
        places[line.device].append(i)
    return places


def calm(lines):
    """Everybody sees everything before writing: a spell for each run of lines of one device."""
    spells, begins = [], 0
    for i in range(1, len(lines) + 1):
        if i == len(lines) or lines[i].device != lines[begins].device:
            spells.append(Spell(lines[begins].device, begins, range(begins, i), i - 1, 0))
            begins = i
    return spells


class Contention:
    """Offline spells by seed, late pushes as the trace has them, and clocks that go wrong."""

    def __init__(self, lines, rng):
        self.lines, self.rng = lines, rng
        self.known_since = self._known_since()

    def spells(self):
        return [s for device, places in sorted(by_device(self.lines).items())
                for s in self._of_device(device, places)]

    def _known_since(self):
        """Per line: where the record it changes was last inserted by somebody else."""
        inserted, known = {}, []
        for i, line in enumerate(self.lines):
            at, by = inserted.get((line.table, line.id), (-1, None))
            known.append(at + 1 if by != line.device else 0)
            if line.op == "insert":
                inserted[line.table, line.id] = i, line.device
        return known

    def _of_device(self, device, places):
        online, i = 0, 0
        while i < len(places):
            n = self._length(places, i)
            spell = self._spell(device, places, i, n, online)
            yield spell
            online, i = spell.ends + 1, i + n

    def _length(self, places, i):
        """How many lines from the i-th on are one spell: what is new is mostly published at once,
        and nobody edits what he could not know of."""
        most, n = 1 + int(self.rng.expovariate(0.4)), 1
        while n < most and i + n < len(places):
            line = self.lines[places[i + n - 1]]
            publishes = line.op == "insert" and self.rng.random() < 0.9
            if publishes or self.known_since[places[i + n]] > places[i]:
                break
            if places[i + n] - places[i] > 400:
                break
            n += 1
        return n

    def _spell(self, device, places, i, n, online):
        mine = places[i:i + n]
        begins = mine[0] - self._while()
        # A line older than one before it was written without having seen that one.
        oldest = min(self.lines[p].t_us for p in mine)
        late = mine[0]
        while late > 0 and mine[0] - late < 2000 and self.lines[late - 1].t_us > oldest:
            late -= 1
        begins = max(min(begins, late), online, *(self.known_since[p] for p in mine))
        ends = mine[-1]
        if self.lines[ends].op != "insert":
            ends += self._while()
        limit = places[i + n] - 1 if i + n < len(places) else len(self.lines) - 1
        skew = self.rng.randint(-3 * 86400, 3 * 86400) * 10**6 if self.rng.random() < 0.2 else 0
        return Spell(device, min(begins, mine[0]), mine, min(ends, limit), skew)

    def _while(self):
        return int(self.rng.expovariate(1 / 60)) if self.rng.random() < 0.5 else 0


def steps(lines, spells, rng=None):
    """The spells of all devices as one sequence. At its end everybody syncs twice: some have
    something left to push, and then all have to see it."""
    shift, events, met = shift_us(lines), [], set()
    for s in spells:
        # Some devices begin with work of their own, before they have ever seen the server.
        begins_with_insert = s.device not in met and lines[s.lines[0]].op == "insert"
        bold = rng and begins_with_insert and rng.random() < 0.3
        met.add(s.device)
        if not bold:
            events.append((s.begins, 0, ("sync", s.device, 0)))
        for i in s.lines:
            events.append((i, 1, ("write", s.device, lines[i].t_us + shift + s.skew_us, lines[i])))
        events.append((s.ends, 2, ("sync", s.device, 0)))
    events.sort(key=lambda e: (e[0], e[1], e[2][1]))
    sequence = [step for _, _, step in events]
    if rng:
        sequence = [lossy(step, rng) for step in sequence]
    return sequence + [("sync", device, 0) for device in sorted(met)] * 2


def lossy(step, rng):
    if step[0] == "sync" and rng.random() < 0.05:
        return ("sync", step[1], rng.choice([-2, -1, -1, 1, 2]))
    return step
