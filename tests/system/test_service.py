# SPDX-License-Identifier: PostgreSQL
"""The service units, and the collector as a user that may nothing."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess

import pytest

from stack import ROOT, Collector, program
from wait import eventually

UNITS = ["pganalytics.service", "pganalytics-api.service"]
analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@analyze
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_understood(unit, tmp_path):
    text = (ROOT / "deployments" / "systemd" / unit).read_text()
    ours = re.search(r"ExecStart=/usr/bin/(\S+)", text).group(1)
    copy = tmp_path / unit
    copy.write_text(text.replace(f"/usr/bin/{ours}", str(program(ours))))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60,
                          check=False)
    about = [line for line in (done.stdout + done.stderr).splitlines() if unit in line]
    assert done.returncode == 0 and not about, done.stdout + done.stderr


@analyze
@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_locked_up(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           str(ROOT / "deployments" / "systemd" / unit)], capture_output=True, text=True, timeout=60,
                          check=False)
    score = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout).group(1))
    told = re.search(r"rates both ([0-9]+\.[0-9]+)", (ROOT / "docs" / "service.md").read_text()).group(1)
    assert score <= float(told), done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_collector_needs_no_privilege(backend, monitored):
    nobody = pwd.getpwnam("nobody")
    collector = Collector(backend, {"main": monitored.dsn(user="monitor")}, name="nobody")
    collector.register()
    for path in [collector.directory, *collector.directory.rglob("*")]:
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    setpriv = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--no-new-privs",
               "--bounding-set=-all", "--inh-caps=-all"]
    copy = collector.directory / "pganalytics"  # the build may lie where nobody may look
    shutil.copy(program("pganalytics"), copy)
    try:
        collector.launch([*setpriv, copy, "--config", collector.config], {})
        status = pathlib.Path(f"/proc/{collector.process.pid}/status")
        eventually(lambda: backend.api().servers()["main"]["reachable"]
                   and re.search(r"^CapEff:\t0+$", status.read_text(), re.M))
        assert re.search(rf"^Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}", status.read_text(), re.M)
        eventually(lambda: subprocess.run([*setpriv, copy, "status", "--config", collector.config], timeout=30,
                                          capture_output=True, check=False).returncode == 0)
        collector.stop()
        collector.check_log()
    finally:
        collector.remove()
