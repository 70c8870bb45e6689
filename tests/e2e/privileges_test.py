#!/usr/bin/env python3
"""SEC-111: started as root, the server continues as the owner of its data directory; where that is root too, without any
capability. The tools do the same. The shipped unit is one that systemd understands and rates as confined."""

import os
import pathlib
import pwd
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import registry_process  # noqa: E402
from client_tools import same, step  # noqa: E402
from registry_client import Connection, digest_of  # noqa: E402

NAMELESS = 54321  # nobody in /etc/passwd
UNIT = registry_process.ROOT / "tools/systemd/orbitalreg.service"
# systemd's own measure, 0 to 100 offline; "OK" ends at 49.
EXPOSURE_MAX = 20


def status_of_threads(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def is_confined(server, user, group, groups):
    for status in status_of_threads(server.pid):
        same(status["Uid"].split(), [str(user)] * 4, "user")
        same(status["Gid"].split(), [str(group)] * 4, "group")
        same(sorted(map(int, status["Groups"].split())), sorted(groups), "groups")
        for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
            same(int(status["Cap" + kind], 16), 0, f"Cap{kind} of {status['Name']}")
        same(status["NoNewPrivs"], "1", "no_new_privs")


def owners(folder):
    return {path.stat().st_uid for path in [folder, *folder.rglob("*")]}


def push_and_pull(server, word):
    with Connection(server.http_addr) as client:
        content = f"content of {word} ".encode() * 20_000
        same(client.put_blob("acme/app", content, digest_of(content)).status, 201, f"push of {word}")
        same(client.get_blob("acme/app", digest_of(content)).body, content, "what was pushed")


def tool(server, *words):
    return subprocess.run([server.binary, *words, str(server.data)], capture_output=True, text=True, timeout=120, check=False)


def owned_by(options, user, group, groups):
    with registry_process.from_arguments(options) as server:
        server.stop()
        shutil.rmtree(server.data)
        server.data.mkdir(mode=0o700)
        os.chown(server.data, user, group)
        server.workspace.chmod(0o755)
        server.start()
        is_confined(server, user, group, groups)
        push_and_pull(server, "the owner")
        same(owners(server.data), {user}, "owner of each file")
        same(f'"user":{user}' in server.log_path.read_text(), True, "the log says as whom")
        server.kill()
        # Recovery after kill -9 makes files: a tool of root must make them for the owner.
        checked = tool(server, "fsck", "--level", "deep", "--repair")
        same(checked.returncode in (0, 1), True, checked.stdout + checked.stderr)
        compacted = tool(server, "compact")
        same(compacted.returncode, 0, compacted.stdout + compacted.stderr)
        same(owners(server.data), {user}, "owner of each file after the tools")
        server.start()
        push_and_pull(server, "the owner again")


def test(options):
    step("a data directory of a user without a name")
    owned_by(options, NAMELESS, NAMELESS + 1, [])
    someone = pwd.getpwnam("daemon")
    step("a data directory of a user with a name: the groups are that user's")
    owned_by(options, someone.pw_uid, someone.pw_gid, os.getgrouplist(someone.pw_name, someone.pw_gid))
    step("a data directory of root: no capability is left, and a warning says so")
    with registry_process.from_arguments(options) as server:
        for status in status_of_threads(server.pid):
            same([int(status["Cap" + kind], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")], [0] * 5, "capabilities")
            same(status["NoNewPrivs"], "1", "no_new_privs")
        push_and_pull(server, "root")
        same("runs as root" in server.log_path.read_text(), True, "a warning")
    step("a folder above that the owner may not pass: an error that says what to do")
    with registry_process.from_arguments(options) as server:
        server.stop()
        for path in [server.data, *server.data.rglob("*")]:
            os.chown(path, NAMELESS, NAMELESS)
        server.workspace.chmod(0o700)
        server.spawn()
        same(server.process.wait(30), 3, "exit code")
        same(f"user {NAMELESS} may not make or reach" in server.log_tail(), True, server.log_tail())
    unit()


def unit():
    step("the unit")
    if not shutil.which("systemd-analyze"):
        print("      not looked at: no systemd-analyze here")
        return
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", str(UNIT)], capture_output=True, text=True,
                              timeout=60, check=False)
    said = [line for line in verified.stderr.splitlines() if "orbitalreg.service" in line and "is not executable" not in line]
    same(said, [], "what systemd says about the unit")
    rated = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", str(UNIT)],
                           capture_output=True, text=True, timeout=60, check=False)
    same(rated.returncode, 0, (rated.stdout.splitlines() or rated.stderr.splitlines() or ["nothing"])[-1])
    print("      " + rated.stdout.splitlines()[-1])


if __name__ == "__main__":
    if os.geteuid() != 0:
        registry_process.skip("only root can give up what root has")
    test(registry_process.script_options(__doc__))
    print("privileges: all of it holds")
