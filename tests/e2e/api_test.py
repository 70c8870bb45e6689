#!/usr/bin/env python3
"""The distribution API seen from a socket: one check an identifier of the API checklist (DIST-*, SEC-* of framing).

Starts a server of its own, or looks at the one at --url. Each check uses repositories of its own and cites the
identifiers it proves. What is left out, and why, is in the table of requirements in docs/protocol.md.
"""

import pathlib
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import registry_process  # noqa: E402
from api import blobs, choices, defences, deletion, framing, general, listing, manifests, referrers, restart, uploads  # noqa: E402
from api.checks import CHECKS, Context  # noqa: E402

ROOMS = (general, blobs, uploads, manifests, referrers, listing, deletion, choices, defences, framing, restart)


def run_check(check, context):
    """None, or the story of the failure."""
    try:
        check.run(context)
        return None
    except AssertionError as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        frame = next((entry for entry in reversed(traceback.extract_tb(error.__traceback__))
                      if "/api/" in entry.filename and "checks.py" not in entry.filename), where)
        return f"{pathlib.Path(frame.filename).name}:{frame.lineno}: {error}"
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({pathlib.Path(where.filename).name}:{where.lineno})"


def run_all(context, wanted):
    failures = 0
    rooms = [room.__name__ for room in ROOMS]
    for number, check in enumerate(sorted(CHECKS, key=lambda check: rooms.index(check.run.__module__))):
        if wanted and not any(word in " ".join(check.identifiers) or word in check.name for word in wanted):
            continue
        if check.needs_process and context.server is None:
            print(f"skip  {' '.join(check.identifiers):34} {check.name}: needs a server started here")
            continue
        if context.server and context.server.process.poll() is not None:
            print(f"note  the server had ended with {context.server.process.returncode}; started again")
            context.server.start()
        story = run_check(check, context.for_check(number))
        failures += story is not None
        print(f"{'FAIL' if story else 'ok  '}  {' '.join(check.identifiers):34} {check.name}"
              + (f"\n      {story}" if story else ""), flush=True)
    return failures


def main():
    def extra(parser):
        parser.add_argument("--url", help="host:port of a running registry")
        parser.add_argument("--list", action="store_true", help="print the identifiers and end")
        parser.add_argument("only", nargs="*", help="identifiers or parts of names")
    options = registry_process.script_options(__doc__, extra)
    if options.list:
        for check in CHECKS:
            print(" ".join(check.identifiers), check.name)
        return 0
    if options.url:
        failures = run_all(Context(options.url.removeprefix("http://"), None), options.only)
    else:
        with registry_process.from_arguments(options) as server:
            failures = run_all(Context(server.http_addr, server), options.only)
    print(f"{len(ROOMS)} rooms, {len(CHECKS)} checks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
