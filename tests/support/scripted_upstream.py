"""An upstream registry that a test tells what to be: Docker Hub, a small one, a broken one, a liar.

Three addresses, as at Docker Hub: the registry, its token service, and the CDN that its blobs are redirected to.

    with ScriptedUpstream(folder) as upstream:
        image = upstream.add_image("library/alpine", "latest", [b"a layer"])
        upstream.auth, upstream.cdn, upstream.hub_limit = "bearer", True, (100, 21600)
        with upstream.on("GET", "/blobs/", cut_after=1000, times=2): ...
        upstream.log                       # every request, what it carried, and the bytes it was sent

Switches of the whole server are attributes; what happens to some requests only is a Rule, made by on(). Both may be changed at
any time.

Life     listens from `with` on; stop(), start() in between are its outages. Ends with the block.
Threads  one a connection; switches, rules and the log may be used from any.
Limits   large blobs are files, sent by sendfile: some GB/s without a cap; `pace.rate_bytes` caps all three addresses together.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
import re
import threading
import time
import urllib.parse

from raw_http_server import Cut, HttpListener, Pace
from registry_client import OCI_INDEX, OCI_MANIFEST, OCTETS, descriptor, digest_of, image_index, image_manifest
from seeded_content import content_pieces

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
HOSTS = {"registry": "127.0.0.1", "token": "127.0.0.2", "cdn": "127.0.0.3"}
ROUTE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers|tags)/(?P<rest>.+)")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
ENDLESS_PIECE = bytes(1 << 18)
WAIT_S = 30
SIGNATURE_KEY = b"of the content delivery network"


class Bytes:
    def __init__(self, content):
        self.content, self.size = content, len(content)

    def send(self, exchange, begin, end):
        exchange.send(memoryview(self.content)[begin:end])

    def byte_at(self, offset):
        return self.content[offset]


class File:
    """A body in a file, which stays open: it may be removed meanwhile."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self.file).st_size

    def send(self, exchange, begin, end):
        exchange.send_file(self.file, begin, end - begin)

    def byte_at(self, offset):
        return os.pread(self.file, 1, offset)[0]


@dataclasses.dataclass
class Rule:
    """What happens to the requests that fit, instead of or beside what the upstream would do."""

    method: str | None
    path: str  # a part of it, or a regular expression
    where: str | None = None  # registry, token, cdn
    times: int | None = None  # so often, and then no more
    # Before the answer.
    delay_s: float = 0
    wait: bool = False  # for open()
    drop: bool = False  # the connection ends without an answer
    # Instead of the answer.
    status: int | None = None
    body: bytes | None = None
    redirect: str | None = None
    headers: dict = dataclasses.field(default_factory=dict)  # put in, or with None left out
    # In the body.
    cut_after: int | None = None  # bytes, of this answer
    reset: bool = False  # a cut is a RST, and what the peer has not read is lost
    gate_after: int | None = None  # bytes, of this answer; then waits for open()
    rate_bytes: int = 0  # a second, of each answer
    flip_at: int | None = None  # this byte of the body is another
    endless: bool = False  # goes on with zeros for ever
    length: str = "true"  # "none": ends with the connection; "chunked"; or a number

    def __post_init__(self):
        self.opened = threading.Event()
        self.used = 0
        self.pattern = re.compile(self.path)

    def fits(self, where, request):
        return (self.where in (None, where) and self.method in (None, request.method)
                and (self.times is None or self.used < self.times) and self.pattern.search(request.target) is not None)

    def open(self):
        self.opened.set()


@dataclasses.dataclass
class Seen:
    """One request, as it came, and how far its answer got."""

    where: str
    method: str
    target: str
    host: str
    authorization: str | None  # Basic, Bearer
    credential: str | None
    cookie: bool
    range: str | None
    accept: list
    user_agent: str | None
    began: float
    status: int = 0
    bytes_sent: int = 0  # of the body
    first_byte: float = 0.0
    ended: float = 0.0
    outcome: str = "open"  # whole, cut, left

    @property
    def scopes(self):
        return [value for key, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query) if key == "scope"]

    def __str__(self):
        shown = f"{self.where:8} {self.method:4} {self.target[:120]:60} -> {self.status} {self.bytes_sent} bytes, {self.outcome}"
        told = [f"authorization {self.authorization or 'none'}"] + (["cookie"] if self.cookie else [])
        return f"{shown} [{', '.join(told + ([self.range] if self.range else []))}]"


