"""How a check of the API is written: @check("DIST-...") def what_it_claims(context)."""

import dataclasses
import json
import os
import pathlib
import threading
import traceback

import registry_client
from accounts import AuthorizedConnection
from registry_client import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, image_manifest

CHECKS = []
UNKNOWN_DIGEST = "sha256:" + "ab" * 32
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclasses.dataclass
class Check:
    identifiers: tuple
    name: str
    run: object
    needs_process: bool


def check(*identifiers, needs_process=False):
    def register(function):
        CHECKS.append(Check(identifiers, function.__name__, function, needs_process))
        return function
    return register


class Context:
    """One check's view of the server: a connection, and names nobody else uses."""

    run_id = os.urandom(4).hex()
    authorization = None  # what each connection presents

    def __init__(self, address, server, number=0):
        self.address = address
        self.server = server
        self.number = number
        self.client = self.connect()

    def for_check(self, number):
        self.client.close()
        return Context(self.address, self.server, number)

    def connect(self):
        return AuthorizedConnection(self.address, self.authorization, timeout_s=30)

    def name(self, suffix="repo"):
        return f"check-{self.run_id}/c{self.number}/{suffix}"

    def ask(self, method, target, headers=None, body=None):
        return self.client.request(method, target, headers, body)

    def push(self, name, content, algorithm="sha256"):
        digest = digest_of(content, algorithm)
        expect(self.client.put_blob(name, content, digest), 201)
        return digest

    def push_image(self, name, reference, layers=(b"a layer",), **more):
        """Pushes blobs and a manifest; returns the manifest's bytes and digest."""
        config = f'{{"of":"{name}/{reference}"}}'.encode()
        for content in (config, *layers):
            self.push(name, content)
        manifest = image_manifest(descriptor(config, CONFIG_TYPE),
                                  [descriptor(content, LAYER_TYPE) for content in layers], **more)
        if reference is None:
            reference = digest_of(manifest)
        expect(self.client.put_manifest(name, reference, manifest, OCI_MANIFEST), 201)
        return manifest, digest_of(manifest)

    def push_index(self, name, reference, children, **more):
        body = registry_client.image_index(children, **more)
        answer = self.client.put_manifest(name, reference or digest_of(body), body, OCI_INDEX)
        return body, answer

    def open_upload(self, name, query=""):
        answer = expect(self.client.start_upload(name, query), 202)
        return registry_client.location_path(answer)

    def patch(self, location, content, begin=None):
        headers = {"Content-Type": registry_client.OCTETS}
        if begin is not None:
            headers["Content-Range"] = f"{begin}-{begin + len(content) - 1}"
        return self.client.request("PATCH", location, headers, content)

    def finish(self, location, digest, content=b"", headers=None):
        return self.client.request("PUT", registry_client.with_query(location, digest=digest), headers, content)


def expect(answer, *statuses):
    assert answer.status in statuses, f"expected {statuses}, got {answer!r}"
    return answer


def refused(answer, statuses, *codes):
    """A refusal in the form of DIST-ERR-01 with one of `codes` first."""
    statuses = statuses if isinstance(statuses, tuple) else (statuses,)
    assert answer.status in statuses, f"expected {statuses} {codes}, got {answer!r}"
    found = answer.error_codes()
    assert found and found[0] in codes, f"expected code {codes}, got {answer!r}"
    assert answer.header("content-type", "").split(";")[0] == "application/json", f"not JSON: {answer!r}"
    return answer


def same(found, wanted, what=""):
    assert found == wanted, f"{what}: expected {wanted!r:.300}, got {found!r:.300}"


def header_is(answer, name, wanted):
    same(answer.header(name), wanted, name)


def at_once(clients, ask):
    """Runs ask(client) on all `clients` at the same time; what each returned, or its error's text."""
    results = []

    def run(client):
        try:
            with client:
                results.append(ask(client))
        except OSError as error:
            results.append(str(error))

    racers = [threading.Thread(target=run, args=(client,)) for client in clients]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    return results


def manifest_json(**fields):
    return json.dumps(fields, separators=(",", ":")).encode()


def run_check(check, context):
    """None, or the story of the failure."""
    try:
        check.run(context)
        return None
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        frame = next((entry for entry in reversed(traceback.extract_tb(error.__traceback__))
                      if "/e2e/" in entry.filename and not entry.filename.endswith("checks.py")), where)
        return f"{pathlib.Path(frame.filename).name}:{frame.lineno}: {error}"
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({pathlib.Path(where.filename).name}:{where.lineno})"


def run_all(context, modules, wanted):
    """Runs the checks of these modules, in their order; how many failed."""
    failures = 0
    rooms = [room.__name__ for room in modules]
    for number, check in enumerate(sorted(CHECKS, key=lambda check: rooms.index(check.run.__module__))):
        if wanted and not any(word in " ".join(check.identifiers) or word in check.name for word in wanted):
            continue
        if check.needs_process and context.server is None:
            print(f"skip  {' '.join(check.identifiers):34} {check.name}: needs a server started here")
            continue
        if context.server and context.server.process.poll() is not None:
            print(f"note  the server had ended with {context.server.process.returncode}; started again")
            context.server.start()
        story = run_check(check, context.for_check(number))
        failures += story is not None
        print(f"{'FAIL' if story else 'ok  '}  {' '.join(check.identifiers):34} {check.name}"
              + (f"\n      {story}" if story else ""), flush=True)
    return failures
