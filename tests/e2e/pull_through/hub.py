"""An upstream that behaves as Docker Hub does, and the oddities of others.

| the upstream | expected of the server |
|---|---|
| wants a token, of a service on another host | one for `repository:library/alpine:pull` alone, with the configured password and no other |
| redirects blobs to a CDN | follows; neither Authorization nor cookie goes there; Range does |
| a client that brings credentials of its own | they go nowhere (DIST-PROXY-24) |
| says what is left of its limit | tags are asked for by HEAD; a manifest is taken once, however many pull |
| 429 | with a copy: the copy, with a Warning; without: 429, TOOMANYREQUESTS, Retry-After; asked no more until then |
| lets a token go bad | one new token, and the pull goes on |
| refuses the password | 403 DENIED; what is cached stays, and is served by digest |
| realm on a host that nobody allowed | 502; the password does not go there |
| HEAD without a digest, or no HEAD at all | a GET, and its hash |
| wrong type of a manifest, or one with parameters | the type that the body says |
| a manifest of schema 1 | 404 MANIFEST_UNKNOWN, nothing kept |
| an index of which one child is pulled | the index as it was |
| sha512 | verified and served |
| a CDN that refuses HEAD | HEAD of a blob is answered all the same |
| push, mount, delete | 405 UNSUPPORTED, and the upstream hears nothing |
| tags in pages | followed, by one origin only; when it is down, those that are cached |
| referrers, by API or by tag | an index of them |
| `urls` of foreign layers | never followed (DIST-PROXY-26) |
"""

import json

from accounts import basic
from client_tools import same
from oci_layout import Layout
from registry_client import OCI_INDEX, OCI_MANIFEST, OCTETS, descriptor, digest_of, image_manifest
from remote_world import ACCEPT, SECRET, answered, case, cut_short, remote
from scripted_upstream import CONFIG_TYPE, LAYER_TYPE, SCHEMA_1
from seeded_content import content_range

ALPINE = "library/alpine"
USER = "hub-user"
CALLER = {"Authorization": basic("caller", "the-password-of-the-caller"), "Accept": ACCEPT}


def password_file(world):
    path = world.folder / "password"
    path.write_text(SECRET + "\n")
    return str(path)


def with_password(world):
    return [remote(world.repository, world.upstream.url, username=USER, password_file=password_file(world), **world.case.settings)]


def be_hub(upstream, password=False):
    upstream.auth, upstream.cdn, upstream.hub_limit = "bearer", True, (100, 21600)
    if password:
        upstream.username, upstream.password = USER, SECRET


@case(with_password)
def a_pull_from_hub(world):
    be_hub(world.upstream, password=True)
    image = world.upstream.add_image(ALPINE, "latest", [b"small, of hub", content_range("hub", 0, 3_000_000)])
    manifest = answered(world.ask("GET", ALPINE, "manifests/latest", CALLER), 200, cache="miss", warning=False)
    same((manifest.body, manifest.header("docker-content-digest")), (image.manifest, image.digest), "the manifest")
    for digest in image.blobs:
        same(digest_of(answered(world.blob(ALPINE, digest, CALLER), 200).body), digest, "a blob")
    log = world.upstream
    same({(entry.authorization, entry.cookie) for entry in log.seen(where="cdn")}, {(None, False)}, "what the CDN was sent")
    tokens = log.seen("GET", where="token")
    same({entry.credential for entry in tokens}, {basic(USER, SECRET).partition(" ")[2]}, "credentials at the token service")
    same({tuple(entry.scopes) for entry in tokens}, {(f"repository:{ALPINE}:pull",)}, "scopes that were asked for")
    same({entry.authorization for entry in log.seen(where="registry")} <= {None, "Bearer"}, True, "what the registry was sent")
    same(log.count("GET", "/signed/"), len(image.blobs), "transfers from the CDN")
    sent = log.bytes_of(where="cdn")
    same(sent, log.size_of(image), "bytes taken from the CDN")
    before = log.count()
    world.pull(ALPINE, image)
    same(log.count(), before, "requests of a second pull within revalidate_after")
    world.note(f"{before} requests, {len(tokens)} token(s), {sent} bytes")


