#!/usr/bin/python3
"""Make the golden files of the current format: /usr/bin/python3 tests/golden/make.py

It (re)writes tests/golden/format-N, N being the format this build writes. While that format is not
released the folder is made anew with every change of it; from the release on it is never touched
again, and this refuses to (CONTRIBUTING.md, "Formats"). What cannot be chosen (ids, times, keys) is
this run's; everything else is the same each time.
"""

import base64
import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime

import golden
from golden import ask, content_of, masked, new_path, pack, result_of, serving, sigla

from sigla_e2e import PATIENCE_S, ROOT, SIGLA, Device, Server, sync_all  # noqa: E402

USER, APP, TTL = "ann", "golden", "36500d"
KEYS = ("CREATE TABLE ints(id INTEGER PRIMARY KEY, a, b TEXT)",
        "CREATE TABLE texts(id TEXT PRIMARY KEY, title TEXT, done INT, note TEXT)",
        "CREATE TABLE blobs(id BLOB PRIMARY KEY, a) WITHOUT ROWID",
        "CREATE TABLE reals(id REAL PRIMARY KEY, a) WITHOUT ROWID",
        "CREATE TABLE pairs(k TEXT, l INTEGER, v, doc TEXT, home TEXT, PRIMARY KEY(k, l))")
TABLES = "ints", "texts", "blobs", "reals", "pairs"
BIG = "CREATE TABLE big(id INTEGER PRIMARY KEY, filler TEXT)"
AGENT = json.dumps({"kind": "ai", "principalId": "planner", "displayName": "Planner",
                    "missionId": "m1", "iterationId": "i1", "rationale": "because"})
RELEASED = []  # formats that are released: their folders stay as they are


