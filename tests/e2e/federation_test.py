#!/usr/bin/env python3
"""Tokens of identity providers, exchanged at a server: which are taken, which are refused and what is told to whom, what they may
do, and where the keys come from, with providers on the loopback interface over TLS and with a key file (SEC-53 to SEC-62)."""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import configured_registry  # noqa: E402
import registry_process  # noqa: E402
from accounts import ENVIRONMENT, Accounts  # noqa: E402
from api.checks import CHECKS, Context, run_all  # noqa: E402
from federation import grants, keys, refusals  # noqa: E402
from federation.site import Site  # noqa: E402

ROOMS = (refusals, grants, keys)


class FederationContext(Context):
    people = None
    site = None

    def for_check(self, number):
        self.client.close()
        context = FederationContext(self.address, self.server, number)
        context.people, context.site = self.people, self.site
        return context

    @property
    def github(self):
        return self.site.providers["github"]


def main():
    def extra(parser):
        parser.add_argument("only", nargs="*", help="identifiers or parts of names")
    options = registry_process.script_options(__doc__, extra)
    environment = dict(ENVIRONMENT, ORBITALREG_AUTH_LOGIN_FAILURES="1000")
    with tempfile.TemporaryDirectory(prefix="orbitalreg-providers-") as folder, Site(folder) as site, \
            configured_registry.from_arguments(options, site.configuration(), environment=environment) as server:
        context = FederationContext(server.http_addr, server)
        context.people, context.site = Accounts(server), site
        for project in ("acme", "shop", "platform", "lobby", "other"):
            context.people.project(project)
        site.wait_for_keys()
        failures = run_all(context, ROOMS, options.only)
    print(f"{len(ROOMS)} rooms, {len(CHECKS)} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
