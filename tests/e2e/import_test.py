#!/usr/bin/env python3
"""`orbitalreg import` from the directory of Debian's docker-registry 2.8: every manifest, blob, tag and referrer compared over HTTP;
run twice; killed in the middle and run again; from a tree with damage in it."""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import main, same, step  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402
from seeded_content import content_range  # noqa: E402
from source_registry import SBOM_TYPE, Source, compare  # noqa: E402

IMPORT_DEADLINE_S = 300


def fill(source):
    """Every shape that a registry of today holds."""
    base = content_range("base", 0, 700_000)
    app = source.push_image("team/app", [base, content_range("app v1", 0, 90_000)], "v1")
    source.push_image("team/app", [base, content_range("app v2", 0, 300_000)], "v2")
    source.push_image("team/app", [base, content_range("app, no tag", 0, 1_000)])
    source.push_image("team/deep/er/nested/name", [base, b""], "with-an-empty-layer")
    source.push_image("solo", [base], "latest")
    source.push_image("team/docker", [base, content_range("docker", 0, 5_000)], "v2s2", docker=True)

    many = "team/many-platforms"
    children = [source.push_image(many, [base, content_range(platform, 0, 70_000)], platform=platform) for platform in ("amd64", "arm64")]
    index = source.push_index(many, children, "latest")
    source.push_index(many, [{**index, "annotations": {"nested": "index"}}], "index-of-indexes")
    docker_children = [source.push_image(many, [base, platform.encode()], platform=platform, docker=True) for platform in ("s390x", "arm")]
    source.push_index(many, docker_children, "docker-list", docker=True)

    for ending in ("sig", "att", "sbom"):
        source.sign_by_tag("team/app", app["digest"], ending)
    source.sign_by_referrer("team/app", app)
    source.push_artifact("team/app", b'{"spdxVersion": "SPDX-2.3"}', SBOM_TYPE, artifactType=SBOM_TYPE,
                         subject={key: app[key] for key in ("mediaType", "digest", "size")})
    source.sign_by_referrer(many, index)


def run_import(server, tree, *words):
    """(exit code, report, what stood on stderr)."""
    command = [server.binary, "import", "--json", "--from", str(tree), *words, str(server.data)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_DEADLINE_S, check=False)
    report = json.loads(result.stdout) if result.stdout else None
    return result.returncode, report, result.stderr


def expect_report(report, source):
    wanted = {"repositories": len({name for name, _ in source.manifests}), "problems_found": 0, "complete": True,
              "referrers": sum(map(len, source.referrers.values())), "signatures": 3, "attachments": 2}
    same({key: report[key] for key in wanted}, wanted, "the report")
    same((report["manifests"]["stored"] + report["manifests"]["present"], report["manifests"]["indexes"]),
         (len(source.manifests), 3), "manifests in the report")
    same(report["tags"]["set"] + report["tags"]["present"], len(source.tags), "tags in the report")


def expect_imported(server, tree, source):
    code, report, errors = run_import(server, tree)
    same((code, errors), (0, ""), "a first import")
    expect_report(report, source)
    distinct = {digest: size for (_, digest), size in source.blobs.items()}
    same((report["blobs"]["stored"], report["bytes_read"], report["bytes_stored"]),
         (len(distinct), sum(distinct.values()), sum(distinct.values())), "each blob read once")
    server.start()
    with Connection(server.http_addr) as client:
        compared = compare(source, client)
    server.stop()
    step(f"{report['manifests']['stored']} manifests, {len(source.tags)} tags, {len(distinct)} blobs: {compared} digests compared over HTTP")


def expect_nothing_to_do(server, tree, source):
    code, report, errors = run_import(server, tree)
    same((code, errors), (0, ""), "a second import")
    expect_report(report, source)
    same((report["bytes_read"], report["manifests"]["stored"], report["tags"]["set"], report["blobs"]["stored"]), (0, 0, 0, 0),
         "a second import")
    step("a second import reads no blob and changes nothing")


def test(server, _):
    server.stop()
    with registry_process.RegistryProcess(kind="docker-registry") as peer:
        with Connection(peer.http_addr) as client:
            source = Source(client)
            fill(source)
        peer.stop()
        expect_imported(server, peer.data, source)
        expect_nothing_to_do(server, peer.data, source)
    server.start()


if __name__ == "__main__":
    if not shutil.which("docker-registry"):
        registry_process.skip("not installed: docker-registry")
    sys.exit(main(test, __doc__))
