#!/usr/bin/env python3
"""Kills the real server again and again under mixed load, and proves that nothing acknowledged is lost or altered.

Each cycle: start, verify what was touched before the crash and a sample of everything older, load from several
clients, SIGKILL at a random moment (50 to 500 ms into the load, or after a random number of acknowledgements; now
and then also while the server starts). fsck runs on what some kills left, and must find nothing. At the end
everything is verified, before and after a clean stop, and fsck runs at its deepest level. A failure prints the seed.

With --grace the server collects and compacts all the while: what nothing holds may go once the grace is over that runs
since the server last said that it exists, what is held or was just said to exist may not, and what went must not come back.
"""

import collections
import pathlib
import queue
import random
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from journal import Journal, SharedTags, Violation  # noqa: E402
from load import Failure, Shared, Worker, start_workers  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402

KILL_DELAY_S = (0.05, 0.5)
KILL_ACKS = (40, 200)
KILL_ACKS_DEADLINE_S = 8
NESTED_KILL_SHARE = 0.1
OLD_SAMPLE = 40
VERIFIERS = 3
MEAN_ACKS_MIN = 50
# With a grace: small files and short intervals, so that each life collects, punches, makes checkpoints and moves small blobs.
UPKEEP = {"ORBITALREG_GC_INTERVAL": "200ms", "ORBITALREG_COMPACTION_INTERVAL": "200ms",
          "ORBITALREG_STORAGE_LOG_SEGMENT_SIZE": "4MiB", "ORBITALREG_STORAGE_CHECKPOINT_INTERVAL": "16MiB"}
# What of it is counted, as it stood shortly before each kill.
UPKEEP_COUNTS = ("gc_blobs_deleted_total", "compaction_punched_bytes_total", "compaction_lanes_unlinked_total",
                 "compaction_relocated_bytes_total", "log_segments_recycled_total",
                 "log_segments_removed_total", "checkpoints_total")
# Times of blobs are kept in whole seconds, and a lease is written when a twenty-fourth of the grace has run.
GRACE_SLACK_S = 1.1
FSCK_EVERY = 5  # cycles: fsck of the store as the kill left it
POLL_INTERVAL_S = 0.002


