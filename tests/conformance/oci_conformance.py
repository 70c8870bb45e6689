#!/usr/bin/env python3
"""The conformance suite of the OCI distribution specification, its current generation: versions 1.1 and 1.1 with what came
after. No case may fail, none may end with an error, and none but those of sparse manifests may be left out."""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from client_tools import ClientFailed, main, same, step  # noqa: E402
from go_tools import go_tool  # noqa: E402

DEADLINE_S = 300
CASES_MIN = 800
# What the version 1.1 of the suite leaves out unless told otherwise.
ALL_APIS = {"OCI_API_BLOBS_UPLOAD_CANCEL": "true", "OCI_API_MANIFESTS_TAG_PARAM": "true",
            "OCI_API_BLOBS_DIGEST_HEADER": "true", "OCI_API_MANIFESTS_DIGEST_HEADER": "true"}


def outcomes(report):
    """'Tag listing...: Pass' -> {'Tag listing': 'Pass'}"""
    return dict(re.findall(r"^ +([A-Za-z0-9 /-]+?)\.{2,}: +(\S+)$", report, re.MULTILINE))


def run_suite(suite, server, name, environment):
    results = server.workspace / f"results-{name}"
    settings = {"OCI_REGISTRY": server.http_addr, "OCI_TLS": "disabled", "OCI_RESULTS_DIR": str(results),
                "OCI_REPO1": f"conformance/{name}/one", "OCI_REPO2": f"conformance/{name}/two", **environment}
    done = subprocess.run([suite], cwd=server.workspace, env=dict(os.environ, **settings), capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    report = done.stdout + done.stderr
    told = outcomes(report)
    if done.returncode != 0 or told.get("FAIL") != "0" or told.get("Error") != "0":
        raise ClientFailed(f"{name}: ended with {done.returncode}\n{report[-6000:]}")
    same(int(told["Total"]) >= CASES_MIN, True, f"{name}: {told['Total']} cases are too few")
    left_out = [what for what, outcome in told.items() if outcome in ("Skip", "Disabled") and "Sparse" not in what]
    same(left_out, [], f"{name}: left out")
    step(f"{name}: {told['Total']} cases, none failed")
    print(report[report.find("OCI Conformance Result"):])


def test(server, options):
    suite = go_tool("conformance")
    run_suite(suite, server, "stable", {"OCI_VERSION": "1.1", **ALL_APIS})
    run_suite(suite, server, "dev", {"OCI_VERSION": "dev"})


if __name__ == "__main__":
    go_tool("conformance")
    sys.exit(main(test, __doc__))
