"""Credentials that are none: tokens of every hostile shape, keys brought along, wrong kinds, several at once (SEC-38 to SEC-52)."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from accounts import basic, claims_of
from api.checks import check, expect, refused, same
from registry_client import Connection


def encode(value):
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def raw_ecdsa(der):
    """r and s in 32 bytes each, of what openssl writes."""
    def integer(at):
        size = der[at + 1]
        return int.from_bytes(der[at + 2:at + 2 + size], "big"), at + 2 + size
    r, at = integer(2)
    s, _ = integer(at)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Forge:
    """Makes tokens: with the server's own key, which the test reads from its folder, or with one of its own."""

    def __init__(self, context):
        self.folder = pathlib.Path(context.server.data) / "keys"
        keys = json.loads((self.folder / "keys.json").read_text())["keys"]
        self.kid = next(key["kid"] for key in keys if key["state"] == "active")
        self.token = context.people.token([], "forger")
        self.header = json.loads(decode(self.token.split(".")[0]))
        self.claims = claims_of(self.token)
        self.jwk = next(key for key in context.ask("GET", "/.well-known/jwks.json").json()["keys"] if key["kid"] == self.kid)

    def sign(self, header, claims, pem=None, mangle=lambda signature: signature):
        text = (header if isinstance(header, str) else encode(header)) + "." + \
            (claims if isinstance(claims, str) else encode(claims))
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", pem or self.folder / f"{self.kid}.pem"],
                             input=text.encode(), capture_output=True, check=True).stdout
        return text + "." + encode(mangle(raw_ecdsa(der)))

    def good(self, **changes):
        claims = {**self.claims, **changes}
        return self.sign(self.header, {key: value for key, value in claims.items() if value is not None})


def forge_of(context):
    context.people.user("forger")
    return Forge(context)


def accepted(context, token):
    with context.people.bearer(token) as client:
        answer = client.request("GET", "/v2/")
        assert answer.status in (200, 400, 401, 431), f"{answer!r} for {token[:80]}"
        return answer.status == 200


@check("SEC-38", "SEC-39", "SEC-40", "SEC-41", "SEC-42", "SEC-43")
def two_hundred_hostile_tokens_are_refused(context):
    forge = forge_of(context)
    assert accepted(context, forge.good()), "what the test signs is a token, before it is changed"
    tokens = hostile_tokens(forge, context)
    assert len(tokens) >= 200, len(tokens)
    for what, token in tokens:
        assert not accepted(context, token), what
        assert context.server.process.poll() is None, what
    assert accepted(context, forge.good())
    print(f"      {len(tokens)} hostile tokens refused", flush=True)


