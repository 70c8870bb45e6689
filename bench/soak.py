#!/usr/bin/env python3
"""Very many transfers in flight at once for minutes, and the server's memory beside its stated ceiling.

  bench/soak.py [--pulls 2000] [--pushes 500] [--seconds 120] [--pull-size BYTES] [--push-size BYTES] [--result FILE]
  bench/soak.py --quick     100 pulls, 25 pushes, 10 seconds

One server with raised limits, one generator (`orbitalreg-load soak`, one thread): so many pulls of blobs of 1 GiB and pushes of blobs of 32 MiB are in
flight at once all the time; one that ends is followed by the next. The ceiling is `storage.memory_limit`, which all memory is shared out from
(docs/operations/configuration.md; `memory_bytes` in the metrics says what of each share is in use), and `http.limits.request_memory` beside it. The server's RSS is sampled from /proc;
what counts is its peak, VmHWM. Afterwards the server is stopped and its store checked. Leaves with 1 when the peak is above the ceiling, when a transfer failed, when
fewer than nine tenths were in flight on average, or when the store is not sound. What is pushed stays on disk until the end: allow 40 GiB for two minutes.
"""

import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402
import report  # noqa: E402

MB, MIB, GIB = 1_000_000, 1 << 20, 1 << 30
SAMPLE_S = 0.5
METRICS_EVERY = 4  # samples
READ_BACK_S = 300
IN_FLIGHT_SHARE_MIN = 0.9
SIZES = {"full": {"pulls": 2000, "pushes": 500, "seconds": 120, "pull_size": GIB, "push_size": 32 * MIB, "blobs": 4},
         "quick": {"pulls": 100, "pushes": 25, "seconds": 10, "pull_size": 256 * MIB, "push_size": 32 * MIB, "blobs": 2}}


def settings(options):
    everybody = options.pulls + options.pushes
    return {
        "ORBITALREG_STORAGE_MEMORY_LIMIT": f"{options.memory_limit}MiB",
        "ORBITALREG_STORAGE_LANES_WRITING_MAX": str(max(256, 2 * options.pushes)),
        "ORBITALREG_HTTP_LIMITS_CONNECTIONS": str(max(10_000, 2 * everybody)),
        "ORBITALREG_HTTP_LIMITS_CONNECTIONS_PER_ADDRESS": str(max(1024, 2 * everybody)),
        "ORBITALREG_HTTP_LIMITS_REQUESTS": str(max(5000, 2 * everybody)),
        "ORBITALREG_HTTP_LIMITS_REQUEST_MEMORY": f"{options.request_memory}MiB",
        "ORBITALREG_LOG_GATHER": "20ms",
        **dict(each.split("=", 1) for each in options.set),
    }


