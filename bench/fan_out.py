#!/usr/bin/env python3
"""Many clients at once pull an image that a remote repository does not have yet.

  bench/fan_out.py --clients 1,10,100,400 --size 1GiB --layers 5 --rate 100MB
  bench/fan_out.py --clients 100 --leave --cut --kill

One upstream, on this machine, held to --rate bytes a second. A line a number of clients: bytes taken from the upstream (those of
one image, no more), how much later than the upstream's own first byte each client had its first, the time until all are
done, the server's peak memory. --leave: half of the clients go when they have half; --cut: the upstream breaks off twice;
--kill: the server is killed (SIGKILL) at half and started again. Leaves with 1 when a bound is broken.

The clients are one process that waits with epoll: a manifest, then one layer after the other over one connection, which is taken up
again by Range when it breaks. Every 20th client hashes what it gets and compares digests; what the others get is counted
and thrown away in the kernel (MSG_TRUNC), so that they cost next to nothing. They share the machine with server and
upstream all the same: the total time is the machine's, the rest is the server's.
"""

import argparse
import hashlib
import json
import pathlib
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

import configured_registry  # noqa: E402
import registry_process  # noqa: E402
from registry_client import MANIFEST_TYPES  # noqa: E402
from scripted_upstream import ScriptedUpstream  # noqa: E402

NAME, TAG, REPOSITORY = "library/large", "latest", "acme/mirror"
HASHED_EVERY = 20
RECEIVE_BYTES = 1 << 20
RETRY_S, RETRIES_MAX = 0.2, 600
FIRST_BYTE_MAX_S, FIRST_BYTE_CLIENTS = 0.5, 100  # up to so many clients
RSS_MAX_BYTES = 256 << 20
UNITS = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
ROOM = bytearray(RECEIVE_BYTES)
VIEW = memoryview(ROOM)


def bytes_of(text):
    found = re.fullmatch(r"(\d+)([KMG]i?B|B)?", text)
    if not found:
        raise argparse.ArgumentTypeError(f"no size: {text}")
    return int(found[1]) * UNITS[found[2] or ""]


# The clients: a process of their own.


class Client:
    """One pull: `step()` is called when its socket is ready, and says whether it is over."""

    def __init__(self, number, address, leave_at):
        self.number, self.address, self.leave_at = number, address, leave_at
        self.hashing = number % HASHED_EVERY == 0
        self.socket = None
        self.todo = [("manifest", f"/v2/{REPOSITORY}/{NAME}/manifests/{TAG}", 0)]
        self.began = time.monotonic()
        self.first_byte = None
        self.received = self.in_blob = self.retries = self.wrong = 0
        self.hasher = None
        self.outcome = None

    def open(self):
        host, port = self.address.rsplit(":", 1)
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex((host, int(port)))
        self.head, self.left, self.body = b"", None, b""
        self.sending = True

    def step(self):
        if self.sending:
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise ConnectionError(error, "connect")
            self.ask()
        elif self.left is None:
            self.take_head()
        else:
            self.take_body()

    def ask(self):
        kind, target, _ = self.todo[0]
        more = f"Accept: {', '.join(MANIFEST_TYPES)}\r\n" if kind == "manifest" else ""
        if self.in_blob:
            more += f"Range: bytes={self.in_blob}-\r\n"
        self.socket.send(f"GET {target} HTTP/1.1\r\nHost: {self.address}\r\n{more}\r\n".encode())
        self.sending = False
        if kind == "blob" and not self.in_blob:
            self.hasher = hashlib.sha256()

    def take_head(self):
        """The head alone, to its last byte: what is behind it is taken in another way."""
        peeked = self.socket.recv(8192, socket.MSG_PEEK)
        if not peeked:
            raise ConnectionError("closed before an answer")
        at = peeked.find(b"\r\n\r\n")
        if at < 0:
            return
        head = self.socket.recv(at + 4).decode("latin-1").lower()
        status = int(head.split()[1])
        if status in (502, 503, 429):
            raise ConnectionError(status, "refused for now")
        if status not in (200, 206) or (self.in_blob and status != 206):
            self.outcome = f"status {status}"
            return
        self.left = int(re.search(r"content-length: *(\d+)", head)[1])

    def take_body(self):
        kind = self.todo[0][0]
        if kind == "manifest":
            piece = self.socket.recv(self.left)
            count = len(piece)
            self.body += piece
        elif self.hashing:
            count = self.socket.recv_into(VIEW, min(self.left, RECEIVE_BYTES))
            self.hasher.update(VIEW[:count])
        else:
            count = self.socket.recv_into(VIEW, min(self.left, RECEIVE_BYTES), socket.MSG_TRUNC)
        if count == 0:
            raise ConnectionError("closed in a body")
        self.left -= count
        if kind == "blob":
            self.first_byte = self.first_byte or time.monotonic()
            self.received += count
            self.in_blob += count
        if self.left == 0:
            self.finish_one()
        if self.leave_at and self.received >= self.leave_at:
            self.outcome = "left"

    def finish_one(self):
        kind, _, digest = self.todo.pop(0)
        if kind == "manifest":
            manifest = json.loads(self.body)
            self.todo = [("blob", f"/v2/{REPOSITORY}/{NAME}/blobs/{entry['digest']}", entry["digest"])
                         for entry in manifest["layers"] + [manifest["config"]]]
        elif self.hashing and f"sha256:{self.hasher.hexdigest()}" != digest:
            self.wrong += 1
        self.in_blob = 0
        self.left = None
        if self.todo:
            self.ask()
        else:
            self.outcome = "whole"


