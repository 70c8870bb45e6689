"""An upstream that is down, slow, or lies: what clients see, what is cached, what the log says.

| the upstream | without a copy | with a copy of the tag |
|---|---|---|
| refuses connections, drops them, never takes them, never answers, has no name, answers 5xx | 503 UNAVAILABLE in bounded time | the copy, `Warning`, cache `stale` |
| is slower than min_rate in a blob | the client's connection ends before the blob does; nothing cached | - |
| falls silent in a blob | taken up again by Range; where that brings nothing, the connection ends | - |
| certificate of nobody, for another host, or no TLS at all | 503 or 502 | the copy, `Warning` |
| sends other bytes than the digest asked for | 502, or the connection ends early; nothing cached | - |
| ends early | taken up again by Range; in the end 503 or an early end; nothing cached | - |
| sends without end | 502, or an early end; memory bounded | - |
| lies about the digest of a tag | the digest of the bytes | - |
| redirects to a link-local or private address, too often, or to another scheme | 502; nothing is connected | - |
| is on an address nobody allowed | 502; nothing is connected | - |
| answers a token of 1 MiB, or none | 502 or 503 | - |

Bytes by digest that are cached are served whatever the upstream does, at once and without a Warning. After each case the
upstream is well again, and what is served then is right: nothing wrong was kept.
"""

import functools
import ssl

import registry_process
from certificates import Authority
from client_tools import ClientFailed, same
from raw_http_server import DeafAddress
from registry_client import OCI_MANIFEST, digest_of
from remote_world import answered, case, cut_short, remote
from scripted_upstream import ScriptedUpstream
from seeded_content import content_range

NAME = "library/alpine"
MEBIBYTE = 1 << 20
QUICKLY_MS, STALE_MS, PATIENCE_MS = 1000, 250, 15_000
ALWAYS = {"revalidate_after": "0s"}


def cached_image(world, size=200_000):
    """An image, all of it cached."""
    image = world.upstream.add_image(NAME, "latest", [b"small", content_range(world.case.name, 0, size)])
    world.pull(NAME, image)
    return image


def cached_is_served(world, image, stale_ms=PATIENCE_MS):
    """The tag with a warning; what is named by digest as if nothing were wrong. Asked twice: the second need not wait."""
    first, first_ms = world.timed(world.get, NAME, "latest")
    answered(first, 200, cache="stale", warning=True)
    same(first.body, image.manifest, "the manifest")
    again, again_ms = world.timed(world.get, NAME, "latest")
    answered(again, 200, cache="stale", warning=True)
    blob, blob_ms = world.timed(world.blob, NAME, image.layers[1])
    answered(blob, 200, cache="hit", warning=False)
    same(digest_of(blob.body), image.layers[1], "the blob")
    world.note(f"stale tag {first_ms:.0f} ms, again {again_ms:.0f} ms, blob {blob_ms:.0f} ms")
    same((first_ms <= stale_ms, blob_ms <= QUICKLY_MS), (True, True), f"in time: {first_ms:.0f} ms, {blob_ms:.0f} ms")


def unavailable(world, name="team/never-seen", reference="v1", status=503, code="UNAVAILABLE"):
    answer, ms = world.timed(world.get, name, reference)
    world.note(f"without a copy: {answer.status} in {ms:.0f} ms")
    answered(answer, status, code)
    same(ms <= PATIENCE_MS, True, f"in bounded time: {ms:.0f} ms")
    return answer


def told_in_the_log(world, *words):
    """Somebody who reads the log learns what happened: one line at least names the repository, or the upstream."""
    names = (world.repository, world.upstream.listeners["registry"].address)
    lines = [str(entry) for entry in world.log()]
    if not any(any(name in line for name in names) and all(word in line for word in words) for line in lines):
        raise ClientFailed(f"no warning in the log names {names} {words}: {lines[:5]}")


@case(**ALWAYS)
def refuses_connections(world):
    image = cached_image(world)
    world.upstream.stop()
    cached_is_served(world, image, STALE_MS)
    unavailable(world)
    answered(world.blob(NAME, "sha256:" + "cd" * 32), 503, "UNAVAILABLE")
    told_in_the_log(world)