@dataclasses.dataclass
class Holdings:
    """What the upstream has under one image name."""

    manifests: dict = dataclasses.field(default_factory=dict)  # tag or digest: (digest, bytes, media type)
    blobs: set = dataclasses.field(default_factory=set)
    tags: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Image:
    digest: str
    manifest: bytes
    config: str
    layers: list

    @property
    def blobs(self):
        return [self.config, *self.layers]


class Holder:
    """The content of an upstream."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.bodies = {}
        self.names = {}

    def under(self, name):
        return self.names.setdefault(name, Holdings())

    def add_blob(self, name, content, digest=None):
        digest = digest or digest_of(content)
        self.bodies[digest] = Bytes(content)
        self.under(name).blobs.add(digest)
        return digest

    def add_large_blob(self, name, seed, size):
        """Content that `seed` names, in a file; its digest."""
        path = self.folder / f"blob-{hashlib.sha256(f'{seed}/{size}'.encode()).hexdigest()[:16]}"
        hasher = hashlib.sha256()
        with open(path, "wb") as file:
            for piece in content_pieces(seed, 0, size):
                hasher.update(piece)
                file.write(piece)
        digest = f"sha256:{hasher.hexdigest()}"
        self.bodies[digest] = File(path)
        self.under(name).blobs.add(digest)
        return digest

    def add_manifest(self, name, content, media_type=OCI_MANIFEST, tag=None, digest=None):
        digest = digest or digest_of(content)
        held = self.under(name)
        held.manifests[digest] = (digest, content, media_type)
        if tag:
            held.manifests[tag] = held.manifests[digest]
            if tag not in held.tags:
                held.tags.append(tag)
        return digest

    def add_image(self, name, tag, layers=None, algorithm="sha256", **more):
        """`layers`: bytes, or (seed, size) of a large one. Without them, one that no other upstream has."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "of": f"{self.folder}: {name}:{tag}",
                             "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        described = []
        for layer in layers or [f"a layer of {self.folder}".encode()]:
            if isinstance(layer, bytes):
                digest = self.add_blob(name, layer, digest_of(layer, algorithm))
            else:
                digest = self.add_large_blob(name, *layer)
            described.append({"mediaType": LAYER_TYPE, "digest": digest, "size": self.bodies[digest].size})
        self.add_blob(name, config)
        manifest = image_manifest(descriptor(config, CONFIG_TYPE), described, **more)
        digest = self.add_manifest(name, manifest, OCI_MANIFEST, tag)
        return Image(digest, manifest, digest_of(config), [entry["digest"] for entry in described])

    def add_layout(self, name, layout, tag):
        """All that a tag of an OCI layout reaches; its digest."""
        wanted = layout.tagged()[tag]
        for digest in layout.closure(wanted["digest"]):
            content = layout.read_blob(digest)
            media_type = manifest_type(content)
            if media_type:
                self.add_manifest(name, content, media_type)
            else:
                self.add_blob(name, content)
        return self.add_manifest(name, layout.read_blob(wanted["digest"]), wanted["mediaType"], tag)

    def size_of(self, image):
        """Bytes of all its blobs."""
        return sum(self.bodies[digest].size for digest in image.blobs)

    def remove_tag(self, name, tag):
        del self.under(name).manifests[tag]
        self.under(name).tags.remove(tag)

    def referrers_of(self, name, subject, artifact_type):
        found = []
        for reference, (digest, content, media_type) in self.under(name).manifests.items():
            if reference != digest:
                continue
            parsed = json.loads(content)
            kind = parsed.get("artifactType") or parsed.get("config", {}).get("mediaType")
            if parsed.get("subject", {}).get("digest") == subject and artifact_type in (None, kind):
                found.append({"mediaType": media_type, "digest": digest, "size": len(content), "artifactType": kind,
                              **({"annotations": parsed["annotations"]} if "annotations" in parsed else {})})
        return image_index(found)


