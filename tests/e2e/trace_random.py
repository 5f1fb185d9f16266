"""Made-up histories in which everything happens at once: few records, few values, many writers,
deletes and inserts of the same keys, times that are equal or long past, and values, names and keys
of every kind that a trace may hold."""

import json

from trace_file import Device, Line

SECOND_US = 10**6
FIRST_US = 1577836800 * SECOND_US  # 2020
FIELDS = ["f", "g", "note", "Note", "id", "$schema", "a b", 'q"', "\U0001F600", ""]
KEYS = ["r", "R", "a/b", 'q"', "1", "01", "null", "[1]", "with\0nul", "\U0001F600"]
TABLES = ["bucket", 'odd "name"']
VALUES = [json.dumps(v) for v in (
    0, 1, -1, 2**70, 1.0, -0.0, 0.1, 5e-324, True, False, "", "a", "null", "with\0nul", "\u2028",
    [], {}, [1, [2, {"a": None}]], {"b": 1, "a": 2}, {"a": 2, "b": 1}, {"$json": 1},
    {"$blob": "AA=="}, {"$x": {"$text": "y"}}, "long " * 700)]


def history(rng, length):
    """Lines as trace_file.read gives them."""
    few = rng.choice([1, 2, 4, len(FIELDS)])
    fields, keys = rng.sample(FIELDS, few), rng.sample(KEYS, rng.choice([2, 4, len(KEYS)]))
    values = rng.sample(VALUES, rng.choice([2, 5, len(VALUES)])) + [None]
    writers = [f"w{i}" for i in range(rng.choice([3, 5, 9]))]
    deletes, now, alive, lines = rng.choice([0.03, 0.1, 0.2]), FIRST_US, set(), []
    for _ in range(length):
        now += rng.choice([0, 0, 1, 60, 3600, 86400]) * SECOND_US
        writer = rng.choice(writers)
        agent = writer == "w0" or (writer == "w1" and rng.random() < 0.5)
        record = rng.choice(TABLES), rng.choice(keys)
        written = rng.sample(fields, rng.randint(1, len(fields)))
        op = "update"
        if record not in alive or rng.random() < 0.03:
            op = "insert"
            alive.add(record)
        elif rng.random() < deletes:
            op, written = "delete", []
            alive.discard(record)
        late = rng.choice([0] * 8 + [5, 200000]) * SECOND_US
        lines.append(Line(now - late, Device(writer, agent), *record, op,
                          {field: rng.choice(values) for field in written}))
    return lines
