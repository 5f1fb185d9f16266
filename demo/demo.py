#!/usr/bin/python3
"""A story with Sigla: Ann's laptop, phone and desk and an agent share this machine's own package
database, mostly offline. What happens is printed; at the end it is proved that all replicas and the
server are equal, data and marks.

    python3 demo/demo.py [--build build] [--keep]

Everything happens in a temporary folder, on a server of its own. The exit code is 0 only if every
proof holds.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATUS = Path("/var/lib/dpkg/status")
TABLE = """CREATE TABLE packages(
  name TEXT PRIMARY KEY, version TEXT, architecture TEXT, status TEXT, priority TEXT,
  section TEXT, size_kb INTEGER, maintainer TEXT, homepage TEXT, source TEXT,
  multi_arch TEXT, depends TEXT, recommends TEXT, suggests TEXT, summary TEXT, note TEXT)"""
COLUMNS = ["Version", "Architecture", "Status", "Priority", "Section", "Installed-Size",
           "Maintainer", "Homepage", "Source", "Multi-Arch", "Depends", "Recommends", "Suggests",
           "Description"]
AGENT = {"kind": "ai", "principalId": "tidy", "displayName": "Tidy",
         "missionId": "plain-words", "iterationId": "1"}


# ---- telling ------------------------------------------------------------------------------------

def styled(code, text):
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else f"\033[{code}m{text}\033[0m"


def scene(title):
    print(f"\n{styled('1', title)}")


def say(text):
    print(styled("2", text), flush=True)


class Proofs:
    """What has been proved, and what has not."""

    def __init__(self):
        self.held = self.failed = 0

    def that(self, claim, holds):
        self.held += bool(holds)
        self.failed += not holds
        mark = styled("32", "✓") if holds else styled("1;31", "✗ NOT TRUE:")
        print(f"  {mark} {claim}", flush=True)


# ---- devices ------------------------------------------------------------------------------------

class Actor:
    """One of the four: a database file, and a prompt before what is done with it."""

    def __init__(self, story, name, agent=None):
        self.story, self.name, self.agent = story, name, agent
        self.device = story.e2e.Device(story.server, "ann", path=story.folder / f"{name}.db",
                                       agent=agent)
        self.write(TABLE, quiet=True)
        self.device.track("packages")

    def prompt(self, text):
        print(f"{styled('1;36', self.name)}{styled('2', '>')} {text}", flush=True)

    def write(self, sql, *values, quiet=False, why=None):
        """One statement, one transaction; shown with its values in place."""
        if not quiet:
            shown = sql
            for value in values:
                shown = shown.replace("?", "'" + str(value).replace("'", "''") + "'", 1)
            self.prompt(shown)
        db = self.device.connect()
        if self.agent:
            actor = {**AGENT, "rationale": why or "tidying"}
            db.execute("SELECT sigla_as(?)", (json.dumps(actor),))
        with db:
            db.execute(sql, values)
        db.close()

    def cli(self, verb, *args):
        """Run a verb as one would type it, with its output for all to see."""
        command = ["sigla", verb, f"{self.name}.db", *map(str, args)]
        self.prompt(" ".join(command))
        # Hints for the next step would only be in the way: the story goes on by itself.
        subprocess.run([self.story.e2e.SIGLA, *command[1:]], cwd=self.story.folder, check=True,
                       stdin=subprocess.DEVNULL, timeout=self.story.e2e.PATIENCE_S,
                       stderr=subprocess.DEVNULL)

    def sync(self):
        self.device.sync()

    def value(self, field, name):
        rows = self.device.execute((f"SELECT {field} FROM packages WHERE name = ?", name))
        return rows[0][0] if rows else None

    def conflicts(self):
        return self.device.json("conflicts")

    def state(self):
        """{name: {field: (value, at, client, n, seq)}}: data and marks."""
        db = self.device.connect()
        state = {name: {} for name, in db.execute("SELECT name FROM packages")}
        for name, field, value, *mark in db.execute(
                "SELECT p.name, m.field, m.value, m.at, m.client, m.n, m.seq"
                " FROM packages p, sigla_marks('packages', p.name) m"):
            state[name][field] = (json.loads(value), *mark)
        db.close()
        return state


def read_packages():
    """(name, version, …) of this machine's packages, also of those here for two architectures."""
    rows = {}
    for block in STATUS.read_text("utf-8", "replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines()
                      if ": " in line and not line.startswith(" "))
        if "Package" not in fields:
            continue
        name = fields["Package"]
        if name in rows:
            name += ":" + fields.get("Architecture", "other")
        values = [fields.get(column) for column in COLUMNS]
        values[5] = int(values[5]) if values[5] else None
        rows[name] = (name, *values, None)
    return list(rows.values())


