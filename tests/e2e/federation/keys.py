"""The keys of a provider: rotation, floods, a provider that does not answer, and none at all (SEC-54, SEC-60 to SEC-62)."""

import json
import os
import subprocess
import tempfile
import threading
import time

import configured_registry
from accounts import ENVIRONMENT, Accounts
from api.checks import check, expect, same
from federation.site import FLOOD_REFETCH_S, SERVICE, exchange, exchanged, last_refusal, refused, rule
from identity_provider import IdentityProvider

FLOOD = 200
UNREACHABLE = "the identity provider cannot be asked: try again later"


@check("SEC-60", needs_process=True)
def a_flood_of_unknown_keys_makes_one_request(context):
    people, server, provider = context.people, context.server, context.site.providers["flooded"]
    provider.rotate(keep_old=True)  # signs with what the server has not read
    tokens = [provider.github_token(SERVICE, header={"kid": f"unknown-{number}"}) for number in range(8)]
    before, deadline = provider.request_count(), time.monotonic() + 10 * FLOOD_REFETCH_S
    while provider.request_count() == before and time.monotonic() < deadline:
        expect(exchange(people, tokens[0]), 400)
        server.pause()
    same(provider.request_count() - before, 1, "the first one is asked for, when min_refetch is over")
    before, began = provider.request_count(), time.monotonic()

    def flood(token):
        for _ in range(FLOOD // len(tokens)):
            expect(exchange(people, token), 400)

    threads = [threading.Thread(target=flood, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, asked = time.monotonic() - began, provider.request_count() - before
    refused(people, exchange(people, tokens[0]), "the issuer has no such key")
    assert asked <= seconds / FLOOD_REFETCH_S, f"{asked} requests within {seconds:.1f} s"
    print(f"      {FLOOD} tokens with unknown keys in {seconds:.1f} s: {asked} requests to the provider behind the first", flush=True)


@check("SEC-60")
def a_new_key_is_read_when_it_is_met(context):
    people, provider = context.people, context.site.providers["rotating"]
    exchanged(people, provider.github_token(SERVICE))
    old = provider.github_token(SERVICE)
    provider.rotate()
    before = provider.request_count()
    exchanged(people, provider.github_token(SERVICE))
    same(provider.request_count() - before, 1, "requests for the new key")
    exchanged(people, provider.github_token(SERVICE))
    same(provider.request_count() - before, 1, "requests, once it is known")
    refused(people, exchange(people, old), "the issuer has no such key")
    # Published before it signs, beside the old one: neither is refused.
    provider.rotate(keep_old=True)
    exchanged(people, provider.github_token(SERVICE))


@check("SEC-61")
def known_keys_are_good_while_the_provider_is_down(context):
    people, provider = context.people, context.site.providers["failing"]
    exchanged(people, provider.github_token(SERVICE))
    provider.down = True
    try:
        exchanged(people, provider.github_token(SERVICE))
        unknown = provider.github_token(SERVICE, header={"kid": "not-known-yet"})
        answer = expect(exchange(people, unknown), 503)
        same((answer.json()["error"], answer.json()["error_description"]), ("temporarily_unavailable", UNREACHABLE))
        assert int(answer.header("retry-after")) > 0
        line = last_refusal(people)
        same(line["status"], 503)
        assert line["reason"].startswith("the key is not known, and asking failed: "), line
        exchanged(people, provider.github_token(SERVICE))
    finally:
        provider.down = False
    refused(people, exchange(people, provider.github_token(SERVICE, header={"kid": "not-known-yet"})), "the issuer has no such key")


@check("SEC-61", needs_process=True)
def a_start_without_the_provider_is_a_start(context):
    people, server, provider = context.people, context.server, context.site.providers["failing"]
    server.stop()
    provider.down = True
    server.start()
    try:
        answer = expect(exchange(people, provider.github_token(SERVICE)), 503)
        same(answer.json()["error"], "temporarily_unavailable")
        exchanged(people, context.github.github_token(SERVICE))
    finally:
        provider.down = False
    exchanged(people, provider.github_token(SERVICE))


def file_server(context, provider, keys):
    issuer = provider.issuer_section("airgap", SERVICE)
    issuer["jwks"] = {"mode": "file", "path": str(keys)}
    del issuer["allow_networks"]
    rules = [rule("all", "airgap", {"repository_owner_id": "123456"}, {"projects": ["acme"], "role": "developer"})]
    configuration = {"auth": {"offline": True}, "oidc": {"issuers": [issuer], "rules": rules}}
    return configured_registry.ConfiguredRegistry(configuration, binary=context.server.binary, environment=ENVIRONMENT)


def publish(provider, path):
    """Written elsewhere and moved over, as the documentation says."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(provider.key_set()))
    os.replace(new, path)


@check("SEC-62", "SEC-65", needs_process=True)
def a_key_file_makes_no_connection(context):
    with tempfile.TemporaryDirectory() as folder, IdentityProvider(folder) as provider:
        keys = provider.directory / "keys.json"
        publish(provider, keys)
        with file_server(context, provider, keys) as server:
            people = Accounts(server)
            people.project("acme")
            old = provider.github_token(SERVICE)
            token = provider.github_token(SERVICE)
            exchanged(people, token)
            refused(people, exchange(people, token), "the token was exchanged before")
            provider.rotate(keep_old=True, algorithm="ES256")
            for _ in range(20):
                refused(people, exchange(people, provider.github_token(SERVICE)), "the key is not in the key file")
            publish(provider, keys)
            exchanged(people, provider.github_token(SERVICE))
            exchanged(people, old)
            # A file that is none leaves the one before in use.
            keys.write_text("{")
            exchanged(people, provider.github_token(SERVICE))
            keys.unlink()
            exchanged(people, provider.github_token(SERVICE))
            assert b"key set not read" in server.log_path.read_bytes()
            server.configuration["oidc"]["issuers"][0]["jwks"] = {"mode": "discovery"}
            server.configuration_path.write_text(json.dumps(server.configuration))
            told = subprocess.run([server.binary, "config", "check", "-c", server.configuration_path], capture_output=True, text=True,
                                  timeout=60, check=False)
            assert told.returncode != 0 and "auth.offline" in told.stdout + told.stderr, told
        same(provider.request_count(), 0, "requests of the provider")
