#!/usr/bin/env python3
"""cosign with a key and without a transparency log: sign, verify, attest, verify the attestation, copy with both, in the
layout of tags and in that of referrers; a foreign key is refused; the same after a restart."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, need, run, same, step  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402
from oci_layout import Layout  # noqa: E402
from registry_client import Connection  # noqa: E402

VERIFY = ("--insecure-ignore-tlog=true", "--allow-http-registry")
SIGN = ("--tlog-upload=false", "--allow-http-registry", "--yes")


class Cosign:
    def __init__(self, server):
        self.program = go_tool("cosign")
        self.work = server.workspace / "work"
        self.work.mkdir()
        for key in ("ours", "foreign"):
            self("generate-key-pair", "--output-key-prefix", key)

    def __call__(self, *words, check=True):
        return run("env", f"--chdir={self.work}", self.program, *words, check=check,
                   environment={"HOME": str(self.work), "COSIGN_PASSWORD": "", "COSIGN_EXPERIMENTAL": "1"})


def push_image(server, name):
    """An image by skopeo; its digest."""
    layout = Layout(server.workspace / "layout")
    layout.add_image("signed", tag="v1", sizes=(1000, 300000))
    run("skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout.folder}:v1",
        f"docker://{server.http_addr}/{name}:v1")
    return layout.tagged()["v1"]["digest"]


def check_signed(cosign, image, digest, *more):
    (claim,) = json.loads(cosign("verify", "--key", "ours.pub", *VERIFY, *more, image))
    same(claim["critical"]["image"]["docker-manifest-digest"], digest, "digest that was signed")
    same(cosign("verify", "--key", "foreign.pub", *VERIFY, *more, image, check=False).returncode != 0, True,
         "a foreign key is refused")


def check_attested(cosign, image):
    told = json.loads(cosign("verify-attestation", "--key", "ours.pub", "--type", "custom", *VERIFY, image))
    same(told["payloadType"], "application/vnd.in-toto+json", "attestation")


def test(server, options):
    cosign = Cosign(server)
    digest = push_image(server, "cosign/app")
    image, copied = (f"{server.http_addr}/cosign/{name}@{digest}" for name in ("app", "copied"))
    cosign("sign", "--key", "ours.key", *SIGN, image)
    check_signed(cosign, image, digest)
    (cosign.work / "predicate.json").write_text('{"built": "here"}')
    cosign("attest", "--key", "ours.key", "--type", "custom", "--predicate", "predicate.json", *SIGN, image)
    check_attested(cosign, image)
    with Connection(server.http_addr) as client:
        tags = json.loads(client.request("GET", "/v2/cosign/app/tags/list").body)["tags"]
    stem = digest.replace(":", "-")
    same(tags, [f"{stem}.att", f"{stem}.sig", "v1"], "tags")
    step("sign, verify, attest, verify-attestation: by tags")
    cosign("copy", "--allow-http-registry", f"{server.http_addr}/cosign/app:v1", f"{server.http_addr}/cosign/copied:v1")
    check_signed(cosign, copied, digest)
    check_attested(cosign, copied)
    step("copy with signature and attestation")
    other = push_image(server, "cosign/referrers")
    referred = f"{server.http_addr}/cosign/referrers@{other}"
    cosign("sign", "--key", "ours.key", "--registry-referrers-mode", "oci-1-1", *SIGN, referred)
    with Connection(server.http_addr) as client:
        listed = json.loads(client.request("GET", f"/v2/cosign/referrers/referrers/{other}").body)["manifests"]
        tags = json.loads(client.request("GET", "/v2/cosign/referrers/tags/list").body)["tags"]
    same((len(listed), tags), (1, ["v1"]), "referrers and tags")
    check_signed(cosign, referred, other, "--experimental-oci11")
    step("sign, verify: by referrers")
    server.restart()
    check_signed(cosign, copied, digest)
    check_attested(cosign, image)
    check_signed(cosign, referred, other, "--experimental-oci11")
    step("verify after a restart")


if __name__ == "__main__":
    need("skopeo")
    go_tool("cosign")
    sys.exit(main(test, __doc__, pinned_version("cosign")))
