#!/usr/bin/env python3
"""The scripted upstream itself, before anything relies on it: what it serves, how it lies, how fast it is.

| asked of it | expected |
|---|---|
| skopeo copies from it, three addresses, token and CDN | digests equal; the CDN sees no credential |
| wrong password, token for another name, revoked token | 401 with a challenge |
| cut, gate, flipped byte, endless, no length, status, redirect, drop | each as scripted, and counted to the byte |
| a range | 206 from there; with ranges off 200 from the start |
| the pull limit | headers count down; 429 with Retry-After beyond |
| outage | refused while stopped; the same port afterwards |
| no cap | more than 300 MB/s |
| a cap of 100 MB/s, over four connections | within 5 % |
"""

import hashlib
import pathlib
import shutil
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from accounts import basic  # noqa: E402
from client_tools import ClientFailed, need, run, same, step  # noqa: E402
from oci_layout import Layout  # noqa: E402
from raw_http_server import DeafAddress  # noqa: E402
from registry_client import Connection, ConnectionEnded, digest_of  # noqa: E402
from scripted_upstream import ScriptedUpstream  # noqa: E402
from seeded_content import content_range  # noqa: E402

NAME = "library/alpine"
MEBIBYTE = 1 << 20
RATE_MIN, CAP = 300e6, 100_000_000


def raises(kind, call):
    try:
        call()
    except kind:
        return True
    return False


def ask(upstream, target, headers=None, method="GET", where="registry"):
    with Connection(upstream.listeners[where].address) as client:
        return client.request(method, target, headers)


def copied_by_skopeo(upstream, folder):
    layout = Layout(folder / "layout")
    layout.add_index("latest", "hub")
    upstream.add_layout(NAME, layout, "latest")
    upstream.auth, upstream.cdn = "bearer", True
    out = folder / "out"
    run("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{upstream.listeners['registry'].address}/{NAME}:latest",
        f"oci:{out}:latest")
    wanted = layout.tagged()["latest"]["digest"]
    same(Layout(out).closure(wanted), layout.closure(wanted), "what skopeo copied")
    same({entry.authorization for entry in upstream.seen(where="cdn")}, {None}, "credentials at the CDN")
    same(upstream.count("GET", where="cdn") > 0 and upstream.count("GET", "/token", "token") > 0, True, "token and CDN were asked")
    step(f"skopeo copies an index from it: {upstream.count()} requests")


def lets_in_whom_it_should(upstream):
    upstream.auth, upstream.username, upstream.password = "bearer", "robot", "secret"
    same(ask(upstream, "/token?scope=repository:a/b:pull", where="token").status, 401, "token for nobody")
    wrong = {"Authorization": basic("robot", "guess")}
    same(ask(upstream, "/token?scope=repository:a/b:pull", wrong, where="token").status, 401, "token for a wrong password")
    right = {"Authorization": basic("robot", "secret")}
    answer = ask(upstream, f"/token?scope=repository:{NAME}:pull", right, where="token")
    bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
    same(ask(upstream, f"/v2/{NAME}/manifests/latest", bearer).status, 200, "with the token")
    other = ask(upstream, "/v2/other/name/manifests/latest", bearer)
    same((other.status, "Bearer realm=" in other.header("www-authenticate")), (401, True), "with another name's token")
    upstream.tokens.revoke_all()
    same(ask(upstream, f"/v2/{NAME}/manifests/latest", bearer).status, 401, "with a revoked token")
    upstream.auth = upstream.username = upstream.password = None
    upstream.cdn = False
    step("passwords, tokens and their names")


def bends_what_it_is_told_to(upstream):
    content = content_range("bent", 0, MEBIBYTE)
    digest = upstream.add_blob(NAME, content)
    target = f"/v2/{NAME}/blobs/{digest}"
    upstream.forget()
    with upstream.on("GET", "/blobs/", cut_after=1000, times=1):
        same(raises(ConnectionEnded, lambda: ask(upstream, target)), True, "cut")
    same((upstream.bytes_of(digest), ask(upstream, target).body == content), (1000, True), "bytes sent before the cut; whole after it")
    same(ask(upstream, target, {"Range": "bytes=1000-"}).body == content[1000:], True, "range")
    upstream.ranges = False
    same(ask(upstream, target, {"Range": "bytes=1000-"}).status, 200, "no ranges")
    upstream.ranges = True
    with upstream.on("GET", "/blobs/", flip_at=70000):
        body = ask(upstream, target).body
        same([at for at in range(len(content)) if body[at] != content[at]], [70000], "the byte that is another")
    with upstream.on("GET", "/blobs/", length="none"):
        same(ask(upstream, target).body == content, True, "no length")
    with upstream.on("GET", "/blobs/", length="chunked"):
        same(ask(upstream, target).body == content, True, "chunks")
    with upstream.on(None, "/manifests/", status=429, headers={"Retry-After": "7"}):
        same(ask(upstream, f"/v2/{NAME}/manifests/latest").header("retry-after"), "7", "status and header")
    with upstream.on(None, "/manifests/", redirect="http://169.254.169.254/"):
        same(ask(upstream, f"/v2/{NAME}/manifests/latest").status, 307, "redirect")
    with upstream.on(None, "/manifests/", drop=True, reset=True):
        same(raises(OSError, lambda: ask(upstream, f"/v2/{NAME}/manifests/latest")), True, "drop")
    with upstream.on(None, "/manifests/", headers={"Docker-Content-Digest": None, "Content-Type": "text/plain"}):
        answer = ask(upstream, f"/v2/{NAME}/manifests/latest")
        same((answer.header("docker-content-digest"), answer.header("content-type")), (None, "text/plain"), "headers")
    step("cut, range, flipped byte, framing, status, redirect, drop, headers")


