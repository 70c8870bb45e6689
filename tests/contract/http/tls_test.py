#!/usr/bin/env python3
"""TLS on the real program, from sockets: SEC-108, SEC-80, SEC-82, SEC-83, DIST-HTTP-05, DIST-HTTP-26, REL-10.

Each check starts a server of its own with the certificates it needs; the shared server speaks plain HTTP.
"""

import functools
import hashlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

from checks import (Connection, DEADLINE_S, Serve, check, connect, digest_of, ended_within, registry_process, run_checks,
                    same, status_of, until_end, wait_for)
from certificates import Authority

IDLE_BYTES_MAX = 64 * 1024  # SEC-82
PING = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"


@functools.cache
def authority(workspace):
    return Authority(tempfile.mkdtemp(prefix="authority-", dir=workspace))


def with_tls(server, **settings):
    """A server with TLS on its main address, its files where replace() finds them."""
    certificate, key = authority(server.workspace).issue("server")
    serving = {"ORBITALREG_HTTP_TLS_CERTIFICATE": str(certificate), "ORBITALREG_HTTP_TLS_KEY": str(key)}
    serving.update({f"ORBITALREG_{name}": str(value) for name, value in settings.items()})
    return Serve(server, **serving)


def trusting(server, client=None, minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3, protocols=()):
    context = ssl.create_default_context(cafile=authority(server.workspace).certificate)
    context.minimum_version, context.maximum_version = minimum, maximum
    if protocols:
        context.set_alpn_protocols(protocols)
    if client:
        context.load_cert_chain(*client)
    return context


def shake(server, context):
    # An end without close_notify is an error to this client, as it is to careful ones.
    return context.wrap_socket(connect(server), server_hostname="127.0.0.1", suppress_ragged_eofs=False)


def ping(peer):
    peer.sendall(PING)
    return status_of(peer.recv(5000))


def refused(operation):
    try:
        operation()
    except (ssl.SSLError, ConnectionError) as error:
        return str(error)
    raise AssertionError("it was not refused")


@check("SEC-108", "DIST-HTTP-26")
def both_versions_with_forward_secrecy(server):
    with with_tls(server) as secure:
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with shake(secure, trusting(server, minimum=version, maximum=version)) as peer:
                same((peer.version(), peer.compression(), ping(peer)), (name, None, 200))
                assert "GCM" in peer.cipher()[0] or "CHACHA20" in peer.cipher()[0], peer.cipher()
                assert name == "TLSv1.3" or peer.cipher()[0].startswith("ECDHE"), peer.cipher()


@check("SEC-108")
def what_is_old_is_refused(server):
    with with_tls(server) as secure:
        old = trusting(server, minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1)
        old.set_ciphers("ALL:@SECLEVEL=0")
        refused(lambda: shake(secure, old))
        for ciphers in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA"):
            weak = trusting(server, maximum=ssl.TLSVersion.TLSv1_2)
            weak.set_ciphers(ciphers)
            refused(lambda weak=weak: shake(secure, weak))


@check("SEC-108")
def sessions_are_not_resumed_and_not_renegotiated(server):
    with with_tls(server) as secure:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting(server, minimum=version, maximum=version)
            with shake(secure, context) as first:
                same(ping(first), 200)
                session = first.session
            again = context.wrap_socket(connect(secure), server_hostname="127.0.0.1", session=session)
            with again:
                same((ping(again), again.session_reused), (200, False))
        asked = subprocess.run(["openssl", "s_client", "-connect", secure.http_addr, "-tls1_2"], input=b"R\n",
                               capture_output=True, timeout=DEADLINE_S, check=False)
        assert b"no renegotiation" in asked.stderr or b"NO_RENEGOTIATION" in asked.stderr.upper(), asked.stderr


@check("DIST-HTTP-05")
def alpn_names_http_1_1_alone(server):
    with with_tls(server) as secure:
        with shake(secure, trusting(server, protocols=["h2", "http/1.1"])) as peer:
            same((peer.selected_alpn_protocol(), ping(peer)), ("http/1.1", 200))
        with shake(secure, trusting(server)) as peer:
            same((peer.selected_alpn_protocol(), ping(peer)), (None, 200))
        reason = refused(lambda: shake(secure, trusting(server, protocols=["h2"])))
        assert "no application protocol" in reason, reason


@check("SEC-83")
def plain_http_is_told_where_it_is(server):
    with with_tls(server) as secure:
        with connect(secure) as peer:
            peer.sendall(PING)
            answer = until_end(peer)
            same(status_of(answer), 400)
            assert b"this port speaks HTTPS" in answer and b"Connection: close" in answer, answer
        with connect(server) as peer:
            peer.sendall(bytes.fromhex("16030100f4010000f00303") + bytes(240))
            same(status_of(until_end(peer)), 400, "TLS on a plain port")


