"""What an exchanged token may do, and for how long (SEC-43, SEC-56, SEC-59)."""

import copy
import json
import subprocess
import time

from accounts import basic, claims_of
from api.checks import check, expect, same
from federation.site import SERVICE, asked_with, exchange, exchanged, images_of, ping, rule, start_upload
from registry_client import Connection


@check("SEC-57")
def a_login_token_is_a_password_and_a_scope_makes_an_access_token(context):
    people = context.people
    login = exchanged(people, context.github.github_token(SERVICE))
    claims = claims_of(login)
    same((claims["aud"], claims["sub"]), (SERVICE + "/token", "oidc:github:repo:acme/app:ref:refs/heads/main"))
    body = expect(asked_with(people, login, "repository:acme/app:pull,push,delete", "repository:acme/other:pull"), 200).json()
    same(images_of(body["token"]), {"acme/app": ["pull", "push"]})
    same(start_upload(people, body["token"], "acme/app"), 202)
    same(start_upload(people, body["token"], "acme/other"), 401)
    # As a password on every request, too.
    with Connection(context.address) as client:
        expect(client.request("POST", "/v2/acme/app/blobs/uploads/", {"Authorization": basic("token", login)}), 202)
        expect(client.request("POST", "/v2/acme/other/blobs/uploads/", {"Authorization": basic("token", login)}), 403)
    answer = expect(people.post_token(grant_type="password", username="token", password=login, access_type="offline",
                                      scope="repository:acme/app/web:pull"), 200).json()
    same(images_of(answer["access_token"]), {"acme/app/web": ["pull"]})
    assert "refresh_token" not in answer, "nothing that outlives what the provider said"


@check("SEC-44")
def a_scope_narrower_than_the_grant_stays_narrow(context):
    people, provider = context.people, context.github
    token = exchanged(people, provider.github_token(SERVICE), "repository:acme/app:pull")
    same(images_of(token), {"acme/app": ["pull"]})
    same(start_upload(people, token, "acme/app"), 401)
    body = expect(exchange(people, provider.github_token(SERVICE), "repository:acme/app:pull,push repository:acme/other:pull",
                           "repository:acme/app/web:pull"), 200).json()
    same(body["scope"], "repository:acme/app:pull,push repository:acme/app/web:pull")
    same(claims_of(body["access_token"])["asked"], ["repository:acme/other:pull"])
    same(start_upload(people, body["access_token"], "acme/app/web"), 401)
    # Nothing of what was asked for is granted: a token that may nothing.
    body = expect(exchange(people, provider.github_token(SERVICE), "repository:other/x:pull"), 200).json()
    same((body["scope"], images_of(body["access_token"])), ("", {}))


@check("SEC-56")
def a_claim_names_the_project(context):
    people, gitlab = context.people, context.site.providers["gitlab"]
    token = exchanged(people, gitlab.gitlab_token(SERVICE), "repository:platform/web:pull,push", "repository:acme/app:pull")
    same(images_of(token), {"platform/web": ["pull", "push"]})
    same(start_upload(people, token, "platform/web"), 202)
    for path in ("platform/sub/web", "Platform/web", "../web", "acme%2f/web"):
        expect(exchange(people, gitlab.gitlab_token(SERVICE, project_path=path)), 400)


@check("SEC-56")
def a_group_of_the_provider_may_be_a_member(context):
    people, provider = context.people, context.site.providers["grouped"]
    people.api("PUT", "projects/acme/members/group%3Adevs", {"grants": [{"role": "developer"}]})
    scopes = ("repository:acme/x:pull,push", "repository:lobby/y:pull,push")
    for groups, images in ((["ops", "devs"], {"acme/x": ["pull", "push"], "lobby/y": ["pull"]}), ("devs", {"acme/x": ["pull", "push"], "lobby/y": ["pull"]}),
                           (["developers", "Devs"], {"lobby/y": ["pull"]}), (None, {"lobby/y": ["pull"]}), ([["devs"]], {"lobby/y": ["pull"]})):
        token = exchanged(people, provider.github_token(SERVICE, groups=groups), *scopes)
        same(images_of(token), images, f"groups {groups}")
    # Of another issuer a group is none.
    token = exchanged(people, context.github.github_token(SERVICE, groups=["devs"]), "repository:acme/x:push")
    same(images_of(token), {})
    login = exchanged(people, provider.github_token(SERVICE, groups=["devs"]))
    held = expect(asked_with(people, login, scopes[0]), 200).json()["token"]
    same(images_of(held), {"acme/x": ["pull", "push"]})
    people.api("DELETE", "projects/acme/members/group%3Adevs", wanted=204)
    same(images_of(expect(asked_with(people, login, scopes[0]), 200).json()["token"]), {})