class Maker:
    def __init__(self, folder):
        self.folder, self.server = folder, Server().start()
        self.tokens = {"person": self.server.token(USER, ttl=TTL),
                       "agent": self.server.token(USER, agent="planner", ttl=TTL)}
        self.replicas, self.manifest = {}, {}

    # ---- devices -------------------------------------------------------------------------------

    def device(self, name, schema=KEYS, tables=TABLES, app=APP, who="person"):
        """Small pages, so that the files stay small."""
        path = new_path(f"{name}.db")
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA page_size = 1024")
            for statement in schema:
                db.execute(statement)
        device = Device(self.server, USER, path=path, token=self.tokens[who])
        for table in tables:
            more = ("--group", "v,doc", "--json", "doc", "--local", "home") if table == "pairs" else ()
            device.track(table, "--app", app, *more)
        return device

    def keep(self, name, device, gone=()):
        self.replicas[name] = (device, [[golden.plain(k) for k in key] for key in gone])

    def fill(self):
        """What everybody has: every kind of key and value, an agent's work, and a deleted record."""
        d = self.device("first")
        d.execute("INSERT INTO ints VALUES(1, 1, 'one'), (-2, 0.5, NULL), (9007199254740993, x'00ff', '')",
                  "INSERT INTO texts VALUES('t1', 'Tea', 0, NULL), ('t2', 'Milk', 1, 'cold'),"
                  " ('', 'empty key', 0, NULL), ('~x', 'tilde', 0, NULL), ('17', 'digits', 0, NULL)",
                  "INSERT INTO blobs VALUES(x'', 1), (x'00ff', 'two')",
                  "INSERT INTO reals VALUES(0.5, 'half'), (3.0, 'three')",
                  "INSERT INTO pairs VALUES('a', 1, 'v', '{\"x\": [1, 2.50]}', 'here'),"
                  " ('a', 2, NULL, NULL, NULL)")
        d.execute("INSERT INTO texts VALUES('gone', 'to be deleted', 0, NULL)")
        d.execute(("SELECT sigla_as(?)", AGENT), "UPDATE texts SET note = 'by an agent' WHERE id = 't1'",
                  "SELECT sigla_as_end()")
        d.sync()
        d.execute("DELETE FROM texts WHERE id = 'gone'", "DELETE FROM ints WHERE id = -2")
        d.execute("UPDATE texts SET title = 'Green tea' WHERE id = 't1'")
        d.execute("SELECT sigla_index_updated('texts')")
        d.sync()
        self.keep("keys", d, gone=[("texts", "gone"), ("ints", -2)])
        return d

    def make_fresh(self):
        d = self.device("fresh")
        d.execute("INSERT INTO texts VALUES('offline', 'before the first sync', 0, NULL)")
        self.keep("fresh", d)

    def make_pending(self):
        d = self.device("pending")
        d.sync()
        d.execute("INSERT INTO texts VALUES('t3', 'Bread', 0, NULL)",
                  "UPDATE pairs SET v = 'w' WHERE l = 1", "DELETE FROM blobs WHERE id = x''")
        d.execute(("SELECT sigla_as(?)", AGENT), "UPDATE ints SET b = 'agent' WHERE id = 1",
                  "SELECT sigla_as_end()")
        self.keep("pending", d, gone=[("blobs", b"")])

    def make_conflicts(self, other):
        """Overwritten and deleted, restored and dismissed, and two that are open."""
        d = self.device("conflicts")
        names = "open", "restored", "dismissed", "deleted"
        d.execute(*(("INSERT INTO texts VALUES(?, 'x', 0, NULL)", f"c-{n}") for n in names))
        sync_all(d, other)
        for name in names:
            d.execute(("UPDATE texts SET title = 'mine' WHERE id = ?", f"c-{name}"))
        other.execute("UPDATE texts SET title = 'theirs' WHERE id LIKE 'c-%'",
                      "DELETE FROM texts WHERE id = 'c-deleted'")
        other.sync()
        d.sync()
        ids = {c["key"]: c["id"] for c in d.json("conflicts")}
        assert sorted(ids) == sorted(f"c-{n}" for n in names), ids
        d("restore", ids["c-restored"])
        d("dismiss", ids["c-dismissed"])
        self.keep("conflicts", d, gone=[("texts", "c-deleted")])

    def make_parked(self, other):
        d = self.device("parked", schema=(*(s for s in KEYS if " texts" not in s),
                                          "CREATE TABLE texts(id TEXT PRIMARY KEY, title TEXT UNIQUE,"
                                          " done INT, note TEXT)"))
        d.sync()
        d.execute("INSERT INTO texts VALUES('p1', 'the same title', 0, NULL)")
        other.execute("INSERT INTO texts VALUES('p2', 'the same title', 0, NULL)")
        other.sync()
        d.sync()
        assert d.json("parked")
        self.keep("parked", d)

    def make_refused(self):
        """An agent's device that wrote as a person: changes set aside, and one that waits."""
        d = self.device("refused", who="agent")
        d.execute(("SELECT sigla_as(?)", AGENT), "INSERT INTO texts VALUES('r1', 'agent', 0, NULL)",
                  "SELECT sigla_as_end()")
        d.execute("UPDATE texts SET title = 'as a person' WHERE id = 'r1'")
        d.sync()
        assert d.json("refused")
        d.execute("UPDATE texts SET done = 1 WHERE id = 'r1'")
        self.keep("refused", d)

    def make_unknown(self):
        """Fields that have no column here are kept."""
        d = self.device("unknown", schema=(*(s for s in KEYS if " texts" not in s),
                                           "CREATE TABLE texts(id TEXT PRIMARY KEY, title TEXT)"))
        d.sync()
        d.execute("UPDATE texts SET title = 'Oolong' WHERE id = 't1'")
        self.keep("unknown", d)

    def make_hydrating(self):
        """Its first pull broke off after the first pages had been applied."""
        full = self.device("full", (BIG,), ("big",), app="big")
        full.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1100)"
                     " INSERT INTO big SELECT i, printf('%.*c', 5000, 'x') FROM n")
        full.sync()
        d = self.device("hydrating", (BIG,), ("big",), app="big")
        asked, enough = [], threading.Event()

        def first_page_only(method, path, headers, body):
            asked.append(path)
            if len(asked) > 1:
                enough.set()
                return 503, {}, b"{}"
            return ask(self.server.url, method, path, headers, body)

        with serving(first_page_only) as url:
            d("init", "--server", url)
            process = subprocess.Popen([SIGLA, "sync", d.path], stderr=subprocess.DEVNULL)
            assert enough.wait(PATIENCE_S), "the second page was never asked for"
            process.kill()
            process.wait(PATIENCE_S)
        there = d.execute("SELECT count(*) FROM big")[0][0]
        assert 0 < there < 1100, there
        self.keep("hydrating", d)

    # ---- writing -------------------------------------------------------------------------------

    def write_replicas(self):
        """As they are now, and what a sync with the server makes of each."""
        told = self.manifest["replicas"] = {}
        for name, (device, gone) in self.replicas.items():
            with closing(sqlite3.connect(device.path)) as db:
                db.execute("VACUUM")
            into = self.folder / "replica" / f"{name}.db.xz"
            pack(device.path, into)
            copy = golden.unpack(into)
            content = masked(content_of(copy, gone), self.manifest["madeAt"])
            told[name] = {"gone": gone, "content": content}
            with golden.server_of(self.folder) as server:
                sigla("init", copy, "--server", server.url)
                sigla("sync", copy)
                told[name]["after"] = result_of(copy)

    def write_server(self):
        self.server.stop()
        for path in sorted(self.server.data.iterdir()):
            if path.name == "lock":
                continue
            if path.suffix == ".db":
                with closing(sqlite3.connect(path)) as db:
                    db.execute("PRAGMA journal_mode = DELETE")
                    db.execute("VACUUM")
            pack(path, self.folder / "server" / f"{path.name}.xz")

    def write_exchanges(self):
        """What these devices and that server say to each other, byte for byte."""
        told = self.manifest["exchanges"] = {}
        for name in "fresh", "pending", "refused", "hydrating":
            copy = golden.unpack(self.folder / "replica" / f"{name}.db.xz")
            with golden.server_of(self.folder) as server:
                lines = self.record(name, copy, server)
            answers = golden.answers_to_recorded(self.folder, name, lines, self.manifest["madeAt"])
            told[name] = {"lines": lines, "answers": answers, "after": result_of(copy)}

    def record(self, name, path, server):
        """Sync; the bytes of its requests and answers go to wire/NAME, the rest is returned."""
        at, lines = self.folder / "wire" / name, []
        at.mkdir(parents=True, exist_ok=True)

        def pass_on(method, target, headers, body):
            status, got, content = ask(server.url, method, target, headers, body)
            (at / f"{len(lines)}.request").write_bytes(body)
            (at / f"{len(lines)}.answer").write_bytes(content)
            lines.append({"method": method, "path": target, "headers": kept(headers),
                          "status": status, "answered": kept(got)})
            return status, got, content

        with serving(pass_on) as url:
            sigla("init", path, "--server", url)
            sigla("sync", path)
        return lines

    def write_requests(self):
        """What other clients send, and what must be answered to it, one after the other."""
        told = self.manifest["requests"] = {}
        with golden.server_of(self.folder) as server:
            for name, request in requests().items():
                answer = golden.answer_to(server.url, request, self.tokens, self.manifest["madeAt"])
                told[name] = {**request, **answer}

    def write_stream(self):
        """A device that follows, as another one pushes."""
        at = self.folder / "wire" / "stream"
        at.mkdir(parents=True)
        follower = golden.unpack(self.folder / "replica" / "keys.db.xz")
        other = golden.unpack(self.folder / "replica" / "pending.db.xz")
        with golden.server_of(self.folder) as server:
            for path in follower, other:
                sigla("init", path, "--server", server.url)
            sigla("sync", follower)
            pack(follower, at / "follower.db.xz")
            lines = self.record("stream", follower, server)
            sigla("init", follower, "--server", server.url)
            status = content_of(follower)["status"]
            head = (f"GET /sync/{APP}/stream?v=2&since={status['apps'][0]['cursor']}"
                    f"&client={status['client']} HTTP/1.1\r\nHost: x\r\n"
                    f"Authorization: Bearer {self.tokens['person']}\r\n\r\n")
            with golden.Talk(server.url, head.encode()) as talk:
                talk.until(b"\r\n\r\n")
                sigla("sync", other)
                (at / "events").write_bytes(talk.until(b'"serverChanges"', b"\n\n"))
            sigla("sync", follower)
            self.manifest["stream"] = {"lines": lines, "after": result_of(follower)}

    def write_socket(self):
        """A WebSocket that signs in and asks for a sign of life; one that may not."""
        told = self.manifest["sockets"] = {}
        with golden.server_of(self.folder) as server:
            for name, frames in SOCKETS.items():
                told[name] = {"frames": frames,
                              "answer": golden.frames_answered(server.url, frames, self.tokens)}

    def write_damaged_answers(self):
        told = self.manifest["damagedAnswers"] = {}
        for name, (of, line, how) in DAMAGED_ANSWERS.items():
            case = {"of": of, "line": line, "how": how}
            exchange = self.manifest["exchanges"][of]
            told[name] = {**case, **golden.outcome_of_answer(self.folder, exchange, case)}
            assert told[name]["exit"] != 0, (name, told[name])

    def write_damaged(self):
        told = self.manifest["damaged"] = {}
        for name, case in DAMAGED.items():
            told[name] = {**case, **golden.outcome_of_damage(self.folder, case)}
            assert told[name]["unchanged"] and told[name]["exit"] != 0, (name, told[name])


