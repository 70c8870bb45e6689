#!/usr/bin/env python3
"""Virtual repositories: which member answers (SEC-70), who may be asked at all, and lists of several.

Members are asked in their order, local ones first:

| the member's answer | what follows |
|---|---|
| found | it is the answer, and says whose (`X-OrbitalReg-Member`) |
| absent | the next member is asked; behind the last: 404 |
| error | 502 or 503; no later member is asked |
| refused | 403; no later member is asked |

| names | expected |
|---|---|
| an image name that a local member has, another tag of it | 404; no upstream hears of it |
| a name outside a member's `include`, or inside its `exclude` | the member is not asked |
| `rewrite` | the member is asked by the other name |
| push | to `deploy_to`; 405 where there is none; delete 405 |
| tags | of all members, each once, in order, page by page |
"""

import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import remote_world  # noqa: E402
from client_tools import ClientFailed, same  # noqa: E402
from registry_client import OCI_MANIFEST, descriptor, digest_of, image_manifest  # noqa: E402
from remote_world import answered, case, remote  # noqa: E402
from scripted_upstream import CONFIG_TYPE, LAYER_TYPE  # noqa: E402

STATES = ("found", "absent", "error", "refused")
TAGS = 10_000
TAGS_A_PUSH = 100


def local(name):
    return {"name": name, "type": "local"}


def virtual(name, members, **more):
    return {"name": name, "type": "virtual", "members": members, **more}


def push(world, repository, image, tag, text):
    """A small image into a local repository, or through a virtual one; (manifest, layer digest)."""
    layer = f"{repository}/{image}: {text}".encode()
    config = b'{"architecture":"amd64","os":"linux","text":"%s"}' % text.encode()
    manifest = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(layer, LAYER_TYPE)])
    with world.connect() as client:
        for content in (layer, config):
            answered(client.put_blob(f"{remote_world.PROJECT}/{repository}/{image}", content), 201)
        answered(client.put_manifest(f"{remote_world.PROJECT}/{repository}/{image}", tag, manifest), 201)
    return manifest, digest_of(layer)


# The table.


def combinations():
    for here, first, second in itertools.product(("found", "absent"), STATES, STATES):
        yield f"{here[0]}-{first[0]}-{second[0]}", (here, first, second)


def script(upstream, state):
    if state == "error":
        upstream.on(None, "", status=500)
    if state == "refused":
        upstream.on(None, "", status=403)
    return upstream


def declare_table(world):
    """An upstream to each state of each of two members; a pair of remote repositories and a virtual one to each combination."""
    world.kinds = [{state: script(world.another_upstream(), state) for state in STATES} for _ in range(2)]
    entries = [local("table-internal")]
    for name, (_, first, second) in combinations():
        entries += [remote(f"table-a-{name}", world.kinds[0][first].url), remote(f"table-b-{name}", world.kinds[1][second].url),
                    virtual(f"table-{name}", ["table-internal", f"table-a-{name}", f"table-b-{name}"])]
    return entries


def expected(name, states):
    """(status, member)."""
    for state, member in zip(states, ("table-internal", f"table-a-{name}", f"table-b-{name}")):
        if state == "found":
            return 200, member
        if state != "absent":
            return {"error": (502, 503), "refused": 403}[state], None
    return 404, None