@check("SEC-56")
def nobody_administers_the_system_by_a_token(context):
    people = context.people
    token = context.github.github_token(SERVICE, repository="acme/admin", sub="root-admin", preferred_username="root-admin",
                                        administrator=True, admin="true", role="admin", roles=["system-admin"])
    login = exchanged(people, token)
    credentials = ("token", login)
    for method, path in (("GET", "users"), ("POST", "projects"), ("GET", "audit"), ("POST", "keys/rotate"), ("GET", "system/stats"),
                         ("POST", "system/gc"), ("POST", "robots"), ("GET", "users/root-admin/tokens"), ("POST", "users/root-admin/tokens")):
        answer = people.ask(method, path, {} if method == "POST" else None, credentials)
        assert answer.status in (401, 403, 404), f"{method} {path}: {answer!r}"
    # Such rules are errors of the configuration, too.
    for role, projects in (("administrator", ["acme"]), ("system-admin", ["acme"]), ("admin", ["{{claims.namespace_path}}"])):
        changed = copy.deepcopy(context.server.configuration)
        changed["oidc"]["rules"].append(rule("wrong", "gitlab", {"project_id": "1"}, {"projects": projects, "role": role}))
        path = context.server.workspace / "wrong.yml"
        path.write_text(json.dumps(changed))
        told = subprocess.run([context.server.binary, "config", "check", "-c", path], capture_output=True, text=True, timeout=60, check=False)
        assert told.returncode != 0 and "oidc.rules" in told.stdout + told.stderr, f"{role}: {told}"


@check("SEC-59")
def what_is_given_out_ends_in_time(context):
    people, provider = context.people, context.github
    scope = "repository:acme/app:pull"

    def life(*scopes, **claims):
        return expect(exchange(people, provider.github_token(SERVICE, **claims), *scopes), 200).json()["expires_in"]

    for scopes in ((), (scope,)):
        same(life(*scopes, life_s=3000), 600, "no longer than the rule says")
        assert 295 <= life(*scopes, life_s=300) <= 300, "no longer than the token of the provider"
        assert 60 <= life(*scopes, life_s=65) <= 65
        same(life(*scopes, repository="acme/gone", life_s=3000), 900, "no longer than 900 seconds")
        same(life(*scopes, repository="acme/short", life_s=3000), 60)
    login = exchanged(people, provider.github_token(SERVICE, life_s=100))
    body = expect(asked_with(people, login, scope), 200).json()
    assert claims_of(body["token"])["exp"] <= claims_of(login)["exp"], "an access token does not outlive the login token"


@check("SEC-59", needs_process=True)
def a_login_token_of_a_short_rule_is_good_for_something(context):
    """ttl: 60 is the least that a rule may say; the token is used one second later."""
    people, server = context.people, context.server
    login = exchanged(people, context.github.github_token(SERVICE, repository="acme/short", life_s=3000))
    issued = claims_of(login)["iat"]
    while time.time() < issued + 1.2:
        server.pause()
    expect(asked_with(people, login, "repository:acme/app:pull"), 200)


@check("SEC-59", needs_process=True)
def a_rule_that_is_gone_ends_its_tokens_at_once(context):
    people, server, provider = context.people, context.server, context.github
    scope = "repository:acme/app:pull,push"

    def tokens(repository):
        access = exchanged(people, provider.github_token(SERVICE, repository=repository), scope)
        login = exchanged(people, provider.github_token(SERVICE, repository=repository))
        return access, login, expect(asked_with(people, login, scope), 200).json()["token"]

    def states(access, login, held):
        return ping(people, access), asked_with(people, login, scope).status, ping(people, held), start_upload(people, access, "acme/app")

    going, staying = tokens("acme/gone"), tokens("acme/app")
    same((states(*going), states(*staying)), ((200, 200, 200, 202),) * 2)
    before = server.configuration
    server.stop()
    server.configuration = {"oidc": {**before["oidc"], "rules": [each for each in before["oidc"]["rules"] if each["name"] != "acme-gone"]}}
    server.start()
    try:
        same((states(*going), states(*staying)), ((401, 401, 401, 401), (200, 200, 200, 202)))
    finally:
        server.stop()
        server.configuration = before
        server.start()


@check("SEC-106")
def what_was_given_out_is_in_the_audit_log(context):
    people = context.people
    token = context.github.github_token(SERVICE)
    access = exchanged(people, token, "repository:acme/app:push")
    line = people.api("GET", "audit?action=token.exchange&limit=1")["items"][0]
    same((line["principal"], line["rule"], line["reference"]),
         ("oidc:github:repo:acme/app:ref:refs/heads/main", "rule acme-build", "repository:acme/app:push"))
    with people.bearer(access) as client:
        expect(client.put_blob("acme/app", b"of a job"), 201)
    log = b"".join(path.read_bytes() for path in sorted((context.server.data / "audit").iterdir())) + context.server.log_path.read_bytes()
    for secret in (token, access, token.rpartition(".")[2], access.rpartition(".")[2]):
        assert secret.encode() not in log, "no token in a log"
