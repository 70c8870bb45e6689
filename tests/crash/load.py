"""The mixed load that runs while the server is killed: pushes of every form, tag moves, deletes, mounts, resumes."""

import math
import random
import threading
import traceback

from journal import Blob, Key, Manifest, Upload
from registry_client import (OCI_INDEX, OCI_MANIFEST, OCTETS, Connection, digest_of, image_index, image_manifest,
                             location_path, with_query)
from seeded_content import content_digest

KIB, MIB = 1 << 10, 1 << 20
# (weight, smallest, largest): log-uniform within a class; inline blobs, one-chunk lanes, many chunks, large layers.
SIZE_CLASSES = ((60, 100, 64 * KIB), (25, 64 * KIB, MIB), (12, MIB, 8 * MIB), (3, 8 * MIB, 64 * MIB))
EDGE_SIZES = (100, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 64 * MIB)
EDGE_SHARE = 0.06
COMMON_SEEDS = 24      # contents that every worker pushes, so that commits of one digest meet
OPEN_UPLOADS_MAX = 5   # sessions a worker leaves open
STABLE = "stable"      # the image name of a worker whose blobs are never deleted: others mount from it
WEIGHTS = {"push": 30, "image": 16, "index": 5, "move": 8, "shared_tag": 8, "mount": 8, "delete_tag": 5,
           "delete_manifest": 4, "delete_blob": 6, "resume": 6, "cancel": 2, "leave": 4}
FORMS = ("post", "put", "put", "stream", "chunks", "mixed")
# What docker-registry 2.8 can do at all; to try this program on it.
PEER_WEIGHTS = {"push": 30, "image": 16, "index": 5, "move": 8, "shared_tag": 8, "mount": 8, "delete_manifest": 4}
PEER_FORMS = ("put", "stream")
ARTIFACT_TYPE = "application/vnd.example.crash+json"


class Failure(Exception):
    """The server answered what it must not."""


