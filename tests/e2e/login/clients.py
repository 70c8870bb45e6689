"""One way to drive each client: make() an image that is its own, login(), push(), pull() and logout(). What a client does at each
differs; what is asked of it does not. push() and pull() return what the client printed and how it ended."""

import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
import tarfile
import time

import registry_process
from client_tools import ClientFailed, ContainersStorage, need, same, version_of
from docker_daemon import DockerDaemon
from go_tools import go_tool, pinned_version
from login.site import ask
from oci_layout import Layout, tar_bytes
from seeded_content import content_range

DAEMON_DEADLINE_S = 60
CONTAINERD = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""


def own_credentials(folder):
    """Of podman and its kin, which want the file to be there before a login."""
    path = folder / "auth.json"
    path.write_text("{}")
    return {"REGISTRY_AUTH_FILE": str(path)}


class Client:
    """`mounting`: it offers layers that it knows from another name on the same registry."""

    name = ""
    mounting = False
    noise = re.compile(r"^$")  # lines that show how far it has come

    def __init__(self, site):
        self.site = site
        self.folder = site.server.workspace / self.name
        self.folder.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def check_pulled(self, name):
        """Whether what was pulled is what is in the registry."""


class Docker(Client):
    name = "docker"
    mounting = True

    @staticmethod
    def need():
        need("dockerd", "docker", "ip", "unshare", "openssl")

    def __init__(self, site):
        super().__init__(site)
        trust = pathlib.Path("/etc/docker/certs.d") / site.host
        trust.mkdir(parents=True)
        (trust / "ca.crt").write_bytes(site.ca_file.read_bytes())
        self.config = self.folder / "credentials"
        self.daemon = DockerDaemon(self.folder / "daemon")

    def __enter__(self):
        self.daemon.__enter__()
        return self

    def __exit__(self, *error):
        self.daemon.__exit__(*error)

    def version(self):
        return f"{version_of('docker')}, {version_of('dockerd')}"

    def docker(self, *words, check=True, **more):
        return ask("docker", "--host", f"unix://{self.daemon.socket}", "--config", self.config, *words, check=check, **more)

    def make(self, name):
        archive = self.folder / "image.tar"
        archive.write_bytes(tar_bytes({f"data/{name}": content_range(name, 0, 200_000)}))
        self.docker("import", archive, self.site.reference(name))

    def name_again(self, name, other):
        self.docker("tag", self.site.reference(name), self.site.reference(other))

    def login(self, user, secret, check=True):
        return self.docker("login", self.site.host, "--username", user, "--password-stdin", stdin=secret, check=check)

    def logout(self):
        self.docker("logout", self.site.host, check=False)

    def push(self, name, check=True):
        return self.docker("push", self.site.reference(name), check=check)

    def pull(self, name, check=True):
        self.docker("rmi", "--force", self.site.reference(name), check=False)
        return self.docker("pull", self.site.reference(name), check=check)

    def check_pulled(self, name):
        told = json.loads(self.docker("image", "inspect", self.site.reference(name)).stdout)[0]
        same(told["RepoDigests"][-1].rpartition("@")[2], self.site.digest(name), "digest")