def kept(headers):
    return {k: headers[k] for k in golden.KEPT_HEADERS if k in headers}


# ---- other clients ------------------------------------------------------------------------------

def push(body, who="person", **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"method": "POST", "path": f"/sync/{APP}", "who": who, "headers": headers,
            "body": base64.b64encode(text).decode()}


def get(path, who="person"):
    return {"method": "GET", "path": path, "who": who, "headers": {}, "body": ""}


def change(n, **more):
    return {"n": n, "table": "texts", "id": f"w{n}", "op": "insert",
            "at": "2026-01-02T03:04:05.678Z", "fields": {"title": {"value": "by hand"}}, **more}


def second(client, *changes, **more):
    return {"clientId": client, "schemaVersion": 2, "sent": 0, "pull": False,
            "changes": list(changes), **more}


FIRST = {"clientId": "old-1", "since": "", "changes": [
    {"table": "texts", "id": "o1", "op": "insert", "data": {"title": "whole row", "done": 0},
     "actor": {"kind": "user", "principalId": USER}, "origin": "user",
     "fields": {"title": {"value": "whole row", "at": "2026-01-02T03:04:05.678Z"}}},
    {"table": "texts", "id": "t2", "op": "update",
     "fields": {"note": {"value": "from version 1", "at": "2035-01-02T03:04:05.678Z"}}},
    {"table": "texts", "id": "17", "op": "delete", "deletedAt": "2026-01-02T03:04:05.678Z"}]}


