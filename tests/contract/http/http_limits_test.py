#!/usr/bin/env python3
"""The limits of the front end on the real program, from raw sockets: SEC-77 to SEC-86, SEC-100, SEC-105, SEC-107, REL-28.

What is a matter of seconds in production is set to fractions of one here.
"""

import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from checks import (Connection, DEADLINE_S, Serve, ask, check, connect, digest_of, ended_within, offset_of, open_upload,
                    push, registry_process, run_checks, same, status_of, statuses_of, until_end, wait_for)

TIMES = {"ORBITALREG_HTTP_HEADER_TIMEOUT": "600ms", "ORBITALREG_HTTP_IDLE_TIMEOUT": "900ms",
         "ORBITALREG_HTTP_BODY_WINDOW": "1s", "ORBITALREG_HTTP_STALL_WINDOW": "1s",
         "ORBITALREG_HTTP_LIMITS_CONNECTIONS_PER_ADDRESS": "300", "ORBITALREG_HTTP_STOP_GRACE": "5s",
         "ORBITALREG_HTTP_LIMITS_BLOB_BYTES": "256MiB"}
TICK_S = 0.5  # the watch looks at a connection this often at most, and the machine is busy
IDLE_BYTES_MAX = 64 * 1024  # SEC-82


@check("SEC-80")
def a_header_has_its_time(server):
    with connect(server) as peer:
        peer.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n")
        same(ended_within(peer, 0.4, 0.6 + TICK_S + 1), b"")
    with connect(server) as silent:
        same(ended_within(silent, 0.4, 0.6 + TICK_S + 1), b"")


@check("SEC-80")
def an_idle_connection_is_closed(server):
    with connect(server) as peer:
        peer.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        same(status_of(ended_within(peer, 0.7, 0.9 + TICK_S + 1)), 200)


@check("SEC-80", "DIST-UPL-15")
def a_body_that_stalls_is_cut(server):
    location = open_upload(server, "limits/stall")
    with connect(server) as peer:
        peer.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + b"x" * 50)
        same(ended_within(peer, 0.8, 1 + TICK_S + 1), b"")
    same(offset_of(server, location), "0-0", "nothing of it was acknowledged")


@check("SEC-80", "REL-10")
def an_answer_nobody_takes_is_cut(server):
    content = bytes(64 << 20)
    digest = push(server, "limits/stalled-answer", content)
    with connect(server, receive_buffer=4096) as peer:
        peer.sendall(f"GET /v2/limits/stalled-answer/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_for(lambda: 'cut="' in server.log_path.read_text().replace('"cut":"', 'cut="') and
                 cut_lines(server, "stalled-answer"), "the answer to be cut")
        assert len(until_end(peer)) < len(content), "a cut answer is never complete"


def cut_lines(server, word):
    return [line for line in server.log_path.read_text().splitlines()
            if word in line and '"method":"GET"' in line and '"cut":""' not in line and '"cut"' in line]


@check("SEC-79", "DIST-HTTP-02")
def continue_comes_after_the_checks(server):
    field = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    answer = ask(server, f"PATCH /v2/limits/none/blobs/uploads/{'0' * 40} HTTP/1.1\r\n{field}")
    same(statuses_of(answer), [404], "no 100 before the 404, and the connection ends")
    location = open_upload(server, "limits/expect")
    with connect(server) as peer:
        peer.sendall(f"PATCH {location} HTTP/1.1\r\n{field}".encode())
        same(peer.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.sendall(b"hello")
        same(status_of(peer.recv(5000)), 202)
    answer = ask(server, f"PUT /v2/limits/expect/manifests/v1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                         f"Content-Length: {5 << 20}\r\n\r\n")
    same(statuses_of(answer), [413], "the limit is known before the body")
    answer = ask(server, f"PATCH {location} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {1 << 40}\r\n\r\n")
    same(statuses_of(answer), [413])
    same(status_of(ask(server, "GET /v2/ HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n")), 417)


@check("SEC-86", "DIST-UPL-41")
def an_early_answer_can_be_read(server):
    text = f"PATCH /v2/limits/none/blobs/uploads/{'0' * 40} HTTP/1.1\r\nHost: x\r\nContent-Length: {32 << 20}\r\n\r\n"
    began = time.monotonic()
    same(statuses_of(ask(server, text, bytes(32 << 20))), [404])
    assert time.monotonic() - began < 4, "and the rest is not read for long"
    body = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
    text = f"PATCH /v2/limits/none/blobs/uploads/{'0' * 40} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    same(statuses_of(ask(server, text, body + b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")), [404, 200],
         "a short body is dropped and never read as a request")


