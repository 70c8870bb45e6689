"""What is left to a registry, and how this one settles it: no redirects, CORS off, external URLs, odd connections."""

import http.client

import registry_process
from api.checks import check, expect, header_is, refused, same
from registry_client import OCI_MANIFEST, descriptor, digest_of

EXTERNAL_URL = "https://registry.example:8443/images"


@check("DIST-BLOB-04", "DIST-BLOB-20")
def nothing_is_redirected(context):
    name = context.name()
    _, digest = context.push_image(name, "v1")
    blob = f"/v2/{name}/blobs/{digest_of(b'a layer')}"
    session = context.open_upload(name)
    for method, path, status in (("HEAD", blob, 200), ("GET", blob, 200), ("HEAD", f"/v2/{name}/manifests/v1", 200),
                                 ("GET", f"/v2/{name}/manifests/{digest}", 200), ("GET", f"/v2/{name}/tags/list", 200),
                                 ("GET", f"/v2/{name}/referrers/{digest}", 200)):
        header_is(expect(context.ask(method, path), status), "location", None)
    expect(context.ask("GET", session), 204)


@check("DIST-DIG-08")
def one_digest_is_no_name_for_the_other(context):
    name = context.name()
    content = b"pushed under one digest " + name.encode()
    wide = context.push(name, content, "sha512")
    refused(context.client.get_blob(name, digest_of(content)), 404, "BLOB_UNKNOWN")
    narrow = context.push(name, content)
    expect(context.ask("DELETE", f"/v2/{name}/blobs/{wide}"), 202)
    same(expect(context.client.get_blob(name, narrow), 200).body, content)


@check("DIST-HTTP-05")
def an_upgrade_to_http2_is_ignored(context):
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    answer = expect(context.ask("GET", "/v2/", headers), 200)
    header_is(answer, "upgrade", None)
    same(answer.body, b"{}")


@check("DIST-CORS-01")
def without_cors_no_page_may_read(context):
    name = context.name()
    context.push_image(name, "v1")
    asked = {"Origin": "https://pages.example", "Access-Control-Request-Method": "GET"}
    for method, path in (("GET", "/v2/"), ("GET", f"/v2/{name}/manifests/v1"), ("GET", f"/v2/{name}/manifests/none"),
                         ("OPTIONS", f"/v2/{name}/manifests/v1")):
        answer = context.ask(method, path, asked)
        for header in ("allow-origin", "allow-methods", "allow-headers", "allow-credentials", "expose-headers"):
            header_is(answer, f"access-control-{header}", None)
    refused(context.ask("OPTIONS", f"/v2/{name}/manifests/v1", asked), 405, "UNSUPPORTED")


@check("DIST-MAN-23", "DIST-REF-09")
def a_chain_of_subjects_has_no_depth_limit(context):
    name = context.name()
    body, digest = context.push_image(name, "v1")
    for link in range(20):
        subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(body)}
        body, following = context.push_image(name, None, subject=subject, annotations={"link": str(link)})
        listed = expect(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 200).json()["manifests"]
        same([entry["digest"] for entry in listed], [following])
        digest = following


@check("DIST-REF-14")
def a_fall_back_tag_adds_nothing_and_hides_nothing(context):
    name = context.name()
    image, digest = context.push_image(name, "v1")
    subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(image)}
    referrer, referrer_digest = context.push_image(name, None, subject=subject, artifactType="application/x-test")
    plain, _ = context.push_image(name, None, artifactType="application/x-other")
    entries = [descriptor(referrer, OCI_MANIFEST), descriptor(plain, OCI_MANIFEST)]
    _, answer = context.push_index(name, digest.replace(":", "-"), entries)
    expect(answer, 201)
    listed = expect(context.ask("GET", f"/v2/{name}/referrers/{digest}"), 200).json()["manifests"]
    same([entry["digest"] for entry in listed], [referrer_digest])


@check("DIST-DEL-10")
def cancelling_an_upload_deletes_no_content(context):
    name = context.name()
    digest = context.push(name, b"kept " + name.encode())
    session = context.open_upload(name)
    expect(context.patch(session, b"kept"), 202)
    expect(context.ask("DELETE", session), 204)
    refused(context.ask("GET", session), 404, "BLOB_UPLOAD_UNKNOWN")
    expect(context.client.get_blob(name, digest), 200)


def path_below(prefix, location):
    assert location and location.startswith(prefix + "/v2/"), f"Location {location!r} does not begin with {prefix}/v2/"
    return location[len(prefix):]


@check("DIST-HTTP-20", "DIST-HTTP-21", "DIST-HTTP-22", "DIST-DEC-08", needs_process=True)
def an_external_url_keeps_its_port_and_its_prefix(context):
    name = context.name()
    header_is(context.ask("GET", "/v2/", {"Forwarded": "host=evil.example"}), "location", None)
    location = expect(context.client.start_upload(name), 202).header("location")
    assert location.startswith("/v2/"), f"not relative: {location}"
    claims = {"Forwarded": "proto=https;host=evil.example", "X-Forwarded-Host": "evil.example",
              "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    answer = expect(context.ask("POST", f"/v2/{name}/blobs/uploads/", claims), 202)
    assert answer.header("location").startswith("/v2/"), f"believes a stranger: {answer!r}"
    with registry_process.RegistryProcess(binary=context.server.binary, io=context.server.io,
                                          environment={"ORBITALREG_HTTP_EXTERNAL_URL": EXTERNAL_URL}) as server:
        behind = type(context)(server.http_addr, server)
        answer = expect(behind.client.start_upload(name), 202)
        session = path_below(EXTERNAL_URL, answer.header("location"))
        answer = expect(behind.finish(session, digest_of(b"x"), b"x"), 201)
        same(answer.header("location"), f"{EXTERNAL_URL}/v2/{name}/blobs/{digest_of(b'x')}")
        for tag in ("a", "b"):
            expect(behind.push_index(name, tag, [])[1], 201)
        link = behind.ask("GET", f"/v2/{name}/tags/list?n=1").header("link")
        path_below(f"<{EXTERNAL_URL}", link)


@check("DIST-HTTP-26")
def an_address_of_ip_version_6_may_stand_in_host(context):
    for host in ("[::1]:5000", "[2001:db8::1]", "registry.example:443"):
        connection = http.client.HTTPConnection(context.address, timeout=30)
        try:
            connection.request("GET", "/v2/", headers={"Host": host})
            same(connection.getresponse().status, 200, host)
        finally:
            connection.close()
