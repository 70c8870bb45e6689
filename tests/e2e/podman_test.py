#!/usr/bin/env python3
"""podman: push and pull, by tag and by digest, before and after a restart; digests and image ids equal."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import ContainersStorage, main, need, need_root_mount, same, step, version_of  # noqa: E402
from oci_layout import Layout  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402


def pull_again(podman, reference, image_id):
    """Removes the image, pulls it, and finds the same one."""
    podman("rmi", "--all", "--force")
    podman("pull", "--tls-verify=false", reference)
    told = json.loads(podman("inspect", "--type", "image", reference))[0]
    same(told["Id"], image_id, f"image id of {reference}")
    return told["Digest"]


def test(server, options):
    podman = ContainersStorage("podman", server.workspace / "podman")
    layout = Layout(server.workspace / "layout")
    layout.add_image("podman", tag="v1", sizes=(1000, 500000, 3000000))
    podman("pull", f"oci:{layout.folder}:v1")
    image_id = podman("images", "--quiet", "--no-trunc").strip().removeprefix("sha256:")
    reference = f"{server.http_addr}/team/podman/app:v1"
    podman("tag", image_id, reference)
    digest_file = server.workspace / "digest"
    podman("push", "--tls-verify=false", "--digestfile", digest_file, reference)
    pushed = digest_file.read_text().strip()
    with Connection(server.http_addr) as client:
        answer = client.get_manifest("team/podman/app", "v1")
    same((answer.header("docker-content-digest"), digest_of(answer.body)), (pushed, pushed), "digest in the registry")
    step("push")
    same(pull_again(podman, reference, image_id), pushed, "digest pulled")
    by_digest = f"{server.http_addr}/team/podman/app@{pushed}"
    same(pull_again(podman, by_digest, image_id), pushed, "digest pulled by digest")
    step("rmi, pull by tag and by digest")
    server.restart()
    same(pull_again(podman, reference, image_id), pushed, "digest pulled after a restart")
    step("the same after a restart")
    found = podman("search", "--tls-verify=false", "--list-tags", f"{server.http_addr}/team/podman/app")
    same(found.split()[-1], "v1", "search --list-tags")
    step("search --list-tags")


if __name__ == "__main__":
    need("podman")
    need_root_mount()
    sys.exit(main(test, __doc__, version_of("podman")))
