#!/usr/bin/env python3
"""skopeo: copies in and out of an OCI layout with a multi-architecture index, sync of ten images, inspect, list-tags,
delete. Every digest is compared, and every byte, before and after a restart of the server."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, need, run, same, step, version_of  # noqa: E402
from oci_layout import Layout  # noqa: E402

SYNCED_IMAGES = 10
TAGS = ("attested", "multi", "single")


def copy_out(server, work, name, tag, wanted, layout):
    """Copies an image out of the registry; its digest and all it reaches equal what went in."""
    target = work / f"out-{name.replace('/', '-')}-{len(list(work.iterdir()))}"
    run("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{server.http_addr}/{name}:{tag}",
        f"oci:{target}:{tag}")
    out = Layout(target)
    same(out.tagged()[tag]["digest"], wanted, f"digest of {name}:{tag}")
    reachable = layout.closure(wanted)
    same(out.closure(wanted), reachable, f"what {name}:{tag} reaches")
    for digest in reachable:
        same(out.read_blob(digest), layout.read_blob(digest), digest)


def copy_in_and_out(server, work, layout):
    layout.add_index("multi", "multi-arch")
    layout.add_image("single", tag="single", sizes=(0, 10, 70000, 2000000))
    layout.add_attested_index("attested", "attested")
    for tag in TAGS:
        run("skopeo", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false",
            f"oci:{layout.folder}:{tag}", f"docker://{server.http_addr}/acme/deep/path/app:{tag}")
    for tag in TAGS:
        copy_out(server, work, "acme/deep/path/app", tag, layout.tagged()[tag]["digest"], layout)
    step("copy --all in and out of an OCI layout, multi-architecture index with and without attestations, single image")


def inspect_and_list(server, layout):
    reference = f"docker://{server.http_addr}/acme/deep/path/app"
    wanted = layout.tagged()["multi"]["digest"]
    raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", f"{reference}:multi")
    same(raw.encode(), layout.read_blob(wanted), "raw manifest")
    told = json.loads(run("skopeo", "inspect", "--no-tags=false", "--tls-verify=false", f"{reference}:single"))
    same(told["Digest"], layout.tagged()["single"]["digest"], "inspected digest")
    same(tuple(sorted(told["RepoTags"])), TAGS, "tags in inspect")
    tags = json.loads(run("skopeo", "list-tags", "--tls-verify=false", reference))["Tags"]
    same(tuple(sorted(tags)), TAGS, "list-tags")
    step("inspect, inspect --raw, list-tags")


def sync(server, work, layout):
    for number in range(SYNCED_IMAGES):
        layout.add_image(f"synced-{number}", tag=f"s{number}", sizes=(1000 * (number + 1), 200000))
        run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout.folder}:s{number}",
            f"docker://{server.http_addr}/sync/source:s{number}")
    run("skopeo", "sync", "--all", "--src", "docker", "--dest", "docker", "--src-tls-verify=false",
        "--dest-tls-verify=false", f"{server.http_addr}/sync/source", f"{server.http_addr}/mirror")
    run("skopeo", "sync", "--src", "docker", "--dest", "dir", "--src-tls-verify=false",
        f"{server.http_addr}/mirror/source", work / "synced")
    folders = sorted((work / "synced").iterdir())
    same(len(folders), SYNCED_IMAGES, "images synced")
    for folder in folders:
        wanted = layout.tagged()[folder.name.rpartition(":")[2]]["digest"]
        same((folder / "manifest.json").read_bytes(), layout.read_blob(wanted), f"manifest of {folder.name}")
        for digest in layout.closure(wanted) - {wanted}:
            same((folder / digest[7:]).read_bytes(), layout.read_blob(digest), digest)
    run("skopeo", "sync", "--src", "dir", "--dest", "docker", "--dest-tls-verify=false", work / "synced",
        f"{server.http_addr}/back")
    step(f"sync of {SYNCED_IMAGES} images: registry to registry, to folders, and back")


def delete(server, layout):
    reference = f"docker://{server.http_addr}/sync/source"
    run("skopeo", "delete", "--tls-verify=false", f"{reference}:s0")
    tags = json.loads(run("skopeo", "list-tags", "--tls-verify=false", reference))["Tags"]
    same(sorted(tags), [f"s{number}" for number in range(1, SYNCED_IMAGES)], "tags after delete")
    gone = run("skopeo", "inspect", "--tls-verify=false", f"{reference}:s0", check=False)
    same(gone.returncode != 0, True, "inspect of a deleted image fails")
    run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{layout.folder}:s0", f"{reference}:s0")
    step("delete, and push again")


def test(server, options):
    work = server.workspace / "skopeo"
    work.mkdir()
    layout = Layout(work / "layout")
    copy_in_and_out(server, work, layout)
    inspect_and_list(server, layout)
    sync(server, work, layout)
    delete(server, layout)
    server.restart()
    for tag in TAGS:
        copy_out(server, work, "acme/deep/path/app", tag, layout.tagged()[tag]["digest"], layout)
    for number in range(SYNCED_IMAGES):
        copy_out(server, work, "mirror/source", f"s{number}", layout.tagged()[f"s{number}"]["digest"], layout)
    step("all digests and bytes equal after a restart")


if __name__ == "__main__":
    need("skopeo")
    sys.exit(main(test, __doc__, version_of("skopeo")))