@case(declare_table)
def the_table(world):
    wrong, rows = [], []
    for name, states in combinations():
        image = f"combination/{name}"
        manifests = {}
        if states[0] == "found":
            manifests["table-internal"] = push(world, "table-internal", image, "v1", "local")
        for number, (letter, state) in enumerate(zip("ab", states[1:])):
            if state == "found":
                made = world.kinds[number][state].add_image(image, "v1", [f"of {letter}".encode()])
                manifests[f"table-{letter}-{name}"] = (made.manifest, made.layers[0])
        status, member = expected(name, states)
        answer = world.get(image, "v1", f"table-{name}")
        rows.append(f"{'  '.join(f'{state:8}' for state in states)} -> {answer.status} {answer.header('x-orbitalreg-member') or ''}")
        try:
            answered(answer, status, member=member)
            decided = next((number for number, state in enumerate(states) if state != "absent"), 3)
            asked = [bool(world.kinds[number][state].count(None, f"/{image}/")) for number, state in enumerate(states[1:])]
            same(asked, [decided >= 1, decided >= 2], "which upstreams were asked")
            if status == 200:
                manifest, layer = manifests[member]
                same(answer.body == manifest, True, "whose manifest it is")
                same(digest_of(answered(world.blob(image, layer, repository=f"table-{name}"), 200).body), layer, "its layer")
                answered(world.get(image, digest_of(manifest), f"table-{name}"), 200, member=member)
                answered(world.get(image, "v1", f"table-{name}", method="HEAD"), 200, member=member)
        except ClientFailed as error:
            wrong.append(f"{' '.join(states)}: {error}")
    print("      internal  a         b\n      " + "\n      ".join(rows))
    world.note(f"{len(rows)} combinations")
    if wrong:
        raise ClientFailed(f"{len(wrong)} combinations: " + "\n      ".join(wrong))


# Dependency confusion.


def declare_confusion(world):
    return [local(world.named("internal")), remote(world.named("hub"), world.upstream.url),
            virtual(world.named("all"), [world.named("internal"), world.named("hub")]),
            virtual(world.named("reversed"), [world.named("hub"), world.named("internal")])]


@case(declare_confusion)
def a_name_of_ours_is_never_asked_for_upstream(world):
    mine, layer = push(world, world.named("internal"), "app", "v1", "ours")
    theirs = world.upstream.add_image("app", "v1", [b"a stranger's"])
    world.upstream.add_image("app", "v2", [b"a stranger's newer"])
    for repository in (world.named("all"), world.named("reversed")):
        same(answered(world.get("app", "v1", repository), 200, member=world.named("internal")).body, mine, "v1")
        answered(world.get("app", "v2", repository), 404, "MANIFEST_UNKNOWN")
        answered(world.get("app", "latest", repository), 404, "MANIFEST_UNKNOWN")
        answered(world.get("app", theirs.digest, repository), 404, "MANIFEST_UNKNOWN")
        answered(world.blob("app", theirs.layers[0], repository=repository), 404, "BLOB_UNKNOWN")
        answered(world.blob("app", layer, repository=repository), 200)
        same(answered(world.tags("app", repository=repository), 200).json()["tags"], ["v1"], "tags")
    same(world.upstream.count(), 0, "requests to the upstream")


@case(declare_confusion)
def a_name_of_ours_stays_ours_when_its_tags_are_gone(world):
    """What was deleted is gone; it does not become the upstream's."""
    manifest, _ = push(world, world.named("internal"), "deleted", "v1", "ours")
    world.upstream.add_image("deleted", "v1", [b"a stranger's"])
    answered(world.ask("DELETE", "deleted", "manifests/v1", repository=world.named("internal")), 202)
    answer = world.get("deleted", "v1", world.named("all"))
    world.note(f"a tag that was deleted: {answer.status}")
    answered(answer, 404, "MANIFEST_UNKNOWN")
    same(world.upstream.count(), 0, "requests to the upstream")
    answered(world.get("deleted", digest_of(manifest), world.named("all")), 200)


def declare_patterns(world):
    return [local(world.named("internal")), remote(world.named("hub"), world.upstream.url),
            virtual(world.named("all"), [world.named("internal"), {"name": world.named("hub"), "include": ["library/**", "*/public"],
                                                                   "exclude": ["library/secret", "library/private/**"]}])]


