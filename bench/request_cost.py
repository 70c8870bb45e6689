#!/usr/bin/env python3
"""What one request costs the server: instructions and allocations (valgrind's callgrind), system calls (strace -c).

  bench/request_cost.py [--requests 1000] [--calls DIRECTORY] [--work LABEL]
  bench/request_cost.py --guard | --accept      instructions and allocations against what was accepted (bench/accepted/request_cost.json)

Each count is the difference of two loads of one connection, the second with --requests more, so that what is pushed first, and what
the server does by itself, cancels out. --calls leaves callgrind's files there, for callgrind_annotate. Needs valgrind and strace.
Under callgrind the server uses `storage.io: threads`, since valgrind does not know io_uring; for the system calls, what it uses by itself.
"""

import argparse
import collections
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402
import report  # noqa: E402

FEW = 100
AS_SHIPPED = {"ORBITALREG_LOG_GATHER": "20ms"}
WORKLOADS = {
    "GET manifest": ["get-manifest"],
    "HEAD manifest": ["head"],
    "HEAD blob": ["head-blob", "--size", "4096"],
    "GET 4 KiB blob": ["get-blob", "--size", "4096"],
    "push 4 KiB blob": ["push-small", "--size", "4096"],
}
ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}
DEADLINE_S = 900
GUARD_MARGIN = 0.10  # what has grown by more than this fails


def put_load(load, server, words, requests, name):
    command = [load, *words, "--server", server.http_addr, "--count", str(requests), "--name", name, "--clients", "1"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False).stdout)
    if found["failures"]:
        raise SystemExit(f"{' '.join(words)}: {found['first_failure']}")


def read_callgrind(path):
    """Instructions in all, and calls of what allocates."""
    names, instructions, allocations, callee = {}, 0, 0, ""
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith(("totals:", "summary:")):
            instructions = max(instructions, int(line.split()[1]))
        elif line.startswith(("cfn=", "fn=")):
            number, name = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line).groups()
            if name:
                names[number] = name
            if line.startswith("cfn="):
                callee = names[number]
        elif line.startswith("calls=") and callee.split("'")[0] in ALLOCATORS:
            allocations += int(line[6:].split()[0])
    return instructions, allocations


class Callgrind:
    """A server under callgrind, and what it did for one load."""

    def __init__(self, folder, binary):
        self.folder = folder
        wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out", "--separate-threads=no",
                   "--dump-instr=no", "--error-limit=no", "-q"]
        # A wrapper that becomes the server: its process is the server's.
        self.server = registry_process.RegistryProcess(binary=binary, io="threads", environment=AS_SHIPPED)
        self.server.command = lambda: [*wrapper, self.server.binary, "serve"]
        self.dumps = 0

    def control(self, flag):
        subprocess.run(["callgrind_control", flag, str(self.server.process.pid)], capture_output=True, check=True, timeout=DEADLINE_S)

    def measure(self, load, words, requests, name):
        self.control("-z")
        put_load(load, self.server, words, requests, name)
        self.control("-d")
        self.dumps += 1
        path = pathlib.Path(f"{self.folder}/callgrind.out.{self.dumps}")
        return read_callgrind(path), path


def read_strace(text):
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and re.fullmatch(r"[\d.]+", words[0]) and words[-1] != "total" and words[3].isdigit():
            calls[words[-1]] = int(words[3])
    return calls


def count_calls(load, server, words, requests, name):
    tracer = subprocess.Popen(["strace", "-c", "-f", "-p", str(server.pid)], stderr=subprocess.PIPE, text=True)
    tracer.stderr.readline()  # "Process ... attached"
    put_load(load, server, words, requests, name)
    tracer.send_signal(signal.SIGINT)
    return read_strace(tracer.communicate(timeout=60)[1])


def guard_against(accepted, counted):
    failed = 0
    for label, row in counted.items():
        for name, count in row.items():
            limit = accepted[label][name] * (1 + GUARD_MARGIN)
            if count > limit:
                print(f"GUARD: {label}: {count:,.0f} {name}, accepted are {accepted[label][name]:,.0f}")
                failed = 1
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--binary", help="orbitalreg; default: the newest build tree's")
    parser.add_argument("--calls", help="leave callgrind's files there")
    parser.add_argument("--work", action="append", choices=WORKLOADS, help="only this; may be given more than once")
    guard = parser.add_mutually_exclusive_group()
    guard.add_argument("--guard", action="store_true", help="exit with 1 where one has grown by more than a tenth since it was accepted")
    guard.add_argument("--accept", action="store_true", help="accept today's")
    options = parser.parse_args()
    for program in ("valgrind", "strace"):
        if not shutil.which(program):
            registry_process.skip(f"no {program}: apt-get install {program}")
    load = registry_process.find_binary("orbitalreg-load")
    if not load:
        registry_process.skip("no orbitalreg-load: build it")
    folder = pathlib.Path(options.calls) if options.calls else registry_process.fresh_folder("orbitalreg-calls-")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {label: WORKLOADS[label] for label in (options.work or WORKLOADS)}
    rows = collections.defaultdict(dict)
    callgrind = Callgrind(folder, options.binary)
    with callgrind.server:
        for label, words in chosen.items():
            put_load(load, callgrind.server, words, FEW, "cost/warm")
            (few, few_allocations), _ = callgrind.measure(load, words, FEW, "cost/few")
            (many, many_allocations), path = callgrind.measure(load, words, FEW + options.requests, "cost/many")
            rows[label]["instructions"] = (many - few) / options.requests
            rows[label]["allocations"] = (many_allocations - few_allocations) / options.requests
            print(f"{label}: {rows[label]['instructions']:.0f} instructions, {rows[label]['allocations']:.1f} allocations ({path.name})", flush=True)
    with registry_process.RegistryProcess(binary=options.binary, environment=AS_SHIPPED) as server:
        for label, words in chosen.items():
            few = count_calls(load, server, words, FEW, "cost/few")
            many = count_calls(load, server, words, FEW + options.requests, "cost/many")
            calls = {name: (count - few.get(name, 0)) / options.requests for name, count in many.items()}
            rows[label]["calls"] = {name: each for name, each in sorted(calls.items(), key=lambda item: -item[1]) if each >= 0.01}
    print("\n| request | instructions | allocations | system calls | which |\n|---|---|---|---|---|")
    for label, row in rows.items():
        which = ", ".join(f"{name} {each:.2f}" for name, each in row["calls"].items())
        print(f"| {label} | {row['instructions']:,.0f} | {row['allocations']:.1f} | {sum(row['calls'].values()):.2f} | {which} |")
    if not options.calls:
        shutil.rmtree(folder)
    counted = {label: {name: round(row[name], 1) for name in ("instructions", "allocations")} for label, row in rows.items()}
    path = report.ACCEPTED / "request_cost.json"
    if options.accept:
        report.write_accepted(path, counted)
    if not options.guard:
        return 0
    return guard_against(json.loads(path.read_text()), counted)


if __name__ == "__main__":
    sys.exit(main())