@case(library_prefix=True)
def a_short_name_has_a_prefix_upstream_only(world):
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull("alpine", image)
    same(world.upstream.count(None, "^/v2/alpine/"), 0, "requests without the prefix")
    world.upstream.add_image("team/app", "v1")
    answered(world.get("team/app", "v1"), 200)


@case(library_prefix=False)
def a_short_name_is_left_alone_where_it_should_be(world):
    image = world.upstream.add_image("alpine", "latest")
    world.pull("alpine", image)


@case()
def every_manifest_type_is_accepted_upstream(world):
    world.upstream.add_image(ALPINE, "latest")
    # A client that takes one type only decides nothing about what is asked for.
    answered(world.get(ALPINE, "latest", accept=OCI_MANIFEST), 200)
    asked = ", ".join(world.upstream.seen(None, "/manifests/")[-1].accept)
    missing = [kind for kind in ACCEPT.split(", ") if kind not in asked]
    same(missing, [], "types missing from Accept")


@case(revalidate_after="0s")
def a_tag_is_revalidated_by_head(world):
    world.upstream.hub_limit = (100, 21600)
    image = world.upstream.add_image(ALPINE, "latest")
    answered(world.get(ALPINE, "latest"), 200, cache="miss")
    for _ in range(5):
        answered(world.get(ALPINE, "latest"), 200, cache="revalidated", warning=False)
    same(world.upstream.count("GET", "/manifests/"), 1, "manifests taken")
    other = world.upstream.add_image(ALPINE, "latest", [b"another layer"])
    moved = answered(world.get(ALPINE, "latest"), 200)
    same(moved.header("docker-content-digest"), other.digest, "the tag after it moved")
    same(world.upstream.taken, 2, "pulls as the upstream counts them")
    answered(world.get(ALPINE, image.digest), 200)
    world.note(f"7 pulls of a tag cost {world.upstream.taken} of the limit")


@case(revalidate_after="0s")
def a_digest_is_never_revalidated(world):
    image = world.upstream.add_image(ALPINE, "latest")
    answered(world.get(ALPINE, image.digest), 200, cache="miss")
    before = world.upstream.count()
    answered(world.get(ALPINE, image.digest), 200, cache="hit")
    same(world.upstream.count(), before, "requests for a digest that is cached")


@case(revalidate_after="0s")
def a_deleted_tag_is_gone(world):
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull(ALPINE, image)
    world.upstream.remove_tag(ALPINE, "latest")
    answered(world.get(ALPINE, "latest"), 404, "MANIFEST_UNKNOWN")
    answered(world.get(ALPINE, image.digest), 200)


@case(negative_ttl="30s")
def an_unknown_tag_is_asked_for_once(world):
    world.upstream.add_image(ALPINE, "latest")
    for _ in range(10):
        answered(world.get(ALPINE, "no-such-tag"), 404, "MANIFEST_UNKNOWN")
    same(world.upstream.count(None, "/no-such-tag") <= 2, True, f"requests: {world.upstream.count(None, '/no-such-tag')}")
    for _ in range(3):
        answered(world.blob(ALPINE, "sha256:" + "ab" * 32), 404, "BLOB_UNKNOWN")
    same(world.upstream.count(None, "abababab") <= 2, True, "requests for an unknown blob")


@case(revalidate_after="0s", stale_if_error=True)
def throttled_with_a_copy(world):
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull(ALPINE, image)
    with world.upstream.on(None, "/manifests/", status=429, headers={"Retry-After": "120"}):
        answered(world.get(ALPINE, "latest"), 200, cache="stale", warning=True)
        before = world.upstream.count()
        answer, ms = world.timed(world.get, ALPINE, "latest")
        answered(answer, 200, cache="stale", warning=True)
        same(world.upstream.count(), before, "requests within Retry-After")
    world.note(f"stale in {ms:.1f} ms")


