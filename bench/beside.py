#!/usr/bin/env python3
"""Latency of one thing beside another: small pushes beside a saturated large push, GETs beside a scrub and beside collection.

  bench/beside.py [--rounds 5] [--only TEXT] [--quick] [--result FILE]

Each round has a server of its own, and does the same work alone and beside the other thing, in turns: alone first in one round, last in the next (before a
collection always first). Printed are the medians of the rounds, the ratio of each round, and what the other thing did meanwhile and for which share of the time it ran. The large
pushes are four at once (`orbitalreg-load soak`), as fast as the server takes them. `orbitalreg-commit` then says the same of commits without HTTP,
with and without the I/O scheduler. All share the cores of the machine.
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

import loaded_server  # says where registry_process is
import registry_process
import report

MB, MIB = 1_000_000, 1 << 20
LOOK_S = 0.05
LONG_S = 3600  # of a push that is ended from outside

Work = collections.namedtuple("Work", "title settings prepare foreground beside unit alone_first")


class World(loaded_server.LoadedServer):
    """A server, the work that is measured, and what runs beside it."""

    def __init__(self, options, settings):
        super().__init__(options, settings)
        self.options = options

    # What is measured.

    def small_pushes(self):
        return self.finish(self.push("small", 4096, self.options.pushes, clients=4))

    def small_gets(self):
        return self.finish(self.pull(self.options.pulls))

    # What is there before.

    def nothing(self):
        pass

    def store_to_scrub(self):
        count = max(1, self.options.store // (64 * MIB))
        self.finish(self.generate("push-large", "stored", "--size", 64 * MIB, "--count", count))

    def dead_blobs(self):
        self.finish(self.push("dead", 4096, self.options.dead))

    # What runs beside, from before the work to its end. Each tells, when that is over, what it did a second and for which share of the time it ran.

    def meter(self, counter):
        """Gives, when it is called, by how much the counter rose a second until then."""
        name, began = f"orbitalreg_{counter}", time.monotonic()
        before = self.server.metrics()[name]
        return lambda: (self.server.metrics()[name] - before) / (time.monotonic() - began)

    @contextlib.contextmanager
    def large_pushes(self, told):
        generator = self.generate("soak", "large", "--pulls", 0, "--pushes", 4, "--push-size", 256 * MIB, "--seconds", LONG_S, "--announce")
        try:
            if generator.stdout.readline().strip():  # empty when all four are under way
                raise SystemExit("the large pushes did not begin")
            rate = self.meter("lane_bytes_written_total")
            yield
            told.update(did=rate() / MB, share=1)
            if generator.poll() is not None:
                raise SystemExit("the large pushes ended before the work beside them")
        finally:
            generator.kill()
            generator.wait()

    def ask_scrub(self, rate):
        connection = http.client.HTTPConnection(self.server.http_addr, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", f"/api/v1/system/scrub?rate={rate}")
            if connection.getresponse().status != 200:
                raise SystemExit("the scrub did not begin")

    @contextlib.contextmanager
    def scrub_at(self, rate, told):
        """One pass after the other."""
        over, looks = threading.Event(), []

        def keep_scrubbing():
            while not over.wait(LOOK_S):
                looks.append(self.server.metrics()["orbitalreg_scrub_running"])
                if not looks[-1]:
                    self.ask_scrub(rate)

        self.ask_scrub(rate)
        keeper = threading.Thread(target=keep_scrubbing)
        keeper.start()
        try:
            read = self.meter("scrub_bytes_total")
            yield
            told.update(did=read() / MB, share=sum(looks) / max(len(looks), 1))
        finally:
            over.set()
            keeper.join()

    def scrub_slowly(self, told):
        return self.scrub_at(50 * MIB, told)

    def scrub_fast(self, told):
        return self.scrub_at(0, told)

    @contextlib.contextmanager
    def collection(self, told):
        self.wait_due(self.options.dead)
        collector = subprocess.Popen(self.words("gc", "run"), stdout=subprocess.PIPE, text=True)
        try:
            while collector.poll() is None and not json.loads(self.server.get(self.server.http_addr, "/api/v1/system/gc")[1])["running"]:
                self.server.pause()
            began = time.time()
            yield
            ended = time.time()
            done = json.loads(collector.communicate(timeout=loaded_server.DEADLINE_S)[0])
        finally:
            collector.kill()
            collector.wait()
        seconds, begun = max(done["duration_ms"], 1) / 1000, done["begun_wall_ms"] / 1000
        told.update(did=done["deleted"] / seconds, share=max(min(begun + seconds, ended) - max(begun, began), 0) / (ended - began))


def works(options):
    grace = {"ORBITALREG_GC_GRACE": f"{options.grace}s", "ORBITALREG_GC_INTERVAL": "24h"}
    size = f"{options.store / MIB:,.0f} MiB"
    return [
        Work("push of 4 KiB, 4 clients | 4 pushes of 256 MiB at once", {}, World.nothing, World.small_pushes, World.large_pushes, "MB", False),
        Work(f"GET of 64 KiB, 4 clients | scrub of {size} at 50 MiB/s, as shipped", {}, World.store_to_scrub, World.small_gets, World.scrub_slowly, "MB", False),
        Work(f"GET of 64 KiB, 4 clients | scrub of {size}, no limit", {}, World.store_to_scrub, World.small_gets, World.scrub_fast, "MB", False),
        Work(f"GET of 64 KiB, 4 clients | collection of {options.dead:,} blobs of 4 KiB", grace, World.dead_blobs, World.small_gets, World.collection, "blobs", True),
    ]


def measure_alone(world, work):
    os.sync()
    return work.foreground(world)


def measure_beside(world, work):
    os.sync()
    told = {}
    with work.beside(world, told):
        outcome = work.foreground(world)
    outcome.update(told)
    return outcome


def measure(options, work, number):
    settings = {"ORBITALREG_LOG_GATHER": "20ms", **work.settings}
    with World(options, settings) as world:
        work.prepare(world)
        found = {}
        for name in ("alone", "beside") if work.alone_first or number % 2 == 0 else ("beside", "alone"):
            found[name] = (measure_alone if name == "alone" else measure_beside)(world, work)
        found["peak"] = registry_process.peak_rss_bytes(world.server.pid)
    print(f"{work.title} | round {number + 1}: " + "; ".join(
        f"{name} p50 {found[name]['latency_us']['p50']} us, p99 {found[name]['latency_us']['p99']} us" for name in ("alone", "beside")) +
        f"; {found['beside']['did']:,.0f} {work.unit}/s, {100 * found['beside']['share']:.0f} % of the time", flush=True)
    return found


def table(found):
    lines = ["| work | beside | p50 ms: alone, beside | p99 ms: alone, beside | ratio of p99: median (each round) | p99.9 ms: alone, beside | operations/s: alone, beside | "
             "the other, a second | it ran | peak RSS MiB |", "|---" * 10 + "|"]
    for work, rounds in found:
        def pair(part, rounds=rounds):
            return ", ".join(f"{statistics.median(entry[name]['latency_us'][part] for entry in rounds) / 1000:.2f}" for name in ("alone", "beside"))
        ratios = [entry["beside"]["latency_us"]["p99"] / max(entry["alone"]["latency_us"]["p99"], 1) for entry in rounds]
        rates = ", ".join(f"{statistics.median(entry[name]['operations_per_second'] for entry in rounds):,.0f}" for name in ("alone", "beside"))
        lines.append(f"| {work.title} | {pair('p50')} | {pair('p99')} | {statistics.median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)}) | {pair('p999')} | {rates} | "
                     f"{statistics.median(entry['beside']['did'] for entry in rounds):,.0f} {work.unit} | "
                     f"{100 * min(entry['beside']['share'] for entry in rounds):.0f} % | {max(entry['peak'] for entry in rounds) / MIB:.0f} |")
    return lines


COMMIT_LINE = re.compile(r"^(\S.*?) +(\d+) commits +p50 +(\d+) +p99 +(\d+) +p99\.9 +(\d+) +max +(\d+) us +push +(\d+) MB/s$")


def measure_commits(options):
    """Of each way that orbitalreg-commit measures, the rounds' figures."""
    program = options.commit or registry_process.find_binary("orbitalreg-commit")
    if not program:
        registry_process.skip("no orbitalreg-commit: build it")
    folder = registry_process.fresh_folder("orbitalreg-commit-")
    command = [program, str(folder / "store"), "--rounds", str(options.rounds), "--seconds", str(options.seconds), "--io", options.io]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60 + 10 * options.rounds * options.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        print(line, flush=True)
        match = COMMIT_LINE.match(line)
        if not match:
            raise SystemExit(f"orbitalreg-commit said: {line}")
        found[match[1]].append([int(word) for word in match.groups()[1:]])
    if done.returncode or not found:
        raise SystemExit(f"orbitalreg-commit ended with {done.returncode}: {done.stderr}")
    return found


