#!/usr/bin/env python3
"""Retention of a running server, over weeks that pass in a moment: images are pushed, pulled and forgotten, planned, explained, deleted,
restored and collected, by the API and by the program; pull times survive a restart; a configuration that is read again counts."""

import json
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import ClientFailed, same, step  # noqa: E402
from registry_client import Connection, OCI_MANIFEST, descriptor, digest_of, image_manifest, location_path, with_query  # noqa: E402

DAY_S = 86_400
DEADLINE_S = 60
POLICY = """
gc: { interval: 1h, grace: 48h }
retention:
  trash_hours: 48
  policies:
    - name: default
      match: { repositories: ["acme/**"] }
      max_delete_percent: 100
      rules:
        - keep_by_age: { max_age_days: 30, match_pulled_in_last_days: 14 }
        - protect: { tags: ["golden-*"], reason: audited }
"""


class AgingRegistry(registry_process.RegistryProcess):
    def __init__(self, options):
        super().__init__(binary=options.binary, io=options.io, keep=options.keep)
        self.clock = self.workspace / "clock"
        self.clock.write_text("0")
        self.ahead_s = 0
        self.configuration = self.workspace / "orbitalreg.yml"
        self.configuration.write_text(POLICY)
        self.environment.update(LD_PRELOAD=options.preload, ORB_TEST_CLOCK=str(self.clock))

    def command(self):
        return [*super().command(), "-c", str(self.configuration)]

    def pass_days(self, days):
        self.ahead_s += int(days * DAY_S)
        # In one step: a reader sees the old text or the new one.
        new = self.workspace / "clock.new"
        new.write_text(str(self.ahead_s))
        new.replace(self.clock)


class World:
    def __init__(self, server):
        self.server = server
        self.connection = Connection(server.http_addr)

    def reconnect(self):
        self.connection.close()
        self.connection = Connection(self.server.http_addr)

    def blob(self, image, content):
        opened = self.connection.request("POST", f"/v2/{image}/blobs/uploads/")
        target = with_query(location_path(opened), digest=digest_of(content))
        same(self.connection.request("PUT", target, {"Content-Type": "application/octet-stream"}, content).status, 201, "a blob")

    def push(self, name, tag, image="acme/app"):
        config, layer = f'{{"of":"{name}"}}'.encode(), (name * 2000).encode()
        self.blob(image, config)
        self.blob(image, layer)
        manifest = image_manifest(descriptor(config, "application/vnd.oci.image.config.v1+json"),
                                  [descriptor(layer, "application/vnd.oci.image.layer.v1.tar")])
        answer = self.connection.request("PUT", f"/v2/{image}/manifests/{tag}", {"Content-Type": OCI_MANIFEST}, manifest)
        same(answer.status, 201, f"push of {tag}")
        return digest_of(manifest)

    def status(self, reference, method="GET", image="acme/app"):
        return self.connection.request(method, f"/v2/{image}/manifests/{reference}", {"Accept": OCI_MANIFEST}).status

    def api(self, method, path, body=None, status=200):
        content = None if body is None else json.dumps(body).encode()
        answer = self.connection.request(method, f"/api/v1/retention/{path}", {"Content-Type": "application/json"}, content)
        same(answer.status, status, f"{method} {path}: {answer.body!r:.300}")
        return json.loads(answer.body)

    def explain(self, tag, image="acme/app"):
        return self.api("GET", f"explain?repo={image}&ref={tag}")["items"][0]

    def plan(self, **more):
        report = self.api("POST", "dry-run", {"deletions_only": True, **more})
        return sorted(item.get("tag", item["digest"]) for item in report["items"]), report

    def run(self, **more):
        report = self.api("POST", "run", more)
        return sorted(item.get("tag", item["digest"]) for item in report["items"] if item["decision"] == "delete"), report

    def program(self, *words, code=0):
        result = subprocess.run([self.server.binary, "retention", *words, "--server", self.server.url], capture_output=True, text=True,
                                timeout=DEADLINE_S, check=False)
        same(result.returncode, code, f"retention {' '.join(words)}: {result.stdout}{result.stderr}")
        return result.stdout


