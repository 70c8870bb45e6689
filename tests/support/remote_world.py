"""Cases about remote and virtual repositories: each with an upstream and repositories of its own, all on one server.

    @case(revalidate_after="0s")                    # settings of the remote repository of this case
    def a_claim(world):
        image = world.upstream.add_image("library/alpine", "latest")
        answered(world.get("library/alpine", "latest"), 200, cache="miss")

A repository and an upstream to a case: what one does to its upstream's reputation is nothing to the next. What a case
declares beside its repository, or instead of it, is what `declare(world)` returns: a list of the configuration's entries.
"""

import dataclasses
import json
import pathlib
import shutil
import sys
import time
import traceback

import configured_registry
import registry_process
from client_tools import ClientFailed, same
from registry_client import MANIFEST_TYPES, Connection, ConnectionEnded, digest_of
from scripted_upstream import ScriptedUpstream

PROJECT = "acme"
ACCEPT = ", ".join(MANIFEST_TYPES)
CLIENT_TIMEOUT_S = 60
WELL_AGAIN_S = 90
ENDED_S = 60
LOOPBACK = ["127.0.0.0/8"]
SECRET = "the-upstream-password"  # of every upstream that wants one; must be in no log
# A test waits for no more than this: an upstream that says nothing is given up soon.
QUICK = {"allow_networks": LOOPBACK, "auth_hosts": ["127.0.0.2"], "connect_timeout": "1s", "idle_timeout": "2s", "negative_ttl": "0s"}
CASES = []


@dataclasses.dataclass
class Case:
    name: str
    settings: dict
    declare: object
    run: object
    tls: object


def case(declare=None, tls=None, **settings):
    """`tls(folder)` makes what ScriptedUpstream takes as `tls`."""
    def register(function):
        CASES.append(Case(function.__name__, settings, declare, function, tls))
        return function
    return register


def remote(name, url, **settings):
    """An entry of projects[].repositories[]."""
    return {"name": name, "type": "remote", "url": url, **QUICK, **settings}


class World:
    """One case's view: its upstream, its repository, and the server they share."""

    def __init__(self, case, folder):
        self.case = case
        self.folder = folder / case.name
        self.folder.mkdir(parents=True)
        self.repository = case.name.replace("_", "-")
        self.upstream = ScriptedUpstream(self.folder / "upstream", case.tls(self.folder) if case.tls else None)
        self.server = None
        self.log_offset = 0
        self.figures = []
        self.closing = []

    def named(self, name):
        """A repository's name that is this case's alone."""
        return f"{self.repository[:24].rstrip('-')}-{name}"

    def declared(self):
        if self.case.declare:
            return self.case.declare(self)
        return [remote(self.repository, self.upstream.url, **self.case.settings)]

    def begin(self, server):
        self.server = server
        self.log_offset = server.log_path.stat().st_size

    def another_upstream(self):
        """Of a case that needs two; for `declare`."""
        other = ScriptedUpstream(self.folder / f"upstream-{len(self.closing)}")
        other.start()
        self.closing.append(other)
        return other

    def close(self):
        for upstream in [self.upstream, *self.closing]:
            upstream.stop()

    def connect(self, timeout_s=CLIENT_TIMEOUT_S):
        return Connection(self.server.http_addr, timeout_s)

    def path(self, image, rest, repository=None):
        return f"/v2/{PROJECT}/{repository or self.repository}/{image}/{rest}"

    def ask(self, method, image, rest, headers=None, body=None, repository=None):
        with self.connect() as client:
            return client.request(method, self.path(image, rest, repository), headers, body)

    def get(self, image, reference, repository=None, method="GET", accept=ACCEPT):
        return self.ask(method, image, f"manifests/{reference}", {"Accept": accept}, repository=repository)

    def blob(self, image, digest, headers=None, repository=None, method="GET"):
        return self.ask(method, image, f"blobs/{digest}", headers, repository=repository)

    def tags(self, image, query="", repository=None):
        return self.ask("GET", image, f"tags/list{query}", repository=repository)

    def timed(self, call, *arguments, **named):
        """What the call returned, and the milliseconds it took."""
        began = time.monotonic()
        answer = call(*arguments, **named)
        return answer, (time.monotonic() - began) * 1000

    def pull(self, image, made, reference="latest", repository=None):
        """A whole image, each of its bytes compared."""
        manifest = self.get(image, reference, repository)
        answered(manifest, 200)
        same(digest_of(manifest.body), made.digest, f"manifest of {image}")
        for digest in made.blobs:
            answer = answered(self.blob(image, digest, repository=repository), 200)
            same(digest_of(answer.body, digest.partition(":")[0]), digest, f"blob of {image}")
        return manifest

    def eventually(self, holds, what, timeout_s=WELL_AGAIN_S):
        """Asks again and again until it is so."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > deadline:
                raise ClientFailed(f"not within {timeout_s} s: {what}")
            self.server.pause()

    def well_again(self, repository=None):
        """The upstream is asked again: one that failed is left alone for a while."""
        self.eventually(lambda: self.get("well/again", "no-such-tag", repository).status != 503, "the upstream is asked again")

    def note(self, text):
        """A figure for the line that is printed of this case."""
        self.figures.append(text)

    def log(self, levels=("warn", "warning", "error", "critical")):
        """The server's lines of these levels since the case began."""
        lines = self.server.log_path.read_bytes()[self.log_offset:].decode(errors="replace").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry.get("level") in levels]


