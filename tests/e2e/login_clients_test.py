#!/usr/bin/env python3
"""Clients log in with each kind of credential, push, pull and mount, and are refused; what they print then is shown.

A password, a robot's secret, a personal token, and the token that was given for a CI job's identity token; over TLS with a private
authority."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import registry_process  # noqa: E402
from client_tools import need_root_mount, same, step  # noqa: E402
from login.clients import CLIENTS, failed, need_client  # noqa: E402
from login.site import enter_namespace, run_site  # noqa: E402


def show(client, what, told):
    for line in [line for line in told.splitlines() if not client.noise.match(line)] or ["(nothing)"]:
        print(f"    {client.name}, {what}: {line.rstrip()}", flush=True)


def identities(client, site):
    for label, user, secret in site.identities():
        name = f"acme/{client.name}-{label}"
        client.make(name)
        client.login(user, secret)
        client.push(name)
        client.pull(name)
        client.check_pulled(name)
        client.logout()
        step(f"{client.name}: login, push and pull as {user} with {label}")


def mounts(client, site):
    """The same layers under a name of another project: mounted by who may pull the first, uploaded by who may not."""
    first, second, third = (f"{project}/{client.name}-{kind}" for project, kind in (("acme", "layers"), ("web", "mounted"), ("west", "uploaded")))
    client.make(first)
    client.login(*site.credentials("alice"))
    client.push(first)
    client.pull(first)
    client.name_again(first, second)
    printed = client.push(second).told
    found = site.mounts(second)
    same(bool(found) and set(found) <= {201}, True, f"mounts by who may: {found}")
    if client.name == "docker":
        same("Mounted from" in printed, True, f"docker says so: {printed}")
        show(client, "mount", "\n".join(line for line in printed.splitlines() if "Mounted from" in line))
    client.logout()
    client.login(*site.credentials("bob"))
    client.name_again(first, third)
    client.push(third)
    found = site.mounts(third)
    same(201 in found, False, f"mounts by who may not pull the source: {found}")
    site.digest(third, "bob")
    client.logout()
    step(f"{client.name}: layers mounted by who may pull them; of who may not, {len(found)} mounts were answered with an upload")


def copies(client, site):
    """Registry to registry: blobs are mounted."""
    first, second = f"acme/{client.name}-layers", f"web/{client.name}-mounted"
    client.make(first)
    client.login(*site.credentials("alice"))
    client.push(first)
    client.copy(first, second)
    found = site.mounts(second)
    same(201 in found, True, f"mounts: {found}")
    same(site.digest(second), site.digest(first), "digest of the copy")
    client.logout()
    step(f"{client.name}: copied to another project, {found.count(201)} blobs mounted")


def public(client, site):
    name = f"open/{client.name}"
    client.make(name)
    client.login(*site.credentials("alice"))
    client.push(name)
    client.logout()
    client.pull(name)
    client.check_pulled(name)
    step(f"{client.name}: pull from a public project without a login")


def without_times(told):
    """What a client printed, whenever it did."""
    return re.sub(r'time="[^"]*" ', "", told)


def refusals(client, site):
    show(client, "wrong password", failed(client.login("alice", "not the password", check=False), "a wrong password"))
    client.logout()
    name = f"acme/{client.name}-refused"
    client.make(name)
    client.login(*site.credentials("bob"))
    show(client, "push without the right", failed(client.push(name, check=False), "a push without the right"))
    client.logout()
    private, absent = f"acme/{client.name}-password", f"acme/{client.name}-nothing"
    told = failed(client.pull(private, check=False), "a pull of a private image by nobody")
    show(client, "pull without a login", told)
    of_nothing = failed(client.pull(absent, check=False), "a pull of nothing").replace(absent, private)
    same(without_times(of_nothing), without_times(told), "what is hidden looks like what is not there")
    client.login(*site.credentials("bob"))
    show(client, "pull without the right", failed(client.pull(private, check=False), "a pull without the right"))
    client.logout()
    step(f"{client.name}: refused where it must be")


def walk_through(client, site):
    print(f"{client.version()}", flush=True)
    identities(client, site)
    if client.mounting:
        mounts(client, site)
    elif hasattr(client, "copy"):
        copies(client, site)
    public(client, site)
    refusals(client, site)


def main():
    options = registry_process.script_options(__doc__, lambda parser: parser.add_argument("clients", nargs="+", choices=sorted(CLIENTS)))
    for name in options.clients:
        need_client(name)
    enter_namespace()
    need_root_mount()

    def test(site):
        for name in options.clients:
            with CLIENTS[name](site) as client:
                walk_through(client, site)
    return run_site(options, test)


if __name__ == "__main__":
    sys.exit(main())
