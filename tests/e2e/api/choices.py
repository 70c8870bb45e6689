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


def server_with(context, **settings):
    return registry_process.RegistryProcess(binary=context.server.binary, io=context.server.io, environment={
        f"ORBITALREG_{name}": text for name, text in settings.items()})


@check("DIST-HTTP-20", "DIST-HTTP-21", "DIST-HTTP-22", "SEC-80", needs_process=True)
def a_trusted_proxy_is_believed(context):
    name = context.name()
    cases = (({"Forwarded": 'proto=https;host="r.example:8443"'}, "https://r.example:8443"),
             ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "r.example"}, "https://r.example"),
             ({"X-Forwarded-Proto": "https", "Host": "r.example:8443"}, "https://r.example:8443"),
             ({"X-Forwarded-Prefix": "/images"}, "/images"),
             ({"X-Forwarded-Host": "r.example/evil?"}, ""),
             ({}, ""))
    with server_with(context, HTTP_TRUSTED_PROXIES="10.0.0.0/8, 127.0.0.1",
                     HTTP_LIMITS_CONNECTIONS_PER_ADDRESS="1") as server:
        behind, another = (type(context)(server.http_addr, server) for _ in range(2))
        expect(another.ask("GET", "/v2/"), 200)  # a second connection of the proxy's address
        for claims, base in cases:
            answer = expect(behind.ask("POST", f"/v2/{name}/blobs/uploads/", claims), 202)
            assert answer.header("location").startswith(base + "/v2/"), (claims, answer)
        expect(behind.ask("GET", "/v2/", {"X-Forwarded-For": "198.51.100.66, 203.0.113.9, 10.1.2.3"}), 200)
        expect(behind.ask("GET", "/v2/"), 200)  # the line of the request before is written
        log = server.log_path.read_text()
        assert '"remote_ip":"203.0.113.9"' in log and "198.51.100.66" not in log, log[-2000:]
        behind.push_image(name, "v1")
        behind.push_image(name, "v2")
        page = expect(behind.ask("GET", f"/v2/{name}/tags/list?n=1", {"X-Forwarded-Host": "r.example"}), 200)
        assert page.header("link").startswith(f"<http://r.example/v2/{name}/tags/list?"), page


@check("DIST-CORS-01", "DIST-CORS-02", "DIST-CORS-03", "SEC-104", needs_process=True)
def pages_of_listed_origins_may_read(context):
    name = context.name()
    ours, theirs = {"Origin": "https://pages.example"}, {"Origin": "https://evil.example"}
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    with server_with(context, HTTP_CORS_ORIGINS="https://pages.example,http://localhost:3000") as server:
        on = type(context)(server.http_addr, server)
        on.push_image(name, "v1")
        for path, status in (("/v2/", 200), (f"/v2/{name}/manifests/v1", 200), (f"/v2/{name}/manifests/none", 404)):
            answer = expect(on.ask("GET", path, ours), status)
            header_is(answer, "access-control-allow-origin", "https://pages.example")
            header_is(answer, "access-control-allow-credentials", None)
            assert "Docker-Content-Digest" in answer.header("access-control-expose-headers")
            assert "Origin" in answer.header_all("vary"), answer
            answer = expect(on.ask("GET", path, theirs), status)
            header_is(answer, "access-control-allow-origin", None)
            assert "Origin" in answer.header_all("vary"), answer
        for origin in ("null", "*", "https://pages.example.evil.example", "http://pages.example", "https://PAGES.example"):
            header_is(on.ask("GET", "/v2/", {"Origin": origin}), "access-control-allow-origin", None)
        preflight = expect(on.ask("OPTIONS", f"/v2/{name}/manifests/v1", {**ours, **asked}), 204)
        header_is(preflight, "access-control-allow-origin", "https://pages.example")
        header_is(preflight, "access-control-allow-methods", "GET, HEAD, OPTIONS, DELETE")
        header_is(preflight, "access-control-max-age", "600")
        assert "Authorization" in preflight.header("access-control-allow-headers")
        refused(on.ask("OPTIONS", f"/v2/{name}/manifests/v1", {**theirs, **asked}), 405, "UNSUPPORTED")
        refused(on.ask("OPTIONS", f"/v2/{name}/manifests/v1", ours), 405, "UNSUPPORTED")
    with server_with(context, HTTP_CORS_ORIGINS="https://pages.example", HTTP_CORS_WRITING="true") as server:
        preflight = type(context)(server.http_addr, server).ask("OPTIONS", "/v2/", {**ours, **asked})
        header_is(preflight, "access-control-allow-methods", "GET, HEAD, OPTIONS, DELETE, POST, PUT, PATCH")


