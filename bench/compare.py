#!/usr/bin/env python3
"""Measures orbitalreg beside its peers: in one run, on one disk, with one load generator.

  bench/compare.py [--rounds 5] [--only TEXT] [--peers orbitalreg,limit,nginx,docker-registry,distribution] [--result FILE]
  bench/compare.py --variants [--rounds 5] [--only TEXT] [--result FILE]
  bench/compare.py --guard | --accept      the server's CPU time against what was accepted (bench/accepted/cpu.json)

Every workload is run on each server in turn, --rounds times, who goes first changing from round to round; each server has its own
directory and stays up for all rounds of a workload, on one core, the generator on another. Printed are the medians of the rounds and their spread, the
server's CPU time for each operation or MB, and the median of the rounds' ratios to the reference of that row. A round that
failed is shown as failed and not left out. With --variants it is orbitalreg beside itself: with `storage.io: threads`, with `storage.durability: none`, with
TLS, each beside the plain one, which uses io_uring, syncs and speaks plain HTTP; of the workloads those that could tell. Peers that are not installed are left out, and named. bench/peers/README.md says what each
is, and what it promises of what it acknowledges.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peers"))

import peers  # noqa: E402
import registry_process  # noqa: E402
import report  # noqa: E402

MB, MIB = 1_000_000, 1 << 20
OURS = "orbitalreg"
ALL = (OURS, "limit", "nginx", "docker-registry", "distribution")
REGISTRIES = ("docker-registry", "distribution")  # they take part in everything
ROUND_DEADLINE_S = 1800

Work = collections.namedtuple("Work", "title unit words who reference")


def workloads(quick):
    """Title, unit, arguments of orbitalreg-load, who takes part besides docker-registry, what our figure is compared with."""
    part = 10 if quick else 1
    large = 64 * MIB if quick else 256 * MIB
    megabytes = f"{large // MIB} MiB"
    push, files = (OURS, "limit", "nginx"), (OURS, "nginx", "limit")
    return [
        Work(f"push {megabytes}, one PUT", "MB", ["push-large", "--form", "put", "--size", large, "--count", 4], push, "limit"),
        Work(f"push {megabytes}, one streamed PATCH", "MB", ["push-large", "--form", "stream", "--size", large, "--count", 4], (OURS,), "docker-registry"),
        Work("push 4 KiB blob, 1 client", "op", ["push-small", "--size", 4096, "--count", 3000 // part], (OURS, "nginx"), "docker-registry"),
        Work("push 4 KiB blob, 32 clients", "op", ["push-small", "--size", 4096, "--count", 20000 // part, "--clients", 32], (OURS, "nginx"), "docker-registry"),
        Work("push image of 6 blobs and 2 MiB, 4 clients", "op",
             ["push-image", "--layers", 5, "--size", 419430, "--count", 400 // part, "--clients", 4], (OURS,), "docker-registry"),
        Work("GET manifest, 32 clients", "op", ["get-manifest", "--count", 100000 // part, "--clients", 32], files, "nginx"),
        Work("HEAD manifest, 32 clients", "op", ["head", "--count", 100000 // part, "--clients", 32], (OURS, "nginx"), "nginx"),
        Work("HEAD blob, 32 clients", "op", ["head-blob", "--count", 100000 // part, "--clients", 32], (OURS, "nginx"), "nginx"),
        Work("GET 4 KiB blob, 32 clients", "op", ["get-blob", "--size", 4096, "--count", 100000 // part, "--clients", 32], (OURS, "nginx"), "nginx"),
        Work(f"GET {megabytes}, 1 client", "MB", ["get-blob", "--size", large, "--count", 8], files, "limit"),
        Work(f"GET {megabytes}, 4 clients", "MB", ["get-blob", "--size", large, "--count", 16, "--clients", 4], files, "limit"),
        Work("64 KiB ranges at their boundaries, 8 clients", "MB",
             ["ranges", "--size", large, "--aligned", "--count", 20000 // part, "--clients", 8], (OURS, "nginx"), "nginx"),
        Work("64 KiB ranges anywhere, 8 clients", "MB", ["ranges", "--size", large, "--count", 20000 // part, "--clients", 8], (OURS, "nginx"), "nginx"),
        Work("mixed, one push in ten, 32 clients", "op", ["mixed", "--count", 50000 // part, "--clients", 32], (OURS, "nginx"), "docker-registry"),
        Work(f"list of {10000 // part} tags, 8 clients", "op",
             ["list-tags", "--tags", 10000 // part, "--count", 5000 // part, "--clients", 8], (OURS,), "docker-registry"),
        Work(f"page of 100 of {10000 // part} tags, 8 clients", "op",
             ["list-tags", "--tags", 10000 // part, "--page", 100, "--count", 20000 // part, "--clients", 8], (OURS,), "docker-registry"),
        Work(f"page of 100 of the catalog, {20000 // part} repositories, 1 client", "op",
             ["catalog", "--repositories", 20000 // part, "--page", 100, "--count", 20000 // part], (OURS,), "docker-registry"),
    ]


# What a change of io, durability or transport could tell in.
VARIANT_KINDS = ({"push-large", "put"}, {"push-small", "32"}, {"get-manifest"}, {"get-blob", "32"}, {"get-blob", "4"})


def variant_workloads(quick):
    chosen = [work for work in workloads(quick) if any(kind <= set(map(str, work.words)) for kind in VARIANT_KINDS)]
    return [work._replace(who=(OURS, *peers.VARIANTS), reference=OURS) for work in chosen]


# Small, and long enough for a clock of 10 ms. What "limit" takes no part in is compared with its GET of a manifest.
CALIBRATION = "GET manifest"


def guard_workloads():
    both, few = (OURS, "limit"), ["--clients", 32]
    return [
        Work(CALIBRATION, "op", ["get-manifest", "--count", 40000, *few], both, "limit"),
        Work("HEAD blob", "op", ["head-blob", "--count", 40000, *few], (OURS,), "limit"),
        Work("GET 4 KiB blob", "op", ["get-blob", "--size", 4096, "--count", 40000, *few], (OURS,), "limit"),
        Work("push 4 KiB blob", "op", ["push-small", "--size", 4096, "--count", 10000, *few], (OURS,), "limit"),
        Work("push 64 MiB", "MB", ["push-large", "--size", 64 * MIB, "--count", 8], both, "limit"),
        Work("GET 64 MiB", "MB", ["get-blob", "--size", 64 * MIB, "--count", 16], both, "limit"),
    ]


# By how much less they do of what is counted in operations, and at least: they are slow, and a median does not need more.
SLOW = {"docker-registry": 50, "distribution": 10}
FEWEST = 50
# What is above the margin after three rounds gets three more, and so on.
GUARD_ROUNDS, GUARD_ATTEMPTS = 3, 4
GUARD_MARGIN = 0.50  # the same program differs from itself by 15 % and more from run to run: docs/decisions/0021-what-guards-the-cost.md
SLOW_LISTS = {"--repositories": 1000, "--tags": 1000}  # what they list, which takes them minutes to fill


class Comparison:
    def __init__(self, options):
        self.options = options
        self.load = options.load or registry_process.find_binary("orbitalreg-load")
        if not self.load:
            registry_process.skip("no orbitalreg-load: build it")
        wanted = options.peers.split(",") if options.peers else [OURS, *peers.VARIANTS] if options.variants else list(ALL)
        self.missing = {name: why for name in wanted if (why := peers.available(name))}
        self.names = [name for name in wanted if name not in self.missing]
        self.results = collections.defaultdict(list)  # (title, peer) -> outcome of each round
        self.peaks = collections.defaultdict(int)
        self.pinned = (os.cpu_count() or 1) > 1 and shutil.which("taskset") and not options.no_pin
        chosen = guard_workloads() if options.guard or options.accept else variant_workloads(options.quick) if options.variants else workloads(options.quick)
        self.work = [work for work in chosen if options.only in work.title]

    def taking_part(self, work):
        return [name for name in self.names if name in work.who or name in REGISTRIES]

    def measure_all(self, rounds):
        """Each workload with servers of its own: what one has pushed is gone before the next, and a disk holds all of it."""
        for work in self.work:
            takes_part = self.taking_part(work)
            with contextlib.ExitStack() as stack:
                pin = ["taskset", "-c", "0"] if self.pinned else []
                self.peers = {name: stack.enter_context(peers.make(name, self.options, pin)) for name in takes_part}
                for number in rounds:
                    turn = takes_part[number % len(takes_part):] + takes_part[:number % len(takes_part)]
                    for name in turn:
                        self.measure(work, name, number)
                for name, peer in self.peers.items():
                    self.peaks[name] = max(self.peaks[name], peers.peak_rss_bytes(peer))

    def run(self):
        self.load_averages = [os.getloadavg()[0]]
        self.measure_all(range(self.options.rounds))
        self.load_averages.append(os.getloadavg()[0])

    def command(self, work, name, number):
        words = [str(word) for word in work.words]
        if name in SLOW:
            at = words.index("--count") + 1
            if int(words[at]) >= 2 * FEWEST:
                words[at] = str(max(int(words[at]) // SLOW[name], FEWEST))
            for word, most in SLOW_LISTS.items():
                if word in words:
                    words[words.index(word) + 1] = str(min(int(words[words.index(word) + 1]), most))
        pin = ["taskset", "-c", "1"] if self.pinned else []
        return [*pin, self.load, *words, *self.peers[name].load_words, "--server", self.peers[name].http_addr, "--name", f"bench/w{self.work.index(work)}/r{number}"]

    def measure(self, work, name, number):
        os.sync()  # neither pays for what another left in the page cache
        # The clock of the server's CPU begins when what is read was pushed: the generator says so with an empty line.
        running = subprocess.Popen(self.command(work, name, number) + ["--announce"], stdout=subprocess.PIPE, text=True)
        early = running.stdout.readline().strip()
        before = peers.cpu_seconds(self.peers[name])
        text = early + running.communicate(timeout=ROUND_DEADLINE_S)[0]
        cpu = peers.cpu_seconds(self.peers[name]) - before
        outcome = json.loads(text) if text.strip() else {"failures": 1, "first_failure": "the generator ended"}
        if not outcome["failures"]:
            megabytes = outcome["mib_per_second"] * outcome["seconds"] * MIB / MB
            units = megabytes if work.unit == "MB" else outcome["operations"]
            outcome["rate"] = units / max(outcome["seconds"], 1e-9)
            outcome["cpu_us"] = 1e6 * cpu / units
        self.results[(work.title, name)].append(outcome)
        shown = outcome["first_failure"] if outcome["failures"] else \
            f"{outcome['rate']:.0f} {work.unit}/s, CPU {outcome['cpu_us']:.1f} us, p50 {outcome['latency_us']['p50']} us, p99 {outcome['latency_us']['p99']} us"
        print(f"{work.title} | {name} | round {number + 1}: {shown}", flush=True)

    # The page.

    def good(self, work, name):
        return [outcome for outcome in self.results[(work.title, name)] if not outcome["failures"]]

    def cell(self, work, name):
        rounds, good = self.results[(work.title, name)], self.good(work, name)
        if not rounds:
            return "-"
        if len(good) < len(rounds):
            return f"FAILED {len(rounds) - len(good)} of {len(rounds)}: {rounds[-1].get('first_failure')}"
        rates = [outcome["rate"] for outcome in good]
        cpu = statistics.median(outcome["cpu_us"] for outcome in good)
        return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}); {cpu / 1000:.2f} ms" if work.unit == "MB" \
            else f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}); {cpu:.1f} us"

    def latency(self, work):
        good = self.good(work, OURS)
        if not good:
            return "-"
        which = "pull_latency_us" if "mixed" in work.words else "latency_us"  # of a mix, the pulls
        return "/".join(f"{statistics.median(outcome[which][name] for outcome in good) / 1000:.2f}" for name in ("p50", "p99"))

    def ratio(self, work, field, name=OURS):
        pairs = [(ours[field], theirs[field]) for ours, theirs in
                 zip(self.results[(work.title, name)], self.results[(work.title, work.reference)]) if not ours["failures"] and not theirs["failures"]]
        ratios = [ours / theirs for ours, theirs in pairs if theirs > 0]
        if not ratios:
            return "-"
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"

    def variants_page(self):
        lines = ["| workload | peer | rate; CPU | rate / plain | CPU / plain |", "|---|---|---|---|---|"]
        for work in self.work:
            lines += [f"| {work.title}, {work.unit}/s | {name} | {self.cell(work, name)} | {self.ratio(work, 'rate', name)} | {self.ratio(work, 'cpu_us', name)} |"
                      for name in self.names]
        lines += [f"| highest peak RSS | {name} | {self.peaks[name] / MIB:.0f} MiB | | |" for name in self.names]
        return "\n".join(lines)

    def page(self):
        if self.options.variants:
            return self.variants_page()
        lines = ["| workload | " + " | ".join(self.names) + " | ours, p50/p99 ms (mixed: of pulls) | rate, ours / reference | CPU, ours / reference | reference |",
                 "|---" * (len(self.names) + 5) + "|"]
        for work in self.work:
            lines.append(f"| {work.title}, {work.unit}/s | " + " | ".join(self.cell(work, name) for name in self.names) +
                         f" | {self.latency(work)} | {self.ratio(work, 'rate')} | {self.ratio(work, 'cpu_us')} | {work.reference} |")
        lines.append("| highest peak RSS, MiB | " + " | ".join(f"{self.peaks[name] / MIB:.0f}" for name in self.names) + " | | | | |")
        return "\n".join(lines)

    def describe(self):
        words = " ".join(sys.argv[1:])
        where = "each server on core 0, the generator on core 1" if self.pinned else "servers and generator share all cores"
        lines = [f"Medians of {self.options.rounds} rounds (lowest to highest), the servers taking turns, then the server's CPU time for each operation or MB. Ratios are "
                 f"taken in each round; their median, and their range.", "", f"Machine: {report.machine('HTTP or HTTPS' if self.options.variants else 'plain HTTP')}; {where}.", "",
                 f"Commit {report.commit()}. Load average before and after: {', '.join(f'{load:.1f}' for load in self.load_averages)}.", "",
                 "What each promises of what it acknowledged:", ""]
        lines += [f"- {name}: {peers.DURABILITY[name]}" for name in self.names]
        lines += [f"- plain is orbitalreg with `storage.io: {self.options.io}`, `storage.durability: full`, HTTP"] if self.options.variants else []
        lines += [f"- {name} took no part: {why}" for name, why in self.missing.items()]
        if any(name in SLOW for name in self.names):
            lines += ["", f"{', '.join(f'{name} does one in {share} of the operations' for name, share in SLOW.items() if name in self.names)}, and "
                      f"lists {SLOW_LISTS['--tags']:,} tags and {SLOW_LISTS['--repositories']:,} repositories at most."]
        lines += ["", "GET follows the push of the same round. Ours writes past the page cache and reads the first GET of a blob from the disk" +
                  ("." if self.options.variants else "; the others find it in memory."), "", f"Command: `bench/compare.py{' ' + words if words else ''}`; for each server in turn:", ""]
        lines += [f"    orbitalreg-load {' '.join(str(word) for word in work.words)}" for work in self.work]
        return "\n".join(lines)


class Guard:
    """CPU time against the plain loop of the same run, the lowest of all rounds on both sides: what else a machine does can only add to it."""

    def __init__(self, comparison):
        self.comparison = comparison
        self.path = report.ACCEPTED / "cpu.json"
        self.accepted = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.model = report.cpu_kind()

    def lowest(self, title, name):
        return min((outcome["cpu_us"] for outcome in self.comparison.results[(title, name)] if not outcome["failures"]), default=None)

    def ratios(self):
        calibration = {work.title: self.lowest(work.title, "limit") or self.lowest(CALIBRATION, "limit") for work in self.comparison.work}
        return {title: round(self.lowest(title, OURS) / each, 3) for title, each in calibration.items() if self.lowest(title, OURS) and each}

    def over(self):
        ratios = self.ratios()
        missing = [work.title for work in self.comparison.work if work.title not in ratios]
        return missing + [title for title, ratio in ratios.items() if ratio > self.accepted[self.model].get(title, 0) * (1 + GUARD_MARGIN)]

    def measure(self, enough):
        for attempt in range(GUARD_ATTEMPTS):
            self.comparison.measure_all(range(attempt * GUARD_ROUNDS, (attempt + 1) * GUARD_ROUNDS))
            if enough():
                return

    def accept(self):
        self.measure(lambda: False)
        report.write_accepted(self.path, self.accepted | {self.model: self.ratios()})
        return 0

    def run(self):
        if self.model not in self.accepted:
            print(f"no CPU time is accepted for this kind of machine ({self.model}): nothing to compare with. bench/compare.py --accept")
            return 0
        self.measure(lambda: not self.over())
        for title, ratio in self.ratios().items():
            print(f"{title}: {ratio:.2f} of the plain loop's CPU time, accepted {self.accepted[self.model].get(title, 0):.2f}")
        for title in self.over():
            print(f"GUARD: {title} takes over {GUARD_MARGIN:.0%} more CPU time than was accepted, or failed")
        return 1 if self.over() else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="orbitalreg; default: the newest build tree's")
    parser.add_argument("--load", help="orbitalreg-load; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of ours, as in the environment: ORBITALREG_LOG_LEVEL=warn")
    parser.add_argument("--peers", help=f"of {','.join(ALL)}; default: all that are installed")
    parser.add_argument("--variants", action="store_true", help="orbitalreg beside itself, each with one thing changed")
    guard = parser.add_mutually_exclusive_group()
    guard.add_argument("--guard", action="store_true", help="exit with 1 where the server's CPU time has grown by more than the margin since it was accepted")
    guard.add_argument("--accept", action="store_true", help="accept today's for this kind of machine")
    parser.add_argument("--only", default="", help="workloads with this in their title")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, to try the script")
    parser.add_argument("--no-pin", action="store_true", help="leave it to the kernel where servers and generator run")
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    if options.variants and options.io == "auto":
        options.io = "uring"  # or it does not start: what threads are measured beside must be what it says
    if options.guard or options.accept:
        options.peers = f"{OURS},limit"
        guard = Guard(Comparison(options))
        return guard.accept() if options.accept else guard.run()
    comparison = Comparison(options)
    comparison.run()
    page = f"{comparison.page()}\n\n{comparison.describe()}\n"
    print(page)
    report.write(options.result, f"orbitalreg beside {'itself' if options.variants else 'its peers'}", page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
