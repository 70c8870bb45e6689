"""What somebody may do, and what stays hidden (SEC-21, SEC-26 to SEC-33, SEC-44, SEC-110)."""

import urllib.parse

from api.checks import CONFIG_TYPE, LAYER_TYPE, UNKNOWN_DIGEST, check, expect, refused, same
from registry_client import OCI_MANIFEST, descriptor, digest_of, image_manifest


def push_image(client, name, tag, layers=(b"a layer",), **more):
    config = f'{{"of":"{name}/{tag}"}}'.encode()
    for content in (config, *layers):
        expect(client.put_blob(name, content, digest_of(content)), 201)
    manifest = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(content, LAYER_TYPE) for content in layers], **more)
    expect(client.put_manifest(name, tag or digest_of(manifest), manifest, OCI_MANIFEST), 201)
    return manifest, digest_of(manifest)


# What each role may: pull, list tags, push, move a tag, delete.
ROLES = {"limited": "y....", "guest": "yy...", "developer": "yyyy.", "maintainer": "yyyyy", "admin": "yyyyy", "security": "yy..."}


@check("SEC-44", "DIST-DEL-09")
def each_role_may_what_the_table_says(context):
    people, project = context.people, context.project()
    people.user("filler", project, "maintainer")
    with people.connect("filler") as filler:
        manifest, digest = push_image(filler, f"{project}/a", "v1")
        other, _ = push_image(filler, f"{project}/a", "v2", (b"another layer",))
        for role, may in ROLES.items():
            user = people.user(f"{role}-{project}", project, role)
            with people.connect(user) as client:
                expect(filler.put_manifest(f"{project}/a", f"moved-{role}", manifest), 201)
                told = (client.get_manifest(f"{project}/a", "v1").status == 200,
                        client.request("GET", f"/v2/{project}/a/tags/list").status == 200,
                        client.put_manifest(f"{project}/a", f"new-{role}", manifest).status == 201,
                        client.put_manifest(f"{project}/a", f"moved-{role}", other).status == 201,
                        client.request("DELETE", f"/v2/{project}/a/manifests/moved-{role}").status == 202)
                same("".join("y" if one else "." for one in told), may, role)
    assert digest


@check("SEC-110", "SEC-44")
def a_push_without_the_right_to_move_makes_new_tags_only(context):
    people, project = context.people, context.project()
    people.user("mover", project, "developer")
    robot = people.robot(project, "creator", [{"role": "developer", "actions": ["pull", "push"]}])
    with people.connect("mover") as mover, people.connect(robot) as client:
        one, digest = push_image(mover, f"{project}/a", "latest")
        other, _ = push_image(mover, f"{project}/a", "other", (b"another",))
        expect(client.put_manifest(f"{project}/a", "fresh", one), 201)
        expect(client.put_manifest(f"{project}/a", "latest", one), 201)  # it has it already: no move
        refused(client.put_manifest(f"{project}/a", "latest", other), 403, "DENIED")
        answer = client.request("PUT", f"/v2/{project}/a/manifests/{digest_of(other)}?tag=brand-new&tag=latest",
                                {"Content-Type": OCI_MANIFEST}, other)
        refused(answer, 403, "DENIED")
        expect(client.get_manifest(f"{project}/a", "brand-new"), 404)  # all or none
        same(digest_of(expect(client.get_manifest(f"{project}/a", "latest"), 200).body), digest)
        token = people.token([f"repository:{project}/a:pull,push"], robot)
        with people.bearer(token) as bearer:
            refused(bearer.put_manifest(f"{project}/a", "latest", other), 403, "DENIED")


@check("SEC-44")
def scopes_are_for_one_name_and_one_action(context):
    people, project = context.people, context.project()
    people.user("exact", project, "maintainer")
    with people.connect("exact") as filler:
        push_image(filler, f"{project}/a/b", "v1")
        push_image(filler, f"{project}/a/b/c", "v1")
    with people.bearer(people.token([f"repository:{project}/a/b:pull"], "exact")) as client:
        expect(client.get_manifest(f"{project}/a/b", "v1"), 200)
        expect(client.get_manifest(f"{project}/a/b/c", "v1"), 401)
    with people.bearer(people.token([f"repository:{project}/*:pull", f"repository:{project}/a/b:push"], "exact")) as client:
        expect(client.get_manifest(f"{project}/a/b", "v1"), 401)
        expect(client.start_upload(f"{project}/a/b"), 202)
        expect(client.request("DELETE", f"/v2/{project}/a/b/manifests/v1"), 401)  # push is no delete