@case(**ALWAYS)
def comes_back(world):
    """Once it is well again, tags are fresh again: at once, or when the time that failures earned is over."""
    image = cached_image(world)
    world.upstream.stop()
    answered(world.get(NAME, "latest"), 200, cache="stale")
    world.upstream.start()
    moved = world.upstream.add_image(NAME, "latest", [b"moved meanwhile"])
    world.eventually(lambda: world.get(NAME, "latest").header("docker-content-digest") == moved.digest, "the tag is fresh again")
    same(world.get(NAME, image.digest).status, 200, "the old one by digest")


def deaf(world):
    world.deaf = DeafAddress()
    return [remote(world.repository, f"http://{world.deaf.address}")]


@case(deaf)
def never_takes_a_connection(world):
    try:
        unavailable(world)
    finally:
        world.deaf.close()


@case(**ALWAYS)
def never_answers(world):
    image = cached_image(world)
    with world.upstream.on(None, "", wait=True):
        cached_is_served(world, image)
        unavailable(world)
    told_in_the_log(world)


@case(**ALWAYS)
def drops_every_connection(world):
    image = cached_image(world)
    with world.upstream.on(None, "", drop=True, reset=True):
        cached_is_served(world, image)
        unavailable(world)


@case(**ALWAYS)
def answers_500(world):
    image = cached_image(world)
    for status in (500, 503):
        with world.upstream.on(None, "", status=status, body=b"<html>internal</html>"):
            cached_is_served(world, image)
            answer = unavailable(world, f"team/never-seen-{status}")
            same(b"<html>" in answer.body, False, "the upstream's page is passed on")


@case(revalidate_after="0s", stale_if_error=False)
def stale_only_where_it_is_wanted(world):
    image = cached_image(world)
    world.upstream.stop()
    answered(world.get(NAME, "latest"), 503, "UNAVAILABLE")
    answered(world.get(NAME, image.digest), 200)


@case(revalidate_after="0s", max_stale="1s")
def stale_only_for_so_long(world):
    image = cached_image(world)
    world.upstream.stop()
    world.eventually(lambda: world.get(NAME, "latest").status == 503, "a copy that is too old is refused", 5)
    answered(world.get(NAME, image.digest), 200)


@case(lambda world: [remote(world.repository, "http://no-such-host.invalid:5000")])
def has_no_name(world):
    unavailable(world, status=(502, 503), code=None)


@case(revalidate_after="5m")
def a_fresh_tag_needs_no_upstream(world):
    image = cached_image(world)
    world.upstream.stop()
    answer, ms = world.timed(world.get, NAME, "latest")
    answered(answer, 200, cache="hit", warning=False)
    world.note(f"{ms:.1f} ms")
    same(answer.body, image.manifest, "the manifest")


@case(min_rate="64KiB", idle_timeout="1s")
def trickles(world):
    content = content_range("trickle", 0, 4 * MEBIBYTE)
    image = world.upstream.add_image(NAME, "latest", [content])
    with world.upstream.on("GET", image.layers[0], rate_bytes=2000):
        got, ms = world.timed(cut_short, world, NAME, image.layers[0])
    same(got is None or content.startswith(got), True, "what came before the end")
    same(ms <= 60_000, True, f"in bounded time: {ms:.0f} ms")
    world.note(f"given up after {ms:.0f} ms")
    world.well_again()
    world.pull(NAME, image)


@case(idle_timeout="1s")
def stops_in_the_middle(world):
    """Each answer falls silent after 1 MiB: it is taken up again where it stopped."""
    image = world.upstream.add_image(NAME, "latest", [content_range("stops", 0, 4 * MEBIBYTE)])
    with world.upstream.on("GET", image.layers[0], gate_after=MEBIBYTE):
        _, ms = world.timed(world.pull, NAME, image)
    asked = [entry.range for entry in world.upstream.seen("GET", image.layers[0])]
    same(asked, [None, f"bytes={MEBIBYTE}-", f"bytes={2 * MEBIBYTE}-", f"bytes={3 * MEBIBYTE}-"], "ranges")
    world.note(f"whole after {ms:.0f} ms and {len(asked)} transfers")