class Containers(Client):
    """podman and buildah."""

    mounting = True

    def __init__(self, site):
        super().__init__(site)
        self.layout = Layout(self.folder / "layout")
        self.storage = ContainersStorage(self.name, self.folder)
        self.environment = {**self.storage.environment, **own_credentials(self.folder)}

    def version(self):
        return version_of(self.name)

    def call(self, *words, check=True, **more):
        return ask(self.name, *self.storage.options, *words, environment=self.environment, check=check, **more)

    def make(self, name):
        tag = hashlib.sha256(name.encode()).hexdigest()[:12]
        self.layout.add_image(name, tag=tag)
        image = self.call("pull", "--quiet", f"oci:{self.layout.folder}:{tag}").stdout.split()[-1]
        self.call("tag", image, self.site.reference(name))

    def name_again(self, name, other):
        self.call("tag", self.site.reference(name), self.site.reference(other))

    def login(self, user, secret, check=True):
        return self.call("login", "--cert-dir", self.site.trust, "--username", user, "--password-stdin", self.site.host, stdin=secret, check=check)

    def logout(self):
        self.call("logout", self.site.host, check=False)

    def push(self, name, check=True):
        reference = self.site.reference(name)
        return self.call("push", "--cert-dir", self.site.trust, reference, f"docker://{reference}", check=check)

    def pull(self, name, check=True):
        self.call("rmi", "--all", "--force")  # under another name the image would stay, with the digest it had there
        return self.call("pull", "--cert-dir", self.site.trust, self.site.reference(name), check=check)

    def check_pulled(self, name):
        told = json.loads(self.call("inspect", "--type", "image", self.site.reference(name)).stdout)
        told = told[0] if isinstance(told, list) else told
        same(told.get("Digest") or told["FromImageDigest"], self.site.digest(name), "digest")


class Podman(Containers):
    name = "podman"

    @staticmethod
    def need():
        need("podman", "ip", "unshare", "openssl")


class Buildah(Containers):
    name = "buildah"

    @staticmethod
    def need():
        need("buildah", "ip", "unshare", "openssl")


class Skopeo(Client):
    name = "skopeo"
    mounting = True

    @staticmethod
    def need():
        need("skopeo", "ip", "unshare", "openssl")

    def __init__(self, site):
        super().__init__(site)
        self.layout = Layout(self.folder / "layout")
        self.tags = {}
        self.environment = own_credentials(self.folder)
        self.pulled = None

    def version(self):
        return version_of("skopeo")

    def call(self, *words, check=True, **more):
        return ask("skopeo", "--policy", self.policy(), *words, environment=self.environment, check=check, **more)

    def policy(self):
        path = self.folder / "policy.json"
        path.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        return path

    def make(self, name):
        self.tags[name] = f"t{len(self.tags)}"
        self.layout.add_image(name, tag=self.tags[name])

    def name_again(self, name, other):
        self.tags[other] = self.tags[name]

    def login(self, user, secret, check=True):
        return self.call("login", "--cert-dir", self.site.trust, "--username", user, "--password-stdin", self.site.host, stdin=secret, check=check)

    def logout(self):
        self.call("logout", self.site.host, check=False)

    def push(self, name, check=True):
        return self.call("copy", "--dest-cert-dir", self.site.trust, f"oci:{self.layout.folder}:{self.tags[name]}",
                         f"docker://{self.site.reference(name)}", check=check)

    def pull(self, name, check=True):
        self.pulled = self.folder / f"out-{len(list(self.folder.iterdir()))}"
        return self.call("copy", "--src-cert-dir", self.site.trust, f"docker://{self.site.reference(name)}", f"oci:{self.pulled}:v1", check=check)

    def check_pulled(self, name):
        out = Layout(self.pulled)
        same(out.tagged()["v1"]["digest"], self.site.digest(name), "digest")
        out.closure(self.site.digest(name))