def answered(answer, status, code=None, cache=None, warning=None, member=None):
    """The answer, if it is as it should be; what of it is not, all in one."""
    wrong = []
    statuses = status if isinstance(status, tuple) else (status,)
    if answer.status not in statuses:
        wrong.append(f"status {answer.status}, expected {' or '.join(map(str, statuses))}")
    if code and code not in answer.error_codes():
        wrong.append(f"code {answer.error_codes()}, expected {code}")
    for name, wanted in (("x-orbitalreg-cache", cache), ("x-orbitalreg-member", member)):
        if wanted and answer.header(name) != wanted:
            wrong.append(f"{name} {answer.header(name)!r}, expected {wanted!r}")
    if warning is not None and (answer.header("warning") is not None) != warning:
        wrong.append(f"warning {answer.header('warning')!r}, expected {'one' if warning else 'none'}")
    if warning and not str(answer.header("warning")).startswith('299 - "'):
        wrong.append(f"form of the warning: {answer.header('warning')!r}")
    if wrong:
        raise ClientFailed(f"{'; '.join(wrong)}\n      in {answer!r}")
    return answer


def cut_short(world, image, digest, headers=None):
    """What a client got of a blob whose transfer must not end well: None where it was refused outright."""
    deadline = time.monotonic() + ENDED_S
    with world.connect() as client:
        client.send("GET", world.path(image, f"blobs/{digest}"), headers)
        try:
            status, fields = client.receive_head()
        except ConnectionEnded:
            return b""
        if status >= 400:
            return None
        pieces = [client.buffer]
        length = next((int(value) for name, value in fields if name == "content-length"), None)
        chunked = any(name == "transfer-encoding" for name, _ in fields)
        while length is None or sum(map(len, pieces)) < length:
            try:
                client.buffer = b""
                client.fill()
            except OSError:
                if length is None and not chunked:
                    raise ClientFailed("a body without a length cannot be told from one that was cut") from None
                return b"".join(pieces)
            pieces.append(client.buffer)
            if time.monotonic() > deadline:
                raise ClientFailed(f"after {ENDED_S} s it has not ended; {sum(map(len, pieces))} bytes so far")
            if chunked and b"".join(pieces[-2:]).endswith(b"0\r\n\r\n"):
                raise ClientFailed("the body ended as if it were whole")
        raise ClientFailed(f"all {length} bytes were sent, although they are wrong")


def run_one(world):
    """None, or the story of the failure."""
    try:
        world.case.run(world)
        return None
    except (ClientFailed, TimeoutError, registry_process.RegistryError) as error:
        return str(error)
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        frame = traceback.extract_tb(error.__traceback__)
        places = ", ".join(f"{pathlib.Path(entry.filename).name}:{entry.lineno}" for entry in frame[-4:])
        return f"{type(error).__name__}: {error} ({places})"


def configuration(worlds):
    repositories = [entry for world in worlds for entry in world.declared()]
    return {"projects": [{"name": PROJECT, "repositories": repositories}]}


def run_all(worlds, server, verbose):
    failures = 0
    for world in worlds:
        if server.process.poll() is not None:
            print(f"note  the server had ended with {server.process.returncode}; started again", flush=True)
            server.start()
        world.begin(server)
        began = time.monotonic()
        story = run_one(world)
        failures += story is not None
        figures = "; ".join(world.figures)
        print(f"{'FAIL' if story else 'ok  '}  {world.case.name:44} {time.monotonic() - began:5.1f} s  {figures}"
              + (f"\n      {story}" if story else ""), flush=True)
        if verbose or story:
            for entry in world.log()[:6]:
                print(f"      log: {entry.get('level')}: {entry.get('msg')} "
                      f"{ {key: value for key, value in entry.items() if key not in ('level', 'msg', 'time')} }")
        if verbose:
            print("      upstream: " + world.upstream.log_text().replace("\n", "\n                "))
    return failures


def secrets_in(log_path):
    """Lines of the log that hold what must never be in it."""
    text = log_path.read_text(errors="replace")
    return [line for line in text.splitlines() if SECRET in line]


def main(description, environment=None):
    """Runs the cases that are registered; the exit code."""
    def extra(parser):
        parser.add_argument("only", nargs="*", help="parts of names of cases")
        parser.add_argument("--verbose", action="store_true", help="what the server's log and the upstreams' say")
    options = registry_process.script_options(description, extra)
    chosen = [case for case in CASES if not options.only or any(word in case.name for word in options.only)]
    folder = registry_process.fresh_folder("orbitalreg-upstreams-")
    worlds = []
    try:
        for one in chosen:
            worlds.append(World(one, folder))
            worlds[-1].upstream.start()
        with configured_registry.from_arguments(options, configuration(worlds), environment=environment) as server:
            failures = run_all(worlds, server, options.verbose)
            for line in secrets_in(server.log_path):
                print(f"FAIL  a secret is in the log: {line}")
                failures += 1
            server.stop()
            checked = server.fsck()
            if checked.returncode != 0:
                print(f"FAIL  fsck afterwards: {checked.stdout}{checked.stderr}")
                failures += 1
    except registry_process.RegistryError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        for world in worlds:
            world.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(chosen)} cases, {failures} failed")
    return 1 if failures else 0
