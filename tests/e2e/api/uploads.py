"""Pushing blobs: monolithic, chunked, streamed, resumed, cancelled, mounted (checklist sections 5 and 6)."""

import time

from api.checks import UNKNOWN_DIGEST, at_once, check, expect, header_is, refused, same
from registry_client import ConnectionEnded, digest_of, location_path, with_query
from seeded_content import content_digest, content_pieces, content_range

CANCEL_DEADLINE_S = 20
PIECES = (b"first chunk|", b"the second chunk|", b"third")


def upload_state(context, location):
    answer = expect(context.ask("GET", location), 204)
    assert answer.header("location") and answer.header("docker-upload-uuid"), repr(answer)
    return answer.header("range")


@check("DIST-UPL-01", "DIST-UPL-02", "DIST-UPL-04")
def opening_an_upload(context):
    for headers, body in (({}, None), ({"Content-Type": "application/json"}, b"ignored"), ({}, [])):
        answer = expect(context.ask("POST", f"/v2/{context.name()}/blobs/uploads/", headers, body), 202)
        header_is(answer, "range", "0-0")
        header_is(answer, "content-length", "0")
        assert answer.header("docker-upload-uuid"), repr(answer)
        assert location_path(answer).startswith(f"/v2/{context.name()}/blobs/uploads/"), repr(answer)


@check("DIST-UPL-03", "DIST-HTTP-24")
def location_survives_reencoding(context):
    location = context.open_upload(context.name())
    target = location + ("&" if "?" in location else "?") + "zz=1&digest=" + digest_of(b"x").replace(":", "%3A")
    expect(context.ask("PUT", target, body=b"x"), 201)


@check("DIST-UPL-05")
def no_minimum_chunk(context):
    header_is(context.client.start_upload(context.name()), "oci-chunk-min-length", None)


@check("DIST-UPL-06")
def session_belongs_to_its_repository(context):
    location = context.open_upload(context.name("one"))
    foreign = location.replace(context.name("one"), context.name("two"))
    refused(context.patch(foreign, b"abc"), 404, "BLOB_UPLOAD_UNKNOWN")
    expect(context.ask("GET", location), 204)


@check("DIST-UPL-10", "DIST-UPL-33", "DIST-HTTP-23")
def post_then_put(context):
    name = context.name()
    for size in (0, 1, 100, 65535, 65536, 65537, 5000000):
        content = content_range(f"{name}/{size}", 0, size)
        answer = expect(context.client.put_blob(name, content), 201)
        digest = digest_of(content)
        same(location_path(answer), f"/v2/{name}/blobs/{digest}")
        header_is(answer, "docker-content-digest", digest)
        header_is(answer, "content-length", "0")
        same(context.client.get_blob(name, digest).body, content, f"{size} bytes")


