"""Real edit histories: one JSON object a line, compressed with zstd.

    {"t": time, "writer", "origin": "user"|"agent", "table", "id", "op", "fields": {name: value}}

The order of lines is the order of arrival; `t` says when it was written. Values keep the very bytes
they have in the file, because that is what a replica must give back.
"""

import collections
import ctypes
import ctypes.util
import json
from datetime import datetime, timezone
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
COLUMNS_MAX = 119  # of a tracked table, without its key

Line = collections.namedtuple("Line", "t_us device table id op fields")
Device = collections.namedtuple("Device", "writer agent")

_decode = json.JSONDecoder().raw_decode


class _Buffer(ctypes.Structure):
    _fields_ = [("p", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def decompress(packed):
    """The content of a zstd file."""
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_createDStream.restype = ctypes.c_void_p
    zstd.ZSTD_decompressStream.restype = ctypes.c_size_t
    stream = ctypes.c_void_p(zstd.ZSTD_createDStream())
    source = ctypes.create_string_buffer(packed, len(packed))
    room = ctypes.create_string_buffer(1 << 20)
    data = _Buffer(ctypes.addressof(source), len(packed), 0)
    pieces = []
    while data.pos < data.size or pieces and len(pieces[-1]) == len(room):
        out = _Buffer(ctypes.addressof(room), len(room), 0)
        left = zstd.ZSTD_decompressStream(stream, ctypes.byref(out), ctypes.byref(data))
        if zstd.ZSTD_isError(ctypes.c_size_t(left)):
            raise ValueError("the trace is not a whole zstd file")
        pieces.append(room.raw[:out.pos])
    zstd.ZSTD_freeDStream(stream)
    return b"".join(pieces)


def members(text, at=0):
    """The members of a JSON object as (name, bytes of the value), the value not interpreted."""
    def skip(i):
        while text[i] in " \t\n\r":
            i += 1
        return i

    at = skip(skip(at) + 1)
    while text[at] != "}":
        name, at = _decode(text, at)
        at = skip(skip(at) + 1)
        _, end = _decode(text, at)
        yield name, text[at:end]
        at = skip(end)
        if text[at] == ",":
            at = skip(at + 1)


def microseconds(text):
    since = datetime.fromisoformat(text).astimezone(timezone.utc) - datetime(
        1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86400 + since.seconds) * 1000000 + since.microseconds


def parse(text):
    raw = dict(members(text))
    known = {name: json.loads(raw[name]) for name in ("t", "writer", "origin", "table", "id", "op")}
    fields = {name: None if value == "null" else value
              for name, value in members(raw.get("fields", "{}"))}
    return Line(microseconds(known["t"]), Device(known["writer"], known["origin"] == "agent"),
                known["table"], known["id"], known["op"], fields)


def read(path):
    # Only "\n" ends a line: values may hold other characters that Python takes for line ends.
    lines = decompress(Path(path).read_bytes()).decode("utf-8").split("\n")
    return [parse(line) for line in lines if line]


def slice_of(lines, limit, rng):
    """About `limit` lines: all of some records, so that histories stay whole and span all years."""
    if not limit or len(lines) <= limit:
        return lines
    sizes = collections.Counter((line.table, line.id) for line in lines)
    records = sorted(sizes)
    rng.shuffle(records)
    chosen, count = set(), 0
    for record in records:
        # The few records with very long histories would leave no room for the others.
        if count < limit and sizes[record] <= limit // 10:
            chosen.add(record)
            count += sizes[record]
    return [line for line in lines if (line.table, line.id) in chosen]


def columns_of(lines):
    """{table: {field: column}}, and a name for the key that no field has.

    SQLite does not tell names apart by case, and a table has only so many columns: the rarest
    fields of one that is wider are left out.
    """
    counts = collections.defaultdict(collections.Counter)
    for line in lines:
        counts[line.table].update(line.fields.keys())
    taken = {field.lower() for names in counts.values() for field in names}
    key = next(k for k in ["id", "key", "record"] + [f"key{i}" for i in range(len(taken) + 1)]
               if k not in taken)
    tables = {}
    for table, names in sorted(counts.items()):
        used, columns = set(), {}
        for field, _ in names.most_common(COLUMNS_MAX):
            column = field or "(empty)"
            while column.lower() in used:
                column += "'"
            used.add(column.lower())
            columns[field] = column
        tables[table] = dict(sorted(columns.items()))
    return tables, key
