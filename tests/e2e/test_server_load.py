#!/usr/bin/python3
"""A server under load from all sides is told to stop, again and again (timeout: 180).

It ends cleanly, tells its streams, and has all it acknowledged when it starts again (L1, L7). The
same with the server that ThreadSanitizer watches, if one has been built: any race is in its log.
"""

import contextlib
import threading
import unittest

from server_load import PARTS, Link, Reader, Socket, Stream, Writer, values_by_record
from sigla_e2e import BUILD, SIGLA, Server

ROUNDS = 3
STEPS_A_ROUND = 25  # of each kind of worker
WRITERS = 4
OTHERS = 3  # of each kind
WATCHED = BUILD / "tsan" / "sigla"


@contextlib.contextmanager
def working(workers):
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.end = True
        for worker in workers:
            worker.join()


class ServerLoad(unittest.TestCase):
    def run_rounds(self, server):
        server.start()
        link = Link(server, server.token("ann"))
        kinds = {Writer: WRITERS, Reader: OTHERS, Stream: OTHERS, Socket: OTHERS}
        progress = {kind: threading.Semaphore(0) for kind in kinds}
        writers = [Writer(link, i, progress[Writer]) for i in range(WRITERS)]
        others = {kind: [kind(link, progress[kind]) for _ in range(OTHERS)]
                  for kind in (Reader, Stream, Socket)}
        everybody = writers + [w for kind in others.values() for w in kind]
        with working(everybody):
            try:
                for round_number in range(ROUNDS):
                    self.run_round(server, progress)
                    self.check_streams(others[Stream], round_number)
                    promised = [w.acked for w in writers]
                    server.start()
                    self.check_promises(link, promised)
            finally:
                for worker in everybody:
                    worker.end = True
                server.stop()
        self.assertEqual([w.failure for w in everybody if w.failure], [])

    def run_round(self, server, progress):
        for kind in progress.values():
            for _ in range(STEPS_A_ROUND):
                self.assertTrue(kind.acquire(timeout=60))
        server.stop()  # exit code 0, or its log

    def check_streams(self, streams, round_number):
        told = [s for s in streams if b"event: shutdown" in s.last]
        self.assertTrue(told, f"round {round_number}: no stream was told that the server stops")
        for stream in streams:
            stream.last = b""

    def check_promises(self, link, promised):
        seen = values_by_record(link)
        for index, least in enumerate(promised):
            values = {seen.get(f"{index}-{part}", 0) for part in range(PARTS)}
            self.assertEqual(len(values), 1, "a transaction was torn")
            self.assertGreaterEqual(values.pop(), least, "an acknowledged write was lost")

    def test_L1_L7_sigterm_under_load_ends_cleanly_and_loses_nothing(self):
        self.run_rounds(Server())

    def test_no_thread_of_a_loaded_server_races_with_another(self):
        if not WATCHED.exists() or WATCHED.stat().st_mtime < SIGLA.stat().st_mtime:
            self.skipTest("make MODE=tsan build/tsan/sigla")
        server = Server(binary=WATCHED)
        self.run_rounds(server)
        self.assertNotIn("ThreadSanitizer", server.logged())


if __name__ == "__main__":
    unittest.main()
