"""What make.py writes and check_golden.py opens: files, recorded exchanges, and how both are read.

A folder format-N holds, of each database format that was released, and of the one that will be:

    manifest.json           what is there, and what must come out of it
    replica/NAME.db.xz      a device's database
    server/                 a server's data, compressed file by file
    wire/NAME/I.request     bodies that a device sent to that server, as they were on the wire
    wire/NAME/I.answer      and what it was answered
"""

import base64
import hashlib
import http.client
import http.server
import json
import lzma
import re
import shutil
import socket
import sqlite3
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import server_load  # noqa: E402
from sigla_e2e import PATIENCE_S, Server, connect, new_path, sigla  # noqa: E402

MANY = 40  # rows beyond which their digest stands for them
KEPT_HEADERS = "Content-Type", "Content-Encoding", "Accept-Encoding", "X-Client-Id", "Authorization"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
CURSOR = re.compile(r"(c[0-9a-f]{16}-[0-9a-f]{16}-)[0-9a-f]{8}")
WORDING = "says", "message", "detail", "reason"
CLOSE = 8  # opcode of a WebSocket
LISTS = "pending", "conflicts", "refused", "parked"


def folder_of(number):
    return HERE / f"format-{number}"


def current_format():
    """The format that this build writes."""
    with closing(connect(new_path("format.db"))) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        db.execute("SELECT sigla_track('t')")
        return int(db.execute("SELECT v FROM sigla_state WHERE k = 'format'").fetchone()[0])


# ---- files --------------------------------------------------------------------------------------

def pack(path, into):
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_bytes(lzma.compress(path.read_bytes(), preset=9))


def unpack(packed, name=None):
    """A copy to work on."""
    path = new_path(name or packed.name.removesuffix(".xz"))
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


def unpack_server(folder):
    data = new_path("server")
    data.mkdir(mode=0o700)
    for packed in (folder / "server").iterdir():
        shutil.copy(unpack(packed), data / packed.name.removesuffix(".xz"))
    return data


