#!/usr/bin/python3
"""Several devices of one user, field by field, through the real binary and the extension: who wins,
what is a conflict and what is none (L2, L3, L5, L6, L12).

timeout: 300
"""

import unittest

from sigla_e2e import Device, new_path, sync_all
from sync_case import TASKS, Agent, SyncCase


class Fields(SyncCase):
    def test_edits_of_different_fields_are_both_kept(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old", note="old")
        self.put(a, "title", "from a")
        self.put(b, "note", "from b")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(a.rows("tasks"), [("t1", "from a", None, "from b")])
        self.assert_no_conflicts(a, b)

    def test_of_two_edits_of_one_field_the_later_wins_in_whatever_order_they_arrive(self):
        for first in 0, 1:
            with self.subTest(first_to_arrive="ab"[first]):
                devices = self.devices(2)
                key = f"t{first}"
                devices[0].execute(("INSERT INTO tasks(id, title) VALUES(?, 'old')", key))
                sync_all(*devices)
                self.put(devices[0], "title", "earlier", key)
                self.put(devices[1], "title", "later", key)
                devices[first].sync()
                self.assert_equal_everywhere(*devices)
                self.assertEqual(self.get(devices[0], "title", key), "later")

    def test_two_early_edits_lose_to_one_later_edit(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        self.put(a, "title", "a1")
        self.put(a, "title", "a2")
        self.put(b, "title", "b")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(self.get(a, "title"), "b")
        self.assertEqual(self.conflicts(a), [("t1", "title", "overwritten", "a2", "b")])
        self.assert_no_conflicts(b)

    def test_there_and_back_is_an_edit(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="x")
        self.put(b, "title", "b")
        self.put(a, "title", "y")
        self.put(a, "title", "x")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(self.get(b, "title"), "x")
        self.assertEqual(self.conflicts(b), [("t1", "title", "overwritten", "b", "x")])
        self.assert_no_conflicts(a)

    def test_the_same_value_written_twice_has_one_writer_everywhere(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        self.put(a, "title", "same")
        self.put(b, "title", "same")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(a.marks("tasks", "t1")["title"]["client"], b.json("status")["client"])
        self.assert_no_conflicts(a, b)

    def test_two_inserts_of_one_key_merge_field_by_field(self):
        a, b = self.devices(2)
        a.execute("INSERT INTO tasks VALUES('t1', 'from a', 1, 'a')")
        b.execute("INSERT INTO tasks VALUES('t1', 'from b', 2, NULL)")
        self.assert_equal_everywhere(a, b)
        self.assertEqual(b.rows("tasks"), [("t1", "from b", 2, None)])
        self.assertEqual(sorted(c[1] for c in self.conflicts(a)), ["done", "note", "title"])
        self.assert_no_conflicts(b)

    def test_ten_devices_end_equal(self):
        devices = self.devices(10)
        self.with_task(*devices, title="old")
        for i, device in enumerate(devices):
            self.put(device, "title", f"title {i}")
            self.put(device, "note", f"note {i}")
        self.assert_equal_everywhere(*reversed(devices))
        self.assertEqual(self.get(devices[3], "title"), "title 9")
        self.assertEqual([len(self.conflicts(d)) for d in devices], [2] * 9 + [0])


class Conflicts(SyncCase):
    def lost_edit(self):
        """a's title lost to b's, unseen."""
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        self.put(a, "title", "mine")
        self.put(b, "title", "theirs")
        sync_all(a, b)
        return a, b

    def test_a_lost_edit_is_raised_once_where_it_was_written_and_outlives_restarts(self):
        a, b = self.lost_edit()
        for _ in range(3):
            sync_all(a, b)
            self.assertEqual(self.conflicts(a), [("t1", "title", "overwritten", "mine", "theirs")])
        self.assert_no_conflicts(b)
        raised = a.json("conflicts")[0]
        self.assertEqual((raised["table"], raised["localActor"]["principalId"],
                          raised["serverActor"]["principalId"], raised["serverOrigin"]),
                         ("tasks", self.user, self.user, "user"))
        self.assertLess(raised["localAt"], raised["serverAt"])
        self.assertEqual(a.sync()["conflicts"], 0)

    def test_it_is_raised_whether_it_came_first_or_last(self):
        for first in 0, 1:
            devices = self.devices(2)
            key = f"t{first}"
            devices[0].execute(("INSERT INTO tasks(id, title) VALUES(?, 'old')", key))
            sync_all(*devices)
            self.put(devices[0], "title", "mine", key)
            self.put(devices[1], "title", "theirs", key)
            devices[first].sync()
            sync_all(*devices)
            self.assertEqual(self.conflicts(devices[0]),
                             [(key, "title", "overwritten", "mine", "theirs")], f"first: {first}")
            self.assert_no_conflicts(devices[1])

    def test_it_does_not_matter_how_much_came_after(self):
        """The first to overwrite it had not seen it; who followed had. Only the last is pulled."""
        a, b, c = self.devices(3)
        self.with_task(a, b, c, title="old")
        self.put(a, "title", "mine")
        a.sync()
        self.put(b, "title", "b did not see it")
        b.sync()
        c.sync()
        self.put(c, "title", "c saw b's")
        c.sync()
        sync_all(a, b, c)
        self.assertEqual(self.conflicts(a), [("t1", "title", "overwritten", "mine", "c saw b's")])
        self.assert_no_conflicts(b, c)

    def test_ten_edits_one_after_another_are_no_conflict(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="0")
        for i in range(1, 11):
            writer = (a, b)[i % 2]
            writer.sync()
            self.put(writer, "title", str(i))
            writer.sync()
        self.assert_equal_everywhere(a, b)
        self.assert_no_conflicts(a, b)

    def test_a_later_edit_of_what_was_pushed_is_no_conflict(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        self.put(a, "title", "mine")
        sync_all(a, b)
        self.put(b, "title", "seen and changed")
        sync_all(b, a)
        self.assert_no_conflicts(a, b)

    def test_nothing_lost_is_no_conflict(self):
        """Clearing a field, and the value that both wrote."""
        a, b = self.devices(2)
        self.with_task(a, b, title="old", note="old")
        self.put(a, "title", None)
        self.put(a, "note", "same")
        self.put(b, "title", "theirs")
        self.put(b, "note", "same")
        self.assert_equal_everywhere(a, b)
        self.assert_no_conflicts(a, b)

    def test_an_agent_loses_silently(self):
        a, agent = self.device(), self.device(kind=Agent)
        self.with_task(a, agent, title="old")
        self.put(agent, "title", "the agent's")
        self.put(a, "title", "a person's")
        self.assert_equal_everywhere(agent, a)
        self.assertEqual(self.get(agent, "title"), "a person's")
        self.assert_no_conflicts(a, agent)

    def test_a_person_who_loses_to_an_agent_is_told(self):
        a, agent = self.device(), self.device(kind=Agent)
        self.with_task(a, agent, title="old")
        self.put(a, "title", "a person's")
        self.put(agent, "title", "the agent's")
        self.assert_equal_everywhere(a, agent)
        self.assertEqual(self.conflicts(a),
                         [("t1", "title", "overwritten", "a person's", "the agent's")])
        raised = a.json("conflicts")[0]
        self.assertEqual((raised["serverOrigin"], raised["serverActor"]["principalId"]),
                         ("agent", "bot"))

    def test_restoring_is_a_fresh_edit_that_everybody_gets(self):
        a, b = self.lost_edit()
        a("restore", a.json("conflicts")[0]["id"])
        self.assert_equal_everywhere(a, b)
        self.assertEqual(self.get(b, "title"), "mine")
        self.assertEqual(a.marks("tasks", "t1")["title"]["origin"], "user")
        self.assert_no_conflicts(a, b)

    def test_what_was_dismissed_does_not_come_back(self):
        a, b = self.lost_edit()
        a("dismiss", a.json("conflicts")[0]["id"])
        self.put(b, "title", "once more")
        sync_all(b, a)
        self.assert_no_conflicts(a, b)
        self.assertEqual(self.get(a, "title"), "once more")

    def test_one_whose_value_comes_back_by_itself_is_withdrawn(self):
        a, b = self.lost_edit()
        self.put(b, "title", "mine")
        sync_all(b, a)
        self.assert_no_conflicts(a, b)

    def test_what_is_lost_in_the_first_hydration_is_kept_but_not_announced(self):
        a = self.device()
        a.execute("INSERT INTO tasks VALUES('t1', 'first', NULL, NULL)")
        b = Device(self.server, self.user)
        b.execute(TASKS)
        b.track("tasks")
        b.execute("INSERT INTO tasks VALUES('t1', 'typed before the first sync', NULL, NULL)")
        a.sync()
        self.put(a, "title", "later")
        sync_all(a, b)
        self.assert_equal_everywhere(a, b)
        self.assertEqual(self.get(b, "title"), "later")
        self.assert_no_conflicts(b)
        kept = b.execute('SELECT field, wasLocal, state FROM sigla_conflicts(1)')
        self.assertEqual(kept, [("title", '"typed before the first sync"', "quiet")])

    def test_an_answer_that_was_lost_does_not_change_the_verdict(self):
        """The push is committed but its answer never arrives; then another edit overtakes it."""
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        self.put(a, "title", "mine")
        before = new_path("before.db")
        with a.connect() as db:
            db.execute("VACUUM INTO ?", (str(before),))
        a.sync()
        self.put(b, "title", "theirs")
        b.sync()
        # As it was when the request went out: the same changes under the same numbers.
        again = Device(self.server, self.user, path=before, init=False)
        self.assertEqual(again.sync()["refused"], 0)
        self.assertEqual(self.conflicts(again), [("t1", "title", "overwritten", "mine", "theirs")])
        self.assertEqual(again.json("status")["client"], a.json("status")["client"])
        self.assert_no_conflicts(b)


class Deletes(SyncCase):
    def test_an_edit_under_a_delete_that_had_not_seen_it_is_raised_and_can_be_restored(self):
        for edit_arrives_first in True, False:
            with self.subTest(edit_arrives_first=edit_arrives_first):
                a, b = self.devices(2)
                key = f"t{edit_arrives_first}"
                a.execute(("INSERT INTO tasks VALUES(?, 'old', 7, 'n')", key))
                sync_all(a, b)
                self.put(a, "title", "mine", key)
                b.execute(("DELETE FROM tasks WHERE id = ?", key))
                (a if edit_arrives_first else b).sync()
                self.assert_equal_everywhere(a, b)
                self.assertIsNone(self.get(a, "title", key))
                self.assertEqual(self.conflicts(a), [(key, "title", "deleted", "mine", None)])
                self.assert_no_conflicts(b)
                a("restore", a.json("conflicts")[0]["id"])
                self.assert_equal_everywhere(a, b)
                row = b.execute(("SELECT * FROM tasks WHERE id = ?", key))
                self.assertEqual(row, [(key, "mine", 7, "n")], "the whole record is back")
                self.assert_no_conflicts(a, b)

    def test_a_later_edit_does_not_bring_a_deleted_record_back(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        b.execute("DELETE FROM tasks")
        self.put(a, "title", "later than the delete")
        self.assert_equal_everywhere(b, a)
        self.assertEqual(a.rows("tasks"), [])
        self.assertEqual(b.rows("tasks"), [])

    def test_a_delete_of_what_was_seen_is_no_conflict(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        self.put(a, "title", "mine")
        sync_all(a, b)
        b.execute("DELETE FROM tasks")
        self.assert_equal_everywhere(b, a)
        self.assert_no_conflicts(a, b)

    def test_an_insert_after_the_delete_makes_the_record_anew(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old", note="old")
        a.execute("DELETE FROM tasks")
        sync_all(a, b)
        b.execute("INSERT INTO tasks(id, title) VALUES('t1', 'new')")
        self.assert_equal_everywhere(b, a)
        self.assertEqual(a.rows("tasks"), [("t1", "new", None, None)])
        self.assert_no_conflicts(a, b)

    def test_deleting_on_both_sides_is_no_conflict(self):
        a, b = self.devices(2)
        self.with_task(a, b, title="old")
        a.execute("DELETE FROM tasks")
        b.execute("DELETE FROM tasks")
        self.assert_equal_everywhere(a, b)
        self.assert_no_conflicts(a, b)

    def test_an_agents_edit_under_a_delete_is_lost_silently(self):
        a, agent = self.device(), self.device(kind=Agent)
        self.with_task(a, agent, title="old")
        self.put(agent, "title", "the agent's")
        a.execute("DELETE FROM tasks")
        self.assert_equal_everywhere(agent, a)
        self.assert_no_conflicts(a, agent)


if __name__ == "__main__":
    unittest.main()
