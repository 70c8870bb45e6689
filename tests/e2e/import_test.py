#!/usr/bin/env python3
"""`orbitalreg import` from the directory of Debian's docker-registry 2.8: every manifest, blob, tag and referrer compared over HTTP;
run twice; from a tree with damage in it; below another name; killed again and again; beside a server; with accounts."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import main, same, step  # noqa: E402
from registry_client import Connection, EMPTY_JSON, OCI_MANIFEST, descriptor, image_manifest  # noqa: E402
from seeded_content import content_range  # noqa: E402
from source_registry import EMPTY_TYPE, LAYER_TYPE, SBOM_TYPE, Source, compare  # noqa: E402

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

    # The peer stores it by sha256 and links the one to the other.
    layer = content_range("sha512", 0, 200_000)
    digest = source.push_blob("team/long-digests", layer, "sha512")
    source.push_blob("team/long-digests", EMPTY_JSON)
    named = {"mediaType": LAYER_TYPE, "digest": digest, "size": len(layer)}
    source.push_manifest("team/long-digests", image_manifest(descriptor(EMPTY_JSON, EMPTY_TYPE), [named]), OCI_MANIFEST, "v1")

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


def damaged_copy(tree, folder, source):
    """A copy of the tree with one of each kind of damage; the manifests and the tags that cannot be taken over from it."""
    shutil.copytree(tree, folder)
    version = folder / "docker/registry/v2"

    def data(digest):
        return version / "blobs/sha256" / digest[7:9] / digest[7:] / "data"

    def layers(repository, tag):
        return [each["digest"] for each in json.loads(source.manifests[repository, source.tags[repository, tag]][1])["layers"]]

    rotten = data(layers("team/app", "v1")[1])
    rotten.write_bytes(b"\0" + rotten.read_bytes()[1:])
    data(layers("team/app", "v2")[1]).unlink()
    data(source.tags["solo", "latest"]).write_bytes(b"{}")
    link = version / "repositories/team/docker/_manifests/tags/v2s2/current/link"
    link.write_text("../../../../../../../../etc/passwd")
    (version / "repositories/team/elsewhere").symlink_to("/")
    gone_tags = {("team/app", "v1"), ("team/app", "v2"), ("solo", "latest"), ("team/docker", "v2s2")}
    return {(name, source.tags[name, tag]) for name, tag in gone_tags if name != "team/docker"}, gone_tags


def expect_damage_told(server, tree, source):
    folder = server.workspace / "damaged"
    gone, gone_tags = damaged_copy(tree, folder, source)
    shutil.rmtree(server.data)
    code, report, errors = run_import(server, folder)
    # A line for each of three manifests and their tags, the tag's link, and the symbolic link.
    same((code, report["problems_found"], len(report["problems"])), (2, 8, 8), f"a damaged tree\n{errors}")
    same([line.startswith("problem: docker/registry/v2/") for line in errors.splitlines()], [True] * 8, errors)
    for word in ("is damaged", "is not there", "symbolic link", "does not hold a digest", "was not imported"):
        same(word in errors, True, f"{word!r} in {errors}")
    server.start()
    with Connection(server.http_addr) as client:
        for name, digest in gone:
            same(client.get_manifest(name, digest).status, 404, f"{name}@{digest} is left out")
        for name, tag in gone_tags:
            same(client.get_manifest(name, tag).status, 404, f"{name}:{tag} is left out")
        source.manifests = {key: each for key, each in source.manifests.items() if key not in gone}
        source.tags = {key: each for key, each in source.tags.items() if key not in gone_tags}
        source.blobs = {(name, each["digest"]): each["size"] for (name, _), (_, content) in source.manifests.items()
                        for each in [*json.loads(content).get("layers", []), json.loads(content).get("config")] if each}
        compared = compare(source, client)
    server.stop()
    step(f"of a damaged tree all else is there: {compared} digests compared; 8 problems told, each with its path")


def fill_for_kills(source, images):
    for number in range(images):
        name = f"team/app-{number % 7}"
        source.push_image(name, [content_range(f"base {number % 3}", 0, 3_000_000), content_range(f"layer {number}", 0, 1_500_000)],
                          f"v{number}")


def ends_within(process, seconds):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def expect_to_survive_kills(server, tree, source):
    shutil.rmtree(server.data)
    began = time.monotonic()
    same(run_import(server, tree)[0], 0, "an import without a kill")
    whole_s = time.monotonic() - began
    shutil.rmtree(server.data)
    kills, code = 0, None
    for attempt in range(1, 60):
        with open(server.workspace / "import.out", "wb") as out:
            command = [server.binary, "import", "--json", "--from", str(tree), str(server.data)]
            process = subprocess.Popen(command, stdout=out, stderr=out)
        # A little longer each time, so that a machine which is slow to start gets to the end as well.
        if ends_within(process, whole_s * 0.1 * attempt):
            code = process.returncode
            break
        process.kill()
        process.wait()
        kills += 1
    report = json.loads((server.workspace / "import.out").read_text())
    same((code, report["problems_found"], kills > 1), (0, 0, True), f"after {kills} kills")
    same(report["bytes_read"] < report["bytes_present"] + report["bytes_read"], True, "what was done was not done again")
    same(server.fsck().returncode, 0, "fsck")
    server.start()
    with Connection(server.http_addr) as client:
        compared = compare(source, client)
    server.stop()
    step(f"killed {kills} times in {whole_s:.2f} s of work: {compared} digests compared, the last run read "
         f"{report['bytes_read']:,} of {report['bytes_read'] + report['bytes_present']:,} bytes")


def expect_choices(server, tree, source):
    """Names, tags that are there, a server that is there."""
    code, report, errors = run_import(server, tree, "--include", "team/app", "--include", "solo", "--into", "acme/old", "--dry-run")
    same((code, report["repositories"], report["manifests"]["stored"] > 0, report["bytes_read"]), (0, 2, True, 0), errors)
    shutil.rmtree(server.data)
    code, report, errors = run_import(server, tree, "--include", "team/app", "--into", "acme/old")
    same((code, report["repositories"]), (0, 1), errors)
    server.start()
    with Connection(server.http_addr) as client:
        only = Source(client)
        only.manifests = {key: each for key, each in source.manifests.items() if key[0] == "team/app"}
        only.tags = {key: each for key, each in source.tags.items() if key[0] == "team/app"}
        only.referrers = {key: each for key, each in source.referrers.items() if key[0] == "team/app"}
        compare(only, client, lambda name: f"acme/old/{name}")
        same(client.get_manifest("team/app", "v1").status, 404, "nothing under the old name")
        moved = only.tags["team/app", "v2"]
        same(client.put_manifest("acme/old/team/app", "v1", only.manifests["team/app", moved][1]).status, 201, "a tag that moves")
    code, report, errors = run_import(server, tree)
    same((code, report, "another process has it open" in errors), (3, None, True), "beside a server")
    server.stop()
    code, report, errors = run_import(server, tree, "--include", "team/app", "--into", "acme/old")
    same((code, report["tags"]["kept"], "--overwrite-tags" in errors), (2, 1, True), "a tag that names something else")
    code, report, errors = run_import(server, tree, "--include", "team/app", "--into", "acme/old", "--overwrite-tags")
    same((code, report["tags"]["moved"]), (0, 1), errors)
    for folder, words in ((tree, ["--into", "Acme"]), (server.workspace / "none", [])):
        code, report, errors = run_import(server, folder, *words)
        same((code, report, errors.startswith("error: ")), (3, None, True), errors)
    step("below another name; beside a server it refuses; tags that are there are kept, or moved when told so")


def expect_rules_of_accounts(server, tree):
    """With accounts a project is made by nobody but an administrator, and an import is one when told so."""
    shutil.rmtree(server.data)
    configuration = server.workspace / "accounts.yml"
    configuration.write_text(json.dumps({"version": 1, "auth": {"mode": "token"}, "http": {"addr": server.http_addr}}))
    code, report, errors = run_import(server, tree, "-c", str(configuration))
    same((code, report["manifests"]["stored"], "--create-projects" in errors), (2, 0, True), errors)
    code, report, errors = run_import(server, tree, "-c", str(configuration), "--create-projects")
    same((code, report["projects_made"], report["problems_found"], "solo: " in errors, "--into" in errors), (2, 1, 1, True, True), errors)
    code, report, errors = run_import(server, tree, "-c", str(configuration), "--exclude", "solo")
    same((code, report["manifests"]["stored"], report["problems_found"]), (0, 0, 0), errors)
    step("with accounts projects are made when --create-projects says so")


def expect_local_targets_only(server, tree):
    shutil.rmtree(server.data)
    configuration = server.workspace / "types.yml"
    configuration.write_text(json.dumps({"version": 1, "projects": [{"name": "acme", "repositories": [
        {"name": "internal", "type": "local"},
        {"name": "mirror", "type": "remote", "url": "http://127.0.0.1:9", "allow_networks": ["127.0.0.0/8"]},
        {"name": "all", "type": "virtual", "members": ["internal", "mirror"], "deploy_to": "internal"}]}]}))
    for target, wanted, word in (("mirror", 2, "is a remote repository"), ("all", 2, "is a virtual repository"), ("internal", 0, "")):
        code, report, errors = run_import(server, tree, "-c", str(configuration), "--include", "team/app", "--into", f"acme/{target}")
        same((code, word in errors, report["manifests"]["stored"] > 0), (wanted, True, wanted == 0), errors)
    step("neither into a remote nor into a virtual repository")


def test(server, _):
    server.stop()
    with registry_process.RegistryProcess(kind="docker-registry") as peer:
        with Connection(peer.http_addr) as client:
            source = Source(client)
            fill(source)
        peer.stop()
        expect_imported(server, peer.data, source)
        expect_nothing_to_do(server, peer.data, source)
        expect_choices(server, peer.data, source)
        expect_rules_of_accounts(server, peer.data)
        expect_local_targets_only(server, peer.data)
        expect_damage_told(server, peer.data, source)
    with registry_process.RegistryProcess(kind="docker-registry") as peer:
        with Connection(peer.http_addr) as client:
            source = Source(client)
            fill_for_kills(source, 60)
        peer.stop()
        expect_to_survive_kills(server, peer.data, source)
    server.start()


if __name__ == "__main__":
    if not shutil.which("docker-registry"):
        registry_process.skip("not installed: docker-registry")
    sys.exit(main(test, __doc__))
