"""Starts, stops and kills one registry server for a test that looks at it from outside.

RegistryProcess runs `orbitalreg serve` (or, as a peer to compare with, Debian's docker-registry 2.8) on
free loopback ports with a data directory of its own.

Life     with RegistryProcess(...) as server: ... ; start() returns once /readyz answers 200; stop() is
         SIGTERM and a clean exit, kill() is SIGKILL. start() after either opens the same data again.
Threads  start, stop and kill from one thread; the attributes may be read from any.
Limits   start() and stop() raise RegistryError, with the end of the server's log, when their deadline passes.
"""

import argparse
import http.client
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP_EXIT_CODE = 77  # ctest's SKIP_RETURN_CODE of every test registered here
READY_DEADLINE_S = 60
STOP_DEADLINE_S = 60
POLL_INTERVAL_S = 0.004
LOG_TAIL_BYTES = 4000

PEER_CONFIG = """version: 0.1
log: {{ level: warn, accesslog: {{ disabled: true }} }}
storage:
  cache: {{ blobdescriptor: inmemory }}
  filesystem: {{ rootdirectory: {data} }}
  delete: {{ enabled: true }}
http:
  addr: 127.0.0.1:{port}
  secret: not-a-secret
health: {{ storagedriver: {{ enabled: false }} }}
"""


def fresh_folder(prefix, parent=None):
    """A new folder of the test directory, of letters and digits at its end: podman takes `oci:<folder>` for a name, which may not end in `_`."""
    while True:
        folder = pathlib.Path(parent or test_directory()) / f"{prefix}{secrets.token_hex(5)}"
        try:
            folder.mkdir(mode=0o700)
            return folder
        except FileExistsError:
            continue


class RegistryError(Exception):
    """The server did not do what start, stop or kill asked of it."""


def skip(reason):
    """Ends a test that cannot run here, saying why."""
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIP_EXIT_CODE)


def find_binary(name="orbitalreg"):
    """The program of the newest build tree, or None."""
    given = os.environ.get("ORBITALREG_BINARY")
    if given and name == "orbitalreg":
        return given
    built = [path for path in ROOT.glob(f"build/*/bin/{name}") if os.access(path, os.X_OK)]
    return str(max(built, key=lambda path: path.stat().st_mtime)) if built else None


