"""Clients that Debian has no packages of, built from the Go module proxy at the versions pinned here.

They are built once and kept in ORBITALREG_GO_TOOLS, else in the user's cache folder. Where Go is missing or too old, or the
modules cannot be had, the test that asks is skipped with the reason."""

import fcntl
import os
import pathlib
import re
import shutil
import subprocess

import registry_process

GO_MIN = (1, 24)
BUILD_DEADLINE_S = 1500
PINNED = {
    "crane": ("github.com/google/go-containerregistry/cmd/crane", "v0.22.1"),
    "oras": ("oras.land/oras/cmd/oras", "v1.3.6"),
    "helm": ("helm.sh/helm/v3/cmd/helm", "v3.22.0"),
    "regctl": ("github.com/regclient/regclient/cmd/regctl", "v0.11.7"),
    "cosign": ("github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5"),
    "buildx": ("github.com/docker/buildx/cmd/buildx", "v0.38.2"),
    "registry": ("github.com/distribution/distribution/v3/cmd/registry", "v3.1.2"),
    "conformance": ("github.com/opencontainers/distribution-spec/conformance", "v0.0.0-20260831232431-97274622c111"),
}


class Unavailable(Exception):
    """Why a program cannot be had here."""


def folder():
    given = os.environ.get("ORBITALREG_GO_TOOLS")
    return pathlib.Path(given or pathlib.Path.home() / ".cache/orbitalreg/go-tools")


def go_version(go):
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", told)
    return tuple(int(part) for part in found.groups()) if found else (0, 0)


def build(go, module, version, target):
    environment = dict(os.environ, GOBIN=str(target.parent), GOTOOLCHAIN="local", GOFLAGS="-buildvcs=false")
    try:
        done = subprocess.run([go, "install", f"{module}@{version}"], capture_output=True, text=True, env=environment,
                              timeout=BUILD_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{module}@{version} was not built within {BUILD_DEADLINE_S} s") from None
    if done.returncode != 0 or not target.exists():
        raise Unavailable(f"{module}@{version} cannot be built here: {done.stderr.strip()[-500:]}")


def pinned_version(name):
    return f"{name} {PINNED[name][1]}"


def find_or_build(name):
    """The path of the program, built if it is not there yet; Unavailable where it cannot be."""
    module, version = PINNED[name]
    target = folder() / version / name
    if target.exists():
        return target
    go = shutil.which("go")
    if not go:
        raise Unavailable(f"{name} is built from Go modules, and there is no go here")
    if go_version(go) < GO_MIN:
        raise Unavailable(f"{name} needs Go {GO_MIN[0]}.{GO_MIN[1]}; here is {go_version(go)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(folder() / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            print(f"building {module}@{version}", flush=True)
            build(go, module, version, target)
    return target


def go_tool(name):
    """The same for a test, which is skipped where there is none."""
    try:
        return find_or_build(name)
    except Unavailable as reason:
        return registry_process.skip(str(reason))