def hostile_tokens(forge, context):
    head, body, signature = forge.good().split(".")
    now = int(time.time())
    found = [("nothing", "x"), ("only dots", ".."), ("no signature", f"{head}.{body}."), ("two parts", f"{head}.{body}"),
             ("four parts", f"{head}.{body}.{signature}.{signature}"), ("five parts", ".".join([head] * 5))]
    found += [(f"cut at {size}", forge.good()[:size]) for size in range(1, len(head) + len(body), 37)]
    # Algorithms.
    for algorithm in ("none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256", "PS256", "ES384", "ES512", "EdDSA",
                      "ES256K", "es256", "ES256 ", "dir", "A128KW", 256, None, ["ES256"]):
        header = {**forge.header, "alg": algorithm}
        found.append((f"alg {algorithm}", f"{encode(header)}.{body}.{signature}"))
        found.append((f"alg {algorithm} signed", forge.sign(header, forge.claims)))
        found.append((f"alg {algorithm}, no signature", f"{encode(header)}.{body}."))
    # The public key as a secret.
    pem = subprocess.run(["openssl", "pkey", "-in", forge.folder / f"{forge.kid}.pem", "-pubout"], capture_output=True,
                         check=True).stdout
    for secret in (pem, pem.strip(), json.dumps(forge.jwk).encode(), decode(forge.jwk["x"]), b""):
        header = {**forge.header, "alg": "HS256"}
        text = f"{encode(header)}.{body}"
        found.append(("HS256 with the public key", text + "." + encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())))
    # Keys that are brought along, signed with them.
    other = pathlib.Path(context.server.workspace) / "other.pem"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", other], check=True,
                   capture_output=True)
    for name, value in (("jwk", forge.jwk), ("jku", f"http://{context.address}/.well-known/jwks.json"), ("x5u", "http://127.0.0.1/"),
                        ("x5c", ["AAAA"]), ("crit", ["exp"]), ("crit", []), ("b64", False), ("zip", "DEF"), ("enc", "A128GCM"),
                        ("cty", "JWT")):
        for key in (None, other):
            found.append((f"header {name}", forge.sign({**forge.header, name: value}, forge.claims, pem=key)))
    for kid in ("", "x", "../../etc/passwd", forge.kid + ".pem", "../" + forge.kid, "' OR 1=1 --", "k" * 5000, forge.kid[:-1], None, 7):
        header = {**forge.header, "kid": kid}
        found.append((f"kid {str(kid)[:20]}", forge.sign(header, forge.claims)))
    found.append(("no kid", forge.sign({k: v for k, v in forge.header.items() if k != "kid"}, forge.claims)))
    found.append(("another key under our name", forge.sign(forge.header, forge.claims, pem=other)))
    # Types.
    for kind in ("orbital-login+jwt", "at+jwt", "jwt", "JWS", "", None, 1):
        found.append((f"typ {kind}", forge.sign({**forge.header, "typ": kind}, forge.claims)))
    # Signatures.
    flips = range(0, 64, 6)
    found += [(f"bit {bit} of the signature", forge.sign(forge.header, forge.claims, mangle=lambda raw, at=bit: raw[:at] +
                                                          bytes([raw[at] ^ 1]) + raw[at + 1:])) for bit in flips]
    for what, mangle in (("63 bytes", lambda raw: raw[:-1]), ("65 bytes", lambda raw: raw + b"\0"), ("96 bytes", lambda raw: raw + raw[:32]),
                         ("r = 0", lambda raw: bytes(32) + raw[32:]), ("s = 0", lambda raw: raw[:32] + bytes(32)),
                         ("both 0", lambda raw: bytes(64)), ("order", lambda raw: b"\xff" * 64), ("swapped", lambda raw: raw[32:] + raw[:32]),
                         ("DER", lambda raw: b"\x30\x44\x02\x20" + raw[:32] + b"\x02\x20" + raw[32:])):
        found.append((f"signature {what}", forge.sign(forge.header, forge.claims, mangle=mangle)))
    # Times.
    for name in ("exp", "iat", "nbf"):
        for value in (None, str(now), now + 0.5, -1, 2**63, 2**64, [now], True, {}, "", now * 1000, 1e30):
            found.append((f"{name} {value}", forge.good(**{name: value})))
    found += [("ended", forge.good(exp=now - 100, iat=now - 200, nbf=now - 200)), ("not yet", forge.good(nbf=now + 100)),
              ("issued later", forge.good(iat=now + 100, exp=now + 300)), ("for a day", forge.good(exp=now + 86400))]
    # For others, of others.
    for name, values in (("aud", ("orbitalreg/token", "other", "", None, 7, [], ["other"], ["orbitalreg", "other"], "ORBITALREG", "orbitalreg ")),
                         ("iss", ("other", "", None, "orbitalreg/", "http://orbitalreg")),
                         ("sub", (None, 7, "root", "admin:x", "user", [])),
                         ("gen", (None, "1", 99, -1, 1.5)), ("amr", (None, 7)),
                         ("access", ("all", {"a": 1}, [1], [{"type": "repository"}], [{"type": "x", "name": "y", "actions": []}]))):
        found += [(f"{name} {value}", forge.good(**{name: value})) for value in values]
    # Shapes.
    double = encode(json.dumps(forge.claims)[:-1].encode() + b',"sub":"user:root-admin"}')
    found.append(("claims twice", forge.sign(forge.header, double)))
    found.append(("header twice", forge.sign(encode(json.dumps(forge.header)[:-1].encode() + b',"alg":"ES256"}'), forge.claims)))
    found.append(("deep", forge.sign(forge.header, encode(b'{"a":' * 2000 + b"1" + b"}" * 2000))))
    found.append(("deep, signed claims", forge.good(nest=json.loads("[" * 20 + "]" * 20))))
    found += [("huge", forge.good(fill="x" * size)) for size in (7000, 9000, 20_000)]
    found.append(("padding", f"{head}=.{body}=.{signature}=="))
    found.append(("standard alphabet", forge.good().replace("_", "/").replace("-", "+") + "+"))
    found.append(("spare bits", forge.good()[:-1] + chr(ord(forge.good()[-1]) + 1)))
    found.append(("trailing data", forge.sign(forge.header, encode(json.dumps(forge.claims).encode() + b"{}"))))
    found.append(("not UTF-8", forge.sign(forge.header, encode(b'{"sub":"\xff\xfe"}'))))
    found.append(("an array", forge.sign(forge.header, encode([forge.claims]))))
    found.append(("JSON form", urllib.parse.quote(json.dumps({"payload": body, "signatures": []}))))
    found.append(("nested", f"{head}.{encode(forge.good().encode())}.{signature}"))
    return found


