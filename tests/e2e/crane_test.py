#!/usr/bin/env python3
"""crane: an index and an image pushed from a layout, validated, copied, tagged, listed, appended to, deleted; digests are
equal before and after a restart."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import main, run, same, step  # noqa: E402
from go_tools import go_tool, pinned_version  # noqa: E402
from oci_layout import Layout, tar_bytes  # noqa: E402
from registry_client import digest_of  # noqa: E402
from seeded_content import content_range  # noqa: E402


def test(server, options):
    program = go_tool("crane")

    def crane(*words, check=True):
        return run(program, *words, check=check, environment={"DOCKER_CONFIG": str(server.workspace)})

    layout = Layout(server.workspace / "layout")
    layout.add_index("v1", "crane")
    source, copied = (f"{server.http_addr}/crane/{name}/app" for name in ("deep", "copied"))
    crane("push", "--index", layout.folder, f"{source}:v1")
    pushed = (layout.folder / "index.json").read_bytes()
    same(crane("manifest", f"{source}:v1").encode().strip(), pushed.strip(), "what was pushed")
    same(crane("digest", f"{source}:v1").strip(), digest_of(pushed), "digest")
    step("push of an index")
    crane("validate", "--remote", f"{source}:v1")
    crane("copy", f"{source}:v1", f"{copied}:v2")
    same(crane("digest", f"{copied}:v2"), crane("digest", f"{source}:v1"), "digest of the copy")
    step("validate, copy with mounts")
    crane("tag", f"{copied}:v2", "v3")
    same(sorted(crane("ls", copied).split()), ["v2", "v3"], "tags")
    same({name for name in crane("catalog", server.http_addr).split()}, {"crane/deep/app", "crane/copied/app"}, "catalog")
    step("tag, ls, catalog")
    layer = server.workspace / "layer.tar"
    layer.write_bytes(tar_bytes({"hello": content_range("crane", 0, 3_000_000)}))
    crane("append", "--new_layer", layer, "--new_tag", f"{copied}:appended")
    crane("pull", f"{copied}:appended", server.workspace / "pulled.tar")
    crane("validate", "--tarball", server.workspace / "pulled.tar")
    step("append, pull as a tarball")
    server.restart()
    crane("validate", "--remote", f"{copied}:v2")
    crane("delete", f"{copied}@{crane('digest', f'{copied}:v2').strip()}")
    same(crane("digest", f"{copied}:v2", check=False).returncode != 0, True, "deleted tag is gone")
    crane("validate", "--remote", f"{source}:v1")
    step("the same after a restart; delete")


if __name__ == "__main__":
    go_tool("crane")
    sys.exit(main(test, __doc__, pinned_version("crane")))
