#!/usr/bin/env python3
"""How long a plan and a run of retention take over one repository of many tags, and whether the bytes that were promised are those that
collection gives back. Every image has a manifest of its own, every tenth a layer of its own; the rest is shared. Weeks pass in a moment
(tests/support/shifted_clock.cc). Prints one JSON object."""

import json
import multiprocessing
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "support"))

import registry_process  # noqa: E402
from client_tools import same  # noqa: E402
from registry_client import Connection, OCI_MANIFEST, descriptor, digest_of, location_path, with_query  # noqa: E402

IMAGE = "acme/app"
DAY_S = 86_400
CONFIGURATION = """
gc: { interval: 1h, grace: 1s }
retention:
  policies:
    - name: bench
      schedule: "0 0 1 1 *"
      max_delete_percent: 100
      rules:
        - keep_by_age: { max_age_days: 30, match_pulled_in_last_days: 14 }
        - keep_last_n: { n: 100, by: semver, tags: ["v*"] }
        - keep_tags: { tags: ["stable", "release-*"] }
        - keep_untagged_for: { hours: 2 }
"""


def blob(connection, content):
    opened = connection.request("POST", f"/v2/{IMAGE}/blobs/uploads/")
    target = with_query(location_path(opened), digest=digest_of(content))
    same(connection.request("PUT", target, {"Content-Type": "application/octet-stream"}, content).status, 201, "a blob")


def layer_of(number):
    return (f"layer {number} " * 200).encode()


def push(address, first, last):
    connection = Connection(address)
    config, shared = b'{"shared":true}', b"a layer that all share" * 100
    for number in range(first, last):
        layers = [descriptor(shared, "application/vnd.oci.image.layer.v1.tar")]
        if number % 10 == 0:
            blob(connection, layer_of(number))
            layers.append(descriptor(layer_of(number), "application/vnd.oci.image.layer.v1.tar"))
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
                    "layers": layers, "annotations": {"number": str(number)}}
        target = f"/v2/{IMAGE}/manifests/v1.{number // 100}.{number % 100}"
        answer = connection.request("PUT", target, {"Content-Type": OCI_MANIFEST}, json.dumps(manifest).encode())
        same(answer.status, 201, f"push of {number}")
    connection.close()


def push_all(address, tags, processes):
    connection = Connection(address)
    blob(connection, b'{"shared":true}')
    blob(connection, b"a layer that all share" * 100)
    connection.close()
    step = (tags + processes - 1) // processes
    workers = [multiprocessing.Process(target=push, args=(address, at, min(at + step, tags))) for at in range(0, tags, step)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        same(worker.exitcode, 0, "a worker's end")


def ask(server, path, body):
    connection = Connection(server.http_addr, timeout_s=1800)
    begun = time.monotonic()
    answer = connection.request("POST", f"/api/v1/retention/{path}", {"Content-Type": "application/json"}, json.dumps(body).encode())
    took = time.monotonic() - begun
    same(answer.status, 200, f"{path}: {answer.body!r:.300}")
    connection.close()
    return json.loads(answer.body), round(took, 2)


def resident_mib(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) // 1024


def measure(server, clock, options):
    figures = {"tags": options.tags}
    begun = time.monotonic()
    push_all(server.http_addr, options.tags, options.processes)
    figures["push_s"] = round(time.monotonic() - begun, 1)
    clock.write_text(str(31 * DAY_S))
    before = resident_mib(server)
    plan, figures["dry_run_s"] = ask(server, "dry-run", {"items_max": 0})
    _, figures["dry_run_1000_items_s"] = ask(server, "dry-run", {"items_max": 1000})
    run, figures["run_tags_s"] = ask(server, "run", {})
    same(run["totals"]["deleted"], plan["totals"]["deleted"], "a run does what its plan said")
    figures["deleted_tags"] = run["totals"]["deleted"]
    clock.write_text(str(int(32.5 * DAY_S)))
    plan, figures["second_dry_run_s"] = ask(server, "dry-run", {"items_max": 0})
    content, figures["run_manifests_s"] = ask(server, "run", {})
    figures["deleted_manifests"] = content["totals"]["deleted"]
    figures["bytes_estimated_by_the_first_run"] = run["totals"]["bytes_unreferenced_estimate"]
    figures["bytes_promised"] = plan["totals"]["bytes_unreferenced"]
    figures["memory_peak_mib"] = [before, resident_mib(server)]
    clock.write_text(str(34 * DAY_S))
    told = subprocess.run([server.binary, "gc", "run", "--server", server.url, "--json"], capture_output=True, text=True, timeout=1800, check=False)
    figures["bytes_freed"] = json.loads(told.stdout)["deleted_bytes"]
    return figures


def find_shifted_clock():
    built = list(registry_process.ROOT.glob("build/*/tests/e2e/libshifted_clock.so"))
    return str(max(built, key=lambda path: path.stat().st_mtime)) if built else None


def main():
    def extra(parser):
        parser.add_argument("--preload", default=find_shifted_clock(), help="the library that shifts the clock; default: the newest build tree's")
        parser.add_argument("--tags", type=int, default=100_000)
        parser.add_argument("--processes", type=int, default=2)
    options = registry_process.script_options(__doc__, extra)
    if not options.preload:
        registry_process.skip("no libshifted_clock.so: build it")
    server = registry_process.RegistryProcess(binary=options.binary, io=options.io, keep=options.keep)
    clock, configuration = server.workspace / "clock", server.workspace / "orbitalreg.yml"
    clock.write_text("0")
    configuration.write_text(CONFIGURATION)
    server.environment.update(LD_PRELOAD=options.preload, ORB_TEST_CLOCK=str(clock))
    command = server.command
    server.command = lambda: [*command(), "-c", str(configuration)]
    with server:
        print(json.dumps(measure(server, clock, options), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
