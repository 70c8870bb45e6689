#!/usr/bin/env python3
"""A real Docker daemon, started by hand: import, tag, push, rmi, pull, before and after a restart of the registry; forty
layers, mounted under a second name; an index with attestations."""

import collections
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, need, need_root_mount, same, step, version_of  # noqa: E402
from docker_daemon import DockerDaemon  # noqa: E402
from oci_layout import Layout, tar_bytes  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402
from seeded_content import content_range  # noqa: E402

LAYERS = 40


def image_of(daemon, reference):
    told = json.loads(daemon.docker("image", "inspect", reference))[0]
    return told["Id"], [entry.rpartition("@")[2] for entry in told["RepoDigests"]]


def pull_again(daemon, reference, image_id, digest):
    daemon.docker("rmi", "--force", image_id)
    daemon.docker("pull", reference)
    same(image_of(daemon, reference), (image_id, [digest]), f"id and digest of {reference}")


def make_images(daemon, folder, server):
    """Two imported images of different size; (reference, id) of each as tagged for the registry."""
    made = []
    for name, size in (("small", 2000), ("large", 20 << 20)):
        archive = folder / f"{name}.tar"
        archive.write_bytes(tar_bytes({f"data/{name}": content_range(name, 0, size)}))
        image_id = daemon.docker("import", archive, f"local/{name}:v1").strip()
        reference = f"{server.http_addr}/docker/{name}:v1"
        daemon.docker("tag", image_id, reference)
        made.append((reference, image_id))
    short = f"{server.http_addr}/app"
    daemon.docker("tag", made[0][1], short)
    return made + [(f"{short}:latest", made[0][1])]


def push(daemon, server, reference):
    printed = daemon.docker("push", reference)
    digest = printed.rpartition("digest: ")[2].split()[0]
    name, _, tag = reference.partition("/")[2].rpartition(":")
    with Connection(server.http_addr) as client:
        answer = client.get_manifest(name, tag)
    same((answer.header("docker-content-digest"), digest_of(answer.body)), (digest, digest), f"digest of {reference}")
    return digest


def load_many_layers(daemon, folder, reference):
    """An image of LAYERS layers as `docker save` writes it; its id."""
    files, layers = {}, []
    for number in range(LAYERS):
        layer = tar_bytes({f"layer-{number}": content_range("layers", number, 5000 + number)})
        layers.append((f"{number}.tar", layer))
        files[f"{number}.tar"] = layer
    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for _, layer in layers]},
              "history": [{"created_by": name} for name, _ in layers]}
    files["config.json"] = json.dumps(config).encode()
    files["manifest.json"] = json.dumps([{"Config": "config.json", "RepoTags": [reference],
                                          "Layers": [name for name, _ in layers]}]).encode()
    (folder / "layers.tar").write_bytes(tar_bytes(files))
    daemon.docker("load", "--input", folder / "layers.tar")
    return digest_of(files["config.json"])


def session_starts(server, name):
    """How the POSTs of a push to `name` ended: {status: count}."""
    lines = (json.loads(line) for line in server.log_path.read_text().splitlines() if line.startswith("{"))
    return collections.Counter(line["status"] for line in lines if line.get("method") == "POST" and
                               str(line.get("uri", "")).startswith(f"/v2/{name}/blobs/uploads/"))


def many_layers(daemon, server):
    first, second = (f"{server.http_addr}/docker/{name}:v1" for name in ("layers", "mounted"))
    image_id = load_many_layers(daemon, server.workspace, first)
    digest = push(daemon, server, first)
    starts = session_starts(server, "docker/layers")
    same(starts[201] == 0 and starts[202] >= LAYERS, True, f"each layer is uploaded once: {starts}")
    daemon.docker("tag", first, second)
    same(push(daemon, server, second), digest, "digest under the second name")
    starts = session_starts(server, "docker/mounted")
    same(starts[201], LAYERS, f"layers mounted from the first name: {starts}")
    pull_again(daemon, first, image_id, digest)
    step(f"push of {LAYERS} layers: {LAYERS} uploads; to a second name: {starts[201]} mounts, {starts[202]} uploads; pull")


def attested_index(daemon, server):
    """What buildx pushes; docker takes the image of its architecture."""
    layout = Layout(server.workspace / "attested")
    index = layout.add_attested_index("v1", "attested")
    with Connection(server.http_addr) as client:
        for digest in layout.closure(index["digest"]):
            same(client.put_blob("docker/attested", layout.read_blob(digest), digest).status, 201, "blob")
        children = json.loads(layout.read_blob(index["digest"]))["manifests"]
        for reference, entry in [(child["digest"], child) for child in children] + [("v1", index)]:
            answer = client.request("PUT", f"/v2/docker/attested/manifests/{reference}",
                                    {"Content-Type": entry["mediaType"]}, layout.read_blob(entry["digest"]))
            same(answer.status, 201, "manifest")
    reference = f"{server.http_addr}/docker/attested:v1"
    daemon.docker("pull", "--platform", "linux/arm64", reference)
    wanted = json.loads(layout.read_blob(children[1]["digest"]))["config"]["digest"]
    same(image_of(daemon, reference), (wanted, [index["digest"]]), "image of the index")
    step("pull of one architecture from an index with attestations")


def walk_through(daemon, server):
    images = make_images(daemon, server.workspace, server)
    step("import, tag")
    pushed = [(reference, image_id, push(daemon, server, reference)) for reference, image_id in images]
    same(push(daemon, server, images[0][0]), pushed[0][2], "digest of a second push")
    step("push, and push again")
    for reference, image_id, digest in pushed:
        pull_again(daemon, reference, image_id, digest)
    step("rmi, pull")
    by_digest = pushed[1][0].rpartition(":")[0] + "@" + pushed[1][2]
    daemon.docker("rmi", "--force", pushed[1][1])
    daemon.docker("pull", by_digest)
    same(image_of(daemon, by_digest)[0], pushed[1][1], "id of an image pulled by digest")
    step("pull by digest")
    many_layers(daemon, server)
    attested_index(daemon, server)
    server.restart()
    for reference, image_id, digest in pushed:
        pull_again(daemon, reference, image_id, digest)
    step("rmi, pull after a restart")


def test(server, options):
    with DockerDaemon(server.workspace / "docker") as daemon:
        walk_through(daemon, server)


if __name__ == "__main__":
    need("dockerd", "docker")
    need_root_mount()
    sys.exit(main(test, __doc__, version_of("docker")))
