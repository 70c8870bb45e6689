"""Pulling blobs: whole, by range, conditionally (checklist sections 4 and 14)."""

from api.checks import UNKNOWN_DIGEST, check, expect, header_is, refused, same
from registry_client import digest_of
from seeded_content import content_range

SMALL = bytes(range(256)) * 4
LARGE_BYTES = 3 * (1 << 20) + 4321


def ranged(context, name, digest, value, **headers):
    return context.client.get_blob(name, digest, {"Range": value, **headers})


def both_sizes(context):
    """(name, digest, content) of a blob kept in the log and one kept in a lane."""
    for label, content in (("small", SMALL), ("large", content_range(context.name(), 0, LARGE_BYTES))):
        name = context.name(label)
        yield name, context.push(name, content), content


@check("DIST-BLOB-01", "DIST-BLOB-02", "DIST-BLOB-03", "DIST-BLOB-06", "DIST-HTTP-04")
def whole_blob(context):
    for name, digest, content in both_sizes(context):
        head = context.ask("HEAD", f"/v2/{name}/blobs/{digest}")
        got = expect(context.client.get_blob(name, digest), 200)
        same(got.body, content)
        for answer in (head, got):
            same(answer.status, 200)
            header_is(answer, "content-length", str(len(content)))
            header_is(answer, "docker-content-digest", digest)
            header_is(answer, "content-type", "application/octet-stream")
            header_is(answer, "accept-ranges", "bytes")
            header_is(answer, "transfer-encoding", None)