@check("DIST-UPL-11")
def single_post(context):
    name = context.name()
    for size in (1, 1000, 3000000):
        content = content_range(f"{name}/{size}", 0, size)
        digest = digest_of(content)
        answer = expect(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", body=content), 201)
        same(location_path(answer), f"/v2/{name}/blobs/{digest}")
        same(context.client.get_blob(name, digest).body, content)


@check("DIST-UPL-13")
def single_post_with_a_wrong_digest(context):
    name = context.name()
    for digest in ("sha256:zz", "md5:" + "a" * 32, UNKNOWN_DIGEST):
        refused(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", body=b"abc"), 400, "DIGEST_INVALID")
    expect(context.client.get_blob(name, digest_of(b"abc")), 404)
    expect(context.client.get_blob(name, UNKNOWN_DIGEST), 404)


def dies_within_its_body(context, method, target):
    """A request that has the session, and whose connection ends. False: another one still has it (DIST-UPL-37)."""
    with context.connect() as dying:
        dying.send_raw(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n"
                       "Expect: 100-continue\r\n\r\n".encode())
        status = dying.receive_head()[0]
        if status == 416:
            return False
        same(status, 100, "the request runs")
        dying.send_raw(b"y" * 300)
    return True


@check("DIST-UPL-15")
def short_body_leaves_the_truth(context):
    name = context.name()
    location = context.open_upload(name)
    expect(context.patch(location, b"x" * 1000), 202)
    deadline = time.monotonic() + CANCEL_DEADLINE_S
    for method in ("PATCH", "PUT"):
        target = with_query(location, digest=UNKNOWN_DIGEST) if method == "PUT" else location
        while not dies_within_its_body(context, method, target):
            assert time.monotonic() < deadline, "the session stays busy though its requests are gone"
    answer = context.patch(location, b"")
    while answer.status == 416:
        assert time.monotonic() < deadline, "the session stays busy though its requests are gone"
        answer = context.patch(location, b"")
    last = int(expect(answer, 202).header("range").split("-")[1])
    assert 999 <= last <= 1599, last
    same(upload_state(context, location), f"0-{last}")
    content = b"x" * 1000 + (b"y" * 600)[:last - 999]
    expect(context.finish(location, digest_of(content)), 201)
    same(context.client.get_blob(name, digest_of(content)).body, content)


@check("DIST-UPL-20", "DIST-UPL-21", "DIST-UPL-31", "DIST-UPL-32", "DIST-UPL-50")
def chunked_upload(context):
    name = context.name()
    location, offset = context.open_upload(name), 0
    for piece in PIECES[:2]:
        answer = expect(context.patch(location, piece, offset), 202)
        offset += len(piece)
        header_is(answer, "range", f"0-{offset - 1}")
        header_is(answer, "content-length", "0")
        assert answer.header("docker-upload-uuid"), repr(answer)
        location = location_path(answer)
        same(upload_state(context, location), f"0-{offset - 1}")
        same(upload_state(context, with_query(location, digest=UNKNOWN_DIGEST)), f"0-{offset - 1}")
    digest = digest_of(b"".join(PIECES))
    final = {"Content-Range": f"{offset}-{offset + len(PIECES[2]) - 1}"}
    expect(context.finish(location, digest, PIECES[2], final), 201)
    same(context.client.get_blob(name, digest).body, b"".join(PIECES))


@check("DIST-UPL-22", "DIST-UPL-23", "DIST-UPL-24")
def chunk_out_of_order(context):
    name = context.name()
    first = context.open_upload(name)
    second = location_path(expect(context.patch(first, PIECES[0], 0), 202))
    end = len(PIECES[0])
    for location, begin in ((second, end + 5), (second, 0), (first, 0), (second, end - 3)):
        answer = refused(context.patch(location, PIECES[1], begin), 416, "BLOB_UPLOAD_INVALID")
        header_is(answer, "range", f"0-{end - 1}")
        assert answer.header("location"), repr(answer)
        same(upload_state(context, first), f"0-{end - 1}")
    answer = context.finish(second, UNKNOWN_DIGEST, PIECES[1], {"Content-Range": f"{end + 1}-{end + len(PIECES[1])}"})
    refused(answer, 416, "BLOB_UPLOAD_INVALID")
    expect(context.patch(second, PIECES[1], end), 202)
    expect(context.finish(second, digest_of(b"".join(PIECES[:2]))), 201)


@check("DIST-UPL-25", "DIST-UPL-30")
def streamed_upload(context):
    name = context.name()
    for size in (10, 65536, 70000, 9 << 20):
        location = context.open_upload(name)
        pieces = content_pieces(f"{name}/{size}", 0, size, 50000)
        answer = expect(context.ask("PATCH", location, body=pieces), 202)
        header_is(answer, "range", f"0-{size - 1}")
        digest = content_digest(f"{name}/{size}", size)
        expect(context.finish(location_path(answer), digest), 201)
        same(digest_of(context.client.get_blob(name, digest).body), digest)


@check("DIST-UPL-26", "DIST-UPL-27")
def patch_without_bytes(context):
    location = context.open_upload(context.name())
    for body in (b"", []):
        header_is(expect(context.ask("PATCH", location, body=body), 202), "range", "0-0")
    header_is(expect(context.patch(location, b"x"), 202), "range", "0-0")
    header_is(expect(context.patch(location, b"y"), 202), "range", "0-1")
    header_is(expect(context.patch(location, b""), 202), "range", "0-1")


@check("DIST-UPL-28")
def length_that_contradicts_content_range(context):
    location = context.open_upload(context.name())
    for body in (b"abcdef", [b"abc", b"def"]):
        answer = context.ask("PATCH", location, {"Content-Range": "0-9"}, body)
        refused(answer, 400, "SIZE_INVALID")
        same(upload_state(context, location), "0-0")
    expect(context.patch(location, b"0123456789", 0), 202)
    expect(context.finish(location, digest_of(b"0123456789")), 201)


@check("DIST-UPL-29")
def malformed_content_range(context):
    location = context.open_upload(context.name())
    for value in ("abc", "5", "-", "9-3", "1-"):
        answer = context.ask("PATCH", location, {"Content-Range": value}, b"x")
        refused(answer, (400, 416), "BLOB_UPLOAD_INVALID")
    expect(context.ask("PATCH", location, {"Content-Range": "bytes 0-2/3"}, b"abc"), 202)
    expect(context.ask("PATCH", location, {"Content-Range": "bytes=3-5"}, b"def"), 202)


@check("DIST-UPL-34")
def closing_without_digest(context):
    location = context.open_upload(context.name())
    expect(context.patch(location, b"abc"), 202)
    refused(context.ask("PUT", location), 400, "DIGEST_INVALID")
    expect(context.finish(location, digest_of(b"abc")), 201)


@check("DIST-UPL-35", "DIST-DEC-07")
def closing_with_a_wrong_digest(context):
    name = context.name()
    for size in (100, 1 << 20):
        location = context.open_upload(name)
        content = content_range(f"{name}/{size}", 0, size)
        refused(context.finish(location, UNKNOWN_DIGEST, content), 400, "DIGEST_INVALID")
        expect(context.client.get_blob(name, UNKNOWN_DIGEST), 404)
        expect(context.client.get_blob(name, digest_of(content)), 404)
        refused(context.ask("GET", location), 404, "BLOB_UPLOAD_UNKNOWN")
        refused(context.patch(location, b"more"), 404, "BLOB_UPLOAD_UNKNOWN")


@check("DIST-UPL-36")
def closing_put_may_be_repeated(context):
    name = context.name()
    location = context.open_upload(name)
    digest = digest_of(b"twice")
    expect(context.finish(location, digest, b"twice"), 201)
    answer = expect(context.finish(location, digest), 201)
    header_is(answer, "docker-content-digest", digest)


@check("DIST-UPL-37")
def two_requests_on_one_session(context):
    name, size = context.name(), 4 << 20
    location = context.open_upload(name)
    body, span = content_range(name, 0, size), {"Content-Range": f"0-{size - 1}"}
    answers = at_once([context.connect() for _ in range(3)],
                      lambda client: client.request("PATCH", location, span, body).status)
    same(sorted(answers), [202, 416, 416])
    expect(context.finish(location, content_digest(name, size)), 201)


@check("DIST-UPL-38")
def same_content_committed_at_once(context):
    name, size = context.name(), 300000
    content = content_range(name, 0, size)
    answers = at_once([context.connect() for _ in range(4)], lambda client: client.put_blob(name, content).status)
    same(answers, [201] * 4)
    same(context.client.get_blob(name, digest_of(content)).body, content)


@check("DIST-UPL-39")
def unknown_sessions(context):
    name = context.name()
    for identifier in ("0" * 36, "AAAA" * 16):
        location = f"/v2/{name}/blobs/uploads/{identifier}"
        for method in ("GET", "PATCH", "DELETE"):
            refused(context.ask(method, location), 404, "BLOB_UPLOAD_UNKNOWN")
        refused(context.finish(location, digest_of(b"")), 404, "BLOB_UPLOAD_UNKNOWN")


@check("DIST-UPL-41")
def body_of_a_refused_request_is_never_a_request(context):
    body = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n" * 3
    refused(context.ask("PATCH", f"/v2/{context.name()}/blobs/uploads/{'0' * 36}", body=body), 404,
            "BLOB_UPLOAD_UNKNOWN")
    if context.client.socket:
        context.client.socket.settimeout(5)
        refused(context.ask("GET", f"/v2/{context.name()}/tags/list"), 404, "NAME_UNKNOWN")


@check("DIST-UPL-51", "DIST-UPL-52")
def cancelling(context):
    for size in (0, 100, 200000):
        location = context.open_upload(context.name())
        if size:
            expect(context.patch(location, b"z" * size), 202)
        expect(context.ask("DELETE", location), 204)
        refused(context.ask("GET", location), 404, "BLOB_UPLOAD_UNKNOWN")
        refused(context.patch(location, b"x"), 404, "BLOB_UPLOAD_UNKNOWN")
        refused(context.finish(location, digest_of(b"z" * size)), 404, "BLOB_UPLOAD_UNKNOWN")
        refused(context.ask("DELETE", location), 404, "BLOB_UPLOAD_UNKNOWN")


@check("DIST-UPL-53", "DIST-UPL-37")
def cancelling_beside_a_patch(context):
    """Either the cancel wins, and the PATCH ends with 404 or a reset; or the PATCH has the session, the cancel gets
    416 as any second request does, and wins as soon as the PATCH is gone."""
    name = context.name()
    location = context.open_upload(name)
    with context.connect() as busy:
        busy.send_raw(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode(), b"a" * 200000)
        first = expect(context.ask("DELETE", location), 204, 416)
        if first.status == 204:
            try:
                busy.send_raw(b"a" * 800000)
                expect(busy.receive("PATCH"), 404, 416)  # 416: it came while the cancel was under way
            except (ConnectionEnded, ConnectionError):
                pass
    deadline = time.monotonic() + CANCEL_DEADLINE_S
    while first.status == 416:
        assert time.monotonic() < deadline, "the session stays busy though its PATCH is gone"
        first = expect(context.ask("DELETE", location), 204, 416)
    refused(context.ask("GET", location), 404, "BLOB_UPLOAD_UNKNOWN")


@check("DIST-HTTP-02")
def expect_continue_is_answered_after_the_checks(context):
    name = context.name()
    location = context.open_upload(name)
    head = "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    context.client.send_raw(head.format(with_query(location, digest=digest_of(b"hello"))).encode())
    same(context.client.receive_head()[0], 100)
    context.client.send_raw(b"hello")
    expect(context.client.receive("PUT"), 201)
    refusing = head.format(f"/v2/{name}/blobs/uploads/{'0' * 36}?digest={digest_of(b'hello')}")
    context.client.send_raw(refusing.encode())
    status, _ = context.client.receive_head()
    same(status, 404)
    context.client.close()


@check("DIST-HTTP-09")
def content_encoding_is_refused(context):
    location = context.open_upload(context.name())
    answer = context.ask("PATCH", location, {"Content-Encoding": "gzip"}, b"abc")
    refused(answer, 400, "BLOB_UPLOAD_INVALID")
    expect(context.ask("PATCH", location, {"Content-Encoding": "identity"}, b"abc"), 202)


@check("DIST-MNT-01", "DIST-MNT-06", "DIST-MNT-07", "DIST-MNT-08", "DIST-MNT-09")
def mounting(context):
    source, target = context.name("deep/source"), context.name("target")
    content = content_range(source, 0, 500000)
    digest = context.push(source, content)
    for origin in (source, source.replace("/", "%2F"), source):
        answer = expect(context.ask("POST", f"/v2/{target}/blobs/uploads/?mount={digest}&from={origin}&origin=x"), 201)
        same(answer.header("location"), f"/v2/{target}/blobs/{digest}")
        header_is(answer, "docker-content-digest", digest)
        header_is(answer, "content-length", "0")
        same(context.client.get_blob(target, digest).body, content)
    expect(context.ask("DELETE", f"/v2/{source}/blobs/{digest}"), 202)
    expect(context.client.get_blob(source, digest), 404)
    same(context.client.get_blob(target, digest).body, content)


@check("DIST-MNT-02")
def mount_without_a_source_opens_a_session(context):
    target = context.name("target")
    for origin in (context.name("none"), "UPPER/invalid", ""):
        answer = expect(context.ask("POST", f"/v2/{target}/blobs/uploads/?mount={UNKNOWN_DIGEST}&from={origin}"), 202)
        expect(context.finish(location_path(answer), digest_of(b"plain"), b"plain"), 201)


@check("DIST-MNT-03")
def mount_of_a_malformed_digest(context):
    answer = context.ask("POST", f"/v2/{context.name()}/blobs/uploads/?mount=sha256:x&from={context.name()}")
    refused(answer, 400, "DIGEST_INVALID")


@check("DIST-MNT-04")
def mount_without_from(context):
    digest = context.push(context.name("source"), b"found by itself " + context.name().encode())
    expect(context.ask("POST", f"/v2/{context.name('target')}/blobs/uploads/?mount={digest}"), 201)
    expect(context.client.get_blob(context.name("target"), digest), 200)
    expect(context.ask("POST", f"/v2/{context.name('target')}/blobs/uploads/?mount={UNKNOWN_DIGEST}"), 202)


@check("DIST-MNT-11")
def mount_with_digest_falls_back_to_the_body(context):
    name, content = context.name(), b"not mounted but sent"
    digest = digest_of(content)
    target = f"/v2/{name}/blobs/uploads/?mount={digest}&from={context.name('none')}&digest={digest}"
    expect(context.ask("POST", target, body=content), 201)
    same(context.client.get_blob(name, digest).body, content)
