#!/usr/bin/env python3
"""Collection with a real client: images are pushed, explained, deleted and collected with a grace of a second, and pushed
again; the same on the stopped server's directory; and pushes that rely on blobs the collector is about to take never get
a 201 that a 404 follows (REL-14, REL-15, REL-17, REL-18)."""

import json
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, need, run, same, step  # noqa: E402
from oci_layout import Layout  # noqa: E402
from registry_client import Connection, descriptor, digest_of, image_manifest  # noqa: E402

GRACE = "5s"
DEADLINE_S = 60
RACES = 1000
WAVE = 100
RACE_GRACE = "1s"
PROMISE_S = 0.95  # of RACE_GRACE, less its 24th part


def gc(server, *words, place=None):
    """Runs `orbitalreg gc WORDS --json`; its object and its exit code."""
    where = place or ["--server", server.url]
    result = subprocess.run([server.binary, "gc", *words, *where, "--json"], capture_output=True, text=True, timeout=120,
                            check=False)
    same(bool(result.stdout), True, f"an answer of gc {words}: {result.stderr}")
    return json.loads(result.stdout), result.returncode


def explain(server, digest, place=None):
    return gc(server, "explain", digest, place=place)[0]


def wait_until_gone(server, digests):
    """Rounds come by themselves; waits until each of the blobs was deleted."""
    deadline = time.monotonic() + DEADLINE_S
    left = set(digests)
    while left:
        left = {digest for digest in left if explain(server, digest)["state"] != "deleted"}
        same(time.monotonic() < deadline, True, f"collected in time, left {left}")


def push(server, layout, tag, image="acme/app"):
    run("skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout.folder}:{tag}",
        f"docker://{server.http_addr}/{image}:{tag}")


def explain_what_lives(server, layout, wanted):
    manifest = json.loads(layout.read_blob(wanted))
    layer = manifest["layers"][0]["digest"]
    told = explain(server, layer)
    same(told["state"], "held", "state of a layer")
    same(told["paths"][0], {"image": "acme/app", "manifests": [wanted], "tag": "v1"}, "path to a layer")
    same(explain(server, wanted)["paths"][0]["tag"], "v1", "path to a manifest")
    answer, code = gc(server, "explain", digest_of(b"nobody ever pushed this"))
    same((answer["state"], code), ("unknown", 2), "a blob nobody knows")
    step("explain names tag, manifest and blob")


def collect_an_image(server, layout, wanted):
    shared = explain(server, wanted)
    same(shared["state"], "held", "before the delete")
    run("skopeo", "delete", "--tls-verify=false", f"docker://{server.http_addr}/acme/app@{wanted}")
    closure = layout.closure(wanted)
    wait_until_gone(server, closure)
    status = gc(server, "status")[0]
    same(status["deleted"], len(closure), "blobs deleted")
    same(status["deleted_bytes"], sum(len(layout.read_blob(digest)) for digest in closure), "bytes deleted")
    with Connection(server.http_addr) as client:
        for digest in closure - {wanted}:
            same(client.get_blob("acme/app", digest).status, 404, "a collected blob")
    push(server, layout, "v1")
    out = server.workspace / "out"
    run("skopeo", "copy", "--src-tls-verify=false", f"docker://{server.http_addr}/acme/app:v1", f"oci:{out}:v1")
    for digest in closure:
        same(Layout(out).read_blob(digest), layout.read_blob(digest), digest)
    step("delete, collect with a grace of seconds, push again")