@check("DIST-BLOB-05")
def blob_of_another_repository_is_unknown(context):
    digest = context.push(context.name("one"), b"linked in one repository")
    refused(context.client.get_blob(context.name("two"), digest), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")
    expect(context.ask("HEAD", f"/v2/{context.name('two')}/blobs/{digest}"), 404)
    refused(context.client.get_blob(context.name("one"), UNKNOWN_DIGEST), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


@check("DIST-BLOB-07", "DIST-BLOB-08", "DIST-BLOB-09", "DIST-BLOB-10")
def single_ranges(context):
    for name, digest, content in both_sizes(context):
        size = len(content)
        cases = {"bytes=0-0": (0, 1), "bytes=10-19": (10, 20), "bytes=100-": (100, size), "bytes=-7": (size - 7, size),
                 f"bytes=-{size * 2}": (0, size), f"bytes={size - 5}-{size + 100}": (size - 5, size),
                 f"bytes=0-{size - 1}": (0, size), "bytes=513-1000": (513, 1001)}
        if size > 200000:
            cases.update({"bytes=65535-65536": (65535, 65537), "bytes=65536-131071": (65536, 131072),
                          "bytes=70000-1500000": (70000, 1500001), f"bytes={size - 1}-": (size - 1, size)})
        for value, (begin, end) in cases.items():
            answer = expect(ranged(context, name, digest, value), 206)
            same(answer.body, content[begin:end], value)
            header_is(answer, "content-range", f"bytes {begin}-{end - 1}/{size}")
            header_is(answer, "content-length", str(end - begin))
            header_is(answer, "docker-content-digest", digest)


@check("DIST-BLOB-09", "DIST-BLOB-11", "DIST-BLOB-12", "DIST-DEC-01")
def unsatisfiable_ranges(context):
    name = context.name()
    digest = context.push(name, SMALL)
    for value in (f"bytes={len(SMALL)}-", "bytes=99999-100000", "bytes=-0", "bytes=500-0"):
        answer = expect(ranged(context, name, digest, value), 416)
        if value != "bytes=500-0":
            header_is(answer, "content-range", f"bytes */{len(SMALL)}")


@check("DIST-BLOB-13")
def other_units_and_garbage_are_ignored(context):
    name = context.name()
    digest = context.push(name, SMALL)
    for value in ("items=0-5", "bytes", "bytes=abc", "bytes=1-2-3", "bytes=--5"):
        same(expect(ranged(context, name, digest, value), 200).body, SMALL)


@check("DIST-BLOB-14")
def several_ranges(context):
    for name, digest, content in both_sizes(context):
        answer = expect(ranged(context, name, digest, "bytes=100-199,0-9,150-160"), 206, 200, 400)
        if answer.status == 200:
            same(answer.body, content)
        if answer.status == 206:
            kind, _, boundary = answer.header("content-type").partition("; boundary=")
            same(kind, "multipart/byteranges")
            parts = answer.body.split(b"--" + boundary.strip('"').encode())[1:-1]
            ranges = [(100, 200), (0, 10), (150, 161)]
            same(len(parts), len(ranges))
            for part, (begin, end) in zip(parts, ranges):
                head, _, body = part.partition(b"\r\n\r\n")
                assert f"bytes {begin}-{end - 1}/{len(content)}".encode() in head, head
                same(body.removesuffix(b"\r\n"), content[begin:end])


@check("DIST-BLOB-15")
def absurd_sets_of_ranges_get_the_whole(context):
    name = context.name()
    digest = context.push(name, SMALL)
    same(expect(ranged(context, name, digest, "bytes=" + ",".join(["0-"] * 1200)), 200).body, SMALL)


@check("DIST-BLOB-16")
def if_range(context):
    name = context.name()
    digest = context.push(name, SMALL)
    expect(ranged(context, name, digest, "bytes=0-9", **{"If-Range": f'"{digest}"'}), 206)
    for value in ('"other"', "Wed, 21 Oct 2015 07:28:00 GMT"):
        expect(ranged(context, name, digest, "bytes=0-9", **{"If-Range": value}), 200)


@check("DIST-BLOB-17")
def range_on_head_is_ignored(context):
    name = context.name()
    digest = context.push(name, SMALL)
    answer = expect(context.ask("HEAD", f"/v2/{name}/blobs/{digest}", {"Range": "bytes=0-9"}), 200)
    header_is(answer, "content-length", str(len(SMALL)))


@check("DIST-BLOB-18")
def client_that_leaves_in_the_middle(context):
    name = context.name()
    content = content_range(context.name(), 0, 16 << 20)
    digest = context.push(name, content)
    for _ in range(20):
        with context.connect() as leaver:
            leaver.send("GET", f"/v2/{name}/blobs/{digest}", {"Range": "bytes=1000-"})
            same(leaver.receive_head()[0], 206)
            leaver.fill()
    same(digest_of(expect(context.client.get_blob(name, digest), 200).body), digest)


@check("DIST-BLOB-21", "DIST-HTTP-08")
def no_content_encoding(context):
    name = context.name()
    body, _ = context.push_image(name, "v1", layers=(b"a" * 5000,))
    encodings = {"Accept-Encoding": "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5"}
    answer = expect(context.client.get_blob(name, digest_of(b"a" * 5000), encodings), 200)
    same(answer.body, b"a" * 5000)
    header_is(answer, "content-encoding", None)
    answer = expect(context.ask("GET", f"/v2/{name}/manifests/v1", encodings), 200)
    same(answer.body, body)
    header_is(answer, "content-encoding", None)


@check("DIST-BLOB-23")
def manifest_bytes_are_no_blob(context):
    name = context.name()
    _, digest = context.push_image(name, "v1")
    refused(context.client.get_blob(name, digest), 404, "BLOB_UNKNOWN")


@check("DIST-CACHE-01", "DIST-CACHE-05")
def conditional_blob(context):
    name = context.name()
    digest = context.push(name, SMALL)
    header_is(context.client.get_blob(name, digest), "etag", f'"{digest}"')
    answer = expect(context.client.get_blob(name, digest, {"If-None-Match": f'"{digest}"', "Range": "bytes=0-1"}), 304)
    header_is(answer, "etag", f'"{digest}"')
    expect(context.client.get_blob(name, digest, {"If-None-Match": '"x"'}), 200)
    expect(context.client.get_blob(name, digest, {"If-Match": '"x"'}), 412)


@check("DIST-CACHE-02", "DIST-CACHE-03", "DIST-CACHE-04")
def cache_headers(context):
    name = context.name()
    _, digest = context.push_image(name, "v1")
    for target in (f"blobs/{digest_of(b'a layer')}", f"manifests/{digest}"):
        answer = expect(context.ask("GET", f"/v2/{name}/{target}"), 200)
        assert {"max-age=31536000", "immutable"} <= set(answer.header("cache-control", "").split(", ")), repr(answer)
        header_is(answer, "vary", "Authorization")
    for target in ("manifests/v1", "tags/list", f"referrers/{digest}", "manifests/none"):
        header_is(context.ask("GET", f"/v2/{name}/{target}"), "cache-control", "no-cache")
    header_is(context.client.start_upload(name), "cache-control", "no-store")
