"""Fills a registry that is to be left, over HTTP, and keeps in mind what it holds, so that the one that takes over can be compared.

Life     Source(connection) -> push_*() -> compare(source, connection of the other).
Threads  one.
"""

import json

from client_tools import same
from registry_client import (DOCKER_LIST, DOCKER_MANIFEST, EMPTY_JSON, OCI_INDEX, OCI_MANIFEST, descriptor, digest_of,
                             image_index, image_manifest)

CONFIG_TYPE, LAYER_TYPE = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
DOCKER_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
SIMPLE_SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_SIGNATURE_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
SBOM_TYPE = "application/spdx+json"


class Source:
    def __init__(self, client):
        self.client = client
        self.manifests = {}  # (repository, digest): (media type, bytes)
        self.tags = {}       # (repository, tag): digest
        self.blobs = {}      # (repository, digest): size
        self.referrers = {}  # (repository, subject): {digest of a referrer}

    def push_blob(self, repository, content, algorithm="sha256"):
        digest = digest_of(content, algorithm)
        if (repository, digest) not in self.blobs:
            same(self.client.put_blob(repository, content, digest).status, 201, f"blob {digest} to {repository}")
        self.blobs[repository, digest] = len(content)
        return digest

    def push_manifest(self, repository, content, media_type, tag=None):
        digest = digest_of(content)
        answer = self.client.put_manifest(repository, tag or digest, content, media_type)
        same(answer.status, 201, f"manifest {digest} to {repository}: {answer.body[:300]!r}")
        self.manifests[repository, digest] = (media_type, content)
        if tag:
            self.tags[repository, tag] = digest
        return digest

    def push_image(self, repository, layers, tag=None, platform="amd64", docker=False, **more):
        """Layers are bytes; the descriptor of the manifest. `more`: subject, artifactType, annotations."""
        for layer in layers:
            self.push_blob(repository, layer)
        config = json.dumps({"architecture": platform, "os": "linux", "config": {"Labels": {"is": f"{repository}:{tag}"}},
                             "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}}).encode()
        self.push_blob(repository, config)
        if docker:
            content = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
                                  "config": descriptor(config, DOCKER_CONFIG_TYPE),
                                  "layers": [descriptor(layer, DOCKER_LAYER_TYPE) for layer in layers]}, indent=3).encode()
        else:
            content = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(layer, LAYER_TYPE) for layer in layers], **more)
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        self.push_manifest(repository, content, media_type, tag)
        return {**descriptor(content, media_type), "platform": {"architecture": platform, "os": "linux"}}

    def push_index(self, repository, children, tag=None, docker=False):
        """Over descriptors of push_image()."""
        content = image_index(children)
        if docker:
            content = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children}, indent=3).encode()
        self.push_manifest(repository, content, DOCKER_LIST if docker else OCI_INDEX, tag)
        return descriptor(content, DOCKER_LIST if docker else OCI_INDEX)

    def push_artifact(self, repository, payload, layer_type, tag=None, **more):
        """An artifact with the empty configuration: a referrer where `more` has a subject."""
        for content in (EMPTY_JSON, payload):
            self.push_blob(repository, content)
        content = image_manifest(descriptor(EMPTY_JSON, EMPTY_TYPE), [descriptor(payload, layer_type)], **more)
        digest = self.push_manifest(repository, content, OCI_MANIFEST, tag)
        if "subject" in more:
            self.referrers.setdefault((repository, more["subject"]["digest"]), set()).add(digest)
        return digest

    def sign_by_tag(self, repository, subject_digest, ending="sig"):
        """As cosign does without the referrers API."""
        payload = json.dumps({"critical": {"image": {"docker-manifest-digest": subject_digest}, "kind": ending}}).encode()
        return self.push_artifact(repository, payload, SIMPLE_SIGNING_TYPE,
                                  tag=f"{subject_digest.replace(':', '-')}.{ending}")

    def sign_by_referrer(self, repository, subject):
        """As cosign and notation do with it. `subject`: a descriptor."""
        plain = {key: subject[key] for key in ("mediaType", "digest", "size")}
        return self.push_artifact(repository, f"signature of {plain['digest']}".encode(), SIMPLE_SIGNING_TYPE,
                                  artifactType=COSIGN_SIGNATURE_TYPE, subject=plain,
                                  annotations={"org.opencontainers.image.created": "2026-01-01T00:00:00Z"})


def compare(source, client, renamed=lambda name: name):
    """Every manifest, tag, blob and referrer that `source` has, at the other; how many digests were compared."""
    for (repository, digest), (media_type, content) in source.manifests.items():
        name = renamed(repository)
        answer = client.request("GET", f"/v2/{name}/manifests/{digest}", {"Accept": media_type})
        same((answer.status, answer.header("content-type"), answer.body == content), (200, media_type, True),
             f"manifest {digest} of {name}")
    for (repository, tag), digest in source.tags.items():
        answer = client.request("HEAD", f"/v2/{renamed(repository)}/manifests/{tag}")
        same((answer.status, answer.header("docker-content-digest")), (200, digest), f"tag {renamed(repository)}:{tag}")
    for repository, digest in source.blobs:
        answer = client.get_blob(renamed(repository), digest)
        same((answer.status, digest_of(answer.body, digest.partition(":")[0])), (200, digest), f"blob {digest} of {renamed(repository)}")
    for (repository, subject), wanted in source.referrers.items():
        answer = client.request("GET", f"/v2/{renamed(repository)}/referrers/{subject}")
        found = {each["digest"] for each in answer.json()["manifests"]}
        same((answer.status, found), (200, wanted), f"referrers of {subject} in {renamed(repository)}")
    return len(source.manifests) + len(source.blobs)
