#!/usr/bin/env python3
"""A sync of the log fails under a running server: what clients and /readyz see, and the restart.

The server runs with a preloaded pwritev2 that fails with EIO while a file exists. Pushes until then are acknowledged; then
the device fails, once: the push in flight gets 503, so do all later ones, pulls go on, /readyz is 503 and says why, and stays
so although the device is well again. After a restart everything acknowledged is there, and pushes are taken again.
"""

import json
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from registry_client import OCTETS, Connection, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402

NAME = "fail/app"


def expect(holds, what):
    if not holds:
        raise registry_process.RegistryError(what)


def ready(server):
    status, body = server.get(server.admin_addr, "/readyz?verbose")[:2]
    components = {each["name"]: each for each in json.loads(body)["components"]}
    return status, components


def push(client, content):
    return client.put_blob(NAME, content).status


def main():
    def extra(parser):
        parser.add_argument("--preload", required=True, help="the library that makes durable writes fail")
    options = registry_process.script_options(__doc__, extra)
    server = registry_process.from_arguments(options)
    trigger = server.workspace / "fail-now"
    server.environment.update({"LD_PRELOAD": options.preload, "ORB_TEST_FAIL_SYNC": str(trigger)})
    large = content_range("large", 0, 3 << 20)
    small = [content_range(f"small{i}", 0, 2000) for i in range(20)]
    try:
        server.start()
        with Connection(server.http_addr) as client:
            for content in [large, *small]:
                expect(push(client, content) == 201, "a push of before is acknowledged")
            manifest = image_manifest(descriptor(small[0], OCTETS), [descriptor(large, OCTETS)])
            expect(client.put_manifest(NAME, "v1", manifest).status == 201, "manifest")
            expect(ready(server)[0] == 200, "/readyz before")
            trigger.touch()
            first = push(client, b"in flight")
            trigger.unlink()
            second = push(client, b"afterwards")
            print(f"push while the log's sync fails: {first}; the next one, the device being well again: {second}")
            expect(first == 503 and second == 503, "no push is acknowledged")
            status, components = ready(server)
            print(f"/readyz: {status}, store: {components['store']}")
            expect(status == 503 and not components["store"]["ready"], "/readyz says so")
            expect("read-only" in components["store"]["detail"], "and why")
            expect(server.get(server.admin_addr, "/livez")[0] == 200, "/livez stays")
            for content in [large, *small]:
                answer = client.get_blob(NAME, digest_of(content))
                expect(answer.status == 200 and answer.body == content, "pulls go on")
            expect(client.get_manifest(NAME, "v1").status == 200, "pulls go on")
        server.stop()
        server.start()
        status, components = ready(server)
        print(f"after a restart: /readyz {status}, store: {components['store']['detail']}")
        with Connection(server.http_addr) as client:
            for content in [large, *small]:
                answer = client.get_blob(NAME, digest_of(content))
                expect(answer.status == 200 and answer.body == content, "nothing acknowledged is lost")
            expect(client.get_manifest(NAME, "v1").body == manifest, "nor the manifest")
            expect(client.get_blob(NAME, digest_of(b"afterwards")).status == 404, "what was refused is not there")
            outcome = client.get_blob(NAME, digest_of(b"in flight")).status
            print(f"the push whose outcome was unknown: {outcome}")
            expect(push(client, b"again") == 201, "pushes are taken again")
        server.stop()
    except registry_process.RegistryError as failure:
        print(f"FAIL  {failure}\n{server.log_tail()}")
        return 1
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
