#!/usr/bin/env python3
"""The checkpoint of a real store goes, in part or whole: what fsck says, what --rebuild prints, and that all is served again.

Images are pushed, and small blobs until a clean stop is worth a checkpoint. Then, each on a copy: a page of every block of the
checkpoint is overwritten in both copies; both files are removed. The server must refuse to start, `fsck` must say that a rebuild
is needed, `fsck --rebuild --json` must print its three lines, and a server must then serve every image: what the log still
has names all of them.
"""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from registry_client import OCTETS, Connection, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402

PAGE = 4096
IMAGES = [f"lost/app{number}" for number in range(3)]
SMALL_BLOBS, SMALL_BYTES = 80, 20_000  # together more than a checkpoint at a stop waits for
REFUSAL_DEADLINE_S = 30


class Failed(Exception):
    pass


def expect(holds, what):
    if not holds:
        raise Failed(what)


def contents_of(image):
    return [content_range(f"config {image}", 0, 3000), content_range(f"layer {image}", 0, 3 << 20)]


def manifest_of(image):
    config, layer = contents_of(image)
    return image_manifest(descriptor(config, OCTETS), [descriptor(layer, OCTETS)])


def fill(server):
    with Connection(server.http_addr) as client:
        for image in IMAGES:
            for content in contents_of(image):
                expect(client.put_blob(image, content).status == 201, "push")
            expect(client.put_manifest(image, "v1", manifest_of(image)).status == 201, "push of a manifest")
        for number in range(SMALL_BLOBS):
            expect(client.put_blob(IMAGES[0], content_range(f"small {number}", 0, SMALL_BYTES)).status == 201, "push")


def checkpoints(data):
    files = sorted(data.glob("ckpt/*/*.ockp"))
    expect(len(files) == 2, f"two copies of one checkpoint, not {files}: is a stop no longer worth one?")
    return files


def overwrite(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * PAGE)


def lose_blocks(data):
    for path in checkpoints(data):
        bytes_there = path.read_bytes()
        for offset in range(PAGE, len(bytes_there), PAGE):
            if bytes_there[offset:offset + 4] == b"ORBB":
                overwrite(path, offset)


def lose_files(data):
    for path in checkpoints(data):
        path.unlink()


def fsck(server, *arguments):
    done = subprocess.run([server.binary, "fsck", "--json", *arguments, str(server.data)], capture_output=True,
                          text=True, timeout=300, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def check_refused(server):
    try:
        server.start(REFUSAL_DEADLINE_S)
    except registry_process.RegistryError:
        return
    raise Failed("the server opens a store that it cannot know")


def check_rebuilt(server):
    code, lines, _ = fsck(server)
    expect(code == 2 and lines[0]["needs_rebuild"], f"fsck: {code} {lines}")
    code, lines, errors = fsck(server, "--rebuild")
    expect(len(lines) == 3, f"--rebuild: {code}, {len(lines)} lines, {errors}")
    before, rebuilt, after = lines[0], lines[1]["rebuilt"], lines[2]
    expect(before["needs_rebuild"] and not after["needs_rebuild"] and after["clean"], f"{before} {after}")
    expect(code == (2 if rebuilt["lost"] else 1), f"exit code {code} with {rebuilt['lost']}")
    for line in rebuilt["restored"] + rebuilt["lost"]:
        print(f"      {line}")
    expect(fsck(server, "--level", "deep")[0] == 0, "not clean at the deep level")


def check_served(server):
    with server, Connection(server.http_addr) as client:
        for image in IMAGES:
            answer = client.get_manifest(image, "v1")
            expect(answer.status == 200 and answer.body == manifest_of(image), f"{image}: {answer!r}")
            for content in contents_of(image):
                answer = client.get_blob(image, digest_of(content))
                expect(answer.status == 200 and answer.body == content, f"{image}: {answer!r}")
        for number in range(SMALL_BLOBS):
            content = content_range(f"small {number}", 0, SMALL_BYTES)
            # Whether its link came back or not, the bytes are there: a push ends at once.
            expect(client.put_blob(IMAGES[0], content).status == 201, "push after the rebuild")
        server.stop()


def main():
    options = registry_process.script_options(__doc__)
    source = registry_process.from_arguments(options)
    failures = []
    try:
        source.start()
        fill(source)
        source.stop()
        for title, harm in (("every block of the checkpoint", lose_blocks), ("both files of the checkpoint", lose_files)):
            print(f"--- {title}", flush=True)
            copy = source.workspace / "copy"
            shutil.rmtree(copy, ignore_errors=True)
            subprocess.run(["cp", "-a", "--sparse=auto", str(source.data), str(copy)], check=True)
            harm(copy)
            server = registry_process.from_arguments(options, data=copy, keep=False)
            try:
                check_refused(server)
                check_rebuilt(server)
                check_served(server)
            except (Failed, registry_process.RegistryError) as failure:
                print(f"FAIL  {failure}")
                failures.append(f"{title}: {failure}")
            finally:
                server.close()
    except (Failed, registry_process.RegistryError) as failure:
        failures.append(str(failure))
    finally:
        source.close()
    print(f"{len(failures)} failures" + "".join(f"\n  {failure}" for failure in failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
