#!/usr/bin/env python3
"""Measures how the server scales, one curve for each thing that grows, and where each curve bends.

  bench/curves.py [--only cores] [--only tags] [--quick | --large] [--rounds 3] [--plots docs/performance] [--result FILE]

  cores         GET manifest and push of 4 KiB, the server on one core, two, four
  connections   the same with 1 to 1,000 connections
  blobs         start, memory and GET manifest in stores of 1,000 to 1,000,000 blobs (--large: 5,000,000)
  repositories  a page of the catalog and GET manifest among 1 to 100,000 repositories
  tags          a page of tags and GET manifest in one image of 1,000 to 1,000,000 tags

Each figure is the median of --rounds rounds, and every round goes over all steps of the curve, each with a server of its own. A load runs about
--seconds, after a short trial that warms the server and says how many operations that is. Stores are made by orbitalreg-fill. --plots draws one
SVG a curve there, with gnuplot. The whole takes about ten minutes on two idle cores, --large some five more, --quick a minute.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peers"))

import peers  # noqa: E402
import plots  # noqa: E402
import registry_process  # noqa: E402
import report  # noqa: E402

MIB = 1 << 20
DEADLINE_S = 1800
BEND = 0.10  # a change of more than this is one
TRIAL_OPERATIONS = 2000
CLIENTS = 32
PAGE = 100
PAGE_TARGETS_MAX = 20_000
MANIFEST_BLOBS = 10  # of orbitalreg-fill as it is: nine layers, and the manifest

GET, PUSH = "GET manifest", "push 4 KiB"
START, GET_ONE, GET_ANY = "start", "GET one manifest", "GET manifests anywhere"
WORDS = {GET: ["get-manifest"], PUSH: ["push-small", "--size", "4096"]}

# What is taken: its heading, and how a value is shown.
FIGURES = {
    "rate": ("a second", "{:,.0f}"), "p50": ("p50, ms", "{:.2f}"), "p99": ("p99, ms", "{:.2f}"), "cpu": ("server's CPU of one, us", "{:.1f}"),
    "peak": ("server's peak RSS, MiB", "{:.0f}"),
    "server_cores": ("cores the server used", "{:.2f}"), "generator_cores": ("cores the generator used", "{:.2f}"),
    "open": ("store open after, s", "{:.3f}"), "ready": ("server ready after, s", "{:.3f}"), "rss": ("RSS of the open store, MiB", "{:.0f}"),
    "each": ("of it a blob, bytes", "{:.0f}")}
LOAD = ("rate", "p50", "p99", "cpu", "peak")


def short(number):
    return f"{number:,}"


def children_cpu_seconds():
    """Of all that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def pages_of(path, names):
    """Requests for pages of PAGE names that begin anywhere where so many follow; there is one only, the first, where there are fewer."""
    ordered, anywhere = sorted(names), random.Random(1)
    begins = [anywhere.randint(0, max(0, len(ordered) - PAGE)) for _ in range(min(len(ordered), PAGE_TARGETS_MAX))]
    return [f"{path}?n={PAGE}" + (f"&last={ordered[begin - 1]}" if begin else "") for begin in begins]