@case()
def throttled_without_a_copy(world):
    world.upstream.hub_limit, world.upstream.taken, world.upstream.retry_after_s = (0, 21600), 1, 90
    world.upstream.add_image(ALPINE, "latest")
    answer = answered(world.get(ALPINE, "latest"), 429, "TOOMANYREQUESTS")
    seconds = int(answer.header("retry-after"))
    same(1 <= seconds <= 90, True, f"Retry-After {seconds}")
    before = world.upstream.count()
    answered(world.get(ALPINE, "latest"), 429, "TOOMANYREQUESTS")
    same(world.upstream.count(), before, "requests within Retry-After")


@case(with_password, revalidate_after="0s")
def a_token_that_went_bad_is_renewed_once(world):
    be_hub(world.upstream, password=True)
    image = world.upstream.add_image(ALPINE, "latest", [content_range("renewed", 0, 100_000)])
    answered(world.get(ALPINE, "latest"), 200)
    world.upstream.tokens.revoke_all()
    tokens = world.upstream.count("GET", where="token")
    answered(world.get(ALPINE, "latest"), 200, cache="revalidated", warning=False)
    answered(world.blob(ALPINE, image.layers[0]), 200)
    same(world.upstream.count("GET", where="token"), tokens + 1, "tokens asked for")


@case(with_password, revalidate_after="0s")
def a_token_is_used_again(world):
    be_hub(world.upstream, password=True)
    world.upstream.add_image(ALPINE, "latest")
    for _ in range(5):
        answered(world.get(ALPINE, "latest"), 200)
    same(world.upstream.count("GET", where="token"), 1, "tokens for five requests of one name")
    world.upstream.add_image("team/other", "v1")
    answered(world.get("team/other", "v1"), 200)
    same(world.upstream.count("GET", where="token"), 2, "tokens for two names")


@case()
def nobody_needs_a_token_too(world):
    be_hub(world.upstream)
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull(ALPINE, image)
    same({entry.authorization for entry in world.upstream.seen(where="token")}, {None}, "credentials at the token service")


@case(with_password)
def basic_where_the_upstream_wants_it(world):
    world.upstream.auth, world.upstream.username, world.upstream.password = "basic", USER, SECRET
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull(ALPINE, image)


@case(with_password, revalidate_after="0s")
def a_refused_password_is_403_and_the_cache_stays(world):
    be_hub(world.upstream, password=True)
    image = world.upstream.add_image(ALPINE, "latest")
    world.upstream.add_image("team/other", "v1")
    world.pull(ALPINE, image)
    world.upstream.password = "another"
    world.upstream.tokens.revoke_all()
    answered(world.get("team/other", "v1"), 403, "DENIED")
    answered(world.get(ALPINE, image.digest), 200)
    answered(world.blob(ALPINE, image.layers[0]), 200)
    world.upstream.password = SECRET


@case(with_password)
def a_realm_that_nobody_allowed_gets_nothing(world):
    be_hub(world.upstream, password=True)
    world.upstream.add_image(ALPINE, "latest")
    # The CDN's host is reachable, but not in auth_hosts.
    world.upstream.realm = f"{world.upstream.listeners['cdn'].url}/token"
    answered(world.get(ALPINE, "latest"), 502)
    same(world.upstream.count(where="cdn"), 0, "requests to the realm")


@case(with_password)
def a_realm_cannot_be_smuggled_in(world):
    be_hub(world.upstream, password=True)
    world.upstream.add_image(ALPINE, "latest")
    cdn, token = (world.upstream.listeners[where].address for where in ("cdn", "token"))
    for realm in (f"http://{token}@{cdn}/token", f"http://{cdn}#{token}/token", "file:///etc/passwd", "//" + cdn, f"http://{cdn}\\@{token}/",
                  "http://169.254.169.254/token", "", f"http://127.0.0.2.{cdn}/token"):
        world.upstream.realm = realm or " "
        answered(world.get(ALPINE, "latest"), (502, 503))
    same(world.upstream.count(where="cdn"), 0, "requests to the realm")


