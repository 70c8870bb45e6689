"""One server with generators beside it: what scripts that measure one thing beside another share.

Life     with LoadedServer(options, settings) as world: ...; options: binary, load, io.
Limits   whatever does not end within DEADLINE_S ends the script, and says so.
"""

import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402

DEADLINE_S = 600


def add_arguments(parser):
    parser.add_argument("--binary", help="orbitalreg; default: the newest build tree's")
    parser.add_argument("--load", help="orbitalreg-load; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")


class LoadedServer:
    def __init__(self, options, settings):
        self.load = options.load or registry_process.find_binary("orbitalreg-load")
        if not self.load:
            registry_process.skip("no orbitalreg-load: build it")
        self.server = registry_process.RegistryProcess(binary=options.binary, io=options.io, environment=settings)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *trouble):
        self.server.__exit__(*trouble)

    def command(self, *words):
        """What a subcommand asked of the server answers."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def words(self, *words):
        return [self.server.binary, *words, "--json", "--server", self.server.url]

    def wait_due(self, count):
        """Until the grace of so many blobs is over, as the server sees it."""
        deadline = time.monotonic() + DEADLINE_S
        while self.command("gc", "run", "--dry-run")["deleted"] < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{count} blobs were not due within {DEADLINE_S} s")
            self.server.pause()

    def generate(self, workload, name, *words):
        return subprocess.Popen([self.load, workload, "--name", f"bench/{name}", "--server", self.server.http_addr, *map(str, words)],
                                stdout=subprocess.PIPE, text=True)

    def push(self, name, size, count, clients=16):
        return self.generate("push-small", name, "--size", size, "--count", count, "--clients", clients)

    def pull(self, count, size=64 << 10):
        return self.generate("get-blob", "pulled", "--size", size, "--count", count, "--clients", 4)

    @staticmethod
    def finish(process):
        outcome = json.loads(process.communicate(timeout=DEADLINE_S)[0])
        if outcome["failures"]:
            raise SystemExit(f"{outcome['workload']} failed: {outcome['first_failure']}")
        return outcome
