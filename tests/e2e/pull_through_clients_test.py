#!/usr/bin/env python3
"""Real clients, unmodified, pull through a remote repository of an upstream that behaves as Docker Hub does: token service and CDN
on hosts of their own, a password, a pull limit.

| step | expected |
|---|---|
| `pull host/acme/dockerhub-mirror/library/alpine:latest`, nothing cached | the digest that is upstream; what the upstream gave is each blob once |
| removed, and pulled again | the same digest; the upstream is asked by HEAD for the tag and for nothing else |
| the tag moves upstream, pull | the new digest |
| a second client's way: by digest | the same image |
| the upstream is down, pull | the copy; time is printed |
| an unknown tag, then one that the upstream throttles | the client fails, and prints why |
| all the while | the CDN saw no Authorization and no cookie, the token service the configured password alone |
"""

import json
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import configured_registry  # noqa: E402
import registry_process  # noqa: E402
from accounts import basic  # noqa: E402
from client_tools import ClientFailed, ContainersStorage, need, need_root_mount, run, same, step, version_of  # noqa: E402
from containerd_test import Daemon as Containerd  # noqa: E402
from docker_daemon import DockerDaemon  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402
from oci_layout import Layout  # noqa: E402
from remote_world import PROJECT, SECRET, remote, secrets_in  # noqa: E402
from scripted_upstream import ScriptedUpstream  # noqa: E402

REPOSITORY = "dockerhub-mirror"
NAME = "library/alpine"
USER = "hub-user"


class Skopeo:
    def __init__(self, folder):
        self.folder, self.pulls = folder, 0
        self.version = version_of("skopeo")

    def pull(self, reference, check=True):
        """What the client printed and how it ended; `digest` is then of what it has."""
        self.pulls += 1
        self.out = self.folder / f"out-{self.pulls}"
        return run("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{reference}", f"oci:{self.out}:pulled", check=check)

    def digest(self, _):
        found = Layout(self.out).tagged()["pulled"]["digest"]
        Layout(self.out).closure(found)
        return found

    def forget(self):
        pass

    def close(self):
        pass


class Crane(Skopeo):
    def __init__(self, folder):
        self.folder, self.pulls = folder, 0
        self.program, self.version = go_tool("crane"), pinned_version("crane")

    def pull(self, reference, check=True):
        self.pulls += 1
        self.out = self.folder / f"out-{self.pulls}"
        return run(self.program, "pull", "--insecure", "--format=oci", reference, self.out, check=check,
                   environment={"DOCKER_CONFIG": str(self.folder)})

    def digest(self, _):
        entries = json.loads((self.out / "index.json").read_text())["manifests"]
        Layout(self.out).closure(entries[0]["digest"])
        return entries[0]["digest"]


class Podman:
    def __init__(self, folder):
        self.podman = ContainersStorage("podman", folder / "storage")
        self.version = version_of("podman")

    def pull(self, reference, check=True):
        words = ["podman", *self.podman.options, "pull", "--tls-verify=false", reference]
        return run(*words, environment=self.podman.environment, check=check)

    def digest(self, reference):
        told = json.loads(self.podman("inspect", "--type", "image", reference))[0]
        return {entry.rpartition("@")[2] for entry in told["RepoDigests"]}

    def forget(self):
        self.podman("rmi", "--all", "--force")

    def close(self):
        pass


class Docker:
    def __init__(self, folder):
        self.daemon = DockerDaemon(folder / "daemon").__enter__()
        self.version = version_of("docker")

    def pull(self, reference, check=True):
        return self.daemon.docker("pull", reference, check=check)

    def digest(self, reference):
        told = json.loads(self.daemon.docker("image", "inspect", reference))[0]
        return {entry.rpartition("@")[2] for entry in told["RepoDigests"]}

    def forget(self):
        ids = self.daemon.docker("images", "--quiet", "--no-trunc").split()
        if ids:
            self.daemon.docker("rmi", "--force", *sorted(set(ids)))

    def close(self):
        self.daemon.stop()


class Ctr:
    def __init__(self, folder):
        self.daemon = Containerd(folder / "containerd")
        self.daemon.wait_ready()
        self.version = version_of("ctr")

    def pull(self, reference, check=True):
        return self.daemon.ctr("content", "fetch", "--plain-http", "--all-platforms", reference, check=check)

    def digest(self, reference):
        line = next(line for line in self.daemon.ctr("images", "ls").splitlines() if line.startswith(reference))
        return line.split()[2]

    def forget(self):
        for reference in self.daemon.ctr("images", "ls", "-q").split():
            self.daemon.ctr("images", "rm", "--sync", reference)

    def close(self):
        self.daemon.stop()


CLIENTS = {"skopeo": (Skopeo, ["skopeo"]), "crane": (Crane, []), "podman": (Podman, ["podman"]), "docker": (Docker, ["dockerd", "docker"]),
           "containerd": (Ctr, ["containerd", "ctr"])}


