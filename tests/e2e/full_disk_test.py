#!/usr/bin/env python3
"""A 256 MiB file system filled to the end by pushes: answers, log, deletes, restart, and recovery without one.

Needs root and a loop device: makes an ext4 image of 256 MiB and mounts it; says SKIPPED otherwise. Pushes random blobs until
507; everything acknowledged reads back; tags move and are deleted; the server is killed and started on the full disk; a
foreign file that took the last room leaves, and pushes are taken again without a restart.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from registry_client import OCTETS, Connection, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402

NAME = "full/app"
IMAGE_BYTES = 256 << 20
BALLAST_BYTES = 40 << 20
LARGE, SMALL = 3 << 20, 3000
ROUNDS_MAX = 2000
AGAIN_DEADLINE_S = 30


class Mounted:
    """An ext4 of its own."""

    def __init__(self, workspace):
        self.image, self.path = workspace / "disk.img", workspace / "disk"

    def __enter__(self):
        for tool in ("mkfs.ext4", "mount", "umount"):
            if not shutil.which(tool):
                registry_process.skip(f"no {tool}")
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_BYTES)
        self.path.mkdir()
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(self.image)], check=True)
        done = subprocess.run(["mount", "-o", "loop", str(self.image), str(self.path)], check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            registry_process.skip(f"cannot mount a loop device: {done.stderr.strip()}")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", str(self.path)], check=False)


def expect(holds, what):
    if not holds:
        raise registry_process.RegistryError(what)


def fill(client, seed):
    """Pushes until one is refused; returns what was acknowledged, by digest."""
    stored = {}
    for number in range(ROUNDS_MAX):
        content = content_range(f"{seed}{number}", 0, SMALL if number % 4 == 3 else LARGE)
        status = client.put_blob(NAME, content).status
        if status != 201:
            print(f"{seed}: {len(stored)} blobs, {sum(map(len, stored.values())) >> 20} MiB, then {status}")
            expect(status == 507, f"a push on a full disk gets {status}")
            return stored
        stored[digest_of(content)] = content
    raise registry_process.RegistryError("the disk never filled")


def check_all(client, stored, what):
    for digest, content in stored.items():
        answer = client.get_blob(NAME, digest)
        expect(answer.status == 200 and answer.body == content, f"{what}: GET of {digest}: {answer.status}")


def run(server, disk):
    ballast = disk.path / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
    server.start()
    with Connection(server.http_addr) as client:
        config, layer = content_range("config", 0, 900), content_range("layer", 0, 1 << 20)
        for content in (config, layer):
            expect(client.put_blob(NAME, content).status == 201, "push")
        manifest = image_manifest(descriptor(config, OCTETS), [descriptor(layer, OCTETS)])
        expect(client.put_manifest(NAME, "v1", manifest).status == 201, "manifest")
        stored = fill(client, "blob")
        free = shutil.disk_usage(disk.path).free
        print(f"free when the first push was refused: {free >> 10} KiB; reserve.bin "
              f"{(server.data / 'reserve.bin').stat().st_size >> 10} KiB")
        # The last room goes to somebody else, so that only the reserve is left.
        with open(disk.path / "greedy", "wb") as file:
            try:
                while True:
                    file.write(bytes(64 << 10))
            except OSError:
                pass
        check_all(client, stored, "full")
        for number in range(200):
            status = client.request("DELETE", f"/v2/{NAME}/manifests/none{number}").status
            expect(status in (404, 202), f"DELETE on a full disk: {status}")
        expect(client.request("DELETE", f"/v2/{NAME}/manifests/v1").status == 202, "a tag can be deleted on a full disk")
        expect(server.get(server.admin_addr, "/readyz")[0] == 200, "a full disk is no reason to be unready")
    server.kill()
    started = time.monotonic()
    server.start()
    print(f"killed and started on the full disk: {time.monotonic() - started:.2f} s")
    with Connection(server.http_addr) as client:
        check_all(client, stored, "started on a full disk")
        expect(client.get_manifest(NAME, "v1").status == 404, "the deleted tag stays deleted")
        expect(client.put_blob(NAME, content_range("no", 0, LARGE)).status == 507, "still full")
        ballast.unlink()
        (disk.path / "greedy").unlink()
        deadline = time.monotonic() + AGAIN_DEADLINE_S
        content = content_range("again", 0, LARGE)
        while client.put_blob(NAME, content).status != 201:
            expect(time.monotonic() < deadline, "there is space again, yet pushes are refused")
        print("space again: pushes are taken, without a restart")
        stored[digest_of(content)] = content
        stored.update(fill(client, "more"))
        check_all(client, stored, "filled again")
    server.stop()
    done = subprocess.run([server.binary, "fsck", "--level", "deep", str(server.data)], capture_output=True, text=True,
                          check=False)
    print(done.stdout.strip().splitlines()[-1])
    expect(done.returncode == 0, "fsck deep of the filled store is clean")


def main():
    options = registry_process.script_options(__doc__)
    if os.geteuid() != 0:
        registry_process.skip("needs root for a loop mount")
    outer = registry_process.from_arguments(options)
    try:
        with Mounted(outer.workspace) as disk:
            server = registry_process.from_arguments(options, data=disk.path / "data")
            try:
                run(server, disk)
            except registry_process.RegistryError as failure:
                print(f"FAIL  {failure}\n{server.log_tail()}")
                return 1
            finally:
                server.close()
    finally:
        outer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
