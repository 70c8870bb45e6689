#!/usr/bin/env python3
"""Federation with an identity provider over TLS: SEC-53, SEC-54, SEC-60, SEC-62, SEC-65.

The provider is tests/support/identity_provider.py, whose tokens the openssl program signs: what verifies here was not made by
the code that is tested. federation_probe says what becomes of each token.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from identity_provider import IdentityProvider  # noqa: E402

AUDIENCE = "reg.example"
RULES = [
    {"name": "acme", "issuer": "idp", "claims": {"repository_owner_id": "123456", "event_name": {"not_in": ["pull_request"]}},
     "grant": [{"projects": ["acme"], "repositories": ["acme/app/**"], "role": "developer"}]},
    {"name": "web", "issuer": "idp", "claims": {"project_id": "77", "ref_protected": "true"},
     "grant": [{"projects": ["{{claims.namespace_path}}"], "role": "developer"}]},
]


class Probe:
    """One federation_probe: keys and their age live as long as it."""

    def __init__(self, binary, folder, issuer):
        config = pathlib.Path(folder) / "config.yml"
        config.write_text(json.dumps({"oidc": {"issuers": [issuer], "rules": RULES}}))
        self.process = subprocess.Popen([binary, config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def accept(self, token):
        self.process.stdin.write(token + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


class Suite:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, pathlib.Path(folder)

    def provider(self, **options):
        return IdentityProvider(tempfile.mkdtemp(dir=self.folder), **options)

    def probe(self, provider, **more):
        return Probe(self.binary, self.folder, provider.issuer_section("idp", AUDIENCE, **more))


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, not {wanted!r}")


def unavailable(answer, words):
    same(answer["error"], "temporarily_unavailable", answer)
    if words not in answer["reason"]:
        raise AssertionError(f"no word of {words!r} in {answer['reason']!r}")


def check_tokens_of_both_kinds(suite):
    for algorithm in ("RS256", "ES256"):
        with suite.provider(algorithm=algorithm) as provider, suite.probe(provider) as probe:
            github = probe.accept(provider.github_token(AUDIENCE))
            same((github["error"], github.get("rules")), ("none", ["acme"]), github)
            same(github["subject"], "oidc:idp:repo:acme/app:ref:refs/heads/main", algorithm)
            gitlab = probe.accept(provider.gitlab_token(AUDIENCE))
            same(gitlab.get("grants"), [{"project": "platform", "role": "developer"}], gitlab)
            same(provider.request_count(), 2, "requests of the provider")


def check_refusals(suite):
    with suite.provider() as provider, suite.probe(provider) as probe:
        for token, error, reason in [
                (provider.github_token("other"), "invalid_target", "made for another audience"),
                (provider.github_token(AUDIENCE, event_name="pull_request"), "invalid_request",
                 "no rule accepts it: acme: event_name is `pull_request`; web: project_id is missing"),
                (provider.gitlab_token(AUDIENCE, project_path="a/b/c"), "invalid_request",
                 "no rule accepts it: acme: repository_owner_id is missing; web: namespace_path is `a/b`, no part of a name"),
                (provider.github_token(AUDIENCE, life_s=30), "invalid_request", "about to expire"),
                (provider.github_token(AUDIENCE, header={"kid": None}), "invalid_request", "it names no key"),
                (provider.github_token(AUDIENCE)[:-4] + "AAAA", "invalid_request", "the signature is not the issuer's")]:
            answer = probe.accept(token)
            same((answer["error"], answer["reason"]), (error, reason), "refusal")


def check_unknown_key_within_a_minute(suite):
    with suite.provider() as provider, suite.probe(provider) as probe:
        same(probe.accept(provider.github_token(AUDIENCE))["error"], "none", "first")
        provider.rotate()
        for _ in range(20):
            same(probe.accept(provider.github_token(AUDIENCE))["reason"], "the issuer has no such key", "rotated at once")
        same(provider.request_count(), 2, "requests of the provider")


def check_rotation_is_followed(suite):
    with suite.provider() as provider, suite.probe(provider, jwks={"min_refetch": "1ms"}) as probe:
        same(probe.accept(provider.github_token(AUDIENCE))["error"], "none", "first")
        old = provider.github_token(AUDIENCE)
        provider.rotate()
        same(probe.accept(provider.github_token(AUDIENCE))["error"], "none", "new key")
        same(probe.accept(old)["reason"], "the issuer has no such key", "old key")


def check_provider_that_misbehaves(suite):
    with suite.provider() as other:
        for switch, words in [({"down": True}, "Empty reply"), ({"wrong_issuer": "https://127.0.0.1"}, "another issuer's"),
                              ({"redirect_to": f"{other.issuer}/jwks"}, "status 302"), ({"huge": True}, "larger than 524288 bytes"),
                              ({"delay_s": 30}, "timed out")]:
            with suite.provider() as provider, suite.probe(provider) as probe:
                for name, value in switch.items():
                    setattr(provider, name, value)
                unavailable(probe.accept(provider.github_token(AUDIENCE)), words)
        same(other.request_count(), 0, "requests behind a redirect")


def check_certificates(suite):
    with suite.provider() as provider, suite.provider() as other:
        with suite.probe(provider, jwks={"ca_file": str(other.ca_file)}) as probe:
            unavailable(probe.accept(provider.github_token(AUDIENCE)), "certificate")
        with Probe(suite.binary, suite.folder, without_ca(provider)) as probe:
            unavailable(probe.accept(provider.github_token(AUDIENCE)), "certificate")
        same(provider.request_count(), 0, "requests over a connection that is not trusted")
    with suite.provider(hosts=("registry.example",)) as provider, suite.probe(provider) as probe:
        unavailable(probe.accept(provider.github_token(AUDIENCE)), "127.0.0.1")
        same(provider.request_count(), 0, "requests to another host")


def without_ca(provider):
    section = provider.issuer_section("idp", AUDIENCE)
    del section["jwks"]["ca_file"]
    return section


def check_loopback_needs_a_word(suite):
    with suite.provider() as provider, suite.probe(provider, allow_networks=["10.0.0.0/8"]) as probe:
        unavailable(probe.accept(provider.github_token(AUDIENCE)), "127.0.0.1 is not a public one (loopback)")
        same(provider.request_count(), 0, "requests to an address that is not allowed")


def check_key_file_asks_nobody(suite):
    with suite.provider() as provider:
        keys = suite.folder / "keys.json"
        keys.write_text(json.dumps(provider.key_set()))
        section = provider.issuer_section("idp", AUDIENCE)
        section["jwks"] = {"mode": "file", "path": str(keys)}
        with Probe(suite.binary, suite.folder, section) as probe:
            same(probe.accept(provider.github_token(AUDIENCE))["error"], "none", "key of the file")
            provider.rotate(keep_old=True, algorithm="ES256")
            same(probe.accept(provider.github_token(AUDIENCE))["reason"], "the key is not in the key file", "before")
            keys.write_text(json.dumps(provider.key_set()))
            same(probe.accept(provider.github_token(AUDIENCE))["error"], "none", "after")
        same(provider.request_count(), 0, "requests of the provider")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="federation_probe")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="federation-") as folder:
        suite = Suite(arguments.binary, folder)
        for name, check in sorted(globals().items()):
            if not name.startswith("check_"):
                continue
            try:
                check(suite)
                print(f"ok      {name[6:]}", flush=True)
            except Exception as error:  # the others are still worth knowing
                failed += 1
                print(f"FAILED  {name[6:]}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
