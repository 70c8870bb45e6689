"""What the scripts of this folder share: how a check is registered and run, and raw sockets to a server.

A check is a function of one argument, the RegistryProcess that all of a script's checks share. No step waits for a time
to pass: each waits for the server to do what it must, within a deadline.
"""

import pathlib
import re
import socket
import ssl
import subprocess
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))

import registry_process  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402

DEADLINE_S = 8
CHECKS = []


def check(*identifiers):
    def register(function):
        CHECKS.append((identifiers, function))
        return function
    return register


def connect(server, receive_buffer=None):
    host, port = server.http_addr.rsplit(":", 1)
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(DEADLINE_S)
    peer.connect((host, int(port)))
    return peer


def until_end(peer):
    """All bytes until the server ends or resets the connection."""
    received = []
    try:
        while piece := peer.recv(1 << 20):
            received.append(piece)
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return b"".join(received)


def ask(server, text, body=b""):
    with connect(server) as peer:
        try:
            peer.sendall(text.encode("latin-1") + body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return until_end(peer)


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])


def statuses_of(answers):
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def same(found, wanted, what=""):
    assert found == wanted, f"{what}: expected {wanted!r:.200}, got {found!r:.300}"


def push(server, name, content):
    with Connection(server.http_addr, timeout_s=30) as client:
        same(client.put_blob(name, content, digest_of(content)).status, 201)
    return digest_of(content)


def open_upload(server, name):
    with Connection(server.http_addr, timeout_s=30) as client:
        return client.start_upload(name).header("location")


def offset_of(server, location):
    with Connection(server.http_addr, timeout_s=30) as client:
        return client.request("GET", location).header("range")


def ended_within(peer, low_s, high_s):
    began = time.monotonic()
    received = until_end(peer)
    took = time.monotonic() - began
    assert low_s <= took <= high_s, f"ended after {took:.2f} s, wanted {low_s} to {high_s}"
    return received


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    poll = socket.socketpair()
    poll[0].settimeout(0.02)
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        try:
            poll[0].recv(1)
        except TimeoutError:
            pass


class Serve:
    """A server of a check's own, on free ports, with the environment the check wants."""

    def __init__(self, server, arguments=(), limit_files=None, **environment):
        base = {"PATH": "/usr/bin:/bin", "ORBITALREG_HTTP_ADDR": "127.0.0.1:0", "ORBITALREG_ADMIN_ADDR": "127.0.0.1:0",
                "ORBITALREG_STORAGE_PATH": str(server.workspace / "other")}
        self.log_path = server.workspace / "other.log"
        wrapper = ["prlimit", f"--nofile={limit_files}:{limit_files}"] if limit_files else []
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*wrapper, server.binary, "serve", *arguments], env={**base, **environment},
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(lambda: self.process.poll() is not None or "serving" in self.log(), "the server to start")

    def __enter__(self):
        self.http_addr = self.field("address")
        return self

    def field(self, name):
        """What the line `serving` of the log says."""
        return re.search(rf'"{name}":"([^"]+)"', self.log())[1]

    def __exit__(self, *_):
        self.process.terminate()
        same(self.process.wait(DEADLINE_S), 0, "clean exit")

    def log(self):
        return self.log_path.read_text()


def run_checks(description, environment):
    """All checks on one server; the exit code."""
    options = registry_process.script_options(description)
    failures = 0
    with registry_process.from_arguments(options, environment=environment) as server:
        for identifiers, function in CHECKS:
            try:
                function(server)
                print(f"ok    {' '.join(identifiers):24} {function.__name__}", flush=True)
            except (AssertionError, OSError, KeyError, TypeError, AttributeError) as error:
                failures += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                print(f"FAIL  {' '.join(identifiers):24} {function.__name__}\n      line {where.lineno}: {error!r}", flush=True)
                if server.process.poll() is not None:
                    print(f"note  the server had ended with {server.process.returncode}; started again")
                    server.start()
    print(f"{len(CHECKS)} checks, {failures} failed")
    return 1 if failures else 0