@case(declare_patterns)
def only_what_a_member_includes(world):
    asked = {"library/alpine": True, "library/deep/er": True, "team/public": True, "team/other": False, "public": False,
             "a/b/public": False, "library/secret": False, "library/private/app": False, "library/secrets": True, "librarian/x": False}
    for name in asked:
        world.upstream.add_image(name, "v1", [name.encode()])
    for name, wanted in asked.items():
        answer = world.get(name, "v1", world.named("all"))
        same((answer.status, world.upstream.count(None, f"/v2/{name}/") > 0), (200, True) if wanted else (404, False), name)
    world.note(f"{len(asked)} names")


def declare_rewrite(world):
    return [local(world.named("internal")), remote(world.named("hub"), world.upstream.url),
            virtual(world.named("all"), [world.named("internal"), {"name": world.named("hub"), "include": ["hub/**"],
                                                                   "rewrite": [{"from": "hub/", "to": ""}]}])]


@case(declare_rewrite)
def a_member_may_know_it_by_another_name(world):
    image = world.upstream.add_image("library/alpine", "v1")
    world.pull("hub/library/alpine", image, "v1", world.named("all"))
    same(world.upstream.count(None, "/v2/hub/"), 0, "requests by the name that clients use")
    same(answered(world.tags("hub/library/alpine", repository=world.named("all")), 200).json()["tags"], ["v1"], "tags")
    answered(world.get("library/alpine", "v1", world.named("all")), 404)


# Errors in the order of members, and copies.


def declare_copies(world):
    world.second = world.another_upstream()
    return [remote(world.named("a"), world.upstream.url, revalidate_after="0s"), remote(world.named("b"), world.second.url),
            virtual(world.named("all"), [world.named("a"), world.named("b")])]


@case(declare_copies)
def a_copy_of_an_earlier_member_is_its_answer(world):
    image = world.upstream.add_image("app", "v1", [b"first"])
    world.second.add_image("app", "v1", [b"second"])
    answered(world.get("app", "v1", world.named("all")), 200, member=world.named("a"), warning=False)
    world.upstream.stop()
    stale = answered(world.get("app", "v1", world.named("all")), 200, cache="stale", warning=True, member=world.named("a"))
    same(stale.body, image.manifest, "the copy")
    answered(world.get("app", "v2", world.named("all")), (502, 503))
    answered(world.get("other", "v1", world.named("all")), (502, 503))
    same(world.second.count(), 0, "requests to the second upstream")
    answered(world.tags("other", repository=world.named("all")), (502, 503))


# Writing.


def declare_writing(world):
    return [local(world.named("internal")), remote(world.named("hub"), world.upstream.url),
            virtual(world.named("all"), [world.named("internal"), world.named("hub")], deploy_to=world.named("internal")),
            virtual(world.named("reading"), [world.named("internal"), world.named("hub")])]


@case(declare_writing)
def pushes_go_where_they_are_deployed_to(world):
    manifest, _ = push(world, world.named("all"), "team/app", "v1", "through the virtual one")
    same(answered(world.get("team/app", "v1", world.named("internal")), 200).body, manifest, "in the local member")
    answered(world.get("team/app", "v1", world.named("all")), 200, member=world.named("internal"))
    for method, rest in (("POST", "blobs/uploads/"), ("PUT", "manifests/v1"), ("DELETE", "manifests/v1"),
                         ("DELETE", f"manifests/{digest_of(manifest)}")):
        answer = world.ask(method, "team/app", rest, {"Content-Type": OCI_MANIFEST}, manifest, repository=world.named("reading"))
        try:
            answered(answer, 405, "UNSUPPORTED")
        except ClientFailed as error:
            raise ClientFailed(f"{method} {rest}: {error}") from error
    answered(world.get("team/app", "v1", world.named("reading")), 200)
    same(world.upstream.count(), 0, "requests to the upstream")


# Lists.


def pages_of(world, image, repository, count=None):
    """All tags, page by page as Link leads; (tags, pages)."""
    found, pages = [], 0
    query = f"?n={count}" if count else ""
    while query is not None:
        answer = answered(world.tags(image, query, repository), 200)
        page = answer.json()["tags"]
        if count:
            same(len(page) <= count, True, f"{len(page)} tags on a page of {count}")
        found += page
        pages += 1
        link = answer.header("link")
        query = "?" + link.partition("?")[2].partition(">")[0] if link else None
        same(pages <= 20_001, True, "pages without end")
    return found, pages


