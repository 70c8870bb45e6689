"""What a client may try that is no mistake: races, smuggled state, hostile text."""

import json
import re
import subprocess

from api.checks import CONFIG_TYPE, LAYER_TYPE, at_once, check, expect, header_is, refused, same
from registry_client import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, image_manifest


@check("SEC-04")
def tags_have_their_grammar(context):
    name = context.name()
    body, _ = context.push_image(name, "v1")
    longest = "a" + "-._Z9" * 25 + "zz"
    same(len(longest), 128)
    expect(context.client.put_manifest(name, longest, body), 201)
    expect(context.client.get_manifest(name, longest), 200)
    for tag in (longest + "a", "-a", ".a", "a%20b", "a+b", "%C3%A4", "a%0Ab"):
        refused(context.client.put_manifest(name, tag, body), 400, "MANIFEST_INVALID", "NAME_INVALID")
        answer = context.ask("GET", f"/v2/{name}/manifests/{tag}")
        refused(answer, (400, 404), "MANIFEST_UNKNOWN", "NAME_INVALID")
    for digest in ("sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32, "a:b"):
        refused(context.client.put_manifest(name, digest, body), 400, "DIGEST_INVALID")


@check("SEC-09", "SEC-34")
def a_session_that_closes_takes_no_more(context):
    name = context.name()
    outcomes = set()
    for number in range(20):
        first, late = f"first {number} ".encode() * 5000, b"late" * 5000
        location = expect(context.patch(context.open_upload(name), first), 202).header("location")
        closing = location + ("&" if "?" in location else "?") + f"digest={digest_of(first)}"
        asked = [("PUT", closing, None), ("PATCH", location, late)]
        answers = at_once([context.connect(), context.connect()],
                          lambda client, asked=asked: client.request(*one[:2], None, one[2]).status
                          if (one := asked.pop()) else None)
        outcomes.add(tuple(sorted(answers)))
        stored = context.client.get_blob(name, digest_of(first))
        same(stored.status in (200, 404), True, stored)
        if stored.status == 200:
            same(stored.body == first, True, "exactly the bytes that were hashed")
        same(201 in answers, stored.status == 200, answers)
    for outcome in outcomes:
        same(any(status in (400, 404, 416) for status in outcome), True, f"one of the two loses: {outcomes}")


@check("SEC-10")
def each_algorithm_is_verified_for_itself(context):
    name = context.name()
    content = b"one content, two names " + name.encode()
    context.push(name, content, "sha512")
    location = context.open_upload(name)
    refused(context.finish(location, digest_of(content + b"x"), content), 400, "DIGEST_INVALID")
    refused(context.client.get_blob(name, digest_of(content)), 404, "BLOB_UNKNOWN")
    expect(context.client.put_blob(name, content, digest_of(content)), 201)
    same(expect(context.client.get_blob(name, digest_of(content)), 200).body, content)


@check("SEC-12", "SEC-20")
def content_cannot_pose_as_a_page(context):
    name = context.name()
    page = b"<html><script>alert(1)</script></html>"
    digest = context.push(name, page)
    for headers in ({}, {"Accept": "text/html"}):
        answer = expect(context.ask("GET", f"/v2/{name}/blobs/{digest}", headers), 200)
        header_is(answer, "content-type", "application/octet-stream")
        header_is(answer, "x-content-type-options", "nosniff")
        header_is(answer, "content-security-policy", "default-src 'none'; sandbox")
    body, _ = context.push_image(name, "v1")
    answer = expect(context.ask("GET", f"/v2/{name}/manifests/v1", {"Accept": "text/html"}), 200)
    same(answer.body, body)
    header_is(answer, "content-type", OCI_MANIFEST)
    header_is(answer, "content-security-policy", "default-src 'none'; sandbox")


@check("SEC-21", "SEC-25")
def hostile_text_stays_text(context):
    name, other = context.name("one"), context.name("two")
    body, digest = context.push_image(name, "v1")
    hostile = "</script><b>\u202e\u0001\n\"'&"
    config = b"{}"
    for where in (name, other):
        context.push(where, config)
    referrer = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(config, LAYER_TYPE)], annotations={"x": hostile},
                              subject={"mediaType": OCI_MANIFEST, "digest": digest, "size": len(body)})
    expect(context.client.put_manifest(name, digest_of(referrer), referrer, OCI_MANIFEST), 201)
    answer = expect(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 200)
    same(json.loads(answer.body)["manifests"][0]["annotations"], {"x": hostile})
    assert b"\n" not in answer.body and b"\x01" not in answer.body, "control characters are escaped"
    header_is(answer, "x-content-type-options", "nosniff")
    # A subject never reaches into another repository.
    expect(context.client.put_manifest(other, digest_of(referrer), referrer, OCI_MANIFEST), 201)
    same(len(expect(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 200).json()["manifests"]), 1)


