#!/usr/bin/env python3
"""What collection costs the clients beside it, how fast it is, and whether the store comes back.

Each round has a server of its own: --dead blobs that nothing refers to are pushed; then a storm of pushes and pulls from
many clients, without collection; then, the grace of the dead being over, the same storm beside a collection of all of
them. Afterwards everything else is collected too, and the server is started again. Printed are p50, p99 and p99.9 of PUT
and GET, the ratio of with to without, blobs and bytes collected a second, and what the data directory takes on disk: empty,
full, collected, and what was written to it per byte pushed. --result writes the page that bench/results keeps.
"""

import argparse
import json
import pathlib
import statistics
import sys
import threading

import loaded_server

MIB = 1 << 20


def allocated_bytes(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def bytes_written(pid):
    """That the process has sent to the disk since its start, as the kernel counts."""
    lines = pathlib.Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


class Round(loaded_server.LoadedServer):
    """One server: filled, stormed without collection and with it, emptied."""

    def __init__(self, options):
        super().__init__(options, {
            "ORBITALREG_GC_GRACE": f"{options.grace}s", "ORBITALREG_GC_INTERVAL": "24h",
            # Each stop makes a checkpoint, so that what is on disk does not hang on when the last one was made.
            "ORBITALREG_STORAGE_CHECKPOINT_AT_STOP": "1"})
        self.options = options

    def run(self):
        with self.server as server:
            found = {"empty": self.restarted()}
            before = bytes_written(server.process.pid)
            large = self.options.dead // 20
            self.finish(self.push("dead", 4096, self.options.dead - large))
            self.finish(self.push("dead", 128 << 10, large))
            found["full"] = allocated_bytes(server.data)
            found["off"] = self.storm()
            self.wait_due(self.options.dead)
            collector = threading.Thread(target=self.collect, args=(found,))
            collector.start()
            found["on"] = self.storm()
            collector.join()
            pushed = (large * (128 << 10)) + (self.options.dead - large + 2 * self.options.pushes) * 4096
            found["written_per_byte"] = (bytes_written(server.process.pid) - before) / pushed
            found["after"] = allocated_bytes(server.data)
            self.wait_due(server.metrics()["orbitalreg_gc_unreferenced_blobs"])
            self.collect({})
            found["emptied"] = self.restarted()
            found["blobs"] = server.metrics()["orbitalreg_blobs"]
            return found

    def restarted(self):
        """Bytes on disk after a round of compaction, a stop and a start."""
        self.command("compact")
        self.server.stop()
        self.server.start()
        return allocated_bytes(self.server.data)

    def storm(self):
        running = {"PUT": self.push("live", 4096, self.options.pushes, clients=4), "GET": self.pull(self.options.pulls)}
        return {name: self.finish(process) for name, process in running.items()}

    def collect(self, found):
        began = self.server.metrics()
        found["round"] = self.command("gc", "run")
        ended = self.server.metrics()
        found["deleted"] = ended["orbitalreg_gc_blobs_deleted_total"] - began["orbitalreg_gc_blobs_deleted_total"]
        found["log_written"] = ended["orbitalreg_log_bytes_total"] - began["orbitalreg_log_bytes_total"]


def latency_table(rounds):
    lines = ["| | p50 us off | on | p99 us off | on | ratio of p99, median (each round) | p99.9 us off | on |",
             "|---|---|---|---|---|---|---|---|"]
    for name in ("PUT", "GET"):
        def median(state, share, name=name):
            return statistics.median(entry[state][name]["latency_us"][share] for entry in rounds)
        ratios = [entry["on"][name]["latency_us"]["p99"] / entry["off"][name]["latency_us"]["p99"] for entry in rounds]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        lines.append(f"| {name} | {median('off', 'p50'):.0f} | {median('on', 'p50'):.0f} | {median('off', 'p99'):.0f} | "
                     f"{median('on', 'p99'):.0f} | {statistics.median(ratios):.2f} ({each}) | "
                     f"{median('off', 'p999'):.0f} | {median('on', 'p999'):.0f} |")
    return lines


def collection_table(rounds):
    lines = ["| blobs collected | a second | MB a second | on disk, MiB: empty | full | after the storm | emptied | to empty | written per byte pushed |",
             "|---|---|---|---|---|---|---|---|---|"]
    for entry in rounds:
        seconds = max(entry["round"]["duration_ms"], 1) / 1000
        lines.append(f"| {entry['deleted']:.0f} | {entry['deleted'] / seconds:.0f} | "
                     f"{entry['round']['deleted_bytes'] / seconds / 1e6:.1f} | {entry['empty'] / MIB:.1f} | "
                     f"{entry['full'] / MIB:.1f} | {entry['after'] / MIB:.1f} | {entry['emptied'] / MIB:.1f} | "
                     f"{100 * (entry['emptied'] / entry['empty'] - 1):+.1f} % | {entry['written_per_byte']:.2f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loaded_server.add_arguments(parser)
    parser.add_argument("--dead", type=int, default=100_000, help="blobs to be collected; one in 20 is of 128 KiB")
    parser.add_argument("--grace", type=int, default=60, help="seconds; longer than a storm takes")
    parser.add_argument("--pushes", type=int, default=50_000, help="of a storm")
    parser.add_argument("--pulls", type=int, default=100_000, help="of a storm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        rounds.append(Round(options).run())
        print(json.dumps(rounds[-1]), flush=True)
    page = "\n".join(latency_table(rounds) + [""] + collection_table(rounds))
    print(page)
    if options.result:
        words = " ".join(word for word in sys.argv[1:])
        pathlib.Path(options.result).write_text(
            f"# Collection beside pushes and pulls\n\n{page}\n\nCommand: `bench/collection.py {words}`\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