@case(idle_timeout="1s")
def stops_before_it_begins(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("never", 0, 4 * MEBIBYTE)])
    with world.upstream.on("GET", image.layers[0], gate_after=0):
        got, ms = world.timed(cut_short, world, NAME, image.layers[0])
    same(not got, True, "what came before the end")
    world.note(f"ended after {ms:.0f} ms; asked {world.upstream.count('GET', image.layers[0])} times")
    world.well_again()
    world.pull(NAME, image)


# Lies.


def lied_to(world, digest, size, rule):
    """A blob under a rule that lies: never whole, never cached, right afterwards."""
    with rule:
        got = cut_short(world, NAME, digest)
        same(got is None or len(got) < size, True, "the client can tell")
        got_again = cut_short(world, NAME, digest)
        same(got_again is None or len(got_again) < size, True, "the client can tell, again")
    world.note("refused" if got is None else f"ended after {len(got)} of {size} bytes")
    world.well_again()
    before = world.upstream.count("GET", digest)
    answer = answered(world.blob(NAME, digest), 200)
    same(digest_of(answer.body), digest, "the blob when the upstream is honest")
    same(world.upstream.count("GET", digest) > before, True, "it had to be fetched")
    answered(world.blob(NAME, digest), 200, cache="hit")


@case()
def wrong_bytes_of_a_blob(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("wrong", 0, MEBIBYTE)])
    answered(world.get(NAME, "latest"), 200)
    lied_to(world, image.layers[0], MEBIBYTE, world.upstream.on("GET", image.layers[0], flip_at=500_000))
    told_in_the_log(world, image.layers[0])


@case()
def one_wrong_byte_at_the_very_end(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("end", 0, 100)])
    lied_to(world, image.layers[0], 100, world.upstream.on("GET", image.layers[0], flip_at=99))


@case()
def another_blob_altogether(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("asked", 0, 5000)])
    lied_to(world, image.layers[0], 5000, world.upstream.on("GET", image.layers[0], body=content_range("given", 0, 5000)))


@case()
def a_blob_that_is_empty(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("empty", 0, 5000)])
    lied_to(world, image.layers[0], 5000, world.upstream.on("GET", image.layers[0], body=b""))


@case()
def a_blob_that_ends_early_every_time(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("short", 0, MEBIBYTE)])
    world.upstream.ranges = False
    lied_to(world, image.layers[0], MEBIBYTE, world.upstream.on("GET", image.layers[0], cut_after=1000))


@case()
def a_blob_with_a_length_that_is_too_short(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("cut clean", 0, MEBIBYTE)])
    lied_to(world, image.layers[0], MEBIBYTE, world.upstream.on("GET", image.layers[0], length="300000", cut_after=300_000))


@case()
def a_blob_without_a_length_that_ends_early(world):
    content = content_range("no length", 0, MEBIBYTE)
    image = world.upstream.add_image(NAME, "latest", [content])
    lied_to(world, image.layers[0], MEBIBYTE, world.upstream.on("GET", image.layers[0], length="none", cut_after=300_000))
    other = world.upstream.add_image(NAME, "other", [content_range("no length, whole", 0, MEBIBYTE)])
    for how in ("none", "chunked"):
        with world.upstream.on("GET", "/blobs/", length=how):
            world.pull(NAME, other, "other")


@case()
def a_blob_without_end(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("endless", 0, MEBIBYTE)])
    answered(world.get(NAME, "latest"), 200)
    before = world.upstream.bytes_of(image.layers[0])
    lied_to(world, image.layers[0], MEBIBYTE, world.upstream.on("GET", image.layers[0], endless=True))
    taken = world.upstream.bytes_of(image.layers[0]) - before
    # Its size is in the manifest: what goes beyond is not read to find out. Buffers of the kernel are full by then.
    world.note(f"{taken / MEBIBYTE:.0f} MiB taken of it")
    same(taken < 256 * MEBIBYTE, True, f"bytes taken: {taken}")


@case()
def a_manifest_without_end(world):
    world.upstream.add_image(NAME, "latest")
    for length in ("none", "chunked", str(1 << 40)):
        with world.upstream.on(None, "/manifests/", endless=True, length=length):
            answered(world.get(NAME, "latest"), 502)
    same(registry_process.peak_rss_bytes(world.server.pid) < 1 << 30, True, "memory")
    answered(world.get(NAME, "latest"), 200, warning=False)