# ---- the story ----------------------------------------------------------------------------------

class Story:
    def __init__(self, build, folder):
        os.environ["SIGLA_BUILD"] = str(build)
        sys.path.insert(0, str(ROOT / "tests" / "e2e"))
        import server_state
        import sigla_e2e
        self.e2e, self.server_state = sigla_e2e, server_state
        self.folder, self.proofs = folder, Proofs()
        self.server = sigla_e2e.Server(data=folder / "server")

    def play(self):
        with self.server:
            self.laptop, self.phone = Actor(self, "laptop"), Actor(self, "phone")
            self.desk = Actor(self, "desk")
            self.agent = Actor(self, "agent", agent="tidy")
            self.import_packages()
            self.edit_different_fields()
            self.edit_the_same_field()
            self.delete_against_an_edit()
            self.an_agent_at_work()
            self.a_new_device()
            self.prove_equality()
        return self.proofs.failed == 0

    def everybody(self):
        return [self.laptop, self.phone, self.desk, self.agent]

    def sync_all(self):
        """Twice, so that the first to sync gets what the last has written."""
        for actor in self.everybody() * 2:
            actor.sync()

    def all_quiet(self, *actors):
        return not any(actor.conflicts() for actor in actors or self.everybody())

    def import_packages(self):
        packages = read_packages()
        scene(f"This machine's {len(packages)} packages, each a record of 15 fields and a key")
        began = time.monotonic()
        db = self.laptop.device.connect()
        with db:
            db.executemany(f"INSERT INTO packages VALUES({','.join('?' * 16)})", packages)
        db.close()
        self.laptop.prompt(f"INSERT INTO packages VALUES(…)  -- {len(packages)} rows at once")
        self.laptop.cli("sync")
        for actor in self.everybody()[1:]:
            actor.sync()
        say(f"phone, desk and agent have pulled them too; {time.monotonic() - began:.1f} s in all")
        self.proofs.that("all four have the same rows", len({
            str(a.device.rows("packages")) for a in self.everybody()}) == 1)

    def pick(self, wanted):
        """A package of that name if it is here, else the next one nobody has used."""
        names = [row[0] for row in self.laptop.device.rows("packages")]
        self.used = getattr(self, "used", set())
        name = next(n for n in [wanted, *names] if n in names and n not in self.used)
        self.used.add(name)
        return name

    def edit_different_fields(self):
        name = self.pick("bash")
        scene("Offline, two edits of one record, in different fields")
        self.laptop.write("UPDATE packages SET note = ? WHERE name = ?", "my shell", name)
        self.phone.write("UPDATE packages SET priority = ? WHERE name = ?", "essential", name)
        self.sync_all()
        both = [(a.value("note", name), a.value("priority", name)) for a in self.everybody()]
        self.proofs.that("both edits are kept, everywhere",
                         set(both) == {("my shell", "essential")})
        self.proofs.that("nobody is bothered", self.all_quiet())

    def edit_the_same_field(self):
        name = self.pick("coreutils")
        scene("Offline, two edits of the same field")
        note, other = "ask Ben before removing", "ls, cp, mv and friends"
        self.laptop.write("UPDATE packages SET note = ? WHERE name = ?", note, name)
        self.desk.write("UPDATE packages SET note = ? WHERE name = ?", other, name)
        self.sync_all()
        say("The later edit has won. The earlier was overwritten unseen, and its writer is told:")
        self.laptop.cli("conflicts")
        raised = self.laptop.conflicts()
        self.proofs.that("it is raised once, where it was written",
                         [c["wasLocal"] for c in raised] == [note]
                         and self.all_quiet(self.phone, self.desk, self.agent))
        self.sync_all()
        self.proofs.that("and only once, however often one syncs",
                         self.laptop.conflicts() == raised)
        self.laptop.cli("restore", raised[0]["id"])
        self.sync_all()
        self.proofs.that("restored, everybody has it",
                         {a.value("note", name) for a in self.everybody()} == {note})
        self.proofs.that("nothing is left to decide", self.all_quiet())

    def delete_against_an_edit(self):
        name = self.pick("tzdata")
        scene("A delete against an edit")
        before = self.desk.device.execute(("SELECT * FROM packages WHERE name = ?", name))[0]
        note = "needed for the calendar"
        self.desk.write("UPDATE packages SET note = ? WHERE name = ?", note, name)
        self.phone.write("DELETE FROM packages WHERE name = ?", name)
        self.sync_all()
        self.proofs.that("the record is gone everywhere",
                         all(a.value("name", name) is None for a in self.everybody()))
        say("But what was typed into it is not lost:")
        self.desk.cli("conflicts")
        raised = self.desk.conflicts()
        self.proofs.that("the edit is raised at the desk",
                         [(c["kind"], c["wasLocal"]) for c in raised] == [("deleted", note)])
        self.desk.cli("restore", raised[0]["id"])
        self.sync_all()
        whole = (*before[:-1], note)
        self.proofs.that("restored, the whole record is back, everywhere", all(
            a.device.execute(("SELECT * FROM packages WHERE name = ?", name)) == [whole]
            for a in self.everybody()))

    def an_agent_at_work(self):
        name, other = self.pick("dpkg"), self.pick("sed")
        scene("An agent at work, offline as well")
        self.agent.write("UPDATE packages SET summary = upper(summary) WHERE name = ?", name,
                         why="summaries in plain words")
        self.agent.write("UPDATE packages SET note = ? WHERE name = ?", "edits text as it flows by",
                         other, why="notes for beginners")
        words = "installs packages"
        self.phone.write("UPDATE packages SET summary = ? WHERE name = ?", words, name)
        self.sync_all()
        self.proofs.that("Ann's edit stands",
                         {a.value("summary", name) for a in self.everybody()} == {words})
        self.proofs.that("the agent has lost silently", not self.agent.conflicts())
        self.proofs.that("where nobody else wrote, its work is everywhere",
                         {a.value("note", other) for a in self.everybody()}
                         == {"edits text as it flows by"})
        say("Every field knows who wrote it:")
        self.show_marks(self.laptop, other, ("note", "summary"))

    def show_marks(self, actor, name, fields):
        actor.prompt(f"SELECT field, value, at, actor FROM sigla_marks('packages', '{name}')")
        for field, mark in actor.device.marks("packages", name).items():
            if field in fields:
                who = mark["actor"]
                why = f" ({who['rationale']})" if who.get("rationale") else ""
                value = str(mark["value"])
                print(f"  {field:8} {value[:34]:34} {mark['at'][11:19]}  "
                      f"{who['kind']} {who['displayName']}{why}")

    def a_new_device(self):
        scene("A new device")
        began = time.monotonic()
        self.tablet = Actor(self, "tablet")
        self.tablet.cli("sync")
        say(f"from nothing to level in {time.monotonic() - began:.1f} s")

    def prove_equality(self):
        scene("Proof")
        self.sync_all()
        self.tablet.sync()
        token = self.server.token("ann")
        records = self.server_state.records(self.server, "default", token)
        there = {key: {field: (value, m.at, m.client, m.n, m.seq)
                       for field, (value, m) in record["fields"].items()}
                 for (_, key), record in records.items() if not record["dead"]}
        fields = sum(map(len, there.values()))
        say(f"{len(there)} records, {fields} fields, each with its mark: "
            "time, device, number and place in the server's order")
        print(f"  server  {fingerprint(there)}")
        for actor in [*self.everybody(), self.tablet]:
            state = actor.state()
            self.proofs.that(f"{actor.name:7} {fingerprint(state)}", state == there)
            status = actor.device.json("status")
            if status["pending"] or status["refused"] or status["parked"] or actor.conflicts():
                self.proofs.that(f"{actor.name} has nothing left to do", False)


def fingerprint(state):
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:32]


def main():
    parser = argparse.ArgumentParser(
        description="Ann's devices and an agent share a database, mostly offline.")
    parser.add_argument("--build", default=ROOT / "build", type=Path, help="the build folder")
    parser.add_argument("--keep", action="store_true", help="keep the databases, and say where")
    args = parser.parse_args()
    if not STATUS.exists():
        sys.exit(f"The demo plays with Debian's package database; there is no {STATUS} here.")
    if not (args.build / "sigla").exists():
        sys.exit(f"There is no {args.build / 'sigla'}: ./dev demo builds it first.")
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="sigla-demo-"))
    story = Story(args.build.resolve(), folder)
    try:
        good = story.play()
    finally:
        story.server.kill()
        if args.keep:
            print(f"\nThe databases are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    proofs = story.proofs
    print(f"\n{proofs.held} of {proofs.held + proofs.failed} proofs hold; "
          f"{time.monotonic() - began:.1f} s.")
    if good:
        print("Every replica and the server are equal, data and marks.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