class Crowd:
    def __init__(self, address, count, leave_at):
        # The first stays, so that somebody does whoever leaves.
        self.clients = [Client(number, address, leave_at if leave_at and number % 2 else 0) for number in range(count)]
        self.epoll = select.epoll()
        self.open = {}
        self.waiting = []  # (when, client): to connect again

    def start(self, client):
        client.open()
        self.open[client.socket.fileno()] = client
        self.epoll.register(client.socket.fileno(), select.EPOLLOUT)

    def drop(self, client):
        del self.open[client.socket.fileno()]
        self.epoll.unregister(client.socket.fileno())
        client.socket.close()

    def handle(self, client):
        try:
            was_sending = client.sending
            client.step()
            if was_sending:
                self.epoll.modify(client.socket.fileno(), select.EPOLLIN)
        except BlockingIOError:
            return
        except OSError as error:
            self.drop(client)
            client.retries += 1
            if client.retries > RETRIES_MAX:
                client.outcome = f"given up: {error}"
            else:
                self.waiting.append((time.monotonic() + RETRY_S, client))
            return
        if client.outcome:
            self.drop(client)

    def run(self):
        for client in self.clients:
            self.start(client)
        while self.open or self.waiting:
            for descriptor, _ in self.epoll.poll(RETRY_S if self.waiting else 10):
                if descriptor in self.open:
                    self.handle(self.open[descriptor])
            now = time.monotonic()
            due = [client for when, client in self.waiting if when <= now]
            self.waiting = [(when, client) for when, client in self.waiting if when > now]
            for client in due:
                self.start(client)


def be_clients(address, count, leave_at):
    began = time.monotonic()
    crowd = Crowd(address, count, leave_at)
    crowd.run()
    clients = crowd.clients
    whole = [client for client in clients if client.outcome == "whole"]
    print(json.dumps({
        "began": began, "seconds": time.monotonic() - began, "whole": len(whole), "bytes": sum(client.received for client in clients),
        "left": sum(client.outcome == "left" for client in clients), "retries": sum(client.retries for client in clients),
        "hashed": sum(client.hashing for client in whole), "wrong": sum(client.wrong for client in clients),
        "failures": sorted({client.outcome for client in clients} - {"whole", "left"}),
        "first_bytes": [client.first_byte for client in clients if client.first_byte]}))


# The run.


