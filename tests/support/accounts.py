"""Accounts of a server with auth.mode token, for tests: the first administrator, people, robots, tokens, and connections that
present them.

    people = Accounts(server)            # uses the bootstrap secret, makes the administrator
    people.user("alice", "acme", "developer")
    people.connect("alice").get_manifest(...)
"""

import base64
import json
import pathlib
import urllib.parse

from registry_client import Connection

ADMINISTRATOR = "root-admin"
ENVIRONMENT = {"ORBITALREG_AUTH_MODE": "token"}


class AccountsError(Exception):
    """The server answered otherwise than a test can go on with."""


def basic(user, secret):
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def password_of(name):
    """Of every user that these tests make: long enough, and its own."""
    return f"a good password for {name}"


class AuthorizedConnection(Connection):
    """Sends the same Authorization with each request that brings none of its own."""

    def __init__(self, address, authorization, timeout_s=60, tls=None):
        super().__init__(address, timeout_s, tls)
        self.authorization = authorization

    def send(self, method, target, headers=None, body=None):
        fields = dict(headers or {})
        if self.authorization and "Authorization" not in fields:
            fields["Authorization"] = self.authorization
        super().send(method, target, fields, body)


class Accounts:
    def __init__(self, server, tls=None):
        self.server = server
        self.address = server.http_addr
        self.tls = tls
        self.secrets = {}
        secret = (pathlib.Path(server.data) / "bootstrap-secret").read_text().strip()
        self.api("POST", "users", {"name": ADMINISTRATOR, "password": password_of(ADMINISTRATOR), "administrator": True},
                 credentials=("bootstrap", secret), wanted=201)
        self.secrets[ADMINISTRATOR] = password_of(ADMINISTRATOR)

    def ask(self, method, path, body=None, credentials=None, headers=None):
        """One request to the management API; `credentials` None: nobody."""
        fields = dict(headers or {})
        if credentials:
            fields["Authorization"] = basic(*credentials)
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields.setdefault("Content-Type", "application/json")
        with Connection(self.address, timeout_s=60, tls=self.tls) as client:
            return client.request(method, f"/api/v1/{path}", fields, content)

    def api(self, method, path, body=None, credentials=None, wanted=200):
        answer = self.ask(method, path, body, credentials or (ADMINISTRATOR, self.secrets[ADMINISTRATOR]))
        if answer.status != wanted:
            raise AccountsError(f"{method} {path}: expected {wanted}, got {answer!r}")
        return answer.json() if answer.body else None

    def project(self, name, **settings):
        return self.api("POST", "projects", {"name": name, "auto_create": True, **settings}, wanted=201)

    def user(self, name, project=None, role=None, **settings):
        if name not in self.secrets:
            self.api("POST", "users", {"name": name, "password": password_of(name), **settings}, wanted=201)
            self.secrets[name] = password_of(name)
        if project:
            self.member(project, name, [{"role": role}])
        return name

    def member(self, project, name, grants):
        self.api("PUT", f"projects/{project}/members/" + urllib.parse.quote(f"user:{name}", safe=""), {"grants": grants})

    def robot(self, project, name, grants, **settings):
        """The name to log in with; its secret is kept under it."""
        path = f"projects/{project}/robots" if project else "robots"
        made = self.api("POST", path, {"name": name, "grants": grants, **settings}, wanted=201)
        self.secrets[made["user"]] = made["secret"]
        return made["user"]

    def personal_token(self, user, **limits):
        made = self.api("POST", f"users/{user}/tokens", limits, credentials=self.credentials(user), wanted=201)
        return made["secret"], made["token"]["id"]

    def credentials(self, name):
        return name, self.secrets[name]

    def connect(self, name=None, secret=None):
        authorization = basic(name, secret or self.secrets[name]) if name else None
        return AuthorizedConnection(self.address, authorization, tls=self.tls)

    def bearer(self, token):
        return AuthorizedConnection(self.address, f"Bearer {token}", tls=self.tls)

    def token_answer(self, scopes=(), name=None, secret=None, query=""):
        text = "".join(f"&scope={urllib.parse.quote(scope)}" for scope in scopes)
        headers = {"Authorization": basic(name, secret or self.secrets.get(name, ""))} if name else {}
        with Connection(self.address, timeout_s=60, tls=self.tls) as client:
            return client.request("GET", f"/token?service=orbitalreg{text}{query}", headers)

    def token(self, scopes=(), name=None, secret=None):
        answer = self.token_answer(scopes, name, secret)
        if answer.status != 200:
            raise AccountsError(f"no token: {answer!r}")
        return answer.json()["token"]

    def post_token(self, headers=None, **form):
        """POST of a form; a list is a repeated parameter."""
        body = urllib.parse.urlencode(form, doseq=True).encode()
        fields = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        with Connection(self.address, timeout_s=60, tls=self.tls) as client:
            return client.request("POST", "/token", fields, body)


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