@check("SEC-26", "DIST-MNT-05")
def a_mount_needs_the_right_to_pull_its_source(context):
    people, source, target = context.people, context.project(), "t" + context.project_suffix()
    people.project(target)
    people.user("owner", source, "developer")
    people.user("mounter", target, "developer")
    with people.connect("owner") as owner:
        content = b"a private layer " + source.encode()
        digest = digest_of(content)
        expect(owner.put_blob(f"{source}/a", content, digest), 201)
    mount = f"/v2/{target}/b/blobs/uploads/?mount={digest}&from={urllib.parse.quote(source + '/a', safe='')}"
    absent = f"/v2/{target}/b/blobs/uploads/?mount={UNKNOWN_DIGEST}&from={source}/a"
    both = [f"repository:{target}/b:pull,push", f"repository:{source}/a:pull"]
    # Not asked for the source: 401 with both scopes, whether or not it is there.
    with people.bearer(people.token(both[:1], "mounter")) as client:
        for path in (mount, absent, f"/v2/{target}/b/blobs/uploads/?mount={digest}&from=nobody/knows"):
            answer = expect(client.request("POST", path), 401)
            assert 'error="insufficient_scope"' in answer.header("www-authenticate")
        assert f'scope="{both[0]} {both[1]}"' in client.request("POST", mount).header("www-authenticate")
    # Asked for and not granted, or Basic without the right: an ordinary upload.
    for client in (people.bearer(people.token(both, "mounter")), people.connect("mounter")):
        with client:
            first, second = (expect(client.request("POST", path), 202) for path in (mount, absent))
            same([name for name, _ in first.headers], [name for name, _ in second.headers])
            expect(client.request("HEAD", f"/v2/{target}/b/blobs/{digest}"), 404)
    # With the right it is one link.
    people.member(source, "mounter", [{"role": "guest"}])
    with people.bearer(people.token(both, "mounter")) as client:
        expect(client.request("POST", mount), 201)
        same(client.get_blob(f"{target}/b", digest).body, content)


@check("SEC-27")
def a_mount_without_source_finds_only_what_may_be_pulled(context):
    people, source = context.people, context.project()
    target = "t" + context.project_suffix()
    people.project(target)
    people.user("keeper", source, "developer")
    people.user("finder", target, "developer")
    content = b"to be found " + source.encode()
    digest = digest_of(content)
    with people.connect("keeper") as keeper:
        expect(keeper.put_blob(f"{source}/a", content, digest), 201)
    path = f"/v2/{target}/b/blobs/uploads/?mount={digest}"
    with people.connect("finder") as client:
        expect(client.request("POST", path), 202)
    people.member(source, "finder", [{"role": "limited"}])
    # The token must hold it: the account's rights alone are not what was presented.
    with people.bearer(people.token([f"repository:{target}/b:pull,push"], "finder")) as client:
        expect(client.request("POST", path), 202)
    with people.connect("finder") as client:
        expect(client.request("POST", path), 201)


def fingerprint(answer):
    """All of an answer but what differs from request to request."""
    headers = [(name, value) for name, value in answer.headers if name not in ("date", "x-request-id")]
    return answer.status, headers, answer.body


@check("SEC-28", "SEC-32", "SEC-23", "DIST-GEN-14")
def hidden_and_absent_look_alike(context):
    people, project = context.people, context.project()
    people.user("hider", project, "maintainer")
    people.user("stranger")
    with people.connect("hider") as hider:
        _, digest = push_image(hider, f"{project}/secret", "v1")
    gone = "q" + project[1:]  # as long, and not there
    requests = [("GET", "/v2/{}/secret/manifests/v1"), ("HEAD", "/v2/{}/secret/manifests/v1"),
                ("GET", f"/v2/{{}}/secret/manifests/{digest}"), ("GET", f"/v2/{{}}/secret/blobs/{digest}"),
                ("HEAD", f"/v2/{{}}/secret/blobs/{digest}"), ("GET", "/v2/{}/secret/tags/list"),
                ("GET", f"/v2/{{}}/secret/referrers/{digest}"), ("POST", "/v2/{}/secret/blobs/uploads/"),
                ("PUT", "/v2/{}/secret/manifests/v2"), ("DELETE", "/v2/{}/secret/manifests/v1"),
                ("DELETE", f"/v2/{{}}/secret/blobs/{digest}"), ("PATCH", "/v2/{}/secret/blobs/uploads/xyz"),
                ("GET", "/v2/{}/secret/blobs/uploads/xyz")]
    scopes = [f"repository:{name}/secret:pull,push,delete" for name in (project, gone)]
    clients = {"nobody": people.connect(), "basic": people.connect("stranger"),
               "token without": people.bearer(people.token([], "stranger")),
               "token asked": people.bearer(people.token(scopes, "stranger")),
               "nobody's token": people.bearer(people.token(scopes))}
    for who, client in clients.items():
        with client:
            for method, target in requests:
                there, away = (fingerprint(client.request(method, target.format(name))) for name in (project, gone))
                same(str(there).replace(project, gone), str(away), f"{who}: {method} {target}")
                assert there[0] in (401, 403), f"{who}: {method} {target}: {there}"


