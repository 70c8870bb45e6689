#!/usr/bin/env python3
"""What is left of the rate when more clients ask than the server can answer (REL-28).

  bench/saturation.py [WORKLOAD...]

Finds the number of connections at which the rate is highest, then asks with three and ten times as many, in turns with the
best in one run, and prints the share of the rate that is left, the failures, and the most memory the server had. Leaves with 1
when less than 0.7 of the peak is left at three times. The generator shares the machine, and its threads cost too: the share is
a lower bound.
"""

import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

import registry_process  # noqa: E402

OPERATIONS = {"get-manifest": 60_000, "head": 60_000, "get-blob": 60_000, "push-small": 20_000, "mixed": 40_000}
SIZES = {"get-blob": 4096, "push-small": 4096, "mixed": 4096}
STEPS = (4, 8, 16, 32, 64, 96)
CLIENTS_MAX = 1000
SHARE_MIN = 0.7


def measure(server, generator, workload, clients, share):
    count = max(int(OPERATIONS[workload] * share), clients * 4)
    command = [generator, workload, "--server", server.http_addr, "--clients", str(clients), "--count", str(count)]
    if workload in SIZES:
        command += ["--size", str(SIZES[workload])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found = json.loads(done.stdout)
    good = found["operations"] - found["failures"]
    return good / found["seconds"], found["failures"], found["latency_us"]["p99"] / 1000


def main():
    def extra(parser):
        parser.add_argument("workloads", nargs="*", help=", ".join(OPERATIONS))
        parser.add_argument("--rounds", type=int, default=5)
        parser.add_argument("--share", type=float, default=1.0, help="of the usual number of operations")
    options = registry_process.script_options(__doc__, extra)
    generator = registry_process.find_binary("orbitalreg-load")
    if not generator:
        registry_process.skip("no orbitalreg-load: build it")
    below = []
    for workload in options.workloads or OPERATIONS:
        with registry_process.from_arguments(options) as server:
            rates = {clients: measure(server, generator, workload, clients, options.share)[0] for clients in STEPS}
            best = max(rates, key=rates.get)
            crowds = (best, min(3 * best, CLIENTS_MAX), min(10 * best, CLIENTS_MAX))
            taken = {clients: [] for clients in crowds}
            for _ in range(options.rounds):
                for clients in crowds:
                    taken[clients].append(measure(server, generator, workload, clients, options.share))
            peak = statistics.median(rate for rate, _, _ in taken[best])
            for clients, found in taken.items():
                rate = statistics.median(rate for rate, _, _ in found)
                print(f"{workload:13} {clients:5} clients  {rate:9.0f}/s  {rate / peak:5.2f} of the peak  "
                      f"p99 {statistics.median(p99 for _, _, p99 in found):8.2f} ms  failures {sum(lost for _, lost, _ in found)}",
                      flush=True)
                if clients <= 3 * best and rate < SHARE_MIN * peak:
                    below.append(f"{workload} with {clients} clients")
            print(f"{workload:13} peak memory {registry_process.peak_rss_bytes(server.pid) / 2**20:.1f} MiB", flush=True)
    print(f"below {SHARE_MIN} of the peak at three times: {', '.join(below) or 'none'}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
