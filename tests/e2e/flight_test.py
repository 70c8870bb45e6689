#!/usr/bin/env python3
"""One transfer for all who wait for a blob (DIST-PROXY-20, REL-23): joining it, leaving it, what happens when it dies.

| what happens | expected |
|---|---|
| twenty ask for a blob while its transfer stands at a third | one transfer; each gets that third at once, and the rest when it comes |
| the one who began it leaves | the others go on, on the same transfer |
| everybody leaves | the transfer is finished or dropped; what comes later needs less than a second transfer of the whole, and is whole |
| the upstream breaks off, twice | taken up by Range where it ended; every byte taken once; readers notice nothing |
| it breaks off and offers no ranges | begun again, the readers get each byte once |
| kill -9 at two thirds, and a start | the next request resumes from what is durable; what was never acknowledged is not served |
| SIGTERM at two thirds, and a start | the same |
| a range is asked for while the transfer runs | what is there comes at once; what is not, when it is |
| wrong bytes | each reader's connection ends before the end; nothing is cached |
| one reader stops reading | the others do not wait for it |
| fifty readers of 64 MiB | one transfer; memory stays below 256 MiB |
| two names, one digest | each name is asked of the upstream |
| a manifest asked for by fifty at once | one transfer |
"""

import hashlib
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
import remote_world  # noqa: E402
from client_tools import ClientFailed, same  # noqa: E402
from registry_client import digest_of  # noqa: E402
from remote_world import answered, case  # noqa: E402
from seeded_content import content_range  # noqa: E402

NAME = "library/large"
MEBIBYTE = 1 << 20
# Of what the upstream has sent, so much may still be on its way to a reader: buffers that fill before they are handed on.
UNDERWAY_BYTES = 2 * MEBIBYTE
# Of what was received before a kill, so much may not be durable yet.
UNDURABLE_BYTES = 24 * MEBIBYTE
MEMORY_MAX_BYTES = 256 * MEBIBYTE
JOIN_S = 120
# At a gate the upstream is silent for as long as a test takes.
PATIENT = {"idle_timeout": "60s"}


class Reader(threading.Thread):
    """Takes a blob and counts; `received` and `digest` may be looked at while it runs."""

    def __init__(self, world, image, digest, headers=None):
        super().__init__(daemon=True)
        self.client = world.connect()
        self.target = world.path(image, f"blobs/{digest}")
        self.headers = headers
        self.changed = threading.Condition()
        self.status, self.fields, self.received, self.error = None, [], 0, None
        self.hasher = hashlib.sha256()
        self.body = bytearray()

    def run(self):
        try:
            self.client.send("GET", self.target, self.headers)
            self.status, self.fields = self.client.receive_head()
            length = next(int(value) for name, value in self.fields if name == "content-length")
            self.take(self.client.buffer)
            while self.received < length:
                self.client.buffer = b""
                self.client.fill()
                self.take(self.client.buffer)
        except (OSError, StopIteration) as error:
            self.error = error
        finally:
            with self.changed:
                self.changed.notify_all()

    def take(self, piece):
        self.hasher.update(piece)
        if self.headers:
            self.body += piece
        with self.changed:
            self.received += len(piece)
            self.changed.notify_all()

    def wait_for(self, count, timeout_s=30):
        with self.changed:
            if not self.changed.wait_for(lambda: self.received >= count or self.error, timeout_s) or self.received < count:
                raise ClientFailed(f"a reader has {self.received} bytes ({self.error}), expected {count} by now")

    def leave(self):
        try:
            self.client.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def whole(self, digest):
        self.join(JOIN_S)
        same((self.status, self.error, f"sha256:{self.hasher.hexdigest()}"), (200, None, digest), f"a reader, {self.received} bytes")


def begin(world, digest, count=1, name=NAME, headers=None):
    readers = [Reader(world, name, digest, headers) for _ in range(count)]
    for reader in readers:
        reader.start()
    return readers


def large_image(world, size, name=NAME):
    image = world.upstream.add_image(name, "latest", [(f"{world.case.name}/{name}", size)])
    answered(world.get(name, "latest"), 200)
    return image.layers[0]


def content_of(world, begin_at, end, name=NAME):
    return content_range(f"{world.case.name}/{name}", begin_at, end)


def transfers(world, digest):
    return world.upstream.seen("GET", digest)


def now_cached(world, digest, name=NAME):
    before = world.upstream.count()
    answer = answered(world.blob(name, digest), 200, cache="hit")
    same((digest_of(answer.body), world.upstream.count()), (digest, before), "the blob, and requests for it")