@check("SEC-30")
def deleted_here_is_gone_here(context):
    one, two = context.name("one"), context.name("two")
    content = b"in both " + one.encode()
    for name in (one, two):
        digest = context.push(name, content)
        expect(context.client.get_blob(name, digest), 200)
    expect(context.ask("DELETE", f"/v2/{one}/blobs/{digest}"), 202)
    for _ in range(3):
        refused(context.client.get_blob(one, digest), 404, "BLOB_UNKNOWN")
        expect(context.client.get_blob(two, digest), 200)  # fills every cache again
        context.push(two, content)
    refused(context.client.get_blob(one, digest), 404, "BLOB_UNKNOWN")


@check("SEC-37")
def nothing_is_believed_of_a_location(context):
    name = context.name()
    content = b"state lives on the server"
    location = expect(context.patch(context.open_upload(name), content[:10]), 202).header("location")
    joint = "&" if "?" in location else "?"
    for state in ("_state=eyJPZmZzZXQiOjB9", "offset=0", "_state=" + "A" * 2000, "uuid=other&startedat=2000"):
        header_is(expect(context.ask("GET", location + joint + state), 204), "range", "0-9")
    answer = expect(context.ask("PATCH", location + joint + "_state=x&offset=3", {"Content-Range": "10-24"}, content[10:]), 202)
    expect(context.finish(answer.header("location"), digest_of(content)), 201)


@check("SEC-06", needs_process=True)
def no_request_names_a_file(context):
    """What clients call things is nowhere on the disk, neither in the data directory nor beside it."""
    word = "sec06word"
    name = context.name(word)
    beside = {path.name for path in context.server.workspace.iterdir()}
    body, _ = context.push_image(name, word, annotations={"org.opencontainers.image.title": f"../{word}"})
    context.patch(context.open_upload(name), word.encode())
    for target in (f"/v2/{name}/../../{word}/tags/list", f"/v2/{name}/manifests/..%2f..%2f{word}", f"/v2/%2e%2e/{word}/blobs/uploads/",
                   f"/v2/{name}/blobs/sha256:..%2f{word}", f"/v2/{name}/blobs/uploads/..%2f{word}", f"/v2/{name}/blobs/uploads/{word}%00"):
        for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
            answer = context.ask(method, target, {"Content-Type": OCI_MANIFEST}, body if method != "GET" else None)
            same(400 <= answer.status < 500, True, f"{method} {target}: {answer!r}")
            context.client.close()
    found = [str(path.relative_to(context.server.data)) for path in context.server.data.rglob("*")]
    same(len(found) > 3, True, found)
    same([path for path in found if word in path.lower() or not re.fullmatch(r"[a-z0-9+./_-]+", path, re.IGNORECASE)], [], "files")
    same({path.name for path in context.server.workspace.iterdir()}, beside, "beside the data directory")


@check("SEC-24", needs_process=True)
def deep_and_circular_graphs_cost_nothing(context):
    """Indexes in indexes, subjects of subjects, an index under a tag that its own child carries: each question about them is
    answered, and collection, deletion and a check of the store get through."""
    name, depth = context.name(), 300
    body, digest = context.push_image(name, "bottom")
    layer = digest_of(b"a layer")
    nested = descriptor(body, OCI_MANIFEST)
    for _ in range(depth):
        index, answer = context.push_index(name, "moving", [nested])
        expect(answer, 201)
        nested = descriptor(index, OCI_INDEX)
    chain = subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(body)}
    for _ in range(depth):
        link, found = context.push_image(name, None, subject=subject)
        subject = {"mediaType": OCI_MANIFEST, "digest": found, "size": len(link)}
    ring = context.push_index(name, "bottom", [descriptor(body, OCI_MANIFEST)], subject=subject)[0]
    same(len(expect(context.ask("GET", f"/v2/{name}/referrers/{subject['digest']}"), 200).json()["manifests"]), 1, "the end")
    same(len(expect(context.ask("GET", f"/v2/{name}/referrers/{chain['digest']}"), 200).json()["manifests"]), 1, "the beginning")
    told = expect(context.ask("GET", f"/api/v1/system/gc/{layer}"), 200).json()
    same(told["state"], "held", "a layer 300 indexes deep")
    expect(context.ask("POST", "/api/v1/system/gc"), 200, 202)
    expect(context.client.get_manifest(name, "moving"), 200)
    for reference in (nested["digest"], digest_of(ring), digest):
        expect(context.ask("DELETE", f"/v2/{name}/manifests/{reference}"), 202)
    expect(context.ask("POST", "/api/v1/system/gc"), 200, 202)
    expect(context.ask("GET", f"/v2/{name}/referrers/{chain['digest']}"), 200)
    context.server.stop()
    checked = subprocess.run([context.server.binary, "fsck", "--level", "deep", str(context.server.data)], capture_output=True,
                             text=True, timeout=300, check=False)
    context.server.start()
    context.client.close()
    same(checked.returncode, 0, checked.stdout[-300:])
    expect(context.client.get_manifest(name, subject["digest"]), 200)