def manifest_type(content):
    try:
        parsed = json.loads(content)
    except (ValueError, UnicodeDecodeError):
        return None
    return parsed.get("mediaType") if isinstance(parsed, dict) and parsed.get("schemaVersion") == 2 else None


class Tokens:
    """The tokens that are good: for which image name, and until when."""

    def __init__(self):
        self.lock = threading.Lock()
        self.good = {}

    def issue(self, name, life_s):
        token = os.urandom(24).hex()
        with self.lock:
            self.good[token] = (name, time.monotonic() + life_s)
        return token

    def allows(self, token, name):
        with self.lock:
            allowed, until = self.good.get(token, (None, 0.0))
        return allowed == name and time.monotonic() < until

    def revoke_all(self):
        with self.lock:
            self.good.clear()


class ScriptedUpstream(Holder):
    def __init__(self, folder, tls=None):
        """`tls`: {where: ssl.SSLContext}, or one for all."""
        super().__init__(folder)
        self.auth = None  # None, "basic", "bearer"
        self.username = self.password = None  # who may come; None: everybody, with a token where auth is "bearer"
        self.realm = None  # another than the token service's own
        self.service = "registry.docker.io"
        self.token_life_s = 300  # 0: the answer does not say it, and it is 60
        self.cdn = False  # blobs are redirected
        self.cdn_head = True  # the CDN answers HEAD
        self.ranges = True
        self.head = True  # HEAD of manifests and blobs is answered
        self.digest_header = True  # Docker-Content-Digest
        self.referrers_api = True
        self.hub_limit = None  # (manifests that may be taken, seconds): the ratelimit headers, and 429 beyond
        self.retry_after_s = 60
        self.tags_page = 1000
        self.taken = 0  # manifests, as hub_limit counts them
        self.tokens = Tokens()
        self.pace = Pace()
        self.log = []
        self.rules = []
        self.changed = threading.Condition()
        contexts = tls if isinstance(tls, dict) else {where: tls for where in HOSTS}
        self.listeners = {where: HttpListener(host, self.handler_of(where), contexts.get(where), self.pace)
                          for where, host in HOSTS.items()}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, where=None):
        for listener in [self.listeners[where]] if where else self.listeners.values():
            listener.start()

    def stop(self, where=None):
        """An outage: connections are refused, and those that are open end."""
        for listener in [self.listeners[where]] if where else self.listeners.values():
            listener.stop()

    def break_off(self):
        for listener in self.listeners.values():
            listener.break_off()

    @property
    def url(self):
        return self.listeners["registry"].url

    def on(self, method=None, path="", **behaviour):
        """Adds a rule; the latest that fits is followed. It holds until end(), or to the end of a `with` block."""
        rule = Rule(method, path, **behaviour)
        with self.changed:
            self.rules.insert(0, rule)
        return RuleInForce(self, rule)

    def off(self, rule):
        with self.changed:
            self.rules = [other for other in self.rules if other is not rule]

    # What was asked.

    def seen(self, method=None, path="", where=None):
        pattern = re.compile(path)
        with self.changed:
            return [entry for entry in self.log if method in (None, entry.method) and where in (None, entry.where)
                    and pattern.search(entry.target)]

    def count(self, method=None, path="", where=None):
        return len(self.seen(method, path, where))

    def bytes_of(self, path="", where=None):
        """Bytes of bodies sent for this path."""
        return sum(entry.bytes_sent for entry in self.seen(None, path, where))

    def wait_for(self, predicate, what, timeout_s=WAIT_S):
        with self.changed:
            if not self.changed.wait_for(predicate, timeout_s):
                raise TimeoutError(f"the upstream waited {timeout_s} s for {what}; it saw\n" + "\n".join(map(str, self.log[-20:])))

    def wait_for_bytes(self, path, count, timeout_s=WAIT_S):
        self.wait_for(lambda: self.bytes_of(path) >= count, f"{count} bytes of {path} to be taken", timeout_s)

    def wait_for_count(self, method, path, count, timeout_s=WAIT_S):
        self.wait_for(lambda: self.count(method, path) >= count, f"{count} {method} of {path}", timeout_s)

    def forget(self):
        """Empties the log."""
        with self.changed:
            self.log.clear()

    def log_text(self):
        with self.changed:
            return "\n".join(map(str, self.log))

    # Answers.

    def handler_of(self, where):
        return lambda exchange: self.handle(where, exchange)

    def handle(self, where, exchange):
        request = exchange.request
        kind, _, credential = (request.header("authorization") or "").partition(" ")
        entry = Seen(where, request.method, request.target, request.header("host", ""), kind or None, credential or None,
                     request.header("cookie") is not None, request.header("range"), request.header_all("accept"),
                     request.header("user-agent"), time.monotonic())
        with self.changed:
            rule = next((rule for rule in self.rules if rule.fits(where, request)), None)
            if rule:
                rule.used += 1
            self.log.append(entry)
            self.changed.notify_all()
        answer = Answer(self, exchange, entry, rule or Rule(None, ""))
        try:
            answer.before()
            {"registry": self.registry, "token": self.token, "cdn": self.signed}[where](answer)
            entry.outcome = "whole"
        except Cut:
            entry.outcome = "cut"
            raise
        except OSError:
            entry.outcome = "left"
            raise
        finally:
            entry.ended = time.monotonic()
            with self.changed:
                self.changed.notify_all()

    def token(self, answer):
        request = answer.exchange.request
        scopes = [value for key, value in request.parameters if key == "scope"]
        kind, name, actions = (scopes[0].split(":") + ["", ""])[:3] if scopes else ("", "", "")
        if request.header("authorization") is not None and not self.right_password(request):
            return answer.error(401, "UNAUTHORIZED", "incorrect username or password")
        if request.header("authorization") is None and (self.username or actions not in ("pull", "")):
            return answer.error(401 if self.username else 403, "DENIED", "requested access to the resource is denied")
        life = {"expires_in": self.token_life_s} if self.token_life_s else {}
        token = self.tokens.issue(name if kind == "repository" else None, self.token_life_s or 60)
        return answer.bytes(200, json.dumps({"token": token, "access_token": token, **life}).encode(), "application/json")

    def right_password(self, request):
        given = (request.header("authorization") or "").partition(" ")
        wanted = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return given[0] == "Basic" and given[2] == wanted

    def signature(self, digest):
        return hmac.new(SIGNATURE_KEY, digest.encode(), "sha256").hexdigest()

    def signed(self, answer):
        """The CDN: an address that is its own credential, and no other beside it."""
        request = answer.exchange.request
        digest = request.path.rpartition("/")[2]
        if request.header("authorization") is not None:
            return answer.bytes(400, b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>",
                                "application/xml")
        if request.query.get("signature") != self.signature(digest):
            return answer.bytes(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", "application/xml")
        if request.method == "HEAD" and not self.cdn_head:
            return answer.bytes(403, b"", "application/xml")
        return answer.body(self.bodies[digest], OCTETS, ranges=self.ranges)

    def registry(self, answer):
        request = answer.exchange.request
        route = ROUTE.fullmatch(request.path)
        name = route["name"] if route else None
        if not self.let_in(request, name):
            return answer.challenge(name)
        if request.method not in ("GET", "HEAD"):
            return answer.error(405, "UNSUPPORTED", "this upstream is read only")
        if request.path in ("/v2/", "/v2"):
            return answer.bytes(200, b"{}", "application/json")
        if not route or name not in self.names:
            return answer.error(404, "NAME_UNKNOWN", "repository name not known to registry")
        if request.method == "HEAD" and not self.head:
            return answer.error(405, "UNSUPPORTED", "no HEAD here")
        return {"manifests": self.manifest, "blobs": self.blob, "tags": self.tags_list,
                "referrers": self.referrers}[route["kind"]](answer, name, route["rest"])

    def let_in(self, request, name):
        if self.auth == "basic":
            return self.right_password(request)
        if self.auth == "bearer":
            kind, _, token = (request.header("authorization") or "").partition(" ")
            return kind.lower() == "bearer" and self.tokens.allows(token, name)
        return True

    def manifest(self, answer, name, reference):
        request = answer.exchange.request
        limits = []
        if self.hub_limit:
            if request.method == "GET":
                self.taken += 1
            limit, window_s = self.hub_limit
            left = max(0, limit - self.taken)
            limits = [("RateLimit-Limit", f"{limit};w={window_s}"), ("RateLimit-Remaining", f"{left};w={window_s}"),
                      ("Docker-RateLimit-Source", "203.0.113.7")]
            if self.taken > limit:
                return answer.error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.",
                                    [*limits, ("Retry-After", str(self.retry_after_s))])
        found = self.under(name).manifests.get(reference)
        if not found:
            return answer.error(404, "MANIFEST_UNKNOWN", "manifest unknown", limits)
        digest, content, media_type = found
        more = [("Docker-Content-Digest", digest), ("ETag", f'"{digest}"')] if self.digest_header else []
        return answer.body(Bytes(content), media_type, [*more, *limits])

    def blob(self, answer, name, digest):
        if digest not in self.under(name).blobs:
            return answer.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.cdn:
            target = f"{self.listeners['cdn'].url}/signed/{digest}?signature={self.signature(digest)}"
            return answer.bytes(307, b"", OCTETS, [("Location", target), ("Set-Cookie", "session=of-the-registry; Path=/")])
        more = [("Docker-Content-Digest", digest)] if self.digest_header else []
        return answer.body(self.bodies[digest], OCTETS, more, ranges=self.ranges)

    def tags_list(self, answer, name, _):
        query = answer.exchange.request.query
        count = min(int(query.get("n", self.tags_page)), self.tags_page)
        tags = sorted(self.under(name).tags)
        after = [tag for tag in tags if tag > query.get("last", "")]
        page = after[:count]
        more = []
        if len(after) > count:
            more = [("Link", f'</v2/{name}/tags/list?n={count}&last={page[-1]}>; rel="next"')]
        return answer.bytes(200, json.dumps({"name": name, "tags": page}).encode(), "application/json", more)

    def referrers(self, answer, name, subject):
        if not self.referrers_api:
            return answer.bytes(404, b"404 page not found\n", "text/plain; charset=utf-8")
        index = self.referrers_of(name, subject, answer.exchange.request.query.get("artifactType"))
        return answer.bytes(200, index, OCI_INDEX)


