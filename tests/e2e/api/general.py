"""Routing, ping, names, tags, digests, the form of errors (checklist sections 1 to 3 and 12)."""

import hashlib

from api.checks import UNKNOWN_DIGEST, check, expect, header_is, refused, same
from registry_client import OCI_MANIFEST, digest_of

INVALID_NAMES = ("A", "a..b", "a___b", "a._b", "-a", "a-", "a//b", "a/.b", "a/_b", "%C3%A9", "a/", "a/B")
VALID_NAMES = ("a-b", "a---b", "a__b", "a.b", "1/2/3", "proj/team/app/arm64")


@check("DIST-PING-03", "DIST-PING-04")
def ping_answers(context):
    answer = expect(context.ask("GET", "/v2/"), 200)
    same(answer.body, b"{}")
    header_is(answer, "content-type", "application/json")
    header_is(answer, "content-length", "2")


@check("DIST-GEN-01")
def routes_match_from_the_right(context):
    for suffix in ("manifests/b", "blobs/uploads", "tags/list", "blobs/x/uploads", "referrers/list"):
        name = context.name(suffix)
        body, digest = context.push_image(name, "latest")
        answer = expect(context.client.get_manifest(name, "latest"), 200)
        same(answer.body, body)
        listed = expect(context.ask("GET", f"/v2/{name}/tags/list"), 200).json()
        same((listed["name"], listed["tags"]), (name, ["latest"]))
        expect(context.client.get_blob(name, digest_of(b"a layer")), 200)
        expect(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 200)


@check("DIST-GEN-02")
def session_ids_are_no_route_words(context):
    location = context.open_upload(context.name()).split("?")[0]
    identifier = location.rsplit("/", 1)[1]
    assert len(identifier) >= 32, identifier


@check("DIST-GEN-03")
def path_is_decoded_once(context):
    name = context.name()
    digest = context.push(name, b"decoded")
    answer = expect(context.ask("GET", f"/v2/{name}/blobs/{digest.replace(':', '%3A')}"), 200)
    same(answer.body, b"decoded")
    # SEC-02 over DIST-GEN-03: a segment that decodes to one with a separator is refused, not split.
    expect(context.ask("GET", f"/v2/{name.replace('/', '%2F')}/blobs/{digest}"), 400)
    expect(context.ask("GET", f"/v2/{name}/blobs/{digest.replace(':', '%253A')}"), 400)


@check("DIST-GEN-04")
def no_redirect_for_path_cleaning(context):
    for target in ("/v2//a/tags/list", "/v2/a/../b/tags/list", "/v2/a/./b/tags/list", "/v2/a//b/tags/list"):
        refused(context.ask("GET", target), 400, "NAME_INVALID")
    refused(context.ask("POST", "/v2/a//b/blobs/uploads/"), 400, "NAME_INVALID")


@check("DIST-GEN-05")
def v2_without_slash_is_ping(context):
    with_slash, without = context.ask("GET", "/v2/"), expect(context.ask("GET", "/v2"), 200)
    same(without.body, with_slash.body)
    varying = ("x-request-id", "date")
    same([pair for pair in without.headers if pair[0] not in varying],
         [pair for pair in with_slash.headers if pair[0] not in varying])


@check("DIST-GEN-06")
def uploads_without_slash(context):
    expect(context.ask("POST", f"/v2/{context.name()}/blobs/uploads"), 202)


@check("DIST-GEN-07")
def unknown_query_parameters_are_ignored(context):
    name = context.name()
    body, digest = context.push_image(name, "v1")
    extra = "ns=docker.io&origin=x&account=y&utm_source=z"
    same(expect(context.ask("GET", f"/v2/{name}/manifests/v1?{extra}"), 200).body, body)
    expect(context.ask("GET", f"/v2/{name}/tags/list?{extra}"), 200)
    expect(context.ask("GET", f"/v2/{name}/referrers/{digest}?{extra}"), 200)
    expect(context.ask("GET", f"/v2/?{extra}"), 200)
    expect(context.ask("POST", f"/v2/{name}/blobs/uploads/?from=elsewhere&{extra}"), 202)


@check("DIST-GEN-08")
def wrong_method_is_405_with_allow(context):
    name = context.name()
    for method, target in (("POST", f"/v2/{name}/tags/list"), ("PUT", f"/v2/{name}/blobs/{UNKNOWN_DIGEST}"),
                           ("DELETE", f"/v2/{name}/tags/list"), ("PATCH", f"/v2/{name}/manifests/x"),
                           ("DELETE", "/v2/_catalog")):
        answer = refused(context.ask(method, target), 405, "UNSUPPORTED")
        assert "GET" in answer.header("allow", ""), repr(answer)


