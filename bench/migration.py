#!/usr/bin/env python3
"""Moving in from Debian's docker-registry 2.8: `skopeo sync`, several side by side, against `orbitalreg import`.

The source is filled over HTTP with --images images of --repositories repositories: each has a base layer that many share, two
layers of its own of 0.2 to 2 MiB, and a configuration. One in --signed-every is signed by a tag, as cosign does, and has a
signature and an SBOM as referrers, without a tag. Each round takes both ways into a new data directory; then every manifest, blob,
tag and referrer of the source is asked for, and its bytes are hashed. Printed is a table: seconds, MB a second of
distinct blobs, digests that were verified, signatures and referrers that are there.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402
from client_tools import ClientFailed, need  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402
from seeded_content import content_range  # noqa: E402
from source_registry import SBOM_TYPE, Source  # noqa: E402

KIB, MB = 1 << 10, 1_000_000
BASES = 20
DEADLINE_S = 3600


def name_of(number, options):
    return f"team/app-{number % options.repositories:03}"


def push_repository(address, repository, options):
    """All images of one repository, over a connection of its own."""
    with Connection(address) as client:
        source = Source(client)
        for number in range(repository, options.images, options.repositories):
            sizes = random.Random(number)
            base = content_range(f"base {number % BASES}", 0, 200 * KIB + (number % BASES) * 90 * KIB)
            own = [content_range(f"image {number}, {each}", 0, sizes.randrange(200 * KIB, 2048 * KIB)) for each in range(2)]
            image = source.push_image(name_of(number, options), [base, *own], f"v{number}")
            if number % options.signed_every == 0:
                source.sign_by_tag(name_of(number, options), image["digest"])
                source.sign_by_referrer(name_of(number, options), image)
                source.push_artifact(name_of(number, options), f"SBOM of {number}".encode(), SBOM_TYPE, artifactType=SBOM_TYPE,
                                     subject={key: image[key] for key in ("mediaType", "digest", "size")})
        return source


def fill(address, options):
    merged = Source(None)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for source in pool.map(lambda number: push_repository(address, number, options), range(options.repositories)):
            for kind in ("manifests", "tags", "blobs", "referrers"):
                getattr(merged, kind).update(getattr(source, kind))
    return merged


def sync(peer, server, options, folder):
    """--processes of skopeo, each with a repository at a time; seconds."""
    def sync_one(number):
        repository = f"team/app-{number:03}"
        wanted = {peer.http_addr: {"tls-verify": False, "images": {repository: []}}}
        path = pathlib.Path(folder) / f"sync-{number}.yml"
        path.write_text(json.dumps(wanted))  # JSON is YAML
        command = ["skopeo", "sync", "--all", "--preserve-digests", "--scoped=false", "--src", "yaml", "--dest", "docker",
                   "--dest-tls-verify=false", str(path), f"{server.http_addr}/team"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        if result.returncode != 0:
            raise ClientFailed(result.stderr[-2000:])

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.processes) as pool:
        list(pool.map(sync_one, range(options.repositories)))
    return time.monotonic() - began


def take_over(peer, server):
    """`orbitalreg import` into a directory that is not there yet; seconds and its report."""
    began = time.monotonic()
    command = [server.binary, "import", "--json", "--from", str(peer.data), str(server.data)]
    environment = dict(os.environ, ORBITALREG_STORAGE_IO=server.io)
    result = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False, env=environment)
    seconds = time.monotonic() - began
    if result.returncode != 0:
        raise ClientFailed(f"import left with {result.returncode}: {result.stderr[-2000:]}")
    return seconds, json.loads(result.stdout)


class Count:
    """What of the source is at the server, by its bytes."""

    def __init__(self, server, source):
        self.manifests = self.tags = self.blobs = self.referrers = self.signatures = self.bytes = 0
        with Connection(server.http_addr) as client:
            for (name, digest), (media_type, _) in source.manifests.items():
                answer = client.request("GET", f"/v2/{name}/manifests/{digest}", {"Accept": media_type})
                self.manifests += answer.status == 200 and digest_of(answer.body) == digest
            for (name, tag), digest in source.tags.items():
                answer = client.request("HEAD", f"/v2/{name}/manifests/{tag}")
                there = answer.status == 200 and answer.header("docker-content-digest") == digest
                self.tags += there
                self.signatures += there and tag.endswith(".sig")
            for name, digest in source.blobs:
                answer = client.get_blob(name, digest)
                if answer.status == 200 and digest_of(answer.body) == digest:
                    self.blobs += 1
                    self.bytes += len(answer.body)
            for (name, subject), wanted in source.referrers.items():
                answer = client.request("GET", f"/v2/{name}/referrers/{subject}")
                self.referrers += len({each["digest"] for each in answer.json()["manifests"]} & wanted) if answer.status == 200 else 0


def row(way, seconds, source, count):
    distinct = sum({digest: size for (_, digest), size in source.blobs.items()}.values())
    signatures = sum(tag.endswith(".sig") for _, tag in source.tags)
    referrers = sum(map(len, source.referrers.values()))
    return (f"| {way} | {seconds:.1f} | {distinct / MB / seconds:.0f} | {count.manifests} of {len(source.manifests)} | "
            f"{count.blobs} of {len(source.blobs)} | {count.tags} of {len(source.tags)} | {count.signatures} of {signatures} | "
            f"{count.referrers} of {referrers} |")


def measured(options, way, move, source):
    """A new server, filled by move(server); the row of the table."""
    server = registry_process.RegistryProcess(binary=options.binary, io=options.io)
    try:
        seconds = move(server)
        if server.process is None:
            server.start()
        count = Count(server, source)
        server.stop()
        fsck = server.fsck()
        if fsck.returncode != 0:
            raise ClientFailed(f"fsck after {way}: {fsck.stdout}")
        return row(way, seconds, source, count)
    finally:
        server.close()


def rounds(options, peer, source):
    def by_skopeo(server):
        server.start()
        with tempfile.TemporaryDirectory() as folder:
            return sync(peer, server, options, folder)

    def by_import(server):
        seconds, report = take_over(peer, server)
        print(f"import: {report['blobs']['stored']} blobs stored, {report['bytes_read'] / MB:.0f} MB read, "
              f"{report['bytes_shared'] / MB:.0f} MB shared, {report['referrers']} referrers, {report['problems_found']} problems")
        return seconds

    ways = ((f"skopeo sync, {options.processes} side by side", by_skopeo), ("orbitalreg import", by_import))
    return [measured(options, way, move, source) for _ in range(options.rounds) for way, move in ways]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    registry_process.add_arguments(parser)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repositories", type=int, default=100)
    parser.add_argument("--signed-every", type=int, default=10)
    parser.add_argument("--processes", type=int, default=4, help="of skopeo at once")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    options.repositories = min(options.repositories, options.images)
    need("skopeo", "docker-registry")
    with registry_process.RegistryProcess(kind="docker-registry") as peer:
        began = time.monotonic()
        source = fill(peer.http_addr, options)
        distinct = {digest: size for (_, digest), size in source.blobs.items()}
        print(f"source: {len(source.manifests)} manifests, {len(source.tags)} tags, {len(distinct)} distinct blobs, "
              f"{sum(distinct.values()) / MB:.0f} MB, filled in {time.monotonic() - began:.0f} s")
        table = rounds(options, peer, source)
    print("\n| | s | MB/s | manifests | blobs | tags | signatures by tag | referrers |\n|---|---|---|---|---|---|---|---|")
    print("\n".join(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
