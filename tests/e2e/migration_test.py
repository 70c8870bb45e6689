#!/usr/bin/env python3
"""Moving in from Debian's docker-registry 2.8 with `skopeo sync`: fifty images of ten repositories, every manifest and every
blob compared, and a second run that finds everything there."""

import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import main, need, run, same, step  # noqa: E402
from registry_client import Connection, OCI_MANIFEST, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402

REPOSITORIES, TAGS = 10, 5
CONFIG_TYPE, LAYER_TYPE = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"


def fill(client):
    """{(repository, tag): digest}: each image has a layer of its own and one that its repository shares."""
    images = {}
    for repository in (f"team/app-{number}" for number in range(REPOSITORIES)):
        for tag in (f"v{number}" for number in range(TAGS)):
            layers = [content_range(repository, 0, 300_000), content_range(f"{repository}:{tag}", 0, 90_000)]
            config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"is": f"{repository}:{tag}"}},
                                 "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}}).encode()
            for content in (*layers, config):
                same(client.put_blob(repository, content, digest_of(content)).status, 201, "push to the source")
            manifest = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(layer, LAYER_TYPE) for layer in layers])
            answer = client.request("PUT", f"/v2/{repository}/manifests/{tag}", {"Content-Type": OCI_MANIFEST}, manifest)
            same(answer.status, 201, "manifest to the source")
            images[repository, tag] = digest_of(manifest)
    return images


def sync(source, server, folder):
    wanted = {source.http_addr: {"tls-verify": False, "images": {
        f"team/app-{number}": [f"v{tag}" for tag in range(TAGS)] for number in range(REPOSITORIES)}}}
    (folder / "sync.yml").write_text(json.dumps(wanted))  # JSON is YAML
    run("skopeo", "sync", "--all", "--preserve-digests", "--scoped=false", "--src", "yaml", "--dest", "docker",
        "--dest-tls-verify=false", folder / "sync.yml", f"{server.http_addr}/team")


def compare(source, server, images):
    """Every byte that a manifest reaches, from both."""
    with Connection(source.http_addr) as theirs, Connection(server.http_addr) as ours:
        for (repository, tag), digest in images.items():
            name = f"team/{repository.rpartition('/')[2]}"
            answer = ours.request("GET", f"/v2/{name}/manifests/{tag}", {"Accept": OCI_MANIFEST})
            same((answer.header("docker-content-digest"), digest_of(answer.body)), (digest, digest), f"{name}:{tag}")
            manifest = json.loads(answer.body)
            for wanted in (*manifest["layers"], manifest["config"]):
                bodies = [client.request("GET", f"/v2/{at}/blobs/{wanted['digest']}").body
                          for client, at in ((theirs, repository), (ours, name))]
                same(bodies[0] == bodies[1] and digest_of(bodies[0]) == wanted["digest"], True, wanted["digest"])


def test(server, _):
    source = registry_process.RegistryProcess(kind="docker-registry")
    with source:
        with Connection(source.http_addr) as client:
            images = fill(client)
        step(f"{len(images)} images in docker-registry")
        sync(source, server, server.workspace)
        compare(source, server, images)
        step(f"skopeo sync: {len(images)} images, every manifest and blob equal")
        sync(source, server, server.workspace)
        server.restart()
        compare(source, server, images)
        step("a second sync changes nothing; all equal after a restart")


if __name__ == "__main__":
    need("skopeo")
    if not shutil.which("docker-registry"):
        registry_process.skip("not installed: docker-registry")
    sys.exit(main(test, __doc__))
