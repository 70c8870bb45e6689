"""HTTP framing: what a server must do with it, and must refuse (checklist section 15; SEC-72 to SEC-76)."""

from api.checks import check, expect, refused, same
from registry_client import ConnectionEnded, digest_of


def raw(context, text, body=b""):
    """The answer to raw bytes, and whether the connection was closed behind it."""
    with context.connect() as client:
        client.send_raw(text.encode("latin-1") + body)
        answer = client.receive("GET")
        if client.socket is None:
            return answer, True
        client.socket.settimeout(3)
        try:
            client.fill()
            return answer, False
        except (ConnectionEnded, ConnectionError):
            return answer, True
        except TimeoutError:
            return answer, False


def refused_and_closed(context, text, body=b""):
    answer, closed = raw(context, text, body)
    assert answer.status in (400, 501), f"{text!r}: {answer!r}"
    assert closed, f"connection kept open after {text!r}"


@check("DIST-HTTP-03", "SEC-72")
def ambiguous_lengths(context):
    head = "POST /v2/a/b/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n"
    for fields in ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                   "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
                   "Content-Length: +5\r\n", "Content-Length: -5\r\n", "Content-Length: 5, 5\r\n",
                   "Content-Length: 0x5\r\n", "Content-Length: 5 5\r\n", "Content-Length: 9223372036854775808\r\n",
                   "Content-Length: \r\n", "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n",
                   "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: xchunked\r\n",
                   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"):
        refused_and_closed(context, head + fields + "\r\n", b"5\r\nhello\r\n0\r\n\r\n")
    refused_and_closed(context, "POST /v2/a/b/blobs/uploads/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                       b"0\r\n\r\n")


@check("DIST-HTTP-03", "SEC-73")
def malformed_header_lines(context):
    for fields in ("X: a\r\n b\r\n", "X : a\r\n", ": a\r\n", "X: a\x00b\r\n", "X: a\rb\r\n", "X: a\nY: b\r\n", "X: \x01\r\n"):
        refused_and_closed(context, "GET /v2/ HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n")


@check("SEC-74")
def duplicate_fields(context):
    for fields in ("Host: x\r\nHost: y\r\n", "Host: x\r\nRange: bytes=0-1\r\nRange: bytes=0-1\r\n",
                   "Host: x\r\nAuthorization: a\r\nAuthorization: b\r\n", "", "Host: a b\r\n",
                   "Host: x\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n",
                   "Host: x\r\nContent-Range: 0-1\r\nContent-Range: 0-1\r\n"):
        refused_and_closed(context, "GET /v2/ HTTP/1.1\r\n" + fields + "\r\n")


@check("SEC-75")
def trailers_decide_nothing(context):
    location = context.open_upload(context.name())
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with context.connect() as client:
        client.send_raw(head.encode() + b"3\r\nabc\r\n0\r\nContent-Range: 7-9\r\nContent-Length: 99\r\n\r\n")
        same(expect(client.receive("PATCH"), 202).header("range"), "0-2")
    expect(context.finish(location, digest_of(b"abc")), 201)


@check("SEC-76")
def chunk_abuse(context):
    for body in (b"fffffffffffffffff\r\nabc", b"zz\r\nabc\r\n0\r\n\r\n", b"-3\r\nabc\r\n0\r\n\r\n", b"3gbc\r\n0\r\n\r\n",
                 b"3;" + b"x" * 300 + b"\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n"):
        location = context.open_upload(context.name())
        head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        refused_and_closed(context, head, body)
        same(expect(context.ask("GET", location), 204).header("range"), "0-0")
    location = context.open_upload(context.name())
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with context.connect() as client:
        client.send_raw(head.encode() + b"3;name=value\r\nabc\r\n0\r\n\r\n")
        same(expect(client.receive("PATCH"), 202).header("range"), "0-2")


@check("DIST-HTTP-01")
def keep_alive_pipelining_and_close(context):
    with context.connect() as client:
        client.send_raw(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: one\r\n\r\n"
                        b"GET /v2/pipe/none/tags/list HTTP/1.1\r\nHost: x\r\nX-Request-Id: two\r\n\r\n"
                        b"HEAD /v2/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: three\r\n\r\n"
                        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: four\r\nConnection: close\r\n\r\n")
        answers = [client.receive("GET"), client.receive("GET"), client.receive("HEAD"), client.receive("GET")]
        same([answer.status for answer in answers], [200, 404, 200, 200])
        same([answer.header("x-request-id") for answer in answers], ["one", "two", "three", "four"])
        same(client.socket, None, "Connection: close honoured")
    answer, closed = raw(context, "GET /v2/ HTTP/1.0\r\n\r\n")
    same((answer.status, answer.body, closed), (200, b"{}", True))


@check("DIST-HTTP-06")
def long_headers(context):
    padding = "".join(f"X-Pad-{number}: {'p' * 1000}\r\n" for number in range(15))
    same(raw(context, f"GET /v2/ HTTP/1.1\r\nhOST: x\r\n{padding}\r\n")[0].status, 200)
    padding = "".join(f"X-Pad-{number}: {'p' * 1000}\r\n" for number in range(80))
    same(raw(context, f"GET /v2/ HTTP/1.1\r\nHost: x\r\n{padding}\r\n")[0].status, 431)


@check("DIST-HTTP-10")
def body_on_get_is_drained(context):
    same(context.ask("GET", "/v2/", body=b"ignored").body, b"{}")
    same(context.ask("GET", "/v2/", body=[b"ignored", b"too"]).body, b"{}")
    same(context.ask("GET", "/v2/").body, b"{}")
    answer, closed = raw(context, "GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"x" * 100000)
    same((answer.status, closed), (413, True))


@check("DIST-HTTP-25")
def plus_and_semicolon_in_queries(context):
    name = context.name()
    context.push_image(name, "a")
    context.push_image(name, "b")
    same(expect(context.ask("GET", f"/v2/{name}/tags/list?n=1;last=a"), 400, 200).status, 400)
    refused(context.ask("POST", f"/v2/{name}/blobs/uploads/?digest=sha256:{'+' * 64}", body=b"x"), 400, "DIGEST_INVALID")