class RuleInForce:
    """A rule, until the end of its `with` block."""

    def __init__(self, upstream, rule):
        self.upstream, self.rule = upstream, rule

    def __enter__(self):
        return self.rule

    def __exit__(self, *_):
        self.end()

    def open(self):
        self.rule.open()

    def end(self):
        self.open()
        self.upstream.off(self.rule)


class Answer:
    """One answer on its way, bent by a rule."""

    def __init__(self, upstream, exchange, entry, rule):
        self.upstream, self.exchange, self.entry, self.rule = upstream, exchange, entry, rule
        exchange.sent = self.count
        if rule.rate_bytes:
            exchange.paces = [*exchange.paces, Pace(rule.rate_bytes)]

    def count(self, sent):
        self.entry.first_byte = self.entry.first_byte or time.monotonic()
        self.entry.bytes_sent += sent
        with self.upstream.changed:
            self.upstream.changed.notify_all()

    def before(self):
        if self.rule.delay_s:
            self.exchange.wait(self.rule.delay_s)
        if self.rule.wait:
            self.exchange.wait_for(self.rule.opened)
        if self.rule.drop:
            raise Cut(self.rule.reset)

    def challenge(self, name):
        scope = f',scope="repository:{name}:pull"' if name else ""
        upstream = self.upstream
        realm = upstream.realm or f"{upstream.listeners['token'].url}/token"
        how = 'Basic realm="upstream"' if upstream.auth == "basic" else f'Bearer realm="{realm}",service="{upstream.service}"{scope}'
        self.error(401, "UNAUTHORIZED", "authentication required", [("WWW-Authenticate", how)])

    def error(self, status, code, message, headers=()):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.bytes(status, body, "application/json", headers)

    def bytes(self, status, content, media_type, headers=()):
        self.deliver(status, [("Content-Type", media_type), *headers], Bytes(content), 0, len(content))

    def body(self, body, media_type, headers=(), ranges=False):
        wanted = self.entry.range if ranges else None
        asked = RANGE.fullmatch(wanted or "")
        fields = [("Content-Type", media_type), *headers] + ([("Accept-Ranges", "bytes")] if ranges else [])
        if not asked:
            return self.deliver(200, fields, body, 0, body.size)
        begin, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else body.size, body.size)
        if begin >= body.size:
            return self.deliver(416, [*fields, ("Content-Range", f"bytes */{body.size}")], Bytes(b""), 0, 0)
        return self.deliver(206, [*fields, ("Content-Range", f"bytes {begin}-{end - 1}/{body.size}")], body, begin, end)

    def deliver(self, status, headers, body, begin, end):
        """Head and body, as far as the rule lets them."""
        rule = self.rule
        if rule.redirect:
            status, headers, body, begin, end = 307, [("Location", rule.redirect)], Bytes(b""), 0, 0
        if rule.status:
            status, body = rule.status, Bytes(rule.body or b"")
            headers, begin, end = [("Content-Type", "text/plain")], 0, body.size
        elif rule.body is not None:
            body, begin, end = Bytes(rule.body), 0, len(rule.body)
        length = "none" if rule.endless and rule.length == "true" else rule.length
        fields = [*headers, *self.framing(length, end - begin)]
        fields = [(name, value) for name, value in fields if name.lower() not in {key.lower() for key in rule.headers}]
        fields += [(name, value) for name, value in rule.headers.items() if value is not None]
        self.entry.status = status
        self.exchange.head(status, fields)
        if self.entry.method != "HEAD":
            self.send_body(body, begin, end, length)

    @staticmethod
    def framing(length, size):
        if length == "chunked":
            return [("Transfer-Encoding", "chunked")]
        if length == "none":
            return [("Connection", "close")]
        return [("Content-Length", str(size) if length == "true" else length)]

    def send_body(self, body, begin, end, length):
        if length == "chunked":
            self.exchange.socket = Chunked(self.exchange.socket)
        self.send_until_stops(body, begin, end)
        while self.rule.endless:
            self.exchange.send(ENDLESS_PIECE)
        if length == "chunked":
            self.exchange.socket.finish()
        elif length != "true":
            raise Cut()

    def send_until_stops(self, body, begin, end):
        """The body, with a stop at the rule's gate, another byte where it says so, and an end at its cut."""
        rule, at = self.rule, begin
        cut = begin + rule.cut_after if rule.cut_after is not None else None
        gate = begin + rule.gate_after if rule.gate_after is not None else None
        stops = sorted({stop for stop in (cut, gate, rule.flip_at) if stop is not None and begin <= stop < end} | {end})
        for stop in stops:
            body.send(self.exchange, at, stop)
            at = stop
            if stop == gate and stop < end:
                self.exchange.wait_for(rule.opened)
            if stop == cut:
                raise Cut(rule.reset)
            if stop == rule.flip_at and stop < end:
                self.exchange.send(bytes([body.byte_at(at) ^ 0xFF]))
                at += 1
        if cut is not None and cut >= end:
            raise Cut(rule.reset)


class Chunked:
    """A socket on which each piece becomes a chunk."""

    def __init__(self, connection):
        self.connection = connection

    def sendall(self, data):
        if len(data):
            self.connection.sendall(b"%x\r\n" % len(data) + bytes(data) + b"\r\n")

    def finish(self):
        self.connection.sendall(b"0\r\n\r\n")

    def pending(self):
        return 0  # send_file() copies, as for TLS

    def recv(self, *arguments):
        return self.connection.recv(*arguments)

    def fileno(self):
        return self.connection.fileno()