@check("DIST-DEL-06", needs_process=True)
def deletion_can_be_switched_off(context):
    name = context.name()
    with server_with(context, DEFAULTS_DELETION="false") as server:
        kept = type(context)(server.http_addr, server)
        _, digest = kept.push_image(name, "v1")
        blob = digest_of(b"kept")
        expect(kept.client.put_blob(name, b"kept", blob), 201)
        for path in (f"manifests/{digest}", "manifests/v1", f"blobs/{blob}"):
            answer = kept.ask("DELETE", f"/v2/{name}/{path}")
            refused(answer, 405, "UNSUPPORTED")
            assert "DELETE" not in answer.header("allow"), answer
            expect(kept.ask("GET", f"/v2/{name}/{path}"), 200)
        location = expect(kept.client.start_upload(name), 202).header("location")
        expect(kept.ask("DELETE", location), 204)


@check("DIST-RATE-01", "DIST-RATE-03", "DIST-WARN-01", "DIST-WARN-03", "SEC-109", needs_process=True)
def pulls_of_an_address_are_limited(context):
    name = context.name()
    with server_with(context, HTTP_LIMITS_PULLS="10", HTTP_LIMITS_PULL_WINDOW="1h") as server:
        limited = type(context)(server.http_addr, server)
        _, digest = limited.push_image(name, "v1")
        for left in range(10, 0, -1):
            for _ in range(2):
                head = expect(limited.ask("HEAD", f"/v2/{name}/manifests/v1"), 200)
                header_is(head, "ratelimit-remaining", f"{left};w=3600")
            answer = expect(limited.ask("GET", f"/v2/{name}/manifests/{'v1' if left % 2 else digest}"), 200)
            header_is(answer, "ratelimit-limit", "10;w=3600")
            header_is(answer, "ratelimit-remaining", f"{left - 1};w=3600")
            warning = f'299 - "{left - 1} of 10 pulls are left to this address"' if left <= 2 else None
            header_is(answer, "warning", warning)
        answer = limited.ask("GET", f"/v2/{name}/manifests/v1")
        refused(answer, 429, "TOOMANYREQUESTS")
        assert 1 <= int(answer.header("retry-after")) <= 3600, answer
        header_is(answer, "ratelimit-remaining", "0;w=3600")
        limited.push_image(name, "v2")
        expect(limited.ask("GET", f"/v2/{name}/tags/list"), 200)


@check("DIST-RATE-01", "DIST-RATE-02", "DIST-PING-07", "SEC-109", needs_process=True)
def requests_of_an_address_are_limited_but_uploads_go_on(context):
    name = context.name()
    with server_with(context, HTTP_LIMITS_REQUESTS_PER_SECOND="1") as server:
        limited = type(context)(server.http_addr, server)
        location = expect(limited.client.start_upload(name), 202).header("location")
        answers = [limited.ask("GET", f"/v2/{name}/tags/list") for _ in range(50)]
        late = [answer for answer in answers if answer.status == 429]
        assert len(late) >= 30, [answer.status for answer in answers]
        refused(late[0], 429, "TOOMANYREQUESTS")
        assert int(late[0].header("retry-after")) >= 1, late[0]
        for _ in range(50):
            expect(limited.ask("GET", "/v2/"), 200)
        content = b"pieces of an upload are not refused" * 50
        for at in range(0, len(content), 70):
            location = expect(limited.patch(location, content[at:at + 70]), 202).header("location")
        expect(limited.finish(location, digest_of(content)), 201)
