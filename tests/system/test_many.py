# SPDX-License-Identifier: PostgreSQL
"""Many servers in one process: 60 targets on two real ones."""
import pathlib
import re

import pytest

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Collector
from wait import eventually

TARGETS = 60


@pytest.fixture(scope="module")
def pair():
    settings = {**MONITORED_SETTINGS, "max_connections": 200}
    with PgServer(15, settings=settings) as one, PgServer(15, settings=settings) as two:
        for server in (one, two):
            monitoring_setup(server)
        yield one, two


def test_sixty_servers_are_read_and_sent(backend, pair):
    targets = {f"s{n}": pair[n % 2].dsn(user="monitor") for n in range(TARGETS)}
    collector = Collector(backend, targets, name="many", interval=5, extra="[limits]\nmemory = \"512MB\"\n")
    collector.write_config(targets, 5, '[limits]\nmemory = "512MB"\n', databases='["postgres"]')
    with collector:
        api = backend.api()
        eventually(lambda: sum(row["reachable"] for row in api.servers().values()) == TARGETS, 60)
        connected = {line["server"]: line["time"] for line in reversed(collector.log_lines()) if line["message"] == "connected"}
        seconds = [float(time[14:16]) * 60 + float(time[17:26]) for time in connected.values()]
        assert len(connected) == TARGETS
        assert (max(seconds) - min(seconds)) % 3600 > 2, "all at once"
        found = pathlib.Path(f"/proc/{collector.process.pid}/limits").read_text()
        assert re.search(r"Max address space\s+\d+ ", found), "no fence"
        files = re.search(r"Max open files\s+(\d+)\s+(\d+)", found).groups()
        assert files[0] == files[1], "as many as may be"
        assert not [line for line in collector.log_lines("error")]


def test_how_many_there_may_be(backend, tmp_path):
    targets = {f"s{n}": "host=/nowhere" for n in range(513)}
    collector = Collector(backend, targets, directory=tmp_path)
    done = collector.run("--config", str(collector.config), "--validate", check=False)
    assert done.returncode == 2 and "more than 512 servers" in done.stderr
    collector.write_config(dict(list(targets.items())[:512]))
    assert collector.run("--config", str(collector.config), "--validate", check=False).returncode == 0