def free_ports(count):
    """Loopback ports nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    for held in sockets:
        held.bind(("127.0.0.1", 0))
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def add_arguments(parser):
    """The options every black-box script shares."""
    parser.add_argument("--server", choices=["orbitalreg", "docker-registry"], default="orbitalreg",
                        help="which program to run (docker-registry: the peer, to check the test itself)")
    parser.add_argument("--binary", help="the program; default: the newest build tree's")
    parser.add_argument("--io", choices=["auto", "uring", "threads"], default="auto")
    parser.add_argument("--keep", action="store_true", help="leave the data directory behind")


def from_arguments(options, **overrides):
    """A RegistryProcess as the command line asked for."""
    settings = {"kind": options.server, "binary": options.binary, "io": options.io, "keep": options.keep}
    settings.update(overrides)
    return RegistryProcess(**settings)


def peak_rss_bytes(pid):
    """VmHWM: the most memory the process ever had resident."""
    return status_field_bytes(pid, "VmHWM")


def status_field_bytes(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid):
    """CPU time the process has used, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class RegistryProcess:
    def __init__(self, kind="orbitalreg", binary=None, io="auto", data=None, environment=None,
                 wrapper=(), keep=False, http_addr=None):
        self.kind = kind
        self.io = io
        self.binary = binary or (find_binary() if kind == "orbitalreg" else shutil.which("docker-registry"))
        if not self.binary or not os.path.exists(self.binary):
            skip(f"no program '{kind}' ({self.binary}): build it, or give --binary")
        self.keep = keep
        self.wrapper = list(wrapper)
        self.environment = dict(environment or {})
        self.workspace = fresh_folder("orbitalreg-test-")
        self.data = pathlib.Path(data) if data else self.workspace / "data"
        self.log_path = self.workspace / "server.log"
        port, admin_port = free_ports(2)
        self.http_addr = http_addr or f"127.0.0.1:{port}"
        self.admin_addr = f"127.0.0.1:{admin_port}"
        self.process = None
        self.start_seconds = []

    def __enter__(self):
        try:
            return self.start()
        except RegistryError:
            self.kill()  # __exit__ is not called
            raise

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not SystemExit:
            print(f"--- end of {self.log_path}\n{self.log_tail()}---", file=sys.stderr)
        self.close()

    @property
    def url(self):
        return f"http://{self.http_addr}"

    @property
    def pid(self):
        """The server's own process, also when a wrapper such as strace started it."""
        if not self.wrapper:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def command(self):
        if self.kind == "orbitalreg":
            return self.wrapper + [self.binary, "serve"]
        config = self.workspace / "peer.yml"
        config.write_text(PEER_CONFIG.format(data=self.data, port=self.http_addr.rsplit(":", 1)[1]))
        return self.wrapper + [self.binary, "serve", str(config)]

    def spawn(self):
        """Starts the process without waiting for it to be ready."""
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("ORBITALREG_")}
        environment = dict(inherited, ORBITALREG_HTTP_ADDR=self.http_addr, ORBITALREG_ADMIN_ADDR=self.admin_addr,
                           ORBITALREG_STORAGE_PATH=str(self.data), ORBITALREG_STORAGE_IO=self.io,
                           ORBITALREG_LOG_GATHER="0s")  # a test reads what was answered just now
        if self.kind != "orbitalreg":
            environment = dict(inherited, OTEL_TRACES_EXPORTER="none")
        environment.update(self.environment)
        self.workspace.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment)
        return self

    def start(self, deadline_s=READY_DEADLINE_S):
        began = time.monotonic()
        self.spawn()
        self.wait_ready(began + deadline_s)
        self.start_seconds.append(time.monotonic() - began)
        return self

    def wait_ready(self, deadline):
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RegistryError(f"server ended with {self.process.returncode} while starting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise RegistryError(f"server not ready in time\n{self.log_tail()}")
            self.pause()

    def pause(self):
        """Waits for the process to end, for one polling interval at most."""
        try:
            self.process.wait(POLL_INTERVAL_S)
        except subprocess.TimeoutExpired:
            pass

    def is_ready(self):
        path, address = ("/readyz", self.admin_addr) if self.kind == "orbitalreg" else ("/v2/", self.http_addr)
        try:
            return self.get(address, path)[0] == 200
        except OSError:
            return False

    @staticmethod
    def get(address, path):
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def metrics(self):
        """The samples of /metrics: 'name{labels}' -> value."""
        samples = {}
        for line in self.get(self.admin_addr, "/metrics")[1].decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                samples[name] = float(value)
        return samples

    def stop(self, deadline_s=STOP_DEADLINE_S):
        """SIGTERM; the server must end by itself with status 0 (docker-registry: any)."""
        os.kill(self.pid, signal.SIGTERM)
        try:
            status = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RegistryError(f"server did not stop within {deadline_s} s\n{self.log_tail()}") from None
        if self.kind == "orbitalreg" and status != 0:
            raise RegistryError(f"server ended with {status} on SIGTERM\n{self.log_tail()}")

    def kill(self):
        """SIGKILL, and the end awaited."""
        if self.process and self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait(STOP_DEADLINE_S)

    def restart(self):
        self.stop()
        return self.start()

    def fsck(self, *arguments):
        """Runs `orbitalreg fsck` on the data of a server that is not running."""
        return subprocess.run([self.binary, "fsck", *arguments, str(self.data)], capture_output=True, text=True,
                              timeout=600, check=False)

    def close(self):
        self.kill()
        if self.keep:
            print(f"data kept in {self.workspace}")
        else:
            shutil.rmtree(self.workspace, ignore_errors=True)

    def log_tail(self):
        if not self.log_path.exists():
            return ""
        return self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def test_directory():
    """Where data directories go: a real file system, since O_DIRECT is part of what is tested."""
    return os.environ.get("ORBITALREG_TEST_DIRECTORY", "/var/tmp")


def script_options(description, extra=None):
    """Parses the shared options and those `extra(parser)` adds."""
    parser = argparse.ArgumentParser(description=description)
    add_arguments(parser)
    if extra:
        extra(parser)
    return parser.parse_args()