class Curve:
    """What was taken: work -> step -> figure -> one value a round."""

    def __init__(self, name, title, step_name, steps):
        self.name, self.title, self.step_name, self.steps = name, title, step_name, steps
        self.taken = collections.defaultdict(lambda: collections.defaultdict(lambda: collections.defaultdict(list)))
        self.failed = collections.defaultdict(list)  # (work, step) -> what went wrong
        self.tables = []  # (works, figures)
        self.panels = []  # (title, unit, figure, works)
        self.notes = []
        self.words = []

    def keep(self, work, step, found):
        if "failed" in found:
            self.failed[(work, step)].append(found["failed"])
            return
        for figure, value in found.items():
            self.taken[work][step][figure].append(value)

    def line(self, work, figure):
        """(step, median) of the steps where no round failed."""
        return [(step, statistics.median(self.taken[work][step][figure])) for step in self.steps
                if self.taken[work][step][figure] and not self.failed[(work, step)]]

    def differs(self, work, figure, before, after):
        """Whether the medians of two steps are more than BEND apart, and all rounds of one above all of the other."""
        first, second = self.taken[work][before][figure], self.taken[work][after][figure]
        change = statistics.median(second) / statistics.median(first) - 1 if statistics.median(first) > 0 else 0
        return abs(change) > BEND and (min(second) > max(first) or max(second) < min(first))

    def cell(self, work, step, figure):
        form = FIGURES[figure][1]
        if self.failed[(work, step)]:
            return f"FAILED {len(self.failed[(work, step)])}: {self.failed[(work, step)][-1]}"
        values = self.taken[work][step][figure]
        if not values:
            return "-"
        text = form.format(statistics.median(values))
        return text if len(values) == 1 else f"{text} ({form.format(min(values))} to {form.format(max(values))})"

    def table(self, works, figures):
        lines = [f"| work | {self.step_name} | " + " | ".join(FIGURES[figure][0] for figure in figures) + " |", "|---" * (len(figures) + 2) + "|"]
        for work in works:
            for step in self.steps:
                cells = [self.cell(work, step, figure) for figure in figures]
                lines.append(f"| {work} | {short(step)} | " + " | ".join(cells) + " |")
        return lines

    def draw(self, folder):
        drawn = []
        for title, unit, figure, works in self.panels:
            lines = {}
            for work in works:
                of_step = self.taken[work]
                lines[work] = [(step, middle, min(of_step[step][figure]), max(of_step[step][figure])) for step, middle in self.line(work, figure)]
            drawn.append(plots.Panel(title, unit, {work: line for work, line in lines.items() if line}))
        path = pathlib.Path(folder) / f"{self.name}.svg"
        plots.draw(path, self.title, self.step_name, drawn)
        return path


# Where a curve bends, in words.

def growth(curve, work, figure, what):
    """Of what should grow with the steps: the last step that still brings more than BEND, the highest, what is left at the end."""
    line, form = curve.line(work, figure), "{:,.0f}"
    if len(line) < 2:
        return
    pairs = [(index, line[index - 1], line[index]) for index in range(1, len(line))]
    last = max((index for index, before, after in pairs if after[1] > before[1] and curve.differs(work, figure, before[0], after[0])), default=0)
    peak = max(range(len(line)), key=lambda index: line[index][1])
    text = f"{work}: no step brings more than {BEND:.0%} to the {what}" if last == 0 else \
        f"{work}: the {what} grows by more than {BEND:.0%} for the last time from {short(line[last - 1][0])} to {short(line[last][0])} {curve.step_name} " \
        f"({form.format(line[last - 1][1])} to {form.format(line[last][1])})"
    text += f"; it is highest at {short(line[peak][0])} ({form.format(line[peak][1])})"
    fallen = next((step for step, _ in line[peak + 1:] if curve.differs(work, figure, line[peak][0], step)), None)
    if fallen is not None:
        text += f", more than {BEND:.0%} below that from {short(fallen)} on, and {line[-1][1] / line[peak][1]:.2f} of it at {short(line[-1][0])}"
    curve.words.append(text + ".")


def level(curve, work, figure, what, form):
    """Of what should stay: the first step at which it differs from where it began, and the largest step."""
    line = curve.line(work, figure)
    if len(line) < 2 or line[0][1] <= 0:
        return
    first, last = line[0], line[-1]
    left = next((index for index in range(1, len(line)) if curve.differs(work, figure, first[0], line[index][0])), None)
    ends = f"{form.format(first[1])} at {short(first[0])}, {form.format(last[1])} at {short(last[0])} {curve.step_name}, {last[1] / first[1]:.2f} of it"
    steps = [(line[index][1] / line[index - 1][1], index) for index in range(1, len(line)) if line[index][1] > 0 and line[index - 1][1] > 0]
    if left is None or not steps:
        curve.words.append(f"{work}: the {what} does not bend ({ends}).")
        return
    factor, at = max(steps, key=lambda each: max(each[0], 1 / each[0]))
    curve.words.append(f"{work}: the {what} differs from its first value from {short(line[left][0])} on ({ends}); the largest step is from "
                       f"{short(line[at - 1][0])} to {short(line[at][0])}: {factor:.2f} of it.")