class Worker:
    """One client with image names of its own. run() works until `stop` is set or the connection is lost."""

    def __init__(self, number, address, journal, shared, peer=False):
        self.number = number
        self.journal = journal
        self.shared = shared  # Shared: tags and blobs common to all workers
        self.client = Connection(address, timeout_s=60)
        self.names = [f"crash/w{number}/{suffix}" for suffix in ("a", "b", STABLE)]
        self.weights, self.forms = (PEER_WEIGHTS, PEER_FORMS) if peer else (WEIGHTS, FORMS)
        self.made = 0
        self.error = None

    def run(self, seed, stop):
        """One cycle. A lost connection ends it; whether the server was killed is for the caller to say."""
        self.random = random.Random(f"{seed}/{self.number}")
        self.error = None
        try:
            while not stop.is_set():
                self.step()
        except (OSError, Failure) as error:
            self.error = error
        except Exception as error:  # a fault of this load itself must not pass for a quiet worker
            self.error = Failure(f"worker {self.number}: {traceback.format_exc()}")
            raise error
        self.client.close()

    def step(self):
        kind = self.random.choices(list(self.weights), list(self.weights.values()))[0]
        getattr(self, kind)(self.random.choice(self.names))

    # Requests.

    def ask(self, what, changes, method, target, headers=None, body=None, wanted=(201,), refusals=(),
            relies_on=()):
        """One request that changes state: journalled before it is sent and after it is answered. 404 is an answer when
        a blob of `relies_on` may be gone by the time it comes."""
        self.journal.begin(f"{what}: {method} {target}", changes)
        answer = self.client.request(method, target, headers, body)
        if answer.status in wanted:
            self.journal.acknowledge()
        elif answer.status in refusals:
            self.journal.refuse()
        elif answer.status == 404 and any(self.journal.may_be_gone(digest) for digest in relies_on):
            self.journal.refuse()
        else:
            self.journal.refuse()
            raise Failure(f"{what}: {method} {target}: {answer!r}")
        return answer

    def expect(self, answer, *statuses):
        if answer.status not in statuses:
            raise Failure(f"worker {self.number}: expected {statuses}, got {answer!r}")
        return answer

    # Blobs.

    def new_blob(self):
        if self.random.random() < 0.05:
            number = self.random.randrange(COMMON_SEEDS)
            seed, size = f"common/{number}", 1000 * (number + 1) ** 2
        else:
            self.made += 1
            seed, size = f"w{self.number}/{self.made}", self.choose_size()
        blob = Blob(seed, size, content_digest(seed, size))
        self.journal.blobs[blob.digest] = blob
        return blob

    def choose_size(self):
        if self.random.random() < EDGE_SHARE:
            return self.random.choice(EDGE_SIZES)
        _, low, high = self.random.choices(SIZE_CLASSES, [weight for weight, _, _ in SIZE_CLASSES])[0]
        return int(math.exp(self.random.uniform(math.log(low), math.log(high))))

    def push(self, name):
        gone = [key.reference for key, state in self.journal.states.items()
                if key.kind == "blob" and key.name == name and not state]
        blob = self.journal.blobs[self.random.choice(gone)] if gone and self.random.random() < 0.1 else self.new_blob()
        self.push_blob(name, blob, self.random.choice(self.forms))
        if name.endswith(STABLE):
            self.shared.stable.append((name, blob))

    def push_blob(self, name, blob, form):
        key = Key("blob", name, blob.digest)
        if form == "post":
            target = f"/v2/{name}/blobs/uploads/?digest={blob.digest}"
            self.ask("single POST", {key: True}, "POST", target, {"Content-Type": OCTETS}, blob.part(0, blob.size))
            return
        upload = self.open_upload(name, blob)
        if form == "stream":
            self.patch(upload, blob.size, streamed=True)
        elif form in ("chunks", "mixed"):
            cuts = sorted(self.random.sample(range(1, blob.size), min(self.random.randint(1, 4), blob.size - 1)))
            for cut in cuts + ([blob.size] if form == "chunks" else []):
                self.patch(upload, cut, streamed=form == "mixed" and self.random.random() < 0.5)
        self.finish(upload)

    def open_upload(self, name, blob):
        answer = self.expect(self.client.start_upload(name), 202)
        upload = Upload(location_path(answer), name, blob, target=location_path(answer))
        self.journal.uploads[upload.location] = upload
        self.journal.settle(Key("upload", name, upload.location), True)
        return upload

    def patch(self, upload, end, streamed=False):
        begin = upload.acknowledged
        headers, body = {"Content-Type": OCTETS}, upload.blob.part(begin, end)
        if streamed:
            step = max(1, min(MIB, len(body) // 3 + 1))
            body = pieces_of(body, step)
        else:
            headers["Content-Range"] = f"{begin}-{end - 1}"
        upload.sent = end
        key = Key("upload", upload.name, upload.location)
        answer = self.ask("PATCH", {key: True}, "PATCH", upload.target, headers, body, wanted=(202,))
        if answer.upload_offset() != max(end, 1):
            raise Failure(f"PATCH up to {end}: {answer!r}")
        upload.acknowledged, upload.target = end, location_path(answer)

    def finish(self, upload):
        """The closing PUT, with what is still to be sent."""
        blob, begin = upload.blob, upload.acknowledged
        changes = {Key("blob", upload.name, blob.digest): True, Key("upload", upload.name, upload.location): False}
        headers = {"Content-Type": OCTETS}
        if begin and begin < blob.size and self.random.random() < 0.5:
            headers["Content-Range"] = f"{begin}-{blob.size - 1}"
        upload.sent = blob.size
        self.ask("closing PUT", changes, "PUT", with_query(upload.target, digest=blob.digest), headers,
                 blob.part(begin, blob.size))

    def leave(self, name):
        """Begins an upload and leaves it open, for a later cycle to go on with."""
        if len(self.journal.uploads) >= OPEN_UPLOADS_MAX:
            self.resume(name)
            return
        upload = self.open_upload(name, self.new_blob())
        self.patch(upload, self.random.randint(1, upload.blob.size), streamed=self.random.random() < 0.5)

    def resume(self, _):
        """Goes on with an open session at the offset the server tells."""
        if not self.journal.uploads:
            return
        upload = self.random.choice(list(self.journal.uploads.values()))
        answer = self.expect(self.client.request("GET", upload.location), 204)
        offset = answer.upload_offset()
        if upload.acknowledged == 0 and offset == 1:
            offset = 0  # "0-0": no byte, or one that was never acknowledged
        if not upload.acknowledged <= offset <= max(upload.sent, upload.acknowledged):
            raise Failure(f"session at {offset}, acknowledged {upload.acknowledged}, sent {upload.sent}: {answer!r}")
        if offset == 0 and upload.sent > 0:
            self.cancel_upload(upload)
            return
        upload.acknowledged = upload.sent = offset
        if offset < upload.blob.size and self.random.random() < 0.5:
            self.patch(upload, self.random.randint(offset + 1, upload.blob.size))
        self.finish(upload)

    def cancel(self, _):
        if self.journal.uploads:
            self.cancel_upload(self.random.choice(list(self.journal.uploads.values())))

    def cancel_upload(self, upload):
        key = Key("upload", upload.name, upload.location)
        self.ask("cancel", {key: False}, "DELETE", upload.location, wanted=(204,))

    def mount(self, name):
        """Links a blob of another worker's stable name."""
        if not self.shared.stable:
            return
        source, blob = self.random.choice(self.shared.stable)
        self.journal.blobs[blob.digest] = blob
        target = f"/v2/{name}/blobs/uploads/?mount={blob.digest}&from={source}"
        # 202: it was collected, and its link under the source went with it, whether or not somebody has pushed the bytes again
        # elsewhere. A session was opened instead, which costs nothing.
        self.ask("mount", {Key("blob", name, blob.digest): True}, "POST", target,
                 refusals=(202,) if self.journal.promise_s is not None else ())

    def delete_blob(self, name):
        blobs = self.journal.present("blob", name)
        if not blobs or name.endswith(STABLE):
            return
        digest = self.random.choice(blobs)
        held = self.journal.is_held(name, digest)
        gone = self.journal.link_may_be_gone(Key("blob", name, digest))
        changes = {} if held else {Key("blob", name, digest): False}
        self.ask("delete blob", changes, "DELETE", f"/v2/{name}/blobs/{digest}",
                 wanted=() if held else (202, 404) if gone else (202,), refusals=(405,) if held else ())

    # Manifests and tags.

    def put_manifest(self, name, manifest, tag):
        digest = digest_of(manifest.body)
        self.journal.manifests[digest] = manifest
        changes = {Key("manifest", name, digest): True}
        if tag:
            changes[Key("tag", name, tag)] = digest
        self.ask("push manifest", changes, "PUT", f"/v2/{name}/manifests/{tag or digest}",
                 {"Content-Type": manifest.media_type}, manifest.body, relies_on=manifest.children)

    def tag_or_none(self):
        return f"t{self.random.randrange(8)}" if self.random.random() < 0.7 else None

    def entry(self, digest):
        return {"mediaType": OCTETS, "digest": digest, "size": self.journal.blobs[digest].size}

    def image(self, name):
        blobs = self.journal.present("blob", name)
        chosen = self.random.sample(blobs, min(len(blobs), self.random.randint(1, 4)))
        if self.journal.promise_s is not None:
            chosen = [digest for digest in chosen if self.journal.confirm(self.client, name, digest)]
        if not chosen:
            return
        self.made += 1
        more = {"annotations": {"made": f"{self.number}/{self.made}"}}
        subject = ""
        manifests = self.journal.present("manifest", name)
        if manifests and self.random.random() < 0.25:
            subject = self.random.choice(manifests)
            target = self.journal.manifests[subject]
            more.update(subject={"mediaType": target.media_type, "digest": subject, "size": len(target.body)},
                        artifactType=ARTIFACT_TYPE)
        body = image_manifest(self.entry(chosen[0]), [self.entry(digest) for digest in chosen[1:]], **more)
        self.put_manifest(name, Manifest(body, OCI_MANIFEST, tuple(chosen), subject), self.tag_or_none())

    def index(self, name):
        manifests = self.journal.present("manifest", name)
        if not manifests:
            return
        chosen = self.random.sample(manifests, min(len(manifests), self.random.randint(1, 3)))
        self.made += 1
        entries = [{"mediaType": self.journal.manifests[digest].media_type, "digest": digest,
                    "size": len(self.journal.manifests[digest].body)} for digest in chosen]
        body = image_index(entries, annotations={"made": f"{self.number}/{self.made}"})
        self.put_manifest(name, Manifest(body, OCI_INDEX), self.tag_or_none())

    def move(self, name):
        """A tag moves to a manifest that is there already."""
        movable = [digest for digest in self.journal.present("manifest", name)
                   if self.journal.manifests[digest].media_type == OCI_MANIFEST]
        if movable:
            self.put_manifest(name, self.journal.manifests[self.random.choice(movable)], f"t{self.random.randrange(8)}")

    def delete_tag(self, name):
        tags = self.journal.present("tag", name)
        if tags:
            tag = self.random.choice(tags)
            self.ask("delete tag", {Key("tag", name, tag): None}, "DELETE", f"/v2/{name}/manifests/{tag}",
                     wanted=(202,))

    def delete_manifest(self, name):
        manifests = self.journal.present("manifest", name)
        if manifests:
            digest = self.random.choice(manifests)
            self.ask("delete manifest", self.journal.changes_of_manifest_delete(name, digest), "DELETE",
                     f"/v2/{name}/manifests/{digest}", wanted=(202,))

    def shared_tag(self, _):
        """A tag that all workers move at once."""
        tag = f"s{self.random.randrange(4)}"
        self.made += 1
        if self.journal.promise_s is not None:
            self.expect(self.client.put_blob(self.shared.name, self.shared.config_bytes), 201)
        body = image_manifest(self.shared.config, [], annotations={"made": f"{self.number}/{self.made}"})
        write = self.shared.tags.begin(tag, digest_of(body))
        self.expect(self.client.put_manifest(self.shared.name, tag, body), 201)
        self.shared.tags.acknowledge(write)
        self.journal.acknowledged += 1


class Shared:
    """What the workers have in common."""

    name = "crash/shared"
    config_bytes = b"{}"

    def __init__(self, tags):
        self.tags = tags
        self.stable = []  # (image name, Blob), acknowledged and never deleted; append is atomic
        self.config = {"mediaType": OCTETS, "digest": digest_of(self.config_bytes), "size": len(self.config_bytes)}

    def prepare(self, client):
        answer = client.put_blob(self.name, self.config_bytes)
        if answer.status != 201:
            raise Failure(f"first push: {answer!r}")


def pieces_of(body, step):
    return (body[at:at + step] for at in range(0, len(body), step))


def start_workers(workers, seed):
    """Runs all workers; returns (threads, the event that stops them)."""
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(seed, stop), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    return threads, stop
