"""What every page of results says, the machine and the commit; and where accepted figures are kept."""

import datetime
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))

import registry_process  # noqa: E402

ACCEPTED = pathlib.Path(__file__).resolve().parent / "accepted"


def write_accepted(path, figures):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def commit():
    done = subprocess.run(["git", "-C", str(registry_process.ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def cpu_model(field="model name"):
    return next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                 if line.partition(":")[0].strip() == field), "unknown")


def cpu_kind():
    """What tells processors apart whose names are alike."""
    return " / ".join(cpu_model(field) for field in ("model name", "cpu family", "model", "stepping"))


def machine(transport="plain HTTP"):
    stat = shutil.disk_usage(registry_process.test_directory())
    mount = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", registry_process.test_directory()],
                           capture_output=True, text=True, check=False).stdout.strip()
    return (f"{os.cpu_count()} x {cpu_model()}, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (1 << 30):.0f} GiB RAM, "
            f"Linux {platform.release()}, data on {mount} ({stat.total / (1 << 30):.0f} GiB), loopback, {transport}")


def write(path, title, page):
    """A page of results; without a path nothing."""
    if path:
        pathlib.Path(path).write_text(f"# {title}, {datetime.date.today().isoformat()}\n\n{page}")
