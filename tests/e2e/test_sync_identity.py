#!/usr/bin/python3
"""Whose database is it: copies, backups, new files and other users (L8, L12, L13), through the real
binary and the extension.

timeout: 300
"""

import shutil
import unittest

from sigla_e2e import Device, Server, new_path, sigla, sync_all
from sync_case import TASKS, SyncCase


def copy_of(device, name="copy.db"):
    """As `cp` would make it, from a file nobody has open."""
    path = new_path(name)
    with device.connect() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(device.path, path)
    return Device(device.server, device.user, path=path, init=False)


class Copies(SyncCase):
    def test_a_copied_database_gets_an_id_of_its_own_and_nothing_is_lost(self):
        a = self.device()
        self.with_task(a, title="old")
        copy = copy_of(a)
        a.execute("INSERT INTO tasks VALUES('a1', 'from the original', 0, NULL)")
        a.sync()
        copy.execute("INSERT INTO tasks VALUES('c1', 'from the copy', 0, NULL)")
        copy.execute("INSERT INTO tasks VALUES('c2', 'from the copy', 0, NULL)")
        self.put(copy, "title", "the copy's")
        copy.sync()
        self.assert_equal_everywhere(copy, a)
        ids = [d.json("status")["client"] for d in (a, copy)]
        self.assertNotEqual(*ids)
        self.assertEqual([row[0] for row in a.rows("tasks")], ["a1", "c1", "c2", "t1"])
        self.assertEqual(a.marks("tasks", "c1")["title"]["client"], ids[1])
        self.assertEqual(self.get(a, "title"), "the copy's")
        self.assert_no_conflicts(a, copy)

    def test_a_copy_that_syncs_first_leaves_the_original_to_find_out(self):
        a = self.device()
        self.with_task(a, title="old")
        copy = copy_of(a)
        before = a.json("status")["client"]
        copy.execute("INSERT INTO tasks VALUES('c1', 'from the copy', 0, NULL)")
        copy.sync()
        a.execute("INSERT INTO tasks VALUES('a1', 'from the original', 0, NULL)")
        a.execute("INSERT INTO tasks VALUES('a2', 'from the original', 0, NULL)")
        a.sync()
        self.assert_equal_everywhere(a, copy)
        self.assertEqual([row[0] for row in copy.rows("tasks")], ["a1", "a2", "c1", "t1"])
        self.assertEqual(copy.json("status")["client"], before)
        self.assertNotEqual(a.json("status")["client"], before)

    def test_a_copy_with_unpushed_edits_pushes_them_once(self):
        """Both files hold the same pending change, under the same number."""
        a = self.device()
        self.with_task(a, title="old")
        self.put(a, "title", "pending")
        copy = copy_of(a)
        self.put(a, "note", "the original's")
        self.put(copy, "note", "the copy's")
        sync_all(a, copy)
        self.assert_equal_everywhere(a, copy)
        self.assertEqual(a.rows("tasks"), [("t1", "pending", None, "the copy's")])
        self.assertEqual(copy.rows("tasks"), a.rows("tasks"))

    def test_a_backup_put_back_receives_what_it_had_written_and_goes_on(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        backup = copy_of(a, "backup.db")
        a.execute("INSERT INTO tasks VALUES('t2', 'after the backup', 0, NULL)")
        self.put(a, "title", "after the backup")
        sync_all(a, b)
        shutil.copy(backup.path, a.path)
        self.assertEqual(self.get(a, "title"), "old")
        a.execute("INSERT INTO tasks VALUES('t3', 'after the restore', 0, NULL)")
        self.assert_equal_everywhere(a, b)
        self.assertEqual([row[0] for row in a.rows("tasks")], ["t1", "t2", "t3"])
        self.assertEqual(self.get(a, "title"), "after the backup")
        self.assert_no_conflicts(a, b)

    def test_a_backup_that_only_reads_gets_its_own_history_too(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        backup = copy_of(a, "backup.db")
        self.put(a, "title", "after the backup")
        sync_all(a, b)
        shutil.copy(backup.path, a.path)
        self.assert_equal_everywhere(a, b)
        self.assertEqual(self.get(a, "title"), "after the backup")


class Owners(SyncCase):
    def test_a_new_database_gets_a_new_id_and_its_users_old_history(self):
        a = self.device()
        self.with_task(a, title="old", note="n")
        self.put(a, "title", "new")
        a.sync()
        fresh = self.device()
        self.assertNotEqual(fresh.json("status")["client"], a.json("status")["client"])
        self.assert_equal_everywhere(fresh, a)
        self.assertEqual(fresh.rows("tasks"), [("t1", "new", None, "n")])

    def test_another_user_is_refused_and_gets_nothing(self):
        a = self.device()
        a.execute("INSERT INTO tasks VALUES('t1', 'private', 0, NULL)")
        token = self.server.token("mallory")
        refused = sigla("init", a.path, "--token", token, "--user", "mallory", expect=None)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(self.user, refused.stderr)
        a.sync()
        mallory = Device(self.server, "mallory")
        mallory.execute(TASKS)
        mallory.track("tasks")
        mallory.sync()
        self.assertEqual(mallory.rows("tasks"), [])

    def test_the_id_survives_a_new_token_and_another_address_of_the_server(self):
        a = self.device()
        before = a.json("status")["client"]
        sigla("init", a.path, "--token", self.server.token(self.user),
              "--server", self.server.url.replace("127.0.0.1", "localhost"))
        self.with_task(a, title="old")
        self.assertEqual(a.json("status")["client"], before)


class Servers(SyncCase):
    def test_a_server_put_back_from_its_backup_gets_everything_again(self):
        """The devices have acknowledged changes that this server has never heard of."""
        server = Server().start()
        a, b = (Device(server, "ann") for _ in range(2))
        for device in a, b:
            device.execute(TASKS)
            device.track("tasks")
        a.execute("INSERT INTO tasks VALUES('t1', 'in the backup', 0, NULL)")
        sync_all(a, b)
        server.stop()
        kept = new_path("server")
        shutil.copytree(server.data, kept)
        server.start()
        self.put(a, "title", "after the backup")
        sync_all(a, b)
        server.stop()
        shutil.rmtree(server.data)
        shutil.copytree(kept, server.data)
        server.start()
        self.put(b, "note", "still there")
        sync_all(b, a, rounds=3)
        for device in a, b:
            self.assertEqual(device.rows("tasks"), [("t1", "after the backup", 0, "still there")])
        fresh = Device(server, "ann")
        fresh.execute(TASKS)
        fresh.track("tasks")
        fresh.sync()
        self.assertEqual(fresh.rows("tasks"), a.rows("tasks"))
        self.assert_no_conflicts(a, b, fresh)
        server.stop()

    def test_a_copy_put_back_whose_seqs_have_passed_the_old_cursors_is_noticed(self):
        """L7: the old cursors' seqs are other changes' now. Nothing is lost, hidden or doubled."""
        server = Server().start()
        a, b, c = (Device(server, "ann") for _ in range(3))
        for device in a, b, c:
            device.execute(TASKS)
            device.track("tasks")
        a.execute("INSERT INTO tasks VALUES('t1', 'in the copy', 0, NULL)")
        sync_all(a, b, c)
        server.stop()
        kept = new_path("server")
        shutil.copytree(server.data, kept)
        server.start()
        self.put(a, "title", "after the copy")
        a.execute("INSERT INTO tasks VALUES('t2', 'new', 0, NULL)")
        sync_all(a, b)
        server.stop()
        shutil.rmtree(server.data)
        shutil.copytree(kept, server.data)
        server.start()
        for i in range(8):
            c.execute((f"INSERT INTO tasks VALUES('c{i}', 'from another device', ?, NULL)", i))
            c.sync()
        self.put(b, "note", "still there")
        sync_all(b, a, c, rounds=3)
        fresh = Device(server, "ann")
        fresh.execute(TASKS)
        fresh.track("tasks")
        fresh.sync()
        want = ([(f"c{i}", "from another device", i, None) for i in range(8)]
                + [("t1", "after the copy", 0, "still there"), ("t2", "new", 0, None)])
        for device in a, b, c, fresh:
            self.assertEqual(device.rows("tasks"), want)
            self.assertEqual(self.state(device), self.state(a))
            self.assertEqual(device.json("status")["pending"], 0)
        self.assert_no_conflicts(a, b, c, fresh)
        server.stop()

    def test_an_empty_server_in_its_place_is_filled_again_by_the_devices(self):
        server = Server().start()
        a = Device(server, "ann")
        a.execute(TASKS)
        a.track("tasks")
        a.execute("INSERT INTO tasks VALUES('t1', 'only here now', 0, NULL)")
        a.sync()
        server.stop()
        shutil.rmtree(server.data)
        server.start()
        sigla("init", a.path, "--token", server.token("ann"))
        a.execute("INSERT INTO tasks VALUES('t2', 'new', 0, NULL)")
        a.sync()
        self.assertEqual([row[0] for row in a.rows("tasks")], ["t1", "t2"])
        a.sync()
        fresh = Device(server, "ann")
        fresh.execute(TASKS)
        fresh.track("tasks")
        fresh.sync()
        self.assertEqual(fresh.rows("tasks"), a.rows("tasks"))
        server.stop()


if __name__ == "__main__":
    unittest.main()
