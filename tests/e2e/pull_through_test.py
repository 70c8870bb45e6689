#!/usr/bin/env python3
"""Remote repositories: an upstream that behaves as Docker Hub, and one that is down, slow, broken or a liar (DIST-PROXY, SEC-61 to
SEC-71, REL-22). What is expected stands at the head of each room: pull_through/hub.py, pull_through/failures.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import remote_world  # noqa: E402
from pull_through import failures, hub  # noqa: E402

ROOMS = (hub, failures)

if __name__ == "__main__":
    sys.exit(remote_world.main(__doc__))
