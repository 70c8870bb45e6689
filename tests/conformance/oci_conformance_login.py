#!/usr/bin/env python3
"""The conformance suite of the OCI distribution specification on a server that asks who comes: by a robot, which gets its tokens as any
client does, and by name and secret at each request. No case may fail, none may end with an error."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from accounts import ENVIRONMENT, Accounts  # noqa: E402
from client_tools import ClientFailed  # noqa: E402
from go_tools import go_tool  # noqa: E402
from oci_conformance import ALL_APIS, run_suite  # noqa: E402


def main():
    go_tool("conformance")
    options = registry_process.script_options(__doc__)
    try:
        with registry_process.from_arguments(options, environment=ENVIRONMENT) as server:
            people = Accounts(server)
            people.project("conformance")
            robot = people.robot("conformance", "suite", [{"role": "maintainer"}])
            login = {"OCI_USERNAME": robot, "OCI_PASSWORD": people.secrets[robot]}
            suite = go_tool("conformance")
            run_suite(suite, server, "stable", {"OCI_VERSION": "1.1", **ALL_APIS, **login})
            run_suite(suite, server, "dev", {"OCI_VERSION": "dev", **login})
            if not any(line.startswith("orbitalreg_auth_total") for line in server.metrics()):
                raise ClientFailed("nobody logged in")
    except (ClientFailed, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    print("all steps passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
