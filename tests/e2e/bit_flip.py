#!/usr/bin/env python3
"""One flipped bit in a lane, in the log, in each copy of the superblock: what fsck says, and what a GET gets.

A store is filled and stopped; for each case a copy of it gets one bit flipped. Then fsck runs on it (all levels, and
--repair), and a server is started on it. The law (DIST-BLOB-22, SEC of rot): never a 200 with a full wrong body. What
was not hit is served as before; a superblock copy is repaired; a log damaged in its middle is not opened for writing;
a damaged blob pushed again is served again.
"""

import json
import pathlib
import random
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from registry_client import OCTETS, Connection, descriptor, digest_of, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402

NAME = "rot/app"
SMALL, LARGE, OTHER = (content_range(seed, 0, size) for seed, size in
                       (("small", 5000), ("large", 3 << 20), ("other", 2 << 20)))
MANIFEST = image_manifest(descriptor(SMALL, OCTETS), [descriptor(LARGE, OCTETS), descriptor(OTHER, OCTETS)])
SUPER_COPIES, SUPER_COPY_BYTES, SUPER_USED_BYTES, PAGE = 4, 4096, 232, 4096
START_DEADLINE_S = 30


class Failed(Exception):
    pass


class Case:
    """One place to flip a bit at. `hits`: digests whose bytes are hit; `fsck`: {level: exit codes allowed}."""

    def __init__(self, title, file, begin, end, hits=(), fsck=None, opens=True):
        self.title, self.file, self.begin, self.end = title, file, begin, end
        self.hits, self.fsck, self.opens = hits, fsck or {}, opens


def fill(server):
    with Connection(server.http_addr) as client:
        for content in (SMALL, LARGE, OTHER):
            expect(client.put_blob(NAME, content).status == 201, "push")
        expect(client.put_manifest(NAME, "v1", MANIFEST).status == 201, "push of the manifest")
        expect(client.put_blob(NAME, b"last in the log").status == 201, "push")


def expect(holds, what):
    if not holds:
        raise Failed(what)


def find(data, pattern, content):
    """(file, offset) of `content`, whole, in one of the files."""
    for path in sorted(data.glob(pattern)):
        offset = path.read_bytes().find(content)
        if offset >= 0:
            return path.relative_to(data), offset
    raise Failed(f"content of {len(content)} bytes is not in {pattern}: is the format another?")


def cases(data):
    lane, at = find(data, "lane/*.olane", LARGE)
    log, small_at = find(data, "log/*.olog", SMALL)
    _, manifest_at = find(data, "log/*.olog", MANIFEST)
    frame = (data / log).read_bytes().rfind(b"ORBFRAME", 0, small_at)
    expect(frame >= 0, "no frame before the small blob")
    refused = {"quick": (2,), "normal": (2,)}
    yield Case("lane, payload", lane, at, at + len(LARGE), (digest_of(LARGE),), {"deep": (2,)})
    last = at + len(LARGE) - 1
    yield Case("lane, last byte of the payload", lane, last, last + 1, (digest_of(LARGE),), {"deep": (2,)})
    yield Case("lane, record header", lane, at - PAGE, at - PAGE + 88, (), {"normal": (2,)})
    end = at + -(-len(LARGE) // PAGE) * PAGE
    large, small, normal = (digest_of(LARGE),), (digest_of(SMALL),), {"normal": (2,)}
    yield Case("lane, descriptor page: digest", lane, end + 64, end + 96, large, normal)
    yield Case("lane, descriptor page: chunk sums", lane, end + 512, end + 512 + 8 * 48, large, normal)
    yield Case("log, bytes of a small blob", log, small_at, small_at + len(SMALL), small, refused, opens=False)
    yield Case("log, bytes of a manifest", log, manifest_at, manifest_at + len(MANIFEST), (), refused, opens=False)
    yield Case("log, frame header", log, frame, frame + 112, small, refused, opens=False)
    yield Case("log, segment header", log, 0, 48, (), refused, opens=False)
    for copy in range(SUPER_COPIES):
        begin = copy * SUPER_COPY_BYTES
        yield Case(f"superblock, copy {copy}", pathlib.Path("SUPER"), begin, begin + SUPER_USED_BYTES, (),
                   {"quick": (2,)})


def flip(path, offset, bit):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ (1 << bit)]))


def run_fsck(binary, data, *arguments):
    return subprocess.run([binary, "fsck", *arguments, str(data)], capture_output=True, text=True, timeout=300,
                          check=False)


def fsck(binary, data, *arguments):
    """(exit code, the line that tells most)."""
    done = run_fsck(binary, data, *arguments)
    lines = (done.stdout + done.stderr).strip().splitlines()
    check_json(run_fsck(binary, data, "--json", *arguments), done.returncode)
    return done.returncode, (lines or [""])[0]


def check_json(done, code):
    expect(done.returncode == code, f"fsck --json ends with {done.returncode}, fsck with {code}")
    if code != 3:
        try:
            json.loads(done.stdout)
        except ValueError:
            raise Failed(f"fsck --json prints no JSON: {done.stdout[:200]!r}") from None


