#!/usr/bin/env python3
"""Where the bytes are: what `stats` says is what `du` says, while blobs come, go and are compacted, by the server and on its
directory; scrub and compaction through a running server; and fsck --online beside pushes and deletes finds nothing."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, same, step  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402
from seeded_content import content_range  # noqa: E402

NAME = "space/app"
SIZES = (100, 70_000, 300_000, 1_500_000, 3_000_000)
BLOBS = 20
PAGE = 4096
DEADLINE_S = 60
SLACK_BYTES = 256 << 10  # blocks of the file system's own, and what was written between two looks
ONLINE_ROUNDS = 3


def ask(server, *words, place=None, codes=(0,)):
    where = place or ["--server", server.url]
    result = subprocess.run([server.binary, *words, *where, "--json"], capture_output=True, text=True, timeout=120, check=False)
    same(result.returncode in codes, True, f"{words} left with {result.returncode}: {result.stdout} {result.stderr}")
    return json.loads(result.stdout)


def disk_usage(folder):
    """As du: allocated bytes of files, without directories."""
    return sum(os.stat(os.path.join(where, name)).st_blocks * 512
               for where, _, names in os.walk(folder) for name in names)


def agree(server, place=None):
    """The accounting against the file system; the answer of stats."""
    told = ask(server, "stats", "--files", place=place)
    space = told["space"]
    used = disk_usage(server.data)
    same(abs(space["allocated_bytes"] - used) <= SLACK_BYTES, True, f"stats {space['allocated_bytes']} and du {used}")
    for lane in space["lane_files"]:
        same(lane["used_bytes"], lane["live_bytes"] + lane["dead_bytes"] + lane["held_bytes"] + PAGE, f"sum of {lane}")
        same(lane["allocated_bytes"] >= lane["live_bytes"], True, f"what lives is allocated in {lane}")
    for segment in space["log_files"]:
        same(segment["used_bytes"], segment["live_bytes"] + segment["dead_bytes"] + segment["held_bytes"], f"sum of {segment}")
    return told


def push(client, number, size):
    content = content_range(number, 0, size)
    same(client.put_blob(NAME, content).status, 201, "push")
    return digest_of(content)


def wait_until_deleted(server, count):
    deadline = time.monotonic() + DEADLINE_S
    while ask(server, "gc", "status")["deleted"] < count:
        same(time.monotonic() < deadline, True, "collected in time")


def give_back_through_the_server(server):
    with Connection(server.http_addr) as client:
        for number in range(BLOBS):
            push(client, number, SIZES[number % len(SIZES)])
        full = agree(server)
        same(full["blobs"], BLOBS, "blobs")
        wait_until_deleted(server, BLOBS)
        same(agree(server)["space"]["lanes"]["live_bytes"], 0, "live bytes once all is collected")
    done = ask(server, "compact")
    same(done["lanes_refused"], 0, "lanes refused")
    empty = agree(server)
    freed = full["space"]["lanes"]["allocated_bytes"] - empty["space"]["lanes"]["allocated_bytes"]
    same(freed >= full["space"]["lanes"]["live_bytes"] - SLACK_BYTES, True, f"given back: {freed}")
    status = ask(server, "compact", "--status")
    same(status["rounds"] >= 1 and status["total"]["bytes_punched"] > 0, True, f"status of compaction: {status}")
    step(f"{freed} bytes given back through the server, stats and du agree")


def scrub_through_the_server(server):
    server.environment["ORBITALREG_GC_GRACE"] = "24h"
    server.restart()
    with Connection(server.http_addr) as client:
        for number in range(BLOBS):
            push(client, number, SIZES[number % len(SIZES)])
    done = ask(server, "scrub", "--rate", "1GiB")
    same((done["blobs"], done["damaged"], done["running"]), (BLOBS, 0, False), "a pass through the server")
    same(ask(server, "scrub", "--status")["full_pass"], done["full_pass"], "status of scrub")
    same(ask(server, "scrub", "--resume-marking")["damage_limit_reached"], False, "marking goes on")
    with Connection(server.http_addr) as client:
        for query in ("rate=fast", "digests=1", "rate=1&rate=2"):
            same(client.request("POST", f"/api/v1/system/scrub?{query}").status, 400, query)
    step("a scrub pass through the server")


def churn(server, stop, failures):
    """Pushes blobs that nothing keeps: the collector takes them, compaction follows."""
    number = 1000
    try:
        with Connection(server.http_addr) as client:
            while not stop.is_set():
                number += 1
                push(client, number, SIZES[number % len(SIZES)])
    except Exception as error:  # told by the caller
        failures.append(error)


def check_beside_load(server):
    server.environment.update(ORBITALREG_GC_GRACE="1s", ORBITALREG_GC_INTERVAL="100ms")
    server.restart()
    stop, failures = threading.Event(), []
    pusher = threading.Thread(target=churn, args=(server, stop, failures))
    pusher.start()
    try:
        for _ in range(ONLINE_ROUNDS):
            ask(server, "compact", codes=(0, 2))
            report = ask(server, "fsck", "--online", place=["--level", "deep", str(server.data)])
            same(report["clean"], True, f"fsck --online: {report['findings']}")
    finally:
        stop.set()
        pusher.join()
    same(failures, [], "pushes meanwhile")
    step(f"fsck --online, deep, {ONLINE_ROUNDS} times beside pushes, collection and compaction: clean")


def dump(server, what):
    result = subprocess.run([server.binary, "dump", what, str(server.data)], capture_output=True, text=True, timeout=120, check=False)
    same((result.returncode, result.stderr), (0, ""), f"dump {what}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def codes_of(report):
    return [finding["code"] for finding in report["findings"]]


def give_back_on_the_directory(server):
    """Blobs that die with the server: its directory says so, and gives them back."""
    server.environment.update(ORBITALREG_GC_GRACE="24h", ORBITALREG_GC_INTERVAL="1h")
    server.restart()
    with Connection(server.http_addr) as client:
        kept = [push(client, number, 3_000_000) for number in range(2000, 2004)]
    server.stop()
    place = [str(server.data)]
    agree(server, place)
    records = dump(server, "lane-records")
    live = {record["digest"]: record for record in records if record["live"]}
    same(all(live[digest]["header_valid"] and live[digest]["descriptor_valid"] for digest in kept), True, "records of lanes")
    segments = dump(server, "segments")
    same(all(segment["valid"] for segment in segments) and any(segment["replayed"] for segment in segments), True, "segments")
    config = server.workspace / "now.yml"
    config.write_text("gc: { grace: 0s }\n")
    deadline = time.monotonic() + DEADLINE_S
    while any(ask(server, "gc", "explain", digest, place=place, codes=(0, 2))["state"] != "deleted" for digest in kept):
        same(time.monotonic() < deadline, True, "deleted on the directory")
        ask(server, "gc", "run", place=[*place, "-c", str(config)])  # times are whole seconds: the first may come too early
    before = ask(server, "fsck", place=place)
    same(before["clean"] and "space_not_given_back" in codes_of(before), True, f"fsck before: {before}")
    done = ask(server, "compact", place=place)
    same(done["after"]["allocated_bytes"] < done["before"]["allocated_bytes"], True, "compact on a directory")
    agree(server, place)
    after = ask(server, "fsck", place=place)
    same(after["clean"] and "space_not_given_back" not in codes_of(after), True, f"fsck after: {after}")
    same(abs(after["allocated_bytes"] - disk_usage(server.data)) <= SLACK_BYTES, True, "fsck and du")
    step("compact, stats, dump and fsck on the directory")


def test(server, options):
    server.environment.update(ORBITALREG_GC_GRACE="1s", ORBITALREG_GC_INTERVAL="100ms")
    server.restart()
    give_back_through_the_server(server)
    scrub_through_the_server(server)
    check_beside_load(server)
    give_back_on_the_directory(server)


if __name__ == "__main__":
    sys.exit(main(test, __doc__))
