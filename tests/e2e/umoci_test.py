#!/usr/bin/env python3
"""An image made and unpacked by umoci on either side of the registry: the files inside come back to the byte."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, need, run, same, step, version_of  # noqa: E402
from oci_layout import Layout  # noqa: E402
from seeded_content import content_range  # noqa: E402

FILES = {"hello": 12, "empty": 0, "large": 3000000}


def make(folder):
    run("umoci", "init", "--layout", folder)
    run("umoci", "new", "--image", f"{folder}:v1")
    for name, size in FILES.items():
        source = folder.parent / name
        source.write_bytes(content_range(name, 0, size))
        run("umoci", "insert", "--rootless", "--image", f"{folder}:v1", source, f"/{name}")
    return Layout(folder).tagged()["v1"]["digest"]


def pull_and_unpack(server, folder, digest):
    folder.mkdir()
    run("skopeo", "copy", "--src-tls-verify=false", f"docker://{server.http_addr}/umoci/app:v1",
        f"oci:{folder / 'layout'}:v1")
    same(Layout(folder / "layout").tagged()["v1"]["digest"], digest, "digest")
    run("umoci", "unpack", "--rootless", "--image", f"{folder / 'layout'}:v1", folder / "bundle")
    for name, size in FILES.items():
        same((folder / "bundle/rootfs" / name).read_bytes() == content_range(name, 0, size), True, name)


def test(server, options):
    digest = make(server.workspace / "made")
    run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{server.workspace / 'made'}:v1",
        f"docker://{server.http_addr}/umoci/app:v1")
    pull_and_unpack(server, server.workspace / "first", digest)
    step("push, pull, unpack")
    server.restart()
    pull_and_unpack(server, server.workspace / "second", digest)
    step("the same after a restart")


if __name__ == "__main__":
    need("umoci", "skopeo")
    sys.exit(main(test, __doc__, version_of("umoci")))
