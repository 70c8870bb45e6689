"""A real Docker daemon for a test, started by hand."""

import os
import subprocess
import time

import registry_process
from client_tools import ClientFailed, run

DAEMON_DEADLINE_S = 60


class DockerDaemon:
    """dockerd without networking, with state and socket of its own. A loopback registry counts as insecure."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            registry_process.skip("dockerd needs root")
        folder.mkdir()
        self.socket = folder / "docker.sock"
        self.log = folder / "dockerd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs",
                 "--data-root", folder / "data", "--exec-root", folder / "exec", "-p", folder / "docker.pid",
                 "-H", f"unix://{self.socket}"], stdout=log, stderr=log)

    def __enter__(self):
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind and issubclass(kind, ClientFailed):
            print(self.log.read_text()[-2000:])
        self.stop()

    def wait_ready(self):
        deadline = time.monotonic() + DAEMON_DEADLINE_S
        while self.docker("version", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                registry_process.skip(f"dockerd does not run here: {self.log.read_text()[-1000:]}")

    def docker(self, *words, check=True):
        return run("docker", "--host", f"unix://{self.socket}", *words, check=check,
                   environment={"DOCKER_CONFIG": str(self.socket.parent)})

    def stop(self):
        self.process.terminate()
        self.process.wait(DAEMON_DEADLINE_S)
