#!/usr/bin/python3
"""Files and messages of every released format, sound and damaged, read by this build (timeout: 600).

tests/golden/golden.py says what a folder holds, make.py writes that of the current format; what must
be read, or which error must come, was written down then. A change that makes old bytes unreadable
fails here: it needs a new format, a way to bring old files forward, and a folder of its own.
"""

import json
import sys
import unittest
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "golden"))

import golden  # noqa: E402

from cli_case import Watching  # noqa: E402
from sigla_e2e import Device, sigla  # noqa: E402

FOLDERS = sorted(golden.HERE.glob("format-*"))


class Golden(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.manifests = {f: json.loads((f / "manifest.json").read_text()) for f in FOLDERS}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if now < max(m["madeAt"] for m in self.manifests.values()):
            self.skipTest("by this machine's clock the golden files are not made yet")

    def cases(self, part):
        """(folder, its manifest, name, what is recorded)"""
        found = [(folder, manifest, name, told) for folder, manifest in self.manifests.items()
                 for name, told in manifest[part].items()]
        self.assertNotEqual(found, [])
        return found

    def expect(self, folder, got, want):
        """All that is recorded is there; a later version may say more, and in other words."""
        if folder != golden.folder_of(golden.current_format()):
            want = golden.without_wording(want)
        missing = golden.lacks(got, want)
        self.assertIsNone(missing, missing)

    def test_the_current_format_has_its_files(self):
        self.assertIn(golden.folder_of(golden.current_format()), FOLDERS)

    def test_a_replica_is_read_and_syncs_with_its_server(self):
        for folder, manifest, name, told in self.cases("replicas"):
            with self.subTest(format=folder.name, case=name):
                path = golden.unpack(folder / "replica" / f"{name}.db.xz")
                content = golden.masked(golden.content_of(path, told["gone"]), manifest["madeAt"])
                self.expect(folder, content, told["content"])
                with golden.server_of(folder) as server:
                    sigla("init", path, "--server", server.url)
                    sigla("sync", path)
                self.expect(folder, golden.result_of(path), told["after"])

    def test_what_a_device_sent_is_answered_as_it_was(self):
        for folder, manifest, name, told in self.cases("exchanges"):
            with self.subTest(format=folder.name, case=name):
                got = golden.answers_to_recorded(folder, name, told["lines"], manifest["madeAt"])
                self.expect(folder, got, told["answers"])

    def test_what_a_server_answered_is_taken(self):
        for folder, _, name, told in self.cases("exchanges"):
            with self.subTest(format=folder.name, case=name):
                path = golden.unpack(folder / "replica" / f"{name}.db.xz")
                with golden.serving(golden.recorded_answers(folder, name, told)) as url:
                    sigla("init", path, "--server", url)
                    sigla("sync", path)
                self.expect(folder, golden.result_of(path), told["after"])

    def test_a_damaged_answer_changes_nothing(self):
        for folder, manifest, name, told in self.cases("damagedAnswers"):
            with self.subTest(format=folder.name, case=name):
                exchange = manifest["exchanges"][told["of"]]
                self.expect(folder, golden.outcome_of_answer(folder, exchange, told),
                            {k: told[k] for k in ("exit", "says", "after")})

    def test_requests_of_all_kinds_are_answered_as_they_were(self):
        for folder, manifest in self.manifests.items():
            with golden.server_of(folder) as server:
                for name, told in manifest["requests"].items():
                    with self.subTest(format=folder.name, case=name):
                        got = golden.answer_to(server.url, told, manifest["tokens"],
                                               manifest["madeAt"])
                        self.expect(folder, got, {k: told[k] for k in ("status", "answer")})

    def test_a_socket_is_answered_as_it_was(self):
        for folder, manifest, name, told in self.cases("sockets"):
            with self.subTest(format=folder.name, case=name):
                with golden.server_of(folder) as server:
                    got = golden.frames_answered(server.url, told["frames"], manifest["tokens"])
                self.assertEqual(got, told["answer"])

    def test_the_events_of_a_stream_are_taken(self):
        for folder, manifest in self.manifests.items():
            path = golden.unpack(folder / "wire" / "stream" / "follower.db.xz")
            with golden.serving(golden.following(folder, manifest["stream"])) as url:
                sigla("init", path, "--server", url)
                with Watching(Device(None, None, path=path, init=False), "--json") as watching:
                    watching.until('"synced"')
                    self.assertEqual(watching.end(), 0)
            self.expect(folder, golden.result_of(path), manifest["stream"]["after"])

    def test_damage_is_told_and_left_as_it_is(self):
        for folder, _, name, told in self.cases("damaged"):
            with self.subTest(format=folder.name, case=name):
                self.expect(folder, golden.outcome_of_damage(folder, told),
                            {k: told[k] for k in ("exit", "says", "unchanged")})


if __name__ == "__main__":
    unittest.main()