@check("DIST-GEN-09", "DIST-GEN-10", "DIST-GEN-11")
def every_answer_has_the_common_headers(context):
    name = context.name()
    for method, target in (("GET", "/v2/"), ("GET", f"/v2/{name}/tags/list"), ("GET", "/v2/_nope"),
                           ("GET", f"/v2/{name}/blobs/sha256:x"), ("POST", f"/v2/{name}/blobs/uploads/")):
        answer = context.ask(method, target, {"X-Request-Id": "abc-1.2_3"})
        header_is(answer, "docker-distribution-api-version", "registry/2.0")
        header_is(answer, "x-content-type-options", "nosniff")
        header_is(answer, "x-request-id", "abc-1.2_3")
    answer = context.ask("GET", "/v2/", {"X-Request-Id": "no spaces allowed"})
    assert answer.header("x-request-id") not in (None, "no spaces allowed")


@check("DIST-GEN-12", "DIST-ERR-06")
def head_is_get_without_body(context):
    name = context.name()
    _, digest = context.push_image(name, "v1")
    for target in (f"/v2/{name}/manifests/v1", f"/v2/{name}/manifests/{digest}",
                   f"/v2/{name}/blobs/{digest_of(b'a layer')}", f"/v2/{name}/manifests/nope",
                   f"/v2/{name}/blobs/{UNKNOWN_DIGEST}", f"/v2/{name}/tags/list", "/v2/"):
        got, head = context.ask("GET", target), context.ask("HEAD", target)
        same(head.status, got.status, target)
        for field in ("content-type", "content-length", "docker-content-digest", "etag", "accept-ranges"):
            same(head.header(field), got.header(field), f"{target} {field}")


@check("DIST-GEN-13")
def extension_space_is_404_json(context):
    answer = expect(context.ask("GET", "/v2/_unknown/thing"), 404)
    assert answer.error_codes(), repr(answer)


