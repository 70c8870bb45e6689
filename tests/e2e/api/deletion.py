"""Deletion (checklist section 11)."""

from api.checks import UNKNOWN_DIGEST, check, expect, header_is, refused, same
from registry_client import OCI_MANIFEST, descriptor, digest_of


@check("DIST-DEL-02")
def deleting_a_tag_keeps_the_manifest(context):
    name = context.name()
    body, digest = context.push_image(name, "one")
    expect(context.client.put_manifest(name, "two", body), 201)
    answer = expect(context.ask("DELETE", f"/v2/{name}/manifests/one"), 202)
    header_is(answer, "content-length", "0")
    refused(context.client.get_manifest(name, "one"), 404, "MANIFEST_UNKNOWN")
    same(context.client.get_manifest(name, "two").body, body)
    same(context.client.get_manifest(name, digest).body, body)


@check("DIST-DEL-03")
def deleting_what_is_not_there(context):
    name = context.name()
    refused(context.ask("DELETE", f"/v2/{name}/manifests/v1"), 404, "NAME_UNKNOWN")
    _, digest = context.push_image(name, "v1")
    refused(context.ask("DELETE", f"/v2/{name}/manifests/v2"), 404, "MANIFEST_UNKNOWN")
    refused(context.ask("DELETE", f"/v2/{name}/manifests/{UNKNOWN_DIGEST}"), 404, "MANIFEST_UNKNOWN")
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 202)
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 404)


@check("DIST-DEL-04", "DIST-DEL-11")
def deleting_a_blob(context):
    one, two = context.name("one"), context.name("two")
    digest = context.push(one, b"shared " + one.encode())
    context.push(two, b"shared " + one.encode())
    answer = expect(context.ask("DELETE", f"/v2/{one}/blobs/{digest}"), 202)
    header_is(answer, "content-length", "0")
    expect(context.client.get_blob(one, digest), 404)
    expect(context.ask("HEAD", f"/v2/{one}/blobs/{digest}"), 404)
    expect(context.client.get_blob(two, digest), 200)
    refused(context.ask("DELETE", f"/v2/{one}/blobs/{digest}"), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")


@check("DIST-DEL-05", "DIST-DEC-05")
def blob_in_use_is_kept(context):
    name = context.name()
    _, digest = context.push_image(name, "v1")
    layer = digest_of(b"a layer")
    answer = refused(context.ask("DELETE", f"/v2/{name}/blobs/{layer}"), 405, "UNSUPPORTED")
    assert digest in answer.body.decode(), f"names no referencing manifest: {answer!r}"
    expect(context.client.get_blob(name, layer), 200)
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 202)
    expect(context.ask("DELETE", f"/v2/{name}/blobs/{layer}"), 202)
    expect(context.client.get_blob(name, layer), 404)


@check("DIST-DEL-07")
def child_of_an_index_may_go(context):
    name = context.name()
    body, digest = context.push_image(name, None)
    index, answer = context.push_index(name, "list", [descriptor(body, OCI_MANIFEST)])
    expect(answer, 201)
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 202)
    expect(context.client.get_manifest(name, digest), 404)
    same(context.client.get_manifest(name, "list").body, index)


@check("DIST-DEL-08")
def push_again_after_delete(context):
    name = context.name()
    for _ in range(3):
        body, digest = context.push_image(name, "v1")
        same(context.client.get_manifest(name, "v1").body, body)
        expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 202)
        expect(context.ask("DELETE", f"/v2/{name}/blobs/{digest_of(b'a layer')}"), 202)
