#!/usr/bin/python3
"""What takes more than one page: hydration and catching up (L2, L7), through the real binary.

timeout: 300
"""

import random
import unittest

from sigla_e2e import sync_all
from sync_case import SyncCase

PAGE = 1000  # records of a page, at most


class Pages(SyncCase):
    def fill(self, device, count, start=0):
        with device.connect() as db:
            rows = [(f"t{i:05}", f"title {i}", i, "note") for i in range(start, start + count)]
            db.executemany("INSERT INTO tasks VALUES(?, ?, ?, ?)", rows)

    def edit_some(self, device, count, field, value):
        """One field of `count` records, each in a transaction of its own, in random order."""
        keys = [key for key, in device.execute("SELECT id FROM tasks")]
        db = device.connect(isolation_level=None)
        db.execute("PRAGMA synchronous = OFF")
        for key in random.Random(count).sample(keys, count):
            db.execute(f'UPDATE tasks SET "{field}" = ? WHERE id = ?', (value, key))
        db.close()

    def test_a_first_hydration_over_several_pages_gets_every_field_of_every_record(self):
        a = self.device()
        self.fill(a, 3 * PAGE)
        a.sync()
        self.edit_some(a, 700, "done", -1)
        self.edit_some(a, 5, "note", "edited")
        a.execute("DELETE FROM tasks WHERE id LIKE '%7'")
        a.execute("INSERT INTO tasks VALUES('t00007', 'again', 0, NULL)")
        self.assert_equal_everywhere(a, self.device())

    def test_catching_up_over_several_pages_gets_every_field_too(self):
        a, b, c = self.devices(3)
        self.fill(a, 2 * PAGE)
        sync_all(a, b, c)
        self.edit_some(a, 1500, "title", "by a")
        a.sync()
        self.edit_some(b, 1500, "note", "by b")
        b.sync()
        self.edit_some(a, 800, "done", -2)
        self.fill(a, 500, start=2 * PAGE)
        a.sync()
        self.assert_equal_everywhere(c, b, a)
        self.assert_no_conflicts(a, b, c)


if __name__ == "__main__":
    unittest.main()
