# SPDX-License-Identifier: PostgreSQL
"""`pganalytics status` beside a running collector, and what the service manager is told."""
import json
import os
import signal
import socket
import stat
import tempfile

import pytest

from ports import free_port
from stack import Collector, program
from wait import eventually


def ask(collector, *arguments):
    return collector.run("status", "--config", str(collector.config), *arguments, check=False)


def as_json(collector):
    done = ask(collector, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


class ServiceManager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="pga-notify-")
        self.path = os.path.join(self.directory.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)
        self.told = []

    def read(self):
        try:
            while True:
                self.told.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            return self.told

    def count(self, line):
        return sum(line in text.splitlines() for text in self.read())

    def close(self):
        self.socket.close()
        self.directory.cleanup()


@pytest.fixture
def manager():
    told = ServiceManager()
    yield told
    told.close()


def test_all_is_well(collector, monitored):
    eventually(lambda: as_json(collector)["sender"]["sent_batches"] > 2)
    done = ask(collector)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("server main: reachable", f"PostgreSQL {monitored.major}.", "certificate", "no problems", "ms of SQL"):
        assert part in done.stdout, done.stdout
    found = as_json(collector)
    server = found["servers"][0]
    assert server["families"]["read"] > 20 and server["families"]["failing"] == 0
    assert server["missing"] and server["families"]["missing"] >= len(server["missing"])
    # None costs more than the dearest, so all together at most so many times that; twice for what was read oftener.
    most = 2 * server["families"]["read"] * server["cost"]["dearest"][0]["ms_per_run"]
    assert 0 < server["cost"]["sql_ms_per_reading"] <= most, server["cost"]
    assert abs(found["time"] - server["last_reading"]) < 60e6
    assert found["collector_id"] == collector.id
    assert 360 < (found["credentials"]["certificate_ends"] - found["time"]) / 86400e6 < 366
    assert found["process"]["pid"] == collector.process.pid and found["process"]["resident_bytes"] > 1e6
    assert stat.S_IMODE((collector.state / "status.sock").stat().st_mode) == 0o600


def test_what_is_missing_is_named_with_its_remedy(backend, monitored):
    monitored.execute("create role stranger login")
    with Collector(backend, {"main": monitored.dsn(user="stranger")}, name="stranger") as collector:
        done = eventually(lambda: "pg_monitor" in ask(collector).stdout and ask(collector))
        assert 'grant pg_monitor to "stranger"' in done.stdout, done.stdout


def test_a_server_that_is_away_and_a_path_that_is_long(backend, monitored, tmp_path):
    deep = tmp_path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    nobody = f"host=127.0.0.1 port={free_port()} user=x"
    with Collector(backend, {"main": monitored.dsn(user="monitor"), "away": nobody}, directory=deep) as collector:
        eventually(lambda: len(as_json(collector)["problems"]) == 1 and as_json(collector)["servers"][0]["reachable"])
        done = ask(collector)
        assert done.returncode == 1
        assert "server away: NOT REACHABLE" in done.stdout and "problem: server away cannot be read" in done.stdout
        assert "Connection refused" in done.stdout


def test_nobody_to_ask(backend, registered):
    done = ask(registered)
    assert done.returncode == 1 and "no collector runs with state_dir" in done.stderr
    registered.start()
    eventually(lambda: ask(registered).returncode == 0)
    registered.kill()
    done = ask(registered)
    assert done.returncode == 1 and "no collector runs" in done.stderr, "the socket of a killed one is nobody"
    registered.start()
    eventually(lambda: ask(registered).returncode == 0)
    registered.stop()
    assert not (registered.state / "status.sock").exists()


def test_who_does_not_read_hinders_nobody(collector):
    eventually(lambda: ask(collector).returncode == 0)
    idle = [socket.socket(socket.AF_UNIX) for _ in range(6)]
    for one in idle:
        one.connect(str(collector.state / "status.sock"))
    assert ask(collector).returncode == 0
    for one in idle:
        one.close()


