"""What the server has acknowledged, kept outside the server, and what it therefore must show after a crash.

One Journal belongs to one worker, which alone writes the image names it owns; so each state has one right answer.
The request in flight when the server dies is Pending: a list of effects, of which after the restart either all or
none must be seen. What is seen then is what holds from then on.

    state of a blob or manifest: True (present) or False (absent)     state of a tag: a digest, or None
    state of an upload session: True (open, at an offset from `acknowledged` to `sent`) or False (closed)

With collection, a blob that no manifest here holds may be gone once the promise has run out that the server made when it
last said that the blob exists; once it was seen to be gone it must stay so.
"""

import dataclasses
import hashlib
import threading
import time

from registry_client import digest_of
from seeded_content import content_range


class Violation(Exception):
    """The server broke a promise."""


@dataclasses.dataclass(frozen=True)
class Key:
    kind: str  # blob, manifest, tag, upload
    name: str
    reference: str


@dataclasses.dataclass
class Blob:
    seed: str
    size: int
    digest: str

    def part(self, begin, end):
        return content_range(self.seed, begin, end)


@dataclasses.dataclass
class Manifest:
    body: bytes
    media_type: str
    children: tuple = ()  # digests of blobs and manifests it holds
    subject: str = ""


@dataclasses.dataclass
class Upload:
    location: str
    name: str
    blob: Blob
    acknowledged: int = 0
    sent: int = 0
    target: str = ""  # the newest Location of the session; `location` is its first and names it


@dataclasses.dataclass
class Pending:
    what: str
    effects: list  # [(Key, state before, state after)]
    begun: float = 0.0  # monotonic


