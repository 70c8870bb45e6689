"""Tokens of identity providers that are refused, and what is told to whom (SEC-38 to SEC-42, SEC-53 to SEC-60)."""

import hashlib
import hmac
import threading
import time

from accounts import basic, claims_of
from api.checks import check, expect, same
from federation.site import FORKS, REFUSED, SERVICE, exchange, exchanged, last_refusal, ping, raw_post, refused
from identity_provider import base64url, base64url_json, openssl
from registry_client import Connection

OTHERS = "; acme-production: repository is `acme/app`; acme-short: repository is `acme/app`; " \
    "acme-gone: repository is `acme/app`; acme-admin: repository is `acme/app`"


def unsigned_parts(provider, claims, **header):
    fields = {"typ": "JWT", "alg": "RS256", "kid": provider.keys[0].key_id, **header}
    return base64url_json({name: value for name, value in fields.items() if value is not None}) + "." + base64url_json(claims)


def claims_for(provider, **changes):
    return claims_of(provider.github_token(SERVICE, **changes))


@check("SEC-56")
def a_pull_request_of_a_fork_is_refused(context):
    for event in FORKS:
        token = context.github.github_token(SERVICE, event_name=event)
        line = refused(context.people, exchange(context.people, token), f"no rule accepts it: acme-build: event_name is `{event}`" + OTHERS)
        same(line["principal"], "oidc:github:repo:acme/app:ref:refs/heads/main")


@check("SEC-56")
def a_claim_that_is_missing_never_fits(context):
    people, provider = context.people, context.github
    token = provider.github_token(SERVICE, repository="acme/shop")
    line = refused(people, exchange(people, token), "no rule accepts it: acme-build: repository is `acme/shop`; "
                   "acme-production: environment is missing; acme-short: repository is `acme/shop`; "
                   "acme-gone: repository is `acme/shop`; acme-admin: repository is `acme/shop`")
    assert line["reason"].count("environment is missing") == 1
    exchanged(people, provider.github_token(SERVICE, repository="acme/shop", environment="production"))
    # Nor does not_in.
    token = provider.github_token(SERVICE, event_name=None)
    refused(people, exchange(people, token), "no rule accepts it: acme-build: event_name is missing" + OTHERS)
    # A job of a branch that is not protected.
    token = context.site.providers["gitlab"].gitlab_token(SERVICE, ref_protected="false")
    refused(people, exchange(people, token), "no rule accepts it: web: ref_protected is `false`")


@check("SEC-55")
def a_token_made_for_others_is_refused(context):
    people, provider = context.people, context.github
    foreign = "the token is for another audience"
    for audience, reason in (("sigstore", "made for another audience"), (["sigstore"], "made for another audience"),
                             ([SERVICE, "sigstore"], "made for several audiences, without azp"), (SERVICE + "/", "made for another audience"),
                             (SERVICE.upper(), "made for another audience")):
        answer = exchange(people, provider.github_token(audience))
        refused(people, answer, reason, error="invalid_target", description=foreign)
    answer = exchange(people, provider.github_token([SERVICE, "sigstore"], azp="sigstore"))
    refused(people, answer, "made for several audiences, azp is another", error="invalid_target", description=foreign)
    exchanged(people, provider.github_token([SERVICE, "sigstore"], azp=SERVICE))
    refused(people, exchange(people, provider.github_token(None)), "aud is missing or no text")


