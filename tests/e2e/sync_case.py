"""What the end-to-end tests of the laws share: one server a class, a user a test, and the question
whether all replicas and the server are equal, data and marks."""

import json
import os
import unittest

import server_state
from sigla_e2e import BUILD, Device, Server, sync_all

TASKS = "CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT, note TEXT)"
FIELDS = "title", "done", "note"
APP = "default"
REPLAY = BUILD / os.environ.get("SIGLA_MODE", "release") / "tests" / "e2e" / "replay"


def agent_actor(name):
    return json.dumps({"kind": "ai", "principalId": name, "displayName": name.title(),
                       "missionId": "m1", "iterationId": "i1", "rationale": "because"})


class Agent(Device):
    """A device with an agent's token: every statement is written as the agent."""

    def __init__(self, server, user, name="bot"):
        super().__init__(server, user, agent=name)
        self.name = name

    def execute(self, *statements):
        return super().execute(("SELECT sigla_as(?)", agent_actor(self.name)), *statements)


class SyncCase(unittest.TestCase):
    """Each test has a user of its own, so that tests do not see each other's records."""

    maxDiff = None
    _users = 0

    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        SyncCase._users += 1
        self.user = f"user{SyncCase._users}"

    def device(self, schema=TASKS, tables=("tasks",), kind=Device, **options):
        """A device past its first hydration."""
        device = kind(self.server, self.user, **options)
        if schema:
            device.execute(*(schema if isinstance(schema, tuple) else (schema,)))
        for table in tables:
            device.track(table)
        device.sync()
        return device

    def devices(self, count, **options):
        return [self.device(**options) for _ in range(count)]

    def with_task(self, *devices, **fields):
        """The record t1, made by the first device and known to all."""
        values = [fields.get(f) for f in FIELDS]
        devices[0].execute(("INSERT INTO tasks(id, title, done, note) VALUES('t1',?,?,?)", *values))
        sync_all(*devices)

    @staticmethod
    def put(device, field, value, key="t1"):
        device.execute((f'UPDATE tasks SET "{field}" = ? WHERE id = ?', value, key))

    @staticmethod
    def get(device, field, key="t1"):
        rows = device.execute((f'SELECT "{field}" FROM tasks WHERE id = ?', key))
        return rows[0][0] if rows else None

    @staticmethod
    def conflicts(device):
        """(key, field, kind, wasLocal, nowServer) of what is listed, as Python's values."""
        return [(c["key"], c["field"], c["kind"], c["wasLocal"], c["nowServer"])
                for c in device.json("conflicts")]

    def assert_no_conflicts(self, *devices):
        for device in devices:
            self.assertEqual(self.conflicts(device), [])

    # ---- equality ------------------------------------------------------------------------------

    @staticmethod
    def state(device, table="tasks"):
        """{key: {field: (value, at, client, n, seq)}} as a replica has it."""
        rows = device.execute(
            ("SELECT k.id, m.field, m.value, m.at, m.client, m.n, m.seq "
             f'FROM "{table}" k, sigla_marks(?, k.id) m', table))
        state = {str(key): {} for key, in device.execute(f'SELECT id FROM "{table}"')}
        for key, field, value, *mark in rows:
            state[str(key)][field] = (json.loads(value), *mark)
        return state

    def server_state(self, table="tasks", app=APP):
        found = server_state.records(self.server, app, self.server.token(self.user))
        return {key: {f: (value, m.at, m.client, m.n, m.seq)
                      for f, (value, m) in record["fields"].items()}
                for (t, key), record in found.items() if t == table and not record["dead"]}

    def assert_equal_everywhere(self, *devices, table="tasks"):
        """After everybody has synced: data and marks (L2)."""
        sync_all(*devices)
        there = self.server_state(table)
        for device in devices:
            self.assertEqual(self.state(device, table), there, device.path)
            status = device.json("status")
            self.assertEqual([status[k] for k in ("pending", "refused", "parked")], [0, 0, 0])
