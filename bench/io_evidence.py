#!/usr/bin/env python3
"""Evidence of how bytes reach the disk, from witnesses outside the server.

1. strace of the whole run: every open of a lane or log file for writing carries O_DIRECT; no write call of the
   plain kind touches a lane (so with --io uring what the lanes hold came through the ring); io_uring_enter, fsync
   and fdatasync are counted.
2. /proc/PID/fdinfo while a push runs: the flags of the descriptors open on lanes.
3. The lanes' lengths and allocated blocks on disk against the bytes pushed, and the server's own counters.
4. Without strace: how many requests one frame carries at 32 clients (orbitalreg-load push-small), by /metrics.

--server docker-registry runs the first part on the peer, and tells what it syncs: files or directories too.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402
from registry_client import Connection  # noqa: E402
from seeded_content import content_range  # noqa: E402

MIB = 1 << 20
TRACED = "openat,io_uring_setup,io_uring_enter,fsync,fdatasync,sync_file_range,write,pwrite64,pwritev,pwritev2,renameat2," \
         "rename,renameat,copy_file_range"
SIZES = (100, 4096, 65536, 65537, MIB, 16 * MIB, 64 * MIB)
REQUESTS_PER_FRAME_MIN = 4
CLIENTS = 32
PAGE = 4096


def sample(samples, name, **labels):
    """The sum of a metric's samples that carry all `labels`."""
    wanted = [f'{key}="{text}"' for key, text in labels.items()]
    return sum(value for key, value in samples.items()
               if re.match(rf"(orbitalreg_)?{name}(\{{|$)", key) and all(label in key for label in wanted))


def push_all(server):
    """Pushes one blob of each size; the bytes pushed."""
    with Connection(server.http_addr) as client:
        for size in SIZES:
            answer = client.put_blob("evidence/app", content_range(f"evidence/{size}", 0, size))
            if answer.status != 201:
                raise SystemExit(f"push of {size} bytes: {answer!r}")
    return sum(SIZES)


def lane_flags(server, stop, found):
    """Collects the open flags of descriptors on lanes, until told to stop."""
    folder = pathlib.Path(f"/proc/{server.pid}")
    while not stop.wait(0.005):
        for link in folder.glob("fd/*"):
            try:
                if "/lane/" in os.readlink(link):
                    info = (folder / "fdinfo" / link.name).read_text()
                    found.add(int(re.search(r"flags:\s+(\d+)", info).group(1), 8))
            except (OSError, AttributeError):
                pass


