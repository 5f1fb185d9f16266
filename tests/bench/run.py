#!/usr/bin/env python3
"""Measure the replica and the server, and set the numbers beside their goals.

    python3 tests/bench/run.py [--build build] [--rounds 5] [--quick] [replica] [server]

Prints one table and keeps it as BUILD/bench.json. CPU costs are ratios to plain SQLite doing the
same work in the same run, medians over the rounds. A goal that is missed is marked, and does not
fail the run: a machine may be slow or busy. The exit status is 1 only if a program failed.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROWS, SINGLES = 100_000, 20_000
RECORDS, EDITS = 10_000, 20
QUICK = 10  # so many times less of everything
TIMEOUT_S = 900


class Failure(Exception):
    pass


class Bench:
    def __init__(self, args):
        self.bin = args.build / "release" / "bench"
        self.sigla = args.build / "sigla"
        self.dir = args.build / "bench-data"
        self.rounds = 1 if args.quick else args.rounds
        self.part = QUICK if args.quick else 1
        self.rows = []

    def add(self, name, samples, unit="x", most=None, least=None):
        value = statistics.median(samples)
        met = None
        if most is not None:
            met = value <= most
        elif least is not None:
            met = value >= least
        self.rows.append({"name": name, "value": value, "unit": unit, "most": most, "least": least,
                          "met": met, "samples": samples})

    def program(self, name, *arguments):
        path = self.bin / name
        if not path.exists():
            raise Failure(f"{path} is not there: make bench")
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        try:
            done = subprocess.run([str(path), *map(str, arguments)], capture_output=True, text=True,
                                  timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{name} took longer than {TIMEOUT_S} s") from late
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
        if done.returncode != 0:
            raise Failure(f"{name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def figures(self, name, *arguments):
        lines = map(json.loads, self.program(name, *arguments).splitlines())
        return {line["name"]: line["value"] for line in lines}

    def repeated(self, name, *arguments):
        """The figures of each round; the last argument of the program is its seed."""
        out = []
        for n in range(self.rounds):
            progress(f"{name}, round {n + 1} of {self.rounds}")
            out.append(self.figures(name, *arguments, n + 1))
        return out


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def over(runs, plain, *costs):
    return [sum(run[cost] for cost in costs) / run[plain] for run in runs]


def replica(bench):
    runs = bench.repeated("bench_write", bench.dir, ROWS // bench.part, SINGLES // bench.part)
    steps = [("insert", "inserts, 100 a transaction", 2.0, 2.5),
             ("update", "one-field updates, 100 a transaction", 1.3, 2.0),
             ("single", "one-field updates, one a transaction", 1.8, 2.2)]
    for step, name, most, _ in steps:
        bench.add(name, over(runs, f"{step}.plain", f"{step}.sigla"), most=most)
    for step, name, _, most in steps:
        costs = f"{step}.sigla", f"{step}.fold.sigla"
        bench.add(f"{name}, folding included", over(runs, f"{step}.plain", *costs), most=most)
    hydrations = bench.repeated("bench_apply", bench.dir, ROWS // bench.part)
    bench.add("applying to an empty replica", over(hydrations, "apply.plain", "apply.sigla"),
              most=2.5)
    bench.add("database, its rows written here and synced", over(runs, "plain.bytes", "sigla.bytes"),
              most=1.25)
    bench.add("database, every row edited since and synced",
              over(runs, "plain.edited_bytes", "sigla.edited_bytes"), most=1.25)
    bench.add("database, hydrated", over(hydrations, "plain.bytes", "sigla.bytes"), most=1.25)
    bench.add("wire, fresh rows pushed (zstd)", [run["push.bytes_per_field"] for run in runs],
              "B/field", most=14)
    bench.add("wire, fresh rows pulled (zstd)", [run["pull.bytes_per_field"] for run in hydrations],
              "B/field", most=14)
    bench.add("wire, one-field updates pushed (zstd)",
              [run["push.bytes_per_update"] for run in runs], "B")


class Server:
    """A server of its own, on any free port."""

    def __init__(self, bench):
        self.data = bench.dir.with_name("bench-server")
        shutil.rmtree(self.data, ignore_errors=True)
        self.process = subprocess.Popen(
            [str(bench.sigla), "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", "--dev"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if "http://" not in line:
            self.stop()
            raise Failure("sigla serve does not start")
        self.url = "http://" + line.split("http://")[1].strip()
        command = [str(bench.sigla), "token", "--data", str(self.data), "--user", "ann", "--ttl", "8h"]
        self.token = subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.data, ignore_errors=True)


def history(bench):
    progress("bench_history")
    server = Server(bench)
    try:
        figures = bench.figures("bench_history", server.url, server.token, bench.dir,
                                RECORDS // bench.part, EDITS)
    finally:
        server.stop()
    fresh = figures["history.hydrate_bytes"]
    bench.add(f"records of {EDITS} edits, hydrated: what was pushed is",
              [figures["history.pushed_bytes"] / fresh], "x as long", least=15)
    bench.add("the same: all changes, pulled as they came, are",
              [figures["history.bytes"] / fresh], "x as long")


def server(bench):
    if not bench.sigla.exists():
        raise Failure(f"{bench.sigla} is not there: make")
    runs = []
    for n in range(bench.rounds):
        progress(f"bench_server, round {n + 1} of {bench.rounds}")
        runs.append(bench.figures("bench_server", bench.sigla))

    def figure(name, key, unit="", **goal):
        bench.add(name, [run[f"server.{key}"] for run in runs], unit, **goal)

    for load, name in [("insert_8_fields_by_200", "inserts of 8 fields by 200, 32 connections"),
                       ("update_by_200", "one-field updates by 200, 32 connections")]:
        figure(name, f"{load}.changes_per_s", "/s", least=50_000)
        figure("the same: CPU of the server for one", f"{load}.change_cpu_us", "us")
        figure("the same: pushes in a commit", f"{load}.requests_per_commit")
    figure("requests of one change, 128 connections", "update_single.requests_per_s", "/s",
           least=5_000)
    figure("the same: CPU of the server for one", "update_single.request_cpu_us", "us")
    figure("the same: CPU of the client for one", "update_single.request_client_us", "us")
    figure("the same: pushes in a commit", "update_single.requests_per_commit")
    figure("push to delivery at another device, median", "deliver.to_stream_median_ms", "ms",
           most=10)
    figure("push to delivery at another device, 99th of 100", "deliver.to_stream_99th_ms", "ms")
    figure("idle event streams", "idle_streams.count", "", least=10_000)
    figure("memory of an idle event stream", "idle_streams.bytes_each", "B", most=3_000)
    history(bench)


def number(value):
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def goal_text(row):
    if row["most"] is not None:
        return f"at most {number(row['most'])}"
    return f"at least {number(row['least'])}" if row["least"] is not None else ""


def show(title, rows):
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    green, red, bold, end = ("\033[32m", "\033[31m", "\033[1m", "\033[0m") if colour else ("",) * 4
    print(f"{bold}{title}{end}")
    for row in rows:
        verdict = {None: "", True: f"{green}met{end}", False: f"{red}MISSED{end}"}[row["met"]]
        print(f"  {row['name']:<56} {number(row['value']):>9} {row['unit']:<9} "
              f"{goal_text(row):<17} {verdict}".rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small round: does it run at all?")
    parser.add_argument("parts", nargs="*", metavar="replica | server")
    args = parser.parse_args()
    titles = {"replica": (replica, "Replica, CPU and size as multiples of plain SQLite's"),
              "server": (server, "Server on embedded storage")}
    unknown = set(args.parts) - set(titles)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}: replica, server")
    report, failed = {}, False
    for part in args.parts or titles:
        run, title = titles[part]
        bench = Bench(args)
        try:
            run(bench)
        except Failure as why:
            failed = True
            progress("")
            print(f"{part}: {why}", file=sys.stderr)
        progress("")
        show(title, bench.rows)
        report[part] = bench.rows
    about = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": platform.machine(),
             "cpus": os.cpu_count(), "rounds": args.rounds, "quick": args.quick}
    path = args.build / "bench.json"
    path.write_text(json.dumps({**about, **report}, indent=1) + "\n", encoding="utf-8")
    print(f"Kept in {path}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
