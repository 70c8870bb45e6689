#!/usr/bin/env python3
"""Who may do what, seen from a socket, on a server with auth.mode token: the token protocol (DIST-AUTH), rights and what they hide
(SEC-26 to SEC-32), credentials that are none (SEC-38 to SEC-52), accounts and management (SEC-96 to SEC-101)."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import registry_process  # noqa: E402
from access import accounts, hostile, rights, tokens  # noqa: E402
from accounts import ENVIRONMENT, Accounts  # noqa: E402
from api.checks import CHECKS, Context, run_all  # noqa: E402

ROOMS = (tokens, rights, hostile, accounts)


class AccessContext(Context):
    """A check's view: the accounts of the server, and projects of its own."""

    people = None

    def for_check(self, number):
        self.client.close()
        context = AccessContext(self.address, self.server, number)
        context.people = self.people
        return context

    def project_suffix(self):
        """Part of the names of further projects of this check."""
        return f"{self.run_id}-{self.number}"

    def project(self, **settings):
        """A project that only this check uses, made by its first call."""
        name = "p" + self.project_suffix()
        self.people.project(name, **settings)
        return name


def main():
    def extra(parser):
        parser.add_argument("only", nargs="*", help="identifiers or parts of names")
    options = registry_process.script_options(__doc__, extra)
    # Every test guesses from the same address: it is let off here, and has a check of its own.
    environment = dict(ENVIRONMENT, ORBITALREG_AUTH_LOGIN_FAILURES="1000")
    with registry_process.from_arguments(options, environment=environment) as server:
        context = AccessContext(server.http_addr, server)
        context.people = Accounts(server)
        failures = run_all(context, ROOMS, options.only)
    print(f"{len(ROOMS)} rooms, {len(CHECKS)} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
