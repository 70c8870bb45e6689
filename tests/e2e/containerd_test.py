#!/usr/bin/env python3
"""containerd, started by hand: ctr imports an image with three architectures, pushes and pulls it; before and after a
restart of the registry the digests are equal."""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import main, need, run, same, step, version_of  # noqa: E402
from oci_layout import Layout  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402

DAEMON_DEADLINE_S = 60
CONFIG = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""


class Daemon:
    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        (folder / "config.toml").write_text(CONFIG.format(folder=folder))
        self.log = folder / "containerd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["containerd", "--config", folder / "config.toml"], stdout=log, stderr=log)

    def wait_ready(self):
        deadline = time.monotonic() + DAEMON_DEADLINE_S
        while self.ctr("version", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                registry_process.skip(f"containerd does not run here: {self.log.read_text()[-1000:]}")

    def ctr(self, *words, check=True):
        return run("ctr", "--address", self.folder / "containerd.sock", *words, check=check)

    def stop(self):
        self.process.terminate()
        self.process.wait(DAEMON_DEADLINE_S)


def pull_again(daemon, reference, digest):
    daemon.ctr("images", "rm", "--sync", reference)
    daemon.ctr("images", "rm", "--sync", "local/app:v1", check=False)
    same(daemon.ctr("content", "ls", "-q").split(), [], "content left after removal")
    daemon.ctr("content", "fetch", "--plain-http", "--all-platforms", reference)
    line = next(line for line in daemon.ctr("images", "ls").splitlines() if line.startswith(reference))
    same(line.split()[2], digest, f"digest of {reference}")


def walk_through(daemon, server):
    layout = Layout(server.workspace / "layout")
    layout.add_index("v1", "containerd")
    archive = server.workspace / "image.tar"
    run("tar", "-C", layout.folder, "-cf", archive, ".")
    daemon.ctr("images", "import", "--all-platforms", "--no-unpack", "--base-name", "local/app", archive)
    digest = layout.tagged()["v1"]["digest"]
    reference = f"{server.http_addr}/ctr/deep/app:v1"
    daemon.ctr("images", "tag", "local/app:v1", reference)
    daemon.ctr("images", "push", "--plain-http", reference)
    with Connection(server.http_addr) as client:
        answer = client.get_manifest("ctr/deep/app", "v1")
    same((answer.status, digest_of(answer.body)), (200, digest), "digest in the registry")
    step("import, tag, push")
    pull_again(daemon, reference, digest)
    step("remove, fetch all platforms")
    server.restart()
    pull_again(daemon, reference, digest)
    step("the same after a restart")


def test(server, options):
    if os.geteuid() != 0:
        registry_process.skip("containerd needs root")
    daemon = Daemon(server.workspace / "containerd")
    try:
        daemon.wait_ready()
        walk_through(daemon, server)
    finally:
        daemon.stop()


if __name__ == "__main__":
    need("containerd", "ctr")
    sys.exit(main(test, __doc__, version_of("ctr")))