@check("SEC-31", "DIST-CAT-04", "DIST-CAT-05")
def the_catalog_shows_what_may_be_listed(context):
    people = context.people
    suffix = context.project_suffix()
    mine, open_one, other = (f"{letter}{suffix}" for letter in "mop")
    people.project(mine)
    people.project(open_one, public=True)
    people.project(other)
    people.user("catalog", mine, "guest")
    people.user("cataloger", other, "developer")
    for project in (mine, open_one):
        people.member(project, "cataloger", [{"role": "developer"}])
    with people.connect("cataloger") as filler:
        for project in (mine, open_one, other):
            for image in ("a", "b/c"):
                push_image(filler, f"{project}/{image}", "v1")
    expect(context.ask("GET", "/v2/_catalog"), 401)
    wanted = [f"{project}/{image}" for project in (mine, open_one) for image in ("a", "b/c")]
    with people.connect("catalog") as client:
        names = expect(client.request("GET", "/v2/_catalog?n=1000"), 200).json()["repositories"]
        same([name for name in names if suffix in name], wanted)
        pages, target = [], "/v2/_catalog?n=1"
        while target:
            answer = expect(client.request("GET", target), 200)
            pages += answer.json()["repositories"]
            link = answer.header("link")
            target = link[1:link.index(">")] if link else None
            assert other not in (link or ""), "a page does not name what is hidden"
        same([name for name in pages if suffix in name], wanted)
    with people.bearer(people.token([], "catalog")) as client:
        assert 'scope="registry:catalog:*"' in expect(client.request("GET", "/v2/_catalog"), 401).header("www-authenticate")
    with people.bearer(people.token(["registry:catalog:*"], "catalog")) as client:
        expect(client.request("GET", "/v2/_catalog"), 200)
    with people.bearer(people.token(["registry:catalog:*"])) as client:
        refused(client.request("GET", "/v2/_catalog"), 403, "DENIED")


@check("SEC-33", "DIST-UPL-09")
def an_upload_belongs_to_who_opened_it(context):
    people, project = context.people, context.project()
    people.user("opener", project, "developer")
    people.user("taker", project, "developer")
    with people.connect("opener") as opener, people.connect("taker") as taker:
        location = expect(opener.start_upload(f"{project}/a"), 202).header("location")
        for method, body in (("GET", None), ("PATCH", b"x"), ("PUT", b""), ("DELETE", None)):
            target = location + (f"?digest={UNKNOWN_DIGEST}" if method == "PUT" else "")
            refused(taker.request(method, target, {"Content-Type": "application/octet-stream"}, body), 404, "BLOB_UPLOAD_UNKNOWN")
        # Bound to the person, not to one credential.
        with people.bearer(people.token([f"repository:{project}/a:pull,push"], "opener")) as renewed:
            expect(renewed.request("PATCH", location, {"Content-Type": "application/octet-stream"}, b"bytes"), 202)
        people.api("PUT", f"projects/{project}/members/user%3Aopener", {"grants": [{"role": "guest"}]})
        refused(opener.request("PATCH", location, {"Content-Type": "application/octet-stream"}, b"more"), 403, "DENIED")


@check("SEC-21")
def a_referrer_needs_the_right_to_push(context):
    people, project = context.people, context.project()
    people.user("signer", project, "developer")
    people.user("reader", project, "guest")
    with people.connect("signer") as signer, people.connect("reader") as reader:
        manifest, digest = push_image(signer, f"{project}/a", "v1")
        subject = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(manifest)}
        config = b"{}"
        expect(signer.put_blob(f"{project}/a", config, digest_of(config)), 201)
        signature = image_manifest(descriptor(config, CONFIG_TYPE), [], subject=subject, artifactType="text/x-sig")
        refused(reader.put_manifest(f"{project}/a", digest_of(signature), signature), 403, "DENIED")
        expect(signer.put_manifest(f"{project}/a", digest_of(signature), signature), 201)


