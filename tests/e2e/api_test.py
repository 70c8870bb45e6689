#!/usr/bin/env python3
"""The distribution API seen from a socket: one check an identifier of the API checklist (DIST-*, SEC-* of framing).

Starts a server of its own, or looks at the one at --url. Each check uses repositories of its own and cites the
identifiers it proves. What is left out, and why, is in the table of requirements in docs/protocol.md.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import registry_process  # noqa: E402
from api import blobs, choices, defences, deletion, framing, general, listing, manifests, referrers, restart, uploads  # noqa: E402
from accounts import ADMINISTRATOR, ENVIRONMENT, Accounts, basic, password_of  # noqa: E402
from api.checks import CHECKS, Context, run_all  # noqa: E402

ROOMS = (general, blobs, uploads, manifests, referrers, listing, deletion, choices, defences, framing, restart)


# What it sends by hand says nothing of who sends it.
WITHOUT_LOGIN = {framing, choices, defences, restart}
BY_HAND = {"short_body_leaves_the_truth", "cancelling_beside_a_patch", "expect_continue_is_answered_after_the_checks",
           "accept_is_a_hint"}


def run_with_login(options):
    """The same checks on a server that asks who comes."""
    environment = dict(ENVIRONMENT, ORBITALREG_DEFAULTS_AUTO_CREATE_PROJECTS="true", ORBITALREG_DEFAULTS_PROJECT="library")
    with registry_process.from_arguments(options, environment=environment) as server:
        Accounts(server)
        Context.authorization = basic(ADMINISTRATOR, password_of(ADMINISTRATOR))
        rooms = [room for room in ROOMS if room not in WITHOUT_LOGIN]
        CHECKS[:] = [check for check in CHECKS if check.run.__module__ in {room.__name__ for room in rooms}
                     and check.name not in BY_HAND]
        return run_all(Context(server.http_addr, server), rooms, options.only)


def main():
    def extra(parser):
        parser.add_argument("--url", help="host:port of a running registry")
        parser.add_argument("--login", action="store_true", help="with accounts: each request by a robot, with its name and secret")
        parser.add_argument("--list", action="store_true", help="print the identifiers and end")
        parser.add_argument("only", nargs="*", help="identifiers or parts of names")
    options = registry_process.script_options(__doc__, extra)
    if options.list:
        for check in CHECKS:
            print(" ".join(check.identifiers), check.name)
        return 0
    if options.login:
        failures = run_with_login(options)
    elif options.url:
        failures = run_all(Context(options.url.removeprefix("http://"), None), ROOMS, options.only)
    else:
        with registry_process.from_arguments(options) as server:
            failures = run_all(Context(server.http_addr, server), ROOMS, options.only)
    print(f"{len(ROOMS)} rooms, {len(CHECKS)} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
