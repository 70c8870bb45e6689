"""What a restart of the server must not change (DIST-UPL-07, DIST-UPL-42, DIST-MAN-26, DIST-HTTP-11)."""

from api.checks import check, expect, refused, same
from registry_client import digest_of, with_query
from seeded_content import content_digest, content_range


def prepare(context, label):
    """Open sessions at several offsets, a finished one, a cancelled one, an image with a referrer."""
    name = context.name(label)
    made = {"name": name, "sessions": {}}
    for size in (0, 1, 100, 4096, 65536, 65537, 300001, 5 << 20):
        location = context.open_upload(name)
        if size:
            expect(context.patch(location, content_range(f"{name}/{size}", 0, size)), 202)
        made["sessions"][size] = location
    made["finished"] = context.open_upload(name)
    expect(context.finish(made["finished"], digest_of(b"finished"), b"finished"), 201)
    made["cancelled"] = context.open_upload(name)
    expect(context.patch(made["cancelled"], b"cancelled"), 202)
    expect(context.ask("DELETE", made["cancelled"]), 204)
    made["image"], made["digest"] = context.push_image(name, "v1", layers=(content_range(name, 0, 700000),))
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": made["digest"],
               "size": len(made["image"])}
    _, made["referrer"] = context.push_image(name, None, subject=subject, artifactType="application/x-test")
    context.push_image(name, "deleted", layers=(b"gone",))
    expect(context.ask("DELETE", f"/v2/{name}/manifests/deleted"), 202)
    return made


def verify(context, made):
    name = made["name"]
    for size, location in made["sessions"].items():
        answer = expect(context.ask("GET", location), 204)
        same(answer.header("range"), f"0-{max(size - 1, 0)}", f"session of {size} bytes")
        end = size + 70001
        expect(context.patch(location, content_range(f"{name}/{size}", size, end), size), 202)
        digest = content_digest(f"{name}/{size}", end)
        expect(context.finish(location, digest), 201)
        same(digest_of(expect(context.client.get_blob(name, digest), 200).body), digest)
    expect(context.ask("PUT", with_query(made["finished"], digest=digest_of(b"finished"))), 201)
    refused(context.ask("GET", made["cancelled"]), 404, "BLOB_UPLOAD_UNKNOWN")
    for reference in ("v1", made["digest"]):
        same(context.client.get_manifest(name, reference).body, made["image"])
    layer = content_digest(name, 700000)
    same(digest_of(expect(context.client.get_blob(name, layer), 200).body), layer)
    listed = expect(context.ask("GET", f"/v2/{name}/referrers/{made['digest']}"), 200).json()["manifests"]
    same([entry["digest"] for entry in listed], [made["referrer"]])
    same(context.ask("GET", f"/v2/{name}/tags/list").json()["tags"], ["v1"])


@check("DIST-UPL-07", "DIST-UPL-42", "DIST-MAN-26", needs_process=True)
def everything_survives_kill(context):
    made = prepare(context, "kill")
    context.server.kill()
    context.client.close()
    context.server.start()
    verify(context, made)


@check("DIST-UPL-07", "DIST-HTTP-11", needs_process=True)
def everything_survives_a_graceful_stop(context):
    made = prepare(context, "stop")
    context.client.close()
    context.server.restart()
    verify(context, made)


@check("DIST-HTTP-11", needs_process=True)
def graceful_stop_lets_a_running_request_end(context):
    name = context.name()
    content = content_range(name, 0, 2 << 20)
    location = context.open_upload(name)
    target = with_query(location, digest=digest_of(content))
    with context.connect() as client:
        client.send_raw(f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
                        "Expect: 100-continue\r\n\r\n".encode())
        same(client.receive_head()[0], 100, "the request runs: it is more than a connection with bytes to read")
        client.send_raw(content[:1 << 20])
        context.server.process.terminate()
        client.send_raw(content[1 << 20:])
        expect(client.receive("PUT"), 201)
    context.client.close()
    same(context.server.process.wait(60), 0, "exit status")
    context.server.start()
    same(context.client.get_blob(name, digest_of(content)).body, content)
