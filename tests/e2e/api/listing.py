"""Lists of tags and of repositories (checklist sections 9 and 10)."""

import urllib.parse

from api.checks import check, expect, header_is, refused, same
from registry_client import digest_of, image_manifest, descriptor, OCI_MANIFEST

TAGS = ["A", "_x", "a", "b", "1", "10", "2", "v1.0", "V1.0", "latest"]


def push_tags(context, name, tags):
    body, digest = context.push_image(name, tags[0])
    for tag in tags[1:]:
        expect(context.client.put_manifest(name, tag, body, OCI_MANIFEST), 201)
    return digest


def next_target(answer):
    link = answer.header("link")
    if link is None:
        return None
    assert link.startswith("</v2/") and link.endswith('>; rel="next"'), link
    return link[1:link.index(">")]


def walk(context, target, field):
    found = []
    while target:
        answer = expect(context.ask("GET", target), 200)
        found.append(answer.json()[field])
        target = next_target(answer)
    return found


@check("DIST-LIST-01", "DIST-LIST-02", "DIST-LIST-08", "DIST-DEC-02")
def whole_list_in_byte_order(context):
    name = context.name()
    push_tags(context, name, TAGS)
    answer = expect(context.ask("GET", f"/v2/{name}/tags/list"), 200)
    header_is(answer, "content-type", "application/json")
    header_is(answer, "link", None)
    same(answer.json(), {"name": name, "tags": sorted(TAGS)})


@check("DIST-LIST-03", "DIST-LIST-04", "DIST-LIST-06")
def pages_of_tags(context):
    name = context.name()
    push_tags(context, name, TAGS)
    wanted = sorted(TAGS)
    for size in (1, 3, 5, 10, 11):
        pages = walk(context, f"/v2/{name}/tags/list?n={size}", "tags")
        same(pages, [wanted[begin:begin + size] for begin in range(0, len(wanted), size)])
    answer = expect(context.ask("GET", f"/v2/{name}/tags/list?n=0"), 200)
    same(answer.json()["tags"], [])
    header_is(answer, "link", None)
    answer = context.ask("GET", f"/v2/{name}/tags/list?n=3")
    same(urllib.parse.parse_qs(urllib.parse.urlsplit(next_target(answer)).query)["last"], [wanted[2]])


@check("DIST-LIST-05")
def after_a_tag_that_is_gone(context):
    name = context.name()
    push_tags(context, name, TAGS)
    wanted = sorted(TAGS)
    for last in ("B", "1", "aa", "zzz", "0"):
        answer = expect(context.ask("GET", f"/v2/{name}/tags/list?last={last}"), 200)
        same(answer.json()["tags"], [tag for tag in wanted if tag > last], last)
    same(context.ask("GET", f"/v2/{name}/tags/list?n=2&last=B").json()["tags"], [t for t in wanted if t > "B"][:2])


@check("DIST-LIST-07")
def link_keeps_other_parameters(context):
    name = context.name()
    push_tags(context, name, TAGS)
    target = next_target(context.ask("GET", f"/v2/{name}/tags/list?n=2&ns=docker.io"))
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
    same((query["n"], query["ns"]), (["2"], ["docker.io"]))


@check("DIST-LIST-09")
def odd_page_sizes(context):
    name = context.name()
    push_tags(context, name, TAGS)
    for size in ("10000", str(2**31), str(2**63), str(2**70)):
        same(len(expect(context.ask("GET", f"/v2/{name}/tags/list?n={size}"), 200).json()["tags"]), len(TAGS))
    for size in ("-1", "abc", "1.5"):
        expect(context.ask("GET", f"/v2/{name}/tags/list?n={size}"), 400)


@check("DIST-LIST-10", "DIST-DEL-02")
def repository_that_lost_its_tags(context):
    name = context.name()
    refused(context.ask("GET", f"/v2/{name}/tags/list"), 404, "NAME_UNKNOWN")
    digest = push_tags(context, name, ["a", "b"])
    for tag in ("a", "b"):
        expect(context.ask("DELETE", f"/v2/{name}/manifests/{tag}"), 202)
        expect(context.client.get_manifest(name, tag), 404)
    expect(context.client.get_manifest(name, digest), 200)
    same(expect(context.ask("GET", f"/v2/{name}/tags/list"), 200).json()["tags"], [])


@check("DIST-LIST-11", "DIST-DEL-01")
def deleting_a_manifest_takes_its_tags(context):
    name = context.name()
    digest = push_tags(context, name, ["a", "b", "c"])
    other, _ = context.push_image(name, "other", layers=(b"another",))
    expect(context.ask("DELETE", f"/v2/{name}/manifests/{digest}"), 202)
    same(context.ask("GET", f"/v2/{name}/tags/list").json()["tags"], ["other"])
    for reference in ("a", "b", "c", digest):
        refused(context.client.get_manifest(name, reference), 404, "MANIFEST_UNKNOWN")
    same(context.client.get_manifest(name, "other").body, other)


@check("DIST-LIST-12")
def head_and_trailing_slash(context):
    name = context.name()
    push_tags(context, name, ["a"])
    expect(context.ask("HEAD", f"/v2/{name}/tags/list"), 200)
    same(expect(context.ask("GET", f"/v2/{name}/tags/list/"), 200).json()["tags"], ["a"])


@check("DIST-CAT-01", "DIST-CAT-02", "DIST-CAT-03", "DIST-CAT-05")
def catalog(context):
    names = [context.name(suffix) for suffix in ("a-b", "a/b", "a0", "a", "z/y/x")]
    config = b"{}"
    body = image_manifest(descriptor(config), [])
    for name in names:
        context.push(name, config)
        expect(context.client.put_manifest(name, digest_of(body), body), 201)
    for size in ("", "?n=1", "?n=3", "?n=100000"):
        found = [name for page in walk(context, f"/v2/_catalog{size}", "repositories") for name in page]
        same([name for name in found if name in names], sorted(names), size)
        same(found, sorted(set(found)), size)
    answer = expect(context.ask("GET", "/v2/_catalog?n=0"), 200)
    same(answer.json()["repositories"], [])
    for size in ("-1", "x"):
        expect(context.ask("GET", f"/v2/_catalog?n={size}"), 400)
    last = sorted(names)[2]
    answer = expect(context.ask("GET", f"/v2/_catalog?n=2&last={last}"), 200)
    same(answer.json()["repositories"][:2], sorted(names)[3:5])
