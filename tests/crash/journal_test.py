#!/usr/bin/env python3
"""The judge is judged: each way a server can break a promise must be a Violation, and what is allowed must pass."""

import hashlib
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from journal import Blob, Journal, Key, Manifest, SharedTags, Upload, Violation  # noqa: E402
from registry_client import OCI_MANIFEST, Response, digest_of  # noqa: E402
from seeded_content import content_digest, content_range  # noqa: E402

NAME = "a/b"
BLOB = Blob("seed", 1000, content_digest("seed", 1000))
BODY = b'{"schemaVersion":2}'
BLOB_KEY = Key("blob", NAME, BLOB.digest)
MANIFEST_KEY = Key("manifest", NAME, digest_of(BODY))
TAG_KEY = Key("tag", NAME, "v1")
LOCATION = "/v2/a/b/blobs/uploads/session"
UPLOAD_KEY = Key("upload", NAME, LOCATION)


class FakeServer:
    """Answers as its dictionaries say: {digest: bytes}, {reference: bytes}, {location: offset}."""

    def __init__(self, blobs=(), manifests=(), uploads=(), tags=()):
        self.blobs, self.manifests, self.uploads = dict(blobs), dict(manifests), dict(uploads)
        self.tags = list(tags)

    def get_blob(self, name, digest, headers=None, sink=None):
        if digest not in self.blobs:
            return Response(404, [])
        sink(self.blobs[digest])
        return Response(200, [])

    def get_manifest(self, name, reference):
        if reference not in self.manifests:
            return Response(404, [])
        body = self.manifests[reference]
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        return Response(200, [("content-type", OCI_MANIFEST), ("docker-content-digest", digest)], body)

    def request(self, method, target):
        if target.endswith("/tags/list"):
            return Response(200, [], b'{"tags":[%s]}' % ",".join(f'"{tag}"' for tag in self.tags).encode())
        if target not in self.uploads:
            return Response(404, [])
        return Response(204, [("range", f"0-{max(self.uploads[target] - 1, 0)}")])


def journal():
    made = Journal(0)
    made.blobs[BLOB.digest] = BLOB
    made.manifests[digest_of(BODY)] = Manifest(BODY, OCI_MANIFEST)
    return made


class AcknowledgedState(unittest.TestCase):
    def setUp(self):
        self.journal = journal()

    def acknowledged(self, key, state):
        self.journal.begin("test", {key: state})
        self.journal.acknowledge()

    def refuses(self, server, key):
        with self.assertRaises(Violation):
            self.journal.verify(server, key)

    def test_present_blob_passes(self):
        self.acknowledged(BLOB_KEY, True)
        self.journal.verify(FakeServer(blobs={BLOB.digest: content_range("seed", 0, 1000)}), BLOB_KEY)

    def test_lost_blob_is_found(self):
        self.acknowledged(BLOB_KEY, True)
        self.refuses(FakeServer(), BLOB_KEY)

    def test_altered_and_short_blobs_are_found(self):
        self.acknowledged(BLOB_KEY, True)
        content = bytearray(content_range("seed", 0, 1000))
        self.refuses(FakeServer(blobs={BLOB.digest: bytes(content[:999])}), BLOB_KEY)
        content[500] ^= 1
        self.refuses(FakeServer(blobs={BLOB.digest: bytes(content)}), BLOB_KEY)

    def test_deleted_blob_that_comes_back_is_found(self):
        self.acknowledged(BLOB_KEY, True)
        self.acknowledged(BLOB_KEY, False)
        self.refuses(FakeServer(blobs={BLOB.digest: content_range("seed", 0, 1000)}), BLOB_KEY)

    def test_tag_that_falls_back_is_found(self):
        self.acknowledged(TAG_KEY, digest_of(BODY))
        self.refuses(FakeServer(manifests={"v1": b"{}"}), TAG_KEY)
        self.refuses(FakeServer(), TAG_KEY)

    def test_altered_manifest_is_found(self):
        self.acknowledged(MANIFEST_KEY, True)
        self.refuses(FakeServer(manifests={digest_of(BODY): BODY + b" "}), MANIFEST_KEY)

    def test_session_offsets(self):
        upload = Upload(LOCATION, NAME, BLOB, acknowledged=500, sent=800)
        self.journal.uploads[LOCATION] = upload
        self.journal.settle(UPLOAD_KEY, True)
        for offset in (500, 650, 800):
            self.journal.verify(FakeServer(uploads={LOCATION: offset}), UPLOAD_KEY)
        for offset in (0, 499, 801):
            self.refuses(FakeServer(uploads={LOCATION: offset}), UPLOAD_KEY)
        self.refuses(FakeServer(), UPLOAD_KEY)

    def test_lists(self):
        self.acknowledged(TAG_KEY, digest_of(BODY))
        self.journal.verify_lists(FakeServer(tags=["v1"]), NAME)
        for tags in ([], ["v1", "v2"], ["v2"]):
            with self.assertRaises(Violation):
                self.journal.verify_lists(FakeServer(tags=tags), NAME)


class RequestInFlight(unittest.TestCase):
    def setUp(self):
        self.journal = journal()
        self.journal.begin("push manifest", {MANIFEST_KEY: True, TAG_KEY: digest_of(BODY)})

    def test_all_of_it(self):
        server = FakeServer(manifests={digest_of(BODY): BODY, "v1": BODY})
        self.assertEqual(self.journal.resolve_pending(server), "happened")
        with self.assertRaises(Violation):
            self.journal.verify(FakeServer(), TAG_KEY)

    def test_nothing_of_it(self):
        self.assertEqual(self.journal.resolve_pending(FakeServer()), "did not happen")
        self.journal.verify(FakeServer(), MANIFEST_KEY)

    def test_half_of_it_is_found(self):
        for server in (FakeServer(manifests={digest_of(BODY): BODY}), FakeServer(manifests={"v1": BODY})):
            self.setUp()
            with self.assertRaises(Violation):
                self.journal.resolve_pending(server)


class TagsOfAll(unittest.TestCase):
    def test_last_acknowledged_or_concurrent(self):
        tags = SharedTags()
        first = tags.begin("s", "one")
        tags.acknowledge(first)
        self.assertEqual(tags.allowed("s"), {"one"})
        second, third = tags.begin("s", "two"), tags.begin("s", "three")
        tags.acknowledge(second)
        self.assertEqual(tags.allowed("s"), {"two", "three"})
        tags.acknowledge(third)
        self.assertEqual(tags.allowed("s"), {"two", "three"})
        tags.acknowledge(tags.begin("s", "four"))
        self.assertEqual(tags.allowed("s"), {"four"})

    def test_nothing_acknowledged_yet(self):
        tags = SharedTags()
        tags.begin("s", "one")
        self.assertEqual(tags.allowed("s"), {"one", None})


if __name__ == "__main__":
    unittest.main()
