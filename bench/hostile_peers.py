#!/usr/bin/env python3
"""Idle and slow connections beside a good client: what each costs in memory, and what the good client feels.

  bench/hostile_peers.py --idle 10000 --slow 500

A third of the slow peers sends a header byte by byte, a third a body, a third takes an answer a little at a time, each just
fast enough not to be cut. The good client is orbitalreg-load; its p99 alone and beside them is taken in turns, in one run.
"""

import argparse
import json
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

import registry_process  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402

BLOB_BYTES = 8 << 20
PING = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
SPARE_DESCRIPTORS = 1100


def connect(server):
    host, port = server.http_addr.split(":")
    peer = socket.socket()
    peer.settimeout(60)
    peer.connect((host, int(port)))
    return peer


def open_idle(server, count):
    """Connections that asked once and are silent."""
    peers = []
    for _ in range(count):
        peers.append(connect(server))
        peers[-1].sendall(PING)
        if not peers[-1].recv(5000).startswith(b"HTTP/1.1 200"):
            sys.exit("an idle connection was not answered")
    return peers


class SlowPeers(threading.Thread):
    """Keeps its connections just alive, a little each second, until told to end."""

    def __init__(self, server, count, digest, location):
        super().__init__()
        self.over = threading.Event()
        self.peers = []
        self.cut = 0
        for number in range(count):
            peer = connect(server)
            if number % 3 == 0:
                peer.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            elif number % 3 == 1:
                peer.sendall(f"PATCH {location(number)} HTTP/1.1\r\nHost: x\r\nContent-Length: {BLOB_BYTES}\r\n\r\n".encode())
            else:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.sendall(f"GET /v2/hostile/blob/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            peer.setblocking(False)
            self.peers.append((number % 3, peer))

    def run(self):
        while not self.over.wait(1):
            for kind, peer in self.peers:
                try:
                    if kind == 2:
                        peer.recv(4096)
                    else:
                        peer.send(b"a" if kind == 0 else bytes(2048))
                except BlockingIOError:
                    pass
                except OSError:
                    self.cut += 1

    def end(self):
        self.over.set()
        self.join()
        for _, peer in self.peers:
            peer.close()


def good_client(server, load, operations, workload):
    told = subprocess.run([load, workload, "--server", server.http_addr, "--name", "hostile/good", "--count", str(operations),
                           "--clients", "4", "--size", "65536", "--verify"], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        sys.exit(f"the good client failed: {told.stdout}{told.stderr}")
    return json.loads(told.stdout)


def measure(server, load, options):
    rss = lambda: registry_process.status_field_bytes(server.pid, "VmRSS")  # noqa: E731
    with Connection(server.http_addr) as client:
        content = bytes(BLOB_BYTES)
        client.put_blob("hostile/blob", content, digest_of(content))
    good_client(server, load, options.operations, "mixed")
    figures = {"alone": [], "beside": [], "idle_bytes": [], "slow_bytes": [], "cut": 0}
    for _ in range(options.rounds):
        figures["alone"].append(good_client(server, load, options.operations, "mixed")["latency_us"]["p99"])
        before = rss()
        idle = open_idle(server, options.idle)
        figures["idle_bytes"].append((rss() - before) / max(1, options.idle))
        with Connection(server.http_addr) as client:
            before = rss()
            slow = SlowPeers(server, options.slow, digest_of(content),
                             lambda _: client.start_upload("hostile/slow").header("location"))
        slow.start()
        figures["beside"].append(good_client(server, load, options.operations, "mixed")["latency_us"]["p99"])
        figures["slow_bytes"].append((rss() - before) / max(1, options.slow))
        open_now = server.metrics()["orbitalreg_http_connections"]
        slow.end()
        figures["cut"] += slow.cut
        figures["open"] = open_now
        for peer in idle:
            peer.close()
        while server.metrics()["orbitalreg_http_connections"] > 5:
            server.pause()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    registry_process.add_arguments(parser)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=500)
    parser.add_argument("--operations", type=int, default=20000, help="of the good client, a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-bytes-max", type=int, default=64 * 1024)
    parser.add_argument("--ratio-max", type=float, default=0, help="of p99 beside to alone; 0: only told")
    options = parser.parse_args()
    wanted = options.idle + options.slow + SPARE_DESCRIPTORS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < wanted:
        registry_process.skip(f"{wanted} open files are needed, {hard} are allowed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    load = registry_process.find_binary("orbitalreg-load")
    if not load:
        registry_process.skip("orbitalreg-load is not built")
    limits = {"ORBITALREG_HTTP_LIMITS_CONNECTIONS": str(wanted), "ORBITALREG_HTTP_LIMITS_CONNECTIONS_PER_ADDRESS": str(wanted),
              "ORBITALREG_HTTP_IDLE_TIMEOUT": "10m", "ORBITALREG_HTTP_HEADER_TIMEOUT": "10m"}
    with registry_process.from_arguments(options, environment=limits) as server:
        figures = measure(server, load, options)
    ratio = statistics.median(figures["beside"]) / statistics.median(figures["alone"])
    print(f"{options.idle} idle and {options.slow} slow connections, {figures['open']:.0f} open at once, {figures['cut']} cut, "
          f"{options.rounds} rounds")
    print(f"bytes an idle connection: {max(figures['idle_bytes']):.0f}; a slow one: {max(figures['slow_bytes']):.0f}")
    print(f"p99 of the good client, us: alone {figures['alone']}, beside {figures['beside']}; ratio of medians {ratio:.2f}")
    too_large = max(*figures["idle_bytes"], *figures["slow_bytes"]) > options.idle_bytes_max
    return 1 if too_large or (options.ratio_max and ratio > options.ratio_max) else 0


if __name__ == "__main__":
    sys.exit(main())
