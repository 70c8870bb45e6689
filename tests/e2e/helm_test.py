#!/usr/bin/env python3
"""helm: a chart packaged, pushed and pulled by version, to the byte, before and after a restart."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, run, same, step  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402

VERSIONS = ("0.1.0", "0.2.0+build.7")  # a plus sign is an underscore in the tag


def test(server, options):
    program = go_tool("helm")
    work = server.workspace / "work"
    work.mkdir()

    def helm(*words):
        return run("env", f"--chdir={work}", program, *words,
                   environment={f"HELM_{kind}_HOME": str(server.workspace / kind) for kind in ("CACHE", "CONFIG", "DATA")})

    def pull(version, folder):
        helm("pull", "--plain-http", "--version", version, "--destination", folder, f"oci://{server.http_addr}/charts/demo")
        return next(folder.glob("demo-*.tgz")).read_bytes()

    helm("create", "demo")
    packaged = {}
    for version in VERSIONS:
        helm("package", "--version", version, "demo")
        packaged[version] = (work / f"demo-{version}.tgz").read_bytes()
        helm("push", "--plain-http", f"demo-{version}.tgz", f"oci://{server.http_addr}/charts")
    step("create, package, push of two versions")
    for when in ("first", "second"):
        for version in VERSIONS:
            folder = server.workspace / f"{when}-{version}"
            folder.mkdir()
            same(pull(version, folder) == packaged[version], True, f"content of {version}")
        same("name: demo" in helm("show", "chart", "--plain-http", f"oci://{server.http_addr}/charts/demo"), True, "show chart")
        step("pull of each, show chart" + ("" if when == "first" else ": the same after a restart"))
        if when == "first":
            server.restart()


if __name__ == "__main__":
    go_tool("helm")
    sys.exit(main(test, __doc__, pinned_version("helm")))