class Containerd(Client):
    """ctr has no login: a user is named with each command."""

    name = "containerd"
    mounting = True
    noise = re.compile(r".*(waiting|elapsed|uploading|resolving)\b.*(\||total:)")

    @staticmethod
    def need():
        need("containerd", "ctr", "ip", "unshare", "openssl")

    def __init__(self, site):
        super().__init__(site)
        self.layout = Layout(self.folder / "layout")
        (self.folder / "config.toml").write_text(CONTAINERD.format(folder=self.folder))
        self.user = []
        self.log = self.folder / "containerd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["containerd", "--config", self.folder / "config.toml"], stdout=log, stderr=log)

    def __enter__(self):
        deadline = time.monotonic() + DAEMON_DEADLINE_S
        while self.ctr("version", check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                registry_process.skip(f"containerd does not run here: {self.log.read_text()[-1000:]}")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DAEMON_DEADLINE_S)

    def version(self):
        return version_of("ctr")

    def ctr(self, *words, check=True):
        return ask("ctr", "--address", self.folder / "containerd.sock", *words, check=check)

    def make(self, name):
        tag = hashlib.sha256(name.encode()).hexdigest()[:12]
        layout = Layout(self.folder / f"layout-{tag}")
        layout.add_image(name, tag="v1")
        archive = self.folder / f"{tag}.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(layout.folder, ".")
        self.ctr("images", "import", "--no-unpack", "--base-name", f"local/{tag}", archive)
        self.ctr("images", "tag", f"local/{tag}:v1", self.site.reference(name))

    def name_again(self, name, other):
        self.ctr("images", "tag", self.site.reference(name), self.site.reference(other))

    def login(self, user, secret, check=True):
        self.user = ["--user", f"{user}:{secret}"]
        if check:
            return None
        return self.fetch("acme/containerd-password", check=False)

    def logout(self):
        self.user = []

    def push(self, name, check=True):
        return self.ctr("images", "push", "--tlscacert", self.site.ca_file, *self.user, self.site.reference(name), check=check)

    def fetch(self, name, check):
        return self.ctr("content", "fetch", "--tlscacert", self.site.ca_file, *self.user, self.site.reference(name), check=check)

    def pull(self, name, check=True):
        for reference in self.ctr("images", "ls", "-q").stdout.split():
            self.ctr("images", "rm", "--sync", reference)
        same(self.ctr("content", "ls", "-q").stdout.split(), [], "content left after removal")
        return self.fetch(name, check)

    def check_pulled(self, name):
        lines = self.ctr("images", "ls").stdout.splitlines()
        line = next(line for line in lines if line.startswith(self.site.reference(name)))
        same(line.split()[2], self.site.digest(name), "digest")


class Crane(Client):
    name = "crane"

    @staticmethod
    def need():
        need("ip", "unshare", "openssl")
        go_tool("crane")

    def __init__(self, site):
        super().__init__(site)
        self.program = go_tool("crane")
        self.environment = {"DOCKER_CONFIG": str(self.folder / "credentials"), "SSL_CERT_FILE": str(site.ca_file)}
        self.layouts = {}

    def version(self):
        return pinned_version("crane")

    def call(self, *words, check=True, **more):
        return ask(self.program, *words, environment=self.environment, check=check, **more)

    def make(self, name):
        self.layouts[name] = Layout(self.folder / f"layout-{len(self.layouts)}")
        self.layouts[name].add_image(name, tag="v1")

    def login(self, user, secret, check=True):
        done = self.call("auth", "login", self.site.host, "--username", user, "--password-stdin", stdin=secret)
        return done if check else self.call("digest", self.site.reference("acme/crane-password"), check=False)  # login itself asks nobody

    def logout(self):
        self.call("auth", "logout", self.site.host, check=False)

    def push(self, name, check=True):
        return self.call("push", self.layouts[name].folder, self.site.reference(name), check=check)

    def pull(self, name, check=True):
        return self.call("pull", "--format", "oci", self.site.reference(name), self.folder / f"out-{len(list(self.folder.iterdir()))}", check=check)

    def check_pulled(self, name):
        same(self.call("digest", self.site.reference(name)).stdout.strip(), self.site.digest(name), "digest")
        self.call("validate", "--remote", self.site.reference(name))

    def copy(self, name, other):
        return self.call("copy", self.site.reference(name), self.site.reference(other))