@check("SEC-57")
def a_token_is_exchanged_once(context):
    people, provider = context.people, context.github
    reason = "the token was exchanged before"
    token = provider.github_token(SERVICE)
    exchanged(people, token)
    refused(people, exchange(people, token), reason)
    refused(people, exchange(people, token, "repository:acme/app:pull"), reason)
    # The same jti in another token is the same token.
    named = [provider.github_token(SERVICE, jti="one-of-two") for _ in range(2)]
    exchanged(people, named[0])
    refused(people, exchange(people, named[1]), reason)
    # Without jti the token stands for itself.
    nameless = provider.github_token(SERVICE, jti=None)
    exchanged(people, nameless)
    refused(people, exchange(people, nameless), reason)
    # Two at the same time: one of them.
    token, found = provider.github_token(SERVICE), []
    threads = [threading.Thread(target=lambda: found.append(exchange(people, token).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(sorted(found), [200] + [400] * 7)


@check("SEC-57")
def a_token_is_exchanged_once_over_a_kill_as_well(context):
    people, provider = context.people, context.github
    for jti in (None, "over-a-kill"):
        token = provider.github_token(SERVICE, jti=jti, run_id=f"kill {jti}")  # without jti two of one second would be one
        exchanged(people, token)
        context.server.kill()
        context.server.start()
        refused(people, exchange(people, token), "the token was exchanged before")


@check("SEC-58")
def times_are_looked_at(context):
    people, provider, now = context.people, context.github, int(time.time())
    for claims, reason in (({"exp": now - 100, "iat": now - 400}, "expired"),
                           ({"exp": now + 300, "iat": now - 700, "nbf": now - 700}, "issued too long ago"),
                           ({"exp": now + 7200}, "valid for longer than allowed"),
                           ({"iat": now + 200, "exp": now + 400}, "issued in the future"),
                           ({"nbf": now + 200, "exp": now + 400}, "not valid yet"),
                           ({"exp": now + 30}, "about to expire"),
                           ({"exp": None}, "exp is missing or no time"), ({"iat": None}, "iat is missing or no time"),
                           ({"exp": 2**63}, None), ({"exp": str(now + 300)}, "exp is missing or no time"),
                           ({"sub": ""}, "sub is missing or no subject")):
        answer = exchange(people, provider.github_token(SERVICE, **claims))
        if reason:
            refused(people, answer, reason)
        else:
            expect(answer, 400)


@check("SEC-38", "SEC-39", "SEC-41", "SEC-53")
def signatures_that_are_none_are_refused(context):
    people, provider = context.people, context.github
    claims = claims_for(provider)
    key = provider.keys[0]
    public = openssl("rsa", "-in", key.path, "-pubout")
    hostile = []
    for algorithm in ("none", "None", ""):
        hostile += [unsigned_parts(provider, claims, alg=algorithm) + "." + tail for tail in ("", "AAAA")]
    for secret in (public, public.strip(), openssl("rsa", "-in", key.path, "-pubout", "-outform", "DER"), b""):
        text = unsigned_parts(provider, claims, alg="HS256")
        hostile.append(text + "." + base64url(hmac.new(secret, text.encode(), hashlib.sha256).digest()))
    good = provider.github_token(SERVICE)
    hostile += [good[:-4] + "AAAA", good.rpartition(".")[0] + ".", good + ".x", "x", "..", good + "=", "x" * 9000]
    hostile += [provider.github_token(SERVICE, header=header) for header in (
        {"jwk": key.jwk()}, {"jku": provider.issuer + "/jwks"}, {"x5u": provider.issuer}, {"x5c": ["AAAA"]}, {"crit": ["exp"]},
        {"typ": "orbital-login+jwt"}, {"kid": None}, {"kid": "../../etc/passwd"}, {"alg": "ES256"}, {"alg": "PS256"})]
    text = unsigned_parts(provider, claims)
    hostile.append(text + "." + base64url(context.site.providers["trusting"].keys[0].sign(text.encode())))
    for token in hostile:
        answer = expect(exchange(people, token), 400)
        body = answer.json()
        same((body["error"], body["error_description"]), ("invalid_request", REFUSED), token[:60])
        assert last_refusal(people)["reason"], token[:60]
    reasons = {last["reason"] for last in people.api("GET", f"audit?action=token.refused&limit={len(hostile)}")["items"]}
    print(f"      {len(hostile)} tokens, for the audit log: {'; '.join(sorted(reasons))}", flush=True)
    exchanged(people, good)


@check("SEC-53")
def an_issuer_that_is_not_known_is_asked_nothing(context):
    people, provider = context.people, context.github
    for issuer in (provider.issuer + "/", "https://token.actions.githubusercontent.com", provider.issuer.upper(), None):
        refused(people, exchange(people, provider.github_token(SERVICE, iss=issuer)), "of no issuer that is known")
    # One issuer's key does not sign for another.
    other = context.site.providers["trusting"]
    token = provider.github_token(SERVICE, iss=other.issuer)
    expect(exchange(people, token), 400)
    same(last_refusal(people)["credential"], "trusting")


@check("SEC-43", "SEC-57")
def a_token_of_the_provider_is_no_password_unless_it_was_said_so(context):
    people = context.people
    token = context.github.github_token(SERVICE)
    expect(people.token_answer([], "oidc", token), 401)
    line = people.api("GET", "audit?action=login.fail&limit=1")["items"][0]
    same((line["object"], line["reason"]), ("user oidc", "tokens of this issuer are no passwords: exchange it first"))
    for user in ("token", "oidc", "alice", "root-admin", ""):
        with Connection(context.address) as client:
            expect(client.request("GET", "/v2/", {"Authorization": basic(user, token)}), 401)
    same(ping(people, token), 401, "as Bearer")
    exchanged(people, token)  # it was not used up by that
    trusted = context.site.providers["trusting"].github_token(SERVICE)
    for _ in range(3):
        access = expect(people.token_answer(["repository:acme/app:pull"], "oidc", trusted), 200).json()["token"]
    same(ping(people, access), 200)
    for user in ("token", "alice", "root-admin"):
        expect(people.token_answer([], user, trusted), 401)
    same(ping(people, trusted), 401, "as Bearer, also where it is a password")


@check("SEC-43")
def tokens_of_our_own_are_no_subject_tokens(context):
    people = context.people
    scope = "repository:acme/app:pull"
    login = exchanged(people, context.github.github_token(SERVICE))
    access = exchanged(people, context.github.github_token(SERVICE), scope)
    people.user("subject", "acme", "developer")
    own = people.token([scope], "subject")
    personal, _ = people.personal_token("subject")
    for token in (login, access, own, personal):
        expect(exchange(people, token), 400)
        same(exchange(people, token).json()["error_description"], REFUSED)
    # And the login token is a password, and nothing else.
    same(ping(people, login), 401, "a login token as Bearer")
    for user in ("oidc", "subject", "root-admin", "x"):
        expect(people.token_answer([], user, login), 401)
    for user in ("token", "oidc"):
        expect(people.token_answer([], user, access), 401)
    expect(people.post_token(grant_type="refresh_token", refresh_token=login), 401)
    with people.bearer(access) as client:
        for target in ("/api/v1/session", "/api/v1/users", "/api/v1/system/stats"):
            answer = client.request("GET", target)
            assert answer.status in (401, 403, 404), f"{target}: {answer!r}"


@check("SEC-43")
def the_request_itself_has_to_be_right(context):
    people = context.people
    kind = "urn:ietf:params:oauth:token-type:"
    token = context.github.github_token(SERVICE)
    for more, error in (({"actor_token": "x", "actor_token_type": kind + "jwt"}, "invalid_request"), ({"actor_token": "x"}, "invalid_request"),
                        ({"actor_token_type": kind + "jwt"}, "invalid_request"),
                        ({"requested_token_type": kind + "refresh_token"}, "invalid_request"),
                        ({"requested_token_type": kind + "id_token"}, "invalid_request"),
                        ({"subject_token_type": None}, "invalid_request"), ({"subject_token_type": kind + "access_token"}, "invalid_request"),
                        ({"subject_token_type": kind + "saml2"}, "invalid_request"), ({"subject_token_type": "jwt"}, "invalid_request"),
                        ({"subject_token": None}, "invalid_request"), ({"subject_token": ""}, "invalid_request"),
                        ({"audience": "another"}, "invalid_target"), ({"audience": [SERVICE, SERVICE]}, "invalid_request"),
                        ({"audience": [SERVICE, "another"]}, "invalid_request"), ({"resource": "https://another.example"}, "invalid_target"),
                        ({"subject_token": [token, token]}, "invalid_request"), ({"service": "another"}, "invalid_request"),
                        ({"grant_type": ["password", "password"]}, "invalid_request"), ({"grant_type": "token-exchange"}, "unsupported_grant_type")):
        answer = expect(exchange(people, token, **more), 400)
        same(answer.json()["error"], error, str(list(more)))
        assert token not in answer.body.decode()
    expect(raw_post(context.address, b"{}", "application/json"), 400)
    expect(raw_post(context.address, b"grant_type=" + b"x" * 70_000), 413)
    # After all of that the token is as good as before; both names of its type, and of ours, are taken.
    exchanged(people, token, audience=SERVICE, service=SERVICE, resource=f"http://{context.address}", requested_token_type=kind + "access_token")
    exchanged(people, context.github.github_token(SERVICE), subject_token_type=kind + "jwt", requested_token_type=kind + "jwt")
