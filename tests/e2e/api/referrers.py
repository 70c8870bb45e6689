"""The referrers API (checklist section 8)."""

from api.checks import CONFIG_TYPE, UNKNOWN_DIGEST, check, expect, header_is, refused, same
from registry_client import OCI_INDEX, OCI_MANIFEST, descriptor, digest_of, image_manifest, location_path

SBOM = "application/vnd.example.sbom+json"
SIGNATURE = "application/vnd.example.signature"


def referrers(context, name, digest, query=""):
    answer = expect(context.ask("GET", f"/v2/{name}/referrers/{digest}{query}"), 200)
    header_is(answer, "content-type", OCI_INDEX)
    body = answer.json()
    same((body["schemaVersion"], body["mediaType"]), (2, OCI_INDEX))
    assert isinstance(body["manifests"], list), body
    return answer, body["manifests"]


def subject_of(manifest, digest):
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(manifest)}


def push_three(context, name):
    """A subject with an SBOM (by artifactType), a signature (by config type) and an index; their digests."""
    manifest, digest = context.push_image(name, "subject")
    subject = subject_of(manifest, digest)
    _, sbom = context.push_image(name, None, artifactType=SBOM, subject=subject, annotations={"a": "1", "b": "2"})
    context.push(name, b"signature config")
    body = image_manifest(descriptor(b"signature config", SIGNATURE), [], subject=subject)
    expect(context.client.put_manifest(name, digest_of(body), body), 201)
    index, answer = context.push_index(name, "tagged", [], subject=subject)
    expect(answer, 201)
    return digest, {"sbom": sbom, "signature": digest_of(body), "index": digest_of(index)}


@check("DIST-REF-01", "DIST-REF-04", "DIST-DEC-04")
def no_referrers_is_an_empty_list(context):
    name = context.name()
    same(referrers(context, name, UNKNOWN_DIGEST)[1], [])
    _, digest = context.push_image(name, "v1")
    same(referrers(context, name, digest)[1], [])
    same(referrers(context, name, UNKNOWN_DIGEST)[1], [])


@check("DIST-REF-02", "DIST-REF-03", "DIST-REF-09", "DIST-REF-12")
def entries(context):
    name = context.name()
    digest, pushed = push_three(context, name)
    answer, found = referrers(context, name, digest)
    header_is(answer, "oci-filters-applied", None)
    by_digest = {entry["digest"]: entry for entry in found}
    same(set(by_digest), set(pushed.values()))
    sbom = by_digest[pushed["sbom"]]
    same(sbom["artifactType"], SBOM)
    same(sbom["annotations"], {"a": "1", "b": "2"})
    same(sbom["mediaType"], OCI_MANIFEST)
    same(sbom["size"], len(context.client.get_manifest(name, pushed["sbom"]).body))
    same(by_digest[pushed["signature"]]["artifactType"], SIGNATURE)
    assert "annotations" not in by_digest[pushed["signature"]], by_digest
    same(by_digest[pushed["index"]]["mediaType"], OCI_INDEX)
    assert "artifactType" not in by_digest[pushed["index"]], by_digest
    same([entry["digest"] for entry in referrers(context, name, digest)[1]], [entry["digest"] for entry in found])


@check("DIST-REF-05")
def malformed_digest(context):
    refused(context.ask("GET", f"/v2/{context.name()}/referrers/sha256:nope"), 400, "DIGEST_INVALID")


@check("DIST-REF-06")
def only_the_same_repository(context):
    one, two = context.name("one"), context.name("two")
    manifest, digest = context.push_image(one, "v1")
    context.push_image(two, "ref", subject=subject_of(manifest, digest))
    same(referrers(context, one, digest)[1], [])
    same(len(referrers(context, two, digest)[1]), 1)


@check("DIST-REF-07", "DIST-REF-08")
def filters(context):
    name = context.name()
    digest, pushed = push_three(context, name)
    for query in ("?artifactType=" + SBOM.replace("+", "%2B"), "?artifactType=" + SBOM):
        answer, found = referrers(context, name, digest, query)
        header_is(answer, "oci-filters-applied", "artifactType")
        same([entry["digest"] for entry in found], [pushed["sbom"]])
    answer, found = referrers(context, name, digest, "?artifactType=none/such")
    header_is(answer, "oci-filters-applied", "artifactType")
    same(found, [])
    answer, found = referrers(context, name, digest, "?artifactType=")
    header_is(answer, "oci-filters-applied", None)
    same(len(found), 3)
    _, found = referrers(context, name, digest, f"?artifactType={SIGNATURE}&artifactType={SBOM.replace('+', '%2B')}")
    same({entry["digest"] for entry in found}, {pushed["sbom"], pushed["signature"]})


@check("DIST-REF-09", "DIST-REF-10")
def deletes(context):
    name = context.name()
    digest, pushed = push_three(context, name)
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{pushed['sbom']}"), 202)
    same({entry["digest"] for entry in referrers(context, name, digest)[1]}, {pushed["signature"], pushed["index"]})
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 202)
    same({entry["digest"] for entry in referrers(context, name, digest)[1]}, {pushed["signature"], pushed["index"]})


@check("DIST-REF-11", "DIST-REF-12")
def pages(context):
    name = context.name()
    manifest, digest = context.push_image(name, "v1")
    config = b"{}"
    context.push(name, config)
    pushed = []
    for number in range(7):
        body = image_manifest(descriptor(config, CONFIG_TYPE), [], subject=subject_of(manifest, digest),
                              artifactType=SBOM if number % 2 else SIGNATURE, annotations={"n": str(number)})
        expect(context.client.put_manifest(name, digest_of(body), body), 201)
        pushed.append(digest_of(body))
    for filtered, wanted in (("", pushed), (f"&artifactType={SIGNATURE}", pushed[::2])):
        found, target = [], f"/v2/{name}/referrers/{digest}?n=2{filtered}"
        while target:
            answer = expect(context.ask("GET", target), 200)
            header_is(answer, "oci-filters-applied", "artifactType" if filtered else None)
            page = [entry["digest"] for entry in answer.json()["manifests"]]
            assert len(page) <= 2, page
            found += page
            link = answer.header("link")
            assert link is None or (link.startswith("</v2/") and link.endswith('>; rel="next"')), link
            target = link[1:link.index(">")] if link else None
        same(sorted(found), sorted(wanted))


@check("DIST-REF-13", "DIST-REF-15")
def fallback_tag_is_an_ordinary_tag(context):
    name = context.name()
    digest, pushed = push_three(context, name)
    tag = digest.replace(":", "-")
    body = context.client.get_manifest(name, pushed["sbom"]).body
    listed = [dict(descriptor(body, OCI_MANIFEST), artifactType=SBOM)]
    index, answer = context.push_index(name, tag, listed)
    expect(answer, 201)
    assert location_path(answer)
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{pushed['sbom']}"), 202)
    same(context.client.get_manifest(name, tag).body, index)
    same(len(referrers(context, name, digest)[1]), 2)