@check("DIST-HTTP-26")
def plain_and_encrypted_side_by_side(server):
    certificate, key = authority(server.workspace).issue("server")
    with Serve(server, ORBITALREG_HTTP_TLS_CERTIFICATE=str(certificate), ORBITALREG_HTTP_TLS_KEY=str(key),
               ORBITALREG_HTTP_TLS_ADDR="127.0.0.1:0") as both:
        content = b"side by side" * 1000
        with Connection(both.http_addr) as client:
            same(client.put_blob("tls/both", content, digest_of(content)).status, 201)
        with Connection(both.field("tls_address"), tls=trusting(server)) as client:
            same(client.request("GET", f"/v2/tls/both/blobs/{digest_of(content)}").body, content)


@check("DIST-HTTP-26", "DIST-HTTP-01")
def bodies_of_every_kind(server):
    content = hashlib.shake_128(b"tls").digest(9_000_001)
    with with_tls(server) as secure, Connection(secure.http_addr, tls=trusting(server)) as client:
        same(client.put_blob("tls/bodies", content, digest_of(content)).status, 201, "one PUT")
        location = client.start_upload("tls/bodies").header("location")
        pieces = [content[at:at + 70_001] for at in range(0, len(content), 70_001)]
        location = client.request("PATCH", location, body=iter(pieces)).header("location")
        joint = "&" if "?" in location else "?"
        same(client.request("PUT", f"{location}{joint}digest={digest_of(content)}").status, 201, "chunked")
        target = f"/v2/tls/bodies/blobs/{digest_of(content)}"
        same(client.request("GET", target).body, content)
        same(client.request("GET", target, {"Range": "bytes=5-8000000"}).body, content[5:8000001])
        with shake(secure, trusting(server)) as peer:
            peer.sendall(PING * 20 + f"HEAD {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            same(until_end(peer).count(b"HTTP/1.1 200"), 21, "pipelined")
            location = client.start_upload("tls/bodies").header("location")
        with shake(secure, trusting(server)) as peer:
            peer.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())
            assert peer.recv(100).startswith(b"HTTP/1.1 100"), "100 before the body"
            peer.sendall(b"abc")
            same(status_of(peer.recv(5000)), 202)


def received_in_part(peer, content, target):
    """Asks for the blob and takes a little of it: the rest is on its way."""
    peer.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    received = peer.recv(4096)
    assert len(received) < len(content)
    return received


@check("SEC-108")
def a_certificate_is_replaced_under_running_pulls(server):
    content = hashlib.shake_128(b"replaced").digest(64 << 20)
    target = f"/v2/tls/replaced/blobs/{digest_of(content)}"
    with with_tls(server) as secure:
        with Connection(secure.http_addr, tls=trusting(server)) as client:
            same(client.put_blob("tls/replaced", content, digest_of(content)).status, 201)
        with shake(secure, trusting(server)) as pulling, shake(secure, trusting(server)) as idle:
            before = pulling.getpeercert()["serialNumber"]
            begun = received_in_part(pulling, content, target)
            authority(server.workspace).issue("server")
            secure.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "certificate reloaded" in secure.log(), "the new certificate")
            with shake(secure, trusting(server)) as newcomer:
                assert newcomer.getpeercert()["serialNumber"] != before
                same(ping(newcomer), 200)
            same(ping(idle), 200, "who was connected stays so")
            body = (begun + until_end(pulling)).partition(b"\r\n\r\n")[2]
            same(digest_of(body), digest_of(content))


@check("SEC-108", "REL-27")
def a_broken_pair_keeps_the_old_one(server):
    with with_tls(server) as secure:
        with shake(secure, trusting(server)) as peer:
            before = peer.getpeercert()["serialNumber"]
        files = authority(server.workspace).directory
        key = (files / "server.key").read_text()
        (files / "server.key").write_text((files / "ca.key").read_text())
        try:
            secure.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "the certificate in use stays" in secure.log(), "the refusal")
            assert "key values mismatch" in secure.log(), secure.log()
            with shake(secure, trusting(server)) as peer:
                same(peer.getpeercert()["serialNumber"], before)
            refusals = 'orbitalreg_tls_certificate_loads_total{result="refused"} 1'
            metrics = server.get(secure.field("admin_address"), "/metrics")[1].decode()
            assert refusals in metrics, "no alarm"
            assert "orbitalreg_tls_certificate_not_after_seconds 1" in metrics, "no end"
        finally:
            (files / "server.key").write_text(key)


