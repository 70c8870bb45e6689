#!/usr/bin/env python3
"""Management of accounts and projects: the subcommands of the program through the whole life of what they manage, and every
operation of the API, held against docs/api/openapi.json: each must be exercised, and each answer be as described."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import registry_process  # noqa: E402
from certificates import Authority  # noqa: E402
from client_tools import ClientFailed, step  # noqa: E402
from management import api_walk, program_walk  # noqa: E402
from openapi_document import Differs, OpenApiDocument, check_the_checker  # noqa: E402

CONFIGURATION = """
projects:
  - name: declared
    repositories: [ { name: app, type: local } ]
    members: [ { user: carol, role: guest } ]
retention:
  policies:
    - name: default
      rules: [ { keep_by_age: { max_age_days: 30 } } ]
"""


class ManagedRegistry(registry_process.RegistryProcess):
    """With accounts, and a project of the configuration."""

    def __init__(self, options, **environment):
        super().__init__(binary=options.binary, io=options.io, keep=options.keep,
                         environment={"ORBITALREG_AUTH_MODE": "token", **environment})
        self.configuration = self.workspace / "orbitalreg.yml"
        self.configuration.write_text(CONFIGURATION)

    def command(self):
        return [*super().command(), "-c", str(self.configuration)]


def over_tls(options):
    with ManagedRegistry(options) as server:
        server.stop()
        authority = Authority(server.workspace / "authority")
        certificate, key = authority.issue("server")
        server.environment.update(ORBITALREG_HTTP_TLS_CERTIFICATE=str(certificate), ORBITALREG_HTTP_TLS_KEY=str(key))
        server.start()
        program_walk.walk_tls(server, authority, f"https://{server.http_addr}")


def main():
    options = registry_process.script_options(__doc__)
    if options.server != "orbitalreg":
        registry_process.skip("there is no such API elsewhere")
    try:
        check_the_checker()
        document = OpenApiDocument(api_walk.DOCUMENT)
        document.check_itself()
        step("the document is whole, and the checker finds mistakes")
        with ManagedRegistry(options) as server:
            program_walk.walk(server, document)
        with ManagedRegistry(options) as server:
            document = OpenApiDocument(api_walk.DOCUMENT)
            api_walk.walk(server, document)
        over_tls(options)
    except (ClientFailed, Differs, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    print("all steps passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
