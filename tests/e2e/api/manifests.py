"""Pushing and pulling manifests (checklist section 7)."""

import json

from api.checks import (CONFIG_TYPE, LAYER_TYPE, UNKNOWN_DIGEST, check, expect, header_is, manifest_json, refused,
                        same)
from registry_client import (DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, OCTETS, descriptor, digest_of,
                             image_index, image_manifest, location_path)

CONFIG = b'{"architecture":"amd64"}'
LAYER = b"layer bytes"
MANIFEST_BYTES_MAX = 4 << 20


def with_blobs(context, name):
    """Pushes CONFIG and LAYER; their descriptors."""
    context.push(name, CONFIG)
    context.push(name, LAYER)
    return descriptor(CONFIG, CONFIG_TYPE), [descriptor(LAYER, LAYER_TYPE)]


def put(context, name, reference, body, media_type=OCI_MANIFEST):
    headers = {"Content-Type": media_type} if media_type else {}
    return context.ask("PUT", f"/v2/{name}/manifests/{reference}", headers, body)


@check("DIST-MAN-01", "DIST-MAN-02", "DIST-MAN-11", "DIST-MAN-30")
def exact_bytes_come_back(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    body = json.dumps({"zzz": [1, 2.50, "\u00e9"], "layers": layers, "schemaVersion": 2, "x": {"y": None},
                       "config": config}, indent=3, ensure_ascii=False).encode() + b"\n\n"
    answer = expect(put(context, name, "v1", body), 201)
    digest = digest_of(body)
    header_is(answer, "docker-content-digest", digest)
    same(location_path(answer), f"/v2/{name}/manifests/{digest}")
    for reference in ("v1", digest):
        answer = expect(context.client.get_manifest(name, reference), 200)
        same(answer.body, body)
        header_is(answer, "content-type", OCI_MANIFEST)
        header_is(answer, "content-length", str(len(body)))
        header_is(answer, "docker-content-digest", digest)
        header_is(answer, "etag", f'"{digest}"')


@check("DIST-MAN-03")
def wrong_digest_in_the_path(context):
    name = context.name()
    body = image_manifest(*with_blobs(context, name))
    refused(put(context, name, UNKNOWN_DIGEST, body), 400, "DIGEST_INVALID")
    expect(context.client.get_manifest(name, UNKNOWN_DIGEST), 404)
    expect(context.client.get_manifest(name, digest_of(body)), 404)


@check("DIST-MAN-04")
def push_by_digest_makes_no_tag(context):
    name = context.name()
    body = image_manifest(*with_blobs(context, name))
    expect(put(context, name, digest_of(body), body), 201)
    same(context.client.get_manifest(name, digest_of(body)).body, body)
    same(expect(context.ask("GET", f"/v2/{name}/tags/list"), 200).json()["tags"], [])


@check("DIST-MAN-05", "DIST-MAN-26")
def tag_moves(context):
    name = context.name()
    first, digest = context.push_image(name, "v1", annotations={"n": "1"})
    expect(put(context, name, "v1", first), 201)
    second, _ = context.push_image(name, "v1", annotations={"n": "2"})
    same(context.client.get_manifest(name, "v1").body, second)
    same(context.client.get_manifest(name, digest).body, first)


@check("DIST-MAN-06", "DIST-MAN-07", "DIST-MAN-08")
def media_type_from_header_or_body(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    typed = image_manifest(config, layers)
    plain = manifest_json(schemaVersion=2, config=config, layers=layers)
    index = manifest_json(schemaVersion=2, manifests=[])
    cases = ((typed, OCI_MANIFEST + "; charset=utf-8", OCI_MANIFEST), (plain, OCI_MANIFEST, OCI_MANIFEST),
             (typed, None, OCI_MANIFEST), (plain, None, OCI_MANIFEST), (index, None, OCI_INDEX),
             (index, OCI_INDEX, OCI_INDEX))
    for number, (body, sent, stored) in enumerate(cases):
        expect(put(context, name, f"t{number}", body, sent), 201)
        answer = context.client.get_manifest(name, f"t{number}")
        if number != 3:
            header_is(answer, "content-type", stored)
    refused(put(context, name, "bad", typed, OCI_INDEX), 400, "MANIFEST_INVALID")
    refused(put(context, name, "bad", manifest_json(schemaVersion=2), None), 400, "MANIFEST_INVALID")


@check("DIST-MAN-09", "DIST-MAN-10")
def malformed_manifests(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    good = image_manifest(config, layers)
    deep = good[:-1] + b',"deep":' + b"[" * 20000 + b"]" * 20000 + b"}"
    bodies = (b"", b"{", b"[]", b"null", b'"text"', good + b"x", good.replace(b'"schemaVersion":2', b'"schemaVersion":1'),
              good[:-1] + b',"manifests":[]}', good[:-1] + b',"config":{}}', good[:-1] + b',"u":"\xff\xfe"}', deep,
              manifest_json(schemaVersion=2, layers=layers),
              manifest_json(schemaVersion=2, config={"digest": "x"}, layers=[]),
              manifest_json(schemaVersion=2, config=[], layers=[]))
    for body in bodies:
        refused(put(context, name, "bad", body), 400, "MANIFEST_INVALID", "DIGEST_INVALID")
    for media_type in ("application/vnd.docker.distribution.manifest.v1+json", "text/plain", OCTETS,
                       "application/vnd.docker.distribution.manifest.v1+prettyjws",
                       "application/vnd.oci.artifact.manifest.v1+json"):
        body = manifest_json(schemaVersion=2, config=config, layers=layers)
        refused(put(context, name, "bad", body, media_type), 400, "MANIFEST_INVALID")
    expect(context.client.get_manifest(name, "bad"), 404)


@check("DIST-MAN-12")
def empty_lists_and_inline_data(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    expect(put(context, name, "nolayers", image_manifest(config, [])), 201)
    expect(put(context, name, "nochildren", image_index([]), OCI_INDEX), 201)
    import base64
    inline = dict(layers[0], data=base64.b64encode(LAYER).decode())
    expect(put(context, name, "data", image_manifest(config, [inline])), 201)
    wrong = dict(layers[0], data=base64.b64encode(b"other bytes").decode())
    refused(put(context, name, "wrong", image_manifest(config, [wrong])), 400, "MANIFEST_INVALID", "DIGEST_INVALID",
            "SIZE_INVALID")


@check("DIST-MAN-13", "DIST-DEC-06")
def missing_children_are_named(context):
    name = context.name()
    context.push_image(name, "exists")
    missing = [descriptor(b"missing 1", LAYER_TYPE), descriptor(b"missing 2", LAYER_TYPE)]
    answer = expect(put(context, name, "bad", image_manifest(descriptor(b"no config", CONFIG_TYPE), missing)), 400)
    same(answer.error_codes(), ["MANIFEST_BLOB_UNKNOWN"] * 3)
    for content in (b"missing 1", b"missing 2", b"no config"):
        assert digest_of(content) in answer.body.decode(), repr(answer)
    child = {"mediaType": OCI_MANIFEST, "digest": UNKNOWN_DIGEST, "size": 7}
    answer = expect(put(context, name, "bad", image_index([child]), OCI_INDEX), 400)
    same(answer.error_codes(), ["MANIFEST_BLOB_UNKNOWN"])
    elsewhere = context.name("elsewhere")
    context.push(elsewhere, CONFIG)
    body = image_manifest(descriptor(CONFIG, CONFIG_TYPE), [])
    expect(put(context, context.name("other"), "bad", body), 400)


@check("DIST-MAN-14")
def foreign_layers_and_subject_need_not_exist(context):
    name = context.name()
    config, _ = with_blobs(context, name)
    for media_type in ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                       "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"):
        layer = descriptor(b"far away", media_type, urls=["https://example.org/layer"])
        expect(put(context, name, "foreign", image_manifest(config, [layer])), 201)
    subject = {"mediaType": OCI_MANIFEST, "digest": UNKNOWN_DIGEST, "size": 7}
    expect(put(context, name, "subject", image_manifest(config, [], subject=subject)), 201)


@check("DIST-MAN-15")
def index_may_list_blobs(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    expect(put(context, name, "cache", image_index([*layers, config]), OCI_INDEX), 201)


@check("DIST-MAN-16")
def size_that_contradicts(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    wrong = [dict(layers[0], size=len(LAYER) + 1)]
    refused(put(context, name, "bad", image_manifest(config, wrong)), 400, "MANIFEST_INVALID", "SIZE_INVALID")


@check("DIST-MAN-17", "DIST-MAN-20")
def duplicates_and_free_types(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    expect(put(context, name, "twice", image_manifest(config, layers * 3)), 201)
    free = image_manifest(descriptor(CONFIG, "application/vnd.example.anything"),
                          [descriptor(CONFIG, "text/x-own"), descriptor(LAYER, "application/wasm")])
    expect(put(context, name, "free", free), 201)


@check("DIST-MAN-18", "DIST-MAN-19")
def large_manifests(context):
    name = context.name()
    config, layers = with_blobs(context, name)

    def padded(size):
        empty = image_manifest(config, layers, annotations={"pad": ""})
        return image_manifest(config, layers, annotations={"pad": "p" * (size - len(empty))})

    for size in (60 * 1024, 70 * 1024, 3900000, MANIFEST_BYTES_MAX):
        body = padded(size)
        expect(put(context, name, f"s{size}", [body[:1000], body[1000:]]), 201)
        expect(put(context, name, f"l{size}", body), 201)
        same(context.client.get_manifest(name, f"s{size}").body, body)
    refused(put(context, name, "big", padded(MANIFEST_BYTES_MAX + 1)), 413, "MANIFEST_INVALID", "SIZE_INVALID")
    body = padded(MANIFEST_BYTES_MAX + 1)
    try:
        refused(put(context, name, "big", [body]), 413, "MANIFEST_INVALID", "SIZE_INVALID")
    except ConnectionError:
        context.client.close()
    expect(context.client.get_manifest(name, "big"), 404)


@check("DIST-MAN-21")
def subject_is_confirmed(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    subject = {"mediaType": OCI_MANIFEST, "digest": UNKNOWN_DIGEST, "size": 7}
    for body, kind in ((image_manifest(config, layers, subject=subject), OCI_MANIFEST),
                       (image_index([], subject=subject), OCI_INDEX)):
        for reference in ("tagged", digest_of(body)):
            header_is(expect(put(context, name, reference, body, kind), 201), "oci-subject", UNKNOWN_DIGEST)
    header_is(expect(put(context, name, "none", image_manifest(config, layers)), 201), "oci-subject", None)


@check("DIST-MAN-22")
def malformed_subject(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    for subject in ({}, {"digest": "sha256:zz", "mediaType": OCI_MANIFEST, "size": 1}, "text", []):
        refused(put(context, name, "bad", image_manifest(config, layers, subject=subject)), 400, "MANIFEST_INVALID",
                "DIGEST_INVALID")
    docker = manifest_json(schemaVersion=2, mediaType=DOCKER_MANIFEST, config=config, layers=layers,
                           subject={"digest": UNKNOWN_DIGEST, "mediaType": OCI_MANIFEST, "size": 1})
    header_is(expect(put(context, name, "docker", docker, DOCKER_MANIFEST), 201), "oci-subject", None)


@check("DIST-MAN-24")
def tags_as_parameters(context):
    name = context.name()
    body = image_manifest(*with_blobs(context, name))
    tags = [f"t{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)
    answer = expect(put(context, name, f"{digest_of(body)}?{query}", body), 201)
    if answer.header("oci-tag") is None:
        return  # optional; then the parameters were unknown ones and ignored
    listed = [tag.strip() for value in answer.header_all("oci-tag") for tag in value.split(",")]
    same(sorted(listed), tags)
    same(context.ask("GET", f"/v2/{name}/tags/list").json()["tags"], tags)
    expect(put(context, name, f"{digest_of(body)}?tag=ok&tag=-bad", body), 400)
    expect(context.client.get_manifest(name, "ok"), 404)


@check("DIST-MAN-25")
def conditional_put(context):
    name = context.name()
    body, digest = context.push_image(name, "v1")
    other = image_manifest(*with_blobs(context, name), annotations={"other": "yes"})
    target = f"/v2/{name}/manifests/v1"
    headers = {"Content-Type": OCI_MANIFEST}
    answer = context.ask("PUT", target, {**headers, "If-None-Match": "*"}, other)
    if answer.status == 201:
        return  # optional
    expect(answer, 412)
    expect(context.ask("PUT", target, {**headers, "If-Match": f'"{UNKNOWN_DIGEST}"'}, other), 412)
    same(context.client.get_manifest(name, "v1").body, body)
    expect(context.ask("PUT", target, {**headers, "If-Match": f'"{digest}"'}, other), 201)
    same(context.client.get_manifest(name, "v1").body, other)


@check("DIST-MAN-31", "DIST-MAN-32", "DIST-MAN-33", "DIST-MAN-34", "DIST-DEC-03")
def accept_is_a_hint(context):
    name = context.name()
    body, digest = context.push_image(name, "v1")
    for accept in (OCI_INDEX, "text/html", "*/*;q=0.1, ,;;=", f"{DOCKER_MANIFEST};q=1.0, {DOCKER_LIST};q=0"):
        for reference in ("v1", digest):
            answer = expect(context.ask("GET", f"/v2/{name}/manifests/{reference}", {"Accept": accept}), 200)
            same(answer.body, body)
    head = f"GET /v2/{name}/manifests/v1 HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\nAccept: {OCI_MANIFEST}\r\n\r\n"
    context.client.send_raw(head.encode())
    same(expect(context.client.receive(), 200).body, body)


@check("DIST-MAN-20", "DIST-MAN-30")
def docker_types(context):
    name = context.name()
    config, layers = with_blobs(context, name)
    body = manifest_json(schemaVersion=2, mediaType=DOCKER_MANIFEST, config=config, layers=layers)
    expect(put(context, name, "v2", body, DOCKER_MANIFEST), 201)
    header_is(context.client.get_manifest(name, "v2"), "content-type", DOCKER_MANIFEST)
    child = {"mediaType": DOCKER_MANIFEST, "digest": digest_of(body), "size": len(body),
             "platform": {"os": "linux", "architecture": "amd64"}}
    fat = manifest_json(schemaVersion=2, mediaType=DOCKER_LIST, manifests=[child])
    expect(put(context, name, "list", fat, DOCKER_LIST), 201)
    answer = context.client.get_manifest(name, "list")
    header_is(answer, "content-type", DOCKER_LIST)
    same(answer.body, fat)


@check("DIST-MAN-35", "DIST-MAN-36")
def unknown_manifests(context):
    name = context.name()
    body, _ = context.push_image(name, "v1")
    blob = image_manifest(descriptor(CONFIG), [])
    context.push(name, blob)
    for reference in ("nope", UNKNOWN_DIGEST, digest_of(blob), digest_of(b"a layer")):
        refused(context.client.get_manifest(name, reference), 404, "MANIFEST_UNKNOWN")
    assert body


@check("DIST-MAN-37", "DIST-MAN-38", "DIST-CACHE-01")
def conditional_and_ranged_get(context):
    name = context.name()
    body, digest = context.push_image(name, "v1")
    target = f"/v2/{name}/manifests/v1"
    for value in (f'"{digest}"', digest, f'W/"{digest}"', f'"x", "{digest}"', "*"):
        answer = expect(context.ask("GET", target, {"If-None-Match": value}), 304)
        header_is(answer, "etag", f'"{digest}"')
        header_is(answer, "docker-content-digest", digest)
    same(expect(context.ask("GET", target, {"If-None-Match": '"x"'}), 200).body, body)
    same(expect(context.ask("GET", target, {"Range": "bytes=0-3"}), 200).body, body)


@check("DIST-HTTP-09")
def encoded_manifest_is_refused(context):
    name = context.name()
    body = image_manifest(*with_blobs(context, name))
    answer = context.ask("PUT", f"/v2/{name}/manifests/v1", {"Content-Type": OCI_MANIFEST,
                                                            "Content-Encoding": "gzip"}, body)
    refused(answer, 400, "MANIFEST_INVALID")