def commit_table(found):
    lines = ["| commits of 512 bytes, one after the other, beside 4 uploads, no HTTP | p50 ms | p99 ms: median (range) | p99.9 ms | most ms | commits | pushed, MB/s |",
             "|---|---|---|---|---|---|---|"]
    for name, rounds in found.items():
        count, p50, p99, p999, most, pushed = (statistics.median(column) for column in zip(*rounds))
        ends = [entry[2] / 1000 for entry in rounds]
        lines.append(f"| {name} | {p50 / 1000:.2f} | {p99 / 1000:.2f} ({min(ends):.2f} to {max(ends):.2f}) | {p999 / 1000:.2f} | {most / 1000:.2f} | {count:,.0f} | {pushed:,.0f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loaded_server.add_arguments(parser)
    parser.add_argument("--commit", help="orbitalreg-commit; default: the newest build tree's")
    parser.add_argument("--pushes", type=int, default=10_000, help="of 4 KiB")
    parser.add_argument("--pulls", type=int, default=100_000, help="of 64 KiB")
    parser.add_argument("--store", type=int, default=2048 * MIB, help="bytes that there are to scrub")
    parser.add_argument("--dead", type=int, default=60_000, help="blobs to be collected")
    parser.add_argument("--grace", type=int, default=30, help="seconds; longer than it takes to push them and to pull")
    parser.add_argument("--seconds", type=int, default=5, help="of each run of orbitalreg-commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="what has this in its title; `commits`: orbitalreg-commit")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, to try the script")
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    if options.quick:
        for name in ("pushes", "pulls", "dead", "store"):
            setattr(options, name, getattr(options, name) // 10)
        options.seconds, options.grace = 1, 10
    loads = [os.getloadavg()[0]]
    chosen = [work for work in works(options) if options.only in work.title]
    found = [(work, [measure(options, work, number) for number in range(options.rounds)]) for work in chosen]
    commits = measure_commits(options) if options.only in "commits" else {}
    loads.append(os.getloadavg()[0])
    words = " ".join(sys.argv[1:])
    lines = (table(found) + [""] if found else []) + (commit_table(commits) + [""] if commits else [])
    lines += [f"Medians of {options.rounds} rounds, each on a server of its own with an empty directory. \"It ran\": for which share of the work the other thing ran, the least of the rounds.", "",
              f"Machine: {report.machine()}; all share all cores. Load average before and after: {', '.join(f'{load:.1f}' for load in loads)}.", "",
              f"Commit {report.commit()}. Command: `bench/beside.py{' ' + words if words else ''}`.", ""]
    page = "\n".join(lines)
    print(page)
    report.write(options.result, "One thing beside another", page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
