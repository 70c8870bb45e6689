#!/usr/bin/env python3
"""oras: an artifact with two levels of referrers, pushed, attached, discovered, copied with all of them into a layout and
into another repository, pulled to the byte, before and after a restart."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, run, same, step  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402
from seeded_content import content_range  # noqa: E402

ARTIFACT, SBOM, SIGNATURE = "application/vnd.test.artifact", "application/vnd.test.sbom", "application/vnd.test.signature"


def referrers(oras, reference):
    told = json.loads(oras("discover", "--plain-http", "--format", "json", "--distribution-spec", "v1.1-referrers-api",
                           reference))
    return told.get("referrers") or told.get("manifests") or []


def check_tree(oras, reference):
    """artifact <- sbom <- signature; the digest of the signature."""
    (sbom,) = referrers(oras, reference)
    same(sbom["artifactType"], SBOM, "first level")
    (signature,) = referrers(oras, f"{reference.rsplit(':', 1)[0]}@{sbom['digest']}")
    same(signature["artifactType"], SIGNATURE, "second level")
    return signature["digest"]


def check_pull(oras, folder, reference, size):
    oras("pull", "--plain-http", "--output", folder, reference)
    same((folder / "data.bin").read_bytes() == content_range("oras", 0, size), True, f"content of {reference}")


def test(server, options):
    program = go_tool("oras")
    work = server.workspace / "work"
    work.mkdir()
    size = 5_000_000
    for name, count in (("data.bin", size), ("sbom.json", 20_000), ("signature", 200)):
        (work / name).write_bytes(content_range("oras", 0, count))

    def oras(*words):
        return run("env", f"--chdir={work}", program, *words, environment={"DOCKER_CONFIG": str(server.workspace)})

    source, copied = (f"{server.http_addr}/oras/{name}:v1" for name in ("source", "copied"))
    oras("push", "--plain-http", "--artifact-type", ARTIFACT, source, "data.bin:application/octet-stream")
    oras("attach", "--plain-http", "--artifact-type", SBOM, source, "sbom.json")
    (sbom,) = referrers(oras, source)
    oras("attach", "--plain-http", "--artifact-type", SIGNATURE, f"{source.rsplit(':', 1)[0]}@{sbom['digest']}", "signature")
    signature = check_tree(oras, source)
    step("push, attach on two levels, discover")
    layout = server.workspace / "layout"
    oras("cp", "-r", "--from-plain-http", "--to-oci-layout", source, f"{layout}:v1")
    oras("cp", "-r", "--from-oci-layout", "--to-plain-http", f"{layout}:v1", copied)
    same(check_tree(oras, copied), signature, "digest of the second level after two copies")
    step("cp -r into a layout and back into another repository")
    check_pull(oras, server.workspace / "first", copied, size)
    same(oras("repo", "tags", "--plain-http", copied.rsplit(":", 1)[0]).split(), ["v1"], "tags")
    step("pull, repo tags")
    server.restart()
    same(check_tree(oras, copied), signature, "digest of the second level after a restart")
    check_pull(oras, server.workspace / "second", source, size)
    oras("manifest", "delete", "--plain-http", "--force", f"{copied.rsplit(':', 1)[0]}@{signature}")
    same(referrers(oras, f"{copied.rsplit(':', 1)[0]}@{sbom['digest']}"), [], "referrers after the delete")
    step("the same after a restart; a deleted referrer is not listed")


if __name__ == "__main__":
    go_tool("oras")
    sys.exit(main(test, __doc__, pinned_version("oras")))
