#!/usr/bin/env python3
"""buildah: from scratch, copy, commit, push; a manifest list made, pushed with all its images and pulled; restart."""

import hashlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import ContainersStorage, main, need, need_root_mount, same, step, version_of  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402
from seeded_content import content_range  # noqa: E402

ARCHITECTURES = ("amd64", "arm64")


def build(buildah, folder, architecture):
    """An image from scratch with one file; its name in the local storage."""
    payload = folder / f"payload-{architecture}"
    payload.write_bytes(content_range(architecture, 0, 1500000))
    container = buildah("from", "scratch").strip()
    buildah("copy", container, payload, "/payload")
    buildah("config", "--arch", architecture, "--cmd", "/payload", container)
    buildah("commit", "--rm", container, f"localhost/made:{architecture}")
    return f"localhost/made:{architecture}"


def registry_digest(server, name, reference):
    with Connection(server.http_addr) as client:
        answer = client.get_manifest(name, reference)
    same(answer.status, 200, f"manifest {name}:{reference}")
    same(answer.header("docker-content-digest"), digest_of(answer.body), "Docker-Content-Digest")
    return digest_of(answer.body), json.loads(answer.body)


def push_and_pull(server, buildah, name):
    digest_file = server.workspace / "digest"
    image = f"localhost/made:{ARCHITECTURES[0]}"
    image_id = buildah("images", "--quiet", "--no-trunc", image).strip()
    buildah("push", "--tls-verify=false", "--digestfile", digest_file, image, f"docker://{server.http_addr}/{name}:v1")
    pushed = digest_file.read_text().strip()
    same(registry_digest(server, name, "v1")[0], pushed, "digest pushed")
    buildah("rmi", "--force", image_id)
    buildah("pull", "--tls-verify=false", f"docker://{server.http_addr}/{name}:v1")
    same(buildah("images", "--quiet", "--no-trunc", f"{server.http_addr}/{name}:v1").strip(), image_id, "image id")
    step("from scratch, copy, commit, push, rmi, pull")
    return pushed


def push_list(server, buildah, name):
    buildah("manifest", "create", "localhost/list")
    for architecture in ARCHITECTURES:
        source = f"docker://{server.http_addr}/{name}:{architecture}"
        buildah("push", "--tls-verify=false", f"localhost/made:{architecture}", source)
        buildah("manifest", "add", "--tls-verify=false", "--arch", architecture, "localhost/list", source)
    buildah("manifest", "push", "--tls-verify=false", "--all", "localhost/list",
            f"docker://{server.http_addr}/{name}:list")
    digest, body = registry_digest(server, name, "list")
    same(sorted(child["platform"]["architecture"] for child in body["manifests"]), sorted(ARCHITECTURES), "platforms")
    for child in body["manifests"]:
        same(registry_digest(server, name, child["digest"])[0], child["digest"], "child of the list")
    step("manifest create, add, push --all")
    return digest


def check_layers(server, name, digest):
    """Every blob of the manifest, hashed from the wire."""
    with Connection(server.http_addr) as client:
        body = json.loads(client.get_manifest(name, digest).body)
        for blob in body["layers"] + [body["config"]]:
            content = client.get_blob(name, blob["digest"]).body
            same(f"sha256:{hashlib.sha256(content).hexdigest()}", blob["digest"], "blob from the wire")


def test(server, options):
    buildah = ContainersStorage("buildah", server.workspace / "buildah")
    for architecture in ARCHITECTURES:
        build(buildah, server.workspace, architecture)
    listed = push_list(server, buildah, "build/list")
    pushed = push_and_pull(server, buildah, "build/app")
    server.restart()
    same(registry_digest(server, "build/list", "list")[0], listed, "list after a restart")
    same(registry_digest(server, "build/app", "v1")[0], pushed, "image after a restart")
    check_layers(server, "build/app", pushed)
    step("digests and bytes equal after a restart")


if __name__ == "__main__":
    need("buildah")
    need_root_mount()
    sys.exit(main(test, __doc__, version_of("buildah")))