def collect_on_a_directory(server, layout, wanted):
    run("skopeo", "delete", "--tls-verify=false", f"docker://{server.http_addr}/acme/app@{wanted}")
    server.environment["ORBITALREG_GC_PAUSED"] = "true"
    server.restart()
    refused = subprocess.run([server.binary, "gc", "status", str(server.data)], capture_output=True, text=True, check=False)
    same((refused.returncode, "another process" in refused.stderr), (3, True), "a directory that a server has open")
    config = server.workspace / "gc.yml"
    config.write_text("gc: { grace: 0s }\n")
    place = [str(server.data), "-c", str(config)]
    server.stop()
    # Times of blobs are whole seconds, rounded up: the first runs may come within the second of the delete.
    deadline = time.monotonic() + DEADLINE_S
    would = gc(server, "run", "--dry-run", place=place)[0]
    while would["deleted"] < len(layout.closure(wanted)):
        same(time.monotonic() < deadline, True, f"a dry run that would delete all, not {would}")
        would = gc(server, "run", "--dry-run", place=place)[0]
    same(explain(server, wanted, place=place)["state"], "waiting", "after a dry run")
    done = gc(server, "run", place=place)[0]
    for name in ("deleted", "deleted_bytes", "lane_bytes", "log_bytes"):
        same(done[name], would[name], f"{name} of a dry run and of the round")
    same(done["deleted"], len(layout.closure(wanted)), "blobs deleted offline")
    same(explain(server, wanted, place=place)["state"], "deleted", "afterwards")
    same(server.fsck().returncode, 0, "fsck after collection")
    server.environment["ORBITALREG_GC_PAUSED"] = "false"
    server.start()
    step("dry run and round on a directory, with the same exact bytes")


def rely_on_one(client, content, config, number):
    """HEAD, then whatever is missing, then the manifest: what a client does. True when it got its 201."""
    asked = time.monotonic()
    head = client.request("HEAD", f"/v2/acme/race/blobs/{digest_of(content)}").status
    same(head in (200, 404), True, f"HEAD answered {head}")
    if head == 404:
        same(client.put_blob("acme/race", content).status, 201, "push of a blob again")
    same(client.put_blob("acme/race", config).status, 201, "push of the config")
    manifest = image_manifest(descriptor(config), [descriptor(content)])
    pushed = client.put_manifest("acme/race", f"t{number}", manifest).status
    if pushed == 400 and time.monotonic() - asked > PROMISE_S:
        return False  # the machine was too slow for a grace of a second
    same(pushed, 201, "a manifest whose blobs were said to exist a moment ago")
    for wanted in (content, config):
        same(client.get_blob("acme/race", digest_of(wanted)).status, 200, "a blob behind a 201")
    gone = client.request("DELETE", f"/v2/acme/race/manifests/{digest_of(manifest)}").status
    same(gone, 202, "delete of the manifest")
    return True


def rely_on_blobs_that_go(server):
    """Waves of blobs, each relied on while rounds run all the time and their graces end one after another."""
    relied = 0
    with Connection(server.http_addr) as client:
        for wave in range(RACES // WAVE):
            numbers = range(wave * WAVE, (wave + 1) * WAVE)
            blobs = [f"relied on {number} ".encode() * (1 + number % 3 * 4000) for number in numbers]
            for content in blobs:
                same(client.put_blob("acme/race", content).status, 201, "push of a blob")
            for number, content in zip(numbers, blobs):
                relied += rely_on_one(client, content, b"{}", number)
    return relied


def test(server, options):
    work = server.workspace / "work"
    work.mkdir()
    server.environment.update(ORBITALREG_GC_GRACE=GRACE, ORBITALREG_GC_INTERVAL="100ms")
    server.restart()
    layout = Layout(work / "layout")
    layout.add_image("collected", tag="v1", sizes=(0, 10, 70000, 2000000))
    wanted = layout.tagged()["v1"]["digest"]
    push(server, layout, "v1")
    explain_what_lives(server, layout, wanted)
    collect_an_image(server, layout, wanted)
    collect_on_a_directory(server, layout, wanted)
    server.environment["ORBITALREG_GC_GRACE"] = RACE_GRACE
    server.restart()
    relied = rely_on_blobs_that_go(server)
    same(relied > RACES // 2, True, f"races that were any: {relied}")
    metrics = server.metrics()
    step(f"{relied} pushes relied on blobs about to go: never a 201 that a 404 follows; "
         f"{metrics['orbitalreg_gc_blobs_deleted_total']:.0f} blobs deleted meanwhile, "
         f"{metrics['orbitalreg_gc_leases_total']:.0f} leases written")
    server.stop()
    same(server.fsck("--level", "deep").returncode, 0, "fsck at the end")


if __name__ == "__main__":
    need("skopeo")
    sys.exit(main(test, __doc__))