class Loop:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.server = registry_process.from_arguments(options)
        self.shared = Shared(SharedTags())
        peer = options.server != "orbitalreg"
        promise_s = None
        if options.grace is not None:
            self.server.environment.update(UPKEEP, ORBITALREG_GC_GRACE=f"{options.grace}s")
            promise_s = max(0.0, options.grace - GRACE_SLACK_S)
        self.journals = [Journal(number, sessions_survive=not peer, promise_s=promise_s)
                         for number in range(options.workers)]
        self.workers = [Worker(journal.owner, self.server.http_addr, journal, self.shared,
                               peer=peer)
                        for journal in self.journals]
        self.acks = []
        self.upkeep = collections.Counter()
        self.outcomes = {"happened": 0, "did not happen": 0, "": 0}
        self.verified = 0
        self.nested_kills = 0
        self.fscks = 0

    def run(self):
        self.server.start()
        with Connection(self.server.http_addr) as client:
            self.shared.prepare(client)
        for cycle in range(self.options.cycles):
            self.load_and_kill(cycle)
            if cycle % FSCK_EVERY == 0:
                self.check_store(("quick", "normal"), "as the kill left it")
            self.start_again()
            self.verify_after_restart()
            if not self.options.quiet:
                print(f"cycle {cycle + 1}: {self.acks[-1]} acknowledged, restart "
                      f"{self.server.start_seconds[-1] * 1000:.0f} ms", flush=True)
        self.verify_all()
        self.server.restart()
        self.verify_all()
        self.server.stop()
        self.check_store(("quick", "normal", "deep"), "after a clean stop")

    def acknowledged(self):
        return sum(journal.acknowledged for journal in self.journals)

    def load_and_kill(self, cycle):
        before = self.acknowledged()
        threads, stop = start_workers(self.workers, f"{self.options.seed}/{cycle}")
        self.wait_for_the_moment(before)
        self.count_upkeep()
        alive = self.server.process.poll() is None
        errors_before = [worker.error for worker in self.workers if worker.error]
        stop.set()
        self.server.kill()
        for thread in threads:
            thread.join(60)
        if not alive:
            raise Violation(f"the server ended by itself in cycle {cycle}\n{self.server.log_tail()}")
        for worker in self.workers:
            if isinstance(worker.error, Failure):
                raise worker.error
        if errors_before:
            raise Violation(f"connection lost before the kill in cycle {cycle}: {errors_before}")
        self.acks.append(self.acknowledged() - before)

    def count_upkeep(self):
        if self.options.grace is None:
            return
        try:
            told = self.server.metrics()
        except OSError:  # it ended; the caller finds out
            return
        self.upkeep.update({name: told.get(f"orbitalreg_{name}", 0) for name in UPKEEP_COUNTS})

    def wait_for_the_moment(self, before):
        """A random time, or a random number of acknowledgements; also ends when a worker or the server failed."""
        by_time = self.random.random() < 0.5
        delay = self.random.uniform(*KILL_DELAY_S) if by_time else KILL_ACKS_DEADLINE_S
        wanted = self.random.randint(*KILL_ACKS)
        deadline = time.monotonic() + delay
        never = threading.Event()
        while time.monotonic() < deadline and self.server.process.poll() is None:
            if not by_time and self.acknowledged() - before >= wanted:
                return
            if any(worker.error for worker in self.workers):
                return
            never.wait(POLL_INTERVAL_S)

    def start_again(self):
        if self.random.random() < NESTED_KILL_SHARE:
            self.nested_kills += 1
            self.server.spawn()
            threading.Event().wait(self.random.uniform(0, 0.06))
            self.server.kill()
        self.server.start()

    # Verification. Every journal is checked with the workers at rest.

    def verify_after_restart(self):
        with Connection(self.server.http_addr) as client:
            for journal in self.journals:
                self.outcomes[journal.resolve_pending(client)] += 1
        checks = []
        for journal in self.journals:
            touched = self.checkable(journal.take_touched())
            old = [key for key in journal.states if key not in touched]
            sample = self.random.sample(old, min(OLD_SAMPLE // len(self.journals), len(old)))
            checks += [(journal.verify, key) for key in touched | set(sample)]
            checks += [(journal.verify_lists, name) for name in {key.name for key in touched if key.kind != "upload"}]
        self.run_checks(checks + self.shared_checks())

    def verify_all(self):
        checks = [(journal.verify, key) for journal in self.journals for key in self.checkable(journal.states)]
        checks += [(journal.verify_lists, name) for journal in self.journals
                   for name in {key.name for key in journal.states}]
        self.run_checks(checks + self.shared_checks())

    def checkable(self, keys):
        return {key for key in keys if self.journals[0].sessions_survive or key.kind != "upload"}

    def shared_checks(self):
        return [(self.verify_shared_tag, tag) for tag in list(self.shared.tags.writes)]

    def verify_shared_tag(self, client, tag):
        answer = client.get_manifest(self.shared.name, tag)
        found = digest_of(answer.body) if answer.status == 200 else None
        if answer.status not in (200, 404) or found not in self.shared.tags.allowed(tag):
            raise Violation(f"shared tag {tag}: {answer!r} is none of {self.shared.tags.allowed(tag)}")
        self.shared.tags.settle(tag, found)

    def run_checks(self, checks):
        """Runs (check, argument) pairs on several connections; the first failure ends it."""
        todo = queue.SimpleQueue()
        for check in checks:
            todo.put(check)
        failures = []

        def work():
            with Connection(self.server.http_addr) as client:
                while not failures:
                    try:
                        check, argument = todo.get_nowait()
                    except queue.Empty:
                        return
                    try:
                        check(client, argument)
                    except Exception as error:  # whatever it is, the check did not pass
                        failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(VERIFIERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.verified += len(checks)
        if failures:
            raise Violation(repr(failures[0])) from failures[0]

    def check_store(self, levels, when):
        """fsck must find nothing; a torn tail is none of its findings."""
        if self.server.kind != "orbitalreg":
            return
        for level in levels:
            result = self.server.fsck("--level", level)
            if result.returncode != 0:
                raise Violation(f"fsck --level {level}, {when}: {result.returncode}\n{result.stdout}{result.stderr}")
        self.fscks += len(levels)

    def report(self, seconds):
        restarts = sorted(self.server.start_seconds[1:])
        sizes = [blob.size for journal in self.journals for blob in journal.blobs.values()]
        print(f"{self.server.kind} io={self.options.io} seed={self.options.seed}: {len(self.acks)} kills"
              f" (+{self.nested_kills} while starting) in {seconds:.0f} s, {self.options.workers} clients\n"
              f"acknowledged operations {sum(self.acks)}, between two kills mean {statistics.mean(self.acks):.1f}"
              f" median {statistics.median(self.acks):.0f} min {min(self.acks)} max {max(self.acks)}\n"
              f"in flight at a kill: {self.outcomes['happened']} happened, {self.outcomes['did not happen']} did not\n"
              f"restart to ready, ms: min {restarts[0] * 1000:.0f} median {statistics.median(restarts) * 1000:.0f}"
              f" max {restarts[-1] * 1000:.0f}\n"
              f"{len(sizes)} contents of {min(sizes)} to {max(sizes)} bytes, {sum(sizes) / 2**30:.2f} GiB;"
              f" {self.verified} verifications and"
              f" {self.fscks} runs of fsck, none failed", flush=True)
        if self.options.grace is not None:
            print("seen before the kills: " + ", ".join(f"{name} {self.upkeep[name]:.0f}" for name in UPKEEP_COUNTS))


def main():
    def extra(parser):
        parser.add_argument("--cycles", type=int, default=15)
        parser.add_argument("--seed", type=int, default=None)
        parser.add_argument("--workers", type=int, default=6)
        parser.add_argument("--grace", type=int, default=None, help="seconds; collection and compaction run five times a second")
        parser.add_argument("--quiet", action="store_true")
    options = registry_process.script_options(__doc__, extra)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    began = time.monotonic()
    loop = Loop(options)
    try:
        loop.run()
    except (Violation, Failure, registry_process.RegistryError) as error:
        print(f"FAILED with --seed {options.seed} --io {options.io} after {len(loop.acks)} cycles: {error}")
        print(loop.server.log_tail())
        return 1
    finally:
        loop.server.close()
    loop.report(time.monotonic() - began)
    if statistics.mean(loop.acks) < MEAN_ACKS_MIN and options.cycles >= 10:
        print(f"FAILED: fewer than {MEAN_ACKS_MIN} acknowledged operations between two kills: not a mixed load")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