def has(client, reference, digests, what):
    """Clients differ in which of an index's and an image's digest they name."""
    found = client.digest(reference)
    found = found if isinstance(found, set) else {found}
    same(bool(found & set(digests)), True, f"{what}: {found}, expected one of {digests}")


def digests_of(layout, tag):
    top = layout.tagged()[tag]["digest"]
    children = [child["digest"] for child in json.loads(layout.read_blob(top)).get("manifests", [])]
    return [top, *children]


def fresh_and_again(client, reference, upstream, layout):
    client.pull(f"{reference}:latest")
    has(client, f"{reference}:latest", digests_of(layout, "latest"), "cold pull")
    first = upstream.count()
    print(upstream.log_text())
    transfers = upstream.seen("GET", where="cdn")
    same(len({entry.target for entry in transfers}), len(transfers), "each blob is taken once")
    client.forget()
    upstream.forget()
    client.pull(f"{reference}:latest")
    has(client, f"{reference}:latest", digests_of(layout, "latest"), "second pull")
    same({(entry.method, entry.where) for entry in upstream.seen()} <= {("HEAD", "registry")}, True, f"requests of it: {upstream.log_text()}")
    step(f"{client.version}: cold pull, {first} requests to the upstream; again, {upstream.count()}, all HEAD")


def moved_by_digest_and_down(client, reference, upstream, layout):
    client.forget()
    layout.add_index("moved", "moved")
    moved = layout.tagged()["moved"]
    layout.add_tag("latest", {key: moved[key] for key in ("mediaType", "digest", "size")})
    upstream.add_layout(NAME, layout, "latest")
    client.pull(f"{reference}:latest")
    has(client, f"{reference}:latest", digests_of(layout, "moved"), "after the tag moved")
    client.forget()
    by_digest = f"{reference}@{moved['digest']}"
    client.pull(by_digest)
    has(client, by_digest, digests_of(layout, "moved"), "by digest")
    step("the tag moves; by digest")
    client.forget()
    upstream.stop()
    began = time.monotonic()
    client.pull(f"{reference}:latest")
    seconds = time.monotonic() - began
    has(client, f"{reference}:latest", digests_of(layout, "moved"), "while the upstream is down")
    step(f"the upstream is down: the copy, in {seconds:.1f} s as the client takes it")
    upstream.start()


def failures(client, reference, upstream):
    client.forget()
    unknown = client.pull(f"{reference}:no-such-tag", check=False)
    same(unknown.returncode != 0, True, "an unknown tag fails")
    print("  unknown tag: " + (unknown.stderr or unknown.stdout).strip()[-300:])
    with upstream.on(None, "/manifests/", status=404):
        gone = client.pull(f"{reference}:never", check=False)
        same(gone.returncode != 0, True, "what the upstream denies having fails")
    step("refused where there is nothing")


def saw_no_secret(upstream_log):
    for entry in upstream_log:
        if entry.where == "cdn":
            same((entry.authorization, entry.cookie), (None, False), f"what the CDN saw of {entry.target}")
        if entry.where == "token":
            same(entry.credential, basic(USER, SECRET).partition(" ")[2], "what the token service saw")


def walk_through(server, upstream, folder, kind):
    layout = Layout(folder / "layout")
    layout.add_index("latest", "hub")
    upstream.add_layout(NAME, layout, "latest")
    reference = f"{server.http_addr}/{PROJECT}/{REPOSITORY}/{NAME}"
    everything, client = [], kind(folder)
    forget = upstream.forget
    upstream.forget = lambda: (everything.extend(upstream.log), forget())
    try:
        fresh_and_again(client, reference, upstream, layout)
        moved_by_digest_and_down(client, reference, upstream, layout)
        failures(client, reference, upstream)
    finally:
        client.close()
    everything.extend(upstream.log)
    saw_no_secret(everything)
    same(secrets_in(server.log_path), [], "secrets in the log")
    step(f"{len(everything)} requests to the upstream: no credential where it does not belong; {upstream.taken} of the pull limit used")


def main():
    options = registry_process.script_options(__doc__, lambda parser: parser.add_argument("client", choices=sorted(CLIENTS)))
    kind, programs = CLIENTS[options.client]
    need(*programs)
    if options.client == "crane":
        go_tool("crane")
    if options.client in ("docker", "podman"):
        need_root_mount()
    if options.client == "containerd" and os.geteuid() != 0:
        registry_process.skip("containerd needs root")
    folder = registry_process.fresh_folder("orbitalreg-hub-")
    try:
        (folder / "password").write_text(SECRET + "\n")
        with ScriptedUpstream(folder / "upstream") as upstream:
            upstream.auth, upstream.cdn, upstream.hub_limit = "bearer", True, (100, 21600)
            upstream.username, upstream.password = USER, SECRET
            hub = remote(REPOSITORY, upstream.url, username=USER, password_file=str(folder / "password"), revalidate_after="0s")
            configuration = {"projects": [{"name": PROJECT, "repositories": [hub]}]}
            with configured_registry.from_arguments(options, configuration) as server:
                walk_through(server, upstream, folder, kind)
    except (ClientFailed, TimeoutError, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("all steps passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