def slope(curve, work, figure, what, per, unit, form):
    """Of what grows in proportion: what `per` more cost between the last two steps, and between the two before."""
    line = curve.line(work, figure)
    each = [(line[index - 1][0], line[index][0], (line[index][1] - line[index - 1][1]) / (line[index][0] - line[index - 1][0]) * per)
            for index in range(1, len(line))]
    if each:
        told = [f"{form.format(value)} {unit} between {short(begin)} and {short(end)}" for begin, end, value in each[-2:]]
        curve.words.append(f"{work}: with each {short(per)} {curve.step_name} more, {what} grows by " + ", by ".join(told) + ".")


class Bench:
    def __init__(self, options):
        self.options = options
        self.load = options.load or registry_process.find_binary("orbitalreg-load")
        self.fill = options.fill or registry_process.find_binary("orbitalreg-fill")
        if not self.load or not self.fill:
            registry_process.skip("no orbitalreg-load or orbitalreg-fill: build them")
        self.cpus = sorted(os.sched_getaffinity(0))
        self.pinned = len(self.cpus) > 1 and bool(shutil.which("taskset")) and not options.no_pin
        self.seconds = options.seconds or (0.3 if options.quick else 2.0)
        self.rounds = options.rounds or (1 if options.quick else 3)
        self.folder = registry_process.fresh_folder("orbitalreg-curves-")
        self.number = 0

    # Parts of a measurement.

    def cores(self, count):
        """Those of a server with `count`, and those of the generator: what is left, or all of them."""
        if not self.pinned:
            return [], []
        server, rest = self.cpus[:count], self.cpus[count:] or self.cpus
        return [["taskset", "-c", ",".join(map(str, chosen))] for chosen in (server, rest)]

    def server(self, pin, data=None):
        settings = dict([("ORBITALREG_LOG_GATHER", "20ms"), *(each.split("=", 1) for each in self.options.set)])
        return peers.Registry(pin, kind=peers.OURS, binary=self.options.binary, io=self.options.io, data=data, environment=settings)

    def generate(self, server, pin, words, count, clients):
        """One run of the generator; the clocks of CPU begin when what is read was pushed."""
        self.number += 1
        command = [*pin, self.load, *words, "--server", server.http_addr, "--count", str(count), "--clients", str(clients),
                   "--name", f"curve/w{self.number}", "--announce"]
        ended = children_cpu_seconds()
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        early = running.stdout.readline().strip()
        before, preparing = registry_process.cpu_seconds(server.pid), registry_process.cpu_seconds(running.pid)
        text = early + running.communicate(timeout=DEADLINE_S)[0]
        cpu, generating = registry_process.cpu_seconds(server.pid) - before, children_cpu_seconds() - ended - preparing
        found = json.loads(text) if text.strip() else {"failures": 1, "first_failure": f"the generator ended with {running.returncode}"}
        if found["failures"]:
            return {"failed": f"{found['failures']} requests, {found['first_failure']}"}
        seconds = max(found["seconds"], 1e-9)
        return {"rate": found["operations"] / seconds, "p50": found["latency_us"]["p50"] / 1000, "p99": found["latency_us"]["p99"] / 1000,
                "cpu": 1e6 * cpu / found["operations"], "server_cores": cpu / seconds, "peak": registry_process.peak_rss_bytes(server.pid) / MIB,
                "generator_cores": generating / seconds}

    def measure(self, curve, work, step, server, pin, words, clients=CLIENTS):
        trial = self.generate(server, pin, words, max(TRIAL_OPERATIONS, 4 * clients) if not self.options.quick else max(200, 2 * clients), clients)
        found = trial if "failed" in trial else self.generate(server, pin, words, max(int(trial["rate"] * self.seconds), 4 * clients), clients)
        curve.keep(work, step, found)
        told = found.get("failed") or f"{found['rate']:,.0f}/s, p50 {found['p50']:.2f} ms, p99 {found['p99']:.2f} ms, CPU {found['cpu']:.1f} us, " \
            f"peak {found['peak']:.0f} MiB"
        print(f"{curve.name} | {work} | {curve.step_name} {short(step)}: {told}", flush=True)

    def make_store(self, curve, step, blobs, *words):
        """A store of orbitalreg-fill in a folder of its own."""
        folder = self.folder / f"{curve.name}-{step}"
        begun = time.monotonic()
        subprocess.run([self.fill, "make", str(folder), "--blobs", str(blobs), *map(str, words)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=DEADLINE_S)
        told = f"the store of {short(step)}" + (f" ({short(blobs)} blobs)" if blobs != step else "") + f" was made in {time.monotonic() - begun:.1f} s"
        print(f"{curve.name} | {told}", flush=True)
        curve.notes.append(told)
        return folder

    def targets(self, name, paths):
        path = self.folder / f"{name}.targets"
        path.write_text("".join(f"{each}\n" for each in paths))
        return ["get", "--targets", str(path)]

    def check_page(self, server, words, names):
        """That what is asked for is what is meant: a page holds as many names as it should."""
        target = pathlib.Path(words[-1]).read_text().partition("\n")[0]
        status, body = server.get(server.http_addr, target)
        listed = json.loads(body) if status == 200 else {}
        if len(listed.get("tags") or listed.get("repositories") or ()) != names:
            raise SystemExit(f"{target}: {status}, not a page of {names}: {body[:200]!r}")

    def over_stores(self, curve, stores, works, paged=None):
        """`stores`: step -> folder; `works`: work -> step -> words of the generator. Every step with a server of its own in every round."""
        server_pin, generator_pin = self.cores(1)
        for _ in range(self.rounds):
            for step, folder in stores.items():
                if curve.name == "blobs":
                    self.open_store(curve, step, folder)
                with self.server(server_pin, folder) as server:
                    curve.keep(START, step, {"ready": server.start_seconds[-1]})
                    for work, of_step in works.items():
                        if work == paged:
                            self.check_page(server, of_step[step], min(PAGE, step))
                        self.measure(curve, work, step, server, generator_pin, of_step[step])
                    server.stop()
        for folder in stores.values():
            shutil.rmtree(folder)

    def open_store(self, curve, step, folder):
        done = subprocess.run([self.fill, "open", str(folder), "--read-only"], check=True, capture_output=True, text=True, timeout=DEADLINE_S)
        found = json.loads(done.stdout)
        curve.keep(START, step, {"open": found["open_s"], "rss": found["rss_mib"], "each": found["bytes_per_blob"]})
        print(f"{curve.name} | {START} | {curve.step_name} {short(step)}: {found['open_s']:.3f} s, {found['rss_mib']:.0f} MiB", flush=True)

    # The curves.

    def curve_cores(self):
        counts = [count for count in (1, 2, 4, 8, 16) if count <= len(self.cpus)] if self.pinned else []
        curve = Curve("cores", "More cores", "cores", counts)
        if len(counts) < 2:
            curve.notes.append("not measured: there is one core, or no taskset, or --no-pin was given")
            return curve
        for _ in range(self.rounds):
            for count in counts:
                server_pin, generator_pin = self.cores(count)
                with self.server(server_pin) as server:
                    for work, words in WORDS.items():
                        self.measure(curve, work, count, server, generator_pin, words)
        shared = [count for count in counts if count == len(self.cpus)]
        curve.notes.append(f"{CLIENTS} connections; the server on the first cores, the generator on the others")
        if shared:
            curve.notes.append(f"the machine has {len(self.cpus)} cores: at {shared[0]} server and generator share all of them, and the rate there is what "
                               "both can do together, not what a server with so many cores could")
        curve.tables = [((GET, PUSH), (*LOAD[:4], "server_cores", "generator_cores"))]
        curve.panels = [("rate", "operations a second", "rate", (GET, PUSH)), ("server CPU of an operation", "us", "cpu", (GET, PUSH))]
        for work in (GET, PUSH):
            growth(curve, work, "rate", "rate")
            level(curve, work, "cpu", "server's CPU time of an operation", "{:.1f} us")
        return curve

    def curve_connections(self):
        curve = Curve("connections", "More connections", "connections", (1, 16, 256) if self.options.quick else (1, 4, 16, 64, 256, 1000))
        server_pin, generator_pin = self.cores(1)
        for _ in range(self.rounds):
            for step in curve.steps:
                for work, words in WORDS.items():
                    with self.server(server_pin) as server:
                        self.measure(curve, work, step, server, generator_pin, words, step)
        curve.notes.append("the generator has a thread for each connection: its share of the cost grows with them")
        curve.tables = [((GET, PUSH), LOAD)]
        curve.panels = [("rate", "operations a second", "rate", (GET, PUSH)), ("p50", "ms", "p50", (GET, PUSH)), ("p99", "ms", "p99", (GET, PUSH)),
                        ("server CPU of an operation", "us", "cpu", (GET, PUSH)), ("server's peak RSS", "MiB", "peak", (GET, PUSH))]
        for work in (GET, PUSH):
            growth(curve, work, "rate", "rate")
            level(curve, work, "cpu", "server's CPU time of an operation", "{:.1f} us")
            slope(curve, work, "peak", "peak RSS", 100, "MiB", "{:.2f}")
        return curve

    def curve_blobs(self):
        steps = (1_000, 10_000, 100_000) if self.options.quick else (1_000, 10_000, 100_000, 1_000_000)
        curve = Curve("blobs", "More blobs", "blobs", (*steps, 5_000_000) if self.options.large else steps)
        stores, one, anywhere = {}, {}, {}
        for step in curve.steps:
            stores[step] = self.make_store(curve, step, step)
            paths = [f"/v2/fill/repository{number // 1000}/image{number // 50}/manifests/v{number % 50}" for number in range(step // MANIFEST_BLOBS)]
            one[step] = ["get", "--target", paths[len(paths) // 2]]
            anywhere[step] = self.targets(f"blobs-{step}", paths)
        self.over_stores(curve, stores, {GET_ONE: one, GET_ANY: anywhere})
        curve.notes.append(f"of {MANIFEST_BLOBS} blobs one is a manifest with a tag, the others are its small layers; 50 manifests an image, 20 images a "
                           "repository; what is opened was written just before and may lie in the page cache")
        curve.tables = [((START,), ("open", "ready", "rss", "each")), ((GET_ONE, GET_ANY), LOAD)]
        curve.panels = [("opening the store", "s", "open", (START,)), ("memory of the open store", "MiB", "rss", (START,)),
                        ("rate", "operations a second", "rate", (GET_ONE, GET_ANY)), ("server CPU of an operation", "us", "cpu", (GET_ONE, GET_ANY))]
        slope(curve, START, "open", "the time of a start", 1_000_000, "s", "{:.2f}")
        slope(curve, START, "rss", "memory", 1_000_000, "MiB", "{:.0f}")
        self.tell_loads(curve, (GET_ONE, GET_ANY))
        return curve

    def curve_repositories(self):
        curve = Curve("repositories", "More repositories", "repositories", (1, 100, 1_000) if self.options.quick else (1, 100, 10_000, 100_000))
        work = f"catalog page of {PAGE}"
        stores, pages, anywhere = {}, {}, {}
        for step in curve.steps:
            stores[step] = self.make_store(curve, step, 2 * step, "--layers", 1, "--manifests-per-image", 1, "--images-per-repository", 1)
            names = [f"fill/repository{number}/image{number}" for number in range(step)]
            pages[step] = self.targets(f"pages-{step}", pages_of("/v2/_catalog", names))
            anywhere[step] = self.targets(f"names-{step}", [f"/v2/{name}/manifests/v0" for name in names])
        self.over_stores(curve, stores, {work: pages, GET_ANY: anywhere}, paged=work)
        curve.notes.append(f"one image a repository, one manifest an image; a page begins anywhere where {PAGE} names follow, or with the first where "
                           "there are fewer")
        self.finish(curve, work)
        return curve

    def curve_tags(self):
        curve = Curve("tags", "More tags", "tags", (1_000, 10_000) if self.options.quick else (1_000, 100_000, 1_000_000))
        work = f"page of {PAGE} tags"
        stores, pages, anywhere = {}, {}, {}
        for step in curve.steps:
            stores[step] = self.make_store(curve, step, 2 * step, "--layers", 1, "--manifests-per-image", step)
            image = "/v2/fill/repository0/image0"
            tags = [f"v{number}" for number in range(step)]
            pages[step] = self.targets(f"tag-pages-{step}", pages_of(f"{image}/tags/list", tags))
            anywhere[step] = self.targets(f"tags-{step}", [f"{image}/manifests/{tag}" for tag in tags])
        self.over_stores(curve, stores, {work: pages, GET_ANY: anywhere}, paged=work)
        curve.notes.append(f"one image, a manifest of its own for each tag; a page begins anywhere where {PAGE} tags follow")
        self.finish(curve, work)
        return curve

    def finish(self, curve, work):
        curve.tables = [((work, GET_ANY), LOAD), ((START,), ("ready",))]
        curve.panels = [("rate", "operations a second", "rate", (work, GET_ANY)), ("server CPU of an operation", "us", "cpu", (work, GET_ANY)),
                        ("p50", "ms", "p50", (work, GET_ANY)), ("p99", "ms", "p99", (work, GET_ANY))]
        self.tell_loads(curve, (work, GET_ANY))

    def tell_loads(self, curve, works):
        for work in works:
            level(curve, work, "rate", "rate", "{:,.0f} a second")
            level(curve, work, "cpu", "server's CPU time of an operation", "{:.1f} us")
            level(curve, work, "p99", "p99", "{:.2f} ms")


# The page.

NAMES = ("cores", "connections", "blobs", "repositories", "tags")


def page_of(bench, curves, plotted, loads):
    """`plotted`: the curves' names -> the paths of their plots, as the page names them."""
    lines = []
    for curve in curves:
        lines += [f"## {curve.title}", ""]
        if curve.name in plotted:
            lines += [f"![{curve.title}]({plotted[curve.name]})", ""]
        for works, figures in curve.tables:
            lines += [*curve.table(works, figures), ""]
        lines += [*(f"- {each}" for each in curve.words), ""] if curve.words else []
        lines += ["How: " + "; ".join(curve.notes) + ".", ""] if curve.notes else []
    where = f"the server on core {bench.cpus[0]}, the generator on the others, but for the curve of cores" if bench.pinned else \
        "server and generator share all cores"
    words = " ".join(sys.argv[1:])
    lines += ["## How it was measured", "", f"Medians of {bench.rounds} rounds (lowest to highest)." if bench.rounds > 1 else "One round.", "",
              f"A bend is a change of more than {BEND:.0%} that every round shows: all of one step are above all of the other. "
              f"The words are made from these figures. Where nothing else is said {CLIENTS} connections ask, for {bench.seconds:g} s. CPU is the server's, user and system, in steps of 10 ms.", "",
              f"Machine: {report.machine()}; {where}.", "",
              f"Commit {report.commit()}. Load average before and after: {', '.join(f'{load:.1f}' for load in loads)}.", "",
              f"Command: `bench/curves.py{' ' + words if words else ''}`"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="orbitalreg; default: the newest build tree's")
    parser.add_argument("--load", help="orbitalreg-load; default: the newest build tree's")
    parser.add_argument("--fill", help="orbitalreg-fill; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as in the environment: ORBITALREG_LOG_LEVEL=warn")
    parser.add_argument("--only", action="append", choices=NAMES, help="only this curve; may be given more than once")
    parser.add_argument("--rounds", type=int, help="default: 3")
    parser.add_argument("--seconds", type=float, help="of each load; default: 2")
    parser.add_argument("--quick", action="store_true", help="one round of small sizes, to try the script")
    parser.add_argument("--large", action="store_true", help="5,000,000 blobs too")
    parser.add_argument("--no-pin", action="store_true", help="leave it to the kernel where server and generator run")
    parser.add_argument("--plots", help="draw the curves into this folder")
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    if options.plots and plots.missing():
        registry_process.skip(plots.missing())
    begun, loads, curves, plotted = time.monotonic(), [os.getloadavg()[0]], [], {}
    bench = Bench(options)
    try:
        for name in options.only or NAMES:
            curve_begun = time.monotonic()
            curves.append(getattr(bench, f"curve_{name}")())
            print(f"{name} took {time.monotonic() - curve_begun:.0f} s", flush=True)
    finally:
        shutil.rmtree(bench.folder)
    loads.append(os.getloadavg()[0])
    base = pathlib.Path(options.result).resolve().parent if options.result else pathlib.Path.cwd()
    for curve in curves:
        if options.plots and curve.panels:
            pathlib.Path(options.plots).mkdir(parents=True, exist_ok=True)
            plotted[curve.name] = os.path.relpath(curve.draw(options.plots), base)
    page = page_of(bench, curves, plotted, loads)
    print(f"\n{page}\nAll of it took {time.monotonic() - begun:.0f} s.")
    report.write(options.result, "How orbitalreg scales", page)
    return 1 if any(any(curve.failed.values()) for curve in curves) else 0


if __name__ == "__main__":
    sys.exit(main())