def ages(world, server):
    world.push("old", "old")
    world.push("used", "used")
    world.push("looked at", "looked-at")
    world.push("golden", "golden-1")
    world.push("elsewhere", "old", image="other/app")
    same(world.plan()[0], [], "nothing is old yet")
    server.pass_days(20)
    same(world.status("used"), 200, "a pull")
    same(world.status("looked-at", method="HEAD"), 200, "a look is no pull")
    step("pushed five images, and pulled one of them after twenty days")
    # Written with the next evaluation; and kept over a restart.
    pulled = world.explain("used")["last_pulled_at"]
    same(pulled is not None, True, "the pull was noted")
    server.stop()
    server.start()
    world.reconnect()
    same(world.explain("used")["last_pulled_at"][:16], pulled[:16], "the pull over a restart")
    same(world.explain("looked-at")["last_pulled_at"], None, "a look over a restart")
    step("times survive a restart")
    ahead = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + server.ahead_s + 11 * DAY_S))
    same(world.plan(now=ahead)[0], ["looked-at", "old"], "what would go in eleven days")
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - DAY_S))
    world.api("POST", "dry-run", {"now": past}, status=400)
    server.pass_days(11)
    planned, report = world.plan()
    same(planned, ["looked-at", "old"], "what goes")
    same(report["totals"]["bytes_unreferenced"], 0, "content goes with a later run")
    estimate = report["totals"]["bytes_unreferenced_estimate"]
    same(estimate > 20_000, True, f"bytes in the end: {estimate}")
    item = world.explain("old")
    same((item["decision"], [rule["keeps"] for rule in item["rules"]]), ("delete", [False, False]), "why it goes")
    same("last access 31d ago > 30d" in item["rules"][0]["why"], True, f"the reason: {item['rules'][0]}")
    same(world.explain("golden-1")["why"], "audited", "why it stays")
    deleted, report = world.run()
    same((deleted, report["state"]), (planned, "done"), "the run does what the plan said")
    same([world.status(tag) for tag in ("old", "looked-at", "used", "golden-1")], [404, 404, 200, 200], "tags after the run")
    same(world.status("old", image="other/app"), 200, "no policy, no deletion")
    same(world.run()[0], [], "a second run finds nothing")
    step("a run deletes what its dry run named, and only that")
    return report["run"], estimate


def content(world, server, estimate):
    server.pass_days(1.5)
    planned, report = world.plan()
    same(len(planned), 2, f"manifests without a tag: {planned}")
    same(report["totals"]["bytes_unreferenced"], estimate, "the promise is kept")
    deleted, report = world.run()
    same(deleted, planned, "their content")
    step(f"content follows once its grace is over: {estimate} bytes")
    return report["run"], planned


def undo(world, runs, manifests):
    same([world.status(digest) for digest in manifests], [404, 404], "it is gone")
    back = world.api("POST", "restore", {"run": runs[1]})
    same((back["restored_manifests"], back["skipped"]), (2, []), f"manifests: {back}")
    # The tags were deleted a day and a half ago.
    back = world.api("POST", "restore", {"run": runs[0], "ref": "old"})
    same((back["restored_tags"], back["skipped"]), (1, []), f"tags: {back}")
    same([world.status("old"), world.status("looked-at")], [200, 404], "only what was asked for")
    same(world.plan()[0], [], "what is back is as young as a push")
    world.api("POST", "restore", {"run": "r-99"}, status=404)
    step("what was deleted comes back")


def program(world, server):
    server.pass_days(29)
    same(world.status("used"), 200, "a pull, so that something stays")
    same(world.run()[0], [], "not yet")
    server.pass_days(2)
    text = world.program("plan")
    same("acme/app:old" in text and "Nothing is deleted" in text, True, f"plan: {text}")
    text = world.program("explain", "acme/app", "golden-1")
    same("audited" in text and "rules[1].protect" in text, True, f"explain: {text}")
    text = world.program("run")
    same("done" in text, True, f"run: {text}")
    same("r-1 " in world.program("runs"), True, "runs")
    same("default" in world.program("runs", "r-1"), True, "one of them")
    last = json.loads(world.program("runs", "--json"))["items"][0]["run"]
    same("are back" in world.program("restore", last), True, "restore")
    world.program("run", "--policy", "none", code=3)
    step("the program says the same")


def reload(world, server):
    text = POLICY.replace("name: default", "name: other").replace("max_delete_percent: 100", "max_delete_percent: 1")
    server.configuration.write_text(text)
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + DEADLINE_S
    while world.api("GET", "policies")["items"] != [{"name": "other"}]:
        same(time.monotonic() < deadline, True, "the new policies in time")
    for number in range(20):
        world.push(f"more {number}", f"more-{number}")
    server.pass_days(31)
    world.api("POST", "run", {}, status=409)  # so long without a run
    world.program("run", "--confirm-clock", code=2)
    same(world.status("more-1"), 200, "too many at once: none")
    world.program("run", "--above-percent", "--confirm-clock")
    same([world.status("more-1"), world.status("more-2")], [200, 404], "told to; what was pulled a moment ago stays")
    step("a configuration that is read again counts, and the guards hold")


def main():
    options = registry_process.script_options(__doc__, lambda parser: parser.add_argument("--preload", required=True))
    if options.server != "orbitalreg":
        registry_process.skip("there is no such thing elsewhere")
    try:
        with AgingRegistry(options) as server:
            world = World(server)
            first, estimate = ages(world, server)
            second, manifests = content(world, server, estimate)
            undo(world, (first, second), manifests)
            program(world, server)
            reload(world, server)
    except (ClientFailed, registry_process.RegistryError) as error:
        print(f"FAILED: {error}")
        return 1
    print("all steps passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
