#!/usr/bin/env python3
"""Moving in with `skopeo sync`. From Debian's docker-registry 2.8: fifty images of ten repositories, every manifest and every blob
compared, and a second run that finds everything there. From a source with Harbor's doors: tokens, robots, names of several levels;
processes side by side, and what skopeo leaves behind."""

import concurrent.futures
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import main, need, run, same, step  # noqa: E402
from harbor_like import HarborLike  # noqa: E402
from registry_client import Connection, OCI_MANIFEST, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402
from source_registry import Source, compare as compare_source  # noqa: E402

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


ROBOT, ROBOT_PASSWORD = "robot$team+sync", "Harbor12345"


def fill_as_harbor(source):
    for number in range(8):
        name = f"team/platform/app-{number % 4}/runtime"
        image = source.push_image(name, [content_range("a base", 0, 400_000), content_range(number, 0, 80_000)], f"v{number}")
    source.push_index(name, [source.push_image(name, [content_range(platform, 0, 50_000)], platform=platform) for platform in ("amd64", "arm64")],
                      "all-platforms")
    source.sign_by_tag(name, image["digest"])
    source.sign_by_referrer(name, image)
    source.push_image("other/app", [b"another project"], "v1")


def sync_from_harbor(harbor, server, repository, password=ROBOT_PASSWORD):
    wanted = {harbor.http_addr: {"tls-verify": False, "credentials": {"username": ROBOT, "password": password},
                                 "images": {repository: []}}}
    path = server.workspace / f"harbor-{repository.replace('/', '-')}.yml"
    path.write_text(json.dumps(wanted))
    # The last part of the name is put behind the destination: what stands before it is given.
    return run("skopeo", "sync", "--all", "--preserve-digests", "--scoped=false", "--src", "yaml", "--dest", "docker",
               "--dest-tls-verify=false", path, f"{server.http_addr}/{repository.rpartition('/')[0]}", check=False)


def test_harbor(server):
    with registry_process.RegistryProcess(kind="docker-registry") as behind, \
            HarborLike(behind.http_addr, {ROBOT: (ROBOT_PASSWORD, "team"), "admin": ("secret", None)}) as harbor:
        with Connection(behind.http_addr) as client:
            source = Source(client)
            fill_as_harbor(source)
        names = sorted({name for name, _ in source.manifests if name.startswith("team/")})
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for name, result in zip(names, pool.map(lambda each: sync_from_harbor(harbor, server, each), names)):
                same(result.returncode, 0, f"{name}: {result.stderr}")
        same({who for who, _ in harbor.asked} - {""}, {ROBOT}, "who asked for tokens")
        for repository, password in ((names[0], "wrong"), ("other/app", ROBOT_PASSWORD)):
            result = sync_from_harbor(harbor, server, repository, password)
            # It says so and leaves with 0: the guide tells to look for it.
            same((result.returncode, "No refs to sync found" in result.stderr), (0, True), f"what may not be pulled: {result.stderr}")
        with Connection(server.http_addr) as client:
            referrers = {digest for each in source.referrers.values() for digest in each}
            here = {key for key in source.manifests if key[0] in names and key[1] not in referrers}
            tagged = Source(client)
            tagged.manifests = {key: source.manifests[key] for key in here}
            tagged.tags = {key: digest for key, digest in source.tags.items() if key[0] in names}
            compared = compare_source(tagged, client)
            for (name, subject) in source.referrers:
                answer = client.request("GET", f"/v2/{name}/referrers/{subject}")
                same(answer.json()["manifests"], [], "skopeo sync takes what has a tag: the guide says so")
    step(f"from a source with Harbor's doors, 4 of skopeo side by side: {compared} manifests, all tags and the signature by tag; no referrer")


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
    test_harbor(server)


if __name__ == "__main__":
    need("skopeo")
    if not shutil.which("docker-registry"):
        registry_process.skip("not installed: docker-registry")
    sys.exit(main(test, __doc__))
