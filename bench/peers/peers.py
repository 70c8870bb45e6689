"""The servers that bench/compare.py measures: how each is started, and what it promises (README.md beside this file).

Life     with make(name, options) as peer: ...; a directory of its own, removed afterwards.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/support"))

import go_tools  # noqa: E402
import registry_process  # noqa: E402
from certificates import Authority  # noqa: E402

OURS = "orbitalreg"
HERE = pathlib.Path(__file__).resolve().parent
READY_DEADLINE_S = 20
DURABILITY = {
    "orbitalreg": "synced, and the names too, before each answer; every chunk verified when it is read",
    "docker-registry": "files synced, directories not; nothing verified when it is read",
    "distribution": "files synced, and the directories of small ones, but not the one that a blob's bytes are moved into; nothing verified when it is read",
    "nginx": "nothing synced, no digest computed, nothing verified",
    "limit": "data synced, names not; digest computed, every chunk verified when it is read",
    "orbitalreg:threads": "as orbitalreg, with `storage.io: threads`",
    "orbitalreg:undurable": "as orbitalreg, with `storage.durability: none`: nothing synced",
    "orbitalreg:tls": "as orbitalreg, with `http.tls` on the address asked: TLS 1.3 with AES-128-GCM, a key on P-256, one handshake a client (orbitalreg-load --tls)",
}
# orbitalreg with one thing changed, measured beside itself.
VARIANTS = {
    "orbitalreg:threads": {"ORBITALREG_STORAGE_IO": "threads"},
    "orbitalreg:undurable": {"ORBITALREG_STORAGE_DURABILITY": "none"},
    "orbitalreg:tls": {},
}


class Registry(registry_process.RegistryProcess):
    """orbitalreg, or Debian's docker-registry."""

    def __init__(self, pin, tls=False, **options):
        super().__init__(**options)
        self.pin = pin
        self.load_words = ["--tls"] if tls else []  # that orbitalreg-load takes besides
        if tls:
            certificate, key = Authority(self.workspace / "authority").issue("server")
            self.environment.update(ORBITALREG_HTTP_TLS_CERTIFICATE=str(certificate), ORBITALREG_HTTP_TLS_KEY=str(key))

    def command(self):
        return [*self.pin, *super().command()]

    def pids(self):
        return [self.pid]


class Program:
    """A server that is one process, or a parent and its children."""

    load_words = ()

    def __init__(self, kind, pin):
        self.kind = kind
        self.pin = pin
        self.folder = registry_process.fresh_folder(f"orbitalreg-{kind}-")
        self.port = registry_process.free_ports(1)[0]
        self.http_addr = f"127.0.0.1:{self.port}"
        self.process = None

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*self.pin, *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                # Its end, or a little later another look.
                try:
                    self.process.wait(registry_process.POLL_INTERVAL_S)
                    break
                except subprocess.TimeoutExpired:
                    continue
        self.close()
        raise SystemExit(f"{self.kind} does not start")

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]


class Nginx(Program):
    def command(self):
        for name in ("files", "manifests", "body"):
            (self.folder / name).mkdir()
        # The worker is another user.
        for path in (self.folder, self.folder / "files", self.folder / "manifests", self.folder / "body"):
            path.chmod(0o777)
        path = self.folder / "nginx.conf"
        path.write_text((HERE / "nginx.conf").read_text().format(folder=self.folder, port=self.port))
        return ["nginx", "-c", str(path), "-p", str(self.folder)]


class Distribution(Program):
    def command(self):
        path = self.folder / "distribution.yml"
        path.write_text((HERE / "distribution.yml").read_text().format(data=self.folder / "data", port=self.port))
        return ["env", "OTEL_TRACES_EXPORTER=none", str(go_tools.find_or_build("registry")), "serve", str(path)]


class Limit(Program):
    def command(self):
        (self.folder / "files").mkdir()
        return [registry_process.find_binary("orbitalreg-limit"), str(self.port), str(self.folder / "files")]


def available(name):
    """Why a peer cannot be started here; nothing: it can."""
    program = {"docker-registry": "docker-registry", "nginx": "nginx", "orbitalreg:tls": "openssl"}.get(name)
    if program and not shutil.which(program):
        return f"no {program}: apt-get install {program}"
    if name == "distribution":
        try:
            go_tools.find_or_build("registry")
        except go_tools.Unavailable as reason:
            return str(reason)
    if name == "limit" and not registry_process.find_binary("orbitalreg-limit"):
        return "no orbitalreg-limit: build it"
    return ""


def make(name, options, pin):
    """`pin`: what goes before the command, so that the server knows which cores it has."""
    if name == "nginx":
        return Nginx(name, pin)
    if name == "limit":
        return Limit(name, pin)
    if name == "distribution":
        return Distribution(name, pin)
    if name != OURS and name not in VARIANTS:
        return Registry(pin, kind=name)
    settings = dict([("ORBITALREG_LOG_GATHER", "20ms"), *(each.split("=", 1) for each in options.set)], **VARIANTS.get(name, {}))
    return Registry(pin, tls=name == "orbitalreg:tls", kind=OURS, io=options.io, binary=options.binary, environment=settings)


def cpu_seconds(peer):
    return sum(registry_process.cpu_seconds(pid) for pid in peer.pids())


def peak_rss_bytes(peer):
    return sum(registry_process.peak_rss_bytes(pid) for pid in peer.pids() if os.path.exists(f"/proc/{pid}"))