def waits_and_never_ends(upstream):
    content = content_range("gated", 0, MEBIBYTE)
    digest = upstream.add_blob(NAME, content)
    with upstream.on("GET", digest, gate_after=1000) as rule:
        got = []
        reader = threading.Thread(target=lambda: got.append(ask(upstream, f"/v2/{NAME}/blobs/{digest}").body))
        reader.start()
        upstream.wait_for_bytes(digest, 1000)
        same(upstream.bytes_of(digest), 1000, "bytes before the gate")
        rule.open()
        reader.join()
    same(got[0] == content, True, "behind the gate")
    with upstream.on("GET", digest, endless=True), Connection(upstream.listeners["registry"].address) as client:
        client.send("GET", f"/v2/{NAME}/blobs/{digest}")
        client.receive_head()
        client.receive_exactly(20 * MEBIBYTE)
    upstream.wait_for(lambda: upstream.seen("GET", digest)[-1].outcome == "left", "the peer to be missed")
    with upstream.on("GET", digest, gate_after=1000):
        client = Connection(upstream.listeners["registry"].address)
        client.send("GET", f"/v2/{NAME}/blobs/{digest}")
        upstream.wait_for(lambda: upstream.seen("GET", digest)[-1].bytes_sent == 1000, "the gate")
        client.close()
        upstream.wait_for(lambda: upstream.seen("GET", digest)[-1].outcome == "left", "the peer to be missed at the gate")
    step("gate, endless body, a peer that left")


def counts_pulls(upstream):
    upstream.hub_limit, upstream.taken = (2, 21600), 0
    answers = [ask(upstream, f"/v2/{NAME}/manifests/latest") for _ in range(3)]
    same([answer.status for answer in answers], [200, 200, 429], "statuses")
    same([answer.header("ratelimit-remaining") for answer in answers], ["1;w=21600", "0;w=21600", "0;w=21600"], "what is left")
    same((answers[2].header("retry-after"), answers[2].error_codes()), ("60", ["TOOMANYREQUESTS"]), "the refusal")
    upstream.hub_limit = None
    step("the pull limit")


def goes_and_comes_back(upstream):
    before = upstream.url
    upstream.stop()
    same(raises(ConnectionRefusedError, lambda: ask(upstream, "/v2/")), True, "refused")
    upstream.start()
    same((upstream.url, ask(upstream, "/v2/").status), (before, 200), "back")
    deaf = DeafAddress()
    same(raises(TimeoutError, lambda: Connection(deaf.address, timeout_s=0.3).request("GET", "/")), True, "a deaf address")
    deaf.close()
    step("outage, and an address that never answers")


def is_fast(upstream):
    digest = upstream.add_large_blob(NAME, "large", 512 * MEBIBYTE)
    room = memoryview(bytearray(MEBIBYTE))

    def take(count, digest):
        with Connection(upstream.listeners["registry"].address) as client:
            client.send("GET", f"/v2/{NAME}/blobs/{digest}")
            client.receive_head()
            left = count - len(client.buffer)
            while left > 0:
                left -= client.socket.recv_into(room)
    began = time.monotonic()
    take(512 * MEBIBYTE, digest)
    rate = 512 * MEBIBYTE / (time.monotonic() - began)
    same(rate > RATE_MIN, True, f"rate without a cap: {rate / 1e6:.0f} MB/s")
    small = upstream.add_large_blob(NAME, "capped", 50_000_000)
    upstream.pace.rate_bytes = CAP
    readers = [threading.Thread(target=take, args=(50_000_000, small)) for _ in range(4)]
    began = time.monotonic()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    capped = 4 * 50_000_000 / (time.monotonic() - began)
    upstream.pace.rate_bytes = 0
    same(abs(capped - CAP) < CAP * 0.05, True, f"rate under a cap of {CAP / 1e6:.0f} MB/s: {capped / 1e6:.1f}")
    step(f"{rate / 1e6:.0f} MB/s without a cap; {capped / 1e6:.1f} MB/s under one of {CAP / 1e6:.0f}")


def large_file_is_whole(upstream):
    digest = upstream.add_large_blob(NAME, "whole", 10 * MEBIBYTE + 17)
    hasher = hashlib.sha256()
    with Connection(upstream.listeners["registry"].address) as client:
        client.get_blob(NAME, digest, sink=hasher.update)
    same(f"sha256:{hasher.hexdigest()}", digest, "digest of a file")
    image = upstream.add_image(NAME, "image", [b"layer one", ("seed", 200_000)], algorithm="sha512")
    same(digest_of(ask(upstream, f"/v2/{NAME}/manifests/image").body), image.digest, "an image")
    step("files, images, sha512")


def main():
    folder = registry_process.fresh_folder("orbitalreg-upstream-")
    try:
        with ScriptedUpstream(folder / "content") as upstream:
            copied_by_skopeo(upstream, folder)
            lets_in_whom_it_should(upstream)
            bends_what_it_is_told_to(upstream)
            waits_and_never_ends(upstream)
            counts_pulls(upstream)
            goes_and_comes_back(upstream)
            large_file_is_whole(upstream)
            is_fast(upstream)
    except (ClientFailed, TimeoutError, OSError) as error:
        print(f"FAILED: {error!r}" if isinstance(error, OSError) else f"FAILED: {error}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("all steps passed")
    return 0


if __name__ == "__main__":
    need("skopeo")
    sys.exit(main())