@case()
def a_manifest_by_digest_that_is_another(world):
    image = world.upstream.add_image(NAME, "latest")
    other = world.upstream.add_image(NAME, "other", [b"another layer"])
    with world.upstream.on(None, "/manifests/", body=other.manifest):
        answered(world.get(NAME, image.digest), 502)
    told_in_the_log(world)
    answered(world.get(NAME, image.digest), 200, warning=False)


@case(**ALWAYS)
def a_lie_about_the_digest_of_a_tag(world):
    image = world.upstream.add_image(NAME, "latest")
    false = "sha256:" + "ef" * 32
    with world.upstream.on(None, "/manifests/", headers={"Docker-Content-Digest": false}):
        answer = world.get(NAME, "latest")
        # The bytes decide; to refuse the contradiction is allowed as well.
        if answer.status == 200:
            same((answer.header("docker-content-digest"), answer.body), (image.digest, image.manifest), "digest of the bytes")
        else:
            answered(answer, 502)
        same(world.get(NAME, false).status in (404, 502), True, "nothing is kept under the false digest")
    answered(world.get(NAME, "latest"), 200, warning=False)


@case()
def a_manifest_that_is_cut_or_no_manifest(world):
    image = world.upstream.add_image(NAME, "latest")
    for rule in ({"cut_after": 100}, {"body": image.manifest[:100]}, {"body": b""}, {"body": b"\x00\xff" * 50}, {"body": b"[]"},
                 {"body": b"<html>please log in to the wireless network</html>", "headers": {"Content-Type": "text/html"}}):
        with world.upstream.on("GET", "/manifests/", **rule):
            answer = world.get(NAME, "latest")
            same(answer.status in (502, 503), True, f"{rule}: {answer!r}")
    world.well_again()
    same(answered(world.get(NAME, "latest"), 200).body, image.manifest, "the manifest")


@case()
def compressed_on_the_way(world):
    image = world.upstream.add_image(NAME, "latest", [content_range("gzip", 0, 5000)])
    with world.upstream.on("GET", "", headers={"Content-Encoding": "gzip"}):
        same(world.get(NAME, "latest").status in (502, 503, 200), True, "the manifest")
        got = cut_or_whole(world, image.layers[0])
        same(got in (None, image.layers[0]) or got.startswith("short"), True, f"a blob: {got}")
    world.well_again()
    world.pull(NAME, image)


def cut_or_whole(world, digest):
    try:
        got = cut_short(world, NAME, digest)
    except ClientFailed:
        return digest_of(world.blob(NAME, digest).body)
    return None if got is None else f"short: {len(got)}"


@case()
def strange_statuses(world):
    image = world.upstream.add_image(NAME, "latest")
    for status in (204, 206, 304, 402, 418, 600):
        with world.upstream.on(None, "/manifests/", status=status):
            answer = world.get(NAME, "latest")
            same(answer.status in (404, 403, 502, 503), True, f"{status}: {answer!r}")
        with world.upstream.on("GET", image.layers[0], status=status):
            same(cut_short(world, NAME, image.layers[0]), None, f"a blob, {status}")
    world.well_again()
    world.pull(NAME, image)


@case()
def a_range_that_is_another(world):
    """A transfer that is taken up again elsewhere than it was left."""
    content = content_range("range", 0, 4 * MEBIBYTE)
    image = world.upstream.add_image(NAME, "latest", [content])
    for told in (f"bytes 0-{len(content) - 1}/{len(content)}", "bytes 5-10/11", "pages 1-2/3", None):
        with world.upstream.on("GET", image.layers[0], headers={"Content-Range": told}), \
                world.upstream.on("GET", image.layers[0], times=1, cut_after=MEBIBYTE):
            got = cut_or_whole(world, image.layers[0])
            same(got is None or got == image.layers[0] or got.startswith("short"), True, f"{told}: {got}")
    world.well_again()
    world.pull(NAME, image)


# Addresses.


