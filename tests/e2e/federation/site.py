"""What the checks of federation share: identity providers, what the server is told of them, and how an exchange is asked for."""

import pathlib

from accounts import claims_of
from api.checks import expect, same
from identity_provider import IdentityProvider
from registry_client import Connection

SERVICE = "orbitalreg"  # and the audience that tokens are made for
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
NO_FORK = {"not_in": ["pull_request", "pull_request_target"]}
FORKS = ("pull_request", "pull_request_target")
REFUSED = "the token is not accepted"

FLOOD_REFETCH_S = 5

# Name of an issuer: how it signs, and what the configuration says of it beside what all have.
ISSUERS = {
    "github": ("RS256", {}),
    "gitlab": ("ES256", {}),
    "flooded": ("RS256", {"jwks": {"min_refetch": f"{FLOOD_REFETCH_S}s"}}),
    "rotating": ("ES256", {"jwks": {"min_refetch": "1ms"}}),
    "failing": ("ES256", {"jwks": {"min_refetch": "1ms"}}),
    "trusting": ("RS256", {"password_login": True}),
    "grouped": ("ES256", {"groups_claim": "groups"}),
}


def rule(name, issuer, claims, *grants, **more):
    return {"name": name, "issuer": issuer, "claims": claims, "grant": list(grants), **more}


def rules():
    acme = {"projects": ["acme"], "repositories": ["acme/app", "acme/app/**"], "role": "developer"}
    owner = {"repository_owner_id": "123456"}
    found = [
        rule("acme-build", "github", {**owner, "repository": "acme/app", "event_name": NO_FORK}, acme, ttl=600),
        rule("acme-production", "github", {**owner, "repository": "acme/shop", "environment": "production"},
             {"projects": ["shop"], "role": "developer"}),
        rule("acme-short", "github", {**owner, "repository": "acme/short"}, acme, ttl=60),
        rule("acme-gone", "github", {**owner, "repository": "acme/gone"}, acme),
        rule("acme-admin", "github", {**owner, "repository": "acme/admin"}, {"projects": ["acme"], "role": "admin"}),
        rule("web", "gitlab", {"project_id": "77", "ref_protected": "true", "ref_type": "branch"},
             {"projects": ["{{claims.namespace_path}}"], "role": "developer"}),
        rule("visitors", "grouped", owner, {"projects": ["lobby"], "role": "guest"}),
    ]
    found += [rule(f"{name}-all", name, owner, acme) for name in ("flooded", "rotating", "failing", "trusting")]
    return found


class Site:
    """The providers and a configuration that names them all."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.providers = {name: IdentityProvider(self.folder / name, algorithm) for name, (algorithm, _) in ISSUERS.items()}

    def __enter__(self):
        for provider in self.providers.values():
            provider.__enter__()
        return self

    def __exit__(self, *_):
        for provider in self.providers.values():
            provider.__exit__()

    def configuration(self):
        issuers = [self.providers[name].issuer_section(name, SERVICE, **more) for name, (_, more) in ISSUERS.items()]
        return {"oidc": {"issuers": issuers, "rules": rules()}}

    def wait_for_keys(self):
        """Until the server has asked each provider: what is counted from then on was asked for by a check."""
        for provider in self.providers.values():
            provider.wait_for("/jwks")


def exchange(people, token, *scopes, **more):
    form = {"grant_type": EXCHANGE, "subject_token_type": TYPE + "id_token", "subject_token": token, **more}
    if scopes:
        form["scope"] = list(scopes)
    return people.post_token(**{name: value for name, value in form.items() if value is not None})


def exchanged(people, token, *scopes, **more):
    """The token that was given; its answer has the form of RFC 8693."""
    answer = expect(exchange(people, token, *scopes, **more), 200)
    same(answer.header("cache-control"), "no-store")
    body = answer.json()
    same((body["issued_token_type"], body["token_type"]), (TYPE + "access_token", "Bearer"))
    claims = claims_of(body["access_token"])
    same(claims["exp"] - claims["iat"], body["expires_in"], "expires_in")
    assert "refresh_token" not in body, body
    return body["access_token"]


def last_refusal(people):
    """The newest line of the audit log about a token that was not given."""
    return people.api("GET", "audit?action=token.refused&limit=1")["items"][0]


def refused(people, answer, reason, status=400, error="invalid_request", description=REFUSED):
    """The client is told `error` and no reason; the audit log has it."""
    expect(answer, status)
    body = answer.json()
    same((body["error"], body["error_description"]), (error, description))
    same(answer.header("cache-control"), "no-store")
    line = last_refusal(people)
    same(line["reason"], reason, "reason in the audit log")
    assert not description.endswith(reason) and reason not in answer.body.decode(), "the client is told the reason"
    return line


def images_of(token):
    return {entry["name"]: entry["actions"] for entry in claims_of(token)["access"]}


def asked_with(people, login_token, *scopes, user="token"):
    """What the token endpoint says to a login token as password."""
    return people.token_answer(scopes, user, login_token)


def ping(people, bearer):
    with people.bearer(bearer) as client:
        return client.request("GET", "/v2/").status


def start_upload(people, bearer, name):
    with people.bearer(bearer) as client:
        return client.start_upload(name).status


def raw_post(address, body, content_type="application/x-www-form-urlencoded", path="/token"):
    with Connection(address, timeout_s=60) as client:
        return client.request("POST", path, {"Content-Type": content_type}, body)