@case(**PATIENT)
def joining(world):
    size = 12 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, gate_after=size // 3) as rule:
        readers = begin(world, digest)
        world.upstream.wait_for_bytes(digest, size // 3)
        readers += begin(world, digest, 20)
        for reader in readers:
            reader.wait_for(size // 3 - UNDERWAY_BYTES)
        held_back = size // 3 - min(reader.received for reader in readers)
        rule.open()
        for reader in readers:
            reader.whole(digest)
    same((len(transfers(world, digest)), world.upstream.bytes_of(digest)), (1, size), "transfers and bytes")
    now_cached(world, digest)
    world.note(f"{len(readers)} readers; at the gate {held_back} bytes were underway")


@case(**PATIENT)
def the_first_leaves(world):
    size = 12 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, gate_after=size // 2) as rule:
        first, = begin(world, digest)
        world.upstream.wait_for_bytes(digest, size // 2)
        others = begin(world, digest, 5)
        for reader in others:
            reader.wait_for(1)
        first.leave()
        first.join(JOIN_S)
        rule.open()
        for reader in others:
            reader.whole(digest)
    same((len(transfers(world, digest)), world.upstream.bytes_of(digest)), (1, size), "transfers and bytes")


@case(**PATIENT)
def everybody_leaves(world):
    size = 24 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, gate_after=size // 2) as rule:
        readers = begin(world, digest, 5)
        world.upstream.wait_for_bytes(digest, size // 2)
        for reader in readers:
            reader.wait_for(1)
            reader.leave()
        for reader in readers:
            reader.join(JOIN_S)
        rule.open()
        last, = begin(world, digest)
        last.whole(digest)
    taken = world.upstream.bytes_of(digest)
    same(taken < 2 * size, True, f"bytes taken: {taken} of {size}")
    now_cached(world, digest)
    world.note(f"{len(transfers(world, digest))} transfer(s), {taken / size:.2f} of the blob taken")


@case(**PATIENT)
def the_upstream_breaks_off_twice(world):
    size = 12 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, cut_after=size // 3, times=2):
        readers = begin(world, digest, 8)
        for reader in readers:
            reader.whole(digest)
    same([entry.range for entry in transfers(world, digest)], [None, f"bytes={size // 3}-", f"bytes={2 * size // 3}-"], "ranges")
    same(world.upstream.bytes_of(digest), size, "bytes taken")
    now_cached(world, digest)


@case(**PATIENT)
def it_is_reset_and_offers_no_ranges(world):
    size = 12 * MEBIBYTE
    digest = large_image(world, size)
    world.upstream.ranges = False
    with world.upstream.on("GET", digest, cut_after=size // 3, reset=True, times=2):
        readers = begin(world, digest, 8)
        for reader in readers:
            reader.whole(digest)
    same(len(transfers(world, digest)), 3, "transfers")
    now_cached(world, digest)


def ended_and_started(world, end):
    size = 96 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, gate_after=size * 2 // 3, times=1):
        reader, = begin(world, digest)
        world.upstream.wait_for_bytes(digest, size * 2 // 3)
        reader.wait_for(size * 2 // 3 - UNDERWAY_BYTES)
        end()
        reader.join(JOIN_S)
        world.server.start()
        same(reader.error is not None and reader.received < size, True, "the reader was cut")
        again, = begin(world, digest)
        again.whole(digest)
    seen = transfers(world, digest)
    resumed = int((seen[-1].range or "bytes=0-").removeprefix("bytes=").partition("-")[0])
    taken = world.upstream.bytes_of(digest)
    world.note(f"resumed at {resumed / MEBIBYTE:.1f} of {size / MEBIBYTE:.0f} MiB, {taken / MEBIBYTE:.1f} MiB taken in all")
    same((len(seen), resumed > 0), (2, True), f"transfers, and whether the second was a range: {[entry.range for entry in seen]}")
    same(taken <= size + UNDURABLE_BYTES, True, f"bytes taken: {taken}")
    now_cached(world, digest)


@case(**PATIENT)
def killed_and_started(world):
    ended_and_started(world, world.server.kill)


@case(**PATIENT)
def stopped_and_started(world):
    ended_and_started(world, world.server.stop)


@case(**PATIENT)
def ranges_while_it_runs(world):
    size = 12 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, gate_after=size // 2, times=1) as rule:
        whole, = begin(world, digest)
        world.upstream.wait_for_bytes(digest, size // 2)
        early = answered(world.blob(NAME, digest, {"Range": "bytes=100-1099"}), 206)
        same(early.body == content_of(world, 100, 1100), True, "a range that is there")
        same(early.header("content-range"), f"bytes 100-1099/{size}", "Content-Range")
        head = answered(world.blob(NAME, digest, method="HEAD"), 200)
        same(int(head.header("content-length")), size, "HEAD")
        late, = begin(world, digest, headers={"Range": f"bytes={size - 5000}-{size - 1}"})
        across, = begin(world, digest, headers={"Range": f"bytes={size // 2 - 3 * MEBIBYTE}-{size // 2 + 3 * MEBIBYTE - 1}"})
        across.wait_for(1)
        suffix, = begin(world, digest, headers={"Range": "bytes=-77"})
        beyond = world.blob(NAME, digest, {"Range": f"bytes={size}-"})
        answered(beyond, 416)
        rule.open()
        whole.whole(digest)
        for reader, (first, last) in ((late, (size - 5000, size)), (suffix, (size - 77, size)),
                                      (across, (size // 2 - 3 * MEBIBYTE, size // 2 + 3 * MEBIBYTE))):
            reader.join(JOIN_S)
            same((reader.status, reader.error, bytes(reader.body) == content_of(world, first, last)), (206, None, True), f"range {first}-{last}")
    world.note(f"{len(transfers(world, digest))} transfer(s), {world.upstream.bytes_of(digest) / size:.2f} of the blob taken")
    same(world.upstream.bytes_of(digest) <= size + 7 * MEBIBYTE, True, "bytes taken")


@case(**PATIENT)
def a_range_of_a_blob_that_nobody_fetches_yet(world):
    size = 6 * MEBIBYTE
    digest = large_image(world, size)
    answer = answered(world.blob(NAME, digest, {"Range": f"bytes={size - 10}-"}), 206)
    same(answer.body == content_of(world, size - 10, size), True, "the range")
    same(digest_of(answered(world.blob(NAME, digest), 200).body), digest, "the whole")
    same(world.upstream.bytes_of(digest) <= 2 * size, True, "bytes taken")


@case(**PATIENT)
def wrong_bytes_cut_every_reader(world):
    size = 12 * MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on("GET", digest, flip_at=size // 3, gate_after=size // 2) as rule:
        readers = begin(world, digest, 8)
        world.upstream.wait_for_bytes(digest, size // 2)
        for reader in readers:
            reader.wait_for(1)
        rule.open()
        for reader in readers:
            reader.join(JOIN_S)
            same(reader.error is not None and reader.received < size, True, f"{reader.received} of {size} bytes, {reader.error}")
    attempts = len(transfers(world, digest))
    reader, = begin(world, digest)
    reader.whole(digest)
    same(len(transfers(world, digest)), attempts + 1, "nothing of it was cached")
    same(transfers(world, digest)[-1].range, None, "it is fetched from the start: what was kept is wrong")
    now_cached(world, digest)
    world.note(f"{len(readers)} readers cut, {attempts} transfer(s) of wrong bytes")


@case(**PATIENT)
def one_does_not_read(world):
    size = 32 * MEBIBYTE
    digest = large_image(world, size)
    lazy = world.connect()
    lazy.open().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    lazy.send("GET", world.path(NAME, f"blobs/{digest}"))
    world.upstream.wait_for_count("GET", digest, 1)
    readers = begin(world, digest, 4)
    for reader in readers:
        reader.whole(digest)
    hasher = hashlib.sha256()
    answered(lazy.receive(sink=hasher.update), 200)
    same(f"sha256:{hasher.hexdigest()}", digest, "the lazy one, when it reads at last")
    same(len(transfers(world, digest)), 1, "transfers")
    lazy.close()


@case(**PATIENT)
def fifty_readers(world):
    size = 64 * MEBIBYTE
    digest = large_image(world, size)
    world.upstream.pace.rate_bytes = 100_000_000
    readers = begin(world, digest, 50)
    for reader in readers:
        reader.whole(digest)
    world.upstream.pace.rate_bytes = 0
    same((len(transfers(world, digest)), world.upstream.bytes_of(digest)), (1, size), "transfers and bytes")
    peak = registry_process.peak_rss_bytes(world.server.pid)
    world.note(f"peak memory of the server so far {peak / MEBIBYTE:.0f} MiB")
    same(peak < MEMORY_MAX_BYTES, True, f"peak memory: {peak}")


@case(**PATIENT)
def two_names_of_one_blob(world):
    size = 3 * MEBIBYTE
    digest = large_image(world, size)
    reader, = begin(world, digest)
    reader.whole(digest)
    world.upstream.under("team/copy").blobs.add(digest)
    answered(world.blob("team/copy", digest), 200)
    same(world.upstream.count(None, f"/v2/team/copy/blobs/{digest}") > 0, True, "the upstream was asked under the other name")
    world.note(f"{world.upstream.bytes_of(digest) / size:.2f} of the blob taken for two names")


@case(**PATIENT)
def a_manifest_for_fifty(world):
    image = world.upstream.add_image(NAME, "latest")
    with world.upstream.on("GET", "/manifests/", wait=True) as rule:
        clients = [world.connect() for _ in range(50)]
        for client in clients:
            client.send("GET", world.path(NAME, "manifests/latest"), {"Accept": remote_world.ACCEPT})
        world.upstream.wait_for_count("GET", "/manifests/", 1)
        rule.open()
        for client in clients:
            same(digest_of(answered(client.receive(), 200).body), image.digest, "the manifest")
            client.close()
    same(world.upstream.count("GET", "/manifests/"), 1, "transfers")


@case(idle_timeout="1s")
def a_client_that_waits_is_told(world):
    """The transfer never begins: those who wait are refused, not kept."""
    size = MEBIBYTE
    digest = large_image(world, size)
    with world.upstream.on(None, digest, wait=True):
        readers = begin(world, digest, 10)
        for reader in readers:
            reader.join(JOIN_S)
    same({reader.status for reader in readers}, {503}, "statuses")
    world.well_again()
    reader, = begin(world, digest)
    reader.whole(digest)


if __name__ == "__main__":
    sys.exit(remote_world.main(__doc__))