@case()
def redirected_to_where_nobody_should_go(world):
    image = world.upstream.add_image(NAME, "latest")
    targets = ("http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://10.0.0.1/", "http://192.168.1.1/", "http://100.64.0.1/",
               "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/", "http://2852039166/", "http://[fd00::1]/", "http://0.0.0.0/",
               "http://[64:ff9b::a9fe:a9fe]/", "http://224.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "")
    for target in targets:
        with world.upstream.on(None, image.layers[0], redirect=target or "//"):
            got = cut_short(world, NAME, image.layers[0])
            same(got, None, f"a blob from {target}")
    with world.upstream.on(None, "/manifests/", redirect=targets[0]):
        answered(world.get(NAME, "latest"), 502)
    told_in_the_log(world)
    world.pull(NAME, image)
    world.note(f"{len(targets)} targets")


@case(lambda world: [remote(world.repository, world.upstream.url, allow_networks=["127.0.0.1/32"])])
def redirected_within_loopback_but_not_to_what_is_allowed(world):
    world.upstream.cdn = True
    image = world.upstream.add_image(NAME, "latest")
    answered(world.get(NAME, "latest"), 200)
    answered(world.blob(NAME, image.layers[0]), 502)
    same(world.upstream.listeners["cdn"].accepted, 0, "connections to the CDN")


@case(lambda world: [remote(world.repository, world.upstream.url, allow_networks=[])])
def an_address_that_nobody_allowed(world):
    world.upstream.add_image(NAME, "latest")
    answered(world.get(NAME, "latest"), 502)
    same(world.upstream.listeners["registry"].accepted, 0, "connections")
    told_in_the_log(world)


def by_name(world):
    port = world.upstream.listeners["registry"].port
    return [remote(world.repository, f"http://localhost:{port}", allow_networks=["10.0.0.0/8"])]


@case(by_name)
def a_name_that_leads_to_what_is_not_allowed(world):
    world.upstream.add_image(NAME, "latest")
    answered(world.get(NAME, "latest"), (502, 503))
    same(world.upstream.listeners["registry"].accepted, 0, "connections")


@case()
def redirected_round_and_round(world):
    image = world.upstream.add_image(NAME, "latest")
    with world.upstream.on(None, "/blobs/", redirect=f"{world.upstream.url}/v2/{NAME}/blobs/{image.layers[0]}"):
        same(cut_short(world, NAME, image.layers[0]), None, "a blob")
    same(world.upstream.count("GET", "/blobs/") <= 20, True, f"requests: {world.upstream.count('GET', '/blobs/')}")
    world.well_again()
    world.pull(NAME, image)


# TLS.


def tls_of(hosts, folder):
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("upstream", hosts=hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


GOOD_TLS = functools.partial(tls_of, ("127.0.0.1", "127.0.0.2", "127.0.0.3", "localhost"))
OTHER_HOST_TLS = functools.partial(tls_of, ("198.51.100.7",))


def trusting(world):
    """Two repositories of one upstream: one that knows its authority, and one that does not."""
    known = remote(world.repository, world.upstream.url, ca_file=str(world.folder / "authority/ca.crt"), **world.case.settings)
    return [known, remote(world.repository + "-stranger", world.upstream.url), remote(
        world.repository + "-careless", world.upstream.url, insecure_skip_verify=True)]


@case(trusting, GOOD_TLS, **ALWAYS)
def over_tls(world):
    world.upstream.auth, world.upstream.cdn = "bearer", True
    image = world.upstream.add_image(NAME, "latest", [content_range("tls", 0, 3 * MEBIBYTE)])
    world.pull(NAME, image)
    before = world.upstream.count()
    answered(world.get(NAME, "latest", world.repository + "-stranger"), 503, "UNAVAILABLE")
    same(world.upstream.count(), before, "requests of one that does not know the authority")
    told_in_the_log(world)
    # insecure_skip_verify is about the upstream's own host: its token service must still prove who it is.
    tokens = world.upstream.count(where="token")
    answered(world.get(NAME, "latest", world.repository + "-careless"), 503, "UNAVAILABLE")
    same(world.upstream.count(where="token"), tokens, "requests to a token service without a certificate that is trusted")


@case(trusting, OTHER_HOST_TLS)
def a_certificate_for_another_host(world):
    world.upstream.add_image(NAME, "latest")
    answered(world.get(NAME, "latest"), 503, "UNAVAILABLE")
    same(world.upstream.count(), 0, "requests")
    answered(world.get(NAME, "latest", world.repository + "-careless"), 200)


@case(trusting, GOOD_TLS, **ALWAYS)
def from_https_to_http(world):
    image = world.upstream.add_image(NAME, "latest", [b"a layer"])
    with ScriptedUpstream(world.folder / "plain") as plain:
        plain.add_blob(NAME, b"a layer", image.layers[0])
        with world.upstream.on(None, image.layers[0], redirect=f"{plain.url}/v2/{NAME}/blobs/{image.layers[0]}"):
            answered(world.blob(NAME, image.layers[0]), 502)
        same(plain.count(), 0, "requests without TLS")


@case(lambda world: [remote(world.repository, world.upstream.url.replace("http:", "https:"))])
def no_tls_where_there_should_be(world):
    world.upstream.add_image(NAME, "latest")
    unavailable(world, NAME, "latest", (502, 503), None)


@case(trusting, GOOD_TLS, **ALWAYS)
def the_authority_changes_under_a_copy(world):
    image = cached_image(world)
    with world.upstream.on(None, "", drop=True):
        world.upstream.listeners["registry"].tls = tls_of(("127.0.0.1",), world.folder / "another")
        world.upstream.break_off()
        cached_is_served(world, image)


# Tokens.


@case()
def tokens_that_are_none(world):
    world.upstream.auth = "bearer"
    world.upstream.add_image(NAME, "latest")
    bad = ({"body": b"{" + b" " * MEBIBYTE + b"}"}, {"body": b"{}"}, {"body": b"no json"}, {"endless": True}, {"status": 500}, {"drop": True},
           {"body": b'{"token": "a\\r\\nX-Injected: yes"}'}, {"body": b'{"token": 17}'})
    for rule in bad:
        with world.upstream.on(None, "/token", where="token", **rule):
            answer = world.get(NAME, "latest")
            same(answer.status in (403, 502, 503), True, f"{rule!r:.60}: {answer!r}")
    world.well_again()
    answered(world.get(NAME, "latest"), 200)
    world.note(f"{len(bad)} kinds")


@case()
def a_token_service_that_is_slow(world):
    world.upstream.auth = "bearer"
    world.upstream.add_image(NAME, "latest")
    with world.upstream.on(None, "/token", where="token", wait=True):
        unavailable(world, NAME, "latest", (502, 503), None)


@case()
def challenges_without_sense(world):
    world.upstream.add_image(NAME, "latest")
    for challenge in ("Bearer", "Negotiate", 'Bearer realm="', 'Bearer realm="http://127.0.0.2:1/token', "Basic " * 500, "\x01\x02"):
        with world.upstream.on(None, "/v2/", status=401, headers={"WWW-Authenticate": challenge}):
            answer = world.get(NAME, "latest")
            same(answer.status in (403, 502, 503), True, f"{challenge!r:.60}: {answer!r}")
    world.well_again()
    answered(world.get(NAME, "latest"), 200)


# The house beside it.


@case()
def local_repositories_do_not_notice(world):
    """All connections to a dead upstream are waiting; what is not its business is answered as ever (REL-22)."""
    world.upstream.add_image(NAME, "latest")
    with world.upstream.on(None, "", wait=True):
        waiting = [world.connect() for _ in range(100)]
        for number, client in enumerate(waiting):
            client.send("GET", world.path(NAME, f"manifests/tag-{number}"), {"Accept": OCI_MANIFEST})
        times = []
        for _ in range(20):
            with world.connect() as client:
                answer, ms = world.timed(client.request, "GET", "/v2/")
            answered(answer, 200)
            times.append(ms)
        statuses = [client.receive().status for client in waiting]
    for client in waiting:
        client.close()
    same(set(statuses) <= {502, 503}, True, f"statuses {set(statuses)}")
    same(max(times) < QUICKLY_MS, True, f"others wait {max(times):.0f} ms")
    most = world.upstream.listeners["registry"].accepted
    same(most <= 64, True, f"connections to the upstream: {most}")
    world.note(f"100 waiting, {most} connections; others answered in at most {max(times):.1f} ms")
