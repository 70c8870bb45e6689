"""The token protocol as clients speak it (DIST-PING, DIST-AUTH)."""

import base64
import datetime
import re

from accounts import basic, claims_of
from api.checks import check, expect, header_is, refused, same
from registry_client import Connection

CHALLENGE = re.compile(r'^Bearer realm="([^"]+)",service="([^"]+)"(?:,scope="([^"]*)")?(?:,error="([^"]*)")?$')


def challenge_of(answer):
    """realm, service, scope, error of a 401."""
    expect(answer, 401)
    values = answer.header_all("www-authenticate")
    same(len(values), 1, "one challenge")
    match = CHALLENGE.match(values[0])
    assert match, f"not the form of a challenge: {values[0]}"
    return match.groups()


@check("DIST-PING-01", "DIST-PING-05", "DIST-AUTH-01", "DIST-AUTH-02", "DIST-AUTH-03", "DIST-AUTH-06")
def ping_without_credentials_is_challenged(context):
    context.people.project("open-" + context.run_id, public=True)
    answer = refused(context.ask("GET", "/v2/"), 401, "UNAUTHORIZED")
    realm, service, scope, error = challenge_of(answer)
    same(realm, f"http://{context.address}/token", "on the same host and port")
    same((service, scope, error), ("orbitalreg", None, None))
    header_is(answer, "docker-distribution-api-version", "registry/2.0")


@check("DIST-PING-02")
def ping_takes_any_token_and_basic(context):
    people = context.people
    people.user("pinger")
    for client in (people.bearer(people.token()), people.bearer(people.token(name="pinger")), people.connect("pinger")):
        with client:
            same(expect(client.request("GET", "/v2/"), 200).body, b"{}")


@check("DIST-PING-06", "DIST-AUTH-05")
def a_token_that_is_none_is_told_so(context):
    for text in ("x", "a.b.c", context.people.token()[:-4] + "AAAA"):
        with context.people.bearer(text) as client:
            same(challenge_of(client.request("GET", "/v2/"))[3], "invalid_token")


@check("DIST-AUTH-04", "DIST-AUTH-08", "DIST-GEN-14")
def each_request_names_the_scope_it_needs(context):
    digest = "sha256:" + "ab" * 32
    cases = [("GET", "/v2/a/b/manifests/x", "repository:a/b:pull"), ("HEAD", f"/v2/a/b/blobs/{digest}", "repository:a/b:pull"),
             ("GET", "/v2/a/b/tags/list", "repository:a/b:pull"), ("GET", f"/v2/a/b/referrers/{digest}", "repository:a/b:pull"),
             ("POST", "/v2/a/b/blobs/uploads/", "repository:a/b:pull,push"),
             ("PUT", "/v2/a/b/manifests/x", "repository:a/b:pull,push"),
             ("PATCH", "/v2/a/b/blobs/uploads/none", "repository:a/b:pull,push"),
             ("DELETE", "/v2/a/b/blobs/uploads/none", "repository:a/b:pull,push"),
             ("DELETE", "/v2/a/b/manifests/x", "repository:a/b:pull,delete"),
             ("DELETE", f"/v2/a/b/blobs/{digest}", "repository:a/b:pull,delete"),
             ("POST", f"/v2/a/b/blobs/uploads/?mount={digest}&from=c/d", "repository:a/b:pull,push repository:c/d:pull"),
             ("GET", "/v2/_catalog", "registry:catalog:*")]
    for method, target, scope in cases:
        same(challenge_of(context.ask(method, target))[2], scope, f"{method} {target}")


@check("DIST-AUTH-09")
def a_push_is_refused_before_its_body_is_read(context):
    with context.connect() as client:
        client.send_raw(b"PATCH /v2/a/b/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n"
                        b"Expect: 100-continue\r\n\r\n")
        status, _ = client.receive_head()
        same(status, 401, "no 100 before it")


