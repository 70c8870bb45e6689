#!/usr/bin/env python3
"""Large transfers with a small server: a blob of 6 GiB by streamed PATCH, by PATCHes with Content-Range and by one
PUT, each pulled with its digest verified; then 64 transfers of 64 MiB at once, pushed and pulled likewise.

Prints the rate and the server's peak RSS (VmHWM) after each step; the peak of all stays below 256 MiB. --size and
--at-once make it shorter.
"""

import hashlib
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from registry_client import OCTETS, Connection, location_path, with_query  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
PEAK_RSS_LIMIT_BYTES = 256 * MIB
PIECE_BYTES = 4 * MIB
CHUNK_BYTES = 256 * MIB
# The content of 6 GiB is pieces of one block, each marked in its first bytes: cheap to make, no two pieces alike.
_BLOCK = hashlib.shake_256(b"orbitalreg big blob").digest(PIECE_BYTES)


class Failed(Exception):
    pass


class Content:
    def __init__(self, seed, size):
        self.seed, self.size = seed, size

    def pieces(self, begin=0, end=None):
        """Pieces of begin..end; begin is a multiple of PIECE_BYTES."""
        end = self.size if end is None else end
        for offset in range(begin, end, PIECE_BYTES):
            piece = bytearray(_BLOCK)
            mark = f"{self.seed}/{offset:016x}".encode()
            piece[:len(mark)] = mark
            yield memoryview(piece)[:min(PIECE_BYTES, end - offset)]

    def digest(self):
        hasher = hashlib.sha256()
        for piece in self.pieces():
            hasher.update(piece)
        return f"sha256:{hasher.hexdigest()}"


def expect(answer, status):
    if answer.status != status:
        raise Failed(f"expected {status}, got {answer!r}")
    return answer


def push(client, name, content, digest, form):
    location = location_path(expect(client.start_upload(name), 202))
    octets = {"Content-Type": OCTETS}
    if form == "stream":
        answer = expect(client.request("PATCH", location, octets, content.pieces()), 202)
        location = location_path(answer)
    if form == "chunks":
        for begin in range(0, content.size, CHUNK_BYTES):
            end = min(begin + CHUNK_BYTES, content.size)
            headers = dict(octets, **{"Content-Range": f"{begin}-{end - 1}", "Content-Length": str(end - begin)})
            answer = client.request("PATCH", location, headers, content.pieces(begin, end))
            location = location_path(expect(answer, 202))
    target = with_query(location, digest=digest)
    if form == "put":
        headers = dict(octets, **{"Content-Length": str(content.size)})
        expect(client.request("PUT", target, headers, content.pieces()), 201)
    else:
        expect(client.request("PUT", target, octets, b""), 201)


def pull(client, name, content, digest):
    hasher, length = hashlib.sha256(), [0]

    def take(piece):
        hasher.update(piece)
        length[0] += len(piece)

    expect(client.get_blob(name, digest, sink=take), 200)
    if (f"sha256:{hasher.hexdigest()}", length[0]) != (digest, content.size):
        raise Failed(f"wrong bytes: {length[0]} of {content.size}, {hasher.hexdigest()} for {digest}")


def timed(server, what, size, action):
    began = time.monotonic()
    action()
    seconds = time.monotonic() - began
    resident = registry_process.status_field_bytes(server.pid, "VmRSS")
    peak = registry_process.peak_rss_bytes(server.pid)
    print(f"{what}: {size / MIB / seconds:.0f} MiB/s, {seconds:.1f} s, RSS now {resident / MIB:.0f} MiB, "
          f"peak {peak / MIB:.0f} MiB", flush=True)


def one_by_one(server, size):
    for form in ("stream", "chunks", "put"):
        content = Content(form, size)
        digest = content.digest()
        with Connection(server.http_addr, timeout_s=300) as client:
            timed(server, f"push {size / GIB:.2f} GiB, {form}", size,
                  lambda: push(client, f"big/{form}", content, digest, form))
            timed(server, f"pull {size / GIB:.2f} GiB, digest verified", size,
                  lambda: pull(client, f"big/{form}", content, digest))


def at_once(server, count, size):
    contents = [Content(f"parallel-{number}", size) for number in range(count)]
    digests = [content.digest() for content in contents]
    forms = ("stream", "chunks", "put")

    def all_together(action):
        errors = []

        def work(number):
            try:
                with Connection(server.http_addr, timeout_s=600) as client:
                    action(client, number)
            except (OSError, Failed) as error:
                errors.append(f"transfer {number}: {error}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise Failed(f"{len(errors)} of {count} failed: {errors[:3]}")

    timed(server, f"push {count} x {size / MIB:.0f} MiB at once", count * size, lambda: all_together(
        lambda client, number: push(client, f"many/n{number}", contents[number], digests[number], forms[number % 3])))
    timed(server, f"pull {count} x {size / MIB:.0f} MiB at once, digests verified", count * size, lambda: all_together(
        lambda client, number: pull(client, f"many/n{number}", contents[number], digests[number])))


def main():
    def extra(parser):
        parser.add_argument("--size", type=int, default=6 * GIB, help="bytes of the large blob")
        parser.add_argument("--at-once", type=int, default=64, help="transfers at once, of 64 MiB each")
    options = registry_process.script_options(__doc__, extra)
    with registry_process.from_arguments(options) as server:
        try:
            one_by_one(server, options.size)
            at_once(server, options.at_once, 64 * MIB)
        except Failed as failure:
            print(f"FAILED: {failure}\n{server.log_tail()}")
            return 1
        peak = registry_process.peak_rss_bytes(server.pid)
        server.stop()
    print(f"peak RSS of all: {peak / MIB:.0f} MiB, limit {PEAK_RSS_LIMIT_BYTES / MIB:.0f} MiB")
    if peak >= PEAK_RSS_LIMIT_BYTES:
        print("FAILED: the server grew beyond the limit")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