class Oras(Client):
    name = "oras"

    @staticmethod
    def need():
        need("ip", "unshare", "openssl")
        go_tool("oras")

    def __init__(self, site):
        super().__init__(site)
        self.program = go_tool("oras")
        self.contents = {}
        self.pulled = None

    def version(self):
        return pinned_version("oras")

    def call(self, *words, check=True, **more):
        return ask("env", f"--chdir={self.folder}", self.program, *words, environment={"DOCKER_CONFIG": str(self.folder / "credentials")},
                   check=check, **more)

    def make(self, name):
        self.contents[name] = content_range(name, 0, 100_000)

    def login(self, user, secret, check=True):
        return self.call("login", "--ca-file", self.site.ca_file, self.site.host, "--username", user, "--password-stdin", stdin=secret, check=check)

    def logout(self):
        self.call("logout", self.site.host, check=False)

    def push(self, name, check=True):
        (self.folder / "data.bin").write_bytes(self.contents[name])
        return self.call("push", "--ca-file", self.site.ca_file, "--artifact-type", "application/vnd.test.artifact", self.site.reference(name),
                         "data.bin:application/octet-stream", check=check)

    def pull(self, name, check=True):
        self.pulled = self.folder / f"out-{len(list(self.folder.iterdir()))}"
        return self.call("pull", "--ca-file", self.site.ca_file, "--output", self.pulled, self.site.reference(name), check=check)

    def check_pulled(self, name):
        same((self.pulled / "data.bin").read_bytes() == self.contents[name], True, "content")

    def copy(self, name, other):
        return self.call("cp", "--from-ca-file", self.site.ca_file, "--to-ca-file", self.site.ca_file, self.site.reference(name),
                         self.site.reference(other))


class Helm(Client):
    name = "helm"

    @staticmethod
    def need():
        need("ip", "unshare", "openssl")
        go_tool("helm")

    def __init__(self, site):
        super().__init__(site)
        self.program = go_tool("helm")
        self.environment = {f"HELM_{kind}_HOME": str(self.folder / kind) for kind in ("CACHE", "CONFIG", "DATA")}
        self.environment["HELM_REGISTRY_CONFIG"] = str(self.folder / "credentials.json")
        self.charts = {}
        self.pulled = None

    def version(self):
        return pinned_version("helm")

    def call(self, *words, check=True, **more):
        return ask("env", f"--chdir={self.folder}", self.program, *words, environment=self.environment, check=check, **more)

    def make(self, name):
        folder = self.folder / f"chart-{len(self.charts)}"
        folder.mkdir()
        files = {"demo/Chart.yaml": b"apiVersion: v2\nname: demo\nversion: 0.1.0\n", "demo/values.yaml": b"image: " + name.encode() + b"\n"}
        self.charts[name] = folder / "demo-0.1.0.tgz"
        self.charts[name].write_bytes(gzip.compress(tar_bytes(files), 1, mtime=0))

    def login(self, user, secret, check=True):
        return self.call("registry", "login", "--ca-file", self.site.ca_file, self.site.host, "--username", user, "--password-stdin",
                         stdin=secret, check=check)

    def logout(self):
        self.call("registry", "logout", self.site.host, check=False)

    def push(self, name, check=True):
        return self.call("push", "--ca-file", self.site.ca_file, self.charts[name], f"oci://{self.site.host}/{name}", check=check)

    def pull(self, name, check=True):
        self.pulled = self.folder / f"out-{len(list(self.folder.iterdir()))}"
        self.pulled.mkdir()
        return self.call("pull", "--ca-file", self.site.ca_file, "--version", "0.1.0", "--destination", self.pulled,
                         f"oci://{self.site.host}/{name}/demo", check=check)

    def check_pulled(self, name):
        same((self.pulled / "demo-0.1.0.tgz").read_bytes() == self.charts[name].read_bytes(), True, "content")


CLIENTS = {kind.name: kind for kind in (Docker, Podman, Buildah, Skopeo, Containerd, Crane, Oras, Helm)}


def need_client(name):
    if os.geteuid() != 0:
        registry_process.skip("clients with a private authority and a network of their own need root")
    CLIENTS[name].need()


def failed(result, what):
    """A command that must not succeed; what it printed."""
    if result.returncode == 0:
        raise ClientFailed(f"{what} was not refused: {result.told}")
    return result.told