def test_the_watchdog_is_fed_until_a_thread_is_stuck(registered, manager, monitored):
    registered.write_config({"main": monitored.dsn(user="monitor")}, extra="[limits]\nstall = 5\n")
    registered.launch([program("pganalytics"), "--config", registered.config],
                      {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    eventually(lambda: manager.count("READY=1") == 1)
    eventually(lambda: manager.count("WATCHDOG=1") >= 3)
    eventually(lambda: manager.count("STATUS=1 of 1 servers reachable, 0 batches waiting") > 0)

    def stuck():
        return sum("stuck" in line["message"] for line in registered.log_lines("error"))

    before = stuck()
    pipes = [registered.state / "servers" / "main" / f"baseline-{n}.tmp" for n in range(2)]
    for path in pipes:
        os.mkfifo(path)  # who opens it for writing waits for a reader
    eventually(lambda: stuck() > before, 30)
    manager.read()
    heard = manager.count("WATCHDOG=1")
    eventually(lambda: "problem: server main: its thread is stuck" in ask(registered).stdout)
    assert manager.count("WATCHDOG=1") == heard, "stuck, and the watchdog is told that all is well"
    readers = [os.open(path, os.O_RDONLY | os.O_NONBLOCK) for path in pipes]
    for path in pipes:
        path.unlink(missing_ok=True)  # the thread goes on as soon as there is a reader
    eventually(lambda: manager.count("WATCHDOG=1") > heard)
    for reader in readers:
        os.close(reader)
    registered.stop()
    assert manager.count("STOPPING=1") == 1


def test_the_service_manager_shows_what_is_true_by_now(registered, manager, monitored):
    """Also where it has no watchdog, and when a reload finds faults: the next start would fail with them."""
    registered.write_config({"main": monitored.dsn(user="monitor")})
    registered.launch([program("pganalytics"), "--config", registered.config], {"NOTIFY_SOCKET": manager.path})
    well = "STATUS=1 of 1 servers reachable, 0 batches waiting"
    eventually(lambda: manager.count(well) > 0)
    good = registered.config.read_text()

    registered.config.write_text(good + "[collector.x]\n")
    registered.process.send_signal(signal.SIGHUP)
    eventually(lambda: manager.count("RELOADING=1") == 1 and manager.count("READY=1") == 2)
    eventually(lambda: manager.read()[-1].endswith(", the settings file has faults"))
    assert ask(registered).returncode == 2

    registered.config.write_text(good)
    done = ask(registered)
    assert done.returncode == 1 and "problem: the settings file had faults" in done.stdout, done.stdout
    registered.process.send_signal(signal.SIGHUP)
    eventually(lambda: manager.read()[-1] == well)
    assert "settings file" not in ask(registered).stdout
    registered.stop()


def test_a_part_that_hangs_is_told_and_nothing_is_restarted_for_it(registered, manager, monitored):
    """A pooler whose password is read from where nobody answers: a file that a host no more gives."""
    hanging = registered.directory / "password"
    os.mkfifo(hanging)  # who opens it for reading waits for a writer
    registered.write_config({"main": monitored.dsn(user="monitor")}, extra=f"""[limits]
stall = 5
[[pgbouncer]]
name = "pooler"
host = "127.0.0.1"
port = {free_port()}
user = "monitor"
password_file = "{hanging}"
""")
    registered.launch([program("pganalytics"), "--config", registered.config],
                      {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    done = eventually(lambda: "problem: server main: its pgbouncer is stuck" in ask(registered).stdout
                      and ask(registered), 60)
    assert done.returncode == 1 and "server main: reachable" in done.stdout, done.stdout
    line = next(line for line in registered.log_lines("error") if "stuck" in line["message"])
    assert line["part"] == "pgbouncer" and line["server"] == "main", line
    manager.read()
    heard = manager.count("WATCHDOG=1")
    eventually(lambda: manager.count("WATCHDOG=1") >= heard + 3, 20, "the watchdog hears nothing more")

    writer = os.open(hanging, os.O_WRONLY | os.O_NONBLOCK)
    hanging.unlink()
    hanging.write_text("secret")
    os.close(writer)
    eventually(lambda: "stuck" not in ask(registered).stdout, 30, "it did not come back")
    assert any("watched again" in line["message"] for line in registered.log_lines("info"))
    registered.stop()


def test_the_watchdog_of_another_process_is_not_ours(registered, manager):
    registered.launch([program("pganalytics"), "--config", registered.config],
                      {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    eventually(lambda: manager.count("READY=1") == 1)
    registered.stop()
    assert manager.count("WATCHDOG=1") == 0