@case(revalidate_after="0s")
def without_a_digest_in_the_answer_to_head(world):
    world.upstream.digest_header = False
    image = world.upstream.add_image(ALPINE, "latest")
    for wanted in ("miss", None):
        answer = answered(world.get(ALPINE, "latest"), 200, cache=wanted)
        same(answer.header("docker-content-digest"), image.digest, "the digest is computed")
    other = world.upstream.add_image(ALPINE, "latest", [b"another layer"])
    same(answered(world.get(ALPINE, "latest"), 200).header("docker-content-digest"), other.digest, "the tag after it moved")


@case(revalidate_after="0s")
def without_head_at_all(world):
    world.upstream.head = False
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull(ALPINE, image)
    world.pull(ALPINE, image)
    answer = answered(world.blob(ALPINE, image.layers[0], method="HEAD"), 200)
    same(int(answer.header("content-length")), world.upstream.bodies[image.layers[0]].size, "size")


@case()
def a_type_that_is_wrong_or_has_parameters(world):
    for number, told in enumerate(("text/plain; charset=utf-8", "application/json", f"{OCI_MANIFEST}; charset=utf-8", OCTETS)):
        image = world.upstream.add_image(f"types/{number}", "latest", [f"of {number}".encode()])
        with world.upstream.on(None, "/manifests/", headers={"Content-Type": told}):
            answer = answered(world.get(f"types/{number}", "latest"), 200)
        same((answer.header("content-type"), answer.header("docker-content-digest")), (OCI_MANIFEST, image.digest), told)


@case()
def schema_1_is_not_passed_on(world):
    body = json.dumps({"schemaVersion": 1, "name": ALPINE, "tag": "antique", "architecture": "amd64", "fsLayers": [], "history": [],
                       "signatures": []}, indent=3).encode()
    world.upstream.add_manifest(ALPINE, body, SCHEMA_1, "antique")
    answered(world.get(ALPINE, "antique"), 404, "MANIFEST_UNKNOWN")
    world.upstream.under(ALPINE).manifests["plain"] = (digest_of(body), body, "application/json")
    answered(world.get(ALPINE, "plain"), 404, "MANIFEST_UNKNOWN")
    world.upstream.stop()
    same(world.get(ALPINE, digest_of(body)).status in (404, 503), True, "nothing of it is kept")


@case()
def an_index_of_which_one_child_is_pulled(world):
    layout = Layout(world.folder / "layout")
    layout.add_index("latest", "partly")
    digest = world.upstream.add_layout(ALPINE, layout, "latest")
    index = answered(world.get(ALPINE, "latest"), 200)
    same((digest_of(index.body), index.header("content-type")), (digest, OCI_INDEX), "the index")
    child = json.loads(index.body)["manifests"][1]
    manifest = answered(world.get(ALPINE, child["digest"]), 200)
    for entry in json.loads(manifest.body)["layers"]:
        same(digest_of(answered(world.blob(ALPINE, entry["digest"]), 200).body), entry["digest"], "a layer")
    world.upstream.stop()
    same(digest_of(answered(world.get(ALPINE, "latest"), 200).body), digest, "the index when the upstream is down")
    answered(world.get(ALPINE, child["digest"]), 200, cache="hit")


@case()
def sha512(world):
    image = world.upstream.add_image(ALPINE, "latest", [content_range("sha512", 0, 300_000)], algorithm="sha512")
    world.pull(ALPINE, image)
    same(image.layers[0].startswith("sha512:"), True, "the layer's algorithm")
    with world.upstream.on("GET", "/blobs/sha512", flip_at=77):
        wrong = world.upstream.add_image(ALPINE, "wrong", [content_range("sha512 wrong", 0, 300_000)], algorithm="sha512")
        got = cut_short(world, ALPINE, wrong.layers[0])
        same(got is None or len(got) < 300_000, True, "a wrong body")
    world.pull(ALPINE, wrong, "wrong")


