"""Runs the command line clients that the end-to-end tests drive, each with state of its own in the test's folder."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import recording
import registry_process

COMMAND_DEADLINE_S = 300


class ClientFailed(Exception):
    """A client ended with an error; the text holds what it printed."""


def need(*programs):
    """Skips the test, naming what is missing."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        registry_process.skip(f"not installed: {', '.join(missing)}")


def root_is_a_mount():
    with open("/proc/self/mountinfo", encoding="ascii", errors="replace") as mounts:
        return any(line.split()[4] == "/" for line in mounts)


def need_root_mount():
    """For clients that remount / to unpack a layer: in a plain chroot it is a mere folder, and they fail.

    There this script runs again with the same files below a mount of their own, and ends with its exit code."""
    if root_is_a_mount():
        return
    if os.geteuid() != 0 or not shutil.which("unshare"):
        registry_process.skip("/ is no mount point here (a plain chroot), and making it one needs root and unshare")
    root = tempfile.mkdtemp(prefix="orbitalreg-root-", dir="/var/tmp")
    inside = 'cd "$1" && shift && exec "$@"'
    # Unmounted again before the end: where mounts are shared, others see this one.
    outside = 'mount --rbind / "$1" || exit; chroot "$1" sh -c "$0" sh "${@:2}"; code=$?; umount -R -l "$1"; exit $code'
    code = subprocess.call(["unshare", "--mount", "--propagation", "unchanged", "bash", "-c", outside, inside, root, os.getcwd(),
                            sys.executable, *sys.argv])
    os.rmdir(root)
    sys.exit(code)


def run(*command, environment=None, check=True, quiet=True):
    """Runs a command; its standard output."""
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, check=False,
                            env=dict(os.environ, **(environment or {})))
    if check and result.returncode != 0:
        raise ClientFailed(f"{' '.join(words)}\nended with {result.returncode}\n{result.stdout}{result.stderr}")
    if not quiet:
        print(result.stdout, end="")
    return result.stdout if check else result


def same(found, wanted, what):
    if found != wanted:
        raise ClientFailed(f"{what}: expected {wanted!r:.400}, got {found!r:.400}")


def step(text):
    print(f"ok  {text}", flush=True)


class ContainersStorage:
    """podman and buildah with a root of their own, as the vfs driver, so that no test touches the host's images."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = pathlib.Path(folder)
        policy = self.folder / "policy.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        policy.write_text(json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        self.options = ["--storage-driver", "vfs", "--root", self.folder / "root", "--runroot", self.folder / "run"]
        if program == "buildah":
            self.options += ["--registries-conf", self.registries()]
        self.environment = {"CONTAINERS_REGISTRIES_CONF": str(self.registries()), "TMPDIR": str(self.folder),
                            "BUILDAH_ISOLATION": "chroot"}

    def registries(self):
        path = self.folder / "registries.conf"
        path.write_text('unqualified-search-registries = []\n')
        return path

    def __call__(self, *words):
        return run(self.program, *self.options, *words, environment=self.environment)


def version_of(program):
    """What a program says first about its version."""
    return run(program, "--version").splitlines()[0].strip()


def main(test, description, version=None):
    """Parses the shared options, runs test(server, options), and tells the outcome by the exit code.

    With the client's version, what it asked and was answered is compared with the record of its last run."""
    options = registry_process.script_options(description)
    try:
        with registry_process.from_arguments(options) as server:
            test(server, options)
            if version and server.kind == "orbitalreg":
                client = pathlib.Path(sys.argv[0]).stem.removesuffix("_test")
                if recording.compare(server.log_path, client, version):
                    step(f"each request was answered as it was for {version}")
    except (ClientFailed, recording.RecordingDiffers, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    print("all steps passed")
    return 0