@check("DIST-AUTH-20", "DIST-AUTH-21", "DIST-AUTH-22", "DIST-AUTH-25", "DIST-AUTH-29", "SEC-45")
def a_token_holds_what_was_asked_and_is_allowed(context):
    people, project = context.people, context.project()
    people.user("asker", project, "developer")
    answer = expect(people.token_answer([f"repository:{project}/a:pull,push,delete repository:other/b:pull",
                                         f"repository:{project}/c:pull"], "asker"), 200)
    header_is(answer, "cache-control", "no-store")
    body = answer.json()
    same(body["token"], body["access_token"])
    assert body["expires_in"] >= 60
    datetime.datetime.strptime(body["issued_at"], "%Y-%m-%dT%H:%M:%SZ")
    assert "refresh_token" not in body
    claims = claims_of(body["token"])
    access = {entry["name"]: entry["actions"] for entry in claims["access"]}
    same(access, {f"{project}/a": ["pull", "push"], f"{project}/c": ["pull"]})
    same(set(claims["asked"]), {f"repository:{project}/a:delete", "repository:other/b:pull"})
    same(claims["exp"] - claims["iat"], body["expires_in"])
    # Nothing granted is no error.
    same(claims_of(people.token(["repository:other/b:pull"], "asker"))["access"], [])


@check("DIST-AUTH-24")
def nobody_gets_what_is_public(context):
    people, project = context.people, context.project(public=True)
    claims = claims_of(people.token([f"repository:{project}/a:pull,push"]))
    same((claims["sub"], claims["access"][0]["actions"]), ("", ["pull"]))


@check("DIST-AUTH-23")
def wrong_credentials_are_never_nobody(context):
    context.people.user("known")
    for name, secret in (("known", "wrong"), ("unknown", "wrong"), ("known", ""), ("", "")):
        refused(context.people.token_answer([], name or "x", secret or "y"), 401, "UNAUTHORIZED")


@check("DIST-AUTH-26", "DIST-AUTH-27")
def scopes_that_are_none_are_left_out(context):
    people, project = context.people, context.project(public=True)
    scopes = ["nonsense", "repository:UPPER/a:pull", f"repository(plugin):{project}/a:pull", "plugin:x:pull",
              f"repository:{project}/b:fly", f"repository:{project}/c:*"]
    access = {entry["name"]: entry["actions"] for entry in claims_of(people.token(scopes))["access"]}
    same(access, {f"{project}/a": ["pull"], f"{project}/c": ["pull"]})


@check("DIST-AUTH-28", "SEC-44")
def many_scopes_do_not_make_a_token_too_long(context):
    people, project = context.people, context.project(public=True)
    name = project + "/" + "n" * 180
    scopes = [f"repository:{name}-{i}:pull" for i in range(32)]
    token = people.token(scopes)
    assert len(token) <= 8192, len(token)
    assert 10 < len(claims_of(token)["access"]) < 32
    expect(people.token_answer(scopes + ["repository:a/b:pull"]), 400)


@check("DIST-AUTH-05", "DIST-AUTH-07")
def missing_scope_is_401_when_not_asked_and_403_when_not_granted(context):
    people, project = context.people, context.project()
    people.user("narrow", project, "guest")
    target = f"/v2/{project}/a/blobs/uploads/"
    with people.bearer(people.token([f"repository:{project}/a:pull"], "narrow")) as client:
        same(challenge_of(client.request("POST", target))[2:], (f"repository:{project}/a:pull,push", "insufficient_scope"))
    with people.bearer(people.token([f"repository:{project}/a:pull,push"], "narrow")) as client:
        refused(client.request("POST", target), 403, "DENIED")
    with people.connect("narrow") as client:
        refused(client.request("POST", target), 403, "DENIED")


@check("DIST-AUTH-40", "DIST-AUTH-41", "DIST-AUTH-43")
def the_form_gives_and_takes_refresh_tokens(context):
    people, project = context.people, context.project()
    people.user("former", project, "developer")
    name, secret = people.credentials("former")
    answer = expect(people.post_token(headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
                                      grant_type="password", username=name, password=secret, service="orbitalreg",
                                      client_id="test", access_type="offline", scope=f"repository:{project}/a:pull,push"), 200)
    body = answer.json()
    same(body["scope"], f"repository:{project}/a:pull,push")
    refresh = body["refresh_token"]
    assert "." not in refresh and len(refresh) > 43, "opaque"
    again = expect(people.post_token(grant_type="refresh_token", refresh_token=refresh, service="orbitalreg", client_id="test",
                                     scope=[f"repository:{project}/a:pull", f"repository:{project}/b:push"]), 200).json()
    same(again["refresh_token"], refresh)
    same(again["scope"], f"repository:{project}/a:pull repository:{project}/b:push")
    # Good at the token endpoint only, for its service and client.
    with people.bearer(refresh) as client:
        expect(client.request("GET", "/v2/"), 401)
    expect(people.post_token(grant_type="refresh_token", refresh_token=refresh, client_id="another"), 401)
    expect(people.post_token(grant_type="refresh_token", refresh_token=refresh[:-1] + ("x" if refresh[-1] != "x" else "y")), 401)
    # offline_token of a GET gives one as well, to those who say who they are.
    assert "refresh_token" in people.token_answer([], "former", query="&offline_token=true").json()
    assert "refresh_token" not in people.token_answer([], query="&offline_token=true").json()