@check("DIST-GEN-15")
def refused_request_leaves_nothing(context):
    name = context.name()
    refused(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest=sha256:xyz", body=b"data"), 400, "DIGEST_INVALID")
    refused(context.client.put_manifest(name, "v1", b"not json"), 400, "MANIFEST_INVALID")
    refused(context.ask("GET", f"/v2/{name}/tags/list"), 404, "NAME_UNKNOWN")


@check("DIST-NAME-01", "DIST-NAME-02", "DIST-NAME-05", "DIST-NAME-07")
def grammar_of_names(context):
    for name in INVALID_NAMES:
        refused(context.ask("GET", f"/v2/{name}/tags/list"), 400, "NAME_INVALID")
    for name in VALID_NAMES:
        refused(context.ask("GET", f"/v2/{context.name(name)}/tags/list"), 404, "NAME_UNKNOWN")


@check("DIST-NAME-03")
def names_of_any_depth(context):
    name = context.name("/".join("abcdefghijklmnop"))
    body, _ = context.push_image(name, "deep")
    same(context.client.get_manifest(name, "deep").body, body)


@check("DIST-NAME-04")
def names_end_at_255_bytes(context):
    prefix = context.name("")
    longest = prefix + "x" * (255 - len(prefix))
    refused(context.ask("GET", f"/v2/{longest}/tags/list"), 404, "NAME_UNKNOWN")
    refused(context.ask("GET", f"/v2/{longest}x/tags/list"), 400, "NAME_INVALID")
    context.push_image(longest, "v1")
    # One component is a name of the default project, which counts too.
    alone = context.run_id.ljust(247, "x")
    context.push_image(alone, "v1")
    for more in ("y", "y" * 8):
        refused(context.client.put_blob(alone + more, b"x", digest_of(b"x")), 400, "NAME_INVALID")
        refused(context.client.start_upload(alone + more), 400, "NAME_INVALID")
    expect(context.client.get_manifest(alone, "v1"), 200)


@check("DIST-NAME-06")
def repository_appears_with_its_first_manifest(context):
    name = context.name()
    context.open_upload(name)
    context.push(name, b"only a blob")
    refused(context.ask("GET", f"/v2/{name}/tags/list"), 404, "NAME_UNKNOWN")
    context.push_image(name, "v1")
    expect(context.ask("GET", f"/v2/{name}/tags/list"), 200)


@check("DIST-TAG-01")
def tags_are_case_sensitive(context):
    name = context.name()
    lower, _ = context.push_image(name, "v1", annotations={"case": "lower"})
    upper, _ = context.push_image(name, "V1", annotations={"case": "upper"})
    same(context.client.get_manifest(name, "v1").body, lower)
    same(context.client.get_manifest(name, "V1").body, upper)
    context.push_image(name, "_" + "a" * 127)


@check("DIST-TAG-02")
def malformed_references(context):
    name = context.name()
    body, _ = context.push_image(name, "v1")
    for method in ("GET", "DELETE"):
        refused(context.ask(method, f"/v2/{name}/manifests/sha256:12"), 400, "DIGEST_INVALID")
        refused(context.ask(method, f"/v2/{name}/manifests/-bad"), 404, "MANIFEST_UNKNOWN")
    refused(context.client.put_manifest(name, "sha256:12", body), 400, "DIGEST_INVALID")
    refused(context.client.put_manifest(name, ".bad", body), 400, "MANIFEST_INVALID")
    refused(context.client.put_manifest(name, "a" * 129, body), 400, "MANIFEST_INVALID")


@check("DIST-TAG-03", "DIST-REF-13")
def tags_that_look_like_digests(context):
    name = context.name()
    for tag in ("sha256-" + "a" * 64, "sha256-" + "b" * 64 + ".sig", "sha512-" + "c" * 64):
        body, _ = context.push_image(name, tag)
        same(context.client.get_manifest(name, tag).body, body)
        expect(context.ask("DELETE", f"/v2/{name}/manifests/{tag}"), 202)
        expect(context.client.get_manifest(name, tag), 404)


@check("DIST-DIG-01", "DIST-DIG-02", "DIST-DIG-05")
def malformed_digests(context):
    name = context.name()
    for digest in ("sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 65, "sha512:" + "a" * 64, "sha256:"):
        refused(context.ask("GET", f"/v2/{name}/blobs/{digest}"), 400, "DIGEST_INVALID")
        refused(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 400, "DIGEST_INVALID")


@check("DIST-DIG-03", "DIST-DIG-06", "DIST-DIG-07", "DIST-REF-16")
def sha512_everywhere(context):
    name = context.name()
    content = b"named by sha512"
    digest = context.push(name, content, "sha512")
    answer = expect(context.client.get_blob(name, digest), 200)
    header_is(answer, "docker-content-digest", digest)
    manifest, _ = context.push_image(name, "v1")
    wide = digest_of(manifest, "sha512")
    answer = expect(context.client.put_manifest(name, wide, manifest), 201)
    header_is(answer, "docker-content-digest", wide)
    answer = expect(context.client.get_manifest(name, wide), 200)
    same(answer.body, manifest)
    header_is(answer, "docker-content-digest", wide)
    expect(context.ask("POST", f"/v2/{context.name('target')}/blobs/uploads/?mount={digest}&from={name}"), 201)
    referrer, _ = context.push_image(name, "ref", subject={"mediaType": OCI_MANIFEST, "digest": wide,
                                                           "size": len(manifest)})
    listed = expect(context.ask("GET", f"/v2/{name}/referrers/{wide}"), 200).json()["manifests"]
    same([entry["digest"] for entry in listed], [digest_of(referrer)])
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{wide}"), 202)


@check("DIST-DIG-04")
def unsupported_algorithms(context):
    name = context.name()
    digest = "blake3:" + "ab" * 32
    context.push_image(name, "v1")
    expect(context.ask("GET", f"/v2/{name}/blobs/{digest}"), 404)
    expect(context.ask("GET", f"/v2/{name}/manifests/{digest}"), 404)
    expect(context.ask("DELETE", f"/v2/{name}/blobs/{digest}"), 404)
    refused(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", body=b"x"), 400, "DIGEST_INVALID")
    refused(context.finish(context.open_upload(name), digest, b"x"), 400, "DIGEST_INVALID")
    listed = expect(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 200)
    same(listed.json()["manifests"], [])


@check("DIST-DIG-09")
def algorithm_is_settled_by_the_closing_put(context):
    name = context.name()
    content = b"0123456789" * 20000
    location = context.open_upload(name)
    expect(context.patch(location, content[:100000]), 202)
    digest = digest_of(content, "sha512")
    expect(context.finish(location, digest, content[100000:]), 201)
    same(hashlib.sha512(context.client.get_blob(name, digest).body).hexdigest(), digest[7:])
    location = context.open_upload(name, "?digest-algorithm=sha512")
    expect(context.patch(location, b"hinted"), 202)
    expect(context.finish(location, digest_of(b"hinted", "sha512")), 201)
    expect(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest-algorithm=crc32"), 400)


@check("DIST-DIG-10", "DIST-UPL-14")
def empty_blobs_are_ordinary(context):
    name = context.name()
    for content in (b"", b"{}"):
        digest = digest_of(content)
        expect(context.client.get_blob(name, digest), 404)
        expect(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", body=content), 201)
        answer = expect(context.client.get_blob(name, digest), 200)
        same(answer.body, content)
        header_is(answer, "content-length", str(len(content)))
        expect(context.ask("DELETE", f"/v2/{name}/blobs/{digest}"), 202)
        expect(context.ask("HEAD", f"/v2/{name}/blobs/{digest}"), 404)
        context.push(name, content)
        expect(context.ask("HEAD", f"/v2/{name}/blobs/{digest}"), 200)


@check("DIST-ERR-01", "DIST-ERR-02", "DIST-ERR-03", "DIST-ERR-04", "DIST-ERR-05")
def errors_have_one_form(context):
    name = context.name()
    for method, target in (("GET", f"/v2/{name}/blobs/{UNKNOWN_DIGEST}"), ("GET", f"/v2/{name}/nothing"),
                           ("GET", f"/v2/{name}/manifests/x"), ("GET", f"/v2/{name}/tags/list"),
                           ("PATCH", f"/v2/{name}/blobs/uploads/unknown"), ("GET", "/v2/UPPER/tags/list")):
        answer = context.ask(method, target)
        assert 400 <= answer.status < 500, repr(answer)
        header_is(answer, "content-type", "application/json")
        parsed = answer.json()
        assert "details" not in parsed and parsed["errors"], parsed
        for error in parsed["errors"]:
            assert error["code"].replace("_", "").isupper() and isinstance(error["message"], str), error