class Memory(threading.Thread):
    """The most that the server ever had resident, over its restarts."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.over, self.peak = server, threading.Event(), 0

    def run(self):
        while not self.over.wait(0.05):
            self.look()

    def look(self):
        try:
            self.peak = max(self.peak, registry_process.peak_rss_bytes(self.server.pid))
        except OSError:
            pass  # between two lives

    def end(self):
        self.look()
        self.over.set()
        self.join()
        return self.peak


def break_things(upstream, server, options, image):
    """What --cut and --kill do while the clients pull; returns when it is done."""
    rules = []
    if options.cut:
        for layer in (image.layers[len(image.layers) // 3], image.layers[2 * len(image.layers) // 3]):
            rules.append(upstream.on("GET", layer, cut_after=upstream.bodies[layer].size // 2, times=1))
    if options.kill:
        upstream.wait_for_bytes("/blobs/", upstream.size_of(image) // 2, 3600)
        server.kill()
        server.start()
    return rules


def measure(upstream, image, count, options):
    upstream.forget()
    upstream.rules = []
    mirror = {"name": REPOSITORY.partition("/")[2], "type": "remote", "url": upstream.url, "allow_networks": ["127.0.0.0/8"]}
    configuration = {"projects": [{"name": REPOSITORY.partition("/")[0], "repositories": [mirror]}]}
    size = upstream.size_of(image)
    with configured_registry.from_arguments(options, configuration) as server:
        memory = Memory(server)
        memory.start()
        words = [sys.executable, __file__, "--be-clients", server.http_addr, str(count), str(size // 2 if options.leave else 0)]
        crowd = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            break_things(upstream, server, options, image)
            told = json.loads(crowd.communicate(timeout=options.deadline)[0])
        finally:
            crowd.kill()
        told["cpu"] = registry_process.cpu_seconds(server.pid)
        told["peak"] = memory.end()
    transfers = upstream.seen("GET", "/blobs/")
    told["taken"], told["transfers"] = sum(entry.bytes_sent for entry in transfers), len(transfers)
    told["own_first"] = min(entry.first_byte for entry in transfers) - told["began"]
    told["late"] = sorted(when - told["began"] - told["own_first"] for when in told["first_bytes"])
    return told


def broken_bounds(told, count, size, options):
    found = []
    if told["failures"] or told["wrong"]:
        found.append(f"{told['wrong']} wrong digests, failures: {told['failures']}")
    if told["whole"] + told["left"] != count:
        found.append(f"{told['whole']} of {count} whole")
    if not options.kill and not options.leave and told["taken"] != size:
        found.append(f"{told['taken']} bytes taken of an image of {size}")
    if count <= FIRST_BYTE_CLIENTS and told["late"][-1] > FIRST_BYTE_MAX_S:
        found.append(f"a first byte {told['late'][-1]:.2f} s after the upstream's")
    if told["peak"] > RSS_MAX_BYTES:
        found.append(f"{told['peak'] / 2**20:.0f} MiB of memory")
    return found


def main():
    if sys.argv[1:2] == ["--be-clients"]:
        be_clients(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    registry_process.add_arguments(parser)
    parser.add_argument("--clients", default="1,10,100,400")
    parser.add_argument("--size", type=bytes_of, default=bytes_of("1GiB"), help="of the image")
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--rate", type=bytes_of, default=bytes_of("100MB"), help="of the upstream a second; 0: as fast as it can")
    parser.add_argument("--leave", action="store_true")
    parser.add_argument("--cut", action="store_true")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--deadline", type=float, default=3600, help="seconds for a number of clients")
    options = parser.parse_args()
    folder = registry_process.fresh_folder("orbitalreg-fan-out-")
    broken = []
    try:
        with ScriptedUpstream(folder) as upstream:
            image = upstream.add_image(NAME, TAG, [(f"layer {number}", options.size // options.layers) for number in range(options.layers)])
            size = upstream.size_of(image)
            upstream.pace.rate_bytes = options.rate
            print(f"image {size / 2**20:.0f} MiB in {options.layers} layers, upstream at {options.rate / 1e6:.0f} MB/s"
                  + "".join(f", {name}" for name in ("leave", "cut", "kill") if getattr(options, name)))
            print("clients   taken  transfers  own first byte  later: median    most    total    delivered  peak memory   cpu  retries  "
                  "whole/left  hashed", flush=True)
            for count in map(int, options.clients.split(",")):
                told = measure(upstream, image, count, options)
                late = told["late"]
                print(f"{count:7}  {told['taken'] / size:5.3f}x  {told['transfers']:9}  {told['own_first']:12.3f} s  "
                      f"{statistics.median(late):11.3f} s  {late[-1]:5.3f} s  {told['seconds']:5.1f} s  "
                      f"{told['bytes'] / told['seconds'] / 1e6:6.0f} MB/s  {told['peak'] / 2**20:7.1f} MiB  {told['cpu']:4.0f} s  "
                      f"{told['retries']:7}  {told['whole']:5}/{told['left']:<4}  {told['hashed']:6}", flush=True)
                broken += [f"{count} clients: {bound}" for bound in broken_bounds(told, count, size, options)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"bounds broken: {'; '.join(broken) or 'none'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
