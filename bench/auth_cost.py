#!/usr/bin/env python3
"""What authentication costs: manifests a second with a token, with a robot's secret and without either, tokens a second, and what
pulls notice of a storm of wrong passwords.

  bench/auth_cost.py [--rounds 5] [--count 40000] [--clients 8]

Each figure is taken in turns with what it is compared with, and the median of the rounds counts. The generator shares the machine.
"""

import collections
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]
for folder in ("tests/support", "tests/e2e"):
    sys.path.insert(0, str(ROOT / folder))

import registry_process  # noqa: E402
from access.rights import push_image  # noqa: E402
from accounts import ENVIRONMENT, Accounts, basic  # noqa: E402
from registry_client import Connection  # noqa: E402

IMAGE = "open/image"
MANIFEST = f"/v2/{IMAGE}/manifests/v1"
TOKEN = f"/token?service=orbitalreg&scope=repository:{IMAGE}:pull"
STORM_CONNECTIONS = 64


class Generator:
    def __init__(self, program, options):
        self.program, self.options = program, options

    def command(self, server, target, authorization, clients, count):
        words = [self.program, "get", "--server", server.http_addr, "--target", target, "--clients", str(clients), "--count", str(count)]
        return words + (["--authorization", authorization] if authorization else [])

    def run(self, server, target, authorization, clients=None, count=None):
        command = self.command(server, target, authorization, clients or self.options.clients, count or self.options.count)
        found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=900, check=False).stdout)
        if found["failures"]:
            raise SystemExit(f"{found['failures']} of {found['operations']} failed: {found['first_failure']}")
        return found


def rate_of(found):
    return found["operations"] / found["seconds"]


def compare_rates(generator, cases, rounds):
    """cases: {label: (server, target, authorization)}; the first is what the others are compared with, round by round."""
    rates = {label: [] for label in cases}
    for case in cases.values():
        generator.run(*case, count=2000)
    for _ in range(rounds):
        for label, case in cases.items():
            rates[label].append(rate_of(generator.run(*case)))
    first = next(iter(cases))
    for label, found in rates.items():
        ratios = [one / other for one, other in zip(found, rates[first])]
        print(f"  {label:34} {statistics.median(found):9.0f}/s   {statistics.median(ratios):5.2f} of `{first}` "
              f"({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


class Storm:
    """Wrong passwords of names that nobody has, each from another address: none is slowed down, and each is looked at."""

    def __init__(self, server):
        self.server = server
        self.stopping = threading.Event()
        self.told = collections.Counter()
        self.threads = [threading.Thread(target=self.guess, args=(number,)) for number in range(STORM_CONNECTIONS)]

    def guess(self, number):
        with Connection(self.server.http_addr, timeout_s=60) as client:
            turn = 0
            while not self.stopping.is_set():
                turn += 1
                address = f"10.{number}.{turn // 250 % 250}.{turn % 250}"
                headers = {"Authorization": basic(f"nobody-{number}-{turn}", "a guess"), "X-Forwarded-For": address}
                self.told[client.request("GET", TOKEN, headers).status] += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Hammer:
    """The same wrong password again and again from one address: slowed down after the first few."""

    def __init__(self, server, generator):
        command = generator.command(server, TOKEN, basic("root-admin", "a guess"), 16, 10**9)
        self.server, self.command, self.before = server, command, counts(server)

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        after = counts(self.server)
        self.told = {key: after[key] - self.before[key] for key in after}


def counts(server):
    return {name: sum(value for sample, value in server.metrics().items() if "auth_total" in sample and f'"{name}"' in sample)
            for name in ("rejected", "throttled")}


def storms(generator, server, authorization, rounds):
    makers = {"alone": contextlib.nullcontext, "beside guesses from many addresses": lambda: Storm(server),
              "beside guesses from one address": lambda: Hammer(server, generator)}
    taken, told = {label: [] for label in makers}, {}
    for _ in range(rounds):
        for label, make in makers.items():
            with make() as storm:
                taken[label].append(generator.run(server, MANIFEST, authorization))
            if storm:
                told[label] = dict(storm.told)
    for label, found in taken.items():
        p50, p99 = (statistics.median(one["latency_us"][name] for one in found) for name in ("p50", "p99"))
        print(f"  pulls {label:36} {statistics.median(map(rate_of, found)):9.0f}/s   p50 {p50:7.0f} us   p99 {p99:7.0f} us"
              + (f"   guesses: {told[label]}" if label in told else ""), flush=True)


def main():
    def extra(parser):
        parser.add_argument("--rounds", type=int, default=5)
        parser.add_argument("--count", type=int, default=40_000, help="requests of each run")
        parser.add_argument("--clients", type=int, default=8)
        parser.add_argument("--generator", help="orbitalreg-load; default: the newest build tree's")
    options = registry_process.script_options(__doc__, extra)
    program = options.generator or registry_process.find_binary("orbitalreg-load")
    if not program:
        registry_process.skip("no orbitalreg-load: build it")
    generator = Generator(program, options)
    environment = {**ENVIRONMENT, "ORBITALREG_HTTP_TRUSTED_PROXIES": "127.0.0.1"}
    with registry_process.from_arguments(options) as plain, registry_process.from_arguments(options, environment=environment) as server:
        people = Accounts(server)
        people.project("open", public=True)
        people.user("puller", "open", "developer")
        robot = people.robot("open", "ci", [{"role": "developer"}])
        personal = basic("puller", people.personal_token("puller")[0])
        for connection in (Connection(plain.http_addr), people.connect("puller")):
            with connection as client:
                push_image(client, IMAGE, "v1")
        token = f"Bearer {people.token([f'repository:{IMAGE}:pull'], 'puller')}"
        secret = basic(*people.credentials(robot))
        print(f"GET of a manifest, {options.clients} connections, {options.count} requests, {options.rounds} rounds", flush=True)
        compare_rates(generator, {"auth.mode none": (plain, MANIFEST, None), "nobody, public project": (server, MANIFEST, None),
                                  "token": (server, MANIFEST, token), "robot, Basic": (server, MANIFEST, secret),
                                  "personal token, Basic": (server, MANIFEST, personal)}, options.rounds)
        print("GET /token with one scope", flush=True)
        compare_rates(generator, {"nobody": (server, TOKEN, None), "robot": (server, TOKEN, secret), "personal token": (server, TOKEN, personal)},
                      options.rounds)
        token = f"Bearer {people.token([f'repository:{IMAGE}:pull'], 'puller')}"
        print("pulls with a token, and a storm of wrong passwords", flush=True)
        storms(generator, server, token, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