@check("SEC-108")
def client_certificates(server):
    ours = authority(server.workspace).issue("client")
    theirs = Authority(authority(server.workspace).directory / "theirs", "another authority").issue("stranger")
    ca = authority(server.workspace).certificate
    for wanted in ("optional", "required"):
        with with_tls(server, HTTP_TLS_CLIENT_CA=ca, HTTP_TLS_CLIENT_CERTIFICATE=wanted) as secure:
            with shake(secure, trusting(server, ours)) as peer:
                same(ping(peer), 200)
            refused(lambda: ping(shake(secure, trusting(server, theirs))))  # pylint: disable=cell-var-from-loop
            if wanted == "optional":
                with shake(secure, trusting(server)) as peer:
                    same(ping(peer), 200)
            else:
                refused(lambda: ping(shake(secure, trusting(server))))  # pylint: disable=cell-var-from-loop


@check("SEC-80")
def a_handshake_has_its_time(server):
    with with_tls(server, HTTP_HANDSHAKE_TIMEOUT="600ms", HTTP_HEADER_TIMEOUT="700ms") as secure:
        for begin in (b"", bytes.fromhex("16030100f4010000f00303")):
            with connect(secure) as peer:
                peer.sendall(begin)
                same(ended_within(peer, 0.4, 3), b"")
        with shake(secure, trusting(server)) as peer:
            same(ended_within(peer, 0.5, 3), b"", "and after it a header")
        metrics = server.get(secure.field("admin_address"), "/metrics")[1].decode()
        assert 'orbitalreg_tls_handshakes_total{result="failed"} 2' in metrics, metrics


@check("SEC-82")
def idle_connections_cost_little(server):
    with with_tls(server) as secure:
        context, count = trusting(server), 250
        with shake(secure, context) as peer:
            same(ping(peer), 200)
        before = registry_process.status_field_bytes(secure.process.pid, "VmRSS")
        peers = [shake(secure, context) for _ in range(count)]
        for peer in peers:
            same(ping(peer), 200)
        each = (registry_process.status_field_bytes(secure.process.pid, "VmRSS") - before) / count
        print(f"note  {each:.0f} bytes an idle connection with TLS")
        for peer in peers:
            peer.close()
        assert each <= IDLE_BYTES_MAX, f"{each:.0f} bytes an idle connection"


@check("REL-10", "SEC-80")
def a_cut_answer_does_not_end_as_a_whole_one(server):
    content = bytes(64 << 20)
    target = f"/v2/tls/cut/blobs/{digest_of(content)}"
    with with_tls(server, HTTP_STALL_WINDOW="1s") as secure:
        with Connection(secure.http_addr, tls=trusting(server)) as client:
            same(client.put_blob("tls/cut", content, digest_of(content)).status, 201)
        with shake(secure, trusting(server)) as stalled:
            stalled.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_for(lambda: '"cut":"' in secure.log() and '"status":200,' in secure.log(), "the cut")
            stalled.settimeout(DEADLINE_S)
            try:
                while piece := stalled.recv(1 << 20):
                    assert piece
                raise AssertionError("an orderly end after a part of the answer")
            except (ConnectionResetError, ssl.SSLError):
                pass


@check("REL-27")
def a_start_with_bad_files(server):
    certificate, key = authority(server.workspace).issue("server")
    stranger = authority(server.workspace).issue("stranger")[1]
    for settings, words in (({"CERTIFICATE": certificate}, "needs both"),
                            ({"CERTIFICATE": certificate, "KEY": stranger}, "is not the certificate's key"),
                            ({"CERTIFICATE": "/nowhere.crt", "KEY": key}, "/nowhere.crt: cannot be read"),
                            ({"CERTIFICATE": key, "KEY": key}, "is not a certificate chain"),
                            ({"CERTIFICATE": certificate, "KEY": key, "CLIENT_CA": key}, "holds no certificates"),
                            ({"CERTIFICATE": certificate, "KEY": key, "CLIENT_CERTIFICATE": "required"}, "client_ca"),
                            ({"CLIENT_CA": certificate}, "is without effect"),
                            ({"ADDR": "127.0.0.1:0"}, "is without effect")):
        settings = {f"ORBITALREG_HTTP_TLS_{name}": str(value) for name, value in settings.items()}
        attempt = Serve(server, **settings)
        same(attempt.process.wait(DEADLINE_S), 3, words)
        assert words in attempt.log(), (words, attempt.log())
        checked = subprocess.run([server.binary, "config", "check"], env={"PATH": "/usr/bin:/bin", **settings},
                                 capture_output=True, text=True, check=False)
        same(checked.returncode, 2, checked.stderr)
        assert words in checked.stderr, (words, checked.stderr)


if __name__ == "__main__":
    socket.setdefaulttimeout(DEADLINE_S)
    sys.exit(run_checks(__doc__, {}))
