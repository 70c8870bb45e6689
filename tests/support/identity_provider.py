"""An identity provider on the loopback interface: discovery, key set, and tokens as GitHub and GitLab make them.

    with IdentityProvider(directory) as provider:
        section = provider.issuer_section("github", "reg.example")     # JSON of it is YAML for the configuration
        token = provider.github_token("reg.example", repository="acme/app")

Switches, at any time: rotate(), down, wrong_issuer, redirect_to, delay_s, huge. `requests` counts what was asked, by path.

Life     TLS on a free port, certificates of an authority of its own; ends with the `with` block.
Threads  the switches from one; the server has its own.
Limits   RS256 and ES256, signed by the openssl program: some milliseconds a token. Skips the test where it is missing.
"""

import base64
import collections
import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time
import uuid

from certificates import Authority

HUGE_BYTES = 2 << 20  # four times what a registry should read


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def base64url_json(value):
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, check=True, capture_output=True).stdout


def raw_signature(der, size=32):
    """r and s one behind the other, as tokens have them, of the ASN.1 that openssl writes."""
    numbers, at = [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(size, "big"))
        at += 2 + length
    return b"".join(numbers)


class SigningKey:
    def __init__(self, directory, algorithm):
        self.algorithm, self.key_id = algorithm, uuid.uuid4().hex
        self.path = pathlib.Path(directory) / f"{self.key_id}.pem"
        kind = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]}
        openssl("genpkey", "-algorithm", *kind[algorithm], "-out", self.path)

    def sign(self, data):
        signature = openssl("dgst", "-sha256", "-sign", self.path, data=data)
        return raw_signature(signature) if self.algorithm == "ES256" else signature

    def jwk(self):
        key = {"kid": self.key_id, "use": "sig", "alg": self.algorithm}
        if self.algorithm == "RS256":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().partition("=")[2]
            return {**key, "kty": "RSA", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}
        point = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-64:]
        return {**key, "kty": "EC", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        provider = self.server.provider
        with provider.asked:
            provider.requests[self.path] += 1
            provider.asked.notify_all()
        if provider.delay_s:
            provider.stopping.wait(provider.delay_s)
        if provider.down:
            self.close_connection = True
            return
        if provider.redirect_to:
            self.answer(302, b"", [("Location", provider.redirect_to)])
            return
        document = provider.document(self.path)
        if document is None:
            self.answer(404, b"{}")
            return
        body = json.dumps(document).encode()
        self.answer(200, body + b" " * HUGE_BYTES if provider.huge else body)

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client had read enough

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self):
        # The handshake is the connection's own thread's: a client that breaks it off must not stop the others.
        connection, address = super().get_request()
        return self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        pass  # broken off by the client, as some tests want


class IdentityProvider:
    def __init__(self, directory, algorithm="RS256", hosts=("127.0.0.1", "localhost")):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        authority = Authority(self.directory / "authority", "test identity provider")
        self.ca_file = authority.certificate
        certificate, key = authority.issue("provider", hosts)
        self.algorithm = algorithm
        self.down = self.huge = False
        self.wrong_issuer = self.redirect_to = None
        self.delay_s = 0
        self.requests = collections.Counter()
        self.asked = threading.Condition()
        self.stopping = threading.Event()
        self.keys = [SigningKey(self.directory, algorithm)]
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.provider = self
        self.server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.context.load_cert_chain(certificate, key)
        self.port = self.server.server_address[1]
        self.issuer = f"https://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def document(self, path):
        if path == "/.well-known/openid-configuration":
            issuer = self.wrong_issuer or self.issuer
            return {"issuer": issuer, "jwks_uri": self.issuer + "/jwks", "id_token_signing_alg_values_supported": [self.algorithm]}
        return self.key_set() if path == "/jwks" else None

    def key_set(self):
        """What the provider publishes; written to a file, it is what mode `file` reads."""
        return {"keys": [key.jwk() for key in self.keys]}

    def rotate(self, keep_old=False, algorithm=None):
        """Signs with a new key from now on, and publishes it."""
        new = SigningKey(self.directory, algorithm or self.algorithm)
        self.keys = [new, *self.keys] if keep_old else [new]

    def request_count(self):
        return sum(self.requests.values())

    def wait_for(self, path, count=1, timeout_s=30):
        """Whether `path` was asked for so often before the time was over."""
        with self.asked:
            return self.asked.wait_for(lambda: self.requests[path] >= count, timeout_s)

    def issuer_section(self, name, audience, **more):
        """An entry of `oidc.issuers` for this provider."""
        jwks = {"mode": "discovery", "ca_file": str(self.ca_file), **more.pop("jwks", {})}
        return {"name": name, "issuer": self.issuer, "audiences": [audience], "algorithms": ["RS256", "ES256"],
                "jwks": jwks, "allow_networks": ["127.0.0.1"], **more}

    def token(self, claims, header=None):
        """Any claims, signed; a value of None leaves a field out."""
        key = self.keys[0]
        fields = {"typ": "JWT", "alg": key.algorithm, "kid": key.key_id, **(header or {})}
        parts = [{name: value for name, value in part.items() if value is not None} for part in (fields, claims)]
        signed = ".".join(map(base64url_json, parts))
        return signed + "." + base64url(key.sign(signed.encode()))

    def times(self, life_s):
        now = int(time.time())
        return {"iat": now, "nbf": now - 5, "exp": now + life_s, "jti": str(uuid.uuid4())}

    def github_token(self, audience, life_s=300, header=None, **claims):
        """As a workflow of acme/app on its main branch gets it; claims replace, or with None take away."""
        repository = claims.get("repository") or "acme/app"
        ref = claims.get("ref") or "refs/heads/main"
        return self.token({
            "iss": self.issuer, "aud": audience, "sub": f"repo:{repository}:ref:{ref}", **self.times(life_s),
            "repository": repository, "repository_id": "1001", "repository_owner": repository.partition("/")[0],
            "repository_owner_id": "123456", "repository_visibility": "private", "ref": ref, "ref_type": "branch",
            "sha": "0" * 40, "event_name": "push", "actor": "octocat", "actor_id": "12", "workflow": "release", "run_id": "42",
            "run_attempt": "1", "runner_environment": "github-hosted",
            "job_workflow_ref": f"{repository}/.github/workflows/release.yml@{ref}", **claims}, header)

    def gitlab_token(self, audience, life_s=300, header=None, **claims):
        """As a job of platform/web on its protected main branch gets it."""
        path = claims.get("project_path") or "platform/web"
        ref = claims.get("ref") or "main"
        return self.token({
            "iss": self.issuer, "aud": audience, "sub": f"project_path:{path}:ref_type:branch:ref:{ref}", **self.times(life_s),
            "project_path": path, "project_id": "77", "namespace_path": path.rpartition("/")[0], "namespace_id": "7",
            "user_login": "alice", "user_id": "5", "ref": ref, "ref_type": "branch", "ref_protected": "true",
            "pipeline_source": "push", "pipeline_id": "9", "job_id": "11", "runner_environment": "self-hosted", **claims}, header)
