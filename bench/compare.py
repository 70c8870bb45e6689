#!/usr/bin/env python3
"""Measures orbitalreg beside Debian's docker-registry 2.8, in one run, on one disk, with one load generator.

The two servers take turns, several rounds of every workload; each has its own data directory and both stay up for
the whole run. Printed are the median of the rounds, the spread, and the ratio of the medians (above 1: we are
faster, or smaller). A round that failed is shown as failed and not left out. --result writes the page that
bench/results keeps, the command line included.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
SERVERS = ("orbitalreg", "docker-registry")
ROUND_DEADLINE_S = 900


def workloads(quick):
    """(title, what is shown, arguments of orbitalreg-load)."""
    large = 256 * MIB if quick else GIB
    small, manifests, pulls = (500, 2000, 2) if quick else (2000, 8000, 4)
    return [
        (f"push of {large // MIB} MiB, one PUT", "mib_per_second",
         ["push-large", "--form", "put", "--size", large, "--count", 1]),
        (f"push of {large // MIB} MiB, one streamed PATCH", "mib_per_second",
         ["push-large", "--form", "stream", "--size", large, "--count", 1]),
        ("push of 4 KiB blobs (POST + PUT), 32 clients", "operations_per_second",
         ["push-small", "--size", 4096, "--count", small, "--clients", 32]),
        ("push of 4 KiB blobs (POST + PUT), 1 client", "operations_per_second",
         ["push-small", "--size", 4096, "--count", small // 10, "--clients", 1]),
        ("GET manifest, 32 clients", "operations_per_second",
         ["get-manifest", "--count", manifests, "--clients", 32]),
        ("GET manifest, 1 client", "operations_per_second", ["get-manifest", "--count", manifests // 4]),
        ("GET 256 MiB, one client", "mib_per_second", ["get-blob", "--size", 256 * MIB, "--count", pulls]),
        ("GET 256 MiB, 4 clients", "mib_per_second",
         ["get-blob", "--size", 256 * MIB, "--count", 2 * pulls, "--clients", 4]),
        ("GET 256 MiB, one client that hashes", "mib_per_second",
         ["get-blob", "--size", 256 * MIB, "--count", pulls, "--verify"]),
    ]


class Comparison:
    def __init__(self, options):
        self.options = options
        self.load = options.load or registry_process.find_binary("orbitalreg-load")
        if not self.load:
            registry_process.skip("no orbitalreg-load: build it")
        self.servers = {kind: registry_process.RegistryProcess(kind=kind, io=options.io,
                                                               binary=options.binary if kind == SERVERS[0] else None)
                        for kind in SERVERS}
        self.results = {}  # (title, kind) -> [outcome of each round]
        self.commands = {}

    def run(self):
        self.load_averages = [os.getloadavg()[0]]
        for server in self.servers.values():
            server.start()
        try:
            for title, _, arguments in workloads(self.options.quick):
                for number in range(self.options.rounds):
                    # Who goes first changes from round to round.
                    for kind in SERVERS if number % 2 == 0 else reversed(SERVERS):
                        self.measure(title, kind, number, arguments)
            self.load_averages.append(os.getloadavg()[0])
            self.peaks = {kind: registry_process.peak_rss_bytes(server.pid) for kind, server in self.servers.items()}
        finally:
            for server in self.servers.values():
                server.close()

    def measure(self, title, kind, number, arguments):
        words = [str(word) for word in arguments]
        self.commands[title] = "orbitalreg-load " + " ".join(words)
        command = [self.load, *words, "--server", self.servers[kind].http_addr, "--name", f"bench/r{number}"]
        os.sync()  # neither pays for what the other left in the page cache
        cpu_before = registry_process.cpu_seconds(self.servers[kind].pid)
        done = subprocess.run(command, capture_output=True, text=True, timeout=ROUND_DEADLINE_S, check=False)
        outcome = json.loads(done.stdout) if done.stdout else {"failures": 1, "first_failure": done.stderr}
        cpu = registry_process.cpu_seconds(self.servers[kind].pid) - cpu_before
        outcome["cpu_ms_per_unit"] = 1000 * cpu / self.units(outcome)
        self.results.setdefault((title, kind), []).append(outcome)
        shown = outcome["first_failure"] if outcome["failures"] else \
            f"{outcome['mib_per_second']:.1f} MiB/s, {outcome['operations_per_second']:.1f} op/s, " \
            f"p50 {outcome['latency_us']['p50']} us, p99 {outcome['latency_us']['p99']} us"
        print(f"{title} | {kind} | round {number + 1}: {shown}", flush=True)

    @staticmethod
    def units(outcome):
        """GiB of a transfer of large blobs, operations of all else: what the CPU time is told for."""
        operations = outcome.get("operations") or 1
        large = outcome.get("size_bytes", 0) >= MIB
        return operations * outcome["size_bytes"] / GIB if large else operations

    # The page.

    def figures(self, title, kind, field):
        return [outcome.get(field) for outcome in self.results[(title, kind)] if not outcome["failures"]]

    def cell(self, title, kind, field):
        rounds = self.results[(title, kind)]
        good = self.figures(title, kind, field)
        if len(good) < len(rounds):
            return f"FAILED {len(rounds) - len(good)} of {len(rounds)}: {rounds[-1]['first_failure']}"
        return f"{statistics.median(good):.0f} ({min(good):.0f}-{max(good):.0f})"

    def latency(self, title, kind):
        good = [outcome["latency_us"] for outcome in self.results[(title, kind)] if not outcome["failures"]]
        if not good:
            return "-"
        return "/".join(f"{statistics.median(entry[name] for entry in good):.0f}" for name in ("p50", "p99"))

    def cpu(self, title, kind):
        good = self.figures(title, kind, "cpu_ms_per_unit")
        return f"{statistics.median(good):.3g}" if good else "-"

    def page(self):
        lines = ["| workload | unit | orbitalreg | docker-registry | ratio | p50/p99 us, ours | theirs "
                 "| server CPU ms a GiB or an operation, ours | theirs |", "|---|---|---|---|---|---|---|---|---|"]
        for title, field, _ in workloads(self.options.quick):
            ours, theirs = (self.figures(title, kind, field) for kind in SERVERS)
            ratio = f"{statistics.median(ours) / statistics.median(theirs):.2f}" if ours and theirs else "-"
            unit = "MiB/s" if field == "mib_per_second" else "op/s"
            lines.append(f"| {title} | {unit} | {self.cell(title, SERVERS[0], field)} | "
                         f"{self.cell(title, SERVERS[1], field)} | {ratio} | {self.latency(title, SERVERS[0])} | "
                         f"{self.latency(title, SERVERS[1])} | {self.cpu(title, SERVERS[0])} | "
                         f"{self.cpu(title, SERVERS[1])} |")
        peaks = [self.peaks[kind] / MIB for kind in SERVERS]
        lines.append(f"| peak RSS over the whole run | MiB | {peaks[0]:.0f} | {peaks[1]:.0f} | "
                     f"{peaks[1] / peaks[0]:.2f} | | | | |")
        return "\n".join(lines)


def machine():
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                  if line.startswith("model name")), "unknown")
    stat = shutil.disk_usage(registry_process.test_directory())
    mount = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", registry_process.test_directory()],
                           capture_output=True, text=True, check=False).stdout.strip()
    return (f"{os.cpu_count()} x {model}, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / GIB:.0f} GiB RAM, "
            f"Linux {platform.release()}, data on {mount} ({stat.total / GIB:.0f} GiB), client on the same machine, "
            f"loopback, plain HTTP")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="orbitalreg; default: the newest build tree's")
    parser.add_argument("--load", help="orbitalreg-load; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, to try the script")
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    comparison = Comparison(options)
    comparison.run()
    commands = "\n".join(f"    {command} --server HOST:PORT --name bench/rN" for command in
                         dict.fromkeys(comparison.commands.values()))
    words = " ".join(sys.argv[1:])
    page = (f"{comparison.page()}\n\nMedians of {options.rounds} rounds (lowest-highest), the servers taking turns, `sync` "
            f"before each round; ratio above 1: ours is faster, or smaller.\n\nMachine: {machine()}.\n\n"
            f"Load average of the machine before and after: {', '.join(f'{load:.1f}' for load in comparison.load_averages)} "
            f"(the run itself makes 2 to 4; more is other work, which both servers met alike).\n\n"
            f"GET follows the push of the same round. Ours writes past the page cache and reads the first GET of a blob from "
            f"the disk; docker-registry finds it in memory. Peak RSS leaves page cache out.\n\n"
            f"Both sync what they write before they answer; docker-registry syncs files, and no directory "
            f"(bench/peers/README.md).\n\n"
            f"Command: `bench/compare.py{' ' + words if words else ''}`, which runs, for each server in turn:\n\n"
            f"{commands}\n")
    print(page)
    if options.result:
        today = datetime.date.today().isoformat()
        pathlib.Path(options.result).write_text(f"# orbitalreg beside docker-registry 2.8.2, {today}\n\n{page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
