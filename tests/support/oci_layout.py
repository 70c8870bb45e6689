"""Images made on the spot, as OCI layouts: nothing is downloaded."""

import gzip
import hashlib
import io
import json
import pathlib
import tarfile

from registry_client import OCI_INDEX, OCI_MANIFEST, image_index, image_manifest
from seeded_content import content_range

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
TAG_ANNOTATION = "org.opencontainers.image.ref.name"


def tar_bytes(files):
    """An uncompressed tar, the same for the same files {path: content}."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Layout:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        if not (self.folder / "index.json").exists():
            self.write_index([])

    def write_index(self, manifests):
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))

    def tagged(self):
        """{tag: descriptor} of index.json."""
        entries = json.loads((self.folder / "index.json").read_text())["manifests"]
        return {entry.get("annotations", {}).get(TAG_ANNOTATION): entry for entry in entries}

    def add_tag(self, tag, descriptor):
        entries = [entry for name, entry in self.tagged().items() if name != tag]
        self.write_index(entries + [dict(descriptor, annotations={TAG_ANNOTATION: tag})])

    def add_blob(self, content, media_type, **more):
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    def read_blob(self, digest):
        return (self.folder / "blobs" / digest.replace(":", "/")).read_bytes()

    def add_image(self, seed, architecture="amd64", sizes=(1000, 300000), tag=None):
        """An image of one layer a size; returns its descriptor, platform included."""
        layers, diff_ids = [], []
        for number, size in enumerate(sizes):
            tar = tar_bytes({f"layer{number}/{seed}": content_range(f"{seed}/{architecture}/{number}", 0, size)})
            diff_ids.append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
            layers.append(self.add_blob(gzip.compress(tar, 1, mtime=0), LAYER_TYPE))
        config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["/none"]},
                  "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        manifest = image_manifest(self.add_blob(json.dumps(config).encode(), CONFIG_TYPE), layers)
        made = self.add_blob(manifest, OCI_MANIFEST, platform={"os": "linux", "architecture": architecture})
        if tag:
            self.add_tag(tag, {key: made[key] for key in ("mediaType", "digest", "size")})
        return made

    def add_index(self, tag, seed, architectures=("amd64", "arm64", "s390x")):
        """A multi-architecture index, with an annotation and an unknown field that must survive."""
        children = [self.add_image(seed, architecture) for architecture in architectures]
        body = image_index(children, annotations={"org.example.seed": str(seed)}, unknownField={"kept": True})
        made = self.add_blob(body, OCI_INDEX)
        self.add_tag(tag, made)
        return made

    def add_attested_index(self, tag, seed, architectures=("amd64", "arm64")):
        """An index as buildx lays it out: behind each image an attestation manifest that names it."""
        children = [self.add_image(seed, architecture) for architecture in architectures]
        for child in list(children):
            statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": child["digest"]}]})
            layer = self.add_blob(statement.encode(), "application/vnd.in-toto+json",
                                  annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"})
            config = {"architecture": "unknown", "os": "unknown", "config": {},
                      "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
            manifest = image_manifest(self.add_blob(json.dumps(config).encode(), CONFIG_TYPE), [layer])
            children.append(self.add_blob(manifest, OCI_MANIFEST, platform={"architecture": "unknown", "os": "unknown"},
                                          annotations={"vnd.docker.reference.type": "attestation-manifest",
                                                       "vnd.docker.reference.digest": child["digest"]}))
        made = self.add_blob(image_index(children), OCI_INDEX)
        self.add_tag(tag, made)
        return made

    def closure(self, digest):
        """All digests reachable from a manifest or index, itself included; their bytes are verified."""
        content = self.read_blob(digest)
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest, f"{digest} in {self.folder} is altered"
        found = {digest}
        try:
            parsed = json.loads(content)
        except (ValueError, UnicodeDecodeError):
            return found
        if not isinstance(parsed, dict) or parsed.get("schemaVersion") != 2:
            return found
        for child in parsed.get("manifests", []) + parsed.get("layers", []) + [parsed.get("config")]:
            if child:
                found |= self.closure(child["digest"])
        return found
