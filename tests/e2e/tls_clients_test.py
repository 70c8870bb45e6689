#!/usr/bin/env python3
"""docker and skopeo over TLS with a private authority, and a certificate replaced while a large pull runs.

On an address that is not loopback, in a network namespace of its own: to a loopback registry docker speaks without
verifying anything."""

import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from certificates import Authority  # noqa: E402
from client_tools import COMMAND_DEADLINE_S, ClientFailed, need, need_root_mount, run, same, step  # noqa: E402
from docker_daemon import DockerDaemon  # noqa: E402
from docker_test import pull_again  # noqa: E402
from oci_layout import Layout, tar_bytes  # noqa: E402
from seeded_content import content_range  # noqa: E402

ADDRESS = "198.51.100.1"  # of a range for documentation
INSIDE = "ORBITALREG_TEST_NAMESPACE"


def enter_namespace():
    """Runs this script again with a network of its own and an empty /etc/docker; ends with its exit code."""
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        registry_process.skip("a network namespace needs root")
    setup = (f'mkdir -p /etc/docker && mount -t tmpfs tmpfs /etc/docker && ip link set lo up && '
             f'ip addr add {ADDRESS}/32 dev lo || exit 77; exec "$@"')
    sys.exit(subprocess.call(["unshare", "--net", "--mount", "sh", "-c", setup, "sh", sys.executable, *sys.argv],
                             env=dict(os.environ, **{INSIDE: "1"})))


def served_serial(server, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    host, port = server.http_addr.split(":")
    with context.wrap_socket(socket.create_connection((host, int(port)), 30), server_hostname=host) as peer:
        return peer.getpeercert()["serialNumber"]


def skopeo_over_tls(server, authority, trust, layout):
    reference = f"docker://{server.http_addr}/tls/skopeo:v1"
    wanted = layout.add_image("tls", tag="v1")["digest"]
    refused = run("skopeo", "copy", f"oci:{layout.folder}:v1", reference, check=False)
    same(refused.returncode != 0 and "certificate" in refused.stderr, True, "skopeo without the authority is refused")
    run("skopeo", "copy", "--dest-cert-dir", trust, f"oci:{layout.folder}:v1", reference)
    out = server.workspace / "skopeo-out"
    run("skopeo", "copy", "--src-cert-dir", trust, reference, f"oci:{out}:v1")
    same(Layout(out).tagged()["v1"]["digest"], wanted, "digest")
    step("skopeo: refused without the authority; push and pull with it, digests equal")


def docker_over_tls(server, authority):
    with DockerDaemon(server.workspace / "docker") as daemon:
        archive = server.workspace / "image.tar"
        archive.write_bytes(tar_bytes({"data": content_range("tls", 0, 8 << 20)}))
        reference = f"{server.http_addr}/tls/docker:v1"
        image_id = daemon.docker("import", archive, reference).strip()
        refused = daemon.docker("push", reference, check=False)
        same(refused.returncode != 0 and "certificate" in refused.stderr, True, "docker without the authority is refused")
        trust = pathlib.Path("/etc/docker/certs.d") / server.http_addr
        trust.mkdir(parents=True)
        (trust / "ca.crt").write_bytes(authority.certificate.read_bytes())
        digest = daemon.docker("push", reference).rpartition("digest: ")[2].split()[0]
        pull_again(daemon, reference, image_id, digest)
    step("docker: refused without the authority; push, rmi and pull with it, id and digest equal")


def replaced_under_a_pull(server, authority, trust, size):
    layout = Layout(server.workspace / "large")
    wanted = layout.add_image("large", tag="v1", sizes=(size,))["digest"]
    reference = f"docker://{server.http_addr}/tls/large:v1"
    run("skopeo", "copy", "--dest-cert-dir", trust, f"oci:{layout.folder}:v1", reference)
    before = served_serial(server, authority)
    out = server.workspace / "large-out"
    pulling = subprocess.Popen(["skopeo", "copy", "--src-cert-dir", trust, reference, f"oci:{out}:v1"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + COMMAND_DEADLINE_S
    while sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) < size // 20:
        if pulling.poll() is not None or time.monotonic() > deadline:
            raise ClientFailed(f"the pull ended before the certificate was replaced: {pulling.stdout.read()}")
    authority.issue("server", hosts=(ADDRESS,))
    os.kill(server.pid, signal.SIGHUP)
    while served_serial(server, authority) == before:
        if time.monotonic() > deadline:
            raise ClientFailed("the new certificate was never served")
    same(pulling.poll(), None, "the pull runs on after the new certificate is served")
    printed = pulling.communicate(timeout=COMMAND_DEADLINE_S)[0]
    same(pulling.returncode, 0, f"the pull: {printed}")
    same(Layout(out).tagged()["v1"]["digest"], wanted, "digest")
    Layout(out).closure(wanted)
    step(f"certificate replaced by SIGHUP while skopeo pulled {size} bytes: the pull went on, later connections see the new one")


def main():
    options = registry_process.script_options(__doc__, lambda parser: parser.add_argument(
        "--size", type=int, default=256 << 20, help="bytes of the pull under which the certificate is replaced"))
    folder = pathlib.Path(registry_process.test_directory()) / f"orbitalreg-authority-{os.getpid()}"
    authority = Authority(folder)
    certificate, key = authority.issue("server", hosts=(ADDRESS,))
    try:
        with registry_process.from_arguments(
                options, http_addr=f"{ADDRESS}:5443",
                environment={"ORBITALREG_HTTP_INSECURE": "true", "ORBITALREG_HTTP_TLS_CERTIFICATE": str(certificate),
                             "ORBITALREG_HTTP_TLS_KEY": str(key)}) as server:
            trust = server.workspace / "trust"
            trust.mkdir()
            (trust / "ca.crt").write_bytes(authority.certificate.read_bytes())
            skopeo_over_tls(server, authority, trust, Layout(server.workspace / "layout"))
            docker_over_tls(server, authority)
            replaced_under_a_pull(server, authority, trust, options.size)
    except (ClientFailed, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    finally:
        run("rm", "-rf", folder)
    print("all steps passed")
    return 0


if __name__ == "__main__":
    need("skopeo", "dockerd", "docker", "ip", "unshare", "openssl")
    enter_namespace()
    need_root_mount()
    sys.exit(main())