def exactly(found, wanted, what):
    if found != wanted:
        raise ClientFailed(f"{what}: {len(found)} tags, expected {len(wanted)}; missing {sorted(set(wanted) - set(found))[:5]}, "
                           f"twice or unknown {len(found) - len(set(found) & set(wanted))}, sorted: {found == sorted(found)}")


def declare_merged(world):
    world.second = world.another_upstream()
    return [local(world.named("first")), local(world.named("second")), remote(world.named("a"), world.upstream.url),
            remote(world.named("b"), world.second.url), virtual(world.named("local"), [world.named("first"), world.named("second")]),
            virtual(world.named("remote"), [world.named("a"), world.named("b")])]


def tag_sets():
    """Two of TAGS each, a half of each the other's too."""
    return [f"t{number:06}" for number in range(TAGS)], [f"t{number:06}" for number in range(TAGS // 2, TAGS // 2 + TAGS)]


def push_tags(world, repository, tags):
    manifest, _ = push(world, repository, "many", tags[0], "many")
    with world.connect() as client:
        for at in range(0, len(tags), TAGS_A_PUSH):
            query = "&".join(f"tag={tag}" for tag in tags[at:at + TAGS_A_PUSH])
            target = f"/v2/{remote_world.PROJECT}/{repository}/many/manifests/{digest_of(manifest)}?{query}"
            answered(client.request("PUT", target, {"Content-Type": OCI_MANIFEST}, manifest), 201)


@case(declare_merged)
def tags_of_two_local_members(world):
    first, second = tag_sets()
    push_tags(world, world.named("first"), first)
    push_tags(world, world.named("second"), second)
    wanted = sorted(set(first) | set(second))
    for count in (10_000, 997, 100):
        (found, pages), ms = world.timed(pages_of, world, "many", world.named("local"), count)
        exactly(found, wanted, f"pages of {count}")
        world.note(f"n={count}: {pages} pages in {ms:.0f} ms")


@case(declare_merged)
def tags_of_two_remote_members(world):
    first, second = tag_sets()
    for upstream, tags in ((world.upstream, first), (world.second, second)):
        image = upstream.add_image("many", tags[0])
        for tag in tags[1:]:
            upstream.add_manifest("many", image.manifest, tag=tag)
        upstream.under("many").tags.sort()
    wanted = sorted(set(first) | set(second))
    for count in (10_000, 997):
        (found, pages), ms = world.timed(pages_of, world, "many", world.named("remote"), count)
        exactly(found, wanted, f"pages of {count}")
        world.note(f"n={count}: {pages} pages in {ms:.0f} ms")


def declare_forgetful(world):
    """Lists are asked for each time."""
    world.second = world.another_upstream()
    return [remote(world.named("a"), world.upstream.url, revalidate_after="0s"), remote(world.named("b"), world.second.url, revalidate_after="0s"),
            virtual(world.named("remote"), [world.named("a"), world.named("b")])]


@case(declare_forgetful)
def a_list_that_is_not_whole_says_so(world):
    for upstream, tag in ((world.upstream, "a1"), (world.second, "b1")):
        upstream.add_image("few", tag)
    same(answered(world.tags("few", repository=world.named("remote")), 200).json()["tags"], ["a1", "b1"], "tags of both")
    world.second.stop()
    answer = world.tags("few", repository=world.named("remote"))
    if answer.status == 200:
        same(answer.header("warning") is not None, True, f"a warning: {answer!r}")
    else:
        answered(answer, (502, 503))
    world.note(f"one member down: {answer.status}, warning {answer.header('warning')!r}")


if __name__ == "__main__":
    sys.exit(remote_world.main(__doc__))