@check("SEC-46")
def repositories_may_be_open_or_closed_by_themselves(context):
    people, project = context.people, context.project(public=True)
    people.user("setter", project, "developer")
    with people.connect("setter") as client:
        for name in ("shown", "closed"):
            push_image(client, f"{project}/{name}/app", "v1")
    people.api("POST", f"projects/{project}/repositories", {"name": "closed", "public": False}, wanted=201)
    with people.connect() as nobody:
        expect(nobody.get_manifest(f"{project}/shown/app", "v1"), 200)
        expect(nobody.get_manifest(f"{project}/closed/app", "v1"), 401)
        header = expect(nobody.get_manifest(f"{project}/shown/app", "v1"), 200)
        assert header.header("cache-control") == "no-cache"
    people.api("PATCH", f"projects/{project}/repositories/closed", {"public": None})
    with people.connect() as nobody:
        expect(nobody.get_manifest(f"{project}/closed/app", "v1"), 200)
    # Where not everybody may read, no shared cache keeps it.
    people.api("PATCH", f"projects/{project}", {"public": False})
    with people.connect("setter") as client:
        digest = digest_of(client.get_manifest(f"{project}/shown/app", "v1").body)
        assert "private" in client.get_manifest(f"{project}/shown/app", digest).header("cache-control")


@check("SEC-46")
def grants_may_be_for_some_images_only(context):
    people, project = context.people, context.project()
    people.user("part")
    people.user("whole", project, "maintainer")
    people.member(project, "part", [{"role": "guest"}, {"role": "developer", "repositories": [f"{project}/web/**"]}])
    with people.connect("whole") as filler, people.connect("part") as client:
        push_image(filler, f"{project}/api/a", "v1")
        expect(client.get_manifest(f"{project}/api/a", "v1"), 200)
        expect(client.start_upload(f"{project}/web/a"), 202)
        refused(client.start_upload(f"{project}/api/a"), 403, "DENIED")
        told = people.api("GET", f"access/explain?user=part&action=push&image={project}/web/x")
        same((told["allowed"], told["reason"]), (True, f"developer of {project}, by member user:part"))


@check("SEC-36", "SEC-109", "DIST-DEL-10")
def one_account_does_not_take_the_room_of_all(context):
    """A server of its own with low limits: three sessions, two requests a second of one account."""
    import registry_process
    from accounts import ENVIRONMENT, Accounts
    limits = {"ORBITALREG_UPLOADS_OPEN_PER_PRINCIPAL": "3", "ORBITALREG_HTTP_LIMITS_REQUESTS_PER_PRINCIPAL": "2"}
    with registry_process.RegistryProcess(binary=context.server.binary, environment=dict(ENVIRONMENT, **limits)) as server:
        people = Accounts(server)
        people.project("shared")
        for name in ("greedy", "modest", "busy"):
            people.user(name, "shared", "developer")
        octets = {"Content-Type": "application/octet-stream"}
        with people.connect("greedy") as greedy, people.connect("modest") as modest:
            held = []
            for i in range(3):
                location = expect(greedy.start_upload("shared/a"), 202).header("location")
                expect(greedy.request("PATCH", location, octets, b"some bytes"), 202)
                held.append(location)
            refused(greedy.start_upload("shared/a"), 429, "TOOMANYREQUESTS")
            expect(modest.start_upload("shared/a"), 202)
            # To give one up is no deletion of content, and makes room; so does to finish one.
            expect(greedy.request("DELETE", held.pop()), 204)
            expect(greedy.start_upload("shared/a"), 202)
            digest = digest_of(b"some bytes")
            expect(greedy.request("PUT", held.pop() + f"?digest={digest}", octets, b""), 201)
            expect(greedy.start_upload("shared/a"), 202)
        with people.connect("busy") as busy, people.connect("modest") as modest:
            statuses = [busy.request("GET", "/v2/shared/a/tags/list").status for _ in range(30)]
            assert statuses[0] == 404 and statuses[-1] == 429, statuses
            assert modest.request("GET", "/v2/shared/a/tags/list").status == 404
