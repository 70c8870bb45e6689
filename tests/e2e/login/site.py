"""Where clients log in: a server with accounts over TLS with a private authority, on an address that is not loopback, since to a
loopback registry docker speaks without verifying anything; and the identities that they log in with."""

import json
import os
import pathlib
import re
import ssl
import subprocess
import sys

import configured_registry
import registry_process
from accounts import ENVIRONMENT, Accounts
from certificates import Authority
from client_tools import COMMAND_DEADLINE_S, ClientFailed
from federation.site import EXCHANGE, SERVICE, TYPE, rule
from identity_provider import IdentityProvider

ADDRESS = "198.51.100.1"  # of a range for documentation
INSIDE = "ORBITALREG_TEST_NAMESPACE"
OWN_FOLDERS = ("/etc/docker", "/var/lib/containers")  # where clients look for authorities, and remember where blobs are
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def enter_namespace():
    """Runs this script again with a network of its own and empty folders of clients; ends with its exit code."""
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        registry_process.skip("a network namespace needs root")
    mounts = " && ".join(f"mkdir -p {folder} && mount -t tmpfs tmpfs {folder}" for folder in OWN_FOLDERS)
    setup = f'{mounts} && ip link set lo up && ip addr add {ADDRESS}/32 dev lo || exit 77; exec "$@"'
    sys.exit(subprocess.call(["unshare", "--net", "--mount", "sh", "-c", setup, "sh", sys.executable, *sys.argv],
                             env=dict(os.environ, **{INSIDE: "1"})))


def ask(*words, stdin=None, environment=None, check=True):
    """A command; `told` of the result is all that it printed."""
    words = [str(word) for word in words]
    result = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, check=False,
                            env=dict(os.environ, **(environment or {})))
    result.told = COLOURS.sub("", (result.stdout + result.stderr)).strip()
    if check and result.returncode != 0:
        raise ClientFailed(f"{' '.join(words)}\nended with {result.returncode}\n{result.told}")
    return result


class LoginSite:
    """alice may push to acme and web, bob to west alone, anybody may pull from open; jobs of acme/app may push to acme."""

    def __init__(self, server, authority, provider):
        self.server = server
        self.ca_file = pathlib.Path(authority.certificate)
        self.provider = provider
        self.trust = server.workspace / "trust"
        self.trust.mkdir()
        (self.trust / "ca.crt").write_bytes(self.ca_file.read_bytes())
        self.people = Accounts(server, tls=ssl.create_default_context(cafile=authority.certificate))
        for project, settings in (("acme", {}), ("web", {}), ("west", {}), ("open", {"public": True})):
            self.people.project(project, **settings)
            self.people.user("alice", project, "developer")
        self.people.user("bob", "west", "developer")
        self.robot = self.people.robot("acme", "ci", [{"role": "developer"}])
        self.personal, _ = self.people.personal_token("alice")

    @property
    def host(self):
        return self.server.http_addr

    def reference(self, name):
        return f"{self.host}/{name}:v1"

    def credentials(self, user):
        return user, self.people.secrets[user]

    def exchanged_token(self):
        """As a job gets it, with its identity token and no scope."""
        answer = self.people.post_token(grant_type=EXCHANGE, subject_token=self.provider.github_token(SERVICE),
                                        subject_token_type=TYPE + "id_token")
        if answer.status != 200:
            raise ClientFailed(f"no token for the identity token: {answer!r}")
        return answer.json()["access_token"]

    def identities(self):
        """(what it is, user, secret)."""
        return [("password", *self.credentials("alice")), ("robot", self.robot, self.people.secrets[self.robot]),
                ("personal", "alice", self.personal), ("exchanged", "token", self.exchanged_token())]

    def digest(self, name, user="alice"):
        with self.people.connect(user) as client:
            answer = client.get_manifest(name, "v1")
        if answer.status != 200:
            raise ClientFailed(f"{name} is not in the registry: {answer!r}")
        return answer.header("docker-content-digest")

    def mounts(self, name):
        """How the mounts into `name` were answered, 201 mounted or 202 not, without the challenges before."""
        lines = (json.loads(line) for line in self.server.log_path.read_text().splitlines() if line.startswith("{"))
        return [line["status"] for line in lines if line.get("method") == "POST" and line["status"] != 401 and
                str(line.get("uri", "")).startswith(f"/v2/{name}/blobs/uploads/") and "from=" in line["uri"]]


def run_site(options, test):
    """test(site) on a server of its own; the exit code."""
    folder = pathlib.Path(registry_process.test_directory()) / f"orbitalreg-authority-{os.getpid()}"
    authority = Authority(folder)
    certificate, key = authority.issue("server", hosts=(ADDRESS,))
    try:
        with IdentityProvider(folder / "provider") as provider:
            jobs = rule("jobs", "github", {"repository_owner_id": "123456"}, {"projects": ["acme"], "role": "developer"})
            configuration = {"oidc": {"issuers": [provider.issuer_section("github", SERVICE)], "rules": [jobs]}}
            environment = {**ENVIRONMENT, "ORBITALREG_HTTP_TLS_CERTIFICATE": str(certificate), "ORBITALREG_HTTP_TLS_KEY": str(key)}
            with configured_registry.from_arguments(options, configuration, http_addr=f"{ADDRESS}:5443", environment=environment) as server:
                test(LoginSite(server, authority, provider))
    except (ClientFailed, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    finally:
        ask("rm", "-rf", folder)
    print("all steps passed")
    return 0