def traced_run(options):
    server = registry_process.from_arguments(options)
    trace = server.workspace / "trace"
    server.wrapper = ["strace", "-f", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={TRACED}"]
    flags, stop = set(), threading.Event()
    with server:
        watcher = threading.Thread(target=lane_flags, args=(server, stop, flags))
        watcher.start()
        pushed = push_all(server)
        samples = server.metrics() if server.kind == "orbitalreg" else {}
        stop.set()
        watcher.join()
        server.stop()
        lanes = [path.stat() for path in server.data.glob("lane/*.olane")]
        lines = trace.read_text(errors="replace").splitlines()
        print(f"of the fsync and fdatasync calls, on a directory: {count_directory_syncs(lines)}")
        return lines, pushed, samples, flags, lanes


def count_calls(lines):
    calls = collections.Counter()
    for line in lines:
        match = re.match(r"\d+\s+(\w+)\(", line)
        if match:
            calls[match.group(1)] += 1
    return calls


def count_directory_syncs(lines):
    """Needs the data still to be there."""
    synced = [match.group(1) for match in (re.search(r"\bf(?:data)?sync\(\d+<([^>]*)>", line) for line in lines) if match]
    return sum(os.path.isdir(path) for path in synced)


def opens_for_writing(lines, pattern):
    return [line for line in lines if re.search(rf'openat\(.*{pattern}', line) and re.search("O_RDWR|O_WRONLY", line)
            and "ENOENT" not in line]


def plain_bytes(lines, suffix):
    """Bytes that calls other than the ring's wrote to files of this kind."""
    pattern = re.compile(rf"\d+\s+(?:write|pwrite64|pwritev2?)\(\d+<[^>]*{suffix}>.*= (\d+)$")
    return sum(int(match.group(1)) for match in map(pattern.match, lines) if match)


def judge(lines, pushed, samples, flags, lanes, io):
    """Prints the evidence; the list of what does not hold."""
    calls, failures = count_calls(lines), []

    def claim(text, holds):
        print(f"{'ok  ' if holds else 'FAIL'}  {text}")
        if not holds:
            failures.append(text)

    bulk = sum(size for size in SIZES if size > 65536)
    lane_opens, log_opens = opens_for_writing(lines, r"\.olane"), opens_for_writing(lines, r"\.olog")
    plain_lanes, plain_log = plain_bytes(lines, r"\.olane"), plain_bytes(lines, r"\.olog")
    claim(f"{len(lane_opens)} opens of lanes for writing, all with O_DIRECT",
          lane_opens and all("O_DIRECT" in line for line in lane_opens))
    claim(f"{len(log_opens)} opens of log segments for writing, all with O_DIRECT",
          log_opens and all("O_DIRECT" in line for line in log_opens))
    claim(f"flags of lane descriptors in fdinfo: {sorted(map(oct, flags))}; O_DIRECT seen",
          any(value & os.O_DIRECT for value in flags))
    allocated = sum(stat.st_blocks * 512 for stat in lanes)
    claim(f"lanes on disk hold {allocated} bytes allocated for {bulk} bytes of blobs above 64 KiB", allocated >= bulk)
    direct = sample(samples, "io_bytes_total", mode="direct") - sample(samples, "io_bytes_total", op="read", mode="direct")
    direct = sum(sample(samples, "io_bytes_total", mode="direct", op=op) for op in ("write", "write_dsync"))
    buffered = sum(sample(samples, "io_bytes_total", mode="buffered", op=op) for op in ("write", "write_dsync"))
    # The log is zeroed ahead, so its share of direct writes says nothing about blobs: it is taken off.
    claim(f"written through O_DIRECT descriptors, by the server's count: {direct:.0f} bytes, of them {plain_log} seen by "
          f"strace on the log; the rest {direct - plain_log:.0f} >= {bulk} pushed as bulk", direct - plain_log >= bulk)
    claim(f"written through the page cache, by the server's count: {buffered:.0f} bytes",
          buffered < MIB)
    if io == "uring":
        claim(f"io_uring_enter called {calls['io_uring_enter']} times, io_uring_setup {calls['io_uring_setup']}",
              calls["io_uring_enter"] > 0)
        # A ring's operation is invisible to strace; what plain calls did not write to a lane came through the ring.
        claim(f"written to lanes by plain calls: {plain_lanes} bytes, the header page of each of {len(lane_opens)} new lanes",
              plain_lanes <= PAGE * len(lane_opens))
        claim(f"ring operations, by the server: {sample(samples, 'io_ring_operations_total'):.0f} in "
              f"{sample(samples, 'io_ring_submissions_total'):.0f} submissions",
              sample(samples, "io_ring_operations_total") > 0)
    print(f"calls: {dict(calls)}")
    return failures


def requests_per_frame(options):
    """Mean requests a frame at 32 clients, without strace in the way."""
    load = registry_process.find_binary("orbitalreg-load")
    if not load:
        print("no orbitalreg-load: requests per frame not measured")
        return ["requests per frame not measured"]
    with registry_process.from_arguments(options) as server:
        before = server.metrics()
        done = subprocess.run([load, "push-small", "--size", "4096", "--count", "8000", "--clients", str(CLIENTS),
                               "--server", server.http_addr], capture_output=True, text=True, check=True)
        after = server.metrics()
    requests = sample(after, "commit_requests_total") - sample(before, "commit_requests_total")
    frames = sample(after, "commit_frames_total") - sample(before, "commit_frames_total")
    mean = requests / frames if frames else 0
    print(f"{json.loads(done.stdout)['operations_per_second']:.0f} pushes/s of 4 KiB at {CLIENTS} clients: "
          f"{requests:.0f} requests in {frames:.0f} frames, mean {mean:.2f} a frame")
    return [] if mean >= REQUESTS_PER_FRAME_MIN else [f"{mean:.2f} requests a frame, wanted {REQUESTS_PER_FRAME_MIN}"]


def main():
    options = registry_process.script_options(__doc__)
    if not shutil.which("strace"):
        registry_process.skip("strace is not installed")
    lines, pushed, samples, flags, lanes = traced_run(options)
    if options.server != "orbitalreg":
        calls = count_calls(lines)
        print(f"{options.server}: {len(SIZES)} blobs, {pushed} bytes pushed; fsync {calls['fsync']}, fdatasync "
              f"{calls['fdatasync']}, sync_file_range {calls['sync_file_range']}; calls: {dict(calls)}")
        return 0
    failures = judge(lines, pushed, samples, flags, lanes, options.io)
    failures += requests_per_frame(options)
    print("all of it holds" if not failures else f"FAILED: {failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