@check("DIST-AUTH-42")
def what_is_wrong_with_a_form_is_said_twice(context):
    people = context.people
    answer = expect(people.post_token(grant_type="password", username="nobody", password="wrong password"), 401)
    same(answer.error_codes(), ["UNAUTHORIZED"])
    for form, status, error in (({"grant_type": "magic"}, 400, "unsupported_grant_type"), ({}, 400, "unsupported_grant_type"),
                                ({"grant_type": ["password", "password"]}, 400, "invalid_request")):
        answer = expect(people.post_token(**form), status)
        same(answer.json()["error"], error)
    expect(context.ask("POST", "/token", {"Content-Type": "application/json"}, b"{}"), 400)
    expect(people.post_token(grant_type="password", password="x" * 70_000), 413)


@check("DIST-AUTH-50", "DIST-AUTH-51", "DIST-AUTH-52")
def the_token_is_a_jwt_that_names_its_key(context):
    people, project = context.people, context.project(public=True)
    token = people.token([f"repository:{project}/a:pull"])
    header = base64.urlsafe_b64decode(token.split(".")[0] + "==").decode()
    keys = expect(context.ask("GET", "/.well-known/jwks.json"), 200).json()["keys"]
    assert '"typ":"JWT"' in header and '"alg":"ES256"' in header, header
    assert any(f'"kid":"{key["kid"]}"' in header for key in keys), header
    claims = claims_of(token)
    for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "access"):
        assert name in claims, name


@check("DIST-AUTH-53")
def keys_change_without_a_401(context):
    people, project = context.people, context.project(public=True)
    before = people.token([f"repository:{project}/a:pull"])
    same(people.api("POST", "keys/rotate", {"now": True})["kid"] != "", True)
    after = people.token([f"repository:{project}/a:pull"])
    assert before.split(".")[0] != after.split(".")[0], "another key"
    for token in (before, after):
        with people.bearer(token) as client:
            expect(client.request("GET", "/v2/"), 200)
    states = [key["state"] for key in people.api("GET", "keys")["items"]]
    same(sorted(states)[0], "active")
    assert "retiring" in states
    same(len(expect(context.ask("GET", "/.well-known/jwks.json"), 200).json()["keys"]), len(states))


@check("DIST-AUTH-60", "DIST-AUTH-61")
def basic_is_taken_on_every_request(context):
    people, project = context.people, context.project()
    robot = people.robot(project, "ci", [{"role": "developer"}])
    assert "$" in robot and "+" in robot
    with people.connect(robot) as client:
        expect(client.start_upload(f"{project}/a"), 202)
    # Split at the first colon; what is behind it may hold more.
    people.api("POST", "users", {"name": "colon", "password": "a:b:c:d:e:f"}, wanted=201)
    with people.connect("colon", "a:b:c:d:e:f") as client:
        expect(client.request("GET", "/v2/"), 200)
    for value in ("Basic", "Basic !", "Basic " + base64.b64encode(b"no colon").decode(), "Digest x", basic("colon", "")):
        with Connection(context.address) as client:
            expect(client.request("GET", "/v2/", {"Authorization": value}), 401)


@check("SEC-47")
def a_refresh_token_used_twice_ends_its_family(context):
    """With auth.rotate_refresh; the server is started again for it, and once more without."""
    people, server = context.people, context.server
    people.user("rotator")
    name, secret = people.credentials("rotator")
    server.stop()
    server.environment["ORBITALREG_AUTH_ROTATE_REFRESH"] = "true"
    server.start()
    try:
        first = people.post_token(grant_type="password", username=name, password=secret, access_type="offline").json()["refresh_token"]
        second = expect(people.post_token(grant_type="refresh_token", refresh_token=first), 200).json()["refresh_token"]
        assert first != second
        third = expect(people.post_token(grant_type="refresh_token", refresh_token=second), 200).json()["refresh_token"]
        expect(people.post_token(grant_type="refresh_token", refresh_token=second), 401)
        expect(people.post_token(grant_type="refresh_token", refresh_token=third), 401)
    finally:
        server.stop()
        del server.environment["ORBITALREG_AUTH_ROTATE_REFRESH"]
        server.start()
