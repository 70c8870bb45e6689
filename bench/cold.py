#!/usr/bin/env python3
"""How fast a blob that is in nobody's memory is pulled, beside the device itself.

  bench/cold.py [--blobs 8] [--size 268435456] [--result FILE]

Pushes --blobs blobs. Then, in turns: one of them is pulled once by one client, and as many bytes of the store's lanes are read by dd with O_DIRECT, 16 MiB
at a time; before each, the page cache of all files of the store is given up (posix_fadvise). Each blob is pulled once, and each place of a lane read once. What
a disk of a virtual machine keeps in the memory of its host is beyond the reach of both.
"""

import argparse
import hashlib
import os
import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import loaded_server  # noqa: E402
import report  # noqa: E402
from registry_client import Connection  # noqa: E402
from seeded_content import content_range  # noqa: E402

MB, MIB = 1_000_000, 1 << 20
IMAGE = "bench/cold"
STEP = 16 * MIB
DEADLINE_S = 600


def files_of(server):
    return [path for path in pathlib.Path(server.data).rglob("*") if path.is_file()]


def forget(server):
    os.sync()
    for path in files_of(server):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def places(server, size):
    """Where a lane holds so many bytes: each place once."""
    found = []
    for path in files_of(server):
        held = path.stat().st_blocks * 512
        if "lane" in str(path.relative_to(server.data)):
            found += [(path, at) for at in range(0, held - size + 1, size)]
    return found


def read_device(place, size):
    path, at = place
    done = subprocess.run(["dd", f"if={path}", "of=/dev/null", f"bs={STEP}", f"skip={at // STEP}", f"count={size // STEP}", "iflag=direct"],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=True, env={**os.environ, "LC_ALL": "C"})
    copied, seconds = re.search(r"(\d+) bytes.*copied, ([\d.e-]+) s", done.stderr).groups()
    return int(copied) / MB / float(seconds)


def pull(world, digest):
    outcome = world.finish(world.generate("get", "cold", "--target", f"/v2/{IMAGE}/blobs/{digest}", "--count", 1))
    return outcome["mib_per_second"] * MIB / MB


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    loaded_server.add_arguments(parser)
    parser.add_argument("--blobs", type=int, default=8)
    parser.add_argument("--size", type=int, default=256 * MIB)
    parser.add_argument("--result", help="write the page to this file")
    options = parser.parse_args()
    rows = []
    with loaded_server.LoadedServer(options, {}) as world:
        digests = []
        with Connection(world.server.http_addr) as client:
            for number in range(options.blobs):
                content = content_range(f"cold/{number}", 0, options.size)
                digests.append("sha256:" + hashlib.sha256(content).hexdigest())
                answer = client.put_blob(IMAGE, content)
                if answer.status != 201:
                    raise SystemExit(f"push: {answer!r}")
        for digest, place in zip(digests, places(world.server, options.size)):
            figures = {}
            turns = [("pull", lambda each=digest: pull(world, each)), ("device", lambda each=place: read_device(each, options.size))]
            for name, measure in turns if len(rows) % 2 == 0 else reversed(turns):
                forget(world.server)
                figures[name] = measure()
            rows.append(figures)
            print(f"pull {figures['pull']:.0f} MB/s, device {figures['device']:.0f} MB/s", flush=True)
    if not rows:
        raise SystemExit("no lane holds so many bytes in one piece")
    ratios = [row["pull"] / row["device"] for row in rows]
    lines = [f"| {len(rows)} pairs | median | lowest to highest |", "|---|---|---|"]
    for name, values, form in (("pull, MB/s", [row["pull"] for row in rows], ",.0f"), ("device, MB/s", [row["device"] for row in rows], ",.0f"), ("ratio", ratios, ".2f")):
        lines.append(f"| {name} | {statistics.median(values):{form}} | {min(values):{form}} to {max(values):{form}} |")
    page = "\n".join(lines) + (f"\n\nBlobs of {options.size // MIB} MiB, one client. Machine: {report.machine()}. Commit {report.commit()}.\n\n"
                               f"Command: `bench/cold.py {' '.join(sys.argv[1:])}`\n")
    print(page)
    report.write(options.result, "Pulls from the disk", page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