def check_fsck(binary, data, case):
    for level in ("quick", "normal", "deep"):
        code, text = fsck(binary, data, "--level", level)
        print(f"      fsck --level {level}: {code}  {text[:150]}")
        allowed = case.fsck.get(level)
        if allowed and code not in allowed:
            raise Failed(f"{case.title}: fsck --level {level} says {code}, expected {allowed}: {text}")


def get(server, digest, content):
    """What a GET of a blob gets: 'right', a status, or 'cut'. A full wrong body fails the test."""
    pieces = []
    with Connection(server.http_addr) as client:
        try:
            answer = client.get_blob(NAME, digest, sink=pieces.append)
        except OSError:
            return "connection cut"
    body = b"".join(pieces)
    if answer.status != 200:
        return str(answer.status)
    if body != content:
        raise Failed(f"GET of {digest}: 200 with {len(body)} wrong bytes")
    return "right"


def check_server(server, case):
    """Starts a server on the damaged copy and asks it for everything."""
    try:
        server.start(START_DEADLINE_S)
    except registry_process.RegistryError as error:
        line = next((line for line in reversed(server.log_tail().splitlines()) if line.strip()), str(error))
        print(f"      serve: refuses to start: {line[:300]}")
        expect(not case.opens, f"{case.title}: the server must open this store")
        return
    told = {}
    for title, content in (("small", SMALL), ("large", LARGE), ("other", OTHER)):
        told[title] = get(server, digest_of(content), content)
        if digest_of(content) not in case.hits and case.opens:
            expect(told[title] == "right", f"{case.title}: {title} was not hit, yet {told[title]}")
    with Connection(server.http_addr) as client:
        answer = client.get_manifest(NAME, "v1")
        expect(answer.status != 200 or answer.body == MANIFEST, f"{case.title}: GET manifest: 200 with wrong bytes")
        print(f"      serve: opens; GET {told}, manifest {answer.status}")
        if case.hits and case.opens and told["large"] != "right":
            heal(server, client)
    server.stop()


def heal(server, client):
    """The blob pushed again is served again."""
    answer = client.put_blob(NAME, LARGE)
    expect(answer.status == 201, f"push of a damaged blob again: {answer!r}")
    outcome = get(server, digest_of(LARGE), LARGE)
    print(f"      pushed again: GET gets {outcome}")
    expect(outcome == "right", f"pushed again, yet {outcome}")


def check_repair(binary, data, case):
    """--repair mends superblock copies and record headers (1, then clean), and leaves alone what is lost (2, and 2 again)."""
    mendable = case.title.startswith("superblock") or case.title == "lane, record header"
    wanted = (1, 0) if mendable else (2, 2)
    codes = tuple(run_fsck(binary, data, "--level", "deep", *words).returncode for words in (("--repair",), ()))
    print(f"      fsck --level deep --repair: {codes[0]}, and fsck again: {codes[1]}")
    expect(codes == wanted, f"{case.title}: --repair and fsck again: {codes}, expected {wanted}")


def check_repaired(binary, data, case):
    """Opening the store repaired the superblock copy, and a clean stop left nothing to find."""
    code, text = fsck(binary, data)
    print(f"      fsck once it was opened: {code}  {text[:150]}")
    expect(code == 0, f"{case.title}: still not clean after an opening: {text}")


def run_case(options, source, case, rng, workspace):
    offset, bit = rng.randrange(case.begin, case.end), rng.randrange(8)
    print(f"--- {case.title}: bit {bit} of byte {offset} of {case.file}", flush=True)
    copy = workspace / "copy"
    for purpose in ("fsck", "repair", "serve"):
        shutil.rmtree(copy, ignore_errors=True)
        subprocess.run(["cp", "-a", "--sparse=auto", str(source.data), str(copy)], check=True)
        flip(copy / case.file, offset, bit)
        if purpose == "fsck":
            check_fsck(source.binary, copy, case)
        elif purpose == "repair":
            check_repair(source.binary, copy, case)
        else:
            server = registry_process.from_arguments(options, data=copy, keep=False)
            try:
                check_server(server, case)
            finally:
                server.close()
            if case.title.startswith("superblock"):
                check_repaired(source.binary, copy, case)


def main():
    def extra(parser):
        parser.add_argument("--seed", type=int, default=None)
        parser.add_argument("--flips", type=int, default=1, help="bits flipped per place")
    options = registry_process.script_options(__doc__, extra)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    source = registry_process.from_arguments(options)
    failures = []
    try:
        source.start()
        fill(source)
        source.stop()
        code, text = fsck(source.binary, source.data, "--level", "deep")
        expect(code == 0, f"fsck of an undamaged store: {code} {text}")
        rng = random.Random(seed)
        for case in list(cases(source.data)):
            for _ in range(options.flips):
                try:
                    run_case(options, source, case, rng, source.workspace)
                except (Failed, registry_process.RegistryError) as failure:
                    print(f"FAIL  {failure}")
                    failures.append(str(failure))
    except (Failed, registry_process.RegistryError) as failure:
        failures.append(str(failure))
    finally:
        source.close()
    print(f"seed {seed}: {len(failures)} failures" + "".join(f"\n  {failure}" for failure in failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
