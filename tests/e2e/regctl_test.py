#!/usr/bin/env python3
"""regclient's regctl: indexes and images copied in from a layout, between names and out again, an artifact with a subject,
copied with its image, listings, deletion of a tag and of a manifest, before and after a restart."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, run, same, step  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402
from oci_layout import Layout  # noqa: E402
from seeded_content import content_range  # noqa: E402

SBOM = "application/vnd.test.sbom"
TAGS = ("attested", "multi", "single")


def copy_out(regctl, work, reference, wanted, layout):
    target = work / f"out-{len(list(work.iterdir()))}"
    regctl("image", "copy", reference, f"ocidir://{target}:out")
    reachable = layout.closure(wanted)
    same(Layout(target).closure(wanted), reachable, f"what {reference} reaches")
    for digest in reachable:
        same(Layout(target).read_blob(digest), layout.read_blob(digest), digest)


def artifact(regctl, work, name):
    (work / "sbom.json").write_bytes(content_range("regctl", 0, 3000))
    regctl("artifact", "put", "--artifact-type", SBOM, "--subject", f"{name}:single", "--file", work / "sbom.json",
           "--file-media-type", "application/json")
    told = regctl("artifact", "list", f"{name}:single", "--format", "{{ range .Descriptors }}{{ .ArtifactType }} {{ end }}")
    same(told.split(), [SBOM], "artifacts of the image")
    step("artifact put with a subject, artifact list")


def test(server, options):
    program = go_tool("regctl")
    work = server.workspace / "work"
    work.mkdir()

    def regctl(*words):
        return run(program, *words, environment={"HOME": str(server.workspace), "REGCTL_CONFIG": str(work / "config.json")})

    layout = Layout(work / "layout")
    layout.add_index("multi", "multi")
    layout.add_image("single", tag="single", sizes=(10, 70000, 2000000))
    layout.add_attested_index("attested", "attested")
    digests = {tag: layout.tagged()[tag]["digest"] for tag in TAGS}
    regctl("registry", "set", server.http_addr, "--tls", "disabled")
    name, copied = (f"{server.http_addr}/regctl/{each}" for each in ("first", "second"))
    for tag in TAGS:
        regctl("image", "copy", f"ocidir://{layout.folder}:{tag}", f"{name}:{tag}")
        same(regctl("image", "digest", f"{name}:{tag}").strip(), digests[tag], f"digest of {tag}")
    same(tuple(regctl("tag", "ls", name).split()), TAGS, "tag ls")
    same(regctl("repo", "ls", server.http_addr).split(), ["regctl/first"], "repo ls")
    step("image copy of an index, an attested one and an image; image digest, tag ls, repo ls")
    artifact(regctl, work, name)
    for tag in TAGS:
        regctl("image", "copy", "--referrers", f"{name}:{tag}", f"{copied}:{tag}")
    same(SBOM in regctl("artifact", "list", f"{copied}:single"), True, "the artifact was copied with its image")
    same(regctl("manifest", "get", f"{copied}:single", "--format", "raw-body").encode(), layout.read_blob(digests["single"]),
         "raw manifest")
    step("image copy with referrers to another name, manifest get")
    server.restart()
    for tag in TAGS:
        copy_out(regctl, work, f"{copied}:{tag}", digests[tag], layout)
    step("copied out after a restart: every byte equal")
    regctl("tag", "rm", f"{copied}:multi")
    same(regctl("tag", "ls", copied).split(), ["attested", "single"], "tags after tag rm")
    regctl("manifest", "delete", f"{copied}@{digests['single']}")
    same(regctl("tag", "ls", copied).split(), ["attested"], "tags after the manifest was deleted")
    step("tag rm, manifest delete")


if __name__ == "__main__":
    go_tool("regctl")
    sys.exit(main(test, __doc__, pinned_version("regctl")))