@case()
def a_cdn_that_refuses_head(world):
    world.upstream.cdn, world.upstream.cdn_head = True, False
    image = world.upstream.add_image(ALPINE, "latest", [content_range("cdn", 0, 50_000)])
    answered(world.get(ALPINE, "latest"), 200)
    answer = answered(world.blob(ALPINE, image.layers[0], method="HEAD"), 200)
    same(int(answer.header("content-length")), 50_000, "size")
    world.pull(ALPINE, image)


@case()
def a_range_goes_to_the_cdn(world):
    world.upstream.cdn = True
    content = content_range("resumed", 0, 8 << 20)
    image = world.upstream.add_image(ALPINE, "latest", [content])
    with world.upstream.on("GET", "/signed/" + image.layers[0], cut_after=3 << 20, times=1):
        world.pull(ALPINE, image)
    transfers = world.upstream.seen("GET", "/signed/" + image.layers[0])
    same([entry.range for entry in transfers], [None, f"bytes={3 << 20}-"], "ranges")
    same(world.upstream.bytes_of("/signed/" + image.layers[0]), 8 << 20, "bytes taken")


@case()
def nothing_that_changes_anything(world):
    image = world.upstream.add_image(ALPINE, "latest")
    world.pull(ALPINE, image)
    world.upstream.forget()
    content, name = b"pushed", ALPINE
    digest = digest_of(content)
    attempts = [("POST", "blobs/uploads/"), ("POST", f"blobs/uploads/?digest={digest}"), ("POST", f"blobs/uploads/?mount={digest}&from=acme/other"),
                ("PUT", "manifests/new"), ("PUT", "manifests/latest"), ("PUT", f"manifests/{image.digest}"),
                ("DELETE", "manifests/latest"), ("DELETE", f"manifests/{image.digest}"), ("DELETE", f"blobs/{image.layers[0]}")]
    for method, rest in attempts:
        answer = world.ask(method, name, rest, {"Content-Type": OCI_MANIFEST}, image.manifest if "manifests" in rest else content)
        try:
            answered(answer, 405, "UNSUPPORTED")
        except Exception as error:
            raise type(error)(f"{method} {rest}: {error}") from error
    same(world.upstream.count(), 0, "requests to the upstream")
    world.pull(ALPINE, image)
    world.note(f"{len(attempts)} routes")


@case(revalidate_after="0s")
def tags_come_from_the_upstream(world):
    image = world.upstream.add_image(ALPINE, "v000")
    for number in range(1, 250):
        world.upstream.add_manifest(ALPINE, image.manifest, tag=f"v{number:03}")
    world.upstream.tags_page = 100
    wanted = [f"v{number:03}" for number in range(250)]
    found, query, pages = [], "?n=70", 0
    while query is not None:
        answer = answered(world.tags(ALPINE, query), 200)
        found += answer.json()["tags"]
        link = answer.header("link")
        query = "?" + link.partition("?")[2].partition(">")[0] if link else None
        pages += 1
    same(found, wanted, "tags in pages of 70")
    same(answered(world.tags(ALPINE), 200).json()["tags"][:100], wanted[:100], "tags without n")
    answered(world.get(ALPINE, "v007"), 200)
    world.upstream.stop()
    answer = answered(world.tags(ALPINE), 200)
    same(answer.json()["tags"], ["v007"], "tags when the upstream is down: those that are cached")
    world.note(f"{pages} pages")


@case()
def a_link_to_elsewhere_is_not_followed(world):
    world.upstream.add_image(ALPINE, "v1")
    cdn = world.upstream.listeners["cdn"].url
    with world.upstream.on("GET", "/tags/list", headers={"Link": f'<{cdn}/v2/{ALPINE}/tags/list?last=v1>; rel="next"'}):
        answer = world.tags(ALPINE)
        same(answer.status in (200, 502), True, f"{answer!r}")
        world.ask("GET", ALPINE, "tags/list?n=1&last=v1")
    same(world.upstream.count(where="cdn"), 0, "requests to the other host")