def damage(content, how):
    """Bytes damaged as a manifest says it: ["cut", n], ["flip", bit], ["put", at, hex]."""
    content = bytearray(content)
    if how[0] == "cut":
        return bytes(content[:how[1]])
    if how[0] == "flip":
        content[how[1] // 8] ^= 1 << how[1] % 8
    if how[0] == "put":
        new = bytes.fromhex(how[2])
        content[how[1]:how[1] + len(new)] = new
    return bytes(content)


# ---- what a replica holds -----------------------------------------------------------------------

def plain(value):
    if isinstance(value, bytes):
        return {"blob": base64.b64encode(value).decode()}
    return value


def sqlite_value(value):
    return base64.b64decode(value["blob"]) if isinstance(value, dict) else value


def few(items):
    """Many of them are told by their number and digest."""
    if len(items) <= MANY:
        return items
    digest = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()
    return {"count": len(items), "sha256": digest}


def dicts(db, sql, *values):
    rows = db.execute(sql, values)
    names = [d[0] for d in rows.description]
    return [dict(zip(names, map(plain, row))) for row in rows]


def rows_of(db, table):
    return dicts(db, f'SELECT * FROM "{table}" ORDER BY 1, 2')


def marks_of(db, table):
    keys = [f'k."{row[1]}"' for row in sorted(db.execute(f'PRAGMA table_info("{table}")'),
                                              key=lambda row: row[5]) if row[5]]
    order = ", ".join(keys)
    return dicts(db, f'SELECT sigla_id(?1, {order}) AS id, m.* FROM "{table}" k, '
                     f'sigla_marks(?1, {order}) m ORDER BY {order}, m.field', table)


def content_of(path, gone=()):
    """All that can be read of a replica; `gone` names deleted records: [[table, key…]]."""
    with closing(connect(path)) as db:
        status = json.loads(db.execute("SELECT sigla_status()").fetchone()[0])
        tables = [t["name"] for t in status["tables"] if not t["missing"]]
        found = {name: dicts(db, f"SELECT * FROM sigla_{name}({'1' if name == 'conflicts' else ''})")
                 for name in LISTS}
        found["rows"] = {t: few(rows_of(db, t)) for t in tables}
        found["marks"] = {t: few(marks_of(db, t)) for t in tables}
        found["gone"] = [dicts(db, f"SELECT * FROM sigla_marks({', '.join('?' * len(key))})",
                               *map(sqlite_value, key)) for key in gone]
    found["status"] = {k: status[k] for k in ("initialised", "client", "user", "apps", "tables")}
    return found


def result_of(path):
    """What must come of a replica that has synced with the server beside it; no time is in it."""
    found = content_of(path)
    return {"rows": found["rows"], **{name: len(found[name]) for name in LISTS}}


# ---- comparing ----------------------------------------------------------------------------------

def masked(value, made_at):
    """Times from after the files were made, and what is computed from them, are of no account."""
    if isinstance(value, dict):
        return {k: masked(v, made_at) for k, v in value.items()}
    if isinstance(value, list):
        return [masked(v, made_at) for v in value]
    if isinstance(value, str):
        value = TIME.sub(lambda m: "<time>" if m.group() > made_at else m.group(), value)
        return CURSOR.sub(r"\1<proof>", value)
    return value


def without_wording(value):
    """What later versions may say in other words is left out."""
    if isinstance(value, dict):
        return {k: without_wording(v) for k, v in value.items() if k not in WORDING}
    return [without_wording(v) for v in value] if isinstance(value, list) else value


def lacks(got, want, where=""):
    """The first thing of `want` that `got` does not have; a later version may have more members."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in want:
            if key not in got:
                return f"{where}/{key} is missing"
        found = (lacks(got[key], want[key], f"{where}/{key}") for key in want)
        return next(filter(None, found), None)
    if isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        found = (lacks(*pair, f"{where}/{i}") for i, pair in enumerate(zip(got, want)))
        return next(filter(None, found), None)
    return None if got == want else f"{where} is {json.dumps(got)}, not {json.dumps(want)}"


# ---- HTTP ---------------------------------------------------------------------------------------

def ask(url, method, path, headers, body):
    """(status, headers, body), the body as it was on the wire."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)) as c:
        c.request(method, path, body or None, headers)
        answer = c.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


@contextmanager
def serving(answer):
    """A server that gives what answer(method, path, headers, body) returns; its URL. Where the
    status is None, the bytes are all of a stream's answer."""
    over = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = answer(self.command, self.path, dict(self.headers), body)
            if status is None:
                self.wfile.write(content)  # with its head, and held open
                over.wait(PATIENCE_S)
                self.close_connection = True
                return
            self.send_response(status)
            for name in KEPT_HEADERS:
                if name in headers:
                    self.send_header(name, headers[name])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass  # who asked has gone

    with Quiet(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            over.set()
            server.shutdown()


class Talk:
    """A connection whose bytes are looked at."""

    def __init__(self, url, sent):
        where = urlsplit(url)
        self.socket = socket.create_connection((where.hostname, where.port), PATIENCE_S)
        self.send = self.socket.sendall
        self.got = b""
        self.send(sent)

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise AssertionError(f"the server has hung up after {self.got[-200:]}")
        self.got += got

    def until(self, *words):
        """What has come when each of the words has, one after the other."""
        at = 0
        for word in words:
            while (found := self.got.find(word, at)) < 0:
                self.more()
            at = found + len(word)
        return self.got[:at]

    def frame(self, at):
        """The short WebSocket frame that begins there: opcode and payload."""
        while len(self.got) < at + 2 or len(self.got) < at + 2 + self.got[at + 1]:
            self.more()
        return self.got[at] & 15, self.got[at + 2:at + 2 + self.got[at + 1]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()



@contextmanager
def server_of(folder):
    with Server(unpack_server(folder)) as server:
        yield server


def authorized(request, tokens):
    return {**request["headers"], "Authorization": f"Bearer {tokens[request['who']]}"}


def answer_to(url, request, tokens, made_at):
    status, _, body = ask(url, request["method"], request["path"], authorized(request, tokens),
                          base64.b64decode(request["body"]))
    return {"status": status, "answer": masked(json.loads(body), made_at)}


def frames_answered(url, frames, tokens):
    """What a server says to these texts, frame by frame: [opcode, text], a close as its code."""
    head = ("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    answered = []
    with Talk(url, head.encode()) as talk:
        at = len(talk.until(b"\r\n\r\n"))
        for text in frames:
            text = re.sub("@([a-z]+)", lambda m: tokens[m.group(1)], text)
            talk.send(server_load.masked(text.encode()))
            opcode, payload = talk.frame(at)
            at += 2 + len(payload)
            is_close = opcode == CLOSE
            answered.append([opcode, int.from_bytes(payload[:2], "big") if is_close
                             else payload.decode()])
    return answered


# ---- recorded exchanges -------------------------------------------------------------------------

def answers_to_recorded(folder, name, lines, made_at):
    """What a server says to these requests, asked not to compress its answers."""
    answers = []
    with server_of(folder) as server:
        for i, line in enumerate(lines):
            request = (folder / "wire" / name / f"{i}.request").read_bytes()
            headers = {**line["headers"], "Accept-Encoding": "identity"}
            status, _, body = ask(server.url, line["method"], line["path"], headers, request)
            answer = masked(json.loads(body), made_at)
            if len(answer.get("serverChanges", ())) > MANY:
                answer["serverChanges"] = f"{len(answer['serverChanges'])} records"
            answers.append({"status": status, "answer": answer})
    return answers


def recorded_answers(folder, name, exchange, replace=None):
    """What a server said then, to be said again: each answer once, to the request it was given to.
    `replace`: {line: bytes} of answers that are damaged."""
    left = [(i, line) for i, line in enumerate(exchange["lines"])]

    def answer(method, path, headers, body):
        for i, line in left:
            if (method, path.split("?")[0]) != (line["method"], line["path"].split("?")[0]):
                continue
            content = (folder / "wire" / name / f"{i}.answer").read_bytes()
            if replace and i in replace:
                return line["status"], line["answered"], replace[i]
            left.remove((i, line))
            return line["status"], line["answered"], content
        return 503, {}, b"{}"

    return answer


def following(folder, told):
    """The recorded stream, and to all else the answer that there is nothing new."""
    events = (folder / "wire" / "stream" / "events").read_bytes()

    def answer(method, path, headers, body):
        if path.split("?")[0].endswith("/stream"):
            return None, {}, events
        return recorded_answers(folder, "stream", told)(method, path, headers, body)

    return answer


def outcome_of_answer(folder, exchange, case):
    """A device is given a damaged answer: how its sync ends, and what it holds then."""
    path = unpack(folder / "replica" / f"{case['of']}.db.xz")
    whole = (folder / "wire" / case["of"] / f"{case['line']}.answer").read_bytes()
    broken = {case["line"]: damage(whole, case["how"])}
    with serving(recorded_answers(folder, case["of"], exchange, broken)) as url:
        sigla("init", path, "--server", url)
        result = sigla("sync", path, "--timeout", "3s", expect=None)
    said = result.stderr.replace(str(path), "FILE").replace(url, "URL")
    return {"exit": result.returncode, "says": said, "after": result_of(path)}


# ---- damage -------------------------------------------------------------------------------------

def outcome_of_damage(folder, case):
    """Run what a case says on what it has damaged: the exit code, what is said, and what is left."""
    data = unpack_server(folder)
    kind, name = case["of"].split("/")
    path = data / name if kind == "server" else unpack(folder / f"{case['of']}.xz")
    if "how" in case:
        path.write_bytes(damage(path.read_bytes(), case["how"]))
    else:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(case["sql"])
    before = path.read_bytes()
    verb, *words = case["run"]
    if kind == "server":
        result = sigla(verb, "--data", data, "--listen", "127.0.0.1:0", expect=None)
    else:
        result = sigla(verb, path, *words, expect=None)
    said = result.stderr.replace(str(path), "FILE").replace(str(data), "FOLDER")
    return {"exit": result.returncode, "says": said, "unchanged": path.read_bytes() == before}