def socket_bytes():
    """What all sockets of the machine hold in the kernel, both ends."""
    for line in pathlib.Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[line.split().index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


class Watch:
    """What /proc and the metrics say of a server while a generator runs."""

    def __init__(self, server, generator, seconds):
        self.clock_ends = time.monotonic() + seconds
        self.server, self.generator = server, generator
        self.rss, self.sockets, self.generator_cpu, self.shares = [], 0, 0.0, collections.Counter()
        self.limits = {}
        self.unanswered = 0

    def until_it_ends(self, seconds):
        """Looks every SAMPLE_S; who runs longer than that is ended."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.generator.wait(SAMPLE_S)
                return
            except subprocess.TimeoutExpired:
                self.look()
            if time.monotonic() > deadline:
                self.generator.kill()
                raise SystemExit(f"the generator did not end within {seconds} s")

    def look(self):
        if time.monotonic() > self.clock_ends:
            return  # what was pushed is read back
        self.rss.append(registry_process.status_field_bytes(self.server.pid, "VmRSS"))
        self.sockets = max(self.sockets, socket_bytes())
        self.generator_cpu = registry_process.cpu_seconds(self.generator.pid)
        if len(self.rss) % METRICS_EVERY != 1:
            return
        try:
            metrics = self.server.metrics()
        except OSError:
            self.unanswered += 1
            return
        for name, value in metrics.items():
            share = name.partition('share="')[2].partition('"')[0]
            if name.startswith("orbitalreg_memory_bytes{"):
                self.shares[share] = max(self.shares[share], value)
            elif name.startswith("orbitalreg_memory_limit_bytes{"):
                self.limits[share] = value


def soak(server, options):
    words = ["soak", "--server", server.http_addr, "--name", "soak/run", "--pulls", options.pulls, "--pushes", options.pushes, "--seconds", options.seconds,
             "--pull-size", options.pull_size, "--push-size", options.push_size, "--blobs", options.blobs, "--announce"]
    generator = subprocess.Popen([options.load, *map(str, words)], stdout=subprocess.PIPE, text=True)
    try:
        early = generator.stdout.readline().strip()  # empty when the clock starts
        watch = Watch(server, generator, options.seconds)
        began, cpu = registry_process.cpu_seconds(generator.pid), registry_process.cpu_seconds(server.pid)
        watch.until_it_ends(options.seconds + READ_BACK_S)
        found = json.loads(early + generator.stdout.read())
    finally:
        if generator.poll() is None:
            generator.kill()
            generator.wait()
    found.update(server_cpu=registry_process.cpu_seconds(server.pid) - cpu, generator_cpu=max(watch.generator_cpu - began, 0),
                 peak=registry_process.peak_rss_bytes(server.pid), rss=watch.rss, sockets=watch.sockets, shares=dict(watch.shares),
                 limits=watch.limits, unanswered=watch.unanswered)
    return found


def check_store(server):
    """What is wrong with the store; nothing: it is sound."""
    server.stop()
    done = server.fsck("--level", "quick")
    return "" if done.returncode == 0 else f"fsck ended with {done.returncode}: {done.stdout}{done.stderr}"


def verdicts(found, options, trouble):
    """What was asked for and did not come true."""
    wrong = []
    if found["peak"] > options.ceiling * MIB:
        wrong.append(f"peak RSS {found['peak'] / MIB:.0f} MiB, above the ceiling of {options.ceiling} MiB")
    if found["failures"]:
        wrong.append(f"{found['failures']} transfers failed, {found['refusals']} of them refused with 503 or 429; the first: {found['first_failure']}")
    for way, wanted in (("pull", options.pulls), ("push", options.pushes)):
        if found[way]["in_flight_mean"] < IN_FLIGHT_SHARE_MIN * wanted:
            wrong.append(f"{found[way]['in_flight_mean']:.0f} of {wanted} {way} transfers in flight on average")
        if wanted and not found[way]["least_bytes"]:
            wrong.append(f"a {way} connection moved nothing")
    return wrong + ([trouble] if trouble else [])


def transfer_table(found, options):
    lines = ["| | asked for | in flight: mean, least | MB a second | finished | bytes of one connection, MB: least, median, most | least / mean | longest without a byte | verified |",
             "|---|---|---|---|---|---|---|---|---|"]
    seconds = max(found["seconds"], 1e-9)
    for way, wanted, size in (("pull", options.pulls, options.pull_size), ("push", options.pushes, options.push_size)):
        if not wanted:
            continue
        figures = found[way]
        mean = figures["bytes"] / wanted
        lines.append(f"| {way} of {size / MIB:.0f} MiB | {wanted} | {figures['in_flight_mean']:.0f}, {figures['in_flight_min']} | {figures['bytes'] / MB / seconds:,.0f} | "
                     f"{figures['finished']} | {figures['least_bytes'] / MB:.1f}, {figures['median_bytes'] / MB:.1f}, {figures['most_bytes'] / MB:.1f} | "
                     f"{figures['least_bytes'] / mean if mean else 0:.2f} | {figures['stall_seconds_max']:.1f} s | {figures['verified_bytes'] / MB:,.0f} MB |")
    return lines


def memory_table(found, options):
    rss = found["rss"] or [found["peak"]]
    half = rss[len(rss) // 2:]
    lines = ["| memory of the server | MiB |", "|---|---|",
             f"| ceiling: `storage.memory_limit` {options.memory_limit} MiB + `http.limits.request_memory` {options.request_memory} MiB |" if options.ceiling_is_stated else
             "| ceiling, as given with --ceiling |",
             "| **peak RSS (VmHWM), with what was pushed to be pulled** |", "| RSS while the clock ran: first, median, last |",
             "| RSS, median of the second half of the run |"]
    lines[2] += f" {options.ceiling} |"
    lines[3] += f" **{found['peak'] / MIB:.0f}** |"
    lines[4] += f" {rss[0] / MIB:.0f}, {statistics.median(rss) / MIB:.0f}, {rss[-1] / MIB:.0f} |"
    lines[5] += f" {statistics.median(half) / MIB:.0f} |"
    lines += [f"| ledger, share `{share}`: most in use, of | {used / MIB:.0f}, {found['limits'].get(share, 0) / MIB:.0f} |" for share, used in found["shares"].items()]
    lines.append(f"| the kernel's, for all sockets of both sides: most | {found['sockets'] / MIB:.0f} |")
    return lines


def page_of(found, options, wrong):
    words = " ".join(sys.argv[1:])
    lines = transfer_table(found, options) + [""] + memory_table(found, options)
    lines += ["", f"{found['seconds']:.0f} s, after {found['ramp_seconds']:.1f} s (60 at most) in which the transfers began; failed: {found['failures']}, of these refused: {found['refusals']}. "
              f"CPU: server {found['server_cpu']:.0f} s, generator {found['generator_cpu']:.0f} s, on {os.cpu_count()} cores. "
              f"The metrics did not answer {found['unanswered']} times.", "",
              f"The pulls share {options.blobs} blobs, pushed just before; every sixteenth compares each byte, of the others the kernel throws the bytes away. Pushed blobs differ in their last MiB; "
              "eight of those that ended are read back. A pull is in flight from its 200 to its last byte, a push from the answer to its POST to that of its PUT.", "",
              "Where the ceiling is stated: docs/operations/configuration.md, `storage.memory_limit` (shared out by name) and `http.limits.request_memory` (what requests hold beside).", "",
              f"Afterwards: {'; '.join(wrong) if wrong else 'all as asked for, and the store sound (fsck)'}.", "",
              f"Machine: {report.machine()}; server and generator share all cores. Commit {report.commit()}.", "",
              f"Command: `bench/soak.py{' ' + words if words else ''}`; settings:", ""]
    lines += [f"    {name}={value}" for name, value in settings(options).items()]
    return "\n".join(lines)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="orbitalreg; default: the newest build tree's")
    parser.add_argument("--load", help="orbitalreg-load; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as in the environment: ORBITALREG_LOG_LEVEL=warn")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, to try the script")
    parser.add_argument("--pulls", type=int, help="in flight at once")
    parser.add_argument("--pushes", type=int, help="in flight at once")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--pull-size", type=int, help="bytes")
    parser.add_argument("--push-size", type=int, help="bytes")
    parser.add_argument("--blobs", type=int, help="that the pulls share")
    parser.add_argument("--memory-limit", type=int, default=4096, help="storage.memory_limit, MiB")
    parser.add_argument("--request-memory", type=int, default=128, help="http.limits.request_memory, MiB")
    parser.add_argument("--ceiling", type=int, help="of the RSS, MiB; default: both together")
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    for name, value in SIZES["quick" if options.quick else "full"].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.ceiling_is_stated = options.ceiling is None
    if options.ceiling_is_stated:
        options.ceiling = options.memory_limit + options.request_memory
    options.load = options.load or registry_process.find_binary("orbitalreg-load")
    if not options.load:
        registry_process.skip("no orbitalreg-load: build it")
    return options


def main():
    options = read_options()
    with registry_process.RegistryProcess(binary=options.binary, io=options.io, environment=settings(options)) as server:
        found = soak(server, options)
        wrong = verdicts(found, options, check_store(server))
    page = page_of(found, options, wrong) + "\n"
    print(page)
    report.write(options.result, f"{options.pulls} pulls and {options.pushes} pushes in flight", page)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