@case()
def referrers_by_the_api(world):
    image = world.upstream.add_image(ALPINE, "latest")
    signature = image_manifest(descriptor(b"{}", "application/vnd.oci.empty.v1+json"), [],
                               artifactType="application/vnd.example.signature",
                               subject={"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)})
    world.upstream.add_blob(ALPINE, b"{}")
    digest = world.upstream.add_manifest(ALPINE, signature)
    answer = answered(world.ask("GET", ALPINE, f"referrers/{image.digest}"), 200)
    same([entry["digest"] for entry in answer.json()["manifests"]], [digest], "referrers")
    answered(world.get(ALPINE, digest), 200)
    filtered = answered(world.ask("GET", ALPINE, f"referrers/{image.digest}?artifactType=application/none"), 200)
    same(filtered.json()["manifests"], [], "referrers of another type")


@case()
def referrers_by_the_tag(world):
    world.upstream.referrers_api = False
    image = world.upstream.add_image(ALPINE, "latest")
    signature = image_manifest(descriptor(b"{}", "application/vnd.oci.empty.v1+json"), [], artifactType="application/vnd.example.signature",
                               subject={"mediaType": OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest)})
    digest = world.upstream.add_manifest(ALPINE, signature)
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(signature), "artifactType": "application/vnd.example.signature"}]}).encode()
    world.upstream.add_manifest(ALPINE, index, OCI_INDEX, image.digest.replace(":", "-"))
    answer = answered(world.ask("GET", ALPINE, f"referrers/{image.digest}"), 200)
    same([entry["digest"] for entry in answer.json()["manifests"]], [digest], "referrers")


@case()
def foreign_layers_are_not_fetched(world):
    layer = content_range("foreign", 0, 1000)
    config = b'{"architecture":"amd64","os":"windows"}'
    cdn = world.upstream.listeners["cdn"].url
    manifest = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(layer, LAYER_TYPE, urls=[f"{cdn}/foreign"])])
    world.upstream.add_blob(ALPINE, config)
    world.upstream.add_manifest(ALPINE, manifest, tag="latest")
    answered(world.get(ALPINE, "latest"), 200)
    answered(world.blob(ALPINE, digest_of(layer)), 404, "BLOB_UNKNOWN")
    same(world.upstream.count(where="cdn"), 0, "requests to the layer's urls")


@case()
def a_blob_that_is_cached_under_another_name(world):
    """A digest is no key: whoever may see it under one name, must still be told by the upstream that the other has it."""
    image = world.upstream.add_image("private/app", "latest", [b"only of the private image"])
    world.pull("private/app", image)
    world.upstream.add_image("open/app", "latest")
    answered(world.blob("open/app", image.layers[0]), 404, "BLOB_UNKNOWN")
    answered(world.get("open/app", image.digest), 404, "MANIFEST_UNKNOWN")


@case(offline=True)
def offline_means_offline(world):
    world.upstream.add_image(ALPINE, "latest")
    answer = world.get(ALPINE, "latest")
    same(answer.status in (404, 503), True, f"{answer!r}")
    same(sum(listener.accepted for listener in world.upstream.listeners.values()), 0, "connections to the upstream")


@case(prefetch=True)
def prefetch_takes_what_will_be_asked_for(world):
    image = world.upstream.add_image(ALPINE, "latest", [b"first", content_range("prefetched", 0, 500_000)])
    answered(world.get(ALPINE, "latest"), 200)
    for digest in image.blobs:
        world.upstream.wait_for(lambda: any(entry.outcome == "whole" for entry in world.upstream.seen("GET", digest)),  # noqa: B023
                                f"{digest} to be fetched ahead")
    world.pull(ALPINE, image)
    same([world.upstream.count("GET", digest) for digest in image.blobs], [1] * 3, "transfers of each blob")
