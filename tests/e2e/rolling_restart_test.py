#!/usr/bin/env python3
"""A rolling restart under a load of pushes: SIGTERM, start again, several times. What a client sees that never tries twice,
whether anything acknowledged is lost, and whether skopeo with its retries notices at all."""

import collections
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import ClientFailed, need, same, step  # noqa: E402
from oci_layout import Layout  # noqa: E402
from registry_client import Connection, OCI_MANIFEST, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402

WRITERS = 8
CONFIG_TYPE, LAYER_TYPE = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"


class Writer(threading.Thread):
    """Pushes images until told to stop. Each failed request is counted by its kind; none is tried again."""

    def __init__(self, address, number, over):
        super().__init__()
        self.address, self.number, self.over = address, number, over
        self.acknowledged = {}
        self.requests = 0
        self.seen = collections.Counter()

    def run(self):
        image = 0
        client = Connection(self.address, timeout_s=60)
        while not self.over.is_set():
            image += 1
            try:
                self.push(client, f"{self.number}/{image}")
            except ConnectionRefusedError:
                self.seen["refused: no server"] += 1
                self.over.wait(0.01)
            except OSError as error:
                self.seen[f"connection ended: {type(error).__name__}"] += 1
            except ClientFailed as error:
                self.seen[f"status: {error}"] += 1
        client.close()

    def put(self, answer):
        self.requests += 1
        if answer.status != 201:
            raise ClientFailed(str(answer.status))

    def push(self, client, seed):
        layer, config = content_range(seed, 0, 200_000), f'{{"seed":"{seed}"}}'.encode()
        name, tag = f"rolling/app-{self.number}", f"v{seed.rpartition('/')[2]}"
        for content in (layer, config):
            self.put(client.put_blob(name, content, digest_of(content)))
        manifest = image_manifest(descriptor(config, CONFIG_TYPE), [descriptor(layer, LAYER_TYPE)])
        self.put(client.request("PUT", f"/v2/{name}/manifests/{tag}", {"Content-Type": OCI_MANIFEST}, manifest))
        self.acknowledged[name, tag] = digest_of(manifest)


class Pusher(threading.Thread):
    """skopeo, image after image, with the retries it offers."""

    def __init__(self, server, layout, over):
        super().__init__()
        self.server, self.layout, self.over = server, layout, over
        self.pushed, self.failures = 0, []

    def run(self):
        while not self.over.is_set():
            done = subprocess.run(["skopeo", "copy", "--retry-times", "5", "--dest-tls-verify=false",
                                   f"oci:{self.layout.folder}:v1", f"docker://{self.server.http_addr}/rolling/skopeo:v{self.pushed}"],
                                  capture_output=True, text=True, timeout=120, check=False)
            self.pushed += 1
            if done.returncode != 0:
                self.failures.append(done.stderr[-300:])


def verify(server, acknowledged):
    with Connection(server.http_addr) as client:
        for (name, tag), digest in acknowledged.items():
            answer = client.get_manifest(name, tag)
            same((answer.status, digest_of(answer.body)), (200, digest), f"{name}:{tag} was acknowledged")


def main():
    options = registry_process.script_options(__doc__, lambda parser: parser.add_argument(
        "--restarts", type=int, default=5))
    with registry_process.from_arguments(options) as server:
        layout = Layout(server.workspace / "layout")
        layout.add_image("rolling", tag="v1", sizes=(1_000_000, 3_000_000))
        over = threading.Event()
        writers = [Writer(server.http_addr, number, over) for number in range(WRITERS)]
        pusher = Pusher(server, layout, over)
        for thread in (*writers, pusher):
            thread.start()
        try:
            for restart in range(options.restarts):
                wanted = sum(len(writer.acknowledged) for writer in writers) + 100
                while sum(len(writer.acknowledged) for writer in writers) < wanted:
                    server.pause()
                server.restart()
        finally:
            over.set()
            for thread in (*writers, pusher):
                thread.join()
        acknowledged = {key: digest for writer in writers for key, digest in writer.acknowledged.items()}
        seen = sum((writer.seen for writer in writers), collections.Counter())
        verify(server, acknowledged)
        print(f"{options.restarts} restarts, {sum(writer.requests for writer in writers)} answered requests, {len(acknowledged)} "
              f"images acknowledged and there; starts took {max(server.start_seconds[1:]):.2f} s at most")
        print(f"seen by clients that never try twice: {dict(seen) or 'nothing'}")
        print(f"skopeo --retry-times 5: {pusher.pushed} pushes, {len(pusher.failures)} failed {pusher.failures[:1]}")
        step("nothing acknowledged is lost")
        same([kind for kind in seen if kind.startswith("status")], [], "answers that are errors")
        same(pusher.failures, [], "pushes of skopeo that failed")
        # A connection that the kernel makes while the listener closes is reset, and no request of it was begun.
        cut = [line for line in server.log_path.read_text().splitlines() if '"cut":"' in line and '"cut":""' not in line]
        same(cut, [], "requests that were cut")
        resets = sum(count for kind, count in seen.items() if kind.startswith("connection ended"))
        same(resets <= options.restarts, True, f"{resets} connections ended without an answer")
    print("all steps passed")
    return 0


if __name__ == "__main__":
    need("skopeo")
    try:
        sys.exit(main())
    except ClientFailed as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