@check("SEC-43", "SEC-97")
def secrets_are_good_where_they_belong_only(context):
    people = context.people
    people.user("kinds")
    personal, identifier = people.personal_token("kinds")
    access = people.token([], "kinds")
    for bearer in (personal, people.secrets["kinds"], basic("kinds", personal)):
        with people.bearer(bearer) as client:
            expect(client.request("GET", "/v2/"), 401)
    for name, secret in (("kinds", access), ("token", access), ("oidc", access), ("token", personal), ("other", personal),
                         ("kinds", personal[:-1] + ("a" if personal[-1] != "a" else "b")), ("robot$kinds", personal)):
        expect(people.token_answer([], name, secret), 401)
    expect(people.token_answer([], "kinds", personal), 200)
    # Access tokens say nothing about management.
    with people.bearer(access) as client:
        expect(client.request("GET", "/api/v1/session"), 401)
    assert identifier in personal


@check("SEC-50", "SEC-05")
def several_credentials_are_one_too_many(context):
    people = context.people
    people.user("several")
    field = basic(*people.credentials("several"))
    for second in (field, "Bearer x"):
        with Connection(context.address) as client:
            client.send_raw(f"GET /v2/ HTTP/1.1\r\nHost: x\r\nAuthorization: {field}\r\nAuthorization: {second}\r\n\r\n".encode())
            same(client.receive_head()[0], 400)
    for query in ("password=x", "access_token=x", "refresh_token=x", "service=a&service=b", "account=a&account=b"):
        if query.startswith("account"):
            continue
        with Connection(context.address) as client:
            expect(client.request("GET", f"/token?{query}"), 400)
    with Connection(context.address) as client:  # a token in the address is no credential
        expect(client.request("GET", f"/v2/?access_token={people.token()}"), 401)


@check("SEC-51", "SEC-52")
def nothing_that_a_client_claims_is_believed(context):
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Remote-User": "root-admin", "X-Real-IP": "127.0.0.1",
               "Forwarded": "for=127.0.0.1;host=evil.example;proto=https", "X-Forwarded-Host": "evil.example"}
    answer = expect(context.ask("GET", "/v2/", headers), 401)
    assert "evil" not in answer.header("www-authenticate")
    expect(context.ask("GET", "/api/v1/users", headers), 401)


@check("SEC-48", "DIST-RATE-04")
def guessing_is_slowed_down_and_locks_nobody_out(context):
    """Another server, with the default of five failures."""
    import registry_process
    from accounts import ENVIRONMENT, Accounts
    with registry_process.RegistryProcess(binary=context.server.binary, environment=ENVIRONMENT) as server:
        people = Accounts(server)
        people.user("victim")
        statuses = [people.token_answer([], "victim", f"guess number {i}").status for i in range(8)]
        same(statuses[:5], [401] * 5)
        assert 429 in statuses[5:], statuses
        answer = expect(people.token_answer([], "victim"), 429)  # the right one waits as well, from here
        assert 1 <= int(answer.header("retry-after")) <= 900
        # A name that nobody has is treated alike.
        unknown = [people.token_answer([], "nobody-at-all", f"guess number {i}").status for i in range(8)]
        same(unknown, statuses)
        # Side by side no more are answered than one by one: five, and one more at most for each second that it took.
        people.user("surrounded")
        began = time.monotonic()
        with ThreadPoolExecutor(24) as guessers:
            guesses = guessers.map(lambda number: people.token_answer([], "surrounded", f"guess number {number}").status, range(24))
            at_once = sorted(guesses)
        answered = at_once.count(401)
        assert 5 <= answered <= 5 + int(time.monotonic() - began) and set(at_once) == {401, 429}, at_once
        # Others are not slowed down, nor is whoever proved it before.
        people.user("bystander")
        expect(people.token_answer([], "bystander"), 200)


@check("SEC-48")
def unknown_and_wrong_cannot_be_told_apart(context):
    people = context.people
    people.user("timed")
    answers = {name: people.token_answer([], name, "a wrong password") for name in ("timed", "nobody-timed")}
    shapes = [[answer.status, sorted(name for name, _ in answer.headers), answer.body] for answer in answers.values()]
    same(shapes[0], shapes[1])
    refused(answers["timed"], 401, "UNAUTHORIZED")