def requests():
    whole = json.dumps(second("hand-1", change(1))).encode()
    packed = gzip.compress(whole, mtime=0)
    return {
        "pull, version 1": get(f"/sync/{APP}/pull?collection=texts&since="),
        "pull, version 2": get(f"/sync/{APP}/pull?v=2&since="),
        "pull, a page of two": get(f"/sync/{APP}/pull?v=2&since=&limit=2"),
        "history": get(f"/api/v1/apps/{APP}/history?table=texts&id=t1"),
        "keys": get("/.well-known/jwks.json"),
        "push, version 1": push(FIRST),
        "push, version 2": push(second("hand-1", change(1))),
        "push, the same again": push(second("hand-1", change(1))),
        "push, gzip": push(gzip.compress(json.dumps(second("hand-2", change(1, id="gz"))).encode(),
                                         mtime=0), **{"Content-Encoding": "gzip"}),
        "push, half a transaction": push(second("hand-3", change(1, tx=2))),
        "push, the other half": push(second("hand-3", change(2, tx=2), sent=1, staged=1)),
        "push, some refused": push(second("hand-4", change(1), change(2, table="sigla_state"),
                                          change(3, actor=json.loads(AGENT), origin="user"))),
        "push, from a clock ahead": push(second("hand-5", change(1, at="2999-01-01T00:00:00.000Z"))),
        "push, an agent as itself": push(second("hand-6", change(1, id="as")), who="agent"),
        "push, an agent as a person": push(second("hand-6", change(
            2, actor={"kind": "user", "principalId": USER}, origin="user"), sent=1), who="agent"),
        "push, a copied database": push(second("hand-1", change(1, id="another"))),
        "push, a newer protocol": push(second("hand-7", change(1)) | {"schemaVersion": 9}),
        "push, cut": push(whole[:len(whole) // 2]),
        "push, gzip, a bit flipped": push(golden.damage(packed, ["flip", len(packed) * 8 - 3]),
                                          **{"Content-Encoding": "gzip"}),
        "push, gzip, cut": push(packed[:20], **{"Content-Encoding": "gzip"}),
        "push, an unknown coding": push(whole, **{"Content-Encoding": "br"}),
        "pull, a cursor that is none": get(f"/sync/{APP}/pull?v=2&since=c123"),
        "pull, another server's cursor":
            get(f"/sync/{APP}/pull?v=2&since=c0000000000000001-0000000000000007-00000000"),
        "pull, a token with a bit flipped": get(f"/sync/{APP}/pull?v=2&since=", who="flipped"),
        "pull, a token that is not signed": get(f"/sync/{APP}/pull?v=2&since=", who="unsigned"),
    }


def with_bad_tokens(tokens):
    head, claims, signature = tokens["person"].split(".")
    flipped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return {**tokens, "flipped": f"{head}.{claims}.{flipped}", "unsigned": f"{unsigned}.{claims}."}


# Texts a client sends; @NAME is a token. The last answer is waited for.
SOCKETS = {"signs in": ['{"type":"auth","token":"@person","clientId":"ws-1"}', '{"type":"ping"}'],
           "a token with a bit flipped": ['{"type":"auth","token":"@flipped"}'],
           "not JSON": ["hello"]}

# ---- damage -------------------------------------------------------------------------------------

DAMAGED = {
    "replica, cut": {"of": "replica/pending.db", "how": ["cut", 5000], "run": ["status"]},
    "replica, no database": {"of": "replica/pending.db", "how": ["put", 0, "00" * 32],
                             "run": ["status"]},
    "replica, a newer format": {
        "of": "replica/pending.db", "run": ["status"],
        "sql": "UPDATE sigla_state SET v = v + 1 WHERE k = 'format'"},
    "replica, a newer format, sync": {
        "of": "replica/pending.db", "run": ["sync"],
        "sql": "UPDATE sigla_state SET v = v + 1 WHERE k = 'format'"},
    "replica, marks cut": {
        "of": "replica/keys.db", "run": ["marks", "texts", "t1"],
        "sql": "UPDATE sigla_rec SET m = substr(m, 1, 3)"},
    "replica, queue cut": {
        "of": "replica/pending.db", "run": ["pending"],
        "sql": "UPDATE sigla_outbox SET ops = substr(ops, 1, 2)"},
    "replica, queue cut, sync": {
        "of": "replica/pending.db", "run": ["sync"],
        "sql": "UPDATE sigla_outbox SET ops = substr(ops, 1, 2)"},
    "server, cut": {"of": "server/sigla.db", "how": ["cut", 5000], "run": ["serve"]},
    "server, no database": {"of": "server/sigla.db", "how": ["put", 0, "00" * 32],
                            "run": ["serve"]},
    "server, a newer format": {"of": "server/sigla.db", "run": ["serve"],
                               "sql": "UPDATE kv SET value = CAST('9' AS BLOB) WHERE key = 'schema'"},
    "server, another's database": {"of": "server/sigla.db", "run": ["serve"],
                                   "sql": "ALTER TABLE kv RENAME TO vk"},
    "server, a key cut": {"of": "server/server.key", "how": ["cut", 40], "run": ["serve"]},
}

# The exchange, which of its answers, and what is done to it.
DAMAGED_ANSWERS = {
    "a page by columns, cut": ("fresh", 1, ["cut", 200]),
    "a page by columns, a bit of its data flipped": ("fresh", 1, ["flip", 3000]),
    "an answer to a push, cut": ("fresh", 0, ["cut", 100]),
    "an answer to a push, a bit flipped": ("fresh", 0, ["flip", 0]),
}


def main():
    number = golden.current_format()
    folder = golden.folder_of(number)
    if number in RELEASED:
        sys.exit(f"format {number} is released: its files stay as they are")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    m = Maker(folder)
    m.tokens = with_bad_tokens(m.tokens)
    first = m.fill()
    m.make_fresh()
    m.make_pending()
    m.make_conflicts(first)
    m.make_parked(first)
    m.make_refused()
    m.make_unknown()
    m.make_hydrating()
    first.sync()
    m.write_server()
    made_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    m.manifest = {"format": number, "madeAt": made_at, "tokens": m.tokens}
    m.write_replicas()
    m.write_exchanges()
    m.write_requests()
    m.write_stream()
    m.write_socket()
    m.write_damaged()
    m.write_damaged_answers()
    (folder / "manifest.json").write_text(text_of(m.manifest))
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{folder.relative_to(ROOT)}: {size // 1024} kB")


def text_of(manifest):
    """JSON with a line for each case."""
    parts = []
    for key, value in manifest.items():
        if isinstance(value, dict):
            cases = (f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            parts.append(f"{json.dumps(key)}: {{\n" + ",\n".join(cases) + "\n}")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
