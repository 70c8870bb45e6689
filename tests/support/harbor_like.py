"""A registry that behaves towards clients as Harbor does, in front of another that knows no accounts: tokens from /service/token, robots
named `robot$project+name` that see their project, a catalog for administrators alone. It is no Harbor: what it shows is that
clients get through this kind of door with the names and accounts that Harbor has.

Life     with HarborLike(address of the registry behind it) as harbor: ...
Threads  it answers on its own.
Limits   it passes on pulls; a push is denied.
"""

import base64
import http.server
import json
import re
import secrets
import threading
import urllib.parse

from registry_client import Connection

NAME = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/")
PASSED_ON = ("Accept", "Range")
BODY_HEADERS = ("content-type", "docker-content-digest", "content-range", "link")


class HarborLike:
    def __init__(self, behind, accounts):
        """`accounts`: {name: (password, the project it may pull from, or None for all and the catalog)}."""
        self.behind = behind
        self.accounts = accounts
        self.tokens = {}  # token: {(type, name, action)}
        self.asked = []   # (who, what) of the token service
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http_addr = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def grant(self, name, password, scopes):
        """The token for what the account may do of what was asked; None for a wrong password. Nobody may do nothing."""
        granted = set()
        if name:
            known = self.accounts.get(name)
            if known is None or known[0] != password:
                return None
            project = known[1]
            for scope in scopes:
                kind, _, rest = scope.partition(":")
                what, _, actions = rest.rpartition(":")
                for action in actions.split(","):
                    pulls = kind == "repository" and action == "pull" and (project is None or what.startswith(project + "/"))
                    lists = kind == "registry" and what == "catalog" and project is None
                    granted |= {(kind, what, action)} if pulls or lists else set()
        token = secrets.token_urlsafe(24)
        self.tokens[token] = granted
        return token

    def handler(self):
        harbor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                parts = urllib.parse.urlsplit(self.path)
                if parts.path == "/service/token":
                    self.answer_token(urllib.parse.parse_qs(parts.query))
                elif self.is_allowed(parts.path):
                    self.pass_on()

            do_HEAD = do_GET

            def do_POST(self):
                self.refuse("repository:none:push")

            do_PUT = do_PATCH = do_POST

            def answer(self, status, body, headers):
                self.send_response(status)
                for key, text in headers:
                    self.send_header(key, text)
                if "content-length" not in {key.lower() for key, _ in headers}:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def answer_token(self, query):
                kind, _, encoded = (self.headers.get("Authorization") or "").partition(" ")
                name, _, password = base64.b64decode(encoded).decode().partition(":") if kind == "Basic" else ("", "", "")
                scopes = query.get("scope", [])
                harbor.asked.append((name, tuple(scopes)))
                token = harbor.grant(name, password, scopes)
                if token is None:
                    self.answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized"}]}', [("Content-Type", "application/json")])
                else:
                    body = json.dumps({"token": token, "access_token": "", "expires_in": 1800, "issued_at": "2026-01-01T00:00:00Z"}).encode()
                    self.answer(200, body, [("Content-Type", "application/json")])

            def is_allowed(self, path):
                name = NAME.match(path)
                wanted = ("registry", "catalog", "*") if path == "/v2/_catalog" else ("repository", name.group(1), "pull") if name else None
                kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
                held = harbor.tokens.get(token) if kind == "Bearer" else None
                if held is not None and (wanted is None or wanted in held):
                    return True
                self.refuse(":".join(wanted) if wanted else "")
                return False

            def refuse(self, scope):
                challenge = f'Bearer realm="http://{harbor.http_addr}/service/token",service="harbor-registry"'
                challenge += f',scope="{scope}"' if scope else ""
                body = b'{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized to access repository"}]}\n'
                self.answer(401, body, [("Content-Type", "application/json"), ("Www-Authenticate", challenge)])

            def pass_on(self):
                # A client may say Accept several times.
                fields = {key: ", ".join(self.headers.get_all(key)) for key in PASSED_ON if key in self.headers}
                with Connection(harbor.behind) as client:
                    answer = client.request(self.command, self.path, fields)
                kept = [(key, text) for key, text in answer.headers if key in BODY_HEADERS]
                if self.command == "HEAD":
                    kept.append(("Content-Length", answer.header("content-length", "0")))
                self.answer(answer.status, answer.body, kept)

        return Handler
