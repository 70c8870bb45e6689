#!/usr/bin/env python3
"""docker buildx: an image built and pushed by BuildKit in a real daemon; indexes combined, annotated and inspected by
imagetools, one with attestations among them."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, need, need_root_mount, run, same, step  # noqa: E402
from docker_daemon import DockerDaemon  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402
from oci_layout import Layout  # noqa: E402
from seeded_content import content_range  # noqa: E402


def build_and_push(buildx, work, reference):
    context = work / "context"
    context.mkdir()
    (context / "data").write_bytes(content_range("buildx", 0, 3_000_000))
    (context / "Dockerfile").write_text('FROM scratch\nCOPY data /data\nLABEL made="here"\n')
    buildx("build", "--progress", "plain", "--push", "--tag", f"{reference}:built", context)
    run("skopeo", "copy", "--src-tls-verify=false", f"docker://{reference}:built", f"dir:{work / 'built'}")
    config = json.loads((work / "built/manifest.json").read_text())["config"]["digest"]
    same(json.loads((work / "built" / config[7:]).read_text())["config"]["Labels"], {"made": "here"}, "labels of what was built")
    step("build --push")


def combine(buildx, layout, reference):
    """An index of two others, as it is stored."""
    for tag in ("attested", "multi"):
        run("skopeo", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout.folder}:{tag}",
            f"docker://{reference}:{tag}")
    buildx("imagetools", "create", "--tag", f"{reference}:combined", "--annotation", "index:note=here", f"{reference}:attested",
           f"{reference}:multi")
    raw = buildx("imagetools", "inspect", "--raw", f"{reference}:combined")
    combined = json.loads(raw)
    sources = {entry["digest"] for tag in ("attested", "multi")
               for entry in json.loads(layout.read_blob(layout.tagged()[tag]["digest"]))["manifests"]}
    same({entry["digest"] for entry in combined["manifests"]}, sources, "children of the combined index")
    same(combined["annotations"], {"note": "here"}, "annotations of the combined index")
    step("imagetools create of two indexes, one with attestations; imagetools inspect")
    return raw


def test(server, options):
    program = go_tool("buildx")
    work = server.workspace / "work"
    work.mkdir()
    reference = f"{server.http_addr}/buildx/app"
    layout = Layout(work / "layout")
    layout.add_attested_index("attested", "attested")
    layout.add_index("multi", "multi")
    with DockerDaemon(server.workspace / "docker") as daemon:
        def buildx(*words):
            return run(program, *words, environment={"DOCKER_HOST": f"unix://{daemon.socket}", "BUILDX_CONFIG": str(work),
                                                     "DOCKER_CONFIG": str(work), "HOME": str(work)})

        build_and_push(buildx, work, reference)
        combined = combine(buildx, layout, reference)
        server.restart()
        same(buildx("imagetools", "inspect", "--raw", f"{reference}:combined"), combined, "the combined index after a restart")
        daemon.docker("pull", f"{reference}:built")
        step("inspect and docker pull after a restart")


if __name__ == "__main__":
    need("dockerd", "docker", "skopeo")
    go_tool("buildx")
    need_root_mount()
    sys.exit(main(test, __doc__, pinned_version("buildx")))