@check("SEC-77")
def too_long_is_refused(server):
    same(status_of(ask(server, f"GET /v2/{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n")), 414)
    same(status_of(ask(server, f"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: {'a' * 33000}\r\n\r\n")), 431)
    same(status_of(ask(server, "GET /v2/ HTTP/1.1\r\nHost: x\r\n" + "X: y\r\n" * 100 + "\r\n")), 431)


@check("SEC-78", "DIST-HTTP-10")
def a_body_where_none_belongs(server):
    for size, wanted in ((4096, 200), (4097, 413)):
        text = f"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        same(status_of(ask(server, text, bytes(size))), wanted, size)
    text = "GET /v2/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    same(status_of(ask(server, text, b"1388\r\n" + bytes(5000) + b"\r\n0\r\n\r\n")), 413)


@check("SEC-81", "DIST-HTTP-01")
def pipelined_requests_are_answered_in_order(server):
    count = 3000
    requests = b"".join(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: %d\r\n\r\n" % number for number in range(count))
    with connect(server) as peer:
        received, sent = b"", 0
        peer.setblocking(False)
        deadline = time.monotonic() + 20
        while received.count(b"X-Request-Id") < count or not received.endswith(b"{}"):
            assert time.monotonic() < deadline
            sent += try_io(lambda: peer.send(requests[sent:sent + 65536]) if sent < len(requests) else 0) or 0
            received += try_io(lambda: peer.recv(1 << 20)) or b""
    same([int(found) for found in re.findall(rb"X-Request-Id: (\d+)", received)], list(range(count)))


def try_io(operation):
    try:
        return operation()
    except BlockingIOError:
        return None


@check("SEC-82")
def idle_connections_cost_little(server):
    count = 250
    before = registry_process.status_field_bytes(server.pid, "VmRSS")
    peers = [connect(server) for _ in range(count)]
    for peer in peers:
        peer.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    for peer in peers:
        same(status_of(peer.recv(5000)), 200)
    each = (registry_process.status_field_bytes(server.pid, "VmRSS") - before) / count
    for peer in peers:
        peer.close()
    assert each <= IDLE_BYTES_MAX, f"{each:.0f} bytes an idle connection"


@check("SEC-80")
def connections_of_one_address_are_limited(server):
    peers = [connect(server) for _ in range(300)]
    for peer in peers:
        peer.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    answers = [until_end_or_answer(peer) for peer in peers]
    same(answers.count(200), 300)
    with connect(server) as one_more:
        same(until_end(one_more), b"", "turned away")
    for peer in peers:
        peer.close()
    wait_for(lambda: server.metrics()["orbitalreg_http_connections"] == 0, "all to end")
    same(status_of(ask(server, "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 200)


def until_end_or_answer(peer):
    try:
        answer = peer.recv(5000)
        return status_of(answer) if answer else 0
    except ConnectionResetError:
        return 0


@check("SEC-83")
def other_methods_and_protocols(server):
    for method, wanted in (("TRACE", 405), ("OPTIONS", 405), ("BREW", 405), ("get", 405)):
        answer = ask(server, f"{method} /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        same(status_of(answer), wanted, method)
        assert b"Allow: GET, HEAD\r\n" in answer
    same(status_of(ask(server, "CONNECT other:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 400)
    same(status_of(ask(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")), 400)
    same(status_of(ask(server, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")), 400)
    answer = ask(server, "GET /v2/ HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: DELETE\r\nUpgrade: h2c\r\n"
                         "HTTP2-Settings: AAMAAABk\r\nConnection: close, Upgrade, HTTP2-Settings\r\n\r\n")
    same(status_of(answer), 200)
    same(status_of(ask(server, "GET http://other/v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 400)


@check("SEC-84", "DIST-BLOB-14")
def several_ranges(server):
    content = bytes(range(256)) * 4096
    digest = push(server, "limits/ranges", content)
    head = f"GET /v2/limits/ranges/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes="
    answer = ask(server, head + "1000-1009,0-3,-2\r\n\r\n")
    same(status_of(answer), 206)
    fields, _, body = answer.partition(b"\r\n\r\n")
    boundary = re.search(rb"boundary=(\w+)", fields)[1]
    same(int(re.search(rb"Content-Length: (\d+)", fields)[1]), len(body))
    parts = body.split(b"--" + boundary)
    same(parts[0], b"")
    same(parts[-1], b"--\r\n")
    found = [part.partition(b"\r\n\r\n") for part in parts[1:-1]]
    same([text[:-2] for _, _, text in found], [content[1000:1010], content[0:4], content[-2:]])
    same(re.findall(rb"Content-Range: bytes (\S+)", body), [b"1000-1009/1048576", b"0-3/1048576", b"1048574-1048575/1048576"])
    same(status_of(ask(server, head + "0-,0-,0-\r\n\r\n")), 200, "more than twice the blob")
    same(status_of(ask(server, head + "99999999999999999999-\r\n\r\n")), 416)


@check("SEC-85", "SEC-105")
def what_a_client_says_stays_out_of_headers_and_log(server):
    answer = ask(server, "GET /v2/%0d%0aSet-Cookie:%20a/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         "X-Request-Id: bad\"id\r\n\r\n")
    same(status_of(answer), 400)
    assert b"Set-Cookie" not in answer and b'bad"id' not in answer, answer
    ask(server, "GET /v2/a/tags/list?token=hidden1&n=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                "Authorization: Bearer hidden2\r\nCookie: hidden3\r\n\r\n")
    location = open_upload(server, "limits/log")
    ask(server, f"GET {location} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    wait_for(lambda: "limits/log" in server.log_path.read_text(), "the log")
    log = server.log_path.read_text()
    for word in ("hidden1", "hidden2", "hidden3", location.rsplit("/", 1)[1]):
        assert word not in log, f"{word} is in the log"


@check("SEC-107")
def health_and_metrics_have_a_listener_of_their_own(server):
    for path in ("/metrics", "/livez", "/readyz"):
        same(status_of(ask(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 404)
        same(server.get(server.admin_addr, path)[0], 200)
    same(server.get(server.admin_addr, "/v2/")[0], 404)
    body = server.get(server.admin_addr, "/readyz?verbose")[1]
    assert b'"name":"store"' in body and b'"name":"io"' in body, body
    text = server.get(server.admin_addr, "/metrics")[1].decode()
    assert "limits/" not in text and "sha256:" not in text, "no client's text is ever a label"


@check("DIST-HTTP-01", "SEC-81")
def a_request_behind_a_chunked_body(server):
    for size in (0, 5, 70000, 200000):
        location = open_upload(server, "limits/behind")
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in
                          (b"b" * min(30000, size - begin) for begin in range(0, size, 30000)))
        text = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"
        behind = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n" * 20
        last = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        same(statuses_of(ask(server, "", text + behind + last)), [202] + [200] * 21, size)
        same(offset_of(server, location), f"0-{max(0, size - 1)}")


@check("SEC-80")
def a_full_server_lets_the_idle_go(server):
    with Serve(server, ORBITALREG_HTTP_LIMITS_CONNECTIONS="20", ORBITALREG_HTTP_THREADS="1") as small:
        peers = [connect(small) for _ in range(20)]
        for peer in peers:
            peer.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            same(status_of(peer.recv(5000)), 200)
        with connect(small) as newcomer:
            same(until_end(newcomer), b"", "the newcomer that meets a full server is turned away")
        same(until_end(peers[0]), b"", "the one that was idle longest goes")
        same(status_of(ask(small, "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 200)
        for peer in peers:
            peer.close()


@check("SEC-114")
def nothing_of_memory_gets_out(server):
    limits = (pathlib.Path("/proc") / str(server.pid) / "limits").read_text()
    same(re.search(r"Max core file size +(\S+) +(\S+)", limits).groups(), ("0", "0"))
    for path in ("/debug/", "/debug/pprof/heap", "/debug/core"):
        same(server.get(server.admin_addr, path)[0], 404, path)
        same(status_of(ask(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 404, path)
    for method in ("POST", "PUT", "DELETE"):
        with Connection(server.admin_addr) as client:
            same(client.request(method, "/metrics").status, 405, method)


@check("SEC-113")
def the_program_is_hardened(server):
    told = subprocess.run(["readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms", "--notes",
                           server.binary], capture_output=True, text=True, check=True).stdout
    for wanted in (r"Type: +DYN \(Position-Independent", r"GNU_RELRO", r"BIND_NOW|Flags: NOW", r"__stack_chk_fail",
                   r"_chk@GLIBC"):
        assert re.search(wanted, told), f"not hardened: {wanted}"
    assert not re.search(r"GNU_STACK.* RWE ", told), "an executable stack"


@check("REL-29")
def out_of_descriptors_is_survived(server):
    with Serve(server, limit_files=100) as small:
        peers = [connect(small) for _ in range(150)]
        wait_for(lambda: "out of file descriptors" in small.log(), "the shortage")
        for peer in peers:
            peer.close()
        wait_for(lambda: answers(small), "service after the shortage")
        assert small.log().count("out of file descriptors") < 200, "a pause, not a busy loop"


def answers(server):
    try:
        return status_of(ask(server, "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == 200
    except (AssertionError, OSError):
        return False


@check("REL-26")
def a_stop_waits_for_nobody_who_is_silent(server):
    with Serve(server, ORBITALREG_HTTP_HEADER_TIMEOUT="60s") as small:
        silent, idle = connect(small), connect(small)
        idle.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        same(status_of(idle.recv(5000)), 200)
        began = time.monotonic()
        small.process.terminate()
        same(small.process.wait(DEADLINE_S), 0)
        assert time.monotonic() - began < 5
        same((until_end(silent), until_end(idle)), (b"", b""))


@check("REL-26")
def a_stop_says_so_and_lets_pushes_finish(server):
    with Serve(server) as small:
        admin = small.field("admin_address")
        with Connection(small.http_addr) as client:
            location = client.start_upload("limits/finish").header("location")
        with connect(small) as pushing, connect(small) as quick:
            pushing.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + bytes(90000))
            quick.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            same(status_of(quick.recv(5000)), 200)
            small.process.terminate()
            wait_for(lambda: server.get(admin, "/readyz")[0] == 503, "/readyz to say that it stops")
            assert b'"listener","ready":false,"detail":"stopping"' in server.get(admin, "/readyz?verbose")[1]
            same(server.get(admin, "/livez")[0], 200)
            quick.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = until_end(quick)
            assert status_of(answer) == 200 and b"Connection: close" in answer, answer
            wait_for(lambda: not answers(small), "newcomers to be turned away")
            pushing.sendall(bytes(10000))
            same(status_of(until_end(pushing)), 202, "the push that ran")


@check("REL-26")
def a_reload_changes_what_it_can(server):
    file = server.workspace / "reload.yml"
    file.write_text("log: { level: warn }\n")
    with Serve(server, ["-c", str(file)], ORBITALREG_LOG_LEVEL="info") as small:
        file.write_text("log: { level: info }\nuploads: { idle_expiry: 1h }\n")
        small.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "configuration reloaded" in small.log(), "the reload")
        assert '"needs_restart":"uploads"' in small.log(), small.log()
        file.write_text("log: { level: loud }\n")
        small.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "nothing was reloaded" in small.log(), "the refusal")
        assert "reload.yml:1: log.level" in small.log(), small.log()


def metric(server, small, name):
    for line in server.get(small.field("admin_address"), "/metrics")[1].decode().splitlines():
        if line.startswith(f"orbitalreg_{name} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no metric {name}")


def in_hand(server, small, count):
    wait_for(lambda: metric(server, small, "http_requests_in_hand") == count, f"{count} requests in hand")


def begin(small, request, body=b"", receive_buffer=None):
    """A request that goes on."""
    peer = connect(small, receive_buffer)
    peer.sendall(f"{request} HTTP/1.1\r\nHost: x\r\n".encode() + body)
    return peer


@check("REL-28", "SEC-79", "SEC-82")
def too_much_in_hand_is_refused_before_its_body(server):
    with Serve(server, ORBITALREG_HTTP_LIMITS_REQUESTS="8") as small:
        blob = f"GET /v2/limits/busy/blobs/{push(small, 'limits/busy', bytes(16 << 20))}"
        pushes = [begin(small, f"PATCH {open_upload(small, 'limits/busy')}", b"Content-Length: 100\r\n\r\n" + bytes(90))
                  for _ in range(6)]
        in_hand(server, small, 6)
        with begin(small, "POST /v2/limits/busy/blobs/uploads/", b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n") as more:
            answer = until_end(more)
        same(status_of(answer), 503, "a seventh push")
        assert b"\r\nRetry-After: 1\r\n" in answer and b"UNAVAILABLE" in answer, answer
        same(status_of(ask(small, "GET /v2/limits/busy/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 503, "a list")
        pulls = [begin(small, blob, b"\r\n", receive_buffer=4096) for _ in range(2)]
        in_hand(server, small, 8)
        head = blob.replace("GET", "HEAD") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        same(status_of(ask(small, head)), 503, "a third pull")
        same(status_of(ask(small, "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 200, "ping")
        same(server.get(small.field("admin_address"), "/readyz")[0], 200, "/readyz")
        for each in pushes:
            each.sendall(bytes(10))
            same(status_of(each.recv(5000)), 202, "a push that was let in")
            each.close()
        in_hand(server, small, 2)
        same(status_of(ask(small, head)), 200, "a pull with room again")
        for each in pulls:
            each.close()
        in_hand(server, small, 0)
        same(metric(server, small, "http_requests_shed_total"), 3)


@check("REL-28", "SEC-15", "SEC-82")
def manifests_hold_no_more_memory_than_they_may(server):
    with Serve(server, ORBITALREG_HTTP_LIMITS_REQUEST_MEMORY="1MiB", ORBITALREG_HTTP_LIMITS_MANIFEST_BYTES="64KiB") as small:
        put = "PUT /v2/limits/heavy/manifests/v1"
        slow = [begin(small, put, b"Content-Length: 100\r\n\r\n" + bytes(50)) for _ in range(4)]
        wait_for(lambda: metric(server, small, "http_request_memory_bytes") == 4 * 3 * 65536, "four manifests on their way")
        whole = f"{put} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\nno object"
        same(status_of(ask(small, whole)), 503, "a fifth")
        slow[0].sendall(bytes(50))
        same(status_of(slow[0].recv(5000)), 400, "the first, whole")
        same(status_of(ask(small, whole)), 400, "another in its place")
        for each in slow:
            each.close()
        wait_for(lambda: metric(server, small, "http_request_memory_bytes") == 0, "all of it to be given back")


@check("DIST-RATE-02", "SEC-36")
def sessions_have_a_limit(server):
    with Serve(server, ORBITALREG_UPLOADS_OPEN_MAX="2", ORBITALREG_STORAGE_PATH=str(server.workspace / "hoard")) as small:
        def append(location):
            with Connection(small.http_addr) as client:
                return client.request("PATCH", location, {}, bytes(1000)).status

        first, second, late = (open_upload(small, "limits/hoard") for _ in range(3))
        same((append(first), append(second), append(late)), (202, 202, 503), "two that hold bytes, and one that had begun")
        with Connection(small.http_addr) as client:
            fourth = client.start_upload("limits/hoard")
            same((fourth.status, fourth.header("retry-after")), (429, "60"), "opening another")
            assert b"TOOMANYREQUESTS" in fourth.body, fourth.body
            same(client.request("DELETE", first).status, 204)
            same(client.start_upload("limits/hoard").status, 202, "with room again")


def run_serve(server, **environment):
    refused = Serve(server, **environment)
    return refused.process.wait(DEADLINE_S), refused.log()


@check("SEC-100", "REL-27")
def a_start_that_must_not_be(server):
    code, text = run_serve(server, ORBITALREG_HTTP_ADDR="0.0.0.0:0")
    assert code == 3 and "http.insecure" in text, (code, text)
    code, text = run_serve(server, ORBITALREG_ADMIN_ADDR="0.0.0.0:0")
    assert code == 3 and "admin.addr" in text, (code, text)
    code, text = run_serve(server, ORBITALREG_AUTH_MODE="password")
    assert code == 3 and "auth.mode" in text, (code, text)
    code, text = run_serve(server, ORBITALREG_AUTH_MODE="token", ORBITALREG_HTTP_ADDR="0.0.0.0:0")
    assert code == 3 and "http.insecure" in text, (code, text)
    code, text = run_serve(server, ORBITALREG_STORAGE_PATH=str(server.data))
    assert code == 3 and "another process has it open" in text, (code, text)
    code, text = run_serve(server, ORBITALREG_HTTP_ADDR=server.http_addr)
    assert code == 3 and "cannot listen" in text, (code, text)


@check("DIST-HTTP-11", "REL-26")
def a_second_signal_cuts_what_runs(server):
    location = open_upload(server, "limits/stop")
    with connect(server) as peer:
        peer.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode() + bytes(90000))
        wait_for(lambda: server.metrics()["orbitalreg_http_connections"] >= 1, "the request to run")
        began = time.monotonic()
        server.process.terminate()
        wait_for(lambda: server.log_path.read_text().count('"msg":"stopping') >= 1, "the stop to begin")
        server.process.terminate()
        same(server.process.wait(DEADLINE_S), 0)
        assert time.monotonic() - began < 4, "before the grace was over"
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.start()
    same(offset_of(server, location), "0-0")


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, TIMES))