class Journal:
    def __init__(self, owner, sessions_survive=True, promise_s=None):
        self.owner = owner
        self.promise_s = promise_s  # how long a blob stays that was said to exist; None: nothing is collected
        self.said = {}       # digest -> when the request began that the server answered with "it exists"
        self.since = {}      # digest -> from when on it has been there all the time; earlier links may have gone with it
        self.linked = {}     # Key of a blob -> when the request began that the server answered with "it exists", under that name
        self.sessions_survive = sessions_survive  # False for the peer, whose sessions are not looked at
        self.states = {}     # Key -> state; a key that is missing was never touched: absent
        self.blobs = {}      # digest -> Blob
        self.manifests = {}  # digest -> Manifest
        self.uploads = {}    # location -> Upload, the sessions that are open
        self.pending = None
        self.touched = set()
        self.acknowledged = 0

    def state(self, key):
        return self.states.get(key, None if key.kind == "tag" else False)

    def begin(self, what, changes):
        """A request is about to be sent that will change `changes` {Key: state}, all or none."""
        effects = [(key, self.state(key), after) for key, after in changes.items()]
        self.pending = Pending(what, effects, time.monotonic())

    def acknowledge(self):
        """The server said yes: every change holds from here on."""
        for key, _, after in self.pending.effects:
            self.note_promise(key, after, self.pending.begun)
            self.settle(key, after)
        self.pending = None
        self.acknowledged += 1

    def refuse(self):
        """The server said no: nothing of it happened."""
        self.touched.update(key for key, _, _ in self.pending.effects)
        self.pending = None

    def settle(self, key, state):
        self.states[key] = state
        self.touched.add(key)
        if key.kind == "upload" and not state:
            self.uploads.pop(key.reference, None)

    def note_promise(self, key, after, begun):
        """A blob was said to exist, by itself or by a manifest that holds it; or it lost one that held it, and the grace begins."""
        told = [key.reference] if key.kind == "blob" and after else []
        if key.kind == "manifest":
            told = self.manifests[key.reference].children
        for digest in told:
            if self.may_be_gone(digest):
                self.since[digest] = begun
            self.said[digest] = begun
        if key.kind == "blob" and after:
            self.linked[key] = begun

    def may_be_gone(self, digest):
        """Collection may have taken the blob."""
        if self.promise_s is None:
            return False
        held = any(state and key.kind == "manifest" and digest in self.manifests[key.reference].children
                   for key, state in self.states.items())
        return not held and time.monotonic() > self.said.get(digest, 0) + self.promise_s

    def link_may_be_gone(self, key):
        """Collection may have taken the blob, with every link to it, whether or not it was pushed again since."""
        return self.may_be_gone(key.reference) or self.linked.get(key, 0) < self.since.get(key.reference, 0)

    def excuses(self, key, seen):
        return key.kind == "blob" and not seen and self.link_may_be_gone(key)

    def confirm(self, client, name, digest):
        """Asks whether the blob exists, as a client does that is about to push a manifest. What is said, holds."""
        begun = time.monotonic()
        answer = client.request("HEAD", f"/v2/{name}/blobs/{digest}")
        key = Key("blob", name, digest)
        there = answer.status == 200
        if not there and not (answer.status == 404 and self.excuses(key, False)):
            raise Violation(f"{key}: acknowledged, HEAD says {answer!r}")
        self.note_promise(key, there, begun)
        self.settle(key, there)
        return there

    def changes_of_manifest_delete(self, name, digest):
        """Deleting a manifest takes with it every tag that points to it."""
        changes = {Key("manifest", name, digest): False}
        changes.update({key: None for key, state in self.states.items()
                        if key.kind == "tag" and key.name == name and state == digest})
        return changes

    def present(self, kind, name):
        return [key.reference for key, state in self.states.items()
                if key.kind == kind and key.name == name and state]

    def is_held(self, name, digest):
        """True when a manifest of the image name holds the blob."""
        return any(digest in self.manifests[other].children for other in self.present("manifest", name))

    def referrers(self, name, subject):
        return {digest for digest in self.present("manifest", name) if self.manifests[digest].subject == subject}

    def take_touched(self):
        touched, self.touched = self.touched, set()
        return touched

    # After a restart.

    def resolve_pending(self, client):
        """All or nothing of the request in flight; returns which, or '' when none was in flight."""
        if self.pending is None:
            return ""
        pending, self.pending = self.pending, None
        pending.effects = [effect for effect in pending.effects if self.sessions_survive or effect[0].kind != "upload"]
        seen = [self.observe(client, key) for key, _, _ in pending.effects]
        known = [(effect, state) for effect, state in zip(pending.effects, seen)
                 if not self.excuses(effect[0], state)]
        if all(state == after for (_, _, after), state in known):
            outcome = "happened"
        elif all(state == before for (_, before, _), state in known):
            outcome = "did not happen"
        else:
            raise Violation(f"half visible: {pending.what}: {list(zip(pending.effects, seen))}")
        for (key, _, _), state in zip(pending.effects, seen):
            self.note_promise(key, state, pending.begun)
            self.settle(key, state)
        return outcome

    def verify(self, client, key):
        """The server shows what the journal says of `key`."""
        seen = self.observe(client, key)
        if seen != self.state(key) and self.excuses(key, seen):
            self.settle(key, seen)
        if seen != self.state(key):
            raise Violation(f"{key}: acknowledged {self.state(key)!r}, found {seen!r}")

    def observe(self, client, key):
        return getattr(self, f"observe_{key.kind}")(client, key)

    def observe_blob(self, client, key):
        hasher, length = hashlib.sha256(), [0]

        def take(piece):
            hasher.update(piece)
            length[0] += len(piece)

        answer = client.get_blob(key.name, key.reference, sink=take)
        if answer.status == 404:
            return False
        blob = self.blobs[key.reference]
        if answer.status != 200 or f"sha256:{hasher.hexdigest()}" != blob.digest or length[0] != blob.size:
            raise Violation(f"{key}: altered, {length[0]} of {blob.size} bytes, sha256 {hasher.hexdigest()}: {answer!r}")
        return True

    def observe_manifest(self, client, key):
        answer = client.get_manifest(key.name, key.reference)
        if answer.status == 404:
            return False
        wanted = self.manifests[key.reference]
        if (answer.status, answer.body, answer.header("content-type")) != (200, wanted.body, wanted.media_type):
            raise Violation(f"{key}: altered: {answer!r}")
        return True

    def observe_tag(self, client, key):
        answer = client.get_manifest(key.name, key.reference)
        if answer.status == 404:
            return None
        if answer.status != 200 or answer.header("docker-content-digest") != digest_of(answer.body):
            raise Violation(f"{key}: altered: {answer!r}")
        return digest_of(answer.body)

    def observe_upload(self, client, key):
        answer = client.request("GET", key.reference)
        if answer.status == 404:
            return False
        upload = self.uploads.get(key.reference)
        if answer.status != 204 or upload is None:
            raise Violation(f"{key}: closed session answers {answer!r}")
        last = answer.upload_offset()
        # "0-0" is said of no byte and of one.
        low, high = max(upload.acknowledged, 1), max(upload.sent, 1)
        if not low <= last <= high:
            raise Violation(f"{key}: at {last}, acknowledged {upload.acknowledged}, sent {upload.sent}")
        return True

    def verify_lists(self, client, name):
        """Tags list and referrers of an image name, against the journal."""
        tags = sorted(self.present("tag", name))
        answer = client.request("GET", f"/v2/{name}/tags/list")
        found = answer.json()["tags"] or [] if answer.status == 200 else []
        if sorted(found) != tags or (tags and answer.status != 200):
            raise Violation(f"tags of {name}: acknowledged {tags}, found {answer!r}")
        subjects = {manifest.subject for manifest in self.manifests.values() if manifest.subject}
        for subject in subjects if self.sessions_survive else ():
            wanted = self.referrers(name, subject)
            answer = client.request("GET", f"/v2/{name}/referrers/{subject}")
            if answer.status != 200:
                raise Violation(f"referrers of {name} {subject}: {answer!r}")
            entries = answer.json()["manifests"]
            if {entry["digest"] for entry in entries} != wanted:
                raise Violation(f"referrers of {name} {subject}: acknowledged {wanted}, found {entries}")


class SharedTags:
    """Tags that every worker moves: after a crash a tag may show any write that no acknowledged one came after."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clock = 0
        self.writes = {}  # tag -> [[digest, begin, end or None]]

    def tick(self):
        self.clock += 1
        return self.clock

    def begin(self, tag, digest):
        with self.lock:
            write = [digest, self.tick(), None]
            self.writes.setdefault(tag, []).append(write)
            return write

    def acknowledge(self, write):
        with self.lock:
            write[2] = self.tick()

    def allowed(self, tag):
        writes = self.writes.get(tag, [])
        last_begin = max((begin for _, begin, end in writes if end), default=0)
        allowed = {digest for digest, _, end in writes if end is None or end > last_begin}
        return allowed if last_begin else allowed | {None}

    def settle(self, tag, digest):
        self.writes[tag] = [[digest, self.tick(), self.tick()]] if digest else []
