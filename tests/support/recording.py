"""What a client asked and what it was answered, as the server's log tells it, compared with a file that is kept.

A line is a request without what differs from run to run, and its status: `PUT /v2/<name>/manifests/<tag> 201`. Lines are kept
once each, in order of the alphabet, since clients ask in parallel. RECORD=1 writes the file anew."""

import json
import os
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "e2e/recorded"
DIGEST = re.compile(r"\b(sha256|sha512)([:-]|%3A)[0-9a-f]{64,128}", re.IGNORECASE)
ROUTE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers|tags)/(?P<rest>[^?]*)")
SHOWN_PARAMETERS = ("n", "artifactType", "digest-algorithm")


class RecordingDiffers(Exception):
    """The client was answered otherwise than before; the text names the lines."""


def parameter(text):
    """A query parameter; its value only where it decides and does not vary."""
    key, equals, value = text.partition("=")
    return key + (equals + value if key in SHOWN_PARAMETERS else "")


def rest_of(kind, rest):
    if kind == "manifests":
        return rest if rest.startswith("<digest") else "<tag>"
    return "uploads/<session>" if rest.startswith("uploads/") and rest != "uploads/" else rest


def shape(method, uri, status):
    path, _, query = DIGEST.sub(lambda found: "<digest>" if found[2] != "-" else "<digest-tag>", uri).partition("?")
    route = ROUTE.fullmatch(path)
    if route:
        path = f"/v2/<name>/{route['kind']}/{rest_of(route['kind'], route['rest'])}"
    query = "&".join(sorted(map(parameter, query.split("&")))) if query else ""
    return f"{method} {path}{'?' + query if query else ''} {status}"


def lines_of(log_path):
    """Each answered request of the log, once. What was cut on the way is the network's."""
    entries = (json.loads(line) for line in log_path.read_text().splitlines() if line.startswith("{"))
    return sorted({shape(entry["method"], entry["uri"], entry["status"]) for entry in entries
                   if entry.get("msg") == "request" and not entry.get("cut")})


def compare(log_path, client, version):
    """Whether it was compared: the record of another version of the client says nothing."""
    file = FOLDER / f"{client}.txt"
    found = [f"# {version}", *lines_of(log_path)]
    if os.environ.get("RECORD"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text("\n".join(found) + "\n")
    wanted = file.read_text().splitlines()
    if wanted[0] != found[0]:
        print(f"note  not compared with {file.name}: recorded with {wanted[0][2:]}, here is {version}")
        return False
    gone, new = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if gone or new:
        raise RecordingDiffers("\n".join([f"{file.name}: the exchange differs from the record (RECORD=1 renews it)",
                                          *(f"  - {line}" for line in gone), *(f"  + {line}" for line in new)]))
    return True
